/* test_berth_lb.c - two berth-lb on a real Redis with real game nodes: what players, operators and
 * a failing machine see. */
#include "tests/support/cmocka.h"
#include "tests/support/rig_lb.h"
#include "tests/support/wire_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STUDIO_KEY "0123456789abcdef-of-the-studio"

enum { WAIT_MS = 15000, LOST_AFTER_MS = 1000 };

static struct rig rig;
static struct rig_lb lbs[2];
static struct rig_node nodes[3];
static const char *const node_names[] = {"gn-1", "gn-2", "gn-3"};

/* ---- HTTP ---- */

static const struct rig_answer *get(int lb, const char *path)
{
    return rig_lb_ask(lbs[lb].public_port, "GET", path, NULL, NULL);
}

/* A match of four, asked of one LB. The node, or "" (and the status in *ret_status). */
static const char *match(int lb, const char *room, int *ret_status)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"room\":\"%s\",\"players\":[\"%s-a\",\"%s-b\",\"%s-c\",\"%s-d\"]}", room,
                   room, room, room, room);
    const struct rig_answer *a =
        rig_lb_ask(lbs[lb].public_port, "POST", "/v1/pools/game/rooms", NULL, body);
    *ret_status = a->status;
    return rig_answer_text(a, "node");
}

/* ---- life ---- */

/* Until lb sees so many nodes in this state. Returns how long it took. */
static int64_t wait_nodes(int lb, const char *state, int count)
{
    int64_t began = rig_now_ms();
    for (;;) {
        const struct rig_answer *a =
            rig_lb_ask(lbs[lb].admin_port, "GET", "/v1/pools/game", NULL, NULL);
        json_t *states = json_object_get(a->body, "states");
        if (json_integer_value(json_object_get(states, state)) == count)
            return rig_now_ms() - began;
        if (rig_now_ms() > began + WAIT_MS)
            fail_msg("lb %d does not see %d %s: see %s", lb, count, state, lbs[lb].process.log);
        rig_sleep_ms(20);
    }
}

static void begin(bool durable)
{
    char yaml[2048];
    int n = snprintf(
        yaml, sizeof yaml,
        "pools:\n"
        "  game: {capacity: 1000, report_interval: 200ms, lost_after: 1s, forget_after: 30s,\n"
        "         ticket_ttl: 2s, room_ticket_ttl: 2s, slow_start: 0s, player_rate: 0,\n"
        "         probe.joining_interval: 100ms}\n"
        "  club: {access: server, access_tokens: [club-token-1, club-token-2]}\n"
        "  arena: {access: player, player_key: \"" STUDIO_KEY "\"}\n"
        "  few: {address_rate: 5, cors_origins: [\"https://game.example\"]}\n"
        "gamenode: {grace: 500ms, room_linger: 100ms}\n");
    rig_lb_plan(lbs, yaml + n, sizeof yaml - (size_t)n);
    (void)strcat(yaml, "  failback_after: 1s\n");
    rig_start(&rig, true, yaml);
    if (durable) {
        redis_client_close(rig.client);
        rig.client = NULL;
        redis_server_kill(&rig.redis);
        rig.redis.durable = true;
        struct err err = {0};
        assert_int_equal(redis_server_restart(&rig.redis, &err), 0);
        rig_reconnect(&rig);
    }
    rig_lb_start(&rig, lbs);
    for (int i = 0; i < 3; i++)
        nodes[i] = rig_node_start(&rig, "game", node_names[i], NULL);
    rig_lb_wait_nodes(lbs, "ready", 3);
    rig_lb_wait_owner(&rig, "lb-a");
}

static int setup(void **state)
{
    begin(false);
    return 0;
}

static int setup_durable(void **state)
{
    begin(true);
    return 0;
}

static int teardown(void **state)
{
    rig_lb_end(lbs);
    for (int i = 0; i < 3; i++)
        rig_node_kill(&nodes[i]);
    rig_stop(&rig);
    return 0;
}

/* ---- what players see ---- */

static const struct rig_node *node_of(const char *name)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(nodes[i].name, name) == 0)
            return &nodes[i];
    fail_msg("no node '%s'", name);
    return NULL;
}

