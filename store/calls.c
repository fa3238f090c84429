/* calls.c - encodes the calls about nodes, leases, peers, rooms, plans and events. */
#include "store/calls.h"

#include "store/calls_build.h"

#include <inttypes.h>
#include <stdio.h>

#define STREAM_MAX 100000000

static void build_keys(struct build *b, const enum key_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        build_key(b, ids[i]);
}
#define BUILD_KEYS(b, ...)                                                                         \
    build_keys((b), (const enum key_id[]){__VA_ARGS__},                                            \
               sizeof((const enum key_id[]){__VA_ARGS__}) / sizeof(enum key_id))

/* "name epoch token" */
static void build_holder(struct build *b, const char *holder)
{
    struct span rest = span_of(holder);
    struct span name = span_cut(&rest, ' ');
    struct span epoch = span_cut(&rest, ' ');
    int64_t number;
    if (!keys_name_ok(name) || !span_int(epoch, &number) || !span_int(rest, &number))
        build_bad(b, "holder", "name epoch token");
    build_raw(b, span_of(holder));
}

int calls_join(struct store_call *call, const struct keys *keys, const struct call_join *req,
               struct err *err)
{
    struct build b = build_begin(call, SCRIPT_JOIN, keys, err);
    BUILD_KEYS(&b, KEY_NODES, KEY_EPOCH, KEY_REPORTS, KEY_BEATS, KEY_STATES, KEY_LOAD, KEY_WANTS,
               KEY_FEED, KEY_EVENTS);
    build_name(&b, "node", span_of(req->node));
    build_id(&b, "nonce", span_of(req->nonce));
    build_text(&b, "info", req->info, 4096);
    build_int(&b, "contract", req->contract, 1, 1000);
    build_int(&b, "epoch", req->epoch, 0, BUILD_INT_MAX);
    build_int(&b, "lost_after_ms", req->lost_after_ms, 1, BUILD_INT_MAX);
    build_int(&b, "feed_max", req->feed_max, 1, STREAM_MAX);
    return build_end(&b);
}

int calls_report(struct store_call *call, const struct keys *keys, const struct call_report *req,
                 struct err *err)
{
    struct build b = build_begin(call, SCRIPT_REPORT, keys, err);
    BUILD_KEYS(&b, KEY_REPORTS, KEY_BEATS, KEY_STATES, KEY_LOAD, KEY_FEED);
    if (req->room_count > CALL_ROOMS_MAX)
        build_bad(&b, "rooms", "at most 64 in one report");
    for (size_t i = 0; i < req->room_count && !b.code; i++)
        build_key_of(&b, "room", keys_room, req->rooms[i]);
    build_name(&b, "node", span_of(req->node));
    build_int(&b, "epoch", req->epoch, 1, BUILD_INT_MAX);
    build_int(&b, "seq", req->seq, 1, BUILD_INT_MAX);
    build_text(&b, "record", req->record, 4096);
    build_int(&b, "conns", req->conns, 0, 999999999);
    build_word(&b, req->full ? "1" : "0");
    build_int(&b, "feed_max", req->feed_max, 1, STREAM_MAX);
    build_int(&b, "room_ttl_ms", req->room_ttl_ms, req->room_count ? 1 : 0, BUILD_INT_MAX);
    return build_end(&b);
}

int calls_want(struct store_call *call, const struct keys *keys, const struct call_want *req,
               struct err *err)
{
    char text[KEYS_NAME_MAX + 8];
    struct span node = span_of(req->node);
    static const char *const of_pools[] = {WANT_POOL_CLOSED, WANT_POOL_PAUSED, WANT_POOL_SIZE,
                                           WANT_POOL_ROLL,   WANT_POOL_OWNER,  WANT_POOL_GUARD};
    bool of_pool = false;
    for (size_t i = 0; i < sizeof of_pools / sizeof *of_pools; i++)
        of_pool |= span_is(node, of_pools[i]);
    struct build b = build_begin(call, SCRIPT_WANT, keys, err);
    BUILD_KEYS(&b, KEY_NODES, KEY_WANTS, KEY_FEED, KEY_EVENTS, KEY_LEADER);
    if (of_pool)
        build_raw(&b, node);
    else
        build_name(&b, "node", node);
    if ((unsigned)req->who >= WANT_WHOS || (unsigned)req->kind >= WANT_KINDS) {
        build_bad(&b, "want", "one of the known words");
        return build_end(&b);
    }
    build_word(&b, want_who_word(req->who));
    if (req->kind == WANT_SIZE) {
        if (req->size < 0 || req->size > 1000000)
            build_bad(&b, "size", "0..1000000");
        (void)snprintf(text, sizeof text, "size:%" PRId64, req->size);
        build_word(&b, text);
    } else if (req->kind == WANT_ROLL && req->version) {
        if (!keys_name_ok(span_of(req->version)))
            build_bad(&b, "version", "1..63 of A-Z a-z 0-9 . _ ~ -");
        (void)snprintf(text, sizeof text, "roll:%.*s", KEYS_NAME_MAX, req->version);
        build_word(&b, text);
    } else {
        build_word(&b, want_word(req->kind));
    }
    build_encoded(&b, "why", req->why, WANT_WHY_MAX - 1);
    build_int(&b, "until", req->until.ms, 0, BUILD_INT_MAX);
    build_int(&b, "feed_max", req->feed_max, 1, STREAM_MAX);
    if (req->who == WANT_BY_AUTOSCALE)
        build_holder(&b, req->holder);
    else
        build_word(&b, "-");
    return build_end(&b);
}

