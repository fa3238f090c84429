/* players.c - players who come and go in waves, each the real core of loadtest/player.h; and some
 * who try a ticket where, or when, it must not be taken. */
#include "tests/sim/parties.h"
#include "tests/sim/world.h"

#include "io/fetch.h"
#include "io/web.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum {
    STEP_TIMEOUT_S = 15,
    MATCH_TIMEOUT_S = 24,
    API_TIMEOUT_MS = 2000,
    CONNECT_TIMEOUT_MS = 3000
};
#define SEEK "{\"type\":\"seek\""

struct virtual_player {
    struct virtual_player *prev, *next;
    struct player core;
    struct player_plan plan;
    struct member *member; /* of a party; NULL: it comes alone */
    struct fetch *fetch;
    struct ws *ws[PLAYER_SOCKETS];
    struct timer timer;
    size_t lb;
    bool cheats;
    bool moody; /* hangs up as soon as the store has made its match, before it can know */
    struct sim_event mood;
    int64_t began_us, met_us;
    uint64_t heard; /* events of others */
    bool busy, over;
};

/* Somebody who shows another's ticket, and must not be let in. */
struct cheat {
    struct cheat *prev, *next;
    struct ws *ws;
    struct timer timer;
    char url[PLAYER_URL_MAX], hello[PLAYER_TICKET_MAX + 256], what[48], player[PLAYER_ID_MAX],
        node[PLAYER_ID_MAX];
};

/* When the match of a room ends: the same for all who are in it. */
struct room_plan {
    char room[72];
    int64_t leave_ms;
};

static struct players {
    struct proc proc;
    struct loop *loop;
    struct web *web;
    struct fetcher *fetcher;
    struct rng rng, friends;
    struct virtual_player *first;
    struct cheat *cheats;
    struct timer arrival;
    uint64_t count;
    size_t underway;
    struct room_plan rooms[1024];
    size_t room_count;
    bool stopping;
} all;

static void happen(struct virtual_player *v, const struct player_event *ev);

/* ---- answers and messages ---- */

static struct span text_of(json_t *object, const char *name)
{
    json_t *v = json_object_get(object, name);
    return json_is_string(v) ? (struct span){json_string_value(v), json_string_length(v)}
                             : (struct span){NULL, 0};
}

static void read_object(json_t *object, struct player_event *ev)
{
    ev->endpoint = text_of(object, "endpoint");
    ev->node = text_of(object, "node");
    ev->ticket = text_of(object, "ticket");
    ev->room = text_of(object, "room_id");
    ev->type = text_of(object, "type");
    json_t *players = json_object_get(object, "players"), *p;
    size_t i;
    json_array_foreach(players, i, p)
    {
        if (i < PLAYER_MATES_MAX && json_is_string(p))
            ev->players[ev->players_count++] =
                (struct span){json_string_value(p), json_string_length(p)};
    }
}

/* As the endpoint API or a lobby node gives it. */
static void check_ticket(const struct virtual_player *v, enum pool_id pool,
                         const struct player_event *ev)
{
    char node[PLAYER_ID_MAX], room[PLAYER_ID_MAX] = "";
    (void)span_copy(ev->node, node, sizeof node);
    if (pool == POOL_GAME)
        (void)span_copy(ev->room.len > 0 ? ev->room : span_of(v->core.room), room, sizeof room);
    judge_ticket(v->core.id, pool, room, node, ev->ticket);
}

static void on_response(void *arg, int code, const struct fetch_response *response,
                        const struct err *err)
{
    struct virtual_player *v = arg;
    struct player_event ev = {.kind = PLAYER_EV_UNREACHED, .retry_after_ms = -1};
    v->fetch = NULL;
    if (all.stopping)
        return;
    json_t *body = NULL;
    if (code != 0) {
        v->lb++;
    } else {
        ev.kind = PLAYER_EV_ANSWER;
        ev.status = response->status;
        ev.retry_after_ms = response->retry_after_ms;
        body = json_loadb(response->body.ptr, response->body.len, 0, NULL);
        if (body != NULL)
            read_object(body, &ev);
        world->placed += response->status == 200;
        bool asked = v->core.state == PLAYER_ASK_LOBBY || v->core.state == PLAYER_ASK_GAME;
        if (response->status == 200 && asked)
            check_ticket(v, v->core.state == PLAYER_ASK_LOBBY ? POOL_LOBBY : POOL_GAME, &ev);
    }
    happen(v, &ev);
    json_decref(body);
}

