/* lobby.c - players come in, look for a match, are told of it; the store and the endpoint API
 * answer. */
#include "lobbynode/lobby.h"

#include "lobbynode/making.h"
#include "lobbynode/match.h"
#include "lobbynode/party.h"
#include "lobbynode/seeker.h"

#include <assert.h>
#include <stdlib.h>

#define DUE_PER_TICK 16

static int init_searches(struct lobby *lobby)
{
    uint32_t peers = lobby->config.front.peers_max;
    lobby->seeking = calloc(lobby->config.mode_count, sizeof *lobby->seeking);
    lobby->epochs = calloc(LOBBY_NODES_MAX, sizeof *lobby->epochs);
    lobby->same_name = calloc(LOBBY_NODES_MAX, sizeof *lobby->same_name);
    if (!lobby->seeking || !lobby->epochs || !lobby->same_name)
        return BERTH_ENOMEM;
    for (size_t mode = 0; mode < lobby->config.mode_count; mode++)
        if (fifo_init(&lobby->seeking[mode], peers) < 0)
            return BERTH_ENOMEM;
    if (strmap_init(&lobby->alive, LOBBY_NODES_MAX, lobby->config.seed) < 0)
        return BERTH_ENOMEM;
    return matcher_init(&lobby->matcher, LOBBY_ENTRIES_MAX);
}

int lobby_init(struct lobby *lobby, const struct lobby_config *config, struct door *door)
{
    assert(config->mode_count >= 1);
    assert(config->matches_max >= 1 && config->lb_count >= 1);
    uint32_t peers = config->front.peers_max;
    *lobby = (struct lobby){.config = *config, .again = peers, .pausing = peers};
    rng_seed(&lobby->rng, config->seed);
    lobby->players = calloc(peers, sizeof *lobby->players);
    lobby->matches = calloc(config->matches_max, sizeof *lobby->matches);
    lobby->free_matches = calloc(config->matches_max, sizeof *lobby->free_matches);
    lobby->ghosts = calloc(LOBBY_GHOSTS_MAX, sizeof *lobby->ghosts);
    if (!lobby->players || !lobby->matches || !lobby->free_matches || !lobby->ghosts ||
        front_init(&lobby->front, &config->front, door) < 0 ||
        strmap_init(&lobby->peer_of_player, peers, config->seed) < 0 ||
        strmap_init(&lobby->match_of_room, config->matches_max, config->seed) < 0 ||
        fifo_init(&lobby->waiting, config->matches_max) < 0 ||
        fifo_init(&lobby->matched, peers) < 0 || init_searches(lobby) < 0) {
        lobby_fini(lobby);
        return BERTH_ENOMEM;
    }
    for (uint32_t i = 0; i < config->matches_max; i++)
        lobby->free_matches[i] = config->matches_max - 1 - i; /* low numbers are used first */
    return 0;
}

void lobby_fini(struct lobby *lobby)
{
    matcher_fini(&lobby->matcher);
    strmap_fini(&lobby->alive);
    for (size_t mode = 0; lobby->seeking && mode < lobby->config.mode_count; mode++)
        fifo_fini(&lobby->seeking[mode]);
    free(lobby->seeking);
    free(lobby->epochs);
    free(lobby->same_name);
    fifo_fini(&lobby->matched);
    fifo_fini(&lobby->waiting);
    strmap_fini(&lobby->match_of_room);
    strmap_fini(&lobby->peer_of_player);
    front_fini(&lobby->front);
    free(lobby->ghosts);
    free(lobby->free_matches);
    free(lobby->matches);
    free(lobby->players);
    *lobby = (struct lobby){.players = NULL};
}

void lobby_effects_size(const struct lobby_config *config, size_t *ret_items, size_t *ret_text)
{
    *ret_items = 160; /* one message, or a tick of DUE_PER_TICK things of each kind */
    *ret_text = 2 * config->frame_max + 64 * 256 +
                CALL_PLAYERS_MAX * (size_t)(2 * CALL_RESULT_MAX + CALL_PLAYERS_MAX * LOBBY_ID_SIZE);
}

void lobby_effects_clear(struct lobby_effects *fx)
{
    effects_clear(&fx->out);
    fx->count = 0;
    fx->result_count = 0;
}

struct lobby_effect *lobby_do(struct lobby_effects *fx, enum lobby_effect_kind kind)
{
    assert(fx->count < LOBBY_EFFECTS_MAX);
    struct lobby_effect *effect = &fx->items[fx->count++];
    *effect = (struct lobby_effect){.kind = kind};
    return effect;
}

/* ---- players ---- */

struct hello {
    char player[LOBBY_ID_SIZE];
    char ticket_text[TICKET_TEXT_MAX];
    struct span ticket;
};

