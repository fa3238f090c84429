/* test_config.c - file, environment and flags become settings; faults say where and what is
 * allowed. */
#include "settings/rules.h"
#include "tests/support/cmocka.h"
#include "tests/unit/io/config_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The errors are exactly `want`; or begin with it when it does not end with a line feed. */
static void expect_error(const char *yaml, const char *want)
{
    struct config_run *run = config_run_yaml(yaml);
    assert_null(run->config);
    assert_int_equal(run->exit_code, 1);
    const char *got = config_run_errors(run);
    if (want[strlen(want) - 1] == '\n' || strncmp(got, want, strlen(want)) != 0)
        assert_string_equal(got, want);
    config_run_end(run);
}

static const struct pool_settings *pool(struct config_run *run, const char *name)
{
    const struct pool_settings *found = settings_pool(run->s, span_of(name));
    assert_non_null(found);
    return found;
}

static void test_defaults_alone_are_a_configuration(void **state)
{
    struct config_run *run = config_run_yaml("");
    assert_non_null(run->config);
    assert_string_equal(run->s->redis.host, "127.0.0.1");
    assert_int_equal(run->s->redis.port, 6379);
    assert_null(run->s->redis.password);
    assert_int_equal(run->s->redis.command_timeout_ms, 1000);
    assert_int_equal(run->s->pools.count, 0);
    assert_string_equal(config_where(run->config, &run->s->redis.port), "default");
    config_run_end(run);
}

static void test_reads_every_shape(void **state)
{
    struct config_run *run = config_run_yaml(
        "redis: {host: /run/redis.sock, db: 3}\n"
        "tickets:\n"
        "  keys:\n"
        "    - {kid: k2, secret: '0123456789abcdef'}\n"
        "    - {kid: k1, secret: fedcba9876543210}\n"
        "pools:\n"
        "  lobby:\n"
        "  game:\n"
        "    capacity: 250\n"
        "    probe: {kind: http, path: /ok}\n"
        "    access_tokens: [aaa, bbb]\n"
        "    scale:\n"
        "      provider: local\n"
        "      rules:\n"
        "        - {rule: average_connections, above: 70.5, hold: 2s}\n"
        "        - rule: min_ready\n"
        "          ready: 2\n"
        "lb:\n"
        "  peers:\n"
        "    lb-a: {public: '127.0.0.1:8080', admin: '[::1]:8081', owns: [game]}\n");
    assert_string_equal(run->errors, "");
    assert_string_equal(run->s->redis.host, "/run/redis.sock");
    assert_int_equal(run->s->tickets.keys.count, 2);
    assert_string_equal(SECTION_AT(run->s->tickets.keys, struct ticket_key_settings, 1)->kid, "k1");
    assert_int_equal(pool(run, "lobby")->capacity, 100); /* an empty section has the defaults */
    const struct pool_settings *game = pool(run, "game");
    assert_int_equal(game->capacity, 250);
    assert_int_equal(game->probe.kind, PROBE_HTTP);
    assert_string_equal(game->probe.path, "/ok");
    assert_int_equal(game->access_tokens.count, 2);
    assert_string_equal(game->access_tokens.items[1], "bbb");
    assert_int_equal(game->scale.rules.count, 2);
    const struct section_kind_item *rule =
        SECTION_AT(game->scale.rules, struct section_kind_item, 0);
    const struct average_connections_settings *average = rule->values;
    assert_string_equal(rule->kind, "average_connections");
    assert_true(average->above == 70.5);
    assert_int_equal(average->hold_ms, 2000);
    assert_int_equal(average->step, 1);
    const struct min_ready_settings *least =
        SECTION_AT(game->scale.rules, struct section_kind_item, 1)->values;
    assert_int_equal(least->ready, 2);
    const struct lb_peer_settings *peer = SECTION_AT(run->s->lb.peers, struct lb_peer_settings, 0);
    assert_string_equal(peer->name, "lb-a");
    assert_string_equal(peer->admin_listen.host, "::1");
    assert_int_equal(peer->admin_listen.port, 8081);
    assert_null(settings_pool(run->s, SPAN("none")));
    config_run_end(run);
}

