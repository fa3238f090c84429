/* node_state.h - rows of `states` and `wants`: what state a node is in, and what is wished for it.
 *
 * Pure. The states and their legal moves are in core/state.h. */
#ifndef BERTH_STORE_NODE_STATE_H
#define BERTH_STORE_NODE_STATE_H

#include "core/clock.h"
#include "core/err.h"
#include "core/span.h"
#include "core/state.h"
#include "store/keys.h"

#define NODE_WHY_MAX                                                                               \
    64 /* bytes with terminator: one reason word, or a short free text (percent-decoded) */

/* A row of `states`. */
struct node_state_record {
    wall_ms_t since;
    int64_t epoch; /* of the node */
    int64_t fence; /* token of the lease under which it was moved; 0: by join */
    char why[NODE_WHY_MAX];
    enum node_state state;
};
int node_state_parse(struct span record, struct node_state_record *ret_state,
                     struct err *err) BERTH_MUST_USE;

enum want_kind {
    WANT_NONE,
    WANT_DRAINING,
    WANT_READY,
    WANT_HELD,
    WANT_CLOSED,
    WANT_PAUSED,
    WANT_SIZE,
    WANT_ROLL,
    WANT_FAILBACK,
    WANT_ACCEPT,
    WANT_KINDS
};
/* In order of precedence: the node itself, an operator, the autoscaler. */
enum want_who { WANT_BY_NODE, WANT_BY_OPERATOR, WANT_BY_AUTOSCALE, WANT_WHOS };

const char *want_word(enum want_kind kind);
const char *want_who_word(enum want_who who);

#define WANT_WHY_MAX 256
/* What a want is about when it is about the pool and not one node. */
#define WANT_POOL_CLOSED "*closed" /* WANT_CLOSED: maintenance; why is the message for players */
#define WANT_POOL_PAUSED "*paused" /* WANT_PAUSED: the autoscaler touches nothing */
#define WANT_POOL_SIZE "*size"     /* WANT_SIZE: so many ready nodes */
#define WANT_POOL_ROLL "*roll"     /* WANT_ROLL: nodes that joined before `since` are replaced */
#define WANT_POOL_OWNER "*owner"   /* WANT_FAILBACK: the LB that comes first is to own it again */
#define WANT_POOL_GUARD "*guard"   /* WANT_ACCEPT: what the mass-loss guard holds is really lost */

/* A row of `wants`, or a `want` item of the feed (there WANT_NONE: it was taken back). */
struct want {
    char node[KEYS_NAME_MAX + 1]; /* or one of WANT_POOL_* */
    enum want_who who;
    enum want_kind kind;
    int64_t size;                    /* WANT_SIZE */
    char version[KEYS_NAME_MAX + 1]; /* WANT_ROLL: those that have it stay; "": none stays */
    wall_ms_t until;                 /* 0: for ever */
    wall_ms_t since;
    char why[WANT_WHY_MAX];
};
/* field: `node|who` as in `wants`. */
int want_parse(struct span field, struct span record, struct want *ret_want,
               struct err *err) BERTH_MUST_USE;
bool want_expired(const struct want *want, wall_ms_t now);
/* The wish that counts among those of one node, by precedence, expired ones left out; NULL if there
 * is none. */
const struct want *want_in_force(const struct want *wants, size_t count, wall_ms_t now);

#endif