static void test_a_match_meets_on_one_node_whichever_lb_is_asked(void **state)
{
    for (int r = 0; r < 12; r++) {
        char room[16], node[64], path[128];
        int status;
        (void)snprintf(room, sizeof room, "r%d", r);
        (void)snprintf(node, sizeof node, "%s", match(r % 2, room, &status));
        assert_int_equal(status, 200);
        assert_string_equal(match((r + 1) % 2, room, &status), node);
        (void)snprintf(path, sizeof path, "/v1/pools/game/endpoint?room=%s&player=late", room);
        assert_string_equal(rig_answer_text(get(r % 2, path), "node"), node);
        assert_string_equal(rig_answer_text(get((r + 1) % 2, path), "node"), node);
    }
}

/* One LB is asked while the answer of the other is still on its way. */
static void test_two_lbs_asked_at_once_give_one_node(void **state)
{
    for (int r = 0; r < 20; r++) {
        char text[256];
        int fd[2];
        (void)snprintf(text, sizeof text,
                       "GET /v1/pools/game/endpoint?room=twin-%d HTTP/1.1\r\nHost: lb\r\n\r\n", r);
        for (int i = 0; i < 2; i++)
            fd[i] = wire_connect(lbs[i].public_port);
        for (int i = 0; i < 2; i++)
            wire_say(fd[i], text);
        char node[2][64] = {"", ""};
        for (int i = 0; i < 2; i++) {
            const char *content;
            (void)wire_response_text(fd[i], false, &content);
            json_t *body = json_loads(content, 0, NULL);
            const char *name = json_string_value(json_object_get(body, "node"));
            (void)snprintf(node[i], sizeof node[i], "%s", name ? name : "");
            json_decref(body);
            (void)close(fd[i]);
        }
        assert_string_not_equal(node[0], "");
        assert_string_equal(node[0], node[1]);
    }
}

static void test_a_ticket_opens_the_door_and_the_count_follows(void **state)
{
    const struct rig_answer *a = get(1, "/v1/pools/game/endpoint?room=r1&player=ann");
    assert_int_equal(a->status, 200);
    const struct rig_node *node = node_of(rig_answer_text(a, "node"));
    char port[16];
    (void)snprintf(port, sizeof port, ":%d/", node->port);
    assert_non_null(strstr(rig_answer_text(a, "endpoint"), port));
    int ann = player_connect(node);
    player_say(ann, "{\"type\":\"join\",\"room\":\"r1\",\"player\":\"ann\",\"ticket\":\"%s\"}",
               rig_answer_text(a, "ticket"));
    (void)player_hear(ann, "joined");
    rig_wait_report(&rig, node, "conns=1");
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/pools/game/nodes/%s", node->name);
    int64_t end = rig_now_ms() + WAIT_MS, est = -1, conns = -1;
    while (conns != 1 && rig_now_ms() < end) {
        a = rig_lb_ask(lbs[0].admin_port, "GET", path, NULL, NULL);
        conns = json_integer_value(json_object_get(a->body, "connections"));
        est = json_integer_value(json_object_get(a->body, "est"));
    }
    assert_int_equal(conns, 1);
    assert_int_equal(
        est, 1); /* admitted: not pending any more, on the LB that did not hand it out either */
    player_drop(ann);
}

static void test_start_and_finish_by_the_ticket_of_the_room(void **state)
{
    const struct rig_answer *a = get(0, "/v1/pools/game/endpoint?room=r1&player=ann");
    char ticket[1200], node[64];
    (void)snprintf(ticket, sizeof ticket, "%s", rig_answer_text(a, "ticket"));
    (void)snprintf(node, sizeof node, "%s", rig_answer_text(a, "node"));
    a = rig_lb_ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r1/start", ticket, NULL);
    assert_int_equal(a->status, 200);
    assert_string_equal(rig_answer_text(a, "node"), node);
    assert_string_equal(rig_answer_text(a, "player"), "ann");
    a = get(1, "/v1/pools/game/players/ann");
    assert_int_equal(a->status, 200);
    assert_string_equal(rig_answer_text(a, "room"), "r1");
    assert_string_equal(rig_answer_text(a, "node"), node);
    assert_int_equal(
        rig_lb_ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r2/finish", ticket, NULL)
            ->status,
        401);
    assert_int_equal(
        rig_lb_ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r1/finish", NULL, NULL)
            ->status,
        401);
    a = rig_lb_ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r1/finish", ticket, NULL);
    assert_int_equal(a->status, 200);
    assert_int_equal(
        strncmp(redis_client_text(rig.client, "GET", "berth:{game}:room:r1", NULL), "ended=", 6),
        0);
    assert_int_equal(get(0, "/v1/pools/game/players/ann")->status, 404);
}

