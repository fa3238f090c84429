/* nodes.c - the options of game and lobby nodes. */
#include "settings/settings.h"

/* Rows that both kinds of node have; `s` is the section's struct, `pool` and `listen` differ in
 * their defaults. */
#define NODE_OPTIONS(s, pool_name, rate, burst)                                                      \
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
         "The URL players are given. Filled in: {host} {port} {node} {pool} {zone} {instance} "      \
         "{address} {public_address}; {name} is {node}.",                                            \
         0},                                                                                         \
        {"probe_url",                                                                                \
         OPT_TEXT,                                                                                   \
         offsetof(s, node.probe_url),                                                                \
         NULL,                                                                                       \
         "1..512",                                                                                   \
         "The URL the balancer probes; not set: the advertised one.",                                \
         0},                                                                                         \
        {"metadata",                                                                                 \
         OPT_CHOICE,                                                                                 \
         offsetof(s, node.metadata),                                                                 \
         "off",                                                                                      \
         "off|aws|auto",                                                                             \
         "Ask the machine (EC2 metadata, version 2) for instance, zone, addresses and pool (tag "    \
         "berth:pool), and watch for notices of its end. auto: if anybody answers.",                 \
         0},                                                                                         \
        {"metadata_interval",                                                                        \
         OPT_DURATION,                                                                               \
         offsetof(s, node.metadata_interval_ms),                                                     \
         "5s",                                                                                       \
         "100ms..5m",                                                                                \
         "How often such notices are looked for.",                                                   \
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
        {"message_rate",                                                                             \
         OPT_INT,                                                                                    \
         offsetof(s, node.message_rate),                                                             \
         rate,                                                                                       \
         "0..1000000",                                                                               \
         "Messages a second that are read of one socket; one counts for each KiB of it, begun. "     \
         "Whoever sends more waits. 0: no limit.",                                                   \
         OPT_LIVE},                                                                                  \
        {"message_burst", OPT_INT,      offsetof(s, node.message_burst),                             \
         burst,           "1..1000000", "How many may come at once, after a while of silence.",      \
         OPT_LIVE},                                                                                  \
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
    NODE_OPTIONS(struct gamenode_settings, "game", "120", "240"),
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
    NODE_OPTIONS(struct lobbynode_settings, "lobby", "20", "60"),
    {"match_size", OPT_INT, AT(match_size), "4", "1..32",
     "Players of a match in modes that are not listed.", 0},
    {"game_pool", OPT_NAME, AT(game_pool), "game", NULL, "The pool whose nodes hold the matches.",
     0},
    {"lb", OPT_LIST, AT(lb), "http://127.0.0.1:8080", "1..8",
     "Base URLs of the endpoint API, tried in turn.", 0},
    {"seek_timeout", OPT_DURATION, AT(seek_timeout_ms), "60s", "1s..1h",
     "A player unmatched for so long is told so, in modes that are not listed.", 0},
    {"match_interval", OPT_DURATION, AT(match_interval_ms), "100ms", "10ms..10s",
     "How often those who wait are looked at.", 0},
    {"lobby_lease", OPT_DURATION, AT(lobby_lease_ms), "1500ms", "500ms..1m",
     "A lobby node that does not renew its lease in this time is dead: its players are in no "
     "match.",
     0},
    {"seek_keep", OPT_DURATION, AT(seek_keep_ms), "30s", "0s..10m",
     "How long the waiting time of a player whose connection ended is kept for the next seek.", 0},
    {"group_ttl", OPT_DURATION, AT(group_ttl_ms), "10m", "0s..1d",
     "How long the players of a match can talk through the lobby. 0s: not at all.", 0},
    {"party_ttl", OPT_DURATION, AT(party_ttl_ms), "1h", "1m..1d",
     "A party that has not changed for so long is forgotten.", 0},
    {"match_retry", OPT_DURATION, AT(match_retry_ms), "5s", "1s..1m",
     "A match that its lobby node has not finished after this is picked up by any other.", 0},
    {"match_ttl", OPT_DURATION, AT(match_ttl_ms), "30s", "2s..10m",
     "A match that nobody could finish for so long is given up; must be above match_retry.", 0},
    {"token", OPT_TEXT, AT(token), NULL, "1..256",
     "Bearer token for a game pool whose access is server.", OPT_SECRET},
    {0}};
#undef AT

#define AT(field) offsetof(struct match_mode_settings, field)
const struct option match_mode_options[] = {
    {"size", OPT_INT, AT(size), "4", "1..32", "Players of a match.", 0},
    {"size_min", OPT_INT, AT(size_min), "2", "1..32",
     "Players of the smallest match, where on_timeout or on_leave is smaller.", 0},
    {"party_max", OPT_INT, AT(party_max), "0", "0..32",
     "Players of a party; it is matched whole. 0: as many as a match has.", 0},
    {"window_start", OPT_INT, AT(window_start), "50", "0..1000000",
     "How far apart ratings may be at first.", 0},
    {"window_growth", OPT_INT, AT(window_growth), "20", "0..1000000",
     "How much wider a player's window gets with each second of waiting.", 0},
    {"window_max", OPT_INT, AT(window_max), "0", "0..1000000",
     "The widest it gets. 0: ratings do not matter.", 0},
    {"region_after", OPT_DURATION, AT(region_after_ms), "10s", "0s..1h",
     "How long only players of the same region are taken; then of any.", 0},
    {"timeout", OPT_DURATION, AT(timeout_ms), "60s", "1s..1h", "Nobody waits longer.", 0},
    {"on_timeout", OPT_CHOICE, AT(on_timeout), "event", "event|smaller|bots",
     "What happens then: the player is told; a match of those there are; one filled with bots.", 0},
    {"on_leave", OPT_CHOICE, AT(on_leave), "requeue", "requeue|smaller",
     "When a player leaves before everyone was told of the match: the others wait again, with "
     "their waiting time kept; or the match goes on without.",
     0},
    {0}};
#undef AT

int match_mode_check(const void *values, struct err *err)
{
    const struct match_mode_settings *mode = values;
    if (mode->party_max > mode->size)
        return err_set(err, BERTH_EINVAL, "party_max = %lld: must not be above size (%lld)",
                       (long long)mode->party_max, (long long)mode->size);
    if (mode->window_max > 0 && mode->window_start > mode->window_max)
        return err_set(err, BERTH_EINVAL,
                       "window_start = %lld: must not be above window_max (%lld)",
                       (long long)mode->window_start, (long long)mode->window_max);
    if (mode->on_timeout == 1 && mode->size_min > mode->size)
        return err_set(err, BERTH_EINVAL, "size_min = %lld: must not be above size (%lld)",
                       (long long)mode->size_min, (long long)mode->size);
    return 0;
}

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
    if (s->match_retry_ms < s->lobby_lease_ms)
        return err_set(err, BERTH_EINVAL,
                       "match_retry = %lldms: must not be below lobby_lease (%lldms): by then a "
                       "dead lobby node must be known",
                       (long long)s->match_retry_ms, (long long)s->lobby_lease_ms);
    return 0;
}
