/* shell_io.c - sockets become events, effects become frames. */
#include "nodekit/shell_io.h"

#include <assert.h>
#include <stdlib.h>

#define THROTTLED_TELL_MS 10000
#define UNSENT_MAX 16384 /* bytes that the kernel holds unsent for a player */

void node_stamp(const struct node_shell *shell, struct node_event *ev)
{
    ev->now = loop_now(shell->loop);
    ev->wall_known = reporter_wall(&shell->reporter, ev->now, &ev->wall);
}

/* ---- effects ---- */

/* What is known of a peer's queue. */
enum peer_mark {
    MARK_BEHIND = 1, /* long; until it is half as long */
    MARK_NOTED = 2,  /* in the list of this turn, because of the others: */
    MARK_SLOW = 4,   /* it ran over: the message is lost */
    MARK_FIRST = 8,  /* it has just become long */
    MARK_LEFT_OUT = 16,
};

static void note(struct node_shell *shell, uint32_t peer, unsigned marks)
{
    if (!(shell->marks[peer] & MARK_NOTED))
        shell->noted[shell->noted_count++] = peer;
    shell->marks[peer] |= (unsigned char)(marks | MARK_NOTED);
}

static size_t waiting_for(struct node_shell *shell, uint32_t peer, bool flush)
{
    struct ws *ws = shell->sockets[peer];
    if (!ws)
        return node_sio_waiting(shell, peer, flush);
    if (flush)
        ws_flush(ws);
    return ws_queued(ws);
}

