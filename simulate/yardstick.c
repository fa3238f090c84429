/* yardstick.c - the policies that cannot be had: one that knows the demand to come, and one that
 * knows exactly what is wanted now. Limits: the policy's floor and ceiling, and the boot time. */
#include "simulate/run.h"

#include <stdio.h>

/* The nodes that hold the most players of the next `ahead` seconds. */
static int nodes_for(const struct run *run, int64_t ahead)
{
    int64_t most = 0, capacity = run->config->capacity;
    for (int64_t s = 0; s <= ahead; s++) {
        int64_t players = run_demand(run, run->second + s);
        most = players > most ? players : most;
    }
    int64_t nodes = (most + capacity - 1) / capacity;
    nodes = nodes < run->config->policy->min ? run->config->policy->min : nodes;
    return (int)(nodes > run->config->policy->max ? run->config->policy->max : nodes);
}

static bool in_service(const struct harbour_node *n)
{
    return n->exists && !n->ending && !n->want_own;
}

/* A node that can still be had back, the fullest. */
static struct harbour_node *fullest_leaving(struct harbour *h)
{
    struct harbour_node *best = NULL;
    for (size_t i = 0; i < h->count; i++) {
        struct harbour_node *n = &h->nodes[i];
        if (n->exists && !n->ending && n->want_own && n->state != NODE_TERMINATING &&
            (!best || n->players > best->players))
            best = n;
    }
    return best;
}

static struct harbour_node *emptiest_ready(struct harbour *h)
{
    struct harbour_node *best = NULL;
    for (size_t i = 0; i < h->count; i++) {
        struct harbour_node *n = &h->nodes[i];
        if (in_service(n) && n->booted && n->state == NODE_READY &&
            (!best || n->players < best->players))
            best = n;
    }
    return best;
}

static void end_drained(struct harbour *h)
{
    for (size_t i = 0; i < h->count; i++) {
        struct harbour_node *n = &h->nodes[i];
        if (n->exists && n->want_own && n->state == NODE_DRAINED &&
            harbour_move(h, n->id, NODE_DRAINED, NODE_TERMINATING))
            harbour_terminate(h, n->id);
        else if (!n->exists && n->state == NODE_TERMINATING)
            (void)harbour_move(h, n->id, NODE_TERMINATING, NODE_GONE);
    }
}

void yardstick_second(struct run *run)
{
    struct harbour *h = &run->harbour;
    bool knows = run->config->driver == SIMULATE_ORACLE;
    int wanted = nodes_for(run, knows ? run->config->boot_s + 2 : 0), size = 0;
    for (size_t i = 0; i < h->count; i++)
        size += in_service(&h->nodes[i]);
    int before = size;
    struct harbour_node *n;
    for (; size < wanted && (n = fullest_leaving(h)); size++)
        harbour_want(h, n->id, false);
    while (size < wanted && harbour_launch(h, "yardstick"))
        size++;
    for (; size > wanted && (n = emptiest_ready(h)); size--)
        harbour_want(h, n->id, true);
    end_drained(h);
    if (size == before)
        return;
    char record[64];
    (void)snprintf(record, sizeof record, "size=%d desired=%d", before, size);
    run_moved(run, size > before ? 1 : -1, record);
}
