/* harbour.c - a virtual pool: instances that boot, nodes that move through their states, players
 * who come, play and leave. */
#include "simulate/harbour.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROVING_S 2 /* from the first report to ready */
#define ENDING_S 1

int harbour_init(struct harbour *h, const struct harbour_config *config)
{
    *h = (struct harbour){.config = *config, .ring = config->session_s * 3 / 2 + 2};
    size_t ring = (size_t)h->ring, rows = config->nodes_max + 1;
    h->nodes = calloc(config->nodes_max, sizeof *h->nodes);
    h->rings = calloc(ring * rows, sizeof *h->rings);
    h->spare = calloc(rows, sizeof(int32_t *));
    if (!h->nodes || !h->rings || !h->spare) {
        harbour_fini(h);
        return BERTH_ENOMEM;
    }
    h->waiting_leaving = h->rings;
    while (h->spare_count < config->nodes_max) {
        h->spare[h->spare_count] = h->rings + ring * (h->spare_count + 1);
        h->spare_count++;
    }
    rng_seed(&h->rng, config->seed);
    return 0;
}

void harbour_fini(struct harbour *h)
{
    free(h->nodes);
    free(h->rings);
    free(h->spare);
    *h = (struct harbour){0};
}

static struct harbour_node *find(struct harbour *h, const char *id)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->nodes[i].id, id) == 0)
            return &h->nodes[i];
    return NULL;
}

static void set_state(struct harbour *h, struct harbour_node *n, enum node_state state)
{
    n->state = state;
    n->state_s = h->now_s;
}

/* ---- instances and nodes ---- */

const struct harbour_node *harbour_launch(struct harbour *h, const char *token)
{
    if (h->count == h->config.nodes_max)
        return NULL;
    struct harbour_node *n = &h->nodes[h->count++];
    *n = (struct harbour_node){.exists = true,
                               .launched_s = h->now_s,
                               .state = NODE_JOINING,
                               .leaving = h->spare[--h->spare_count]};
    memset(n->leaving, 0, (size_t)h->ring * sizeof *n->leaving);
    n->epoch = (int64_t)++h->made;
    (void)snprintf(n->id, sizeof n->id, "n-%llu", (unsigned long long)h->made);
    (void)snprintf(n->token, sizeof n->token, "%s", token);
    return n;
}

void harbour_begin_with(struct harbour *h, int nodes)
{
    for (int i = 0; i < nodes && harbour_launch(h, ""); i++) {
        struct harbour_node *n = &h->nodes[h->count - 1];
        n->booted = true;
        set_state(h, n, NODE_READY);
    }
}

void harbour_terminate(struct harbour *h, const char *id)
{
    struct harbour_node *n = find(h, id);
    if (!n || n->ending)
        return;
    n->ending = true;
    n->ends_s = h->now_s + ENDING_S;
}

void harbour_want(struct harbour *h, const char *id, bool out)
{
    struct harbour_node *n = find(h, id);
    if (n)
        n->want_own = out;
}

bool harbour_move(struct harbour *h, const char *id, enum node_state from, enum node_state to)
{
    struct harbour_node *n = find(h, id);
    if (!n || n->state != from || !state_may_move(MOVE_LEADER, from, to))
        return false;
    set_state(h, n, to);
    return true;
}

/* What the owning balancer does with this node now. */
static void own(struct harbour *h, struct harbour_node *n)
{
    if (n->players > 0)
        n->busy_s = h->now_s;
    if (!n->booted && h->now_s - n->launched_s >= h->config.boot_s - PROVING_S) {
        n->booted = true;
        set_state(h, n, NODE_JOINING);
    }
    bool way_out =
        n->state == NODE_DRAINING || n->state == NODE_CLOSING || n->state == NODE_DRAINED;
    if (!n->booted)
        return;
    if (n->state == NODE_JOINING && h->now_s - n->launched_s >= h->config.boot_s &&
        h->now_s - n->state_s >= PROVING_S)
        set_state(h, n, n->want_own ? NODE_DRAINING : NODE_READY);
    else if (n->state == NODE_READY && n->want_own)
        set_state(h, n, NODE_DRAINING);
    else if (way_out && !n->want_own)
        set_state(h, n, NODE_JOINING);
    else if (n->state == NODE_DRAINING && h->now_s - n->busy_s >= h->config.closing_s &&
             h->now_s - n->state_s >= h->config.closing_s)
        set_state(h, n, NODE_CLOSING);
    else if (n->state == NODE_CLOSING)
        set_state(h, n, NODE_DRAINED);
}

