/* test_pool_pending.c - the estimate: what was handed out and has not come in, reconciled by issuer
 * and second. */
#include "tests/unit/core/pool_world.h"

static int64_t second_of(const struct world *w)
{
    return w->now.wall.ms / 1000;
}

static void test_what_was_handed_out_counts_until_it_is_admitted(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = pool_assign(w.pool, w.now, a, 3);
    assert_int_equal(second, second_of(&w));
    assert_int_equal(world_node(&w, a).pending, 3);
    assert_int_equal(pool_sums(w.pool)->pending[NODE_READY], 3);
    char adm[128];
    world_wait(&w, 1000);
    assert_int_equal(world_report(&w, a, 2, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 2)), 0);
    struct pool_node n = world_node(&w, a);
    assert_int_equal(n.conns, 2);
    assert_int_equal(n.pending, 1);
    assert_int_equal(n.est, 3); /* the same players, only known better */
    world_end(&w);
}

/* A room was claimed in the store just before the second ended, and its answer came after. */
static void test_a_second_agreed_on_before_is_the_one_that_counts(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t before = second_of(&w);
    char adm[128];
    struct pool_told told[4];
    bool resync;
    assert_int_equal(pool_assign(w.pool, w.now, a, 1), before);
    world_wait(&w, 1000);
    assert_int_equal(pool_assign(w.pool, w.now, a, 2), before + 1);
    assert_int_equal(pool_assign_at(w.pool, w.now, a, 4, before), before);
    assert_int_equal(world_node(&w, a).pending, 7);
    assert_int_equal(pool_changes(w.pool, told, 4, &resync), 2);
    for (int i = 0; i < 2; i++) /* the peers are told of both, as they are now */
        assert_int_equal(told[i].count, told[i].second == before ? 5 : 2);
    assert_int_equal(world_report(&w, a, 5, world_adm(adm, "lb-a", WORLD_LB_EPOCH, before, 5)), 0);
    assert_int_equal(world_node(&w, a).pending, 2);
    /* one that is over is not brought back: then it is the present one */
    assert_int_equal(pool_assign_at(w.pool, w.now, a, 1, before - 600), before + 1);
    world_end(&w);
}

/* The herd: without the correction every pick between two reports would go to the node that
 * reported least. This fails when pending is no longer part of what a pick compares, or admitted no
 * longer taken from it. */
static void test_the_correction_is_connected(void **state)
{
    struct world w = world_new();
    uint32_t slots[4];
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        slots[i] = world_ready(&w, name, 1000);
        assert_int_equal(world_report(&w, slots[i], 100 + i, "-"), 0);
    }
    int taken[4] = {0};
    for (int round = 0; round < 5; round++) {
        int64_t second = second_of(&w);
        for (int i = 0; i < 40; i++)
            taken[world_take(&w)]++;
        for (int i = 0; i < 4; i++) /* between reports too the load is level */
            assert_in_range(world_node(&w, slots[i]).est, 111 + 10 * round, 112 + 10 * round);
        world_wait(&w, 1000);
        for (int i = 0; i < 4; i++) {
            char adm[128];
            uint32_t pending = world_node(&w, slots[i]).pending;
            assert_int_equal(world_report(&w, slots[i], 100 + i + taken[i],
                                          world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, pending)),
                             0);
            assert_int_equal(world_node(&w, slots[i]).pending, 0);
        }
    }
    assert_int_equal(taken[0] + taken[1] + taken[2] + taken[3], 200);
    for (int i = 0; i < 4; i++)
        assert_in_range(taken[i], 50 - i, 53 - i); /* level, and not all to the first */
    world_end(&w);
}

static void test_is_never_negative(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = pool_assign(w.pool, w.now, a, 1);
    char adm[128];
    /* more came than we know of: of a peer whose news is late, and in two seconds of ours */
    assert_int_equal(world_report(&w, a, 9, world_adm(adm, "lb-b", 3, second, 5)), 0);
    assert_int_equal(world_report(&w, a, 9, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 4)), 0);
    assert_int_equal(world_node(&w, a).pending, 0);
    pool_assign(w.pool, w.now, a, 2); /* 3 in that second, 4 admitted: nothing owed */
    pool_advance(w.pool, w.now);      /* what was assigned is booked later, many together */
    assert_int_equal(world_node(&w, a).pending, 0);
    pool_assign(w.pool, w.now, a, 2); /* 5 of which 4 */
    pool_advance(w.pool, w.now);
    assert_int_equal(world_node(&w, a).pending, 1);
    world_end(&w);
}

