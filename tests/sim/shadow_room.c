/* shadow_room.c - a model of states, reports and rooms (docs/redis.md: report, room, room_end). */
#include "tests/sim/shadow.h"

#include "core/record.h"

#include <stdlib.h>

enum {
    NODES = 4,
    ROOMS = 5,
    PLAYERS = 5,
    TTL_MS = 4000,
    ENDED_MS = 60000,
    RED = 1000000000,
    CAPACITY = 14,
    ISSUERS = 2,
    CLAIMS = 32,
    ALIVE_MS = 4000,
    SETTLE_MS = 1500, /* of the last node, which redeems no tickets */
};

/* Seats that one LB claimed on a node in one second, and how many of them have come. */
struct model_claim {
    int issuer;
    int64_t second, seats, came;
};

struct model_node {
    char name[48];
    bool known;
    const char *state;
    int64_t epoch, seq;
    double load, beat;
    int64_t conns, told_ms; /* of the last report that was taken, and when it was */
    struct model_claim claims[CLAIMS];
    size_t claim_count;
};

struct model_room {
    bool live, ended;
    char node[48];
    int64_t epoch, moved, seats, until_ms;
};

static struct {
    struct model_node nodes[2 * NODES]; /* the second half: those that were succeeded */
    struct model_room rooms[ROOMS];
    int player_room[PLAYERS]; /* -1: none */
    int64_t player_until_ms[PLAYERS];
    int64_t last_epoch;
} m;

static const char *const issuers[ISSUERS] = {"lb-x/7", "lb-y/9"};

/* ---- names ---- */

static struct span id_of(char kind, int64_t i, char buf[16])
{
    int n = snprintf(buf, 16, "%c%lld", kind, (long long)i);
    return (struct span){buf, (size_t)n};
}

static struct span room_key(int64_t i)
{
    static char buf[KEYS_TEXT_MAX];
    char id[16];
    return keys_room(&shadow.keys, id_of('r', i, id), buf);
}

static struct span player_key(int64_t i)
{
    static char buf[KEYS_TEXT_MAX];
    char id[16];
    return keys_player(&shadow.keys, id_of('p', i, id), buf);
}

static struct model_node *node_named(const char *name)
{
    for (size_t i = 0; i < 2 * NODES; i++)
        if (m.nodes[i].known && strcmp(m.nodes[i].name, name) == 0)
            return &m.nodes[i];
    return NULL;
}

/* ---- states, which others move ---- */

static void write_state(const struct model_node *n)
{
    char record[160];
    struct span states = keys_get(&shadow.keys, KEY_STATES);
    if (!n->known) {
        shadow_do("HDEL", states, span_of(n->name), (struct span){NULL, 0});
        return;
    }
    int len = snprintf(record, sizeof record, "state=%s since=%lld epoch=%lld fence=1 why=test",
                       n->state, (long long)shadow.now_ms, (long long)n->epoch);
    shadow_do("HSET", states, span_of(n->name), (struct span){record, (size_t)len});
}

static void forget(struct model_node *n)
{
    n->known = false;
    write_state(n);
    shadow_do("HDEL", keys_get(&shadow.keys, KEY_REPORTS), span_of(n->name),
              (struct span){NULL, 0});
    shadow_do("ZREM", keys_get(&shadow.keys, KEY_BEATS), span_of(n->name), (struct span){NULL, 0});
    shadow_do("ZREM", keys_get(&shadow.keys, KEY_LOAD), span_of(n->name), (struct span){NULL, 0});
}

static int64_t new_epoch(void)
{
    m.last_epoch = m.last_epoch + 1 > shadow.now_ms ? m.last_epoch + 1 : shadow.now_ms;
    return m.last_epoch;
}

static int write_report(const struct model_node *n, int64_t epoch, int64_t seq, int64_t conns,
                        char *buf, size_t size);

