/* calls_match.c - encodes the calls of the matcher: tick, make, drop, take, finish, sweep. */
#include "store/calls_build.h"

void build_stream(struct build *b, const struct call_stream *stream)
{
    build_int(b, "stream_max", stream->max, 1, 100000000);
    build_int(b, "stream_ttl_ms", stream->ttl_ms, 1, BUILD_INT_MAX);
}

int calls_seek_tick(struct store_call *call, const struct keys *keys,
                    const struct call_seek_tick *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_TICK, keys, err);
    build_key(&b, KEY_LOBBIES);
    build_key(&b, KEY_MATCHER);
    build_key(&b, KEY_MODES);
    build_key_of(&b, "lobby", keys_results, span_of(req->lobby));
    build_key(&b, KEY_QUEUE_PREFIX);
    build_name(&b, "lobby", span_of(req->lobby));
    build_int(&b, "lobby_epoch", req->lobby_epoch, 1, BUILD_INT_MAX);
    build_int(&b, "lease_ms", req->lease_ms, 1, BUILD_INT_MAX);
    build_int(&b, "matcher_ms", req->matcher_ms, 1, BUILD_INT_MAX);
    build_int(&b, "limit", req->limit, 1, 5000);
    build_int(&b, "stream_ttl_ms", req->stream_ttl_ms, 1, BUILD_INT_MAX);
    if (req->offset_count > CALL_MODES_MAX)
        build_bad(&b, "offsets", "at most 64");
    for (size_t i = 0; i < req->offset_count && !b.code; i++) {
        build_name(&b, "mode", req->offsets[i].mode);
        build_int(&b, "offset", req->offsets[i].offset, 0, BUILD_INT_MAX);
    }
    return build_end(&b);
}

int calls_seek_make_begin(struct store_call *call, const struct keys *keys,
                          const struct call_seek_make *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_MAKE, keys, err);
    build_key_of(&b, "mode", keys_queue, req->mode);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_MATCHES);
    build_key(&b, KEY_LOBBIES);
    build_key(&b, KEY_MATCH_PREFIX);
    build_key(&b, KEY_RESULTS_PREFIX);
    build_name(&b, "mode", req->mode);
    build_int(&b, "retry_ms", req->retry_ms, 1, BUILD_INT_MAX);
    build_int(&b, "match_ttl_ms", req->match_ttl_ms, req->retry_ms, BUILD_INT_MAX);
    build_word(&b, req->smaller ? "smaller" : "requeue");
    build_int(&b, "size_min", req->size_min, 1, CALL_PLAYERS_MAX);
    build_int(&b, "stream_max", req->stream_max, 1, 100000000);
    return build_end(&b);
}

int calls_seek_make_add(struct store_call *call, struct span room, int64_t bots,
                        const struct span *entries, size_t count)
{
    struct err err = {0};
    size_t argc = call->argc, used = call->used;
    struct build b = {call, NULL, &err, 0};
    build_id(&b, "room", room);
    build_int(&b, "bots", bots, 0, CALL_PLAYERS_MAX);
    build_int(&b, "count", (int64_t)count, 1, CALL_PLAYERS_MAX);
    for (size_t i = 0; i < count && !b.code; i++)
        build_text(&b, "entry", entries[i], CALL_ENTRY_MAX);
    if (b.code) {
        call->argc = argc;
        call->used = used;
    }
    return b.code;
}

int calls_seek_drop_begin(struct store_call *call, const struct keys *keys,
                          const struct call_seek_drop *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_DROP, keys, err);
    build_key_of(&b, "mode", keys_queue, req->mode);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_LOBBIES);
    build_key(&b, KEY_RESULTS_PREFIX);
    build_name(&b, "mode", req->mode);
    build_word(&b, req->lost ? "lost" : "timeout");
    build_stream(&b, &req->stream);
    return build_end(&b);
}

int calls_seek_drop_add(struct store_call *call, struct span entry)
{
    struct err err = {0};
    size_t argc = call->argc, used = call->used;
    struct build b = {call, NULL, &err, 0};
    build_text(&b, "entry", entry, CALL_ENTRY_MAX);
    if (b.code) {
        call->argc = argc;
        call->used = used;
    }
    return b.code;
}

int calls_seek_take(struct store_call *call, const struct keys *keys,
                    const struct call_seek_take *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_TAKE, keys, err);
    build_key(&b, KEY_MATCHES);
    build_key(&b, KEY_MATCH_PREFIX);
    build_int(&b, "retry_ms", req->retry_ms, 1, BUILD_INT_MAX);
    build_int(&b, "limit", req->limit, 1, 100);
    return build_end(&b);
}

int calls_seek_finish(struct store_call *call, const struct keys *keys,
                      const struct call_seek_finish *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_FINISH, keys, err);
    build_key(&b, KEY_MATCHES);
    build_key_of(&b, "room", keys_match, req->room);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_LOBBIES);
    build_key(&b, KEY_MODES);
    build_key_of(&b, "room", keys_group, req->room);
    build_key(&b, KEY_QUEUE_PREFIX);
    build_key(&b, KEY_RESULTS_PREFIX);
    build_key(&b, KEY_TOLD_PREFIX);
    if (req->result_count > CALL_PLAYERS_MAX)
        build_bad(&b, "results", "at most 32");
    build_id(&b, "room", req->room);
    build_int(&b, "stream_max", req->stream_max, 1, 100000000);
    build_int(&b, "group_ttl_ms", req->group_ttl_ms, 0, BUILD_INT_MAX);
    for (size_t i = 0; i < req->result_count && !b.code; i++) {
        build_id(&b, "player", req->results[i].player);
        build_text(&b, "text", req->results[i].text, CALL_RESULT_MAX);
    }
    return build_end(&b);
}

int calls_seek_sweep(struct store_call *call, const struct keys *keys,
                     const struct call_seek_sweep *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_SWEEP, keys, err);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_QUEUE_PREFIX);
    build_key(&b, KEY_MATCH_PREFIX);
    build_text(&b, "cursor", req->cursor, 24);
    build_int(&b, "limit", req->limit, 1, 1000);
    build_int(&b, "keep_ms", req->keep_ms, 0, BUILD_INT_MAX);
    return build_end(&b);
}
