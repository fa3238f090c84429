/* test_reporter.c - the reporter's life as a trace: what it asks of the store, when, and what it
 * does with the answers. */
#include "nodekit/reporter.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

struct world {
    struct reporter r;
    struct node_load load;
    int64_t now;
    char trace[4096];
    size_t len;
};

static void setup(struct world *w, int64_t drain_deadline_ms)
{
    struct reporter_config config = {.interval_ms = 1000,
                                     .lost_after_ms = 3000,
                                     .drain_deadline_ms = drain_deadline_ms,
                                     .alone_after_ms = 5000,
                                     .patience_ms = 60000};
    *w = (struct world){.load = {.capacity = 100}};
    reporter_init(&w->r, &config, 7, (mono_ms_t){0});
}

/* Step, and write the effects down; reports without their time, which is random. */
static struct reporter_effects step(struct world *w, struct reporter_event ev)
{
    ev.now = (mono_ms_t){w->now};
    ev.load = w->load;
    struct reporter_effects fx;
    reporter_step(&w->r, &ev, &fx);
    for (size_t i = 0; i < fx.count; i++) {
        char line[128];
        (void)reporter_describe(&w->r, &fx.items[i], line, sizeof line);
        w->len += (size_t)snprintf(w->trace + w->len, sizeof w->trace - w->len, "%s\n", line);
    }
    return fx;
}

static void tick(struct world *w)
{
    (void)step(w, (struct reporter_event){.kind = REPORTER_TICK});
}

static void answer(struct world *w, enum node_state state)
{
    (void)step(w, (struct reporter_event){
                      .kind = REPORTER_ANSWER, .state = state, .store_now = {1000000 + w->now}});
}

/* Let time pass until the next report goes out; returns how long it took. */
static int64_t until_report(struct world *w)
{
    int64_t from = w->now, seq = w->r.seq;
    while (w->r.seq == seq) {
        mono_ms_t at = reporter_deadline(&w->r);
        assert_true(at.ms != MONO_NEVER.ms);
        w->now = at.ms > w->now ? at.ms : w->now;
        tick(w);
        assert_true(w->now - from < 10000);
    }
    return w->now - from;
}

static void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace, trace);
    w->len = 0;
    w->trace[0] = '\0';
}

static void join(struct world *w)
{
    (void)step(w, (struct reporter_event){.kind = REPORTER_STORE_UP});
    w->now += 2;
    (void)step(
        w, (struct reporter_event){
               .kind = REPORTER_JOINED, .epoch = 5, .state = NODE_JOINING, .store_now = {1000001}});
    (void)step(w, (struct reporter_event){.kind = REPORTER_WANT_OK});
    (void)until_report(w);
    answer(w, NODE_READY);
    expect(w, "join\nstate state=joining epoch=5\nwant want=none why=in_service\nreport seq=1 "
              "closed=0 drain=0\n"
              "state state=ready epoch=5\n");
}

static void test_joins_then_reports_each_interval(void **state)
{
    struct world w;
    setup(&w, 0);
    tick(&w);
    expect(&w, ""); /* nothing can be said while the store is away */
    join(&w);
    for (int i = 0; i < 50; i++) {
        int64_t waited = until_report(&w);
        assert_in_range(waited, 900, 1000); /* shortened by jitter only, never late */
        answer(&w, NODE_READY);
    }
    assert_int_equal(w.r.seq, 51);
    wall_ms_t wall;
    assert_true(reporter_wall(&w.r, (mono_ms_t){w.now}, &wall));
    assert_int_equal(wall.ms, 1000000 + w.now);
}

static void test_nodes_started_together_do_not_report_together(void **state)
{
    int64_t first[2];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct world w;
        setup(&w, 0);
        reporter_init(&w.r, &w.r.config, seed, (mono_ms_t){0});
        (void)step(&w, (struct reporter_event){.kind = REPORTER_STORE_UP});
        (void)step(&w,
                   (struct reporter_event){.kind = REPORTER_JOINED, .epoch = 5, .store_now = {1}});
        (void)until_report(&w);
        first[seed - 1] = w.now;
    }
    assert_int_not_equal(first[0], first[1]);
}

