/* judge_seek.c - what the scripts of matchmaking answer and write, held against docs/redis.md: a
 * copy of who seeks, which matches are made and which lobby nodes live, taken after each script, is
 * what the next one finds. */
#include "tests/sim/judge.h"

#include "store/scripts.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

enum { TOLD_MS = 10000 };

/* As it was before the script at hand. */
static struct {
    struct dict seekers; /* player -> record */
    struct dict matches; /* room -> record; score: when it is due */
    struct dict expires; /* room; score: the life of its record */
    struct dict lobbies; /* name/epoch; score: until when it lives */
    struct dict streams; /* name; score: entries ever added */
} before;

static int64_t now_ms;   /* the script's */
static const char *what; /* its name */

static void wrong(const char *fmt, ...) BERTH_PRINTF(1, 2);
static void wrong(const char *fmt, ...)
{
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sim_fail("match: %s: %s", what, text);
}

/* ---- the store, and how it was ---- */

static struct span key(enum key_id id)
{
    return keys_get(&world->keys[POOL_LOBBY], id);
}

static const struct object *object_of(enum key_id id)
{
    return keyspace_get(world->store.ks, key(id));
}

static struct span key_with(enum key_id prefix, struct span name, char buf[KEYS_TEXT_MAX])
{
    struct span p = key(prefix);
    int n = snprintf(buf, KEYS_TEXT_MAX, "%.*s%.*s", SPAN_ARG(p), SPAN_ARG(name));
    return (struct span){buf, (size_t)n};
}

static const struct object *object_with(enum key_id prefix, struct span name)
{
    char buf[KEYS_TEXT_MAX];
    return keyspace_get(world->store.ks, key_with(prefix, name, buf));
}

static struct span text_with(enum key_id prefix, struct span name)
{
    const struct object *o = object_with(prefix, name);
    return o == NULL ? (struct span){NULL, 0} : (struct span){o->text, o->text_len};
}

static struct span record_of(struct span player)
{
    return keyspace_field(world->store.ks, key(KEY_SEEKERS), player);
}

static struct span value_before(const struct dict *dict, struct span name)
{
    const struct dict_entry *e = dict_find(dict, name);
    return e == NULL ? (struct span){NULL, 0} : dict_value(e);
}

/* `how` is written into buf of `size`. */
static struct span make(char *buf, size_t size, const char *how, ...) BERTH_PRINTF(3, 4);
static struct span make(char *buf, size_t size, const char *how, ...)
{
    va_list ap;
    va_start(ap, how);
    int n = vsnprintf(buf, size, how, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < size);
    return (struct span){buf, (size_t)n};
}

static void copy(struct dict *to, const struct object *from)
{
    bool is_new;
    dict_fini(to);
    *to = (struct dict){0};
    for (const struct dict_entry *e = from == NULL ? NULL : from->dict.oldest; e != NULL;
         e = e->newer) {
        struct dict_entry *c = dict_put(to, dict_key(e), &is_new);
        c->score = e->score;
        if (e->value != NULL)
            dict_set_value(c, dict_value(e));
    }
}

static void copy_all(void)
{
    bool is_new;
    copy(&before.seekers, object_of(KEY_SEEKERS));
    copy(&before.matches, object_of(KEY_MATCHES));
    copy(&before.lobbies, object_of(KEY_LOBBIES));
    dict_fini(&before.expires);
    dict_fini(&before.streams);
    before.expires = before.streams = (struct dict){0};
    for (struct dict_entry *e = before.matches.oldest; e != NULL; e = e->newer) {
        const struct object *match = object_with(KEY_MATCH_PREFIX, dict_key(e));
        if (match == NULL)
            continue;
        dict_set_value(e, (struct span){match->text, match->text_len});
        dict_put(&before.expires, dict_key(e), &is_new)->score = (double)match->expire_ms;
    }
    for (const struct dict_entry *e = before.lobbies.oldest; e != NULL; e = e->newer) {
        struct span rest = dict_key(e), name = span_cut(&rest, '/');
        const struct object *stream = object_with(KEY_RESULTS_PREFIX, name);
        dict_put(&before.streams, name, &is_new)->score =
            stream == NULL ? 0 : (double)stream->added;
    }
}

