/* fleet.c - reading and showing the fleet. */
#include "cli/fleet.h"

#include "core/text.h"

#include <jansson.h>
#include <stdio.h>

static const char *const words[FLEET_STATES] = {"joining", "ready",   "held",        "draining",
                                                "closing", "drained", "terminating", "lost"};

const char *fleet_state_word(enum fleet_state state)
{
    return words[state];
}

static bool text_of(const json_t *object, const char *key, char *buf, size_t size)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) &&
           span_copy((struct span){json_string_value(value), json_string_length(value)}, buf, size);
}

int fleet_parse(struct fleet *ret_fleet, struct span json, struct err *err)
{
    json_error_t where;
    json_t *root = json_loadb(json.ptr, json.len, 0, &where);
    if (!root)
        return err_set(err, BERTH_EPROTO, "answer of the LB, line %d: %s", where.line, where.text);
    const json_t *pools = json_object_get(root, "pools");
    if (!json_is_array(pools) || json_array_size(pools) > FLEET_POOLS_MAX) {
        json_decref(root);
        return err_set(err, BERTH_EPROTO,
                       "answer of the LB: \"pools\" must be a list of at most %d", FLEET_POOLS_MAX);
    }
    struct fleet fleet = {0};
    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *p = json_array_get(pools, i);
        struct fleet_pool *pool = &fleet.pools[fleet.count++];
        if (!text_of(p, "name", pool->name, sizeof pool->name)) {
            json_decref(root);
            return err_set(err, BERTH_EPROTO, "answer of the LB: pool %zu has no \"name\"", i);
        }
        (void)text_of(p, "owner", pool->owner, sizeof pool->owner);
        for (int s = 0; s < FLEET_STATES; s++)
            pool->nodes[s] =
                json_integer_value(json_object_get(json_object_get(p, "states"), words[s]));
        pool->connections = json_integer_value(json_object_get(p, "connections"));
        pool->pending = json_integer_value(json_object_get(p, "pending"));
        pool->capacity = json_integer_value(json_object_get(p, "capacity"));
        pool->guarded = json_is_true(json_object_get(p, "guarded"));
        pool->doubted = json_integer_value(json_object_get(p, "doubted"));
    }
    json_decref(root);
    *ret_fleet = fleet;
    return 0;
}

const struct fleet_pool *fleet_pool(const struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->count; i++)
        if (strcmp(fleet->pools[i].name, name) == 0)
            return &fleet->pools[i];
    return NULL;
}

int64_t fleet_ready(const struct fleet *fleet)
{
    int64_t sum = 0;
    for (size_t i = 0; i < fleet->count; i++)
        sum += fleet->pools[i].nodes[FLEET_READY];
    return sum;
}

int64_t fleet_nodes(const struct fleet *fleet)
{
    int64_t sum = 0;
    for (size_t i = 0; i < fleet->count; i++)
        for (int s = 0; s < FLEET_LOST; s++)
            sum += fleet->pools[i].nodes[s];
    return sum;
}

size_t fleet_table(const struct fleet *fleet, char *buf, size_t size)
{
    struct text t;
    text_init(&t, buf, size);
    text_add(&t, "%-16s", "pool");
    for (int s = 0; s < FLEET_STATES; s++)
        text_add(&t, " %*s", (int)strlen(words[s]), words[s]);
    text_add(&t, "  %12s %8s  %s\n", "connections", "pending", "owner");
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_pool *p = &fleet->pools[i];
        char connections[48];
        text_add(&t, "%-16s", p->name);
        for (int s = 0; s < FLEET_STATES; s++)
            text_add(&t, " %*lld", (int)strlen(words[s]), (long long)p->nodes[s]);
        (void)snprintf(connections, sizeof connections, "%lld/%lld", (long long)p->connections,
                       (long long)p->capacity);
        text_add(&t, "  %12s %8lld  %s\n", connections, (long long)p->pending,
                 p->owner[0] ? p->owner : "(nobody)");
    }
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_pool *p = &fleet->pools[i];
        if (p->guarded)
            text_add(&t,
                     "%s: more than a third would be lost at once, and is held back; if it is "
                     "really gone: berth accept %s\n",
                     p->name, p->name);
        if (p->doubted)
            text_add(&t, "%s: %lld ready nodes are silent and not handed out\n", p->name,
                     (long long)p->doubted);
    }
    return t.len;
}

size_t fleet_line(const struct fleet *fleet, char *buf, size_t size)
{
    struct text t;
    text_init(&t, buf, size);
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_pool *p = &fleet->pools[i];
        text_add(&t, "%s%s", i ? " | " : "", p->name);
        for (int s = 0; s < FLEET_STATES; s++)
            if (p->nodes[s] || s == FLEET_READY)
                text_add(&t, " %lld %s", (long long)p->nodes[s], words[s]);
        text_add(&t, " conns=%lld/%lld", (long long)p->connections, (long long)p->capacity);
    }
    return t.len;
}
