/* test_rooms.c - rooms on real processes: one room is on one node whoever asks and however many at
 * once, its players find back to it, and it moves only when its node is dead. */
#include "tests/support/cmocka.h"
#include "tests/support/rig_lb.h"
#include "tests/support/wire_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NODES = 3, ASKERS = 50, ROOMS = 10, WAIT_MS = 15000, LOST_AFTER_MS = 1000 };

static struct rig rig;
static struct rig_lb lbs[2];
static struct rig_node nodes[NODES];

static int setup(void **state)
{
    static const char *const names[NODES] = {"gn-1", "gn-2", "gn-3"};
    char yaml[1024];
    int n = snprintf(yaml, sizeof yaml,
                     "pools:\n"
                     "  game: {capacity: 1000, report_interval: 200ms, lost_after: %dms,\n"
                     "         slow_start: 0s, probe.joining_interval: 100ms}\n"
                     "gamenode: {grace: 5s, room_linger: 100ms}\n",
                     LOST_AFTER_MS);
    rig_lb_plan(lbs, yaml + n, sizeof yaml - (size_t)n);
    rig_start(&rig, true, yaml);
    rig_lb_start(&rig, lbs);
    for (int i = 0; i < NODES; i++)
        nodes[i] = rig_node_start(&rig, "game", names[i], NULL);
    rig_lb_wait_nodes(lbs, "ready", NODES);
    return 0;
}

static int teardown(void **state)
{
    rig_lb_end(lbs);
    for (int i = 0; i < NODES; i++)
        rig_node_kill(&nodes[i]);
    rig_stop(&rig);
    return 0;
}

static struct rig_node *node_of(const char *name)
{
    for (int i = 0; i < NODES; i++)
        if (strcmp(nodes[i].name, name) == 0)
            return &nodes[i];
    fail_msg("no node '%s'", name);
    return NULL;
}

static const char *room_record(const char *room)
{
    char key[128];
    (void)snprintf(key, sizeof key, "berth:{game}:room:%s", room);
    return redis_client_text(rig.client, "GET", key, NULL);
}

/* ---- a match of two, ann and bob ---- */

struct match {
    char room[32], node[64], ann[TICKET_TEXT_MAX], bob[TICKET_TEXT_MAX];
    bool moved;
    int status;
};

static struct match match_of(int lb, const char *room)
{
    struct match m = {.status = 0};
    char body[128];
    (void)snprintf(body, sizeof body, "{\"room\":\"%s\",\"players\":[\"ann\",\"bob\"]}", room);
    const struct rig_answer *a =
        rig_lb_ask(lbs[lb].public_port, "POST", "/v1/pools/game/rooms", NULL, body);
    json_t *tickets = json_object_get(a->body, "tickets");
    m.status = a->status;
    m.moved = json_is_true(json_object_get(a->body, "moved"));
    (void)snprintf(m.room, sizeof m.room, "%s", rig_answer_text(a, "room"));
    (void)snprintf(m.node, sizeof m.node, "%s", rig_answer_text(a, "node"));
    if (m.status != 200)
        return m;
    (void)snprintf(m.ann, sizeof m.ann, "%s", json_string_value(json_object_get(tickets, "ann")));
    (void)snprintf(m.bob, sizeof m.bob, "%s", json_string_value(json_object_get(tickets, "bob")));
    return m;
}

static int say_join(const struct rig_node *node, const char *room, const char *player,
                    const char *ticket)
{
    int fd = player_connect(node);
    player_say(fd, "{\"type\":\"join\",\"room\":\"%s\",\"player\":\"%s\",\"ticket\":\"%s\"}", room,
               player, ticket);
    return fd;
}

static int enter(const struct rig_node *node, const char *room, const char *player,
                 const char *ticket)
{
    int fd = say_join(node, room, player, ticket);
    (void)player_hear_with(fd, "joined", player);
    return fd;
}

static void refused(const struct rig_node *node, const char *room, const char *player,
                    const char *ticket, const char *reason)
{
    char text[64];
    (void)snprintf(text, sizeof text, "\"reason\":\"%s\"", reason);
    int fd = say_join(node, room, player, ticket);
    (void)player_hear_with(fd, "refused", text);
    player_closed(fd, 4403);
}

/* ---- one room, one node ---- */

/* All ask before any answer is read, half of them the one balancer, half the other; some for
 * themselves, some for a match. */
