/* seeker.c - seek, cancel, time out, be told. */
#include "lobbynode/seeker.h"

#include "lobbynode/match.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define AGAIN_PER_TICK 16
#define GHOSTS_PER_TICK 16
#define GHOST_RETRY_MS 1000
#define DUE_PER_TICK 16

static struct lobby_player *find(struct lobby *lobby, struct span player, uint32_t *ret_peer)
{
    uint32_t peer = strmap_get(&lobby->peer_of_player, player);
    if (peer == STRMAP_NONE)
        return NULL;
    *ret_peer = peer;
    return &lobby->players[peer];
}

static void say(struct lobby *lobby, uint32_t peer, const char *event, bool with_size,
                struct lobby_effects *fx)
{
    struct message_out text;
    effects_begin(&fx->out, &text);
    message_put_text(&text, "mode", span_of(lobby->players[peer].mode));
    if (with_size)
        message_put_int(&text, "size", lobby->config.match_size);
    effects_send(&fx->out, peer, event, effects_end(&fx->out, &text));
}

static void complain(uint32_t peer, const char *reason, struct lobby_effects *fx)
{
    struct message_out text;
    effects_begin(&fx->out, &text);
    message_put_text(&text, "reason", span_of(reason));
    effects_send(&fx->out, peer, "error", effects_end(&fx->out, &text));
}

/* The one place where a player's search changes state; the time limits follow it. */
static void set_state(struct lobby *lobby, uint32_t peer, enum lobby_player_state to, mono_ms_t now)
{
    lobby->players[peer].state = to;
    if (to != LOBBY_SEEKING)
        fifo_remove(&lobby->seeking, peer);
    if (to == LOBBY_MATCHED)
        fifo_push(&lobby->matched, peer, mono_add(now, lobby->config.match_ttl_ms));
    else
        fifo_remove(&lobby->matched, peer);
}

static void do_seek(struct lobby *lobby, const struct lobby_player *p, struct lobby_effects *fx)
{
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_SEEK);
    memcpy(effect->player, p->id, sizeof effect->player);
    memcpy(effect->mode, p->mode, sizeof effect->mode);
    (void)snprintf(effect->room, sizeof effect->room, "m-%016" PRIx64, rng_next(&lobby->rng));
}

static void do_cancel(const char *id, const char *mode, struct lobby_effects *fx)
{
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_CANCEL);
    (void)snprintf(effect->player, sizeof effect->player, "%s", id);
    (void)snprintf(effect->mode, sizeof effect->mode, "%s", mode);
}

void seeker_seek(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    char mode[LOBBY_MODE_SIZE] = "default";
    int n = message_member_text(ev->payload, "mode", mode, sizeof mode);
    if ((n < 0 && n != BERTH_ENOENT) || !keys_name_ok(span_of(mode))) {
        complain(ev->peer, "bad_mode", fx);
        return;
    }
    if (p->state == LOBBY_MATCHED || p->state == LOBBY_CANCELLING) {
        complain(ev->peer, p->state == LOBBY_MATCHED ? "matched_already" : "cancelling", fx);
        return;
    }
    if (p->state == LOBBY_SEEKING) {
        if (strcmp(p->mode, mode) != 0)
            complain(ev->peer, "seeking_already", fx);
        else
            say(lobby, ev->peer, "seeking", true, fx);
        return;
    }
    memcpy(p->mode, mode, sizeof p->mode);
    p->told = p->timed_out = false;
    set_state(lobby, ev->peer, LOBBY_SEEKING, ev->now);
    fifo_push(&lobby->seeking, ev->peer, mono_add(ev->now, lobby->config.seek_timeout_ms));
    do_seek(lobby, p, fx);
}

void seeker_cancel(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    if (p->state == LOBBY_MATCHED) {
        complain(ev->peer, "matched_already", fx);
    } else if (p->state == LOBBY_SEEKING) {
        set_state(lobby, ev->peer, LOBBY_CANCELLING, ev->now);
        do_cancel(p->id, p->mode, fx);
    } else if (p->state == LOBBY_IDLE) {
        effects_send(&fx->out, ev->peer, "cancelled", SPAN("{}"));
    }
}

static void add_ghost(struct lobby *lobby, struct span id, struct span mode)
{
    if (lobby->ghost_count ==
        LOBBY_GHOSTS_MAX) { /* the oldest gives way: the sweep of the store is the net below */
        lobby->ghost_first = (lobby->ghost_first + 1) % LOBBY_GHOSTS_MAX;
        lobby->ghost_count--;
    }
    struct lobby_ghost *ghost =
        &lobby->ghosts[(lobby->ghost_first + lobby->ghost_count++) % LOBBY_GHOSTS_MAX];
    bool fits = span_copy(id, ghost->id, sizeof ghost->id) &&
                span_copy(mode, ghost->mode, sizeof ghost->mode);
    assert(fits);
}

void seeker_gone(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx)
{
    const struct lobby_player *p = &lobby->players[peer];
    if (p->state == LOBBY_SEEKING)
        do_cancel(p->id, p->mode, fx);
    set_state(lobby, peer, LOBBY_IDLE, (mono_ms_t){0});
}

