/* scale_watch.c - what people should hear about though nothing is to be decided: nodes lost and
 * back, a pool without room or at its ceiling, drains that do not end. */
#include "autoscale/scale_parts.h"

#include <stdio.h>
#include <string.h>

#define LOSS_NEWS_MS                                                                               \
    15000               /* a new leader tells of what was lost so shortly before: perhaps          \
                           the former one was lost with it */
#define ROOM_PERCENT 95 /* not full any more */
#define LIMITED_REST_MS                                                                            \
    300000 /* the rules want no more than the ceiling for so long: it is over                      \
            */

/* Names for one message. */
struct names {
    const char *first;
    char text[160];
    size_t len;
    int count;
};

static void names_add(struct names *names, const char *name)
{
    if (names->count++ == 0)
        names->first = name;
    size_t room = sizeof names->text - names->len;
    int n = snprintf(names->text + names->len, room, "%s%s", names->len ? "," : "", name);
    if (n > 0 && (size_t)n < room)
        names->len += (size_t)n;
    else
        names->text[names->len] = 0; /* the count tells of the rest */
}

/* One message for all that were lost since the last step, one for all that are back. */
static void watch_losses(struct scale *s, struct effects *fx)
{
    struct names lost = {0}, back = {0};
    if (!effects_room(fx, 2))
        return;
    for (size_t i = 0; i < s->fleet.count; i++) {
        struct fleet_slot *slot = &s->fleet.nodes[i];
        bool is_lost = slot->node.state == NODE_LOST;
        bool news = slot->lost_at.ms > 0 && mono_sub(s->now, slot->lost_at) < LOSS_NEWS_MS;
        if (is_lost && news && !slot->lost_told) {
            slot->lost_told = true;
            names_add(&lost, slot->node.name);
        } else if (!is_lost && slot->lost_told) {
            slot->lost_told = false;
            names_add(&back, slot->node.name);
        }
    }
    if (lost.count > 0)
        effects_tell(fx, "node_lost", lost.first, true, "count=%d ready=%d names=%s", lost.count,
                     s->figures.ready, lost.text);
    if (back.count > 0)
        effects_tell(fx, "node_back", back.first, false, "count=%d ready=%d names=%s", back.count,
                     s->figures.ready, back.text);
}

static void watch_room(struct scale *s, struct effects *fx)
{
    const struct fleet_figures *f = &s->figures;
    bool full = f->capacity > 0 && f->est >= f->capacity;
    bool room = f->capacity > 0 && f->est * 100 <= f->capacity * ROOM_PERCENT;
    if (s->full_told ? !room : !full)
        return;
    if (!effects_room(fx, 1))
        return;
    s->full_told = full;
    effects_note(fx, full ? "pool_full" : "pool_has_room", "-", full,
                 "est=%lld capacity=%lld ready=%d coming=%d", (long long)f->est,
                 (long long)f->capacity, f->ready, f->coming);
}

/* What the rules and an operator want, the ceiling aside. */
static int wanted_size(const struct scale *s)
{
    int wanted = s->wish.given ? s->wish.size : 0;
    for (size_t i = 0; i < s->policy->rule_count && !s->wish.given; i++)
        if (!s->policy->rules[i].action && s->signals.votes[i].at_least > wanted)
            wanted = s->signals.votes[i].at_least;
    return wanted;
}

static void watch_ceiling(struct scale *s, struct effects *fx)
{
    int wanted = wanted_size(s);
    if (wanted > s->policy->max)
        s->limited_at = s->now;
    else if (s->limited_told && mono_sub(s->now, s->limited_at) >= LIMITED_REST_MS)
        s->limited_told = false;
    if (wanted <= s->policy->max || s->limited_told || !effects_room(fx, 1))
        return;
    s->limited_told = true;
    effects_note(fx, "scale_limited", "-", true, "size=%d wanted=%d max=%d", s->figures.size,
                 wanted, s->policy->max);
}

static void watch_drains(struct scale *s, struct effects *fx)
{
    int64_t limit = s->policy->drain_stuck_ms;
    for (size_t i = 0; limit > 0 && i < s->fleet.instance_count; i++) {
        struct fleet_instance *in = &s->fleet.instances[i];
        if (in->stuck_told || in->leaving_since.ms == 0 ||
            in->drained + in->terminating == in->nodes)
            continue;
        int64_t leaving = mono_sub(s->now, in->leaving_since);
        if (leaving < limit || !effects_room(fx, 1))
            continue;
        in->stuck_told = true;
        effects_note(fx, "drain_stuck", in->id, true, "leaving_s=%lld nodes=%d conns=%lld",
                     (long long)(leaving / 1000), in->nodes, (long long)in->conns);
    }
}

static void watch_launches(struct scale *s, struct effects *fx)
{
    if (s->halted_seen && !s->launches.halted)
        effects_note(fx, "launches_resumed", "-", false, "launches=%zu", s->launches.count);
    s->halted_seen = s->launches.halted;
}

void scale_watch(struct scale *s, struct effects *fx)
{
    if (!s->leading || !s->fleet.complete)
        return;
    watch_losses(s, fx);
    watch_room(s, fx);
    watch_ceiling(s, fx);
    watch_drains(s, fx);
    watch_launches(s, fx);
}