static void test_flags_beat_environment_beats_file(void **state)
{
    char *envp[] = {"BERTH_REDIS__PORT=2000",
                    "BERTH_REDIS__DB=2",
                    "BERTH_POOLS__GAME__LOST_AFTER=5s",
                    "BERTH_LB__PEERS__LB_A__OWNS=x,y",
                    "BERTH_POOLS__NEW__RISE=7",
                    "BERTH_BIN=/nothing/of/ours",
                    "BERTH_GAMENODE__NONSENSE=1",
                    "PATH=/bin",
                    NULL};
    const char *flags[] = {"--redis.db=3",
                           "--name",
                           "lb-a",
                           "--pools.game.closed",
                           "--pools.game.rise",
                           "9",
                           "--tickets.keys.1.kid",
                           "k2",
                           "--tickets.keys.1.secret",
                           "a secret of flags",
                           NULL};
    struct config_run *run =
        config_run_with(&config_run_program,
                        "redis: {port: 1000, db: 1, namespace: n}\n"
                        "tickets: {keys: [{kid: k1, secret: 0123456789abcdef}]}\n"
                        "pools: {game: {lost_after: 4s, rise: 8}}\n"
                        "lb: {peers: {lb-a: {public: 'h:1', admin: 'h:2'}}}\n",
                        envp, flags);
    assert_string_equal(run->errors, "");
    assert_string_equal(run->s->redis.name_space, "n");
    assert_int_equal(run->s->redis.port, 2000);
    assert_int_equal(run->s->redis.db, 3);
    assert_int_equal(pool(run, "game")->lost_after_ms, 5000);
    assert_int_equal(pool(run, "game")->rise, 9);
    assert_true(pool(run, "game")->closed);
    assert_int_equal(pool(run, "new")->rise, 7);
    assert_string_equal(run->s->lb.name, "lb-a");
    assert_int_equal(SECTION_AT(run->s->lb.peers, struct lb_peer_settings, 0)->owns.count, 2);
    assert_string_equal(SECTION_AT(run->s->tickets.keys, struct ticket_key_settings, 1)->secret,
                        "a secret of flags");
    assert_string_equal(config_where(run->config, &run->s->redis.port),
                        "environment BERTH_REDIS__PORT");
    assert_string_equal(config_where(run->config, &run->s->redis.db), "flag --redis.db");
    assert_true(strstr(config_where(run->config, &run->s->redis.name_space), ":1") != NULL);
    config_run_end(run);
}

static void test_errors_teach(void **state)
{
    expect_error("pools:\n  game:\n    lost_after: 50ms\n",
                 "F:3: pools.game.lost_after = 50ms: must be 500ms..1h\n");
    expect_error("pools:\n  game:\n    lost_aftr: 5s\n",
                 "F:3: pools.game.lost_aftr: no such option; did you mean lost_after?\n");
    expect_error("pools: {game: {probe: {knd: ws}}}",
                 "F:1: pools.game.probe.knd: no such option; did you mean probe.kind?\n");
    expect_error("log: {zzzzzzzz: 1}",
                 "F:1: log.zzzzzzzz: no such option; known here: level format\n");
    expect_error("rediss: {}", "F:1: rediss: no such option; did you mean redis?\n");
    expect_error("redis:\n  port: 1\n  db: 1\n  port: 2\n",
                 "F:4: redis: port is here twice (first in line 2)\n");
    expect_error("redis: {}\nredis: {}\n", "F:2: redis is here twice (first in line 1)\n");
    expect_error("pools: {a: {}, a: {}}", "F:1: pools: a is here twice (first in line 1)\n");
    expect_error("redis:\n  port: [1]\n",
                 "F:2: redis.port: must be an integer 1..65535, not a list\n");
    expect_error("redis:\n  port:\n", "F:2: redis.port: must be an integer 1..65535, not empty\n");
    expect_error("redis: 5\n", "F:1: redis: must be a mapping (name: value), not a single value\n");
    expect_error("pools: [a]\n", "F:1: pools: must be a mapping (name: value), not a list\n");
    expect_error("pools: {'a b': {}}",
                 "F:1: pools: a b: must be a name of 1..63 letters, digits, or . _ ~ -\n");
    expect_error("pools: {a: {access_tokens: x}}",
                 "F:1: pools.a.access_tokens: must be a list of 0..16 items, not a single value\n");
    expect_error("pools: {a: {access_tokens: [[x]]}}",
                 "F:1: pools.a: access_tokens: an item of a list must be text, not a list\n");
    expect_error("pools: {a: {scale: {rules: [{rule: min_redy}]}}}",
                 "F:1: pools.a.scale.rules: rule = min_redy: must be one of "
                 "min_ready|average_connections|gauge|schedule|headroom|target|predict|webhook|"
                 "refused\n");
    expect_error(
        "pools: {a: {scale: {rules: [{rule: schedule, cron: '0 25 * * *', for: 1h, ready: 3}]}}}",
        "F:1: pools.a.scale.rules.0.cron = 0 25 * * *: hour = 25: must be *, or numbers 0..23, "
        "with , - and /\n");
    expect_error("pools: {a: {scale: {max: 3, rules: [{rule: min_ready, ready: 4}]}}}",
                 "F:1: pools.a.scale.max = 3: the rule min_ready asks for more (ready = 4)\n");
    expect_error("pools: {a: {scale: {max: 3, rules: [{rule: schedule, cron: '0 5 * * *', for: 1h, "
                 "ready: 4}]}}}",
                 "F:1: pools.a.scale.max = 3: the rule schedule asks for more (ready = 4)\n");
    expect_error(
        "pools: {a: {scale: {rules: [{rule: min_ready, above: 3}]}}}",
        "F:1: pools.a.scale.rules.0.above: no such option; known here: ready action command "
        "every url token timeout\n");
    expect_error("pools: {a: {scale: {rules: [{rule: average_connections}]}}}",
                 "F:1: pools.a.scale.rules.0.above: is missing: must be a number 0..1000000\n");
    expect_error("tickets:\n  keys:\n    - kid: k1\n",
                 "F:3: tickets.keys.0.secret: is missing: must be text of 16..256 bytes\n");
    expect_error(
        "tickets:\n  keys:\n    - {secret: 0123456789abcdef}\n    - {secret: 0123456789abcdef}\n",
        "F:3: tickets.keys.0.kid: is missing: must be a name of 1..63 letters, digits, or "
        ". _ ~ -\nF:4: tickets.keys.1.kid: is missing: must be a name of 1..63 letters, "
        "digits, or . _ ~ -\n");
    expect_error("tickets: {keys: [{kid: k1, secret: short}]}",
                 "F:1: tickets.keys.0.secret: must be text of 16..256 bytes\n");
}