static void test_one_seconds_surplus_pays_for_no_other(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t first = pool_assign(w.pool, w.now, a, 4);
    world_wait(&w, 1000);
    int64_t second = pool_assign(w.pool, w.now, a, 4);
    char adm[128];
    snprintf(adm, sizeof adm, "lb-a/%d/%lld:7.1", WORLD_LB_EPOCH, (long long)first);
    assert_int_equal(second, first + 1);
    assert_int_equal(world_report(&w, a, 8, adm), 0);
    assert_int_equal(world_node(&w, a).pending, 3);
    world_end(&w);
}

static void test_a_late_peer_heals(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = second_of(&w);
    char adm[128];
    assert_int_equal(world_report(&w, a, 5, world_adm(adm, "lb-b", 3, second, 5)), 0);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second, 6), 0); /* told after they came in */
    assert_int_equal(world_node(&w, a).pending, 1);
    world_end(&w);
}

static void test_told_counts_may_be_repeated_lost_and_reordered(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = second_of(&w);
    static const uint32_t told[] = {2, 2, 5, 1, 5, 3};
    static const uint32_t held[] = {2, 2, 5, 5, 5, 5};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(world_told(&w, a, "lb-b", 3, second, told[i]), 0);
        assert_int_equal(world_node(&w, a).pending, held[i]);
    }
    assert_int_equal(world_told(&w, a, "lb-b", 4, second, 1), 0); /* restarted: another issuer */
    assert_int_equal(world_node(&w, a).pending, 6);
    world_end(&w);
}

static void test_lost_repeated_and_reordered_reports_heal(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = pool_assign(w.pool, w.now, a, 10);
    char adm[128];
    struct admitted_run run;
    struct pool_report reports[4];
    struct admitted_run runs[4];
    for (int i = 0; i < 4; i++) { /* what the node says over four seconds */
        world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, (unsigned)(2 * i + 2));
        assert_int_equal(admitted_parse(span_of(adm), &run, 1), 1);
        runs[i] = run;
        reports[i] = (struct pool_report){.epoch = WORLD_NODE_EPOCH,
                                          .seq = i + 1,
                                          .conns = 2 * i + 2,
                                          .admitted = &runs[i],
                                          .admitted_count = 1};
    }
    static const int order[] = {1, 0, 1, 3, 2, 3}; /* the first comes late, the third too */
    static const uint32_t pending[] = {6, 6, 6, 2, 2, 2};
    for (int i = 0; i < 6; i++) {
        (void)pool_report(w.pool, w.now, a, &reports[order[i]]);
        assert_int_equal(world_node(&w, a).pending, pending[i]);
        assert_int_equal(world_node(&w, a).est, 10);
    }
    world_end(&w);
}

static void test_no_shows_are_dropped_whole_when_their_second_is_over(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = pool_assign(w.pool, w.now, a, 10);
    char adm[128];
    world_wait(&w, 1000);
    pool_assign(w.pool, w.now, a, 1);
    world_wait(&w, 1000);
    assert_int_equal(world_report(&w, a, 7, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 7)), 0);
    assert_int_equal(world_node(&w, a).pending, 4);
    /* ticket_ttl 10 s + skew 1 s + one report after the end of the second */
    world_wait(&w, 11000);
    assert_int_equal(world_node(&w, a).pending, 4);
    world_wait(&w, 250);
    assert_int_equal(world_node(&w, a).pending, 1);
    assert_int_equal(pool_stats(w.pool)->expired_seats, 3);
    world_wait(&w, 1000);
    assert_int_equal(world_node(&w, a).pending, 0);
    assert_int_equal(pool_sums(w.pool)->pending[NODE_READY], 0);
    /* what is said of it now comes too late, and harms nobody */
    assert_int_equal(world_report(&w, a, 7, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 9)), 0);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second, 5), BERTH_ESTALE);
    assert_int_equal(world_node(&w, a).est, 7);
    world_end(&w);
}

/* Cumulative totals drift with each no-show, because they cannot tell which tickets came in; this
 * does not. */