/* As join writes it. */
static void first_report(struct model_node *n)
{
    char record[400];
    n->told_ms = shadow.now_ms;
    int len = write_report(n, n->epoch, 0, 0, record, sizeof record);
    len +=
        snprintf(record + len, sizeof record - (size_t)len, " at=%lld", (long long)shadow.now_ms);
    shadow_do("HSET", keys_get(&shadow.keys, KEY_REPORTS), span_of(n->name),
              (struct span){record, (size_t)len});
}

static void change_node(void)
{
    static const char *const states[] = {"ready",    "ready",   "ready",       "joining", "held",
                                         "draining", "closing", "drained",     "lost",    "lost",
                                         "ready",    "ready",   "terminating", "ready"};
    int64_t at = shadow_below(NODES);
    struct model_node *n = &m.nodes[at], *before = &m.nodes[NODES + at];
    if (n->known && shadow_chance(0.1)) {
        forget(n);
        return;
    }
    if (n->known && shadow_chance(0.15)) { /* restarted in place: the old one goes on elsewhere */
        if (before->known)
            forget(before);
        *before = *n;
        (void)snprintf(before->name, sizeof before->name, "n%lld~%lld", (long long)at,
                       (long long)n->epoch);
        before->state = "draining";
        before->load = before->beat = -1;
        before->seq = 0;
        write_state(before);
    }
    if (!n->known || shadow_chance(0.25) || (before->known && before->epoch == n->epoch)) {
        if (n->known)
            forget(n);
        *n = (struct model_node){.known = true, .epoch = new_epoch(), .load = -1, .beat = -1};
        (void)snprintf(n->name, sizeof n->name, "n%lld", (long long)at);
        first_report(n);
    }
    n->state = states[shadow_below((int64_t)(sizeof states / sizeof *states))];
    write_state(n);
}

/* ---- rooms ---- */

static void expire(void)
{
    for (int i = 0; i < ROOMS; i++)
        if (m.rooms[i].until_ms <= shadow.now_ms)
            m.rooms[i].live = m.rooms[i].ended = false;
    for (int i = 0; i < PLAYERS; i++)
        if (m.player_until_ms[i] <= shadow.now_ms)
            m.player_room[i] = -1;
}

static void check_life(struct span key, int64_t life_ms, const char *what)
{
    if (shadow_life(key) != life_ms)
        shadow_wrong("%s has %lld ms to live, not %lld", what, (long long)shadow_life(key),
                     (long long)life_ms);
}

static void check_room(int64_t i)
{
    const struct model_room *r = &m.rooms[i];
    struct span text = shadow_string(room_key(i));
    char node[64] = "", epoch[32] = "", moved[32] = "", seats[32] = "";
    if (!r->live) {
        if (text.ptr != NULL && !(r->ended && memmem(text.ptr, text.len, "ended=", 6) == text.ptr))
            shadow_wrong("room r%lld is %.*s, but it is over", (long long)i, SPAN_ARG(text));
        if (r->ended && text.ptr == NULL)
            shadow_wrong("nobody knows any more that room r%lld is over", (long long)i);
        if (r->ended)
            check_life(room_key(i), r->until_ms - shadow.now_ms, "a room that is over");
        return;
    }
    (void)!record_text(text, "node", node, sizeof node);
    (void)!record_text(text, "epoch", epoch, sizeof epoch);
    (void)!record_text(text, "moved", moved, sizeof moved);
    (void)!record_text(text, "seats", seats, sizeof seats);
    if (strcmp(node, r->node) != 0 || strtoll(epoch, NULL, 10) != r->epoch ||
        strtoll(moved, NULL, 10) != r->moved || strtoll(seats, NULL, 10) != r->seats)
        shadow_wrong("room r%lld is '%.*s', it should be on %s of epoch %lld, moved %lld, seats "
                     "%lld",
                     (long long)i, SPAN_ARG(text), r->node, (long long)r->epoch,
                     (long long)r->moved, (long long)r->seats);
    check_life(room_key(i), r->until_ms - shadow.now_ms, "the room");
}

