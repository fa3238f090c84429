/* internal.h - the memory of the core, shared by the files of lb/ that are the core. Not for the
 * shell.
 *
 * lb.c is the door; view.c takes in what the store says; own.c holds leases; duty.c is what an
 * owner does, by what probe.c proves and as far as guard.c allows; place.c and place_room.c answer
 * the endpoint API; peer.c keeps the LBs of one mind; fx.c writes effects. */
#ifndef BERTH_LB_INTERNAL_H
#define BERTH_LB_INTERNAL_H

#include "core/pool.h"
#include "core/pool_heap.h"
#include "core/rng.h"
#include "lb/agenda.h"
#include "lb/place.h"
#include "lb/recent.h"

enum {
    DUTY_EVERY_MS = 100, /* an owner looks over its nodes this often */
    SWEEP_EVERY_MS = 1000,
    ENROLL_EVERY_MS = 1000,
    ENROLL_TAKEN_EVERY_MS = 250, /* the same, while the name is not free */
    ENROLL_REFUSED_MS = LB_ENROLL_LIVE_MS + ENROLL_EVERY_MS, /* who beats for so long lives */
    PAUSE_MS = 1000,        /* this process did not run for so long: what it saw is not trusted */
    MOVE_TIMEOUT_MS = 2000, /* ask again when no answer to a move came */
    MOVE_RETRY_MS = 200,    /* after a refused move: the feed brings the truth first */
    CLOSING_PATIENCE_MS = 10000,
    GUARD_NOTE_EVERY_MS = 10000,
    GUARD_OVER_MS = 3000,   /* it has held nothing back for so long: it is over */
    GUARD_OPEN_MS = 30000,  /* let go: what it held is lost meanwhile */
    LOSSES_SPAN_MS = 10000, /* losses by probes within this count as one round's */
    DOUBT_EVERY_MS = 500,
    FALSE_CUTS_MAX = 3,     /* a node that ends idle sockets so often is not held any more */
    REWANT_AFTER_MS = 1500, /* after handing a pool back, try for it again when nobody took it */
    RANK_DELAY_MS = 200,    /* a second choice lets the first one go first */
    START_GRACE_MS = 1000,  /* and at the start, too */
    PROBE_SLACK_MS = 1000,  /* a probe without answer this long after its time limit is forgotten */
    PROBE_BURST_MS = 250,   /* at most so much of a second's probes at once */
    PROBE_TURNS = 4,        /* every so many-th probe is a routine one, however many are urgent */
    PROBE_WANTED_MS = 20,   /* a wanted probe that could not be started is tried again */
    COUNT_FLUSH_MS = 5,
    REFUSED_NOTE_EVERY_MS = 1000,
};

/* Nodes that are to be probed stand in one of two queues, by when. */
enum probe_queue {
    PROBE_UNPLANNED, /* in none */
    PROBE_URGENT,    /* joining, or failing: what is found changes who is handed out */
    PROBE_ROUTINE,   /* in rotation, and well when last seen */
    PROBE_QUEUES
};

struct lb_probe {
    enum probe_queue queue;
    bool under_way;
    bool asked;         /* by a peer that wants to know whether we reach the node */
    bool cut;           /* its held socket ended at cut_at, and no probe has answered since */
    bool confirming;    /* we have asked the peers, until confirm_until */
    bool disputed_told; /* they reach it, and people know */
    unsigned confirm_asked, confirm_failed;
    unsigned false_cuts; /* sockets that ended though the node lived */
    mono_ms_t cut_at, confirm_until;
    mono_ms_t sent_at, next_at;
    unsigned successes, failures; /* in a row */
    char why[32];
};

/* From the end of `state` to the counts of `report` is what a report touches: two cache lines. */
struct lb_node {
    struct node_state_record state;
    int64_t epoch; /* info.epoch */
    bool used;     /* then the table has this slot */
    bool seen;     /* in the whole read under way */
    bool roomy;    /* has ever had a room: others ask for it */
    bool has_state;
    bool vouched; /* was ready before the store lost its memory: handed out though it is joining
                     again */
    bool moving;
    bool doubted; /* silent while others are heard: not handed out here */
    bool quiet;   /* empty since quiet_at */
    bool stuck_told;
    struct lb_report report;
    struct lb_probe probe;
    int64_t first_epoch; /* of this process: it has had all since this one */
    mono_ms_t move_at;   /* moving: when it was sent; else: not before this */
    mono_ms_t quiet_at;
    struct lb_move move;
    char name[KEYS_NAME_MAX + 1];
    struct node_info info;
} __attribute__((aligned(64)));

