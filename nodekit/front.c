/* front.c - sockets before admission, probes, pings, refusals. */
#include "nodekit/front.h"
#include "core/mutant.h"

#include <assert.h>
#include <stdlib.h>

#define TIMEOUTS_PER_TICK 16

int front_init(struct front *front, const struct front_config *config, struct door *door)
{
    *front = (struct front){.config = *config, .door = door};
    front->peers = calloc(config->peers_max, 1);
    if (!front->peers)
        return BERTH_ENOMEM;
    int rc = fifo_init(&front->waiting, config->peers_max);
    if (rc < 0)
        front_fini(front);
    return rc;
}

void front_fini(struct front *front)
{
    fifo_fini(&front->waiting);
    free(front->peers);
    front->peers = NULL;
}

/* The one place where a socket changes what it counts as. */
static void set_peer(struct front *front, uint32_t peer, enum front_peer to)
{
    assert(peer < front->config.peers_max);
    enum front_peer from = front->peers[peer];
    front->handshaking += (uint32_t)(to == FRONT_WAITING) - (uint32_t)(from == FRONT_WAITING);
    front->conns += (uint32_t)(to == FRONT_ADMITTED) -
                    (uint32_t)(from == FRONT_ADMITTED && !MUTANT(sockets_counted_up));
    front->probes += (uint32_t)(to == FRONT_PROBE) - (uint32_t)(from == FRONT_PROBE);
    if (to != FRONT_WAITING && to != FRONT_PROBE)
        fifo_remove(&front->waiting, peer);
    front->peers[peer] = (unsigned char)to;
}

void front_open(struct front *front, uint32_t peer, mono_ms_t now)
{
    assert(peer < front->config.peers_max && front->peers[peer] == FRONT_NONE);
    set_peer(front, peer, FRONT_WAITING);
    fifo_push(&front->waiting, peer, mono_add(now, front->config.admit_timeout_ms));
}

enum front_peer front_close(struct front *front, uint32_t peer)
{
    assert(peer < front->config.peers_max);
    enum front_peer was = front->peers[peer];
    assert(was != FRONT_NONE);
    set_peer(front, peer, FRONT_NONE);
    return was;
}

void front_state(struct front *front, const struct node_event *ev, struct effects *fx)
{
    bool was = front->epoch && front->state == NODE_DRAINING;
    front->state = ev->state;
    front->epoch = ev->epoch;
    door_epoch(front->door, ev->epoch);
    front->succeeded = ev->succeeded;
    if (ev->state != NODE_DRAINING || was)
        return;
    struct message_out out;
    effects_begin(fx, &out);
    message_put_members(&out, front->config.draining);
    if (ev->why)
        message_put_text(&out, "reason", span_of(ev->why));
    if (ev->deadline_ms > 0)
        message_put_int(&out, "deadline_ms", ev->deadline_ms);
    effects_send_all(fx, "draining", effects_end(fx, &out));
}

void front_door(struct front *front, bool closed)
{
    front->closed = closed;
}

static void answer_probe(struct front *front, uint32_t peer, struct effects *fx)
{
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "node", span_of(front->config.node));
    message_put_int(&out, "epoch", front->epoch);
    message_put_text(&out, "state", span_of(front->epoch ? state_word(front->state) : "unknown"));
    effects_send(fx, peer, "probe_ok", effects_end(fx, &out));
    front->probes_total++;
}

static void answer_ping(const struct node_event *ev, struct effects *fx)
{
    struct span id = message_member(ev->payload, "id");
    struct message_out out;
    effects_begin(fx, &out);
    if (id.ptr)
        message_put_raw(&out, "id", id);
    effects_send(fx, ev->peer, "pong", effects_end(fx, &out));
}

bool front_message(struct front *front, const struct node_event *ev, struct effects *fx)
{
    enum front_peer what = front->peers[ev->peer];
    assert(what != FRONT_NONE);
    if (what == FRONT_CLOSING)
        return true;
    if (span_is(ev->name, "ping")) {
        answer_ping(ev, fx);
        return true;
    }
    if (span_is(ev->name, "probe") && what != FRONT_ADMITTED) {
        set_peer(front, ev->peer, FRONT_PROBE); /* may stay as long as it goes on probing */
        fifo_push(&front->waiting, ev->peer, mono_add(ev->now, front->config.admit_timeout_ms));
        answer_probe(front, ev->peer, fx);
        return true;
    }
    if (span_is(ev->name, "leave") && what != FRONT_ADMITTED) {
        effects_send(fx, ev->peer, "left", SPAN("{}"));
        front_dismiss(front, ev->peer, CLOSE_NORMAL, "left", fx);
        return true;
    }
    return false;
}

void front_behind(struct front *front, const struct node_event *ev, struct effects *fx)
{
    if (!ev->first || !front_is(front, ev->peer, FRONT_ADMITTED))
        return;
    struct message_out out;
    effects_begin(fx, &out);
    message_put_int(&out, "waiting", (int64_t)ev->waiting);
    effects_send(fx, ev->peer, "slow", effects_end(fx, &out));
    front->behind_total++;
}

void front_unknown(struct front *front, const struct node_event *ev, struct effects *fx)
{
    if (!front_is(front, ev->peer, FRONT_ADMITTED)) {
        front_refuse(front, ev->peer, REFUSE_BAD_REQUEST,
                     "not admitted: this event is not possible yet", fx);
        return;
    }
    effects_send(fx, ev->peer, "error", SPAN("{\"reason\":\"unknown_event\"}"));
}

void front_refuse(struct front *front, uint32_t peer, enum refuse refuse, const char *detail,
                  struct effects *fx)
{
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "reason", span_of(refuse_word(refuse)));
    if (detail && *detail)
        message_put_text(&out, "detail", span_of(detail));
    effects_send(fx, peer, "refused", effects_end(fx, &out));
    front->refused_total[refuse]++;
    front_dismiss(front, peer, CLOSE_REFUSED, refuse_word(refuse), fx);
}

enum refuse front_room_for_one(const struct front *front)
{
    if (front->closed && !MUTANT(closed_door_admits))
        return REFUSE_CLOSED;
    return front->conns >= front->config.capacity ? REFUSE_FULL : REFUSE_NOT;
}

void front_admit(struct front *front, uint32_t peer)
{
    set_peer(front, peer, FRONT_ADMITTED);
}

void front_dismiss(struct front *front, uint32_t peer, int code, const char *why,
                   struct effects *fx)
{
    set_peer(front, peer, FRONT_CLOSING);
    effects_close(fx, peer, code, why);
}

void front_tick(struct front *front, mono_ms_t now, struct effects *fx)
{
    for (int i = 0; i < TIMEOUTS_PER_TICK; i++) {
        uint32_t peer = fifo_due(&front->waiting, now);
        if (peer == FIFO_NONE)
            return;
        front->refused_total[REFUSE_TIMEOUT] += front_is(front, peer, FRONT_WAITING);
        front_dismiss(front, peer, CLOSE_ADMIT_TIMEOUT, refuse_word(REFUSE_TIMEOUT), fx);
    }
}

mono_ms_t front_deadline(const struct front *front)
{
    return fifo_deadline(&front->waiting);
}
