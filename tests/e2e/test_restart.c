/* test_restart.c - restart in place: SIGUSR2 to nodes while players come, play and come back. */
#include "tests/support/cmocka.h"
#include "tests/support/fake_lb.h"
#include "tests/support/rig_lb.h"
#include "tests/support/wire_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char yaml[] = "pools:\n"
                           "  game: {capacity: 100, report_interval: 200ms, lost_after: 1s}\n"
                           "gamenode: {grace: 2s, room_linger: 100ms}\n";

/* name=N of the node's report; -1: none. */
static int64_t reported(struct rig *rig, const struct rig_node *node, const char *name)
{
    char pair[32], key[96];
    (void)snprintf(key, sizeof key, "berth:{%s}:reports", node->pool);
    const char *row = redis_client_text(rig->client, "HGET", key, node->name, NULL);
    (void)snprintf(pair, sizeof pair, " %s=", name);
    const char *at = row ? strstr(row, pair) : NULL;
    return at ? strtoll(at + strlen(pair), NULL, 10) : -1;
}

/* The process that has the name now; what `node` was becomes <node>~<epoch>. */
static struct rig_node succeed(struct rig *rig, struct rig_node *node)
{
    struct rig_node young = *node;
    int64_t until = rig_now_ms() + 10000;
    while (reported(rig, node, "epoch") <= node->epoch || reported(rig, node, "pid") <= 0) {
        assert_true(rig_now_ms() < until);
        rig_sleep_ms(10);
    }
    young.epoch = reported(rig, node, "epoch");
    young.pid = (pid_t)reported(rig, node, "pid");
    assert_true(young.pid != node->pid);
    (void)snprintf(node->name, sizeof node->name, "%.40s~%lld", young.name, (long long)node->epoch);
    return young;
}

/* An old process has nobody left: play the owner until it ends. */
static void let_go(struct rig *rig, struct rig_node *old)
{
    rig_wait_report(rig, old, "conns=0");
    rig_wait_report(rig, old, "rooms=0");
    rig_move(rig, old, NODE_DRAINING, NODE_CLOSING);
    rig_wait_report(rig, old, "closed=1");
    rig_move(rig, old, NODE_CLOSING, NODE_DRAINED);
    assert_int_equal(rig_node_wait(old, 5000), 0);
}

static void come_and_go(const struct rig_node *node, int number)
{
    char room[32];
    (void)snprintf(room, sizeof room, "loop-%d", number);
    int fd = player_join(node, room, "p"); /* fails the test where it is refused */
    player_say(fd, "{\"type\":\"leave\"}");
    while (!strstr(player_hear_any(fd), "\"left\"")) /* it may be told that the node drains */
        continue;
    player_closed(fd, 1000);
}

static void test_nobody_is_refused_through_several_restarts(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node nodes[4] = {rig_node_start(&rig, "game", "gn-1", NULL)};
    int ann[4], count = 0;
    rig_move(&rig, &nodes[0], NODE_JOINING, NODE_READY);
    for (int i = 0; i < 3; i++) {
        char room[16];
        (void)snprintf(room, sizeof room, "stay-%d", i);
        ann[i] = player_join(&nodes[i], room, "ann");
        int64_t until = rig_now_ms() + 10000;
        (void)kill(nodes[i].pid, SIGUSR2);
        while (reported(&rig, &nodes[i], "epoch") <= nodes[i].epoch) {
            assert_true(rig_now_ms() < until);
            come_and_go(&nodes[i], count++);
        }
        nodes[i + 1] = succeed(&rig, &nodes[i]);
        for (int more = 0; more < 50; more++)
            come_and_go(&nodes[i + 1], count++);
        rig_wait_row(&rig, &nodes[i + 1], "states", "gn-1", "state=ready");
        rig_wait_row(&rig, &nodes[i], "states", nodes[i].name, "state=draining");
        rig_wait_report(&rig, &nodes[i], "conns=1");
        rig_wait_report(&rig, &nodes[i], "drain=1");
    }
    assert_true(count > 200);
    for (int i = 0; i < 3; i++) { /* those who were inside play on, and hear of it */
        (void)player_hear_with(ann[i], "draining", "\"reason\":\"restarted\"");
        player_say(ann[i], "{\"type\":\"ping\",\"id\":%d}", i);
        (void)player_hear(ann[i], "pong");
        player_say(ann[i], "{\"type\":\"leave\"}");
        (void)player_hear(ann[i], "left");
        player_closed(ann[i], 1000);
        let_go(&rig, &nodes[i]);
    }
    rig_node_end(&nodes[3]);
    rig_stop(&rig);
}

