/* test_config_checks.c - options that only make sense together: what contradicts itself is refused
 * before a program opens anything, and its neighbour at the bound is taken. */
#include "tests/support/cmocka.h"
#include "tests/unit/io/config_run.h"

#include <string.h>

struct row {
    const char *yaml;
    const char *words; /* of the error; NULL: it is right */
};

static const char *const reads[] = {"redis",  "log",      "tickets",   "pools", "lb", "autoscale",
                                    "alerts", "gamenode", "lobbynode", "agent", NULL};
static const struct config_program all = {"berth-test", "every section", reads, NULL, NULL};

static void run_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct config_run *run = config_run_with(&all, rows[i].yaml, NULL, NULL);
        const char *errors = config_run_errors(run);
        if (rows[i].words ? run->config || !strstr(errors, rows[i].words) : !run->config)
            fail_msg("%s\nnot \"%s\" but \"%s\"", rows[i].yaml,
                     rows[i].words ? rows[i].words : "(right)", errors);
        config_run_end(run);
    }
}
#define RUN(rows) run_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_a_lease_outlives_a_lost_renewal(void **state)
{
    static const struct row rows[] = {
        {"lb: {lease: 1s, lease_renew: 501ms}",
         "lease_renew = 501ms: must be at most half of lease (1000ms)"},
        {"lb: {lease: 1s, lease_renew: 500ms}", NULL},
        {"lb: {tls_cert: /a}", "tls_key: must be set too: certificate and key go together"},
        {"lb: {tls_key: /a}", "tls_cert: must be set too"},
        {"pools: {game: {report_interval: 1s, lost_after: 1999ms}}",
         "lost_after = 1999ms: must be at least two report intervals (2000ms)"},
        {"pools: {game: {report_interval: 1s, lost_after: 2s}}", NULL},
        {"pools: {game: {access: server}}", "access_tokens: must hold a token"},
        {"pools: {game: {access: player}}", "player_key: must be set"},
        {"pools: {game: {probe: {kind: exec}}}", "probe.command: must be set"},
    };
    RUN(rows);
}

static void test_a_fleet_can_be_what_its_rules_ask_for(void **state)
{
#define SCALE(x) "pools: {game: {scale: {provider: local, " x "}}}"
    static const struct row rows[] = {
        {SCALE("min: 5, max: 4"), "min = 5: must not be above max (4)"},
        {SCALE("min: 4, max: 4"), NULL},
        {SCALE("launch_backoff: 10m, launch_backoff_max: 9m"), "launch_backoff_max = 540000ms"},
        {SCALE("boot_timeout: 10m, silent_timeout: 9m"),
         "silent_timeout = 540000ms: must be 0s (never) or at least boot_timeout (600000ms)"},
        {SCALE("boot_timeout: 10m, silent_timeout: 0s"), NULL},
        {SCALE("max: 9, nodes_per_instance: 2"),
         "max = 9: must be a multiple of nodes_per_instance (2)"},
        {SCALE("max: 8, nodes_per_instance: 4, max_step: 3"),
         "max_step = 3: must be at least nodes_per_instance (4)"},
        {SCALE("max: 8, nodes_per_instance: 4, max_step: 4"), NULL},
        {SCALE("max: 3, rules: [{rule: min_ready, ready: 4}]"),
         "max = 3: the rule min_ready asks for more (ready = 4)"},
        {SCALE("max: 4, rules: [{rule: min_ready, ready: 4}]"), NULL},
        {SCALE("max: 8, max_step: 8, nodes_per_instance: 2, rules: "
               "[{rule: average_connections, above: 9, step: 1}]"),
         "nodes_per_instance = 2: the rule average_connections has a smaller step (1)"},
    };
    RUN(rows);
}

static void test_redis_is_found_in_one_way(void **state)
{
    static const struct row rows[] = {
        {"redis: {sentinels: [a], master: m, cluster: [b]}", "by sentinels or is a cluster"},
        {"redis: {sentinels: [a]}", "master: must be set, since there are sentinels"},
        {"redis: {master: m}", "sentinels: must name at least one"},
        {"redis: {cluster: [a], db: 1}", "db = 1: must be 0, since it is a cluster"},
        {"redis: {password: a, password_file: /b}", "password_file: must not be set together"},
        {"redis: {username: a}", "password: must be set (or password_file)"},
        {"redis: {tls: yes, cert: /a}", "key: must be set, since cert is"},
        {"redis: {tls: yes, key: /a}", "cert: must be set, since key is"},
        {"redis: {ca: /a}", "tls: must be yes, since ca is set"},
        {"redis: {tls: yes, host: /run/redis.sock}", "tls: a unix socket has none"},
        {"redis: {sentinels: [a, 'b:1'], master: m, username: u, password_file: /p, tls: yes}",
         NULL},
    };
    RUN(rows);
}

