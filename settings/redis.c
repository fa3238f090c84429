/* redis.c - the options of redis and of its servers, and where a pool finds its own. */
#include "settings/settings.h"

#include <string.h>

#define AT(field) offsetof(struct redis_settings, field)
#define HOW_TO_REACH_IT                                                                              \
    {"host",                                                                                         \
     OPT_TEXT,                                                                                       \
     AT(host),                                                                                       \
     "127.0.0.1",                                                                                    \
     "1..253",                                                                                       \
     "Name or address of Redis, or the path of a unix socket (beginning with /). Not used with "     \
     "sentinels or cluster.",                                                                        \
     0},                                                                                             \
        {"port", OPT_INT, AT(port), "6379", "1..65535", "Its TCP port.", 0},                         \
        {"sentinels",                                                                                \
         OPT_LIST,                                                                                   \
         AT(sentinels),                                                                              \
         NULL,                                                                                       \
         "0..9",                                                                                     \
         "The sentinels, host:port (port 26379 when left out): the primary is found through "        \
         "them and followed.",                                                                       \
         0},                                                                                         \
        {"master", OPT_TEXT, AT(master),                                                             \
         NULL,     "1..128", "What the sentinels call the primary (sentinel monitor NAME ...).",     \
         0},                                                                                         \
        {"sentinel_username",                                                                        \
         OPT_TEXT,                                                                                   \
         AT(sentinel_user),                                                                          \
         NULL,                                                                                       \
         "1..128",                                                                                   \
         "ACL user at the sentinels; not set: the default user.",                                    \
         0},                                                                                         \
        {"sentinel_password",                                                                        \
         OPT_TEXT,                                                                                   \
         AT(sentinel_password),                                                                      \
         NULL,                                                                                       \
         "1..512",                                                                                   \
         "Password of the sentinels; not set: none is sent.",                                        \
         OPT_SECRET},                                                                                \
        {"cluster",                                                                                  \
         OPT_LIST,                                                                                   \
         AT(cluster),                                                                                \
         NULL,                                                                                       \
         "0..9",                                                                                     \
         "Some nodes of a Redis Cluster, host:port (port 6379 when left out): each pool is found "   \
         "where its slot is, and followed.",                                                         \
         0},                                                                                         \
        {"nameservers",                                                                              \
         OPT_LIST,                                                                                   \
         AT(nameservers),                                                                            \
         NULL,                                                                                       \
         "0..4",                                                                                     \
         "Name servers, address[:port], that are asked for host; not set: those of the system.",     \
         0},                                                                                         \
        {"username", OPT_TEXT, AT(user), NULL, "1..128", "ACL user; not set: the default user.", 0}, \
        {"user", OPT_TEXT, AT(user), NULL, "1..128", "The same as username.", 0},                    \
        {"password", OPT_TEXT, AT(password), NULL, "1..512", "Password; not set: none is sent.",     \
         OPT_SECRET},                                                                                \
        {"password_file",                                                                            \
         OPT_TEXT,                                                                                   \
         AT(password_file),                                                                          \
         NULL,                                                                                       \
         "1..4000",                                                                                  \
         "A file whose first line is the password, read anew for each connection.",                  \
         0},                                                                                         \
        {"db", OPT_INT, AT(db), "0", "0..1023", "Database number; a cluster has only 0.", 0},        \
        {"tls", OPT_BOOL, AT(tls),                                                                   \
         "no",  NULL,     "Speak TLS with Redis, its sentinels and cluster nodes.",                  \
         0},                                                                                         \
        {"ca",                                                                                       \
         OPT_TEXT,                                                                                   \
         AT(ca),                                                                                     \
         NULL,                                                                                       \
         "1..4000",                                                                                  \
         "tls: a file of the authorities that may sign Redis's certificate; not set: the "           \
         "system's.",                                                                                \
         0},                                                                                         \
        {"cert", OPT_TEXT,  AT(cert),                                                                \
         NULL,   "1..4000", "tls: our own certificate, where Redis asks for one.",                   \
         0},                                                                                         \
        {"key", OPT_TEXT, AT(key), NULL, "1..4000", "tls: the key of cert.", 0},                     \
        {"server_name",                                                                              \
         OPT_TEXT,                                                                                   \
         AT(server_name),                                                                            \
         NULL,                                                                                       \
         "1..253",                                                                                   \
         "tls: the name that Redis's certificate is for; not set: the host that is connected to.",   \
         0},                                                                                         \
        {"connect_timeout",                                                                          \
         OPT_DURATION,                                                                               \
         AT(connect_timeout_ms),                                                                     \
         "1s",                                                                                       \
         "50ms..1m",                                                                                 \
         "A connection that takes longer is given up and tried anew.",                               \
         0},                                                                                         \
        {"command_timeout",                                                                          \
         OPT_DURATION,                                                                               \
         AT(command_timeout_ms),                                                                     \
         "1s",                                                                                       \
         "50ms..1m",                                                                                 \
         "A command unanswered for so long drops the connection, which comes back by itself.",       \
         0},                                                                                         \
        {"check_interval",                                                                           \
         OPT_DURATION,                                                                               \
         AT(check_interval_ms),                                                                      \
         "5s",                                                                                       \
         "100ms..10m",                                                                               \
         "How often a standing connection is asked whether it still leads to the primary, and "      \
         "the name of the host is looked up again.",                                                 \
         0},                                                                                         \
    {                                                                                                \
        "replica_wait", OPT_DURATION, AT(replica_wait_ms), "100ms", "0s..1s",                        \
            "How long a lease that was got and an intent that was written wait to be on a "          \
            "replica, too, where there are any; an instance is only ended once that is so. 0s: "     \
            "nothing is waited for.",                                                                \
            0                                                                                        \
    }

