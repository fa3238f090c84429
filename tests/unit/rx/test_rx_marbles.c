/* test_rx_marbles.c - every operator by marble diagrams. A line a behaviour. */
#include "rx_play.h"

/* ---- user functions ---- */

static struct rx_value upper(void *ctx, struct rx_value v)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (v.text[0] < 'a' || v.text[0] > 'z')
        return v;
    return rx_text((struct span){&letters[v.text[0] - 'a'], 1});
}

static struct rx_value bad_at_x(void *ctx, struct rx_value v)
{
    if (v.text[0] == 'x')
        rx_throw(ctx, rx_error(BERTH_EINVAL, "x"));
    return v;
}

static bool before_c(void *ctx, struct rx_value v)
{
    return v.text[0] < 'c';
}

static bool every_other(void *ctx, struct rx_value v)
{
    return rx_index(ctx) % 2 == 0;
}

static struct rx_value later(void *ctx, struct rx_value sum, struct rx_value v)
{
    return v.text[0] > sum.text[0] ? v : sum;
}

static struct rx_value length(void *ctx, struct rx_value v)
{
    static const char digits[] = "0123456789";
    int64_t n = v.kind == RX_LIST ? v.size : v.integer;
    return rx_text((struct span){&digits[n % 10], 1});
}

static bool both_small(void *ctx, struct rx_value a, struct rx_value b)
{
    return (a.text[0] < 'm') == (b.text[0] < 'm');
}

static struct rx_stream *other(void *ctx, struct rx_value v)
{
    return ctx;
}

/* "a" brings the stream, all else an empty one */
static struct rx_stream *other_for_a(void *ctx, struct rx_value v)
{
    return v.text[0] == 'a' ? ctx : NULL;
}

static struct rx_stream *at_once(void *ctx, struct rx_value v)
{
    return rx_of(ctx, v, v);
}

static struct rx_stream *wait_other(void *ctx, struct rx_value error, uint64_t count)
{
    return ctx;
}

/* ---- pipelines ---- */

#define BUILD(name, ...)                                                                           \
    static struct rx_stream *name(struct rx *rx, struct rx_stream *a, struct rx_stream *b)         \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }
#define PIPE(name, ...) BUILD(name, rx_pipe(a, __VA_ARGS__))