static void check_players(void)
{
    for (int64_t i = 0; i < PLAYERS; i++) {
        char id[16];
        struct span text = shadow_string(player_key(i));
        bool right = m.player_room[i] < 0 ? text.ptr == NULL
                                          : span_eq(text, id_of('r', m.player_room[i], id));
        if (!right)
            shadow_wrong("player p%lld is in '%.*s', not in %d", (long long)i, SPAN_ARG(text),
                         m.player_room[i]);
        if (right && text.ptr != NULL)
            check_life(player_key(i), m.player_until_ms[i] - shadow.now_ms, "the player's room");
    }
}

/* May the room be given to another node? Where a process was succeeded in place, the room goes with
 * it. */
static bool is_dead(struct model_room *r, const char *dead_node, int64_t dead_epoch)
{
    const struct model_node *n = node_named(r->node);
    char other[64];
    if (n == NULL || n->epoch != r->epoch) {
        (void)snprintf(other, sizeof other, "%s~%lld", r->node, (long long)r->epoch);
        n = node_named(other);
        if (n == NULL || n->epoch != r->epoch)
            return true;
        (void)span_copy(span_of(n->name), r->node, sizeof r->node);
    }
    if (strcmp(n->state, "drained") == 0 || strcmp(n->state, "terminating") == 0)
        return true;
    return strcmp(n->state, "lost") == 0 && dead_node != NULL && strcmp(dead_node, r->node) == 0 &&
           dead_epoch == r->epoch;
}

static struct span claims_key(const struct model_node *n, int64_t epoch)
{
    static char buf[KEYS_TEXT_MAX];
    return keys_claims(&shadow.keys, span_of(n->name), epoch, buf);
}

static int64_t settle_of(const struct model_node *n)
{
    return n->name[1] == '0' + NODES - 1 ? SETTLE_MS : 0;
}

/* Claimed, not in yet, and not over. */
static int64_t owed(const struct model_node *n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n->claim_count; i++) {
        const struct model_claim *c = &n->claims[i];
        int64_t over_ms = c->second * 1000 + 1000;
        bool gone = over_ms + ALIVE_MS < shadow.now_ms ||
                    (settle_of(n) > 0 && n->told_ms >= over_ms + settle_of(n));
        sum += gone || c->came > c->seats ? 0 : c->seats - c->came;
    }
    return sum;
}

static void note_claim(struct model_node *n, int issuer, int64_t seats)
{
    int64_t second = shadow.now_ms / 1000;
    for (size_t i = 0; i < n->claim_count; i++)
        if (n->claims[i].issuer == issuer && n->claims[i].second == second) {
            n->claims[i].seats += seats;
            return;
        }
    if (n->claim_count == CLAIMS) /* the oldest is long over */
        memmove(n->claims, n->claims + 1, --n->claim_count * sizeof *n->claims);
    n->claims[n->claim_count++] = (struct model_claim){issuer, second, seats, 0};
}

static void ask_claim(int64_t room, const struct model_node *n, int64_t epoch, int64_t seats,
                      const char *dead_node, int64_t dead_epoch, int issuer)
{
    char id[16];
    shadow_begin();
    shadow_key(room_key(room));
    shadow_key(keys_get(&shadow.keys, KEY_STATES));
    shadow_key(keys_get(&shadow.keys, KEY_REPORTS));
    shadow_key(claims_key(n, epoch));
    shadow_text(id_of('r', room, id));
    shadow_arg("%s", n->name);
    shadow_arg("%lld", (long long)epoch);
    shadow_arg("%lld", (long long)seats);
    shadow_arg("%d", TTL_MS);
    shadow_arg("%s", dead_node != NULL ? dead_node : "-");
    shadow_arg("%lld", (long long)dead_epoch);
    shadow_arg("%s", issuers[issuer]);
    shadow_arg("%d", ALIVE_MS);
    shadow_arg("%lld", (long long)settle_of(n));
}

static void take_seats(int64_t room, unsigned players)
{
    for (int i = 0; i < PLAYERS; i++)
        if (players & 1u << i) {
            m.player_room[i] = (int)room;
            m.player_until_ms[i] = shadow.now_ms + TTL_MS;
        }
}