void seeker_move(struct lobby *lobby, uint32_t from, uint32_t to, mono_ms_t now)
{
    enum lobby_player_state state = lobby->players[from].state;
    lobby->players[to] = lobby->players[from];
    set_state(lobby, from, LOBBY_ABSENT, now);
    set_state(lobby, to, state, now);
    if (state == LOBBY_SEEKING)
        fifo_push(&lobby->seeking, to, mono_add(now, lobby->config.seek_timeout_ms));
}

/* The seeker is queued or better: say so once. */
static void tell_seeking(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[peer];
    if (!p->told)
        say(lobby, peer, "seeking", true, fx);
    p->told = true;
}

void seeker_answered(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = find(lobby, ev->player, &peer);
    /* Answers come in the order of the calls, so a seeker who left or cancelled since has a cancel
     * on its way behind this one, and its answer will tell. */
    if (!p || p->state != LOBBY_SEEKING || !span_is(ev->mode, p->mode))
        return;
    if (!ev->ok)
        return; /* asked again when the store is back; until then the queue is where it was */
    switch (ev->word) {
    case ANSWER_OK:
    case ANSWER_HAVE:
        tell_seeking(lobby, peer, fx);
        break;
    case ANSWER_MATCH:
        tell_seeking(lobby, peer, fx);
        break; /* who is in the match, is told by its result */
    case ANSWER_MATCHED:
        tell_seeking(lobby, peer, fx);
        set_state(lobby, peer, LOBBY_MATCHED, ev->now);
        break;
    case ANSWER_TAKEN: /* that room id was in use: another */
        do_seek(lobby, p, fx);
        break;
    default:
        complain(peer, ev->word == ANSWER_FULL ? "queue_full" : "seeking_already", fx);
        set_state(lobby, peer, LOBBY_IDLE, ev->now);
        break;
    }
}

void seeker_cancelled(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = find(lobby, ev->player, &peer);
    bool waiting = p && p->state == LOBBY_CANCELLING && span_is(ev->mode, p->mode);
    if (!ev->ok && !(p && p->state == LOBBY_SEEKING))
        add_ghost(lobby, ev->player, ev->mode);
    if (!waiting)
        return;
    if (ev->ok && ev->word == ANSWER_MATCHED) { /* too late to leave: the match is being finished */
        set_state(lobby, peer, LOBBY_MATCHED, ev->now);
        if (!p->timed_out)
            complain(peer, "matched_already", fx);
        return;
    }
    set_state(lobby, peer, LOBBY_IDLE, ev->now);
    if (p->timed_out)
        say(lobby, peer, "seek_timeout", false, fx);
    else
        effects_send(&fx->out, peer, "cancelled", SPAN("{}"));
}

void seeker_result(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = find(lobby, ev->player, &peer);
    if (!p || ev->epoch != lobby->front.epoch || (p->state == LOBBY_IDLE && !p->told))
        return; /* for an earlier process; or it left; or it is here again and looked for nothing */
    set_state(lobby, peer, LOBBY_IDLE, ev->now);
    p->told = false;
    lobby->delivered_total++;
    effects_send(&fx->out, peer, "ALL_CONNECTED", ev->text);
}

static void time_out(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    uint32_t peer;
    for (int n = 0; n < DUE_PER_TICK && (peer = fifo_due(&lobby->seeking, now)) != FIFO_NONE; n++) {
        struct lobby_player *p = &lobby->players[peer];
        p->timed_out = true;
        lobby->timeouts_total++;
        set_state(lobby, peer, LOBBY_CANCELLING, now);
        do_cancel(p->id, p->mode, fx);
    }
    for (int n = 0; n < DUE_PER_TICK && (peer = fifo_due(&lobby->matched, now)) != FIFO_NONE; n++) {
        set_state(lobby, peer, LOBBY_IDLE, now); /* nobody could finish that match */
        say(lobby, peer, "seek_timeout", false, fx);
        lobby->timeouts_total++;
    }
}

void seeker_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    time_out(lobby, now, fx);
    if (!lobby->up)
        return;
    for (int n = 0; n < AGAIN_PER_TICK && lobby->again < lobby->config.front.peers_max;
         lobby->again++) {
        const struct lobby_player *p = &lobby->players[lobby->again];
        if (p->state != LOBBY_SEEKING)
            continue;
        do_seek(lobby, p, fx);
        n++;
    }
    if (lobby->ghost_count == 0 || mono_before(now, lobby->next_ghosts))
        return;
    lobby->next_ghosts = mono_add(now, GHOST_RETRY_MS);
    for (int n = 0; n < GHOSTS_PER_TICK && lobby->ghost_count > 0; n++) {
        const struct lobby_ghost *ghost = &lobby->ghosts[lobby->ghost_first];
        lobby->ghost_first = (lobby->ghost_first + 1) % LOBBY_GHOSTS_MAX;
        lobby->ghost_count--;
        uint32_t peer;
        const struct lobby_player *p = find(lobby, span_of(ghost->id), &peer);
        if (!p || p->state == LOBBY_IDLE) /* looking again: then it is no ghost */
            do_cancel(ghost->id, ghost->mode, fx);
    }
}

mono_ms_t seeker_deadline(const struct lobby *lobby)
{
    mono_ms_t at = mono_min(fifo_deadline(&lobby->seeking), fifo_deadline(&lobby->matched));
    if (lobby->up && lobby->again < lobby->config.front.peers_max)
        at = (mono_ms_t){0};
    if (lobby->up && lobby->ghost_count > 0)
        at = mono_min(at, lobby->next_ghosts);
    return at;
}