static bool read_hello(const struct node_event *ev, struct hello *hello)
{
    if (message_member_text(ev->payload, "player", hello->player, sizeof hello->player) < 0 ||
        !keys_id_ok(span_of(hello->player)))
        return false;
    int n =
        message_member_text(ev->payload, "ticket", hello->ticket_text, sizeof hello->ticket_text);
    hello->ticket = (struct span){hello->ticket_text, n > 0 ? (size_t)n : 0};
    return n >= 0 || n == BERTH_ENOENT;
}

static enum refuse room_for_one(const struct lobby *lobby)
{
    if (lobby->front.epoch && lobby->front.state == NODE_DRAINING && !lobby->front.door->tickets)
        return REFUSE_DRAINING;
    return front_room_for_one(&lobby->front);
}

/* The player's newest socket wins; what the old one was looking for goes on. */
static void take_over(struct lobby *lobby, const struct node_event *ev, uint32_t old,
                      const struct door_pass *pass, struct effects *out)
{
    struct lobby_player *from = &lobby->players[old];
    if (from->pass.held && from->pass.entry != pass->entry)
        door_left(lobby->front.door, ev, &from->pass, true);
    seeker_move(lobby, old, ev->peer, ev->now);
    front_spend(&lobby->front, ev->peer, front_spent(&lobby->front, old));
    front_dismiss(&lobby->front, old, CLOSE_REPLACED, "replaced", out);
}

static void on_hello(struct lobby *lobby, const struct node_event *ev, struct effects *out)
{
    struct hello hello;
    if (front_is(&lobby->front, ev->peer, FRONT_ADMITTED)) {
        effects_send(out, ev->peer, "error", SPAN("{\"reason\":\"welcome_already\"}"));
        return;
    }
    if (!read_hello(ev, &hello)) {
        front_refuse(&lobby->front, ev->peer, REFUSE_BAD_REQUEST,
                     "hello needs player: 1..64 of A-Z a-z 0-9 . _ : ~ @ -", out);
        return;
    }
    uint32_t old = strmap_get(&lobby->peer_of_player, span_of(hello.player));
    enum refuse refuse = old == STRMAP_NONE ? room_for_one(lobby) : REFUSE_NOT;
    lobby->front.door->why.text[0] = '\0';
    struct door_pass pass;
    if (refuse == REFUSE_NOT)
        refuse = door_try(lobby->front.door, ev, hello.ticket, span_of(hello.player),
                          (struct span){NULL, 0}, &pass);
    if (refuse != REFUSE_NOT) {
        front_refuse(&lobby->front, ev->peer, refuse, lobby->front.door->why.text, out);
        return;
    }
    struct lobby_player *p = &lobby->players[ev->peer];
    if (old == STRMAP_NONE) {
        *p = (struct lobby_player){.state = LOBBY_IDLE};
        memcpy(p->id, hello.player, sizeof p->id);
        lobby->front.admitted_total++;
    } else {
        take_over(lobby, ev, old, &pass, out);
        lobby->front.resumed_total++;
    }
    p->pass = pass;
    int rc = strmap_put(&lobby->peer_of_player, span_of(p->id), ev->peer);
    assert(rc == 0);
    front_admit(&lobby->front, ev->peer);
    struct message_out text;
    effects_begin(out, &text);
    message_put_text(&text, "node", span_of(lobby->config.front.node));
    message_put_text(&text, "player", span_of(p->id));
    effects_send(out, ev->peer, "welcome", effects_end(out, &text));
}

/* The player is gone from this node: out of the queue too. */
static void forget(struct lobby *lobby, const struct node_event *ev, bool final,
                   struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    if (p->state == LOBBY_ABSENT)
        return;
    seeker_gone(lobby, ev->peer, fx);
    party_gone(lobby, ev->peer, fx);
    door_left(lobby->front.door, ev, &p->pass, final);
    (void)strmap_remove(&lobby->peer_of_player, span_of(p->id));
    p->state = LOBBY_ABSENT;
}

static void on_message(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    if (front_message(&lobby->front, ev, &fx->out))
        return;
    if (span_is(ev->name, "hello")) {
        on_hello(lobby, ev, &fx->out);
    } else if (lobby->players[ev->peer].state == LOBBY_ABSENT) {
        front_unknown(&lobby->front, ev, &fx->out);
    } else if (span_is(ev->name, "seek")) {
        seeker_seek(lobby, ev, fx);
    } else if (span_is(ev->name, "cancel")) {
        seeker_cancel(lobby, ev, fx);
    } else if (party_message(lobby, ev, fx)) {
        return;
    } else if (span_is(ev->name, "leave")) {
        effects_send(&fx->out, ev->peer, "left", SPAN("{}"));
        forget(lobby, ev, true, fx);
        front_dismiss(&lobby->front, ev->peer, CLOSE_NORMAL, "left", &fx->out);
    } else {
        front_unknown(&lobby->front, ev, &fx->out);
    }
}

