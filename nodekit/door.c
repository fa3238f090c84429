/* door.c - tickets, or none. */
#include "nodekit/door.h"

#include <stdio.h>

const char *refuse_word(enum refuse refuse)
{
    static const char *const words[REFUSES] = {
        [REFUSE_NOT] = "ok",
        [REFUSE_TICKET_MISSING] = "ticket_missing",
        [REFUSE_TICKET_INVALID] = "ticket_invalid",
        [REFUSE_TICKET_EXPIRED] = "ticket_expired",
        [REFUSE_TICKET_USED] = "ticket_used",
        [REFUSE_WRONG_NODE] = "wrong_node",
        [REFUSE_WRONG_POOL] = "wrong_pool",
        [REFUSE_FULL] = "full",
        [REFUSE_DRAINING] = "draining",
        [REFUSE_CLOSED] = "closed",
        [REFUSE_BAD_REQUEST] = "bad_request",
        [REFUSE_TIMEOUT] = "admit_timeout",
    };
    return words[refuse];
}

enum refuse refuse_of_ticket(enum ticket_refusal refusal)
{
    static const enum refuse refuses[TICKET_REFUSALS] = {
        [TICKET_OK] = REFUSE_NOT,
        [TICKET_MISSING] = REFUSE_TICKET_MISSING,
        [TICKET_INVALID] = REFUSE_TICKET_INVALID,
        [TICKET_EXPIRED] = REFUSE_TICKET_EXPIRED,
        [TICKET_USED] = REFUSE_TICKET_USED,
        [TICKET_WRONG_NODE] = REFUSE_WRONG_NODE,
        [TICKET_WRONG_POOL] = REFUSE_WRONG_POOL,
        [TICKET_FULL] = REFUSE_FULL,
    };
    return refuses[refusal];
}

int door_init(struct door *door, const struct ticket_door_config *config, struct err *err)
{
    *door = (struct door){.tickets = config != NULL};
    return config ? ticket_door_init(&door->book, config, err) : 0;
}

void door_fini(struct door *door)
{
    if (door->tickets)
        ticket_door_fini(&door->book);
}

void door_epoch(struct door *door, int64_t epoch)
{
    if (door->tickets)
        ticket_door_epoch(&door->book, epoch);
}

enum refuse door_try(struct door *door, const struct node_event *ev, struct span ticket,
                     struct span player, struct span room, struct door_pass *ret_pass)
{
    door->why.text[0] = '\0';
    if (!door->tickets) {
        *ret_pass = (struct door_pass){.held = false};
        return REFUSE_NOT;
    }
    if (!ev->wall_known) { /* nobody can have been sent here yet */
        (void)err_set(&door->why, BERTH_EAGAIN, "this node is not registered yet");
        return REFUSE_CLOSED;
    }
    struct ticket_entry entry;
    enum ticket_refusal refusal =
        ticket_door_try(&door->book, ev->wall, ticket, player, room, 0, &entry, &door->why);
    if (refusal == TICKET_OK)
        *ret_pass = (struct door_pass){.held = true, .entry = entry.entry};
    return refuse_of_ticket(refusal);
}

void door_left(struct door *door, const struct node_event *ev, struct door_pass *pass, bool final)
{
    if (pass->held)
        ticket_door_left(&door->book, ev->wall, pass->entry, final);
    if (final)
        pass->held = false;
}

int door_admitted(struct door *door, bool wall_known, wall_ms_t wall, char *ret_buf, size_t size)
{
    if (door->tickets && wall_known)
        return admitted_render(&door->book.admitted, wall, ret_buf, size);
    int n = snprintf(ret_buf, size, "-");
    return n < 0 || (size_t)n >= size ? BERTH_EFULL : n;
}
