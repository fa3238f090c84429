/* test_lb.c - what a pool's owner does, as traces in virtual time: proving, draining, losing,
 * guarding, holding, fencing. */
#include "tests/support/cmocka.h"
#include "tests/unit/lb/world.h"

#include <stdio.h>
#include <string.h>

static struct world w;

static int start(void **state)
{
    world_init(&w, 1);
    world_run(&w, 100);
    return 0;
}

static int start_two(void **state)
{
    world_init(&w, 2);
    world_run(&w, 100);
    return 0;
}

static int end(void **state)
{
    world_fini(&w);
    return 0;
}

static void expect(const char *trace)
{
    assert_string_equal(w.trace, trace);
    world_clear_trace(&w);
}

static void expect_state(const char *node, enum node_state state)
{
    assert_non_null(world_find(&w, node));
    assert_string_equal(state_word(world_find(&w, node)->state), state_word(state));
}

/* So many nodes, all ready; the clock stands at 8,000, past the hold of the first read. */
static void nodes(const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        world_node(&w, names[i]);
    world_run(&w, 8000);
    for (int i = 0; i < count; i++)
        expect_state(names[i], NODE_READY);
    world_clear_trace(&w);
}

static const char *const six[] = {"n-1", "n-2", "n-3", "n-4", "n-5", "n-6"};

static void test_hands_out_only_what_was_proved(void **state)
{
    world_node(&w, "n-1")->reachable = false;
    world_run(&w, 3000);
    assert_string_equal(world_place(&w, 0, "p"), "(no_node)");
    world_find(&w, "n-1")->reachable = true;
    world_run(&w, 6000);
    expect("[    1] lb-a > store pool=game why=connected up=1 seen_by=lb-a\n"
           "[    1] lb-a > view pool=game why=complete live=1 nodes=0 absent=0\n"
           "[    2] lb-a > enroll pool=game node=lb-a why=enrolled epoch=1700000000001\n"
           "[    3] lb-a > owner pool=game node=lb-a why=granted owner=lb-a token=1 rank=0\n"
           "[  101] lb-a > node pool=game node=n-1 why=joined epoch=1700000000100 "
           "endpoint=ws://n-1/ws "
           "capacity=100\n"
           "[  108] lb-a > probe_failed pool=game node=n-1 why=refused state=joining\n"
           "[ 4000] lb-a > no_capacity pool=game why=refused players=1 seats=1\n"
           "[ 4132] lb-a > state pool=game node=n-1 why=proved from=joining to=ready\n");
    assert_string_equal(world_place(&w, 0, "p"), "n-1");
}

static void test_drains_by_a_closing_handshake(void **state)
{
    nodes(six, 1);
    struct world_node *node = world_find(&w, "n-1");
    node->conns = 2;
    node->rooms = 1;
    world_run(&w, 10000);
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_DRAINING, 0);
    world_run(&w, 60000); /* its players stay: nobody is hurried */
    expect("[10002] lb-a > state pool=game node=n-1 why=wanted from=ready to=draining\n");
    node->conns = 0;
    world_run(&w, 80000); /* a room is still open: never prove emptiness by one counter */
    expect("");
    node->rooms = 0;
    world_run(&w, 120000);
    /* Rooms were here, so tickets may live 30 s: from the report at 80,110 that said empty. */
    expect("[110203] lb-a > state pool=game node=n-1 why=empty from=draining to=closing\n"
           "[111112] lb-a > state pool=game node=n-1 why=closed from=closing to=drained\n");
    assert_string_equal(world_place(&w, 0, "p"), "(no_node)");
}

static void test_someone_who_comes_while_closing_keeps_it_open(void **state)
{
    nodes(six, 1);
    struct world_node *node = world_find(&w, "n-1");
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_DRAINING, 0);
    world_run(&w, 18050);
    expect_state("n-1", NODE_CLOSING);
    node->conns = 1; /* with a ticket from an LB that was cut off */
    world_run(&w, 25000);
    expect_state("n-1", NODE_DRAINING);
    node->conns = 0;
    world_run(&w, 45000);
    expect_state("n-1", NODE_DRAINED);
}