static enum player_socket which(const struct virtual_player *v, const struct ws *ws)
{
    return v->ws[SOCKET_LOBBY] == ws ? SOCKET_LOBBY : SOCKET_GAME;
}

static void on_open(void *arg, struct ws *ws)
{
    struct virtual_player *v = ws_user(ws);
    if (v != NULL)
        happen(v, &(struct player_event){.kind = PLAYER_EV_OPEN, .socket = which(v, ws)});
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct virtual_player *v = ws_user(ws);
    if (v == NULL)
        return;
    struct player_event ev = {.kind = PLAYER_EV_MESSAGE, .socket = which(v, ws)};
    json_t *object = json_loadb(data.ptr, data.len, 0, NULL);
    if (object == NULL) {
        sim_fail("%s was sent what is no JSON: %.*s", v->core.id, SPAN_ARG(data));
        return;
    }
    read_object(object, &ev);
    if (span_is(ev.type, "ALL_CONNECTED")) {
        check_ticket(v, POOL_GAME, &ev);
        judge_matched(&v->core, &ev);
        if (v->member != NULL)
            member_matched(v->member, &ev);
    }
    if (ev.socket == SOCKET_LOBBY && v->member != NULL)
        member_told(v->member, ev.type, object);
    if (ev.socket == SOCKET_GAME) {
        judge_heard(&v->core, text_of(object, "from"), "an event");
        judge_heard(&v->core, text_of(object, "player"), "the coming or going");
        for (size_t i = 0; i < ev.players_count; i++)
            judge_heard(&v->core, ev.players[i], "the presence");
        v->heard += span_is(ev.type, "event");
    }
    happen(v, &ev);
    json_decref(object);
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct virtual_player *v = ws_user(ws);
    if (v == NULL)
        return;
    enum player_socket socket = which(v, ws);
    v->ws[socket] = NULL;
    if (v->member != NULL && socket == SOCKET_LOBBY)
        member_lost(v->member);
    happen(v, &(struct player_event){.kind = PLAYER_EV_CLOSED, .socket = socket});
}

static const struct ws_handlers handlers = {
    .open = on_open, .message = on_message, .close = on_close};

/* ---- cheats ---- */

static void cheat_end(struct cheat *c)
{
    timer_stop(&c->timer);
    if (c->ws != NULL) {
        ws_set_user(c->ws, NULL);
        ws_close(c->ws, 1000, "bye");
    }
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        all.cheats = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    free(c);
}

static void cheat_open(void *arg, struct ws *ws)
{
    struct cheat *c = ws_user(ws);
    if (c != NULL && ws_send(ws, span_of(c->hello)) < 0)
        cheat_end(c);
}

static void cheat_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct cheat *c = ws_user(ws);
    if (c == NULL)
        return;
    bool in = memmem(data.ptr, data.len, "\"type\":\"welcome\"", 16) != NULL ||
              memmem(data.ptr, data.len, "\"type\":\"joined\"", 15) != NULL;
    /* A leave that got lost: the seat was still kept. */
    bool resumed = memmem(data.ptr, data.len, "\"resumed\":true", 14) != NULL;
    const struct instance *node = world_instance(span_of(c->node));
    if (!world_calm(&all.proc, 12 * SIM_S) || node == NULL || !node->running ||
        !world_calm(&node->task.proc, 12 * SIM_S))
        resumed = true; /* it may be on its way still */
    if (world->clock_trouble_us > sim->now_us - 15 * SIM_S)
        resumed = true; /* the store's clock went back: an expired ticket lives again */
    if (in && !resumed)
        sim_fail("a ticket of %s was taken %s: %.*s", c->player, c->what, SPAN_ARG(data));
    cheat_end(c);
}

static void cheat_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct cheat *c = ws_user(ws);
    if (c == NULL)
        return;
    c->ws = NULL;
    cheat_end(c);
}

static const struct ws_handlers cheat_handlers = {
    .open = cheat_open, .message = cheat_message, .close = cheat_close};

