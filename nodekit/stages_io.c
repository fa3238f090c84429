/* stages_io.c - the first stages of a node: configuration, name, loop, log, tickets. */
#include "nodekit/shell_io.h"

#include "core/hex.h"
#include "io/program.h"
#include "nodekit/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors a node needs beside those of its players. */
#define OTHER_DESCRIPTORS 64

static int random_bytes(void *buf, size_t size, struct err *err)
{
    if (getrandom(buf, size, 0) != (ssize_t)size)
        return err_set(err, BERTH_ESYS, "getrandom failed");
    return 0;
}

/* host-pid, in the characters of a name. */
static void default_name(char *ret_name, size_t size)
{
    char host[64] = "node";
    if (gethostname(host, sizeof host) < 0)
        (void)snprintf(host, sizeof host, "node");
    host[48] = '\0';
    for (char *p = host; *p; p++)
        if (!keys_name_ok((struct span){p, 1}))
            *p = '-';
    (void)snprintf(ret_name, size, "%s-%d", host, (int)getpid());
}

static int open_identity(struct node_shell *shell, struct err *err)
{
    unsigned char nonce[16];
    int rc = random_bytes(nonce, sizeof nonce, err);
    if (rc == 0)
        rc = random_bytes(&shell->seed, sizeof shell->seed, err);
    if (rc < 0)
        return rc;
    hex_encode((struct span){(const char *)nonce, sizeof nonce}, shell->nonce, sizeof shell->nonce);
    rc = handover_receive(shell, err);
    if (rc < 0)
        return rc;
    if (!shell->handover.heir && shell->node->name)
        (void)snprintf(shell->name, sizeof shell->name, "%s", shell->node->name);
    else if (!shell->handover.heir)
        default_name(shell->name, sizeof shell->name);
    return keys_init(&shell->keys, shell->settings->redis.name_space, shell->node->pool, err);
}

/* As many sockets as players fit, and some that are not admitted yet; never more than descriptors
 * allow. */
static int open_limits(struct node_shell *shell, struct err *err)
{
    shell->capacity = shell->node->capacity ? shell->node->capacity : shell->pool->capacity;
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (shell->foreign) {
        shell->peers_max = (uint32_t)shell->capacity;
        return 0;
    }
    int64_t most = (int64_t)limit.rlim_cur - OTHER_DESCRIPTORS;
    if (shell->capacity > most)
        return err_set(err, BERTH_EINVAL,
                       "capacity %lld needs more descriptors than the %lld this process may open",
                       (long long)shell->capacity, (long long)limit.rlim_cur);
    int64_t peers = shell->capacity + shell->capacity / 4 + OTHER_DESCRIPTORS;
    shell->peers_max = (uint32_t)(peers < most ? peers : most);
    return 0;
}

/* The section of the configuration, with what the machine knows better: its pool, as its tag says
 * (one image serves all pools); instance and zone where they are not configured. */
static int open_settings(struct node_shell *shell, struct err *err)
{
    shell->settings = config_settings(shell->config);
    shell->picked = shell->pick(shell->settings);
    shell->own = *shell->picked;
    shell->node = &shell->own;
    struct metadata *m = &shell->metadata;
    if (shell->own.metadata != METADATA_OFF) {
        int rc = metadata_read(shell->own.metadata == METADATA_AWS, m, err);
        if (rc < 0)
            return rc;
    }
    if (m->pool[0])
        shell->own.pool = m->pool;
    if (!shell->own.instance[0])
        shell->own.instance = m->instance;
    if (!shell->own.zone[0])
        shell->own.zone = m->zone;
    shell->pool = settings_pool(shell->settings, span_of(shell->own.pool));
    if (!shell->pool)
        return err_set(err, BERTH_EINVAL, "pool %s%s is not among the configured pools",
                       shell->own.pool, m->pool[0] ? " (the instance's tag berth:pool)" : "");
    return 0;
}

int node_open_config(void *app, struct err *err)
{
    struct node_shell *shell = app;
    shell->config =
        program_open(&shell->boot, &shell->log, shell->program, shell->argc, shell->argv);
    if (!shell->config)
        return BOOT_DONE;
    int rc = open_settings(shell, err);
    if (rc == 0)
        rc = open_identity(shell, err);
    if (rc == 0)
        rc = open_limits(shell, err);
    if (rc < 0)
        node_close_config(shell);
    return rc;
}

void node_close_config(void *app)
{
    struct node_shell *shell = app;
    config_close(shell->config);
    shell->config = NULL;
}

static void node_reload(void *app);

int node_open_loop(void *app, struct err *err)
{
    struct node_shell *shell = app;
    shell->boot.log = &shell->log;
    shell->boot.reload = node_reload;
    shell->boot.stop = shell->stop ? shell->stop : node_stop;
    shell->boot.restart = shell->app->restarts ? handover_restart : NULL;
    shell->loop = loop_create(err);
    shell->boot.loop = shell->loop;
    return shell->loop ? 0 : err->code;
}

