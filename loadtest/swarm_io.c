/* swarm_io.c - players on real sockets. */
#include "loadtest/swarm_io.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct swarm_player {
    struct player core;
    struct swarm *swarm;
    struct timer timer;
    struct fetch *fetch; /* the question under way, or NULL */
    size_t lb;           /* whom to ask next */
    struct ws *ws[PLAYER_SOCKETS];
};

struct swarm {
    struct loop *loop;
    struct log *log;
    struct web *web;
    struct fetcher *fetcher;
    struct swarm_config config;
    struct player_plan plan;
    struct tally tally;
    struct swarm_player *players;
    size_t over; /* done or failed */
    void (*done)(void *arg);
    void *arg;
};

/* Which socket of which player a WebSocket is: two handler tables, one per socket. */
static void happen(struct swarm_player *sp, const struct player_event *event);

/* ---- what came in ---- */

static struct span json_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value)
               ? (struct span){json_string_value(value), json_string_length(value)}
               : (struct span){NULL, 0};
}

/* Fill the event from a JSON object; spans live as long as `object`. */
static void read_object(const json_t *object, struct player_event *event)
{
    event->type = json_text(object, "type");
    event->endpoint = json_text(object, "endpoint");
    event->node = json_text(object, "node");
    event->ticket = json_text(object, "ticket");
    event->room = json_text(object, "room_id");
    const json_t *players = json_object_get(object, "players");
    for (size_t i = 0; i < json_array_size(players) && i < PLAYER_MATES_MAX; i++) {
        const json_t *id = json_array_get(players, i);
        if (json_is_string(id))
            event->players[event->players_count++] =
                (struct span){json_string_value(id), json_string_length(id)};
    }
}

static void on_response(void *arg, int code, const struct fetch_response *response,
                        const struct err *err)
{
    struct swarm_player *sp = arg;
    sp->fetch = NULL;
    struct player_event event = {.kind = PLAYER_EV_UNREACHED, .retry_after_ms = -1};
    if (code != 0) {
        log_debug(sp->swarm->log, "api_unreached", "player=%s why=%s", sp->core.id, err->text);
        sp->lb++; /* ask the other peer */
        happen(sp, &event);
        return;
    }
    event.kind = PLAYER_EV_ANSWER;
    event.status = response->status;
    event.retry_after_ms = response->retry_after_ms;
    json_t *body =
        json_loadb(response->body.ptr ? response->body.ptr : "", response->body.len, 0, NULL);
    if (body)
        read_object(body, &event);
    happen(sp, &event);
    json_decref(body);
}

static void on_ws_open(struct swarm_player *sp, enum player_socket socket)
{
    happen(sp, &(struct player_event){.kind = PLAYER_EV_OPEN, .socket = socket});
}

static void on_ws_message(struct swarm_player *sp, enum player_socket socket, struct span data)
{
    struct player_event event = {.kind = PLAYER_EV_MESSAGE, .socket = socket};
    json_t *object = json_loadb(data.ptr, data.len, 0, NULL);
    if (!object)
        return; /* not of the protocol: the step's deadline will tell */
    read_object(object, &event);
    happen(sp, &event);
    json_decref(object);
}

static void on_ws_close(struct swarm_player *sp, enum player_socket socket, int code,
                        const char *why)
{
    sp->ws[socket] = NULL;
    log_debug(sp->swarm->log, "socket_closed", "player=%s socket=%s state=%s code=%d why=%s",
              sp->core.id, socket == SOCKET_LOBBY ? "lobby" : "game",
              player_state_word(sp->core.state), code, why);
    happen(sp, &(struct player_event){.kind = PLAYER_EV_CLOSED, .socket = socket});
}

/* A WebSocket we gave up lives on until its `close`; its user pointer is NULL then. */
static void lobby_open(void *arg, struct ws *ws)
{
    if (ws_user(ws))
        on_ws_open(ws_user(ws), SOCKET_LOBBY);
}
static void lobby_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    if (ws_user(ws))
        on_ws_message(ws_user(ws), SOCKET_LOBBY, data);
}
static void lobby_close(void *arg, struct ws *ws, int code, const char *why)
{
    if (ws_user(ws))
        on_ws_close(ws_user(ws), SOCKET_LOBBY, code, why);
}
static void game_open(void *arg, struct ws *ws)
{
    if (ws_user(ws))
        on_ws_open(ws_user(ws), SOCKET_GAME);
}
static void game_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    if (ws_user(ws))
        on_ws_message(ws_user(ws), SOCKET_GAME, data);
}
static void game_close(void *arg, struct ws *ws, int code, const char *why)
{
    if (ws_user(ws))
        on_ws_close(ws_user(ws), SOCKET_GAME, code, why);
}

