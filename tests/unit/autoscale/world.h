/* world.h - a small virtual harbour for the autoscaler's tests: nodes, an owner that moves them, a
 * provider, the plan in Redis.
 *
 * Time is virtual and moves in steps of WORLD_STEP_MS. Two autoscalers can be run against the same
 * world. */
#ifndef BERTH_TESTS_AUTOSCALE_WORLD_H
#define BERTH_TESTS_AUTOSCALE_WORLD_H

#include "autoscale/scale.h"

#define WORLD_STEP_MS 100
#define WORLD_NODES 64
#define WORLD_PLAN 32
#define WORLD_LOG 40000

struct world_node {
    struct fleet_node node;
    bool present; /* in the pool */
    bool alive;   /* reports */
    mono_ms_t reported_at, state_at;
};

struct world_instance {
    char id[NAME_SIZE], token[NAME_SIZE], zone[NAME_SIZE];
    bool exists, ending;
    mono_ms_t made_at, ends_at;
    int booted; /* nodes so far */
};

struct world_side { /* one autoscaler */
    struct scale *scale;
    bool stopped; /* killed, or SIGSTOP */
    bool cut;     /* its follower's link is down */
    int64_t fence;
};

struct world {
    mono_ms_t now;
    int64_t wall_offset;
    struct policy policy;
    struct world_node nodes[WORLD_NODES];
    size_t node_count;
    struct world_instance instances[WORLD_NODES];
    size_t instance_count;
    struct {
        char name[NAME_SIZE], record[448];
    } plan[WORLD_PLAN];
    size_t plan_count;     /* the field "boot" is not among them */
    char boot_record[448]; /* but here */
    int64_t fence;
    struct world_side side[2];
    /* How this world behaves. */
    int64_t boot_ms;   /* launch to first report; -1: never */
    int boots_less;    /* so many nodes of each instance never come */
    bool dies_at_boot; /* processes end at once */
    enum scale_outcome launch_outcome, terminate_outcome;
    bool list_fails, plan_fails;
    bool crash_after_plan, crash_after_launch; /* the leader dies right then */
    /* What happened. */
    int launch_calls, launched, terminated, killed_players, wants, moves, notes, acts;
    char log[WORLD_LOG]; /* rendered effects, lists left out: "[ms] text\n" */
    size_t log_len;
};

/* A pool "game" with these limits, no nodes; side 0 leads. Cooldowns 3 min and 1 h, boot 2 s,
 * settle 1 s, list each 500 ms. */
void world_init(struct world *w, int min, int max);
void world_fini(struct world *w);
/* After changing w->policy (rules, times): make side `which` anew, not leading. */
void world_boot_side(struct world *w, int which);
/* Side `which` gets the lease; the other is not told. */
void world_lead(struct world *w, int which);
/* Tell a side that it leads no more. */
void world_depose(struct world *w, int which);
void world_operator(struct world *w, int which, bool paused, int size); /* size 0: none wanted */
/* The service of a rule answers side 0 (error NULL), or fails; a rule's action ends. */
void world_advise(struct world *w, size_t rule, int desired, const char *reason, const char *error);
void world_acted(struct world *w, size_t rule, const char *error);
/* The balancers refused so many seats in the second that is over: told to side 0. */
void world_refuse(struct world *w, int64_t seats);
void world_refusals(struct world *w, const struct scale_refusal *refusals, size_t count);
/* An operator wants the nodes that are there replaced (or no more). */
void world_roll(struct world *w, int which, bool wanted);
/* What Redis kept of the pool's past, told to a side. */
void world_past(struct world *w, int which, const struct past_entry *entries, size_t count);
void world_run(struct world *w, int64_t ms);
/* Players on every ready node. */
void world_load(struct world *w, int64_t conns);
/* Players on one. */
void world_load_node(struct world *w, size_t at, int64_t conns);
/* Its process dies. */
void world_kill_node(struct world *w, size_t at);
int world_count(const struct world *w, enum node_state state);
int world_instances(const struct world *w);
/* How often `text` is in the log. */
int world_logged(const struct world *w, const char *text);
struct scale_status world_status(const struct world *w, int which);

#endif
