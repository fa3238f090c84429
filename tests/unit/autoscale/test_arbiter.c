/* test_arbiter.c - votes become one size: who wins, what is held back, and by what. */
#include "autoscale/arbiter.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

static struct policy policy;
static const wall_ms_t now = {INT64_C(1700000000000)};

struct row {
    const char *what;
    struct fleet_figures f;
    struct vote votes[3];
    struct arbiter_memory memory;
    struct arbiter_wish wish;
    enum arbiter_move move;
    int step, desired;
    const char *held_by; /* NULL: nothing */
};

#define SIZE(n)                                                                                    \
    {                                                                                              \
        .ready = (n), .size = (n)                                                                  \
    }
#define LEAST(n)                                                                                   \
    {                                                                                              \
        .at_least = (n), .at_most = INT_MAX, .reason = "least"                                     \
    }
#define MOST(n)                                                                                    \
    {                                                                                              \
        .at_most = (n), .reason = "most"                                                           \
    }
#define NONE                                                                                       \
    {                                                                                              \
        .at_most = INT_MAX                                                                         \
    }
#define URGENT(n)                                                                                  \
    {                                                                                              \
        .at_least = (n), .at_most = INT_MAX, .urgent = true, .reason = "urgent"                    \
    }
#define AGO(ms)                                                                                    \
    {                                                                                              \
        INT64_C(1700000000000) - (ms)                                                              \
    }

/* min 2, max 10, max_step 4, cooldowns 180 s and 3600 s */
static const struct row rows[] = {
    {"nothing to say", SIZE(3), {NONE, NONE, NONE}, {{0}, {0}}, {0}, ARBITER_REST, 0, 3, NULL},
    {"the largest wins",
     SIZE(3),
     {LEAST(4), LEAST(6), NONE},
     {{0}, {0}},
     {0},
     ARBITER_OUT,
     3,
     6,
     NULL},
    {"out beats in", SIZE(3), {LEAST(4), MOST(2), NONE}, {{0}, {0}}, {0}, ARBITER_OUT, 1, 4, NULL},
    {"the most careful shrinks",
     SIZE(8),
     {MOST(3), MOST(6), NONE},
     {{0}, {0}},
     {0},
     ARBITER_IN,
     2,
     6,
     "blocked_by_vote"},
    {"a floor of another rule",
     SIZE(8),
     {MOST(3), LEAST(8), NONE},
     {{0}, {0}},
     {0},
     ARBITER_REST,
     0,
     8,
     "blocked_by_vote"},
    {"ceiling", SIZE(9), {LEAST(30), NONE, NONE}, {{0}, {0}}, {0}, ARBITER_OUT, 1, 10, NULL},
    {"floor", SIZE(3), {MOST(0), NONE, NONE}, {{0}, {0}}, {0}, ARBITER_IN, 1, 2, NULL},
    {"below the floor", SIZE(0), {NONE, NONE, NONE}, {AGO(1), {0}}, {0}, ARBITER_OUT, 2, 2, NULL},
    {"above the ceiling", SIZE(12), {NONE, NONE, NONE}, {{0}, {0}}, {0}, ARBITER_IN, 2, 10, NULL},
    {"max_step", SIZE(2), {LEAST(9), NONE, NONE}, {{0}, {0}}, {0}, ARBITER_OUT, 4, 9, "max_step"},
    {"out cooldown",
     SIZE(3),
     {LEAST(5), NONE, NONE},
     {AGO(179999), {0}},
     {0},
     ARBITER_REST,
     0,
     5,
     "cooldown_out"},
    {"out cooldown over",
     SIZE(3),
     {LEAST(5), NONE, NONE},
     {AGO(180000), {0}},
     {0},
     ARBITER_OUT,
     2,
     5,
     NULL},
    {"in does not hold out",
     SIZE(3),
     {LEAST(5), NONE, NONE},
     {{0}, AGO(1)},
     {0},
     ARBITER_OUT,
     2,
     5,
     NULL},
    {"urgent goes as far as it goes",
     SIZE(3),
     {LEAST(6), URGENT(4), NONE},
     {AGO(1), {0}},
     {0},
     ARBITER_OUT,
     1,
     6,
     "cooldown_out"},
    {"in cooldown",
     SIZE(5),
     {MOST(4), NONE, NONE},
     {{0}, AGO(3599999)},
     {0},
     ARBITER_REST,
     0,
     4,
     "cooldown_in"},
    {"in cooldown after an out",
     SIZE(5),
     {MOST(4), NONE, NONE},
     {AGO(1000), {0}},
     {0},
     ARBITER_REST,
     0,
     4,
     "cooldown_in"},
    {"a cooldown from the future",
     SIZE(5),
     {MOST(4), NONE, NONE},
     {{0}, AGO(-1000)},
     {0},
     ARBITER_REST,
     0,
     4,
     "cooldown_in"},
    {"no in while out is under way",
     {.ready = 4, .coming = 1, .size = 5},
     {MOST(3), NONE, NONE},
     {{0}, {0}},
     {0},
     ARBITER_REST,
     0,
     3,
     "out_under_way"},
    {"no in on old news",
     {.ready = 5, .size = 5, .silent = 1},
     {MOST(4), NONE, NONE},
     {{0}, {0}},
     {0},
     ARBITER_REST,
     0,
     4,
     "trust"},
    {"operator before votes and cooldowns",
     SIZE(3),
     {LEAST(9), NONE, NONE},
     {AGO(1), AGO(1)},
     {true, 5},
     ARBITER_OUT,
     2,
     5,
     NULL},
    {"operator shrinks",
     SIZE(8),
     {LEAST(9), NONE, NONE},
     {AGO(1), AGO(1)},
     {true, 5},
     ARBITER_IN,
     3,
     5,
     NULL},
    {"operator within the limits",
     SIZE(8),
     {NONE, NONE, NONE},
     {{0}, {0}},
     {true, 0},
     ARBITER_IN,
     4,
     2,
     "max_step"},
};

