/* doctor_fleet.c - checks on balancers, nodes and what is wished for them. */
#include "cli/doctor.h"

#include "core/text.h"

#include <inttypes.h>
#include <string.h>

enum {
    SETTLED_MS = 3000, /* a state that is younger may not have been heard everywhere */
    VIEW_AGE_MS = 5000,
    CLOSING_MS = 30000,
    DRAINING_MS = 24 * 3600 * 1000,
    JOINING_MS = 5 * 60 * 1000,
    WANT_MS = 24 * 3600 * 1000,
    NAMED_MAX = 3, /* examples in a sentence */
};

void doctor_fleet_balancers(const struct doctor *d, struct doctor_findings *to)
{
    if (d->lb_count == 0)
        doctor_found(to, DOCTOR_UNKNOWN,
                     "Give the configuration that the balancers use (--config FILE).",
                     "The configuration names no balancer (lb.peers).");
    for (size_t i = 0; i < d->lb_count; i++) {
        const struct doctor_lb *lb = &d->lbs[i];
        if (!lb->seen) {
            doctor_found(to, DOCTOR_PROBLEM,
                         "See that it runs, and that its admin listener can be reached from here.",
                         "Balancer %s does not answer at %s: %s.", lb->name, lb->at, lb->why);
            continue;
        }
        if (!lb->redis_up)
            doctor_found(
                to, DOCTOR_PROBLEM,
                "See whether its machine reaches Redis, and what its log says (redis_down).",
                "Balancer %s cannot use Redis.", lb->name);
        for (size_t p = 0; p < d->pool_count; p++) {
            const struct doctor_lb_pool *v = &lb->pools[p];
            if (v->seen && (!v->live || v->view_age_ms > VIEW_AGE_MS))
                doctor_found(
                    to, DOCTOR_PROBLEM,
                    "See what its log says about the view (ev=view, ev=redis_down).",
                    "Balancer %s answers for pool %s from memory: it last heard from Redis %" PRId64
                    " ms ago.",
                    lb->name, d->pools[p].name, v->view_age_ms);
        }
    }
}

static const struct doctor_lb_node *lb_node(const struct doctor_lb_pool *v, const char *name)
{
    for (size_t i = 0; i < v->node_count; i++)
        if (strcmp(v->nodes[i].name, name) == 0)
            return &v->nodes[i];
    return NULL;
}

static bool has_node(const struct doctor_pool *pool, const char *name)
{
    for (size_t i = 0; i < pool->node_count; i++)
        if (strcmp(pool->nodes[i].name, name) == 0)
            return true;
    return false;
}

static void look_at_view(const struct doctor_lb *lb, const struct doctor_pool *pool,
                         const struct doctor_lb_pool *v, struct doctor_findings *to)
{
    static const char remedy[] =
        "See whether it is cut off from Redis (its log: ev=view); restarting it reads "
        "everything anew.";
    char examples[256];
    struct text t;
    size_t differ = 0;
    text_init(&t, examples, sizeof examples);
    for (size_t i = 0; i < pool->node_count; i++) {
        const struct doctor_node *n = &pool->nodes[i];
        const struct doctor_lb_node *seen = lb_node(v, n->name);
        const char *word = seen ? seen->state : "unknown";
        if (!n->has_info || !n->has_state || pool->now - n->state.since.ms < SETTLED_MS ||
            strcmp(word, state_word(n->state.state)) == 0)
            continue;
        if (differ++ < NAMED_MAX)
            text_add(&t, "%s%s is %s, it says %s", differ > 1 ? "; " : "", n->name,
                     state_word(n->state.state), word);
    }
    if (differ)
        doctor_found(to, DOCTOR_PROBLEM, remedy,
                     "Balancer %s sees %zu of %zu nodes of pool %s differently: %s.", lb->name,
                     differ, pool->node_count, pool->name, examples);
    size_t ghosts = 0;
    text_init(&t, examples, sizeof examples);
    for (size_t i = 0; i < v->node_count && !pool->cut; i++)
        if (!has_node(pool, v->nodes[i].name) && ghosts++ < NAMED_MAX)
            text_add(&t, "%s%s", ghosts > 1 ? ", " : "", v->nodes[i].name);
    if (ghosts)
        doctor_found(to, DOCTOR_PROBLEM, remedy,
                     "Balancer %s sees %zu nodes in pool %s that Redis does not know: %s.",
                     lb->name, ghosts, pool->name, examples);
}

void doctor_fleet_views(const struct doctor *d, struct doctor_findings *to)
{
    for (size_t i = 0; i < d->lb_count; i++)
        for (size_t p = 0; p < d->pool_count; p++)
            if (d->pools[p].seen && d->lbs[i].pools[p].seen)
                look_at_view(&d->lbs[i], &d->pools[p], &d->lbs[i].pools[p], to);
}

void doctor_fleet_owners(const struct doctor *d, struct doctor_findings *to)
{
    for (size_t p = 0; p < d->pool_count; p++) {
        const struct doctor_pool *pool = &d->pools[p];
        struct span rest = span_of(pool->owner), owner = span_cut(&rest, ' ');
        if (!pool->seen)
            continue;
        if (!owner.len && d->lb_count) {
            doctor_found(to, DOCTOR_PROBLEM, "See that a balancer runs and can write to Redis.",
                         "Nobody owns pool %s: no node is probed, and none changes its state.",
                         pool->name);
            continue;
        }
        for (size_t i = 0; i < d->lb_count; i++) {
            const struct doctor_lb_pool *v = &d->lbs[i].pools[p];
            if (v->seen && v->owner[0] && !span_is(owner, v->owner))
                doctor_found(to, DOCTOR_PROBLEM,
                             "Run the doctor again; if it stays so, look at that balancer's log.",
                             "Balancer %s takes %s for the owner of pool %s; Redis says %.*s.",
                             d->lbs[i].name, v->owner, pool->name, SPAN_ARG(owner));
        }
        if (pool->settings && pool->settings->scale.provider && !pool->leader[0])
            doctor_found(
                to, DOCTOR_PROBLEM, "Start berth-autoscale.",
                "No autoscaler leads pool %s, which has a provider: it neither grows nor shrinks.",
                pool->name);
    }
}

