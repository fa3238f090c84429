/* test_matcher.c - who is matched with whom. */
#include "core/rng.h"
#include "lobbynode/matcher.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW = 1000000 };

static struct matcher m;
static char texts[4096][160];
static size_t text_count;

static int setup(void **state)
{
    return matcher_init(&m, 4096);
}

static int teardown(void **state)
{
    matcher_fini(&m);
    return 0;
}

static const struct match_rules any = {
    .size = 4, .size_min = 1, .party_max = 4, .timeout_ms = 60000, .region_after_ms = 10000};

static void start(const struct match_rules *rules)
{
    matcher_begin(&m, rules, NOW);
    text_count = 0;
}

static void add(const char *name, int64_t waited_ms, int64_t rating, const char *region,
                const char *keyword, int players)
{
    char *text = texts[text_count++];
    int n = snprintf(text, sizeof texts[0], "%lld|%lld|%s|%s|%s/l/1", (long long)(NOW - waited_ms),
                     (long long)rating, region, keyword, name);
    for (int i = 1; i < players; i++)
        n += snprintf(text + n, sizeof texts[0] - (size_t)n, ",%s%d/l/1", name, i);
    assert_int_equal(matcher_add(&m, span_of(text)), 0);
}

/* "ann bob;cid +2": the leaders of each group, and its bots; then "! eve": timeouts. */
static const char *outcome(void)
{
    static char text[8192];
    size_t n = 0;
    text[0] = '\0';
    matcher_run(&m);
    for (uint32_t g = 0; g < m.group_count; g++) {
        for (uint32_t i = 0; i < m.groups[g].count; i++) {
            struct span rest = m.entries[m.picks[m.groups[g].first + i]].players;
            struct span leader = span_cut(&rest, '/');
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s",
                                  i   ? " "
                                  : g ? ";"
                                      : "",
                                  SPAN_ARG(leader));
        }
        if (m.groups[g].bots)
            n += (size_t)snprintf(text + n, sizeof text - n, " +%u", m.groups[g].bots);
    }
    for (uint32_t i = 0; i < m.timeout_count; i++) {
        struct span rest = m.entries[m.timeouts[i]].players;
        struct span leader = span_cut(&rest, '/');
        n += (size_t)snprintf(text + n, sizeof text - n, " ! %.*s", SPAN_ARG(leader));
    }
    return text;
}

static void test_the_oldest_first_where_ratings_do_not_matter(void **state)
{
    start(&any);
    for (int i = 0; i < 9; i++)
        add((const char *[]){"a", "b", "c", "d", "e", "f", "g", "h", "i"}[i], 900 - i, 0, "-", "-",
            1);
    assert_string_equal(outcome(), "a b c d;e f g h");
    start(&any);
    assert_string_equal(outcome(), "");
    add("a", 1, 0, "-", "-", 1);
    assert_string_equal(outcome(), "");
}

static void test_the_nearest_ratings_within_both_windows(void **state)
{
    struct match_rules rules = any;
    rules.size = 2;
    rules.window_start = 50;
    rules.window_growth = 10;
    rules.window_max = 200;
    start(&rules);
    add("a", 0, 1000, "-", "-", 1);
    add("b", 0, 1040, "-", "-", 1);
    add("c", 0, 1045, "-", "-", 1);
    add("d", 0, 1200, "-", "-", 1);
    assert_string_equal(outcome(), "b c"); /* 5 apart; a is 40 from b, who is taken */
    start(&rules);
    add("a", 20000, 1000, "-", "-", 1); /* window 200 */
    add("b", 0, 1100, "-", "-", 1);     /* window 50: does not take a */
    assert_string_equal(outcome(), "");
    start(&rules);
    add("a", 20000, 1000, "-", "-", 1);
    add("b", 5000, 1100, "-", "-", 1); /* 100 */
    assert_string_equal(outcome(), "a b");
    start(&rules);
    add("a", 59000, 1000, "-", "-", 1); /* as wide as it gets: 200 */
    add("b", 59000, 1201, "-", "-", 1);
    assert_string_equal(outcome(), "");
}

