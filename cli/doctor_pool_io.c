/* doctor_pool_io.c - reads a pool as it stands in Redis, and connects to its nodes. */
#include "cli/doctor_io.h"

#include "core/record.h"
#include "io/redis_socket.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    KEYS_MOST = 20000,    /* of a pool that are looked at */
    EXPIRING_MOST = 1000, /* of them whose life is asked for */
    ROUNDS_MOST = 5000,   /* of SCAN: other keys may be many */
    DIALS = 32,           /* at a time */
    DIAL_MS = 2000,
};

/* ---- hashes ---- */

struct scan {
    struct doctor_pool *pool;
    char cursor[24];
    void (*row)(struct doctor_pool *pool, struct span field, struct span value);
    bool failed;
};

static void on_page(void *arg, const struct resp *reply)
{
    struct scan *s = arg;
    s->failed = true;
    if (reply->type != RESP_LIST || reply->count != 2 || reply->items[1].type != RESP_LIST ||
        !span_copy(reply->items[0].text, s->cursor, sizeof s->cursor))
        return;
    const struct resp *rows = &reply->items[1];
    for (size_t i = 0; i + 1 < rows->count; i += 2)
        s->row(s->pool, rows->items[i].text, rows->items[i + 1].text);
    s->failed = false;
}

static bool scan_hash(struct talk_line *line, struct doctor_pool *pool, struct span key,
                      void (*row)(struct doctor_pool *pool, struct span field, struct span value))
{
    struct scan s = {.pool = pool, .cursor = "0", .row = row};
    for (int i = 0; i < ROUNDS_MOST; i++) {
        if (!talk_ask(line, on_page, &s, "HSCAN", key.ptr, s.cursor, "COUNT", "500", NULL) ||
            s.failed)
            return false;
        if (strcmp(s.cursor, "0") == 0)
            break;
    }
    return true;
}

static void odd(struct doctor_odd *o, struct span a, const char *tail)
{
    if (o->count < DOCTOR_ODD_MAX)
        (void)snprintf(o->names[o->count], sizeof o->names[0], "%.*s%s", SPAN_ARG(a), tail);
    o->count++;
}

/* NULL: not there. */
static struct doctor_node *find(struct doctor_pool *pool, struct span name)
{
    for (size_t i = 0; i < pool->node_count; i++)
        if (span_is(name, pool->nodes[i].name))
            return &pool->nodes[i];
    return NULL;
}

static void on_node(struct doctor_pool *pool, struct span field, struct span value)
{
    struct doctor_node *n = find(pool, field);
    if (!n && pool->node_count == DOCTOR_NODES_MAX) {
        pool->cut = true;
        return;
    }
    if (!n) {
        n = &pool->nodes[pool->node_count++];
        memset(n, 0, sizeof *n);
        (void)span_copy(field, n->name, sizeof n->name);
    }
    n->has_info = node_info_parse(value, &n->info, NULL) == 0;
}

static void on_state(struct doctor_pool *pool, struct span field, struct span value)
{
    struct doctor_node *n = find(pool, field);
    if (n)
        n->has_state = node_state_parse(value, &n->state, NULL) == 0;
    else if (!pool->cut)
        odd(&pool->orphans, field, " in states");
}

static void on_report(struct doctor_pool *pool, struct span field, struct span value)
{
    struct doctor_node *n = find(pool, field);
    if (n)
        n->has_report = record_int(value, "at", &n->reported_at);
    else if (!pool->cut)
        odd(&pool->orphans, field, " in reports");
}

static void on_want(struct doctor_pool *pool, struct span field, struct span value)
{
    if (pool->want_count < DOCTOR_WANTS_MAX &&
        want_parse(field, value, &pool->wants[pool->want_count], NULL) == 0)
        pool->want_count++;
}

/* ---- keys ---- */

struct keyscan {
    struct talk_line *line;
    struct doctor_pool *pool;
    size_t prefix;
    char cursor[24];
    size_t expiring;
    char (*names)[KEYS_TEXT_MAX]; /* EXPIRING_MOST: their lives are asked for afterwards */
    bool failed;
};