static const struct ws_handlers handlers[PLAYER_SOCKETS] = {
    [SOCKET_LOBBY] = {.open = lobby_open, .message = lobby_message, .close = lobby_close},
    [SOCKET_GAME] = {.open = game_open, .message = game_message, .close = game_close},
};

/* ---- what goes out ---- */

static void ask(struct swarm_player *sp, const char *method, const char *path, const char *ticket)
{
    struct swarm *s = sp->swarm;
    char url[1024], bearer[PLAYER_TICKET_MAX + 32];
    const char *base = s->config.lb[sp->lb % s->config.lb_count];
    (void)snprintf(url, sizeof url, "%s%s", base, path);
    const char *credential = ticket && *ticket ? ticket : s->config.token;
    (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", credential ? credential : "");
    const char *headers[] = {credential ? bearer : NULL, NULL};
    struct fetch_request request = {.method = method,
                                    .url = url,
                                    .headers = headers,
                                    .timeout_ms = s->config.api_timeout_ms,
                                    .response_max = 16384};
    struct err err = {0};
    if (sp->fetch)
        fetch_cancel(sp->fetch);
    sp->fetch = fetch_start(s->fetcher, &request, on_response, sp, &err);
    if (!sp->fetch)
        log_error(s->log, "api_request", "player=%s why=%s", sp->core.id,
                  err.text); /* its deadline follows */
}

static void carry_out_ask(struct swarm_player *sp, enum player_effect_kind kind)
{
    const struct swarm_config *c = &sp->swarm->config;
    struct player *p = &sp->core;
    char path[512];
    if (kind == PLAYER_FX_ASK_LOBBY) {
        (void)snprintf(path, sizeof path, "/v1/pools/%s/endpoint?player=%s%s%s", c->lobby_pool,
                       p->id, p->shunned[0] ? "&exclude=" : "", p->shunned);
        ask(sp, "GET", path, NULL);
    } else {
        const char *verb = kind == PLAYER_FX_START ? "start" : "finish";
        (void)snprintf(path, sizeof path, "/v1/pools/%s/rooms/%s/%s", c->game_pool, p->room, verb);
        ask(sp, "POST", path, p->ticket[SOCKET_GAME]);
    }
}

/* Returns false when no socket could be had: the core is told as if it had closed. */
static bool open_socket(struct swarm_player *sp, enum player_socket socket)
{
    struct swarm *s = sp->swarm;
    struct ws_client_config config = {.url = sp->core.url[socket],
                                      .connect_timeout_ms = s->config.connect_timeout_ms};
    struct err err = {0};
    sp->ws[socket] = ws_connect(s->web, &config, &handlers[socket], &err);
    if (!sp->ws[socket]) {
        log_warn(s->log, "connect", "player=%s url=%s why=%s", sp->core.id, config.url, err.text);
        return false;
    }
    ws_set_user(sp->ws[socket], sp);
    return true;
}

static void let_go(struct swarm_player *sp, enum player_socket socket)
{
    struct ws *ws = sp->ws[socket];
    if (!ws)
        return;
    sp->ws[socket] = NULL;
    ws_set_user(ws, NULL);
    ws_close(ws, 1000, "bye");
}

static void carry_out(struct swarm_player *sp, const struct player_effect *fx)
{
    struct swarm *s = sp->swarm;
    switch (fx->kind) {
    case PLAYER_FX_ASK_LOBBY:
    case PLAYER_FX_START:
    case PLAYER_FX_FINISH:
        carry_out_ask(sp, fx->kind);
        break;
    case PLAYER_FX_CONNECT:
        if (!open_socket(sp, fx->socket))
            happen(sp, &(struct player_event){.kind = PLAYER_EV_CLOSED, .socket = fx->socket});
        break;
    case PLAYER_FX_SEND:
        if (sp->ws[fx->socket] && ws_send(sp->ws[fx->socket], span_of(fx->text)) < 0)
            log_debug(s->log, "send", "player=%s why=queue_full", sp->core.id);
        break;
    case PLAYER_FX_CLOSE:
        let_go(sp, fx->socket);
        break;
    case PLAYER_FX_FAILED:
        log_warn(s->log, "player_failed", "player=%s room=%s lobby=%s game=%s why=%s", sp->core.id,
                 sp->core.room, sp->core.node[SOCKET_LOBBY], sp->core.node[SOCKET_GAME], fx->why);
        break;
    case PLAYER_FX_KILLED:
        log_warn(s->log, "session_killed", "player=%s room=%s lobby=%s game=%s why=%s", sp->core.id,
                 sp->core.room, sp->core.node[SOCKET_LOBBY], sp->core.node[SOCKET_GAME], fx->why);
        break;
    default:
        break;
    }
}

static void on_timer(void *arg)
{
    happen(arg, &(struct player_event){.kind = PLAYER_EV_TIME});
}

static void happen(struct swarm_player *sp, const struct player_event *event)
{
    struct swarm *s = sp->swarm;
    enum player_state before = sp->core.state;
    struct player_effects fx;
    player_step(&sp->core, loop_now(s->loop), event, &fx);
    for (size_t i = 0; i < fx.count; i++)
        tally_effect(&s->tally, &sp->core, &fx.list[i]);
    if (sp->core.state != before)
        tally_moved(&s->tally, before, sp->core.state);
    bool just_over = sp->core.state >= PLAYER_DONE && before < PLAYER_DONE;
    for (size_t i = 0; i < fx.count; i++)
        carry_out(sp, &fx.list[i]);
    timer_at(&sp->timer, player_deadline(&sp->core));
    if (just_over && ++s->over == s->config.players)
        s->done(s->arg);
}

/* ---- life ---- */

struct swarm *swarm_start(struct loop *loop, struct log *log, struct web *web,
                          struct fetcher *fetcher, const struct swarm_config *config,
                          void (*done)(void *arg), void *arg, struct err *err)
{
    struct swarm *s = calloc(1, sizeof *s);
    struct swarm_player *players = calloc(config->players, sizeof *players);
    if (!s || !players || tally_init(&s->tally, config->players) < 0) {
        free(s);
        free(players);
        err_set(err, BERTH_ENOMEM, "no memory for %zu players", config->players);
        return NULL;
    }
    *s = (struct swarm){.loop = loop,
                        .log = log,
                        .web = web,
                        .fetcher = fetcher,
                        .config = *config,
                        .tally = s->tally,
                        .plan = config->plan,
                        .players = players,
                        .done = done,
                        .arg = arg};
    mono_ms_t now = loop_now(loop);
    s->plan.leave_from = mono_add(now, config->plan.leave_from.ms);
    for (size_t i = 0; i < config->players; i++) {
        struct swarm_player *sp = &players[i];
        char id[PLAYER_ID_MAX];
        (void)snprintf(id, sizeof id, "%.48s-%zu", config->prefix, config->first + i);
        sp->swarm = s;
        sp->lb = config->first + i; /* the peers share the questions */
        mono_ms_t start_at = mono_add(now, config->ramp_ms * (int64_t)i / (int64_t)config->players);
        player_init(&sp->core, &s->plan, id, start_at, config->seed + config->first + i);
        timer_init(&sp->timer, loop, on_timer, sp);
        timer_at(&sp->timer, player_deadline(&sp->core));
    }
    return s;
}

const struct tally *swarm_tally(const struct swarm *swarm)
{
    return &swarm->tally;
}

void swarm_interrupt(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->config.players; i++)
        happen(&swarm->players[i], &(struct player_event){.kind = PLAYER_EV_INTERRUPT});
}

void swarm_destroy(struct swarm *swarm)
{
    if (!swarm)
        return;
    for (size_t i = 0; i < swarm->config.players; i++) {
        struct swarm_player *sp = &swarm->players[i];
        timer_stop(&sp->timer);
        if (sp->fetch)
            fetch_cancel(sp->fetch);
        let_go(sp, SOCKET_LOBBY);
        let_go(sp, SOCKET_GAME);
    }
    tally_fini(&swarm->tally);
    free(swarm->players);
    free(swarm);
}
