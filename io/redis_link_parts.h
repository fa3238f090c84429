/* redis_link_parts.h - what io/redis_link.c and io/redis_greet.c share. Others see io/redis_link.h.
 */
#ifndef BERTH_IO_REDIS_LINK_PARTS_H
#define BERTH_IO_REDIS_LINK_PARTS_H

#include "io/redis_link.h"
#include "io/redis_reply.h"

enum { WHY_MAX = 200 };

enum phase { STARTING, RESOLVING, CONNECTING, SECURING, GREETING, UP, ENDING, ENDED };

/* What an answer of our own is for: the tag of the commands of the greeting, and of an ASKING,
 * whose arg is the link. */
enum purpose { FOR_GREETING, FOR_ROLE, FOR_ASKING };

struct redis_link {
    struct redis_link_config config;
    struct redis_link_events events;
    enum phase phase;
    struct resolve *question;
    char address[128];
    int fd;
    ev_io readable, writable;
    ev_prepare flush;            /* active while there are bytes that no write was tried for */
    struct timer phase_timer;    /* the limit until it is up; or what must wait for the next turn */
    struct timer deadline_timer; /* the oldest command's */
    struct secure *secure;
    struct redis_reply_reader *reader;
    struct redis_commands waiting;
    struct redis_commands greeting; /* sent first, so answered first */
    size_t askings;                 /* answers to ASKING that are among the waiting */
    struct redis_out out, cipher;
    unsigned busy; /* callbacks on the stack */
    bool dead;     /* destroyed, freed when the last callback has returned */
    char why[WHY_MAX];
};

/* ---- redis_link.c ---- */

/* Close, and tell, once. */
void redis_link_end(struct redis_link *l, const char *why);
/* There is something to write. */
void redis_link_wake(struct redis_link *l);

/* ---- redis_greet.c ---- */

void redis_greet_begin(struct redis_link *l);
/* An answer to the greeting; when it was the last one, the link is up. */
void redis_greet_answer(struct redis_link *l, enum purpose purpose, const struct resp *reply);

#endif
