/* door.h - who may come in: core/ticket_door.h for installations with tickets, an open door for
 * those without.
 *
 * Pure (libcrypto computes, nothing more). */
#ifndef BERTH_NODEKIT_DOOR_H
#define BERTH_NODEKIT_DOOR_H

#include "core/ticket_door.h"
#include "nodekit/node.h"

/* Why someone is not let in. */
enum refuse {
    REFUSE_NOT, /* let in */
    REFUSE_TICKET_MISSING,
    REFUSE_TICKET_INVALID,
    REFUSE_TICKET_EXPIRED,
    REFUSE_TICKET_USED,
    REFUSE_WRONG_NODE,
    REFUSE_WRONG_POOL,
    REFUSE_FULL,
    REFUSE_DRAINING,
    REFUSE_CLOSED,
    REFUSE_BAD_REQUEST,
    REFUSE_TIMEOUT,
    REFUSES
};
/* The words of docs/node-protocol.md; also labels of metrics. */
const char *refuse_word(enum refuse refuse);
/* The refusal that follows from what is wrong with a ticket. */
enum refuse refuse_of_ticket(enum ticket_refusal refusal);

struct door {
    bool tickets;            /* false: anyone may come, nothing is counted as admitted */
    struct ticket_door book; /* if tickets */
    struct err why;          /* of the last refusal, for the log */
};

/* config: NULL for a door without tickets; else as for ticket_door_init(). */
int door_init(struct door *door, const struct ticket_door_config *config,
              struct err *err) BERTH_MUST_USE;
void door_fini(struct door *door);

void door_epoch(struct door *door, int64_t epoch);

/* A ticket in use: kept with the seat, given back with door_left(). */
struct door_pass {
    bool held;
    uint32_t entry;
};

/* Verify, use up and count the ticket of this player (and room; empty: none). REFUSE_NOT: *ret_pass
 * is held. Everything else that could speak against letting the player in must have been looked at
 * before. */
enum refuse door_try(struct door *door, const struct node_event *ev, struct span ticket,
                     struct span player, struct span room,
                     struct door_pass *ret_pass) BERTH_MUST_USE;

/* The seat's socket went away (the ticket resumes it within the grace), or for good. */
void door_left(struct door *door, const struct node_event *ev, struct door_pass *pass, bool final);

/* The value of `adm=` in the report. Returns its length or BERTH_EFULL. */
int door_admitted(struct door *door, bool wall_known, wall_ms_t wall, char *ret_buf,
                  size_t size) BERTH_MUST_USE;

#endif
