/* judge_queue.c - queues, seekers and parties as the store has them, looked at after each script of
 * matchmaking: nobody waits twice, what a player's record says is true, a party waits whole. */
#include "tests/sim/judge.h"

#include "store/scripts.h"
#include "tests/sim/dict.h"

#include <assert.h>
#include <string.h>

static struct span key(enum key_id id)
{
    return keys_get(&world->keys[POOL_LOBBY], id);
}

static struct span record_of(struct span player)
{
    return keyspace_field(world->store.ks, key(KEY_SEEKERS), player);
}

struct span judge_entry_players(struct span entry)
{
    for (int i = 0; i < 4; i++)
        (void)span_cut(&entry, '|');
    return entry;
}

/* Its `player/lobby/epoch` in a list; empty: it is not in it. */
static struct span find_in(struct span list, struct span player)
{
    while (list.len > 0) {
        struct span item = span_cut(&list, ','), rest = item;
        if (span_eq(span_cut(&rest, '/'), player))
            return item;
    }
    return (struct span){NULL, 0};
}

/* Of a leader's record `Q mode entry`. */
static struct span entry_in(struct span record)
{
    if (!span_is(span_cut(&record, ' '), "Q"))
        return (struct span){NULL, 0};
    (void)span_cut(&record, ' ');
    return record;
}

struct span judge_entry_of(struct span player)
{
    struct span rest = record_of(player), entry = entry_in(rest);
    if (entry.len > 0 || !span_is(span_cut(&rest, ' '), "P"))
        return entry;
    entry = entry_in(record_of(rest));
    return find_in(judge_entry_players(entry), player).len > 0 ? entry : (struct span){NULL, 0};
}

/* ---- what waits ---- */

static void look_at_entry(struct span mode, struct span entry)
{
    struct span list = judge_entry_players(entry), leader = {NULL, 0};
    while (list.len > 0) {
        struct span item = span_cut(&list, ','), player = span_cut(&item, '/');
        struct span rest = record_of(player), word = span_cut(&rest, ' ');
        if (leader.len == 0) {
            leader = player;
            if (!span_is(word, "Q") || !span_eq(span_cut(&rest, ' '), mode) ||
                !span_eq(rest, entry))
                sim_fail("match: %.*s waits in %.*s as %.*s, and its record says %.*s",
                         SPAN_ARG(player), SPAN_ARG(mode), SPAN_ARG(entry),
                         SPAN_ARG(record_of(player)));
        } else if (!span_is(word, "P") || !span_eq(rest, leader)) {
            sim_fail("party: %.*s waits with %.*s as %.*s, and its record says %.*s",
                     SPAN_ARG(player), SPAN_ARG(leader), SPAN_ARG(entry),
                     SPAN_ARG(record_of(player)));
        }
    }
}

static const struct object *queue_of(struct span mode)
{
    char name[KEYS_TEXT_MAX];
    return keyspace_get(world->store.ks, keys_queue(&world->keys[POOL_LOBBY], mode, name));
}

static void look_at_record(struct span player, struct span record)
{
    char name[KEYS_TEXT_MAX];
    struct span rest = record, word = span_cut(&rest, ' ');
    if (span_is(word, "Q")) {
        const struct object *queue = queue_of(span_cut(&rest, ' '));
        if (queue == NULL || dict_find(&queue->dict, rest) == NULL)
            sim_fail("match: the record of %.*s says %.*s, and nothing like it waits",
                     SPAN_ARG(player), SPAN_ARG(record));
    } else if (span_is(word, "P") && judge_entry_of(player).len == 0) {
        sim_fail("party: the record of %.*s says %.*s, and nothing like it waits", SPAN_ARG(player),
                 SPAN_ARG(record));
    } else if (span_is(word, "M")) {
        struct span match =
            keyspace_string(world->store.ks, keys_match(&world->keys[POOL_LOBBY], rest, name));
        const char *at = match.len == 0 ? NULL : memmem(match.ptr, match.len, " entries=", 9);
        bool in = match.len == 0; /* it expired */
        struct span list = {at, at == NULL ? 0 : (size_t)(match.ptr + match.len - at)};
        for (; list.len > 0 && !in; (void)span_cut(&list, ';')) {
            struct span entry = list;
            in = find_in(judge_entry_players(span_cut(&entry, ';')), player).len > 0;
        }
        if (!in)
            sim_fail("match: the record of %.*s says %.*s, and that match is %.*s",
                     SPAN_ARG(player), SPAN_ARG(record), SPAN_ARG(match));
    }
}

