/* The loop: timers fire in order and not early, signals and children are reported in the loop's
 * thread. */
#include "io/loop.h"
#include "tests/support/cmocka.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;

static int setup(void **state)
{
    loop = loop_create(NULL);
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    loop_destroy(loop);
    return 0;
}

struct shot {
    struct timer timer;
    int fired, stop_after;
    mono_ms_t at;
    char name, *order;
};

static void on_shot(void *arg)
{
    struct shot *shot = arg;
    shot->at = loop_now(loop);
    if (shot->order)
        shot->order[strlen(shot->order)] = shot->name;
    if (++shot->fired == shot->stop_after) {
        timer_stop(&shot->timer);
        loop_stop(loop);
    }
}

static void shot_init(struct shot *shot, char name, char *order, int stop_after)
{
    *shot = (struct shot){.name = name, .order = order, .stop_after = stop_after};
    timer_init(&shot->timer, loop, on_shot, shot);
}

static void test_timers_fire_in_order_and_not_early(void **state)
{
    char order[8] = "";
    struct shot a, b, c, never;
    shot_init(&a, 'a', order, 0);
    shot_init(&b, 'b', order, 1);
    shot_init(&c, 'c', order, 0);
    shot_init(&never, 'n', order, 0);
    mono_ms_t at = mono_add(loop_now(loop), 30);
    timer_at(&b.timer, at);
    timer_start(&a.timer, 10, 0);
    timer_start(&c.timer, 0, 0);
    timer_start(&never.timer, 5, 0);
    timer_at(&never.timer, MONO_NEVER);
    assert_false(timer_active(&never.timer));
    loop_run(loop);
    assert_string_equal(order, "cab");
    assert_true(b.at.ms >= at.ms); /* a core asked at its deadline must find it reached */
    assert_false(timer_active(&a.timer));
}

static void test_a_repeating_timer_repeats_until_stopped(void **state)
{
    struct shot r;
    shot_init(&r, 'r', NULL, 3);
    timer_start(&r.timer, 1, 2);
    loop_run(loop);
    assert_int_equal(r.fired, 3);
    assert_false(timer_active(&r.timer));
}

static void test_a_deadline_in_the_past_fires_at_once(void **state)
{
    struct shot r;
    shot_init(&r, 'r', NULL, 1);
    timer_at(&r.timer, (mono_ms_t){0});
    loop_run(loop);
    assert_int_equal(r.fired, 1);
}

static void on_signal(void *arg, int signum)
{
    *(int *)arg = signum;
    loop_stop(loop);
}

static void raise_it(void *arg)
{
    raise(*(int *)arg);
}

static void test_signals_arrive_in_the_loop(void **state)
{
    int got = 0, send = SIGUSR1;
    struct timer timer;
    assert_int_equal(loop_on_signal(loop, SIGUSR1, on_signal, &got), 0);
    timer_init(&timer, loop, raise_it, &send);
    timer_start(&timer, 1, 1000);
    loop_run(loop);
    assert_int_equal(got, SIGUSR1);
    timer_stop(&timer);
    raise(SIGPIPE); /* ignored: a peer that hung up does not end the program */
    for (int i = 1; i < 8; i++)
        assert_int_equal(loop_on_signal(loop, SIGUSR2, on_signal, &got), 0);
    assert_int_equal(loop_on_signal(loop, SIGUSR2, on_signal, &got), BERTH_EFULL);
}

static void on_child(void *arg, int pid, int status)
{
    int *got = arg;
    got[0] = pid;
    got[1] = status;
    loop_stop(loop);
}

static void test_a_child_is_reported_with_its_status(void **state)
{
    int got[2] = {0, 0};
    struct child child;
    int pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(7);
    child_watch(&child, loop, pid, on_child, got);
    loop_run(loop);
    assert_int_equal(got[0], pid);
    assert_true(WIFEXITED(got[1]));
    assert_int_equal(WEXITSTATUS(got[1]), 7);
    child_unwatch(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timers_fire_in_order_and_not_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_repeating_timer_repeats_until_stopped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_deadline_in_the_past_fires_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals_arrive_in_the_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_child_is_reported_with_its_status, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