static void test_sections_are_checked_as_a_whole(void **state)
{
    expect_error("pools:\n  game:\n    scale:\n      max: 3\n      min: 4\n",
                 "F:5: pools.game.scale.min = 4: must not be above max (3)\n");
    expect_error(
        "pools: {a: {scale: {launch_backoff: 1m, launch_backoff_max: 10s}}}",
        "F:1: pools.a.scale.launch_backoff_max = 10000ms: must not be below launch_backoff "
        "(60000ms)\n");
    expect_error("pools: {a: {scale: {boot_timeout: 5m, silent_timeout: 4m}}}",
                 "F:1: pools.a.scale.silent_timeout = 240000ms: must be 0s (never) or at least "
                 "boot_timeout (300000ms)\n");
    expect_error("pools: {a: {scale: {nodes_per_instance: 4, max: 6}}}",
                 "F:1: pools.a.scale.max = 6: must be a multiple of nodes_per_instance (4)\n");
    expect_error("pools: {a: {scale: {nodes_per_instance: 4, max: 8, max_step: 3}}}",
                 "F:1: pools.a.scale.max_step = 3: must be at least nodes_per_instance (4)\n");
    expect_error(
        "pools: {a: {scale: {nodes_per_instance: 2, rules: [{rule: average_connections, above: "
        "9}]}}}",
        "F:1: pools.a.scale.nodes_per_instance = 2: the rule average_connections has a smaller "
        "step (1), which could never drain an instance\n");
    expect_error("pools: {a: {scale: {nodes_per_instance: 0}}}",
                 "F:1: pools.a.scale.nodes_per_instance = 0: must be 1..64\n");
    expect_error("pools: {a: {scale: {rules: [{rule: min_ready, action: command}]}}}",
                 "F:1: pools.a.scale.rules.0.command: must be set, since action is command\n");
    expect_error(
        "pools: {a: {scale: {rules: [{rule: gauge, name: x, above: 1, action: webhook}]}}}",
        "F:1: pools.a.scale.rules.0.url: must be set, since action is webhook\n");
    expect_error("pools: {a: {scale: {rules: [{rule: headroom, places: 1, command: [x]}]}}}",
                 "F:1: pools.a.scale.rules.0.command: has no effect unless action is command\n");
    expect_error(
        "pools: {a: {scale: {rules: [{rule: webhook, url: 'ftp://x/y'}]}}}",
        "F:1: pools.a.scale.rules.0.url = ftp://x/y: must begin with http:// or https://\n");
    expect_error(
        "pools: {a: {scale: {rules: [{rule: webhook, url: 'http://x/y', interval: 2m}]}}}",
        "F:1: pools.a.scale.rules.0.max_age = 60000ms: must be above interval (120000ms), or "
        "every answer is too old before the next\n");
    expect_error(
        "pools: {a: {scale: {rules: [{rule: webhook, url: 'http://x/y', min: 3, max: 2}]}}}",
        "F:1: pools.a.scale.rules.0.min = 3: must not be above max (2)\n");
    expect_error("lb:\n  name: lb-c\n  peers:\n    lb-a: {public: 'h:1', admin: 'h:2'}\n    lb-b: "
                 "{public: 'h:3', admin: 'h:4'}\n",
                 "F:2: lb.name = lb-c: must be one of lb.peers: lb-a, lb-b\n");
    expect_error("pools: {a: {access: server}}",
                 "F:1: pools.a.access_tokens: must hold a token, since access is server\n");
    expect_error("pools:\n  a:\n    scale:\n      rules:\n        - rule: average_connections\n    "
                 "      above: 5\n          below: 6\n",
                 "F:7: pools.a.scale.rules.0.below = 6: must be less than above (5)\n");
    expect_error(
        "tickets: {keys: [{kid: k, secret: 0123456789abcdef}, {kid: k, secret: 0123456789abcdef}]}",
        "F:1: tickets.keys.1.kid: the same kid as keys.0: each key needs its own\n");
}