static void test_bad_input_is_named(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int status;
        const char *detail;
    } rows[] = {
        {"GET", "/v1/pools/nope/endpoint", NULL, 404, "there are: game, club, arena, few"},
        {"GET", "/v1/pools/game/endpoint?player=a%20b", NULL, 400, "player: must be"},
        {"GET", "/v1/pools/game/endpoint?zone=a/b", NULL, 400, "zone: must be"},
        {"GET", "/v1/pools/game/endpoint?exclude=%zz", NULL, 400, "exclude:"},
        {"GET", "/v1/pools/game/endpoint?explain=1", NULL, 403, "explain:"},
        {"POST", "/v1/pools/game/rooms", "[1]", 400, "body:"},
        {"POST", "/v1/pools/game/rooms", "{\"room\":\"r\"}", 400, "players:"},
        {"POST", "/v1/pools/game/rooms", "{\"players\":[\"a\",\"a\"]}", 400, "twice"},
        {"POST", "/v1/pools/game/rooms", "{\"players\":[\"a\"],\"colour\":\"x\"}", 400, "colour"},
        {"GET", "/v1/pools/game/rooms", NULL, 405, "/v1/pools/game/rooms takes POST"},
        {"POST", "/v1/pools/game/endpoint", "{\"players\":[\"a\",\"b\"]}", 400,
         "players: must be one"},
        {"POST", "/v1/pools/game/rooms/r/start", "{\"players\":[\"a\",\"b\"]}", 400,
         "players: must be one"},
        {"GET", "/v1/pools/game/secrets", NULL, 404, "public listener"},
        {"GET", "/v1/pools/game/endpoint?version=9.9", NULL, 503, "no node"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct rig_answer *a =
            rig_lb_ask(lbs[0].public_port, rows[i].method, rows[i].path, NULL, rows[i].body);
        if (a->status != rows[i].status ||
            strstr(rig_answer_text(a, "detail"), rows[i].detail) == NULL)
            fail_msg("%s %s: %d %s", rows[i].method, rows[i].path, a->status,
                     rig_answer_text(a, "detail"));
    }
    /* What is for people is not on the players' port. */
    assert_int_equal(get(0, "/metrics")->status, 404);
    assert_int_equal(get(0, "/v1/pools")->status, 404);
}

/* Where nobody is, 503 is what one hears who may ask. */
static int status_of(const char *path, const char *bearer)
{
    return rig_lb_ask(lbs[0].public_port, "GET", path, bearer, NULL)->status;
}

static void test_who_may_ask_is_a_setting_of_the_pool(void **state)
{
    const char *club = "/v1/pools/club/endpoint?player=ann";
    assert_int_equal(status_of(club, NULL), 401);
    assert_int_equal(status_of(club, "club-token-3"), 401);
    assert_int_equal(status_of(club, "club-token-2"), 503);
    char token[TICKET_TEXT_MAX];
    struct ticket_keys *keys;
    struct ticket_key key = {SPAN("player"), SPAN(STUDIO_KEY)};
    struct ticket_grant grant = {.issuer = SPAN("studio"),
                                 .node = SPAN("any"),
                                 .pool = SPAN("any"),
                                 .player = SPAN("ann"),
                                 .jti = SPAN("1"),
                                 .issued_s = 1700000000,
                                 .expires_s = 1700000001};
    assert_int_equal(ticket_keys_create(&key, 1, &keys, NULL), 0);
    assert_true(ticket_sign(keys, &grant, token, sizeof token) > 0);
    assert_int_equal(status_of("/v1/pools/arena/endpoint", NULL), 401);
    assert_int_equal(status_of("/v1/pools/arena/endpoint", token), 401); /* expired long ago */
    grant.issued_s = time(NULL) - 10;
    grant.expires_s = grant.issued_s + 600;
    assert_true(ticket_sign(keys, &grant, token, sizeof token) > 0);
    assert_int_equal(status_of("/v1/pools/arena/endpoint", token), 503);
    assert_int_equal(status_of("/v1/pools/arena/endpoint?player=ann", token), 503);
    assert_int_equal(status_of("/v1/pools/arena/endpoint?player=bob", token), 403);
    ticket_keys_destroy(keys);
}

