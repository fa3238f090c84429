/* nodes.c - the options of game and lobby nodes. */
#include "settings/settings.h"

/* Rows that both kinds of node have; `s` is the section's struct, `pool` and `listen` differ in
 * their defaults. */
#define NODE_OPTIONS(s, pool_name)                                                                   \
    {"name",                                                                                         \
     OPT_NAME,                                                                                       \
     offsetof(s, node.name),                                                                         \
     NULL,                                                                                           \
     NULL,                                                                                           \
     "Name of this node; not set: made from the host's name and the pid (--name).",                  \
     0},                                                                                             \
        {"pool",    OPT_NAME, offsetof(s, node.pool),                                                \
         pool_name, NULL,     "The pool it belongs to (--pool).",                                    \
         0},                                                                                         \
        {"listen",                                                                                   \
         OPT_HOSTPORT,                                                                               \
         offsetof(s, node.listen),                                                                   \
         "127.0.0.1:0",                                                                              \
         NULL,                                                                                       \
         "Where players connect; port 0: any free one.",                                             \
         0},                                                                                         \
        {"port",                                                                                     \
         OPT_INT,                                                                                    \
         offsetof(s, node.port),                                                                     \
         "-1",                                                                                       \
         "-1..65535",                                                                                \
         "The port to listen on instead of the one in listen (--port); -1: that of listen.",         \
         0},                                                                                         \
        {"advertise",                                                                                \
         OPT_TEXT,                                                                                   \
         offsetof(s, node.advertise),                                                                \
         "ws://{host}:{port}/ws",                                                                    \
         "1..512",                                                                                   \
         "The URL players are given; {host}, {port}, {name} and {instance} are filled in.",          \
         0},                                                                                         \
        {"probe_url",                                                                                \
         OPT_TEXT,                                                                                   \
         offsetof(s, node.probe_url),                                                                \
         NULL,                                                                                       \
         "1..512",                                                                                   \
         "The URL the balancer probes; not set: the advertised one.",                                \
         0},                                                                                         \
        {"zone", OPT_TEXT, offsetof(s, node.zone), "", "0..63", "Availability zone or data centre.", \
         0},                                                                                         \
        {"version", OPT_TEXT, offsetof(s, node.version),                                             \
         "",        "0..63",  "Build of the game, for clients that ask for one.",                    \
         0},                                                                                         \
        {"instance", OPT_TEXT, offsetof(s, node.instance),                                           \
         "",         "0..127", "The instance it runs on, as its provider names it (--instance).",    \
         0},                                                                                         \
        {"capacity", OPT_INT,      offsetof(s, node.capacity),                                       \
         "0",        "0..1000000", "Players it takes. 0: the pool's.",                               \
         0},                                                                                         \
        {"admit_timeout",                                                                            \
         OPT_DURATION,                                                                               \
         offsetof(s, node.admit_timeout_ms),                                                         \
         "5s",                                                                                       \
         "100ms..1m",                                                                                \
         "A socket not admitted within this is closed (4408).",                                      \
         0},                                                                                         \
        {"ping_interval",                                                                            \
         OPT_DURATION,                                                                               \
         offsetof(s, node.ping_interval_ms),                                                         \
         "20s",                                                                                      \
         "0s..10m",                                                                                  \
         "How often a silent socket is pinged. 0s: never.",                                          \
         0},                                                                                         \
        {"frame_max",                                                                                \
         OPT_SIZE,                                                                                   \
         offsetof(s, node.frame_max_bytes),                                                          \
         "16KiB",                                                                                    \
         "256..1MiB",                                                                                \
         "Largest message taken from a player.",                                                     \
         0},                                                                                         \
        {"send_max", OPT_SIZE,      offsetof(s, node.send_max_bytes),                                \
         "256KiB",   "4KiB..64MiB", "Bytes queued for a slow reader before it is closed.",           \
         0},                                                                                         \
        {"drain_deadline",                                                                           \
         OPT_DURATION,                                                                               \
         offsetof(s, node.drain_deadline_ms),                                                        \
         "0s",                                                                                       \
         "0s..7d",                                                                                   \
         "After SIGTERM, how long players may play on. 0s: until the last one leaves.",              \
         0},                                                                                         \
        {"maintenance_file",                                                                         \
         OPT_TEXT,                                                                                   \
         offsetof(s, node.maintenance_file),                                                         \
         NULL,                                                                                       \
         "1..512",                                                                                   \
         "While this file exists the node is out of rotation.",                                      \
         0},                                                                                         \
        {"in_service_file",                                                                          \
         OPT_TEXT,                                                                                   \
         offsetof(s, node.in_service_file),                                                          \
         NULL,                                                                                       \
         "1..512",                                                                                   \
         "While this file is absent the node is out of rotation.",                                   \
         0},                                                                                         \
        {"health",                                                                                   \
         OPT_HOSTPORT,                                                                               \
         offsetof(s, node.health),                                                                   \
         NULL,                                                                                       \
         NULL,                                                                                       \
         "A port that is open only while the node is in rotation; not set: none.",                   \
         0},                                                                                         \
    {                                                                                                \
        "tickets", OPT_BOOL, offsetof(s, node.tickets), "true", NULL,                                \
            "Verify tickets (when tickets.mode is required).", 0                                     \
    }