static void test_who_waited_long_chooses_first(void **state)
{
    struct match_rules rules = any;
    rules.size = 2;
    rules.window_start = rules.window_max = 100;
    start(&rules);
    add("old", 40000, 1100, "-", "-", 1);
    add("x", 0, 1040, "-", "-", 1);
    add("y", 0, 1041, "-", "-", 1);
    assert_string_equal(outcome(), "old y"); /* not x and y, though they are nearer */
}

static void test_parties_are_whole(void **state)
{
    start(&any);
    add("p", 500, 10, "-", "-", 3);
    add("q", 400, 20, "-", "-", 2);
    add("r", 300, 30, "-", "-", 2);
    add("s", 200, 40, "-", "-", 1);
    assert_string_equal(outcome(), "q r;p s");
    start(&any);
    add("p", 0, 0, "-", "-", 3);
    add("q", 0, 0, "-", "-", 3);
    assert_string_equal(outcome(), "");
    start(&any);
    add("p", 0, 0, "-", "-", 5); /* more than a match has: waits for its time */
    add("q", 60000, 0, "-", "-", 5);
    assert_string_equal(outcome(), " ! q");
}

static void test_own_region_first_then_any(void **state)
{
    struct match_rules rules = any;
    rules.size = 2;
    start(&rules);
    add("a", 9000, 0, "eu", "-", 1);
    add("b", 9000, 0, "us", "-", 1);
    assert_string_equal(outcome(), "");
    start(&rules);
    add("a", 10000, 0, "eu", "-", 1);
    add("b", 9999, 0, "us", "-", 1); /* both have to accept */
    assert_string_equal(outcome(), "");
    start(&rules);
    add("a", 10000, 0, "eu", "-", 1);
    add("b", 10000, 0, "us", "-", 1);
    add("c", 0, 0, "eu", "-", 1);
    assert_string_equal(outcome(), "a c"); /* the own one first */
    start(&rules);
    add("a", 10000, 0, "eu", "-", 1);
    add("b", 0, 0, "-", "-", 1); /* no region: any, at once */
    assert_string_equal(outcome(), "a b");
}

static void test_friends_meet_whatever_else(void **state)
{
    struct match_rules rules = any;
    rules.size = 2;
    rules.window_start = rules.window_max = 1;
    start(&rules);
    add("a", 0, 1, "eu", "us-two", 1);
    add("b", 0, 9000, "us", "us-two", 1);
    add("c", 0, 1, "eu", "-", 1);
    add("d", 0, 1, "eu", "other", 1);
    assert_string_equal(outcome(), "a b");
}

static void test_the_end_of_patience(void **state)
{
    struct match_rules rules = any;
    rules.window_start = rules.window_max = 100;
    rules.size_min = 2;
    start(&rules);
    add("a", 60000, 1000, "-", "-", 1);
    add("b", 0, 1050, "-", "-", 1);
    add("c", 0, 1500, "-", "-", 1);
    assert_string_equal(outcome(), " ! a");
    rules.on_timeout = MATCH_TIMEOUT_SMALLER;
    start(&rules);
    add("a", 60000, 1000, "-", "-", 1);
    add("b", 0, 1050, "-", "-", 1);
    add("c", 60000, 1500, "-", "-", 1); /* alone in its window: below size_min */
    assert_string_equal(outcome(), "a b ! c");
    rules.on_timeout = MATCH_TIMEOUT_BOTS;
    start(&rules);
    add("a", 60000, 1000, "-", "-", 1);
    add("b", 0, 1050, "-", "-", 1);
    add("c", 60000, 1500, "-", "-", 1);
    add("d", 59999, 2500, "-", "-", 1);
    assert_string_equal(outcome(), "a b +2;c +3");
}