/* What it said before it was told is of an earlier closing: the door may be open again. */
static void test_only_a_report_from_after_the_telling_proves_the_door_closed(void **state)
{
    nodes(six, 1);
    struct world_node *node = world_find(&w, "n-1");
    node->says_closed = true;
    world_run(&w, w.now + 2000);
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_DRAINING, 0);
    while (node->state != NODE_CLOSING)
        world_run(&w, w.now + 10);
    node->reports = false;
    world_run(&w, w.now + 1500);
    expect_state("n-1", NODE_CLOSING);
    node->reports = true;
    world_run(&w, w.now + 2000);
    expect_state("n-1", NODE_DRAINED);
}

static void test_a_node_that_does_not_close_stays_and_it_is_said(void **state)
{
    nodes(six, 1);
    world_find(&w, "n-1")->closes = false;
    world_want(&w, "n-1", WANT_BY_OPERATOR, WANT_DRAINING, 0);
    world_run(&w, 60000);
    expect_state("n-1", NODE_CLOSING);
    assert_non_null(strstr(w.trace, "closing_stuck pool=game node=n-1 why=not_closed"));
}

static void test_pending_tickets_keep_a_draining_node_open(void **state)
{
    nodes(six, 1);
    for (int i = 0; i < 3; i++)
        assert_string_equal(world_place(&w, 0, ""), "n-1"); /* nobody comes */
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_DRAINING, 0);
    /* The table forgets them when no ticket of this pool could still be alive: 10 s, skew and a
     * report. Then 10 s of quiet. */
    world_run(&w, 8000 + 10000 + 9000);
    expect_state("n-1", NODE_DRAINING);
    world_run(&w, 8000 + 10000 + 10000 + 6000);
    expect_state("n-1", NODE_DRAINED);
}

static int64_t pending_at(int lb)
{
    struct lb_pool_view view;
    lb_pool_view(w.lbs[lb].lb, 0, world_mono(&w), &view);
    return view.pending;
}

/* A room claimed through lb i, by a player who does not come. */
static void place_in_room(int i, const char *room)
{
    struct span players[1] = {span_of(room)};
    struct lb_ask ask = {.room = span_of(room), .players = players, .player_count = 1};
    struct lb_placed placed;
    lb_place(w.lbs[i].lb, world_mono(&w), &ask, &placed);
    assert_int_equal(placed.verdict, LB_CLAIM);
    char node[KEYS_NAME_MAX + 1];
    (void)snprintf(node, sizeof node, "%s", placed.claim.node);
    struct store_answer answer = {
        .word = ANSWER_OK, .node = span_of(node), .epoch = placed.claim.epoch};
    lb_claimed(w.lbs[i].lb, world_mono(&w), &ask, &placed, 0, &answer);
    assert_int_equal(placed.verdict, LB_PLACED);
}

static void test_no_shows_count_as_long_as_a_ticket_in_use_lives(void **state)
{
    nodes(six, 2);
    for (int i = 0; i < 2; i++)
        world_event(&w, i, (struct lb_event){.kind = LB_PEER_UP, .peer = (size_t)(1 - i)});
    for (int i = 0; i < 5; i++)
        (void)world_place(&w, i % 2, "");
    world_run(&w, w.now + 10500);
    assert_int_equal(pending_at(0), 5);
    assert_int_equal(pending_at(1), 5);
    world_run(&w, w.now + 3000); /* without rooms: 10 s, skew and a report */
    assert_int_equal(pending_at(0), 0);
    assert_int_equal(pending_at(1), 0);
    place_in_room(1, "r-1"); /* one LB's room is known to both */
    world_run(&w, w.now + 100);
    (void)world_place(&w, 0, "");
    world_run(&w, w.now + 29000);
    assert_int_equal(pending_at(0), 2);
    assert_int_equal(pending_at(1), 2);
    world_run(&w, w.now + 10000);
    assert_int_equal(pending_at(0), 0);
    (void)world_place(&w, 0, ""); /* the last room is long ago */
    world_run(&w, w.now + 14000);
    assert_int_equal(pending_at(0), 0);
    assert_int_equal(pending_at(1), 0);
}

