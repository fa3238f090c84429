/* tally.c - adding up what the players saw. */
#include "loadtest/tally.h"

#include "core/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int tally_init(struct tally *tally, size_t players)
{
    memset(tally, 0, sizeof *tally);
    tally->players = players;
    tally->state[PLAYER_WAITING] = players;
    if (strmap_init(&tally->room_of, (uint32_t)players, 1) < 0)
        return BERTH_ENOMEM;
    tally->rooms = calloc(players, sizeof *tally->rooms);
    if (!tally->rooms) {
        strmap_fini(&tally->room_of);
        return BERTH_ENOMEM;
    }
    return 0;
}

void tally_fini(struct tally *tally)
{
    strmap_fini(&tally->room_of);
    free(tally->rooms);
    tally->rooms = NULL;
}

static void count_reason(struct tally_reason *reasons, const char *why)
{
    for (size_t i = 0; i < TALLY_REASONS_MAX; i++) {
        if (!reasons[i].why)
            reasons[i].why = why;
        if (strcmp(reasons[i].why, why) == 0) {
            reasons[i].count++;
            return;
        }
    }
    reasons[TALLY_REASONS_MAX - 1].count++;
}

/* A player joined: is everyone of its room on one node? */
static void met_in_room(struct tally *tally, const struct player *player)
{
    assert(player != NULL);
    struct span id = span_of(player->room);
    uint32_t slot = strmap_get(&tally->room_of, id);
    if (slot == STRMAP_NONE) {
        slot = (uint32_t)tally->rooms_count;
        if (strmap_put(&tally->room_of, id, slot) < 0)
            return; /* more rooms than players cannot be */
        tally->rooms_count++;
        memcpy(tally->rooms[slot].node, player->node[SOCKET_GAME], sizeof tally->rooms[slot].node);
    }
    struct tally_room *room = &tally->rooms[slot];
    room->met++;
    if (strcmp(room->node, player->node[SOCKET_GAME]) != 0 && !room->split) {
        room->split = true;
        tally->split_rooms++;
    }
}

void tally_effect(struct tally *tally, const struct player *player,
                  const struct player_effect *effect)
{
    switch (effect->kind) {
    case PLAYER_FX_TIMED:
        histogram_record(&tally->timed[effect->timed], effect->took_ms);
        if (effect->timed == TIMED_MATCH)
            tally->matched++;
        if (effect->timed == TIMED_GAME_CONNECT)
            met_in_room(tally, player);
        break;
    case PLAYER_FX_MET:
        tally->met++;
        break;
    case PLAYER_FX_RETRY:
        tally->retried++;
        count_reason(tally->retries, effect->why);
        break;
    case PLAYER_FX_KILLED:
        tally->killed++;
        count_reason(tally->kills, effect->why);
        break;
    case PLAYER_FX_FAILED:
        tally->failed++;
        count_reason(tally->failures, effect->why);
        break;
    case PLAYER_FX_DONE:
        tally->done++;
        break;
    case PLAYER_FX_EVENT_IN:
        tally->events_in++;
        break;
    default:
        break;
    }
}

void tally_moved(struct tally *tally, enum player_state from, enum player_state to)
{
    assert(tally->state[from] > 0);
    tally->state[from]--;
    tally->state[to]++;
    if (from == PLAYER_WAITING)
        tally->started++;
}

bool tally_passed(const struct tally *tally)
{
    return tally->done == tally->players && tally->met == tally->players && tally->failed == 0 &&
           tally->split_rooms == 0 && tally->killed == 0;
}

static void add_reasons(struct text *t, const char *title, const struct tally_reason *reasons)
{
    if (!reasons[0].why)
        return;
    text_add(t, "%s:", title);
    for (size_t i = 0; i < TALLY_REASONS_MAX && reasons[i].why; i++)
        text_add(t, " %s=%" PRIu64, reasons[i].why, reasons[i].count);
    text_add(t, "\n");
}

size_t tally_report(const struct tally *tally, char *buf, size_t size)
{
    struct text t;
    text_init(&t, buf, size);
    text_add(&t, "%-16s %8s %8s %8s %8s %8s   (milliseconds)\n", "step", "count", "p50", "p90",
             "p99", "max");
    for (int i = 0; i < PLAYER_TIMED; i++) {
        const struct histogram *h = &tally->timed[i];
        text_add(&t, "%-16s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
                 player_timed_word((enum player_timed)i), h->count, histogram_quantile(h, 0.5),
                 histogram_quantile(h, 0.9), histogram_quantile(h, 0.99), h->max);
    }
    add_reasons(&t, "asked again", tally->retries);
    add_reasons(&t, "sessions killed", tally->kills);
    add_reasons(&t, "failures", tally->failures);
    return t.len;
}

size_t tally_line(const struct tally *tally, char *buf, size_t size)
{
    struct text t;
    text_init(&t, buf, size);
    text_add(&t,
             "players=%zu matched=%" PRIu64 " rooms=%zu split_rooms=%zu failed=%" PRIu64
             " killed_sessions=%" PRIu64,
             tally->players, tally->matched, tally->rooms_count, tally->split_rooms, tally->failed,
             tally->killed);
    return t.len;
}
