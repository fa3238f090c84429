/* tools.c - the options of the tools: berth-swarm and `berth`. */
#include "settings/settings.h"

#define AT(field) offsetof(struct swarm_settings, field)
const struct option swarm_options[] = {
    {"players", OPT_INT, AT(players), "100", "1..1000000",
     "Virtual players; each needs up to three descriptors of its worker.", 0},
    {"workers", OPT_INT, AT(workers), "0", "0..256",
     "Processes that share the players; 0: as many as the limit of descriptors (ulimit -n) "
     "demands.",
     0},
    {"first", OPT_INT, AT(first), "0", "0..1000000000",
     "Number of the first player, so that several machines share a run (and a prefix).", 0},
    {"worker", OPT_BOOL, AT(worker), "false", NULL,
     "One process, and what it saw goes to stdout for berth-swarm --merge instead of a table.", 0},
    {"lb", OPT_LIST, AT(lb), "http://127.0.0.1:8080", "1..16",
     "Base URLs of the endpoint API, asked in turn.", 0},
    {"lobby_pool", OPT_NAME, AT(lobby_pool), "lobby", NULL, "Pool of the lobby nodes.", 0},
    {"game_pool", OPT_NAME, AT(game_pool), "game", NULL, "Pool of the game nodes.", 0},
    {"mode", OPT_NAME, AT(mode), "default", NULL, "The mode that is sought.", 0},
    {"prefix", OPT_NAME, AT(prefix), NULL, NULL,
     "First part of the players' names; made anew for each run when not set.", 0},
    {"token", OPT_TEXT, AT(token), NULL, "1..512", "Bearer token for pools with access: server.",
     OPT_SECRET},
    {"ramp", OPT_DURATION, AT(ramp_ms), "10s", "0..1h", "Players arrive evenly over this time.", 0},
    {"hold", OPT_DURATION, AT(hold_ms), "10s", "0..24h", "How long after the ramp the first leave.",
     0},
    {"leave", OPT_DURATION, AT(leave_ms), "5s", "0..1h",
     "Players leave, room by room, over this time.", 0},
    {"event_interval", OPT_DURATION, AT(event_interval_ms), "1s", "0..1m",
     "Each player in a room sends an event so often; 0: none.", 0},
    {"linger", OPT_DURATION, AT(linger_ms), "2s", "0..1m",
     "The lobby socket is kept a random time up to this after the game socket is up.", 0},
    {"step_timeout", OPT_DURATION, AT(step_timeout_ms), "15s", "100ms..10m",
     "A step that takes longer is a failure.", 0},
    {"match_timeout", OPT_DURATION, AT(match_timeout_ms), "60s", "100ms..1h",
     "The same for the steps that may wait for a machine to boot: endpoint, match, start, meet.",
     0},
    {"api_timeout", OPT_DURATION, AT(api_timeout_ms), "2s", "50ms..1m",
     "One try at one LB; then the next is asked.", 0},
    {"connect_timeout", OPT_DURATION, AT(connect_timeout_ms), "5s", "50ms..1m",
     "A WebSocket handshake.", 0},
    {"seed", OPT_INT, AT(seed), "1", "0..9007199254740991", "Seed of all that is random.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct up_settings, field)
const struct option up_options[] = {
    {"directory", OPT_TEXT, AT(directory), NULL, "1..300",
     "Where `berth up` keeps logs, sockets and pid files; made from XDG_RUNTIME_DIR or /tmp when "
     "not set.",
     0},
    {"redis_server", OPT_TEXT, AT(redis_server), "redis-server", "1..300",
     "The redis-server program that is started.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct cli_settings, field)
const struct option cli_options[] = {
    {"until", OPT_DURATION, AT(until_ms), "0", "0..365d",
     "A wish (drain, hold, pause, scale, close) ends by itself after this time; 0: when it is "
     "taken "
     "back.",
     0},
    {"why", OPT_TEXT, AT(why), NULL, "1..200",
     "The reason of a wish, for others to read; of close: the message for players.", 0},
    {"keep", OPT_NAME, AT(keep), NULL, NULL,
     "Of a roll: nodes that have this version stay; not set: all are replaced.", 0},
    {"lines", OPT_INT, AT(lines), "20", "1..10000", "How many events are shown.", 0},
    {"json", OPT_BOOL, AT(json), "no", NULL, "Of doctor: tell as JSON, for programs.", 0},
    {"follow", OPT_BOOL, AT(follow), "no", NULL, "Go on showing events as they happen.", 0},
    {"test", OPT_BOOL, AT(test), "no", NULL,
     "berth alert: send a test message to every destination (--test).", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct simulate_settings, field)
const struct option simulate_options[] = {
    {"policy", OPT_TEXT, AT(policy), NULL, "1..4000",
     "The file whose pools.NAME.scale is tried, in the form of berth.yaml (--policy).", 0},
    {"trace", OPT_TEXT, AT(trace), NULL, "1..4000",
     "The demand: lines of second,players or second,arrivals (--trace).", 0},
    {"pool", OPT_NAME, AT(pool), NULL, NULL,
     "Which pool of the policy; not set: the only one that has rules (--pool).", 0},
    {"boot", OPT_DURATION, AT(boot_ms), "60s", "2s..1h",
     "From the launch of a node until it is ready (--boot).", 0},
    {"capacity", OPT_INT, AT(capacity), "0", "0..1000000",
     "Players a node takes. 0: the pool's (--capacity).", 0},
    {"session", OPT_DURATION, AT(session_ms), "10m", "2s..4h",
     "How long a player plays: between half and one and a half of it (--session).", 0},
    {"initial", OPT_INT, AT(initial), "-1", "-1..10000",
     "Ready nodes at the beginning. -1: as many as hold the first players (--initial).", 0},
    {"warmup", OPT_DURATION, AT(warmup_ms), "30m", "1m..1d",
     "The first second's demand, for so long before anything is counted (--warmup).", 0},
    {"flap_window", OPT_DURATION, AT(flap_window_ms), "10m", "1s..1d",
     "A scale-in so soon after a scale-out, or the reverse, is a flap (--flap-window).", 0},
    {"seed", OPT_INT, AT(seed), "1", "0..9007199254740991", "Of what is random (--seed).", 0},
    {"as", OPT_CHOICE, AT(as), "policy", "policy|oracle|reactive",
     "Whose timeline, plot and events are written: the policy's, or a yardstick's (--as).", 0},
    {"timeline", OPT_TEXT, AT(timeline), NULL, "1..4000",
     "Write a CSV: a row for every ten seconds (--timeline).", 0},
    {"plot", OPT_TEXT, AT(plot), NULL, "1..4000", "Write a picture, SVG (--plot).", 0},
    {"events", OPT_BOOL, AT(events), "no", NULL, "Print every decision (--events).", 0},
    {0}};
#undef AT
