/* ticket_door.c - one ticket, one seat, counted once. */
#include "core/ticket_door.h"
#include "core/mutant.h"

int ticket_door_init(struct ticket_door *door, const struct ticket_door_config *config,
                     struct err *err)
{
    struct ticket_door d = {.keys = config->keys};
    if (!span_copy(config->node, d.node, sizeof d.node) ||
        !span_copy(config->pool, d.pool, sizeof d.pool))
        return err_set(err, BERTH_EINVAL, "name of node or pool: at most %d bytes",
                       TICKET_NAME_MAX);
    admitted_init(&d.admitted, config->window_ms);
    int rc = ticket_seen_init(&d.seen, config->tickets_max, config->grace_ms, config->seed);
    if (rc < 0)
        return err_set(err, rc, "no memory for %u used tickets", config->tickets_max);
    *door = d;
    return 0;
}

void ticket_door_fini(struct ticket_door *door)
{
    ticket_seen_fini(&door->seen);
    *door = (struct ticket_door){0};
}

void ticket_door_epoch(struct ticket_door *door, int64_t node_epoch)
{
    if (door->node_epoch !=
        node_epoch) /* what was admitted belongs to the epoch under which it was assigned */
        admitted_init(&door->admitted, door->admitted.window_ms);
    door->node_epoch = node_epoch;
}

int ticket_door_rename(struct ticket_door *door, struct span node)
{
    char was[sizeof door->node];
    memcpy(was, door->node, sizeof was);
    if (!span_copy(node, door->node, sizeof door->node))
        return BERTH_EINVAL;
    memcpy(door->alias, was, sizeof was);
    return 0;
}

void ticket_door_succeed(struct ticket_door *door, int64_t epoch)
{
    memmove(door->former + 1, door->former, (TICKET_FORMER_MAX - 1) * sizeof *door->former);
    door->former[0] = epoch;
}

static bool is_former(const struct ticket_door *door, int64_t epoch)
{
    for (size_t i = 0; i < TICKET_FORMER_MAX; i++)
        if (door->former[i] != 0 && door->former[i] == epoch)
            return true;
    return false;
}

static enum ticket_refusal refuse(struct err *err, enum ticket_refusal refusal, const char *text)
{
    (void)err_set(err, BERTH_EDENIED, "%s", text);
    return refusal;
}

/* A verified ticket takes its seat. */
static enum ticket_refusal sit_down(struct ticket_door *door, wall_ms_t now, uint64_t seat,
                                    struct ticket_entry *entry, struct err *err)
{
    const struct ticket *t = &entry->ticket;
    wall_ms_t expires = {t->expires_s * 1000 + (door->skew_ms ? door->skew_ms : TICKET_SKEW_MS)};
    switch (ticket_seen_use(&door->seen, now, span_of(t->jti), expires, seat, &entry->seat,
                            &entry->entry)) {
    case TICKET_USE_SPENT:
        return refuse(err, TICKET_USED, "its seat was taken and given up");
    case TICKET_USE_FULL:
        return refuse(err, TICKET_FULL, "too many tickets are alive here");
    case TICKET_USE_RESUME:
        entry->resumed = true;
        return TICKET_OK;
    case TICKET_USE_NEW:
        break;
    }
    entry->resumed = false;
    /* One that is not counted (its second is over: it was verified just before) is not awaited by
     * the LB either. */
    if (t->node_epoch == door->node_epoch)
        (void)!admitted_count(&door->admitted, now, span_of(t->issuer), t->issuer_epoch,
                              t->issued_s);
    return TICKET_OK;
}

enum ticket_refusal ticket_door_try(struct ticket_door *door, wall_ms_t now, struct span token,
                                    struct span player, struct span room, uint64_t seat,
                                    struct ticket_entry *ret_entry, struct err *err)
{
    struct ticket_expect expect = {.node = span_of(door->node),
                                   .alias = span_of(door->alias),
                                   .pool = span_of(door->pool),
                                   .expired_too = true};
    struct ticket_entry entry;
    if (MUTANT(ticket_of_another_node))
        expect.node = (struct span){NULL, 0};
    enum ticket_refusal refusal =
        ticket_verify(door->keys, token, now, &expect, &entry.ticket, err);
    if (refusal != TICKET_OK)
        return refusal;
    const struct ticket *t = &entry.ticket;
    if (player.len > 0 && !span_is(player, t->player))
        return refuse(err, TICKET_INVALID, "it is another player's");
    if (room.len > 0 && !span_is(room, t->room))
        return refuse(err, TICKET_INVALID, "it is for another room");
    bool resumes = ticket_seen_resumes(&door->seen, now, span_of(t->jti));
    bool ours = t->node_epoch == door->node_epoch || is_former(door, t->node_epoch) ||
                MUTANT(ticket_of_another_node) || MUTANT(ticket_of_former_process);
    if (!ours && !resumes)
        return refuse(err, TICKET_WRONG_NODE, "it is for another process of this node");
    if (t->expired && !resumes && !MUTANT(ticket_never_ends))
        return refuse(err, TICKET_EXPIRED, "it has expired");
    refusal = sit_down(door, now, seat, &entry, err);
    if (refusal == TICKET_OK)
        *ret_entry = entry;
    return refusal;
}

void ticket_door_left(struct ticket_door *door, wall_ms_t now, uint32_t entry, bool final)
{
    ticket_seen_left(&door->seen, now, entry, final);
}