/* The record of a match that had not expired. */
static struct span match_before(struct span room)
{
    const struct dict_entry *life = dict_find(&before.expires, room);
    return life != NULL && life->score > (double)now_ms ? value_before(&before.matches, room)
                                                        : (struct span){NULL, 0};
}

static bool lives(struct span lobby)
{
    const struct object *lobbies = object_of(KEY_LOBBIES);
    const struct dict_entry *e = lobbies == NULL ? NULL : dict_find(&lobbies->dict, lobby);
    return e != NULL && e->score >= (double)now_ms;
}

static bool waits(struct span mode, struct span entry)
{
    const struct object *queue = object_with(KEY_QUEUE_PREFIX, mode);
    return queue != NULL && dict_find(&queue->dict, entry) != NULL;
}

/* Did it wait so before? Its leader's record says so. */
static bool waited(struct span mode, struct span entry)
{
    char record[1024];
    struct span list = judge_entry_players(entry);
    return span_eq(value_before(&before.seekers, span_cut(&list, '/')),
                   make(record, sizeof record, "Q %.*s %.*s", SPAN_ARG(mode), SPAN_ARG(entry)));
}

/* ---- what lobby nodes are told ---- */

static struct span take_text(const char **at)
{
    size_t len;
    memcpy(&len, *at, sizeof len);
    struct span text = {*at + sizeof len, len};
    *at += sizeof len + len;
    return text;
}

static bool is_it(const struct stream_entry *e, const char *kind, struct span player,
                  struct span epoch, struct span text)
{
    const char *at = e->text;
    bool same = true;
    for (size_t i = 0; i < e->count; i += 2) {
        struct span name = take_text(&at), value = take_text(&at);
        if (span_is(name, "k"))
            same = same && span_is(value, kind);
        else if (span_is(name, "p"))
            same = same && span_eq(value, player);
        else if (span_is(name, "e"))
            same = same && span_eq(value, epoch);
        else if (span_is(name, "d") && text.ptr != NULL)
            same = same && span_eq(value, text);
    }
    return same;
}

/* So often this script wrote this for the player to `lobby` (name/epoch). text NULL: whatever. */
static int told(struct span lobby, const char *kind, struct span player, struct span text)
{
    struct span epoch = lobby, name = span_cut(&epoch, '/');
    const struct object *stream = object_with(KEY_RESULTS_PREFIX, name);
    const struct dict_entry *was = dict_find(&before.streams, name);
    int n = 0;
    for (size_t i = stream == NULL ? 0 : stream->end; stream != NULL && i-- > stream->first;) {
        const struct stream_entry *e = &stream->entries[i];
        if (was != NULL && (double)e->number < was->score)
            break;
        n += is_it(e, kind, player, epoch, text);
    }
    return n;
}

static void must_be_told(struct span lobby, const char *kind, struct span player, struct span text)
{
    int n = told(lobby, kind, player, text);
    if (n != 1)
        wrong("%.*s is told `%s %.*s` at %.*s %d times", SPAN_ARG(player), kind, SPAN_ARG(text),
              SPAN_ARG(lobby), n);
}

static void must_have(struct span player, struct span record)
{
    if (!span_eq(record_of(player), record))
        wrong("the record of %.*s is `%.*s`, not `%.*s`", SPAN_ARG(player),
              SPAN_ARG(record_of(player)), SPAN_ARG(record));
}

/* Out of the queue, and the waiting time is kept. */
static void must_be_kept(struct span player, struct span mode, struct span since)
{
    char record[256];
    must_have(player, make(record, sizeof record, "K %.*s %.*s %lld", SPAN_ARG(mode),
                           SPAN_ARG(since), (long long)now_ms));
}

/* ---- matches ---- */

static struct span made_record(const struct span *a, size_t at, int64_t count, char *buf,
                               size_t size)
{
    struct span text = make(
        buf, size,
        "room=%.*s mode=%.*s at=%lld bots=%.*s leave=%.*s min=%.*s entries=", SPAN_ARG(a[at]),
        SPAN_ARG(a[0]), (long long)now_ms, SPAN_ARG(a[at + 1]), SPAN_ARG(a[3]), SPAN_ARG(a[4]));
    for (int64_t k = 0; k < count; k++)
        text.len += make(buf + text.len, size - text.len, "%s%.*s", k > 0 ? ";" : "",
                         SPAN_ARG(a[at + 3 + (size_t)k]))
                        .len;
    return text;
}

