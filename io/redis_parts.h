/* redis_parts.h - what io/redis.c and io/redis_moved.c share. Others see io/redis.h. */
#ifndef BERTH_IO_REDIS_PARTS_H
#define BERTH_IO_REDIS_PARTS_H

#include "core/rng.h"
#include "io/redis.h"
#include "io/redis_find.h"

enum { WHY_MAX = 200 };

enum phase {
    REDIS_WAITING, /* for the back-off to end */
    REDIS_FINDING,
    REDIS_LINKING,
    REDIS_UP,
    REDIS_MOVING,   /* the slot lives elsewhere: what is under way is awaited, then linked there */
    REDIS_DROPPING, /* at the next turn of the loop */
};

/* Another node of the cluster, asked for keys that went ahead. */
struct aside {
    struct redis *redis;
    struct redis_link *link; /* NULL: none */
    struct wire_redis_place place;
    struct redis_commands queue; /* until it is up */
};

struct redis {
    struct loop *loop;
    struct log *log;
    struct redis_config *config;
    const struct redis_script *scripts;
    struct redis_events events;
    struct resolver *resolver;
    struct secure_context *secure;
    const struct redis_finder *finder;
    void *find;
    enum phase phase;
    struct redis_link *link;       /* LINKING, UP, MOVING, DROPPING */
    struct wire_redis_place place; /* where it leads; port 0: nowhere yet */
    bool directed;                 /* the next link goes to `place`, without a search */
    struct aside aside;
    struct redis_commands held;  /* MOVING: for the new link */
    struct redis_commands again; /* TRYAGAIN */
    size_t pending;              /* all accepted commands without an end */
    bool told_up;
    struct timer timer; /* of the phase */
    struct timer again_timer;
    struct timer look_timer;   /* while told up: may it be written, is it the primary? */
    bool writing, asking_role; /* such questions are out */
    mono_ms_t written_at, role_at;
    unsigned attempts; /* since it was last steady */
    mono_ms_t up_since;
    struct rng rng;
    unsigned busy;      /* callbacks on the stack */
    bool dead;          /* destroyed, freed when the last callback has returned */
    char why[WHY_MAX];  /* of DROPPING */
    char last[WHY_MAX]; /* of the last end */
};

/* ---- redis.c ---- */

/* Around whatever may call somebody else: r is freed when the last has left. */
void redis_enter(struct redis *r);
void redis_leave(struct redis *r);
/* The command ends: it is freed, whoever waits is told. */
void redis_finish(struct redis *r, struct redis_command *c, int code, const struct resp *reply);
void redis_fail_all(struct redis *r, struct redis_commands *all);
/* Drop the connection at the next turn of the loop: whoever is on the stack goes on with what there
 * is. */
void redis_drop_soon(struct redis *r, const char *why);
/* Connect to r->place. */
void redis_link_to(struct redis *r);
/* An answer of a link; arg is the redis. */
void redis_answered(void *arg, struct redis_command *c, const struct resp *reply);

/* ---- redis_moved.c ---- */

/* These take the command. */
void redis_moved(struct redis *r, struct redis_command *c, const struct wire_redis_place *place);
void redis_ask_aside(struct redis *r, struct redis_command *c, const struct wire_redis_place *to);
void redis_ask_again(struct redis *r, struct redis_command *c);
void redis_on_again(void *arg); /* its timer */
/* Moving, and everything under way on the old link has its answer: go. */
void redis_move_on(struct redis *r);
void redis_close_aside(struct redis *r, struct redis_commands *to);

#endif
