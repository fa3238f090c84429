/* The whole configuration: file, environment and flags; and faults that say where and what is
 * allowed. */
#include "io/config.h"
#include "settings/rules.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const reads[] = {"redis", "log", "tickets", "pools", "lb", NULL};
static const struct config_alias aliases[] = {
    {"--name", "lb.name"}, {"-n", "lb.name"}, {NULL, NULL}};
static const struct config_program program = {"berth-test", "a program for the tests", reads,
                                              aliases, NULL};

/* One run of config_open on a file with this text. */
struct run {
    struct config *config;
    const struct settings *s;
    char *out, *errors;
    size_t out_len, errors_len;
    int exit_code;
    char file[64];
    const char *argv[16]; /* borrowed by the configuration */
};

static struct run *open_with(const struct config_program *p, const char *yaml, char *const *envp,
                             const char *const *flags)
{
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    const char **argv = run->argv;
    int argc = 0;
    argv[argc++] = "berth-test";
    argv[argc++] = "-c";
    argv[argc++] = run->file;
    (void)snprintf(run->file, sizeof run->file, "/tmp/berth-config-XXXXXX");
    int fd = mkstemp(run->file);
    assert_true(fd >= 0);
    assert_true(write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml));
    close(fd);
    for (; flags && *flags; flags++)
        argv[argc++] = *flags;
    FILE *out = open_memstream(&run->out, &run->out_len),
         *errors = open_memstream(&run->errors, &run->errors_len);
    assert_true(out && errors);
    run->exit_code = -1;
    run->config =
        config_open(p, argc, (char *const *)(uintptr_t)argv, envp, out, errors, &run->exit_code);
    fclose(out);
    fclose(errors);
    if (run->config)
        run->s = config_settings(run->config);
    return run;
}

static struct run *open_yaml(const char *yaml)
{
    return open_with(&program, yaml, NULL, NULL);
}

static void end(struct run *run)
{
    config_close(run->config);
    unlink(run->file);
    free(run->out);
    free(run->errors);
    free(run);
}

/* The errors with the file's name cut to "F". */
static const char *errors_of(struct run *run)
{
    char *hit;
    size_t len = strlen(run->file);
    while ((hit = strstr(run->errors, run->file))) {
        *hit = 'F';
        memmove(hit + 1, hit + len, strlen(hit + len) + 1);
    }
    return run->errors;
}

/* The errors are exactly `want`; or begin with it when it does not end with a line feed. */
static void expect_error(const char *yaml, const char *want)
{
    struct run *run = open_yaml(yaml);
    assert_null(run->config);
    assert_int_equal(run->exit_code, 1);
    const char *got = errors_of(run);
    if (want[strlen(want) - 1] == '\n' || strncmp(got, want, strlen(want)) != 0)
        assert_string_equal(got, want);
    end(run);
}

static const struct pool_settings *pool(struct run *run, const char *name)
{
    const struct pool_settings *found = settings_pool(run->s, span_of(name));
    assert_non_null(found);
    return found;
}

static void test_defaults_alone_are_a_configuration(void **state)
{
    struct run *run = open_yaml("");
    assert_non_null(run->config);
    assert_string_equal(run->s->redis.host, "127.0.0.1");
    assert_int_equal(run->s->redis.port, 6379);
    assert_null(run->s->redis.password);
    assert_int_equal(run->s->redis.command_timeout_ms, 1000);
    assert_int_equal(run->s->pools.count, 0);
    assert_string_equal(config_where(run->config, &run->s->redis.port), "default");
    end(run);
}