static void test_how_redis_is_reached_is_checked(void **state)
{
    expect_error(
        "redis: {sentinels: [a]}",
        "F:1: redis.master: must be set, since there are sentinels (their word for the primary: "
        "sentinel monitor NAME ...)\n");
    expect_error("redis: {master: m}",
                 "F:1: redis.sentinels: must name at least one, since master is set\n");
    expect_error("redis: {sentinels: [a], master: m, cluster: [b]}",
                 "F:1: redis.cluster: a Redis is found by sentinels or is a cluster, not both\n");
    expect_error("redis: {cluster: [a], db: 1}",
                 "F:1: redis.db = 1: must be 0, since it is a cluster\n");
    expect_error("redis: {password: p, password_file: /f}",
                 "F:1: redis.password_file: must not be set together with password\n");
    expect_error("redis: {username: u}",
                 "F:1: redis.password: must be set (or password_file), since username is\n");
    expect_error("redis: {ca: /f}", "F:1: redis.tls: must be yes, since ca is set\n");
    expect_error("redis: {tls: yes, cert: /f}", "F:1: redis.key: must be set, since cert is\n");
    expect_error("redis: {servers: {s: {master: m}}}",
                 "F:1: redis.servers.s.sentinels: must name at least one, since master is set\n");
    expect_error("pools: {a: {redis: s}}",
                 "F:1: pools.a.redis = s: must be one of redis.servers\n");
}

static void test_what_is_no_yaml(void **state)
{
    struct config_run *run = config_run_yaml("redis:\n  port: 1\n bad");
    assert_null(run->config);
    assert_non_null(strstr(config_run_errors(run), "F:3: not YAML: "));
    config_run_end(run);
    expect_error("redis: {}\n---\nlog: {}\n",
                 "F:3: a second document (---): one file is one configuration\n");
    expect_error("- redis\n", "F:1: must be a mapping (name: value), not a list\n");
    expect_error("redis: &x {port: *x}\n",
                 "F:1: redis.port: must be an integer 1..65535, not a mapping\n");
    expect_error("{[a]: b}", "F:1: a key must be a word, not a list\n");
    const char *flags[] = {"-c", "/nonexistent/berth.yaml", NULL};
    run = config_run_with(&config_run_program, "", NULL, flags);
    assert_null(run->config);
    assert_string_equal(run->errors,
                        "/nonexistent/berth.yaml: cannot be read: No such file or directory\n");
    config_run_end(run);
}

static void test_all_errors_up_to_the_limit(void **state)
{
    char yaml[2048] = "redis:\n", *at = yaml + strlen(yaml);
    for (int i = 0; i < CONFIG_ERRORS_MAX + 5; i++)
        at += sprintf(at, "  unknown%d: 1\n", i);
    struct config_run *run = config_run_yaml(yaml);
    size_t lines = 0;
    for (const char *c = run->errors; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, CONFIG_ERRORS_MAX + 1);
    assert_non_null(strstr(run->errors, "... and 5 more\n"));
    config_run_end(run);
}

static void test_limits_of_maps_and_lists(void **state)
{
    char yaml[4096] = "pools: {", *at = yaml + strlen(yaml);
    for (int i = 0; i <= POOLS_MAX; i++)
        at += sprintf(at, "p%d: {}, ", i);
    strcpy(at, "}");
    expect_error(yaml, "F:1: pools: there may be at most 64\n");
    expect_error(
        "tickets: {keys: [{kid: a, secret: 0123456789abcdef}, {kid: b, secret: 0123456789abcdef},"
        "{kid: c, secret: 0123456789abcdef}, {kid: d, secret: 0123456789abcdef}, {kid: e, secret: "
        "0123456789abcdef}]}",
        "F:1: tickets.keys: there may be at most 4\n");
}

