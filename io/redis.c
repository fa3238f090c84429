/* redis.c - finds the primary, keeps a link to it, sends commands where they belong, comes back.
 *
 * io/redis_find.h says where, io/redis_link.h is one connection, io/redis_command.h what is under
 * way. A command ends exactly once, and everything may be destroyed from within any callback. */
#include "io/redis.h"

#include "core/rng.h"
#include "io/redis_find.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BACKOFF_MIN_MS = 100,
    STEADY_MS = 5000, /* up for this long: the next fault begins again at BACKOFF_MIN_MS */
    LOOK_MS = 500,
    QUIET_MS = 900, /* nothing was written for so long: try */
    AGAIN_MS = 20,  /* between two attempts while keys move */
    WHY_MAX = 200,
};

enum phase {
    REDIS_WAITING, /* for the back-off to end */
    REDIS_FINDING,
    REDIS_LINKING,
    REDIS_UP,
    REDIS_MOVING,   /* the slot lives elsewhere: what is under way is awaited, then linked there */
    REDIS_DROPPING, /* at the next turn of the loop */
};

/* Another node of the cluster, asked for keys that went ahead. */
struct aside {
    struct redis *redis;
    struct redis_link *link; /* NULL: none */
    struct wire_redis_place place;
    struct redis_commands queue; /* until it is up */
};

struct redis {
    struct loop *loop;
    struct log *log;
    struct redis_config *config;
    const struct redis_script *scripts;
    struct redis_events events;
    struct resolver *resolver;
    struct secure_context *secure;
    const struct redis_finder *finder;
    void *find;
    enum phase phase;
    struct redis_link *link;       /* LINKING, UP, MOVING, DROPPING */
    struct wire_redis_place place; /* where it leads; port 0: nowhere yet */
    bool directed;                 /* the next link goes to `place`, without a search */
    struct aside aside;
    struct redis_commands held;  /* MOVING: for the new link */
    struct redis_commands again; /* TRYAGAIN */
    size_t pending;              /* all accepted commands without an end */
    bool told_up;
    struct timer timer; /* of the phase */
    struct timer again_timer;
    struct timer look_timer;   /* while told up: may it be written, is it the primary? */
    bool writing, asking_role; /* such questions are out */
    mono_ms_t written_at, role_at;
    unsigned attempts; /* since it was last steady */
    mono_ms_t up_since;
    struct rng rng;
    unsigned busy;      /* callbacks on the stack */
    bool dead;          /* destroyed, freed when the last callback has returned */
    char why[WHY_MAX];  /* of DROPPING */
    char last[WHY_MAX]; /* of the last end */
};

static void drop(struct redis *r, const char *why, bool at_once);

/* ---- memory and life ---- */

static void free_all(struct redis *r)
{
    redis_commands_free(&r->held);
    redis_commands_free(&r->again);
    redis_commands_free(&r->aside.queue);
    if (r->finder)
        r->finder->destroy(r->find);
    resolver_destroy(r->resolver);
    secure_context_free(r->secure);
    free(r->config);
    free(r);
}

static void enter(struct redis *r)
{
    r->busy++;
}

static void leave(struct redis *r)
{
    if (--r->busy == 0 && r->dead)
        free_all(r);
}

static void finish(struct redis *r, struct redis_command *c, int code, const struct resp *reply)
{
    redis_command_fn *fn = c->fn;
    void *arg = c->arg;
    r->pending--;
    free(c);
    if (fn)
        fn(arg, code, reply);
}

/* ---- commands in ---- */

static int submit(struct redis *r, struct redis_command *c, int64_t block_ms, redis_reply_fn *fn,
                  void *arg)
{
    if (!c)
        return BERTH_EAGAIN;
    c->fn = fn;
    c->arg = arg;
    c->block_ms = block_ms;
    c->deadline = mono_add(loop_now(r->loop), r->config->command_timeout_ms + block_ms);
    if (r->phase == REDIS_UP && !redis_link_send(r->link, c)) {
        free(c);
        return BERTH_EAGAIN;
    }
    if (r->phase != REDIS_UP)
        redis_commands_add(&r->held, c);
    r->pending++;
    return 0;
}

static bool takes(const struct redis *r)
{
    return redis_is_up(r) && r->pending < r->config->pending_max;
}

int redis_command(struct redis *r, const struct span *argv, size_t argc, int64_t block_ms,
                  redis_reply_fn *fn, void *arg)
{
    assert(argc > 0 && block_ms >= 0);
    return takes(r) ? submit(r, redis_command_new(argv, argc), block_ms, fn, arg) : BERTH_EAGAIN;
}