static void is_made(const struct span *a, size_t at, int64_t count)
{
    char buf[4096], is_in[128];
    struct span room = a[at], record = made_record(a, at, count, buf, sizeof buf),
                first = {NULL, 0};
    const struct object *match = object_with(KEY_MATCH_PREFIX, room);
    const struct object *matches = object_of(KEY_MATCHES);
    const struct dict_entry *due = matches == NULL ? NULL : dict_find(&matches->dict, room);
    if (match == NULL || !span_eq((struct span){match->text, match->text_len}, record) ||
        match->expire_ms != now_ms + book_number(a[2]))
        wrong("%.*s is `%.*s` until %lld, not `%.*s`", SPAN_ARG(room),
              SPAN_ARG(text_with(KEY_MATCH_PREFIX, room)),
              match == NULL ? 0LL : (long long)match->expire_ms, SPAN_ARG(record));
    if (due == NULL || due->score != (double)(now_ms + book_number(a[1])))
        wrong("%.*s is due at %.0f", SPAN_ARG(room), due == NULL ? 0 : due->score);
    for (int64_t k = 0; k < count; k++) {
        struct span entry = a[at + 3 + (size_t)k], list = judge_entry_players(entry);
        if (!waited(a[0], entry) || waits(a[0], entry))
            wrong("%.*s is of %.*s", SPAN_ARG(entry), SPAN_ARG(room));
        while (list.len > 0) {
            struct span lobby = span_cut(&list, ','), player = span_cut(&lobby, '/');
            if (first.len == 0)
                first = lobby;
            if (!lives(lobby))
                wrong("%.*s is of %.*s, its lobby node is dead", SPAN_ARG(player), SPAN_ARG(room));
            must_have(player, make(is_in, sizeof is_in, "M %.*s", SPAN_ARG(room)));
        }
    }
    must_be_told(first, "match", SPAN("-"), record);
}

/* Why was it not made? */
static void is_refused(const struct span *a, size_t at, int64_t count, struct span word)
{
    bool all_wait = true, all_live = true;
    for (int64_t k = 0; k < count; k++) {
        struct span entry = a[at + 3 + (size_t)k], list = judge_entry_players(entry);
        all_wait = all_wait && waits(a[0], entry);
        while (list.len > 0) {
            struct span lobby = span_cut(&list, ',');
            (void)span_cut(&lobby, '/');
            all_live = all_live && lives(lobby);
        }
    }
    bool right = span_is(word, "STALE")  ? !all_wait
                 : span_is(word, "LOST") ? !all_live
                                         : match_before(a[at]).len > 0;
    if (!right)
        wrong("%.*s is not made: %.*s", SPAN_ARG(a[at]), SPAN_ARG(word));
}

static void on_make(const struct span *a, size_t argc, const struct resp *words)
{
    size_t at = 6, i = 0;
    for (; at + 2 < argc; i++) {
        int64_t count = book_number(a[at + 2]);
        struct span word = i < words->count ? words->items[i].text : SPAN("nothing");
        if (span_is(word, "OK"))
            is_made(a, at, count);
        else
            is_refused(a, at, count, word);
        at += 3 + (size_t)count;
    }
    if (i != words->count)
        wrong("%zu words for %zu matches", words->count, i);
}

/* Has somebody of this record left? */
static bool has_left(struct span record, struct span player)
{
    char text[128];
    struct span left = make(text, sizeof text, " left=%.*s", SPAN_ARG(player));
    for (const char *at = record.ptr; at != NULL && record.len > 0;) {
        size_t rest = (size_t)(record.ptr + record.len - at);
        at = memmem(at, rest, left.ptr, left.len);
        if (at == NULL)
            return false;
        at += left.len;
        if (at == record.ptr + record.len || *at == ' ')
            return true;
    }
    return false;
}

/* ` entries=...` of a record, and its mode. */
static struct span entries_of(struct span record, struct span *ret_mode)
{
    struct span entries = {NULL, 0}, word;
    while (record.len > 0) {
        word = span_cut(&record, ' ');
        if (word.len > 8 && memcmp(word.ptr, "entries=", 8) == 0)
            entries = (struct span){word.ptr + 8, word.len - 8};
        if (word.len > 5 && memcmp(word.ptr, "mode=", 5) == 0)
            *ret_mode = (struct span){word.ptr + 5, word.len - 5};
    }
    return entries;
}

