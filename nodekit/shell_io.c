/* shell_io.c - sockets become events, effects become frames. */
#include "nodekit/shell_io.h"

#include <assert.h>
#include <stdlib.h>

void node_stamp(const struct node_shell *shell, struct node_event *ev)
{
    ev->now = loop_now(shell->loop);
    ev->wall_known = reporter_wall(&shell->reporter, ev->now, &ev->wall);
}

/* ---- effects ---- */

static void mark_slow(struct node_shell *shell, uint32_t peer)
{
    if (shell->is_slow[peer])
        return;
    shell->is_slow[peer] = 1;
    shell->slow[shell->slow_count++] = peer;
}

/* The frame of an effect; the same payload to many is encoded once. */
static struct span frame_of(struct node_shell *shell, const struct effect *effect)
{
    const struct effect *last = shell->framed;
    if (!last || last->payload.ptr != effect->payload.ptr || last->event != effect->event ||
        last->payload.len != effect->payload.len) {
        int n = message_frame(effect->event, effect->payload, shell->frame, shell->frame_size);
        assert(n > 0); /* frame_size holds the whole text of the effects and a name */
        shell->frame_len = (size_t)n;
    }
    shell->framed = effect;
    return (struct span){shell->frame, shell->frame_len};
}

static void send_to(struct node_shell *shell, uint32_t peer, const struct effect *effect)
{
    struct ws *ws = shell->sockets[peer];
    struct span frame = frame_of(shell, effect);
    int rc = ws ? ws_send(ws, frame) : node_sio_send(shell, peer, effect, frame);
    if (rc == BERTH_EFULL)
        mark_slow(shell, peer);
}

static void close_peer(struct node_shell *shell, const struct effect *effect)
{
    struct ws *ws = shell->sockets[effect->peer];
    log_debug(&shell->log, "close", "peer=%s code=%d why=%s",
              ws ? ws_peer(ws) : node_sio_peer(shell, effect->peer), effect->code, effect->why);
    if (ws)
        ws_close(ws, effect->code, effect->why);
    else
        node_sio_close(shell, effect->peer, effect->code, effect->why);
}

static void carry_out(struct node_shell *shell, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_SEND:
        send_to(shell, effect->peer, effect);
        break;
    case EFFECT_SEND_ALL:
        for (uint32_t peer = 0; peer < shell->peers_max; peer++)
            if (front_is(shell->front, peer, FRONT_ADMITTED))
                send_to(shell, peer, effect);
        break;
    case EFFECT_CLOSE:
        close_peer(shell, effect);
        break;
    }
}

static void apply_once(struct node_shell *shell)
{
    shell->framed = shell->sio.encoded = NULL;
    for (size_t i = 0; i < shell->effects->count; i++)
        carry_out(shell, &shell->effects->items[i]);
    shell->framed = shell->sio.encoded = NULL;
    effects_clear(shell->effects);
}

void node_apply(struct node_shell *shell)
{
    apply_once(shell);
    while (shell->slow_count > 0) {
        struct node_event ev = {.kind = NODE_SLOW, .peer = shell->slow[--shell->slow_count]};
        shell->is_slow[ev.peer] = 0;
        node_stamp(shell, &ev);
        shell->app->step(shell, &ev);
        apply_once(shell);
    }
    timer_at(&shell->core_timer, shell->app->deadline(shell));
}

void node_step(struct node_shell *shell, struct node_event ev)
{
    node_stamp(shell, &ev);
    shell->app->step(shell, &ev);
    node_apply(shell);
}

static void on_core_timer(void *arg)
{
    node_step(arg, (struct node_event){.kind = NODE_TICK});
}

/* ---- sockets ---- */

static uint32_t slot_of(const struct ws *ws)
{
    return (uint32_t)((uintptr_t)ws_user(ws) - 1); /* no user: UINT32_MAX */
}

static void on_open(void *arg, struct ws *ws)
{
    struct node_shell *shell = arg;
    if (shell->free_count == 0) {
        ws_close(ws, 1013, "full");
        return;
    }
    uint32_t slot = shell->free_slots[--shell->free_count];
    shell->sockets[slot] = ws;
    ws_set_user(ws, (void *)((uintptr_t)slot + 1)); // NOLINT(performance-no-int-to-ptr)
    node_step(shell, (struct node_event){.kind = NODE_OPEN, .peer = slot});
}

