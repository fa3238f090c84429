/* test_lb_service.c - what an operator hangs on a balancer: hooks that hear what happens, files
 * that take it out of service, and a health port that says so. */
#include "tests/support/cmocka.h"
#include "tests/support/rig_lb.h"

#include "io/port.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 15000 };

static struct rig rig;
static struct rig_lb lbs[2];
static struct rig_node nodes[2];
static int health_port;
static char dir[64], heard[96], maintenance[96];

static void write_file(const char *name, mode_t mode, const char *text)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/hooks.d/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int setup(void **state)
{
    char yaml[2048], hooks[96], script[512];
    struct err err = {0};
    (void)snprintf(dir, sizeof dir, "/tmp/berth-service-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(hooks, sizeof hooks, "%s/hooks.d", dir);
    (void)snprintf(heard, sizeof heard, "%s/heard", dir);
    (void)snprintf(maintenance, sizeof maintenance, "%s/maintenance.lb-a", dir);
    assert_int_equal(mkdir(hooks, 0755), 0);
    (void)snprintf(script, sizeof script,
                   "#!/bin/sh\necho \"$1 $BERTH_EVENT $BERTH_LB pool=$BERTH_POOL node=$BERTH_NODE "
                   "owner=$BERTH_OWNER from=$BERTH_FROM why=$BERTH_WHY\" >> %s\necho said\n",
                   heard);
    write_file("10-tell", 0755, script);
    (void)snprintf(script, sizeof script, "#!/bin/sh\necho bad >> %s\n", heard);
    write_file("20-anyone", 0757, script);
    write_file("30-readme", 0644, script);
    write_file("40-backup~", 0755, script);
    write_file("50-slow", 0755, "#!/bin/sh\nsleep 60\n");
    health_port = port_find_free(&err);
    assert_true(health_port > 0);
    int n = snprintf(yaml, sizeof yaml,
                     "pools:\n"
                     "  game: {report_interval: 200ms, lost_after: 1s, slow_start: 0s,\n"
                     "         probe.joining_interval: 100ms}\n");
    rig_lb_plan(lbs, yaml + n, sizeof yaml - (size_t)n);
    size_t len = strlen(yaml);
    (void)snprintf(yaml + len, sizeof yaml - len,
                   "  failback_after: 500ms\n  hooks: %s\n  hook_timeout: 200ms\n", hooks);
    rig_start(&rig, true, yaml);
    char port[32];
    (void)snprintf(port, sizeof port, "127.0.0.1:%d", health_port);
    const char *args[] = {"--lb.health", port, "--lb.maintenance_file", maintenance, NULL};
    rig_lb_start_with(&rig, lbs, 0, args);
    rig_lb_start_one(&rig, lbs, 1);
    nodes[0] = rig_node_start(&rig, "game", "gn-1", NULL);
    nodes[1] = rig_node_start(&rig, "game", "gn-2", NULL);
    rig_lb_wait_nodes(lbs, "ready", 2);
    rig_lb_wait_owner(&rig, "lb-a");
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    rig_lb_end(lbs);
    for (int i = 0; i < 2; i++)
        rig_node_kill(&nodes[i]);
    rig_stop(&rig);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static bool health_is_open(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)},
                             .sin_port = htons((uint16_t)health_port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool open = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    (void)close(fd);
    return open;
}

static void wait_health(bool open)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    while (health_is_open() != open) {
        if (rig_now_ms() > end)
            fail_msg("the health port is still %s", open ? "closed" : "open");
        rig_sleep_ms(10);
    }
}

static bool in_file(const char *path, const char *text)
{
    char line[2048];
    FILE *file = fopen(path, "r");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file))
        found = strstr(line, text) != NULL;
    if (file != NULL)
        (void)fclose(file);
    return found;
}

static void wait_in(const char *path, const char *text)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    while (!in_file(path, text)) {
        if (rig_now_ms() > end)
            fail_msg("no \"%s\" in %s", text, path);
        rig_sleep_ms(20);
    }
}

