/* session.c - Engine.IO sessions: their states, limits of time and the upgrade. */
#include "socketio/session.h"

#include "core/base64url.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define DUE_PER_TICK 8 /* of each kind; each makes at most 3 effects */
#define LATE_MS 10
#define FLUSH_EVERY_MS 100 /* while a client upgrades, its GETs end empty-handed this often */

const char *session_error_text(enum session_error error)
{
    static const char *const texts[] = {
        "Transport unknown", "Session ID unknown", "Bad handshake method",
        "Bad request",       "Forbidden",          "Unsupported protocol version"};
    return error >= 0 ? texts[error] : "OK";
}

int sessions_init(struct sessions *s, const struct session_config *config)
{
    uint32_t max = config->sessions_max;
    *s = (struct sessions){.config = *config, .free_count = max};
    s->table = calloc(max, sizeof *s->table);
    s->free_slots = malloc(max * sizeof *s->free_slots);
    int rc = s->table && s->free_slots ? 0 : BERTH_ENOMEM;
    for (int i = 0; rc == 0 && i < SESSION_TIMERS; i++)
        rc = fifo_init(&s->timers[i], max);
    if (rc < 0) {
        sessions_fini(s);
        return rc;
    }
    for (uint32_t i = 0; i < max; i++)
        s->free_slots[i] = max - 1 - i; /* low numbers are used first */
    return 0;
}

void sessions_fini(struct sessions *s)
{
    for (int i = 0; i < SESSION_TIMERS; i++)
        fifo_fini(&s->timers[i]);
    free(s->free_slots);
    free(s->table);
    s->free_slots = NULL;
    s->table = NULL;
}

uint32_t session_open(struct sessions *s, enum session_via via,
                      const unsigned char random[SESSION_RANDOM], mono_ms_t now)
{
    if (s->free_count == 0)
        return SESSION_NONE;
    uint32_t slot = s->free_slots[--s->free_count];
    struct session *session = &s->table[slot];
    *session = (struct session){.live = true, .websocket = via == SESSION_WEBSOCKET};
    memcpy(session->random, random, SESSION_RANDOM);
    s->count++;
    fifo_push(&s->timers[SESSION_PING], slot, mono_add(now, s->config.ping_interval_ms));
    if (s->config.connect_timeout_ms > 0)
        fifo_push(&s->timers[SESSION_CONNECT], slot, mono_add(now, s->config.connect_timeout_ms));
    return slot;
}

/* ---- effects ---- */

static struct session_effect *emit(struct session_effects *fx, enum session_effect_kind kind,
                                   uint32_t slot)
{
    assert(fx->count < SESSION_EFFECTS_MAX);
    struct session_effect *effect = &fx->items[fx->count++];
    *effect = (struct session_effect){.kind = kind, .slot = slot};
    return effect;
}

static void send_type(struct session_effects *fx, uint32_t slot, enum eio_type type)
{
    emit(fx, SESSION_DO_SEND, slot)->type = type;
}

static void flush(struct sessions *s, uint32_t slot, struct session_effects *fx)
{
    s->table[slot].get = false;
    fifo_remove(&s->timers[SESSION_FLUSH], slot);
    emit(fx, SESSION_DO_FLUSH, slot);
}

static void drop_probe(struct sessions *s, uint32_t slot, struct session_effects *fx)
{
    struct session *session = &s->table[slot];
    if (session->probe)
        emit(fx, SESSION_DO_PROBE_CLOSE, slot);
    session->probe = session->probed = false;
    fifo_remove(&s->timers[SESSION_UPGRADE], slot);
}

static void set_closing(struct sessions *s, uint32_t slot, const char *why)
{
    for (int i = 0; i < SESSION_TIMERS; i++)
        fifo_remove(&s->timers[i], slot);
    s->table[slot].closing = true;
    s->table[slot].why = why;
}

/* It is over: the slot is free as soon as the effects are carried out. The first reason counts. */
static void end(struct sessions *s, uint32_t slot, const char *why, struct session_effects *fx)
{
    assert(s->table[slot].live && !s->table[slot].get);
    drop_probe(s, slot, fx);
    if (s->table[slot].closing)
        why = s->table[slot].why;
    else
        set_closing(s, slot, why);
    fifo_remove(&s->timers[SESSION_LINGER], slot);
    fifo_remove(&s->timers[SESSION_FLUSH], slot);
    s->table[slot].live = false;
    s->free_slots[s->free_count++] = slot;
    s->count--;
    emit(fx, SESSION_DO_END, slot)->why = why;
}

/* We do not want it any more, or it broke the protocol. A waiting GET hears of it; a WebSocket is
 * closed, and the session ends with it. */
