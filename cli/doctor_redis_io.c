/* doctor_redis_io.c - asks Redis servers and sentinels how they are. */
#include "cli/doctor_io.h"

#include <stdlib.h>

enum { FIND_MS = 4000, REPLICAS_MAX = 8 };

int doctor_redis_open(struct doctor_redis *r, const struct redis_config *config, struct err *err)
{
    *r = (struct doctor_redis){.config = redis_config_copy(config, err)};
    if (!r->config)
        return BERTH_EINVAL;
    if (config->tls)
        r->secure = secure_client(config->ca, config->cert, config->key, err);
    if (!config->tls || r->secure)
        return 0;
    doctor_redis_close(r);
    return BERTH_EINVAL;
}

void doctor_redis_close(struct doctor_redis *r)
{
    secure_context_free(r->secure);
    free(r->config);
    *r = (struct doctor_redis){.config = NULL};
}

/* ---- where ---- */

struct finding {
    struct talk *talk;
    bool up;
};

static void on_up(void *arg)
{
    struct finding *f = arg;
    f->up = true;
    talk_wake(f->talk);
}

bool doctor_redis_find(struct talk *t, const struct doctor_redis *r,
                       struct wire_redis_place *ret_place, char *ret_why, size_t size)
{
    struct finding f = {.talk = t};
    struct redis_config reader = *r->config;
    const struct redis_events events = {.up = on_up, .arg = &f};
    struct err err = {0};
    char at[DOCTOR_AT], text[DOCTOR_AT];
    reader.reader = true;
    struct redis *redis =
        redis_create(t->berth->loop, &t->berth->log, &reader, NULL, &events, &err);
    if (!redis) {
        (void)snprintf(ret_why, size, "%s", err.text);
        return false;
    }
    bool up = talk_until(t, &f.up, FIND_MS);
    if (!up)
        (void)snprintf(ret_why, size, "%s: %s", redis_config_text(&reader, text, sizeof text),
                       redis_why(redis)[0] ? redis_why(redis) : "no answer");
    bool by_path = !reader.sentinels.count && !reader.cluster.count && reader.host[0] == '/';
    if (by_path) {
        *ret_place = (struct wire_redis_place){.port = 0};
        (void)snprintf(ret_place->host, sizeof ret_place->host, "%s", reader.host);
    } else if (up) {
        (void)wire_redis_place_parse(span_of(redis_address(redis, at, sizeof at)), 6379, ret_place);
    }
    redis_destroy(redis);
    return up;
}

/* ---- INFO ---- */

/* The value of "name:value" in INFO's text; "" when it is not there. */
static struct span info_text(struct span info, const char *name)
{
    size_t len = strlen(name);
    while (info.len) {
        struct span line = span_cut(&info, '\n');
        if (line.len > len && memcmp(line.ptr, name, len) == 0 && line.ptr[len] == ':') {
            struct span value = {line.ptr + len + 1, line.len - len - 1};
            if (value.len && value.ptr[value.len - 1] == '\r')
                value.len--;
            return value;
        }
    }
    return SPAN("");
}

static int64_t info_int(struct span info, const char *name, int64_t otherwise)
{
    int64_t value;
    return span_int(info_text(info, name), &value) ? value : otherwise;
}

struct info {
    struct doctor_server *server;
    struct wire_redis_place replicas[REPLICAS_MAX];
    size_t replica_count;
};

/* "ip=10.0.0.2,port=6379,state=online,offset=1,lag=0" */
static void read_replica(struct info *i, struct span text)
{
    struct span ip = {NULL, 0};
    int64_t port = 0;
    while (text.len) {
        struct span pair = span_cut(&text, ','), name = span_cut(&pair, '=');
        if (span_is(name, "ip"))
            ip = pair;
        else if (span_is(name, "port"))
            (void)span_int(pair, &port);
    }
    struct wire_redis_place *p = &i->replicas[i->replica_count];
    if (port > 0 && ip.len && span_copy(ip, p->host, sizeof p->host)) {
        p->port = (int)port;
        i->replica_count++;
    }
}

