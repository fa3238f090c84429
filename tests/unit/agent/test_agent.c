/* test_agent.c - when the node of a foreign server is registered, in rotation and told to drain. */
#include "agent/agent.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

static struct agent agent;
static char story[1024];

static const struct agent_config usual = {.asks = true,
                                          .checks = true,
                                          .count_interval_ms = 500,
                                          .stale_ms = 5000,
                                          .check_interval_ms = 2000,
                                          .rise = 1,
                                          .fall = 3};

static const char *step(int64_t at, struct agent_event ev)
{
    static const char *const words[] = {"count", "check", "register", "wish", "ask", "tell"};
    struct agent_effects fx;
    ev.now = (mono_ms_t){at};
    agent_step(&agent, &ev, &fx);
    story[0] = '\0';
    for (size_t i = 0; i < fx.count; i++) {
        size_t len = strlen(story);
        const struct agent_effect *e = &fx.items[i];
        if (e->kind == AGENT_DO_COUNT || e->kind == AGENT_DO_CHECK || e->kind == AGENT_DO_REGISTER)
            (void)snprintf(story + len, sizeof story - len, "%s;", words[e->kind]);
        else
            (void)snprintf(story + len, sizeof story - len, "%s %s %s;", words[e->kind],
                           e->on ? "on" : "off", e->why);
    }
    return story;
}

#define TICK ((struct agent_event){.kind = AGENT_TICK})
#define COUNTED(n) ((struct agent_event){.kind = AGENT_COUNTED, .conns = (n)})
#define CHECKED(is_ok) ((struct agent_event){.kind = AGENT_CHECKED, .ok = (is_ok), .why = "test"})
#define STATE(s) ((struct agent_event){.kind = AGENT_STATE, .state = (s)})

static void begin(const struct agent_config *config)
{
    agent_init(&agent, config, (mono_ms_t){0});
}

/* Registered at 20, next count due at 510, next check at 2020. */
static void begin_registered(void)
{
    begin(&usual);
    assert_string_equal(step(0, TICK), "count;");
    assert_string_equal(step(10, COUNTED(3)), "check;");
    assert_string_equal(step(20, CHECKED(true)), "register;");
}

static void test_registers_once_counted_and_checked(void **state)
{
    begin(&usual);
    assert_string_equal(step(0, TICK), "count;");
    assert_string_equal(step(5, TICK), ""); /* a check is a connection: not while it is counted */
    assert_string_equal(step(10, COUNTED(3)), "check;");
    assert_string_equal(agent_fault(&agent, (mono_ms_t){10}), "not_checked");
    assert_string_equal(step(20, CHECKED(true)), "register;");
    assert_null(agent_fault(&agent, (mono_ms_t){20}));
    assert_int_equal(agent.conns, 3);
}

static void test_a_server_that_is_being_started_is_checked_often(void **state)
{
    begin(&usual);
    (void)step(0, TICK);
    assert_string_equal(step(10, COUNTED(0)), "check;");
    assert_string_equal(step(20, CHECKED(false)), "");
    assert_string_equal(step(219, TICK), "");
    assert_string_equal(step(220, TICK), "check;");
}

static void test_counts_and_checks_in_their_intervals(void **state)
{
    begin_registered();
    assert_int_equal(agent_deadline(&agent).ms, 510);
    assert_string_equal(step(509, TICK), "");
    assert_string_equal(step(510, TICK), "count;");
    assert_string_equal(step(1000, TICK), ""); /* no answer yet: not asked again */
    assert_string_equal(step(1100, COUNTED(4)), "");
    assert_string_equal(step(1600, TICK), "count;");
    assert_string_equal(step(2020, TICK), "");
    assert_string_equal(step(2030, COUNTED(4)), "check;");
}

static void test_a_count_that_stops_takes_it_out(void **state)
{
    begin_registered();
    assert_string_equal(step(510, TICK), "count;");
    assert_string_equal(step(600, (struct agent_event){.kind = AGENT_COUNT_FAILED, .why = "x"}),
                        "");
    assert_string_equal(step(1100, TICK), "count;");
    assert_string_equal(step(5010, TICK), "");
    assert_string_equal(step(5011, TICK), "wish on count_stale;");
    assert_string_equal(step(5012, TICK), "");
    assert_string_equal(step(5100, COUNTED(3)), "check;wish off works;");
}