static void fail(struct sessions *s, uint32_t slot, const char *why, struct session_effects *fx)
{
    struct session *session = &s->table[slot];
    if (session->websocket) {
        if (session->closing)
            return;
        set_closing(s, slot, why);
        emit(fx, SESSION_DO_SOCKET_CLOSE, slot)->why = why;
        return;
    }
    if (session->get) {
        if (!session->closing)
            send_type(fx, slot, EIO_CLOSE);
        flush(s, slot, fx);
    }
    end(s, slot, why, fx);
}

/* ---- events ---- */

static void on_get(struct sessions *s, const struct session_event *ev, struct session_effects *fx)
{
    struct session *session = &s->table[ev->slot];
    if (session->get) { /* a client never has two: what is sent would be in no order */
        emit(fx, SESSION_DO_REFUSE, ev->slot)->error = SESSION_BAD_REQUEST;
        fail(s, ev->slot, "two_polls", fx);
        return;
    }
    session->get = true;
    if (session->closing && !ev->queued && !session->goodbye) {
        session->goodbye = true;
        send_type(fx, ev->slot, EIO_CLOSE);
    }
    if (ev->queued || session->closing)
        flush(s, ev->slot, fx);
    else if (session->probed)
        fifo_push(&s->timers[SESSION_FLUSH], ev->slot, mono_add(ev->now, FLUSH_EVERY_MS));
    if (session->goodbye)
        end(s, ev->slot, "local", fx);
}

static void on_queued(struct sessions *s, const struct session_event *ev,
                      struct session_effects *fx)
{
    struct session *session = &s->table[ev->slot];
    if (!session->get || !ev->queued)
        return;
    flush(s, ev->slot, fx);
    if (session->goodbye)
        end(s, ev->slot, "local", fx);
}

static void on_probe_packet(struct sessions *s, const struct session_event *ev,
                            struct session_effects *fx)
{
    struct session *session = &s->table[ev->slot];
    const struct eio_packet *packet = &ev->packet;
    if (packet->type == EIO_PING && !session->probed && span_is(packet->data, "probe")) {
        session->probed = true;
        emit(fx, SESSION_DO_PROBE_ANSWER, ev->slot);
        if (session->get) /* so that the client can stop polling */
            fifo_push(&s->timers[SESSION_FLUSH], ev->slot, mono_add(ev->now, FLUSH_EVERY_MS));
        return;
    }
    if (packet->type != EIO_UPGRADE || !session->probed) {
        drop_probe(s, ev->slot, fx);
        return;
    }
    if (session->get) {
        send_type(fx, ev->slot, EIO_NOOP);
        flush(s, ev->slot, fx);
    }
    session->probe = session->probed = false;
    session->websocket = true;
    fifo_remove(&s->timers[SESSION_UPGRADE], ev->slot);
    emit(fx, SESSION_DO_UPGRADE, ev->slot);
}

static void on_pong(struct sessions *s, const struct session_event *ev)
{
    if (!fifo_has(&s->timers[SESSION_PONG], ev->slot))
        return; /* nobody asked */
    fifo_remove(&s->timers[SESSION_PONG], ev->slot);
    fifo_push(&s->timers[SESSION_PING], ev->slot, mono_add(ev->now, s->config.ping_interval_ms));
}

/* The client says goodbye. Its GET is answered; one sent just before may come just after. */
static void on_close(struct sessions *s, const struct session_event *ev, struct session_effects *fx)
{
    struct session *session = &s->table[ev->slot];
    if (session->websocket) {
        fail(s, ev->slot, "peer", fx);
        return;
    }
    send_type(fx, ev->slot, EIO_NOOP);
    if (session->get) {
        flush(s, ev->slot, fx);
        end(s, ev->slot, "peer", fx);
        return;
    }
    drop_probe(s, ev->slot, fx);
    set_closing(s, ev->slot, "peer");
    session->goodbye = true;
    fifo_push(&s->timers[SESSION_FLUSH], ev->slot, mono_add(ev->now, FLUSH_EVERY_MS));
}

static void on_packet(struct sessions *s, const struct session_event *ev,
                      struct session_effects *fx)
{
    switch (ev->packet.type) {
    case EIO_MESSAGE:
        emit(fx, SESSION_DO_MESSAGE, ev->slot);
        return;
    case EIO_PONG:
        on_pong(s, ev);
        return;
    case EIO_CLOSE:
        on_close(s, ev, fx);
        return;
    case EIO_NOOP:
        return;
    case EIO_OPEN:
    case EIO_PING: /* in this revision it is the server that pings */
    case EIO_UPGRADE:
        break;
    }
    fail(s, ev->slot, "protocol", fx);
}

