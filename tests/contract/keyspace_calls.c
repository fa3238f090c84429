/* keyspace_calls.c - a random call of one of the store's scripts. */
#include "tests/contract/keyspace_calls.h"

#include "tests/contract/keyspace_pair.h"

#include <stdio.h>
#include <stdlib.h>

static const char *node(void)
{
    static char buf[8];
    (void)snprintf(buf, sizeof buf, "n%d", (int)pair_below(6));
    return buf;
}

static void keys(const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pair_word("b:{p}:%s", names[i]);
}
#define KEYS(...)                                                                                  \
    (pair_word("%zu", sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)),                \
     keys((const char *const[]){__VA_ARGS__},                                                      \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

/* The epoch or holder that is in force, or another. */
static void held_epoch(const char *name)
{
    struct span row = keyspace_field(pair.ks, SPAN("b:{p}:states"), span_of(name));
    const char *at = row.ptr != NULL ? strstr(row.ptr, "epoch=") : NULL;
    long long epoch = at != NULL ? strtoll(at + 6, NULL, 10) : 0;
    pair_word("%lld", pair_below(8) ? epoch : epoch + (long long)pair_below(3) - 1);
}

static void holder(const char *lease)
{
    char key[32];
    (void)snprintf(key, sizeof key, "b:{p}:%s", lease);
    struct span text = keyspace_string(pair.ks, span_of(key));
    if (text.ptr != NULL && pair_below(8))
        pair_word("%.*s", SPAN_ARG(text));
    else
        pair_word("%s", SOME("lb-a 1 2", "as-a 5 5", "nonsense"));
}

static void now_word(int64_t more_ms)
{
    pair_word("%lld", (long long)(pair.ks->now_us / 1000 + more_ms));
}

static void build_node_call(enum script_id id)
{
    const char *name = node();
    switch (id) {
    case SCRIPT_JOIN:
        KEYS("nodes", "epoch", "reports", "beats", "states", "load", "wants", "feed", "events");
        pair_word("%s", name);
        pair_word("%s", SOME("nonce-a", "nonce-b", "nonce-c", "bad nonce"));
        pair_word("%s", SOME("{\"endpoint\":\"ws://h:1/ws\",\"capacity\":5}", "{\"capacity\":3}",
                             "{}", "no", "{\"epoch\":1}"));
        pair_word("1");
        pair_word("%s", SOME("0", "0", "0", "1700000000000", "1800000000000000", "x"));
        pair_word("%s", SOME("3000", "3000", "10000", "0"));
        pair_word("%s", SOME("150", "1000"));
        break;
    case SCRIPT_REPORT: {
        bool rooms = pair_below(2);
        int64_t conns = (int64_t)pair_below(7);
        if (rooms)
            KEYS("reports", "beats", "states", "load", "feed", "room:r1", "room:r2", "room:r3");
        else
            KEYS("reports", "beats", "states", "load", "feed");
        pair_word("%s", name);
        held_epoch(name);
        pair_word("%llu", (unsigned long long)(pair.calls + pair_below(20) - pair_below(20)));
        pair_word("v=1 epoch=1 seq=%llu conns=%lld hs=0 cap=5 rooms=0 adm=- closed=0 drain=0 pid=1",
                  pair.calls, (long long)conns);
        pair_word("%lld", (long long)conns);
        pair_word("%s", conns >= 5 ? "1" : "0");
        pair_word("%s", SOME("150", "1000", "0"));
        pair_word("%s", SOME("500000", "900000"));
        break;
    }
    case SCRIPT_WANT:
        KEYS("nodes", "wants", "feed", "events", "leader");
        pair_word("%s", pair_below(4) ? name : SOME("*closed", "*size", "*roll", "*paused"));
        pair_word("%s", SOME("node", "operator", "autoscale", "operator", "nobody"));
        pair_word("%s", SOME("draining", "ready", "held", "none", "closed", "size:4", "roll",
                             "roll:1.2", "paused", "none"));
        pair_word("%s", SOME("because", "test", "", "two words"));
        if (pair_below(3))
            pair_word("0");
        else
            now_word((int64_t)pair_below(30000) - 5000);
        pair_word("1000");
        if (pair_below(2))
            pair_word("-");
        else
            holder("leader");
        break;
    case SCRIPT_MOVE: {
        bool owner = pair_below(4) > 0;
        KEYS("owner", "leader", "states", "nodes", "reports", "beats", "load", "wants", "feed",
             "events");
        pair_word("%s", owner ? "owner" : SOME("leader", "other"));
        holder(owner ? "owner" : "leader");
        pair_word("%s", name);
        held_epoch(name);
        struct span row = keyspace_field(pair.ks, SPAN("b:{p}:states"), span_of(name));
        struct span from = {row.ptr + 6, row.ptr != NULL ? strcspn(row.ptr + 6, " ") : 0};
        if (row.ptr != NULL && pair_below(5))
            pair_word("%.*s", SPAN_ARG(from));
        else
            pair_word("%s", SOME("ready", "joining", "lost"));
        pair_word("%s", SOME("ready", "ready", "joining", "draining", "closing", "drained", "lost",
                             "held", "gone", "terminating"));
        pair_word("%s", SOME("probed", "wanted", "bad why"));
        pair_word("1000");
        break;
    }
    default:
        KEYS("owner", "nodes", "states", "beats", "reports", "load", "wants", "feed", "events");
        holder("owner");
        pair_word("%s", SOME("3000", "10000", "20000"));
        pair_word("%s", SOME("60000", "100000", "20000"));
        pair_word("%s", SOME("0", "34", "60", "101"));
        pair_word("%s", SOME("200", "1", "2"));
        pair_word("1000");
    }
}

static void build_lease_call(enum script_id id)
{
    if (id == SCRIPT_LEASE) {
        const char *lease = SOME("owner", "leader");
        struct span held = keyspace_string(
            pair.ks, strcmp(lease, "owner") == 0 ? SPAN("b:{p}:owner") : SPAN("b:{p}:leader"));
        pair_word("2");
        pair_word("b:{p}:%s", lease);
        pair_word("b:{p}:fence");
        pair_word("%s", SOME("acquire", "acquire", "renew", "release", "steal"));
        if (held.ptr != NULL && pair_below(3)) {
            struct span name = span_cut(&held, ' '), epoch = span_cut(&held, ' ');
            pair_word("%.*s", SPAN_ARG(name));
            pair_word("%.*s", SPAN_ARG(epoch));
            pair_word("%.*s", SPAN_ARG(held));
        } else {
            pair_word("%s", SOME("lb-a", "lb-b", "bad name"));
            pair_word("%s", SOME("1", "2"));
            pair_word("0");
        }
        pair_word("%s", SOME("100000", "200000"));
    } else if (id == SCRIPT_ENROLL) {
        KEYS("peers", "epoch");
        pair_word("%s", SOME("lb/a", "lb/b", "autoscale/a", "bad"));
        pair_word("%s", SOME("nonce-a", "nonce-b"));
        pair_word("http://h:%d", (int)pair_below(3));
        pair_word("%s", SOME("3000", "20000"));
        pair_word("%s", SOME("enroll", "enroll", "enroll", "leave", "other"));
    } else if (id == SCRIPT_PLAN) {
        KEYS("leader", "plan");
        holder("leader");
        pair_word("%s", SOME("64", "3"));
        for (uint64_t i = 0, n = 1 + pair_below(3); i < n; i++) {
            pair_word("token-%d", (int)pair_below(6));
            pair_word("%s", SOME("op=launch count=2", "", "op=roll base=3"));
        }
    } else {
        pair_word("1");
        pair_word("b:{p}:%s", SOME("events", "history"));
        pair_word("%s", SOME("alert", "bad kind"));
        pair_word("%s", SOME("-", "n1", "*size"));
        pair_word("%s", SOME("why=x", "a=b c=d"));
        pair_word("%s", SOME("150", "300"));
    }
}

static void build_room_call(enum script_id id)
{
    static const char *const names[] = {"room:r1", "room:r2", "room:r3"};
    size_t room = pair_below(3);
    const char *name = node();
    pair_word("%d", id == SCRIPT_ROOM ? 6 : 3);
    pair_word("b:{p}:%s", names[room]);
    if (id == SCRIPT_ROOM) {
        pair_word("b:{p}:states");
        pair_word("b:{p}:reports");
        pair_word("b:{p}:claims:%s:%d", name, (int)pair_below(2));
    }
    pair_word("b:{p}:player:u%d", (int)pair_below(5));
    pair_word("b:{p}:player:u%d", (int)pair_below(5));
    pair_word("%s", names[room] + 5);
    pair_word("%s", id == SCRIPT_ROOM_END && pair_below(3) == 0 ? "-" : name);
    held_epoch(name);
    if (id == SCRIPT_ROOM_END)
        return;
    pair_word("%s", SOME("4", "1"));
    pair_word("%s", SOME("400000", "900000"));
    pair_word("%s", pair_below(2) ? "-" : name);
    held_epoch(name);
    pair_word("%s", SOME("lb-a/7", "lb-a/8", "lb-b/7", "lb-b"));
    pair_word("%s", SOME("1000", "31000", "31000", "0"));
    pair_word("%s", SOME("0", "500", "0", "x"));
}

/* A lobby node and its epoch, as arguments. */
static const char *lobby_words(void)
{
    const char *name = SOME("n0", "n1");
    pair_word("%s", name);
    pair_word("%s", SOME("7", "7", "7", "8"));
    return name;
}

static void stream_words(void)
{
    pair_word("%s", SOME("100", "3"));
    pair_word("%s", SOME("300000", "900000"));
}

/* Up to `most` entries of a queue as they are, or one that is not there. Returns how many. */
static size_t entries_of(const char *mode, size_t most, char (*ret)[256])
{
    char key[64];
    (void)snprintf(key, sizeof key, "b:{p}:seek:queue:%s", mode);
    const struct object *o = keyspace_get(pair.ks, span_of(key));
    size_t n = o == NULL ? 0 : o->dict.count < most ? o->dict.count : most;
    for (size_t i = 0; i < n; i++)
        (void)snprintf(ret[i], sizeof ret[i], "%s", o->order[i]->key);
    if (n == 0 || pair_below(8) == 0) {
        (void)snprintf(ret[0], sizeof ret[0], "1700000000000|1500|eu|-|u%d/n0/7",
                       (int)pair_below(12));
        n = n > 0 ? n : 1;
    }
    return n;
}

static void build_match_call(enum script_id id, const char *mode)
{
    char entries[4][256];
    size_t n = entries_of(mode, 1 + pair_below(4), entries);
    pair_word("%d", id == SCRIPT_SEEK_MAKE ? 6 : 4);
    pair_word("b:{p}:seek:queue:%s", mode);
    pair_word("b:{p}:seek:seekers");
    if (id == SCRIPT_SEEK_MAKE)
        pair_word("b:{p}:seek:matches");
    pair_word("b:{p}:seek:lobbies");
    if (id == SCRIPT_SEEK_MAKE)
        pair_word("b:{p}:seek:match:");
    pair_word("b:{p}:seek:results:");
    pair_word("%s", pair_below(10) ? mode : "a mode");
    if (id == SCRIPT_SEEK_MAKE) {
        pair_word("%s", SOME("3000", "10000"));
        pair_word("%s", SOME("120000", "200000"));
        pair_word("%s", SOME("requeue", "smaller"));
        pair_word("%d", (int)(1 + pair_below(2)));
        pair_word("100");
        pair_word("m%llu", pair.calls);
        pair_word("%d", (int)pair_below(2));
        pair_word("%zu", n);
    } else {
        pair_word("%s", SOME("timeout", "lost", "lost", "other"));
        stream_words();
    }
    for (size_t i = 0; i < n; i++)
        pair_word("%s", entries[i]);
}

static void build_finish_call(void)
{
    const struct object *o = keyspace_get(pair.ks, SPAN("b:{p}:seek:matches"));
    char room[64] = "m0";
    if (o != NULL && o->dict.count > 0 && pair_below(6))
        (void)snprintf(room, sizeof room, "%s", o->order[pair_below(o->dict.count)]->key);
    pair_word("9");
    pair_word("b:{p}:seek:matches");
    pair_word("b:{p}:seek:match:%s", room);
    pair_word("b:{p}:seek:seekers");
    pair_word("b:{p}:seek:lobbies");
    pair_word("b:{p}:seek:modes");
    pair_word("b:{p}:seek:group:%s", room);
    pair_word("b:{p}:seek:queue:");
    pair_word("b:{p}:seek:results:");
    pair_word("b:{p}:seek:told:");
    pair_word("%s", room);
    pair_word("100");
    pair_word("%s", SOME("0", "400000"));
    for (int i = 0; i < 12; i++) {
        pair_word("u%d", i);
        pair_word("{\"text\":%d}", i);
    }
}

static void build_talk_call(enum script_id id)
{
    const char *code = SOME("c1", "c2");
    pair_word("%d", id == SCRIPT_PARTY ? 3 : 2);
    pair_word("b:{p}:seek:party:%s", code);
    if (id == SCRIPT_PARTY)
        pair_word("b:{p}:seek:lobbies");
    pair_word("b:{p}:seek:results:");
    if (id == SCRIPT_PARTY)
        pair_word("%s", SOME("create", "join", "join", "leave", "other"));
    else
        pair_word("%s", SOME("say", "say", "here", "away", "other"));
    pair_word("%s", code);
    pair_word("u%d", (int)pair_below(4));
    (void)lobby_words();
    if (id == SCRIPT_PARTY) {
        pair_word("%s", SOME("2", "4"));
        pair_word("%s", SOME("400000", "900000"));
    } else {
        pair_word("%s", SOME("hello", "{\"a\":1}"));
    }
    stream_words();
}

static void build_seek_words(void)
{
    KEYS("seek:seekers", "seek:lobbies", "seek:modes",
         "seek:queue:", "seek:match:", "seek:results:", "seek:party:", "seek:told:");
    (void)lobby_words();
    pair_word("%s", SOME("60000", "1500"));
    pair_word("%s", SOME("100", "5"));
    pair_word("30000");
    pair_word("%s", SOME("8", "1"));
    stream_words();
    for (uint64_t i = 0, n = 1 + pair_below(3); i < n; i++)
        pair_word("u%d %s %d %s %s %s 4 %d", (int)pair_below(12), SOME("duel", "team"),
                  (int)(1000 + pair_below(1000)), SOME("eu", "us", "-"), SOME("-", "-", "friends"),
                  SOME("-", "-", "c1"), (int)pair_below(5000));
}

static void build_seek_call(enum script_id id)
{
    const char *mode = SOME("duel", "team");
    switch (id) {
    case SCRIPT_SEEK:
        build_seek_words();
        break;
    case SCRIPT_SEEK_CANCEL:
        KEYS("seek:seekers", "seek:queue:", "seek:match:", "seek:results:");
        pair_word("u%d", (int)pair_below(12));
        (void)lobby_words();
        pair_word("%s", SOME("cancel", "gone", "gone", "other"));
        stream_words();
        break;
    case SCRIPT_SEEK_TAKE:
        KEYS("seek:matches", "seek:match:");
        pair_word("%s", SOME("3000", "10000"));
        pair_word("%s", SOME("10", "1", "0"));
        break;
    case SCRIPT_SEEK_FINISH:
        build_finish_call();
        break;
    case SCRIPT_SEEK_SWEEP:
        KEYS("seek:seekers", "seek:queue:", "seek:match:");
        pair_word("0");
        pair_word("1000");
        pair_word("%s", SOME("3000", "30000"));
        break;
    case SCRIPT_SEEK_TICK: {
        const char *name = SOME("n0", "n1");
        pair_word("5");
        pair_word("b:{p}:seek:lobbies");
        pair_word("b:{p}:seek:matcher");
        pair_word("b:{p}:seek:modes");
        pair_word("b:{p}:seek:results:%s", name);
        pair_word("b:{p}:seek:queue:");
        pair_word("%s", name);
        pair_word("7");
        pair_word("%s", SOME("60000", "1500"));
        pair_word("%s", SOME("400000", "900000"));
        pair_word("%s", SOME("100", "2"));
        pair_word("%s", SOME("300000", "900000"));
        if (pair_below(2)) {
            pair_word("%s", mode);
            pair_word("%d", (int)pair_below(3));
        }
        break;
    }
    case SCRIPT_SEEK_MAKE:
    case SCRIPT_SEEK_DROP:
        build_match_call(id, mode);
        break;
    default:
        build_talk_call(id);
    }
}

/* Forward now and then, since the least is drawn again and again. */
static void build_alerted_call(void)
{
    KEYS("alerts");
    pair_word("%s", SOME("ops", "*report", "bad name"));
    pair_word("%llu-%d", pair_below(3) ? 1700000000000 + pair.calls : 1700000000000,
              (int)pair_below(3));
    pair_word("%s", SOME("100000", "200000", "0"));
}

void keyspace_call(enum script_id id)
{
    if (id <= SCRIPT_SWEEP)
        build_node_call(id);
    else if (id <= SCRIPT_ENROLL || id == SCRIPT_PLAN || id == SCRIPT_EVENT)
        build_lease_call(id);
    else if (id == SCRIPT_ROOM || id == SCRIPT_ROOM_END)
        build_room_call(id);
    else if (id == SCRIPT_ALERTED)
        build_alerted_call();
    else
        build_seek_call(id);
}
