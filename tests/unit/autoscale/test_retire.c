/* test_retire.c - who goes, who comes back, and each step of a node's way out, to the millisecond.
 */
#include "autoscale/retire.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

enum { MAX = 8 };

static struct {
    struct fleet fleet;
    struct policy policy;
    struct effects fx;
    struct fleet_node nodes[MAX];
    struct fleet_listed listed[MAX];
    size_t node_count, listed_count;
    mono_ms_t now;
    char text[2048];
} s;

static int begin(void **state)
{
    memset(&s, 0, sizeof s);
    policy_defaults(&s.policy, "game");
    s.now.ms = 1000000;
    return fleet_init(&s.fleet, MAX, 1, s.policy.boot_timeout_ms, s.policy.stale_after_ms);
}

static int end(void **state)
{
    fleet_fini(&s.fleet);
    return 0;
}

static struct fleet_node *node(const char *name, const char *instance, const char *zone,
                               enum node_state state, int64_t conns)
{
    struct fleet_node *n = &s.nodes[s.node_count++];
    *n = (struct fleet_node){
        .epoch = 7, .state = state, .conns = conns, .est = conns, .capacity = 10};
    (void)snprintf(n->name, sizeof n->name, "%s", name);
    (void)snprintf(n->instance, sizeof n->instance, "%s", instance);
    (void)snprintf(n->zone, sizeof n->zone, "%s", zone);
    return n;
}

static struct fleet_listed *list(const char *id, const char *zone, int64_t age_ms)
{
    struct fleet_listed *l = &s.listed[s.listed_count++];
    *l = (struct fleet_listed){.age_ms = age_ms};
    (void)snprintf(l->id, sizeof l->id, "%s", id);
    (void)snprintf(l->zone, sizeof l->zone, "%s", zone);
    return l;
}

static void look(void)
{
    const struct fleet_snapshot snapshot = {
        .nodes = s.nodes, .count = s.node_count, .complete = true};
    fleet_list(&s.fleet, s.listed, s.listed_count, s.now, 0, s.now);
    fleet_see(&s.fleet, &snapshot, s.now);
}

/* What was asked for since the last time: a line each; `!` what people should know. */
static const char *said(void)
{
    char line[512];
    size_t n = 0;
    s.text[0] = '\0';
    for (size_t i = 0; i < s.fx.count; i++) {
        const struct effect *e = &s.fx.item[i];
        bool of_node = e->kind == EFFECT_WANT || e->kind == EFFECT_MOVE;
        n += (size_t)snprintf(s.text + n, sizeof s.text - n, "%s%s%s\n", e->alert ? "! " : "",
                              effects_render(e, line, sizeof line),
                              of_node && e->epoch != 7 ? " of another life" : "");
        assert_true(n < sizeof s.text);
    }
    s.fx.count = 0;
    return s.text;
}

static const char *step(int64_t after_ms)
{
    s.now.ms += after_ms;
    (void)retire_step(&s.fleet, &s.policy, s.now, &s.fx);
    return said();
}

static const char *start(int step_nodes)
{
    (void)retire_start(&s.fleet, step_nodes, "scale_in", s.now, &s.fx);
    return said();
}

/* ---- who goes ---- */

static void test_the_emptiest_of_the_fullest_zone_goes(void **state)
{
    node("a", "i-a", "x", NODE_READY, 1);
    node("b", "i-b", "y", NODE_READY, 9);
    node("c", "i-c", "y", NODE_READY, 8);
    node("d", "i-d", "y", NODE_JOINING, 8);
    for (size_t i = 0; i < 4; i++)
        list(s.nodes[i].instance, s.nodes[i].zone, 500000);
    look();
    s.fleet.instances[2].since.ms -= 1; /* c is older */
    assert_string_equal(start(3), "want node=d want=draining why=scale_in\n"
                                  "want node=c want=draining why=scale_in\n"
                                  "want node=a want=draining why=scale_in\n");
    assert_string_equal(start(3), "want node=b want=draining why=scale_in\n");
    assert_string_equal(start(3), "");
}

