/* test_refused.c - a pool that refuses players grows, whatever its other rules say, in virtual
 * time.
 */
#include "tests/support/cmocka.h"
#include "world.h"

#include <string.h>

static const struct average_connections_settings average = {
    .above = 70, .below = 0, .hold_ms = 1000, .step = 1};
static const struct refused_settings as_usual = {.step = 1};

/* Two ready nodes of 100 places with 60 players each: the average is content. */
static void init_with(struct world *w, const struct refused_settings *rule)
{
    world_init(w, 2, 6);
    w->policy.out_cooldown_ms = 0;
    w->policy.max_step = 3;
    w->policy.rules[w->policy.rule_count++] =
        (struct rule){.kind = &rule_average_connections, .settings = &average};
    w->policy.rules[w->policy.rule_count++] =
        (struct rule){.kind = &rule_refused, .settings = rule};
    world_boot_side(w, 0);
    world_lead(w, 0);
    world_run(w, 10000);
    world_load(w, 60);
    world_run(w, 10000);
    assert_int_equal(world_count(w, NODE_READY), 2);
    assert_int_equal(w->launched, 2);
}

/* So many seats are refused each second, as the balancers tell it. */
static void refuse_for(struct world *w, int64_t seats, int64_t ms)
{
    for (; ms > 0; ms -= 1000) {
        world_refuse(w, seats);
        world_run(w, 1000);
    }
}

static void test_refusals_grow_a_pool_whose_average_is_content(void **state)
{
    struct world w;
    init_with(&w, &as_usual);
    world_refuse(&w, 4);
    world_run(&w, 1000);
    assert_int_equal(w.launched, 3);
    assert_int_equal(world_logged(&w, "why=players_refused rule=refused"), 1);
    assert_int_equal(world_logged(&w, "refused=4 refused_ms="), 1);
    world_run(&w, 20000);
    assert_int_equal(w.launched, 3);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    world_fini(&w);
}

static void test_nothing_more_is_launched_while_the_first_boots(void **state)
{
    struct world w;
    init_with(&w, &as_usual);
    w.boot_ms = 20000;
    refuse_for(&w, 4, 20000);
    assert_int_equal(w.launched, 3);
    refuse_for(&w, 4, 1000);
    for (int i = 0; i < 20 && world_count(&w, NODE_READY) < 3; i++)
        refuse_for(&w, 4, 1000);
    assert_int_equal(world_count(&w, NODE_READY), 3);
    assert_int_equal(w.launched, 3);
    world_run(&w, 5000); /* what was refused before it was ready asks for no other */
    assert_int_equal(w.launched, 3);
    refuse_for(&w, 4, 5000); /* but what is refused now does */
    assert_int_equal(w.launched, 4);
    world_fini(&w);
}

static void test_it_grows_by_as_many_nodes_as_hold_those_refused(void **state)
{
    struct world w;
    init_with(&w, &as_usual);
    world_refuse(&w, 101);
    world_run(&w, 1000);
    assert_int_equal(w.launched, 4);
    world_fini(&w);
    init_with(&w, &as_usual);
    world_refuse(&w, INT64_MAX);
    world_run(&w, 60000);
    assert_int_equal(w.launched, 6);                                     /* max */
    assert_int_equal(world_logged(&w, "step=3 why=players_refused"), 1); /* max_step */
    assert_int_equal(world_logged(&w, "scale_limited"), 1);
    world_fini(&w);
}

static void test_both_balancers_refusals_count_and_what_is_older_does_not(void **state)
{
    struct world w;
    init_with(&w, &as_usual);
    int64_t wall = w.now.ms + w.wall_offset;
    const struct scale_refusal both[] = {{{wall - 100}, 80}, {{wall - 1900}, 500}, {{wall}, 80}};
    world_refusals(&w, both, 3);
    world_run(&w, 500);
    assert_int_equal(w.launched, 4);
    assert_int_equal(world_logged(&w, "refused=160 refused_ms=0"), 1);
    world_fini(&w);
}

