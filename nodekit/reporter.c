/* reporter.c - when to join, report and leave, and what a state means to this node. */
#include "nodekit/reporter.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define JOIN_BACKOFF_FIRST_MS 200
#define JOIN_BACKOFF_MAX_MS 3000
#define WANT_RETRY_MS 500
#define LEAVING (REPORTER_WISH_SIGTERM | REPORTER_WISH_RESTARTED)
#define TAKEN_TIMES 3 /* give up after this many times lost_after: the other holder is alive */

void reporter_init(struct reporter *r, const struct reporter_config *config, uint64_t seed,
                   mono_ms_t now)
{
    assert(config->interval_ms >= 100 && config->interval_ms <= 60000);
    *r = (struct reporter){.config = *config,
                           .want_held = -1,
                           .now = now,
                           .answered = now,
                           .next_join = now,
                           .next_report = MONO_NEVER,
                           .next_want = MONO_NEVER,
                           .term_at = MONO_NEVER,
                           .empty_since = now,
                           .taken_since = MONO_NEVER};
    rng_seed(&r->rng, seed);
}

const char *reporter_state_word(const struct reporter *r)
{
    return r->epoch ? state_word(r->state) : "unknown";
}

bool reporter_wall(const struct reporter *r, mono_ms_t now, wall_ms_t *ret_wall)
{
    if (r->wall_known)
        *ret_wall = (wall_ms_t){now.ms + r->wall_offset_ms};
    return r->wall_known;
}

static void add(struct reporter_effects *fx, struct reporter_effect effect)
{
    assert(fx->count < REPORTER_EFFECTS_MAX);
    fx->items[fx->count++] = effect;
}

static bool is_empty(const struct node_load *load)
{
    return load->conns == 0 && load->rooms == 0;
}

/* drained and terminating: the node is out; nothing but a new state opens it. */
static bool is_out(const struct reporter *r)
{
    return r->epoch &&
           (r->state == NODE_DRAINED || r->state == NODE_TERMINATING || r->state == NODE_GONE);
}

static void set_door(struct reporter *r, bool closed, const char *why, struct reporter_effects *fx)
{
    if (r->closed == closed)
        return;
    r->closed = closed;
    r->next_report = r->now; /* the owner waits for this one */
    add(fx, (struct reporter_effect){.kind = REPORTER_DO_DOOR, .closed = closed, .why = why});
}

/* The store says which state we are in. Only here does the door move. */
static void obey(struct reporter *r, const struct reporter_event *ev, bool fresh,
                 struct reporter_effects *fx)
{
    if (fresh || ev->state != r->state) {
        r->state = ev->state;
        add(fx, (struct reporter_effect){.kind = REPORTER_DO_STATE, .why = "store"});
    }
    if (r->state == NODE_CLOSING) {
        if (is_empty(&ev->load))
            set_door(r, true, "closing", fx);
    } else if (is_out(r)) {
        set_door(r, true, "drained", fx);
    } else {
        set_door(r, false, "taken_back", fx);
    }
}

static void learn_time(struct reporter *r, const struct reporter_event *ev)
{
    int64_t middle = r->sent.ms + mono_sub(ev->now, r->sent) / 2;
    r->wall_offset_ms = ev->store_now.ms - middle;
    r->wall_known = true;
    r->answered = ev->now;
}

static void rejoin_at(struct reporter *r, mono_ms_t at)
{
    r->joined = false;
    r->next_join = at;
    r->next_report = MONO_NEVER;
    r->next_want = MONO_NEVER;
}

static void on_joined(struct reporter *r, const struct reporter_event *ev,
                      struct reporter_effects *fx)
{
    r->waiting_join = false;
    r->joined = true;
    r->failures = 0;
    r->taken_since = MONO_NEVER;
    if (ev->epoch != r->epoch) {
        r->epoch = ev->epoch;
        r->seq = 0;
    }
    learn_time(r, ev);
    r->want_held = -1; /* a predecessor may have left one */
    r->next_want = ev->now;
    if (r->config.hold) { /* it succeeds a process that was counted: nobody shall see a gap */
        r->config.hold = false;
        r->next_report = ev->now;
        obey(r, ev, true, fx);
        return;
    }
    /* The first report falls anywhere in the interval, so that nodes started together do not report
     * together. */
    r->next_report =
        mono_add(ev->now, (int64_t)rng_below(&r->rng, (uint64_t)r->config.interval_ms));
    obey(r, ev, true, fx);
}

static int64_t join_backoff_ms(struct reporter *r)
{
    int64_t limit = JOIN_BACKOFF_FIRST_MS;
    for (unsigned i = 1; i < r->failures && limit < JOIN_BACKOFF_MAX_MS; i++)
        limit *= 2;
    if (limit > JOIN_BACKOFF_MAX_MS)
        limit = JOIN_BACKOFF_MAX_MS;
    return limit / 2 + (int64_t)rng_below(&r->rng, (uint64_t)(limit / 2) + 1);
}