PIPE(p_map, rx_map(upper, NULL))
PIPE(p_map_bad, rx_map(bad_at_x, rx))
PIPE(p_filter, rx_filter(before_c, NULL))
PIPE(p_filter_index, rx_filter(every_other, rx))
PIPE(p_scan, rx_scan(later, NULL, rx_text(SPAN("c"))))
PIPE(p_scan_first, rx_scan_first(later, NULL))
PIPE(p_reduce, rx_reduce(later, NULL, rx_text(SPAN("c"))))
PIPE(p_reduce_first, rx_reduce_first(later, NULL))
PIPE(p_count, rx_count(before_c, NULL), rx_map(length, NULL))
PIPE(p_to_array, rx_to_array())
PIPE(p_pairwise, rx_pairwise())
PIPE(p_distinct, rx_distinct_until_changed())
PIPE(p_distinct_by, rx_distinct_until_changed_by(both_small, NULL, NULL))
PIPE(p_distinct_key, rx_distinct_until_changed_by(NULL, upper, NULL))
PIPE(p_start_with, rx_start_with(rx_text(SPAN("x")), rx_text(SPAN("y"))))
PIPE(p_take_2, rx_take(2))
PIPE(p_take_0, rx_take(0))
PIPE(p_skip_2, rx_skip(2))
PIPE(p_take_while, rx_take_while(before_c, NULL, false))
PIPE(p_take_while_inclusive, rx_take_while(before_c, NULL, true))
PIPE(p_take_until, rx_take_until(b))
PIPE(p_merge_map, rx_merge_map(other, b, 0))
PIPE(p_merge_map_1, rx_merge_map(other, b, 1))
PIPE(p_merge_map_at_once, rx_merge_map(at_once, rx, 0))
PIPE(p_concat_map, rx_concat_map(other, b))
PIPE(p_switch_map, rx_switch_map(other, b))
PIPE(p_switch_map_a, rx_switch_map(other_for_a, b))
PIPE(p_exhaust_map, rx_exhaust_map(other, b))
PIPE(p_with_latest, rx_with_latest_from(b))
PIPE(p_sample, rx_sample(b))
PIPE(p_throttle, rx_throttle_time(4))
PIPE(p_throttle_both, rx_throttle_time(4, RX_LEADING | RX_TRAILING))
PIPE(p_throttle_trailing, rx_throttle_time(4, RX_TRAILING))
PIPE(p_debounce, rx_debounce_time(3))
PIPE(p_audit, rx_audit_time(4))
PIPE(p_sample_time, rx_sample_time(4))
PIPE(p_delay, rx_delay(3))
PIPE(p_delay_until, rx_delay_until(5))
PIPE(p_timeout, rx_timeout(.each_ms = 4))
PIPE(p_timeout_first, rx_timeout(.first_ms = 4))
PIPE(p_timeout_at, rx_timeout(.first_at_ms = 6))
PIPE(p_timeout_with, rx_timeout(.each_ms = 4, .with = other, .ctx = b))
PIPE(p_buffer_time, rx_buffer_time(5))
PIPE(p_buffer_time_max, rx_buffer_time(5, .max = 2))
PIPE(p_buffer_time_every, rx_buffer_time(4, .every_ms = 6))
PIPE(p_buffer_count, rx_buffer_count(2, 0))
PIPE(p_buffer_count_slide, rx_buffer_count(2, 1))
PIPE(p_buffer_count_gap, rx_buffer_count(1, 2))
PIPE(p_catch, rx_catch_error(other, b))
PIPE(p_retry_2, rx_retry(.count = 2))
PIPE(p_retry_delay, rx_retry(.count = 1, .delay_ms = 3))
PIPE(p_retry_wait, rx_retry(.wait = wait_other, .ctx = b))
PIPE(p_retry_reset, rx_retry(.count = 1, .reset_on_success = true), rx_take(6))
PIPE(p_repeat_3, rx_repeat(.count = 3))
PIPE(p_repeat_delay, rx_repeat(.count = 2, .delay_ms = 3))
PIPE(p_repeat_none, rx_repeat(.count = RX_NOT_AT_ALL))
PIPE(p_share, rx_share())
PIPE(p_share_replay, rx_share_replay(.count = 1))
PIPE(p_publish_ref_count, rx_publish(), rx_ref_count())
PIPE(p_ignore, rx_ignore())
BUILD(p_merge, rx_merge(a, b))
BUILD(p_concat, rx_concat(a, b))
BUILD(p_merge_limited, rx_merge_n((struct rx_stream *[]){a, b, a}, 3, 2))
BUILD(p_combine, rx_combine_latest(a, b))
BUILD(p_zip, rx_zip(a, b))
BUILD(p_never_or, rx_merge(rx_never(rx), a))
BUILD(p_empty_then, rx_concat(rx_empty(rx), a))

/* ---- the tables ---- */

#define M(title, ...)                                                                              \
    {                                                                                              \
        .name = (title), __VA_ARGS__                                                               \
    }