static void test_closes_the_door_only_when_empty_and_opens_it_again(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    w.load.conns = 1;
    answer(&w, NODE_DRAINING);
    answer(&w, NODE_CLOSING); /* someone came in meanwhile */
    expect(&w, "state state=draining epoch=5\nstate state=closing epoch=5\n");
    assert_false(w.r.closed);
    w.load.conns = 0;
    w.load.rooms = 1;
    answer(&w, NODE_CLOSING); /* a seat is kept for someone who may come back */
    expect(&w, "");
    w.load.rooms = 0;
    answer(&w, NODE_CLOSING);
    expect(&w, "door closed=1 why=closing\nreport seq=2 closed=1 drain=0\n"); /* told at once */
    answer(&w, NODE_DRAINED);
    expect(&w, "state state=drained epoch=5\n");
    answer(&w, NODE_JOINING);
    expect(&w, "state state=joining epoch=5\ndoor closed=0 why=taken_back\nreport seq=3 closed=0 "
               "drain=0\n");
}

static void test_unknown_joins_again_superseded_stops(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    (void)until_report(&w);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_UNKNOWN});
    expect(&w, "report seq=2 closed=0 drain=0\njoin\n");
    (void)step(&w,
               (struct reporter_event){
                   .kind = REPORTER_JOINED, .epoch = 5, .state = NODE_JOINING, .store_now = {1}});
    expect(&w, "state state=joining epoch=5\nwant want=none why=in_service\n");
    (void)step(&w, (struct reporter_event){.kind = REPORTER_SUPERSEDED});
    expect(&w, "exit code=1 why=superseded\n");
    assert_true(reporter_deadline(&w.r).ms == MONO_NEVER.ms);
}

static void test_a_name_that_stays_taken_is_given_up(void **state)
{
    struct world w;
    setup(&w, 0);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_STORE_UP});
    while (!w.r.exiting) {
        (void)step(&w, (struct reporter_event){.kind = REPORTER_TAKEN});
        if (w.r.exiting)
            break;
        w.now = reporter_deadline(&w.r).ms;
        tick(&w);
        assert_true(w.now < 20000);
    }
    assert_in_range(w.now, 9000, 12100);
    assert_non_null(strstr(w.trace, "exit code=1 why=name_taken\n"));
}

static void test_failed_joins_back_off(void **state)
{
    struct world w;
    setup(&w, 0);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_STORE_UP});
    int64_t gap = 0;
    for (int i = 0; i < 8; i++) {
        (void)step(&w,
                   (struct reporter_event){.kind = REPORTER_FAILED, .call = REPORTER_CALL_JOIN});
        gap = reporter_deadline(&w.r).ms - w.now;
        assert_in_range(gap, 100, 3000);
        w.now += gap;
        tick(&w);
    }
    assert_in_range(gap, 1500, 3000);
}

static void test_sigterm_drains_and_leaves_when_the_owner_agrees(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    w.load.conns = 2;
    (void)step(&w, (struct reporter_event){.kind = REPORTER_TERM});
    expect(&w, "want want=draining why=sigterm\nreport seq=2 closed=0 drain=1\n");
    (void)step(&w, (struct reporter_event){.kind = REPORTER_WANT_OK});
    answer(&w, NODE_DRAINING);
    w.load.conns = 0;
    w.now += 10;
    tick(&w);
    expect(&w, "state state=draining epoch=5\n"); /* empty, but tickets may be under way: stay */
    answer(&w, NODE_CLOSING);
    answer(&w, NODE_DRAINED);
    expect(&w,
           "state state=closing epoch=5\ndoor closed=1 why=closing\nreport seq=3 closed=1 drain=1\n"
           "state state=drained epoch=5\nexit code=0 why=drained\n");
}