int calls_move(struct store_call *call, const struct keys *keys, const struct call_move *req,
               struct err *err)
{
    struct build b = build_begin(call, SCRIPT_MOVE, keys, err);
    BUILD_KEYS(&b, KEY_OWNER, KEY_LEADER, KEY_STATES, KEY_NODES, KEY_REPORTS, KEY_BEATS, KEY_LOAD,
               KEY_WANTS, KEY_FEED, KEY_EVENTS);
    build_word(&b, req->role == MOVE_LEADER ? "leader" : "owner");
    build_holder(&b, req->holder);
    build_name(&b, "node", span_of(req->node));
    build_int(&b, "node_epoch", req->node_epoch, 1, BUILD_INT_MAX);
    build_word(&b, state_word(req->from));
    build_word(&b, state_word(req->to));
    build_name(&b, "why", span_of(req->why));
    build_int(&b, "feed_max", req->feed_max, 1, STREAM_MAX);
    return build_end(&b);
}

int calls_sweep(struct store_call *call, const struct keys *keys, const struct call_sweep *req,
                struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SWEEP, keys, err);
    BUILD_KEYS(&b, KEY_OWNER, KEY_NODES, KEY_STATES, KEY_BEATS, KEY_REPORTS, KEY_LOAD, KEY_WANTS,
               KEY_FEED, KEY_EVENTS);
    build_holder(&b, req->holder);
    build_int(&b, "lost_after_ms", req->lost_after_ms, 1, BUILD_INT_MAX);
    build_int(&b, "forget_after_ms", req->forget_after_ms, req->lost_after_ms, BUILD_INT_MAX);
    build_int(&b, "guard_percent", req->guard_percent, 0, 100);
    build_int(&b, "limit", req->limit, 1, 1000);
    build_int(&b, "feed_max", req->feed_max, 1, STREAM_MAX);
    build_int(&b, "grace", req->grace, 0, 1);
    return build_end(&b);
}

void calls_holder(const char *name, int64_t epoch, int64_t token, char buf[CALL_HOLDER_MAX])
{
    (void)snprintf(buf, CALL_HOLDER_MAX, "%s %" PRId64 " %" PRId64, name, epoch, token);
}

int calls_lease(struct store_call *call, const struct keys *keys, const struct call_lease *req,
                struct err *err)
{
    static const char *const ops[] = {
        [LEASE_OP_ACQUIRE] = "acquire", [LEASE_OP_RENEW] = "renew", [LEASE_OP_RELEASE] = "release"};
    struct build b = build_begin(call, SCRIPT_LEASE, keys, err);
    BUILD_KEYS(&b, req->role == MOVE_LEADER ? KEY_LEADER : KEY_OWNER, KEY_FENCE);
    if (req->op < LEASE_OP_ACQUIRE || req->op > LEASE_OP_RELEASE)
        build_bad(&b, "op", "acquire, renew or release");
    else
        build_word(&b, ops[req->op]);
    build_name(&b, "name", span_of(req->name));
    build_int(&b, "epoch", req->epoch, 1, BUILD_INT_MAX);
    build_int(&b, "token", req->token, 0, BUILD_INT_MAX);
    build_int(&b, "ttl_ms", req->ttl_ms, 1, BUILD_INT_MAX);
    return build_end(&b);
}

int calls_enroll(struct store_call *call, const struct keys *keys, const struct call_enroll *req,
                 struct err *err)
{
    struct build b = build_begin(call, SCRIPT_ENROLL, keys, err);
    struct span rest = span_of(req->id);
    struct span kind = span_cut(&rest, '/');
    BUILD_KEYS(&b, KEY_PEERS, KEY_EPOCH);
    if ((!span_is(kind, "lb") && !span_is(kind, "autoscale")) || !keys_name_ok(rest))
        build_bad(&b, "id", "lb/name or autoscale/name");
    build_raw(&b, span_of(req->id));
    build_id(&b, "nonce", span_of(req->nonce));
    build_encoded(&b, "url", req->url, 255);
    build_int(&b, "live_ms", req->live_ms, 1, BUILD_INT_MAX);
    build_word(&b, req->leave ? "leave" : "enroll");
    build_int(&b, "epoch", req->epoch, 0, BUILD_INT_MAX);
    return build_end(&b);
}