static void test_a_node_that_lists_a_room_may_be_waiting_for_its_players(void **state)
{
    nodes(six, 2);
    world_find(&w, "n-1")->rooms = 1; /* claimed by whom it may: its tickets live 30 s */
    world_run(&w, w.now + 2000);
    (void)world_place(&w, 0, "");
    world_run(&w, w.now + 29000);
    assert_int_equal(pending_at(0), 1);
}

static void test_a_drained_node_is_taken_back_when_the_want_is_gone(void **state)
{
    nodes(six, 1);
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_DRAINING, 0);
    world_run(&w, 30000);
    expect_state("n-1", NODE_DRAINED);
    world_clear_trace(&w);
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_NONE, 0);
    world_run(&w, 35000);
    expect_state("n-1", NODE_READY);
    assert_string_equal(world_place(&w, 0, "p"), "n-1");
}

static void test_the_node_comes_before_an_operator_before_the_autoscaler(void **state)
{
    nodes(six, 1);
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_DRAINING, 0);
    world_want(&w, "n-1", WANT_BY_OPERATOR, WANT_READY, 0);
    world_run(&w, 12000);
    expect_state("n-1", NODE_READY);
    world_want(&w, "n-1", WANT_BY_OPERATOR, WANT_HELD, 20000); /* ends by itself */
    world_run(&w, 19000);
    expect_state("n-1", NODE_HELD);
    world_find(&w, "n-1")->drain = true; /* it says so in its reports */
    world_run(&w, 20500);
    expect_state("n-1", NODE_DRAINING);
    world_find(&w, "n-1")->drain = false;
    world_want(&w, "n-1", WANT_BY_AUTOSCALE, WANT_NONE, 0);
    world_run(&w, 25000);
    expect_state("n-1", NODE_READY);
}

static void test_a_silent_node_is_lost_and_comes_back(void **state)
{
    nodes(six, 4);
    world_find(&w, "n-2")->reports = false;
    world_run(&w, 12500);
    expect("[11033] lb-a > state pool=game node=n-2 why=silent from=ready to=lost\n");
    world_find(&w, "n-2")->reports = true;
    world_run(&w, 20000);
    expect("[12502] lb-a > state pool=game node=n-2 why=reports_again from=lost to=joining\n"
           "[13513] lb-a > state pool=game node=n-2 why=proved from=joining to=ready\n");
}

static void test_a_lost_node_that_is_wanted_out_comes_back_draining(void **state)
{
    nodes(six, 4);
    world_want(&w, "n-2", WANT_BY_OPERATOR, WANT_DRAINING, 0);
    world_find(&w, "n-2")->conns = 1;
    world_run(&w, 10000);
    world_find(&w, "n-2")->reports = false;
    world_run(&w, 15000);
    expect_state("n-2", NODE_LOST);
    world_find(&w, "n-2")->reports = true;
    world_run(&w, 17000);
    expect_state("n-2", NODE_DRAINING);
}

static void test_a_lost_node_is_forgotten_after_a_while(void **state)
{
    nodes(six, 4);
    world_kill(world_find(&w, "n-3"));
    world_run(&w, 80000);
    assert_null(world_find(&w, "n-3"));
    assert_non_null(strstr(w.trace, "gone pool=game node=n-3 why=forgotten"));
    assert_int_equal(lb_node_find(w.lbs[0].lb, 0, SPAN("n-3")), BERTH_ENOENT);
}

