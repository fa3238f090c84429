/* player.c - the journey of one virtual player. */
#include "loadtest/player.h"

#include "core/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *player_state_word(enum player_state state)
{
    static const char *const words[PLAYER_STATES] = {
        "waiting", "ask_lobby", "connect_lobby", "seek", "ask_game", "connect_game",
        "meet",    "play",      "finish",        "done", "failed"};
    return words[state];
}

const char *player_timed_word(enum player_timed timed)
{
    static const char *const words[PLAYER_TIMED] = {"lobby_endpoint", "lobby_connect", "match",
                                                    "start",          "game_connect",  "meet",
                                                    "finish",         "journey"};
    return words[timed];
}

void player_init(struct player *player, const struct player_plan *plan, const char *id,
                 mono_ms_t start_at, uint64_t seed)
{
    memset(player, 0, sizeof *player);
    player->plan = plan;
    player->wake = start_at;
    player->linger_until = MONO_NEVER;
    player->next_event = MONO_NEVER;
    player->leave_at = MONO_NEVER;
    rng_seed(&player->rng, seed);
    bool fits = span_copy(span_of(id), player->id, sizeof player->id);
    assert(fits);
    (void)fits;
}

/* ---- effects ---- */

static struct player_effect *emit(struct player_effects *fx, enum player_effect_kind kind)
{
    assert(fx->count < PLAYER_EFFECTS_MAX);
    struct player_effect *e = &fx->list[fx->count++];
    e->kind = kind;
    e->why = "";
    e->text[0] = '\0';
    return e;
}

static void send_text(struct player_effects *fx, struct player *p, enum player_socket socket,
                      const char *fmt, ...) BERTH_PRINTF(4, 5);
static void send_text(struct player_effects *fx, struct player *p, enum player_socket socket,
                      const char *fmt, ...)
{
    if (!p->socket_open[socket])
        return;
    struct player_effect *e = emit(fx, PLAYER_FX_SEND);
    e->socket = socket;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    assert(n > 0 && (size_t)n < sizeof e->text); /* ids and tickets are bounded */
}

static void close_socket(struct player_effects *fx, struct player *p, enum player_socket socket)
{
    if (!p->socket_open[socket])
        return;
    p->socket_open[socket] = false;
    p->admitted[socket] = false;
    emit(fx, PLAYER_FX_CLOSE)->socket = socket;
}

static void took(struct player_effects *fx, struct player *p, mono_ms_t now,
                 enum player_timed timed)
{
    struct player_effect *e = emit(fx, PLAYER_FX_TIMED);
    e->timed = timed;
    e->took_ms = mono_sub(now, timed == TIMED_JOURNEY ? p->began : p->step_began);
}

static void fail(struct player_effects *fx, struct player *p, const char *why)
{
    close_socket(fx, p, SOCKET_LOBBY);
    close_socket(fx, p, SOCKET_GAME);
    p->state = PLAYER_FAILED;
    emit(fx, PLAYER_FX_FAILED)->why = why;
}

/* ---- entering states ---- */

static int64_t timeout_of(const struct player *p)
{
    bool may_wait_for_a_machine = p->state == PLAYER_SEEK || p->state == PLAYER_MEET ||
                                  p->state == PLAYER_ASK_GAME || p->state == PLAYER_ASK_LOBBY;
    return may_wait_for_a_machine ? p->plan->match_timeout_ms : p->plan->step_timeout_ms;
}

/* What a state does first, and again when it is retried. */
static void act(struct player_effects *fx, struct player *p)
{
    p->waiting_retry = false;
    p->wake = mono_add(p->step_began, timeout_of(p));
    switch (p->state) {
    case PLAYER_ASK_LOBBY:
        emit(fx, PLAYER_FX_ASK_LOBBY);
        break;
    case PLAYER_ASK_GAME:
        emit(fx, PLAYER_FX_START);
        break;
    case PLAYER_FINISH:
        emit(fx, PLAYER_FX_FINISH);
        break;
    case PLAYER_CONNECT_LOBBY:
    case PLAYER_CONNECT_GAME: {
        enum player_socket s = p->state == PLAYER_CONNECT_LOBBY ? SOCKET_LOBBY : SOCKET_GAME;
        p->socket_open[s] = true;
        emit(fx, PLAYER_FX_CONNECT)->socket = s;
        break;
    }
    default:
        break;
    }
}

static void enter(struct player_effects *fx, struct player *p, mono_ms_t now,
                  enum player_state state)
{
    p->state = state;
    p->step_began = now;
    act(fx, p);
}

