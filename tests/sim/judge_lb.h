/* judge_lb.h - the judge's books of the LBs, shared by judge_lb.c (what each was told, what each
 * counts), judge_place.c (what each hands out) and judge_seat.c (tickets). */
#ifndef BERTH_SIM_JUDGE_LB_H
#define BERTH_SIM_JUDGE_LB_H

#include "tests/sim/judge.h"

enum { TOLD_MAX = 128, PLACE_ISSUES_MAX = 4096, SHARED_US = 500000 };

/* A node as this LB was told. */
struct told {
    char name[64];
    bool known, seen, was_ready;
    enum node_state state;
    int64_t epoch, since;
    int64_t conns, capacity, seq;
    bool closed;
    int64_t ready_us, reported_us; /* when it was told so */
    int64_t
        taken_up_us; /* since when it is known without a break: what went before may be forgotten */
    uint32_t admitted_count;
    struct admitted_run admitted[ADMITTED_ISSUERS_MAX];
};

struct lb_book {
    const struct lb *lb;
    int64_t started_us;
    struct told (*told)[TOLD_MAX]; /* by pool */
    size_t count[WORLD_POOLS];
    bool reading[WORLD_POOLS]; /* then what is told is what the store holds, be it older */
    uint64_t serial;           /* of the last ticket */
};

struct lb_books {
    struct lb_book books[LBS_MAX];
    int64_t counted_us;
    unsigned char strikes[LBS_MAX][WORLD_POOLS][TOLD_MAX]; /* looks in a row that found too few */
    unsigned char over[LBS_MAX][WORLD_POOLS][TOLD_MAX];    /* ... or too many */
    int64_t one_owner_us[WORLD_POOLS];                     /* when there last was one */
};
extern struct lb_books judge_lbs;

/* ---- judge_lb.c ---- */
int judge_lb_index(const struct lb *lb); /* -1: none of the world's */
struct lb_book *judge_lb_book(const struct lb *lb);
struct told *judge_told(struct lb_book *b, enum pool_id pool, const char *name, bool create);
/* Nothing befell the store, nor anybody's clock, for so long. */
bool judge_steady(int64_t for_us);

/* ---- judge_place.c ---- */
void judge_place_start(void);
void judge_place_stop(void);
void judge_place_look(void);
int64_t judge_last_issue_us(void);
/* Tickets that are on their way to the node, as `viewer` must know: at least, and at most. */
int64_t judge_pending_least(const struct told *t, enum pool_id pool, int viewer);
int64_t judge_pending_most(const struct told *t, enum pool_id pool);
/* Seats that this LB has set aside for claims under way. */
int64_t judge_reserved(int lb, enum pool_id pool, const struct told *t);

#endif
