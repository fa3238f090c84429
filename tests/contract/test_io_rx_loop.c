/* test_io_rx_loop.c - streams on the real event loop: timers fire in order and not early. */
#include "io/rx_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct loop *loop;
    struct rx_loop ticks;
    struct rx rx;
    void *memory;
    int64_t started_ms, heard[8];
    int count;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    struct err err;
    w->loop = loop_create(&err);
    w->memory = malloc(1 << 16);
    assert_non_null(w->loop);
    assert_non_null(w->memory);
    rx_loop_init(&w->ticks, w->loop, &w->rx);
    assert_int_equal(rx_init(&w->rx, w->memory, 1 << 16, rx_loop_scheduler(&w->ticks)), 0);
    w->started_ms = loop_now(w->loop).ms;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    rx_fini(&w->rx);
    rx_loop_fini(&w->ticks);
    loop_destroy(w->loop);
    free(w->memory);
    free(w);
    return 0;
}

static void hear(void *ctx, struct rx_value v)
{
    struct world *w = ctx;
    if (w->count < 8)
        w->heard[w->count++] = loop_now(w->loop).ms - w->started_ms;
}

static void stop(void *ctx)
{
    loop_stop(((struct world *)ctx)->loop);
}

static void test_interval_ticks_on_the_loop(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_pipe(rx_interval(&w->rx, 20), rx_take(3));
    rx_subscribe(s, (struct rx_observer){.next = hear, .complete = stop, .ctx = w}, NULL);
    loop_run(w->loop);
    assert_int_equal(w->count, 3);
    for (int i = 0; i < 3; i++)
        assert_true(w->heard[i] >= 20 * (i + 1));
    assert_int_equal(rx_deadline_ms(&w->rx), RX_FOREVER);
    assert_false(timer_active(&w->ticks.timer));
}

static void test_earlier_timer_moves_the_wake_up_forward(void **state)
{
    struct world *w = *state;
    struct rx_subscription late;
    rx_subscribe(rx_timer(&w->rx, 60000), (struct rx_observer){.next = hear, .ctx = w}, &late);
    rx_subscribe(rx_timer(&w->rx, 10),
                 (struct rx_observer){.next = hear, .complete = stop, .ctx = w}, NULL);
    loop_run(w->loop);
    assert_int_equal(w->count, 1);
    assert_true(w->heard[0] < 60000);
    rx_unsubscribe(&late);
    assert_false(timer_active(&w->ticks.timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_interval_ticks_on_the_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_earlier_timer_moves_the_wake_up_forward, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