static void on_ends(struct sessions *s, const struct session_event *ev, struct session_effects *fx)
{
    struct session *session = &s->table[ev->slot];
    if (session->closing)
        return;
    if (session->websocket) {
        fail(s, ev->slot, ev->why, fx);
        return;
    }
    /* What is queued goes first, alone: clients look at a close packet before they have looked at
     * the messages in front of it. */
    session->goodbye = !ev->queued;
    if (session->goodbye)
        send_type(fx, ev->slot, EIO_CLOSE);
    drop_probe(s, ev->slot, fx);
    set_closing(s, ev->slot, ev->why);
    if (session->goodbye) /* a client that comes in time hears of it; nothing else is lost */
        fifo_push(&s->timers[SESSION_FLUSH], ev->slot, mono_add(ev->now, FLUSH_EVERY_MS));
    else
        fifo_push(&s->timers[SESSION_LINGER], ev->slot, mono_add(ev->now, s->config.linger_ms));
}

static uint32_t due(struct sessions *s, enum session_timer timer, mono_ms_t now)
{
    uint32_t slot = fifo_due(&s->timers[timer], now);
    if (slot != FIFO_NONE)
        fifo_remove(&s->timers[timer], slot);
    return slot;
}

/* When the answer to a ping is due that was itself due at `at`. A timer's usual lateness is not the
 * client's gain; if we were stalled, it gets its whole time. */
static mono_ms_t pong_due(struct sessions *s, mono_ms_t at, mono_ms_t now)
{
    mono_ms_t from = mono_sub(now, at) > LATE_MS ? now : at;
    mono_ms_t due_at = mono_add(from, s->config.ping_timeout_ms);
    if (mono_before(due_at, s->last_pong)) /* they fall due in order */
        due_at = s->last_pong;
    s->last_pong = due_at;
    return due_at;
}

/* The one due longest, of one kind. False: none. */
static bool tick_one(struct sessions *s, mono_ms_t now, struct session_effects *fx)
{
    uint32_t slot;
    if (fifo_due(&s->timers[SESSION_PING], now) != FIFO_NONE) {
        mono_ms_t at = fifo_deadline(&s->timers[SESSION_PING]);
        slot = due(s, SESSION_PING, now);
        fifo_push(&s->timers[SESSION_PONG], slot, pong_due(s, at, now));
        send_type(fx, slot, EIO_PING);
        if (s->table[slot].get)
            flush(s, slot, fx);
    } else if ((slot = due(s, SESSION_PONG, now)) != FIFO_NONE) {
        fail(s, slot, "ping_timeout", fx);
    } else if ((slot = due(s, SESSION_CONNECT, now)) != FIFO_NONE) {
        fail(s, slot, "connect_timeout", fx);
    } else if ((slot = due(s, SESSION_LINGER, now)) != FIFO_NONE) {
        fail(s, slot, "local", fx);
    } else if ((slot = due(s, SESSION_UPGRADE, now)) != FIFO_NONE) {
        drop_probe(s, slot, fx);
    } else if ((slot = due(s, SESSION_FLUSH, now)) != FIFO_NONE) {
        if (s->table[slot].closing)
            fail(s, slot, "local", fx);
        else {
            send_type(fx, slot, EIO_NOOP);
            flush(s, slot, fx);
        }
    } else
        return false;
    return true;
}

void session_step(struct sessions *s, const struct session_event *ev,
                  struct session_effects *ret_fx)
{
    ret_fx->count = 0;
    if (ev->kind == SESSION_TICK) {
        for (int i = 0; i < DUE_PER_TICK && tick_one(s, ev->now, ret_fx);)
            i++;
        return;
    }
    assert(ev->slot < s->config.sessions_max);
    struct session *session = &s->table[ev->slot];
    assert(session->live);
    switch (ev->kind) {
    case SESSION_TICK:
        break;
    case SESSION_GET:
        on_get(s, ev, ret_fx);
        break;
    case SESSION_GET_GONE:
        session->get = false;
        end(s, ev->slot, "peer", ret_fx);
        break;
    case SESSION_PACKET:
        if (ev->via == SESSION_PROBE)
            on_probe_packet(s, ev, ret_fx);
        else if (!session->closing)
            on_packet(s, ev, ret_fx);
        else if (ev->packet.type == EIO_CLOSE && !session->websocket)
            fail(s, ev->slot, "peer", ret_fx); /* it will not come for the rest */
        break;
    case SESSION_MALFORMED:
        if (ev->via == SESSION_PROBE)
            drop_probe(s, ev->slot, ret_fx);
        else if (!session->closing)
            fail(s, ev->slot, "malformed", ret_fx);
        break;
    case SESSION_PROBES:
        session->probe = true;
        fifo_push(&s->timers[SESSION_UPGRADE], ev->slot,
                  mono_add(ev->now, s->config.upgrade_timeout_ms));
        break;
    case SESSION_SOCKET_GONE:
        if (ev->via == SESSION_WEBSOCKET)
            end(s, ev->slot, ev->why, ret_fx);
        else {
            session->probe = false;
            drop_probe(s, ev->slot, ret_fx);
        }
        break;
    case SESSION_QUEUED:
        on_queued(s, ev, ret_fx);
        break;
    case SESSION_CONNECTED:
        fifo_remove(&s->timers[SESSION_CONNECT], ev->slot);
        break;
    case SESSION_ENDS:
        on_ends(s, ev, ret_fx);
        break;
    }
}

