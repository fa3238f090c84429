/* judge.c - what must never be, looked at from outside with books of its own.
 *
 * The judge sees every script that the store runs, every event that goes into an LB's core, every
 * placement, every call to the cloud and every player's fate; it shares no code with what it
 * judges. judge_store.c keeps the store's book, judge_lb.c those of the LBs, judge_fence.c,
 * judge_moves.c and judge_fleet.c judge what is written. */
#include "tests/sim/judge.h"

#include <assert.h>
#include <stdlib.h>

enum { LOOK_US = 100000 };

static struct sim_event look_event;

/* ---- players ---- */

struct meeting {
    char room[72], node[64];
    int boots;
    int64_t at_us;
};
static struct meeting meetings[512];
static size_t meeting_count;

/* All of a room on one node, unless that node died. */
void judge_joined(const struct player *player)
{
    const size_t max = sizeof meetings / sizeof *meetings;
    const struct instance *here = world_instance(span_of(player->node[SOCKET_GAME]));
    struct meeting *m = NULL;
    if (here == NULL) {
        sim_fail("room: %s is in %s on a node that is none: %s", player->id, player->room,
                 player->node[SOCKET_GAME]);
        return;
    }
    assert(player->room != NULL); /* who has joined has one */
    for (size_t i = meeting_count > max ? meeting_count - max : 0; i < meeting_count; i++)
        if (strcmp(meetings[i % max].room, player->room) == 0)
            m = &meetings[i % max];
    if (m == NULL) {
        m = &meetings[meeting_count++ % max];
        *m = (struct meeting){.at_us = sim->now_us};
        (void)snprintf(m->room, sizeof m->room, "%s", player->room);
    } else if (strcmp(m->node, here->id) != 0) {
        const struct instance *there = world_instance(span_of(m->node));
        bool lives = there != NULL && there->running && there->boots == m->boots;
        if (lives && world_calm(&there->task.proc, 60 * SIM_S) && world_store_calm(60 * SIM_S))
            sim_fail("room: %s is on %s, its mates are on %s, which is well", player->room,
                     here->id, m->node);
    }
    (void)snprintf(m->node, sizeof m->node, "%s", here->id);
    m->boots = here->boots;
}

void judge_killed(const struct player *player, enum player_socket socket, const char *why)
{
    const struct instance *in = world_instance(span_of(player->node[socket]));
    if (in == NULL || in->gone || !in->running || in->boots > 1)
        return;
    if (world_calm(&in->task.proc, 60 * SIM_S) && world_calm(players_proc(), 60 * SIM_S) &&
        world_store_calm(60 * SIM_S) && in->task.started_us + SIM_S > in->task.proc.trouble_us)
        sim_fail("session: %s lost its seat on %s (%s), to which nothing happened", player->id,
                 in->id, why);
}

/* ---- looking around ---- */

static void look(void *arg)
{
    judge_look_leases();
    judge_look_lbs();
    judge_look_nodes();
    judge_look_operators();
    judge_look_fleet();
    if (sim->now_us > world->quiet_from_us + 25 * SIM_S)
        judge_look_quiet();
    sim_after(&look_event, LOOK_US, look, NULL);
}

/* ---- the end ---- */

static void end_of_pool(enum pool_id pool)
{
    const char *name = world->pools[pool]->name;
    size_t leaders = 0, ready = 0;
    int desired = -1;
    for (size_t i = 0; i < world->autoscale_count; i++)
        for (size_t k = 0; k < prog_autoscale_pools(world->autoscale[i].app); k++) {
            struct scaler_facts st;
            prog_autoscale_facts(world->autoscale[i].app, k, &st);
            if (strcmp(st.pool, name) != 0 || !st.leading)
                continue;
            leaders++;
            desired = st.desired;
            if (st.halted)
                sim_fail("liveness: the leader of %s has given up launching", name);
        }
    if (leaders != 1)
        sim_fail("liveness: pool %s has %zu leaders at the end", name, leaders);
    for (size_t i = 0; i < world->instance_count; i++) {
        const struct instance *in = &world->instances[i];
        if (in->pool != pool || in->gone || in->ending)
            continue;
        const struct book_node *node = book_node(pool, span_of(in->id));
        if (in->boots == 0 && world->store_trouble_us > in->launched_us)
            continue; /* its intent was lost: it may hold players, so people are told, no more */
        bool is_ready = in->running && node != NULL && node->state == NODE_READY;
        ready += is_ready;
        if (!is_ready && !(node != NULL && node->wanted_out) &&
            sim->now_us - in->launched_us > 25 * SIM_S)
            sim_fail("liveness: %s is %s at the end: forgotten", in->id,
                     node == NULL ? "unknown to the store" : state_word(node->state));
    }
    if (ready < (size_t)world->pools[pool]->scale.min ||
        ready > (size_t)world->pools[pool]->scale.max)
        sim_fail("liveness: pool %s has %zu ready nodes at the end, %d are desired", name, ready,
                 desired);
}

void judge_end(void)
{
    int64_t began_us;
    if (!faults_over())
        sim_fail("world: a fault lasted longer than the world");
    const struct player *p = players_oldest_waiting(world->quiet_from_us, &began_us);
    if (p != NULL)
        sim_fail("liveness: %s has come %.1f s ago and is still in %s", p->id,
                 (double)(sim->now_us - began_us) / 1e6, player_state_word(p->state));
    judge_end_lbs();
    for (int pool = 0; pool < WORLD_POOLS; pool++)
        end_of_pool((enum pool_id)pool);
    judge_end_store();
    judge_end_fleet();
}

void judge_start(void)
{
    memset(meetings, 0, sizeof meetings);
    meeting_count = 0;
    look_event = (struct sim_event){0};
    judge_start_store();
    judge_start_operators();
    judge_start_lbs();
    judge_start_tickets();
    judge_start_matches();
    sim_after(&look_event, LOOK_US, look, NULL);
}

void judge_stop(void)
{
    sim_cancel(&look_event);
    judge_stop_lbs();
    judge_stop_tickets();
    judge_stop_matches();
    judge_stop_store();
}
