/* test_balance.c - twenty real game nodes, two balancers that hear each other, and a burst of real
 * players who ask the one and the other in turn: are the nodes equally full? */
#include "io/fetch.h"
#include "io/web.h"
#include "tests/support/cmocka.h"
#include "tests/support/rig_lb.h"
#include "tests/support/wire_client.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NODES = 20,
    PLAYERS = 2000,
    BURST_MS = 2000, /* in which all of them ask */
    EACH_MS = 10,
    LIMIT_MS = 20000, /* by then all must be in */
    ROUNDS = 5,
};
static const double ratio_max = 1.02;

static struct rig rig;
static struct rig_lb lbs[2];
static struct rig_node nodes[NODES];

static int setup(void **state)
{
    char yaml[1024];
    int n = snprintf(yaml, sizeof yaml,
                     "pools:\n"
                     "  game: {capacity: 1000, slow_start: 0s, probe.joining_interval: 100ms}\n");
    rig_lb_plan(lbs, yaml + n, sizeof yaml - (size_t)n);
    rig_start(&rig, true, yaml);
    rig_lb_start(&rig, lbs);
    for (int i = 0; i < NODES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "gn-%02d", i + 1);
        nodes[i] = rig_node_start(&rig, "game", name, NULL);
    }
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

/* ---- the burst ---- */

struct burst {
    struct loop *loop;
    struct log log;
    struct web *web;
    struct fetcher *fetcher;
    struct timer timer, limit;
    int64_t began_ms, all_in_ms;
    int asked, placed, admitted, failed;
    struct joiner {
        struct burst *burst;
        struct ws *ws;
        char ticket[TICKET_TEXT_MAX];
    } players[PLAYERS];
};

static int number_of(const struct joiner *p)
{
    return (int)(p - p->burst->players);
}

static void fail_player(const struct joiner *p, const char *what, struct span more)
{
    if (p->burst->failed++ == 0)
        print_message("player %d: %s %.*s\n", number_of(p), what, SPAN_ARG(more));
    loop_stop(p->burst->loop);
}

static void on_open(void *arg, struct ws *ws)
{
    struct joiner *p = arg;
    char text[TICKET_TEXT_MAX + 128];
    int n = snprintf(text, sizeof text,
                     "{\"type\":\"join\",\"room\":\"r%d\",\"player\":\"p%d\",\"ticket\":\"%s\"}",
                     number_of(p), number_of(p), p->ticket);
    assert_int_equal(ws_send(ws, (struct span){text, (size_t)n}), 0);
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct joiner *p = arg;
    struct burst *b = p->burst;
    static const char joined[] = "{\"type\":\"joined\"";
    if (data.len < sizeof joined || memcmp(data.ptr, joined, sizeof joined - 1) != 0) {
        fail_player(p, "expected joined, heard", data);
        return;
    }
    if (++b->admitted < PLAYERS)
        return;
    b->all_in_ms = rig_now_ms();
    loop_stop(b->loop);
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct joiner *p = arg;
    p->ws = NULL;
    if (strcmp(why, "shutdown") != 0)
        fail_player(p, "closed:", span_of(why));
}

static void on_answer(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct joiner *p = arg;
    if (code < 0 || response->status != 200) {
        fail_player(p, "no node:", code < 0 ? span_of(err->text) : response->body);
        return;
    }
    json_t *body = json_loadb(response->body.ptr, response->body.len, 0, NULL);
    const char *endpoint = json_string_value(json_object_get(body, "endpoint"));
    const char *ticket = json_string_value(json_object_get(body, "ticket"));
    if (endpoint == NULL || ticket == NULL ||
        !span_copy(span_of(ticket), p->ticket, sizeof p->ticket)) {
        fail_player(p, "not an answer:", response->body);
    } else {
        struct err wrong = {0};
        const struct ws_client_config config = {.url = endpoint, .connect_timeout_ms = 10000};
        const struct ws_handlers handlers = {
            .open = on_open, .message = on_message, .close = on_close, .arg = p};
        p->burst->placed++;
        p->ws = ws_connect(p->burst->web, &config, &handlers, &wrong);
        if (p->ws == NULL)
            fail_player(p, "not connected:", span_of(wrong.text));
    }
    json_decref(body);
}

/* Those whose time has come ask, each for a room of its own (a game node takes nobody without), one
 * the first balancer, the next one the other. */