/* One player of a match that was finished, or undone. */
static void is_finished(const struct span *a, size_t argc, struct span player, struct span lobby)
{
    char text[256];
    struct span result = {NULL, 0}, room = a[0];
    for (size_t i = 3; i + 1 < argc; i += 2)
        if (span_eq(a[i], player))
            result = a[i + 1];
    must_be_told(lobby, "result", player, result);
    struct span is = make(text, sizeof text, "M %.*s", SPAN_ARG(room));
    if (span_eq(record_of(player), is))
        wrong("%.*s is in %.*s still", SPAN_ARG(player), SPAN_ARG(room));
    const struct object *note = object_with(KEY_TOLD_PREFIX, player);
    is = make(text, sizeof text, "%.*s %.*s ", SPAN_ARG(room), SPAN_ARG(lobby));
    if (note == NULL || note->text_len <= is.len || memcmp(note->text, is.ptr, is.len) != 0 ||
        note->expire_ms != now_ms + TOLD_MS)
        wrong("what %.*s was told is noted as `%.*s`", SPAN_ARG(player),
              SPAN_ARG(text_with(KEY_TOLD_PREFIX, player)));
    char group[KEYS_TEXT_MAX];
    struct span in =
        keyspace_field(world->store.ks, keys_group(&world->keys[POOL_LOBBY], room, group), player);
    if (book_number(a[2]) > 0 && !span_eq(in, lobby))
        wrong("%.*s is at `%.*s` in the group of %.*s", SPAN_ARG(player), SPAN_ARG(in),
              SPAN_ARG(room));
}

static void is_undone(struct span mode, struct span since, bool whole, struct span player,
                      struct span lobby)
{
    char text[128];
    struct span entry = judge_entry_of(player), rest = entry;
    must_be_told(lobby, whole ? "again" : "cancelled", player,
                 whole ? mode : make(text, sizeof text, "%.*s party_changed", SPAN_ARG(mode)));
    if (!whole)
        must_be_kept(player, mode, since);
    else if (entry.len == 0 || !span_eq(span_cut(&rest, '|'), since))
        wrong("%.*s, who waited since %.*s, waits as `%.*s`", SPAN_ARG(player), SPAN_ARG(since),
              SPAN_ARG(entry));
}

/* Is everybody of this entry here still? */
static bool is_whole(struct span record, struct span entry)
{
    for (struct span list = judge_entry_players(entry); list.len > 0;) {
        struct span lobby = span_cut(&list, ','), player = span_cut(&lobby, '/');
        if (has_left(record, player) || !lives(lobby))
            return false;
    }
    return true;
}

static void on_finish(const struct span *a, size_t argc, const struct resp *answer)
{
    struct span word = answer->items[0].text, room = a[0], record = match_before(room), mode;
    if (span_is(word, "NONE") || record.len == 0) {
        if (!span_is(word, "NONE") || record.len > 0)
            wrong("%.*s was `%.*s`, and it says %.*s", SPAN_ARG(room), SPAN_ARG(record),
                  SPAN_ARG(word));
        return;
    }
    int64_t here = 0, gone = 0;
    for (struct span list = entries_of(record, &mode); list.len > 0;) {
        struct span rest = span_cut(&list, ';'), since = rest, players = judge_entry_players(rest);
        bool whole = is_whole(record, rest);
        since = span_cut(&rest, '|');
        while (players.len > 0) {
            struct span lobby = span_cut(&players, ','), player = span_cut(&lobby, '/');
            bool left = has_left(record, player), is_here = !left && lives(lobby);
            here += is_here;
            gone += !is_here;
            if (is_here && span_is(word, "OK"))
                is_finished(a, argc, player, lobby);
            else if (is_here && span_is(word, "BROKEN"))
                is_undone(mode, since, whole, player, lobby);
            else if (!is_here && !left)
                must_be_kept(player, mode, since);
        }
    }
    bool undone = span_is(word, "BROKEN"), smaller = span_is(word, "LEFT");
    if (gone > 0 ? !undone && !smaller : !span_is(word, "OK"))
        wrong("%.*s: %lld of `%.*s` are gone, and it says %.*s", SPAN_ARG(room), (long long)gone,
              SPAN_ARG(record), SPAN_ARG(word));
    if (!smaller && answer->items[2].integer != here)
        wrong("%.*s has %lld, not %lld", SPAN_ARG(room), (long long)here,
              (long long)answer->items[2].integer);
    const struct object *matches = object_of(KEY_MATCHES);
    if (!smaller && (text_with(KEY_MATCH_PREFIX, room).len > 0 ||
                     (matches != NULL && dict_find(&matches->dict, room) != NULL)))
        wrong("%.*s is there still", SPAN_ARG(room));
}

