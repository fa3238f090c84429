/* ticket_seen.c - memory of used tickets. */
#include "core/ticket_seen.h"
#include "core/mutant.h"

#include <assert.h>
#include <stdlib.h>

#define NONE UINT32_MAX

int ticket_seen_init(struct ticket_seen *seen, uint32_t capacity, int64_t grace_ms, uint64_t seed)
{
    assert(capacity >= 1 && grace_ms >= 0);
    struct ticket_seen s = {.capacity = capacity, .grace_ms = grace_ms};
    int rc = strmap_init(&s.map, capacity, seed);
    if (rc < 0)
        return rc;
    s.entries = calloc(capacity, sizeof *s.entries);
    if (!s.entries) {
        strmap_fini(&s.map);
        return BERTH_ENOMEM;
    }
    for (uint32_t i = 0; i < capacity; i++)
        s.entries[i].next = i + 1 < capacity ? i + 1 : NONE;
    *seen = s;
    return 0;
}

void ticket_seen_fini(struct ticket_seen *seen)
{
    strmap_fini(&seen->map);
    free(seen->entries);
    *seen = (struct ticket_seen){0};
}

static bool forgettable(const struct ticket_seen_entry *e, wall_ms_t now)
{
    return e->jti[0] != '\0' && !e->held && now.ms >= e->forget_at.ms;
}

static void forget(struct ticket_seen *seen, uint32_t i)
{
    struct ticket_seen_entry *e = &seen->entries[i];
    (void)strmap_remove(&seen->map, span_of(e->jti));
    *e = (struct ticket_seen_entry){.next = seen->free_head};
    seen->free_head = i;
}

/* Look at a few entries in turn, so that all are looked at in time and no call takes long; at every
 * one when there is no place left. */
static void sweep(struct ticket_seen *seen, wall_ms_t now)
{
    enum { STEP = 8 };
    assert(seen->capacity > 0);
    uint32_t steps = seen->free_head == NONE ? seen->capacity : STEP;
    for (uint32_t n = 0; n < steps && n < seen->capacity; n++) {
        uint32_t i = seen->sweep_at++ % seen->capacity;
        if (forgettable(&seen->entries[i], now))
            forget(seen, i);
    }
    seen->sweep_at %= seen->capacity;
}

static bool resumable(const struct ticket_seen_entry *e, wall_ms_t now)
{
    return e->held || now.ms < e->grace_end.ms || MUTANT(ticket_admits_twice);
}

enum ticket_use ticket_seen_use(struct ticket_seen *seen, wall_ms_t now, struct span jti,
                                wall_ms_t expires, uint64_t seat, uint64_t *ret_seat,
                                uint32_t *ret_entry)
{
    assert(jti.len >= 1 && jti.len <= STRMAP_KEY_MAX);
    sweep(seen, now);
    uint32_t i = strmap_get(&seen->map, jti);
    if (i != STRMAP_NONE) {
        struct ticket_seen_entry *e = &seen->entries[i];
        if (!resumable(e, now))
            return TICKET_USE_SPENT;
        e->held = true;
        *ret_seat = e->seat;
        *ret_entry = i;
        return TICKET_USE_RESUME;
    }
    i = seen->free_head;
    if (i == NONE)
        return TICKET_USE_FULL;
    struct ticket_seen_entry *e = &seen->entries[i];
    seen->free_head = e->next;
    int rc = strmap_put(&seen->map, jti, i);
    assert(rc == 0); /* as many places as entries */
    (void)span_copy(jti, e->jti, sizeof e->jti);
    e->seat = seat;
    e->forget_at = expires;
    e->held = true;
    *ret_seat = seat;
    *ret_entry = i;
    return TICKET_USE_NEW;
}

bool ticket_seen_resumes(const struct ticket_seen *seen, wall_ms_t now, struct span jti)
{
    uint32_t i = strmap_get(&seen->map, jti);
    return i != STRMAP_NONE && resumable(&seen->entries[i], now);
}

void ticket_seen_left(struct ticket_seen *seen, wall_ms_t now, uint32_t entry, bool final)
{
    assert(entry < seen->capacity && seen->entries[entry].jti[0] != '\0');
    struct ticket_seen_entry *e = &seen->entries[entry];
    e->held = false;
    e->grace_end = final ? (wall_ms_t){0} : wall_add(now, seen->grace_ms); /* a clock may go back */
    if (e->forget_at.ms < e->grace_end.ms) /* expired tickets still resume within the grace */
        e->forget_at = e->grace_end;
}

uint32_t ticket_seen_count(const struct ticket_seen *seen)
{
    return seen->map.count;
}
