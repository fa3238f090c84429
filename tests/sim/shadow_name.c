/* shadow_name.c - a model of names and epochs (docs/redis.md: join, enroll). */
#include "tests/sim/shadow.h"

#include "core/record.h"

#include <stdlib.h>

enum { NODES = 3, PEERS = 3, NONCES = 3, LOST_AFTER_MS = 2500, LIVE_MS = 2500, WHO = 3 };

struct model_want {
    bool set, draining;
    int64_t until_ms; /* 0: for ever */
};

struct model_name {
    bool known;
    char nonce[64];
    const char *state;
    int64_t epoch, at_ms; /* at: its last report, or beat */
    int64_t info;
    struct model_want wants[WHO];
};

static struct {
    struct model_name nodes[NODES], peers[PEERS];
    int64_t last_epoch;
    int64_t held[PEERS][NONCES]; /* an epoch that a process which waits for its name was given */
} m;

static const char *const who_words[WHO] = {"node", "operator", "autoscale"};

static int64_t next_epoch(void)
{
    return m.last_epoch + 1 > shadow.now_ms ? m.last_epoch + 1 : shadow.now_ms;
}

static int64_t field_number(struct span record, const char *name)
{
    char text[32] = "-1";
    (void)!record_text(record, name, text, sizeof text);
    return strtoll(text, NULL, 10);
}

static void check_last_epoch(void)
{
    struct span text = shadow_string(keys_get(&shadow.keys, KEY_EPOCH));
    int64_t last = 0;
    (void)span_int(text, &last);
    if (last != m.last_epoch)
        shadow_wrong("the last epoch is %lld, not %lld", (long long)last, (long long)m.last_epoch);
}

/* ---- what others do to a node ---- */

static void name_of(int64_t i, char buf[16])
{
    (void)snprintf(buf, 16, "j%lld", (long long)i);
}

static void set_state(int64_t i, const char *state)
{
    char name[16], record[160];
    struct model_name *n = &m.nodes[i];
    name_of(i, name);
    n->state = state;
    int len = snprintf(record, sizeof record, "state=%s since=%lld epoch=%lld fence=1 why=test",
                       state, (long long)shadow.now_ms, (long long)n->epoch);
    shadow_do("HSET", keys_get(&shadow.keys, KEY_STATES), span_of(name),
              (struct span){record, (size_t)len});
}

static void set_want(int64_t i, int who)
{
    char name[16], field[32], record[120];
    struct model_want *w = &m.nodes[i].wants[who];
    name_of(i, name);
    (void)snprintf(field, sizeof field, "%s|%s", name, who_words[who]);
    *w = (struct model_want){.set = shadow_chance(0.5),
                             .draining = shadow_chance(0.6),
                             .until_ms =
                                 shadow_chance(0.5) ? 0 : shadow.now_ms + shadow_below(3000)};
    int len = snprintf(record, sizeof record, "want=%s until=%lld since=1 why=test",
                       w->draining ? "draining" : "ready", (long long)w->until_ms);
    struct span wants = keys_get(&shadow.keys, KEY_WANTS);
    if (w->set)
        shadow_do("HSET", wants, span_of(field), (struct span){record, (size_t)len});
    else
        shadow_do("HDEL", wants, span_of(field), (struct span){NULL, 0});
}

static void befall(int64_t i)
{
    static const char *const states[] = {"ready", "ready", "draining", "lost", "terminating"};
    struct model_name *n = &m.nodes[i];
    char name[16], stamp[32];
    if (shadow_chance(0.4)) {
        set_want(i, (int)shadow_below(WHO));
        return;
    }
    if (!n->known)
        return;
    set_state(i, states[shadow_below((int64_t)(sizeof states / sizeof *states))]);
    name_of(i, name);
    int len = snprintf(stamp, sizeof stamp, "%lld", (long long)shadow.now_ms);
    if (shadow_chance(0.5)) { /* it reports */
        n->at_ms = shadow.now_ms;
        shadow_do("ZADD", keys_get(&shadow.keys, KEY_BEATS), (struct span){stamp, (size_t)len},
                  span_of(name));
    }
}