static void claim(void)
{
    int64_t room = shadow_below(ROOMS), seats = 1 + shadow_below(4);
    struct model_node *n = &m.nodes[shadow_below(NODES)];
    struct model_room *r = &m.rooms[room], was = *r;
    int issuer = (int)shadow_below(ISSUERS);
    unsigned players = (unsigned)shadow_below(1 << PLAYERS);
    if (n->name[0] == '\0')
        return;
    int64_t epoch = n->epoch - (shadow_chance(0.1) ? 1 : 0);
    const char *dead_node = NULL;
    int64_t dead_epoch = 0;
    if (r->live && shadow_chance(0.6)) {
        dead_node = shadow_chance(0.85) ? was.node : n->name;
        dead_epoch = was.epoch - (shadow_chance(0.15) ? 1 : 0);
    }
    ask_claim(room, n, epoch, seats, dead_node, dead_epoch, issuer);
    for (int i = 0; i < PLAYERS; i++)
        if (players & 1u << i)
            shadow_key(player_key(i));
    const struct resp *a = shadow_call(SCRIPT_ROOM);
    const char *word = "OK";
    bool nowhere = false;
    if (r->live && !is_dead(r, dead_node, dead_epoch)) {
        word = "HAVE";
        r->until_ms = shadow.now_ms + TTL_MS;
        take_seats(room, players);
    } else if (!n->known || n->epoch != epoch) {
        word = "UNKNOWN";
        nowhere = true;
        *r = was;
    } else if (strcmp(n->state, "ready") != 0) {
        word = "STALE";
        nowhere = true;
        *r = was;
    } else if (n->conns + owed(n) + seats > CAPACITY) {
        word = "FULL";
        nowhere = true;
        *r = was;
    } else {
        note_claim(n, issuer, seats);
        word = r->live ? "MOVED" : "OK";
        *r = (struct model_room){.live = true,
                                 .epoch = epoch,
                                 .moved = r->live ? r->moved + 1 : 0,
                                 .seats = seats,
                                 .until_ms = shadow.now_ms + TTL_MS};
        (void)span_copy(span_of(n->name), r->node, sizeof r->node);
        take_seats(room, players);
    }
    if (!shadow_said(a, word))
        return;
    if (!nowhere &&
        (a->count < 4 || !span_is(a->items[2].text, r->node) || shadow_number(a, 3) != r->epoch))
        shadow_wrong("it says %s of epoch %lld, not %s of epoch %lld",
                     a->count > 2 ? a->items[2].text.ptr : "nothing",
                     (long long)shadow_number(a, 3), r->node, (long long)r->epoch);
    if (nowhere && a->count > 2 && !span_is(a->items[2].text, n->state))
        shadow_wrong("it says that the node is %.*s, it is %s", SPAN_ARG(a->items[2].text),
                     n->state);
    check_room(room);
    check_players();
}

static void end_room(void)
{
    int64_t room = shadow_below(ROOMS);
    struct model_room *r = &m.rooms[room];
    const struct model_node *n = &m.nodes[shadow_below(NODES)];
    bool any = shadow_chance(0.5), right = r->live && shadow_chance(0.6);
    const char *node = any ? "-" : right ? r->node : n->name;
    int64_t epoch = right ? r->epoch : n->epoch;
    unsigned players = (unsigned)shadow_below(1 << PLAYERS);
    char id[16];
    if (node[0] == '\0')
        return;
    shadow_begin();
    shadow_key(room_key(room));
    for (int i = 0; i < PLAYERS; i++)
        if (players & 1u << i)
            shadow_key(player_key(i));
    shadow_text(id_of('r', room, id));
    shadow_arg("%s", node);
    shadow_arg("%lld", (long long)epoch);
    const struct resp *a = shadow_call(SCRIPT_ROOM_END);
    bool theirs = r->live && !any && (strcmp(node, r->node) != 0 || epoch != r->epoch);
    if (!shadow_said(a, theirs ? "STALE" : r->live ? "OK" : "NONE"))
        return;
    if (!theirs) {
        for (int i = 0; i < PLAYERS; i++)
            if (players & 1u << i && m.player_room[i] == room)
                m.player_room[i] = -1;
        if (r->live)
            *r = (struct model_room){.ended = true, .until_ms = shadow.now_ms + ENDED_MS};
    }
    check_room(room);
    check_players();
}