/* The machine is gone, and those on it. */
static void end(struct harbour *h, struct harbour_node *n)
{
    h->killed += n->players;
    h->seated -= n->players;
    n->players = 0;
    n->exists = false;
}

static void run_nodes(struct harbour *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->count; i++) {
        struct harbour_node *n = &h->nodes[i];
        if (n->exists && n->ending && h->now_s >= n->ends_s)
            end(h, n);
        if (n->exists)
            own(h, n);
        if (!n->exists && (n->state == NODE_GONE || !n->booted))
            h->spare[h->spare_count++] = n->leaving;
        else
            h->nodes[kept++] = *n;
    }
    h->count = kept;
}

/* ---- players ---- */

static bool seats(const struct harbour *h, const struct harbour_node *n)
{
    return n->exists && !n->ending && n->booted && n->state == NODE_READY &&
           n->players < h->config.capacity;
}

static void end_sessions(struct harbour *h)
{
    size_t now = (size_t)(h->now_s % h->ring);
    for (size_t i = 0; i < h->count; i++) {
        struct harbour_node *n = &h->nodes[i];
        int32_t go = n->leaving[now];
        n->leaving[now] = 0;
        if (n->players == 0)
            continue;
        n->players -= go;
        h->seated -= go;
        h->left += go;
    }
    h->waiting -= h->waiting_leaving[now];
    h->left += h->waiting_leaving[now];
    h->waiting_leaving[now] = 0;
}

/* Number `which` of those in the ring goes. */
static void strike(const struct harbour *h, int32_t *leaving, int64_t which)
{
    for (int64_t i = 0; i < h->ring; i++) {
        if (which < leaving[i]) {
            leaving[i]--;
            return;
        }
        which -= leaving[i];
    }
    assert(!"the ring holds all players of the node");
}

static void one_leaves_early(struct harbour *h)
{
    int64_t which = (int64_t)rng_below(&h->rng, (uint64_t)(h->seated + h->waiting));
    h->left++;
    if (which < h->waiting) {
        strike(h, h->waiting_leaving, which);
        h->waiting--;
        return;
    }
    which -= h->waiting;
    size_t i = 0;
    for (; which >= h->nodes[i].players; i++)
        which -= h->nodes[i].players;
    strike(h, h->nodes[i].leaving, which);
    h->nodes[i].players--;
    h->seated--;
}

static void one_comes(struct harbour *h, bool first)
{
    uint64_t session = (uint64_t)h->config.session_s;
    int64_t stays =
        1 + (int64_t)rng_below(&h->rng, session) + (first ? 0 : h->config.session_s / 2);
    h->waiting_leaving[(h->now_s + stays) % h->ring]++;
    h->waiting++;
    h->arrived++;
}

/* Seat those who wait: each on the emptiest node, those whose session ends first before others. */
static void seat(struct harbour *h)
{
    int64_t ahead = 1;
    while (h->waiting > 0) {
        int32_t level = INT32_MAX;
        for (size_t i = 0; i < h->count; i++)
            if (seats(h, &h->nodes[i]) && h->nodes[i].players < level)
                level = h->nodes[i].players;
        if (level == INT32_MAX)
            return;
        for (size_t i = 0; i < h->count && h->waiting > 0; i++) {
            struct harbour_node *n = &h->nodes[i];
            if (n->players != level || !seats(h, n))
                continue;
            while (h->waiting_leaving[(h->now_s + ahead) % h->ring] == 0)
                ahead++;
            h->waiting_leaving[(h->now_s + ahead) % h->ring]--;
            n->leaving[(h->now_s + ahead) % h->ring]++;
            h->waiting--;
            n->players++;
            h->seated++;
        }
    }
}

void harbour_second(struct harbour *h, int64_t players)
{
    bool first = h->now_s++ == 0;
    run_nodes(h);
    end_sessions(h);
    while (h->seated + h->waiting > players)
        one_leaves_early(h);
    while (h->seated + h->waiting < players)
        one_comes(h, first);
    seat(h);
}

struct harbour_count harbour_count(const struct harbour *h)
{
    struct harbour_count c = {0};
    for (size_t i = 0; i < h->count; i++) {
        const struct harbour_node *n = &h->nodes[i];
        c.exist += n->exists;
        if (!n->exists || n->ending)
            continue;
        if (n->booted && n->state == NODE_READY && !n->want_own) {
            c.ready++;
            c.capacity += h->config.capacity;
            c.on_ready += n->players;
        } else if (n->want_own) {
            c.draining++;
        } else {
            c.coming++;
        }
    }
    return c;
}