static void test_sigterm_without_a_store(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_STORE_DOWN});
    w.load.conns = 1;
    (void)step(&w, (struct reporter_event){.kind = REPORTER_TERM});
    w.now += 60000;
    tick(&w);
    expect(&w, ""); /* someone still plays */
    w.load.conns = 0;
    tick(&w);
    expect(&w, "exit code=0 why=store_away\n");
}

static void test_sigterm_when_nobody_owns_the_pool(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_TERM});
    while (!w.r.exiting && w.now < 100000) {
        w.now += 500;
        answer(&w, NODE_READY); /* the store answers, no LB acts */
    }
    assert_in_range(w.now, 60000, 62100);
    assert_non_null(strstr(w.trace, "exit code=0 why=nobody_answers\n"));
}

static void test_drain_deadline_ends_the_wait(void **state)
{
    struct world w;
    setup(&w, 30000);
    join(&w);
    w.load.conns = 5;
    int64_t from = w.now;
    (void)step(&w, (struct reporter_event){.kind = REPORTER_TERM});
    w.now = from + 29999;
    tick(&w);
    assert_false(w.r.exiting);
    w.now = from + 30000;
    tick(&w);
    assert_true(w.r.exiting);
}

static void test_wishes_are_told_and_taken_back(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    (void)step(&w, (struct reporter_event){
                       .kind = REPORTER_WISH, .wish = REPORTER_WISH_MAINTENANCE, .on = true});
    expect(&w, "want want=draining why=maintenance\nreport seq=2 closed=0 drain=1\n");
    (void)step(&w, (struct reporter_event){.kind = REPORTER_FAILED, .call = REPORTER_CALL_WANT});
    w.now += 500;
    tick(&w);
    expect(&w, "want want=draining why=maintenance\n"); /* until the store has it */
    (void)step(&w, (struct reporter_event){.kind = REPORTER_WANT_OK});
    answer(&w, NODE_DRAINING);
    (void)step(&w, (struct reporter_event){
                       .kind = REPORTER_WISH, .wish = REPORTER_WISH_MAINTENANCE, .on = false});
    expect(&w, "state state=draining epoch=5\nwant want=none why=in_service\nreport seq=3 closed=0 "
               "drain=0\n");
}

static void test_reports_go_on_after_the_store_was_away(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    (void)until_report(&w);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_STORE_DOWN});
    (void)step(&w, (struct reporter_event){.kind = REPORTER_FAILED, .call = REPORTER_CALL_REPORT});
    assert_true(reporter_deadline(&w.r).ms == MONO_NEVER.ms);
    w.now += 30000;
    w.load.conns = 3;
    (void)step(&w, (struct reporter_event){.kind = REPORTER_STORE_UP});
    assert_in_range(until_report(&w), 0, 100);
    expect(&w, "report seq=2 closed=0 drain=0\nreport seq=3 closed=0 drain=0\n");
}

static void test_an_heir_waits_for_its_word_and_reports_at_once(void **state)
{
    struct world w;
    setup(&w, 0);
    w.r.config.hold = true;
    (void)step(&w, (struct reporter_event){.kind = REPORTER_STORE_UP});
    w.now += 60000;
    tick(&w);
    expect(&w, "");
    assert_int_equal(reporter_deadline(&w.r).ms, MONO_NEVER.ms);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_GO});
    expect(&w, "join\n");
    (void)step(
        &w, (struct reporter_event){
                .kind = REPORTER_JOINED, .epoch = 9, .state = NODE_READY, .store_now = {1000001}});
    expect(&w, "state state=ready epoch=9\nwant want=none why=in_service\n"
               "report seq=1 closed=0 drain=0\n");
}

