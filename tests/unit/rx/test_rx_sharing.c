/* test_rx_sharing.c - subjects, publish, share, share_replay, group_by. */
#include "rx_world.h"

/* ---- subjects ---- */

static void test_behavior_says_its_present_value_first(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_behavior(&w->rx, rx_int(1));
    rx_subject_next(s, rx_int(2));
    rx_subscribe(s, hear(w), NULL);
    rx_subject_next(s, rx_int(3));
    assert_int_equal(rx_behavior_value(s).integer, 3);
    rx_subject_complete(s);
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "2@0 3@0 |@0 |@0 ");
    assert_all_freed(w, s);
}

static void test_replay_says_the_last_values_within_its_window(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_replay(&w->rx, 2, 10);
    rx_subject_next(s, rx_int(1));
    advance(w, 3);
    rx_subject_next(s, rx_int(2));
    rx_subject_next(s, rx_int(3));
    rx_subscribe(s, hear(w), NULL);
    advance(w, 13); /* a value is of the past after its whole window */
    rx_subject_error(s, rx_error(BERTH_ECLOSED, "gone"));
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "2@3 3@3 #error(-9 gone)@13 #error(-9 gone)@13 ");
    assert_all_freed(w, s);
}

static void test_ended_subject_is_silent(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_subject(&w->rx);
    rx_subscribe(s, hear(w), NULL);
    rx_subject_complete(s);
    rx_subject_next(s, rx_int(1));
    rx_subject_error(s, rx_error(BERTH_EINVAL, "late"));
    assert_string_equal(w->log, "|@0 ");
    assert_int_equal(rx_subject_observers(s), 0);
}

/* ---- publish ---- */

static void test_publish_waits_for_connect_and_subscribes_once(void **state)
{
    struct world *w = *state;
    struct rx_stream *numbers = rx_range(&w->rx, 1, 2);
    struct rx_stream *s = rx_pipe(numbers, rx_publish());
    rx_subscribe(s, hear(w), NULL);
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "");
    rx_connect(s);
    assert_string_equal(w->log, "1@0 1@0 2@0 2@0 |@0 |@0 ");
    rx_subscribe(s, hear(w), NULL); /* its one subject has ended */
    assert_string_equal(w->log + strlen("1@0 1@0 2@0 2@0 |@0 |@0 "), "|@0 ");
    rx_forget(numbers);
    assert_all_freed(w, s);
}

static void test_disconnect_stops_the_source_not_the_subscribers(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_pipe(rx_interval(&w->rx, 10), rx_publish());
    rx_subscribe(s, hear(w), NULL);
    rx_connect(s);
    advance(w, 10);
    rx_disconnect(s);
    advance(w, 50);
    rx_connect(s);
    advance(w, 60);
    assert_string_equal(w->log, "0@10 0@60 ");
}

static struct rx_stream *new_subject(void *ctx)
{
    return rx_subject(ctx);
}

static void test_multicast_starts_afresh_with_each_connection(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_pipe(rx_range(&w->rx, 1, 1), rx_multicast(new_subject, &w->rx));
    for (int i = 0; i < 2; i++) {
        rx_subscribe(s, hear(w), NULL);
        rx_connect(s);
    }
    assert_string_equal(w->log, "1@0 |@0 1@0 |@0 ");
}

static void test_ref_count_connects_first_and_disconnects_last(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx);
    struct rx_stream *s = rx_pipe(source, rx_publish(), rx_ref_count());
    struct rx_subscription a, b;
    rx_subscribe(s, hear(w), &a);
    rx_subscribe(s, hear(w), &b);
    assert_int_equal(rx_subject_observers(source), 1);
    rx_unsubscribe(&a);
    assert_int_equal(rx_subject_observers(source), 1);
    rx_unsubscribe(&b);
    assert_int_equal(rx_subject_observers(source), 0);
    rx_forget(source);
    assert_all_freed(w, s);
}

/* ---- share ---- */