static void on_take(const struct span *a, const struct resp *list)
{
    const struct object *matches = object_of(KEY_MATCHES);
    size_t due = 0;
    for (const struct dict_entry *e = before.matches.oldest; e != NULL; e = e->newer) {
        if (e->score > (double)now_ms || match_before(dict_key(e)).len == 0)
            continue;
        bool taken = false;
        for (size_t i = 0; i < list->count; i++)
            taken = taken || span_eq(list->items[i].text, dict_value(e));
        const struct dict_entry *is =
            matches == NULL ? NULL : dict_find(&matches->dict, dict_key(e));
        if (taken && (is == NULL || is->score != (double)(now_ms + book_number(a[0]))))
            wrong("%.*s is taken, and due at %.0f", SPAN_ARG(dict_key(e)),
                  is == NULL ? 0 : is->score);
        if (!taken && (int64_t)list->count < book_number(a[1]))
            wrong("%.*s is due, and not taken", SPAN_ARG(dict_key(e)));
        due += taken;
    }
    if (due != list->count)
        wrong("%zu are taken, %zu were due", list->count, due);
}

/* ---- queues ---- */

static void on_drop(const struct span *a, size_t argc, const struct resp *answer)
{
    int64_t dropped = 0;
    bool timeout = span_is(a[1], "timeout");
    char text[128];
    for (size_t i = 4; i < argc; i++) {
        struct span rest = a[i], list = judge_entry_players(rest), since = span_cut(&rest, '|');
        bool drop = timeout;
        for (struct span l = list; l.len > 0;) {
            struct span lobby = span_cut(&l, ',');
            (void)span_cut(&lobby, '/');
            drop = drop || !lives(lobby);
        }
        drop = drop && waited(a[0], a[i]);
        dropped += drop;
        if (waits(a[0], a[i]) != (waited(a[0], a[i]) && !drop))
            wrong("%.*s: is %d, was %d in the queue", SPAN_ARG(a[i]), waits(a[0], a[i]),
                  waited(a[0], a[i]));
        while (drop && list.len > 0) {
            struct span lobby = span_cut(&list, ','), player = span_cut(&lobby, '/');
            if (timeout)
                must_have(player, (struct span){NULL, 0});
            else
                must_be_kept(player, a[0], since);
            if (lives(lobby))
                must_be_told(
                    lobby, timeout ? "timeout" : "cancelled", player,
                    timeout ? a[0] : make(text, sizeof text, "%.*s party_changed", SPAN_ARG(a[0])));
        }
    }
    if (answer->items[2].integer != dropped)
        wrong("%lld are dropped, it says %lld", (long long)dropped,
              (long long)answer->items[2].integer);
}

/* The entry that the player waited in, of which mode; empty: none. */
static struct span entry_before(struct span player, struct span *ret_mode)
{
    struct span rest = value_before(&before.seekers, player), word = span_cut(&rest, ' ');
    if (span_is(word, "P")) {
        rest = value_before(&before.seekers, rest);
        word = span_cut(&rest, ' ');
    }
    if (!span_is(word, "Q"))
        return (struct span){NULL, 0};
    *ret_mode = span_cut(&rest, ' ');
    return rest;
}

/* `player/lobby/epoch` in an entry: lobby/epoch. */
static struct span lobby_in(struct span entry, struct span player)
{
    for (struct span list = judge_entry_players(entry); list.len > 0;) {
        struct span lobby = span_cut(&list, ',');
        if (span_eq(span_cut(&lobby, '/'), player))
            return lobby;
    }
    return (struct span){NULL, 0};
}