static void test_refusals_wait_for_the_cooldown_the_hold_and_people(void **state)
{
    struct world w;
    init_with(&w, &as_usual);
    refuse_for(&w, 4, 1000);
    assert_int_equal(w.launched, 3);
    w.policy.out_cooldown_ms = 60000;
    world_run(&w, 10000);
    refuse_for(&w, 4, 30000);
    assert_int_equal(w.launched, 3);
    assert_int_equal(world_logged(&w, "held_by=cooldown_out"), 1);
    refuse_for(&w, 4, 30000);
    assert_int_equal(w.launched, 4);
    world_operator(&w, 0, true, 0);
    refuse_for(&w, 4, 90000);
    assert_int_equal(w.launched, 4);
    world_fini(&w);

    static const struct refused_settings later = {.step = 2, .hold_ms = 8000};
    init_with(&w, &later);
    refuse_for(&w, 4, 7000);
    world_run(&w, 6000); /* it ended: the hold time begins anew */
    refuse_for(&w, 4, 7000);
    assert_int_equal(w.launched, 2);
    refuse_for(&w, 4, 2000);
    assert_int_equal(w.launched, 4);
    world_fini(&w);
}

/* min: 0, and nobody there: the first who asks is refused, and has a node a boot time later. */
static void test_a_pool_grows_from_nothing(void **state)
{
    struct world w;
    world_init(&w, 0, 6);
    w.policy.rules[w.policy.rule_count++] =
        (struct rule){.kind = &rule_refused, .settings = &as_usual};
    world_boot_side(&w, 0);
    world_lead(&w, 0);
    world_run(&w, 20000);
    assert_int_equal(w.launched, 0);
    refuse_for(&w, 1, 10000);
    assert_int_equal(w.launched, 1);
    assert_int_equal(world_count(&w, NODE_READY), 1);
    world_fini(&w);
}

static void test_old_news_and_step_0_move_nothing(void **state)
{
    struct world w;
    static const struct refused_settings off = {.step = 0};
    init_with(&w, &off);
    refuse_for(&w, 4, 30000);
    assert_int_equal(w.launched, 2);
    world_fini(&w);
    init_with(&w, &as_usual);
    const struct scale_refusal old = {{w.now.ms + w.wall_offset - 6000}, 4};
    world_refusals(&w, &old, 1);
    world_run(&w, 10000);
    assert_int_equal(w.launched, 2);
    world_fini(&w);
}

/* ---- which policies have it ---- */

static const struct min_ready_settings two_ready = {.ready = 2};

static size_t rules_of(struct policy *p, const char *kind, const void *settings)
{
    static struct section_kind_item items[2];
    struct pool_settings pool = {.name = "game"};
    items[0] = (struct section_kind_item){.kind = "min_ready", .values = (void *)&two_ready};
    items[1] = (struct section_kind_item){.kind = kind, .values = (void *)settings};
    pool.scale.max = 4;
    pool.scale.rules.items = items;
    pool.scale.rules.count = settings ? 2 : kind ? 1 : 0;
    assert_int_equal(policy_from(p, &pool, NULL), 0);
    return p->rule_count;
}

static void test_every_policy_with_rules_has_it_once(void **state)
{
    struct policy p;
    assert_int_equal(rules_of(&p, NULL, NULL), 0); /* sized by hand */
    assert_int_equal(rules_of(&p, "", NULL), 2);
    assert_ptr_equal(p.rules[1].kind, &rule_refused);
    assert_int_equal(((const struct refused_settings *)p.rules[1].settings)->step, 1);
    static const struct refused_settings own = {.step = 7};
    assert_int_equal(rules_of(&p, "refused", &own), 2);
    assert_ptr_equal(p.rules[1].settings, &own);
    static const struct refused_settings pager = {
        .step = 1, .action = {.kind = ACTION_COMMAND, .every_ms = 1000}};
    assert_int_equal(rules_of(&p, "refused", &pager), 3); /* that one moves nothing */
    assert_ptr_equal(p.rules[2].kind, &rule_refused);
    assert_null(p.rules[2].action);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_grow_a_pool_whose_average_is_content),
        cmocka_unit_test(test_nothing_more_is_launched_while_the_first_boots),
        cmocka_unit_test(test_it_grows_by_as_many_nodes_as_hold_those_refused),
        cmocka_unit_test(test_both_balancers_refusals_count_and_what_is_older_does_not),
        cmocka_unit_test(test_refusals_wait_for_the_cooldown_the_hold_and_people),
        cmocka_unit_test(test_a_pool_grows_from_nothing),
        cmocka_unit_test(test_old_news_and_step_0_move_nothing),
        cmocka_unit_test(test_every_policy_with_rules_has_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
