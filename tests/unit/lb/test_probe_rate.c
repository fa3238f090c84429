/* test_probe_rate.c - more probes are due than `probe_rate` allows: who gets them, in virtual time.
 *
 * One LB owns three pools of forty nodes; whatever it asks is answered at once. */
#include "lb/lb.h"
#include "tests/support/cmocka.h"
#include "tests/support/usual_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOLS = 3, PER_POOL = 40, RATE = 20, START_MS = 1000, WALL_S = 1763726400 };

static struct bed {
    struct lb *lb;
    struct lb_effects fx;
    int64_t ms;
    bool fails[POOLS][PER_POOL];
    unsigned probes[POOLS][PER_POOL], in_all;
    unsigned in_ms[100000];
    struct pool_settings pools[POOLS];
    struct lb_settings settings;
} b;

static void step(struct lb_event ev);

static void answer(const struct lb_effect *fx)
{
    static const struct resp none = {.type = RESP_LIST};
    struct store_answer a = {
        .word = ANSWER_OK, .now = {WALL_S * 1000LL + b.ms}, .list = &none, .list2 = &none};
    struct lb_event ev = {.pool = fx->pool, .answer = &a};
    char node[KEYS_NAME_MAX + 1];
    if (fx->kind == LB_DO_ENROLL) {
        ev.kind = LB_ENROLL_REPLY;
        a.epoch = 7;
    } else if (fx->kind == LB_DO_LEASE) {
        ev.kind = LB_LEASE_REPLY;
        ev.lease_request = fx->lease_request;
        a.token = 9;
    } else if (fx->kind == LB_DO_SWEEP) {
        ev.kind = LB_SWEEP_REPLY;
    } else if (fx->kind == LB_DO_PROBE) {
        (void)snprintf(node, sizeof node, "%s", fx->move.node);
        int i = atoi(node + 2);
        b.probes[fx->pool][i]++;
        b.in_all++;
        b.in_ms[b.ms]++;
        ev = (struct lb_event){.kind = LB_PROBE_REPLY,
                               .pool = fx->pool,
                               .node = span_of(node),
                               .node_epoch = fx->move.epoch,
                               .ok = !b.fails[fx->pool][i],
                               .why = "said"};
    } else {
        return;
    }
    step(ev);
}

static void step(struct lb_event ev)
{
    static struct lb_effect queue[1024];
    static size_t first, end;
    static bool answering;
    ev.now = (mono_ms_t){START_MS + b.ms};
    lb_step(b.lb, &ev, &b.fx);
    for (size_t i = 0; i < b.fx.count; i++) {
        assert_in_range(end - first, 0, 1023);
        queue[end++ % 1024] = b.fx.items[i];
    }
    if (answering)
        return;
    answering = true;
    while (first < end) {
        struct lb_effect fx = queue[first++ % 1024];
        answer(&fx);
    }
    answering = false;
}

static void item(size_t pool, int i, struct feed_item *item)
{
    (void)snprintf(item->node, sizeof item->node, "n-%d", i);
    step((struct lb_event){.kind = LB_FOLLOW_ITEM, .pool = pool, .item = item});
}

static void report_all(void)
{
    static struct feed_item it;
    for (size_t p = 0; p < POOLS; p++)
        for (int i = 0; i < PER_POOL; i++) {
            it = (struct feed_item){.kind = FEED_REPORT};
            it.report.epoch = 1 + i;
            it.report.seq = b.ms / 1000 + 1;
            it.report.capacity = 100;
            it.report.at.ms = WALL_S * 1000LL + b.ms;
            item(p, i, &it);
        }
}

static void join_all(enum node_state state)
{
    static struct feed_item it;
    for (size_t p = 0; p < POOLS; p++) {
        step((struct lb_event){.kind = LB_STORE_UP, .pool = p});
        step((struct lb_event){.kind = LB_FOLLOW_BEGIN, .pool = p});
        for (int i = 0; i < PER_POOL; i++) {
            it = (struct feed_item){.kind = FEED_JOIN, .has_state = true};
            it.info.epoch = 1 + i;
            it.info.capacity = 100;
            it.info.report_interval_ms = 1000;
            it.state.state = state;
            it.state.epoch = 1 + i;
            item(p, i, &it);
        }
        step((struct lb_event){.kind = LB_FOLLOW_END, .pool = p});
    }
}

