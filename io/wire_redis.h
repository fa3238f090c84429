/* wire_redis.h - what Redis servers, sentinels and cluster nodes say about where to go, understood.
 *
 * Pure: no I/O, no clock, no allocation. Texts in answers are borrowed from the reply. Sources: the
 * Redis Cluster specification (hash slots, MOVED, ASK, TRYAGAIN), "Guidelines for Redis clients
 * with Sentinel", the replies of Redis 7. */
#ifndef BERTH_IO_WIRE_REDIS_H
#define BERTH_IO_WIRE_REDIS_H

#include "core/resp.h"

enum {
    WIRE_REDIS_SLOTS = 16384,
    WIRE_REDIS_HOST_MAX = 256, /* bytes of a host name or address, terminator included */
};

struct wire_redis_place {
    char host[WIRE_REDIS_HOST_MAX]; /* "": the one that was asked */
    int port;                       /* 1..65535 */
};

/* The hash slot of a key: of the part between the first { and the first } after it, if any. */
unsigned wire_redis_slot(struct span key);

enum wire_redis_verdict {
    WIRE_REDIS_ANSWER,    /* an answer for whoever asked; most errors are one, too */
    WIRE_REDIS_NO_SCRIPT, /* send the text */
    WIRE_REDIS_MOVED,     /* the slot lives at place: ask there from now on */
    WIRE_REDIS_ASK,       /* this key has gone ahead to place: ask there this once, after ASKING */
    WIRE_REDIS_AGAIN,     /* the keys are in two places for a moment: ask again soon */
    WIRE_REDIS_LOST,      /* nothing can be written here (now): as good as not there */
};

/* place is written with MOVED and ASK. A MOVED or ASK that names no place is an ANSWER. */
enum wire_redis_verdict wire_redis_verdict(const struct resp *reply,
                                           struct wire_redis_place *ret_place);

/* What ROLE answered. UNKNOWN: an error reply, or nothing that can be read; place: the primary of a
 * replica, where it is told. */
enum wire_redis_role {
    WIRE_REDIS_PRIMARY,
    WIRE_REDIS_REPLICA,
    WIRE_REDIS_SENTINEL,
    WIRE_REDIS_ROLE_UNKNOWN
};
enum wire_redis_role wire_redis_role(const struct resp *reply, struct wire_redis_place *ret_place);

/* Who serves the slot, in an answer to CLUSTER SLOTS. False: nobody, or not such an answer. */
bool wire_redis_slot_owner(const struct resp *slots, unsigned slot,
                           struct wire_redis_place *ret_place);

/* [host, port], the answer to SENTINEL GET-MASTER-ADDR-BY-NAME. False: no such name (nil). */
bool wire_redis_master(const struct resp *reply, struct wire_redis_place *ret_place);
/* A number of SENTINEL MASTER's flat list ("config-epoch"); -1: it is not there. */
int64_t wire_redis_field(const struct resp *reply, const char *name);
/* A message [message, +switch-master, "name host port host port"] about this master. */
bool wire_redis_switched(const struct resp *message, const char *master);

/* "host", "host:port", "[v6]:port": without a port it is port. False: it is none of these. */
bool wire_redis_place_parse(struct span text, int port, struct wire_redis_place *ret_place);
bool wire_redis_place_eq(const struct wire_redis_place *a, const struct wire_redis_place *b);

#endif
