/* test_rx_reentry.c - streams that are spoken to from inside their own calls. What is expected here
 * is what RxJS 7.8 was seen to do with the same pipelines. */
#include "rx_world.h"

/* A subscriber that logs with a prefix and then does something. */
struct ear {
    struct world *w;
    const char *prefix;
    void (*act)(struct ear *ear, struct rx_value v);
    struct rx_stream *subject; /* to speak into */
    struct rx_subscription *to_close;
    struct ear *other; /* to subscribe */
    int acted;
};

static void ear_next(void *ctx, struct rx_value v)
{
    struct ear *e = ctx;
    log_add(e->w, "%s", e->prefix);
    log_value(e->w, v);
    log_add(e->w, " ");
    if (e->act)
        e->act(e, v);
}

static void ear_error(void *ctx, struct rx_value v)
{
    struct ear *e = ctx;
    log_add(e->w, "%s#%s ", e->prefix, v.text);
}

static void ear_complete(void *ctx)
{
    struct ear *e = ctx;
    log_add(e->w, "%s| ", e->prefix);
}

static void listen(struct rx_stream *s, struct ear *e, struct rx_subscription *sub)
{
    rx_subscribe(s, (struct rx_observer){ear_next, ear_error, ear_complete, e}, sub);
}

static void count_to_three(struct ear *e, struct rx_value v)
{
    if (v.integer < 3)
        rx_subject_next(e->subject, rx_int(v.integer + 1));
}

static void answer_two(struct ear *e, struct rx_value v)
{
    if (v.integer == 1 && e->acted++ == 0)
        rx_subject_next(e->subject, rx_int(2));
}

static void close_other(struct ear *e, struct rx_value v)
{
    rx_unsubscribe(e->to_close);
}

static void subscribe_other(struct ear *e, struct rx_value v)
{
    if (e->acted++ == 0)
        listen(e->subject, e->other, NULL);
}

static void complete_subject(struct ear *e, struct rx_value v)
{
    rx_subject_complete(e->subject);
}

/* ---- subjects ---- */

static void test_inner_emission_overtakes_for_later_subscribers(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct ear a = {.w = w, .prefix = "a", .act = count_to_three, .subject = s},
               b = {.w = w, .prefix = "b"};
    listen(s, &a, NULL);
    listen(s, &b, NULL);
    rx_subject_next(s, rx_int(1));
    assert_string_equal(w->log, "a1 a2 a3 b3 b2 b1 ");
}

static void test_behavior_feeding_itself(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_behavior(&w->rx, rx_int(1));
    struct ear a = {.w = w, .prefix = "a", .act = count_to_three, .subject = s},
               b = {.w = w, .prefix = "b"};
    listen(s, &a, NULL);
    listen(s, &b, NULL);
    assert_string_equal(w->log, "a1 a2 a3 b3 ");
}

static void test_who_is_unsubscribed_meanwhile_is_not_told(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct rx_subscription sb;
    struct ear a = {.w = w, .prefix = "a", .act = close_other, .to_close = &sb},
               b = {.w = w, .prefix = "b"};
    listen(s, &a, NULL);
    listen(s, &b, &sb);
    rx_subject_next(s, rx_int(1));
    rx_subject_next(s, rx_int(2));
    assert_string_equal(w->log, "a1 a2 ");
}

static void test_who_unsubscribes_itself_does_not_hide_the_next(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct rx_subscription sa;
    struct ear a = {.w = w, .prefix = "a", .act = close_other, .to_close = &sa},
               b = {.w = w, .prefix = "b"};
    listen(s, &a, &sa);
    listen(s, &b, NULL);
    rx_subject_next(s, rx_int(1));
    rx_subject_next(s, rx_int(2));
    assert_string_equal(w->log, "a1 b1 b2 ");
}

static void test_who_joins_meanwhile_hears_the_next_value_first(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct ear b = {.w = w, .prefix = "b"},
               a = {.w = w, .prefix = "a", .act = subscribe_other, .subject = s, .other = &b};
    listen(s, &a, NULL);
    rx_subject_next(s, rx_int(1));
    rx_subject_next(s, rx_int(2));
    assert_string_equal(w->log, "a1 a2 b2 ");
}