static void test_who_is_succeeded_joins_by_another_name_and_leaves_when_drained(void **state)
{
    struct world w;
    setup(&w, 0);
    join(&w);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_RENAMED, .on = true});
    expect(&w, "join\n");
    assert_string_equal(reporter_why(&w.r), "restarted");
    (void)step(&w, (struct reporter_event){.kind = REPORTER_JOINED,
                                           .epoch = 5, /* its own, held */
                                           .state = NODE_DRAINING,
                                           .store_now = {1000001}});
    expect(&w, "state state=draining epoch=5\nwant want=draining why=restarted\n");
    (void)step(&w, (struct reporter_event){.kind = REPORTER_WANT_OK});
    answer(&w, NODE_CLOSING);
    answer(&w, NODE_DRAINED);
    assert_non_null(strstr(w.trace, "exit code=0 why=drained\n"));
}

static void test_a_restart_that_came_to_nothing_takes_the_wish_back(void **state)
{
    struct world w;
    setup(&w, 1000);
    join(&w);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_RENAMED, .on = true});
    assert_in_range(reporter_deadline_ms(&w.r, (mono_ms_t){w.now + 400}), 600, 600);
    (void)step(&w, (struct reporter_event){.kind = REPORTER_RENAMED, .on = false});
    assert_null(reporter_why(&w.r));
    assert_int_equal(reporter_deadline_ms(&w.r, (mono_ms_t){w.now}), 0);
    w.now += 5000; /* the drain's deadline has nothing to end */
    (void)step(
        &w, (struct reporter_event){
                .kind = REPORTER_JOINED, .epoch = 5, .state = NODE_READY, .store_now = {1000001}});
    assert_null(strstr(w.trace, "exit"));
    assert_non_null(strstr(w.trace, "state state=ready epoch=5\nwant want=none why=in_service\n"));
}

static void test_notices_of_the_machine_are_wishes_with_their_words(void **state)
{
    static const struct {
        enum reporter_wish wish;
        const char *word;
    } cases[] = {{REPORTER_WISH_SPOT, "spot_interruption"},
                 {REPORTER_WISH_SCHEDULED, "scheduled_event"},
                 {REPORTER_WISH_LIFECYCLE, "asg_terminated"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        char text[96];
        setup(&w, 0);
        join(&w);
        (void)step(
            &w, (struct reporter_event){.kind = REPORTER_WISH, .wish = cases[i].wish, .on = true});
        (void)snprintf(text, sizeof text, "want want=draining why=%s\n", cases[i].word);
        assert_non_null(strstr(w.trace, text));
        assert_null(strstr(w.trace, "exit")); /* it drains; the process stays */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins_then_reports_each_interval),
        cmocka_unit_test(test_nodes_started_together_do_not_report_together),
        cmocka_unit_test(test_closes_the_door_only_when_empty_and_opens_it_again),
        cmocka_unit_test(test_unknown_joins_again_superseded_stops),
        cmocka_unit_test(test_a_name_that_stays_taken_is_given_up),
        cmocka_unit_test(test_failed_joins_back_off),
        cmocka_unit_test(test_sigterm_drains_and_leaves_when_the_owner_agrees),
        cmocka_unit_test(test_sigterm_without_a_store),
        cmocka_unit_test(test_sigterm_when_nobody_owns_the_pool),
        cmocka_unit_test(test_drain_deadline_ends_the_wait),
        cmocka_unit_test(test_wishes_are_told_and_taken_back),
        cmocka_unit_test(test_an_heir_waits_for_its_word_and_reports_at_once),
        cmocka_unit_test(test_who_is_succeeded_joins_by_another_name_and_leaves_when_drained),
        cmocka_unit_test(test_a_restart_that_came_to_nothing_takes_the_wish_back),
        cmocka_unit_test(test_notices_of_the_machine_are_wishes_with_their_words),
        cmocka_unit_test(test_reports_go_on_after_the_store_was_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
