/* redis_host.c - the primary is where the configuration says. A name may lead elsewhere one day (a
 * managed Redis after a failover): while connected it is looked up again at intervals. */
#include "io/redis_find.h"

#include "io/redis_socket.h"

#include <stdio.h>
#include <stdlib.h>

struct host {
    struct redis_find_config config;
    struct redis_find_events events;
    struct timer timer; /* searching: the next turn of the loop; following: the next look */
    struct resolve *question;
    bool following;
    char address[128];
};

static void on_looked_up(void *arg, int code, const struct resolve_answer *found,
                         const struct err *err)
{
    struct host *h = arg;
    h->question = NULL;
    for (size_t i = 0; code == 0 && i < found->count; i++)
        if (strcmp(found->addresses[i], h->address) == 0)
            code = BERTH_EEXIST; /* it still leads there */
    if (code == 0)
        timer_start(&h->timer, 0, 0); /* told at the next turn: not under the resolver's feet */
    else
        timer_start(&h->timer, h->config.redis->check_interval_ms, 0);
    h->following = code != 0;
}

static void on_timer(void *arg)
{
    struct host *h = arg;
    const struct redis_config *c = h->config.redis;
    struct err err = {0};
    if (h->following) {
        h->question = resolve_start(h->config.resolver, c->host, 0, on_looked_up, h, &err);
        if (!h->question)
            timer_start(&h->timer, c->check_interval_ms, 0);
        return;
    }
    if (h->address[0]) {
        h->events.moved(h->events.arg, "the name leads elsewhere");
        return;
    }
    struct wire_redis_place place = {.port = c->port};
    (void)snprintf(place.host, sizeof place.host, "%s", c->host);
    h->events.found(h->events.arg, &place);
}

static void stop(void *finder)
{
    struct host *h = finder;
    timer_stop(&h->timer);
    if (h->question)
        resolve_cancel(h->question);
    h->question = NULL;
    h->following = false;
    h->address[0] = '\0';
}

static void start(void *finder)
{
    struct host *h = finder;
    stop(h);
    timer_start(&h->timer, 0, 0);
}

static void follow(void *finder, const char *address)
{
    struct host *h = finder;
    stop(h);
    if (!address[0] || redis_socket_address_ok(h->config.redis->host))
        return; /* an address leads nowhere else */
    (void)snprintf(h->address, sizeof h->address, "%s", address);
    h->following = true;
    timer_start(&h->timer, h->config.redis->check_interval_ms, 0);
}

static void *create(const struct redis_find_config *config, const struct redis_find_events *events,
                    struct err *err)
{
    struct host *h = calloc(1, sizeof *h);
    if (!h) {
        (void)err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    h->config = *config;
    h->events = *events;
    timer_init(&h->timer, config->loop, on_timer, h);
    return h;
}

static void destroy(void *finder)
{
    if (!finder)
        return;
    stop(finder);
    free(finder);
}

const struct redis_finder redis_host = {create, destroy, start, follow, stop, 3000};
