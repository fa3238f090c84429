/* boot.c - stages up, loop, stages down; signals; systemd. */
#include "io/boot.h"

#include <signal.h>
#include <stdio.h>

static void report(const struct boot *boot, const char *stage, const struct err *err)
{
    if (boot->log)
        log_error(boot->log, "boot", "stage=%s why=%s error=%s", stage, err_word(err->code),
                  err->text);
    else
        (void)fprintf(stderr, "%s: %s\n", stage, err->text);
}

void boot_exit(struct boot *boot, int exit_code)
{
    boot->exit_code = exit_code;
    boot->ending = true;
    if (boot->loop)
        loop_stop(boot->loop);
}

void boot_stop(struct boot *boot)
{
    if (boot->signals++ > 0)
        return;
    notify_stopping(&boot->notify);
    if (boot->stop)
        boot->stop(boot->app);
    else
        boot_exit(boot, 0);
}

static void on_end(void *arg, int signum)
{
    struct boot *boot = arg;
    if (boot->log)
        log_info(boot->log, "signal", "signal=%s why=%s",
                 signum == SIGTERM  ? "TERM"
                 : signum == SIGHUP ? "HUP"
                                    : "INT",
                 boot->signals == 0 ? "graceful_stop" : "stop_now");
    if (boot->signals == 0)
        boot_stop(boot);
    else
        boot_exit(boot, 128 + signum);
}

static void on_hangup(void *arg, int signum)
{
    struct boot *boot = arg;
    if (boot->of_terminal)
        on_end(boot, signum);
    else if (boot->reload && boot->signals == 0)
        boot->reload(boot->app);
}

static void on_watchdog(void *arg)
{
    struct boot *boot = arg;
    notify_watchdog(&boot->notify);
}

static void on_restart(void *arg, int signum)
{
    struct boot *boot = arg;
    if (boot->restart && boot->signals == 0)
        boot->restart(boot->app);
    else if (boot->log)
        log_warn(boot->log, "signal", "signal=USR2 why=%s",
                 boot->restart ? "leaving" : "no_restart_in_place");
}

static bool is_nohup(const struct boot *boot)
{
    struct sigaction was;
    return boot->of_terminal && sigaction(SIGHUP, NULL, &was) == 0 && was.sa_handler == SIG_IGN;
}

static int watch(struct boot *boot, struct err *err)
{
    if (!boot->loop)
        return err_set(err, BERTH_EINVAL, "no stage made a loop");
    if (loop_on_signal(boot->loop, SIGTERM, on_end, boot) < 0 ||
        loop_on_signal(boot->loop, SIGINT, on_end, boot) < 0 ||
        (!is_nohup(boot) && loop_on_signal(boot->loop, SIGHUP, on_hangup, boot) < 0) ||
        loop_on_signal(boot->loop, SIGUSR2, on_restart, boot) < 0)
        return err_set(err, BERTH_EFULL, "too many signals are watched");
    if (notify_init(&boot->notify, err) < 0 && boot->log) /* no reason not to serve */
        log_warn(boot->log, "boot", "stage=notify error=%s", err->text);
    timer_init(&boot->watchdog, boot->loop, on_watchdog, boot);
    if (boot->notify.watchdog_ms)
        timer_start(&boot->watchdog, 0, boot->notify.watchdog_ms);
    return 0;
}

static void run(struct boot *boot)
{
    struct err err = {0};
    if (watch(boot, &err) < 0) {
        report(boot, "boot", &err);
        boot->exit_code = 1;
        return;
    }
    notify_ready(&boot->notify);
    if (!boot->ending) /* a stage may have had enough already */
        loop_run(boot->loop);
    timer_stop(&boot->watchdog);
    notify_fini(&boot->notify);
}

int boot_run(struct boot *boot, const struct boot_stage *stages, void *app)
{
    size_t opened = 0;
    int rc = 0;
    boot->app = app;
    boot->notify.fd = -1;
    if (!boot->of_terminal)
        (void)signal(SIGHUP, SIG_IGN); /* until the loop runs: what is being read is fresh */
    for (; stages[opened].name; opened++) {
        struct err err = {0};
        rc = stages[opened].open(app, &err);
        if (rc == 0)
            continue;
        if (rc < 0) {
            report(boot, stages[opened].name, &err);
            boot->exit_code = 1;
        }
        break;
    }
    if (rc == 0)
        run(boot);
    while (opened-- > 0)
        if (stages[opened].close)
            stages[opened].close(app);
    return boot->exit_code;
}