#define AT(field) offsetof(struct gamenode_settings, field)
const struct option gamenode_options[] = {
    NODE_OPTIONS(struct gamenode_settings, "game"),
    {"rooms_max", OPT_INT, AT(rooms_max), "10000", "1..1000000", "Rooms at a time.", 0},
    {"room_players_max", OPT_INT, AT(room_players_max), "64", "1..10000", "Players in one room.",
     0},
    {"grace", OPT_DURATION, AT(grace_ms), "10s", "0s..10m",
     "How long a seat waits for a player whose connection broke.", 0},
    {"room_linger", OPT_DURATION, AT(room_linger_ms), "5s", "0s..1h",
     "How long a room stays open when everyone has left.", 0},
    {"tick", OPT_DURATION, AT(tick_ms), "50ms", "5ms..1s",
     "How long positions are gathered before they are passed on together.", 0},
    {"position_max", OPT_SIZE, AT(position_max_bytes), "256", "16..4KiB",
     "Largest position taken from a player; at most half of send_max.", 0},
    {"late_join", OPT_BOOL, AT(late_join), "true", NULL,
     "Whether new players may come into a match that has begun.", 0},
    {"start_players", OPT_INT, AT(start_players), "0", "0..10000",
     "A match begins by itself with so many players inside. 0: when a player says start.", 0},
    {"room_idle", OPT_DURATION, AT(room_idle_ms), "30m", "0s..7d",
     "A room without a word from anyone inside for so long is closed. 0s: never.", 0},
    {"result_url", OPT_TEXT, AT(result_url), NULL, "1..512",
     "URL that the result of each finished match is posted to, as JSON; not set: none.",
     OPT_SECRET},
    {"result_command", OPT_LIST, AT(result_command), NULL, "1..16",
     "Command that gets the result of each finished match on standard input, as JSON.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct lobbynode_settings, field)
const struct option lobbynode_options[] = {
    NODE_OPTIONS(struct lobbynode_settings, "lobby"),
    {"match_size", OPT_INT, AT(match_size), "4", "1..32", "Players of a match.", 0},
    {"game_pool", OPT_NAME, AT(game_pool), "game", NULL, "The pool whose nodes hold the matches.",
     0},
    {"lb", OPT_LIST, AT(lb), "http://127.0.0.1:8080", "1..8",
     "Base URLs of the endpoint API, tried in turn.", 0},
    {"seek_timeout", OPT_DURATION, AT(seek_timeout_ms), "60s", "1s..1h",
     "A player unmatched for so long is told so.", 0},
    {"match_retry", OPT_DURATION, AT(match_retry_ms), "5s", "1s..1m",
     "A match that its lobby node has not finished after this is picked up by any other.", 0},
    {"match_ttl", OPT_DURATION, AT(match_ttl_ms), "30s", "2s..10m",
     "A match that nobody could finish for so long is given up; must be above match_retry.", 0},
    {"token", OPT_TEXT, AT(token), NULL, "1..256",
     "Bearer token for a game pool whose access is server.", OPT_SECRET},
    {0}};
#undef AT

int gamenode_check(const void *values, struct err *err)
{
    const struct gamenode_settings *s = values;
    if (s->position_max_bytes > s->node.send_max_bytes / 2)
        return err_set(err, BERTH_EINVAL,
                       "position_max = %lld: must be at most half of send_max (%lld bytes)",
                       (long long)s->position_max_bytes, (long long)s->node.send_max_bytes);
    return 0;
}

int lobbynode_check(const void *values, struct err *err)
{
    const struct lobbynode_settings *s = values;
    if (s->match_ttl_ms <= s->match_retry_ms)
        return err_set(err, BERTH_EINVAL, "match_ttl must be above match_retry");
    return 0;
}