/* For each number: another joins, the first leaves, the other leaves. What left is freed in that
 * loop, while the subject is still walking over its subscribers. */
static void come_and_go(void *ctx, struct rx_value v)
{
    struct ear *e = ctx;
    struct rx_subscription other;
    listen(e->subject, e->other, &other);
    rx_unsubscribe(e->to_close);
    rx_unsubscribe(&other);
}

static void loop_of_coming_and_going(struct ear *e, struct rx_value v)
{
    rx_subscribe(rx_pipe(rx_range(&e->w->rx, 0, 10), rx_tap(come_and_go, e)),
                                  (struct rx_observer){.next = NULL}, NULL);
}

static void test_subscribers_come_and_go_in_a_loop_inside_an_emission(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct rx_subscription sa;
    struct ear b = {.w = w, .prefix = "b"}, a = {.w = w,
                                                 .prefix = "a",
                                                 .act = loop_of_coming_and_going,
                                                 .subject = s,
                                                 .to_close = &sa,
                                                 .other = &b};
    listen(s, &a, &sa);
    rx_subject_next(s, rx_int(1));
    rx_subject_next(s, rx_int(2));
    assert_string_equal(w->log, "a1 ");
    assert_all_freed(w, s);
}

static struct rx_stream *listen_to_range(void *ctx)
{
    struct ear *e = ctx;
    struct rx_stream *numbers = rx_range(&e->w->rx, 1, 3);
    listen(numbers, e, NULL);
    return numbers;
}

static void test_who_subscribes_on_behalf_of_nobody_still_hears_all(void **state)
{
    struct world *w = *state;
    struct rx_stream *failed = rx_subject(&w->rx);
    rx_subject_error(failed, rx_error(BERTH_ECLOSED, "gone"));
    struct ear a = {.w = w, .prefix = "a"}, b = {.w = w, .prefix = "b"};
    /* RxJS subscribes to the second input though the first has failed already; so the function of
     * rx_defer is called, and what it starts of its own goes on. */
    listen(rx_combine_latest(failed, rx_defer(&w->rx, listen_to_range, &b)), &a, NULL);
    assert_string_equal(w->log, "a#gone b1 b2 b3 b| ");
}

static void test_completing_inside_a_value(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct ear a = {.w = w, .prefix = "a", .act = complete_subject, .subject = s},
               b = {.w = w, .prefix = "b"};
    listen(s, &a, NULL);
    listen(s, &b, NULL);
    rx_subject_next(s, rx_int(1));
    assert_string_equal(w->log, "a1 a| b| ");
    assert_all_freed(w, s);
}

static void test_share_joined_from_inside(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx), *s = rx_pipe(source, rx_share());
    struct ear b = {.w = w, .prefix = "b"},
               a = {.w = w, .prefix = "a", .act = subscribe_other, .subject = s, .other = &b};
    listen(s, &a, NULL);
    rx_subject_next(source, rx_int(1));
    rx_subject_next(source, rx_int(2));
    assert_string_equal(w->log, "a1 a2 b2 ");
}

/* ---- operators that are fed by what they say ---- */

static struct rx_stream *with_plus_ten(void *ctx, struct rx_value v)
{
    return rx_of(ctx, v, rx_int(v.integer + 10));
}

static struct rx_value add(void *ctx, struct rx_value sum, struct rx_value v)
{
    return rx_int(sum.integer + v.integer);
}

static struct rx_op op_take_2(struct rx *rx)
{
    return rx_take(2);
}
static struct rx_op op_switch(struct rx *rx)
{
    return rx_switch_map(with_plus_ten, rx);
}
static struct rx_op op_exhaust(struct rx *rx)
{
    return rx_exhaust_map(with_plus_ten, rx);
}
static struct rx_op op_concat(struct rx *rx)
{
    return rx_concat_map(with_plus_ten, rx);
}
static struct rx_op op_merge(struct rx *rx)
{
    return rx_merge_map(with_plus_ten, rx, 0);
}
static struct rx_op op_scan(struct rx *rx)
{
    return rx_scan(add, NULL, rx_int(0));
}
static struct rx_op op_distinct(struct rx *rx)
{
    return rx_distinct_until_changed();
}

