/* pool_parts.h - what the files of one pool's autoscaler on the loop share (pool_*_io.c).
 *
 * Shell, private to them. */
#ifndef BERTH_AUTOSCALE_POOL_PARTS_H
#define BERTH_AUTOSCALE_POOL_PARTS_H

#include "autoscale/act_io.h"
#include "autoscale/history.h"
#include "autoscale/pool_io.h"
#include "autoscale/view.h"
#include "store/barrier.h"
#include "store/store.h"
#include "store/store_follow.h"

#define POOL_EVENTS_MAX 100000

/* How the pool is scaled, with what it needs. */
struct plan_of {
    struct policy policy;
    struct zone *zones[RULES_MAX]; /* by rule; NULL: none */
};

struct pool_io {
    struct pool_io_config c;
    struct policy policy;
    struct zone *zones[RULES_MAX]; /* by rule; NULL: none */
    struct plan_of *next;          /* prepared, not committed */
    struct scale *scale;
    struct view view;
    struct act_io *act;
    struct history history;
    bool past_asked, past_minutes; /* a page of the history is awaited; it is of the minutes */
    int64_t past_left;             /* entries that are still wanted */
    bool away_asked;               /* a page of the events is awaited */
    int64_t away_ms, away_seq;     /* the last event that was looked at */
    struct keys keys;
    struct store_follow *follow;
    struct barrier *barrier;
    struct lease lease;
    char led_by[64];        /* who was last heard to lead the pool; "": nobody */
    struct store_call call; /* being built; too large for the stack */
    int64_t epoch;          /* of this process in this pool; 0: not enrolled yet */
    char id[96];            /* "autoscale/name" */
    bool enroll_pending, taken_told, resigning;
    bool was_up;        /* the connection has been up before */
    wall_ms_t store_at; /* Redis TIME as last heard, and when */
    mono_ms_t heard_at;
    struct view_operators operators;
    struct timer step_timer, lease_timer, show_timer, look_timer, resign_timer;
    size_t waits; /* requests whose answer will come with this pool as argument */
    bool dead;    /* destroyed; freed when the last answer has come */
};

/* A question to Redis or the provider, and what it was about. */
struct pool_ask {
    struct pool_io *pool;
    char name[NAME_SIZE];
    struct lease_request request;
    struct lease_event granted; /* a lease that was got, until it is on a replica, too */
    mono_ms_t at;               /* LIST: when the core asked; granted: when it was heard of */
};

/* ---- pool_io.c ---- */

/* Monotonic, and Redis time (0 while it is not known). */
mono_ms_t pool_io_now(const struct pool_io *p);
wall_ms_t pool_io_wall(const struct pool_io *p);
/* Redis said what time it is. */
void pool_io_hear_time(struct pool_io *p, wall_ms_t store_now);
/* One event for the core, and what it asks for in return is carried out. Nests. */
void pool_io_step(struct pool_io *p, struct scale_event *ev);
/* No act without the lease: this process may have stood still since the core decided. */
bool pool_io_may_act(struct pool_io *p);
/* How long the pool's feed is to be. */
int64_t pool_io_feed_max(const struct pool_io *p);

/* ---- pool_ask_io.c: questions and their answers ---- */

/* Counted until pool_io_ask_end(). NULL: no memory. */
struct pool_ask *pool_io_ask_new(struct pool_io *p, const char *name);
/* The answer has come. Frees ask, a copy is in *ret_ask. Returns the pool, or NULL if it is gone
 * meanwhile. */
struct pool_io *pool_io_ask_end(struct pool_ask *ask, struct pool_ask *ret_ask);
/* Send p->call; fn gets a pool_ask. False: not now (nothing will be answered). */
bool pool_io_ask_send(struct pool_io *p, const char *name, store_fn *fn);
/* Was p->call not made (rc < 0)? Then it is logged. */
bool pool_io_ask_unfit(struct pool_io *p, int rc, const char *what, const struct err *err);
/* This process as holder of the lease. */
void pool_io_ask_holder(struct pool_io *p, char buf[CALL_HOLDER_MAX]);

/* ---- pool_lead_io.c: the name and the lease ---- */

/* Take or keep (or leave) the name; its answer wants the lease. */
void pool_io_lead_enroll(struct pool_io *p, bool leave);
void pool_io_lead_step(struct pool_io *p, struct lease_event *ev);
void pool_io_lead_on_timer(void *arg); /* struct pool_io */
/* No answer to the resignation has come in time. */
void pool_io_lead_resigned(void *arg); /* struct pool_io */

/* ---- pool_effects_io.c: what the core asks for ---- */

void pool_io_effects_do(struct pool_io *p, const struct effect *e);
/* Hand it to the sink, with pool, who and at filled in. */
void pool_io_tell(struct pool_io *p, struct notice notice);
/* Into the pool's events or history; one that is lost is in the log. */
void pool_io_write_event(struct pool_io *p, const struct call_event *req);

/* ---- pool_past_io.c ---- */

/* Read the pool's history; it goes to the core by pages. */
void pool_io_past_read(struct pool_io *p);

/* ---- pool_away_io.c ---- */

/* Read what the balancers wrote into the pool's events since the last time: whom they refused. */
void pool_io_away_read(struct pool_io *p);

/* ---- pool_policy_io.c: settings ---- */

void pool_io_policy_free_zones(struct zone *zones[RULES_MAX]);
/* The time zones that rules ask for. */
int pool_io_policy_load_zones(struct policy *policy, struct zone *ret_zones[RULES_MAX],
                              struct err *err) BERTH_MUST_USE;
/* The policy of these settings, with the provider's own facts. */
int pool_io_policy_make(const struct pool_io *p, const struct pool_settings *settings,
                        struct policy *ret_policy, struct err *err) BERTH_MUST_USE;

#endif