/* ---- join ---- */

struct joining {
    int64_t i;
    char name[48], nonce[64];
    int64_t held, info;
    bool heir;
};

static struct joining draw_join(void)
{
    struct joining j = {.i = shadow_below(NODES), .info = shadow_below(3)};
    const struct model_name *n = &m.nodes[j.i];
    name_of(j.i, j.name);
    (void)snprintf(j.nonce, sizeof j.nonce, "nonce-%lld-of-0123456789",
                   (long long)shadow_below(NONCES));
    if (n->known && shadow_chance(0.25)) { /* started by the holder in its own place */
        (void)snprintf(j.nonce, sizeof j.nonce, "heir-%lld-0123456789~%.16s",
                       (long long)shadow_below(1000), n->nonce);
        if (shadow_chance(0.2))
            j.nonce[strlen(j.nonce) - 1] = '!' + 12; /* not quite: '-' */
    }
    j.heir = n->known && strcmp(j.nonce, n->nonce) != 0 && strrchr(j.nonce, '~') != NULL &&
             strlen(n->nonce) >= 16 && strncmp(strrchr(j.nonce, '~') + 1, n->nonce, 16) == 0 &&
             strlen(strrchr(j.nonce, '~') + 1) == 16;
    if (shadow_chance(0.25))
        j.held = n->epoch + shadow_below(3) - 1;
    if (j.held < 0)
        j.held = 0;
    return j;
}

static void ask_join(const struct joining *j)
{
    static const enum key_id keys[] = {KEY_NODES, KEY_EPOCH, KEY_REPORTS, KEY_BEATS, KEY_STATES,
                                       KEY_LOAD,  KEY_WANTS, KEY_FEED,    KEY_EVENTS};
    shadow_begin();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        shadow_key(keys_get(&shadow.keys, keys[i]));
    shadow_arg("%s", j->name);
    shadow_arg("%s", j->nonce);
    shadow_arg("{\"endpoint\":\"ws://h:%lld/ws\",\"capacity\":4%lld}", (long long)j->info,
               (long long)j->info);
    shadow_arg("1");
    shadow_arg("%lld", (long long)j->held);
    shadow_arg("%d", LOST_AFTER_MS);
    shadow_arg("1000");
}

static const char *state_of_join(struct model_name *n, bool heir, const char *why)
{
    if (strcmp(why, "rejoin") != 0)
        n->wants[0].set = false; /* what the process before wished for itself */
    const char *state = "joining";
    for (int who = 0; who < WHO; who++) {
        const struct model_want *w = &n->wants[who];
        if (!w->set || (w->until_ms != 0 && w->until_ms <= shadow.now_ms))
            continue;
        if (w->draining)
            state = "draining";
        break;
    }
    if (heir && n->known && strcmp(n->state, "ready") == 0 && strcmp(state, "joining") == 0)
        state = "ready";
    return state;
}