static void test_equals_go_the_youngest_first_then_by_name(void **state)
{
    static const char *const ids[] = {"i-b", "i-d", "i-a", "i-c"};
    static const int64_t ages[] = {5000, 5000, 5000, 4999};
    for (size_t i = 0; i < 4; i++) {
        node(ids[i] + 2, ids[i], "", NODE_READY, 2);
        list(ids[i], "", ages[i]);
    }
    look();
    assert_string_equal(start(4), "want node=c want=draining why=scale_in\n"
                                  "want node=d want=draining why=scale_in\n"
                                  "want node=b want=draining why=scale_in\n"
                                  "want node=a want=draining why=scale_in\n");
}

static void test_an_instance_goes_whole_or_not_at_all(void **state)
{
    s.fleet.nodes_per_instance = 2;
    node("a", "i-a", "", NODE_READY, 0);
    node("b", "i-a", "", NODE_READY, 1);
    node("c", "i-b", "", NODE_READY, 5);
    node("d", "i-b", "", NODE_READY, 5);
    list("i-a", "", 1000);
    list("i-b", "", 1000);
    look();
    assert_string_equal(start(1), "");
    assert_string_equal(start(3), "want node=a want=draining why=scale_in\n"
                                  "want node=b want=draining why=scale_in\n");
}

static void test_some_are_never_chosen(void **state)
{
    node("a", "i-a", "", NODE_READY, 0)->want_other = true;
    node("b", "i-b", "", NODE_READY, 0)->report_age_ms = s.policy.stale_after_ms + 1;
    node("c", "i-c", "", NODE_READY, 0);
    node("d", "i-d", "", NODE_DRAINING, 0);
    node("e", "i-e", "", NODE_READY, 0);
    node("f", "i-f", "", NODE_READY, 3);
    for (size_t i = 0; i < 6; i++)
        if (i != 2) /* c's instance is nobody's */
            list(s.nodes[i].instance, "", 1000)->ending = i == 4;
    look();
    assert_string_equal(start(6), "want node=f want=draining why=scale_in\n");
}

static void test_a_roll_takes_what_is_old(void **state)
{
    node("a", "i-a", "", NODE_READY, 0);
    node("b", "i-b", "", NODE_READY, 5)->old = true;
    list("i-a", "", 1000);
    list("i-b", "", 1000);
    look();
    assert_int_equal(retire_start_old(&s.fleet, 2, s.now, &s.fx), 1);
    assert_string_equal(said(), "want node=b want=draining why=roll\n");
}

/* ---- and back ---- */

static void test_the_fullest_comes_back_first(void **state)
{
    node("a", "i-a", "", NODE_DRAINING, 1)->want_own = true;
    node("b", "i-b", "", NODE_DRAINED, 4)->want_own = true;
    node("c", "i-c", "", NODE_DRAINING, 5)->want_own = true;
    node("d", "i-d", "", NODE_TERMINATING, 9)->want_own = true;
    s.nodes[2].want_other = true;
    for (size_t i = 0; i < 4; i++)
        list(s.nodes[i].instance, "", 1000);
    look();
    assert_int_equal(retire_take_back(&s.fleet, 1, s.now, &s.fx), 1);
    assert_string_equal(said(), "want node=b want=none why=load_returned\n");
    assert_int_equal(retire_take_back(&s.fleet, 5, s.now, &s.fx), 1);
    assert_string_equal(said(), "want node=a want=none why=load_returned\n");
    assert_int_equal(retire_take_back(&s.fleet, 5, s.now, &s.fx), 0);
    /* not seen to be so: asked again, as long as it is not */
    s.policy.boot_timeout_ms = 1000000;
    s.nodes[3].state = NODE_READY;
    s.nodes[3].want_own = false;
    look();
    assert_string_equal(step(2999), "");
    assert_string_equal(step(1), "want node=a want=none why=again\n"
                                 "want node=b want=none why=again\n");
    s.nodes[0].want_own = s.nodes[1].want_own = false;
    look();
    assert_string_equal(step(3000), "");
}