static void test_failed_probes_lose_one_node_but_not_half_the_pool(void **state)
{
    nodes(six, 6);
    world_find(&w, "n-1")->reachable = false;
    world_run(&w, 30000);
    assert_non_null(
        strstr(w.trace, "state pool=game node=n-1 why=probe_failed from=ready to=lost"));
    world_clear_trace(&w);
    for (int i = 1; i < 6; i++)
        world_find(&w, six[i])->reachable =
            false; /* the network of this LB is broken, not five nodes */
    world_run(&w, 60000);
    int ready = 0;
    for (int i = 1; i < 6; i++)
        ready += world_find(&w, six[i])->state == NODE_READY;
    assert_true(ready >= 3);
    assert_non_null(strstr(w.trace, "guard pool=game why=probes_fail_everywhere"));
}

static void test_mass_silence_is_held_and_people_are_called(void **state)
{
    nodes(six, 6);
    for (int i = 0; i < 3; i++)
        world_find(&w, six[i])->reports = false;
    world_run(&w, 15000);
    for (int i = 0; i < 6; i++)
        expect_state(six[i], NODE_READY);
    assert_non_null(strstr(w.trace, "guard pool=game why=silence_everywhere would_lose=3 of=6"));
}

static void test_an_absence_of_the_store_loses_nobody(void **state)
{
    nodes(six, 6);
    world_store(&w, false);
    world_run(&w, 18000);
    assert_string_not_equal(world_place(&w, 0, "p"), "(no_node)"); /* from memory */
    world_store(&w, true);
    world_run(&w, 30000);
    for (int i = 0; i < 6; i++)
        expect_state(six[i], NODE_READY);
    assert_null(strstr(w.trace, "to=lost"));
}

/* One in six is no mass loss, but its silence does not count while it could not report. */
static void test_after_an_absence_of_the_store_everyone_has_time_to_report(void **state)
{
    nodes(six, 6);
    struct world_node *late = world_find(&w, "n-1");
    world_store(&w, false);
    world_run(&w, 18000);
    late->reports = false;
    world_store(&w, true);
    world_run(&w, 18000 + 3000);
    expect_state("n-1", NODE_READY);
    late->reports = true;
    world_run(&w, 30000);
    expect_state("n-1", NODE_READY);
    assert_null(strstr(w.trace, "to=lost"));
    late->reports = false; /* from now on it counts again */
    world_run(&w, 35000);
    expect_state("n-1", NODE_LOST);
}

/* Probes as little: it may be the way there that came back a moment later. */
static void test_after_an_absence_of_the_store_failed_probes_lose_nobody_at_once(void **state)
{
    nodes(six, 6);
    world_store(&w, false);
    world_run(&w, 18000);
    world_find(&w, "n-1")->reachable = false;
    world_store(&w, true);
    world_cut(&w, "n-1");
    world_run(&w, 18000 + 3000);
    expect_state("n-1", NODE_READY);
    world_run(&w, 30000);
    assert_non_null(strstr(w.trace, "why=probe_failed from=ready to=lost"));
}

/* Nor is whoever reports a little later than the others left out meanwhile. */
static void test_after_an_absence_of_the_store_nobody_is_doubted_at_once(void **state)
{
    nodes(six, 6);
    world_store(&w, false);
    world_run(&w, 18000);
    for (int i = 1; i < 6; i++)
        world_find(&w, six[i])->conns = 50;
    world_find(&w, "n-1")->reports = false;
    world_store(&w, true);
    world_run(&w, 18000 + 1500); /* the others have reported */
    for (; w.now < 18000 + 3000; world_run(&w, w.now + 100))
        assert_string_equal(world_place(&w, 0, ""), "n-1");
}

/* An owner that cannot reach the store moves nothing, though its lease is not over yet. */
static void test_nothing_is_moved_while_the_store_is_away(void **state)
{
    nodes(six, 6);
    world_kill(world_find(&w, "n-1"));
    /* What it follows is there still: those are two connections. */
    world_event(&w, 0, (struct lb_event){.kind = LB_STORE_DOWN, .why = "closed"});
    world_cut(&w, "n-1");
    world_run(&w, w.now + 1000); /* its silence proves nothing yet */
    expect_state("n-1", NODE_READY);
}

