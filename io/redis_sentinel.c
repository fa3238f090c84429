/* redis_sentinel.c - the sentinels are asked all at once; the newest that a majority of them allows
 * is believed: the highest configuration epoch, and among those the place most of them name.
 * Whether it is the primary, it is asked itself (ROLE, a write). While connected, one sentinel's
 * +switch-master is listened to; when that one goes silent, another's. */
#include "io/redis_find.h"

#include "core/rng.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DECIDE_MS = 300,      /* after the first answer the others have so long */
    LISTEN_MS = 1000,     /* between two attempts to listen */
    PING_EVERY_MS = 3000, /* is the sentinel that is listened to still there? */
    WHY_MAX = 200,
};

enum tag { TAG_PLACE, TAG_EPOCH, TAG_OTHER };

struct asked {
    struct sentinel *all;
    struct redis_link *link; /* NULL: not asked, or it has ended */
    struct wire_redis_place at;
    bool knows; /* what follows was answered */
    struct wire_redis_place primary;
    int64_t epoch;
};

struct sentinel {
    struct redis_find_config config;
    struct redis_find_events events;
    struct asked asked[REDIS_SEEDS_MAX];
    size_t count, open, done;
    bool searching;
    struct wire_redis_place primary; /* as found last, */
    int64_t epoch;                   /* in this configuration epoch */
    struct asked *heard;             /* who is listened to; NULL: nobody */
    size_t next;                     /* whom to listen to */
    struct timer timer;              /* searching: when to decide; following: listen, or ping */
    char why[WHY_MAX];
};

static void listen_to(struct sentinel *s);

static void close_links(struct sentinel *s)
{
    for (size_t i = 0; i < s->count; i++) {
        redis_link_destroy(s->asked[i].link);
        s->asked[i].link = NULL;
    }
    s->open = 0;
    s->heard = NULL;
}

static void stop(void *finder)
{
    struct sentinel *s = finder;
    timer_stop(&s->timer);
    close_links(s);
    s->searching = false;
}

/* ---- searching ---- */

/* How many of those that know say the same as this one. */
static size_t votes(const struct sentinel *s, const struct asked *a)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->asked[i].knows && wire_redis_place_eq(&s->asked[i].primary, &a->primary);
    return n;
}

static void decide(struct sentinel *s)
{
    const struct asked *best = NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct asked *a = &s->asked[i];
        if (a->knows && (!best || a->epoch > best->epoch ||
                         (a->epoch == best->epoch && votes(s, a) > votes(s, best))))
            best = a;
    }
    stop(s);
    if (!best) {
        s->events.failed(s->events.arg, s->why[0] ? s->why : "no sentinel answers");
        return;
    }
    s->primary = best->primary;
    s->epoch = best->epoch;
    struct wire_redis_place place = best->primary;
    s->events.found(s->events.arg, &place);
}

static void look(struct sentinel *s)
{
    if (s->done > s->count / 2 || s->open == 0)
        decide(s);
}

static void one_failed(struct asked *a, const char *why)
{
    struct sentinel *s = a->all;
    (void)snprintf(s->why, sizeof s->why, "sentinel %.80s:%d: %.100s", a->at.host, a->at.port, why);
    redis_link_destroy(a->link);
    a->link = NULL;
    s->open--;
    if (s->searching) {
        look(s);
    } else if (s->heard == a) {
        s->heard = NULL;
        timer_start(&s->timer, LISTEN_MS, 0);
    }
}

static bool say(struct asked *a, enum tag tag, const struct span *words, size_t count)
{
    const struct sentinel *s = a->all;
    struct redis_command *c = redis_command_new(words, count);
    if (!c)
        return false;
    c->deadline = mono_add(loop_now(s->config.loop), s->config.redis->command_timeout_ms);
    c->tag = tag;
    if (redis_link_send(a->link, c))
        return true;
    free(c);
    return false;
}

static void on_up(void *arg)
{
    struct asked *a = arg;
    struct span master = span_of(a->all->config.redis->master);
    struct span place[] = {SPAN("SENTINEL"), SPAN("GET-MASTER-ADDR-BY-NAME"), master};
    struct span epoch[] = {SPAN("SENTINEL"), SPAN("MASTER"), master};
    struct span hear[] = {SPAN("SUBSCRIBE"), SPAN("+switch-master")};
    /* Listening: first what it thinks now, for what happened before it was listened to. */
    bool ok = say(a, TAG_PLACE, place, 3) && say(a, TAG_EPOCH, epoch, 3);
    ok = ok && (a->all->searching || say(a, TAG_OTHER, hear, 2));
    if (!ok)
        one_failed(a, "out of memory");
}

static void on_place(struct asked *a, const struct resp *reply)
{
    struct wire_redis_place place;
    if (!wire_redis_master(reply, &place)) {
        one_failed(a, reply->type == RESP_NIL ? "knows no primary of this name" : "gives no place");
        return;
    }
    a->primary = place;
}

