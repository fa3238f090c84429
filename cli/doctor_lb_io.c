/* doctor_lb_io.c - asks each balancer's admin listener what it sees. */
#include "cli/doctor_io.h"

#include <stdlib.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void read_nodes(struct talk *t, struct doctor_lb *lb, const char *pool,
                       struct doctor_lb_pool *v)
{
    char url[512], why[DOCTOR_TEXT];
    (void)snprintf(url, sizeof url, "%s/v1/pools/%s/nodes", lb->at, pool);
    json_t *root = talk_get(t, url, why, sizeof why);
    const json_t *list = json_object_get(root, "nodes");
    size_t count = json_array_size(list);
    v->nodes = calloc(count ? count : 1, sizeof *v->nodes);
    for (size_t i = 0; v->nodes && i < count; i++) {
        const json_t *node = json_array_get(list, i);
        struct doctor_lb_node *n = &v->nodes[v->node_count++];
        (void)snprintf(n->name, sizeof n->name, "%s", text_of(node, "name"));
        (void)snprintf(n->state, sizeof n->state, "%s", text_of(node, "state"));
    }
    v->seen = root != NULL;
    json_decref(root);
}

static void read_pool(struct doctor *d, struct doctor_lb *lb, const json_t *pool)
{
    for (size_t p = 0; p < d->pool_count; p++) {
        struct doctor_lb_pool *v = &lb->pools[p];
        if (strcmp(d->pools[p].name, text_of(pool, "name")) != 0)
            continue;
        const json_t *clock = json_object_get(pool, "clock_offset_ms");
        (void)snprintf(v->owner, sizeof v->owner, "%s", text_of(pool, "owner"));
        v->live = json_is_true(json_object_get(pool, "view_live"));
        v->view_age_ms = json_integer_value(json_object_get(pool, "view_age_ms"));
        v->has_clock = json_is_integer(clock);
        v->clock_ms = json_integer_value(clock);
    }
}

static void read_lb(struct talk *t, struct doctor *d, struct doctor_lb *lb)
{
    char url[512];
    (void)snprintf(url, sizeof url, "%s/v1/pools", lb->at);
    json_t *root = talk_get(t, url, lb->why, sizeof lb->why);
    if (!root)
        return;
    size_t i;
    json_t *pool;
    lb->seen = true;
    lb->redis_up = json_is_true(json_object_get(root, "redis_up"));
    (void)snprintf(lb->keys, sizeof lb->keys, "%s", text_of(root, "ticket_keys"));
    json_array_foreach(json_object_get(root, "pools"), i, pool) read_pool(d, lb, pool);
    json_decref(root);
    for (size_t p = 0; p < d->pool_count; p++)
        read_nodes(t, lb, d->pools[p].name, &lb->pools[p]);
}

void doctor_lb_read(struct talk *t, struct doctor *d, const struct settings *settings)
{
    for (size_t i = 0; i < settings->lb.peers.count && i < DOCTOR_LBS_MAX; i++) {
        const struct lb_peer_settings *peer =
            SECTION_AT(settings->lb.peers, struct lb_peer_settings, i);
        struct doctor_lb *lb = &d->lbs[d->lb_count++];
        bool v6 = strchr(peer->admin_listen.host, ':') != NULL;
        lb->name = peer->name;
        (void)snprintf(lb->at, sizeof lb->at, "http://%s%s%s:%d", v6 ? "[" : "",
                       peer->admin_listen.host, v6 ? "]" : "", peer->admin_listen.port);
        read_lb(t, d, lb);
    }
}
