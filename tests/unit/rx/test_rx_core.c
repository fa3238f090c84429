/* test_rx_core.c - subscriptions, reentrancy, the arena and its limit. */
#include "rx_world.h"

static struct rx_value twice(void *ctx, struct rx_value v)
{
    return rx_int(v.integer * 2);
}

static bool odd(void *ctx, struct rx_value v)
{
    return v.integer % 2 != 0;
}

static struct rx_value sum(void *ctx, struct rx_value total, struct rx_value v)
{
    return rx_int(total.integer + v.integer);
}

static void test_pipeline_reads_top_to_bottom(void **state)
{
    struct world *w = *state;
    struct rx_stream *numbers = rx_range(&w->rx, 1, 5);
    struct rx_stream *s =
        rx_pipe(numbers,
                                  rx_filter(odd, NULL),
                                  rx_map(twice, NULL),
                                  rx_scan(sum, NULL, rx_int(0)));
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "2@0 8@0 18@0 |@0 ");
    rx_forget(numbers);
    assert_all_freed(w, s);
}

static void test_cold_stream_starts_anew_for_each_subscriber(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_of(&w->rx, rx_int(1), rx_int(2));
    rx_subscribe(s, hear(w), NULL);
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "1@0 2@0 |@0 1@0 2@0 |@0 ");
    assert_all_freed(w, s);
}

static void test_subject_is_hot_and_tells_all(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct rx_subscription a, b;
    rx_subject_next(s, rx_int(1));
    rx_subscribe(s, hear(w), &a);
    rx_subject_next(s, rx_int(2));
    rx_subscribe(s, hear(w), &b);
    rx_subject_next(s, rx_int(3));
    rx_unsubscribe(&a);
    rx_unsubscribe(&a);
    rx_subject_next(s, rx_int(4));
    rx_subject_complete(s);
    assert_false(rx_open(&b));
    assert_string_equal(w->log, "2@0 3@0 3@0 4@0 |@0 ");
    assert_all_freed(w, s);
}

static void test_timers_run_in_virtual_time(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_merge(rx_interval(&w->rx, 10), rx_timer(&w->rx, 25));
    struct rx_subscription sub;
    rx_subscribe(s, hear(w), &sub);
    advance(w, 35);
    rx_unsubscribe(&sub);
    advance(w, 100);
    assert_string_equal(w->log, "0@10 1@20 0@25 2@30 ");
    assert_int_equal(rx_deadline_ms(&w->rx), RX_FOREVER);
}

static void test_late_interval_skips_and_does_not_burst(void **state)
{
    struct world *w = *state;
    rx_subscribe(rx_interval(&w->rx, 10), hear(w), NULL);
    w->clock.now_ms = 35; /* the process slept */
    rx_run(&w->rx);
    advance(w, 50);
    assert_string_equal(w->log, "0@35 1@40 2@50 ");
}

static void test_run_returns_though_work_comes_due_all_the_time(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_pipe(rx_of(&w->rx, rx_int(1)), rx_repeat(.delay_ms = RX_NEXT_TURN));
    struct rx_subscription sub;
    rx_subscribe(s, hear(w), &sub);
    rx_run(&w->rx);
    rx_run(&w->rx);
    assert_string_equal(w->log, "1@0 1@0 1@0 ");
    assert_int_equal(rx_deadline_ms(&w->rx), 0);
    rx_unsubscribe(&sub);
    assert_int_equal(rx_deadline_ms(&w->rx), RX_FOREVER);
}

static struct rx_value box_of(void *ctx, struct rx_value v)
{
    struct world *w = ctx;
    char text[64];
    (void)snprintf(text, sizeof text, "n%lld", (long long)v.integer);
    return rx_text_copy(&w->rx, span_of(text));
}

static void test_values_made_in_a_long_loop_are_freed_as_it_goes(void **state)
{
    struct world *w = *state;
    struct rx_stream *s =
        rx_pipe(rx_range(&w->rx, 0, 200000),
                                  rx_map(box_of, w),
                                  rx_pairwise(),
                                  rx_skip(199998));
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "[n199998,n199999]@0 |@0 ");
    assert_true(rx_used_max(&w->rx) < 16384);
}

static void test_full_arena_is_an_error_and_nothing_leaks(void **state)
{
    struct world *w = world_new(16384);
    struct rx_stream *s = rx_pipe(rx_range(&w->rx, 0, 1000000), rx_to_array());
    size_t before = rx_used(&w->rx);
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "#error(-2 rx: the arena is full)@0 ");
    assert_int_equal(rx_used(&w->rx), before);
    void *own = w;
    world_teardown(&own);
}

static void feed_itself(void *ctx, struct rx_value v)
{
    rx_subject_next(ctx, rx_int(v.integer + 1));
}

static void test_endless_recursion_is_an_error(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    rx_subscribe(rx_pipe(s, rx_tap(feed_itself, s), rx_ignore()), hear(w), NULL);
    rx_subject_next(s, rx_int(0));
    assert_string_equal(w->log, "#error(-2 rx: calls nest too deep)@0 ");
}

static void throw_at_three(void *ctx, struct rx_value v)
{
    struct world *w = ctx;
    if (v.integer == 3)
        rx_throw(&w->rx, rx_error(BERTH_EINVAL, "three"));
}

static void test_throwing_ends_the_stream_of_the_function(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_pipe(rx_range(&w->rx, 1, 5), rx_tap(throw_at_three, w));
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "1@0 2@0 #error(-1 three)@0 ");
}

static void test_error_nobody_hears_is_counted(void **state)
{
    struct world *w = *state;
    rx_subscribe(rx_fail(&w->rx, rx_error(BERTH_EINVAL, "x")), (struct rx_observer){0}, NULL);
    assert_int_equal(rx_unhandled(&w->rx), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pipeline_reads_top_to_bottom),
        TEST(test_cold_stream_starts_anew_for_each_subscriber),
        TEST(test_subject_is_hot_and_tells_all),
        TEST(test_timers_run_in_virtual_time),
        TEST(test_late_interval_skips_and_does_not_burst),
        TEST(test_run_returns_though_work_comes_due_all_the_time),
        TEST(test_values_made_in_a_long_loop_are_freed_as_it_goes),
        TEST(test_full_arena_is_an_error_and_nothing_leaks),
        TEST(test_endless_recursion_is_an_error),
        TEST(test_throwing_ends_the_stream_of_the_function),
        TEST(test_error_nobody_hears_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
