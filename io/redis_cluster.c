/* redis_cluster.c - who serves the pool's slot: some node of the cluster is asked, and when it
 * keeps silent, the next as well; the first that names an owner decides. Whether the owner is one,
 * it is asked itself (ROLE, a write, MOVED). */
#include "io/redis_find.h"

#include "core/rng.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NEXT_AFTER_MS = 150, /* without an answer, another is asked, too */
    KNOWN_MAX = 16,      /* owners seen before: the seeds may be gone by then */
    NODES_MAX = REDIS_SEEDS_MAX + KNOWN_MAX,
};

struct asked {
    struct cluster *cluster;
    struct redis_link *link; /* NULL: not asked, or it has ended */
    struct wire_redis_place place;
};

struct cluster {
    struct redis_find_config config;
    struct redis_find_events events;
    unsigned slot;
    struct asked nodes[NODES_MAX]; /* the seeds, then those known */
    size_t count, known;
    size_t first, next; /* in this search: who was asked first, how many were asked */
    size_t open;
    struct timer timer;
    struct rng rng;
    char why[200];
};

static void ask_next(struct cluster *c);

static void close_links(struct cluster *c)
{
    for (size_t i = 0; i < c->count; i++) {
        redis_link_destroy(c->nodes[i].link);
        c->nodes[i].link = NULL;
    }
    c->open = 0;
}

static void stop(void *finder)
{
    struct cluster *c = finder;
    timer_stop(&c->timer);
    close_links(c);
}

static void keep(struct cluster *c, const struct wire_redis_place *place)
{
    for (size_t i = 0; i < c->count; i++)
        if (wire_redis_place_eq(&c->nodes[i].place, place))
            return;
    size_t seeds = c->config.redis->cluster.count;
    size_t at = seeds + c->known++ % KNOWN_MAX; /* the oldest is forgotten */
    c->nodes[at].place = *place;
    c->nodes[at].cluster = c;
    if (at >= c->count)
        c->count = at + 1;
}

static void node_failed(struct asked *node, const char *why)
{
    struct cluster *c = node->cluster;
    (void)snprintf(c->why, sizeof c->why, "%.100s:%d: %.90s", node->place.host, node->place.port,
                   why);
    redis_link_destroy(node->link);
    node->link = NULL;
    c->open--;
    if (c->next < c->count) {
        ask_next(c);
    } else if (c->open == 0) {
        timer_stop(&c->timer);
        c->events.failed(c->events.arg, c->why);
    }
}

static void on_up(void *arg)
{
    struct asked *node = arg;
    struct span words[] = {SPAN("CLUSTER"), SPAN("SLOTS")};
    struct redis_command *command = redis_command_new(words, 2);
    if (command)
        command->deadline = mono_add(loop_now(node->cluster->config.loop),
                                     node->cluster->config.redis->command_timeout_ms);
    if (!command || !redis_link_send(node->link, command)) {
        free(command);
        node_failed(node, "out of memory");
    }
}

static void on_answer(void *arg, struct redis_command *command, const struct resp *reply)
{
    struct asked *node = arg;
    struct cluster *c = node->cluster;
    struct wire_redis_place place;
    char why[160];
    free(command);
    if (reply->type == RESP_ERROR) {
        (void)snprintf(why, sizeof why, "%.*s", SPAN_ARG(reply->text));
        node_failed(node, why);
    } else if (!wire_redis_slot_owner(reply, c->slot, &place)) {
        (void)snprintf(why, sizeof why, "slot %u is served by nobody", c->slot);
        node_failed(node, why);
    } else {
        if (!place.host[0])
            memcpy(place.host, node->place.host, sizeof place.host);
        stop(c);
        keep(c, &place);
        c->events.found(c->events.arg, &place);
    }
}

static void on_ended(void *arg, const char *why)
{
    node_failed(arg, why);
}

static void ask_next(struct cluster *c)
{
    const struct redis_link_events events = {.up = on_up, .answer = on_answer, .ended = on_ended};
    struct asked *node = &c->nodes[(c->first + c->next++) % c->count];
    struct redis_link_events mine = events;
    mine.arg = node;
    const struct redis_link_config config = {.loop = c->config.loop,
                                             .resolver = c->config.resolver,
                                             .secure = c->config.secure,
                                             .redis = c->config.redis,
                                             .kind = REDIS_LINK_ASIDE,
                                             .place = node->place,
                                             .limit_ms = c->config.redis->connect_timeout_ms};
    node->link = redis_link_create(&config, &mine);
    c->open += node->link != NULL;
    timer_start(&c->timer, NEXT_AFTER_MS, 0);
}

static void on_timer(void *arg)
{
    struct cluster *c = arg;
    if (c->next < c->count)
        ask_next(c);
    else if (c->open == 0)
        c->events.failed(c->events.arg, "no memory to ask a node");
}

static void start(void *finder)
{
    struct cluster *c = finder;
    stop(c);
    c->first = (size_t)rng_below(&c->rng, c->count);
    c->next = 0;
    ask_next(c);
}

static void follow(void *finder, const char *address)
{
    stop(finder); /* MOVED tells */
}

static void *create(const struct redis_find_config *config, const struct redis_find_events *events,
                    struct err *err)
{
    const struct text_list *seeds = &config->redis->cluster;
    if (!config->redis->pool_key) {
        (void)err_set(err, BERTH_EINVAL, "a connection to a cluster needs a key of its pool");
        return NULL;
    }
    struct cluster *c = calloc(1, sizeof *c);
    if (!c) {
        (void)err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    c->config = *config;
    c->events = *events;
    c->slot = wire_redis_slot(span_of(config->redis->pool_key));
    c->count = seeds->count;
    for (size_t i = 0; i < seeds->count; i++) {
        (void)wire_redis_place_parse(span_of(seeds->items[i]), 6379, &c->nodes[i].place);
        c->nodes[i].cluster = c;
    }
    rng_seed(&c->rng, config->seed);
    timer_init(&c->timer, config->loop, on_timer, c);
    return c;
}

static void destroy(void *finder)
{
    if (!finder)
        return;
    stop(finder);
    free(finder);
}

const struct redis_finder redis_cluster = {create, destroy, start, follow, stop, 500};