static void leave(struct reporter *r, int code, const char *why, struct reporter_effects *fx)
{
    if (r->exiting)
        return;
    r->exiting = true;
    add(fx, (struct reporter_effect){.kind = REPORTER_DO_EXIT, .code = code, .why = why});
}

static void on_taken(struct reporter *r, const struct reporter_event *ev,
                     struct reporter_effects *fx)
{
    r->waiting_join = false;
    r->failures++;
    r->answered = ev->now;
    if (r->taken_since.ms == MONO_NEVER.ms)
        r->taken_since = ev->now;
    if (mono_sub(ev->now, r->taken_since) >= TAKEN_TIMES * r->config.lost_after_ms)
        leave(r, 1, "name_taken", fx);
    rejoin_at(r, mono_add(ev->now, join_backoff_ms(r)));
}

static void on_failed(struct reporter *r, const struct reporter_event *ev)
{
    switch (ev->call) {
    case REPORTER_CALL_JOIN:
        r->waiting_join = false;
        r->failures++;
        r->next_join = mono_add(ev->now, join_backoff_ms(r));
        break;
    case REPORTER_CALL_REPORT:
        r->waiting_report = false;
        break;
    case REPORTER_CALL_WANT:
        r->waiting_want = false;
        r->want_held = -1;
        r->next_want = mono_add(ev->now, WANT_RETRY_MS);
        break;
    }
}

static void on_store_up(struct reporter *r)
{
    r->up = true;
    r->failures = 0;
    /* Nodes that lost the store together come back one by one, within a tenth of an interval. */
    mono_ms_t soon =
        mono_add(r->now, (int64_t)rng_below(&r->rng, (uint64_t)r->config.interval_ms / 10));
    if (r->joined)
        r->next_report = soon;
    else
        r->next_join = r->epoch ? soon : r->now;
}

static void set_wish(struct reporter *r, enum reporter_wish wish, bool on)
{
    unsigned before = r->wishes;
    r->wishes = on ? r->wishes | wish : r->wishes & ~(unsigned)wish;
    if ((before != 0) != (r->wishes != 0) && r->joined) {
        r->next_want = r->now;
        r->next_report = r->now;
    }
}

static void take_event(struct reporter *r, const struct reporter_event *ev,
                       struct reporter_effects *fx)
{
    switch (ev->kind) {
    case REPORTER_TICK:
        break;
    case REPORTER_STORE_UP:
        on_store_up(r);
        break;
    case REPORTER_STORE_DOWN:
        r->up = false;
        break;
    case REPORTER_JOINED:
        on_joined(r, ev, fx);
        break;
    case REPORTER_TAKEN:
        on_taken(r, ev, fx);
        break;
    case REPORTER_ANSWER:
        r->waiting_report = false;
        learn_time(r, ev);
        obey(r, ev, false, fx);
        break;
    case REPORTER_UNKNOWN: /* the answer to a report or a want; never to a join */
        r->waiting_report = r->waiting_want = false;
        r->answered = ev->now;
        rejoin_at(r, ev->now);
        break;
    case REPORTER_SUPERSEDED:
        leave(r, 1, "superseded", fx);
        break;
    case REPORTER_WANT_OK:
        r->waiting_want = false;
        break;
    case REPORTER_FAILED:
        on_failed(r, ev);
        break;
    case REPORTER_WISH:
        set_wish(r, ev->wish, ev->on);
        break;
    case REPORTER_RENAMED:
        r->term_at = ev->now;
        set_wish(r, REPORTER_WISH_RESTARTED, ev->on);
        rejoin_at(r, ev->now);
        break;
    case REPORTER_GO:
        r->going = true;
        break;
    case REPORTER_TERM:
        r->term_at = ev->now;
        set_wish(r, REPORTER_WISH_SIGTERM, true);
        break;
    }
}

static const char *wish_word(const struct reporter *r)
{
    if (r->wishes & REPORTER_WISH_SIGTERM)
        return "sigterm";
    if (r->wishes & REPORTER_WISH_RESTARTED)
        return "restarted";
    if (r->wishes & REPORTER_WISH_SPOT)
        return "spot_interruption";
    if (r->wishes & REPORTER_WISH_LIFECYCLE)
        return "asg_terminated";
    if (r->wishes & REPORTER_WISH_SCHEDULED)
        return "scheduled_event";
    if (r->wishes & REPORTER_WISH_MAINTENANCE)
        return "maintenance";
    if (r->wishes & REPORTER_WISH_UNHEALTHY)
        return "unhealthy";
    if (r->wishes & REPORTER_WISH_ASKED)
        return "asked";
    return r->wishes ? "not_in_service" : "in_service";
}

const char *reporter_why(const struct reporter *r)
{
    return r->wishes ? wish_word(r) : NULL;
}