static void on_timer(void *arg)
{
    struct burst *b = arg;
    int64_t due = (rig_now_ms() - b->began_ms) * PLAYERS / BURST_MS;
    for (; b->asked < PLAYERS && b->asked < due; b->asked++) {
        struct joiner *p = &b->players[b->asked];
        char url[128];
        struct err err = {0};
        (void)snprintf(url, sizeof url,
                       "http://127.0.0.1:%d/v1/pools/game/endpoint?room=r%d&player=p%d",
                       lbs[b->asked % 2].public_port, b->asked, b->asked);
        const struct fetch_request request = {.method = "GET", .url = url, .timeout_ms = 10000};
        p->burst = b;
        if (fetch_start(b->fetcher, &request, on_answer, p, &err) == NULL)
            return; /* 256 are under way: in a moment */
    }
}

static void on_limit(void *arg)
{
    loop_stop(((struct burst *)arg)->loop);
}

static struct burst *burst_create(void)
{
    struct burst *b = calloc(1, sizeof *b);
    struct err err = {0};
    assert_non_null(b);
    log_init(&b->log, "test_balance");
    b->log.level = LOG_ERROR;
    b->loop = loop_create(&err);
    b->web = web_create(b->loop, &b->log, &err);
    b->fetcher = fetcher_create(b->loop, &b->log, &err);
    if (b->loop == NULL || b->web == NULL || b->fetcher == NULL)
        fail_msg("%s", err.text);
    timer_init(&b->timer, b->loop, on_timer, b);
    timer_init(&b->limit, b->loop, on_limit, b);
    return b;
}

static void burst_destroy(struct burst *b)
{
    timer_stop(&b->timer);
    timer_stop(&b->limit);
    fetcher_destroy(b->fetcher);
    web_destroy(b->web);
    loop_destroy(b->loop);
    free(b);
}

/* What the process itself says. */
static int conns_of(const struct rig_node *node)
{
    const char *answer = wire_ask(node->port, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    const char *at = strstr(answer, "\"connections\":");
    assert_non_null(at);
    return atoi(at + strlen("\"connections\":"));
}

static void test_a_burst_over_both_balancers_fills_the_nodes_equally(void **state)
{
    struct burst *b = burst_create();
    b->began_ms = rig_now_ms();
    timer_start(&b->timer, 0, EACH_MS);
    timer_start(&b->limit, LIMIT_MS, 0);
    loop_run(b->loop);
    int least = PLAYERS, most = 0, sum = 0;
    for (int i = 0; i < NODES; i++) {
        int conns = conns_of(&nodes[i]);
        least = conns < least ? conns : least;
        most = conns > most ? conns : most;
        sum += conns;
    }
    double ratio = (double)most * NODES / PLAYERS;
    print_message("balance: nodes=%d lbs=2 players=%d asked=%d placed=%d admitted=%d in %.2f s "
                  "conns=%d..%d max/mean=%.3f\n",
                  NODES, PLAYERS, b->asked, b->placed, b->admitted,
                  (double)(b->all_in_ms - b->began_ms) / 1000, least, most, ratio);
    assert_int_equal(b->failed, 0);
    assert_int_equal(b->admitted, PLAYERS);
    assert_int_equal(sum, PLAYERS);
    assert_true(ratio <= ratio_max);
    burst_destroy(b);
}

/* What one balancer handed out is known to the other before any node has reported it: ten asks of
 * the one and then ten of the other are twenty nodes. */
static void test_two_balancers_hand_out_as_one(void **state)
{
    for (int round = 0; round < ROUNDS; round++) {
        bool seen[NODES] = {false};
        for (int i = 0; i < NODES; i++) {
            int lb = i < NODES / 2 ? 0 : 1;
            if (i == NODES / 2)
                rig_sleep_ms(100); /* counts are flushed within 10 ms */
            const struct rig_answer *a =
                rig_lb_ask(lbs[lb].public_port, "GET", "/v1/pools/game/endpoint", NULL, NULL);
            assert_int_equal(a->status, 200);
            int number = atoi(rig_answer_text(a, "node") + strlen("gn-"));
            assert_in_range(number, 1, NODES);
            if (seen[number - 1])
                fail_msg("round %d: %s twice", round, nodes[number - 1].name);
            seen[number - 1] = true;
        }
        rig_sleep_ms(100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_balancers_hand_out_as_one),
        cmocka_unit_test(test_a_burst_over_both_balancers_fills_the_nodes_equally),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