static void on_info(void *arg, const struct resp *reply)
{
    struct info *i = arg;
    struct doctor_server *s = i->server;
    struct span info = reply->text;
    if (reply->type != RESP_TEXT) {
        (void)snprintf(s->why, sizeof s->why, "%.*s",
                       reply->type == RESP_ERROR ? (int)reply->text.len : 0,
                       reply->type == RESP_ERROR ? reply->text.ptr : "");
        return;
    }
    s->seen = true;
    s->append = info_int(info, "aof_enabled", 0) == 1;
    s->snapshot_ok = !span_is(info_text(info, "rdb_last_bgsave_status"), "err");
    s->append_ok = !span_is(info_text(info, "aof_last_write_status"), "err");
    s->used_bytes = info_int(info, "used_memory", 0);
    s->max_bytes = info_int(info, "maxmemory", 0);
    s->cluster = info_int(info, "cluster_enabled", 0) == 1;
    s->replicas = info_int(info, "connected_slaves", 0);
    bool primary = span_is(info_text(info, "role"), "master");
    s->offset = info_int(info, primary ? "master_repl_offset" : "slave_repl_offset", 0);
    s->link_up = span_is(info_text(info, "master_link_status"), "up");
    s->silent_s = info_int(info, "master_last_io_seconds_ago", 0);
    s->read_write = !primary && info_int(info, "slave_read_only", 1) == 0;
    s->never_promoted = !primary && (info_int(info, "slave_priority", 100) == 0 ||
                                     info_int(info, "replica_announced", 1) == 0);
    for (int n = 0; n < REPLICAS_MAX; n++) {
        char name[16];
        (void)snprintf(name, sizeof name, "slave%d", n);
        read_replica(i, info_text(info, name));
    }
}

static void on_config(void *arg, const struct resp *reply)
{
    struct doctor_server *s = arg;
    if (reply->type == RESP_ERROR)
        (void)snprintf(s->why, sizeof s->why, "%.*s", SPAN_ARG(reply->text));
    if (reply->type != RESP_LIST)
        return;
    s->configured = true;
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        struct span name = reply->items[i].text, value = reply->items[i + 1].text;
        if (span_is(name, "maxmemory-policy"))
            (void)span_copy(value, s->eviction, sizeof s->eviction);
        else if (span_is(name, "save") && !span_copy(value, s->save, sizeof s->save))
            memcpy(s->save, "long", 5);
        else if (span_is(name, "min-replicas-to-write"))
            (void)span_int(value, &s->min_replicas);
    }
}

static void on_time(void *arg, const struct resp *reply)
{
    int64_t seconds, us;
    if (reply->type == RESP_LIST && reply->count == 2 && span_int(reply->items[0].text, &seconds) &&
        span_int(reply->items[1].text, &us))
        *(int64_t *)arg = seconds * 1000 + us / 1000;
}

static void look(struct talk *t, struct doctor_server *s, const struct doctor_redis *r,
                 const struct wire_redis_place *place, struct info *i)
{
    struct talk_line line;
    char said[64];
    int64_t time = 0;
    if (!talk_line_open(t, &line, r->config, r->secure, REDIS_LINK_ASIDE, place) ||
        !talk_ask(&line, on_info, i, "INFO", "everything", NULL)) {
        (void)snprintf(s->why, sizeof s->why, "%s", line.why[0] ? line.why : "no answer");
        talk_line_close(&line);
        return;
    }
    (void)talk_ask(&line, on_config, s, "CONFIG", "GET", "m*",
                   NULL); /* 7.0 knows several names, 6 does not */
    (void)talk_ask(&line, on_config, s, "CONFIG", "GET", "save", NULL);
    int64_t before = loop_wall_us();
    if (talk_ask(&line, on_time, &time, "TIME", NULL) && time) {
        s->has_clock = true;
        s->clock_ms = time - (before + loop_wall_us()) / 2000;
    }
    if (s->primary < 0) {
        s->writable = talk_text(&line, said, sizeof said, "SET", r->config->pool_key, "1", "PX",
                                "10000", NULL);
        if (!s->writable)
            (void)snprintf(s->why, sizeof s->why, "%s", line.why);
    }
    talk_line_close(&line);
}