int64_t reporter_deadline_ms(const struct reporter *r, mono_ms_t now)
{
    if (!(r->wishes & LEAVING) || r->config.drain_deadline_ms == 0)
        return 0;
    int64_t left_ms = r->config.drain_deadline_ms - mono_sub(now, r->term_at);
    return left_ms > 1 ? left_ms : 1;
}

static void send_due(struct reporter *r, struct reporter_effects *fx)
{
    if (!r->up || r->exiting || (r->config.hold && !r->going))
        return;
    if (!r->joined) {
        if (!r->waiting_join && !mono_before(r->now, r->next_join)) {
            r->waiting_join = true;
            r->sent = r->now;
            add(fx, (struct reporter_effect){.kind = REPORTER_DO_JOIN, .why = "register"});
        }
        return;
    }
    int want = r->wishes != 0;
    if (want != r->want_held && !r->waiting_want && !mono_before(r->now, r->next_want)) {
        r->waiting_want = true;
        r->want_held = want;
        add(fx, (struct reporter_effect){
                    .kind = REPORTER_DO_WANT, .drain = want != 0, .why = wish_word(r)});
    }
    if (!r->waiting_report && !mono_before(r->now, r->next_report)) {
        int64_t early = (int64_t)rng_below(&r->rng, (uint64_t)r->config.interval_ms / 10 + 1);
        r->next_report = mono_add(r->now, r->config.interval_ms - early);
        r->waiting_report = true;
        r->sent = r->now;
        add(fx, (struct reporter_effect){.kind = REPORTER_DO_REPORT,
                                         .seq = ++r->seq,
                                         .closed = r->closed,
                                         .drain = r->wishes != 0,
                                         .why = "interval"});
    }
}

/* After SIGTERM: may we go? Emptiness is never proved by one counter alone: the owner agrees, or it
 * cannot be asked. */
static void leave_if_may(struct reporter *r, const struct node_load *load,
                         struct reporter_effects *fx)
{
    if (!(r->wishes & LEAVING))
        return;
    if (is_out(r) && r->closed)
        leave(r, 0, "drained", fx);
    else if (r->config.drain_deadline_ms > 0 &&
             mono_sub(r->now, r->term_at) >= r->config.drain_deadline_ms)
        leave(r, 0, "drain_deadline", fx);
    if (!is_empty(load))
        return;
    if (r->epoch == 0)
        leave(r, 0, "never_joined", fx);
    else if (mono_sub(r->now, r->answered) >= r->config.alone_after_ms)
        leave(r, 0, "store_away", fx);
    else if (mono_sub(r->now, r->term_at) >= r->config.patience_ms &&
             mono_sub(r->now, r->empty_since) >= r->config.patience_ms)
        leave(r, 0, "nobody_answers", fx);
}

void reporter_step(struct reporter *r, const struct reporter_event *ev,
                   struct reporter_effects *ret_fx)
{
    assert(!mono_before(ev->now, r->now));
    ret_fx->count = 0;
    r->now = ev->now;
    if (!is_empty(&ev->load))
        r->empty_since = ev->now;
    if (!r->exiting)
        take_event(r, ev, ret_fx);
    leave_if_may(r, &ev->load, ret_fx);
    send_due(r, ret_fx);
}

mono_ms_t reporter_deadline(const struct reporter *r)
{
    if (r->exiting)
        return MONO_NEVER;
    mono_ms_t at = MONO_NEVER;
    bool held = r->config.hold && !r->going;
    if (r->up && !held && !r->joined && !r->waiting_join)
        at = r->next_join;
    if (r->up && r->joined && !r->waiting_report)
        at = r->next_report;
    if (r->up && r->joined && !r->waiting_want && r->want_held != (r->wishes != 0))
        at = mono_min(at, r->next_want);
    if (r->wishes & LEAVING) /* the conditions for leaving are looked at ten times a second */
        at = mono_min(at, mono_add(r->now, 100));
    return at;
}

int reporter_describe(const struct reporter *r, const struct reporter_effect *effect, char *ret_buf,
                      size_t size)
{
    switch (effect->kind) {
    case REPORTER_DO_JOIN:
        return snprintf(ret_buf, size, "join");
    case REPORTER_DO_REPORT:
        return snprintf(ret_buf, size, "report seq=%" PRId64 " closed=%d drain=%d", effect->seq,
                        effect->closed, effect->drain);
    case REPORTER_DO_WANT:
        return snprintf(ret_buf, size, "want want=%s why=%s", effect->drain ? "draining" : "none",
                        effect->why);
    case REPORTER_DO_STATE:
        return snprintf(ret_buf, size, "state state=%s epoch=%" PRId64, reporter_state_word(r),
                        r->epoch);
    case REPORTER_DO_DOOR:
        return snprintf(ret_buf, size, "door closed=%d why=%s", effect->closed, effect->why);
    case REPORTER_DO_EXIT:
        return snprintf(ret_buf, size, "exit code=%d why=%s", effect->code, effect->why);
    }
    return 0;
}