static void test_asks_are_limited_and_pages_are_let_in(void **state)
{
    int limited = 0;
    for (int i = 0; i < 8; i++)
        limited += status_of("/v1/pools/few/endpoint", NULL) == 429;
    assert_int_equal(limited, 3);
    int fd = wire_connect(lbs[0].public_port);
    wire_say(fd,
             "GET /v1/pools/few/endpoint HTTP/1.1\r\nHost: lb\r\nOrigin: https://game.example\r\n"
             "Connection: close\r\n\r\n");
    const char *head = wire_response_text(fd, false, NULL);
    assert_non_null(strstr(head, "Retry-After: "));
    assert_non_null(strstr(head, "https://game.example"));
    (void)close(fd);
}

static int64_t pending_at(int lb)
{
    const struct rig_answer *a =
        rig_lb_ask(lbs[lb].admin_port, "GET", "/v1/pools/game", NULL, NULL);
    return json_integer_value(json_object_get(a->body, "pending"));
}

static void test_what_one_hands_out_the_other_counts(void **state)
{
    int given[3] = {0};
    for (int i = 0; i < 30; i++) {
        const struct rig_node *node =
            node_of(rig_answer_text(get(i % 2, "/v1/pools/game/endpoint"), "node"));
        given[node - nodes]++;
        rig_sleep_ms(10); /* within which the other has heard */
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(given[i], 9, 11);
    assert_int_equal(pending_at(0), 30);
    assert_int_equal(pending_at(1), 30);
    rig_lb_kill(&lbs[0]);
    assert_int_equal(pending_at(1), 30); /* the dead one's players are still on their way */
}

/* ---- faults ---- */

static void test_a_killed_node_is_out_of_rotation_in_time(void **state)
{
    rig_sleep_ms(LOST_AFTER_MS + 400); /* past the hold that follows the first read */
    int64_t died = rig_now_ms();
    rig_node_kill(&nodes[1]);
    for (int lb = 0; lb < 2; lb++)
        (void)wait_nodes(lb, "lost", 1);
    assert_in_range(rig_now_ms() - died, 0, LOST_AFTER_MS + 1000 + 300); /* 300: two polls */
    for (int i = 0; i < 60; i++) {
        const struct rig_answer *a = get(i % 2, "/v1/pools/game/endpoint");
        assert_int_equal(a->status, 200);
        assert_string_not_equal(rig_answer_text(a, "node"), "gn-2");
    }
}

static void test_a_room_moves_only_when_its_node_is_dead(void **state)
{
    int status;
    char node[64];
    (void)snprintf(node, sizeof node, "%s", match(0, "r1", &status));
    assert_int_equal(status, 200);
    rig_sleep_ms(LOST_AFTER_MS + 400);
    for (int i = 0; i < 3; i++)
        if (strcmp(nodes[i].name, node) == 0)
            rig_node_kill(&nodes[i]);
    (void)wait_nodes(1, "lost", 1);
    int64_t end = rig_now_ms() + WAIT_MS;
    for (;;) {
        const struct rig_answer *a = get(1, "/v1/pools/game/endpoint?room=r1&player=r1-a");
        if (a->status == 200) {
            assert_string_not_equal(rig_answer_text(a, "node"), node);
            assert_true(json_is_true(json_object_get(a->body, "moved")));
            return;
        }
        assert_int_equal(a->status, 503);
        assert_true(rig_now_ms() < end);
        rig_sleep_ms(50);
    }
}

/* The store goes away and comes back: nobody is refused who need not be. */
static void store_goes_and_comes(void)
{
    int status;
    char known[64];
    struct err err = {0};
    (void)snprintf(known, sizeof known, "%s", match(0, "known", &status));
    assert_int_equal(status, 200);
    redis_client_close(rig.client);
    rig.client = NULL;
    redis_server_kill(&rig.redis);
    rig_sleep_ms(100);
    for (int64_t end = rig_now_ms() + 2000; rig_now_ms() < end; rig_sleep_ms(20)) {
        const struct rig_answer *a = get(0, "/v1/pools/game/endpoint");
        assert_int_equal(a->status, 200);
        assert_true(json_is_integer(json_object_get(a->body, "view_age_ms")));
    }
    const struct rig_answer *a = get(0, "/v1/pools/game/endpoint?room=known&player=late");
    assert_int_equal(a->status, 200);
    assert_string_equal(rig_answer_text(a, "node"), known);
    a = get(0, "/v1/pools/game/endpoint?room=new&player=late");
    assert_int_equal(a->status, 503);
    assert_non_null(strstr(rig_answer_text(a, "type"), "store-away"));
    assert_int_equal(redis_server_restart(&rig.redis, &err), 0);
    rig_reconnect(&rig);
    for (int64_t back = rig_now_ms(); rig_now_ms() < back + 5000; rig_sleep_ms(20)) {
        a = get(0, "/v1/pools/game/endpoint");
        if (a->status != 200)
            fail_msg("%lld ms after the store came back: %s: see %s",
                     (long long)(rig_now_ms() - back), rig_answer_text(a, "detail"),
                     lbs[0].process.log);
    }
    (void)wait_nodes(0, "ready", 3);
    (void)wait_nodes(1, "ready", 3);
    (void)match(1, "after", &status);
    assert_int_equal(status, 200);
}

static void test_answers_while_the_store_is_away_and_after(void **state)
{
    store_goes_and_comes();
}

static void test_answers_though_the_store_lost_its_memory(void **state)
{
    store_goes_and_comes();
}

static void test_the_survivor_owns_the_pool_in_time_and_gives_it_back(void **state)
{
    int64_t died = rig_now_ms();
    rig_lb_kill(&lbs[0]);
    rig_lb_wait_owner(&rig, "lb-b");
    assert_in_range(rig_now_ms() - died, 0, 1500);
    assert_int_equal(get(1, "/v1/pools/game/endpoint")->status, 200);
    int64_t again = rig_now_ms();
    rig_lb_start_one(&rig, lbs, 0);
    while (!rig_lb_answers(&lbs[0], "/v1/pools/game/endpoint")) {
        assert_in_range(rig_now_ms() - again, 0, 1500); /* its name is free only after 3 s */
        rig_sleep_ms(10);
    }
    assert_string_equal(rig_answer_text(get(0, "/v1/pools/game/endpoint"), "pool"), "game");
    rig_lb_wait_owner(&rig, "lb-a");
}

/* ---- operators ---- */

static void test_an_operator_drains_a_node_and_takes_it_back(void **state)
{
    const char *path = "/v1/pools/game/nodes/gn-1/want";
    const char *out = "{\"want\":\"draining\",\"reason\":\"a look at its disk\",\"until\":\"1h\"}";
    assert_int_equal(rig_lb_ask(lbs[1].admin_port, "PUT", path, NULL, out)->status, 401);
    assert_int_equal(
        rig_lb_ask(lbs[1].admin_port, "PUT", path, "admin-token", "{\"want\":\"x\"}")->status, 400);
    assert_int_equal(
        rig_lb_ask(lbs[1].admin_port, "PUT", "/v1/pools/game/nodes/gn-9/want", "admin-token", out)
            ->status,
        404);
    assert_int_equal(rig_lb_ask(lbs[1].admin_port, "PUT", path, "admin-token", out)->status, 202);
    (void)wait_nodes(0, "drained", 1);
    for (int i = 0; i < 20; i++)
        assert_string_not_equal(rig_answer_text(get(i % 2, "/v1/pools/game/endpoint"), "node"),
                                "gn-1");
    assert_int_equal(
        rig_lb_ask(lbs[0].admin_port, "PUT", path, "admin-token", "{\"want\":\"none\"}")->status,
        202);
    (void)wait_nodes(1, "ready", 3);
    const struct rig_answer *a =
        rig_lb_ask(lbs[0].admin_port, "GET", "/v1/events?pool=game", NULL, NULL);
    assert_int_equal(a->status, 200);
    assert_true(json_array_size(json_object_get(a->body, "events")) > 8);
}

/* What is misspelt must not be taken for left out: that would close a pool for ever. */
static void test_wishes_that_are_not_understood_are_refused(void **state)
{
    static const struct {
        const char *path, *body, *detail;
    } rows[] = {
        {"/v1/pools/game/closed", "{\"closed\":\"no\"}", "closed: must be true or false"},
        {"/v1/pools/game/closed", "{\"untli\":\"1h\"}", "untli: no such member"},
        {"/v1/pools/game/closed", "{\"until\":\"soon\"}", "until: must be"},
        {"/v1/pools/game/closed", "{\"message\":5}", "message: must be a text"},
        {"/v1/pools/game/closed", "[]", "body: must be"},
        {"/v1/pools/game/nodes/n-1/want", "{\"want\":\"gone\"}", "want: must be"},
        {"/v1/pools/game/nodes/n-1/want", "{\"want\":[]}", "want: must be"},
        {"/v1/pools/game/nodes/n-1/want", "{\"want\":\"held\",\"why\":\"x\"}", "why: no such"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct rig_answer *a =
            rig_lb_ask(lbs[0].admin_port, "PUT", rows[i].path, "admin-token", rows[i].body);
        if (a->status != 400 || strstr(rig_answer_text(a, "detail"), rows[i].detail) == NULL)
            fail_msg("%s: %d %s", rows[i].body, a->status, rig_answer_text(a, "detail"));
    }
    rig_sleep_ms(100);
    assert_int_equal(get(0, "/v1/pools/game/endpoint")->status, 200);
}

static void test_a_closed_pool_tells_its_message(void **state)
{
    const char *path = "/v1/pools/game/closed";
    assert_int_equal(rig_lb_ask(lbs[0].admin_port, "PUT", path, "admin-token",
                                "{\"message\":\"back at nine\",\"until\":\"1h\"}")
                         ->status,
                     202);
    int64_t end = rig_now_ms() + WAIT_MS;
    const struct rig_answer *a = get(1, "/v1/pools/game/endpoint");
    for (; a->status == 200 && rig_now_ms() < end; rig_sleep_ms(10))
        a = get(1, "/v1/pools/game/endpoint");
    assert_int_equal(a->status, 503);
    assert_string_equal(rig_answer_text(a, "detail"), "back at nine");
    assert_int_equal(
        rig_lb_ask(lbs[0].admin_port, "PUT", path, "admin-token", "{\"closed\":false}")->status,
        202);
    rig_sleep_ms(200);
    assert_int_equal(get(1, "/v1/pools/game/endpoint")->status, 200);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_match_meets_on_one_node_whichever_lb_is_asked),
        T(test_two_lbs_asked_at_once_give_one_node),
        T(test_a_ticket_opens_the_door_and_the_count_follows),
        T(test_start_and_finish_by_the_ticket_of_the_room),
        T(test_bad_input_is_named),
        T(test_who_may_ask_is_a_setting_of_the_pool),
        T(test_asks_are_limited_and_pages_are_let_in),
        T(test_what_one_hands_out_the_other_counts),
        T(test_a_killed_node_is_out_of_rotation_in_time),
        T(test_a_room_moves_only_when_its_node_is_dead),
        cmocka_unit_test_setup_teardown(test_answers_while_the_store_is_away_and_after,
                                        setup_durable, teardown),
        T(test_answers_though_the_store_lost_its_memory),
        T(test_the_survivor_owns_the_pool_in_time_and_gives_it_back),
        T(test_an_operator_drains_a_node_and_takes_it_back),
        T(test_wishes_that_are_not_understood_are_refused),
        T(test_a_closed_pool_tells_its_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
