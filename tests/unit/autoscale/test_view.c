/* test_view.c - the feed becomes snapshots: late and repeated items, wants and who wants, full
 * reads, limits. */
#include "autoscale/view.h"
#include "core/rng.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

static struct view view;
static const wall_ms_t now = {1000000};

static int setup(void **state)
{
    return view_init(&view, 4);
}

static int teardown(void **state)
{
    view_fini(&view);
    return 0;
}

static struct feed_item item_of(enum feed_kind kind, const char *node)
{
    static struct feed_item item;
    memset(&item, 0, sizeof item);
    item.kind = kind;
    snprintf(item.node, sizeof item.node, "%s", node);
    return item;
}

static void join(const char *node, int64_t epoch)
{
    struct feed_item item = item_of(FEED_JOIN, node);
    item.info.epoch = epoch;
    item.info.capacity = 50;
    snprintf(item.info.instance, sizeof item.info.instance, "i-%s", node);
    item.has_state = true;
    item.state =
        (struct node_state_record){.state = NODE_JOINING, .epoch = epoch, .since = {epoch}};
    view_item(&view, &item);
}

static void move(const char *node, int64_t epoch, int64_t since, enum node_state to)
{
    struct feed_item item = item_of(to == NODE_GONE ? FEED_GONE : FEED_STATE, node);
    item.state = (struct node_state_record){.state = to, .epoch = epoch, .since = {since}};
    view_item(&view, &item);
}

static void report(const char *node, int64_t epoch, int64_t seq, int64_t conns)
{
    struct feed_item item = item_of(FEED_REPORT, node);
    item.report.epoch = epoch;
    item.report.seq = seq;
    item.report.conns = conns;
    item.report.at = (wall_ms_t){now.ms - 700};
    view_item(&view, &item);
}

static void want(const char *node, enum want_who who, enum want_kind kind, int64_t until)
{
    struct feed_item item = item_of(FEED_WANT, node);
    snprintf(item.want.node, sizeof item.want.node, "%s", node);
    item.want.who = who;
    item.want.kind = kind;
    item.want.until = (wall_ms_t){until};
    item.want.size = 7;
    view_item(&view, &item);
}

static const struct fleet_node *only(void)
{
    struct fleet_snapshot s = view_snapshot(&view, now);
    assert_int_equal(s.count, 1);
    return &s.nodes[0];
}

static void test_a_node_is_what_its_items_say(void **state)
{
    view_begin(&view);
    view_end(&view);
    join("a", 5);
    report("a", 5, 1, 12);
    move("a", 5, 10, NODE_READY);
    const struct fleet_node *n = only();
    assert_string_equal(n->name, "a");
    assert_string_equal(n->instance, "i-a");
    assert_int_equal(n->state, NODE_READY);
    assert_int_equal(n->conns, 12);
    assert_int_equal(n->est, 12);
    assert_int_equal(n->capacity, 50);
    assert_int_equal(n->report_age_ms, 700);
}

static void test_late_and_repeated_items_change_nothing(void **state)
{
    join("a", 5);
    report("a", 5, 3, 30);
    report("a", 5, 2, 20);
    report("a", 4, 9, 90);
    move("a", 5, 20, NODE_READY);
    move("a", 5, 10, NODE_JOINING);
    join("a", 4);
    assert_int_equal(only()->conns, 30);
    assert_int_equal(only()->state, NODE_READY);
    assert_int_equal(only()->epoch, 5);
    move("a", 4, 99, NODE_GONE); /* the end of a former life */
    assert_int_equal(only()->epoch, 5);
    move("a", 5, 99, NODE_GONE);
    assert_int_equal(view_snapshot(&view, now).count, 0);
    report("a", 5, 4, 1); /* of one that is not known */
    assert_int_equal(view_snapshot(&view, now).count, 0);
}

static void test_who_wants_it_out(void **state)
{
    join("a", 5);
    assert_false(only()->want_own || only()->want_other);
    want("a", WANT_BY_AUTOSCALE, WANT_DRAINING, 0);
    assert_true(only()->want_own && !only()->want_other);
    want("a", WANT_BY_OPERATOR, WANT_HELD, now.ms + 1);
    assert_true(only()->want_other);
    want("a", WANT_BY_OPERATOR, WANT_HELD, now.ms); /* it is over */
    assert_false(only()->want_other);
    want("a", WANT_BY_NODE, WANT_DRAINING, 0);
    assert_true(only()->want_other);
    want("a", WANT_BY_NODE, WANT_NONE, 0);
    want("a", WANT_BY_AUTOSCALE, WANT_NONE, 0);
    assert_false(only()->want_own || only()->want_other);
}

static void roll(enum want_kind kind, int64_t since, const char *version)
{
    struct feed_item item = item_of(FEED_WANT, WANT_POOL_ROLL);
    item.want = (struct want){.who = WANT_BY_OPERATOR, .kind = kind, .since = {since}};
    snprintf(item.want.node, sizeof item.want.node, WANT_POOL_ROLL);
    snprintf(item.want.version, sizeof item.want.version, "%s", version);
    view_item(&view, &item);
}

static void test_who_is_old_while_a_roll_is_wished(void **state)
{
    join("a", 1000);
    assert_false(only()->old);
    roll(WANT_ROLL, 1001, "");
    assert_true(view_operators(&view, now).rolling && only()->old);
    roll(WANT_ROLL, 1000, ""); /* it joined after that */
    assert_false(only()->old);
    roll(WANT_ROLL, 1001, "1.4.2");
    assert_true(only()->old);
    view.rows[0].info = (struct node_info){.epoch = 1000, .version = "1.4.2"};
    assert_false(only()->old);
    roll(WANT_ROLL, 1001, "");
    assert_true(only()->old);
    roll(WANT_NONE, 1002, "");
    assert_false(only()->old || view_operators(&view, now).rolling);
}

