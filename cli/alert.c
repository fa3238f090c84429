/* alert.c - `berth alert`: who is told of what; with --test each is sent a message, and what it
 * answers is shown. */
#include "alerts/address_io.h"
#include "alerts/notifier.h"
#include "cli/berth.h"
#include "core/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct destination {
    struct alert_test *test;
    const struct alert_to_settings *settings;
    struct fetch *fetch;
};

struct alert_test {
    struct berth *berth;
    struct destination to[ALERT_TO_MAX];
    size_t count, waiting, failed;
    char host[64];
};

static const char *kind_of(const struct alert_to_settings *to)
{
    return to->kind == ALERT_TO_SLACK ? notifier_slack.name : notifier_webhook.name;
}

static void ended(struct destination *to, bool well)
{
    struct alert_test *test = to->test;
    to->fetch = NULL;
    test->failed += !well;
    if (--test->waiting == 0)
        boot_exit(&test->berth->boot, test->failed ? 1 : 0);
}

static void on_posted(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct destination *to = arg;
    bool well = code == 0 && outbox_http(response->status) == OUTBOX_DELIVERED;
    if (code < 0)
        (void)printf("%s (%s): not delivered: %s\n", to->settings->name, kind_of(to->settings),
                     err->text);
    else if (well)
        (void)printf("%s (%s): delivered in %.0f ms\n", to->settings->name, kind_of(to->settings),
                     response->seconds * 1000);
    else
        (void)printf("%s (%s): not delivered: HTTP %d %.*s\n", to->settings->name,
                     kind_of(to->settings), response->status,
                     SPAN_ARG(address_said(response->body)));
    (void)fflush(stdout);
    ended(to, well);
}

/* The message as the daemons would send it. NULL: no memory. */
static char *body_for(struct alert_test *test, const struct alert_to_settings *to)
{
    const struct settings *s = test->berth->settings;
    const struct outbox_config config = {.queue_max = 1, .max_age_ms = 1};
    const struct notifier_story story = {
        .installation = s->alerts.installation ? s->alerts.installation : s->redis.name_space,
        .sender = test->host,
        .runbook_url = s->alerts.runbook_url,
        .now = {loop_wall_us() / 1000}};
    struct outbox_message message;
    struct record_writer w;
    struct alert alert;
    alert_init(&alert, ALERT_TEST, ALERT_POOL_NONE, "", story.now);
    record_begin(&w, alert.record, sizeof alert.record);
    record_put_text(&w, "why", "berth alert --test");
    record_put_text(&w, "who", test->host);
    struct outbox *outbox = outbox_create(&config);
    char *body = NULL;
    mono_ms_t now = loop_now(test->berth->loop);
    if (outbox)
        outbox_put(outbox, &alert, (wall_ms_t){0}, now);
    if (outbox && outbox_take(outbox, now, &message))
        body = to->kind == ALERT_TO_SLACK ? notifier_slack.message(&story, &message)
                                          : notifier_webhook.message(&story, &message);
    outbox_destroy(outbox);
    return body;
}

static void send_one(struct destination *to)
{
    struct err err = {0};
    char *body = body_for(to->test, to->settings);
    to->fetch =
        body ? address_post(to->test->berth->fetcher, to->settings, body, on_posted, to, &err)
             : NULL;
    free(body);
    if (to->fetch)
        return;
    (void)printf("%s (%s): not delivered: %s\n", to->settings->name, kind_of(to->settings),
                 err.text[0] ? err.text : "no memory");
    ended(to, false);
}

static void list(const struct alert_test *test)
{
    for (size_t i = 0; i < test->count; i++) {
        const struct alert_to_settings *to = test->to[i].settings;
        (void)printf("%s (%s): severity %s and above, %zu kinds muted, report %s\n", to->name,
                     kind_of(to), alert_severities[to->severity], to->mute.count,
                     to->report ? "yes" : "no");
    }
    (void)printf("`berth alert --test` sends each of them a test message\n");
    boot_exit(&test->berth->boot, 0);
}

static int alert_open(struct berth *berth, struct err *err)
{
    const struct section_items *to = &berth->settings->alerts.to;
    struct alert_test *test = calloc(1, sizeof *test);
    if (!test)
        return err_set(err, BERTH_ENOMEM, "no memory");
    berth->state = test;
    test->berth = berth;
    if (gethostname(test->host, sizeof test->host - 1) < 0)
        (void)snprintf(test->host, sizeof test->host, "berth");
    if (to->count == 0)
        return err_set(err, BERTH_EINVAL,
                       "alerts.to: names no destination: nobody is told anything (docs/alerts.md)");
    test->count = test->waiting = to->count;
    for (size_t i = 0; i < to->count; i++)
        test->to[i] = (struct destination){
            .test = test, .settings = SECTION_AT(*to, struct alert_to_settings, i)};
    if (!berth->settings->cli.test) {
        list(test);
        return 0;
    }
    for (size_t i = 0; i < to->count; i++)
        send_one(&test->to[i]);
    return 0;
}

static void alert_stop(struct berth *berth)
{
    boot_exit(&berth->boot, 130);
}

static void alert_close(struct berth *berth)
{
    struct alert_test *test = berth->state;
    for (size_t i = 0; test && i < test->count; i++)
        if (test->to[i].fetch)
            fetch_cancel(test->to[i].fetch);
    free(test);
}

const struct verb verb_alert = {"alert",    "",         "who is told of what; --test: try it",
                                alert_open, alert_stop, alert_close};
