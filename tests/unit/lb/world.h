/* world.h - one pool, up to three balancers, a model of the store and of the nodes, in virtual
 * time.
 *
 * The model store answers a millisecond after it was asked and feeds every follower a millisecond
 * later. It knows leases with fencing, moves with the legal table, and the sweep with its guard:
 * what docs/redis.md promises, not how the scripts do it (those have their own tests). Everything
 * the balancers did that is not routine is in `trace`, one line each:
 *
 *     [ 1200] lb-a > move pool=game node=gn-1 from=joining to=ready why=proved */
#ifndef BERTH_TESTS_UNIT_LB_WORLD_H
#define BERTH_TESTS_UNIT_LB_WORLD_H

#include "lb/place.h"

enum { WORLD_LBS = 3, WORLD_NODES = 16, WORLD_QUEUE = 512, WORLD_TRACE = 65536 };

struct world_node {
    bool used;
    char name[KEYS_NAME_MAX + 1];
    int64_t epoch;
    char nonce[24];
    bool reports;          /* its reports arrive */
    bool reachable;        /* a probe succeeds */
    unsigned out_of_reach; /* of these LBs (bit i: lb i), whatever else */
    bool closes;           /* closes its door when told closing */
    bool drain;            /* wishes to leave */
    bool says_closed;      /* in each report, told or not */
    int64_t conns, rooms, seq, next_report_at;
    bool known; /* the store knows it */
    enum node_state state;
    int64_t since, beat_at;
};

struct world_message {
    int64_t at;
    int to;
    struct lb_event ev;
    struct store_answer answer;
    struct feed_item item;
    char node[KEYS_NAME_MAX + 1];
};

struct world_lb {
    struct lb *lb;
    char name[16];
    bool runs;      /* false: paused or dead; what is sent to it waits */
    bool connected; /* to the store */
    int64_t epoch;
    int64_t name_free_at, own_epoch; /* until then another process has its name */
    struct lb_effects fx;
    unsigned probes;
};

struct world {
    int64_t now; /* both clocks are world time plus a constant */
    int64_t wall_base;
    struct pool_settings pool;
    struct ticket_settings tickets;
    struct lb_peer_settings peers[WORLD_LBS];
    const char *owns[1];
    struct lb_settings settings;
    struct world_lb lbs[WORLD_LBS];
    int lb_count;
    struct world_node nodes[WORLD_NODES];
    char holder[KEYS_NAME_MAX + 1];
    int64_t token, fence, lease_until;
    bool store_up;
    bool reissues;          /* a store that lost its memory gives new epochs */
    unsigned moves_refused; /* by fencing */
    struct world_message queue[WORLD_QUEUE];
    size_t queued;
    char trace[WORLD_TRACE];
    size_t trace_len;
    bool trace_probes;
};

/* A pool `game` with the defaults of the settings, lb-a first choice, nobody there. */
void world_init(struct world *w, int lb_count);
/* One balancer, and limits on asks a minute. */
void world_init_limited(struct world *w, int64_t address_rate, int64_t player_rate);
void world_fini(struct world *w);

/* A node that joins now and reports each second. Returns it. */
struct world_node *world_node(struct world *w, const char *name);
/* Its process is killed: no reports, not reachable. */
void world_kill(struct world_node *node);
struct world_node *world_find(struct world *w, const char *name);
/* kind WANT_NONE takes it back. until: world time, 0 for ever. */
void world_want(struct world *w, const char *node, enum want_who who, enum want_kind kind,
                int64_t until);

/* The store goes away, or comes back: connections drop, reports do not arrive. */
void world_store(struct world *w, bool up);

void world_run(struct world *w, int64_t until);

/* kill -9 of lb i, and a new process in its place, whose name is free only then. */
void world_restart_lb(struct world *w, int i, int64_t name_free_at);
/* The link between two of them stands, or is cut. */
void world_link(struct world *w, int a, int b, bool up);

/* Every socket that is held to it ends. */
void world_cut(struct world *w, const char *name);

/* Forget what was traced so far. */
void world_clear_trace(struct world *w);

/* One player asks lb i. The node's name, or the reason of the refusal in brackets: "(no_node)". */
const char *world_place(struct world *w, int lb, const char *player);

/* Deliver an event to lb i at this moment. */
void world_event(struct world *w, int lb, struct lb_event ev);
mono_ms_t world_mono(const struct world *w);

#endif