/* Is this "kid:print" among those? */
static bool has_key(const char *keys, struct span key)
{
    struct span rest = span_of(keys);
    while (rest.len)
        if (span_eq(span_cut(&rest, ','), key))
            return true;
    return false;
}

void doctor_fleet_keys(const struct doctor *d, struct doctor_findings *to)
{
    static const char remedy[] =
        "Give all programs the same tickets.keys: first add a new key at the end "
        "everywhere, then make it the first.";
    for (size_t i = 0; i < d->lb_count; i++) {
        const struct doctor_lb *lb = &d->lbs[i];
        struct span rest = span_of(lb->keys), signs = span_cut(&rest, ',');
        if (!lb->seen || !signs.len)
            continue;
        for (size_t j = 0; j < d->lb_count; j++)
            if (j != i && d->lbs[j].seen && !has_key(d->lbs[j].keys, signs))
                doctor_found(
                    to, DOCTOR_PROBLEM, remedy,
                    "Balancer %s signs tickets with a key that balancer %s does not have (%.*s).",
                    lb->name, d->lbs[j].name, SPAN_ARG(signs));
        for (size_t p = 0; p < d->pool_count; p++) {
            const struct doctor_pool *pool = &d->pools[p];
            size_t without = 0;
            const char *first = "";
            for (size_t n = 0; n < pool->node_count; n++) {
                const struct doctor_node *node = &pool->nodes[n];
                if (!node->has_info || !node->info.keys[0] || has_key(node->info.keys, signs))
                    continue;
                first = without++ ? first : node->name;
            }
            if (without)
                doctor_found(to, DOCTOR_PROBLEM, remedy,
                             "%zu nodes of pool %s (%s first) refuse the tickets of balancer %s: "
                             "they do not have its "
                             "key %.*s.",
                             without, pool->name, first, lb->name, SPAN_ARG(signs));
        }
    }
}

void doctor_fleet_nodes(const struct doctor *d, struct doctor_findings *to)
{
    for (size_t p = 0; p < d->pool_count; p++)
        for (size_t n = 0; n < d->pools[p].node_count; n++) {
            const struct doctor_node *node = &d->pools[p].nodes[n];
            if (node->tried && node->why[0])
                doctor_found(to, DOCTOR_PROBLEM,
                             "See that its port is open to where players are, and what it "
                             "advertises (advertise).",
                             "Node %s of pool %s reports, but %s cannot be connected to: %s.",
                             node->name, d->pools[p].name, node->info.endpoint, node->why);
        }
}

void doctor_fleet_wants(const struct doctor *d, struct doctor_findings *to)
{
    for (size_t p = 0; p < d->pool_count; p++) {
        const struct doctor_pool *pool = &d->pools[p];
        for (size_t i = 0; i < pool->want_count; i++) {
            const struct want *w = &pool->wants[i];
            int64_t age = pool->now - w->since.ms;
            bool roll = w->kind == WANT_ROLL; /* stands until the next one */
            if (w->who != WANT_BY_OPERATOR || w->until.ms || roll || age < WANT_MS)
                continue;
            doctor_found(to, DOCTOR_PROBLEM,
                         "If nobody needs it any more, take it back: berth release POOL NODE, "
                         "open, resume, scale.",
                         "An operator's wish has been standing for %" PRId64
                         " h without an end: %s for %s of pool %s (%s).",
                         age / 3600000, want_word(w->kind), w->node[0] == '*' ? "all" : w->node,
                         pool->name, w->why);
        }
    }
}

void doctor_fleet_closings(const struct doctor *d, struct doctor_findings *to)
{
    static const struct {
        enum node_state state;
        int64_t most_ms;
        const char *remedy;
    } limits[] = {
        {NODE_CLOSING, CLOSING_MS,
         "Look at its log: it is empty, and should have shut its door at once."},
        {NODE_DRAINING, DRAINING_MS,
         "See who still plays there; pools.NAME.scale.drain_deadline would end it."},
        {NODE_TERMINATING, CLOSING_MS * 20,
         "Look at the provider: its instance should have ended."},
        {NODE_JOINING, JOINING_MS, "See why its probes fail: berth-lb's log, ev=probe_failed."},
    };
    for (size_t p = 0; p < d->pool_count; p++)
        for (size_t n = 0; n < d->pools[p].node_count; n++) {
            const struct doctor_pool *pool = &d->pools[p];
            const struct doctor_node *node = &pool->nodes[n];
            int64_t age = pool->now - node->state.since.ms;
            for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
                if (node->has_state && node->state.state == limits[i].state &&
                    age > limits[i].most_ms)
                    doctor_found(to, DOCTOR_PROBLEM, limits[i].remedy,
                                 "Node %s of pool %s has been %s for %" PRId64 " s (%s).",
                                 node->name, pool->name, state_word(node->state.state), age / 1000,
                                 node->state.why);
        }
}