static int try_join(const struct rig_node *node, const char *room, const char *player,
                    const char *ticket)
{
    int fd = player_connect(node);
    player_say(fd, "{\"type\":\"join\",\"room\":\"%s\",\"player\":\"%s\",\"ticket\":\"%s\"}", room,
               player, ticket);
    return fd;
}

static void test_friends_meet_and_come_back_where_their_room_is(void **state)
{
    struct rig rig;
    rig_start(&rig, true, yaml);
    struct rig_node old = rig_node_start(&rig, "game", "gn-1", NULL);
    rig_move(&rig, &old, NODE_JOINING, NODE_READY);
    char ann_ticket[TICKET_TEXT_MAX], bob_ticket[TICKET_TEXT_MAX], cid_ticket[TICKET_TEXT_MAX];
    (void)snprintf(ann_ticket, sizeof ann_ticket, "%s", rig_ticket(&rig, &old, "r1", "ann"));
    (void)snprintf(bob_ticket, sizeof bob_ticket, "%s", rig_ticket(&rig, &old, "r1", "bob"));
    (void)snprintf(cid_ticket, sizeof cid_ticket, "%s", rig_ticket(&rig, &old, "r2", "cid"));
    int ann = try_join(&old, "r1", "ann", ann_ticket);
    (void)player_hear(ann, "joined");
    rig_wait_report(&rig, &old, "rooms=1");
    (void)kill(old.pid, SIGUSR2);
    struct rig_node young = succeed(&rig, &old);
    (void)player_hear(ann, "draining");

    /* Bob's ticket and address are from before; he is told where ann is, and the ticket is good
     * there. */
    int bob = try_join(&young, "r1", "bob", bob_ticket);
    const char *moved = player_hear_with(bob, "moved", "\"reason\":\"restarted\"");
    const char *port = strstr(moved, "ws://127.0.0.1:");
    assert_non_null(port);
    struct rig_node there = old;
    there.port = atoi(port + strlen("ws://127.0.0.1:"));
    assert_true(there.port != young.port);
    player_closed(bob, 1001);
    bob = try_join(&there, "r1", "bob", bob_ticket);
    (void)player_hear(bob, "joined");
    (void)player_hear_with(ann, "player_joined", "\"bob\"");
    player_drop(ann); /* and ann comes back to her seat */
    (void)player_hear(bob, "player_away");
    ann = try_join(&young, "r1", "ann", ann_ticket);
    (void)player_hear(ann, "moved");
    player_closed(ann, 1001);
    ann = try_join(&there, "r1", "ann", ann_ticket);
    (void)player_hear_with(ann, "joined", "\"resumed\":true");
    (void)player_hear(bob, "player_back");

    /* Cid's room was not there yet: the ticket for the old process is good at the new one. */
    int cid = try_join(&young, "r2", "cid", cid_ticket);
    (void)player_hear(cid, "joined");
    player_drop(cid);

    char record[96];
    (void)snprintf(record, sizeof record, "node=%s epoch=%lld", old.name, (long long)old.epoch);
    int64_t until = rig_now_ms() + 5000;
    while (strncmp(redis_client_text(rig.client, "GET", "berth:{game}:room:r1", NULL), record,
                   strlen(record)) != 0) {
        assert_true(rig_now_ms() < until);
        rig_sleep_ms(20);
    }
    player_say(ann, "{\"type\":\"finish\"}");
    (void)player_hear(ann, "finished");
    player_closed(ann, 1000);
    player_drop(bob);
    let_go(&rig, &old);
    rig_node_end(&young);
    rig_stop(&rig);
}

