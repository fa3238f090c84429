/* test_notice.c - what people are told of: nodes lost and back, no room, the ceiling, drains that
 * do not end, launches that stop; each once, and with the figures. */
#include "autoscale/notice.h"
#include "settings/rules.h"
#include "tests/support/cmocka.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

static const struct min_ready_settings nine = {.ready = 9};

static void init_at_floor(struct world *w, int min, int max)
{
    world_init(w, min, max);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), min);
}

static void test_a_lost_node_is_told_once_and_so_is_its_return(void **state)
{
    struct world w;
    init_at_floor(&w, 3, 6);
    w.nodes[1].alive = false;
    world_run(&w, 4000);
    assert_int_equal(world_logged(&w, "node_lost name="), 1);
    assert_int_equal(world_logged(&w, "count=1 ready=2"), 1);
    world_run(&w, 2000);
    assert_int_equal(world_logged(&w, "node_lost name="), 1);
    w.nodes[1].alive = true;
    world_run(&w, 2000);
    assert_int_equal(world_logged(&w, "node_back name="), 1);
    world_fini(&w);
}

static void test_many_lost_at_once_are_one_message(void **state)
{
    struct world w;
    init_at_floor(&w, 6, 9);
    for (size_t i = 0; i < 5; i++)
        w.nodes[i].alive = false;
    world_run(&w, 5000);
    assert_int_equal(world_logged(&w, "node_lost name="), 1);
    assert_int_equal(world_logged(&w, "count=5"), 1);
    world_fini(&w);
}

/* The former leader may have gone with the same machine: the next one tells of what it saw. */
static void test_a_new_leader_tells_of_what_was_lost_just_before(void **state)
{
    struct world w;
    init_at_floor(&w, 3, 6);
    world_boot_side(&w, 1);
    world_run(&w, 1000);
    w.side[0].stopped = true;
    w.nodes[0].alive = false;
    world_run(&w, 5000);
    assert_int_equal(world_logged(&w, "node_lost"), 0);
    world_lead(&w, 1);
    world_run(&w, 500);
    assert_int_equal(world_logged(&w, "node_lost"), 1);
    world_fini(&w);
}

static void test_a_full_pool_is_told_and_so_is_room_again(void **state)
{
    struct world w;
    init_at_floor(&w, 2, 4);
    world_load(&w, 100);
    world_run(&w, 5000);
    assert_int_equal(world_logged(&w, "pool_full name=- est=200 capacity=200"), 1);
    world_load(&w, 97); /* hardly */
    world_run(&w, 3000);
    assert_int_equal(world_logged(&w, "pool_has_room"), 0);
    world_load(&w, 90);
    world_run(&w, 3000);
    assert_int_equal(world_logged(&w, "pool_has_room name=- est=180"), 1);
    assert_int_equal(world_logged(&w, "pool_full"), 1);
    world_fini(&w);
}

static void test_a_pool_at_its_ceiling_says_what_is_wanted(void **state)
{
    struct world w;
    world_init(&w, 1, 3);
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_min_ready, .settings = &nine};
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 60000);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    assert_int_equal(world_logged(&w, "scale_limited name=- size="), 1);
    assert_int_equal(world_logged(&w, "wanted=9 max=3"), 1);
    world_fini(&w);
}

static void test_a_drain_that_does_not_end_is_told_once(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    w.policy.drain_stuck_ms = 30000;
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 10000);
    world_load(&w, 5);
    w.policy.min = 1;
    world_operator(&w, 0, false, 1);
    world_run(&w, 25000);
    assert_int_equal(world_count(&w, NODE_DRAINING), 1);
    assert_int_equal(world_logged(&w, "drain_stuck"), 0);
    world_run(&w, 90000);
    assert_int_equal(world_logged(&w, "drain_stuck"), 1);
    assert_int_equal(world_logged(&w, "nodes=1 conns=5"), 1);
    world_fini(&w);
}