static void test_fifty_ask_at_once_and_get_one_node(void **state)
{
    for (int r = 0; r < ROOMS; r++) {
        int fd[ASKERS];
        char text[512], node[64] = "", expected[96];
        for (int i = 0; i < ASKERS; i++)
            fd[i] = wire_connect(lbs[i % 2].public_port);
        for (int i = 0; i < ASKERS; i++) {
            char body[128];
            int n = snprintf(body, sizeof body, "{\"room\":\"r%d\",\"players\":[\"p%d\",\"q%d\"]}",
                             r, i, i);
            if (i % 5 == 0)
                (void)snprintf(text, sizeof text,
                               "POST /v1/pools/game/rooms HTTP/1.1\r\nHost: lb\r\n"
                               "Content-Length: %d\r\n\r\n%s",
                               n, body);
            else
                (void)snprintf(text, sizeof text,
                               "GET /v1/pools/game/endpoint?room=r%d&player=p%d HTTP/1.1\r\n"
                               "Host: lb\r\n\r\n",
                               r, i);
            wire_say(fd[i], text);
        }
        for (int i = 0; i < ASKERS; i++) {
            const char *content = NULL;
            (void)wire_response_text(fd[i], false, &content);
            json_t *body = json_loads(content, 0, NULL);
            const char *name = json_string_value(json_object_get(body, "node"));
            if (name == NULL || json_object_get(body, "moved") != NULL)
                fail_msg("room %d, asker %d: %s", r, i, content);
            if (i == 0)
                (void)snprintf(node, sizeof node, "%s", name);
            assert_string_equal(name, node);
            json_decref(body);
            (void)close(fd[i]);
        }
        char room[16];
        (void)snprintf(room, sizeof room, "r%d", r);
        (void)snprintf(expected, sizeof expected, "node=%s ", node);
        assert_non_null(strstr(room_record(room), expected));
        assert_non_null(strstr(room_record(room), " moved=0"));
    }
}

static void test_a_ticket_is_for_one_node_one_room_and_one_player(void **state)
{
    struct match m = match_of(0, "r1");
    assert_int_equal(m.status, 200);
    for (int i = 0; i < NODES; i++)
        if (strcmp(nodes[i].name, m.node) != 0)
            refused(&nodes[i], "r1", "ann", m.ann, "wrong_node");
    const struct rig_node *node = node_of(m.node);
    refused(node, "r2", "ann", m.ann, "ticket_invalid");
    refused(node, "r1", "bob", m.ann, "ticket_invalid");
    int ann = enter(node, "r1", "ann", m.ann);
    int bob = enter(node, "r1", "bob", m.bob);
    (void)player_hear_with(ann, "player_joined", "\"bob\"");
    player_drop(ann);
    player_drop(bob);
}

/* ---- start, reconnect, finish ---- */

/* Issued some seconds after now. */
__attribute__((noinline)) static const char *ticket_from_ahead(const struct rig_node *node,
                                                               const char *room, const char *player)
{
    static char token[TICKET_TEXT_MAX];
    int64_t then_s =
        strtoll(redis_client_ask(rig.client, "TIME", NULL)->items[0].text.ptr, NULL, 10) + 5;
    const struct ticket_grant grant = {.issuer = SPAN("lb-test"),
                                       .node = span_of(node->name),
                                       .pool = span_of(node->pool),
                                       .room = span_of(room),
                                       .player = span_of(player),
                                       .jti = SPAN("from-ahead"),
                                       .issuer_epoch = 1,
                                       .node_epoch = node->epoch,
                                       .issued_s = then_s,
                                       .expires_s = then_s + 10};
    assert_true(ticket_sign(rig.keys, &grant, token, sizeof token) > 0);
    return token;
}

static void test_players_find_back_and_finish_ends_it(void **state)
{
    struct match m = match_of(0, "r1");
    assert_int_equal(m.status, 200);
    const struct rig_node *node = node_of(m.node);
    const char *start = "/v1/pools/game/rooms/r1/start", *finish = "/v1/pools/game/rooms/r1/finish";
    int bob = enter(node, "r1", "bob", m.bob);

    /* The other balancer is asked where it is, with the ticket for a proof. */
    const struct rig_answer *a = rig_lb_ask(lbs[1].public_port, "POST", start, m.ann, NULL);
    assert_int_equal(a->status, 200);
    assert_string_equal(rig_answer_text(a, "node"), m.node);
    assert_string_equal(rig_answer_text(a, "room"), "r1");
    assert_string_equal(rig_answer_text(a, "player"), "ann");
    char ticket[TICKET_TEXT_MAX];
    (void)snprintf(ticket, sizeof ticket, "%s", rig_answer_text(a, "ticket"));
    /* It is good: a second one would count as one more player. */
    assert_string_equal(ticket, m.ann);
    /* One from an LB that knows a later time already is a proof, too. */
    a = rig_lb_ask(lbs[0].public_port, "POST", start, ticket_from_ahead(node, "r1", "ann"), NULL);
    assert_int_equal(a->status, 200);
    assert_string_equal(rig_answer_text(a, "player"), "ann");
    int ann = enter(node, "r1", "ann", ticket);
    (void)player_hear_with(bob, "player_joined", "\"ann\"");

    /* Her app dies: she asks where she was, and comes back to the same seat. */
    player_drop(ann);
    for (int lb = 0; lb < 2; lb++) {
        a = rig_lb_ask(lbs[lb].public_port, "GET", "/v1/pools/game/players/ann", NULL, NULL);
        assert_int_equal(a->status, 200);
        assert_string_equal(rig_answer_text(a, "room"), "r1");
        assert_string_equal(rig_answer_text(a, "node"), m.node);
    }
    (void)player_hear_with(bob, "player_away", "\"ann\"");
    ann = enter(node, "r1", "ann", ticket);
    (void)player_hear_with(bob, "player_back", "\"ann\"");
    player_hear_nothing(bob, 300);
    rig_wait_report(&rig, node, "conns=2");

    player_say(ann, "{\"type\":\"finish\",\"result\":{\"winner\":\"bob\"}}");
    (void)player_hear_with(bob, "finished", "\"winner\":\"bob\"");
    (void)player_hear(ann, "finished");
    player_closed(ann, 1000);
    player_closed(bob, 1000);
    rig_wait_report(&rig, node, "conns=0");

    /* Nobody but who has a ticket of this room may end it; twice is fine. */
    struct match other = match_of(1, "r2");
    const char *both = "{\"players\":[\"ann\",\"bob\"]}";
    assert_int_equal(rig_lb_ask(lbs[0].public_port, "POST", finish, NULL, both)->status, 401);
    assert_int_equal(rig_lb_ask(lbs[0].public_port, "POST", finish, other.ann, both)->status, 401);
    for (int i = 0; i < 2; i++) {
        a = rig_lb_ask(lbs[i].public_port, "POST", finish, m.ann, both);
        assert_int_equal(a->status, 200);
        assert_true(json_is_true(json_object_get(a->body, "finished")));
    }
    rig_sleep_ms(600); /* three reports: none writes it again */
    assert_int_equal(
        strncmp(redis_client_text(rig.client, "GET", "berth:{game}:room:r1", NULL), "ended=", 6),
        0);
    /* Both are in r2 by now, and stay there. */
    a = rig_lb_ask(lbs[0].public_port, "GET", "/v1/pools/game/players/ann", NULL, NULL);
    assert_string_equal(rig_answer_text(a, "room"), "r2");
}