/* Ask `state`'s question again after a pause. The step's clock runs on. */
static void retry(struct player_effects *fx, struct player *p, mono_ms_t now,
                  enum player_state state, int64_t after_ms, const char *why)
{
    emit(fx, PLAYER_FX_RETRY)->why = why;
    if (after_ms < 0)
        after_ms = 200;
    if (after_ms > 5000)
        after_ms = 5000;
    p->state = state;
    p->waiting_retry = true;
    int64_t jitter_ms =
        (int64_t)rng_below(&p->rng, (uint64_t)after_ms / 2 + 50); /* not all at once */
    p->wake = mono_add(now, after_ms + jitter_ms);
}

/* All of a match leave together, whichever process they are in: the room's name decides when.
 * FNV-1a. */
static uint64_t room_hash(const char *room)
{
    uint64_t h = 14695981039346656037u;
    for (; *room; room++)
        h = (h ^ (unsigned char)*room) * 1099511628211u;
    return h ^ (h >> 29);
}

static void play(struct player_effects *fx, struct player *p, mono_ms_t now)
{
    took(fx, p, now, TIMED_MEET);
    took(fx, p, now, TIMED_JOURNEY);
    emit(fx, PLAYER_FX_MET);
    p->state = PLAYER_PLAY;
    int64_t over_ms = p->plan->leave_over_ms > 0 ? p->plan->leave_over_ms : 1;
    p->leave_at = mono_add(p->plan->leave_from, (int64_t)(room_hash(p->room) % (uint64_t)over_ms));
    if (p->plan->event_interval_ms > 0) {
        uint64_t phase = rng_below(&p->rng, (uint64_t)p->plan->event_interval_ms);
        p->next_event = mono_add(now, (int64_t)phase + 1);
    }
}

/* ---- events ---- */

static bool take(struct span s, char *buf, size_t size)
{
    return s.len > 0 && span_copy(s, buf, size);
}

static void depart(struct player_effects *fx, struct player *p)
{
    send_text(fx, p, SOCKET_GAME, "{\"type\":\"leave\"}");
    close_socket(fx, p, SOCKET_GAME);
    close_socket(fx, p, SOCKET_LOBBY);
    p->state = PLAYER_DONE;
    emit(fx, PLAYER_FX_DONE);
}

static void on_endpoint(struct player_effects *fx, struct player *p, mono_ms_t now,
                        const struct player_event *ev)
{
    enum player_socket s = p->state == PLAYER_ASK_LOBBY ? SOCKET_LOBBY : SOCKET_GAME;
    if (!take(ev->endpoint, p->url[s], sizeof p->url[s]) ||
        !take(ev->node, p->node[s], sizeof p->node[s])) {
        fail(fx, p, "api_answer_malformed");
        return;
    }
    (void)take(ev->ticket, p->ticket[s], sizeof p->ticket[s]); /* pools without tickets give none */
    if (s == SOCKET_LOBBY) {
        took(fx, p, now, TIMED_LOBBY_ENDPOINT);
        enter(fx, p, now, PLAYER_CONNECT_LOBBY);
    } else {
        took(fx, p, now, TIMED_START);
        emit(fx, PLAYER_FX_MATCHED);
        enter(fx, p, now, PLAYER_CONNECT_GAME);
    }
}

static void on_answer(struct player_effects *fx, struct player *p, mono_ms_t now,
                      const struct player_event *ev)
{
    bool asking =
        p->state == PLAYER_ASK_LOBBY || p->state == PLAYER_ASK_GAME || p->state == PLAYER_FINISH;
    if (!asking || p->waiting_retry)
        return;
    if (ev->kind == PLAYER_EV_UNREACHED) {
        retry(fx, p, now, p->state, 100, "api_unreached");
    } else if (ev->status == 503 || ev->status == 429) {
        retry(fx, p, now, p->state, ev->retry_after_ms, ev->status == 503 ? "api_503" : "api_429");
    } else if (p->state ==
               PLAYER_FINISH) { /* any other answer ends it: the room may be over already */
        took(fx, p, now, TIMED_FINISH);
        depart(fx, p);
    } else if (ev->status != 200) {
        fail(fx, p, p->state == PLAYER_ASK_LOBBY ? "lobby_endpoint_status" : "start_status");
    } else {
        on_endpoint(fx, p, now, ev);
    }
}

static void on_match(struct player_effects *fx, struct player *p, mono_ms_t now,
                     const struct player_event *ev)
{
    if (!take(ev->room, p->room, sizeof p->room) || ev->players_count == 0) {
        fail(fx, p, "match_malformed");
        return;
    }
    (void)take(ev->ticket, p->ticket[SOCKET_GAME], sizeof p->ticket[SOCKET_GAME]);
    p->mates = ev->players_count;
    p->finisher = true; /* the first in the order of names says finish */
    for (size_t i = 0; i < ev->players_count; i++) {
        char mate[PLAYER_ID_MAX];
        if (span_copy(ev->players[i], mate, sizeof mate) && strcmp(mate, p->id) < 0)
            p->finisher = false;
    }
    took(fx, p, now, TIMED_MATCH);
    enter(fx, p, now, PLAYER_ASK_GAME);
}

