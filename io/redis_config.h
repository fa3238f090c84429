/* redis_config.h - how to reach a Redis: directly, through sentinels, or as a cluster. */
#ifndef BERTH_IO_REDIS_CONFIG_H
#define BERTH_IO_REDIS_CONFIG_H

#include "io/wire_redis.h"
#include "settings/settings.h"

/* Zeroed fields mean: not set, or the default. */
struct redis_config {
    const char
        *host; /* name, IPv4 or IPv6 address; or a path beginning with '/' for a unix socket */
    int port;
    struct text_list sentinels; /* host[:port] (26379); then host is not used */
    const char *master;         /* the sentinels' word for the primary */
    const char *sentinel_user, *sentinel_password;
    struct text_list cluster;     /* host[:port] (6379); then host is not used */
    struct text_list nameservers; /* address[:port] */
    const char *user;             /* NULL: none (Redis 6 ACL) */
    const char *password;         /* NULL: none */
    const char *password_file;    /* read at each connect; NULL: none */
    int db;
    bool tls;
    const char *ca, *cert, *key, *server_name;
    /* A key of the pool that this connection is for: where its slot is, the connection leads to;
     * and it is written to see whether that can be done. NULL: neither (then no cluster). */
    const char *pool_key;
    /* Only reads: nothing is written to try, and a move to another server is told as down and up,
     * so that who reads along begins anew. */
    bool reader;
    int64_t connect_timeout_ms; /* default 1,000 */
    int64_t command_timeout_ms; /* default 1,000; blocking reads add their own block time */
    int64_t check_interval_ms;  /* default 5,000 */
    int64_t replica_wait_ms;    /* of store/barrier.h; 0: none */
    size_t pending_max; /* commands in flight; beyond it redis_command refuses with BERTH_EAGAIN.
                           default 65,536 */
};

/* As a user wrote it. Borrows from settings. */
struct redis_config redis_config_of(const struct redis_settings *settings);

/* A copy of all texts, with the defaults filled in. Heap; free() it. NULL with err: a host,
 * sentinel, node or name server that is none, or no memory. */
struct redis_config *redis_config_copy(const struct redis_config *config, struct err *err);

/* "127.0.0.1 port 6379", "the primary berth of the sentinels a:26379, b:26379", "the cluster of
 * ...": for people. Returns buf. */
const char *redis_config_text(const struct redis_config *config, char *buf, size_t size);

/* The name servers as one text for the resolver; "" : the system's. Returns buf. */
const char *redis_config_servers(const struct redis_config *config, char *buf, size_t size);

#endif