static void on_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    front_tick(&lobby->front, now, &fx->out);
    seeker_tick(lobby, now, fx);
    match_tick(lobby, now, fx);
    making_tick(lobby, now, fx);
    if (!lobby->up || mono_before(now, lobby->next_take))
        return;
    /* A tenth of jitter keeps the lobby nodes from asking together. */
    int64_t wait_ms = lobby->config.take_interval_ms;
    lobby->next_take =
        mono_add(now, wait_ms - (int64_t)rng_below(&lobby->rng, (uint64_t)wait_ms / 10 + 1));
    if (!lobby->taking && lobby->match_count < lobby->config.matches_max) {
        lobby->taking = true;
        (void)lobby_do(fx, LOBBY_DO_TAKE);
    }
    if (!lobby->sweeping) {
        lobby->sweeping = true;
        (void)lobby_do(fx, LOBBY_DO_SWEEP);
    }
}

static void on_node(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    switch (ev->kind) {
    case NODE_TICK:
        on_tick(lobby, ev->now, fx);
        break;
    case NODE_OPEN:
        front_open(&lobby->front, ev->peer, ev->now);
        break;
    case NODE_MESSAGE:
        on_message(lobby, ev, fx);
        break;
    case NODE_FRAME:
        front_frame(&lobby->front, ev, &fx->out);
        break;
    case NODE_CLOSE:
        forget(lobby, ev, false, fx);
        (void)front_close(&lobby->front, ev->peer);
        break;
    case NODE_SLOW:
        if (!front_is(&lobby->front, ev->peer, FRONT_ADMITTED))
            break;
        forget(lobby, ev, false, fx);
        front_dismiss(&lobby->front, ev->peer, CLOSE_SLOW_READER, "slow_reader", &fx->out);
        lobby->front.slow_total++;
        break;
    case NODE_BEHIND:
        front_behind(&lobby->front, ev, &fx->out);
        break;
    case NODE_STATE:
        if (ev->state == NODE_JOINING)
            lobby->again = 0; /* if the store forgot us, it may have forgotten our seekers */
        front_state(&lobby->front, ev, &fx->out);
        break;
    case NODE_DOOR:
        front_door(&lobby->front, ev->closed);
        break;
    case NODE_ELSEWHERE:
    case NODE_MOVED:
        break; /* a lobby has no rooms in the store */
    }
}

/* What came by our stream. */
static void on_result(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    if (ev->epoch != lobby->front.epoch)
        return; /* for an earlier process */
    switch (ev->result) {
    case RESULT_MATCH:
        match_begin(lobby, ev->match, ev->now, fx);
        break;
    case RESULT_PARTY:
    case RESULT_SAY:
    case RESULT_HERE:
    case RESULT_AWAY:
        party_told(lobby, ev, fx);
        break;
    case RESULT_HELLO:
        break;
    default:
        seeker_result(lobby, ev, fx);
    }
}

void lobby_step(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    switch (ev->kind) {
    case LOBBY_NODE:
        on_node(lobby, &ev->node, fx);
        break;
    case LOBBY_STORE_UP:
        lobby->up = true;
        lobby->taking = lobby->sweeping = lobby->ticking = lobby->matching = false;
        lobby->next_take = lobby->next_ghosts = lobby->next_tick = ev->now;
        lobby->again = 0;
        lobby->pausing = lobby->config.front.peers_max;
        break;
    case LOBBY_STORE_DOWN:
        lobby->up = false;
        lobby->pausing = 0;
        break;
    case LOBBY_SEEK_DONE:
        seeker_answered(lobby, ev, fx);
        break;
    case LOBBY_CANCEL_DONE:
        seeker_cancelled(lobby, ev, fx);
        break;
    case LOBBY_TAKE_DONE:
        lobby->taking = false;
        break;
    case LOBBY_TOOK:
        match_begin(lobby, ev->match, ev->now, fx);
        break;
    case LOBBY_SWEEP_DONE:
        lobby->sweeping = false;
        break;
    case LOBBY_PLACED:
        match_placed(lobby, ev, fx);
        break;
    case LOBBY_FINISH_DONE:
        match_finished(lobby, ev, fx);
        break;
    case LOBBY_RESULT:
        on_result(lobby, ev, fx);
        break;
    case LOBBY_QUEUE:
        making_queue(lobby, ev, fx);
        break;
    case LOBBY_TICK_DONE:
        making_done(lobby, ev);
        break;
    case LOBBY_PARTY_DONE:
        party_answered(lobby, ev, fx);
        break;
    case LOBBY_GROUP_DONE:
        party_group_answered(lobby, ev, fx);
        break;
    }
}

mono_ms_t lobby_deadline(const struct lobby *lobby)
{
    mono_ms_t at = mono_min(front_deadline(&lobby->front), match_deadline(lobby));
    if (lobby->up)
        at = mono_min(at, lobby->next_take);
    return mono_min(mono_min(at, making_deadline(lobby)), seeker_deadline(lobby));
}

struct node_load lobby_load(const struct lobby *lobby)
{
    return (struct node_load){.conns = lobby->front.conns,
                              .handshaking = lobby->front.handshaking,
                              .rooms = lobby->match_count,
                              .capacity = lobby->config.front.capacity};
}
