/* socketio_io.c - players who speak Socket.IO: the same events as over /ws, by name. */
#include "nodekit/shell_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define PING_INTERVAL_MS 25000 /* where the configuration says never: the protocol needs one */
#define PING_TIMEOUT_MS 20000
#define UPGRADE_TIMEOUT_MS 10000
#define LINGER_MS 2000
#define NO_PEER UINT32_MAX

static const char *const namespaces[] = {"/", NULL};

static struct engine *engine_of(struct node_shell *shell)
{
    return sio_server_engine(shell->sio.server);
}

static uint32_t session_of(const struct node_shell *shell, uint32_t peer)
{
    return shell->sio.session_of_peer[peer];
}

/* ---- from the node ---- */

/* 42["event",payload]; the same payload to many is encoded once. */
static struct span packet_of(struct node_shell *shell, const struct effect *effect)
{
    struct node_sio *sio = &shell->sio;
    const struct effect *last = sio->encoded;
    if (!last || last->payload.ptr != effect->payload.ptr || last->event != effect->event ||
        last->payload.len != effect->payload.len) {
        int n = snprintf(sio->packet, sio->packet_size, "42[\"%s\",%.*s]", effect->event,
                         SPAN_ARG(effect->payload));
        assert(n > 0 && (size_t)n < sio->packet_size);
        sio->packet_len = (size_t)n;
    }
    sio->encoded = effect;
    return (struct span){sio->packet, sio->packet_len};
}

/* The acknowledgement that is owed: what the node said to this client, as a frame of /ws. */
static int acknowledge(struct node_shell *shell, struct span frame)
{
    struct node_sio *sio = &shell->sio;
    int n = snprintf(sio->packet, sio->packet_size, "[%.*s]", SPAN_ARG(frame));
    assert(n > 0 && (size_t)n < sio->packet_size);
    sio->encoded = NULL;
    struct sio_packet packet = {
        .type = SIO_ACK, .ns = SPAN("/"), .id = sio->ack_id, .data = {sio->packet, (size_t)n}};
    sio->ack_id = -1;
    return sio_send(sio->server, session_of(shell, sio->ack_peer), &packet, NULL);
}

int node_sio_send(struct node_shell *shell, uint32_t peer, const struct effect *effect,
                  struct span frame)
{
    struct node_sio *sio = &shell->sio;
    uint32_t session = session_of(shell, peer);
    int rc = 0;
    if (sio->ack_id >= 0 && sio->ack_peer == peer)
        rc = acknowledge(shell, frame);
    if (rc == 0 && sio_connected(sio->server, session, 0))
        rc = engine_send(engine_of(shell), session, packet_of(shell, effect));
    return rc;
}

size_t node_sio_waiting(struct node_shell *shell, uint32_t peer, bool flush)
{
    if (flush)
        engine_flush(engine_of(shell), session_of(shell, peer));
    return engine_queued(engine_of(shell), session_of(shell, peer));
}

/* `closed {code, reason}`, DISCONNECT (so that the client does not come back by itself), the end.
 */
void node_sio_close(struct node_shell *shell, uint32_t peer, int code, const char *why)
{
    uint32_t session = session_of(shell, peer);
    if (sio_connected(shell->sio.server, session, 0)) {
        char text[160];
        int n = snprintf(text, sizeof text, "42[\"closed\",{\"code\":%d,\"reason\":\"%s\"}]", code,
                         why);
        if (engine_send(engine_of(shell), session, (struct span){text, (size_t)n}) == 0)
            sio_disconnect(shell->sio.server, session, 0);
    }
    engine_close(engine_of(shell), session, code, why);
}

void node_sio_hold(struct node_shell *shell, uint32_t peer, bool hold)
{
    engine_hold(engine_of(shell), session_of(shell, peer), hold);
}

const char *node_sio_peer(const struct node_shell *shell, uint32_t peer)
{
    return engine_peer(sio_server_engine(shell->sio.server), session_of(shell, peer));
}

/* ---- from the client ---- */

static void on_open(void *arg, uint32_t session)
{
    struct node_shell *shell = arg;
    shell->sio.peer_of_session[session] = NO_PEER;
    if (shell->free_count == 0) {
        engine_close(engine_of(shell), session, 1013, "full");
        return;
    }
    uint32_t peer = shell->free_slots[--shell->free_count];
    shell->sio.peer_of_session[session] = peer;
    shell->sio.session_of_peer[peer] = session;
    node_step(shell, (struct node_event){.kind = NODE_OPEN, .peer = peer});
}

