/* programs.h - the real programs as processes of the world: their own stages, opened and closed in
 * order, above the simulated edges.
 *
 * prog_*.c each include the main.c of a program. Started from settings instead of a file, stopped
 * by SIGTERM as boot does it, or killed. */
#ifndef BERTH_SIM_PROGRAMS_H
#define BERTH_SIM_PROGRAMS_H

#include "io/boot.h"
#include "lb/lb.h"
#include "lb/place.h"
#include "settings/settings.h"
#include "tests/sim/kernel.h"

struct program {
    const char *name;
    size_t size;
    void (*init)(void *app, int argc, char **argv);
    const struct boot_stage *stages;
};

extern const struct program program_lb, program_autoscale, program_gamenode, program_lobbynode;

struct flag {
    const char *name, *value;
};
enum { FLAGS_MAX = 8, STAGES_MAX = 16 };

/* A running program. */
struct task {
    struct proc proc;
    const struct program *program;
    void *app;
    size_t opened; /* stages */
    char words[FLAGS_MAX * 2 + 1][64];
    char *argv[FLAGS_MAX * 2 + 2];
    int argc;
    int exit_code;
    int64_t started_us;
    void (*on_end)(void *arg); /* it has exited by itself */
    void *end_arg;
};

/* What every program's configuration is copied from, with these flags put over it. Parsed once. */
int programs_configure(const char *yaml, struct err *err);
void programs_unconfigure(void);
const struct settings *programs_settings(void);

/* Start `program` in a process of this name. False: a stage failed, and it is over again. */
bool task_start(struct task *t, const char *proc_name, const struct program *program,
                const struct flag *flags, size_t flag_count);
void task_term(struct task *t);
/* kill -9; silently: with its machine. */
void task_kill(struct task *t, bool silently);

/* ---- looking into them ---- */

struct lb *prog_lb_core(void *app);
bool prog_lb_peer_up(void *app, size_t peer);
/* The autoscaler of one of its pools. */
struct scaler_facts {
    const char *pool;
    bool leading, halted;
    int desired;
};
size_t prog_autoscale_pools(void *app);
void prog_autoscale_facts(void *app, size_t i, struct scaler_facts *ret_facts);
/* Does it hold the lease, as far as it knows, at this time of its clock? */
bool prog_autoscale_may_act(void *app, size_t i, mono_ms_t now);
/* Players that a node holds at this instant. */
uint32_t prog_node_conns(void *app);
const char *prog_node_endpoint(void *app);
/* Is this player in a seat of this room here? */
bool prog_game_has(void *app, const char *room, const char *player);

#endif
