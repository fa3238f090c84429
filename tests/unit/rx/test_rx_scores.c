/* test_rx_scores.c - the stream of the system of 2015, transcribed, and rx_call() which it begins
 * with. docs/rx.md shows this pipeline.
 *
 * That system read all hosts with one ZRANGE WITHSCORES: a host's score is its connection count, or
 * RED when it must not be used. One publication, two rules: too few hosts, and the average. */
#include "core/resp.h"
#include "rx_world.h"

#define RED (-1)
#define MINIMUM 2

struct rules {
    struct world *w;
    struct rx_emitter *pending; /* the command that waits for its answer */
    int asked;
};

/* ---- the pipeline ---- */

/* "ZRANGE hosts 0 -1 WITHSCORES" leaves; the answer comes whenever it comes. */
static void ask_for_hosts(void *ctx, struct rx_emitter *to)
{
    struct rules *r = ctx;
    r->pending = to;
    r->asked++;
}

/* member, score, member, score ... -> the scores, as text */
static struct rx_stream *scores(void *ctx, struct rx_value v)
{
    struct rules *r = ctx;
    const struct resp *reply = v.ptr;
    struct rx_value texts[64];
    size_t count = 0;
    for (size_t i = 1; i < reply->count && count < 64; i += 2)
        texts[count++] = rx_text(reply->items[i].text);
    return rx_from(&r->w->rx, texts, count);
}

static struct rx_value parse(void *ctx, struct rx_value v)
{
    struct rules *r = ctx;
    int64_t score = 0;
    if (!span_int(rx_span(v), &score))
        rx_throw(&r->w->rx, rx_error(BERTH_EPROTO, "a score is not a number"));
    return rx_int(score);
}

static bool not_red(void *ctx, struct rx_value v)
{
    return v.integer != RED;
}

static void check_hosts(void *ctx, struct rx_value list)
{
    struct rules *r = ctx;
    if (list.size <= MINIMUM)
        log_add(r->w, "hosts=%u<=%d ", list.size, MINIMUM);
}

static void check_average(void *ctx, struct rx_value list)
{
    struct rules *r = ctx;
    int64_t sum = 0;
    for (uint32_t i = 0; i < list.size; i++)
        sum += list.items[i].integer;
    if (list.size > 0)
        log_add(r->w, "average=%.1f ", (double)sum / list.size);
}

static void failed(void *ctx, struct rx_value error)
{
    struct rules *r = ctx;
    log_add(r->w, "failed:%s ", error.text);
}

static void watch_hosts(struct rules *r)
{
    struct rx_stream *counts = rx_pipe(rx_call(&r->w->rx, ask_for_hosts, r),
                                       rx_concat_map(scores, r),
                                       rx_map(parse, r),
                                       rx_filter(not_red, NULL),
                                       rx_to_array(),
                                       rx_publish());
    rx_subscribe(counts, (struct rx_observer){check_hosts, failed, NULL, r}, NULL);
    rx_subscribe(counts, (struct rx_observer){check_average, failed, NULL, r}, NULL);
    rx_connect(counts);
}

/* ---- tests ---- */

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .type = RESP_TEXT, .text = { s, sizeof(s) - 1 }                                            \
    }

static void answer(struct rules *r, const struct resp *items, size_t count)
{
    struct resp reply = {.type = RESP_LIST, .items = items, .count = count};
    rx_resolve(r->pending, rx_ptr(&reply));
    r->pending = NULL;
}

static void test_both_rules_hear_one_answer(void **state)
{
    struct rules r = {.w = *state};
    watch_hosts(&r);
    assert_int_equal(r.asked, 1);
    assert_string_equal(r.w->log, "");
    const struct resp items[] = {TEXT("a"),  TEXT("10"), TEXT("b"),
                                 TEXT("-1"), TEXT("c"),  TEXT("5")};
    answer(&r, items, 6);
    assert_string_equal(r.w->log, "hosts=2<=2 average=7.5 ");
}

static void test_enough_hosts_say_only_their_average(void **state)
{
    struct rules r = {.w = *state};
    watch_hosts(&r);
    const struct resp items[] = {TEXT("a"), TEXT("1"), TEXT("b"), TEXT("2"), TEXT("c"), TEXT("6")};
    answer(&r, items, 6);
    assert_string_equal(r.w->log, "average=3.0 ");
}

static void test_no_host_at_all(void **state)
{
    struct rules r = {.w = *state};
    watch_hosts(&r);
    answer(&r, NULL, 0);
    assert_string_equal(r.w->log, "hosts=0<=2 ");
}

static void test_refused_command_reaches_both(void **state)
{
    struct rules r = {.w = *state};
    watch_hosts(&r);
    rx_reject(r.pending, rx_error(BERTH_ECLOSED, "no connection"));
    assert_string_equal(r.w->log, "failed:no connection failed:no connection ");
}

static void test_nonsense_reaches_both(void **state)
{
    struct rules r = {.w = *state};
    watch_hosts(&r);
    const struct resp items[] = {TEXT("a"), TEXT("many")};
    answer(&r, items, 2);
    assert_string_equal(r.w->log, "failed:a score is not a number failed:a score is not a number ");
}

static void test_answer_to_someone_who_left_is_dropped_and_freed(void **state)
{
    struct rules r = {.w = *state};
    struct world *w = r.w;
    struct rx_stream *s = rx_call(&w->rx, ask_for_hosts, &r);
    struct rx_subscription sub;
    rx_subscribe(s, hear(w), &sub);
    rx_unsubscribe(&sub);
    assert_true(rx_used(&w->rx) > w->used_before); /* the answer is still to come */
    rx_resolve(r.pending, rx_int(1));
    assert_string_equal(w->log, "");
    assert_all_freed(w, s);
}

static void answer_at_once(void *ctx, struct rx_emitter *to)
{
    rx_resolve(to, rx_int(7));
}

static void test_answer_may_come_at_once(void **state)
{
    struct world *w = *state;
    struct rx_stream *s = rx_call(&w->rx, answer_at_once, NULL);
    rx_subscribe(s, hear(w), NULL);
    assert_string_equal(w->log, "7@0 |@0 ");
    assert_all_freed(w, s);
}

static void test_slow_answer_times_out_and_is_asked_again(void **state)
{
    struct rules r = {.w = *state};
    struct rx_stream *s =
        rx_pipe(rx_call(&r.w->rx, ask_for_hosts, &r),
                                  rx_timeout(.each_ms = 100),
                                  rx_retry(.count = 1, .delay_ms = 50));
    rx_subscribe(s, hear(r.w), NULL);
    struct rx_emitter *first = r.pending;
    advance(r.w, 150);
    assert_int_equal(r.asked, 2);
    rx_resolve(first, rx_int(1)); /* late: dropped */
    rx_resolve(r.pending, rx_int(2));
    assert_string_equal(r.w->log, "2@150 |@150 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_rules_hear_one_answer),
        TEST(test_enough_hosts_say_only_their_average),
        TEST(test_no_host_at_all),
        TEST(test_refused_command_reaches_both),
        TEST(test_nonsense_reaches_both),
        TEST(test_answer_to_someone_who_left_is_dropped_and_freed),
        TEST(test_answer_may_come_at_once),
        TEST(test_slow_answer_times_out_and_is_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
