/* world.c - the installation as a whole: its configuration, its beginning and its end. */
#include "tests/sim/world.h"
#include "tests/sim/judge.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <yaml.h>

struct world *world;

enum { YAML_MAX = 8192 };

/* ---- sizes ---- */

struct field {
    const char *name;
    size_t at;
    double low, high; /* what may be set */
};
#define FIELD(name, low, high)                                                                     \
    {                                                                                              \
#name, offsetof(struct world_config, name), low, high                                      \
    }

static const struct field fields[] = {
    FIELD(warm_s, 10, 600),
    FIELD(faults_s, 0, 86400),
    FIELD(quiet_s, 20, 3600),
    FIELD(play_s, 1, 600),
    FIELD(arrivals, 0.1, 1000),
    FIELD(faults, 0, FAULTS_MAX),
    FIELD(cheats, 0, 1),
    FIELD(lbs, 1, LBS_MAX),
    FIELD(autoscalers, 1, AUTOSCALERS_MAX),
    FIELD(lobby_min, 1, 50),
    FIELD(lobby_max, 1, 50),
    FIELD(lobby_capacity, 4, 1000),
    FIELD(game_min, 1, 50),
    FIELD(game_max, 1, 100),
    FIELD(game_capacity, 4, 1000),
    FIELD(boot_s, 0, 60),
    FIELD(cloud_error, 0, 1),
    FIELD(cloud_lost, 0, 1),
    FIELD(loss, 0, 0.5),
    FIELD(shrink_s, 0, 600),
    FIELD(in_cooldown_s, 0, 600),
    FIELD(min_ready, 0, 1),
    FIELD(max_step, 1, 100),
    FIELD(forget_s, 4, 600),
    FIELD(stillborn, 0, 1),
    FIELD(parties, 0, 1),
    FIELD(moody, 0, 1),
    FIELD(operators, 0, 14),
    FIELD(drain_deadline_s, 0, 600),
};

static void set_drawn(struct world_config *c, uint64_t seed)
{
    static const double usual[FAULT_KINDS] = {
        [FAULT_KILL] = 6,           [FAULT_TERM] = 3,         [FAULT_MACHINE] = 2,
        [FAULT_PAUSE] = 6,          [FAULT_CUT] = 5,          [FAULT_ISOLATE] = 3,
        [FAULT_STORE_CUT] = 4,      [FAULT_MASS_SILENCE] = 4, [FAULT_CLOCK_RATE] = 2,
        [FAULT_CLOCK_JUMP] = 3,     [FAULT_STORE_HANG] = 2,   [FAULT_STORE_OUTAGE] = 2,
        [FAULT_STORE_FAILOVER] = 3, [FAULT_STORE_EMPTY] = 1,  [FAULT_STORE_CLOCK] = 1,
        [FAULT_WEATHER] = 2,        [FAULT_CLOUD] = 3,        [FAULT_OPERATOR] = 3,
        [FAULT_PEER_CUT] = 3,       [FAULT_AIMED] = 5,
    };
    struct rng rng, policy;
    rng_seed(&rng, seed ^ 0x776f726c64);
    rng_seed(&policy, seed ^ 0x706f6c696379);
    *c = (struct world_config){
        .warm_s = 12,
        .faults_s = (double)draw(&rng, 20, 40),
        .quiet_s = 55,
        .play_s = (double)draw(&rng, 4, 12),
        .arrivals = (double)draw(&rng, 4, 12),
        .faults = (double)draw(&rng, 0, 9),
        .cheats = 0.1,
        .lbs = (double)draw(&rng, 2, 3),
        .autoscalers = 2,
        .lobby_min = (double)draw(&rng, 1, 3),
        .lobby_max = 4,
        .lobby_capacity = (double)draw(&rng, 20, 40),
        .game_min = (double)draw(&rng, 1, 3),
        .game_max = (double)draw(&rng, 5, 7),
        .game_capacity = (double)draw(&rng, 20, 40),
        .boot_s = (double)draw(&rng, 1, 6),
        .shrink_s = (double)draw(&policy, 2, 8),
        .in_cooldown_s = (double)draw(&policy, 3, 12),
        .max_step = (double)draw(&policy, 1, 3),
        .forget_s = (double)draw(&policy, 6, 20),
        .stillborn = chance(&policy, 0.3) ? 0.06 : 0,
        /* Without that rule the floor is held by the arbiter alone. */
        .min_ready = chance(&policy, 0.5) ? 1 : 0,
        .cloud_error = chance(&rng, 0.3) ? 0.1 : 0,
        .cloud_lost = chance(&rng, 0.3) ? 0.1 : 0,
        .loss = chance(&rng, 0.2) ? 0.01 : 0,
    };
    struct rng people;
    rng_seed(&people, seed ^ 0x70656f706c65);
    if (chance(&people, 0.4))
        c->operators = (double)draw(&people, 1, 5);
    if (chance(&people, 0.2))
        c->drain_deadline_s = (double)draw(&people, 3, 10);
    /* There is room for all at the height of the wave, if all is well and the pool may grow. */
    c->game_max = ceil(c->arrivals * (c->play_s + 14) * 1.8 / c->game_capacity) + 2;
    c->lobby_max = ceil(c->arrivals * 6 * 1.3 / c->lobby_capacity) + 2;
    /* In some there is hardly any, on nodes of three or four rooms: then LBs want the same places.
     */
    struct rng tight;
    rng_seed(&tight, seed ^ 0x7469676874);
    if (chance(&tight, 0.25)) {
        c->game_capacity = (double)draw(&tight, 12, 18);
        c->game_max = ceil(c->arrivals * (c->play_s + 8) * 1.3 / c->game_capacity) + 1;
    }
    struct rng friends;
    rng_seed(&friends, seed ^ 0x667269656e6473);
    c->parties = chance(&friends, 0.5) ? 0.5 : 0;
    c->moody = chance(&friends, 0.5) ? 0.04 : 0;
    for (int i = 0; i < FAULT_KINDS; i++) /* each world has its own climate */
        c->weights[i] = chance(&rng, 0.35) ? 0 : usual[i];
    for (int i = 0; i < FAULT_KINDS; i++)
        if (c->weights[i] > 0)
            return;
    c->weights[FAULT_KILL] = 1;
}

