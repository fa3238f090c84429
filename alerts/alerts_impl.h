/* alerts_impl.h - what the parts of the sender share. Private to alerts/.
 *
 * alerts_io.c: life, the tick, who sends. alerts_read_io.c: events in, cursors. alerts_look_io.c:
 * what no event tells, and the report. alerts_post_io.c: messages out. */
#ifndef BERTH_ALERTS_ALERTS_IMPL_H
#define BERTH_ALERTS_ALERTS_IMPL_H

#include "alerts/alerts_io.h"
#include "alerts/notifier.h"
#include "alerts/outbox.h"
#include "alerts/watch.h"
#include "io/zone_io.h"
#include "store/store.h"

#define ALERTS_TICK_MS 500

/* One destination. */
struct alerts_to {
    struct alerts_io *alerts;
    const struct alert_to_settings *settings;
    const struct notifier *notifier;
    struct outbox *outbox;
    struct fetch *fetch; /* the message under way */
    struct timer timer;
    char *report;        /* waits to be posted; owned */
    bool posting_report; /* what is under way is the report */
    int report_tries;
    mono_ms_t report_at;
    uint64_t reports; /* delivered */
    struct {
        bool known;
        struct stream_id read;    /* last event that was put */
        struct stream_id written; /* the cursor as it is in Redis */
    } at[POOLS_MAX];
};

/* One pool. */
struct alerts_pool {
    struct alerts_io *alerts;
    int index;
    const struct pool_settings *settings;
    struct keys keys;
    struct redis *redis;
    struct redis_config own_config; /* of a connection of its own */
    bool own;
    const char *server; /* the Redis it is in; "": the common one */
    bool server_first;  /* the first pool in that Redis */
    struct alert_memory memory;
    bool loaded;           /* cursors are known */
    bool reading, looking; /* an answer is awaited */
    char scan[24];         /* cursor of HSCAN */
    struct report_pool figures;
    int64_t outs, ins, losses; /* since the last report */
};

struct alerts_io {
    struct alerts_io_config c;
    const struct alerts_settings *settings;
    const char *installation;
    struct notifier_story story;
    struct timer tick;
    struct alerts_to to[ALERT_TO_MAX];
    size_t to_count;
    struct alerts_pool pools[POOLS_MAX];
    size_t pool_count;
    size_t first;        /* whose leader sends */
    bool active;         /* this process sends */
    mono_ms_t active_at; /* when it last did; 0: never */
    bool ever_up;        /* Redis has answered once */
    struct watch watch;
    wall_ms_t store_at; /* Redis TIME as last heard, and when */
    mono_ms_t heard_at;
    struct alerts_report schedule;
    struct zone *zone;
    wall_ms_t report_last; /* when the last one was due; 0: not known */
    wall_ms_t report_since;
    size_t gathering; /* answers awaited for the report */
    struct store_call call;
    size_t waits; /* questions whose answer will come with this sender as argument */
    bool dead;
};

mono_ms_t alerts_now(const struct alerts_io *a);
wall_ms_t alerts_wall(const struct alerts_io *a);
/* To every destination. */
void alerts_tell(struct alerts_io *a, const struct alert *alert);

/* A question to Redis about a pool. False: not sent. */
struct alerts_ask {
    struct alerts_io *alerts;
    struct alerts_pool *pool;
};
bool alerts_ask(struct alerts_pool *pool, const struct span *argv, size_t argc, redis_reply_fn *fn);
/* The answer has come. Returns the pool, or NULL if the sender is gone meanwhile. */
struct alerts_pool *alerts_asked(void *arg);

/* alerts_read_io.c */
void alerts_read_begin(struct alerts_io *a);
void alerts_read_tick(struct alerts_io *a);
void alerts_write_cursor(struct alerts_pool *pool, const char *field, struct stream_id id);

/* alerts_look_io.c */
void alerts_look_tick(struct alerts_io *a);
void alerts_look_leader(struct alerts_io *a); /* of the first pool only */
void alerts_report_tick(struct alerts_io *a);

/* alerts_post_io.c */
int alerts_post_open(struct alerts_to *to, struct err *err);
void alerts_post_close(struct alerts_to *to);
void alerts_post_soon(struct alerts_to *to);

#endif
