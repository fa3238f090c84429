/* match.c - from a formed group to results written for all its players. */
#include "lobbynode/match.h"

#include <assert.h>

#define PLACE_BACKOFF_FIRST_MS 100
#define PLACE_BACKOFF_MAX_MS 1000
#define RETRIES_PER_TICK 16

static struct lobby_match *find(struct lobby *lobby, struct span room)
{
    uint32_t i = strmap_get(&lobby->match_of_room, room);
    return i == STRMAP_NONE ? NULL : &lobby->matches[i];
}

static void drop(struct lobby *lobby, struct lobby_match *m)
{
    (void)strmap_remove(&lobby->match_of_room, span_of(m->match.room));
    m->state = LOBBY_MATCH_FREE;
    lobby->match_count--;
}

static void place(struct lobby *lobby, struct lobby_match *m, struct lobby_effects *fx)
{
    m->state = LOBBY_MATCH_PLACING;
    m->tries++;
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_PLACE);
    effect->match = m;
    effect->lb = m->lb;
    m->lb = (m->lb + 1) % lobby->config.lb_count; /* the next try asks the other one */
}

void match_begin(struct lobby *lobby, const struct seek_match *match, mono_ms_t now,
                 struct lobby_effects *fx)
{
    if (lobby->match_count == lobby->config.matches_max || find(lobby, span_of(match->room)))
        return;
    struct lobby_match *m = lobby->matches;
    while (m->state != LOBBY_MATCH_FREE)
        m++;
    *m = (struct lobby_match){.match = *match,
                              .lb = (uint32_t)rng_below(&lobby->rng, lobby->config.lb_count),
                              .give_up = mono_add(now, lobby->config.retry_ms)};
    int rc =
        strmap_put(&lobby->match_of_room, span_of(match->room), (uint32_t)(m - lobby->matches));
    assert(rc == 0);
    lobby->match_count++;
    lobby->matches_total++;
    place(lobby, m, fx);
}

static struct span ticket_of(const struct lobby_placed *placed, const char *player)
{
    for (size_t i = 0; i < placed->count; i++)
        if (span_is(placed->players[i], player))
            return placed->tickets[i];
    return (struct span){NULL, 0};
}

/* What one player is told. The list of players is left out where it would not fit into a result of
 * the store. */
static struct span result_text(const struct seek_match *match, const struct lobby_placed *placed,
                               size_t player, bool with_players, struct effects *out)
{
    struct message_out text;
    effects_begin(out, &text);
    message_put_text(&text, "room_id", span_of(match->room));
    message_put_text(&text, "endpoint", placed->endpoint);
    message_put_text(&text, "node", placed->node);
    struct span ticket = ticket_of(placed, match->players[player].player);
    if (ticket.len)
        message_put_text(&text, "ticket", ticket);
    if (with_players) {
        message_open_list(&text, "players");
        for (size_t i = 0; i < match->count; i++)
            message_item_text(&text, span_of(match->players[i].player));
        message_close_list(&text);
    }
    return effects_end(out, &text);
}

void match_placed(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    struct lobby_match *m = find(lobby, ev->room);
    if (!m || m->state != LOBBY_MATCH_PLACING)
        return;
    if (!ev->ok) {
        lobby->place_failures_total++;
        int64_t wait_ms = PLACE_BACKOFF_FIRST_MS;
        for (uint32_t i = 1; i < m->tries && wait_ms < PLACE_BACKOFF_MAX_MS; i++)
            wait_ms *= 2;
        m->state = LOBBY_MATCH_WAITING;
        m->next = mono_add(ev->now, wait_ms);
        if (!mono_before(m->next, m->give_up))
            drop(lobby, m); /* the store gives it to whoever asks next, us included */
        return;
    }
    m->state = LOBBY_MATCH_FINISHING;
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_FINISH);
    memcpy(effect->room, m->match.room, sizeof effect->room);
    effect->match = m;
    fx->result_count = m->match.count;
    for (size_t i = 0; i < m->match.count; i++) {
        const struct seek_match_player *p = &m->match.players[i];
        struct span text = result_text(&m->match, ev->placed, i, true, &fx->out);
        if (text.len > CALL_RESULT_MAX)
            text = result_text(&m->match, ev->placed, i, false, &fx->out);
        fx->results[i] = (struct call_seek_result){.player = span_of(p->player),
                                                   .lobby = span_of(p->lobby),
                                                   .lobby_epoch = p->lobby_epoch,
                                                   .text = text};
    }
}

void match_finished(struct lobby *lobby, const struct lobby_event *ev)
{
    struct lobby_match *m = find(lobby, ev->room);
    if (!m || m->state != LOBBY_MATCH_FINISHING)
        return;
    lobby->finished_total += ev->ok && ev->word == ANSWER_OK;
    drop(lobby,
         m); /* finished, by us or by another; or not known: then the store hands it out again */
}

void match_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    int done = 0;
    for (uint32_t i = 0;
         i < lobby->config.matches_max && lobby->match_count && done < RETRIES_PER_TICK; i++) {
        struct lobby_match *m = &lobby->matches[i];
        if (m->state == LOBBY_MATCH_WAITING && !mono_before(now, m->next)) {
            place(lobby, m, fx);
            done++;
        }
    }
}

mono_ms_t match_deadline(const struct lobby *lobby)
{
    mono_ms_t at = MONO_NEVER;
    for (uint32_t i = 0; i < lobby->config.matches_max && lobby->match_count; i++)
        if (lobby->matches[i].state == LOBBY_MATCH_WAITING)
            at = mono_min(at, lobby->matches[i].next);
    return at;
}