static void on_keys(void *arg, const struct resp *reply)
{
    struct keyscan *s = arg;
    s->failed = true;
    if (reply->type != RESP_LIST || reply->count != 2 || reply->items[1].type != RESP_LIST ||
        !span_copy(reply->items[0].text, s->cursor, sizeof s->cursor))
        return;
    for (size_t i = 0; i < reply->items[1].count; i++) {
        struct span key = reply->items[1].items[i].text;
        bool expires;
        s->pool->keys++;
        if (key.len < s->prefix)
            continue;
        if (!doctor_keys_known((struct span){key.ptr + s->prefix, key.len - s->prefix}, &expires))
            odd(&s->pool->unknown, key, "");
        else if (expires && s->expiring < EXPIRING_MOST &&
                 span_copy(key, s->names[s->expiring], KEYS_TEXT_MAX))
            s->expiring++;
    }
    s->failed = false;
}

static void look_at_keys(struct talk_line *line, struct doctor_pool *pool, const struct keys *keys)
{
    char pattern[KEYS_TEXT_MAX];
    int n = snprintf(pattern, sizeof pattern, "%s:{%s}:*", keys->space, keys->pool);
    struct keyscan s = {.line = line, .pool = pool, .prefix = (size_t)n - 1, .cursor = "0"};
    s.names = calloc(EXPIRING_MOST, sizeof *s.names);
    for (int i = 0; s.names && i < ROUNDS_MOST && pool->keys < KEYS_MOST; i++) {
        if (!talk_ask(line, on_keys, &s, "SCAN", s.cursor, "MATCH", pattern, "COUNT", "1000",
                      NULL) ||
            s.failed || strcmp(s.cursor, "0") == 0)
            break;
    }
    pool->keys_cut = strcmp(s.cursor, "0") != 0;
    for (size_t i = 0; i < s.expiring; i++)
        if (talk_int(line, "PTTL", s.names[i], NULL) == -1 &&
            talk_int(line, "EXISTS", s.names[i], NULL) == 1)
            odd(&pool->endless, span_of(s.names[i]), "");
    free(s.names);
}

static void on_time(void *arg, const struct resp *reply)
{
    struct doctor_pool *pool = arg;
    int64_t seconds, us;
    if (reply->type == RESP_LIST && reply->count == 2 && span_int(reply->items[0].text, &seconds) &&
        span_int(reply->items[1].text, &us))
        pool->now = seconds * 1000 + us / 1000;
}

void doctor_pool_read(struct talk *t, struct doctor_pool *pool, const struct doctor_redis *r,
                      const struct wire_redis_place *place, const struct keys *keys)
{
    static const struct {
        const char *name;
        enum key_id key;
        int64_t most;
    } streams[] = {{"feed", KEY_FEED, 50000},
                   {"events", KEY_EVENTS, 120000},
                   {"history", KEY_HISTORY, 5000},
                   {"history:minutes", KEY_HISTORY_MINUTES, 14000}};
    struct talk_line line;
    char db[16], said[64];
    (void)snprintf(db, sizeof db, "%d", r->config->db);
    bool ok = talk_line_open(t, &line, r->config, r->secure, REDIS_LINK_ASIDE, place);
    ok = ok && (!r->config->db || talk_text(&line, said, sizeof said, "SELECT", db, NULL));
    ok = ok && scan_hash(&line, pool, keys_get(keys, KEY_NODES), on_node);
    ok = ok && scan_hash(&line, pool, keys_get(keys, KEY_STATES), on_state);
    ok = ok && scan_hash(&line, pool, keys_get(keys, KEY_REPORTS), on_report);
    ok = ok && scan_hash(&line, pool, keys_get(keys, KEY_WANTS), on_want);
    ok = ok && talk_text(&line, pool->owner, sizeof pool->owner, "GET",
                         keys_get(keys, KEY_OWNER).ptr, NULL);
    ok = ok && talk_text(&line, pool->leader, sizeof pool->leader, "GET",
                         keys_get(keys, KEY_LEADER).ptr, NULL);
    ok = ok && talk_ask(&line, on_time, pool, "TIME", NULL);
    for (size_t i = 0; ok && i < sizeof streams / sizeof *streams; i++)
        pool->streams[i] = (struct doctor_stream){
            streams[i].name, talk_int(&line, "XLEN", keys_get(keys, streams[i].key).ptr, NULL),
            streams[i].most};
    if (ok) {
        int64_t nodes = (int64_t)pool->node_count;
        if (40 * nodes > pool->streams[0].most)
            pool->streams[0].most = 40 * nodes;
        pool->peers = talk_int(&line, "HLEN", keys_get(keys, KEY_PEERS).ptr, NULL);
        look_at_keys(&line, pool, keys);
    }
    pool->seen = ok;
    if (!ok)
        (void)snprintf(pool->why, sizeof pool->why, "%s", line.why[0] ? line.why : "no answer");
    talk_line_close(&line);
}