mono_ms_t session_deadline(const struct sessions *s)
{
    mono_ms_t at = MONO_NEVER;
    for (int i = 0; i < SESSION_TIMERS; i++)
        at = mono_min(at, fifo_deadline(&s->timers[i]));
    return at;
}

/* ---- ids ---- */

/* Three bytes tell the slot, so that finding a session needs no table; the rest is random. */
void session_id(const struct sessions *s, uint32_t slot, char ret_id[SESSION_ID_LEN + 1])
{
    unsigned char bytes[SESSION_RANDOM + 3];
    memcpy(bytes, s->table[slot].random, SESSION_RANDOM);
    bytes[SESSION_RANDOM] = (unsigned char)(slot >> 16);
    bytes[SESSION_RANDOM + 1] = (unsigned char)(slot >> 8);
    bytes[SESSION_RANDOM + 2] = (unsigned char)slot;
    (void)base64url_encode(bytes, sizeof bytes, ret_id);
    ret_id[SESSION_ID_LEN] = '\0';
}

uint32_t session_find(const struct sessions *s, struct span id)
{
    unsigned char bytes[SESSION_RANDOM + 3];
    if (id.len != SESSION_ID_LEN || base64url_decode(id, bytes, sizeof bytes) != (int)sizeof bytes)
        return SESSION_NONE;
    uint32_t slot = (uint32_t)bytes[SESSION_RANDOM] << 16 |
                    (uint32_t)bytes[SESSION_RANDOM + 1] << 8 | bytes[SESSION_RANDOM + 2];
    if (slot >= s->config.sessions_max || !s->table[slot].live)
        return SESSION_NONE;
    unsigned differ = 0; /* the same time wherever they differ */
    for (int i = 0; i < SESSION_RANDOM; i++)
        differ |= (unsigned)(bytes[i] ^ s->table[slot].random[i]);
    return differ ? SESSION_NONE : slot;
}

enum session_error session_judge(const struct sessions *s, const struct session_request *request,
                                 uint32_t *ret_slot)
{
    bool polling = span_is(request->transport, "polling");
    bool websocket = span_is(request->transport, "websocket");
    if (!polling && !websocket)
        return SESSION_UNKNOWN_TRANSPORT;
    if (!request->id.ptr) {
        if (!span_is(request->method, "GET"))
            return SESSION_BAD_METHOD;
        if (!span_is(request->version, "4"))
            return SESSION_BAD_VERSION;
        if (websocket != request->websocket)
            return SESSION_BAD_REQUEST;
        *ret_slot = SESSION_NONE;
        return SESSION_OK;
    }
    uint32_t slot = session_find(s, request->id);
    if (slot == SESSION_NONE)
        return SESSION_UNKNOWN_ID;
    bool method = span_is(request->method, "GET") || span_is(request->method, "POST");
    if (websocket != request->websocket || !method)
        return SESSION_BAD_REQUEST;
    if (polling && s->table[slot].websocket)
        return SESSION_BAD_REQUEST; /* it has upgraded */
    *ret_slot = slot;
    return SESSION_OK;
}

int session_describe(const struct session_effect *effect, char *ret_buf, size_t size)
{
    static const char *const names[] = {"send",    "flush",        "refuse",
                                        "message", "probe_answer", "probe_close",
                                        "upgrade", "socket_close", "end"};
    int n = snprintf(ret_buf, size, "%s slot=%u", names[effect->kind], effect->slot);
    size_t at = (size_t)n < size ? (size_t)n : size;
    if (effect->kind == SESSION_DO_SEND)
        n += snprintf(ret_buf + at, size - at, " type=%d", (int)effect->type);
    else if (effect->kind == SESSION_DO_REFUSE)
        n += snprintf(ret_buf + at, size - at, " error=%d", (int)effect->error);
    else if (effect->why)
        n += snprintf(ret_buf + at, size - at, " why=%s", effect->why);
    return n;
}