static void on_cheat(void *arg)
{
    struct cheat *c = arg;
    if (c->ws != NULL) {
        cheat_end(c); /* no answer */
        return;
    }
    const struct ws_client_config config = {.url = c->url,
                                            .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    struct err err;
    c->ws = ws_connect(all.web, &config, &cheat_handlers, &err);
    assert(c->ws != NULL);
    ws_set_user(c->ws, c);
    timer_start(&c->timer, 5000, 0);
}

static void cheat(const struct virtual_player *v, enum player_socket s, const char *url,
                  const char *node, const char *what, int64_t after_ms)
{
    const struct player *p = &v->core;
    if (p->ticket[s][0] == '\0')
        return;
    struct cheat *c = calloc(1, sizeof *c);
    assert(c != NULL);
    (void)snprintf(c->url, sizeof c->url, "%s", url);
    (void)snprintf(c->node, sizeof c->node, "%s", node);
    (void)snprintf(c->what, sizeof c->what, "%s", what);
    (void)snprintf(c->player, sizeof c->player, "%s", p->id);
    if (s == SOCKET_LOBBY)
        (void)snprintf(c->hello, sizeof c->hello,
                       "{\"type\":\"hello\",\"player\":\"%s\",\"ticket\":\"%s\"}", p->id,
                       p->ticket[s]);
    else
        (void)snprintf(c->hello, sizeof c->hello,
                       "{\"type\":\"join\",\"room\":\"%s\",\"player\":\"%s\",\"ticket\":\"%s\"}",
                       p->room, p->id, p->ticket[s]);
    c->next = all.cheats;
    if (c->next != NULL)
        c->next->prev = c;
    all.cheats = c;
    timer_init(&c->timer, all.loop, on_cheat, c);
    timer_start(&c->timer, after_ms, 0);
}

/* At another node of the same kind. */
static void cheat_elsewhere(const struct virtual_player *v, enum player_socket s)
{
    for (size_t i = world->instance_count; i-- > 0;) {
        const struct instance *in = &world->instances[i];
        bool same_kind = (in->pool == POOL_LOBBY) == (s == SOCKET_LOBBY);
        if (in->running && same_kind && strcmp(in->id, v->core.node[s]) != 0) {
            cheat(v, s, prog_node_endpoint(in->task.app), in->id, "at another node", 1);
            return;
        }
    }
}

/* ---- effects ---- */

/* Enough of a ticket to know it by. */
static const char *tail_of(const char *ticket)
{
    size_t len = strlen(ticket);
    return ticket + (len > 8 ? len - 8 : 0);
}

static void ask(struct virtual_player *v, const char *method, const char *path, const char *ticket)
{
    char url[1024], bearer[PLAYER_TICKET_MAX + 32];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s",
                   PUBLIC_PORT + (int)(v->lb % world->lb_count), path);
    (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", ticket ? ticket : "");
    const char *headers[] = {ticket && *ticket ? bearer : NULL, NULL};
    const struct fetch_request request = {
        .method = method, .url = url, .headers = headers, .timeout_ms = API_TIMEOUT_MS};
    struct err err = {0};
    if (v->fetch != NULL)
        fetch_cancel(v->fetch);
    v->fetch = fetch_start(all.fetcher, &request, on_response, v, &err);
    assert(v->fetch != NULL);
}

static void ask_for(struct virtual_player *v, enum player_effect_kind kind)
{
    char path[512];
    const struct player *p = &v->core;
    if (kind == PLAYER_FX_ASK_LOBBY) {
        (void)snprintf(path, sizeof path, "/v1/pools/lobby/endpoint?player=%s%s%s", p->id,
                       p->shunned[0] ? "&exclude=" : "", p->shunned);
        ask(v, "GET", path, NULL);
    } else {
        (void)snprintf(path, sizeof path, "/v1/pools/game/rooms/%s/%s", p->room,
                       kind == PLAYER_FX_START ? "start" : "finish");
        ask(v, "POST", path, p->ticket[SOCKET_GAME]);
    }
}

static void let_go(struct virtual_player *v, enum player_socket s)
{
    struct ws *ws = v->ws[s];
    v->ws[s] = NULL;
    if (ws == NULL)
        return;
    if (v->member != NULL && s == SOCKET_LOBBY)
        member_lost(v->member);
    ws_set_user(ws, NULL);
    ws_close(ws, 1000, "bye");
}

static void plan_the_end(struct virtual_player *v)
{
    const size_t max = sizeof all.rooms / sizeof *all.rooms;
    struct room_plan *found = NULL;
    size_t from = all.room_count > max ? all.room_count - max : 0;
    for (size_t i = from; i < all.room_count && found == NULL; i++)
        if (strcmp(all.rooms[i % max].room, v->core.room) == 0)
            found = &all.rooms[i % max];
    if (found == NULL) {
        found = &all.rooms[all.room_count++ % max];
        (void)snprintf(found->room, sizeof found->room, "%s", v->core.room);
        found->leave_ms = loop_now(all.loop).ms +
                          (int64_t)(world->config.play_s * (500 + rng_unit(&all.rng) * 1000));
    }
    v->plan.leave_from = (mono_ms_t){found->leave_ms};
}

static void carry_out(struct virtual_player *v, const struct player_effect *fx)
{
    switch (fx->kind) {
    case PLAYER_FX_ASK_LOBBY:
    case PLAYER_FX_START:
    case PLAYER_FX_FINISH:
        ask_for(v, fx->kind);
        break;
    case PLAYER_FX_CONNECT: {
        const struct ws_client_config config = {.url = v->core.url[fx->socket],
                                                .connect_timeout_ms = CONNECT_TIMEOUT_MS};
        struct err err = {0};
        let_go(v, fx->socket);
        v->ws[fx->socket] = ws_connect(all.web, &config, &handlers, &err);
        if (v->ws[fx->socket] == NULL) {
            sim_fail("%s was given the address %s: %s", v->core.id, config.url, err.text);
            return;
        }
        ws_set_user(v->ws[fx->socket], v);
        if (v->cheats && fx->socket == SOCKET_LOBBY)
            cheat_elsewhere(v, fx->socket);
        break;
    }
    case PLAYER_FX_SEND:
        if (v->member != NULL && strncmp(fx->text, SEEK, sizeof SEEK - 1) == 0)
            member_seeks(v->member, fx->text);
        else if (v->ws[fx->socket] != NULL)
            (void)!ws_send(v->ws[fx->socket], span_of(fx->text));
        break;
    case PLAYER_FX_CLOSE:
        let_go(v, fx->socket);
        if (v->cheats && v->core.state > PLAYER_SEEK && fx->socket == SOCKET_LOBBY)
            cheat(v, SOCKET_LOBBY, v->core.url[SOCKET_LOBBY], v->core.node[SOCKET_LOBBY],
                  "a second time", 1500);
        break;
    case PLAYER_FX_MATCHED:
        plan_the_end(v);
        break;
    case PLAYER_FX_MET:
        world->met++;
        v->met_us = sim->now_us;
        break;
    case PLAYER_FX_KILLED:
        judge_killed(&v->core, v->core.state > PLAYER_SEEK ? SOCKET_GAME : SOCKET_LOBBY, fx->why);
        sim_trace("players", "killed player=%s why=%s", v->core.id, fx->why);
        break;
    case PLAYER_FX_FAILED:
        world->failed++;
        if (v->began_us > world->quiet_from_us + 25 * SIM_S)
            sim_fail("liveness: %s came %.1f s after the last fault, and failed: %s", v->core.id,
                     (double)(v->began_us - world->quiet_from_us) / 1e6, fx->why);
        sim_trace("players", "failed player=%s room=%s lobby=%s game=%s why=%s", v->core.id,
                  v->core.room, v->core.node[SOCKET_LOBBY], v->core.node[SOCKET_GAME], fx->why);
        break;
    case PLAYER_FX_RETRY:
        sim_trace("players", "retry player=%s state=%s why=%s", v->core.id,
                  player_state_word(v->core.state), fx->why);
        break;
    case PLAYER_FX_DONE:
        judge_played(&v->core, sim->now_us - v->met_us, v->heard);
        sim_trace("players", "done player=%s ticket=%s", v->core.id,
                  tail_of(v->core.ticket[SOCKET_GAME]));
        if (v->cheats)
            cheat(v, SOCKET_GAME, v->core.url[SOCKET_GAME], v->core.node[SOCKET_GAME],
                  "after the end", 1500);
        break;
    default:
        break;
    }
}

static void remove_player(struct virtual_player *v)
{
    timer_stop(&v->timer);
    sim_cancel(&v->mood);
    if (v->fetch != NULL)
        fetch_cancel(v->fetch);
    v->fetch = NULL;
    let_go(v, SOCKET_LOBBY);
    let_go(v, SOCKET_GAME);
    if (v->member != NULL)
        member_over(v->member);
    if (v->prev != NULL)
        v->prev->next = v->next;
    else
        all.first = v->next;
    if (v->next != NULL)
        v->next->prev = v->prev;
    all.underway--;
    free(v);
}

static void on_gone(void *arg)
{
    remove_player(arg);
}

static void happen(struct virtual_player *v, const struct player_event *ev)
{
    struct player_effects fx;
    bool was_in = v->core.admitted[SOCKET_GAME];
    if (v->over)
        return;
    player_step(&v->core, loop_now(all.loop), ev, &fx);
    if (v->core.admitted[SOCKET_GAME] && !was_in) {
        sim_trace("players", "joined player=%s room=%s node=%s ticket=%s", v->core.id, v->core.room,
                  v->core.node[SOCKET_GAME], tail_of(v->core.ticket[SOCKET_GAME]));
        judge_joined(&v->core);
    }
    for (size_t i = 0; i < fx.count && !sim->failed; i++)
        carry_out(v, &fx.list[i]);
    if (v->core.state >= PLAYER_DONE && !v->over) {
        v->over = true;
        timer_stop(&v->timer);
        timer_init(&v->timer, all.loop, on_gone, v); /* not from within its own callbacks */
        timer_start(&v->timer, 0, 0);
        return;
    }
    timer_at(&v->timer, player_deadline(&v->core));
}

/* ---- arrivals ---- */

static void on_time(void *arg)
{
    happen(arg, &(struct player_event){.kind = PLAYER_EV_TIME});
}

/* A word of somebody of a party to the lobby node. */
static void send_to_lobby(void *arg, const char *text)
{
    struct virtual_player *v = arg;
    if (v->ws[SOCKET_LOBBY] != NULL)
        (void)!ws_send(v->ws[SOCKET_LOBBY], span_of(text));
}

static void arrive(struct party *party)
{
    struct virtual_player *v = calloc(1, sizeof *v);
    char id[PLAYER_ID_MAX];
    assert(v != NULL);
    v->plan = (struct player_plan){.step_timeout_ms = STEP_TIMEOUT_S * 1000,
                                   .match_timeout_ms = MATCH_TIMEOUT_S * 1000,
                                   .event_interval_ms = 2000,
                                   .linger_max_ms = 2000,
                                   .leave_from = MONO_NEVER,
                                   .leave_over_ms = 1,
                                   .mode = "duel"};
    (void)snprintf(id, sizeof id, "p%llu", (unsigned long long)all.count);
    v->lb = (size_t)all.count++;
    v->cheats = chance(&all.rng, world->config.cheats);
    v->moody = chance(&all.friends, world->config.moody) && sim->now_us < world->quiet_from_us;
    v->began_us = sim->now_us;
    v->next = all.first;
    if (v->next != NULL)
        v->next->prev = v;
    all.first = v;
    all.underway++;
    player_init(&v->core, &v->plan, id, loop_now(all.loop), rng_next(&all.rng));
    if (party != NULL)
        v->member = party_add(party, &v->core, all.loop, send_to_lobby, v);
    timer_init(&v->timer, all.loop, on_time, v);
    timer_at(&v->timer, player_deadline(&v->core));
}

/* Players a second now: a wave up and down again, and less once the faults are over. */
static double rate(void)
{
    double t = (double)(sim->now_us - world->faults_from_us) /
               (double)(world->faults_until_us - world->faults_from_us);
    double wave = t < 0 ? 0.35 : t > 1 ? 0.3 : 0.3 + 0.7 * fabs(sin(3.1416 * 1.5 * t));
    return world->config.arrivals * wave;
}

static void on_arrival(void *arg)
{
    if (world->arrivals_over)
        return;
    /* Four at a time: nobody is left without a match for long. Parties are pairs, or all four: so
     * any four who are left make a match. */
    struct party *party = NULL;
    int64_t size = chance(&all.friends, world->config.parties) ? draw(&all.friends, 1, 3) : 0;
    for (size_t i = 0; i < 4; i++) {
        if (size == 1 && i == 2) /* one pair */
            party = NULL;
        else if (size > 0 && (i == 0 || (size == 2 && i == 2)))
            party = party_new(size == 3 ? 4 : 2);
        arrive(party);
    }
    int64_t pause = (int64_t)rng_exponential(&all.rng, 4000.0 / rate());
    timer_start(&all.arrival, pause + 1, 0);
}

static void hang_up(void *arg)
{
    const struct virtual_player *v = arg;
    sim_trace("players", "hangs up player=%s state=%s", v->core.id,
              player_state_word(v->core.state));
    remove_player(arg);
}

static void on_mood(void *arg)
{
    const struct virtual_player *v = arg;
    if (v->core.state == PLAYER_SEEK && !v->over)
        proc_run(&all.proc, hang_up, arg);
}

void players_matched(struct span id)
{
    for (struct virtual_player *v = all.first; v != NULL; v = v->next)
        if (v->moody && span_is(id, v->core.id))
            sim_after(&v->mood, draw(&all.friends, 0, 6 * SIM_MS), on_mood, v);
}

/* ---- life ---- */

size_t players_underway(void)
{
    return all.underway;
}

struct proc *players_proc(void)
{
    return &all.proc;
}

const struct player *players_find(struct span id)
{
    for (const struct virtual_player *v = all.first; v != NULL; v = v->next)
        if (span_is(id, v->core.id))
            return &v->core;
    return NULL;
}

size_t players_on(const char *node)
{
    size_t n = 0;
    for (const struct virtual_player *v = all.first; v != NULL; v = v->next)
        for (int s = 0; s < PLAYER_SOCKETS; s++)
            n += v->core.admitted[s] && v->ws[s] != NULL && strcmp(v->core.node[s], node) == 0;
    return n;
}

const struct player *players_oldest_waiting(int64_t since_us, int64_t *ret_began_us)
{
    const struct virtual_player *oldest = NULL;
    size_t seeking = 0;
    for (const struct virtual_player *v = all.first; v != NULL; v = v->next)
        seeking += v->core.state == PLAYER_SEEK;
    for (const struct virtual_player *v = all.first; v != NULL; v = v->next)
        if (v->began_us >= since_us && v->core.state < PLAYER_PLAY &&
            !(v->core.state == PLAYER_SEEK && seeking < 4) && /* too few for a match */
            (oldest == NULL || v->began_us < oldest->began_us))
            oldest = v;
    if (oldest == NULL)
        return NULL;
    *ret_began_us = oldest->began_us;
    return &oldest->core;
}

static void open_all(void *arg)
{
    struct err err = {0};
    all.loop = loop_create(&err);
    all.web = web_create(all.loop, NULL, &err);
    all.fetcher = fetcher_create(all.loop, NULL, &err);
    timer_init(&all.arrival, all.loop, on_arrival, NULL);
    timer_start(&all.arrival, 8000, 0);
}

void players_start(void)
{
    all = (struct players){0};
    proc_init(&all.proc, "players");
    rng_seed(&all.rng, sim->seed ^ 0x706c6179);
    rng_seed(&all.friends, sim->seed ^ 0x7061727479);
    proc_run(&all.proc, open_all, NULL);
}

static void close_all(void *arg)
{
    all.stopping = true;
    while (all.first != NULL)
        remove_player(all.first);
    while (all.cheats != NULL)
        cheat_end(all.cheats);
    timer_stop(&all.arrival);
    fetcher_destroy(all.fetcher);
    web_destroy(all.web);
    loop_destroy(all.loop);
}

void players_stop(void)
{
    proc_cut(&all.proc, true);
    all.proc.muted = true;
    proc_run(&all.proc, close_all, NULL);
    proc_cut(&all.proc, true);
    proc_fini(&all.proc);
}