/* ---- reports ---- */

/* Some of those who were sent have come. */
static void come_in(struct model_node *n)
{
    for (size_t i = 0; i < n->claim_count; i++)
        if (n->claims[i].came < n->claims[i].seats && shadow_chance(0.5))
            n->claims[i].came += 1 + shadow_below(n->claims[i].seats - n->claims[i].came);
}

static int64_t came(const struct model_node *n, int issuer, int64_t second)
{
    for (size_t i = 0; i < n->claim_count; i++)
        if (n->claims[i].issuer == issuer && n->claims[i].second == second)
            return n->claims[i].came;
    return 0;
}

static int write_report(const struct model_node *n, int64_t epoch, int64_t seq, int64_t conns,
                        char *buf, size_t size)
{
    enum { SECONDS = ALIVE_MS / 1000 + 3 };
    int64_t first = shadow.now_ms / 1000 - SECONDS + 1;
    size_t at = (size_t)snprintf(
        buf, size, "v=1 epoch=%lld seq=%lld conns=%lld hs=0 cap=%d rooms=0 adm=", (long long)epoch,
        (long long)seq, (long long)conns, CAPACITY);
    for (int issuer = 0; issuer < ISSUERS; issuer++) {
        at += (size_t)snprintf(buf + at, size - at, "%s%s/%lld:", issuer > 0 ? "," : "",
                               issuers[issuer], (long long)first);
        for (int64_t k = 0; k < SECONDS; k++)
            at += (size_t)snprintf(buf + at, size - at, "%s%lld", k > 0 ? "." : "",
                                   (long long)came(n, issuer, first + k));
    }
    at += (size_t)snprintf(buf + at, size - at, " closed=0 drain=0");
    return (int)at;
}

/* What a report says of its rooms; returns the numbers of those that are another's. */
static size_t expect_rooms(const struct model_node *n, const int64_t *rooms, size_t count,
                           int64_t foreign[ROOMS])
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        struct model_room *r = &m.rooms[rooms[i]];
        char successor[80];
        if (r->ended)
            continue;
        (void)snprintf(successor, sizeof successor, "%s~%lld", r->node, (long long)n->epoch);
        bool ours = r->live && r->epoch == n->epoch &&
                    (strcmp(r->node, n->name) == 0 || strcmp(successor, n->name) == 0);
        if (r->live && !ours) {
            foreign[found++] = (int64_t)i + 1;
            continue;
        }
        if (!r->live)
            *r = (struct model_room){.live = true, .epoch = n->epoch};
        (void)span_copy(span_of(n->name), r->node, sizeof r->node);
        r->until_ms = shadow.now_ms + TTL_MS;
    }
    return found;
}

static void check_report(const struct model_node *n, const struct resp *a, uint64_t feed, bool news,
                         const char *record)
{
    struct span text = shadow_field(KEY_REPORTS, n->name);
    char line[500];
    if (!span_is(a->items[2].text, n->state))
        shadow_wrong("it says %.*s, the node is %s", SPAN_ARG(a->items[2].text), n->state);
    if (shadow_score(KEY_LOAD, n->name) != n->load)
        shadow_wrong("its load is %.0f, not %.0f", shadow_score(KEY_LOAD, n->name), n->load);
    if (shadow_score(KEY_BEATS, n->name) != n->beat)
        shadow_wrong("its beat is %.0f, not %.0f", shadow_score(KEY_BEATS, n->name), n->beat);
    if (shadow_feed_count() - feed != (news ? 1 : 0))
        shadow_wrong("the feed was told %llu times",
                     (unsigned long long)(shadow_feed_count() - feed));
    if (!news)
        return;
    (void)snprintf(line, sizeof line, "%s at=%lld", record, (long long)shadow.now_ms);
    if (!span_is(text, line))
        shadow_wrong("the report held is '%.*s'", SPAN_ARG(text));
    if (!span_is(shadow_feed("d"), line) || !span_is(shadow_feed("n"), n->name) ||
        !span_is(shadow_feed("k"), "report"))
        shadow_wrong("the feed is told '%.*s'", SPAN_ARG(shadow_feed("d")));
}