static void test_a_file_takes_a_balancer_out_without_touching_it(void **state)
{
    const char *endpoint = "/v1/pools/game/endpoint";
    wait_health(true);
    assert_int_equal(rig_lb_ask(health_port, "GET", "/", NULL, NULL)->status, 200);
    FILE *file = fopen(maintenance, "w");
    assert_non_null(file);
    (void)fclose(file);
    wait_health(false);
    assert_int_equal(rig_lb_ask(lbs[0].admin_port, "GET", "/readyz", NULL, NULL)->status, 503);
    assert_int_equal(rig_lb_ask(lbs[0].admin_port, "GET", "/healthz", NULL, NULL)->status, 200);
    assert_int_equal(rig_lb_ask(lbs[0].public_port, "GET", endpoint, NULL, NULL)->status, 200);
    rig_lb_wait_owner(&rig, "lb-b");
    assert_int_equal(unlink(maintenance), 0);
    wait_health(true);
    rig_lb_wait_owner(&rig, "lb-a");
    wait_in(heard, "failover failover lb-b pool=game node=lb-b owner=lb-b from=lb-a why=granted");
    wait_in(heard, "failback failback lb-a pool=game node=lb-a owner=lb-a from=lb-b why=granted");
}

/* lb-b decides, as it is told on its command line. */
static void test_by_hand_a_pool_goes_back_when_it_is_asked_for(void **state)
{
    const char *args[] = {"--lb.failback", "manual", NULL};
    char command[512];
    rig_lb_kill(&lbs[1]);
    rig_lb_start_with(&rig, lbs, 1, args);
    rig_lb_wait_nodes(lbs, "ready", 2);
    rig_lb_kill(&lbs[0]);
    rig_lb_wait_owner(&rig, "lb-b");
    char port[32];
    (void)snprintf(port, sizeof port, "127.0.0.1:%d", health_port);
    const char *first[] = {"--lb.health", port, "--lb.maintenance_file", maintenance, NULL};
    rig_lb_start_with(&rig, lbs, 0, first);
    rig_lb_wait_nodes(lbs, "ready", 2);
    rig_sleep_ms(4500); /* its name is free after three seconds; then failback_after, and more */
    rig_lb_wait_owner(&rig, "lb-b");
    (void)snprintf(command, sizeof command, "%s/berth failback game --config %s > /dev/null",
                   getenv("BERTH_BIN"), rig.config);
    assert_int_equal(system(command), 0);
    rig_lb_wait_owner(&rig, "lb-a");
}

static void test_hooks_hear_what_happens(void **state)
{
    rig_node_kill(&nodes[1]);
    wait_in(heard,
            "node_lost node_lost lb-a pool=game node=gn-2 owner= from=ready why=probe_failed");
    redis_client_close(rig.client);
    rig.client = NULL;
    redis_server_kill(&rig.redis);
    wait_in(heard, "redis_lost redis_lost lb-a");
    wait_in(heard, "redis_lost redis_lost lb-b");
    struct err err = {0};
    assert_int_equal(redis_server_restart(&rig.redis, &err), 0);
    rig_reconnect(&rig);
    wait_in(heard, "redis_back redis_back lb-a");
    wait_in(heard, "redis_back redis_back lb-b");
    wait_in(lbs[0].process.log, "ev=hook event=node_lost");
}

static void test_what_others_may_write_is_not_run_and_what_hangs_is_ended(void **state)
{
    const char *log = lbs[0].process.log;
    wait_in(log, "20-anyone why=others_may_write");
    assert_false(in_file(heard, "bad"));
    wait_in(log, "50-slow why=\"killed after 200 ms\"");
    wait_in(log, "10-tell line=said");
    char path[160];
    (void)snprintf(path, sizeof path, "%s/hooks.d", dir);
    assert_int_equal(chmod(path, 0777), 0);
    rig_lb_kill(&lbs[1]);
    rig_lb_start_one(&rig, lbs, 1);
    FILE *file = fopen(maintenance, "w");
    assert_non_null(file);
    (void)fclose(file);
    wait_in(lbs[1].process.log, "hooks.d why=others_may_write");
    assert_int_equal(unlink(maintenance), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_takes_a_balancer_out_without_touching_it),
        cmocka_unit_test(test_by_hand_a_pool_goes_back_when_it_is_asked_for),
        cmocka_unit_test(test_hooks_hear_what_happens),
        cmocka_unit_test(test_what_others_may_write_is_not_run_and_what_hangs_is_ended),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