struct lb_pool {
    struct lb_pool_config config;
    size_t index;
    struct pool *table;    /* est and pick; its slots index nodes and wants */
    struct lb_node *nodes; /* nodes_max; zeroed as far as nodes_zeroed */
    uint32_t nodes_zeroed;
    mono_ms_t *nodes_heard;          /* nodes_max: when the last report was made, on our clock */
    struct want (*wants)[WANT_WHOS]; /* nodes_max */
    uint64_t nodes_dropped;          /* the table was full */
    struct want closed_want;

    bool store_up;   /* its Redis can be asked */
    bool store_lost; /* told, and not back yet */
    bool has_clock;  /* clock_wall and clock_mono were the same instant */
    wall_ms_t clock_wall;
    mono_ms_t clock_mono;

    bool reading, ready, live;
    bool heard;
    mono_ms_t heard_at; /* the follower */
    mono_ms_t hold_until;
    mono_ms_t vouch_until;  /* then vouching ends */
    mono_ms_t absent_until; /* then nodes that the store does not know are forgotten */

    int rank;          /* of this LB in this pool */
    int64_t epoch;     /* of this LB; 0: not enrolled */
    bool named;        /* the name is ours, not only the epoch */
    int64_t own_epoch; /* to issue tickets under while it is not; 0: none */
    bool taken, name_refused;
    mono_ms_t taken_since;
    mono_ms_t enroll_at;
    struct lease lease;
    bool owner;
    char holder[KEYS_NAME_MAX + 1]; /* of the lease, as last heard */
    char owner_before[KEYS_NAME_MAX + 1];
    mono_ms_t gained_at;
    bool hurry, peers_changed; /* to be seen to by the next own_tick() */
    size_t gone;
    struct want owner_want, guard_want;
    mono_ms_t rewant_at; /* MONO_NEVER: the lease is wanted */

    mono_ms_t duty_at, sweep_at;
    struct agenda agenda; /* nodes that an owner's next round is to look at: those that something
                             happened to, and those that only wait for time to pass */
    uint32_t cursor;      /* where an unfinished round goes on */
    struct heap_store probe_store;
    heap_entry **probe_tables;
    struct heap probes[PROBE_QUEUES]; /* of an owner: by when they are to be sent; [0]: empty */
    bool guarded;                     /* since guarded_since, last at guarded_at */
    mono_ms_t guarded_since, guarded_at, guard_told_at;
    mono_ms_t guard_open_until;  /* let go until then */
    mono_ms_t guard_grace_until; /* nobody is lost by silence */
    int64_t failing,
        failing_now; /* nodes in rotation whose probes fail: of the last round, of this one */
    int64_t losses;  /* by probes since losses_since */
    mono_ms_t losses_since;
    int64_t doubted; /* nodes */
    mono_ms_t doubt_at;

    bool counts_due; /* tell the peers at counts_at */
    mono_ms_t counts_at;
    bool resync; /* tell them everything: from resync_cursor */
    uint64_t resync_cursor;

    struct agenda wanted; /* nodes to be probed whoever the owner is: someone asks for a room on one
                             that is lost, or a peer wants to know */
    mono_ms_t wanted_at;  /* see to them then; MONO_NEVER: there are none */

    bool has_rooms; /* tickets with a room, which live longer, may be out: until rooms_until */
    mono_ms_t rooms_until;
    bool rooms_due;             /* we handed out such tickets: tell the peers, with the counts */
    mono_ms_t rooms_told_until; /* not again before this */
    struct recent rooms, answers,
        asks; /* of struct room_entry, answer_entry, ask_entry (place.c) */
    struct lb_place_stats stats;
    uint64_t refused, refused_told; /* for want of room; told to people */
    uint64_t roomless; /* seats among those not told yet that one more node would have */
    mono_ms_t refused_at;
};

struct lb_peer {
    bool up;
    bool unable; /* it said so: its store is away, or its name taken */
    mono_ms_t since;
};