static void test_operators_fed_by_their_own_values(void **state)
{
    static const struct {
        const char *name;
        struct rx_op (*op)(struct rx *rx);
        const char *heard; /* 1 comes, at which 2 is said back; then 3 */
    } rows[] = {
        {"take", op_take_2, "1 2 | "},
        {"switch_map", op_switch, "1 2 12 3 13 "},
        {"exhaust_map", op_exhaust, "1 11 3 13 "},
        {"concat_map", op_concat, "1 11 2 12 3 13 "},
        {"merge_map", op_merge, "1 2 12 11 3 13 "},
        {"scan", op_scan, "1 3 6 "},
        {"distinct", op_distinct, "1 2 3 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = world_new(1 << 16);
        struct rx_stream *s = rx_subject(&w->rx);
        struct ear a = {.w = w, .prefix = "", .act = answer_two, .subject = s};
        listen(rx_pipe(s, rows[i].op(&w->rx)), &a, NULL);
        rx_subject_next(s, rx_int(1));
        rx_subject_next(s, rx_int(3));
        if (strcmp(w->log, rows[i].heard) != 0)
            fail_msg("%s: %s", rows[i].name, w->log);
        void *own = w;
        world_teardown(&own);
    }
}

static struct rx_value ten_times(void *ctx, struct rx_value v)
{
    return rx_int(v.integer * 10);
}

static void test_combining_a_stream_with_itself(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct ear a = {.w = w, .prefix = "a"}, b = {.w = w, .prefix = "b"};
    listen(rx_combine_latest(s, rx_pipe(s, rx_map(ten_times, NULL))), &a, NULL);
    listen(rx_pipe(s, rx_with_latest_from(s)), &b, NULL);
    rx_subject_next(s, rx_int(1));
    rx_subject_next(s, rx_int(2));
    assert_string_equal(w->log, "a[1,10] b[1,1] a[2,10] a[2,20] b[2,2] ");
}

/* ---- everything at once, inside subscribe ---- */

static void test_take_cuts_a_synchronous_merge(void **state)
{
    struct world *w = *state;
    struct ear t = {.w = w, .prefix = "t"}, a = {.w = w, .prefix = ""};
    struct rx_stream *first = rx_of(&w->rx, rx_int(1), rx_int(2));
    struct rx_stream *second = rx_pipe(rx_of(&w->rx, rx_int(3), rx_int(4)), rx_tap(ear_next, &t));
    listen(rx_pipe(rx_merge(first, second), rx_take(3)), &a, NULL);
    assert_string_equal(w->log, "1 2 t3 3 | ");
}

static void stop_at_two(void *ctx, struct rx_value v)
{
    if (v.integer == 2)
        rx_subject_next(ctx, rx_int(0));
}

static void test_take_until_inside_a_synchronous_source(void **state)
{
    struct world *w = *state;
    struct rx_stream *stop = rx_subject(&w->rx);
    struct ear a = {.w = w, .prefix = ""};
    listen(
        rx_pipe(rx_range(&w->rx, 1, 3), rx_tap(stop_at_two, stop), rx_take_until(stop)), &a, NULL);
    assert_string_equal(w->log, "1 | ");
}

static struct rx_stream *one_then_error(void *ctx)
{
    struct world *w = ctx;
    int64_t n = (int64_t)strlen(w->log) / 2; /* "1 2 " */
    if (n < 2)
        return rx_concat(rx_of(&w->rx, rx_int(n + 1)),
                         rx_fail(&w->rx, rx_error(BERTH_EAGAIN, "e")));
    return rx_of(&w->rx, rx_int(n + 1));
}

static void test_retrying_a_shared_synchronous_source(void **state)
{
    struct world *w = *state;
    struct ear a = {.w = w, .prefix = ""};
    listen(
        rx_pipe(rx_defer(&w->rx, one_then_error, w), rx_share(), rx_retry(.count = 5)), &a, NULL);
    assert_string_equal(w->log, "1 2 3 | ");
}

static void test_repeating_a_synchronous_source_keeps_the_stack_and_the_arena_flat(void **state)
{
    struct world *w = *state;
    struct ear a = {.w = w, .prefix = ""};
    struct rx_stream *one = rx_of(&w->rx, rx_int(1));
    struct rx_stream *s = rx_pipe(one, rx_repeat(), rx_take(300000), rx_count(NULL, NULL));
    listen(s, &a, NULL);
    assert_string_equal(w->log, "300000 | ");
    assert_true(rx_used_max(&w->rx) < 16384);
    rx_forget(one);
    assert_all_freed(w, s);
}

static struct rx_stream *just(void *ctx, struct rx_value v)
{
    return rx_of(ctx, v);
}

static void test_concat_map_of_many_synchronous_streams_keeps_them_flat(void **state)
{
    struct world *w = *state;
    struct ear a = {.w = w, .prefix = ""};
    struct rx_stream *numbers = rx_range(&w->rx, 0, 300000);
    struct rx_stream *s = rx_pipe(numbers, rx_concat_map(just, &w->rx), rx_count(NULL, NULL));
    listen(s, &a, NULL);
    assert_string_equal(w->log, "300000 | ");
    assert_true(rx_used_max(&w->rx) < 16384);
    rx_forget(numbers);
    assert_all_freed(w, s);
}

static struct rx_stream *subject_first(void *ctx, struct rx_value v)
{
    struct ear *e = ctx;
    return v.integer == 0 ? e->subject : rx_of(&e->w->rx, v);
}

static void test_concat_map_drains_a_long_queue_without_recursion(void **state)
{
    struct world *w = *state;
    struct rx_stream *gate = rx_subject(&w->rx);
    struct ear a = {.w = w, .prefix = ""}, to = {.w = w, .subject = gate};
    struct rx_stream *s =
        rx_pipe(rx_range(&w->rx, 0, 5000),
                                  rx_concat_map(subject_first, &to),
                                  rx_count(NULL, NULL));
    listen(s, &a, NULL);
    assert_string_equal(w->log, "");
    rx_subject_complete(gate); /* 4999 streams wait, each completes at once */
    assert_string_equal(w->log, "4999 | ");
}

static struct rx_stream *close_then_just(void *ctx, struct rx_value v)
{
    struct ear *e = ctx;
    rx_unsubscribe(e->to_close);
    return rx_of(&e->w->rx, v);
}

static void test_unsubscribing_from_inside_a_function_of_the_stream(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct rx_subscription sub;
    struct ear a = {.w = w, .prefix = "", .to_close = &sub};
    struct rx_stream *mapped = rx_pipe(s, rx_concat_map(close_then_just, &a));
    listen(mapped, &a, &sub);
    rx_subject_next(s, rx_int(1));
    rx_subject_next(s, rx_int(2));
    assert_string_equal(w->log, "");
    assert_int_equal(rx_subject_observers(s), 0);
    rx_forget(mapped);
    assert_all_freed(w, s);
}

/* ---- ends ---- */

static void say_f1(void *ctx)
{
    log_add(ctx, "f1 ");
}

static void say_f2(void *ctx)
{
    log_add(ctx, "f2 ");
}

static void test_finalizers_run_from_the_source_down_after_completion(void **state)
{
    struct world *w = *state;
    struct ear a = {.w = w, .prefix = ""};
    listen(rx_pipe(rx_of(&w->rx, rx_int(1)), rx_finalize(say_f1, w), rx_finalize(say_f2, w)), &a,
                                                         NULL);
    assert_string_equal(w->log, "1 | f1 f2 ");
}

static void close_handle(void *ctx)
{
    rx_unsubscribe(ctx);
}

static void test_unsubscribing_from_the_finalizer_of_a_failed_try_starts_no_other(void **state)
{
    struct world *w = *state;
    struct rx_subscription sub;
    struct ear a = {.w = w, .prefix = ""};
    struct rx_stream *s = rx_pipe(rx_fail(&w->rx, rx_error(BERTH_EAGAIN, "e")),
                                  rx_finalize(close_handle, &sub),
                                  rx_retry(.delay_ms = 5));
    listen(s, &a, &sub);
    assert_int_equal(rx_deadline_ms(&w->rx), RX_FOREVER);
    advance(w, 100);
    assert_string_equal(w->log, "");
}

struct again {
    struct world *w;
    struct rx_stream *stream;
    struct rx_subscription sub;
    int left;
};

static void subscribe_again(void *ctx)
{
    struct again *again = ctx;
    log_add(again->w, "| ");
    if (again->left-- > 0)
        rx_subscribe(again->stream, (struct rx_observer){.complete = subscribe_again, .ctx = again},
                     &again->sub);
}

static void test_handle_may_be_used_again_in_the_completion(void **state)
{
    struct world *w = *state;
    struct again again = {.w = w, .stream = rx_timer(&w->rx, 5), .left = 2};
    subscribe_again(&again);
    assert_true(rx_open(&again.sub));
    advance(w, 6); /* the first has completed, and subscribed again with the same handle */
    assert_true(rx_open(&again.sub));
    advance(w, 100);
    assert_false(rx_open(&again.sub));
    assert_string_equal(w->log, "| | | ");
}

static void throw_up(void *ctx, struct rx_value v)
{
    rx_throw(ctx, rx_error(BERTH_EINVAL, "observer"));
}

static void test_observer_that_throws_harms_nobody(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct ear b = {.w = w, .prefix = "b"};
    rx_subscribe(s, (struct rx_observer){.next = throw_up, .ctx = &w->rx}, NULL);
    listen(s, &b, NULL);
    rx_subject_next(s, rx_int(1));
    rx_subject_next(s, rx_int(2));
    assert_string_equal(w->log, "b1 b2 ");
    assert_int_equal(rx_unhandled(&w->rx), 2);
}

static void test_fini_with_open_subscriptions_is_clean(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    struct ear a = {.w = w, .prefix = "a"};
    listen(rx_pipe(s, rx_delay(10), rx_buffer_count(3, 0), rx_finalize(say_f1, w)), &a, NULL);
    listen(rx_pipe(rx_interval(&w->rx, 5), rx_share()), &a, NULL);
    rx_subject_next(s, rx_text_copy(&w->rx, SPAN("held")));
    rx_fini(&w->rx); /* and once more in the teardown */
    assert_string_equal(w->log, "f1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_inner_emission_overtakes_for_later_subscribers),
        TEST(test_behavior_feeding_itself),
        TEST(test_who_is_unsubscribed_meanwhile_is_not_told),
        TEST(test_who_unsubscribes_itself_does_not_hide_the_next),
        TEST(test_who_joins_meanwhile_hears_the_next_value_first),
        TEST(test_subscribers_come_and_go_in_a_loop_inside_an_emission),
        TEST(test_who_subscribes_on_behalf_of_nobody_still_hears_all),
        TEST(test_completing_inside_a_value),
        TEST(test_share_joined_from_inside),
        TEST(test_operators_fed_by_their_own_values),
        TEST(test_combining_a_stream_with_itself),
        TEST(test_take_cuts_a_synchronous_merge),
        TEST(test_take_until_inside_a_synchronous_source),
        TEST(test_retrying_a_shared_synchronous_source),
        TEST(test_repeating_a_synchronous_source_keeps_the_stack_and_the_arena_flat),
        TEST(test_concat_map_of_many_synchronous_streams_keeps_them_flat),
        TEST(test_concat_map_drains_a_long_queue_without_recursion),
        TEST(test_unsubscribing_from_inside_a_function_of_the_stream),
        TEST(test_finalizers_run_from_the_source_down_after_completion),
        TEST(test_unsubscribing_from_the_finalizer_of_a_failed_try_starts_no_other),
        TEST(test_handle_may_be_used_again_in_the_completion),
        TEST(test_observer_that_throws_harms_nobody),
        TEST(test_fini_with_open_subscriptions_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
