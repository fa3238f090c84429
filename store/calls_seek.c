/* calls_seek.c - encodes the calls of players who wait, of parties and groups; reads matches and
 * the stream of a lobby node. */
#include "store/calls_build.h"

#include "core/record.h"

#include <inttypes.h>
#include <stdio.h>

/* `player mode rating region keyword party party_max waited_ms` */
static void build_one(struct build *b, const struct call_seek_one *seek)
{
    char text[512];
    if (!keys_id_ok(seek->player))
        build_bad(b, "player", "1..64 of A-Z a-z 0-9 . _ : ~ @ -");
    if (!keys_name_ok(seek->mode))
        build_bad(b, "mode", "1..63 of A-Z a-z 0-9 . _ ~ -");
    if (seek->rating < -1000000 || seek->rating > 1000000)
        build_bad(b, "rating", "-1000000..1000000");
    if (seek->region.len && !keys_name_ok(seek->region))
        build_bad(b, "region", "1..63 of A-Z a-z 0-9 . _ ~ -");
    if (seek->keyword.len && !keys_id_ok(seek->keyword))
        build_bad(b, "keyword", "1..64 of A-Z a-z 0-9 . _ : ~ @ -");
    if (seek->party.len && !keys_id_ok(seek->party))
        build_bad(b, "party", "1..64 of A-Z a-z 0-9 . _ : ~ @ -");
    if (seek->party_max < 1 || seek->party_max > CALL_PLAYERS_MAX)
        build_bad(b, "party_max", "1..32");
    if (seek->waited_ms < 0 || seek->waited_ms > 86400000)
        build_bad(b, "waited_ms", "0..86400000");
    if (b->code)
        return;
    struct span none = SPAN("-");
    int n =
        snprintf(text, sizeof text, "%.*s %.*s %" PRId64 " %.*s %.*s %.*s %" PRId64 " %" PRId64,
                 SPAN_ARG(seek->player), SPAN_ARG(seek->mode), seek->rating,
                 SPAN_ARG(seek->region.len ? seek->region : none),
                 SPAN_ARG(seek->keyword.len ? seek->keyword : none),
                 SPAN_ARG(seek->party.len ? seek->party : none), seek->party_max, seek->waited_ms);
    build_raw(b, (struct span){text, (size_t)n});
}

int calls_seek(struct store_call *call, const struct keys *keys, const struct call_seek *req,
               struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK, keys, err);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_LOBBIES);
    build_key(&b, KEY_MODES);
    build_key(&b, KEY_QUEUE_PREFIX);
    build_key(&b, KEY_MATCH_PREFIX);
    build_key(&b, KEY_RESULTS_PREFIX);
    build_key(&b, KEY_PARTY_PREFIX);
    build_key(&b, KEY_TOLD_PREFIX);
    build_name(&b, "lobby", span_of(req->lobby));
    build_int(&b, "lobby_epoch", req->lobby_epoch, 1, BUILD_INT_MAX);
    build_int(&b, "lease_ms", req->lease_ms, 1, BUILD_INT_MAX);
    build_int(&b, "queue_max", req->queue_max, 1, 10000000);
    build_int(&b, "keep_ms", req->keep_ms, 0, BUILD_INT_MAX);
    build_int(&b, "modes_max", CALL_MODES_MAX, 1, CALL_MODES_MAX);
    build_stream(&b, &req->stream);
    if (req->count < 1 || req->count > CALL_SEEKS_MAX)
        build_bad(&b, "seeks", "1..100");
    for (size_t i = 0; i < req->count && !b.code; i++)
        build_one(&b, &req->seeks[i]);
    return build_end(&b);
}

bool seek_word_parse(struct span text, enum seek_word *ret_word)
{
    static const char *const words[SEEK_WORDS] = {
        "OK", "MATCHED", "FULL", "PARTY_NONE", "PARTY_LEADER", "PARTY_SIZE", "PARTY_BUSY"};
    for (int i = 0; i < SEEK_WORDS; i++) {
        if (span_is(text, words[i])) {
            *ret_word = (enum seek_word)i;
            return true;
        }
    }
    return false;
}

int calls_seek_cancel(struct store_call *call, const struct keys *keys,
                      const struct call_seek_cancel *req, struct err *err)
{
    struct build b = build_begin(call, SCRIPT_SEEK_CANCEL, keys, err);
    build_key(&b, KEY_SEEKERS);
    build_key(&b, KEY_QUEUE_PREFIX);
    build_key(&b, KEY_MATCH_PREFIX);
    build_key(&b, KEY_RESULTS_PREFIX);
    build_id(&b, "seeker", req->seeker);
    build_name(&b, "lobby", span_of(req->lobby));
    build_int(&b, "lobby_epoch", req->lobby_epoch, 1, BUILD_INT_MAX);
    build_word(&b, req->gone ? "gone" : "cancel");
    build_stream(&b, &req->stream);
    return build_end(&b);
}

int calls_party(struct store_call *call, const struct keys *keys, const struct call_party *req,
                struct err *err)
{
    static const char *const ops[] = {"create", "join", "leave"};
    struct build b = build_begin(call, SCRIPT_PARTY, keys, err);
    build_key_of(&b, "code", keys_party, req->code);
    build_key(&b, KEY_LOBBIES);
    build_key(&b, KEY_RESULTS_PREFIX);
    build_word(&b, ops[req->op]);
    build_id(&b, "code", req->code);
    build_id(&b, "player", req->player);
    build_name(&b, "lobby", span_of(req->lobby));
    build_int(&b, "lobby_epoch", req->lobby_epoch, 1, BUILD_INT_MAX);
    build_int(&b, "size_max", req->size_max, 1, CALL_PLAYERS_MAX);
    build_int(&b, "ttl_ms", req->ttl_ms, 1, BUILD_INT_MAX);
    build_stream(&b, &req->stream);
    return build_end(&b);
}

