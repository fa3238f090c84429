/* app.h - the shell of berth-lb: everything the process holds, and the doors between its files.
 *
 * main.c opens and closes it in stages; effects_io.c turns callbacks into events of the core and
 * carries out its effects; probe*_io.c, peer_io.c, public_io.c,
 * asked_io.c, room_io.c, admin*_io.c, hooks_io.c and service_io.c are its edges. */
#ifndef BERTH_LB_APP_H
#define BERTH_LB_APP_H

#include "core/histogram.h"
#include "core/ticket.h"
#include "io/boot.h"
#include "io/config.h"
#include "io/fetch.h"
#include "io/redis.h"
#include "io/web.h"
#include "lb/place.h"
#include "store/barrier.h"
#include "store/store.h"
#include "store/store_follow.h"

enum { APP_NONCE_SIZE = 33, APP_LATER_MAX = 256 };

struct app;

struct app_pool {
    struct app *app;
    size_t index;
    const struct pool_settings *settings;
    struct keys keys;
    struct redis *redis;
    struct barrier *barrier;
    struct store_follow *follow;
    struct ticket_keys *player_keys; /* access player; NULL otherwise */
};

/* An event made while effects are carried out: it has its turn after them. */
struct app_later {
    struct lb_event ev;
    char node[KEYS_NAME_MAX + 1];
};

struct app {
    struct boot boot;
    struct log log;
    struct config *config;
    const struct settings *settings;
    const struct lb_peer_settings *me;
    size_t my_peer;
    char nonce[APP_NONCE_SIZE];
    uint64_t jti_start;

    struct loop *loop;
    struct app_pool *pools;
    size_t pool_count;
    struct ticket_keys *keys; /* NULL: tickets are off */

    struct lb *lb;
    struct lb_effects fx;
    bool stepping;
    struct app_later later[APP_LATER_MAX];
    size_t later_count;
    struct timer timer;
    mono_ms_t armed; /* what timer was set to */
    bool stopping;   /* asked to end */
    bool closing;    /* no step is taken any more */
    size_t calls;    /* to the store, unanswered */
    size_t streams;  /* of events, open */
    struct timer stop_timer;

    struct web *web;
    struct fetcher *fetcher;
    struct web_server *public_server, *admin_server;
    struct probes *probes;
    struct peers *peers;
    struct alerts_io *alerts; /* NULL while there is none */
    struct hooks *hooks;      /* NULL: none */
    struct service *service;  /* NULL: not yet */
    struct asked *spare;      /* asked_io.c: some to use again */
    size_t spare_count;
    struct asked *asked; /* those that wait for the store */

    struct histogram latency_us; /* of endpoint and room answers */
    uint64_t requests[6];        /* by status class: [2] is 2xx */
    uint64_t events_dropped;
};

/* ---- effects_io.c ---- */

void app_event(struct app *app, struct lb_event ev);
/* Arm the timer by the core's deadline: after lb_place() and the like. */
void app_rearm(struct app *app);
void app_on_timer(void *arg);
/* Events of the connection and the followers. */
int app_follow(struct app *app, struct app_pool *pool, const struct redis_config *config,
               struct err *err) BERTH_MUST_USE;
struct redis_events app_redis_events(struct app_pool *pool);
/* MAXLEN of the pool's feed: twenty intervals of what its nodes say, at least 1,000. */
int64_t app_feed_max(const struct app *app, size_t pool);
/* Append to the pool's events; detail is a plain record. */
void app_record(struct app *app, struct app_pool *pool, const char *kind, const char *name,
                struct span detail);

/* ---- alert_io.c ---- */

/* The stage: tells people while no autoscaler does. */
int app_open_alerts(void *app, struct err *err) BERTH_MUST_USE;
void app_close_alerts(void *app);

/* ---- probe_io.c ---- */

struct probes *probes_create(struct app *app, struct err *err);
/* Ends what is under way without telling the core. */
void probes_destroy(struct probes *probes);
/* The core is told by LB_PROBE_REPLY, never from within; and by LB_PROBE_CUT when a socket that was
 * kept has ended. */
void probes_start(struct probes *probes, const struct lb_effect *fx);
/* Sockets held open. */
size_t probes_held(const struct probes *probes);

/* ---- peer_io.c ---- */

struct peers *peers_create(struct app *app, struct err *err);
void peers_destroy(struct peers *peers);
/* A line for every peer whose link stands; sent by peers_flush() with its neighbours in as few
 * messages as possible. */
void peers_tell(struct peers *peers, struct span line);
void peers_flush(struct peers *peers);
/* For the admin listener: path /v1/peer. */
struct ws_handlers peers_handlers(struct peers *peers);
bool peers_is_up(const struct peers *peers, size_t peer);

/* ---- hooks_io.c ---- */

struct hooks *hooks_create(struct app *app, struct err *err);
void hooks_destroy(struct hooks *hooks);
/* fx->hook says what has happened. hooks NULL: nobody wants to know. */
void hooks_event(struct hooks *hooks, const struct lb_effect *fx);

/* ---- service_io.c ---- */

struct service *service_create(struct app *app, struct err *err);
void service_destroy(struct service *service);
/* Look at once. service NULL is a no-op. */
void service_look(struct service *service);
/* Why it is out of service at an operator's wish; NULL: it is not. */
const char *service_out(const struct service *service);

/* ---- public_io.c ---- */

extern const struct http_route public_routes[];

/* ---- asked_io.c ---- */

/* After the connection to the store is gone: nobody waits any more. */
void asked_close(struct app *app);

/* ---- admin_io.c ---- */

extern const struct http_route admin_routes[];
/* /healthz, /readyz, and / as /readyz. */
extern const struct http_route health_routes[];
/* Why it would be wrong to send anybody here; NULL: nothing. Valid until the next call. */
const char *app_not_ready(struct app *app);

#endif