static void on_close(void *arg, uint32_t session, const char *why)
{
    struct node_shell *shell = arg;
    uint32_t peer = shell->sio.peer_of_session[session];
    if (peer == NO_PEER)
        return;
    log_debug(&shell->log, "closed", "session=%u why=%s", session, why);
    node_step(shell, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
    shell->marks[peer] = 0;
    shell->free_slots[shell->free_count++] = peer;
}

static void not_understood(struct node_shell *shell, uint32_t peer, const char *detail)
{
    char payload[256], packet[320];
    struct message_out out;
    message_begin(&out, payload, sizeof payload);
    message_put_text(&out, "reason", SPAN("bad_frame"));
    message_put_text(&out, "detail", span_of(detail));
    struct span text = message_end(&out);
    int n = snprintf(packet, sizeof packet, "42[\"error\",%.*s]", SPAN_ARG(text));
    if (engine_send(engine_of(shell), session_of(shell, peer), (struct span){packet, (size_t)n}) <
        0)
        log_debug(&shell->log, "close", "peer=%u why=bad_frame untold=1", peer);
    node_sio_close(shell, peer, CLOSE_NOT_UNDERSTOOD, "bad_frame");
}

static void hear(struct node_shell *shell, uint32_t peer, struct span name, struct span payload)
{
    node_step(shell, (struct node_event){
                         .kind = NODE_MESSAGE, .peer = peer, .name = name, .payload = payload});
}

/* Auth with a player in it stands for the event of admission. */
static void on_connect(void *arg, uint32_t session, unsigned ns, struct span auth)
{
    struct node_shell *shell = arg;
    uint32_t peer = shell->sio.peer_of_session[session];
    if (peer == NO_PEER || !message_member(auth, "player").ptr)
        return;
    bool is_game = shell->picked == &shell->settings->gamenode.node;
    hear(shell, peer, is_game ? SPAN("join") : SPAN("hello"), auth);
}

/* The name and the one argument of an event; why not, if it is not of that form. */
static const char *read_event(const struct sio_input *in, char *ret_name, struct span *ret_payload)
{
    struct span args = sio_args_begin(in->packet.data), item;
    if (in->packet.attachments > 0)
        return "binary: the payload must be JSON";
    if (!sio_args_next(&args, &item) || message_text(item, ret_name, SIO_EVENT_MAX + 1) < 0)
        return "the event's name must be a string";
    *ret_payload = SPAN("{}");
    if (!sio_args_next(&args, &item))
        return NULL;
    *ret_payload = item;
    return item.ptr[0] == '{' && args.len == 0 ? NULL
                                               : "an event has one argument, an object, or none";
}

static void on_event(void *arg, uint32_t session, const struct sio_input *in)
{
    struct node_shell *shell = arg;
    struct node_sio *sio = &shell->sio;
    uint32_t peer = sio->peer_of_session[session];
    char name[SIO_EVENT_MAX + 1];
    struct span payload;
    if (peer == NO_PEER)
        return;
    const char *wrong = read_event(in, name, &payload);
    if (wrong) {
        not_understood(shell, peer, wrong);
        return;
    }
    sio->ack_peer = peer;
    sio->ack_id = in->packet.id;
    hear(shell, peer, span_of(name), payload);
    if (sio->ack_id >= 0 && acknowledge(shell, SPAN("{}")) < 0)
        log_debug(&shell->log, "untold", "session=%u what=ack", session);
    sio->ack_id = -1;
}

static void on_other(void *arg, uint32_t session)
{
    struct node_shell *shell = arg;
    uint32_t peer = shell->sio.peer_of_session[session];
    if (peer != NO_PEER)
        node_step(shell, (struct node_event){.kind = NODE_FRAME, .peer = peer});
}

/* It hung up, politely. */
static void on_leave(void *arg, uint32_t session, unsigned ns)
{
    engine_close(engine_of(arg), session, 1000, "peer");
}

/* ---- the stage ---- */

void node_sio_http(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    engine_http(engine_of(arg), req, ex);
}

int node_open_sio(struct node_shell *shell, struct err *err)
{
    struct node_sio *sio = &shell->sio;
    const struct node_settings *node = shell->node;
    struct sio_server_config config = {
        .engine = {.session = {.sessions_max = shell->peers_max,
                               .ping_interval_ms = node->ping_interval_ms > 0
                                                       ? node->ping_interval_ms
                                                       : PING_INTERVAL_MS,
                               .ping_timeout_ms = PING_TIMEOUT_MS,
                               .upgrade_timeout_ms = UPGRADE_TIMEOUT_MS,
                               .linger_ms = LINGER_MS},
                   .max_payload = (size_t)node->frame_max_bytes,
                   .send_max = (size_t)node->send_max_bytes,
                   .cors = true},
        .namespaces = namespaces,
        .handlers = {.open = on_open,
                     .connect = on_connect,
                     .event = on_event,
                     .leave = on_leave,
                     .other = on_other,
                     .close = on_close,
                     .arg = shell},
    };
    sio->ack_id = -1;
    sio->packet_size = shell->frame_size + SIO_HEAD_MAX;
    sio->packet = malloc(sio->packet_size);
    sio->session_of_peer = malloc(shell->peers_max * sizeof *sio->session_of_peer);
    sio->peer_of_session = malloc(shell->peers_max * sizeof *sio->peer_of_session);
    if (!sio->packet || !sio->session_of_peer || !sio->peer_of_session)
        return err_set(err, BERTH_ENOMEM, "no memory for %u sessions", shell->peers_max);
    sio->server = sio_server_create(shell->loop, &shell->log, &config, err);
    return sio->server ? 0 : err->code;
}

void node_close_sio(struct node_shell *shell)
{
    struct node_sio *sio = &shell->sio;
    sio_server_destroy(sio->server);
    free(sio->packet);
    free(sio->session_of_peer);
    free(sio->peer_of_session);
    *sio = (struct node_sio){.server = NULL};
}
