/* lease.c - the lease state machine: acquire, renew, stop before expiry, TILT, resign. */
#include "core/lease.h"
#include "core/mutant.h"

#include <assert.h>
#include <stddef.h>

struct lease_config lease_config_default(void)
{
    return (struct lease_config){.ttl_ms = 1000, .renew_ms = 250, .margin_ms = 100, .tilt_ms = 500};
}

void lease_init(struct lease *lease, const struct lease_config *config, mono_ms_t now)
{
    assert(config->renew_ms > 0 && config->margin_ms >= 0 && config->tilt_ms > 0);
    assert(config->ttl_ms > config->renew_ms + config->margin_ms);
    *lease = (struct lease){
        .config = *config, .valid_until = now, .next_at = MONO_NEVER, .stepped_at = now};
    lease->trust_after = now;
}

static void end(struct lease *lease, mono_ms_t now, const char *why, struct lease_result *res)
{
    lease->valid_until = now;
    if (lease->acting) {
        lease->acting = false;
        res->change = LEASE_ENDED;
        res->why = why;
    }
}

static void tilt(struct lease *lease, mono_ms_t now, struct lease_result *res)
{
    lease->tilts++;
    lease->trust_after = now;
    if (lease->wanted)
        lease->next_at = now;
    end(lease, now, "tilt", res);
}

/* Was the process asleep, or did the clock leap? Every step is due no later than the deadline it
 * gave. */
static void check_pause(struct lease *lease, mono_ms_t now, struct lease_result *res)
{
    mono_ms_t due = lease_deadline(lease);
    if (due.ms != INT64_MAX && mono_sub(now, due) > lease->config.tilt_ms)
        tilt(lease, now, res);
}

/* Did the store's clock and ours advance alike since the last answer? */
static void check_clocks(struct lease *lease, const struct lease_event *ev,
                         struct lease_result *res)
{
    if (lease->has_pair) {
        int64_t apart =
            wall_sub(ev->store_now, lease->store_at) - mono_sub(ev->now, lease->heard_at);
        if (apart > lease->config.tilt_ms || apart < -lease->config.tilt_ms)
            tilt(lease, ev->now, res);
    }
    lease->has_pair = true;
    lease->store_at = ev->store_now;
    lease->heard_at = ev->now;
}

static void confirm(struct lease *lease, const struct lease_event *ev, struct lease_result *res)
{
    if (mono_before(ev->request.sent_at, lease->trust_after))
        return; /* asked before a TILT: proves nothing about now */
    mono_ms_t until = mono_add(ev->request.sent_at, lease->config.ttl_ms - lease->config.margin_ms);
    if (mono_before(lease->valid_until, until))
        lease->valid_until = until;
    if (!lease->acting && res->change == LEASE_SAME && mono_before(ev->now, lease->valid_until)) {
        lease->acting = true;
        res->change = LEASE_GAINED;
        res->why = ev->request.op == LEASE_OP_ACQUIRE ? "granted" : "renewed";
    }
}

static void on_acquire_reply(struct lease *lease, const struct lease_event *ev,
                             struct lease_result *res)
{
    if (ev->answer == LEASE_OK) {
        if (!lease->wanted) { /* resigned while it was under way: hand it back */
            res->request = (struct lease_request){
                .op = LEASE_OP_RELEASE, .token = ev->token, .sent_at = ev->now, .why = "resigned"};
            return;
        }
        lease->token = ev->token;
        lease->next_at =
            mono_min(lease->next_at, mono_add(ev->request.sent_at, lease->config.renew_ms));
        confirm(lease, ev, res);
    } else if (ev->answer == LEASE_HELD && lease->wanted && lease->token == 0) {
        int64_t left = ev->pttl_ms > 0 ? ev->pttl_ms : 0;
        if (left > lease->config.ttl_ms)
            left = lease->config.ttl_ms; /* look again in time, whatever the other asked for */
        lease->next_at = mono_add(ev->now, left + lease->delay_ms + 1);
    }
}

static void on_reply(struct lease *lease, const struct lease_event *ev, struct lease_result *res)
{
    if (ev->answer != LEASE_FAILED)
        check_clocks(lease, ev, res);
    switch (ev->request.op) {
    case LEASE_OP_ACQUIRE:
        on_acquire_reply(lease, ev, res);
        break;
    case LEASE_OP_RENEW:
        if (ev->request.token != lease->token)
            break; /* about a lease of the past */
        if (ev->answer == LEASE_OK) {
            confirm(lease, ev, res);
        } else if (ev->answer == LEASE_LOST || ev->answer == LEASE_HELD) {
            lease->token = 0;
            end(lease, ev->now, "lost", res);
            lease->next_at = mono_add(ev->now, lease->delay_ms);
        }
        break;
    case LEASE_OP_RELEASE:
    case LEASE_OP_NONE:
        break;
    }
}

static void resign(struct lease *lease, mono_ms_t now, struct lease_result *res)
{
    lease->wanted = false;
    lease->next_at = MONO_NEVER;
    if (lease->token != 0)
        res->request = (struct lease_request){
            .op = LEASE_OP_RELEASE, .token = lease->token, .sent_at = now, .why = "resigned"};
    lease->token = 0;
    end(lease, now, "resigned", res);
}

/* Ask again when it is time. A request may be under way still: answers carry their own request. */
static void ask(struct lease *lease, mono_ms_t now, struct lease_result *res)
{
    if (!lease->wanted || mono_before(now, lease->next_at) || res->request.op != LEASE_OP_NONE)
        return;
    bool renew = lease->token != 0;
    res->request = (struct lease_request){
        .op = renew ? LEASE_OP_RENEW : LEASE_OP_ACQUIRE,
        .token = lease->token,
        .sent_at = now,
        .why = renew ? "due" : "wanted",
    };
    lease->next_at = mono_add(now, lease->config.renew_ms);
}

void lease_step(struct lease *lease, const struct lease_event *ev, struct lease_result *ret_result)
{
    assert(!mono_before(ev->now, lease->stepped_at));
    struct lease_result res = {.change = LEASE_SAME, .why = ""};
    check_pause(lease, ev->now, &res);
    lease->stepped_at = ev->now;
    switch (ev->kind) {
    case LEASE_TICK:
        break;
    case LEASE_WANT:
        lease->delay_ms = ev->delay_ms;
        if (!lease->wanted) {
            lease->wanted = true;
            lease->next_at = mono_add(ev->now, ev->delay_ms);
        }
        break;
    case LEASE_HURRY:
        if (lease->wanted)
            lease->next_at = mono_add(ev->now, ev->delay_ms);
        break;
    case LEASE_RESIGN:
        resign(lease, ev->now, &res);
        break;
    case LEASE_REPLY:
        on_reply(lease, ev, &res);
        break;
    }
    if (lease->acting && !mono_before(ev->now, lease->valid_until) && !MUTANT(lease_never_ends))
        end(lease, ev->now, "expired", &res);
    ask(lease, ev->now, &res);
    *ret_result = res;
}

mono_ms_t lease_deadline(const struct lease *lease)
{
    mono_ms_t at = lease->wanted ? lease->next_at : MONO_NEVER;
    return lease->acting ? mono_min(at, lease->valid_until) : at;
}

bool lease_held(const struct lease *lease, mono_ms_t now)
{
    return lease->acting && (MUTANT(lease_never_ends) || mono_before(now, lease->valid_until));
}

int64_t lease_token(const struct lease *lease)
{
    return lease->token;
}

uint64_t lease_tilts(const struct lease *lease)
{
    return lease->tilts;
}