static bool is_at(struct span record, struct span player, struct span lobby)
{
    struct span mode;
    for (struct span list = entries_of(record, &mode); list.len > 0;)
        if (span_eq(lobby_in(span_cut(&list, ';'), player), lobby))
            return true;
    return false;
}

/* What everybody else of an entry that is broken up finds. */
static void others_are_kept(struct span entry, struct span mode, struct span but)
{
    char text[128];
    struct span rest = entry, since = span_cut(&rest, '|');
    for (struct span list = judge_entry_players(entry); list.len > 0;) {
        struct span lobby = span_cut(&list, ','), player = span_cut(&lobby, '/');
        if (span_eq(player, but))
            continue;
        must_be_kept(player, mode, since);
        must_be_told(lobby, "cancelled", player,
                     make(text, sizeof text, "%.*s party_changed", SPAN_ARG(mode)));
    }
}

static void on_cancel(const struct span *a, const struct resp *answer)
{
    char buf[128];
    struct span word = answer->items[0].text, player = a[0], mode = {NULL, 0}, since;
    struct span here = make(buf, sizeof buf, "%.*s/%.*s", SPAN_ARG(a[1]), SPAN_ARG(a[2]));
    struct span entry = entry_before(player, &mode), rest = value_before(&before.seekers, player);
    struct span room = span_is(span_cut(&rest, ' '), "M") ? rest : (struct span){NULL, 0};
    struct span match = room.len > 0 ? match_before(room) : room;
    const char *expected = entry.len > 0   ? span_eq(lobby_in(entry, player), here) ? "OK" : "STALE"
                           : match.len > 0 ? is_at(match, player, here) ? "MATCHED" : "STALE"
                                           : "UNKNOWN";
    bool gone = span_is(a[3], "gone");
    if (!span_is(word, expected))
        wrong("%.*s at %.*s: was `%.*s`, it says %.*s", SPAN_ARG(player), SPAN_ARG(here),
              SPAN_ARG(value_before(&before.seekers, player)), SPAN_ARG(word));
    if (span_is(word, "OK")) {
        rest = entry;
        since = span_cut(&rest, '|');
        if (waits(mode, entry))
            wrong("%.*s waits still", SPAN_ARG(entry));
        if (gone)
            must_be_kept(player, mode, since);
        else
            must_have(player, (struct span){NULL, 0});
        others_are_kept(entry, mode, player);
    } else if (span_is(word, "MATCHED")) {
        if (!span_eq(answer->items[2].text, room) ||
            has_left(text_with(KEY_MATCH_PREFIX, room), player) != gone)
            wrong("%.*s leaves %.*s, which is `%.*s`", SPAN_ARG(player), SPAN_ARG(room),
                  SPAN_ARG(text_with(KEY_MATCH_PREFIX, room)));
        must_have(player, gone ? (struct span){NULL, 0} : value_before(&before.seekers, player));
    } else if (span_is(word, "STALE")) {
        must_have(player, value_before(&before.seekers, player));
    }
}

/* Since when does it wait? As long as it says, or as the store knows of the same mode. */
static int64_t since_of(struct span player, struct span mode, int64_t waited_ms, int64_t keep_ms)
{
    int64_t since = now_ms - waited_ms;
    struct span was = {NULL, 0}, entry = entry_before(player, &was);
    struct span rest = value_before(&before.seekers, player);
    bool counts = entry.len > 0 && lobby_in(entry, player).len > 0 && span_eq(was, mode);
    if (!counts && span_is(span_cut(&rest, ' '), "K")) {
        bool same = span_eq(span_cut(&rest, ' '), mode);
        entry = span_cut(&rest, ' ');
        counts = same && now_ms - book_number(rest) <= keep_ms;
    }
    int64_t known = counts ? book_number(span_cut(&entry, '|')) : since;
    return known < since ? known : since;
}

