/* test_webhook.c - the rule that asks a service, and rules whose votes do something else than
 * scale, in virtual time. */
#include "tests/support/cmocka.h"
#include "world.h"

#include <string.h>

static void init_with(struct world *w, const struct rule *rule)
{
    world_init(w, 2, 10);
    w->policy.out_cooldown_ms = 5000;
    w->policy.in_cooldown_ms = 10000;
    w->policy.max_step = 10;
    w->policy.rules[w->policy.rule_count++] = *rule;
    world_boot_side(w, 0);
    world_lead(w, 0);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), 2);
}

/* ---- webhook ---- */

static const struct webhook_settings hook = {
    .interval_ms = 10000, .max_age_ms = 60000, .min = 2, .max = 6};
static const struct rule hook_rule = {.kind = &rule_webhook, .settings = &hook};

/* Answers as often as it is asked. */
static void advise_for(struct world *w, int desired, int64_t ms)
{
    for (; ms > 0; ms -= 10000) {
        world_advise(w, 0, desired, "big match tonight", NULL);
        world_run(w, 10000);
    }
}

static void test_the_service_says_how_many(void **state)
{
    struct world w;
    init_with(&w, &hook_rule);
    advise_for(&w, 5, 20000);
    assert_int_equal(world_count(&w, NODE_READY), 5);
    assert_int_equal(world_logged(&w, "why=webhook rule=webhook"), 1);
    assert_int_equal(world_logged(&w, "asked=5 age_ms=0 said=big%20match%20tonight"), 1);
    advise_for(&w, 3, 120000);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    assert_int_equal(w.killed_players, 0);
    world_fini(&w);
}

static void test_its_answer_is_kept_within_bounds(void **state)
{
    struct world w;
    init_with(&w, &hook_rule);
    advise_for(&w, 1000000, 30000);
    assert_int_equal(world_count(&w, NODE_READY), 6);
    advise_for(&w, -7, 300000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

static void test_an_old_answer_counts_for_nothing(void **state)
{
    struct world w;
    init_with(&w, &hook_rule);
    advise_for(&w, 4, 20000);
    assert_int_equal(world_count(&w, NODE_READY), 4);
    world_advise(&w, 0, 5, "x", NULL);
    world_advise(&w, 0, 0, NULL, "HTTP 500");
    world_run(&w, 5000);
    assert_int_equal(world_count(&w, NODE_READY),
                     5); /* one failure does not take back what was said */
    world_run(&w, 60000);
    world_kill_node(&w, 0);
    world_run(&w, 600000);
    assert_true(world_count(&w, NODE_READY) < 5); /* but nobody says five any more */
    world_fini(&w);
}

static void test_a_failing_service_is_told_once_and_is_in_nobodys_way(void **state)
{
    static const struct average_connections_settings average = {
        .above = 70, .below = 20, .hold_ms = 1000, .step = 1};
    struct world w;
    init_with(&w, &hook_rule);
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_average_connections, .settings = &average};
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    for (int i = 0; i < 10; i++) {
        world_advise(&w, 0, 0, NULL, "timeout after 2 s");
        world_run(&w, 1000);
    }
    assert_int_equal(world_logged(&w, "webhook_failing name=- rule=webhook error=timeout%20after"),
                     1);
    world_load(&w, 90);
    world_run(&w, 10000);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    world_load(&w, 0);
    world_run(&w, 60000);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_advise(&w, 0, 2, "back", NULL);
    world_advise(&w, 0, 2, "back", NULL);
    assert_int_equal(world_logged(&w, "webhook_answers"), 1);
    world_fini(&w);
}

/* ---- actions ---- */

static const struct average_connections_settings acting = {
    .above = 70,
    .below = 20,
    .hold_ms = 1000,
    .step = 1,
    .action = {.kind = ACTION_COMMAND, .timeout_ms = 10000, .every_ms = 60000}};
static const struct rule acting_rule = {
    .kind = &rule_average_connections, .settings = &acting, .action = &acting.action};

static void test_an_action_is_fired_and_the_pool_stays(void **state)
{
    struct world w;
    init_with(&w, &acting_rule);
    world_load(&w, 50);
    world_run(&w, 3000);
    int before = w.acts; /* it was empty until now */
    world_run(&w, 120000);
    assert_int_equal(w.acts, before);
    world_load(&w, 90);
    world_run(&w, 3000);
    assert_int_equal(w.acts, before + 1);
    assert_int_equal(
        world_logged(&w, "act rule=average_connections move=out size=2 at_least=3 at_most=- "
                         "reason=average_above average=90.0 ready=2"),
        1);
    world_acted(&w, 0, NULL);
    assert_int_equal(world_logged(&w, "action_done name=- rule=average_connections action=command"),
                     1);
    world_run(&w, 300000);
    assert_int_equal(w.launched, 2);
    assert_int_equal(world_count(&w, NODE_READY), 2);
    world_fini(&w);
}

static void test_actions_come_at_most_once_in_their_time(void **state)
{
    struct world w;
    init_with(&w, &acting_rule);
    world_load(&w, 90);
    world_run(&w, 130000); /* the first when it was still empty, or now */
    int acts = w.acts;
    for (int i = 0; i < 10; i++) {
        world_acted(&w, 0, i ? NULL : "exit code 3");
        world_run(&w, 60000);
    }
    assert_in_range(w.acts - acts, 9, 11);
    assert_int_equal(world_logged(&w, "action_failed name=- rule=average_connections "
                                      "action=command"),
                     1);
    assert_true(world_logged(&w, "error=exit%20code%203") == 1);
    world_acted(&w, 7, NULL); /* of no rule: ignored */
    world_fini(&w);
}

static void test_nothing_is_fired_while_paused_or_following(void **state)
{
    struct world w;
    init_with(&w, &acting_rule);
    world_load(&w, 50);
    world_run(&w, 70000);
    int acts = w.acts;
    world_operator(&w, 0, true, 0);
    world_load(&w, 90);
    world_run(&w, 100000);
    assert_int_equal(w.acts, acts);
    world_depose(&w, 0);
    world_operator(&w, 0, false, 0);
    world_run(&w, 100000);
    assert_int_equal(w.acts, acts);
    world_lead(&w, 0);
    world_run(&w, 10000);
    assert_int_equal(w.acts, acts + 1);
    world_fini(&w);
}

static void test_every_kind_of_rule_has_an_action(void **state)
{
    for (size_t i = 0; rule_kinds[i]; i++) {
        static const char zeros[1024];
        const struct rule_action *action = scale_rule_action(rule_kinds[i]->name, zeros);
        assert_non_null(action);
        assert_int_equal(action->kind, ACTION_SCALE);
    }
    assert_null(scale_rule_action("no_such_rule", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_service_says_how_many),
        cmocka_unit_test(test_its_answer_is_kept_within_bounds),
        cmocka_unit_test(test_an_old_answer_counts_for_nothing),
        cmocka_unit_test(test_a_failing_service_is_told_once_and_is_in_nobodys_way),
        cmocka_unit_test(test_an_action_is_fired_and_the_pool_stays),
        cmocka_unit_test(test_actions_come_at_most_once_in_their_time),
        cmocka_unit_test(test_nothing_is_fired_while_paused_or_following),
        cmocka_unit_test(test_every_kind_of_rule_has_an_action),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
