/* redis.c - finds the primary, keeps a link to it, sends commands where they belong, comes back.
 *
 * io/redis_find.h says where, io/redis_link.h is one connection, io/redis_command.h what is under
 * way. A command ends exactly once, and everything may be destroyed from within any callback. */
#include "io/redis_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BACKOFF_MIN_MS = 100,
    STEADY_MS = 5000, /* up for this long: the next fault begins again at BACKOFF_MIN_MS */
    LOOK_MS = 500,
    QUIET_MS = 900, /* nothing was written for so long: try */
};

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

void redis_enter(struct redis *r)
{
    r->busy++;
}

void redis_leave(struct redis *r)
{
    if (--r->busy == 0 && r->dead)
        free_all(r);
}

void redis_finish(struct redis *r, struct redis_command *c, int code, const struct resp *reply)
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
void redis_fail_all(struct redis *r, struct redis_commands *all)
{
    mono_ms_t now = loop_now(r->loop);
    struct redis_command *c;
    while ((c = redis_commands_take(all)) != NULL)
        redis_finish(r, c, mono_before(now, c->deadline) ? BERTH_ECLOSED : BERTH_ETIMEOUT, NULL);
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
    redis_close_aside(r, to);
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
    redis_enter(r);
    redis_fail_all(r, &all);
    if (was_up && !r->dead && r->events.down)
        r->events.down(r->events.arg, text);
    redis_leave(r);
}

void redis_drop_soon(struct redis *r, const char *why)
{
    if (r->dead || !r->told_up || r->phase == REDIS_DROPPING)
        return;
    (void)snprintf(r->why, sizeof r->why, "%s", why);
    r->phase = REDIS_DROPPING;
    timer_start(&r->timer, 0, 0);
}

void redis_reconnect(struct redis *r, const char *why)
{
    redis_drop_soon(r, why);
}

/* ---- answers ---- */

void redis_answered(void *arg, struct redis_command *c, const struct resp *reply)
{
    struct redis *r = arg;
    struct wire_redis_place place = {.port = 0};
    enum wire_redis_verdict verdict = wire_redis_verdict(reply, &place);
    bool cluster = r->config->cluster.count > 0;
    redis_enter(r);
    if (verdict == WIRE_REDIS_NO_SCRIPT && c->script != REDIS_NO_SCRIPT && !c->whole && r->link) {
        c->whole = true;
        if (r->phase != REDIS_UP)
            redis_commands_add(&r->held, c);
        else if (!redis_link_send(r->link, c))
            redis_finish(r, c, 0, reply);
    } else if (cluster && verdict == WIRE_REDIS_MOVED) {
        redis_moved(r, c, &place);
    } else if (cluster && verdict == WIRE_REDIS_ASK) {
        redis_ask_aside(r, c, &place);
    } else if (cluster && verdict == WIRE_REDIS_AGAIN) {
        redis_ask_again(r, c);
    } else {
        if (reply->type != RESP_ERROR && c->script != REDIS_NO_SCRIPT)
            r->written_at = loop_now(r->loop);
        char why[WHY_MAX];
        (void)snprintf(why, sizeof why, "%.*s",
                       reply->type == RESP_ERROR ? (int)reply->text.len : 0,
                       reply->type == RESP_ERROR ? reply->text.ptr : "");
        redis_finish(r, c, 0, reply);
        if (verdict == WIRE_REDIS_LOST)
            redis_drop_soon(r, why);
    }
    if (!r->dead)
        redis_move_on(r);
    redis_leave(r);
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
        redis_drop_soon(r, why);
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
    redis_drop_soon(r, why);
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
    redis_enter(r);
    redis_commands_move(&held, &r->held);
    while ((c = redis_commands_take(&held)) != NULL)
        if (r->dead || r->phase != REDIS_UP || !redis_link_send(r->link, c))
            redis_finish(r, c, BERTH_ECLOSED, NULL);
    if (tell && !r->dead && r->events.up)
        r->events.up(r->events.arg);
    redis_leave(r);
}

static void on_link_ended(void *arg, const char *why)
{
    struct redis *r = arg;
    const struct resp error = {.type = RESP_ERROR, .text = span_of(why)};
    struct wire_redis_place place;
    redis_enter(r);
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
    redis_leave(r);
}

void redis_link_to(struct redis *r)
{
    const struct redis_link_events events = {
        .up = on_link_up, .answer = redis_answered, .ended = on_link_ended, .arg = r};
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
    redis_enter(r);
    r->place = *place;
    redis_link_to(r);
    if (r->phase == REDIS_LINKING)
        r->finder->follow(r->find, "");
    redis_leave(r);
}

static void on_not_found(void *arg, const char *why)
{
    struct redis *r = arg;
    redis_enter(r);
    drop(r, why, false);
    redis_leave(r);
}

static void on_other(void *arg, const char *why)
{
    struct redis *r = arg;
    redis_enter(r);
    drop(r, why, true);
    redis_leave(r);
}

static void on_timer(void *arg)
{
    struct redis *r = arg;
    redis_enter(r);
    if (r->phase == REDIS_WAITING && r->directed) {
        redis_link_to(r);
    } else if (r->phase == REDIS_WAITING) {
        r->phase = REDIS_FINDING;
        r->finder->start(r->find);
    } else if (r->phase == REDIS_DROPPING) {
        drop(r, r->why, r->directed);
    } else if (r->phase == REDIS_MOVING) {
        drop(r, "the slot has moved, and the old node keeps silent", false);
    }
    redis_leave(r);
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
    timer_init(&r->again_timer, loop, redis_on_again, r);
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
    redis_enter(r);
    r->dead = true;
    r->phase = REDIS_WAITING;
    close_all(r, &all);
    struct redis_command *c;
    while ((c = redis_commands_take(&all)) != NULL)
        redis_finish(r, c, BERTH_ECLOSED, NULL);
    redis_leave(r);
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
