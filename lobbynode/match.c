/* match.c - from a formed group to results written for all its players. */
#include "lobbynode/match.h"

#include <assert.h>

#define PLACE_RETRY_MS 250 /* the next try asks another endpoint API */
#define RETRIES_PER_TICK 16

static uint32_t find(const struct lobby *lobby, struct span room, enum lobby_match_state state)
{
    uint32_t i = strmap_get(&lobby->match_of_room, room);
    return i != STRMAP_NONE && lobby->matches[i].state == state ? i : LOBBY_NONE;
}

static void drop(struct lobby *lobby, uint32_t index)
{
    struct lobby_match *m = &lobby->matches[index];
    (void)strmap_remove(&lobby->match_of_room, span_of(m->match.room));
    fifo_remove(&lobby->waiting, index);
    m->state = LOBBY_MATCH_FREE;
    lobby->free_matches[lobby->config.matches_max - lobby->match_count--] = index;
}

static void place(struct lobby *lobby, uint32_t index, struct lobby_effects *fx)
{
    struct lobby_match *m = &lobby->matches[index];
    m->state = LOBBY_MATCH_PLACING;
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_PLACE);
    effect->match = m;
    effect->lb = m->lb;
    m->lb = (m->lb + 1) % lobby->config.lb_count;
}

void match_begin(struct lobby *lobby, const struct seek_match *match, mono_ms_t now,
                 struct lobby_effects *fx)
{
    if (lobby->match_count == lobby->config.matches_max ||
        strmap_get(&lobby->match_of_room, span_of(match->room)) != STRMAP_NONE)
        return;
    uint32_t index = lobby->free_matches[lobby->config.matches_max - ++lobby->match_count];
    lobby->matches[index] =
        (struct lobby_match){.match = *match,
                             .lb = (uint32_t)rng_below(&lobby->rng, lobby->config.lb_count),
                             .give_up = mono_add(now, lobby->config.retry_ms)};
    int rc = strmap_put(&lobby->match_of_room, span_of(match->room), index);
    assert(rc == 0);
    lobby->matches_total++;
    place(lobby, index, fx);
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
    message_put_text(&text, "mode", span_of(match->mode));
    if (match->bots)
        message_put_int(&text, "bots", match->bots);
    if (with_players) {
        message_open_list(&text, "players");
        for (size_t i = 0; i < match->count; i++)
            message_item_text(&text, span_of(match->players[i].player));
        message_close_list(&text);
    }
    return effects_end(out, &text);
}

static void place_failed(struct lobby *lobby, uint32_t index, mono_ms_t now)
{
    struct lobby_match *m = &lobby->matches[index];
    mono_ms_t next = mono_add(now, PLACE_RETRY_MS);
    lobby->place_failures_total++;
    if (!mono_before(next, m->give_up)) {
        drop(lobby, index); /* the store gives it to whoever asks next, us included */
        return;
    }
    m->state = LOBBY_MATCH_WAITING;
    fifo_push(&lobby->waiting, index, next);
}

/* The match is undone, and its room was claimed: nobody will come to it. */
static void release(const struct lobby *lobby, const struct lobby_match *m,
                    struct lobby_effects *fx)
{
    struct message_out text;
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_RELEASE);
    memcpy(effect->room, m->match.room, sizeof effect->room);
    memcpy(effect->ticket, m->ticket, sizeof effect->ticket);
    effect->lb = m->lb % lobby->config.lb_count;
    effects_begin(&fx->out, &text);
    message_open_list(&text, "players");
    for (size_t i = 0; i < m->match.count; i++)
        message_item_text(&text, span_of(m->match.players[i].player));
    message_close_list(&text);
    effect->text = effects_end(&fx->out, &text);
}

void match_placed(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t index = find(lobby, ev->room, LOBBY_MATCH_PLACING);
    if (index == LOBBY_NONE)
        return;
    if (!ev->ok) {
        place_failed(lobby, index, ev->now);
        return;
    }
    struct lobby_match *m = &lobby->matches[index];
    m->state = LOBBY_MATCH_FINISHING;
    m->ticket[0] = '\0';
    for (size_t i = 0; i < ev->placed->count && m->ticket[0] == '\0'; i++)
        (void)span_copy(ev->placed->tickets[i], m->ticket, sizeof m->ticket);
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_FINISH);
    memcpy(effect->room, m->match.room, sizeof effect->room);
    fx->result_count = m->match.count;
    for (size_t i = 0; i < m->match.count; i++) {
        const struct seek_match_player *p = &m->match.players[i];
        struct span text = result_text(&m->match, ev->placed, i, true, &fx->out);
        if (text.len > CALL_RESULT_MAX)
            text = result_text(&m->match, ev->placed, i, false, &fx->out);
        fx->results[i] = (struct call_seek_result){.player = span_of(p->player), .text = text};
    }
}

void match_finished(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t index = find(lobby, ev->room, LOBBY_MATCH_FINISHING);
    if (index == LOBBY_NONE)
        return;
    if (ev->ok && ev->word == ANSWER_LEFT) { /* it goes on without some: tickets for the others */
        lobby->matches[index].match = *ev->match;
        place(lobby, index, fx);
        return;
    }
    lobby->finished_total += ev->ok && ev->word == ANSWER_OK;
    if (ev->ok && ev->word == ANSWER_BROKEN) {
        lobby->broken_total++;
        release(lobby, &lobby->matches[index], fx);
    }
    drop(lobby,
         index); /* finished, by us or another; or not known: then the store hands it out again */
}

void match_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    uint32_t index;
    for (int n = 0; n < RETRIES_PER_TICK && (index = fifo_due(&lobby->waiting, now)) != FIFO_NONE;
         n++) {
        fifo_remove(&lobby->waiting, index);
        place(lobby, index, fx);
    }
}

mono_ms_t match_deadline(const struct lobby *lobby)
{
    return fifo_deadline(&lobby->waiting);
}
