/* ticket_door.h - what a node does with a ticket: verify it, see that it is one seat, count it as
 * admitted.
 *
 * Pure but for libcrypto (library berth_ticket). Puts ticket, ticket_seen and admitted together in
 * the one right order; nodes and the agent call only this. */
#ifndef BERTH_CORE_TICKET_DOOR_H
#define BERTH_CORE_TICKET_DOOR_H

#include "core/admitted.h"
#include "core/ticket.h"
#include "core/ticket_seen.h"

enum { TICKET_FORMER_MAX = 8 };

struct ticket_door {
    struct ticket_keys *keys; /* borrowed; may be replaced at any time (rotation) */
    char node[TICKET_NAME_MAX + 1], pool[TICKET_NAME_MAX + 1];
    char alias[TICKET_NAME_MAX + 1]; /* a name it had before; "": none */
    int64_t node_epoch;
    int64_t former[TICKET_FORMER_MAX]; /* epochs of processes it succeeds; 0: none */
    int64_t skew_ms;                   /* clock skew allowed; 0: TICKET_SKEW_MS */
    struct ticket_seen seen;
    struct admitted admitted; /* rendered into adm= of the report */
};

struct ticket_door_config {
    struct ticket_keys *keys; /* borrowed */
    struct span node, pool;   /* copied */
    uint32_t tickets_max;     /* see ticket_seen_init */
    int64_t grace_ms;         /* a lost socket's seat is kept for so long */
    int64_t window_ms;        /* see admitted_init */
    uint64_t seed;
};

/* BERTH_EINVAL (a name too long), BERTH_ENOMEM. */
int ticket_door_init(struct ticket_door *door, const struct ticket_door_config *config,
                     struct err *err) BERTH_MUST_USE;
void ticket_door_fini(struct ticket_door *door);

/* The store issued our epoch (again): tickets for an earlier one are refused as wrong_node. A
 * change of epoch empties the book of admitted. */
void ticket_door_epoch(struct ticket_door *door, int64_t node_epoch);

/* Restart in place. The process that is succeeded goes by another name, its tickets of before stay
 * good. BERTH_EINVAL: too long. */
int ticket_door_rename(struct ticket_door *door, struct span node) BERTH_MUST_USE;
/* This process succeeds one that had this epoch: tickets for that one, handed out just before, are
 * good here too. They are not counted as admitted: no LB awaits them of this epoch. The oldest of
 * more than TICKET_FORMER_MAX is forgotten. */
void ticket_door_succeed(struct ticket_door *door, int64_t epoch);

struct ticket_entry {
    struct ticket ticket;
    uint64_t seat;  /* new: the one given; resumed: the one it had */
    uint32_t entry; /* for ticket_door_left */
    bool resumed;   /* the newest socket wins; the seat was counted already */
};

/* May the holder of this token sit down as this player, in this room? player and room: as the
 * client says, empty: as the ticket says. Others than the ticket's are TICKET_INVALID. On TICKET_OK
 * the ticket is used and counted. */
enum ticket_refusal ticket_door_try(struct ticket_door *door, wall_ms_t now, struct span token,
                                    struct span player, struct span room, uint64_t seat,
                                    struct ticket_entry *ret_entry, struct err *err) BERTH_MUST_USE;

/* See ticket_seen_left. */
void ticket_door_left(struct ticket_door *door, wall_ms_t now, uint32_t entry, bool final);

#endif