static void on_epoch(struct asked *a, const struct resp *reply)
{
    struct sentinel *s = a->all;
    a->epoch = wire_redis_field(reply, "config-epoch");
    a->knows = a->primary.port != 0;
    if (s->searching) {
        s->done++;
        if (s->done == 1)
            timer_start(&s->timer, DECIDE_MS, 0);
        look(s);
    } else if (!wire_redis_place_eq(&a->primary, &s->primary)) {
        if (a->epoch < s->epoch) { /* it was away, and will learn: another is listened to */
            one_failed(a, "is behind the others");
            return;
        }
        stop(s);
        s->events.moved(s->events.arg, "a sentinel names another primary");
    }
}

static void on_push(void *arg, const struct resp *message)
{
    struct asked *a = arg;
    struct sentinel *s = a->all;
    if (!wire_redis_switched(message, s->config.redis->master))
        return;
    stop(s);
    s->events.moved(s->events.arg, "+switch-master");
}

static void on_answer(void *arg, struct redis_command *command, const struct resp *reply)
{
    struct asked *a = arg;
    enum tag tag = (enum tag)command->tag;
    free(command);
    if (reply->type == RESP_ERROR) {
        char why[160];
        (void)snprintf(why, sizeof why, "%.*s", SPAN_ARG(reply->text));
        one_failed(a, why);
    } else if (tag == TAG_PLACE) {
        on_place(a, reply);
    } else if (tag == TAG_EPOCH) {
        on_epoch(a, reply);
    } else { /* a message that overtook the answer to a PING looks like that answer */
        on_push(a, reply);
    }
}

static void on_ended(void *arg, const char *why)
{
    one_failed(arg, why);
}

static void ask(struct asked *a)
{
    const struct sentinel *s = a->all;
    const struct redis_link_events events = {
        .up = on_up, .answer = on_answer, .push = on_push, .ended = on_ended, .arg = a};
    const struct redis_link_config config = {.loop = s->config.loop,
                                             .resolver = s->config.resolver,
                                             .secure = s->config.secure,
                                             .redis = s->config.redis,
                                             .kind = REDIS_LINK_SENTINEL,
                                             .place = a->at,
                                             .limit_ms = s->config.redis->connect_timeout_ms};
    a->link = redis_link_create(&config, &events);
    a->all->open += a->link != NULL;
}

static void start(void *finder)
{
    struct sentinel *s = finder;
    stop(s);
    s->searching = true;
    s->done = 0;
    s->why[0] = '\0';
    for (size_t i = 0; i < s->count; i++) {
        s->asked[i].knows = false;
        s->asked[i].primary.port = 0;
        ask(&s->asked[i]);
    }
    timer_start(&s->timer, 2 * s->config.redis->connect_timeout_ms, 0);
}

/* ---- following ---- */

static void listen_to(struct sentinel *s)
{
    s->heard = &s->asked[s->next++ % s->count];
    ask(s->heard);
    timer_start(&s->timer, PING_EVERY_MS, 0);
}

static void on_timer(void *arg)
{
    struct sentinel *s = arg;
    struct span ping[] = {SPAN("PING")};
    if (s->searching) {
        decide(s);
        return;
    }
    if (!s->heard || !s->heard->link) {
        listen_to(s);
        return;
    }
    if (redis_link_is_up(s->heard->link))
        (void)say(s->heard, TAG_OTHER, ping, 1); /* a silent one ends by its deadline */
    timer_start(&s->timer, PING_EVERY_MS, 0);
}

static void follow(void *finder, const char *address)
{
    struct sentinel *s = finder;
    if (s->heard || timer_active(&s->timer))
        return; /* since it was found: what is connected to may be stopped, and never answer */
    listen_to(s);
}

static void *create(const struct redis_find_config *config, const struct redis_find_events *events,
                    struct err *err)
{
    const struct text_list *list = &config->redis->sentinels;
    struct sentinel *s = config->redis->master ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        (void)err_set(err, config->redis->master ? BERTH_ENOMEM : BERTH_EINVAL,
                      config->redis->master ? "out of memory"
                                            : "redis.master: must be set, since there are "
                                              "sentinels");
        return NULL;
    }
    s->config = *config;
    s->events = *events;
    s->count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        (void)wire_redis_place_parse(span_of(list->items[i]), 26379, &s->asked[i].at);
        s->asked[i].all = s;
    }
    struct rng rng;
    rng_seed(&rng, config->seed);
    s->next =
        (size_t)rng_below(&rng, s->count); /* so that a thousand clients do not all listen to one */
    timer_init(&s->timer, config->loop, on_timer, s);
    return s;
}

static void destroy(void *finder)
{
    if (!finder)
        return;
    stop(finder);
    free(finder);
}

const struct redis_finder redis_sentinel = {create, destroy, start, follow, stop, 500};
