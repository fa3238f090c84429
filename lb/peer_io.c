/* peer_io.c - the WebSocket between two LBs: who dials, who is believed, when it counts as dead.
 *
 * Of each pair the one that stands first in `lb.peers` dials the other's admin listener at
 * /v1/peer, and dials again when the link breaks. The dialling side shows a ticket for "peer"
 * signed with the installation's ticket key; where tickets are off, whoever reaches the admin
 * listener is believed. Both say `beat` each peer_ping; a link over which nothing came for
 * peer_dead_after + 1/2 of them is closed, and the core is told. */
#include "lb/app.h"
#include "lb/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIAL_FIRST_MS = 100, DIAL_LAST_MS = 1000, DIAL_TIMEOUT_MS = 1000 };
enum { PASS_LIFE_S = 60 }; /* before and after now: the machines' clocks may differ by as much */

static const char pass_pool[] = "berth-peer";

struct peer_link {
    struct peers *owner;
    size_t index;
    struct ws *ws; /* NULL: none */
    bool greeted;  /* its hello came over this link */
    bool told_up;  /* the core holds it for up */
    bool ours;     /* we dial */
    mono_ms_t heard_at, dial_at;
    int64_t dial_ms;
    struct timer timer;
    char out[LINK_MESSAGE_MAX];
    size_t out_len;
};

struct peers {
    struct app *app;
    struct peer_link links[LB_PEERS_MAX];
    size_t count;
};

static const struct lb_peer_settings *settings_of(const struct peers *peers, size_t index)
{
    return SECTION_AT(peers->app->settings->lb.peers, struct lb_peer_settings, index);
}

/* ---- sending ---- */

static void send_out(struct peer_link *link)
{
    if (link->ws != NULL && link->out_len > 0 &&
        ws_send(link->ws, (struct span){link->out, link->out_len}) < 0)
        ws_close(link->ws, 1013, "slow_reader"); /* it is told everything when it comes back */
    link->out_len = 0;
}

static void put_line(struct peer_link *link, struct span line)
{
    if (link->out_len + line.len + 1 > sizeof link->out)
        send_out(link);
    memcpy(link->out + link->out_len, line.ptr, line.len);
    link->out_len += line.len;
    link->out[link->out_len++] = '\n';
}

void peers_tell(struct peers *peers, struct span line)
{
    for (size_t i = 0; i < peers->count; i++)
        if (peers->links[i].greeted)
            put_line(&peers->links[i], line);
}

void peers_flush(struct peers *peers)
{
    for (size_t i = 0; peers != NULL && i < peers->count; i++)
        send_out(&peers->links[i]);
}

/* ---- life of a link ---- */

static int64_t dead_ms(const struct peers *peers)
{
    const struct lb_settings *s = &peers->app->settings->lb;
    return s->peer_ping_ms * s->peer_dead_after + s->peer_ping_ms / 2;
}

static void came(struct peer_link *link, struct ws *ws)
{
    char line[LINK_LINE_MAX];
    struct app *app = link->owner->app;
    if (link->ws != NULL) { /* the newer one counts: the older may be half dead */
        ws_set_user(link->ws, NULL);
        ws_close(link->ws, 1000, "replaced");
    }
    link->ws = ws;
    link->greeted = false; /* until its hello; the core keeps it for up meanwhile */
    link->out_len = 0;
    link->heard_at = loop_now(app->loop);
    link->dial_ms = DIAL_FIRST_MS;
    put_line(link, link_hello(line, app->me->name));
    send_out(link);
}

static void went(struct peer_link *link, const char *why)
{
    struct app *app = link->owner->app;
    link->ws = NULL;
    link->out_len = 0;
    link->dial_at = mono_add(loop_now(app->loop), link->dial_ms);
    link->dial_ms = link->dial_ms * 2 < DIAL_LAST_MS ? link->dial_ms * 2 : DIAL_LAST_MS;
    if (!link->told_up)
        return;
    link->greeted = link->told_up = false;
    app_event(app, (struct lb_event){.kind = LB_PEER_DOWN, .peer = link->index, .why = why});
}

static void cut(struct peer_link *link, const char *why)
{
    ws_set_user(link->ws, NULL);
    ws_close(link->ws, 1008, why);
    went(link, why);
}

