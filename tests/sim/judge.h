/* judge.h - the judge's own books, shared by the files judge*.c. */
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
    int64_t since_us;       /* in this state */
    int64_t since_ms;       /* the same on the store's clock; 0: that one was replaced since */
    bool wanted_out;        /* somebody wants it draining */
    bool wanted[WANT_WHOS]; /* who */
    int64_t wanted_us;      /* since when it is as it is */
    int64_t reported_us;    /* last report that was taken */
    int64_t beat_ms;        /* likewise, or its join, on the store's clock; 0: not known */
    int64_t seq;            /* of that report */
    int64_t rooms;          /* in that report */
    int64_t conns, before;  /* players in that report, and in the one before it */
    bool closed, drain;     /* what it said there */
    int64_t joined_us;
    int64_t empty_us;         /* nobody is on it since; 0: somebody is */
    unsigned proved[LBS_MAX]; /* probes in a row that each LB saw answered, in this state */
};

/* ---- judge_store.c ---- */

size_t book_count(void);
struct book_node *book_at(size_t i);
/* NULL if it is not in the book and not to be entered. */
struct book_node *book_open(enum pool_id pool, struct span name, bool create);
/* Take over what the store says of this node. */
void book_refresh(struct book_node *n);
int64_t book_number(struct span s);
int64_t judge_store_ms(void);
/* NULL: the store does not know it. */
const struct book_node *book_node(enum pool_id pool, struct span name);
/* Tickets handed out, for the check of what nodes admit. */
void book_issued(enum pool_id pool, const char *node, int64_t node_epoch, const char *issuer,
                 int64_t issuer_epoch, int64_t second, uint32_t count);

void judge_start_store(void);
void judge_stop_store(void);
void judge_end_store(void);

/* ---- judge_fence.c, judge_moves.c, judge_fleet.c: after each script ---- */

void judge_lease(const struct words *w, const struct resp *answer);
/* The holder that a script was told must be the one whom the lease was granted to, and it must not
 * be over. */
void judge_must_hold(const char *what, struct span lease_key, struct span holder);
/* How long this one holds it without a break, in us; 0: it does not. */
int64_t judge_held_us(enum pool_id pool, bool leader, struct span holder);
/* Who holds it, or held it last; "": nobody ever. */
const char *judge_former_holder(enum pool_id pool, bool leader);
void judge_look_leases(void);
void judge_fence_replaced(void);
void judge_start_fence(void);

void judge_move(const struct words *w, const struct resp *answer);
void judge_sweep(const struct words *w, const struct resp *answer);
void judge_look_nodes(void);
/* An LB's probe of it was answered, or was not. */
void judge_probed(size_t lb, enum pool_id pool, struct span name, int64_t epoch, bool ok);

void judge_want(const struct words *w, const struct resp *answer);
void judge_plan(const struct words *w, const struct resp *answer);
/* Instances planned for this token, at any time; -1: never. */
int book_planned(enum pool_id pool, const char *token);
void judge_look_fleet(void);
void judge_start_fleet(void);
void judge_stop_fleet(void);
void judge_end_fleet(void);

/* So many are silent at once that the mass-loss guard holds. */
bool world_pool_guarded(enum pool_id pool);

/* ---- judge_operators.c: what people wish of a pool ---- */

/* This leader did something in a pool that may be paused. */
void judge_paused(const struct proc *leader, enum pool_id pool, const char *what);
/* It was so, at some time since. */
bool judge_paused_within(enum pool_id pool, int64_t us);
bool judge_sized_within(enum pool_id pool, int64_t us);
bool judge_rolled_within(enum pool_id pool, int64_t us);
/* A roll drains this node. */
void judge_rolled(const struct book_node *n, const struct proc *leader);
/* An LB has placed somebody anew, or refused. */
void judge_closed(const struct proc *lb, enum pool_id pool, bool placed, const char *why);
/* The autoscaler alone wants it out, for drain_deadline and so much longer. */
bool judge_deadline_over(const struct book_node *n, int64_t slack_us);
void judge_look_operators(void);
void judge_start_operators(void);

/* ---- judge_claims.c ---- */

void judge_claim(const struct words *w, const struct resp *answer);
void judge_start_claims(void);

/* ---- judge_lb.c ---- */

/* Tickets: forged ones, and what players are given, read independently (judge_ticket.c). */
#define WORLD_SECRET "simulated-simulated-simulated"
struct forged {
    const char *kid, *secret; /* secret NULL: not signed */
    const char *issuer, *pool;
    char node[64], room[64], player[64], jti[64];
    int64_t issuer_epoch, node_epoch, issued_s, expires_s;
};
void ticket_forge(const struct forged *f, char *buf, size_t size);
void judge_start_tickets(void);
void judge_stop_tickets(void);

/* A script of matchmaking was carried out. */
void judge_seek(const struct words *w, const struct resp *answer);
void judge_match_replaced(void);
/* judge_queue.c: the entry that this player waits in, as the store has it (empty: none), and its
 * list `player/lobby/epoch,...`. */
struct span judge_entry_of(struct span player);
struct span judge_entry_players(struct span entry);
void judge_queues(void);
/* judge_seek.c: what a script of matchmaking answered and wrote. */
void judge_seek_contract(const struct words *w, const struct resp *answer);
void judge_seek_replaced(void);
void judge_stop_seek(void);
/* One seek of a call, its lobby node and epoch, and what was answered; a call of `party`. */
void judge_party_seeks(struct span seek, struct span lobby, struct span epoch, struct span word);
void judge_party(const struct words *w, const struct resp *answer);
void judge_start_matches(void);
void judge_stop_matches(void);

void judge_start_lbs(void);
void judge_stop_lbs(void);
void judge_end_lbs(void);
void judge_look_lbs(void);
/* The faults are long over: one owner a pool, players are placed. */
void judge_look_quiet(void);

#endif