static void test_reads_every_shape(void **state)
{
    struct run *run =
        open_yaml("redis: {host: /run/redis.sock, db: 3}\n"
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
    end(run);
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
    struct run *run = open_with(&program,
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
    end(run);
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
                 "min_ready|average_connections|gauge|schedule|headroom|target|predict|webhook\n");
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
    struct run *run = open_yaml("redis:\n  port: 1\n bad");
    assert_null(run->config);
    assert_non_null(strstr(errors_of(run), "F:3: not YAML: "));
    end(run);
    expect_error("redis: {}\n---\nlog: {}\n",
                 "F:3: a second document (---): one file is one configuration\n");
    expect_error("- redis\n", "F:1: must be a mapping (name: value), not a list\n");
    expect_error("redis: &x {port: *x}\n",
                 "F:1: redis.port: must be an integer 1..65535, not a mapping\n");
    expect_error("{[a]: b}", "F:1: a key must be a word, not a list\n");
    const char *flags[] = {"-c", "/nonexistent/berth.yaml", NULL};
    run = open_with(&program, "", NULL, flags);
    assert_null(run->config);
    assert_string_equal(run->errors,
                        "/nonexistent/berth.yaml: cannot be read: No such file or directory\n");
    end(run);
}

static void test_all_errors_up_to_the_limit(void **state)
{
    char yaml[2048] = "redis:\n", *at = yaml + strlen(yaml);
    for (int i = 0; i < CONFIG_ERRORS_MAX + 5; i++)
        at += sprintf(at, "  unknown%d: 1\n", i);
    struct run *run = open_yaml(yaml);
    size_t lines = 0;
    for (const char *c = run->errors; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, CONFIG_ERRORS_MAX + 1);
    assert_non_null(strstr(run->errors, "... and 5 more\n"));
    end(run);
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
    struct run *run = open_with(&program, "", envp, flags);
    assert_null(run->config);
    assert_int_equal(run->exit_code, 2);
    assert_string_equal(
        errors_of(run),
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
    end(run);
}

struct changes {
    char text[2000];
};

static void on_change(void *arg, const char *path, bool taken)
{
    struct changes *c = arg;
    size_t len = strlen(c->text);
    snprintf(c->text + len, sizeof c->text - len, "%s %s\n", path, taken ? "taken" : "restart");
}

static const char take_old[] =
    "log: {level: info}\n"
    "tickets: {keys: [{kid: a, secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}\n"
    "pools: {game: {capacity: 50, retry_after: 2s, access_tokens: [token-of-old]}, lobby: {}}\n";

static void test_what_may_change_is_taken_and_the_rest_is_told(void **state)
{
    struct run *live = open_yaml(take_old);
    assert_non_null(live->config);
    const struct settings *s = config_settings(live->config);
    const struct pool_settings *game = settings_pool(s, SPAN("game"));
    for (int i = 0; i < 3; i++) { /* again and again: nothing is left of what was taken before */
        struct changes changes = {""};
        struct err err;
        char yaml[600];
        snprintf(yaml, sizeof yaml,
                 "log: {level: debug}\n"
                 "tickets: {keys: [{kid: b, secret: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb},"
                 " {kid: a, secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}\n"
                 "pools: {lobby: {}, game: {capacity: 60, retry_after: %ds, strategy: pack,"
                 " closed_message: back at %d, access_tokens: [token-of-new]}}\n",
                 3 + i, i);
        struct run *fresh = open_yaml(yaml);
        assert_non_null(fresh->config);
        assert_int_equal(config_take(live->config, fresh->config, on_change, &changes, &err), 0);
        fresh->config = NULL; /* taken */
        end(fresh);
        assert_int_equal(s->log.level, 0);
        assert_int_equal(s->tickets.keys.count, 2);
        assert_string_equal(SECTION_AT(s->tickets.keys, struct ticket_key_settings, 0)->kid, "b");
        assert_int_equal(game->retry_after_ms, 3000 + i * 1000);
        assert_string_equal(game->access_tokens.items[0], "token-of-new");
        assert_int_equal(game->closed_message[strlen(game->closed_message) - 1], '0' + i);
        assert_int_equal(game->capacity, 50);
        assert_non_null(strstr(changes.text, "pools.game.capacity restart\n"));
        assert_non_null(strstr(changes.text, "pools.game.retry_after taken\n"));
        assert_null(strstr(changes.text, "lobby"));
        if (i == 0)
            assert_non_null(strstr(changes.text, "tickets.keys taken\n"));
    }
    end(live);
}

static void test_a_pool_that_is_gone_refuses_everything(void **state)
{
    struct run *live = open_yaml(take_old),
               *fresh = open_yaml("pools: {game: {retry_after: 9s}}\n");
    struct err err = {0};
    assert_int_equal(config_take(live->config, fresh->config, NULL, NULL, &err), BERTH_EINVAL);
    assert_non_null(strstr(err.text, "pools.lobby"));
    assert_int_equal(settings_pool(config_settings(live->config), SPAN("game"))->retry_after_ms,
                     2000);
    end(fresh);
    end(live);
}

static void test_an_unknown_flag_at_the_end_is_no_flag_without_a_value(void **state)
{
    static const struct {
        const char *flags[3], *says;
    } cases[] = {
        {{"--redis.prot", NULL},
         "flag --redis.prot: redis.prot: no such option; did you mean port?\n"},
        {{"--nmae", NULL}, "--nmae: no such option; did you mean --name?\n"},
        {{"--nmae", "x", NULL}, "--nmae: no such option; did you mean --name?\n"},
        {{"--nmae=x", NULL}, "--nmae: no such option; did you mean --name?\n"},
        {{"--name", NULL}, "--name: needs a value\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run *run = open_with(&program, "", NULL, (const char **)cases[i].flags);
        assert_null(run->config);
        assert_int_equal(run->exit_code, 2);
        assert_string_equal(errors_of(run), cases[i].says);
        end(run);
    }
}

static void test_other_programs_sections_are_unread_unless_checking(void **state)
{
    const char *yaml = "lobbynode: {match_sze: 2}\n";
    struct run *run = open_yaml(yaml);
    assert_non_null(run->config);
    end(run);
    const char *flags[] = {"--check-config", NULL};
    run = open_with(&program, yaml, NULL, flags);
    assert_null(run->config);
    assert_int_equal(run->exit_code, 1);
    assert_string_equal(errors_of(run),
                        "F:1: lobbynode.match_sze: no such option; did you mean match_size?\n");
    end(run);
    run = open_with(&program, "redis: {port: 7}\n", NULL, flags);
    assert_int_equal(run->exit_code, 0);
    assert_non_null(strstr(run->out, ": ok, 1 options set\n"));
    end(run);
}

static void test_print_config_hides_secrets_and_names_origins(void **state)
{
    const char *flags[] = {"--print-config", "--redis.port=7", NULL};
    struct run *run = open_with(
        &program, "redis: {password: hush-hush}\nlb: {admin_token: quiet-please}\n", NULL, flags);
    assert_int_equal(run->exit_code, 0);
    assert_null(strstr(run->out, "hush"));
    assert_null(strstr(run->out, "quiet"));
    assert_non_null(strstr(run->out, "redis.password = ***"));
    assert_non_null(strstr(run->out, "# flag --redis.port"));
    assert_non_null(strstr(
        run->out, "redis.host = 127.0.0.1                                           # default\n"));
    assert_null(strstr(run->out, "lobbynode."));
    end(run);
}

static void test_help_and_version(void **state)
{
    const char *help[] = {"--help", "--no-such-thing", NULL}, *version[] = {"--version", NULL};
    struct run *run = open_with(&program, "not: [yaml", NULL, help);
    assert_int_equal(run->exit_code, 0);
    assert_non_null(strstr(run->out, "--redis.port"));
    assert_non_null(strstr(run->out, "short for --lb.name"));
    assert_null(strstr(run->out, "--lobbynode."));
    end(run);
    run = open_with(&program, "", NULL, version);
    assert_string_equal(run->out, "berth-test " BERTH_VERSION "\n");
    assert_int_equal(run->exit_code, 0);
    end(run);
}

static void test_operands(void **state)
{
    const struct config_program cli = {"berth", "for people", reads, NULL, "COMMAND"};
    const char *flags[] = {"drain", "--redis.port", "7", "gn-1", "--", "--why", NULL};
    struct run *run = open_with(&cli, "", NULL, flags);
    size_t count;
    assert_string_equal(run->errors, "");
    const char *const *words = config_operands(run->config, &count);
    assert_int_equal(count, 3);
    assert_string_equal(words[0], "drain");
    assert_string_equal(words[1], "gn-1");
    assert_string_equal(words[2], "--why");
    assert_null(words[3]);
    end(run);
}

static void test_reload_takes_the_new_and_keeps_the_old_on_a_fault(void **state)
{
    const char *flags[] = {"--redis.db=5", NULL};
    struct run *run = open_with(&program, "redis: {port: 1}\n", NULL, flags);
    FILE *file = fopen(run->file, "w");
    assert_non_null(file);
    fputs("redis: {port: 2}\n", file);
    fclose(file);
    struct config *fresh = config_reload(run->config, stderr);
    assert_non_null(fresh);
    assert_int_equal(config_settings(fresh)->redis.port, 2);
    assert_int_equal(config_settings(fresh)->redis.db, 5); /* the flags hold */
    assert_int_equal(run->s->redis.port, 1);               /* the old one stays valid */
    config_close(fresh);
    file = fopen(run->file, "w");
    assert_non_null(file);
    fputs("redis: {port: none}\n", file);
    fclose(file);
    char *text = NULL;
    size_t len;
    FILE *errors = open_memstream(&text, &len);
    assert_null(config_reload(run->config, errors));
    fclose(errors);
    assert_non_null(strstr(text, "redis.port = none: must be an integer 1..65535"));
    free(text);
    end(run);
}

static void test_the_example_file_is_right(void **state)
{
    char path[512];
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(path, sizeof path, "%s/infra/etc/berth.yaml", source ? source : ".");
    const char *flags[] = {"-c", path, "--check-config", NULL};
    struct run *run = open_with(&program, "", NULL, flags);
    assert_string_equal(run->errors, "");
    assert_int_equal(run->exit_code, 0);
    end(run);
}

/* "    # closed: true" -> "    closed: true": the switched-off examples of the file. */
static void uncomment(char *text)
{
    for (char *line = text; line && *line;
         line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        char *at = line + strspn(line, " ");
        if (at[0] != '#' || at[1] != ' ')
            continue;
        const char *word = at + 2 + strspn(at + 2, " ");
        size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (len && word[len] == ':')
            memmove(at, at + 2, strlen(at + 2) + 1);
    }
}

static void test_the_examples_switched_off_in_it_are_right_too(void **state)
{
    static char yaml[1 << 16];
    char path[512];
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(path, sizeof path, "%s/infra/etc/berth.yaml", source ? source : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    yaml[fread(yaml, 1, sizeof yaml - 1, file)] = '\0';
    fclose(file);
    uncomment(yaml);
    assert_non_null(strstr(yaml, "\n    closed: true"));
    const char *flags[] = {"--check-config", NULL};
    struct run *run = open_with(&program, yaml, NULL, flags);
    assert_string_equal(run->errors, "");
    assert_int_equal(run->exit_code, 0);
    end(run);
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
        cmocka_unit_test(test_what_may_change_is_taken_and_the_rest_is_told),
        cmocka_unit_test(test_a_pool_that_is_gone_refuses_everything),
        cmocka_unit_test(test_an_unknown_flag_at_the_end_is_no_flag_without_a_value),
        cmocka_unit_test(test_other_programs_sections_are_unread_unless_checking),
        cmocka_unit_test(test_print_config_hides_secrets_and_names_origins),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_reload_takes_the_new_and_keeps_the_old_on_a_fault),
        cmocka_unit_test(test_the_example_file_is_right),
        cmocka_unit_test(test_the_examples_switched_off_in_it_are_right_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