static void test_a_new_process_that_fails_changes_nothing(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    FILE *f = fopen(rig.config, "ae");
    assert_non_null(f);
    (void)fputs("nonsense: 1\n", f);
    (void)fclose(f);
    (void)kill(node.pid, SIGUSR2);
    int64_t until = rig_now_ms() + 10000;
    for (;;) { /* it says so in its log */
        char text[8192] = "";
        f = fopen(node.log, "re");
        assert_non_null(f);
        size_t n = fread(text, 1, sizeof text - 1, f);
        text[n] = '\0';
        (void)fclose(f);
        if (strstr(text, "ev=restart what=undone why=new_process_ended"))
            break;
        assert_true(rig_now_ms() < until);
        rig_sleep_ms(10);
    }
    int bob = player_join(&node, "r1", "bob");
    (void)player_hear_with(ann, "player_joined", "\"bob\"");
    rig_wait_report(&rig, &node, "conns=2");
    assert_int_equal(reported(&rig, &node, "epoch"), node.epoch);
    player_drop(ann);
    player_drop(bob);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_the_health_port_stays_open_through_a_restart(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-0", NULL);
    rig_node_end(&node);
    char health[32];
    (void)snprintf(health, sizeof health, "127.0.0.1:%d", node.port);
    const char *args[] = {"--gamenode.health", health, NULL};
    int port = node.port;
    node = rig_node_start(&rig, "game", "gn-1", args);
    rig_wait_report(&rig, &node, "conns=0");
    assert_non_null(strstr(wire_ask(port, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"),
                           "\"state\":\"joining\""));
    (void)kill(node.pid, SIGUSR2);
    int64_t until = rig_now_ms() + 10000;
    while (reported(&rig, &node, "epoch") <= node.epoch) {
        assert_true(rig_now_ms() < until);
        assert_non_null(
            strstr(wire_ask(port, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"), " 200 "));
    }
    struct rig_node young = succeed(&rig, &node);
    assert_non_null(
        strstr(wire_ask(port, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"), "\"node\":\"gn-1\""));
    rig_node_end(&node);
    rig_node_end(&young);
    rig_stop(&rig);
}

static void test_who_seeks_at_a_lobby_is_matched_with_who_comes_after(void **state)
{
    struct rig rig;
    rig_start(&rig, false,
              "pools:\n"
              "  lobby: {capacity: 20, report_interval: 200ms, lost_after: 1s}\n"
              "  game: {capacity: 20}\n"
              "lobbynode: {match_size: 2, lobby_lease: 500ms, match_interval: 20ms}\n");
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    const char *args[] = {"--lobbynode.lb", lb.url, NULL};
    struct rig_node old = rig_node_start(&rig, "lobby", "ln-1", args);
    rig_move(&rig, &old, NODE_JOINING, NODE_READY);
    int ann = player_hello(&old, "ann");
    player_say(ann, "{\"type\":\"seek\"}");
    (void)player_hear(ann, "seeking");
    (void)kill(old.pid, SIGUSR2);
    struct rig_node young = succeed(&rig, &old);
    (void)player_hear_with(ann, "draining", "\"move\":true");
    rig_sleep_ms(700); /* longer than a lobby's lease: the old one keeps its own */
    int bob = player_hello(&young, "bob");
    player_say(bob, "{\"type\":\"seek\"}");
    (void)player_hear(bob, "seeking");
    (void)player_hear_with(ann, "ALL_CONNECTED", "\"bob\"");
    (void)player_hear_with(bob, "ALL_CONNECTED", "\"ann\"");
    player_drop(ann);
    player_drop(bob);
    let_go(&rig, &old);
    rig_node_end(&young);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

/* One node, two balancers: every ask is answered, and a room's friends are sent where it is. */
static void test_balancers_send_players_on_without_a_gap(void **state)
{
    struct rig rig;
    struct rig_lb lbs[2];
    char config[1024];
    int n = snprintf(
        config, sizeof config,
        "pools:\n"
        "  game: {capacity: 1000, report_interval: 200ms, lost_after: 1s, slow_start: 0s,\n"
        "         address_rate: 0, player_rate: 0, ticket_ttl: 2s, room_ticket_ttl: 2s, "
        "probe.joining_interval: "
        "100ms}\n"
        "gamenode: {grace: 5s, room_linger: 100ms}\n");
    rig_lb_plan(lbs, config + n, sizeof config - (size_t)n);
    rig_start(&rig, true, config);
    rig_lb_start(&rig, lbs);
    struct rig_node old = rig_node_start(&rig, "game", "gn-1", NULL);
    rig_lb_wait_nodes(lbs, "ready", 1);
    const char *match = "{\"room\":\"r1\",\"players\":[\"ann\",\"bob\"]}";
    const struct rig_answer *a =
        rig_lb_ask(lbs[0].public_port, "POST", "/v1/pools/game/rooms", NULL, match);
    assert_int_equal(a->status, 200);
    int ann =
        try_join(&old, "r1", "ann",
                 json_string_value(json_object_get(json_object_get(a->body, "tickets"), "ann")));
    (void)player_hear(ann, "joined");
    rig_wait_report(&rig, &old, "rooms=1");
    (void)kill(old.pid, SIGUSR2);
    int asked = 0;
    for (int64_t until = rig_now_ms() + 10000; reported(&rig, &old, "epoch") <= old.epoch;
         asked++) {
        assert_true(rig_now_ms() < until);
        a = rig_lb_ask(lbs[asked % 2].public_port, "GET", "/v1/pools/game/endpoint?player=p", NULL,
                       NULL);
        assert_int_equal(a->status, 200);
    }
    struct rig_node young = succeed(&rig, &old);
    for (int i = 0; i < 40; i++) { /* each with a ticket that is good where it is sent */
        char path[96], room[16], ticket[TICKET_TEXT_MAX];
        (void)snprintf(room, sizeof room, "n%d", i);
        (void)snprintf(path, sizeof path, "/v1/pools/game/endpoint?player=q&room=%s", room);
        a = rig_lb_ask(lbs[i % 2].public_port, "GET", path, NULL, NULL);
        assert_int_equal(a->status, 200);
        assert_string_equal(rig_answer_text(a, "node"), "gn-1");
        (void)snprintf(ticket, sizeof ticket, "%s", rig_answer_text(a, "ticket"));
        int fd = try_join(&young, room, "q", ticket);
        (void)player_hear(fd, "joined");
        player_drop(fd);
    }
    for (int i = 0; i < 2; i++) {
        a = rig_lb_ask(lbs[i].public_port, "POST", "/v1/pools/game/rooms", NULL, match);
        assert_int_equal(a->status, 200);
        assert_string_equal(rig_answer_text(a, "node"), old.name);
    }
    const char *port = strstr(rig_answer_text(a, "endpoint"), "ws://127.0.0.1:");
    assert_non_null(port);
    struct rig_node there = old;
    there.port = atoi(port + strlen("ws://127.0.0.1:"));
    assert_true(there.port != young.port);
    int bob =
        try_join(&there, "r1", "bob",
                 json_string_value(json_object_get(json_object_get(a->body, "tickets"), "bob")));
    (void)player_hear(bob, "joined");
    (void)player_hear(ann, "draining");
    (void)player_hear_with(ann, "player_joined", "\"bob\"");
    player_say(ann, "{\"type\":\"finish\"}");
    (void)player_hear(ann, "finished");
    player_closed(ann, 1000);
    player_drop(bob);
    assert_int_equal(rig_node_wait(&old, 15000), 0); /* drained by the real owner */
    rig_lb_end(lbs);
    rig_node_kill(&young);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_is_refused_through_several_restarts),
        cmocka_unit_test(test_friends_meet_and_come_back_where_their_room_is),
        cmocka_unit_test(test_balancers_send_players_on_without_a_gap),
        cmocka_unit_test(test_who_seeks_at_a_lobby_is_matched_with_who_comes_after),
        cmocka_unit_test(test_a_new_process_that_fails_changes_nothing),
        cmocka_unit_test(test_the_health_port_stays_open_through_a_restart),
    };
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* new processes outlive those that started them */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