int redis_eval(struct redis *r, size_t script, const struct span *keys, size_t nkeys,
               const struct span *argv, size_t argc, redis_reply_fn *fn, void *arg)
{
    return takes(r) ? submit(r, redis_command_script(script, keys, nkeys, argv, argc), 0, fn, arg)
                    : BERTH_EAGAIN;
}

/* ---- the end of a connection ---- */

/* Ends every command. The connection is closed already, so nothing new can be accepted meanwhile.
 */
static void fail_all(struct redis *r, struct redis_commands *all)
{
    mono_ms_t now = loop_now(r->loop);
    struct redis_command *c;
    while ((c = redis_commands_take(all)) != NULL)
        finish(r, c, mono_before(now, c->deadline) ? BERTH_ECLOSED : BERTH_ETIMEOUT, NULL);
}

static void close_aside(struct redis *r, struct redis_commands *to)
{
    if (r->aside.link)
        redis_link_take(r->aside.link, to);
    redis_link_destroy(r->aside.link);
    r->aside.link = NULL;
    redis_commands_move(to, &r->aside.queue);
}

static void close_all(struct redis *r, struct redis_commands *to)
{
    timer_stop(&r->timer);
    timer_stop(&r->again_timer);
    timer_stop(&r->look_timer);
    r->finder->stop(r->find);
    if (r->link)
        redis_link_take(r->link, to);
    redis_link_destroy(r->link);
    r->link = NULL;
    redis_commands_move(to, &r->held);
    redis_commands_move(to, &r->again);
    close_aside(r, to);
    r->writing = r->asking_role = false;
}

static void wait_and_retry(struct redis *r, bool at_once)
{
    int64_t limit = BACKOFF_MIN_MS, most = r->finder->backoff_max_ms;
    for (unsigned i = 0; i < r->attempts && limit < most; i++)
        limit *= 2;
    if (limit > most)
        limit = most;
    r->attempts++;
    /* Half fixed, half random: a thousand nodes must not come back at the same instant. */
    int64_t delay = limit / 2 + (int64_t)rng_below(&r->rng, (uint64_t)(limit / 2 + 1));
    r->phase = REDIS_WAITING;
    timer_start(&r->timer, at_once ? 0 : delay, 0);
}

static void drop(struct redis *r, const char *why, bool at_once)
{
    struct redis_commands all = {NULL, NULL, 0};
    char text[WHY_MAX];
    (void)snprintf(text, sizeof text, "%s", why); /* why may live in what is closed now */
    bool was_up = r->told_up;
    if (was_up && mono_sub(loop_now(r->loop), r->up_since) >= STEADY_MS)
        r->attempts = 0;
    r->told_up = false;
    (void)snprintf(r->last, sizeof r->last, "%s", text);
    close_all(r, &all);
    wait_and_retry(r, at_once);
    log_warn(r->log, was_up ? "redis_down" : "redis_connect_failed", "host=%s port=%d why=%s",
             r->place.port || r->place.host[0] ? r->place.host : "-", r->place.port, text);
    enter(r);
    fail_all(r, &all);
    if (was_up && !r->dead && r->events.down)
        r->events.down(r->events.arg, text);
    leave(r);
}

/* The same at the next turn of the loop: whoever is on the stack goes on with what there is. */
static void drop_soon(struct redis *r, const char *why)
{
    if (r->dead || !r->told_up || r->phase == REDIS_DROPPING)
        return;
    (void)snprintf(r->why, sizeof r->why, "%s", why);
    r->phase = REDIS_DROPPING;
    timer_start(&r->timer, 0, 0);
}

void redis_reconnect(struct redis *r, const char *why)
{
    drop_soon(r, why);
}

/* ---- cluster: keys that are elsewhere ---- */

static void link_to(struct redis *r);

/* Everything under way on the old link has its answer: go. */
static void move_on(struct redis *r)
{
    if (r->phase != REDIS_MOVING || redis_link_pending(r->link))
        return;
    redis_link_destroy(r->link);
    r->link = NULL;
    log_info(r->log, "redis_moved", "host=%s port=%d", r->place.host, r->place.port);
    link_to(r);
}

static void moved(struct redis *r, struct redis_command *c, const struct wire_redis_place *place)
{
    redis_commands_add(&r->held, c);
    if (r->phase != REDIS_UP)
        return;
    r->place.port = place->port;
    if (place->host[0])
        r->place = *place;
    if (r->config->reader || c->block_ms) {
        r->directed = true;
        (void)snprintf(r->why, sizeof r->why, "the slot has moved");
        r->phase = REDIS_DROPPING;
        timer_start(&r->timer, 0, 0);
        return;
    }
    r->phase = REDIS_MOVING;
    timer_start(&r->timer, r->config->command_timeout_ms, 0);
}