static void test_share_subscribes_once_and_again_after_the_last_left(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx);
    struct rx_stream *s = rx_pipe(source, rx_share());
    struct rx_subscription a, b;
    rx_subscribe(s, hear(w), &a);
    rx_subscribe(s, hear(w), &b);
    assert_int_equal(rx_subject_observers(source), 1);
    rx_subject_next(source, rx_int(1));
    rx_unsubscribe(&a);
    rx_unsubscribe(&b);
    assert_int_equal(rx_subject_observers(source), 0);
    rx_subscribe(s, hear(w), &a);
    rx_subject_next(source, rx_int(2));
    assert_string_equal(w->log, "1@0 1@0 2@0 ");
    rx_unsubscribe(&a);
    rx_forget(source);
    assert_all_freed(w, s);
}

static struct rx_stream *in_five(void *ctx)
{
    return rx_timer(ctx, 5);
}

static void test_share_may_linger_before_it_lets_go(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx);
    struct rx_stream *s = rx_pipe(source, rx_share(.reset_on_zero = in_five, .ctx = &w->rx));
    struct rx_subscription a;
    rx_subscribe(s, hear(w), &a);
    rx_unsubscribe(&a);
    advance(w, 4);
    assert_int_equal(rx_subject_observers(source), 1);
    rx_subscribe(s, hear(w), &a); /* back in time */
    advance(w, 20);
    assert_int_equal(rx_subject_observers(source), 1);
    rx_unsubscribe(&a);
    advance(w, 25);
    assert_int_equal(rx_subject_observers(source), 0);
    rx_forget(source);
    assert_all_freed(w, s);
}

static struct rx_stream *seven(void *ctx)
{
    return rx_behavior(ctx, rx_int(7));
}

static void test_share_does_not_connect_for_who_has_left_already(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx);
    struct rx_stream *s = rx_pipe(source,
                                  rx_share(.connector = seven, .keep_on_zero = true,
                                           .ctx = &w->rx),
                                  rx_take(1));
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "7@0 |@0 ");
    assert_int_equal(rx_subject_observers(source), 0);
}

static void test_share_can_keep_its_end(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_pipe(rx_range(&w->rx, 1, 1), rx_share(.keep_on_complete = true));
    rx_subscribe(s, hear(w), NULL);
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "1@0 |@0 |@0 ");
}

static void test_share_replay_serves_those_who_come_late(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_pipe(rx_range(&w->rx, 1, 3), rx_share_replay(.count = 2));
    rx_subscribe(s, hear(w), NULL);
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "1@0 2@0 3@0 |@0 2@0 3@0 |@0 ");
}

static void test_share_replay_with_ref_count_lets_go(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx);
    struct rx_stream *s = rx_pipe(source, rx_share_replay(.count = 1, .ref_count = true));
    struct rx_subscription a;
    rx_subscribe(s, hear(w), &a);
    rx_subject_next(source, rx_int(1));
    rx_unsubscribe(&a);
    assert_int_equal(rx_subject_observers(source), 0);
    rx_subscribe(s, hear(w), &a);
    assert_string_equal(w->log, "1@0 ");
    rx_unsubscribe(&a);
    rx_forget(source);
    assert_all_freed(w, s);
}

/* ---- group_by ---- */

static struct rx_value parity(void *ctx, struct rx_value v)
{
    return rx_int(v.integer % 2);
}

static struct rx_value with_key(void *ctx, struct rx_value list)
{
    return rx_int(list.items[0].integer * 100 + list.items[1].integer);
}

static struct rx_value swap(void *ctx, struct rx_value list)
{
    return rx_list(ctx, (const struct rx_value[]){list.items[1], list.items[0]}, 2);
}

/* Each group's values as 100 * key + value. */
static struct rx_stream *keyed_value(void *ctx, struct rx_value group)
{
    struct rx *rx = ctx;
    struct rx_stream *keys = rx_behavior(rx, rx_group_key(group.stream));
    return rx_pipe(group.stream, rx_with_latest_from(keys), rx_map(swap, rx), rx_map(with_key, rx));
}

static struct rx_stream *count_of(void *ctx, struct rx_value group)
{
    return rx_pipe(group.stream, rx_count(NULL, NULL));
}