static const struct play values[] = {
    M("map", p_map, "-a--b--|", NULL, "-A--B--|", "^------!"),
    M("map passes an error", p_map, "-a--#", NULL, "-A--#", "^---!"),
    M("map that throws lets go of its source", p_map_bad, "-a-x-b-|", NULL, "-a-#", "^--!"),
    M("map, unsubscribed", p_map, "-a--b--|", NULL, "-A--", "^--!", NULL, "---!"),
    M("hot source, before and after", p_map, "hot a-b-^-c-d|", NULL, "--C-D|", "^----!"),
    M("filter", p_filter, "-a-c-b-|", NULL, "-a---b-|"),
    M("filter by index", p_filter_index, "-abcde|", NULL, "-a-c-e|"),
    M("scan", p_scan, "-a-d-b|", NULL, "-c-d-d|"),
    M("scan without seed", p_scan_first, "-b-a-d|", NULL, "-b-b-d|"),
    M("reduce", p_reduce, "-a-d-b|", NULL, "------(d|)"),
    M("reduce of nothing says the seed", p_reduce, "---|", NULL, "---(c|)"),
    M("reduce without seed of nothing", p_reduce_first, "---|", NULL, "---|"),
    M("reduce drops its sum at an error", p_reduce, "-a-d#", NULL, "----#"),
    M("count", p_count, "-a-b-c|", NULL, "------(2|)"),
    M("to_array", p_to_array, "-a-b|", NULL, "----(x|)", .lists = "x=ab"),
    M("to_array of nothing", p_to_array, "--|", NULL, "--(x|)", .lists = "x="),
    M("pairwise", p_pairwise, "-a-b-c|", NULL, "---x-y|", .lists = "x=ab y=bc"),
    M("distinct_until_changed", p_distinct, "-a-a-b-b-a|", NULL, "-a---b---a|"),
    M("distinct_until_changed by equality", p_distinct_by, "-a-b-x-y-c|", NULL, "-a---x---c|"),
    M("distinct_until_changed by key", p_distinct_key, "-a-A-b|", NULL, "-a---b|"),
    M("start_with", p_start_with, "-----a|", NULL, "(xy)-a|", .a_subs = "^-----!"),
    M("ignore", p_ignore, "-a-b|", NULL, "----|"),
    M("take", p_take_2, "-a-b-c|", NULL, "-a-(b|)", "^--!"),
    M("take ends before", p_take_2, "-a|", NULL, "-a|", "^-!"),
    M("take nothing does not subscribe", p_take_0, "-a-b|", NULL, "|", ""),
    M("skip", p_skip_2, "-a-b-c|", NULL, "-----c|"),
    M("take_while", p_take_while, "-a-b-c-a|", NULL, "-a-b-|", "^----!"),
    M("take_while inclusive", p_take_while_inclusive, "-a-b-c-a|", NULL, "-a-b-(c|)"),
    M("take_until", p_take_until, "-a-b-c-d|", "----x", "-a-b|", "^---!", "^---!"),
    M("take_until: the notifier's end means nothing", p_take_until, "-a-b|", "--|", "-a-b|"),
    M("take_until: the notifier's error is one", p_take_until, "-a-b|", "--#", "-a#", "^-!"),
    M("take_until in the same instant lets go at once", p_take_until, "-a-b|", "x|", "|", "!"),
};

static const struct play joins[] = {
    M("merge", p_merge, "-a---b|", "--x---y-|", "-ax--by-|"),
    M("merge: one error ends both", p_merge, "-a---b|", "--x#", "-ax#", "^--!", "^--!"),
    M("merge, two at a time", p_merge_limited, "-a-|", "--b-|", "-ab-a-|", "^--!, ---^--!"),
    M("concat", p_concat, "-a-|", "-b-|", "-a--b-|", "^--!", "---^--!"),
    M("concat never comes to the second", p_concat, "-a-", "-b-|", "-a-", "^", ""),
    M("concat after empty", p_empty_then, "-a-|", NULL, "-a-|"),
    M("merge with never never ends", p_never_or, "-a-|", NULL, "-a--"),
    M("combine_latest", p_combine, "-a--b-|", "--x--y|", "--p-qr|", .lists = "p=ax q=bx r=by"),
    M("combine_latest: empty one", p_combine, "-a--b-|", "--|", "------|"),
    M("combine_latest: one has failed, the other is subscribed and let go", p_combine, "hot #-^-",
      "-x-|", "#", NULL, "(^!)"),
    M("zip", p_zip, "-a-b-c|", "--x--y---z|", "--p--q---(r|)", .lists = "p=ax q=by r=cz"),
    M("with_latest_from", p_with_latest, "-a-b-c|", "--x-y|", "---p-q|", .lists = "p=bx q=cy"),
    M("sample", p_sample, "-a-b--c-|", "----x-x-x", "----b-c-|"),
    M("merge_map", p_merge_map, "-a-b|", "-x--y|", "--x-xy-y|"),
    M("merge_map, one at a time", p_merge_map_1, "-a-b|", "-x-|", "--x--x-|", NULL,
      "-^--!, ----^--!"),
    M("merge_map, at once", p_merge_map_at_once, "-a---b---|", NULL, "-(aa)(bb)|"),
    M("concat_map", p_concat_map, "(ab|)", "-x-|", "-x--x-|", NULL, "^--!, ---^--!"),
    M("switch_map", p_switch_map, "-a--b-|", "-x-y|", "--x--x-y|", NULL, "-^--!, ----^---!"),
    M("switch_map to an empty one", p_switch_map_a, "-a--b-|", "-x-y|", "--x---|", NULL, "-^--!"),
    M("exhaust_map", p_exhaust_map, "-a-b-a|", "-x-|", "--x---x-|", NULL, "-^--!, -----^--!"),
};