static void check_joined(const struct joining *j, const struct model_name *n, const char *why)
{
    char begin[160], word[32] = "", reason[32] = "";
    struct span record = shadow_field(KEY_STATES, j->name);
    (void)!record_text(record, "state", word, sizeof word);
    (void)!record_text(record, "why", reason, sizeof reason);
    if (strcmp(word, n->state) != 0 || field_number(record, "epoch") != n->epoch ||
        field_number(record, "since") != shadow.now_ms || strcmp(reason, why) != 0)
        shadow_wrong("the state written is '%.*s', not %s because of %s", SPAN_ARG(record),
                     n->state, why);
    struct span info = shadow_field(KEY_NODES, j->name);
    int len =
        snprintf(begin, sizeof begin,
                 "{\"epoch\":%lld,\"nonce\":\"%s\",\"endpoint\":", (long long)n->epoch, n->nonce);
    if (info.len < (size_t)len || memcmp(info.ptr, begin, (size_t)len) != 0)
        shadow_wrong("what is known of the node is '%.*s'", SPAN_ARG(info));
    if (shadow_score(KEY_LOAD, j->name) != 1e9 ||
        shadow_score(KEY_BEATS, j->name) != (double)shadow.now_ms)
        shadow_wrong("its load is %.0f, its beat %.0f", shadow_score(KEY_LOAD, j->name),
                     shadow_score(KEY_BEATS, j->name));
    struct span report = shadow_field(KEY_REPORTS, j->name);
    if (field_number(report, "epoch") != n->epoch || field_number(report, "seq") != 0 ||
        field_number(report, "conns") != 0 || field_number(report, "cap") != 40 + j->info)
        shadow_wrong("its first report is '%.*s'", SPAN_ARG(report));
    char field[64];
    (void)snprintf(field, sizeof field, "%s|node", j->name);
    if ((shadow_field(KEY_WANTS, field).ptr != NULL) != n->wants[0].set)
        shadow_wrong("what the process before wished for itself is %s",
                     n->wants[0].set ? "gone" : "still there");
}

static void join(void)
{
    struct joining j = draw_join();
    struct model_name *n = &m.nodes[j.i];
    ask_join(&j);
    uint64_t feed = shadow_feed_count();
    const struct resp *a = shadow_call(SCRIPT_JOIN);
    bool same = n->known && strcmp(n->nonce, j.nonce) == 0;
    if (same) {
        if (shadow_said(a, "OK") &&
            (shadow_number(a, 2) != n->epoch || !span_is(a->items[3].text, n->state)))
            shadow_wrong("the same process is told epoch %lld and %.*s",
                         (long long)shadow_number(a, 2), SPAN_ARG(a->items[3].text));
        if (shadow_feed_count() - feed != (j.info != n->info))
            shadow_wrong("the feed was told %llu times",
                         (unsigned long long)(shadow_feed_count() - feed));
        n->info = j.info;
        n->at_ms = shadow.now_ms;
        if (shadow_score(KEY_BEATS, j.name) != (double)shadow.now_ms)
            shadow_wrong("its beat is %.0f", shadow_score(KEY_BEATS, j.name));
        return;
    }
    bool fresh = shadow.now_ms - n->at_ms < LOST_AFTER_MS || strcmp(n->state, "terminating") == 0;
    if (n->known && !j.heir && fresh) {
        if (shadow_said(a, "TAKEN") && shadow_number(a, 2) != n->epoch)
            shadow_wrong("it says that the epoch is %lld", (long long)shadow_number(a, 2));
        return;
    }
    if (!shadow_said(a, "OK"))
        return;
    const char *why = j.held > n->epoch ? "rejoin" : j.heir ? "restart" : "join";
    int64_t epoch = j.held > n->epoch ? j.held : next_epoch();
    m.last_epoch = epoch > m.last_epoch ? epoch : m.last_epoch;
    const char *state = state_of_join(n, j.heir, why);
    n->known = true;
    n->state = state;
    n->epoch = epoch;
    n->at_ms = shadow.now_ms;
    n->info = j.info;
    (void)snprintf(n->nonce, sizeof n->nonce, "%s", j.nonce);
    if (shadow_number(a, 2) != epoch || !span_is(a->items[3].text, state))
        shadow_wrong("it gives epoch %lld and %.*s, not %lld and %s",
                     (long long)shadow_number(a, 2), SPAN_ARG(a->items[3].text), (long long)epoch,
                     state);
    check_joined(&j, n, why);
    check_last_epoch();
    if (!span_is(shadow_feed("k"), "join") || !span_is(shadow_feed("n"), j.name) ||
        !span_eq(shadow_feed("d"), shadow_field(KEY_STATES, j.name)) ||
        !span_eq(shadow_feed("i"), shadow_field(KEY_NODES, j.name)))
        shadow_wrong("the feed is told '%.*s' '%.*s'", SPAN_ARG(shadow_feed("k")),
                     SPAN_ARG(shadow_feed("d")));
}