/* ---- through ---- */

static void test_the_way_out_of_a_node(void **state)
{
    node("a", "i-a", "", NODE_READY, 3);
    list("i-a", "", 1000);
    look();
    assert_false(retire_watching(&s.fleet));
    assert_string_equal(start(1), "want node=a want=draining why=scale_in\n");
    assert_string_equal(step(2999), "");
    assert_string_equal(step(1), "want node=a want=draining why=again\n");
    s.nodes[0].want_own = true;
    look();
    assert_string_equal(step(3000), "");
    s.nodes[0].state = NODE_CLOSING;
    look();
    assert_string_equal(step(1), "");
    s.nodes[0].state = NODE_DRAINED;
    look();
    assert_string_equal(step(1), "move node=a from=drained to=terminating why=drained\n");
    assert_string_equal(step(2999), "");
    assert_string_equal(step(1), "move node=a from=drained to=terminating why=drained\n");
    s.nodes[0].state = NODE_TERMINATING;
    look();
    assert_true(retire_watching(&s.fleet));
    assert_string_equal(step(0), "terminate instance=i-a why=drained\n"
                                 "terminate name=i-a why=drained nodes=1 age_s=10\n");
    assert_string_equal(step(9999), "");
    retire_terminated(&s.fleet, "i-a", false, "denied", s.now, &s.fx);
    assert_string_equal(said(), "! terminate_failed name=i-a error=denied\n");
    assert_string_equal(step(9999), "");
    assert_string_equal(step(1), "terminate instance=i-a why=drained\n"
                                 "terminate name=i-a why=drained nodes=1 age_s=30\n");
    retire_terminated(&s.fleet, "i-a", true, NULL, s.now, &s.fx);
    retire_terminated(&s.fleet, "nobody", true, NULL, s.now, &s.fx);
    assert_string_equal(said(), "");
    assert_true(s.fleet.instances[0].ending);
    assert_string_equal(step(59999), "");
    assert_string_equal(step(1), "terminate instance=i-a why=drained\n"
                                 "terminate name=i-a why=drained nodes=1 age_s=90\n");
    s.listed_count = 0;
    look();
    assert_true(retire_watching(&s.fleet));
    assert_string_equal(step(0), "move node=a from=terminating to=gone why=instance_gone\n");
    assert_string_equal(step(2999), "");
    assert_string_equal(step(1), "move node=a from=terminating to=gone why=instance_gone\n");
}

static void test_an_instance_waits_for_all_its_nodes(void **state)
{
    s.fleet.nodes_per_instance = 2;
    node("a", "i-a", "", NODE_DRAINED, 0)->want_own = true;
    node("b", "i-a", "", NODE_DRAINING, 0)->want_own = true;
    list("i-a", "", 1000);
    look();
    assert_string_equal(step(0), "");
    s.nodes[1].state = NODE_DRAINED;
    s.nodes[1].want_other = true; /* somebody else has a use for it */
    look();
    assert_string_equal(step(0), "");
    s.nodes[1].want_other = false;
    look();
    assert_string_equal(step(0), "move node=a from=drained to=terminating why=drained\n"
                                 "move node=b from=drained to=terminating why=drained\n");
    s.nodes[0].state = NODE_TERMINATING;
    look();
    assert_string_equal(step(0), "");
    assert_string_equal(step(3000), "move node=b from=drained to=terminating why=drained\n");
    s.nodes[1].state = NODE_TERMINATING;
    look();
    assert_string_equal(step(0), "terminate instance=i-a why=drained\n"
                                 "terminate name=i-a why=drained nodes=2 age_s=4\n");
}

