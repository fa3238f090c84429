/* agent.c - count, check, wish, tell: four small rules in one step. */
#include "agent/agent.h"

#include <assert.h>

enum {
    HURRY_MS = 100, /* counts that admissions call for come no closer */
    EAGER_MS = 200, /* a server that is being started is checked so often, at least */
};

void agent_init(struct agent *agent, const struct agent_config *config, mono_ms_t now)
{
    *agent = (struct agent){.config = *config,
                            .up = !config->checks,
                            .check_why = "not_checked",
                            .count_why = "not_counted",
                            .next_count = now,
                            .next_check = now};
}

static void add(struct agent_effects *fx, enum agent_effect_kind kind, bool on, const char *why)
{
    assert(fx->count < AGENT_EFFECTS_MAX);
    fx->items[fx->count++] = (struct agent_effect){.kind = kind, .on = on, .why = why};
}

const char *agent_fault(const struct agent *agent, mono_ms_t now)
{
    if (!agent->known)
        return "not_counted";
    if (mono_sub(now, agent->counted_at) > agent->config.stale_ms)
        return "count_stale";
    if (!agent->up)
        return agent->registered ? "check_failed" : "not_checked";
    return NULL;
}

static void checked(struct agent *a, const struct agent_event *ev)
{
    int64_t interval_ms = a->config.check_interval_ms;
    if (!a->registered && !ev->ok && interval_ms > EAGER_MS)
        interval_ms = EAGER_MS;
    a->checking = false;
    a->next_check = mono_add(ev->now, interval_ms);
    a->check_why = ev->why;
    if (ev->ok == a->up) {
        a->in_a_row = 0;
        return;
    }
    if (++a->in_a_row >= (ev->ok ? a->config.rise : a->config.fall)) {
        a->up = ev->ok;
        a->in_a_row = 0;
    }
}

static void counted(struct agent *a, const struct agent_event *ev)
{
    a->counting = false;
    a->next_count = mono_add(ev->now, a->config.count_interval_ms);
    if (ev->kind == AGENT_COUNT_FAILED) {
        a->count_why = ev->why;
        return;
    }
    a->known = true;
    a->conns = ev->conns;
    a->counted_at = ev->now;
    a->count_why = "ok";
}

/* What is to be asked now: one at a time, since a check is a connection that might be counted. */
static void ask(struct agent *a, mono_ms_t now, struct agent_effects *fx)
{
    if (a->config.asks && !a->counting && !a->checking && !mono_before(now, a->next_count)) {
        a->counting = true;
        add(fx, AGENT_DO_COUNT, true, "interval");
    }
    if (a->config.checks && !a->counting && !a->checking && !mono_before(now, a->next_check)) {
        a->checking = true;
        add(fx, AGENT_DO_CHECK, true, "interval");
    }
}

/* What follows for the node. */
static void judge(struct agent *a, mono_ms_t now, struct agent_effects *fx)
{
    const char *fault = agent_fault(a, now);
    if (!a->registered && !fault && !a->leaving) {
        a->registered = true;
        add(fx, AGENT_DO_REGISTER, true, "works");
    }
    if (a->registered && a->wished != (fault != NULL)) {
        a->wished = fault != NULL;
        add(fx, AGENT_DO_WISH, a->wished, fault ? fault : "works");
    }
}

static bool wanted_out(const struct agent *a)
{
    return a->leaving || a->state == NODE_DRAINING || a->state == NODE_CLOSING ||
           a->state == NODE_DRAINED || a->state == NODE_TERMINATING;
}

static void tell(struct agent *a, struct agent_effects *fx)
{
    bool out = wanted_out(a);
    bool in = a->state == NODE_JOINING || a->state == NODE_READY;
    if (out == a->told || (!out && !in))
        return; /* lost: nothing new for the server */
    a->told = out;
    add(fx, AGENT_DO_TELL, out, a->leaving ? "sigterm" : state_word(a->state));
}

void agent_step(struct agent *a, const struct agent_event *ev, struct agent_effects *ret_fx)
{
    ret_fx->count = 0;
    switch (ev->kind) {
    case AGENT_TICK:
        break;
    case AGENT_COUNTED:
    case AGENT_COUNT_FAILED:
        counted(a, ev);
        break;
    case AGENT_CHECKED:
        checked(a, ev);
        break;
    case AGENT_STATE:
        a->state = ev->state;
        tell(a, ret_fx);
        break;
    case AGENT_ASKED:
        if (a->asked != ev->on) {
            a->asked = ev->on;
            add(ret_fx, AGENT_DO_ASK, ev->on, "asked");
        }
        break;
    case AGENT_ADMITTED: /* so that no report tells of the ticket without the player */
        a->next_count = mono_min(a->next_count, mono_add(a->counted_at, HURRY_MS));
        break;
    case AGENT_LEAVING:
        a->leaving = true;
        tell(a, ret_fx);
        break;
    }
    ask(a, ev->now, ret_fx);
    judge(a, ev->now, ret_fx);
}

mono_ms_t agent_deadline(const struct agent *a)
{
    mono_ms_t at = MONO_NEVER;
    bool busy = a->counting || a->checking;
    if (a->config.asks && !busy)
        at = mono_min(at, a->next_count);
    if (a->config.checks && !busy)
        at = mono_min(at, a->next_check);
    if (a->known && !(a->wished || !a->registered))
        at = mono_min(at, mono_add(a->counted_at, a->config.stale_ms + 1));
    return at;
}