void judge_queues(void)
{
    const struct object *modes = keyspace_get(world->store.ks, key(KEY_MODES));
    const struct object *seekers = keyspace_get(world->store.ks, key(KEY_SEEKERS));
    for (const struct dict_entry *m = modes == NULL ? NULL : modes->dict.oldest; m != NULL;
         m = m->newer) {
        const struct object *queue = queue_of(dict_key(m));
        for (const struct dict_entry *e = queue == NULL ? NULL : queue->dict.oldest; e != NULL;
             e = e->newer)
            look_at_entry(dict_key(m), dict_key(e));
    }
    for (const struct dict_entry *e = seekers == NULL ? NULL : seekers->dict.oldest; e != NULL;
         e = e->newer)
        look_at_record(dict_key(e), dict_value(e));
}

/* ---- parties ---- */

static bool lobby_lives(struct span lobby)
{
    const struct object *lobbies = keyspace_get(world->store.ks, key(KEY_LOBBIES));
    const struct dict_entry *e = lobbies == NULL ? NULL : dict_find(&lobbies->dict, lobby);
    return e != NULL && e->score >= (double)(world->store.ks->now_us / 1000);
}

/* Queued for the whole party: all of it, where they are, the leader first. */
static void look_at_party(struct span party, struct span leader, struct span here)
{
    char name[KEYS_TEXT_MAX], item[KEYS_TEXT_MAX];
    const struct object *members =
        keyspace_get(world->store.ks, keys_party(&world->keys[POOL_LOBBY], party, name));
    struct span entry = judge_entry_of(leader), list = judge_entry_players(entry), rest = list;
    size_t count = 0, in_party = 0;
    for (; rest.len > 0; count++)
        (void)span_cut(&rest, ',');
    for (const struct dict_entry *e = members == NULL ? NULL : members->dict.oldest; e != NULL;
         e = e->newer) {
        struct span player = dict_key(e), at = dict_value(e);
        if (span_is(player, "*leader")) {
            if (!span_eq(at, leader))
                sim_fail("party: %.*s seeks for %.*s, which %.*s leads", SPAN_ARG(leader),
                         SPAN_ARG(party), SPAN_ARG(at));
            continue;
        }
        if (span_eq(player, leader))
            at = here;
        in_party++;
        (void)snprintf(item, sizeof item, "%.*s/%.*s", SPAN_ARG(player), SPAN_ARG(at));
        if (!span_is(find_in(list, player), item))
            sim_fail("party: %.*s is in %.*s at %.*s, and what waits is %.*s", SPAN_ARG(player),
                     SPAN_ARG(party), SPAN_ARG(at), SPAN_ARG(entry));
        if (!span_eq(player, leader) && !lobby_lives(at))
            sim_fail("party: %.*s waits in %.*s, its lobby node is dead", SPAN_ARG(player),
                     SPAN_ARG(party));
    }
    if (count != in_party)
        sim_fail("party: %.*s are %zu, and what waits is %.*s", SPAN_ARG(party), in_party,
                 SPAN_ARG(entry));
}