static void answered(void *arg, struct redis_command *c, const struct resp *reply);

static void on_aside_up(void *arg)
{
    struct redis *r = ((struct aside *)arg)->redis;
    struct redis_commands all = {NULL, NULL, 0};
    struct redis_command *c;
    redis_commands_move(&all, &r->aside.queue);
    enter(r);
    while ((c = redis_commands_take(&all)) != NULL)
        if (r->dead || !r->aside.link || !redis_link_send_asking(r->aside.link, c))
            finish(r, c, BERTH_ECLOSED, NULL);
    leave(r);
}

static void on_aside_answer(void *arg, struct redis_command *c, const struct resp *reply)
{
    struct redis *r = ((struct aside *)arg)->redis;
    answered(r, c, reply);
}

static void on_aside_ended(void *arg, const char *why)
{
    struct redis *r = ((struct aside *)arg)->redis;
    struct redis_commands all = {NULL, NULL, 0};
    close_aside(r, &all);
    enter(r);
    fail_all(r, &all);
    leave(r);
}

static void open_aside(struct redis *r, const struct wire_redis_place *place)
{
    const struct redis_link_events events = {
        .up = on_aside_up, .answer = on_aside_answer, .ended = on_aside_ended, .arg = &r->aside};
    const struct redis_link_config config = {.loop = r->loop,
                                             .resolver = r->resolver,
                                             .secure = r->secure,
                                             .redis = r->config,
                                             .scripts = r->scripts,
                                             .kind = REDIS_LINK_ASIDE,
                                             .place = *place,
                                             .limit_ms = r->config->connect_timeout_ms};
    r->aside.place = *place;
    r->aside.link = redis_link_create(&config, &events);
}

static void ask_again(struct redis *r, struct redis_command *c)
{
    redis_commands_add(&r->again, c);
    if (!timer_active(&r->again_timer))
        timer_start(&r->again_timer, AGAIN_MS, 0);
}

/* The key has gone ahead: ask there, this once. */
static void ask_aside(struct redis *r, struct redis_command *c, const struct wire_redis_place *to)
{
    struct wire_redis_place place = *to;
    if (!place.host[0])
        memcpy(place.host, r->place.host, sizeof place.host);
    if (redis_command_mid_scan(c)) { /* its cursor means nothing there */
        ask_again(r, c);
        drop_soon(r, "keys moved during a scan");
        return;
    }
    bool other = r->aside.link && !wire_redis_place_eq(&r->aside.place, &place);
    if (other && !redis_link_pending(r->aside.link) && !r->aside.queue.count) {
        redis_link_destroy(r->aside.link);
        r->aside.link = NULL;
        other = false;
    }
    if (other) {
        ask_again(r, c);
        return;
    }
    if (!r->aside.link)
        open_aside(r, &place);
    if (!r->aside.link ||
        (redis_link_is_up(r->aside.link) && !redis_link_send_asking(r->aside.link, c)))
        ask_again(r, c);
    else if (!redis_link_is_up(r->aside.link))
        redis_commands_add(&r->aside.queue, c);
}

static void on_again(void *arg)
{
    struct redis *r = arg;
    struct redis_commands all = {NULL, NULL, 0};
    struct redis_command *c;
    redis_commands_move(&all, &r->again);
    enter(r);
    while ((c = redis_commands_take(&all)) != NULL) {
        if (r->dead || !mono_before(loop_now(r->loop), c->deadline))
            finish(r, c, r->dead ? BERTH_ECLOSED : BERTH_ETIMEOUT, NULL);
        else if (r->phase != REDIS_UP)
            redis_commands_add(&r->held, c);
        else if (!redis_link_send(r->link, c))
            finish(r, c, BERTH_ECLOSED, NULL);
    }
    leave(r);
}

/* ---- answers ---- */

