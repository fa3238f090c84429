/* ghosts.c - requests that come too late or are wrong: of those who held a lease once and do no
 * more, of a process before the present one, about a node's former life, for what no state may
 * become, from a second process of a name. The store must refuse every one of them; the judge, who
 * sees them like all others, says so if it does not. */
#include "tests/sim/judge.h"
#include "tests/sim/world.h"

#include <inttypes.h>

enum { EVERY_MIN_MS = 700, EVERY_MAX_MS = 1500, FIRST_US = 6000000 };

static struct {
    struct rng rng;
    struct sim_event next;
    char seen[WORLD_POOLS][2][2][CALL_HOLDER_MAX]; /* by pool and role: the last two holders */
} all;

static void ask(const struct store_call *call)
{
    struct reply *reply = reply_new();
    store_server_eval(&world->store, call, reply);
    reply_free(reply);
}

/* A holder that is not the present one. False: there was none yet. */
static bool pick_holder(enum pool_id pool, bool leader, char ret[CALL_HOLDER_MAX])
{
    char(*seen)[CALL_HOLDER_MAX] = all.seen[pool][leader ? 1 : 0];
    char name[64];
    int64_t epoch, token;
    struct span present = keyspace_string(
        world->store.ks, keys_get(&world->keys[pool], leader ? KEY_LEADER : KEY_OWNER));
    if (present.ptr != NULL && !span_is(present, seen[0])) {
        memcpy(seen[1], seen[0], sizeof seen[1]);
        (void)span_copy(present, seen[0], sizeof seen[0]);
    }
    const char *former = present.ptr == NULL ? seen[0] : seen[1];
    if (present.ptr == NULL || (seen[1][0] && chance(&all.rng, 0.4))) {
        (void)snprintf(ret, CALL_HOLDER_MAX, "%s", former);
        return former[0] != '\0';
    }
    if (sscanf(seen[0], "%63s %" SCNd64 " %" SCNd64, name, &epoch, &token) != 3)
        return false;
    if (chance(&all.rng, 0.5))
        calls_holder(name, epoch, token - 1, ret); /* it lost the lease, and has it again */
    else
        calls_holder(name, epoch - 1, token, ret); /* the process before it */
    return true;
}

static const struct book_node *pick_node(enum pool_id pool)
{
    size_t from = (size_t)rng_below(&all.rng, book_count() + 1);
    for (size_t i = 0; i < book_count(); i++) {
        const struct book_node *n = book_at((from + i) % book_count());
        if (n->pool == pool && n->known)
            return n;
    }
    return NULL;
}

/* ---- what they ask ---- */

static int late_move(struct store_call *call, enum pool_id pool, bool leader, const char *holder,
                     struct err *err)
{
    static const enum node_state to[] = {
        [NODE_JOINING] = NODE_LOST,     [NODE_READY] = NODE_LOST,
        [NODE_HELD] = NODE_LOST,        [NODE_DRAINING] = NODE_CLOSING,
        [NODE_CLOSING] = NODE_DRAINED,  [NODE_DRAINED] = NODE_JOINING,
        [NODE_TERMINATING] = NODE_GONE, [NODE_LOST] = NODE_JOINING,
        [NODE_GONE] = NODE_GONE,
    };
    const struct book_node *n = pick_node(pool);
    if (n == NULL)
        return BERTH_ENOENT;
    enum node_state goal = to[n->state];
    if (leader && n->state == NODE_DRAINED)
        goal = NODE_TERMINATING;
    if (leader && n->state == NODE_LOST)
        goal = NODE_GONE;
    const struct call_move req = {.role = leader ? MOVE_LEADER : MOVE_OWNER,
                                  .holder = holder,
                                  .node = n->name,
                                  .node_epoch = n->epoch,
                                  .from = n->state,
                                  .to = goal,
                                  .why = "late",
                                  .feed_max = 1000};
    return calls_move(call, &world->keys[pool], &req, err);
}