static void is_queued(const struct span *a, struct span seek, struct span word)
{
    char text[1024], here[128];
    struct span player = span_cut(&seek, ' '), mode = span_cut(&seek, ' ');
    struct span rating = span_cut(&seek, ' '), region = span_cut(&seek, ' ');
    struct span keyword = span_cut(&seek, ' '), party = span_cut(&seek, ' ');
    (void)span_cut(&seek, ' ');
    struct span rest = value_before(&before.seekers, player), mode_was = {NULL, 0};
    struct span room = span_is(span_cut(&rest, ' '), "M") ? rest : (struct span){NULL, 0};
    struct span at = make(here, sizeof here, "%.*s/%.*s", SPAN_ARG(a[0]), SPAN_ARG(a[1]));
    if (room.len > 0 && match_before(room).len > 0) {
        if (!span_is(word, "MATCHED") || !is_at(text_with(KEY_MATCH_PREFIX, room), player, at))
            wrong("%.*s, who is in %.*s, is told %.*s at %.*s; it is `%.*s`", SPAN_ARG(player),
                  SPAN_ARG(room), SPAN_ARG(word), SPAN_ARG(at),
                  SPAN_ARG(text_with(KEY_MATCH_PREFIX, room)));
        return;
    }
    if (span_is(word, "MATCHED") && told(at, "result", player, (struct span){NULL, 0}) != 1)
        wrong("%.*s is in no match, and told so", SPAN_ARG(player));
    if (!span_is(word, "OK"))
        return;
    int64_t since = since_of(player, mode, book_number(seek), book_number(a[4]));
    struct span head =
        make(text, sizeof text, "%lld|%.*s|%.*s|%.*s|%.*s/%.*s", (long long)since, SPAN_ARG(rating),
             SPAN_ARG(region), SPAN_ARG(keyword), SPAN_ARG(player), SPAN_ARG(at));
    struct span entry = judge_entry_of(player), was = entry_before(player, &mode_was);
    const struct object *queue = object_with(KEY_QUEUE_PREFIX, mode);
    const struct dict_entry *e = queue == NULL ? NULL : dict_find(&queue->dict, entry);
    if (entry.len < head.len || memcmp(entry.ptr, head.ptr, head.len) != 0 ||
        (span_is(party, "-") && entry.len != head.len))
        wrong("%.*s waits as `%.*s`, not `%.*s`", SPAN_ARG(player), SPAN_ARG(entry),
              SPAN_ARG(head));
    if (e == NULL || e->score != (double)book_number(rating))
        wrong("%.*s is in %.*s by %.0f", SPAN_ARG(entry), SPAN_ARG(mode), e == NULL ? 0 : e->score);
    struct span elsewhere = lobby_in(was, player);
    if (elsewhere.len > 0 && !span_eq(elsewhere, at) && dict_find(&before.streams, elsewhere))
        must_be_told(elsewhere, "cancelled", player,
                     make(text, sizeof text, "%.*s replaced", SPAN_ARG(mode_was)));
    if (span_is(party, "-") && was.len > 0 && lobby_in(was, player).len > 0)
        others_are_kept(was, mode_was, player);
}

/* ---- lobby nodes ---- */

static void on_tick(const struct span *a, const struct words *w, const struct resp *answer)
{
    char text[128];
    struct span here = make(text, sizeof text, "%.*s/%.*s", SPAN_ARG(a[0]), SPAN_ARG(a[1]));
    const struct dict_entry *was = dict_find(&before.lobbies, here);
    const struct object *lobbies = object_of(KEY_LOBBIES), *modes = object_of(KEY_MODES);
    const struct dict_entry *is = lobbies == NULL ? NULL : dict_find(&lobbies->dict, here);
    bool lapsed = was == NULL || was->score < (double)now_ms;
    if (is == NULL || is->score != (double)(now_ms + book_number(a[2])))
        wrong("%.*s lives until %.0f", SPAN_ARG(here), is == NULL ? 0 : is->score);
    if (answer->items[2].integer != lapsed)
        wrong("%.*s is told lapsed=%lld", SPAN_ARG(here), (long long)answer->items[2].integer);
    bool matcher = span_eq(keyspace_string(world->store.ks, w->list[1]), here);
    if (answer->items[3].integer != matcher)
        wrong("%.*s is told matcher=%lld", SPAN_ARG(here), (long long)answer->items[3].integer);
    size_t alive = 0;
    for (const struct dict_entry *e = lobbies == NULL ? NULL : lobbies->dict.oldest; e != NULL;
         e = e->newer)
        alive += e->score >= (double)now_ms;
    if (matcher && answer->items[4].count != alive)
        wrong("%zu are alive, it says %zu", alive, answer->items[4].count);
    size_t queues = 0;
    for (const struct dict_entry *m = modes == NULL ? NULL : modes->dict.oldest; m != NULL;
         m = m->newer) {
        const struct object *queue = object_with(KEY_QUEUE_PREFIX, dict_key(m));
        size_t waiting = queue == NULL ? 0 : queue->dict.count;
        queues += waiting > 0;
        for (size_t i = 0; matcher && i < answer->items[5].count; i++) {
            const struct resp *q = answer->items[5].items[i].items;
            if (span_eq(q[0].text, dict_key(m)) && (int64_t)waiting <= book_number(a[4]) &&
                (q[1].integer != (int64_t)waiting || q[2].integer != 0 || q[3].count != waiting))
                wrong("%zu wait in %.*s, it says %zu of %lld", waiting, SPAN_ARG(dict_key(m)),
                      q[3].count, (long long)q[1].integer);
        }
    }
    if (matcher && queues != answer->items[5].count)
        wrong("there are %zu queues, it says %zu", queues, answer->items[5].count);
}