static void answered(void *arg, struct redis_command *c, const struct resp *reply)
{
    struct redis *r = arg;
    struct wire_redis_place place = {.port = 0};
    enum wire_redis_verdict verdict = wire_redis_verdict(reply, &place);
    bool cluster = r->config->cluster.count > 0;
    enter(r);
    if (verdict == WIRE_REDIS_NO_SCRIPT && c->script != REDIS_NO_SCRIPT && !c->whole && r->link) {
        c->whole = true;
        if (r->phase != REDIS_UP)
            redis_commands_add(&r->held, c);
        else if (!redis_link_send(r->link, c))
            finish(r, c, 0, reply);
    } else if (cluster && verdict == WIRE_REDIS_MOVED) {
        moved(r, c, &place);
    } else if (cluster && verdict == WIRE_REDIS_ASK) {
        ask_aside(r, c, &place);
    } else if (cluster && verdict == WIRE_REDIS_AGAIN) {
        ask_again(r, c);
    } else {
        if (reply->type != RESP_ERROR && c->script != REDIS_NO_SCRIPT)
            r->written_at = loop_now(r->loop);
        char why[WHY_MAX];
        (void)snprintf(why, sizeof why, "%.*s",
                       reply->type == RESP_ERROR ? (int)reply->text.len : 0,
                       reply->type == RESP_ERROR ? reply->text.ptr : "");
        finish(r, c, 0, reply);
        if (verdict == WIRE_REDIS_LOST)
            drop_soon(r, why);
    }
    if (!r->dead)
        move_on(r);
    leave(r);
}

/* ---- is it still a primary that can write? ---- */

static void on_written(void *arg, int code, const struct resp *reply)
{
    struct redis *r = arg;
    r->writing = false;
    if (code == 0 && reply->type != RESP_ERROR) {
        r->written_at = loop_now(r->loop);
    } else if (code == 0) {
        char why[WHY_MAX];
        (void)snprintf(why, sizeof why, "%.*s", SPAN_ARG(reply->text));
        drop_soon(r, why);
    }
}

static void on_role(void *arg, int code, const struct resp *reply)
{
    struct redis *r = arg;
    struct wire_redis_place primary;
    char why[WHY_MAX];
    r->asking_role = false;
    if (code != 0 || wire_redis_role(reply, &primary) != WIRE_REDIS_REPLICA)
        return;
    (void)snprintf(why, sizeof why, "it is a replica of %.100s:%d now", primary.host, primary.port);
    drop_soon(r, why);
}

static void on_look(void *arg)
{
    struct redis *r = arg;
    mono_ms_t now = loop_now(r->loop);
    struct span write[] = {SPAN("SET"), span_of(r->config->pool_key), SPAN("1"), SPAN("PX"),
                           SPAN("10000")};
    struct span role[] = {SPAN("ROLE")};
    if (r->phase != REDIS_UP)
        return;
    if (r->config->pool_key && !r->config->reader && !r->writing &&
        mono_sub(now, r->written_at) >= QUIET_MS)
        r->writing = submit(r, redis_command_new(write, 5), 0, on_written, r) == 0;
    if (!r->asking_role && mono_sub(now, r->role_at) >= r->config->check_interval_ms) {
        r->role_at = now;
        r->asking_role = submit(r, redis_command_new(role, 1), 0, on_role, r) == 0;
    }
}

/* ---- connecting ---- */

static void on_link_up(void *arg)
{
    struct redis *r = arg;
    struct redis_commands held = {NULL, NULL, 0};
    struct redis_command *c;
    bool tell = !r->told_up;
    timer_stop(&r->timer);
    r->phase = REDIS_UP;
    r->told_up = true;
    r->written_at = loop_now(r->loop);
    if (tell) {
        r->up_since = r->role_at = r->written_at;
        timer_start(&r->look_timer, LOOK_MS, LOOK_MS);
        log_info(r->log, "redis_up", "host=%s port=%d", r->place.host, r->place.port);
    }
    r->finder->follow(r->find, redis_link_address(r->link));
    enter(r);
    redis_commands_move(&held, &r->held);
    while ((c = redis_commands_take(&held)) != NULL)
        if (r->dead || r->phase != REDIS_UP || !redis_link_send(r->link, c))
            finish(r, c, BERTH_ECLOSED, NULL);
    if (tell && !r->dead && r->events.up)
        r->events.up(r->events.arg);
    leave(r);
}

static void on_link_ended(void *arg, const char *why)
{
    struct redis *r = arg;
    const struct resp error = {.type = RESP_ERROR, .text = span_of(why)};
    struct wire_redis_place place;
    enter(r);
    /* Greeted with MOVED: whoever was asked did not know better yet. */
    if (r->phase == REDIS_LINKING && r->config->cluster.count && r->attempts < 3 &&
        wire_redis_verdict(&error, &place) == WIRE_REDIS_MOVED && place.host[0]) {
        drop(r, why, true);
        if (!r->dead) {
            r->place = place;
            r->directed = true;
        }
    } else {
        drop(r, why, false);
    }
    leave(r);
}