static const struct rule any = {.kind = &rule_min_ready};

static int setup(void **state)
{
    policy_defaults(&policy, "game");
    policy.min = 2;
    policy.rule_count = 3;
    for (int i = 0; i < 3; i++)
        policy.rules[i] = any;
    return 0;
}

static void test_table(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct arbiter_decision d;
        arbiter_decide(&policy, &r->memory, &r->f, r->votes, &r->wish, now, &d);
        if (d.move != r->move || d.step != r->step || d.desired != r->desired ||
            !d.held_by != !r->held_by || (d.held_by && strcmp(d.held_by, r->held_by) != 0))
            fail_msg("%s: move %d step %d desired %d held_by %s", r->what, d.move, d.step,
                     d.desired, d.held_by ? d.held_by : "-");
    }
}

static void test_says_how_long(void **state)
{
    const struct vote votes[] = {LEAST(5), NONE, NONE};
    const struct fleet_figures f = SIZE(3);
    const struct arbiter_memory memory = {.out_at = AGO(80000)};
    const struct arbiter_wish none = {0};
    struct arbiter_decision d;
    arbiter_decide(&policy, &memory, &f, votes, &none, now, &d);
    assert_int_equal(d.held_for_ms, 100000);
    assert_string_equal(d.why, "least");
    assert_int_equal(d.decisive, 0);
}

/* All of a decision, a line each: what people read of it is its reason, its author and what holds
 * it. */