static const struct play times[] = {
    M("throttle_time", p_throttle, "-a-b--c-|", NULL, "-a----c-|"),
    M("throttle_time, both edges", p_throttle_both, "-a-b-----|", NULL, "-a---b---|"),
    M("throttle_time, both edges, ends first", p_throttle_both, "-a-b|", NULL, "-a---(b|)"),
    M("throttle_time, trailing", p_throttle_trailing, "-a-b-----|", NULL, "-----b---|"),
    M("debounce_time", p_debounce, "-ab----c|", NULL, "-----b--(c|)"),
    M("audit_time", p_audit, "-a-b-----c|", NULL, "-----b-------(c|)"),
    M("sample_time", p_sample_time, "-a-b---c-|", NULL, "----b---c|"),
    M("delay", p_delay, "-a-b|", NULL, "----a-(b|)"),
    M("delay lets errors pass", p_delay, "-a-b#", NULL, "----#"),
    M("delay_until", p_delay_until, "-a-b-----c|", NULL, "-----(ab)c|"),
    M("timeout", p_timeout, "-a--b------c|", NULL, "-a--b---#", "^-------!"),
    M("timeout of the first", p_timeout_first, "---a--------b|", NULL, "---a--------b|"),
    M("timeout of the first, too late", p_timeout_first, "-----a|", NULL, "----#"),
    M("timeout at a moment", p_timeout_at, "-------a|", NULL, "------#"),
    M("timeout with another stream", p_timeout_with, "-a------b|", "-x|", "-a----x|", "^----!",
      "-----^-!"),
    M("buffer_time", p_buffer_time, "-a-b---c|", NULL, "-----x--(y|)", .lists = "x=ab y=c"),
    M("buffer_time, full first", p_buffer_time_max, "-a-b---c|", NULL, "---x----(y|)",
      .lists = "x=ab y=c"),
    M("buffer_time with gaps", p_buffer_time_every, "-a---b-c|", NULL, "----x---(y|)",
      .lists = "x=a y=c"),
    M("buffer_count", p_buffer_count, "-a-b-c|", NULL, "---x--(y|)", .lists = "x=ab y=c"),
    M("buffer_count, sliding", p_buffer_count_slide, "-a-b-c|", NULL, "---x-y(z|)",
      .lists = "x=ab y=bc z=c"),
    M("buffer_count with gaps", p_buffer_count_gap, "-a-b-c|", NULL, "-x---y|", .lists = "x=a y=c"),
};