static void tell_state(const char *node, enum node_state to, int64_t epoch, int64_t since)
{
    struct feed_item item = {.kind = FEED_STATE, .has_state = true};
    (void)snprintf(item.node, sizeof item.node, "%s", node);
    item.state = (struct node_state_record){
        .state = to, .since = {since + w.wall_base}, .epoch = epoch, .why = "told"};
    world_event(&w, 0, (struct lb_event){.kind = LB_FOLLOW_ITEM, .item = &item});
}

/* A state from before the one that is known, or of the process before, is no news. */
static void test_old_states_are_passed_over(void **state)
{
    nodes(six, 1);
    const struct world_node *node = world_find(&w, "n-1");
    tell_state("n-1", NODE_DRAINING, node->epoch, node->since - 1);
    assert_string_equal(world_place(&w, 0, ""), "n-1");
    tell_state("n-1", NODE_DRAINING, node->epoch - 1, node->since + 1);
    assert_string_equal(world_place(&w, 0, ""), "n-1");
    tell_state("n-1", NODE_DRAINING, node->epoch, node->since + 1);
    assert_string_equal(world_place(&w, 0, ""), "(no_node)");
}

static void lose_memory(bool reissues)
{
    w.reissues = reissues;
    nodes(six, 3);
    world_store(&w, false);
    world_run(&w, 9000);
    for (int i = 0; i < 3; i++)
        world_find(&w, six[i])->known = false;
    w.lease_until = 0;
    w.lbs[0].epoch = 0;
    world_store(&w, true);
    for (; w.now < 15000; world_run(&w, w.now + 50)) /* at no instant is nobody there */
        assert_string_not_equal(world_place(&w, 0, ""), "(no_node)");
    for (int i = 0; i < 3; i++)
        expect_state(six[i], NODE_READY);
    assert_non_null(strstr(w.trace, "why=remembered from=joining to=ready"));
}

static void test_a_store_that_lost_its_memory_is_told_again_by_everyone(void **state)
{
    lose_memory(false);
}

static void test_and_so_it_is_when_epochs_are_issued_anew(void **state)
{
    lose_memory(true);
}

/* The owner comes back late: the other LB's memory must do until then, and not for ever. */
static void test_memory_is_vouched_for_until_the_owner_is_back(void **state)
{
    nodes(six, 3);
    world_store(&w, false);
    world_run(&w, 9000);
    for (int i = 0; i < 3; i++)
        world_find(&w, six[i])->known = false;
    w.lease_until = 0;
    w.lbs[0].runs = false;
    w.settings.lease_ms = 60000; /* nobody takes over */
    (void)snprintf(w.holder, sizeof w.holder, "lb-a");
    w.lease_until = w.now + 60000;
    world_store(&w, true);
    for (; w.now < 17000; world_run(&w, w.now + 50)) {
        assert_string_not_equal(world_place(&w, 1, ""), "(no_node)");
        assert_false(w.now > 12000 && world_find(&w, "n-1")->state != NODE_JOINING);
    }
    world_run(&w, 21000);
    assert_string_equal(world_place(&w, 1, ""), "(no_node)");
}

static void test_what_stays_absent_from_the_store_is_forgotten(void **state)
{
    nodes(six, 2);
    world_store(&w, false);
    world_find(&w, "n-2")->known = false;
    world_kill(world_find(&w, "n-2"));
    world_store(&w, true);
    world_run(&w, 13100);
    assert_int_equal(lb_node_find(w.lbs[0].lb, 0, SPAN("n-2")), BERTH_ENOENT);
    assert_true(lb_node_find(w.lbs[0].lb, 0, SPAN("n-1")) >= 0);
}