static void check_foreign(const struct resp *a, const int64_t *foreign, size_t found)
{
    const struct resp *list = &a->items[3];
    bool same = a->count > 3 && list->type == RESP_LIST && list->count == found;
    for (size_t i = 0; same && i < found; i++)
        same = shadow_number(list, i) == foreign[i];
    if (!same)
        shadow_wrong("it names %zu rooms of others, not %zu", a->count > 3 ? list->count : 0,
                     found);
}

static void report(void)
{
    struct model_node *n = &m.nodes[shadow_below(2 * NODES)];
    int64_t rooms[ROOMS], foreign[ROOMS], conns = shadow_below(CAPACITY);
    size_t room_count = 0;
    bool full = shadow_chance(0.2);
    char record[400];
    if (n->name[0] == '\0')
        return;
    int64_t epoch = n->epoch + (shadow_chance(0.9) ? 0 : shadow_chance(0.5) ? 1 : -1);
    int64_t seq = n->seq + (shadow_chance(0.8) ? 1 : shadow_chance(0.5) ? 0 : -1);
    for (int64_t i = 0; i < ROOMS; i++)
        if (shadow_chance(0.3))
            rooms[room_count++] = i;
    if (seq < 1)
        seq = 1;
    if (epoch == n->epoch && seq > n->seq && n->known)
        come_in(n);
    (void)write_report(n, epoch, seq, conns, record, sizeof record);
    static const enum key_id keys[] = {KEY_REPORTS, KEY_BEATS, KEY_STATES, KEY_LOAD, KEY_FEED};
    shadow_begin();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        shadow_key(keys_get(&shadow.keys, keys[i]));
    for (size_t i = 0; i < room_count; i++)
        shadow_key(room_key(rooms[i]));
    shadow_arg("%s", n->name);
    shadow_arg("%lld", (long long)epoch);
    shadow_arg("%lld", (long long)seq);
    shadow_arg("%s", record);
    shadow_arg("%lld", (long long)conns);
    shadow_arg("%d", full);
    shadow_arg("1000");
    shadow_arg("%d", TTL_MS);
    uint64_t feed = shadow_feed_count();
    const struct resp *a = shadow_call(SCRIPT_REPORT);
    if (!n->known || epoch > n->epoch) {
        (void)shadow_said(a, "UNKNOWN");
        return;
    }
    if (epoch < n->epoch) {
        if (shadow_said(a, "SUPERSEDED") && shadow_number(a, 2) != n->epoch)
            shadow_wrong("it says that the epoch is %lld", (long long)shadow_number(a, 2));
        return;
    }
    if (!shadow_said(a, "OK"))
        return;
    bool news = seq > n->seq;
    if (news) {
        n->seq = seq;
        n->conns = conns;
        n->told_ms = shadow.now_ms;
        n->beat = (double)shadow.now_ms;
        n->load = (double)conns + (strcmp(n->state, "ready") != 0 || full ? RED : 0);
    }
    check_report(n, a, feed, news, record);
    check_foreign(a, foreign, expect_rooms(n, rooms, room_count, foreign));
    for (size_t i = 0; i < room_count; i++)
        check_room(rooms[i]);
}

/* ---- turns ---- */

void shadow_room_new(void)
{
    memset(&m, 0, sizeof m);
    for (int i = 0; i < PLAYERS; i++)
        m.player_room[i] = -1;
}

void shadow_room_turn(void)
{
    int64_t draw = shadow_below(10);
    expire();
    if (draw < 3)
        change_node();
    else if (draw < 7)
        claim();
    else if (draw < 8)
        end_room();
    else
        report();
}