static void build_players(struct build *b, const struct span *players, size_t count)
{
    if (count > CALL_PLAYERS_MAX)
        build_bad(b, "players", "at most 32");
    for (size_t i = 0; i < count && !b->code; i++)
        build_key_of(b, "player", keys_player, players[i]);
}

static void build_claims_key(struct build *b, const char *node, int64_t epoch)
{
    char text[KEYS_TEXT_MAX];
    struct span key = keys_claims(b->names, span_of(node), epoch, text);
    if (key.len == 0)
        build_bad(b, "node", "a name, of a process that has an epoch");
    build_key_text(b, key);
}

/* "name/epoch": as in the admitted counts of reports. */
static void build_issuer(struct build *b, const char *name, int64_t epoch)
{
    char text[KEYS_NAME_MAX + 24];
    int n = snprintf(text, sizeof text, "%s/%" PRId64, name, epoch);
    if (!keys_name_ok(span_of(name)) || epoch < 1)
        build_bad(b, "issuer", "a name and its epoch");
    build_raw(b, (struct span){text, (size_t)n < sizeof text ? (size_t)n : 0});
}

int calls_room(struct store_call *call, const struct keys *keys, const struct call_room *req,
               struct err *err)
{
    struct build b = build_begin(call, SCRIPT_ROOM, keys, err);
    build_key_of(&b, "room", keys_room, req->room);
    BUILD_KEYS(&b, KEY_STATES, KEY_REPORTS);
    build_claims_key(&b, req->node, req->epoch);
    build_players(&b, req->players, req->player_count);
    build_id(&b, "room", req->room);
    build_name(&b, "node", span_of(req->node));
    build_int(&b, "epoch", req->epoch, 1, BUILD_INT_MAX);
    build_int(&b, "seats", req->seats, 0, 1000000);
    build_int(&b, "ttl_ms", req->ttl_ms, 1, BUILD_INT_MAX);
    if (req->dead_node)
        build_name(&b, "dead_node", span_of(req->dead_node));
    else
        build_word(&b, "-");
    build_int(&b, "dead_epoch", req->dead_epoch, 0, BUILD_INT_MAX);
    build_issuer(&b, req->issuer, req->issuer_epoch);
    build_int(&b, "alive_ms", req->alive_ms, 1, BUILD_INT_MAX);
    build_int(&b, "settle_ms", req->settle_ms, 0, BUILD_INT_MAX);
    return build_end(&b);
}

int calls_room_end(struct store_call *call, const struct keys *keys,
                   const struct call_room_end *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_ROOM_END, keys, err);
    build_key_of(&b, "room", keys_room, req->room);
    build_players(&b, req->players, req->player_count);
    build_id(&b, "room", req->room);
    if (req->node)
        build_name(&b, "node", span_of(req->node));
    else
        build_word(&b, "-");
    build_int(&b, "epoch", req->epoch, 0, BUILD_INT_MAX);
    return build_end(&b);
}

int calls_plan(struct store_call *call, const struct keys *keys, const struct call_plan *req,
               struct err *err)
{
    struct build b = build_begin(call, SCRIPT_PLAN, keys, err);
    BUILD_KEYS(&b, KEY_LEADER, KEY_PLAN);
    build_holder(&b, req->holder);
    build_int(&b, "fields_max", req->fields_max, 1, 1000000);
    if (req->change_count < 1 || req->change_count > 32)
        build_bad(&b, "changes", "1..32");
    for (size_t i = 0; i < req->change_count && !b.code; i++) {
        build_name(&b, "field", req->changes[i].field);
        if (req->changes[i].value.len > 4096)
            build_bad(&b, "value", "at most 4096 bytes");
        build_raw(&b, req->changes[i].value);
    }
    return build_end(&b);
}

int calls_event(struct store_call *call, const struct keys *keys, const struct call_event *req,
                struct err *err)
{
    struct build b = build_begin(call, SCRIPT_EVENT, keys, err);
    build_key(&b, req->minutes ? KEY_HISTORY_MINUTES : req->history ? KEY_HISTORY : KEY_EVENTS);
    build_name(&b, "kind", span_of(req->kind));
    build_text(&b, "name", span_of(req->name), 80);
    if (req->detail.len > 8192)
        build_bad(&b, "detail", "at most 8192 bytes");
    build_raw(&b, req->detail);
    build_int(&b, "stream_max", req->stream_max, 1, STREAM_MAX);
    return build_end(&b);
}

int calls_alerted(struct store_call *call, const struct keys *keys, const struct call_alerted *req,
                  struct err *err)
{
    struct build b = build_begin(call, SCRIPT_ALERTED, keys, err);
    build_key(&b, KEY_ALERTS);
    build_text(&b, "destination", span_of(req->destination), 63);
    build_text(&b, "id", span_of(req->id), 48);
    build_int(&b, "ttl_ms", req->ttl_ms, 1, BUILD_INT_MAX);
    return build_end(&b);
}