/* Tickets of 10 s are told to live 2 s only: no-shows are over after 2 + 1 + 1 s; and what the
 * shorter time has dropped does not come back with the longer. */
static void test_no_shows_count_as_long_as_the_tickets_in_use_live(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    pool_ticket_ttl(w.pool, 2000);
    int64_t first = pool_assign(w.pool, w.now, a, 3);
    world_wait(&w, 4900);
    assert_int_equal(world_node(&w, a).pending, 3);
    world_wait(&w, 1250);
    assert_int_equal(world_node(&w, a).pending, 0);
    pool_ticket_ttl(w.pool, 10000);
    assert_int_equal(world_told(&w, a, "lb-b", 1, first, 5), BERTH_ESTALE);
    assert_int_equal(world_node(&w, a).pending, 0);
    (void)pool_assign(w.pool, w.now, a, 4);
    world_wait(&w, 12000);
    assert_int_equal(world_node(&w, a).pending, 4);
    pool_ticket_ttl(w.pool, 2000); /* shorter again: over at once */
    world_wait(&w, 250);
    assert_int_equal(world_node(&w, a).pending, 0);
    assert_int_equal(pool_sums(w.pool)->pending[NODE_READY], 0);
    world_end(&w);
}

static void test_no_shows_do_not_add_up(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 1 << 20);
    struct admitted book; /* the node's own */
    admitted_init(&book, 12000);
    int64_t conns = 0;
    uint32_t worst = 0;
    for (int s = 0; s < 900; s++) {
        for (int i = 0; i < 100; i++) {
            int64_t second = pool_assign(w.pool, w.now, a, 1);
            if (i == 7) /* 1 % never come */
                continue;
            conns++;
            assert_int_equal(
                admitted_count(&book, w.now.wall, SPAN("lb-a"), WORLD_LB_EPOCH, second), 0);
        }
        world_wait(&w, 1000);
        char adm[1024];
        assert_true(admitted_render(&book, w.now.wall, adm, sizeof adm) > 0);
        assert_int_equal(world_report(&w, a, conns, adm), 0);
        uint32_t pending = world_node(&w, a).pending;
        worst = pending > worst ? pending : worst;
    }
    assert_in_range(worst, 12, 14); /* one for each second that is alive */
    world_end(&w);
}

static void test_survives_a_restarted_balancer(void **state)
{
    struct world w =
        world_new(); /* lb-a of epoch 7 died; this is its peer's view, and then its own anew */
    uint32_t a = world_ready(&w, "a", 100);
    pool_assign(w.pool, w.now, a, 5);
    pool_self(w.pool, SPAN("lb-a"), WORLD_LB_EPOCH + 1);
    assert_int_equal(world_node(&w, a).pending, 5); /* its tickets are still out there */
    int64_t second = pool_assign(w.pool, w.now, a, 2);
    assert_int_equal(world_node(&w, a).pending, 7);
    char adm[128];
    snprintf(adm, sizeof adm, "lb-a/7/%lld:5,lb-a/8/%lld:1", (long long)second, (long long)second);
    assert_int_equal(world_report(&w, a, 6, adm), 0);
    assert_int_equal(world_node(&w, a).pending, 1);
    world_end(&w);
}

/* It becomes one whose counts were told before: those are its own, beside the ones of its former
 * name. */
static void test_takes_a_name_whose_counts_are_known(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = pool_assign(w.pool, w.now, a, 5);
    assert_int_equal(world_told(&w, a, "lb-a", WORLD_LB_EPOCH + 1, second, 3), 0);
    pool_self(w.pool, SPAN("lb-a"), WORLD_LB_EPOCH + 1);
    for (int i = 0; i < 2; i++) {
        pool_assign(w.pool, w.now, a, 1);
        pool_advance(w.pool, w.now); /* booked one by one */
    }
    assert_int_equal(world_node(&w, a).pending, 10);
    char adm[128];
    snprintf(adm, sizeof adm, "lb-a/7/%lld:5,lb-a/8/%lld:5", (long long)second, (long long)second);
    assert_int_equal(world_report(&w, a, 10, adm), 0);
    assert_int_equal(world_node(&w, a).pending, 0);
    world_end(&w);
}

