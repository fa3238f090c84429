/* test_berth_lb.c - two berth-lb on a real Redis with real game nodes: what players, operators and
 * a failing machine see. */
#include "io/port.h"
#include "io/spawn.h"
#include "tests/support/cmocka.h"
#include "tests/support/rig.h"
#include "tests/support/wire_client.h"

#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STUDIO_KEY "0123456789abcdef-of-the-studio"

enum { WAIT_MS = 15000, LOST_AFTER_MS = 1000 };

struct balancer {
    struct rig_node process; /* of which pid, name and log are used */
    int public_port, admin_port;
};

static struct rig rig;
static struct balancer lbs[2];
static struct rig_node nodes[3];
static const char *const node_names[] = {"gn-1", "gn-2", "gn-3"};

/* ---- HTTP ---- */

struct answer {
    int status;
    json_t *body; /* NULL: not JSON */
};

/* Valid until the next ask. */
static const struct answer *ask(int port, const char *method, const char *path, const char *bearer,
                                const char *body)
{
    static struct answer answer;
    char text[2048], auth[1400] = "";
    json_decref(answer.body);
    if (bearer != NULL)
        (void)snprintf(auth, sizeof auth, "Authorization: Bearer %s\r\n", bearer);
    (void)snprintf(
        text, sizeof text,
        "%s %s HTTP/1.1\r\nHost: lb\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n%s",
        method, path, body ? strlen(body) : 0, auth, body ? body : "");
    const char *head = NULL, *content = NULL;
    int fd = wire_connect(port);
    wire_say(fd, text);
    head = wire_response_text(fd, false, &content);
    (void)close(fd);
    answer.status = atoi(head + strlen("HTTP/1.1 "));
    answer.body = json_loads(content, 0, NULL);
    return &answer;
}

static const struct answer *get(int lb, const char *path)
{
    return ask(lbs[lb].public_port, "GET", path, NULL, NULL);
}

static const char *text_of(const struct answer *a, const char *key)
{
    const char *text = json_string_value(json_object_get(a->body, key));
    return text ? text : "";
}

/* A match of four, asked of one LB. The node, or "" (and the status in *ret_status). */
static const char *match(int lb, const char *room, int *ret_status)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"room\":\"%s\",\"players\":[\"%s-a\",\"%s-b\",\"%s-c\",\"%s-d\"]}", room,
                   room, room, room, room);
    const struct answer *a = ask(lbs[lb].public_port, "POST", "/v1/pools/game/rooms", NULL, body);
    *ret_status = a->status;
    return text_of(a, "node");
}

/* ---- life ---- */

static int free_port(void)
{
    struct err err = {0};
    int port = port_find_free(&err);
    if (port < 0)
        fail_msg("%s", err.text);
    return port;
}

static void start_lb(int i)
{
    struct rig_node *p = &lbs[i].process;
    char program[256];
    (void)snprintf(program, sizeof program, "%s/berth-lb", getenv("BERTH_BIN"));
    (void)snprintf(p->name, sizeof p->name, "lb-%c", 'a' + i);
    (void)snprintf(p->log, sizeof p->log, "%s/lb-%c.log", rig.redis.dir, 'a' + i);
    const char *argv[] = {program, "--config", rig.config, "--name", p->name, NULL};
    struct spawn spec = {.argv = argv, .output = p->log, .die_with_parent = SIGKILL};
    struct err err = {0};
    p->pid = spawn_process(&spec, &err);
    if (p->pid < 0)
        fail_msg("%s: %s", program, err.text);
}

static void wait_ready(int lb)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_addr = {htonl(INADDR_LOOPBACK)},
                                 .sin_port = htons((uint16_t)lbs[lb].admin_port)};
        bool up = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
        (void)close(fd);
        if (up && ask(lbs[lb].admin_port, "GET", "/readyz", NULL, NULL)->status == 200)
            return;
        if (rig_now_ms() > end)
            fail_msg("lb %d is not ready: see %s", lb, lbs[lb].process.log);
        rig_sleep_ms(20);
    }
}

