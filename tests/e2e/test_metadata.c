/* test_metadata.c - nodes that ask the machine who they are, and hear that it goes: a server that
 * wants version 2 (imds_endpoint.py). */
#include "tests/support/cmocka.h"
#include "tests/support/py_server.h"
#include "tests/support/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char yaml[] =
    "pools:\n"
    "  game: {capacity: 4, report_interval: 200ms}\n"
    "  ranked: {capacity: 9, report_interval: 200ms}\n"
    "gamenode: {metadata: aws, metadata_interval: 100ms,\n"
    "  advertise: "
    "\"ws://127.0.0.1:{port}/{instance}/{zone}/{address}/{public_address}/{pool}/{node}\"}\n";

static struct py_server imds;

static void set(const char *path, const char *value)
{
    char json[512];
    (void)snprintf(json, sizeof json, "{\"items\": {\"/latest/meta-data/%s\": \"%s\"}}", path,
                   value);
    py_server_post(&imds, "/control", json);
}

static void unset(const char *path)
{
    char json[256];
    (void)snprintf(json, sizeof json, "{\"remove\": [\"/latest/meta-data/%s\"]}", path);
    py_server_post(&imds, "/control", json);
}

static int start(void **state)
{
    py_server_start(&imds, "tests/support/imds_endpoint.py", NULL);
    (void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url, 1);
    set("instance-id", "i-0abc");
    set("placement/availability-zone", "eu-west-1b");
    set("local-ipv4", "10.0.0.7");
    set("public-ipv4", "203.0.113.9");
    set("tags/instance/berth:pool", "ranked");
    return 0;
}

static int stop(void **state)
{
    py_server_stop(&imds);
    return 0;
}

static struct rig_node start_node(struct rig *rig, const char *const *args)
{
    struct rig_node node = rig_node_start(rig, "game", "gn-1", args);
    (void)snprintf(node.pool, sizeof node.pool, "ranked");
    return node;
}

static void test_a_node_learns_who_and_where_it_is(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = start_node(&rig, NULL);
    rig_wait_row(&rig, &node, "nodes", "gn-1", "\"instance\":\"i-0abc\"");
    rig_wait_row(&rig, &node, "nodes", "gn-1", "\"zone\":\"eu-west-1b\"");
    rig_wait_row(&rig, &node, "nodes", "gn-1", "\"capacity\":9");
    rig_wait_row(&rig, &node, "nodes", "gn-1",
                 "/i-0abc/eu-west-1b/10.0.0.7/203.0.113.9/ranked/gn-1\"");
    assert_int_equal(py_server_number(&imds, "/control", "unsigned"), 0);
    rig_node_end(&node);
    /* What is configured wins, but for the pool. */
    const char *args[] = {"--zone", "rack-4", "--instance", "mine", "--pool", "game", NULL};
    node = start_node(&rig, args);
    rig_wait_row(&rig, &node, "nodes", "gn-1", "\"zone\":\"rack-4\"");
    rig_wait_row(&rig, &node, "nodes", "gn-1", "\"instance\":\"mine\"");
    rig_node_end(&node);
    rig_stop(&rig);
}

static void drains(struct rig *rig, struct rig_node *node, const char *path, const char *value,
                   const char *why)
{
    char text[64];
    (void)snprintf(text, sizeof text, "why=%s", why);
    set(path, value);
    rig_wait_row(rig, node, "wants", "gn-1|node", text);
    rig_wait_report(rig, node, "drain=1");
    unset(path);
}

static void test_notices_drain_the_node_each_with_its_reason(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = start_node(&rig, NULL);
    rig_move(&rig, &node, NODE_JOINING, NODE_READY);
    int ann = player_join(&node, "r1", "ann");
    set("events/maintenance/scheduled", "[]");
    set("autoscaling/target-lifecycle-state", "InService");
    set("spot/instance-action", "<html>Not on this cloud</html>"); /* no notice */
    rig_sleep_ms(300);
    rig_wait_report(&rig, &node, "drain=0");
    unset("spot/instance-action");
    drains(&rig, &node, "events/maintenance/scheduled",
           "[{\\\"Code\\\": \\\"system-reboot\\\", \\\"State\\\": \\\"active\\\"}]",
           "scheduled_event");
    rig_wait_report(&rig, &node, "drain=0"); /* it was called off */
    drains(&rig, &node, "autoscaling/target-lifecycle-state", "Terminated", "asg_terminated");
    rig_wait_report(&rig, &node, "drain=0");
    char notice[128], at[32];
    time_t then = time(NULL) + 120;
    struct tm tm;
    (void)strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
    (void)snprintf(notice, sizeof notice,
                   "{\\\"action\\\": \\\"terminate\\\", \\\"time\\\": \\\"%s\\\"}", at);
    drains(&rig, &node, "spot/instance-action", notice, "spot_interruption");
    rig_move(&rig, &node, NODE_READY, NODE_DRAINING);
    const char *told = player_hear_with(ann, "draining", "\"reason\":\"spot_interruption\"");
    const char *left = strstr(told, "\"deadline_ms\":");
    assert_non_null(left);
    assert_in_range(strtoll(left + 14, NULL, 10), 100000, 120000);
    player_drop(ann);
    rig_node_end(&node);
    rig_stop(&rig);
}

/* berth-gamenode with these arguments ends at once with this in its words. */
static void ends_saying(struct rig *rig, const char *flags, const char *words)
{
    char command[512], text[1024];
    (void)snprintf(command, sizeof command, "%s/berth-gamenode --config %s %s 2>&1",
                   getenv("BERTH_BIN") ? getenv("BERTH_BIN") : ".", rig->config, flags);
    FILE *f = popen(command, "re"); // NOLINT(cert-env33-c): our own program
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    int status = pclose(f);
    if (status == 0 || !strstr(text, words))
        fail_msg("status %d, no \"%s\" in: %s", status, words, text);
}

static void test_what_is_wrong_is_said(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    ends_saying(&rig, "--gamenode.advertise 'ws://{hots}/ws'",
                "advertise: ws://{hots}/ws: {hots} is not known; there are {host} {port} {node} "
                "{pool} {zone} {instance} "
                "{address} {public_address} {name}");
    ends_saying(&rig, "--gamenode.metadata off", "{instance} has no value here");
    set("tags/instance/berth:pool", "nowhere");
    ends_saying(&rig, "",
                "pool nowhere (the instance's tag berth:pool) is not among the configured");
    set("tags/instance/berth:pool", "ranked");
    py_server_post(&imds, "/control", "{\"refuse\": true}");
    ends_saying(&rig, "", "metadata is aws, but http://127.0.0.1:");
    const char *args[] = {"--gamenode.metadata", "auto", "--gamenode.advertise",
                          "ws://127.0.0.1:{port}/{pool}", NULL};
    struct rig_node node =
        rig_node_start(&rig, "game", "gn-1", args); /* not on EC2: that is fine */
    rig_wait_row(&rig, &node, "nodes", "gn-1", "\"endpoint\":\"ws://127.0.0.1:");
    py_server_post(&imds, "/control", "{\"refuse\": false}");
    rig_node_end(&node);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_learns_who_and_where_it_is),
        cmocka_unit_test(test_notices_drain_the_node_each_with_its_reason),
        cmocka_unit_test(test_what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