/* Fewer than were told before did not come: they are not owed again. */
static void test_who_came_does_not_count_again(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = pool_assign(w.pool, w.now, a, 5);
    char adm[128];
    assert_int_equal(world_report(&w, a, 4, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 4)), 0);
    assert_int_equal(world_report(&w, a, 4, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 2)), 0);
    assert_int_equal(world_node(&w, a).pending, 1);
    assert_int_equal(pool_sums(w.pool)->pending[NODE_READY], 1);
    world_end(&w);
}

/* A clock that is set back far: what was counted then means nothing now, what is counted from now
 * on does. */
static void test_a_clock_that_is_set_back_begins_anew(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    (void)pool_assign(w.pool, w.now, a, 5);
    w.now.wall.ms -= 3600000;
    world_wait(&w, 1000);
    int64_t second = second_of(&w);
    assert_int_equal(pool_assign(w.pool, w.now, a, 2), second);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second, 1), 0);
    char adm[128];
    assert_int_equal(world_report(&w, a, 2, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 2)), 0);
    assert_int_equal(world_node(&w, a).pending, 1);
    world_end(&w);
}

static void test_the_survivor_keeps_the_dead_peers_pending(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = second_of(&w);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second, 40), 0);
    world_wait(&w, 3000); /* nothing more is heard of lb-b */
    assert_int_equal(world_node(&w, a).pending, 40);
    char adm[128];
    assert_int_equal(world_report(&w, a, 39, world_adm(adm, "lb-b", 3, second, 39)), 0);
    assert_int_equal(world_node(&w, a).pending, 1);
    world_end(&w);
}

static void test_a_restarted_node_owes_nothing(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    int64_t second = pool_assign(w.pool, w.now, a, 5);
    world_join_as(&w, (struct pool_info){.name = SPAN("a"), .epoch = WORLD_NODE_EPOCH + 1});
    assert_int_equal(world_node(&w, a).pending, 0);
    struct pool_told told = {.node = SPAN("a"),
                             .node_epoch =
                                 WORLD_NODE_EPOCH, /* tickets for the process that is gone */
                             .issuer = SPAN("lb-b"),
                             .issuer_epoch = 3,
                             .second = second,
                             .count = 9};
    assert_int_equal(pool_told(w.pool, w.now, &told), BERTH_ESTALE);
    assert_int_equal(world_node(&w, a).pending, 0);
    told.node = SPAN("nobody");
    assert_int_equal(pool_told(w.pool, w.now, &told), BERTH_ENOENT);
    world_end(&w);
}

static void test_a_new_peer_learns_all_by_a_snapshot_and_then_by_changes(void **state)
{
    struct world w = world_new(), peer = world_new();
    pool_self(peer.pool, SPAN("lb-b"), 3);
    char name[8];
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "n%d", i);
        world_ready(&w, name, 100);
        world_ready(&peer, name, 100);
    }
    for (int i = 0; i < 55; i++)
        world_take(&w);
    assert_int_equal(world_told(&w, 3, "lb-c", 1, second_of(&w), 4), 0); /* of one that is dead */
    uint64_t cursor = 0;
    struct pool_told list[4];
    size_t n, total = 0;
    while ((n = pool_snapshot(w.pool, &cursor, list, 4)) > 0)
        for (size_t i = 0; i < n; i++, total++)
            assert_int_equal(pool_told(peer.pool, peer.now, &list[i]), 0);
    assert_int_equal(total, 11);
    bool resync;
    while ((n = pool_changes(w.pool, list, 4, &resync)) > 0) /* told twice: no matter */
        for (size_t i = 0; i < n; i++)
            assert_int_equal(pool_told(peer.pool, peer.now, &list[i]), 0);
    assert_false(resync);
    for (int i = 0; i < 20; i++)
        world_take(&w);
    total = 0;
    while ((n = pool_changes(w.pool, list, 4, &resync)) > 0)
        for (size_t i = 0; i < n; i++, total++)
            assert_int_equal(pool_told(peer.pool, peer.now, &list[i]), 0);
    assert_in_range(total, 1, 10); /* one for each node, however many picks */
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(world_node(&peer, i).est, world_node(&w, i).est);
    world_end(&w);
    world_end(&peer);
}

static void test_what_is_said_of_ourselves_is_ignored(void **state)
{
    struct world w = world_new();
    uint32_t a = world_ready(&w, "a", 100);
    pool_assign(w.pool, w.now, a, 2);
    assert_int_equal(world_told(&w, a, "lb-a", WORLD_LB_EPOCH, second_of(&w), 50), 0);
    assert_int_equal(world_node(&w, a).pending, 2);
    world_end(&w);
}