static void test_what_operators_want_of_the_pool(void **state)
{
    want(WANT_POOL_PAUSED, WANT_BY_OPERATOR, WANT_PAUSED, 0);
    want(WANT_POOL_SIZE, WANT_BY_OPERATOR, WANT_SIZE, now.ms + 10);
    struct view_operators o = view_operators(&view, now);
    assert_true(o.paused && o.sized && o.size == 7);
    o = view_operators(&view, wall_add(now, 10));
    assert_true(o.paused && !o.sized); /* it ends by itself */
    want(WANT_POOL_PAUSED, WANT_BY_OPERATOR, WANT_NONE, 0);
    assert_false(view_operators(&view, now).paused);
    assert_int_equal(view_snapshot(&view, now).count, 0);
}

static void test_a_full_read_forgets_what_is_not_in_it(void **state)
{
    view_begin(&view);
    move("a", 5, 5, NODE_READY); /* the hashes come in any order */
    report("a", 5, 1, 3);
    join("a", 5);
    join("b", 6);
    assert_false(view_snapshot(&view, now).complete);
    view_end(&view);
    struct fleet_snapshot s = view_snapshot(&view, now);
    assert_true(s.complete && s.count == 2 && s.nodes[0].conns == 3);
    want("b", WANT_BY_OPERATOR, WANT_HELD, 0);
    view_lost(&view);
    assert_false(view_snapshot(&view, now).complete);
    view_begin(&view);
    join("b", 6);
    view_end(&view);
    assert_string_equal(only()->name, "b");
    assert_false(only()->want_other); /* it was taken back meanwhile */
}

static void test_more_nodes_than_there_is_room_for(void **state)
{
    char name[8];
    view_begin(&view);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "n%d", i);
        join(name, 1);
    }
    view_end(&view);
    struct fleet_snapshot s = view_snapshot(&view, now);
    assert_int_equal(s.count, 4);
    assert_false(s.complete); /* so nothing is decided */
}

/* Something happens to one of four nodes. */
static void something(struct rng *rng, int64_t turn)
{
    char node[8];
    snprintf(node, sizeof node, "n%d", (int)rng_below(rng, 4));
    uint64_t kind = rng_below(rng, 20);
    if (kind == 0)
        join(node, 1 + turn / 100);
    else if (kind == 1)
        move(node, 1 + turn / 100, turn, (enum node_state)rng_below(rng, NODE_STATES));
    else if (kind == 2)
        want(node, (enum want_who)rng_below(rng, WANT_WHOS),
             rng_below(rng, 2) ? WANT_DRAINING : WANT_NONE, 0);
    else
        report(node, 1 + turn / 100, turn, (int64_t)rng_below(rng, 50));
}

static void expect_same(const struct fleet *a, const struct fleet *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct fleet_slot *x = &a->nodes[i], *y = &b->nodes[i];
        assert_string_equal(x->node.name, y->node.name);
        assert_string_equal(x->node.instance, y->node.instance);
        assert_int_equal(x->node.epoch, y->node.epoch);
        assert_int_equal(x->node.state, y->node.state);
        assert_int_equal(x->node.conns, y->node.conns);
        assert_int_equal(x->node.want_own, y->node.want_own);
        assert_int_equal(x->node.want_other, y->node.want_other);
        assert_int_equal(x->silent, y->silent);
        assert_int_equal(x->ask, y->ask);
        assert_int_equal(x->ask_again_at.ms, y->ask_again_at.ms);
        assert_int_equal(x->lost_at.ms, y->lost_at.ms);
    }
}

/* Most snapshots bring new numbers only; what is seen is the same as by looking at everything. */
static void test_numbers_alone_are_seen_as_all_is(void **state)
{
    struct fleet quick, whole;
    struct rng rng;
    int quick_ones = 0;
    rng_seed(&rng, 11);
    assert_int_equal(fleet_init(&quick, 4, 1, 60000, 500), 0);
    assert_int_equal(fleet_init(&whole, 4, 1, 60000, 500), 0);
    view_end(&view);
    for (int64_t turn = 1; turn < 5000; turn++) {
        something(&rng, turn);
        struct fleet_snapshot s = view_snapshot(&view, (wall_ms_t){now.ms + turn % 3 * 400});
        quick_ones += s.edition == quick.edition;
        fleet_see(&quick, &s, (mono_ms_t){turn});
        s.edition = 0;
        fleet_see(&whole, &s, (mono_ms_t){turn});
        expect_same(&quick, &whole);
        for (size_t i = 0; i < quick.count; i++)
            if (quick.nodes[i].ask == FLEET_ASK_NONE && rng_below(&rng, 10) == 0) {
                quick.nodes[i].ask = whole.nodes[i].ask =
                    (enum fleet_ask)rng_below(&rng, FLEET_ASK_FORGET + 1);
                quick.nodes[i].ask_again_at = whole.nodes[i].ask_again_at = (mono_ms_t){turn};
            }
    }
    assert_in_range(quick_ones, 2000, 4999);
    fleet_fini(&quick);
    fleet_fini(&whole);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_node_is_what_its_items_say),
        TEST(test_late_and_repeated_items_change_nothing),
        TEST(test_who_wants_it_out),
        TEST(test_who_is_old_while_a_roll_is_wished),
        TEST(test_what_operators_want_of_the_pool),
        TEST(test_a_full_read_forgets_what_is_not_in_it),
        TEST(test_more_nodes_than_there_is_room_for),
        TEST(test_numbers_alone_are_seen_as_all_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
