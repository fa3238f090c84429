/* test_probes.c - every kind of probe against real nodes, and a killed process that is out before
 * its silence could be noticed. */
#include "tests/support/cmocka.h"
#include "tests/support/rig_lb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 15000, KINDS = 5, OUT_MS = 200 };

static const char *const pools[KINDS] = {"game", "sio", "plain", "web", "own"};

static struct rig rig;
static struct rig_lb lbs[2];
static struct rig_node nodes[KINDS];
static char said[160], allow[160]; /* what the command of pool `own` wrote; lets it succeed */

static int setup(void **state)
{
    char yaml[4096], dir[] = "/tmp/berth-probes-XXXXXX";
    assert_non_null(mkdtemp(dir));
    (void)snprintf(said, sizeof said, "%s/said", dir);
    (void)snprintf(allow, sizeof allow, "%s/allow", dir);
    int n = snprintf(
        yaml, sizeof yaml,
        "pools:\n"
        "  game: {probe.joining_interval: 100ms, slow_start: 0s}\n"
        "  sio: {probe: {kind: socketio, joining_interval: 100ms}}\n"
        "  plain: {probe: {kind: tcp, joining_interval: 100ms}}\n"
        "  web: {probe: {kind: http, path: /metrics, joining_interval: 100ms}}\n" /* a long page */
        "  own: {probe: {kind: exec, joining_interval: 100ms, timeout: 500ms, command: "
        "'echo $BERTH_POOL $BERTH_NODE $BERTH_ENDPOINT ${#BERTH_TICKET} >> %s; test -e %s'}}\n",
        said, allow);
    rig_lb_plan(lbs, yaml + n, sizeof yaml - (size_t)n);
    rig_start(&rig, true, yaml);
    rig_lb_start(&rig, lbs);
    for (int i = 0; i < KINDS; i++) {
        char name[16];
        const char *args[] = {"--pool", pools[i], NULL};
        (void)snprintf(name, sizeof name, "n-%s", pools[i]);
        nodes[i] = rig_node_start(&rig, "game", name, args);
    }
    return 0;
}

static int teardown(void **state)
{
    rig_lb_end(lbs);
    for (int i = 0; i < KINDS; i++)
        rig_node_kill(&nodes[i]);
    rig_stop(&rig);
    (void)unlink(said);
    (void)unlink(allow);
    *strrchr(said, '/') = '\0';
    (void)rmdir(said);
    return 0;
}

static void state_of(int lb, int kind, char *buf, size_t size)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/pools/%s/nodes/n-%s", pools[kind], pools[kind]);
    const struct rig_answer *a = rig_lb_ask(lbs[lb].admin_port, "GET", path, NULL, NULL);
    (void)snprintf(buf, size, "%s %s", rig_answer_text(a, "state"), rig_answer_text(a, "probe"));
}

static int64_t until(int lb, int kind, const char *state)
{
    char now[96];
    int64_t began = rig_now_ms();
    for (;;) {
        state_of(lb, kind, now, sizeof now);
        if (strncmp(now, state, strlen(state)) == 0)
            return rig_now_ms() - began;
        if (rig_now_ms() > began + WAIT_MS)
            fail_msg("%s: is '%s', not %s: see %s", pools[kind], now, state, lbs[lb].process.log);
        rig_sleep_ms(2);
    }
}

static double metric(int lb, const char *name)
{
    char *text = rig_lb_text(lbs[lb].admin_port, "/metrics");
    char *at = strstr(text, name);
    assert_non_null(at);
    double value = strtod(at + strlen(name), NULL);
    free(text);
    return value;
}

static void test_every_kind_proves_a_node(void **state)
{
    for (int kind = 0; kind < KINDS - 1; kind++)
        (void)until(0, kind, "ready ok");
    char now[96];
    (void)until(0, KINDS - 1, "joining exit_code"); /* its command says no */
    FILE *file = fopen(allow, "w");
    assert_non_null(file);
    (void)fclose(file);
    (void)until(0, KINDS - 1, "ready ok");
    file = fopen(said, "r");
    assert_non_null(file);
    char line[256], expected[128];
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    int n = snprintf(expected, sizeof expected, "own n-own ws://127.0.0.1:%d/ws ", nodes[4].port);
    assert_memory_equal(line, expected, (size_t)n);
    assert_true(atoi(line + n) > 100);         /* a ticket */
    for (int kind = 0; kind < KINDS; kind++) { /* nobody of us counts as a player */
        state_of(0, kind, now, sizeof now);
        rig_wait_report(&rig, &(struct rig_node){.name = "n-game", .pool = "game"}, "conns=0");
    }
    assert_true(metric(0, "\nberth_lb_probes_held ") >= 2); /* game and plain; who owns them */
    assert_true(metric(1, "\nberth_lb_probes_held ") == 0);
}

/* Three missed reports would take three seconds. */
static void test_a_killed_process_is_out_in_milliseconds(void **state)
{
    static const int held[] = {0, 2}; /* ws, tcp */
    rig_sleep_ms(4500);               /* past the hold that follows the first read */
    for (int i = 0; i < 2; i++) {
        int64_t died = rig_now_ms();
        rig_node_kill(&nodes[held[i]]);
        (void)until(0, held[i], "lost");
        (void)until(1, held[i], "lost");
        assert_in_range(rig_now_ms() - died, 0, OUT_MS);
    }
    assert_int_equal(
        rig_lb_ask(lbs[1].public_port, "GET", "/v1/pools/game/endpoint", NULL, NULL)->status, 503);
    /* It was asked of the other peer, whose word counts. */
    const struct rig_answer *a =
        rig_lb_ask(lbs[0].admin_port, "GET", "/v1/events?pool=game", NULL, NULL);
    char *events = json_dumps(a->body, 0);
    assert_non_null(strstr(events, "why=probe_failed"));
    assert_null(strstr(events, "why=silent"));
    free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_proves_a_node),
        cmocka_unit_test(test_a_killed_process_is_out_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
