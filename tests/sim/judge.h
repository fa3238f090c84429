/* judge.h - the judge's own books, shared by judge.c, judge_store.c and judge_lb.c. */
#ifndef BERTH_SIM_JUDGE_H
#define BERTH_SIM_JUDGE_H

#include "tests/sim/world.h"

/* A node as the store has it. */
struct book_node {
    char name[64];
    enum pool_id pool;
    bool known;
    enum node_state state;
    int64_t epoch;
    int64_t since_us;    /* in this state */
    bool wanted_out;     /* somebody wants it draining */
    int64_t reported_us; /* last report that was taken */
    int64_t joined_us;
};

/* NULL: the store does not know it. */
const struct book_node *book_node(enum pool_id pool, struct span name);
/* Instances planned for this token, at any time; -1: never. */
int book_planned(enum pool_id pool, const char *token);
/* Tickets handed out, for the check of what nodes admit. */
void book_issued(enum pool_id pool, const char *node, int64_t node_epoch, const char *issuer,
                 int64_t issuer_epoch, int64_t second, uint32_t count);

void judge_start_store(void);
void judge_stop_store(void);
void judge_end_store(void);
void judge_look_nodes(void);
/* So many are silent at once that the mass-loss guard holds. */
bool world_pool_guarded(enum pool_id pool);

void judge_start_lbs(void);
void judge_stop_lbs(void);
void judge_end_lbs(void);
void judge_look_lbs(void);
/* The faults are long over: one owner a pool, players are placed. */
void judge_look_quiet(void);

#endif
