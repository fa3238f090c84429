/* store_seek.h - the scripts of matchmaking, called in a line each, and a matcher to propose. */
#ifndef BERTH_TESTS_CONTRACT_STORE_SEEK_H
#define BERTH_TESTS_CONTRACT_STORE_SEEK_H

#include "core/rng.h"
#include "lobbynode/matcher.h"
#include "tests/support/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM                                                                                     \
    {                                                                                              \
        .max = 100000, .ttl_ms = 60000                                                             \
    }
#define LEASE_MS 60000

static struct matcher matcher;
static char alive_at_tick[16][KEYS_NAME_MAX + 24];
static size_t alive_count;

static const struct match_rules plain = {
    .size = 4, .size_min = 1, .party_max = 4, .timeout_ms = 60000};

static inline enum seek_word seek_full(const char *lobby, int64_t epoch, struct call_seek_one one)
{
    enum seek_word word;
    if (!one.party_max)
        one.party_max = 4;
    struct store_answer a =
        SAY(seek, .lobby = lobby, .lobby_epoch = epoch, .lease_ms = LEASE_MS, .queue_max = 1000,
            .keep_ms = 30000, .stream = STREAM, .seeks = &one, .count = 1);
    assert_int_equal(a.list->count, 1);
    assert_true(seek_word_parse(a.list->items[0].text, &word));
    return word;
}

static inline enum seek_word seek_at(const char *player, const char *lobby, int64_t epoch)
{
    return seek_full(lobby, epoch,
                     (struct call_seek_one){.player = span_of(player), .mode = SPAN("m")});
}

static inline enum seek_word seek(const char *player)
{
    return seek_at(player, "l1", 1);
}

static inline struct store_answer tick_by(const char *lobby, int64_t epoch)
{
    return SAY(seek_tick, .lobby = lobby, .lobby_epoch = epoch, .lease_ms = LEASE_MS,
               .matcher_ms = 60000, .limit = 2000, .stream_ttl_ms = 60000);
}

/* What the matcher proposes, kept: the store may change before it is carried out. */
struct proposal {
    char entries[8][CALL_ENTRY_MAX];
    size_t count;
    int64_t bots;
};
static struct proposal proposals[512];
static size_t proposal_count;

static inline bool entry_lives(struct span players)
{
    struct matcher_player p;
    bool bad;
    while (matcher_next_player(&players, &p, &bad)) {
        bool alive = false;
        for (size_t i = 0; i < alive_count; i++)
            alive = alive || span_is(p.peer, alive_at_tick[i]);
        if (!alive)
            return false;
    }
    return true;
}

/* Asks as lobby node l1, and fills proposals for mode m. */
static inline void propose(const struct match_rules *rules, bool with_dead)
{
    proposal_count = alive_count = 0;
    struct store_answer a = tick_by("l1", 1);
    assert_int_equal(a.total, 1);
    for (size_t i = 0; i < a.list->count; i++)
        assert_true(span_copy(a.list->items[i].text, alive_at_tick[alive_count++],
                              sizeof alive_at_tick[0]));
    for (size_t q = 0; q < a.list2->count; q++) {
        const struct resp *queue = &a.list2->items[q];
        if (!span_is(queue->items[0].text, "m"))
            continue;
        matcher_begin(&matcher, rules, a.now.ms);
        for (size_t i = 0; i < queue->items[3].count; i++) {
            struct span text = queue->items[3].items[i].text;
            if (with_dead || entry_lives((struct span){
                                 strrchr(text.ptr, '|') + 1,
                                 text.len - (size_t)(strrchr(text.ptr, '|') + 1 - text.ptr)}))
                assert_int_equal(matcher_add(&matcher, text), 0);
        }
        matcher_run(&matcher);
        for (uint32_t g = 0; g < matcher.group_count; g++) {
            struct proposal *p = &proposals[proposal_count++];
            *p =
                (struct proposal){.count = matcher.groups[g].count, .bots = matcher.groups[g].bots};
            for (size_t i = 0; i < p->count; i++)
                assert_true(
                    span_copy(matcher.entries[matcher.picks[matcher.groups[g].first + i]].text,
                              p->entries[i], sizeof p->entries[i]));
        }
    }
}