static void test_nodes_whose_instance_is_gone(void **state)
{
    node("a", "i-a", "", NODE_DRAINED, 0)->want_other = true;
    node("b", "i-b", "", NODE_LOST, 0);
    node("c", "i-c", "", NODE_READY, 0);
    node("d", "i-d", "", NODE_TERMINATING, 0)->report_age_ms = 29999;
    node("e", "", "", NODE_LOST, 0)->report_age_ms = 90000;
    for (size_t i = 0; i < 3; i++)
        list(s.nodes[i].instance, "", 1000);
    look();
    assert_string_equal(step(0), "");
    s.listed_count = 0;
    look();
    assert_string_equal(step(0), "move node=a from=drained to=terminating why=instance_gone\n"
                                 "move node=b from=lost to=gone why=instance_gone\n");
    s.nodes[3].report_age_ms = 30000;
    look();
    assert_string_equal(step(0), "move node=d from=terminating to=gone why=no_instance\n");
}

/* ---- not drained ---- */

static void test_an_instance_that_never_boots(void **state)
{
    fleet_launched(&s.fleet, "i-a", "t-1", "", s.now, s.now);
    list("i-a", "", 0);
    look();
    assert_true(retire_watching(&s.fleet) == false);
    assert_string_equal(step(s.policy.boot_timeout_ms - 1), "");
    s.now.ms++;
    assert_int_equal(retire_step(&s.fleet, &s.policy, s.now, &s.fx), 1);
    assert_string_equal(said(), "terminate instance=i-a why=boot_timeout\n"
                                "! terminate name=i-a why=boot_timeout nodes=0 age_s=300\n");
    assert_true(retire_watching(&s.fleet));
    assert_int_equal(retire_step(&s.fleet, &s.policy, s.now, &s.fx), 0);
    assert_string_equal(said(), "");
    retire_terminated(&s.fleet, "i-a", false, "denied", s.now, &s.fx);
    (void)said();
    node("a", "i-a", "", NODE_JOINING, 0); /* it came after all, in time */
    look();
    assert_string_equal(step(10000), "");
}

static void test_an_instance_that_fell_silent(void **state)
{
    node("a", "i-a", "", NODE_READY, 3);
    list("i-a", "", 1000);
    look();
    s.node_count = 0;
    look();
    assert_string_equal(step(s.policy.boot_timeout_ms - 1), "");
    assert_string_equal(step(1), "! instance_silent name=i-a age_s=301 silent_s=300\n");
    assert_string_equal(step(1000000), ""); /* told once; it may hold players */
    s.policy.silent_timeout_ms = 2000000;
    assert_string_equal(step(2000000 - 1000000 - s.policy.boot_timeout_ms - 1), "");
    assert_string_equal(step(1), "terminate instance=i-a why=silent\n"
                                 "! terminate name=i-a why=silent nodes=0 age_s=2001\n");
}

static void test_a_drain_deadline(void **state)
{
    node("a", "i-a", "", NODE_READY, 3);
    list("i-a", "", 1000);
    look();
    s.policy.drain_deadline_ms = 5000;
    s.nodes[0].want_own = true;
    s.nodes[0].state = NODE_DRAINING;
    s.now.ms += 100;
    look();
    assert_string_equal(step(4999), "");
    assert_string_equal(step(1), "terminate instance=i-a why=drain_deadline\n"
                                 "! terminate name=i-a why=drain_deadline nodes=1 age_s=6\n");
    s.policy.drain_deadline_ms = 0;
    assert_string_equal(step(9999), "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(test_the_emptiest_of_the_fullest_zone_goes),
        T(test_equals_go_the_youngest_first_then_by_name),
        T(test_an_instance_goes_whole_or_not_at_all),
        T(test_some_are_never_chosen),
        T(test_a_roll_takes_what_is_old),
        T(test_the_fullest_comes_back_first),
        T(test_the_way_out_of_a_node),
        T(test_an_instance_waits_for_all_its_nodes),
        T(test_nodes_whose_instance_is_gone),
        T(test_an_instance_that_never_boots),
        T(test_an_instance_that_fell_silent),
        T(test_a_drain_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