int calls_group(struct store_call *call, const struct keys *keys, const struct call_group *req,
                struct err *err)
{
    static const char *const ops[] = {"say", "here", "away", "hello"};
    struct build b = build_begin(call, SCRIPT_GROUP, keys, err);
    build_key_of(&b, "group", req->party ? keys_party : keys_group, req->group);
    build_key(&b, KEY_RESULTS_PREFIX);
    build_word(&b, ops[req->op]);
    build_id(&b, "group", req->group);
    build_id(&b, "player", req->player);
    build_name(&b, "lobby", span_of(req->lobby));
    build_int(&b, "lobby_epoch", req->lobby_epoch, 1, BUILD_INT_MAX);
    if (req->text.len > CALL_RESULT_MAX)
        build_bad(&b, "text", "at most 1024 bytes");
    build_raw(&b, req->text.len ? req->text : SPAN("-"));
    build_stream(&b, &req->stream);
    return build_end(&b);
}

/* ---- matches and results ---- */

static bool read_player(struct span text, struct seek_match_player *p)
{
    struct span player = span_cut(&text, '/'), lobby = span_cut(&text, '/');
    return keys_id_ok(player) && span_copy(player, p->player, sizeof p->player) &&
           keys_name_ok(lobby) && span_copy(lobby, p->lobby, sizeof p->lobby) &&
           span_int(text, &p->lobby_epoch);
}

/* `since|rating|region|keyword|player/lobby/epoch,...` */
static int read_entry(struct span entry, bool first, struct seek_match *m, struct err *err)
{
    (void)span_cut(&entry, '|');
    (void)span_cut(&entry, '|');
    struct span region = span_cut(&entry, '|');
    (void)span_cut(&entry, '|');
    bool same = first || span_is(region, m->region);
    if (!same || !keys_name_ok(region) || span_is(region, "-") ||
        !span_copy(region, m->region, sizeof m->region))
        m->region[0] = '\0';
    do {
        if (m->count == CALL_PLAYERS_MAX)
            return err_set(err, BERTH_EPROTO, "match '%s': too many players", m->room);
        if (!read_player(span_cut(&entry, ','), &m->players[m->count]))
            return err_set(err, BERTH_EPROTO, "match '%s': bad player", m->room);
        m->count++;
    } while (entry.ptr);
    return 0;
}

int seek_match_parse(struct span record, struct seek_match *ret_match, struct err *err)
{
    struct span list;
    memset(ret_match, 0, sizeof *ret_match);
    if (record_text(record, "room", ret_match->room, sizeof ret_match->room) <= 0 ||
        record_text(record, "mode", ret_match->mode, sizeof ret_match->mode) <= 0 ||
        !record_raw(record, "entries", &list))
        return err_set(err, BERTH_EPROTO, "match without room=, mode= or entries=");
    if (!keys_id_ok(span_of(ret_match->room)) || !keys_name_ok(span_of(ret_match->mode)))
        return err_set(err, BERTH_EPROTO, "match: bad room or mode");
    ret_match->at.ms = record_int_or(record, "at", 0);
    ret_match->bots = record_int_or(record, "bots", 0);
    for (bool first = true; list.ptr; first = false) {
        int rc = read_entry(span_cut(&list, ';'), first, ret_match, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool read_kind(struct span text, enum seek_result_kind *ret_kind)
{
    static const char *const kinds[RESULT_KINDS] = {"result",  "match", "seeking", "cancelled",
                                                    "timeout", "again", "party",   "say",
                                                    "here",    "away",  "hello"};
    for (int i = 0; i < RESULT_KINDS; i++) {
        if (span_is(text, kinds[i])) {
            *ret_kind = (enum seek_result_kind)i;
            return true;
        }
    }
    return false;
}

int seek_result_parse(const struct resp *entry, struct seek_result *ret_result, struct err *err)
{
    struct seek_result r = {.id = {NULL, 0}};
    struct span epoch = {NULL, 0}, kind = {NULL, 0};
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[0].type != RESP_TEXT ||
        entry->items[1].type != RESP_LIST)
        return err_set(err, BERTH_EPROTO, "result: not a stream entry");
    r.id = entry->items[0].text;
    const struct resp *fields = &entry->items[1];
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        struct span value = fields->items[i + 1].text;
        if (span_is(fields->items[i].text, "p"))
            r.player = value;
        else if (span_is(fields->items[i].text, "k"))
            kind = value;
        else if (span_is(fields->items[i].text, "e"))
            epoch = value;
        else if (span_is(fields->items[i].text, "r"))
            r.room = value;
        else if (span_is(fields->items[i].text, "d"))
            r.text = value;
    }
    if (!keys_id_ok(r.player) || !keys_id_ok(r.room) || !span_int(epoch, &r.lobby_epoch) ||
        !read_kind(kind, &r.kind))
        return err_set(err, BERTH_EPROTO, "result: without kind, player, room or epoch");
    *ret_result = r;
    return 0;
}