static int late_want(struct store_call *call, enum pool_id pool, const char *holder,
                     struct err *err)
{
    const struct book_node *n = pick_node(pool);
    if (n == NULL)
        return BERTH_ENOENT;
    const struct call_want req = {.node = n->name,
                                  .who = WANT_BY_AUTOSCALE,
                                  .holder = holder,
                                  .kind = n->wanted_out ? WANT_NONE : WANT_DRAINING,
                                  .why = "late",
                                  .feed_max = 1000};
    return calls_want(call, &world->keys[pool], &req, err);
}

static int late_plan(struct store_call *call, enum pool_id pool, const char *holder,
                     struct err *err)
{
    const struct call_plan_change change = {SPAN("late"), SPAN("op=late")};
    const struct call_plan req = {
        .holder = holder, .changes = &change, .change_count = 1, .fields_max = 64};
    return calls_plan(call, &world->keys[pool], &req, err);
}

static int late_sweep(struct store_call *call, enum pool_id pool, const char *holder,
                      struct err *err)
{
    const struct pool_settings *s = world->pools[pool];
    const struct call_sweep req = {.holder = holder,
                                   .lost_after_ms = s->lost_after_ms,
                                   .forget_after_ms = s->forget_after_ms,
                                   .guard_percent = s->guard_percent,
                                   .limit = 100,
                                   .feed_max = 1000};
    return calls_sweep(call, &world->keys[pool], &req, err);
}

static int late_lease(struct store_call *call, enum pool_id pool, bool leader, const char *holder,
                      struct err *err)
{
    char name[64];
    struct call_lease req = {.role = leader ? MOVE_LEADER : MOVE_OWNER,
                             .op = chance(&all.rng, 0.5) ? LEASE_OP_RENEW : LEASE_OP_RELEASE,
                             .name = name,
                             .ttl_ms = 1000};
    if (sscanf(holder, "%63s %" SCNd64 " %" SCNd64, name, &req.epoch, &req.token) != 3)
        return BERTH_ENOENT;
    return calls_lease(call, &world->keys[pool], &req, err);
}

/* The present holder, about a node's former life, or for what may not be. */
static int wrong_move(struct store_call *call, enum pool_id pool, bool leader, struct err *err)
{
    static const enum node_state never[2][NODE_STATES] = {
        {[NODE_JOINING] = NODE_DRAINED,
         [NODE_READY] = NODE_DRAINED,
         [NODE_HELD] = NODE_READY,
         [NODE_DRAINING] = NODE_READY,
         [NODE_CLOSING] = NODE_READY,
         [NODE_DRAINED] = NODE_TERMINATING,
         [NODE_TERMINATING] = NODE_JOINING,
         [NODE_LOST] = NODE_READY,
         [NODE_GONE] = NODE_JOINING},
        {[NODE_JOINING] = NODE_READY,
         [NODE_READY] = NODE_DRAINING,
         [NODE_HELD] = NODE_TERMINATING,
         [NODE_DRAINING] = NODE_TERMINATING,
         [NODE_CLOSING] = NODE_TERMINATING,
         [NODE_DRAINED] = NODE_GONE,
         [NODE_TERMINATING] = NODE_JOINING,
         [NODE_LOST] = NODE_TERMINATING,
         [NODE_GONE] = NODE_JOINING},
    };
    char holder[CALL_HOLDER_MAX];
    const struct book_node *n = pick_node(pool);
    struct span present = keyspace_string(
        world->store.ks, keys_get(&world->keys[pool], leader ? KEY_LEADER : KEY_OWNER));
    if (n == NULL || !span_copy(present, holder, sizeof holder))
        return BERTH_ENOENT;
    bool former = !leader && n->state == NODE_READY && chance(&all.rng, 0.5);
    const struct call_move req = {.role = leader ? MOVE_LEADER : MOVE_OWNER,
                                  .holder = holder,
                                  .node = n->name,
                                  .node_epoch = former ? n->epoch - 1 : n->epoch,
                                  .from = n->state,
                                  .to = former ? NODE_LOST : never[leader][n->state],
                                  .why = "wrong",
                                  .feed_max = 1000};
    return calls_move(call, &world->keys[pool], &req, err);
}

