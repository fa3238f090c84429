/* front.c - sockets before admission, probes, pings, refusals. */
#include "nodekit/front.h"
#include "core/mutant.h"

#include <assert.h>
#include <stdlib.h>

#define TIMEOUTS_PER_TICK 16
#define RELEASES_PER_TICK 16

int front_init(struct front *front, const struct front_config *config, struct door *door)
{
    uint32_t max = config->peers_max;
    *front = (struct front){.config = *config, .door = door};
    front->throttle = throttle_make(config->message_rate, config->message_burst);
    front->peers = calloc(max, 1);
    front->buckets = calloc(max, sizeof *front->buckets);
    front->spells = calloc(max, 1);
    if (front->peers && front->buckets && front->spells && fifo_init(&front->waiting, max) == 0 &&
        fifo_init(&front->held, max) == 0)
        return 0;
    front_fini(front);
    return BERTH_ENOMEM;
}

void front_fini(struct front *front)
{
    fifo_fini(&front->held);
    fifo_fini(&front->waiting);
    free(front->spells);
    free(front->buckets);
    free(front->peers);
    front->peers = front->spells = NULL;
    front->buckets = NULL;
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
    front->buckets[peer] = (struct throttle_bucket){.full_ns = 0};
    front->spells[peer] = SPELL_NONE;
}

enum front_peer front_close(struct front *front, uint32_t peer)
{
    assert(peer < front->config.peers_max);
    enum front_peer was = front->peers[peer];
    assert(was != FRONT_NONE);
    fifo_remove(&front->held, peer);
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

/* ---- who sends too much ---- */

void front_limit(struct front *front, int64_t rate, int64_t burst)
{
    front->config.message_rate = rate;
    front->config.message_burst = burst;
    front->throttle = throttle_make(rate, burst);
    for (uint32_t peer = 0; peer < front->config.peers_max && front->buckets; peer++)
        front->buckets[peer] = (struct throttle_bucket){.full_ns = 0};
}

struct throttle_bucket front_spent(const struct front *front, uint32_t peer)
{
    return front->buckets[peer];
}

void front_spend(struct front *front, uint32_t peer, struct throttle_bucket spent)
{
    if (front->buckets[peer].full_ns < spent.full_ns)
        front->buckets[peer] = spent;
}

/* Hold it for one more turn. All turns are as long; after front_limit() the older ones end first.
 */
static void hold(struct front *front, uint32_t peer, mono_ms_t now)
{
    struct fifo *held = &front->held;
    mono_ms_t due = mono_add(now, front->throttle.hold_ms);
    if (held->tail != FIFO_NONE && mono_before(due, held->links[held->tail].due))
        due = held->links[held->tail].due;
    fifo_push(held, peer, due);
}

static void charge(struct front *front, uint32_t peer, size_t bytes, mono_ms_t now,
                   struct effects *fx)
{
    struct throttle_bucket *bucket = &front->buckets[peer];
    if (front->throttle.one_ns == 0)
        return;
    if (throttle_full(bucket, now))
        front->spells[peer] = SPELL_NONE;
    if (throttle_take(&front->throttle, bucket, throttle_cost(bytes), now) ||
        fifo_has(&front->held, peer))
        return; /* has it, or waits already: this was read together with what made it wait */
    bool first = front->spells[peer] == SPELL_NONE;
    if (first) {
        front->spells[peer] = SPELL_BEGUN;
        front->throttled_total++;
    }
    hold(front, peer, now);
    effects_hold(fx, peer, first ? "message_rate" : NULL);
}

/* It is told once it is let go on, not at once: an acknowledgement that is owed (Socket.IO) is for
 * the answer to its message. */
static void tell_throttled(struct front *front, uint32_t peer, struct effects *fx)
{
    struct message_out out;
    effects_begin(fx, &out);
    message_put_int(&out, "message_rate", front->config.message_rate);
    effects_send(fx, peer, "throttled", effects_end(fx, &out));
    front->spells[peer] = SPELL_TOLD;
}

static void release_due(struct front *front, mono_ms_t now, struct effects *fx)
{
    for (int i = 0; i < RELEASES_PER_TICK; i++) {
        uint32_t peer = fifo_due(&front->held, now);
        if (peer == FIFO_NONE)
            return;
        bool limited = front->throttle.one_ns != 0;
        if (limited && front->spells[peer] == SPELL_BEGUN)
            tell_throttled(front, peer, fx);
        if (limited && throttle_owes(&front->throttle, &front->buckets[peer], now)) {
            hold(front, peer, now);
            continue;
        }
        fifo_remove(&front->held, peer);
        effects_release(fx, peer);
    }
}

void front_frame(struct front *front, const struct node_event *ev, struct effects *fx)
{
    if (front->peers[ev->peer] != FRONT_CLOSING)
        charge(front, ev->peer, 0, ev->now, fx);
}

bool front_message(struct front *front, const struct node_event *ev, struct effects *fx)
{
    enum front_peer what = front->peers[ev->peer];
    assert(what != FRONT_NONE);
    if (what == FRONT_CLOSING)
        return true;
    charge(front, ev->peer, ev->payload.len, ev->now, fx);
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
    if (fifo_has(&front->held, peer)) {
        fifo_remove(&front->held, peer);
        effects_release(fx, peer);
    }
    effects_close(fx, peer, code, why);
}

void front_tick(struct front *front, mono_ms_t now, struct effects *fx)
{
    release_due(front, now, fx);
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
    return mono_min(fifo_deadline(&front->waiting), fifo_deadline(&front->held));
}