static struct doctor_server *add(struct doctor *d, const struct wire_redis_place *place,
                                 int primary)
{
    char at[DOCTOR_AT];
    (void)snprintf(at, sizeof at, place->host[0] == '/' ? "%s" : "%s:%d", place->host, place->port);
    for (size_t i = 0; i < d->server_count; i++)
        if (strcmp(d->servers[i].at, at) == 0)
            return NULL;
    if (d->server_count == DOCTOR_SERVERS_MAX)
        return NULL;
    struct doctor_server *s = &d->servers[d->server_count++];
    *s = (struct doctor_server){.primary = primary};
    memcpy(s->at, at, sizeof s->at);
    return s;
}

void doctor_redis_server(struct talk *t, struct doctor *d, const struct doctor_redis *r,
                         const struct wire_redis_place *place)
{
    struct doctor_server *s = add(d, place, -1);
    if (!s)
        return;
    struct info i = {.server = s}, ignored;
    look(t, s, r, place, &i);
    int primary = (int)(s - d->servers);
    for (size_t n = 0; n < i.replica_count; n++) {
        struct doctor_server *replica = add(d, &i.replicas[n], primary);
        if (!replica)
            continue;
        ignored = (struct info){.server = replica};
        look(t, replica, r, &i.replicas[n], &ignored);
    }
}

/* ---- sentinels ---- */

static void on_master(void *arg, const struct resp *reply)
{
    struct doctor_sentinel *s = arg;
    if (reply->type == RESP_ERROR)
        (void)snprintf(s->why, sizeof s->why, "%.*s", SPAN_ARG(reply->text));
    if (reply->type != RESP_LIST)
        return;
    s->seen = true;
    s->epoch = wire_redis_field(reply, "config-epoch");
    s->others = wire_redis_field(reply, "num-other-sentinels");
    s->replicas = wire_redis_field(reply, "num-slaves");
}

static void on_place(void *arg, const struct resp *reply)
{
    struct doctor_sentinel *s = arg;
    struct wire_redis_place place;
    if (wire_redis_master(reply, &place))
        (void)snprintf(s->primary, sizeof s->primary, "%s:%d", place.host, place.port);
}

void doctor_redis_sentinels(struct talk *t, struct doctor *d, const struct doctor_redis *r)
{
    const struct text_list *list = &r->config->sentinels;
    const char *master = r->config->master;
    for (size_t i = 0; i < list->count && d->sentinel_count < DOCTOR_SENTINELS_MAX; i++) {
        struct wire_redis_place place;
        bool known = false;
        (void)wire_redis_place_parse(span_of(list->items[i]), 26379, &place);
        for (size_t j = 0; j < d->sentinel_count; j++)
            known = known || (strcmp(d->sentinels[j].at, list->items[i]) == 0 &&
                              strcmp(d->sentinels[j].master, master) == 0);
        if (known)
            continue;
        struct doctor_sentinel *s = &d->sentinels[d->sentinel_count++];
        struct talk_line line;
        char said[DOCTOR_TEXT];
        *s = (struct doctor_sentinel){.configured = list->count};
        (void)snprintf(s->at, sizeof s->at, "%s", list->items[i]);
        (void)snprintf(s->master, sizeof s->master, "%s", master);
        if (talk_line_open(t, &line, r->config, r->secure, REDIS_LINK_SENTINEL, &place) &&
            talk_ask(&line, on_master, s, "SENTINEL", "MASTER", master, NULL)) {
            (void)talk_ask(&line, on_place, s, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", master, NULL);
            s->quorum = talk_text(&line, said, sizeof said, "SENTINEL", "CKQUORUM", master, NULL);
            (void)snprintf(s->quorum_why, sizeof s->quorum_why, "%s", line.why);
        } else {
            (void)snprintf(s->why, sizeof s->why, "%s", line.why[0] ? line.why : "no answer");
        }
        talk_line_close(&line);
    }
}