/* Is more waiting for it than a reader who keeps up would leave? */
static bool is_behind(struct node_shell *shell, uint32_t peer)
{
    size_t limit = (size_t)shell->node->send_max_bytes / NODE_BEHIND_PART;
    size_t waiting = waiting_for(shell, peer, false);
    if (waiting > limit) /* all of this turn perhaps: only what the kernel does not take counts */
        waiting = waiting_for(shell, peer, true);
    bool was = shell->marks[peer] & MARK_BEHIND;
    if (waiting > limit && !was)
        note(shell, peer, MARK_BEHIND | MARK_FIRST);
    else if (waiting <= limit / 2 && was)
        shell->marks[peer] &= (unsigned char)~MARK_BEHIND;
    return waiting > limit;
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
    if (effect->kind == EFFECT_SEND_STATE && is_behind(shell, peer)) {
        note(shell, peer, MARK_LEFT_OUT);
        return;
    }
    struct span frame = frame_of(shell, effect);
    int rc = ws ? ws_send(ws, frame) : node_sio_send(shell, peer, effect, frame);
    if (rc == BERTH_EFULL)
        note(shell, peer, effect->kind == EFFECT_SEND_STATE ? MARK_LEFT_OUT : MARK_SLOW);
    else
        (void)is_behind(shell, peer);
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

/* One line for all of some seconds. */
static void log_throttled(struct node_shell *shell, uint32_t peer)
{
    mono_ms_t now = loop_now(shell->loop);
    shell->throttled_untold++;
    if (shell->throttled_told.ms != 0 && mono_sub(now, shell->throttled_told) < THROTTLED_TELL_MS)
        return;
    const struct ws *ws = shell->sockets[peer];
    log_warn(&shell->log, "throttled", "peer=%s why=message_rate rate=%lld times=%llu held=%u",
             ws ? ws_peer(ws) : node_sio_peer(shell, peer),
             (long long)shell->front->config.message_rate,
             (unsigned long long)shell->throttled_untold, shell->front->held.count);
    shell->throttled_told = now;
    shell->throttled_untold = 0;
}

static void hold_peer(struct node_shell *shell, const struct effect *effect)
{
    bool hold = effect->kind == EFFECT_HOLD;
    struct ws *ws = shell->sockets[effect->peer];
    if (hold && effect->why)
        log_throttled(shell, effect->peer);
    if (ws)
        ws_hold(ws, hold);
    else
        node_sio_hold(shell, effect->peer, hold);
}

static void carry_out(struct node_shell *shell, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_SEND:
    case EFFECT_SEND_STATE:
        send_to(shell, effect->peer, effect);
        break;
    case EFFECT_SEND_ALL:
        for (uint32_t peer = 0; peer < shell->peers_max; peer++)
            if (front_is(shell->front, peer, FRONT_ADMITTED))
                send_to(shell, peer, effect);
        break;
    case EFFECT_RESULT:
        if (shell->app->result)
            shell->app->result(shell, effect->payload);
        break;
    case EFFECT_HOLD:
    case EFFECT_RELEASE:
        hold_peer(shell, effect);
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
    while (shell->noted_count > 0) {
        uint32_t peer = shell->noted[--shell->noted_count];
        unsigned marks = shell->marks[peer];
        shell->marks[peer] &= MARK_BEHIND;
        struct node_event ev = {.kind = marks & MARK_SLOW ? NODE_SLOW : NODE_BEHIND,
                                .peer = peer,
                                .first = marks & MARK_FIRST,
                                .left_out = marks & MARK_LEFT_OUT,
                                .waiting = waiting_for(shell, peer, false)};
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

static void on_frame(void *arg, struct ws *ws)
{
    struct node_shell *shell = arg;
    uint32_t slot = slot_of(ws);
    if (slot != UINT32_MAX)
        node_step(shell, (struct node_event){.kind = NODE_FRAME, .peer = slot});
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
    shell->marks[slot] = 0;
    shell->free_slots[shell->free_count++] = slot;
}

/* ---- the stage ---- */

static int allocate(struct node_shell *shell)
{
    uint32_t n = shell->peers_max;
    shell->sockets = calloc(n, sizeof *shell->sockets);
    shell->free_slots = malloc(n * sizeof *shell->free_slots);
    shell->noted = malloc(n * sizeof *shell->noted);
    shell->marks = calloc(n, 1);
    shell->frame_size = shell->effects->text_max + 2 * MESSAGE_NAME_MAX;
    shell->frame = malloc(shell->frame_size);
    if (!shell->sockets || !shell->free_slots || !shell->noted || !shell->marks || !shell->frame)
        return BERTH_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        shell->free_slots[i] = n - 1 - i;
    shell->free_count = n;
    return 0;
}

struct web_server *node_listen(struct node_shell *shell, int port, int fd, bool paused,
                               struct err *err)
{
    const struct node_settings *node = shell->node;
    const struct ws_route ws[] = {
        {.path = "/ws",
         .handlers = {.open = on_open,
                      .message = on_message,
                      .frame = on_frame,
                      .close = on_close,
                      .arg = shell}},
        {.path = "/socket.io/", .handlers = engine_ws(sio_server_engine(shell->sio.server))},
        {.path = NULL}};
    struct web_server_config config = {
        .name = "ws",
        .address = node->listen.host,
        .port = port,
        .listening_fd = fd,
        .paused = paused,
        .routes = node_player_routes,
        .http_arg = shell,
        .ws = ws,
        .body_max = (size_t)node->frame_max_bytes,
        .message_max = (size_t)node->frame_max_bytes,
        .send_max = (size_t)node->send_max_bytes,
        .unsent_max = UNSENT_MAX,
        .ping_ms = node->ping_interval_ms,
    };
    return web_listen(shell->web, &config, err);
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
    struct node_handover *handover = &shell->handover;
    shell->web = web_create(shell->loop, &shell->log, err);
    if (shell->web)
        shell->server = node_listen(shell, node->port >= 0 ? (int)node->port : node->listen.port,
                                    handover->listener, handover->heir, err);
    if (shell->server) {
        handover->listener = -1;
        return 0;
    }
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
    free(shell->noted);
    free(shell->marks);
    free(shell->frame);
    shell->sockets = NULL;
    shell->free_slots = shell->noted = NULL;
    shell->marks = NULL;
    shell->frame = NULL;
}