static double *place_of(struct world_config *c, const char *name, double *ret_low, double *ret_high)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, name) == 0) {
            *ret_low = fields[i].low;
            *ret_high = fields[i].high;
            return (double *)((char *)c + fields[i].at);
        }
    *ret_low = 0;
    *ret_high = 1000;
    if (strncmp(name, "fault_", 6) == 0)
        for (int i = 0; i < FAULT_KINDS; i++)
            if (strcmp(fault_words[i], name + 6) == 0)
                return &c->weights[i];
    return NULL;
}

static int read_pair(struct world_config *c, const yaml_document_t *doc, const yaml_node_t *key,
                     const yaml_node_t *value, const char *path, struct err *err)
{
    double low, high;
    const char *name = (const char *)key->data.scalar.value;
    size_t line = key->start_mark.line + 1;
    double *at = key->type == YAML_SCALAR_NODE ? place_of(c, name, &low, &high) : NULL;
    if (at == NULL)
        return err_set(err, BERTH_EINVAL,
                       "%s:%zu: %s: unknown; docs/simulation.md lists what a world has", path, line,
                       name);
    char *end = NULL;
    const char *text =
        value->type == YAML_SCALAR_NODE ? (const char *)value->data.scalar.value : "";
    double number = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(number >= low && number <= high))
        return err_set(err, BERTH_EINVAL, "%s:%zu: %s = %s: must be a number, %g..%g", path, line,
                       name, text, low, high);
    *at = number;
    return 0;
}

static int read_file(struct world_config *c, const char *path, struct err *err)
{
    FILE *file = fopen(path, "r");
    yaml_parser_t parser;
    yaml_document_t doc;
    if (file == NULL)
        return err_set(err, BERTH_ENOENT, "%s: cannot be read", path);
    int code = 0;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, file);
    if (!yaml_parser_load(&parser, &doc)) {
        code = err_set(err, BERTH_EINVAL, "%s:%zu: %s", path, parser.problem_mark.line + 1,
                       parser.problem);
    } else {
        const yaml_node_t *root = yaml_document_get_root_node(&doc);
        if (root == NULL || root->type != YAML_MAPPING_NODE)
            code = err_set(err, BERTH_EINVAL, "%s: must be a list of `name: number`", path);
        for (yaml_node_pair_t *p = code < 0 || root == NULL ? NULL : root->data.mapping.pairs.start;
             p != NULL && code == 0 && p < root->data.mapping.pairs.top; p++)
            code = read_pair(c, &doc, yaml_document_get_node(&doc, p->key),
                             yaml_document_get_node(&doc, p->value), path, err);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    (void)fclose(file);
    return code;
}