static void on_line(struct peer_link *link, struct span text)
{
    struct app *app = link->owner->app;
    struct link_line line;
    struct err err = {0};
    if (link_parse(text, &line, &err) < 0) {
        log_warn(&app->log, "peer_line", "peer=%s why=%s",
                 settings_of(link->owner, link->index)->name, err.text);
        return;
    }
    if (line.kind == LINK_HELLO && !link->greeted) {
        link->greeted = link->told_up = true;
        app_event(app, (struct lb_event){.kind = LB_PEER_UP, .peer = link->index});
    }
    if (line.kind == LINK_ABLE && link->greeted) {
        app_event(app,
                  (struct lb_event){.kind = LB_PEER_ABLE, .peer = link->index, .ok = line.yes});
        return;
    }
    bool about_pool = line.kind >= LINK_COUNT && line.kind != LINK_OTHER;
    int pool = about_pool ? lb_pool_find(app->lb, span_of(line.pool)) : BERTH_ENOENT;
    if (pool < 0 || !link->greeted)
        return; /* a pool that only the other one has */
    static const enum lb_event_kind kinds[] = {
        [LINK_COUNT] = LB_PEER_COUNT,         [LINK_RELEASED] = LB_PEER_RELEASED,
        [LINK_ROOM_OVER] = LB_PEER_ROOM_OVER, [LINK_ROOMS] = LB_PEER_ROOMS,
        [LINK_CONFIRM] = LB_PEER_CONFIRM,     [LINK_VERDICT] = LB_PEER_VERDICT,
    };
    struct lb_event ev = {.kind = kinds[line.kind],
                          .pool = (size_t)pool,
                          .peer = link->index,
                          .count = line.count,
                          .room = span_of(line.room),
                          .node = span_of(line.node),
                          .node_epoch = line.epoch,
                          .ok = line.yes};
    app_event(app, ev);
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct peer_link *link = ws_user(ws);
    if (link == NULL || binary)
        return;
    link->heard_at = loop_now(link->owner->app->loop);
    while (data.len > 0 && link->ws == ws) {
        struct span line = span_cut(&data, '\n');
        if (line.len > 0)
            on_line(link, line);
    }
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct peer_link *link = ws_user(ws);
    if (link != NULL && link->ws == ws)
        went(link, why);
}

/* ---- dialling ---- */

static void on_dialled(void *arg, struct ws *ws)
{
    struct peer_link *link = ws_user(ws);
    if (link != NULL) {
        link->ws = NULL; /* it was only promised until now */
        came(link, ws);
    }
}

static const struct ws_handlers dialler = {
    .open = on_dialled, .message = on_message, .close = on_close};

/* What the other side lets us in by. False: tickets are off. */
static bool make_pass(const struct app *app, const char *to, char *buf, size_t size)
{
    char jti[TICKET_JTI_SIZE];
    int64_t now_s = loop_wall_us() / 1000000;
    ticket_jti(jti, app->jti_start, 0);
    const struct ticket_grant grant = {.issuer = span_of(app->me->name),
                                       .node = span_of(to),
                                       .pool = span_of(pass_pool),
                                       .player = span_of(app->me->name),
                                       .jti = span_of(jti),
                                       .issued_s = now_s - PASS_LIFE_S,
                                       .expires_s = now_s + PASS_LIFE_S};
    return app->keys != NULL && ticket_sign(app->keys, &grant, buf, size) > 0;
}

static void dial(struct peer_link *link)
{
    struct app *app = link->owner->app;
    const struct lb_peer_settings *to = settings_of(link->owner, link->index);
    bool v6 = strchr(to->admin_listen.host, ':') != NULL;
    char url[512], pass[TICKET_TEXT_MAX];
    (void)snprintf(url, sizeof url, "ws://%s%s%s:%d/v1/peer", v6 ? "[" : "", to->admin_listen.host,
                   v6 ? "]" : "", to->admin_listen.port);
    const struct ws_client_config config = {
        .url = url,
        .connect_timeout_ms = DIAL_TIMEOUT_MS,
        .message_max = LINK_MESSAGE_MAX,
        .bearer = make_pass(app, to->name, pass, sizeof pass) ? pass : NULL};
    struct err err = {0};
    link->ws = ws_connect(app->web, &config, &dialler, &err);
    if (link->ws == NULL) {
        log_error(&app->log, "peer_dial", "peer=%s url=%s why=%s", to->name, url, err.text);
        went(link, "bad_url");
        return;
    }
    ws_set_user(link->ws, link);
    link->heard_at = mono_add(loop_now(app->loop), DIAL_TIMEOUT_MS);
}