/* ---- nodes ---- */

struct dial {
    struct talk *talk;
    struct doctor_node *node; /* NULL: free */
    struct resolve *question;
    int fd, port;
    ev_io ev;
    size_t *open;
    bool *done;
};

static void dial_end(struct dial *l, const char *why)
{
    (void)snprintf(l->node->why, sizeof l->node->why, "%s", why);
    ev_io_stop(loop_ev(l->talk->berth->loop), &l->ev);
    if (l->question)
        resolve_cancel(l->question);
    l->question = NULL;
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
    l->node = NULL;
    if (--*l->open == 0) {
        *l->done = true;
        talk_wake(l->talk);
    }
}

static void on_connected(struct ev_loop *ev, ev_io *w, int events)
{
    struct dial *l = w->data;
    int error = redis_socket_error(l->fd);
    dial_end(l, error ? strerror(error) : "");
}

static void on_resolved(void *arg, int code, const struct resolve_answer *found,
                        const struct err *err)
{
    struct dial *l = arg;
    struct err why = {0};
    l->question = NULL;
    if (code == 0)
        l->fd = redis_socket_open(found->addresses[0], l->port, &why);
    if (code < 0 || l->fd < 0) {
        dial_end(l, code < 0 ? err->text : why.text);
        return;
    }
    ev_io_init(&l->ev, on_connected, l->fd, EV_WRITE);
    l->ev.data = l;
    ev_io_start(loop_ev(l->talk->berth->loop), &l->ev);
}

/* "ws://host:port/path" to host and port. False: no stream that could be connected to. */
static bool endpoint_place(const char *url, struct wire_redis_place *ret_place)
{
    static const struct {
        const char *scheme;
        int port;
    } schemes[] = {
        {"ws://", 80}, {"wss://", 443}, {"http://", 80}, {"https://", 443}, {"tcp://", 0}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i].scheme);
        if (strncmp(url, schemes[i].scheme, len) == 0)
            return wire_redis_place_parse((struct span){url + len, strcspn(url + len, "/?")},
                                          schemes[i].port, ret_place);
    }
    return false;
}

/* In service, and heard of a moment ago. */
static bool should_answer(const struct doctor_pool *pool, const struct doctor_node *n)
{
    enum node_state s = n->state.state;
    int64_t lost_after = pool->settings ? pool->settings->lost_after_ms : 3000;
    return n->has_info && n->has_state && n->has_report &&
           pool->now - n->reported_at < lost_after &&
           (s == NODE_READY || s == NODE_HELD || s == NODE_JOINING || s == NODE_DRAINING);
}

void doctor_pool_dial(struct talk *t, struct doctor_pool *pool)
{
    size_t next = 0;
    while (next < pool->node_count) {
        struct dial dials[DIALS];
        size_t open = 0, count = 0;
        bool done = false;
        for (; next < pool->node_count && count < DIALS; next++) {
            struct doctor_node *n = &pool->nodes[next];
            struct wire_redis_place place;
            struct err err = {0};
            struct dial *l = &dials[count];
            if (!should_answer(pool, n) || !endpoint_place(n->info.endpoint, &place))
                continue;
            *l = (struct dial){
                .talk = t, .node = n, .fd = -1, .port = place.port, .open = &open, .done = &done};
            l->question = resolve_start(t->resolver, place.host, DIAL_MS, on_resolved, l, &err);
            n->tried = l->question != NULL;
            if (l->question) {
                open++;
                count++;
            }
        }
        if (open)
            (void)talk_until(t, &done, DIAL_MS);
        for (size_t i = 0; i < count; i++)
            if (dials[i].node)
                dial_end(&dials[i], "no answer within 2 s");
    }
}