int world_config_draw(struct world_config *config, uint64_t seed, const char *path, struct err *err)
{
    set_drawn(config, seed);
    int code = path != NULL ? read_file(config, path, err) : 0;
    if (code == 0 && (config->lobby_max < config->lobby_min || config->game_max < config->game_min))
        code = err_set(err, BERTH_EINVAL, "max: must not be less than min");
    return code;
}

/* ---- berth.yaml ---- */

static size_t write_pool(char *buf, size_t size, const char *name, double capacity, double min,
                         double max, const struct world_config *c)
{
    char min_ready[64] = "";
    if (c->min_ready > 0)
        (void)snprintf(min_ready, sizeof min_ready, "        - {rule: min_ready, ready: %d}\n",
                       (int)min);
    int n = snprintf(
        buf, size,
        "  %s:\n    capacity: %d\n    lost_after: 3s\n    forget_after: %ds\n    ticket_ttl: 8s\n"
        "    room_ticket_ttl: 6s\n    room_ttl: 60s\n    slow_start: 2s\n    player_rate: 0\n"
        "    retry_after: 1s\n    probe:\n      joining_interval: 500ms\n      interval: 3s\n"
        "      timeout: 1s\n"
        "    scale:\n      provider: local\n      min: %d\n      max: %d\n      max_step: %d\n"
        "      out_cooldown: 4s\n      in_cooldown: %ds\n      boot_timeout: %ds\n"
        "      drain_deadline: %ds\n"
        "      launch_backoff: 1s\n      launch_backoff_max: 4s\n      halt_retry: 5s\n"
        "      rules:\n%s        - {rule: headroom, percent: 80, shrink_after: %ds}\n"
        "        - {rule: average_connections, above: %d, below: %d, hold: 3s}\n",
        name, (int)capacity, (int)c->forget_s, (int)min, (int)max, (int)c->max_step,
        (int)c->in_cooldown_s, (int)c->boot_s + 14, (int)c->drain_deadline_s, min_ready,
        (int)c->shrink_s, (int)(capacity * 0.7), (int)(capacity * 0.25));
    return (size_t)n;
}

static int configure(const struct world_config *c, struct err *err)
{
    char text[YAML_MAX];
    size_t n = (size_t)snprintf(
        text, sizeof text,
        "redis: {host: 127.0.0.1, port: %d}\nlog: {level: debug}\n"
        "tickets:\n  mode: required\n  keys: [{kid: k1, secret: " WORLD_SECRET "}]\n"
        "pools:\n",
        STORE_PORT);
    n += write_pool(text + n, sizeof text - n, "lobby", c->lobby_capacity, c->lobby_min,
                    c->lobby_max, c);
    n += write_pool(text + n, sizeof text - n, "game", c->game_capacity, c->game_min, c->game_max,
                    c);
    n += (size_t)snprintf(text + n, sizeof text - n,
                          "lb:\n  nodes_max: 256\n  failback_after: 3s\n  peers:\n");
    for (int i = 0; i < (int)c->lbs; i++)
        n += (size_t)snprintf(
            text + n, sizeof text - n,
            "    lb-%c: {public: \"127.0.0.1:%d\", admin: \"127.0.0.1:%d\", owns: [%s]}\n", 'a' + i,
            PUBLIC_PORT + i, ADMIN_PORT + i,
            i == 0   ? "lobby"
            : i == 1 ? "game"
                     : "");
    n += (size_t)snprintf(
        text + n, sizeof text - n,
        "autoscale: {name: as-1, admin: \"127.0.0.1:%d\"}\n"
        "gamenode: {listen: \"127.0.0.1:0\", advertise: \"ws://{host}:{port}/ws\", "
        "grace: 4s, rooms_max: 64, room_linger: 3s}\n"
        "lobbynode:\n  listen: \"127.0.0.1:0\"\n  advertise: "
        "\"ws://{host}:{port}/ws\"\n  match_size: 4\n  seek_timeout: 60s\n"
        "  match_retry: 2s\n  match_ttl: 20s\n  lb: [",
        AUTOSCALE_PORT);
    for (int i = 0; i < (int)c->lbs; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\"http://127.0.0.1:%d\"",
                              i > 0 ? ", " : "", PUBLIC_PORT + i);
    n += (size_t)snprintf(text + n, sizeof text - n, "]\n");
    assert(n < sizeof text);
    return programs_configure(text, err);
}