static void on_tick(void *arg)
{
    struct peer_link *link = arg;
    mono_ms_t now = loop_now(link->owner->app->loop);
    if (link->ws == NULL) {
        if (link->ours && !mono_before(now, link->dial_at))
            dial(link);
        return;
    }
    if (mono_sub(now, link->heard_at) > dead_ms(link->owner)) {
        cut(link, "silent");
        return;
    }
    if (link->greeted || !link->ours)
        put_line(link, SPAN("beat"));
    send_out(link);
}

/* ---- being dialled ---- */

static int on_upgrade(void *arg, const struct http_request *req)
{
    const struct peers *peers = arg;
    struct app *app = peers->app;
    if (app->keys == NULL)
        return 0;
    const struct ticket_expect expect = {.node = span_of(app->me->name),
                                         .pool = span_of(pass_pool)};
    struct ticket ticket;
    struct err err = {0};
    wall_ms_t now = {loop_wall_us() / 1000};
    if (ticket_verify(app->keys, http_bearer(req), now, &expect, &ticket, &err) == TICKET_OK)
        return 0;
    log_warn(&app->log, "peer_refused", "from=%s why=%s", req->peer, err.text);
    return 401;
}

static void on_arrival(void *arg, struct ws *ws)
{
    ws_set_user(ws, NULL); /* nobody yet */
}

/* Who it is, its hello says. */
static void on_arrival_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct peers *peers = arg;
    if (ws_user(ws) == NULL && !binary) {
        struct span rest = data;
        struct link_line line;
        if (link_parse(span_cut(&rest, '\n'), &line, NULL) < 0 || line.kind != LINK_HELLO) {
            ws_close(ws, 1008, "hello first");
            return;
        }
        for (size_t i = 0; i < peers->count && ws_user(ws) == NULL; i++)
            if (i != peers->app->my_peer && strcmp(settings_of(peers, i)->name, line.name) == 0) {
                came(&peers->links[i], ws);
                ws_set_user(ws, &peers->links[i]);
            }
        if (ws_user(ws) == NULL) {
            log_warn(&peers->app->log, "peer_refused", "name=%s why=not_in_lb.peers", line.name);
            ws_close(ws, 1008, "unknown peer");
            return;
        }
    }
    on_message(NULL, ws, data, binary);
}

struct ws_handlers peers_handlers(struct peers *peers)
{
    return (struct ws_handlers){.upgrade = on_upgrade,
                                .open = on_arrival,
                                .message = on_arrival_message,
                                .close = on_close,
                                .arg = peers};
}

/* ---- all ---- */

struct peers *peers_create(struct app *app, struct err *err)
{
    struct peers *peers = calloc(1, sizeof *peers);
    if (peers == NULL) {
        (void)err_set(err, BERTH_ENOMEM, "no memory for peers");
        return NULL;
    }
    peers->app = app;
    peers->count = app->settings->lb.peers.count;
    for (size_t i = 0; i < peers->count; i++) {
        struct peer_link *link = &peers->links[i];
        link->owner = peers;
        link->index = i;
        link->ours = app->my_peer < i;
        link->dial_ms = DIAL_FIRST_MS;
        link->dial_at = loop_now(app->loop);
        timer_init(&link->timer, app->loop, on_tick, link);
        if (i != app->my_peer)
            timer_start(&link->timer, 1, app->settings->lb.peer_ping_ms);
    }
    return peers;
}

void peers_destroy(struct peers *peers)
{
    for (size_t i = 0; peers != NULL && i < peers->count; i++) {
        struct peer_link *link = &peers->links[i];
        timer_stop(&link->timer);
        if (link->ws != NULL) {
            ws_set_user(link->ws, NULL);
            ws_close(link->ws, 1001, "stopping");
        }
    }
    free(peers);
}

bool peers_is_up(const struct peers *peers, size_t peer)
{
    return peer < peers->count && peers->links[peer].greeted;
}