/* ---- a node dies ---- */

/* Until lb has a place for the room again. Meanwhile it says that it is looking. */
static struct match match_after_loss(int lb, const char *room)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    for (;;) {
        struct match m = match_of(lb, room);
        if (m.status == 200)
            return m;
        assert_int_equal(m.status, 503);
        if (rig_now_ms() > end)
            fail_msg("no node for %s: see %s", room, lbs[lb].process.log);
        rig_sleep_ms(20);
    }
}

static void test_a_room_whose_node_was_killed_gets_a_new_one_and_says_moved(void **state)
{
    struct match before = match_of(0, "r1");
    assert_int_equal(before.status, 200);
    assert_false(before.moved);
    struct rig_node *dead = node_of(before.node);
    int ann = enter(dead, "r1", "ann", before.ann);
    rig_wait_report(&rig, dead, "rooms=1");
    rig_sleep_ms(LOST_AFTER_MS + 400); /* past the hold that follows the first read */

    rig_node_kill(dead);
    player_drop(ann);
    rig_lb_wait_nodes(lbs, "lost", 1);
    struct match after = match_after_loss(1, "r1");
    assert_string_not_equal(after.node, before.node);
    assert_true(after.moved);
    struct match same = match_after_loss(0, "r1");
    assert_string_equal(same.node, after.node);
    assert_non_null(strstr(room_record("r1"), " moved=1"));

    const struct rig_node *node = node_of(after.node);
    refused(node, "r1", "ann", before.ann, "wrong_node");
    ann = enter(node, "r1", "ann", after.ann);
    int bob = enter(node, "r1", "bob", same.bob);
    (void)player_hear_with(ann, "player_joined", "\"bob\"");
    const struct rig_answer *a =
        rig_lb_ask(lbs[0].public_port, "GET", "/v1/pools/game/players/ann", NULL, NULL);
    assert_string_equal(rig_answer_text(a, "node"), after.node);
    player_drop(ann);
    player_drop(bob);
}

/* The name comes back as another process before anyone has noticed: tickets and room of the first
 * one are not its own. */
static void test_a_room_does_not_survive_its_process(void **state)
{
    struct match before = match_of(0, "r1");
    assert_int_equal(before.status, 200);
    struct rig_node *node = node_of(before.node);
    int64_t epoch = node->epoch;
    rig_node_kill(node);
    *node = rig_node_start(&rig, "game", before.node, NULL); /* waits until the name is free */
    assert_true(node->epoch > epoch);
    refused(node, "r1", "ann", before.ann, "wrong_node");
    rig_lb_wait_nodes(lbs, "ready", NODES);
    struct match after = match_after_loss(1, "r1");
    assert_true(after.moved);
    int ann = enter(node_of(after.node), "r1", "ann", after.ann);
    player_drop(ann);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_fifty_ask_at_once_and_get_one_node),
        T(test_a_ticket_is_for_one_node_one_room_and_one_player),
        T(test_players_find_back_and_finish_ends_it),
        T(test_a_room_whose_node_was_killed_gets_a_new_one_and_says_moved),
        T(test_a_room_does_not_survive_its_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