static inline const char *make_one(const struct proposal *p, const char *room, bool smaller)
{
    static char word[16];
    struct span entries[8];
    for (size_t i = 0; i < p->count; i++)
        entries[i] = span_of(p->entries[i]);
    struct call_seek_make req = {.mode = SPAN("m"),
                                 .retry_ms = 5000,
                                 .match_ttl_ms = 60000,
                                 .smaller = smaller,
                                 .size_min = 2,
                                 .stream_max = 100000};
    store_encoded(calls_seek_make_begin(&fx.call, &fx.keys, &req, &fx.err));
    assert_int_equal(calls_seek_make_add(&fx.call, span_of(room), p->bots, entries, p->count), 0);
    struct store_answer a = store_run();
    assert_int_equal(a.list->count, 1);
    assert_true(span_copy(a.list->items[0].text, word, sizeof word));
    return word;
}

static inline struct seek_match match_of(const char *room)
{
    char key[KEYS_TEXT_MAX + 1] = "";
    struct seek_match m;
    (void)keys_match(&fx.keys, span_of(room), key);
    assert_int_equal(
        seek_match_parse(span_of(redis_client_text(fx.client, "GET", key, NULL)), &m, &fx.err), 0);
    return m;
}

static inline struct store_answer finish(const struct seek_match *match)
{
    struct call_seek_result results[CALL_PLAYERS_MAX];
    for (size_t i = 0; i < match->count; i++)
        results[i] = (struct call_seek_result){span_of(match->players[i].player), SPAN("go there")};
    return SAY(seek_finish, .room = span_of(match->room), .results = results,
               .result_count = match->count, .stream_max = 100000, .group_ttl_ms = 60000);
}

static inline struct store_answer leave_queue(const char *player, const char *lobby, int64_t epoch,
                                              bool gone)
{
    return SAY(seek_cancel, .seeker = span_of(player), .lobby = lobby, .lobby_epoch = epoch,
               .gone = gone, .stream = STREAM);
}

static inline void kill_lobby(const char *member)
{
    (void)redis_client_ask(fx.client, "ZADD", "berth:{p}:seek:lobbies", "1", member, NULL);
}

static inline struct store_answer take(void)
{
    return SAY(seek_take, .retry_ms = 5000, .limit = 10);
}

/* The last entry of a lobby node's stream as "kind player text"; "" when there is none. */
static inline const char *last_told(const char *lobby)
{
    static char text[1200];
    char key[KEYS_TEXT_MAX + 1] = "";
    struct seek_result r;
    (void)keys_results(&fx.keys, span_of(lobby), key);
    const struct resp *list =
        redis_client_ask(fx.client, "XREVRANGE", key, "+", "-", "COUNT", "1", NULL);
    if (list->count == 0)
        return "";
    assert_int_equal(seek_result_parse(&list->items[0], &r, &fx.err), 0);
    (void)snprintf(text, sizeof text, "%d %.*s %.*s", r.kind, SPAN_ARG(r.player), SPAN_ARG(r.text));
    return text;
}

static inline void four(const char *room)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(seek_at(names[i], i == 3 ? "l2" : "l1", i == 3 ? 9 : 1), SEEK_OK);
    propose(&plain, false);
    assert_int_equal(proposal_count, 1);
    assert_string_equal(make_one(&proposals[0], room, false), "OK");
}

static inline struct store_answer party(enum party_op op, const char *player, const char *lobby,
                                        int64_t epoch)
{
    return SAY(party, .op = op, .code = SPAN("X1"), .player = span_of(player), .lobby = lobby,
               .lobby_epoch = epoch, .size_max = 3, .ttl_ms = 60000, .stream = STREAM);
}

static inline int seek_setup(void **state)
{
    return matcher_init(&matcher, 2000) < 0 ? -1 : store_group_setup(state);
}

static inline int seek_teardown(void **state)
{
    matcher_fini(&matcher);
    return store_group_teardown(state);
}

#endif