static const struct play ends[] = {
    M("catch_error", p_catch, "-a-#", "-x|", "-a--x|", "^--!", "---^-!"),
    M("catch_error at once", p_catch, "#", "-x|", "-x|", "(^!)", "^-!"),
    M("retry", p_retry_2, "-a#", NULL, "-a-a-a#", "^-!, --^-!, ----^-!"),
    M("retry with a delay", p_retry_delay, "-a#", NULL, "-a----a#", "^-!, -----^-!"),
    M("retry until the pause completes", p_retry_wait, "-a#", "--|", "-a--|", "^-!", "--^-!"),
    M("retry, reset by success", p_retry_reset, "-a#", NULL, "-a-a-a-a-a-(a|)"),
    M("repeat", p_repeat_3, "-a|", NULL, "-a-a-a|", "^-!, --^-!, ----^-!"),
    M("repeat with a delay", p_repeat_delay, "-a|", NULL, "-a----a|", "^-!, -----^-!"),
    M("repeat not at all", p_repeat_none, "-a|", NULL, "|", ""),
    M("repeat passes an error", p_repeat_3, "-a#", NULL, "-a#", "^-!"),
    M("share mirrors", p_share, "-a-b|", NULL, "-a-b|", "^---!"),
    M("share, unsubscribed", p_share, "-a-b|", NULL, "-a-", "^-!", NULL, "--!"),
    M("share_replay stays connected", p_share_replay, "-a-b|", NULL, "-a-", "^---!", NULL, "--!"),
    M("publish with ref_count", p_publish_ref_count, "-a-b|", NULL, "-a-", "^-!", NULL, "--!"),
};

#define PLAY(table)                                                                                \
    bool ok = true;                                                                                \
    for (size_t i = 0; i < sizeof(table) / sizeof *(table); i++)                                   \
        ok = play(&(table)[i]) && ok;                                                              \
    assert_true(ok)

static void test_value_operators(void **state)
{
    PLAY(values);
}

static void test_joining_operators(void **state)
{
    PLAY(joins);
}

static void test_time_operators(void **state)
{
    PLAY(times);
}

static void test_ends_and_sharing(void **state)
{
    PLAY(ends);
}

/* ---- the parser ---- */

static void test_parser_tells_what_is_wrong_and_where(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"-a-(b", "marble: ( is never closed"},
        {"-a)", "marble column 3: ) without a ("},
        {"((", "marble column 2: ( inside a group"},
        {"-^-^", "marble column 4: a second ^"},
        {"--!", "marble column 3: ! is for subscriptions"},
    };
    struct rx_marble m;
    struct err err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(rx_marble_parse(rows[i].text, &m, &err), BERTH_EINVAL);
        assert_string_equal(err.text, rows[i].error);
    }
    int64_t from, to;
    assert_int_equal(rx_marble_parse_subscription("-a", &from, &to, &err), BERTH_EINVAL);
}

static void test_parser_reads_times_groups_and_zero(void **state)
{
    struct rx_marble m;
    assert_int_equal(rx_marble_parse("-a- 8ms (bc)-1s|", &m, NULL), 0);
    assert_int_equal(m.count, 6);
    assert_int_equal(m.events[0].at_ms, 1);
    assert_int_equal(m.events[1].at_ms, 11);
    assert_int_equal(m.events[2].at_ms, 11);
    assert_int_equal(m.events[3].at_ms, 16); /* "1s" without blanks are two values */
    assert_int_equal(rx_marble_parse("a-^-b 2s |", &m, NULL), 0);
    assert_int_equal(m.events[0].at_ms, -2);
    assert_int_equal(m.events[1].at_ms, 2);
    assert_int_equal(m.events[2].at_ms, 2003);
    assert_int_equal(m.events[2].kind, 'C');
}

static void test_parser_has_a_limit(void **state)
{
    char text[RX_MARBLE_EVENTS_MAX + 2];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct rx_marble m;
    struct err err;
    assert_int_equal(rx_marble_parse(text, &m, &err), BERTH_EINVAL);
    assert_string_equal(err.text, "marble column 257: more than 256 events");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_operators),
        cmocka_unit_test(test_joining_operators),
        cmocka_unit_test(test_time_operators),
        cmocka_unit_test(test_ends_and_sharing),
        cmocka_unit_test(test_parser_tells_what_is_wrong_and_where),
        cmocka_unit_test(test_parser_reads_times_groups_and_zero),
        cmocka_unit_test(test_parser_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