static void test_faults_of_flags_and_environment(void **state)
{
    char *envp[] = {"BERTH_POOLS__GAME__LOST_AFTER=5ms", "BERTH_REDS__PORT=1", NULL};
    const char *flags[] = {
        "--redis.prot", "1",    "--rediss.port",        "2", "--lobbynode.match_size", "4",
        "-x",           "word", "--tickets.keys.3.kid", "k", "--redis.port",           NULL};
    struct config_run *run = config_run_with(&config_run_program, "", envp, flags);
    assert_null(run->config);
    assert_int_equal(run->exit_code, 2);
    assert_string_equal(
        config_run_errors(run),
        "environment BERTH_POOLS__GAME__LOST_AFTER: pools.game.lost_after = 5ms: must be "
        "500ms..1h\n"
        "environment BERTH_REDS__PORT: reds.port: no such option; did you mean redis?\n"
        "flag --redis.prot: redis.prot: no such option; did you mean port?\n"
        "flag --rediss.port: rediss.port: no such option; did you mean redis?\n"
        "flag --lobbynode.match_size: lobbynode: berth-test does not read this section\n"
        "-x: no such flag; --help tells them\n"
        "word: unexpected word; options begin with --, and --help tells them\n"
        "flag --tickets.keys.3.kid: tickets.keys: 3: must be the number of an item, 0..0\n"
        "--redis.port: needs a value\n");
    config_run_end(run);
}

static void test_flags_that_ask_are_written_as_they_are(void **state)
{
    static const char *const flags[] = {
        "--check-config=yes", "--help=x", "--config=", "-cfile", "-c", NULL};
    struct config_run *run = config_run_with(&config_run_program, "", NULL, flags);
    assert_null(run->config);
    assert_int_equal(run->exit_code, 2);
    assert_string_equal(config_run_errors(run), "--check-config: takes no value\n"
                                                "--help: takes no value\n"
                                                "--config=: needs a file\n"
                                                "-cfile: no such flag; --help tells them\n"
                                                "-c: needs a file\n");
    config_run_end(run);
}

/* Such a flag or variable used to be passed over in silence where the element was a new one. */
static void test_a_path_that_ends_too_soon_is_told(void **state)
{
    char *const envp[] = {(char *)(uintptr_t) "BERTH_POOLS__GAME=7", NULL};
    static const char too_long[] =
        "--pools.a123456789b123456789c123456789d123456789e123456789f123456789g123456789.capacity=5";
    static const char *const flags[] = {"--pools.game=5", "--pools.lobby=5", "--redis=5",
                                        "--pools=5",      too_long,          NULL};
    struct config_run *run =
        config_run_with(&config_run_program, "pools: {lobby: {}}\n", envp, flags);
    assert_null(run->config);
    assert_string_equal(
        config_run_errors(run),
        "environment BERTH_POOLS__GAME: pools.game: must be followed by one of its options, as in "
        "pools.game.redis\n"
        "flag --pools.game: pools.game: must be followed by one of its options, as in "
        "pools.game.redis\n"
        "flag --pools.lobby: pools.lobby: must be followed by one of its options, as in "
        "pools.lobby.redis\n"
        "flag --redis: redis: must be followed by one of its options, as in redis.namespace\n"
        "flag --pools: pools.NAME: must be followed by one of its options, as in "
        "pools.NAME.redis\n"
        "flag "
        "--pools.a123456789b123456789c123456789d123456789e123456789f123456789g123456789.capacity: "
        "pools: a123456789b123456789c123456789d123456789e123456789f123456789g123456789: must be a "
        "name of 1..63 "
        "letters, digits, or . _ ~ -\n");
    config_run_end(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_alone_are_a_configuration),
        cmocka_unit_test(test_reads_every_shape),
        cmocka_unit_test(test_flags_beat_environment_beats_file),
        cmocka_unit_test(test_errors_teach),
        cmocka_unit_test(test_sections_are_checked_as_a_whole),
        cmocka_unit_test(test_how_redis_is_reached_is_checked),
        cmocka_unit_test(test_what_is_no_yaml),
        cmocka_unit_test(test_all_errors_up_to_the_limit),
        cmocka_unit_test(test_limits_of_maps_and_lists),
        cmocka_unit_test(test_faults_of_flags_and_environment),
        cmocka_unit_test(test_a_path_that_ends_too_soon_is_told),
        cmocka_unit_test(test_flags_that_ask_are_written_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
