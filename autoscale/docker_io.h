/* docker_io.h - the provider docker in two parts: the line of operations (provider_docker.c) and
 * what is said to the engine for one of them (docker_talk_io.c). */
#ifndef BERTH_AUTOSCALE_DOCKER_IO_H
#define BERTH_AUTOSCALE_DOCKER_IO_H

#include "autoscale/docker_json.h"
#include "autoscale/launches.h"
#include "autoscale/provider.h"

#define DOCKER_LISTED_MAX 4096

enum docker_op_kind { DOCKER_OP_LAUNCH, DOCKER_OP_TERMINATE, DOCKER_OP_LIST, DOCKER_OP_REMOVE };
enum docker_op_step {
    DOCKER_STEP_VERSION,
    DOCKER_STEP_CREATE,
    DOCKER_STEP_PULL,
    DOCKER_STEP_START,
    DOCKER_STEP_STOP,
    DOCKER_STEP_REMOVE,
    DOCKER_STEP_LIST
};

struct docker_op {
    struct docker *docker;
    enum docker_op_kind kind;
    enum docker_op_step step;
    const struct docker_pool_settings *pool;
    char name[NAME_SIZE]; /* token or id */
    char ids[LAUNCH_INSTANCES_MAX][NAME_SIZE];
    int count, made; /* LAUNCH; the one being made is number made + 1 */
    bool pulled, started;
    uint64_t number; /* of the order in which they were asked */
    mono_ms_t at;
    struct fetch *fetch;
    union {
        provider_launched_fn *launched;
        provider_done_fn *done;
        provider_listed_fn *listed;
    } fn; /* REMOVE: none */
    void *arg;
    struct docker_op *next;
};

struct docker {
    struct provider_env env;
    const struct docker_settings *settings;
    struct docker_op *ops; /* oldest first */
    size_t running;
    uint64_t number;
    int api; /* the x of v1.x; 0: not agreed upon */
    struct timer turn;
    mono_ms_t asked_at; /* of the oldest that no turn has seen; 0: none */
    struct docker_listed found[DOCKER_LISTED_MAX];
    struct fleet_listed listed[DOCKER_LISTED_MAX];
};

/* ---- the line (provider_docker.c) ---- */

/* Its end, and that of those that asked for the same while it was under way: op is gone. */
void docker_op_finish(struct docker_op *op, enum scale_outcome outcome, const char *error,
                      const struct fleet_listed *items, size_t count);
/* The end of a launch with what it has made; op is gone. */
void docker_op_finish_launch(struct docker_op *op, enum scale_outcome outcome, const char *error);
/* It came to nothing, or a launch to what it has made; op is gone. */
void docker_op_fail(struct docker_op *op, enum scale_outcome outcome, const char *error);
/* A container that ended by itself is to be removed. False: that is under way, or no memory. */
bool docker_remove_over(struct docker *docker, const struct docker_pool_settings *pool,
                        const char *id);

/* ---- what is said (docker_talk_io.c) ---- */

/* The first step, or the agreement on the API's version before it. Ends in one of the above. */
void docker_talk(struct docker_op *op);

#endif