/* Until lb sees so many nodes in this state. Returns how long it took. */
static int64_t wait_nodes(int lb, const char *state, int count)
{
    int64_t began = rig_now_ms();
    for (;;) {
        const struct answer *a = ask(lbs[lb].admin_port, "GET", "/v1/pools/game", NULL, NULL);
        json_t *states = json_object_get(a->body, "states");
        if (json_integer_value(json_object_get(states, state)) == count)
            return rig_now_ms() - began;
        if (rig_now_ms() > began + WAIT_MS)
            fail_msg("lb %d does not see %d %s: see %s", lb, count, state, lbs[lb].process.log);
        rig_sleep_ms(20);
    }
}

static void wait_owner(const char *name, int64_t limit_ms)
{
    int64_t end = rig_now_ms() + limit_ms;
    for (;;) {
        const char *owner = redis_client_text(rig.client, "GET", "berth:{game}:owner", NULL);
        if (strncmp(owner, name, strlen(name)) == 0)
            return;
        if (rig_now_ms() > end)
            fail_msg("game is owned by '%s', not %s", owner, name);
        rig_sleep_ms(5);
    }
}

static void begin(bool durable)
{
    char yaml[2048];
    for (int i = 0; i < 2; i++) {
        lbs[i].public_port = free_port();
        lbs[i].admin_port = free_port();
    }
    (void)snprintf(
        yaml, sizeof yaml,
        "pools:\n"
        "  game: {capacity: 1000, report_interval: 200ms, lost_after: 1s, forget_after: 30s,\n"
        "         ticket_ttl: 2s, room_ticket_ttl: 2s, slow_start: 0s, player_rate: 0,\n"
        "         probe.joining_interval: 100ms}\n"
        "  club: {access: server, access_tokens: [club-token-1, club-token-2]}\n"
        "  arena: {access: player, player_key: \"" STUDIO_KEY "\"}\n"
        "  few: {address_rate: 5, cors_origins: [\"https://game.example\"]}\n"
        "gamenode: {grace: 500ms, room_linger: 100ms}\n"
        "lb:\n"
        "  admin_token: admin-token\n"
        "  failback_after: 1s\n"
        "  peers:\n"
        "    lb-a: {public: \"127.0.0.1:%d\", admin: \"127.0.0.1:%d\", owns: [game]}\n"
        "    lb-b: {public: \"127.0.0.1:%d\", admin: \"127.0.0.1:%d\"}\n",
        lbs[0].public_port, lbs[0].admin_port, lbs[1].public_port, lbs[1].admin_port);
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
    start_lb(0);
    start_lb(1);
    for (int i = 0; i < 3; i++)
        nodes[i] = rig_node_start(&rig, "game", node_names[i], NULL);
    for (int i = 0; i < 2; i++) {
        wait_ready(i);
        (void)wait_nodes(i, "ready", 3);
    }
    wait_owner("lb-a", WAIT_MS);
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
    for (int i = 0; i < 2; i++)
        if (rig_node_runs(&lbs[i].process)) {
            (void)kill(lbs[i].process.pid, SIGTERM);
            assert_int_equal(rig_node_wait(&lbs[i].process, WAIT_MS), 0); /* under ASan: no leak */
        }
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
        assert_string_equal(text_of(get(r % 2, path), "node"), node);
        assert_string_equal(text_of(get((r + 1) % 2, path), "node"), node);
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
    const struct answer *a = get(1, "/v1/pools/game/endpoint?room=r1&player=ann");
    assert_int_equal(a->status, 200);
    const struct rig_node *node = node_of(text_of(a, "node"));
    char port[16];
    (void)snprintf(port, sizeof port, ":%d/", node->port);
    assert_non_null(strstr(text_of(a, "endpoint"), port));
    int ann = player_connect(node);
    player_say(ann, "{\"type\":\"join\",\"room\":\"r1\",\"player\":\"ann\",\"ticket\":\"%s\"}",
               text_of(a, "ticket"));
    (void)player_hear(ann, "joined");
    rig_wait_report(&rig, node, "conns=1");
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/pools/game/nodes/%s", node->name);
    int64_t end = rig_now_ms() + WAIT_MS, est = -1, conns = -1;
    while (conns != 1 && rig_now_ms() < end) {
        a = ask(lbs[0].admin_port, "GET", path, NULL, NULL);
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
    const struct answer *a = get(0, "/v1/pools/game/endpoint?room=r1&player=ann");
    char ticket[1200], node[64];
    (void)snprintf(ticket, sizeof ticket, "%s", text_of(a, "ticket"));
    (void)snprintf(node, sizeof node, "%s", text_of(a, "node"));
    a = ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r1/start", ticket, NULL);
    assert_int_equal(a->status, 200);
    assert_string_equal(text_of(a, "node"), node);
    assert_string_equal(text_of(a, "player"), "ann");
    a = get(1, "/v1/pools/game/players/ann");
    assert_int_equal(a->status, 200);
    assert_string_equal(text_of(a, "room"), "r1");
    assert_string_equal(text_of(a, "node"), node);
    assert_int_equal(
        ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r2/finish", ticket, NULL)->status,
        401);
    assert_int_equal(
        ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r1/finish", NULL, NULL)->status, 401);
    a = ask(lbs[1].public_port, "POST", "/v1/pools/game/rooms/r1/finish", ticket, NULL);
    assert_int_equal(a->status, 200);
    assert_int_equal(redis_client_int(rig.client, "EXISTS", "berth:{game}:room:r1", NULL), 0);
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
        {"GET", "/v1/pools/game/rooms", NULL, 405, "POST"},
        {"GET", "/v1/pools/game/secrets", NULL, 404, "public listener"},
        {"GET", "/v1/pools/game/endpoint?version=9.9", NULL, 503, "no node"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct answer *a =
            ask(lbs[0].public_port, rows[i].method, rows[i].path, NULL, rows[i].body);
        if (a->status != rows[i].status || strstr(text_of(a, "detail"), rows[i].detail) == NULL)
            fail_msg("%s %s: %d %s", rows[i].method, rows[i].path, a->status, text_of(a, "detail"));
    }
    /* What is for people is not on the players' port. */
    assert_int_equal(get(0, "/metrics")->status, 404);
    assert_int_equal(get(0, "/v1/pools")->status, 404);
}

/* Where nobody is, 503 is what one hears who may ask. */
static int status_of(const char *path, const char *bearer)
{
    return ask(lbs[0].public_port, "GET", path, bearer, NULL)->status;
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
    const struct answer *a = ask(lbs[lb].admin_port, "GET", "/v1/pools/game", NULL, NULL);
    return json_integer_value(json_object_get(a->body, "pending"));
}

static void test_what_one_hands_out_the_other_counts(void **state)
{
    int given[3] = {0};
    for (int i = 0; i < 30; i++) {
        const struct rig_node *node =
            node_of(text_of(get(i % 2, "/v1/pools/game/endpoint"), "node"));
        given[node - nodes]++;
        rig_sleep_ms(10); /* within which the other has heard */
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(given[i], 9, 11);
    assert_int_equal(pending_at(0), 30);
    assert_int_equal(pending_at(1), 30);
    (void)kill(lbs[0].process.pid, SIGKILL);
    (void)rig_node_wait(&lbs[0].process, WAIT_MS);
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
        const struct answer *a = get(i % 2, "/v1/pools/game/endpoint");
        assert_int_equal(a->status, 200);
        assert_string_not_equal(text_of(a, "node"), "gn-2");
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
        const struct answer *a = get(1, "/v1/pools/game/endpoint?room=r1&player=r1-a");
        if (a->status == 200) {
            assert_string_not_equal(text_of(a, "node"), node);
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
        const struct answer *a = get(0, "/v1/pools/game/endpoint");
        assert_int_equal(a->status, 200);
        assert_true(json_is_integer(json_object_get(a->body, "view_age_ms")));
    }
    const struct answer *a = get(0, "/v1/pools/game/endpoint?room=known&player=late");
    assert_int_equal(a->status, 200);
    assert_string_equal(text_of(a, "node"), known);
    a = get(0, "/v1/pools/game/endpoint?room=new&player=late");
    assert_int_equal(a->status, 503);
    assert_non_null(strstr(text_of(a, "type"), "store-away"));
    assert_int_equal(redis_server_restart(&rig.redis, &err), 0);
    rig_reconnect(&rig);
    for (int64_t back = rig_now_ms(); rig_now_ms() < back + 5000; rig_sleep_ms(20)) {
        a = get(0, "/v1/pools/game/endpoint");
        if (a->status != 200)
            fail_msg("%lld ms after the store came back: %s: see %s",
                     (long long)(rig_now_ms() - back), text_of(a, "detail"), lbs[0].process.log);
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
    (void)kill(lbs[0].process.pid, SIGKILL);
    (void)rig_node_wait(&lbs[0].process, WAIT_MS);
    wait_owner("lb-b", WAIT_MS);
    assert_in_range(rig_now_ms() - died, 0, 1500);
    assert_int_equal(get(1, "/v1/pools/game/endpoint")->status, 200);
    rig_sleep_ms(1500); /* its name is its own again after three seconds of silence */
    start_lb(0);
    wait_ready(0);
    wait_owner("lb-a", WAIT_MS);
}

/* ---- operators ---- */

static void test_an_operator_drains_a_node_and_takes_it_back(void **state)
{
    const char *path = "/v1/pools/game/nodes/gn-1/want";
    const char *out = "{\"want\":\"draining\",\"reason\":\"a look at its disk\",\"until\":\"1h\"}";
    assert_int_equal(ask(lbs[1].admin_port, "PUT", path, NULL, out)->status, 401);
    assert_int_equal(ask(lbs[1].admin_port, "PUT", path, "admin-token", "{\"want\":\"x\"}")->status,
                     400);
    assert_int_equal(
        ask(lbs[1].admin_port, "PUT", "/v1/pools/game/nodes/gn-9/want", "admin-token", out)->status,
        404);
    assert_int_equal(ask(lbs[1].admin_port, "PUT", path, "admin-token", out)->status, 202);
    (void)wait_nodes(0, "drained", 1);
    for (int i = 0; i < 20; i++)
        assert_string_not_equal(text_of(get(i % 2, "/v1/pools/game/endpoint"), "node"), "gn-1");
    assert_int_equal(
        ask(lbs[0].admin_port, "PUT", path, "admin-token", "{\"want\":\"none\"}")->status, 202);
    (void)wait_nodes(1, "ready", 3);
    const struct answer *a = ask(lbs[0].admin_port, "GET", "/v1/events?pool=game", NULL, NULL);
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
        const struct answer *a =
            ask(lbs[0].admin_port, "PUT", rows[i].path, "admin-token", rows[i].body);
        if (a->status != 400 || strstr(text_of(a, "detail"), rows[i].detail) == NULL)
            fail_msg("%s: %d %s", rows[i].body, a->status, text_of(a, "detail"));
    }
    rig_sleep_ms(100);
    assert_int_equal(get(0, "/v1/pools/game/endpoint")->status, 200);
}

static void test_a_closed_pool_tells_its_message(void **state)
{
    const char *path = "/v1/pools/game/closed";
    assert_int_equal(ask(lbs[0].admin_port, "PUT", path, "admin-token",
                         "{\"message\":\"back at nine\",\"until\":\"1h\"}")
                         ->status,
                     202);
    int64_t end = rig_now_ms() + WAIT_MS;
    const struct answer *a = get(1, "/v1/pools/game/endpoint");
    for (; a->status == 200 && rig_now_ms() < end; rig_sleep_ms(10))
        a = get(1, "/v1/pools/game/endpoint");
    assert_int_equal(a->status, 503);
    assert_string_equal(text_of(a, "detail"), "back at nine");
    assert_int_equal(
        ask(lbs[0].admin_port, "PUT", path, "admin-token", "{\"closed\":false}")->status, 202);
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