static void link_to(struct redis *r)
{
    const struct redis_link_events events = {
        .up = on_link_up, .answer = answered, .ended = on_link_ended, .arg = r};
    const struct redis_link_config config = {.loop = r->loop,
                                             .resolver = r->resolver,
                                             .secure = r->secure,
                                             .redis = r->config,
                                             .scripts = r->scripts,
                                             .kind = REDIS_LINK_DATA,
                                             .place = r->place,
                                             .attempt = r->attempts,
                                             .limit_ms = r->config->connect_timeout_ms};
    r->phase = REDIS_LINKING;
    r->directed = false;
    r->link = redis_link_create(&config, &events);
    if (!r->link)
        drop(r, "out of memory", false);
}

static void on_found(void *arg, const struct wire_redis_place *place)
{
    struct redis *r = arg;
    enter(r);
    r->place = *place;
    link_to(r);
    if (r->phase == REDIS_LINKING)
        r->finder->follow(r->find, "");
    leave(r);
}

static void on_not_found(void *arg, const char *why)
{
    struct redis *r = arg;
    enter(r);
    drop(r, why, false);
    leave(r);
}

static void on_other(void *arg, const char *why)
{
    struct redis *r = arg;
    enter(r);
    drop(r, why, true);
    leave(r);
}

static void on_timer(void *arg)
{
    struct redis *r = arg;
    enter(r);
    if (r->phase == REDIS_WAITING && r->directed) {
        link_to(r);
    } else if (r->phase == REDIS_WAITING) {
        r->phase = REDIS_FINDING;
        r->finder->start(r->find);
    } else if (r->phase == REDIS_DROPPING) {
        drop(r, r->why, r->directed);
    } else if (r->phase == REDIS_MOVING) {
        drop(r, "the slot has moved, and the old node keeps silent", false);
    }
    leave(r);
}

/* ---- create and destroy ---- */

struct redis *redis_create(struct loop *loop, struct log *log, const struct redis_config *config,
                           const struct redis_script *scripts, const struct redis_events *events,
                           struct err *err)
{
    struct redis *r = calloc(1, sizeof *r);
    if (!r) {
        (void)err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    r->config = redis_config_copy(config, err);
    char servers[512];
    bool ok = r->config && (r->resolver = resolver_create(loop, err)) != NULL;
    if (ok && redis_config_servers(r->config, servers, sizeof servers)[0])
        ok = resolver_use_servers(r->resolver, servers, err) == 0;
    if (ok && r->config->tls)
        ok = (r->secure = secure_client(r->config->ca, r->config->cert, r->config->key, err)) !=
             NULL;
    if (ok) {
        const struct redis_find_config find = {.loop = loop,
                                               .log = log,
                                               .resolver = r->resolver,
                                               .secure = r->secure,
                                               .redis = r->config,
                                               .seed = (uint64_t)loop_wall_us() ^
                                                       ((uint64_t)getpid() << 40)};
        const struct redis_find_events found = {on_found, on_not_found, on_other, r};
        r->finder = r->config->cluster.count     ? &redis_cluster
                    : r->config->sentinels.count ? &redis_sentinel
                                                 : &redis_host;
        rng_seed(&r->rng, find.seed);
        r->find = r->finder->create(&find, &found, err);
        ok = r->find != NULL;
    }
    if (!ok) {
        free_all(r);
        return NULL;
    }
    r->loop = loop;
    r->log = log;
    r->scripts = scripts;
    if (events)
        r->events = *events;
    r->aside.redis = r;
    timer_init(&r->timer, loop, on_timer, r);
    timer_init(&r->again_timer, loop, on_again, r);
    timer_init(&r->look_timer, loop, on_look, r);
    r->phase = REDIS_WAITING;
    timer_start(&r->timer, 0, 0); /* never from within this call */
    return r;
}

void redis_destroy(struct redis *r)
{
    struct redis_commands all = {NULL, NULL, 0};
    if (!r || r->dead)
        return;
    enter(r);
    r->dead = true;
    r->phase = REDIS_WAITING;
    close_all(r, &all);
    struct redis_command *c;
    while ((c = redis_commands_take(&all)) != NULL)
        finish(r, c, BERTH_ECLOSED, NULL);
    leave(r);
}

bool redis_is_up(const struct redis *r)
{
    return r->told_up && r->phase != REDIS_DROPPING && !r->dead;
}

const char *redis_why(const struct redis *r)
{
    return r->last;
}

const char *redis_address(const struct redis *r, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s:%d", r->place.host[0] ? r->place.host : "-", r->place.port);
    return buf;
}
