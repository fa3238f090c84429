/* redis_config.c - copies, checks and tells how a Redis is reached. */
#include "io/redis_config.h"

#include "core/text.h"
#include "io/redis_socket.h"

#include <stdlib.h>

struct redis_config redis_config_of(const struct redis_settings *s)
{
    return (struct redis_config){.host = s->host,
                                 .port = (int)s->port,
                                 .sentinels = s->sentinels,
                                 .master = s->master,
                                 .sentinel_user = s->sentinel_user,
                                 .sentinel_password = s->sentinel_password,
                                 .cluster = s->cluster,
                                 .nameservers = s->nameservers,
                                 .user = s->user,
                                 .password = s->password,
                                 .password_file = s->password_file,
                                 .db = (int)s->db,
                                 .tls = s->tls,
                                 .ca = s->ca,
                                 .cert = s->cert,
                                 .key = s->key,
                                 .server_name = s->server_name,
                                 .connect_timeout_ms = s->connect_timeout_ms,
                                 .command_timeout_ms = s->command_timeout_ms,
                                 .check_interval_ms = s->check_interval_ms,
                                 .replica_wait_ms = s->replica_wait_ms};
}

static int check_places(const char *what, const struct text_list *list, int port, struct err *err)
{
    struct wire_redis_place place;
    if (list->count > REDIS_SEEDS_MAX)
        return err_set(err, BERTH_EINVAL, "redis.%s: at most %d", what, REDIS_SEEDS_MAX);
    for (size_t i = 0; i < list->count; i++)
        if (!wire_redis_place_parse(span_of(list->items[i]), port, &place))
            return err_set(err, BERTH_EINVAL, "redis.%s.%zu = %s: must be host or host:port", what,
                           i, list->items[i]);
    return 0;
}

static int check(const struct redis_config *c, struct err *err)
{
    if (check_places("sentinels", &c->sentinels, 26379, err) < 0 ||
        check_places("cluster", &c->cluster, 6379, err) < 0 ||
        check_places("nameservers", &c->nameservers, 53, err) < 0)
        return BERTH_EINVAL;
    if (c->sentinels.count || c->cluster.count)
        return 0;
    if (!c->host || c->host[0] == '\0')
        return err_set(err, BERTH_EINVAL, "redis.host: must not be empty");
    if (c->host[0] == '/' && !redis_socket_address_ok(c->host))
        return err_set(err, BERTH_EINVAL, "redis.host '%s': this path is too long for a socket",
                       c->host);
    return 0;
}

/* Every text of a configuration, in one order. */
enum { TEXTS = 12 };
static void texts_of(struct redis_config *c, const char ***ret_texts)
{
    const char **texts[TEXTS] = {&c->host, &c->master,   &c->sentinel_user, &c->sentinel_password,
                                 &c->user, &c->password, &c->password_file, &c->ca,
                                 &c->cert, &c->key,      &c->server_name,   &c->pool_key};
    memcpy(ret_texts, texts, sizeof texts);
}

static const char *keep(char **at, const char *text)
{
    char *copy = *at;
    size_t size = strlen(text) + 1;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

struct redis_config *redis_config_copy(const struct redis_config *config, struct err *err)
{
    struct redis_config c = *config;
    struct text_list *lists[] = {&c.sentinels, &c.cluster, &c.nameservers};
    const char **texts[TEXTS];
    if (check(config, err) < 0)
        return NULL;
    texts_of(&c, texts);
    size_t size = sizeof c;
    for (size_t i = 0; i < 3; i++) {
        size += lists[i]->count * sizeof(char *);
        for (size_t j = 0; j < lists[i]->count; j++)
            size += strlen(lists[i]->items[j]) + 1;
    }
    for (size_t i = 0; i < TEXTS; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    struct redis_config *copy = malloc(size);
    if (!copy) {
        (void)err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    const char **items = (const char **)(copy + 1);
    char *at = (char *)(items + c.sentinels.count + c.cluster.count + c.nameservers.count);
    for (size_t i = 0; i < 3; i++) {
        const char **first = items;
        for (size_t j = 0; j < lists[i]->count; j++)
            *items++ = keep(&at, lists[i]->items[j]);
        lists[i]->items = first;
    }
    for (size_t i = 0; i < TEXTS; i++)
        if (*texts[i])
            *texts[i] = keep(&at, *texts[i]);
    c.connect_timeout_ms = c.connect_timeout_ms > 0 ? c.connect_timeout_ms : 1000;
    c.command_timeout_ms = c.command_timeout_ms > 0 ? c.command_timeout_ms : 1000;
    c.check_interval_ms = c.check_interval_ms > 0 ? c.check_interval_ms : 5000;
    c.pending_max = c.pending_max ? c.pending_max : 65536;
    *copy = c;
    return copy;
}

const char *redis_config_text(const struct redis_config *c, char *buf, size_t size)
{
    struct text t;
    const struct text_list *list = c->sentinels.count ? &c->sentinels : &c->cluster;
    text_init(&t, buf, size);
    if (c->sentinels.count)
        text_add(&t, "the primary %s of the sentinels", c->master);
    else if (c->cluster.count)
        text_add(&t, "the cluster of");
    else if (c->host[0] == '/')
        text_add(&t, "%s", c->host);
    else
        text_add(&t, "%s port %d", c->host, c->port);
    for (size_t i = 0; i < list->count; i++)
        text_add(&t, "%s %s", i ? "," : "", list->items[i]);
    return buf;
}

const char *redis_config_servers(const struct redis_config *c, char *buf, size_t size)
{
    struct text t;
    text_init(&t, buf, size);
    for (size_t i = 0; i < c->nameservers.count; i++)
        text_add(&t, "%s%s", i ? "," : "", c->nameservers.items[i]);
    return buf;
}