static void shun_lobby(struct player_effects *fx, struct player *p, mono_ms_t now, const char *why)
{
    memcpy(p->shunned, p->node[SOCKET_LOBBY], sizeof p->shunned);
    retry(fx, p, now, PLAYER_ASK_LOBBY, 100, why);
}

static void on_lobby_message(struct player_effects *fx, struct player *p, mono_ms_t now,
                             const struct player_event *ev)
{
    if (span_is(ev->type, "welcome") && p->state == PLAYER_CONNECT_LOBBY) {
        p->admitted[SOCKET_LOBBY] = true;
        p->shunned[0] = '\0';
        took(fx, p, now, TIMED_LOBBY_CONNECT);
        enter(fx, p, now, PLAYER_SEEK);
        send_text(fx, p, SOCKET_LOBBY, "{\"type\":\"seek\",\"mode\":\"%s\"}", p->plan->mode);
    } else if (span_is(ev->type, "ALL_CONNECTED") && p->state == PLAYER_SEEK) {
        on_match(fx, p, now, ev);
    } else if (span_is(ev->type, "seek_timeout") && p->state == PLAYER_SEEK) {
        fail(fx, p, "seek_timeout");
    } else if (span_is(ev->type, "refused") && p->state == PLAYER_CONNECT_LOBBY) {
        close_socket(fx, p, SOCKET_LOBBY);
        shun_lobby(fx, p, now, "lobby_refused");
    }
}

static void meet_if_complete(struct player_effects *fx, struct player *p, mono_ms_t now)
{
    if (p->state == PLAYER_MEET && p->inside >= p->mates)
        play(fx, p, now);
}

static void on_joined(struct player_effects *fx, struct player *p, mono_ms_t now,
                      const struct player_event *ev)
{
    if (!span_is(ev->node, p->node[SOCKET_GAME])) {
        fail(fx, p, "wrong_node");
        return;
    }
    p->admitted[SOCKET_GAME] = true;
    p->inside = ev->players_count ? ev->players_count : 1;
    took(fx, p, now, TIMED_GAME_CONNECT);
    p->linger_until =
        mono_add(now, (int64_t)rng_below(&p->rng, (uint64_t)p->plan->linger_max_ms + 1));
    enter(fx, p, now, PLAYER_MEET);
    meet_if_complete(fx, p, now);
}

static void on_game_message(struct player_effects *fx, struct player *p, mono_ms_t now,
                            const struct player_event *ev)
{
    if (span_is(ev->type, "joined") && p->state == PLAYER_CONNECT_GAME) {
        on_joined(fx, p, now, ev);
    } else if (span_is(ev->type, "player_joined")) {
        p->inside++;
        meet_if_complete(fx, p, now);
    } else if (span_is(ev->type, "player_left")) {
        if (p->inside > 1)
            p->inside--;
    } else if (span_is(ev->type, "event")) {
        emit(fx, PLAYER_FX_EVENT_IN);
    } else if (span_is(ev->type, "refused") && p->state == PLAYER_CONNECT_GAME) {
        close_socket(fx, p, SOCKET_GAME);
        retry(fx, p, now, PLAYER_ASK_GAME, 100, "game_refused");
    }
}

static void on_closed(struct player_effects *fx, struct player *p, mono_ms_t now,
                      enum player_socket s)
{
    if (!p->socket_open[s])
        return; /* we closed it */
    bool was_admitted = p->admitted[s];
    p->socket_open[s] = false;
    p->admitted[s] = false;
    bool lobby_used_up = s == SOCKET_LOBBY && p->state > PLAYER_SEEK;
    bool match_over = p->state == PLAYER_FINISH || !mono_before(now, p->leave_at);
    if (was_admitted && !lobby_used_up && !match_over) {
        emit(fx, PLAYER_FX_KILLED)->why = s == SOCKET_LOBBY ? "lobby_closed" : "game_closed";
        p->step_began = now; /* what is tried now is a new step */
    }
    if (s == SOCKET_LOBBY && !lobby_used_up) {
        shun_lobby(fx, p, now, was_admitted ? "lobby_lost" : "lobby_unreached");
    } else if (s == SOCKET_GAME && (p->state == PLAYER_CONNECT_GAME || p->state == PLAYER_MEET)) {
        retry(fx, p, now, PLAYER_ASK_GAME, 200,
              was_admitted ? "game_lost" : "game_unreached"); /* it may have moved */
    } else if (s == SOCKET_GAME && p->state == PLAYER_PLAY) {
        if (match_over)
            depart(fx, p); /* a mate said finish a moment before we did */
        else
            fail(fx, p, "game_lost_in_play");
    }
}