struct lb {
    struct lb_config config;
    struct lb_pool *pools;
    struct lb_peer peers[LB_PEERS_MAX];
    struct rng rng;
    mono_ms_t now;
    uint64_t serial;
    bool stopping, again;
    mono_ms_t *dues;      /* of each pool: nothing is due there before this */
    mono_ms_t due;        /* the first of them */
    bool out;             /* of service, at an operator's wish: others are to own */
    bool store_lost;      /* told, and not back yet */
    bool able, able_told; /* could we own a pool; does who is up know what we last said */
    size_t me;            /* among peers */
    mono_ms_t probe_credit_at;
    int64_t probe_credit; /* probes that may be sent now, in thousandths */
    bool probe_round;     /* some owner's round was done in this step: see who is to be probed */
    uint64_t probe_turn;
};

/* Something in this pool is due at this time, or before. */
void lb_soon(struct lb *lb, const struct lb_pool *pool, mono_ms_t at);

/* ---- fx.c ---- */

/* Room for one more effect? If not, the next step is due at once. */
bool fx_room(struct lb *lb, const struct lb_effects *fx, size_t wanted);
/* A zeroed effect, added. There must be room (asserted). */
struct lb_effect *fx_add(struct lb_effects *fx, enum lb_effect_kind kind, size_t pool,
                         const char *why);
/* A note; dropped (NULL) when there is no room. */
struct lb_effect *fx_note(struct lb_effects *fx, enum lb_level level, size_t pool,
                          const char *event, const char *node, bool record, const char *why,
                          const char *fmt, ...) BERTH_PRINTF(8, 9);
/* Hooks are told of this note, which may be NULL. */
void fx_hook(struct lb_effect *note, const char *hook);

/* ---- view.c ---- */

void view_begin(struct lb *lb, struct lb_pool *pool);
/* True: only counts have changed, and nothing is due by them. */
bool view_item(struct lb *lb, struct lb_pool *pool, const struct feed_item *item,
               struct lb_effects *fx);
void view_end(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
void view_lost(struct lb *lb, struct lb_pool *pool, const char *why, struct lb_effects *fx);
/* Forget what stayed absent after a whole read. */
void view_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
/* When it has something to do: forgetting, or an end of vouching. */
mono_ms_t view_deadline(const struct lb_pool *pool);
/* Take a state over if it is not older than the one held. */
void view_state(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                const struct node_state_record *state, struct lb_effects *fx);
/* The store's clock read `wall` just now. */
void view_clock(struct lb *lb, struct lb_pool *pool, wall_ms_t wall, struct lb_effects *fx);
/* No node is lost by silence or by probes for a while. */
void view_hold(struct lb *lb, struct lb_pool *pool);
struct lb_node *view_find(struct lb_pool *pool, struct span name);
/* The wish in force: a report that says drain=1 counts as the node's own. NULL: none. */
const struct want *view_want(const struct lb *lb, const struct lb_pool *pool,
                             const struct lb_node *node);
/* When its last report was made, on our clock. */
static inline mono_ms_t view_heard_at(const struct lb_pool *pool, const struct lb_node *node)
{
    return pool->nodes_heard[node - pool->nodes];
}

/* Its place in pool->table. */
static inline uint32_t view_slot(const struct lb_pool *pool, const struct lb_node *node)
{
    return (uint32_t)(node - pool->nodes);
}

/* Something happened to it: its owner is to look at it. */
static inline void view_look(struct lb_pool *pool, const struct lb_node *node)
{
    agenda_add(&pool->agenda, view_slot(pool, node));
}

/* Redis TIME at this step. */
static inline wall_ms_t view_wall(const struct lb *lb, const struct lb_pool *pool)
{
    return lb_store_now(lb, pool->index, lb->now);
}

static inline struct pool_now view_now(const struct lb *lb, const struct lb_pool *pool)
{
    return (struct pool_now){.mono = lb->now, .wall = view_wall(lb, pool)};
}

/* ---- own.c ---- */

void own_init(struct lb *lb, struct lb_pool *pool);
void own_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
void own_enroll_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                      struct lb_effects *fx);
void own_lease_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                     struct lb_effects *fx);
/* A write was refused: the store knows another holder. */
void own_fenced(struct lb *lb, struct lb_pool *pool, int64_t token, struct lb_effects *fx);
/* The peer `gone` (LB_PEERS_MAX: nobody) leaves the lease free. */
void own_hurry(struct lb_pool *pool, size_t gone);
/* The peer owned it until now. */
void own_released(struct lb *lb, struct lb_pool *pool, size_t peer);
/* The peers that are up changed. */
void own_peers(struct lb_pool *pool);
/* Could this LB own its pools now? */
bool own_able(const struct lb *lb);
void own_stop(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
mono_ms_t own_deadline(const struct lb *lb, const struct lb_pool *pool);
bool own_may_act(const struct lb *lb, const struct lb_pool *pool);

/* ---- duty.c ---- */

void duty_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
void duty_move_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                     struct lb_effects *fx);
void duty_sweep_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                      struct lb_effects *fx);
mono_ms_t duty_deadline(const struct lb *lb, const struct lb_pool *pool);