static void test_asks_for_a_snapshot_when_changes_were_too_many(void **state)
{
    struct pool_config config = world_config();
    config.nodes_max = 2; /* remembers 4 changes */
    struct world w = world_of(config);
    uint32_t a = world_ready(&w, "a", 100);
    for (int i = 0; i < 4; i++) {
        pool_assign(w.pool, w.now, a, 1);
        pool_assign(w.pool, w.now, a, 1);
        world_wait(&w, 1000);
    }
    struct pool_told list[8];
    bool resync;
    pool_assign(w.pool, w.now, a, 1);
    assert_int_equal(pool_changes(w.pool, list, 8, &resync), 4);
    assert_true(resync);
    assert_int_equal(list[0].count, 2);
    pool_assign(w.pool, w.now, a, 1);
    assert_int_equal(pool_changes(w.pool, list, 8, &resync), 1); /* of the same second */
    assert_int_equal(list[0].count, 2);
    assert_false(resync);
    world_end(&w);
}

static void test_bounds_the_issuers(void **state)
{
    struct pool_config config = world_config();
    config.issuers_max = 2;
    struct world w = world_of(config);
    uint32_t a = world_ready(&w, "a", 100);
    pool_assign(w.pool, w.now, a, 1);
    assert_int_equal(world_told(&w, a, "lb-b", 1, second_of(&w), 1), 0);
    assert_int_equal(world_told(&w, a, "lb-b", 2, second_of(&w), 1), BERTH_EFULL);
    char adm[128];
    assert_int_equal(world_report(&w, a, 3, world_adm(adm, "lb-b", 2, second_of(&w), 1)), 0);
    assert_int_equal(pool_stats(w.pool)->refused[POOL_NO_ISSUER], 2);
    pool_self(w.pool, SPAN("lb-a"), 99); /* our own new epoch always has a place */
    pool_assign(w.pool, w.now, a, 1);
    assert_int_equal(world_node(&w, a).pending, 3);
    world_wait(&w, 14000); /* the old ones are over: their places are free */
    assert_int_equal(world_told(&w, a, "lb-b", 2, second_of(&w), 1), 0);
    world_end(&w);
}

static void test_survives_clocks_that_jump(void **state)
{
    static const int64_t jumps_ms[] = {-1500, -9000, -60000, -86400000, 3000, 60000, 86400000};
    for (size_t i = 0; i < sizeof jumps_ms / sizeof *jumps_ms; i++) {
        struct world w = world_new();
        uint32_t a = world_ready(&w, "a", 100);
        pool_assign(w.pool, w.now, a, 5);
        w.now.wall.ms += jumps_ms[i];
        w.now.mono.ms += 10;
        int64_t second = pool_assign(w.pool, w.now, a, 2);
        assert_int_equal(second, second_of(&w));
        assert_in_range(world_node(&w, a).pending, 2, 7);
        char adm[128];
        assert_int_equal(world_report(&w, a, 2, world_adm(adm, "lb-a", WORLD_LB_EPOCH, second, 2)),
                         0);
        assert_in_range(world_node(&w, a).pending, 0, 5);
        world_wait(&w,
                   40000); /* whatever it was, it is over within a ticket's life of its second */
        assert_int_equal(world_node(&w, a).pending, 0);
        world_end(&w);
    }
}

static void test_a_pause_of_any_length_is_caught_up_with(void **state)
{
    for (int64_t pause = 500; pause < 100000; pause = pause * 3 / 2) {
        struct world w = world_new();
        uint32_t a = world_ready(&w, "a", 100);
        for (int i = 0; i < 8; i++) {
            pool_assign(w.pool, w.now, a, 1);
            world_wait(&w, 1000);
        }
        w.now.mono.ms += pause; /* stopped: nothing was advanced */
        w.now.wall.ms += pause;
        pool_assign(w.pool, w.now, a, 1);
        while (pool_deadline(w.pool, w.now).ms <= w.now.mono.ms)
            pool_advance(w.pool, w.now);
        uint32_t alive = 1;
        for (int64_t age = 8000; age > 0; age -= 1000) /* started at a whole second */
            alive += age - 1000 + pause <= 12000;
        assert_int_equal(world_node(&w, a).pending, alive);
        world_end(&w);
    }
}