/* ---- life ---- */

int world_start(const struct world_config *config, struct keyspace_lua *lua, struct err *err)
{
    static const char *const names[WORLD_POOLS] = {"lobby", "game"};
    if (configure(config, err) < 0)
        return err->code;
    world = calloc(1, sizeof *world);
    assert(world != NULL);
    world->config = *config;
    world->lb_count = (size_t)config->lbs;
    world->autoscale_count = (size_t)config->autoscalers;
    world->store_trouble_us = world->weather_trouble_us = world->clock_trouble_us = -60 * SIM_S;
    world->cloud_trouble_us = -60 * SIM_S;
    world->faults_from_us = (int64_t)(config->warm_s * 1e6);
    world->faults_until_us = world->faults_from_us + (int64_t)(config->faults_s * 1e6);
    world->quiet_from_us = world->faults_until_us;
    /* Who comes later than that might be left without mates. */
    double arrivals_s = config->quiet_s * 0.45 < 24.75 ? config->quiet_s * 0.45 : 24.75;
    world->rest_from_us = world->quiet_from_us + (int64_t)(arrivals_s * 1e6);
    world->end_us = world->quiet_from_us + (int64_t)(config->quiet_s * 1e6);
    sim->weather.loss = config->loss;
    for (size_t i = 0; i < WORLD_POOLS; i++) {
        int code = keys_init(&world->keys[i], programs_settings()->redis.name_space, names[i], err);
        world->pools[i] = settings_pool(programs_settings(), span_of(names[i]));
        assert(code == 0 && world->pools[i] != NULL);
        (void)code;
    }
    store_server_start(&world->store, lua);
    judge_start();
    cloud_start();
    faults_start();
    players_start();
    ghosts_start();
    intruders_start();
    shadow_start();
    operators_start();
    return 0;
}

void world_run(void)
{
    /* Arrivals go on for a while after the last fault: they must be served as if nothing had been;
     * then they end, and everything has to come to rest. */
    sim_run(world->rest_from_us);
    world->arrivals_over = true;
    sim_run(world->end_us);
    if (!sim->failed)
        judge_end();
}

void world_stop(void)
{
    faults_stop();
    ghosts_stop();
    players_stop();
    intruders_stop();
    shadow_stop();
    operators_stop();
    for (size_t i = 0; i < LBS_MAX; i++) {
        sim_cancel(&world->lb_again[i]);
        if (world->lb_up[i])
            task_kill(&world->lb[i], true);
    }
    for (size_t i = 0; i < AUTOSCALERS_MAX; i++) {
        sim_cancel(&world->autoscale_again[i]);
        if (world->autoscale_up[i])
            task_kill(&world->autoscale[i], true);
    }
    cloud_stop();
    store_server_stop(&world->store);
    judge_stop();
    programs_unconfigure();
    free(world);
    world = NULL;
}

/* ---- who is who ---- */

struct instance *world_instance(struct span name)
{
    for (size_t i = 0; i < world->instance_count; i++)
        if (span_is(name, world->instances[i].id))
            return &world->instances[i];
    return NULL;
}

enum pool_id world_pool_of_key(struct span key)
{
    return memmem(key.ptr, key.len, "{lobby}", 7) != NULL ? POOL_LOBBY : POOL_GAME;
}

void world_trouble(struct proc *p, int64_t until_us)
{
    if (until_us > p->trouble_us)
        p->trouble_us = until_us;
}

bool world_calm(const struct proc *p, int64_t for_us)
{
    return p->trouble_us < sim->now_us - for_us && world->weather_trouble_us < sim->now_us - for_us;
}

bool world_store_calm(int64_t for_us)
{
    return world->store_trouble_us < sim->now_us - for_us &&
           world->weather_trouble_us < sim->now_us - for_us;
}