/* ---- probe.c ---- */

int probe_init(struct lb_pool *pool, uint32_t nodes_max) BERTH_MUST_USE;
void probe_fini(struct lb_pool *pool);
/* Put it where what is known of it says that it is to be probed next; or nowhere. */
void probe_plan(struct lb_pool *pool, struct lb_node *node);
/* It is not to be probed by the clock. */
void probe_unplan(struct lb_pool *pool, struct lb_node *node);
/* After rounds of owners: those whose time has come, of all pools, as far as the rate allows. */
void probe_tick(struct lb *lb, struct lb_effects *fx);
/* It is to be probed soon, whoever the owner is. */
void probe_want(struct lb *lb, struct lb_pool *pool, const struct lb_node *node);
void probe_reply(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                 struct lb_effects *fx);
void probe_cut(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev);
/* A peer asks what we see; a peer says what it saw. */
void probe_asked(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                 struct lb_effects *fx);
void probe_verdict(struct lb *lb, struct lb_pool *pool, const struct lb_event *ev,
                   struct lb_effects *fx);
/* Those of probe_want(): every LB's business. */
void probe_wanted(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
/* Its probes failed often enough: is that proof of its end? Asks the peers if need be. */
bool probe_proves_loss(struct lb *lb, struct lb_pool *pool, struct lb_node *node,
                       struct lb_effects *fx);

/* ---- guard.c ---- */

/* May this node be lost by probes now? */
bool guard_allows(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
/* A node was lost by probes. */
void guard_count_loss(struct lb *lb, struct lb_pool *pool);
/* What sweeps are to be sent with. */
int64_t guard_percent(const struct lb *lb, const struct lb_pool *pool);
bool guard_grace(const struct lb *lb, const struct lb_pool *pool);
/* A sweep was refused: `count` of `total` are silent, or it was the grace. */
void guard_swept(struct lb *lb, struct lb_pool *pool, int64_t count, int64_t total,
                 struct lb_effects *fx);
/* Something would have been lost, and was not. */
void guard_hold(struct lb *lb, struct lb_pool *pool, const char *why, int64_t count, int64_t total,
                struct lb_effects *fx);
/* Is it over; has it lasted long enough? And who is silent while others are heard? */
void guard_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
mono_ms_t guard_deadline(const struct lb *lb, const struct lb_pool *pool);

/* ---- place.c ---- */

int place_init(struct lb *lb, struct lb_pool *pool) BERTH_MUST_USE;
void place_fini(struct lb_pool *pool);
/* Tell people of players that found no room. */
void place_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
mono_ms_t place_deadline(const struct lb_pool *pool);

/* ---- peer.c ---- */

/* Our own counts that changed, and everything to a peer that has just come. */
void peer_tick(struct lb *lb, struct lb_pool *pool, struct lb_effects *fx);
void peer_up(struct lb *lb, const struct lb_event *ev, struct lb_effects *fx);
void peer_down(struct lb *lb, const struct lb_event *ev, struct lb_effects *fx);
/* Tell them when what we could do has changed. */
void peer_able(struct lb *lb, struct lb_effects *fx);
/* Tickets with a room are or may be out in this pool: no-shows count as long as those live. */
void lb_rooms_seen(const struct lb *lb, struct lb_pool *pool);
/* The longest a ticket that is out may live. */
int64_t lb_ticket_ms(const struct lb_pool *pool);

void peer_tell_room_over(const struct lb_pool *pool, struct span room, struct lb_effects *fx);
void peer_count(struct lb *lb, struct lb_pool *pool, const struct lb_count *count);
mono_ms_t peer_deadline(const struct lb_pool *pool);
/* We handed out tickets: tell them soon. */
void peer_note_count(struct lb *lb, struct lb_pool *pool);

#endif