static void test_a_match_can_be_made_and_be_given_up(void **state)
{
    static const struct row rows[] = {
        {"lobbynode: {modes: {duel: {size: 2, party_max: 3}}}",
         "party_max = 3: must not be above size (2)"},
        {"lobbynode: {modes: {duel: {size: 2, party_max: 2, window_start: 9, window_max: 8}}}",
         "window_start = 9: must not be above window_max (8)"},
        {"lobbynode: {modes: {duel: {size: 2, party_max: 2, on_timeout: smaller, size_min: 3}}}",
         "size_min = 3: must not be above size (2)"},
        {"lobbynode: {match_ttl: 10s, match_retry: 10s}", "match_ttl must be above match_retry"},
        {"lobbynode: {match_retry: 2s, lobby_lease: 3s}",
         "match_retry = 2000ms: must not be below lobby_lease (3000ms)"},
    };
    RUN(rows);
}

static void test_a_sidecar_knows_whom_it_counts_and_tells(void **state)
{
    static const struct row rows[] = {
        {"agent: {count: {kind: json}}", "count.url: must be set, since count.kind is json"},
        {"agent: {count: {kind: prometheus, url: 'http://a/'}}", "count.value: must be set"},
        {"agent: {count: {kind: command}}", "count.command: must be set"},
        {"agent: {count: {kind: process}}", "count.pid_file: must be set"},
        {"agent: {count: {interval: 5s, stale: 5s}}", "count.stale must be above count.interval"},
        {"agent: {drain: {signal: SIGUSR1}}", "drain.signal: whom?"},
        {"agent: {drain: {signal: SIGUSR1}, count: {pid_file: /run/a.pid}}", NULL},
    };
    RUN(rows);
}

static void test_clouds_are_asked_for_what_they_can_make(void **state)
{
#define EC2(x) "autoscale: {ec2: {templates: {game: {launch_template: lt-1, " x "}}}}"
#define STACK(x) "autoscale: {cloudformation: {stacks: {game: {" x "}}}}"
    static const struct row rows[] = {
        {EC2("subnets: [subnet-1], zones: [a]"), "zones: must not be set beside subnets"},
        {EC2("subnets: [net-1]"), "subnets: net-1: must be the id of a subnet"},
        {EC2("tags: [a]"), "tags: a: must be key=value"},
        {EC2("tags: ['AWS:x=1']"), "tags: AWS:x=1: keys of aws: and berth: are taken"},
        {EC2("tags: ['berth:pool=x']"), "keys of aws: and berth: are taken"},
        {STACK("template_url: 'https://a.example', template_file: /b"), "one of template_url and"},
        {STACK("template_url: 'https://a.example', capabilities: [CAPABILITY_ALL]"),
         "capabilities: CAPABILITY_ALL: must be CAPABILITY_IAM"},
    };
    RUN(rows);
}

static void test_alerts_go_to_an_address_and_mute_what_there_is(void **state)
{
    static const struct row rows[] = {
        {"alerts: {to: {ops: {kind: slack, url: 'https://a.example', url_file: /b}}}",
         "url: not together with url_file"},
        {"alerts: {to: {ops: {kind: slack, url: 'ftp://a.example'}}}",
         "url: must begin with https://"},
        {"alerts: {to: {ops: {kind: slack, url: 'https://a.example', mute: [noise]}}}",
         "mute = noise: no kind of alert; there are: "},
        {"alerts: {to: {ops: {kind: slack, url: 'https://a.example', mute: [leader_change]}}}",
         NULL},
        {"gamenode: {position_max: 4KiB, send_max: 4KiB}",
         "position_max = 4096: must be at most half of send_max (4096 bytes)"},
    };
    RUN(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_outlives_a_lost_renewal),
        cmocka_unit_test(test_a_fleet_can_be_what_its_rules_ask_for),
        cmocka_unit_test(test_redis_is_found_in_one_way),
        cmocka_unit_test(test_a_match_can_be_made_and_be_given_up),
        cmocka_unit_test(test_a_sidecar_knows_whom_it_counts_and_tells),
        cmocka_unit_test(test_clouds_are_asked_for_what_they_can_make),
        cmocka_unit_test(test_alerts_go_to_an_address_and_mute_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
