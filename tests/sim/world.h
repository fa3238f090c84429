/* world.h - a small installation of berth: its programs, a cloud, players, and what befalls them.
 *
 * world.c builds and runs it; cloud.c makes instances; players.c and parties.c play; faults.c
 * breaks things; judge.c looks on from outside with books of its own and says what must never be.
 */
#ifndef BERTH_SIM_WORLD_H
#define BERTH_SIM_WORLD_H

#include "loadtest/player.h"
#include "tests/sim/programs.h"
#include "tests/sim/store_server.h"

enum {
    LBS_MAX = 3,
    AUTOSCALERS_MAX = 3,
    INSTANCES_MAX = 512,
    FAULTS_MAX = 64,
    PUBLIC_PORT = FIRST_PORT + 10,
    ADMIN_PORT = FIRST_PORT + 20,
    AUTOSCALE_PORT = FIRST_PORT + 30,
};
enum pool_id { POOL_LOBBY, POOL_GAME, WORLD_POOLS };
enum { CLOUD_SETTLE_MS = 5000 }; /* the cloud says: so long its lists lag at most */

/* Sizes and faults; each may be set by --world FILE, else drawn from the seed. Times in seconds. */
struct world_config {
    double warm_s;   /* no faults yet */
    double faults_s; /* faults begin within this time after it */
    double quiet_s;  /* none any more: everything has to be well at its end */
    double play_s;   /* of a match */
    double arrivals; /* players a second, at most */
    double faults;   /* how many */
    double cheats;   /* share of players whose ticket is tried again, or elsewhere */
    double parties;  /* share of fours who come with a party among them */
    double moody;    /* share of players who hang up when they have just been matched */
    double lbs, autoscalers;
    double lobby_min, lobby_max, lobby_capacity;
    double game_min, game_max, game_capacity;
    double shrink_s;                /* a pool shrinks to what was needed in this time */
    double in_cooldown_s;           /* from one scale-in to the next */
    double max_step;                /* nodes of one decision */
    double forget_s;                /* a lost node is forgotten after */
    double stillborn;               /* share of instances that never boot */
    double min_ready;               /* the rule of this name is used: 0, 1 */
    double boot_s;                  /* of an instance, at most */
    double operators;               /* what people wish of a pool: so many times */
    double drain_deadline_s;        /* 0: none */
    double cloud_error, cloud_lost; /* share of calls, all the time */
    double loss;                    /* of packets, all the time */
    /* Weights of kinds of faults; 0: never. In the order of `enum fault_kind`. */
    double weights[32];
};

enum fault_kind {
    FAULT_KILL,         /* a program, kill -9; it is started again */
    FAULT_TERM,         /* SIGTERM; it is started again */
    FAULT_MACHINE,      /* an instance is gone without a word */
    FAULT_PAUSE,        /* SIGSTOP, SIGCONT */
    FAULT_CUT,          /* two hosts do not reach each other; one way or both */
    FAULT_ISOLATE,      /* a host reaches nobody */
    FAULT_STORE_CUT,    /* a host does not reach the store; one way or both */
    FAULT_MASS_SILENCE, /* most nodes of a pool do not reach the store */
    FAULT_CLOCK_RATE,
    FAULT_CLOCK_JUMP,
    FAULT_STORE_HANG,
    FAULT_STORE_OUTAGE,
    FAULT_STORE_FAILOVER, /* and its last writes are lost */
    FAULT_STORE_EMPTY,
    FAULT_STORE_CLOCK,
    FAULT_WEATHER,  /* slow and lossy */
    FAULT_CLOUD,    /* errors and lost answers */
    FAULT_OPERATOR, /* somebody drains a node, and takes it back */
    FAULT_PEER_CUT, /* two LBs do not reach each other; the store is reached by both */
    FAULT_AIMED,    /* whoever decides something next is killed or stopped just after it */
    FAULT_KINDS
};
extern const char *const fault_words[FAULT_KINDS];

struct instance {
    bool used;
    char id[64], token[65], zone[65];
    enum pool_id pool;
    int64_t launched_us, visible_us;
    bool ending;                /* terminate was accepted */
    bool gone;                  /* the machine is no more */
    int64_t gone_us, hidden_us; /* and is not listed any more */
    struct task task;
    bool running;
    int boots;
    struct sim_event boot, end;
};