static void test_stopped_launches_and_a_silent_provider_are_told_both_ways(void **state)
{
    struct world w;
    world_init(&w, 1, 4);
    w.policy.launch_failures_max = 2;
    w.policy.halt_retry_ms = 60000;
    w.launch_outcome = SCALE_NOT_DONE;
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 30000);
    assert_int_equal(world_logged(&w, "launches_halted"), 1);
    assert_int_equal(world_logged(&w, "launches_resumed"), 0);
    w.launch_outcome = SCALE_DONE;
    world_run(&w, 90000);
    assert_int_equal(world_logged(&w, "launches_resumed"), 1);
    w.list_fails = true;
    world_run(&w, 90000);
    w.list_fails = false;
    world_run(&w, 90000);
    assert_int_equal(world_logged(&w, "provider_failing"), 1);
    assert_int_equal(world_logged(&w, "provider_answers"), 1);
    world_fini(&w);
}

static struct effect note(enum effect_kind kind, const char *word, const char *name, bool alert,
                          const char *record)
{
    struct effect e = {.kind = kind, .kind_word = word, .alert = alert};
    snprintf(e.name, sizeof e.name, "%s", name);
    snprintf(e.record, sizeof e.record, "%s", record);
    return e;
}

static void test_a_note_becomes_a_notice_with_its_figures(void **state)
{
    struct notice n;
    struct effect e = note(EFFECT_NOTE, "scale_out", "-", false,
                           "size=2 desired=5 step=3 why=average_above rule=average_connections");
    assert_true(notice_of(&e, &n));
    assert_int_equal(n.kind, NOTICE_SCALE_OUT);
    assert_int_equal(n.level, NOTICE_INFO);
    assert_int_equal(n.from, 2);
    assert_int_equal(n.to, 5);
    assert_string_equal(n.why, "average_above");
    assert_string_equal(n.about, "");
    assert_string_equal(n.detail, e.record);

    e = note(EFFECT_NOTE, "launch_failed", "abc-1", true, "count=1 error=no%20more%20machines");
    assert_true(notice_of(&e, &n));
    assert_int_equal(n.kind, NOTICE_LAUNCH_FAILED);
    assert_int_equal(n.level, NOTICE_WARNING);
    assert_string_equal(n.about, "abc-1");
    assert_string_equal(n.why, "no more machines");
    assert_int_equal(n.from, -1);
    assert_int_equal(n.to, -1);
}

static void test_what_is_for_the_record_only_is_no_notice(void **state)
{
    struct notice n;
    struct effect e = note(EFFECT_NOTE, "scale_held", "-", false, "size=2 desired=5");
    assert_false(notice_of(&e, &n));
    e = note(EFFECT_NOTE, "terminate", "i-1", false, "why=drained");
    assert_false(notice_of(&e, &n));
    e = note(EFFECT_NOTE, "terminate", "i-1", true, "why=boot_timeout");
    assert_true(notice_of(&e, &n));
    assert_int_equal(n.kind, NOTICE_INSTANCE_ENDED);
    assert_string_equal(n.why, "boot_timeout");
    e = note(EFFECT_LIST, "scale_out", "-", true, "");
    assert_false(notice_of(&e, &n));
}

static void test_every_kind_has_a_word_of_its_own(void **state)
{
    for (int i = 0; i < NOTICE_KINDS; i++) {
        assert_non_null(notice_word((enum notice_kind)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(notice_word((enum notice_kind)i),
                                    notice_word((enum notice_kind)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_node_is_told_once_and_so_is_its_return),
        cmocka_unit_test(test_many_lost_at_once_are_one_message),
        cmocka_unit_test(test_a_new_leader_tells_of_what_was_lost_just_before),
        cmocka_unit_test(test_a_full_pool_is_told_and_so_is_room_again),
        cmocka_unit_test(test_a_pool_at_its_ceiling_says_what_is_wanted),
        cmocka_unit_test(test_a_drain_that_does_not_end_is_told_once),
        cmocka_unit_test(test_stopped_launches_and_a_silent_provider_are_told_both_ways),
        cmocka_unit_test(test_a_note_becomes_a_notice_with_its_figures),
        cmocka_unit_test(test_what_is_for_the_record_only_is_no_notice),
        cmocka_unit_test(test_every_kind_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