static void test_a_new_process_of_the_same_name_is_proved_anew(void **state)
{
    nodes(six, 1);
    world_node(&w, "n-1")->reachable = false; /* a restart: another nonce, another epoch */
    world_run(&w, 9000);
    assert_string_equal(world_place(&w, 0, "p"), "(no_node)");
}

static void test_probes_are_rare_when_all_is_well_and_bounded_when_not(void **state)
{
    nodes(six, 6);
    unsigned before = w.lbs[0].probes;
    world_run(&w, 108000);
    unsigned in_100_s = w.lbs[0].probes - before;
    assert_in_range(in_100_s, 6 * 10, 6 * 12);
    w.settings.probe_rate = 2;
    for (int i = 0; i < 6; i++)
        world_find(&w, six[i])->reachable = false;
    before = w.lbs[0].probes;
    world_run(&w, 128000);
    assert_in_range(w.lbs[0].probes - before, 10, 2 * 21);
}

/* ---- two ---- */

static void test_the_second_takes_over_within_a_second_and_a_half(void **state)
{
    nodes(six, 2);
    assert_string_equal(w.holder, "lb-a");
    w.lbs[0].runs = false; /* kill -9 */
    world_run(&w, 9500);
    assert_string_equal(w.holder, "lb-b");
    assert_true(w.lease_until > w.now);
    world_kill(world_find(&w, "n-1"));
    world_run(&w, 14000);
    expect_state("n-1", NODE_LOST);
}

static void test_an_owner_that_slept_does_nothing_until_it_holds_again(void **state)
{
    nodes(six, 2);
    w.lbs[0].runs = false; /* SIGSTOP */
    world_run(&w, 12000);
    assert_string_equal(w.holder, "lb-b");
    world_want(&w, "n-1", WANT_BY_OPERATOR, WANT_DRAINING, 0);
    w.lbs[0].runs = true;
    world_run(&w, 15000);
    assert_string_equal(w.holder, "lb-b");
    assert_int_equal(w.moves_refused, 0); /* it did not even try */
    expect_state("n-1", NODE_DRAINING);
}

static void test_a_cut_link_does_not_make_them_steal(void **state)
{
    nodes(six, 2);
    world_event(&w, 1, (struct lb_event){.kind = LB_PEER_UP, .peer = 0});
    world_event(&w, 1, (struct lb_event){.kind = LB_PEER_DOWN, .peer = 0, .why = "timeout"});
    world_run(&w, 20000);
    assert_string_equal(w.holder, "lb-a");
    assert_int_equal(w.token, 1);
}

static void test_a_pool_goes_back_to_its_first_choice_when_that_is_steady(void **state)
{
    nodes(six, 2);
    w.lbs[0].runs = false;
    world_run(&w, 12000);
    assert_string_equal(w.holder, "lb-b");
    w.lbs[0].runs = true;
    world_event(&w, 1, (struct lb_event){.kind = LB_PEER_UP, .peer = 0});
    world_run(&w, 21900);
    assert_string_equal(w.holder, "lb-b"); /* not before failback_after */
    world_run(&w, 22100);
    assert_string_equal(w.holder, "lb-a"); /* and then without a gap worth the name */
}

static void test_both_answer_and_balance_as_one(void **state)
{
    nodes(six, 4);
    world_event(&w, 0, (struct lb_event){.kind = LB_PEER_UP, .peer = 1});
    world_event(&w, 1, (struct lb_event){.kind = LB_PEER_UP, .peer = 0});
    int given[7] = {0};
    for (int i = 0; i < 40; i++) {
        given[world_place(&w, i % 2, "")[2] - '0']++;
        world_run(&w, w.now + 10);
    }
    for (int i = 1; i <= 4; i++)
        assert_int_equal(given[i], 10);
}