/* Another process of the holder's name asks for its lease, which is live. */
static int second_lease(struct store_call *call, enum pool_id pool, bool leader, struct err *err)
{
    char name[64], holder[CALL_HOLDER_MAX];
    struct call_lease req = {.role = leader ? MOVE_LEADER : MOVE_OWNER,
                             .op = LEASE_OP_ACQUIRE,
                             .name = name,
                             .ttl_ms = 1000};
    struct span present = keyspace_string(
        world->store.ks, keys_get(&world->keys[pool], leader ? KEY_LEADER : KEY_OWNER));
    if (!span_copy(present, holder, sizeof holder) ||
        sscanf(holder, "%63s %" SCNd64, name, &req.epoch) != 2)
        return BERTH_ENOENT;
    req.epoch += chance(&all.rng, 0.5) ? 1 : -1;
    return calls_lease(call, &world->keys[pool], &req, err);
}

/* Another process of a live node's name joins, or the one before it still reports. */
static int second_node(struct store_call *call, enum pool_id pool, struct err *err)
{
    const struct book_node *n = pick_node(pool);
    if (n == NULL || n->reported_us < sim->now_us - SIM_S)
        return BERTH_ENOENT;
    if (chance(&all.rng, 0.5)) {
        const struct call_report req = {
            .node = n->name,
            .epoch = n->epoch - 1,
            .seq = 1000000,
            .record = SPAN("v=1 epoch=1 seq=1000000 conns=0 hs=0 cap=10 rooms=0 adm=- closed=0 "
                           "drain=0 pid=1"),
            .feed_max = 1000};
        return calls_report(call, &world->keys[pool], &req, err);
    }
    const struct call_join req = {.node = n->name,
                                  .nonce = "gggggggggggggggggggggggg",
                                  .info = SPAN("{\"endpoint\":\"ws://127.0.0.1:1/ws\","
                                               "\"capacity\":10}"),
                                  .contract = 1,
                                  .lost_after_ms = world->pools[pool]->lost_after_ms,
                                  .feed_max = 1000};
    return calls_join(call, &world->keys[pool], &req, err);
}

static int ask_wrongly(struct store_call *call, enum pool_id pool, bool leader, struct err *err)
{
    uint64_t what = rng_below(&all.rng, 3);
    return what == 0   ? wrong_move(call, pool, leader, err)
           : what == 1 ? second_lease(call, pool, leader, err)
                       : second_node(call, pool, err);
}

static void haunt(void *arg)
{
    struct store_call call;
    struct err err = {0};
    char holder[CALL_HOLDER_MAX];
    enum pool_id pool = (enum pool_id)rng_below(&all.rng, WORLD_POOLS);
    bool leader = chance(&all.rng, 0.5);
    uint64_t what = rng_below(&all.rng, 3);
    sim_after(&all.next, draw(&all.rng, EVERY_MIN_MS, EVERY_MAX_MS) * SIM_MS, haunt, NULL);
    keyspace_set_time(world->store.ks, store_server_now_us(&world->store));
    if (!world->store.open)
        return;
    if (ask_wrongly(&call, pool, leader, &err) == 0)
        ask(&call);
    if (!pick_holder(pool, leader, holder))
        return;
    int code = what == 0               ? late_lease(&call, pool, leader, holder, &err)
               : what == 1             ? late_move(&call, pool, leader, holder, &err)
               : !leader               ? late_sweep(&call, pool, holder, &err)
               : chance(&all.rng, 0.5) ? late_plan(&call, pool, holder, &err)
                                       : late_want(&call, pool, holder, &err);
    if (code == 0)
        ask(&call);
}

void ghosts_start(void)
{
    memset(&all, 0, sizeof all);
    rng_seed(&all.rng, sim->seed ^ 0x67686f73747300);
    sim_after(&all.next, FIRST_US, haunt, NULL);
}

void ghosts_stop(void)
{
    sim_cancel(&all.next);
}