const struct option redis_options[] = {
    {"namespace", OPT_NAME, AT(name_space), "berth", NULL,
     "First part of every key, so that several installations share one Redis.", 0},
    HOW_TO_REACH_IT,
    {0}};
const struct option redis_server_options[] = {HOW_TO_REACH_IT, {0}};
#undef AT

int redis_check(const void *values, struct err *err)
{
    const struct redis_settings *redis = values;
    if (redis->sentinels.count && redis->cluster.count)
        return err_set(err, BERTH_EINVAL,
                       "cluster: a Redis is found by sentinels or is a cluster, not both");
    if (redis->sentinels.count && !redis->master)
        return err_set(err, BERTH_EINVAL,
                       "master: must be set, since there are sentinels (their word for the "
                       "primary: sentinel monitor NAME ...)");
    if (redis->master && !redis->sentinels.count)
        return err_set(err, BERTH_EINVAL, "sentinels: must name at least one, since master is set");
    if (redis->cluster.count && redis->db)
        return err_set(err, BERTH_EINVAL, "db = %lld: must be 0, since it is a cluster",
                       (long long)redis->db);
    if (redis->password && redis->password_file)
        return err_set(err, BERTH_EINVAL, "password_file: must not be set together with password");
    if (redis->user && !redis->password && !redis->password_file)
        return err_set(err, BERTH_EINVAL,
                       "password: must be set (or password_file), since username is");
    if (!redis->cert != !redis->key)
        return err_set(err, BERTH_EINVAL, "%s: must be set, since %s is",
                       redis->cert ? "key" : "cert", redis->cert ? "cert" : "key");
    if (!redis->tls && (redis->ca || redis->cert || redis->server_name))
        return err_set(err, BERTH_EINVAL, "tls: must be yes, since %s is set",
                       redis->ca     ? "ca"
                       : redis->cert ? "cert"
                                     : "server_name");
    if (redis->tls && redis->host && redis->host[0] == '/' && !redis->sentinels.count &&
        !redis->cluster.count)
        return err_set(err, BERTH_EINVAL, "tls: a unix socket has none");
    return 0;
}

const struct redis_settings *settings_redis(const struct settings *settings, const char *name)
{
    if (!name)
        return &settings->redis;
    for (size_t i = 0; i < settings->redis.servers.count; i++) {
        const struct redis_settings *server =
            SECTION_AT(settings->redis.servers, struct redis_settings, i);
        if (strcmp(server->name, name) == 0)
            return server;
    }
    return NULL;
}