static void test_what_is_no_entry_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "1|2|-|-|",
                                      "1|2|-|-|a",
                                      "1|x|-|-|a/l/1",
                                      "1|2|-|-|a/l/1,",
                                      "1|2|-|-|a/l/x",
                                      "1|2||-|a/l/1",
                                      "-1|2|-|-|a/l/1",
                                      "1|1000001|-|-|a/l/1",
                                      "1|-1000001|-|-|a/l/1",
                                      "1|2|-|a/l/1"};
    start(&any);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(matcher_add(&m, span_of(bad[i])), BERTH_EPROTO);
    struct matcher small;
    assert_int_equal(matcher_init(&small, 1), 0);
    matcher_begin(&small, &any, NOW);
    assert_int_equal(matcher_add(&small, SPAN("1|2|-|-|a/l/1")), 0);
    assert_int_equal(matcher_add(&small, SPAN("1|2|-|-|b/l/1")), BERTH_EFULL);
    matcher_fini(&small);
}

static bool accepts(const struct matcher_entry *a, const struct matcher_entry *b)
{
    return llabs(a->rating - b->rating) <= a->window &&
           (a->widened || span_eq(a->region, b->region)) && span_eq(a->keyword, b->keyword);
}

/* Thousands of worlds: no entry twice, exact sizes, everyone accepts everyone, nobody late is
 * forgotten; and where nothing stands in the way, fewer than a match are left over. */
static void test_random_worlds(void **state)
{
    struct rng rng;
    rng_seed(&rng, 7);
    for (int world = 0; world < 3000; world++) {
        struct match_rules rules = {.size = 1 + (int64_t)rng_below(&rng, 6),
                                    .size_min = 1,
                                    .timeout_ms = 30000,
                                    .window_start = (int64_t)rng_below(&rng, 200),
                                    .window_growth = 10,
                                    .window_max = rng_below(&rng, 2) ? 300 : 0,
                                    .region_after_ms = 10000,
                                    .on_timeout = (enum match_on_timeout)rng_below(&rng, 3)};
        bool simple = rng_below(&rng, 2) == 0;
        if (simple)
            rules.window_max = 0;
        start(&rules);
        int count = (int)rng_below(&rng, 60);
        for (int i = 0; i < count; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "p%d-", i);
            add(name, (int64_t)rng_below(&rng, simple ? 10000 : 40000),
                (int64_t)rng_below(&rng, 1000),
                simple ? "-" : (const char *[]){"-", "eu", "us"}[rng_below(&rng, 3)],
                simple || rng_below(&rng, 5) ? "-" : "kw",
                simple ? 1 : 1 + (int)rng_below(&rng, 2));
        }
        (void)outcome();
        unsigned char used[64] = {0};
        for (uint32_t g = 0; g < m.group_count; g++) {
            const struct matcher_group *group = &m.groups[g];
            uint32_t players = 0;
            bool late = false;
            for (uint32_t i = 0; i < group->count; i++) {
                const struct matcher_entry *a = &m.entries[m.picks[group->first + i]];
                assert_int_equal(used[m.picks[group->first + i]]++, 0);
                players += a->player_count;
                late = late || a->late;
                for (uint32_t j = 0; j < group->count; j++)
                    assert_true(accepts(a, &m.entries[m.picks[group->first + j]]));
            }
            assert_int_equal(players, group->players);
            assert_true(late ? players + group->bots <= (uint32_t)rules.size
                             : players == (uint32_t)rules.size);
        }
        uint32_t left = 0;
        for (uint32_t i = 0; i < m.count; i++) {
            bool timed_out = false;
            for (uint32_t t = 0; t < m.timeout_count; t++)
                timed_out = timed_out || m.timeouts[t] == i;
            assert_int_equal(timed_out, m.entries[i].late && !used[i]);
            left += !used[i];
        }
        assert_true(!simple || left < (uint32_t)rules.size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_oldest_first_where_ratings_do_not_matter),
        cmocka_unit_test(test_the_nearest_ratings_within_both_windows),
        cmocka_unit_test(test_who_waited_long_chooses_first),
        cmocka_unit_test(test_parties_are_whole),
        cmocka_unit_test(test_own_region_first_then_any),
        cmocka_unit_test(test_friends_meet_whatever_else),
        cmocka_unit_test(test_the_end_of_patience),
        cmocka_unit_test(test_what_is_no_entry_is_refused),
        cmocka_unit_test(test_random_worlds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