static void test_fall_checks_in_a_row_take_it_out_and_rise_bring_it_back(void **state)
{
    struct agent_config config = usual;
    config.rise = 2;
    begin(&config);
    (void)step(0, TICK);
    assert_string_equal(step(1, COUNTED(1)), "check;");
    assert_string_equal(step(2, CHECKED(true)), "");
    assert_string_equal(step(3, CHECKED(true)), "register;");
    (void)step(4, CHECKED(false));
    (void)step(5, CHECKED(false));
    assert_string_equal(step(6, CHECKED(true)), ""); /* not in a row */
    (void)step(7, CHECKED(false));
    (void)step(8, CHECKED(false));
    assert_string_equal(step(9, CHECKED(false)), "wish on check_failed;");
    assert_string_equal(step(10, CHECKED(true)), "");
    assert_string_equal(step(11, CHECKED(true)), "wish off works;");
}

static void test_tells_the_server_once_each_way(void **state)
{
    begin_registered();
    assert_string_equal(step(30, STATE(NODE_JOINING)), "");
    assert_string_equal(step(40, STATE(NODE_READY)), "");
    assert_string_equal(step(50, STATE(NODE_DRAINING)), "tell on draining;");
    assert_string_equal(step(60, STATE(NODE_LOST)), "");
    assert_string_equal(step(70, STATE(NODE_CLOSING)), "");
    assert_string_equal(step(80, STATE(NODE_JOINING)), "tell off joining;");
}

static void test_sigterm_tells_even_without_a_store(void **state)
{
    begin_registered();
    assert_string_equal(step(30, (struct agent_event){.kind = AGENT_LEAVING}), "tell on sigterm;");
    assert_string_equal(step(40, STATE(NODE_READY)), "");
}

static void test_a_server_that_tells_its_count_is_not_asked(void **state)
{
    const struct agent_config config = {.stale_ms = 1000, .rise = 1, .fall = 1};
    begin(&config);
    assert_string_equal(step(0, TICK), "");
    assert_int_equal(agent_deadline(&agent).ms, INT64_MAX);
    assert_string_equal(step(10, COUNTED(0)), "register;");
    assert_int_equal(agent_deadline(&agent).ms, 1011);
    assert_string_equal(step(1011, TICK), "wish on count_stale;");
}

static void test_an_admission_hurries_the_count(void **state)
{
    begin_registered();
    assert_string_equal(step(30, (struct agent_event){.kind = AGENT_ADMITTED}), "");
    assert_int_equal(agent_deadline(&agent).ms, 110); /* 100 ms after the last count */
    assert_string_equal(step(200, (struct agent_event){.kind = AGENT_ADMITTED}), "count;");
}

static void test_asked_to_drain_and_back(void **state)
{
    begin_registered();
    assert_string_equal(step(30, (struct agent_event){.kind = AGENT_ASKED, .on = true}),
                        "ask on asked;");
    assert_string_equal(step(31, (struct agent_event){.kind = AGENT_ASKED, .on = true}), "");
    assert_string_equal(step(32, (struct agent_event){.kind = AGENT_ASKED, .on = false}),
                        "ask off asked;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers_once_counted_and_checked),
        cmocka_unit_test(test_a_server_that_is_being_started_is_checked_often),
        cmocka_unit_test(test_counts_and_checks_in_their_intervals),
        cmocka_unit_test(test_a_count_that_stops_takes_it_out),
        cmocka_unit_test(test_fall_checks_in_a_row_take_it_out_and_rise_bring_it_back),
        cmocka_unit_test(test_tells_the_server_once_each_way),
        cmocka_unit_test(test_sigterm_tells_even_without_a_store),
        cmocka_unit_test(test_a_server_that_tells_its_count_is_not_asked),
        cmocka_unit_test(test_an_admission_hurries_the_count),
        cmocka_unit_test(test_asked_to_drain_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