/* Only what was not true any more is gone. */
static void on_sweep(const struct span *a, const struct resp *answer)
{
    int64_t removed = 0;
    for (const struct dict_entry *e = before.seekers.oldest; e != NULL; e = e->newer) {
        struct span rest = dict_value(e), word = span_cut(&rest, ' '), mode;
        if (record_of(dict_key(e)).len > 0)
            continue;
        removed++;
        bool over = true;
        if (span_is(word, "K")) {
            (void)span_cut(&rest, ' ');
            (void)span_cut(&rest, ' ');
            over = now_ms - book_number(rest) > book_number(a[2]);
        } else if (span_is(word, "M")) {
            over = match_before(rest).len == 0;
        } else {
            struct span entry = entry_before(dict_key(e), &mode);
            over = entry.len == 0 || !waits(mode, entry);
        }
        if (!over)
            wrong("forgets %.*s, which was `%.*s`", SPAN_ARG(dict_key(e)), SPAN_ARG(dict_value(e)));
    }
    if (answer->items[2].integer != removed)
        wrong("%lld are gone, it says %lld", (long long)removed,
              (long long)answer->items[2].integer);
}

/* ---- the door ---- */

/* What nobody uses for a day leaves nothing behind. */
static void must_end(const struct words *w)
{
    for (size_t i = 0; i < w->nkeys; i++) {
        const struct object *o = keyspace_get(world->store.ks, w->list[i]);
        if (o != NULL && o->expire_ms == 0)
            wrong("%.*s has no end", SPAN_ARG(w->list[i]));
    }
}

void judge_seek_contract(const struct words *w, const struct resp *answer)
{
    const struct span *a = w->list + w->nkeys;
    size_t argc = w->count - w->nkeys;
    const struct resp *list = answer->count > 2 ? &answer->items[2] : NULL;
    what = scripts_table[w->script].name;
    now_ms = world->store.ks->now_us / 1000;
    switch ((enum script_id)w->script) {
    case SCRIPT_SEEK:
        for (size_t i = 8; i < argc && i - 8 < list->count && argc == 9; i++)
            is_queued(a, a[i], list->items[i - 8].text);
        if (list->count != argc - 8)
            wrong("%zu words for %zu seeks", list->count, argc - 8);
        break;
    case SCRIPT_SEEK_MAKE:
        on_make(a, argc, list);
        break;
    case SCRIPT_SEEK_CANCEL:
        on_cancel(a, answer);
        break;
    case SCRIPT_SEEK_DROP:
        on_drop(a, argc, answer);
        break;
    case SCRIPT_SEEK_FINISH:
        on_finish(a, argc, answer);
        break;
    case SCRIPT_SEEK_TAKE:
        on_take(a, list);
        break;
    case SCRIPT_SEEK_TICK:
        on_tick(a, w, answer);
        break;
    case SCRIPT_SEEK_SWEEP:
        on_sweep(a, answer);
        break;
    default:
        break;
    }
    must_end(w);
    copy_all();
}

void judge_seek_replaced(void)
{
    copy_all();
}

void judge_stop_seek(void)
{
    dict_fini(&before.seekers);
    dict_fini(&before.matches);
    dict_fini(&before.expires);
    dict_fini(&before.lobbies);
    dict_fini(&before.streams);
    memset(&before, 0, sizeof before);
}