/* Nodes that redeem no tickets: pending until the report that could have seen the socket. */
static void test_settles_with_the_report_that_could_have_seen_it(void **state)
{
    struct world w = world_new(); /* interval 1 s, settle 1.5 s: seen 500 ms after the pick */
    uint32_t a = world_join_as(&w, (struct pool_info){.name = SPAN("a"), .settles = true});
    pool_state(w.pool, w.now, a, NODE_READY, 0);
    pool_assign(w.pool, w.now, a, 3);
    world_wait(&w, 400);
    pool_assign(w.pool, w.now, a, 2);
    assert_int_equal(world_report(&w, a, 0, "-"), 0); /* too early to see any */
    assert_int_equal(world_node(&w, a).est, 5);
    world_wait(&w, 300);
    assert_int_equal(world_report(&w, a, 3, "-"), 0); /* the first three are 700 ms old */
    assert_int_equal(world_node(&w, a).pending, 2);
    assert_int_equal(world_node(&w, a).est, 5);
    world_wait(&w, 1000);
    assert_int_equal(world_report(&w, a, 4, "-"), 0); /* one of the two never came */
    assert_int_equal(world_node(&w, a).pending, 0);
    assert_int_equal(pool_sums(w.pool)->pending[NODE_READY], 0);
    world_end(&w);
}

static void test_settling_counts_the_peers_too_and_outlives_silence(void **state)
{
    struct world w = world_new();
    uint32_t a = world_join_as(&w, (struct pool_info){.name = SPAN("a"), .settles = true});
    pool_state(w.pool, w.now, a, NODE_READY, 0);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second_of(&w), 4), 0);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second_of(&w), 4), 0);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second_of(&w), 6), 0);
    assert_int_equal(world_told(&w, a, "lb-b", 3, second_of(&w) - 5, 9), 0); /* settled long ago */
    assert_int_equal(world_node(&w, a).pending, 6);
    for (int i = 0; i < 40; i++) { /* no report: it stays, and is never lost or doubled */
        pool_assign(w.pool, w.now, a, 1);
        world_wait(&w, 500);
    }
    assert_int_equal(world_node(&w, a).pending, 46);
    assert_int_equal(world_report(&w, a, 0, "-"), 0);
    assert_in_range(world_node(&w, a).pending, 0, 2);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second_agreed_on_before_is_the_one_that_counts),
        cmocka_unit_test(test_what_was_handed_out_counts_until_it_is_admitted),
        cmocka_unit_test(test_the_correction_is_connected),
        cmocka_unit_test(test_is_never_negative),
        cmocka_unit_test(test_one_seconds_surplus_pays_for_no_other),
        cmocka_unit_test(test_a_late_peer_heals),
        cmocka_unit_test(test_told_counts_may_be_repeated_lost_and_reordered),
        cmocka_unit_test(test_lost_repeated_and_reordered_reports_heal),
        cmocka_unit_test(test_no_shows_are_dropped_whole_when_their_second_is_over),
        cmocka_unit_test(test_no_shows_count_as_long_as_the_tickets_in_use_live),
        cmocka_unit_test(test_no_shows_do_not_add_up),
        cmocka_unit_test(test_survives_a_restarted_balancer),
        cmocka_unit_test(test_takes_a_name_whose_counts_are_known),
        cmocka_unit_test(test_who_came_does_not_count_again),
        cmocka_unit_test(test_a_clock_that_is_set_back_begins_anew),
        cmocka_unit_test(test_the_survivor_keeps_the_dead_peers_pending),
        cmocka_unit_test(test_a_restarted_node_owes_nothing),
        cmocka_unit_test(test_a_new_peer_learns_all_by_a_snapshot_and_then_by_changes),
        cmocka_unit_test(test_what_is_said_of_ourselves_is_ignored),
        cmocka_unit_test(test_asks_for_a_snapshot_when_changes_were_too_many),
        cmocka_unit_test(test_bounds_the_issuers),
        cmocka_unit_test(test_survives_clocks_that_jump),
        cmocka_unit_test(test_a_pause_of_any_length_is_caught_up_with),
        cmocka_unit_test(test_settles_with_the_report_that_could_have_seen_it),
        cmocka_unit_test(test_settling_counts_the_peers_too_and_outlives_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
