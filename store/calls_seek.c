/* calls_seek.c - encodes the calls of matchmaking, and reads matches and results. */
#include "store/calls_build.h"

#include "core/record.h"

int calls_seek(struct store_call *call, const struct keys *keys, const struct call_seek *req,
               struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK, keys, err);
    build_key_of(&b, "mode", keys_queue, req->mode);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_MATCHES);
    build_key_of(&b, "room", keys_match, req->room);
    build_id(&b, "seeker", req->seeker);
    build_name(&b, "lobby", span_of(req->lobby));
    build_int(&b, "lobby_epoch", req->lobby_epoch, 1, BUILD_INT_MAX);
    build_name(&b, "mode", req->mode);
    build_int(&b, "size", req->size, 1, CALL_PLAYERS_MAX);
    build_id(&b, "room", req->room);
    build_int(&b, "retry_ms", req->retry_ms, 1, BUILD_INT_MAX);
    build_int(&b, "match_ttl_ms", req->match_ttl_ms, req->retry_ms, BUILD_INT_MAX);
    build_int(&b, "queue_max", req->queue_max, req->size, 10000000);
    return build_end(&b);
}

int calls_seek_cancel(struct store_call *call, const struct keys *keys,
                      const struct call_seek_cancel *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_CANCEL, keys, err);
    build_key_of(&b, "mode", keys_queue, req->mode);
    build_key(&b, KEY_SEEKERS);
    build_id(&b, "seeker", req->seeker);
    build_name(&b, "lobby", span_of(req->lobby));
    build_int(&b, "lobby_epoch", req->lobby_epoch, 1, BUILD_INT_MAX);
    build_name(&b, "mode", req->mode);
    return build_end(&b);
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
    if (req->result_count > CALL_PLAYERS_MAX)
        build_bad(&b, "results", "at most 32");
    for (size_t i = 0; i < req->result_count && !b.code; i++)
        build_key_of(&b, "lobby", keys_results, req->results[i].lobby);
    build_id(&b, "room", req->room);
    build_int(&b, "stream_max", req->stream_max, 1, 100000000);
    build_int(&b, "ttl_ms", req->ttl_ms, 1, BUILD_INT_MAX);
    for (size_t i = 0; i < req->result_count && !b.code; i++) {
        build_id(&b, "player", req->results[i].player);
        build_int(&b, "lobby_epoch", req->results[i].lobby_epoch, 1, BUILD_INT_MAX);
        build_text(&b, "text", req->results[i].text, CALL_RESULT_MAX);
    }
    return build_end(&b);
}

int calls_seek_sweep(struct store_call *call, const struct keys *keys,
                     const struct call_seek_sweep *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_SWEEP, keys, err);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_BEATS);
    build_key(&b, KEY_STATES);
    build_key(&b, KEY_QUEUE_PREFIX);
    build_text(&b, "cursor", req->cursor, 24);
    build_int(&b, "limit", req->limit, 1, 1000);
    build_int(&b, "lost_after_ms", req->lost_after_ms, 1, BUILD_INT_MAX);
    build_int(&b, "match_ttl_ms", req->match_ttl_ms, 1, BUILD_INT_MAX);
    return build_end(&b);
}

int seek_match_parse(struct span record, struct seek_match *ret_match, struct err *err)
{
    struct span list;
    memset(ret_match, 0, sizeof *ret_match);
    if (record_text(record, "room", ret_match->room, sizeof ret_match->room) <= 0 ||
        record_text(record, "mode", ret_match->mode, sizeof ret_match->mode) <= 0 ||
        !record_raw(record, "players", &list))
        return err_set(err, BERTH_EPROTO, "match without room=, mode= or players=");
    ret_match->at.ms = record_int_or(record, "at", 0);
    while (list.ptr) {
        if (ret_match->count == CALL_PLAYERS_MAX)
            return err_set(err, BERTH_EPROTO, "match '%s': too many players", ret_match->room);
        struct seek_match_player *p = &ret_match->players[ret_match->count];
        struct span epoch = span_cut(&list, ',');
        struct span player = span_cut(&epoch, '/');
        struct span lobby = span_cut(&epoch, '/');
        if (!keys_id_ok(player) || !span_copy(player, p->player, sizeof p->player) ||
            !keys_name_ok(lobby) || !span_copy(lobby, p->lobby, sizeof p->lobby) ||
            !span_int(epoch, &p->lobby_epoch))
            return err_set(err, BERTH_EPROTO, "match '%s': bad player", ret_match->room);
        ret_match->count++;
    }
    return 0;
}

int seek_result_parse(const struct resp *entry, struct seek_result *ret_result, struct err *err)
{
    struct seek_result r = {.id = {NULL, 0}};
    struct span epoch = {NULL, 0};
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[0].type != RESP_TEXT ||
        entry->items[1].type != RESP_LIST)
        return err_set(err, BERTH_EPROTO, "result: not a stream entry");
    r.id = entry->items[0].text;
    const struct resp *fields = &entry->items[1];
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        struct span value = fields->items[i + 1].text;
        if (span_is(fields->items[i].text, "p"))
            r.player = value;
        else if (span_is(fields->items[i].text, "e"))
            epoch = value;
        else if (span_is(fields->items[i].text, "r"))
            r.room = value;
        else if (span_is(fields->items[i].text, "d"))
            r.text = value;
    }
    if (!keys_id_ok(r.player) || !keys_id_ok(r.room) || !span_int(epoch, &r.lobby_epoch))
        return err_set(err, BERTH_EPROTO, "result: without player, room or epoch");
    *ret_result = r;
    return 0;
}