/* The handshake is done: say who we are. */
static void on_open(struct player_effects *fx, struct player *p, enum player_socket s)
{
    const char *ticket = p->ticket[s];
    const char *open = *ticket ? ",\"ticket\":\"" : "";
    const char *shut = *ticket ? "\"" : "";
    if (s == SOCKET_LOBBY)
        send_text(fx, p, s, "{\"type\":\"hello\",\"player\":\"%s\"%s%s%s}", p->id, open, ticket,
                  shut);
    else
        send_text(fx, p, s, "{\"type\":\"join\",\"room\":\"%s\",\"player\":\"%s\"%s%s%s}", p->room,
                  p->id, open, ticket, shut);
}

static void on_play_time(struct player_effects *fx, struct player *p, mono_ms_t now)
{
    if (!mono_before(now, p->leave_at)) {
        p->next_event = MONO_NEVER;
        if (p->finisher)
            enter(fx, p, now, PLAYER_FINISH);
        else
            depart(fx, p);
    } else if (!mono_before(now, p->next_event)) {
        p->next_event = mono_add(now, p->plan->event_interval_ms);
        send_text(fx, p, SOCKET_GAME, "{\"type\":\"event\",\"data\":{\"x\":%u,\"y\":%u}}",
                  (unsigned)rng_below(&p->rng, 1000), (unsigned)rng_below(&p->rng, 1000));
    }
}

static void on_time(struct player_effects *fx, struct player *p, mono_ms_t now)
{
    static const char *const too_late[PLAYER_STATES] = {
        [PLAYER_ASK_LOBBY] = "timeout_lobby_endpoint",
        [PLAYER_CONNECT_LOBBY] = "timeout_lobby_connect",
        [PLAYER_SEEK] = "timeout_match",
        [PLAYER_ASK_GAME] = "timeout_start",
        [PLAYER_CONNECT_GAME] = "timeout_game_connect",
        [PLAYER_MEET] = "timeout_meet",
        [PLAYER_FINISH] = "timeout_finish"};
    if (!mono_before(now, p->linger_until)) {
        p->linger_until = MONO_NEVER;
        send_text(fx, p, SOCKET_LOBBY, "{\"type\":\"leave\"}");
        close_socket(fx, p, SOCKET_LOBBY);
    }
    if (p->state == PLAYER_PLAY) {
        on_play_time(fx, p, now);
    } else if (mono_before(now, p->wake)) {
        return;
    } else if (p->state == PLAYER_WAITING) {
        p->began = now;
        enter(fx, p, now, PLAYER_ASK_LOBBY);
    } else if (p->waiting_retry && mono_before(now, mono_add(p->step_began, timeout_of(p)))) {
        act(fx, p);
    } else {
        fail(fx, p, too_late[p->state]);
    }
}

void player_step(struct player *player, mono_ms_t now, const struct player_event *event,
                 struct player_effects *ret_fx)
{
    ret_fx->count = 0;
    if (player->state >= PLAYER_DONE)
        return;
    switch (event->kind) {
    case PLAYER_EV_TIME:
        on_time(ret_fx, player, now);
        break;
    case PLAYER_EV_ANSWER:
    case PLAYER_EV_UNREACHED:
        on_answer(ret_fx, player, now, event);
        break;
    case PLAYER_EV_OPEN:
        on_open(ret_fx, player, event->socket);
        break;
    case PLAYER_EV_MESSAGE:
        if (!player->socket_open[event->socket])
            break;
        if (event->socket == SOCKET_LOBBY)
            on_lobby_message(ret_fx, player, now, event);
        else
            on_game_message(ret_fx, player, now, event);
        break;
    case PLAYER_EV_CLOSED:
        on_closed(ret_fx, player, now, event->socket);
        break;
    case PLAYER_EV_INTERRUPT:
        if (player->state == PLAYER_PLAY || player->state == PLAYER_FINISH)
            depart(ret_fx, player);
        else
            fail(ret_fx, player, "interrupted");
        break;
    }
}

mono_ms_t player_deadline(const struct player *player)
{
    if (player->state >= PLAYER_DONE)
        return MONO_NEVER;
    mono_ms_t at = player->state == PLAYER_PLAY ? mono_min(player->leave_at, player->next_event)
                                                : player->wake;
    return mono_min(at, player->linger_until);
}