static void test_the_survivor_keeps_the_pending_of_the_dead(void **state)
{
    nodes(six, 2);
    world_event(&w, 0, (struct lb_event){.kind = LB_PEER_UP, .peer = 1});
    world_event(&w, 1, (struct lb_event){.kind = LB_PEER_UP, .peer = 0});
    for (int i = 0; i < 10; i++)
        (void)world_place(&w, 0, "");
    world_run(&w, w.now + 20);
    w.lbs[0].runs = false;
    world_event(&w, 1, (struct lb_event){.kind = LB_PEER_DOWN, .peer = 0, .why = "timeout"});
    struct lb_pool_view view;
    lb_pool_view(w.lbs[1].lb, 0, world_mono(&w), &view);
    assert_int_equal(view.pending, 10);
}

static void test_a_peer_that_comes_is_told_what_is_pending(void **state)
{
    nodes(six, 2);
    for (int i = 0; i < 10; i++)
        (void)world_place(&w, 0, "");
    world_run(&w, w.now + 20);
    struct lb_pool_view view;
    lb_pool_view(w.lbs[1].lb, 0, world_mono(&w), &view);
    assert_int_equal(view.pending, 0);
    world_event(&w, 0, (struct lb_event){.kind = LB_PEER_UP, .peer = 1});
    world_run(&w, w.now + 20);
    lb_pool_view(w.lbs[1].lb, 0, world_mono(&w), &view);
    assert_int_equal(view.pending, 10);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, start, end)
#define TWO(test) cmocka_unit_test_setup_teardown(test, start_two, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_hands_out_only_what_was_proved),
        ONE(test_drains_by_a_closing_handshake),
        ONE(test_someone_who_comes_while_closing_keeps_it_open),
        ONE(test_a_node_that_does_not_close_stays_and_it_is_said),
        ONE(test_pending_tickets_keep_a_draining_node_open),
        ONE(test_a_drained_node_is_taken_back_when_the_want_is_gone),
        ONE(test_the_node_comes_before_an_operator_before_the_autoscaler),
        ONE(test_a_silent_node_is_lost_and_comes_back),
        ONE(test_a_lost_node_that_is_wanted_out_comes_back_draining),
        ONE(test_a_lost_node_is_forgotten_after_a_while),
        ONE(test_failed_probes_lose_one_node_but_not_half_the_pool),
        ONE(test_mass_silence_is_held_and_people_are_called),
        ONE(test_an_absence_of_the_store_loses_nobody),
        ONE(test_a_store_that_lost_its_memory_is_told_again_by_everyone),
        ONE(test_and_so_it_is_when_epochs_are_issued_anew),
        ONE(test_what_stays_absent_from_the_store_is_forgotten),
        ONE(test_a_new_process_of_the_same_name_is_proved_anew),
        ONE(test_probes_are_rare_when_all_is_well_and_bounded_when_not),
        TWO(test_no_shows_count_as_long_as_a_ticket_in_use_lives),
        ONE(test_only_a_report_from_after_the_telling_proves_the_door_closed),
        ONE(test_after_an_absence_of_the_store_everyone_has_time_to_report),
        ONE(test_after_an_absence_of_the_store_failed_probes_lose_nobody_at_once),
        ONE(test_after_an_absence_of_the_store_nobody_is_doubted_at_once),
        ONE(test_nothing_is_moved_while_the_store_is_away),
        ONE(test_old_states_are_passed_over),
        ONE(test_a_node_that_lists_a_room_may_be_waiting_for_its_players),
        TWO(test_memory_is_vouched_for_until_the_owner_is_back),
        TWO(test_the_second_takes_over_within_a_second_and_a_half),
        TWO(test_an_owner_that_slept_does_nothing_until_it_holds_again),
        TWO(test_a_cut_link_does_not_make_them_steal),
        TWO(test_a_pool_goes_back_to_its_first_choice_when_that_is_steady),
        TWO(test_both_answer_and_balance_as_one),
        TWO(test_the_survivor_keeps_the_pending_of_the_dead),
        TWO(test_a_peer_that_comes_is_told_what_is_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