struct world {
    struct world_config config;
    struct store_server store;
    struct task lb[LBS_MAX], autoscale[AUTOSCALERS_MAX];
    bool lb_up[LBS_MAX], autoscale_up[AUTOSCALERS_MAX];
    struct sim_event lb_again[LBS_MAX], autoscale_again[AUTOSCALERS_MAX];
    size_t lb_count, autoscale_count;
    struct instance *instances; /* INSTANCES_MAX; never used twice */
    size_t instance_count;
    struct proc cloud;
    double cloud_error, cloud_lost; /* now */
    struct keys keys[WORLD_POOLS];
    const struct pool_settings *pools[WORLD_POOLS];
    int64_t store_trouble_us, weather_trouble_us, clock_trouble_us; /* until then */
    int64_t guarded_us[WORLD_POOLS]; /* so many were silent then that the guard had to hold */
    int64_t accepted_until_us[WORLD_POOLS]; /* people have said until then that the loss is real */
    int64_t cloud_trouble_us;               /* likewise */
    int64_t store_back_us; /* the store took connections again, after it took none; 0: never */
    int64_t faults_from_us, faults_until_us, quiet_from_us, end_us;
    int64_t rest_from_us; /* nobody comes any more */
    bool arrivals_over;
    uint64_t met, failed, placed;
};
extern struct world *world;

/* BERTH_EINVAL with err. NULL path: everything drawn. */
int world_config_draw(struct world_config *config, uint64_t seed, const char *path,
                      struct err *err);
int world_start(const struct world_config *config, struct keyspace_lua *lua, struct err *err);
void world_run(void);
void world_stop(void);

struct instance *world_instance(struct span name);
enum pool_id world_pool_of_key(struct span key);
void world_trouble(struct proc *p, int64_t until_us);
/* Has nothing befallen it for so long? */
bool world_calm(const struct proc *p, int64_t for_us);
bool world_store_calm(int64_t for_us);

/* ---- cloud.c ---- */
void cloud_start(void);
void cloud_stop(void);
void instance_kill(struct instance *in, bool machine);
/* Starts the program again after a while. */
void instance_restart(struct instance *in, int64_t after_us);
size_t cloud_alive(enum pool_id pool); /* not ending, not gone */

/* ---- players.c ---- */
void players_start(void);
void players_stop(void);
size_t players_underway(void);
struct proc *players_proc(void);
const struct player *players_find(struct span id); /* NULL: not underway */
/* The store has just put it into a match. */
void players_matched(struct span id);
/* Admitted sockets of players on a node. */
size_t players_on(const char *node);
/* The oldest player that began after `since_us` and is not where it wants to be; NULL: none. */
const struct player *players_oldest_waiting(int64_t since_us, int64_t *ret_began_us);

/* ---- faults.c ---- */
void faults_start(void);
void faults_stop(void);
bool faults_over(void);
/* This program has just had something carried out that matters. */
void faults_aim(struct span name);

/* ---- operators.c ---- */
void operators_start(void);
void operators_stop(void);
/* The wish of `berth` about a node, or a pool. */
void operators_wish(enum pool_id pool, const char *about, enum want_kind kind, int64_t size,
                    int64_t for_ms);

/* ---- ghosts.c ---- */
void ghosts_start(void);
void ghosts_stop(void);
/* ---- intruders.c, shadow.c ---- */
void intruders_start(void);
void intruders_stop(void);
size_t intruders_on(const struct instance *in);
void shadow_start(void);
void shadow_stop(void);
void shadow_store_replaced(void);

/* ---- judge.c ---- */
void judge_start(void);
void judge_stop(void);
void judge_store_replaced(void);
void judge_launch(struct instance *const *made, size_t count, enum pool_id pool, const char *token,
                  int wanted, size_t before);
/* token: of a launch; id: of an instance to be terminated; NULL otherwise. */
void judge_call(const struct proc *autoscaler, const char *what, enum pool_id pool,
                const char *token, const char *id);
/* judge_match.c: ALL_CONNECTED; `what` was heard of somebody in a room; a match is over; a report.
 */
void judge_matched(const struct player *player, const struct player_event *ev);
void judge_heard(const struct player *player, struct span who, const char *what);
void judge_played(const struct player *player, int64_t played_us, uint64_t events);
void judge_reported(const struct instance *in, int64_t conns);
/* A player is given this ticket; room "" for none. */
void judge_ticket(const char *player, enum pool_id pool, const char *room, const char *node,
                  struct span ticket);
void judge_terminate(const struct instance *in);
void judge_joined(const struct player *player);
void judge_killed(const struct player *player, enum player_socket socket, const char *why);
void judge_end(void);

#endif