static void not_understood(struct node_shell *shell, struct ws *ws, const char *detail)
{
    char payload[700], frame[800];
    struct message_out out;
    message_begin(&out, payload, sizeof payload);
    message_put_text(&out, "reason", SPAN("bad_frame"));
    message_put_text(&out, "detail", span_of(detail));
    struct span text = message_end(&out);
    int n = text.ptr ? message_frame("error", text, frame, sizeof frame) : -1;
    if (n < 0 || ws_send(ws, (struct span){frame, (size_t)n}) < 0)
        log_debug(&shell->log, "close", "peer=%s why=bad_frame untold=1", ws_peer(ws));
    ws_close(ws, CLOSE_NOT_UNDERSTOOD, "bad_frame");
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct node_shell *shell = arg;
    uint32_t slot = slot_of(ws);
    if (slot == UINT32_MAX)
        return;
    struct message message;
    struct err err = {0};
    int rc = binary ? err_set(&err, BERTH_EPROTO, "binary: must be a text frame with a JSON object")
                    : message_parse(data, &message, &err);
    if (rc < 0) {
        not_understood(shell, ws, err.text);
        return;
    }
    node_step(shell, (struct node_event){.kind = NODE_MESSAGE,
                                         .peer = slot,
                                         .name = span_of(message.name),
                                         .payload = message.payload});
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct node_shell *shell = arg;
    uint32_t slot = slot_of(ws);
    if (slot == UINT32_MAX)
        return;
    log_debug(&shell->log, "closed", "peer=%s code=%d why=%s", ws_peer(ws), code, why);
    node_step(shell, (struct node_event){.kind = NODE_CLOSE, .peer = slot});
    shell->sockets[slot] = NULL;
    shell->free_slots[shell->free_count++] = slot;
}

/* ---- the stage ---- */

static int allocate(struct node_shell *shell)
{
    uint32_t n = shell->peers_max;
    shell->sockets = calloc(n, sizeof *shell->sockets);
    shell->free_slots = malloc(n * sizeof *shell->free_slots);
    shell->slow = malloc(n * sizeof *shell->slow);
    shell->is_slow = calloc(n, 1);
    shell->frame_size = shell->effects->text_max + 2 * MESSAGE_NAME_MAX;
    shell->frame = malloc(shell->frame_size);
    if (!shell->sockets || !shell->free_slots || !shell->slow || !shell->is_slow || !shell->frame)
        return BERTH_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        shell->free_slots[i] = n - 1 - i;
    shell->free_count = n;
    return 0;
}

int node_open_web(void *app, struct err *err)
{
    struct node_shell *shell = app;
    const struct node_settings *node = shell->node;
    timer_init(&shell->core_timer, shell->loop, on_core_timer, shell);
    if (allocate(shell) < 0) {
        node_close_web(shell);
        return err_set(err, BERTH_ENOMEM, "no memory for %u sockets", shell->peers_max);
    }
    if (node_open_sio(shell, err) < 0) {
        node_close_web(shell);
        return err->code;
    }
    shell->web = web_create(shell->loop, &shell->log, err);
    const struct ws_route ws[] = {
        {.path = "/ws",
         .handlers = {.open = on_open, .message = on_message, .close = on_close, .arg = shell}},
        {.path = "/socket.io/", .handlers = engine_ws(sio_server_engine(shell->sio.server))},
        {.path = NULL}};
    struct web_server_config config = {
        .name = "ws",
        .address = node->listen.host,
        .port = node->port >= 0 ? (int)node->port : node->listen.port,
        .routes = node_player_routes,
        .http_arg = shell,
        .ws = ws,
        .body_max = (size_t)node->frame_max_bytes,
        .message_max = (size_t)node->frame_max_bytes,
        .send_max = (size_t)node->send_max_bytes,
        .ping_ms = node->ping_interval_ms,
    };
    if (shell->web)
        shell->server = web_listen(shell->web, &config, err);
    if (shell->server)
        return 0;
    node_close_web(shell);
    return err->code ? err->code : BERTH_ESYS;
}

void node_close_web(void *app)
{
    struct node_shell *shell = app;
    web_destroy(shell->web); /* the last `close` events of the sockets come from here */
    shell->web = NULL;
    shell->server = shell->health = NULL;
    node_close_sio(shell);
    timer_stop(&shell->core_timer);
    free(shell->sockets);
    free(shell->free_slots);
    free(shell->slow);
    free(shell->is_slow);
    free(shell->frame);
    shell->sockets = NULL;
    shell->free_slots = shell->slow = NULL;
    shell->is_slow = NULL;
    shell->frame = NULL;
}