static void test_every_word_of_a_decision(void **state)
{
    static const struct {
        struct fleet_figures f;
        struct vote votes[3];
        struct arbiter_memory memory;
        struct arbiter_wish wish;
        const char *says;
    } cases[] = {
        {SIZE(3), {NONE, NONE, NONE}, {{0}, {0}}, {0}, "rest 0 to 3: rest by -1, held by -, -1"},
        {SIZE(3),
         {LEAST(6), LEAST(6), NONE},
         {{0}, {0}},
         {0},
         "out 3 to 6: least by 0, held by -, -1"},
        {SIZE(3),
         {LEAST(4), LEAST(6), NONE},
         {{0}, {0}},
         {0},
         "out 3 to 6: least by 1, held by -, -1"},
        {SIZE(6), {MOST(4), MOST(4), NONE}, {{0}, {0}}, {0}, "in 2 to 4: most by 0, held by -, -1"},
        {SIZE(6),
         {MOST(4), MOST(3), NONE},
         {{0}, {0}},
         {0},
         "in 2 to 4: most by 1, held by blocked_by_vote, -1"},
        {SIZE(6), {MOST(6), NONE, NONE}, {{0}, {0}}, {0}, "rest 0 to 6: rest by -1, held by -, -1"},
        {SIZE(6),
         {MOST(7), MOST(4), NONE},
         {{0}, {0}},
         {0},
         "rest 0 to 6: most by 1, held by blocked_by_vote, -1"},
        {SIZE(6),
         {LEAST(5), MOST(4), NONE},
         {{0}, {0}},
         {0},
         "in 1 to 5: most by 1, held by blocked_by_vote, -1"},
        {SIZE(1),
         {NONE, NONE, NONE},
         {{0}, {0}},
         {0},
         "out 1 to 2: floor by -1, held by -, -1, urgent"},
        {SIZE(4),
         {MOST(1), NONE, NONE},
         {{0}, {0}},
         {0},
         "in 2 to 2: most by 0, held by -, -1, limited"},
        {SIZE(2),
         {MOST(1), NONE, NONE},
         {{0}, {0}},
         {0},
         "rest 0 to 2: most by 0, held by -, -1, limited"},
        {SIZE(11), {NONE, NONE, NONE}, {{0}, {0}}, {0}, "in 1 to 10: ceiling by -1, held by -, -1"},
        {SIZE(8),
         {LEAST(11), NONE, NONE},
         {{0}, {0}},
         {0},
         "out 2 to 10: least by 0, held by -, -1, limited"},
        {SIZE(10),
         {LEAST(11), NONE, NONE},
         {{0}, {0}},
         {0},
         "rest 0 to 10: least by 0, held by -, -1, limited"},
        {SIZE(3),
         {URGENT(11), NONE, NONE},
         {{0}, {0}},
         {0},
         "out 4 to 10: urgent by 0, held by max_step, -1, urgent, limited"},
        {SIZE(7),
         {URGENT(11), NONE, NONE},
         {AGO(1), {0}},
         {0},
         "out 3 to 10: urgent by 0, held by -, -1, urgent, limited"},
        {SIZE(3),
         {URGENT(4), URGENT(5), NONE},
         {AGO(1), {0}},
         {0},
         "out 2 to 5: urgent by 1, held by -, -1, urgent"},
        {SIZE(3),
         {LEAST(6), URGENT(4), NONE},
         {AGO(1), {0}},
         {0},
         "out 1 to 6: least by 0, held by cooldown_out, 179999, urgent"},
        {SIZE(3),
         {LEAST(6), URGENT(4), NONE},
         {{0}, {0}},
         {0},
         "out 3 to 6: least by 0, held by -, -1"},
        {SIZE(5),
         {MOST(4), NONE, NONE},
         {AGO(1000), AGO(2000)},
         {0},
         "rest 0 to 4: most by 0, held by cooldown_in, 3599000"},
        {SIZE(5),
         {MOST(4), NONE, NONE},
         {AGO(2000), AGO(1000)},
         {0},
         "rest 0 to 4: most by 0, held by cooldown_in, 3599000"},
        {SIZE(5),
         {MOST(4), NONE, NONE},
         {{0}, AGO(3600000)},
         {0},
         "in 1 to 4: most by 0, held by -, -1"},
        {SIZE(5),
         {MOST(4), NONE, NONE},
         {{0}, AGO(-5000)},
         {0},
         "rest 0 to 4: most by 0, held by cooldown_in, 3600000"},
        {{.ready = 4, .coming = 1, .size = 5},
         {MOST(4), NONE, NONE},
         {{0}, {0}},
         {true, 3},
         "rest 0 to 3: operator by -1, held by out_under_way, -1"},
        {{.ready = 10, .size = 10, .silent = 1},
         {MOST(9), NONE, NONE},
         {{0}, {0}},
         {0},
         "in 1 to 9: most by 0, held by -, -1"},
        {SIZE(3),
         {LEAST(9), NONE, NONE},
         {AGO(1), AGO(1)},
         {true, 4},
         "out 1 to 4: operator by -1, held by -, -1, urgent"},
        {SIZE(3),
         {LEAST(9), NONE, NONE},
         {AGO(1), AGO(1)},
         {true, 30},
         "out 4 to 10: operator by -1, held by max_step, -1, urgent, limited"},
        {SIZE(3),
         {LEAST(9), NONE, NONE},
         {AGO(1), AGO(1)},
         {true, 3},
         "rest 0 to 3: operator by -1, held by -, -1"},
        {SIZE(6),
         {MOST(4), MOST(3), NONE},
         {{0}, {0}},
         {true, 6},
         "rest 0 to 6: operator by -1, held by blocked_by_vote, -1"},
    };
    static const char *const moves[] = {"rest", "out", "in"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arbiter_decision d;
        char text[200];
        arbiter_decide(&policy, &cases[i].memory, &cases[i].f, cases[i].votes, &cases[i].wish, now,
                       &d);
        (void)snprintf(text, sizeof text, "%s %d to %d: %s by %d, held by %s, %lld%s%s",
                       moves[d.move], d.step, d.desired, d.why, d.decisive,
                       d.held_by ? d.held_by : "-", (long long)d.held_for_ms,
                       d.urgent ? ", urgent" : "", d.limited ? ", limited" : "");
        if (strcmp(text, cases[i].says) != 0)
            fail_msg("case %zu: %s\n  instead of: %s", i, text, cases[i].says);
    }
}

/* A rule that has an action of its own moves nothing, and hides none of those after it. */
static void test_actions_do_not_vote(void **state)
{
    static const struct rule_action action;
    const struct vote votes[] = {LEAST(9), LEAST(5), NONE};
    const struct fleet_figures f = SIZE(3);
    const struct arbiter_memory memory = {{0}, {0}};
    const struct arbiter_wish none = {0};
    struct arbiter_decision d;
    policy.rules[0].action = &action;
    arbiter_decide(&policy, &memory, &f, votes, &none, now, &d);
    assert_int_equal(d.desired, 5);
    assert_int_equal(d.decisive, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table, setup, NULL),
        cmocka_unit_test_setup_teardown(test_says_how_long, setup, NULL),
        cmocka_unit_test_setup_teardown(test_every_word_of_a_decision, setup, NULL),
        cmocka_unit_test_setup_teardown(test_actions_do_not_vote, setup, NULL),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