/* ---- enroll ---- */

static int64_t issue(const struct model_name *p, int64_t held)
{
    if (held > (p->known ? p->epoch : 0) && held <= m.last_epoch)
        return held;
    m.last_epoch = next_epoch();
    return m.last_epoch;
}

static void check_peer(const char *id, const struct model_name *p)
{
    struct span row = shadow_field(KEY_PEERS, id);
    char nonce[64] = "";
    if (!p->known) {
        if (row.ptr != NULL)
            shadow_wrong("%s left and is still there: %.*s", id, SPAN_ARG(row));
        return;
    }
    (void)!record_text(row, "nonce", nonce, sizeof nonce);
    if (field_number(row, "epoch") != p->epoch || field_number(row, "at") != p->at_ms ||
        strcmp(nonce, p->nonce) != 0)
        shadow_wrong("%s is '%.*s', not %s of epoch %lld at %lld", id, SPAN_ARG(row), p->nonce,
                     (long long)p->epoch, (long long)p->at_ms);
    check_last_epoch();
}

static void enroll(void)
{
    static const char *const ids[PEERS] = {"lb/a", "lb/b", "autoscale/c"};
    int64_t i = shadow_below(PEERS), k = shadow_below(NONCES);
    struct model_name *p = &m.peers[i];
    bool leave = shadow_chance(0.15);
    int64_t held = shadow_chance(0.6) ? m.held[i][k] : 0;
    char nonce[16];
    (void)snprintf(nonce, sizeof nonce, "e%lld", (long long)k);
    shadow_begin();
    shadow_key(keys_get(&shadow.keys, KEY_PEERS));
    shadow_key(keys_get(&shadow.keys, KEY_EPOCH));
    shadow_arg("%s", ids[i]);
    shadow_arg("%s", nonce);
    shadow_arg("http://h");
    shadow_arg("%d", LIVE_MS);
    shadow_arg("%s", leave ? "leave" : "enroll");
    shadow_arg("%lld", (long long)held);
    const struct resp *a = shadow_call(SCRIPT_ENROLL);
    bool same = p->known && strcmp(p->nonce, nonce) == 0;
    if (p->known && !same && shadow.now_ms - p->at_ms < LIVE_MS) {
        int64_t own = leave ? 0 : issue(p, held);
        if (shadow_said(a, "TAKEN") &&
            (shadow_number(a, 2) != p->epoch || shadow_number(a, 3) != own))
            shadow_wrong("it says epoch %lld, own %lld; not %lld, %lld",
                         (long long)shadow_number(a, 2), (long long)shadow_number(a, 3),
                         (long long)p->epoch, (long long)own);
        if (!leave)
            m.held[i][k] = own;
    } else if (leave) {
        if (shadow_said(a, "OK") && shadow_number(a, 2) != (p->known ? p->epoch : 0))
            shadow_wrong("it says that the epoch was %lld", (long long)shadow_number(a, 2));
        p->known = p->known && !same;
    } else {
        if (!same)
            p->epoch = issue(p, held);
        p->known = true;
        p->at_ms = shadow.now_ms;
        (void)snprintf(p->nonce, sizeof p->nonce, "%s", nonce);
        if (shadow_said(a, "OK") && shadow_number(a, 2) != p->epoch)
            shadow_wrong("it gives epoch %lld, not %lld", (long long)shadow_number(a, 2),
                         (long long)p->epoch);
    }
    check_peer(ids[i], p);
}

/* ---- turns ---- */

void shadow_name_new(void)
{
    memset(&m, 0, sizeof m);
    for (int i = 0; i < NODES; i++)
        m.nodes[i].state = "";
}

void shadow_name_turn(void)
{
    int64_t draw = shadow_below(10);
    if (draw < 3)
        befall(shadow_below(NODES));
    else if (draw < 7)
        join();
    else
        enroll();
}