static void run(int64_t until_ms)
{
    for (; b.ms < until_ms; b.ms += 20) {
        if (b.ms % 1000 == 0)
            report_all();
        for (int n = 0; lb_deadline(b.lb).ms <= START_MS + b.ms; n++) {
            assert_in_range(n, 0, 99); /* a deadline that does not move on would spin the loop */
            step((struct lb_event){.kind = LB_TICK});
        }
    }
}

static int start(void **state)
{
    static struct lb_peer_settings me = {.name = "lb-a"};
    static struct ticket_settings tickets = {.skew_ms = 1000};
    static const char *const names[POOLS] = {"p0", "p1", "p2"};
    struct lb_pool_config pools[POOLS];
    struct err err = {0};
    b = (struct bed){.ms = 0};
    b.settings = (struct lb_settings){.name = "lb-a",
                                      .lease_ms = 1000,
                                      .lease_renew_ms = 250,
                                      .peer_ping_ms = 250,
                                      .peer_dead_after = 3,
                                      .probe_rate = RATE};
    b.settings.peers = (struct section_items){.items = (void *)&me, .count = 1};
    for (size_t i = 0; i < POOLS; i++) {
        b.pools[i] = usual_pool(names[i]);
        b.pools[i].probe.hold = false;
        b.pools[i].probe.ready_interval_ms = 2000;
        pools[i] = (struct lb_pool_config){.settings = &b.pools[i]};
    }
    const struct lb_config config = {.name = "lb-a",
                                     .lb = &b.settings,
                                     .tickets = &tickets,
                                     .pools = pools,
                                     .pool_count = POOLS,
                                     .nodes_max = PER_POOL,
                                     .rooms_max = 16,
                                     .players_max = 16,
                                     .seed = 5};
    b.lb = lb_create(&config, (mono_ms_t){START_MS}, &err);
    return b.lb == NULL ? -1 : 0;
}

static int end(void **state)
{
    lb_destroy(b.lb);
    return 0;
}

/* 120 nodes want 60 probes a second and more; there are 20. */
static void test_each_node_of_each_pool_has_its_turn(void **state)
{
    join_all(NODE_READY);
    run(60000);
    for (size_t p = 0; p < POOLS; p++)
        for (int i = 0; i < PER_POOL; i++)
            assert_in_range(b.probes[p][i], 60 * RATE / (POOLS * PER_POOL) - 2,
                            60 * RATE / (POOLS * PER_POOL) + 2);
}

static void test_all_that_is_allowed_is_used_and_no_more(void **state)
{
    join_all(NODE_READY);
    run(60000);
    assert_in_range(b.in_all, 58 * RATE, 60 * RATE + RATE / 4);
    unsigned in_second = 0, most = 0;
    for (int ms = 0; ms < 60000; ms++) {
        in_second += b.in_ms[ms] - (ms >= 1000 ? b.in_ms[ms - 1000] : 0);
        most = in_second > most ? in_second : most;
    }
    assert_in_range(most, RATE, RATE + RATE / 4); /* in any second, wherever it begins */
}

/* Forty nodes that will never work want 40 probes a second: those that work keep their part. */
static void test_broken_nodes_do_not_take_all_the_probes(void **state)
{
    for (int i = 0; i < PER_POOL; i++)
        b.fails[0][i] = true;
    join_all(NODE_READY);
    run(60000);
    unsigned broken = 0, others = 0;
    for (int i = 0; i < PER_POOL; i++) {
        broken += b.probes[0][i];
        assert_in_range(b.probes[1][i], 2, 8);
        assert_in_range(b.probes[2][i], 2, 8);
        others += b.probes[1][i] + b.probes[2][i];
    }
    assert_in_range(others, 60 * RATE / 5, 60 * RATE * 2 / 5);
    assert_in_range(broken, 60 * RATE * 3 / 5, 60 * RATE * 4 / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_node_of_each_pool_has_its_turn, start, end),
        cmocka_unit_test_setup_teardown(test_all_that_is_allowed_is_used_and_no_more, start, end),
        cmocka_unit_test_setup_teardown(test_broken_nodes_do_not_take_all_the_probes, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