void node_close_loop(void *app)
{
    struct node_shell *shell = app;
    loop_destroy(shell->loop);
    shell->boot.loop = shell->loop = NULL;
}

static int make_keys(const struct ticket_settings *tickets, struct ticket_keys **ret_keys,
                     struct err *err)
{
    struct ticket_key keys[TICKET_KEYS_MAX];
    size_t count = tickets->keys.count;
    if (count == 0)
        return err_set(err, BERTH_EINVAL, "tickets.mode is required, but tickets.keys is empty");
    for (size_t i = 0; i < count && i < TICKET_KEYS_MAX; i++) {
        const struct ticket_key_settings *key =
            SECTION_AT(tickets->keys, struct ticket_key_settings, i);
        keys[i] = (struct ticket_key){span_of(key->kid), span_of(key->secret)};
    }
    return ticket_keys_create(keys, count, ret_keys, err);
}

static void take_limit(struct node_shell *shell)
{
    struct node_settings *own = &shell->own;
    const struct node_settings *picked = shell->pick(config_settings(shell->config));
    if (shell->foreign ||
        (own->message_rate == picked->message_rate && own->message_burst == picked->message_burst))
        return;
    own->message_rate = picked->message_rate;
    own->message_burst = picked->message_burst;
    front_limit(shell->front, own->message_rate, own->message_burst);
}

/* SIGHUP: the log, the limit of messages, and the keys that tickets are verified with. */
static void node_reload(void *app)
{
    struct node_shell *shell = app;
    struct ticket_keys *keys = NULL;
    struct err err = {0};
    struct config *fresh = program_reload(&shell->log, shell->config);
    if (!fresh)
        return;
    const struct ticket_settings *tickets = &config_settings(fresh)->tickets;
    int rc = 0;
    if (tickets->mode != shell->settings->tickets.mode)
        rc = err_set(&err, BERTH_EINVAL, "tickets.mode: needs a restart");
    else if (shell->ticket_keys)
        rc = make_keys(tickets, &keys, &err);
    if (rc < 0) {
        program_refuse(&shell->log, fresh, err.text);
        return;
    }
    if (!program_take(&shell->log, shell->config, fresh)) {
        ticket_keys_destroy(keys);
        return;
    }
    take_limit(shell);
    if (!keys)
        return;
    shell->door.book.keys = keys;
    ticket_keys_destroy(shell->ticket_keys);
    shell->ticket_keys = keys;
}

/* How long an admitted ticket is told in reports: its life, the clocks' skew, and one report. */
static int64_t admitted_window_ms(const struct node_shell *shell)
{
    const struct pool_settings *pool = shell->pool;
    int64_t ttl_ms = pool->ticket_ttl_ms > pool->room_ticket_ttl_ms ? pool->ticket_ttl_ms
                                                                    : pool->room_ticket_ttl_ms;
    int64_t window_ms = ttl_ms + shell->settings->tickets.skew_ms + pool->report_interval_ms;
    return window_ms < 60000 ? window_ms : 60000;
}

int node_open_door(void *app, struct err *err)
{
    struct node_shell *shell = app;
    if (shell->settings->tickets.mode != TICKETS_REQUIRED || !shell->node->tickets)
        return door_init(&shell->door, NULL, err);
    int rc = make_keys(&shell->settings->tickets, &shell->ticket_keys, err);
    if (rc < 0)
        return rc;
    const struct gamenode_settings *game = &shell->settings->gamenode;
    const struct agent_settings *agent = &shell->settings->agent;
    int64_t grace_ms = shell->picked == &game->node    ? game->grace_ms
                       : shell->picked == &agent->node ? agent->grace_ms
                                                       : 0;
    struct ticket_door_config config = {
        .keys = shell->ticket_keys,
        .node = span_of(shell->name),
        .pool = span_of(shell->node->pool),
        .tickets_max = 2 * shell->peers_max + 256,
        .grace_ms = grace_ms,
        .window_ms = admitted_window_ms(shell),
        .seed = shell->seed,
    };
    rc = door_init(&shell->door, &config, err);
    if (rc == 0) {
        shell->door.book.skew_ms = shell->settings->tickets.skew_ms;
        return 0;
    }
    ticket_keys_destroy(shell->ticket_keys);
    shell->ticket_keys = NULL;
    return rc;
}

void node_close_door(void *app)
{
    struct node_shell *shell = app;
    door_fini(&shell->door);
    ticket_keys_destroy(shell->ticket_keys);
    shell->ticket_keys = NULL;
}

struct front_config node_front_config(const struct node_shell *shell)
{
    return (struct front_config){.node = shell->name,
                                 .peers_max = shell->peers_max,
                                 .capacity = shell->capacity,
                                 .admit_timeout_ms = shell->node->admit_timeout_ms,
                                 .message_rate = shell->node->message_rate,
                                 .message_burst = shell->node->message_burst};
}

struct redis_config node_redis_config(const struct node_shell *shell)
{
    return store_redis_config(shell->settings, shell->pool->redis, &shell->keys);
}