void judge_party_seeks(struct span seek, struct span lobby, struct span epoch, struct span word)
{
    char here[KEYS_TEXT_MAX], name[KEYS_TEXT_MAX];
    struct span player = span_cut(&seek, ' ');
    for (int i = 0; i < 4; i++) /* mode, rating, region, keyword */
        (void)span_cut(&seek, ' ');
    struct span party = span_cut(&seek, ' ');
    if (span_is(party, "-"))
        return;
    struct span at = keys_party(&world->keys[POOL_LOBBY], party, name);
    bool in = keyspace_field(world->store.ks, at, player).len > 0;
    bool leads = span_eq(keyspace_field(world->store.ks, at, SPAN("*leader")), player);
    (void)snprintf(here, sizeof here, "%.*s/%.*s", SPAN_ARG(lobby), SPAN_ARG(epoch));
    if (span_is(word, "OK"))
        look_at_party(party, player, span_of(here));
    else if ((span_is(word, "PARTY_NONE") && in) || (span_is(word, "PARTY_LEADER") && leads))
        sim_fail("party: %.*s is told %.*s of %.*s", SPAN_ARG(player), SPAN_ARG(word),
                 SPAN_ARG(party));
}

void judge_party(const struct words *w, const struct resp *answer)
{
    const struct span *a = w->list + w->nkeys;
    struct span op = a[0], player = a[2], text;
    struct span at = keyspace_field(world->store.ks, w->list[0], player);
    char here[KEYS_TEXT_MAX];
    bool ok = span_is(answer->items[0].text, "OK");
    sim_trace("store", "party %.*s %.*s %.*s says %.*s", SPAN_ARG(op), SPAN_ARG(a[1]),
              SPAN_ARG(player), SPAN_ARG(answer->items[ok ? 2 : 0].text));
    const struct object *members = keyspace_get(world->store.ks, w->list[0]);
    (void)snprintf(here, sizeof here, "%.*s/%.*s", SPAN_ARG(a[3]), SPAN_ARG(a[4]));
    if (!ok) {
        struct span word = answer->items[0].text;
        int64_t count = members == NULL ? 0 : (int64_t)members->dict.count - 1;
        bool right = span_is(word, "NONE")    ? members == NULL && !span_is(op, "create")
                     : span_is(word, "TAKEN") ? members != NULL && span_is(op, "create")
                     : span_is(word, "FULL")  ? count >= book_number(a[5]) && at.len == 0
                                              : span_is(op, "leave") && !span_is(at, here);
        if (!right)
            sim_fail("party: %.*s asked to %.*s %.*s, it has %lld, and says %.*s", SPAN_ARG(player),
                     SPAN_ARG(op), SPAN_ARG(a[1]), (long long)count, SPAN_ARG(word));
        return;
    }
    if (span_is(op, "leave") ? at.len > 0 : !span_is(at, here))
        sim_fail("party: %.*s asked to %.*s %.*s at %s, and is at '%.*s'", SPAN_ARG(player),
                 SPAN_ARG(op), SPAN_ARG(a[1]), here, SPAN_ARG(at));
    text = answer->items[2].text;
    (void)span_cut(&text, ' ');
    struct span leader = span_cut(&text, ' ');
    size_t count = 0;
    bool led = false;
    for (; text.len > 0 && members != NULL; count++) {
        struct span id = span_cut(&text, ',');
        led |= span_eq(id, leader);
        if (dict_find(&members->dict, id) == NULL)
            sim_fail("party: %.*s is told to be in %.*s", SPAN_ARG(id), SPAN_ARG(a[1]));
    }
    int64_t most = book_number(a[5]);
    if (members != NULL &&
        (count + 1 != members->dict.count || !led || (int64_t)count > most ||
         !span_eq(keyspace_field(world->store.ks, w->list[0], SPAN("*leader")), leader)))
        sim_fail("party: %.*s is told to be %.*s, it has %zu", SPAN_ARG(a[1]),
                 SPAN_ARG(answer->items[2].text), members->dict.count - 1);
}