static void test_groups_hear_the_values_of_their_key(void **state)
{
    struct world *w = *state;
    struct rx_stream *numbers = rx_range(&w->rx, 1, 5);
    struct rx_stream *s =
        rx_pipe(numbers,
                                  rx_group_by(.key = parity),
                                  rx_merge_map(keyed_value, &w->rx, 0));
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "101@0 2@0 103@0 4@0 105@0 |@0 ");
    rx_forget(numbers);
    assert_all_freed(w, s);
}

static void test_groups_complete_with_the_source(void **state)
{
    struct world *w = *state;
    struct rx_stream *numbers = rx_range(&w->rx, 1, 5);
    struct rx_stream *s =
        rx_pipe(numbers,
                                  rx_group_by(.key = parity),
                                  rx_merge_map(count_of, &w->rx, 0));
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "3@0 2@0 |@0 ");
    rx_forget(numbers);
    assert_all_freed(w, s);
}

static struct rx_stream *after_two(void *ctx, struct rx_value group)
{
    return rx_pipe(group.stream, rx_skip(1));
}

static void test_group_ends_with_its_duration_and_opens_anew(void **state)
{
    struct world *w = *state;
    struct rx_stream *numbers = rx_range(&w->rx, 1, 7);
    struct rx_stream *s = rx_pipe(numbers,
                                  rx_group_by(.key = parity, .duration = after_two),
                                  rx_merge_map(count_of, &w->rx, 0));
    rx_subscribe(s, hear(w), NULL);
    /* 1 and 3; 2 and 4; 5 and 7; 6: the value that ends a group is still of it */
    assert_string_equal(w->log, "2@0 2@0 2@0 1@0 |@0 ");
    rx_forget(numbers);
    assert_all_freed(w, s);
}

static void test_groups_outlive_the_stream_of_groups(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx);
    struct rx_stream *s = rx_pipe(source,
                                  rx_group_by(.key = parity),
                                  rx_take(1),
                                  rx_merge_map(keyed_value, &w->rx, 0));
    struct rx_subscription sub;
    rx_subscribe(s, hear(w), &sub);
    for (int i = 1; i <= 4; i++)
        rx_subject_next(source, rx_int(i));
    assert_string_equal(w->log, "101@0 103@0 ");
    assert_int_equal(rx_subject_observers(source), 1);
    rx_unsubscribe(&sub);
    assert_int_equal(rx_subject_observers(source), 0);
    rx_forget(source);
    assert_all_freed(w, s);
}

static void test_group_hears_the_error_of_the_source(void **state)
{
    struct world *w = *state;
    struct rx_stream *source = rx_subject(&w->rx);
    struct rx_stream *s =
        rx_pipe(source,
                                  rx_group_by(.key = parity),
                                  rx_merge_map(keyed_value, &w->rx, 0));
    rx_subscribe(s, hear(w), NULL);
    rx_subject_next(source, rx_int(2));
    rx_subject_error(source, rx_error(BERTH_ECLOSED, "gone"));
    assert_string_equal(w->log, "2@0 #error(-9 gone)@0 ");
    rx_forget(source);
    assert_all_freed(w, s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_behavior_says_its_present_value_first),
        TEST(test_replay_says_the_last_values_within_its_window),
        TEST(test_ended_subject_is_silent),
        TEST(test_publish_waits_for_connect_and_subscribes_once),
        TEST(test_disconnect_stops_the_source_not_the_subscribers),
        TEST(test_multicast_starts_afresh_with_each_connection),
        TEST(test_ref_count_connects_first_and_disconnects_last),
        TEST(test_share_subscribes_once_and_again_after_the_last_left),
        TEST(test_share_may_linger_before_it_lets_go),
        TEST(test_share_does_not_connect_for_who_has_left_already),
        TEST(test_share_can_keep_its_end),
        TEST(test_share_replay_serves_those_who_come_late),
        TEST(test_share_replay_with_ref_count_lets_go),
        TEST(test_groups_hear_the_values_of_their_key),
        TEST(test_groups_complete_with_the_source),
        TEST(test_group_ends_with_its_duration_and_opens_anew),
        TEST(test_groups_outlive_the_stream_of_groups),
        TEST(test_group_hears_the_error_of_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
