/* The scripts of matchmaking, on a real Redis: nobody is in two matches, or in one with the dead;
 * everyone is told once. */
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

static enum seek_word seek_full(const char *lobby, int64_t epoch, struct call_seek_one one)
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

static enum seek_word seek_at(const char *player, const char *lobby, int64_t epoch)
{
    return seek_full(lobby, epoch,
                     (struct call_seek_one){.player = span_of(player), .mode = SPAN("m")});
}

static enum seek_word seek(const char *player)
{
    return seek_at(player, "l1", 1);
}

static struct store_answer tick_by(const char *lobby, int64_t epoch)
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

static bool entry_lives(struct span players)
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
static void propose(const struct match_rules *rules, bool with_dead)
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

static const char *make_one(const struct proposal *p, const char *room, bool smaller)
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

static struct seek_match match_of(const char *room)
{
    char key[KEYS_TEXT_MAX + 1] = "";
    struct seek_match m;
    (void)keys_match(&fx.keys, span_of(room), key);
    assert_int_equal(
        seek_match_parse(span_of(redis_client_text(fx.client, "GET", key, NULL)), &m, &fx.err), 0);
    return m;
}

static struct store_answer finish(const struct seek_match *match)
{
    struct call_seek_result results[CALL_PLAYERS_MAX];
    for (size_t i = 0; i < match->count; i++)
        results[i] = (struct call_seek_result){span_of(match->players[i].player), SPAN("go there")};
    return SAY(seek_finish, .room = span_of(match->room), .results = results,
               .result_count = match->count, .stream_max = 100000, .group_ttl_ms = 60000);
}

static struct store_answer leave_queue(const char *player, const char *lobby, int64_t epoch,
                                       bool gone)
{
    return SAY(seek_cancel, .seeker = span_of(player), .lobby = lobby, .lobby_epoch = epoch,
               .gone = gone, .stream = STREAM);
}

static void kill_lobby(const char *member)
{
    (void)redis_client_ask(fx.client, "ZADD", "berth:{p}:seek:lobbies", "1", member, NULL);
}

static struct store_answer take(void)
{
    return SAY(seek_take, .retry_ms = 5000, .limit = 10);
}

/* The last entry of a lobby node's stream as "kind player text"; "" when there is none. */
static const char *last_told(const char *lobby)
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

static void four(const char *room)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(seek_at(names[i], i == 3 ? "l2" : "l1", i == 3 ? 9 : 1), SEEK_OK);
    propose(&plain, false);
    assert_int_equal(proposal_count, 1);
    assert_string_equal(make_one(&proposals[0], room, false), "OK");
}

static void test_four_seekers_are_one_match(void **state)
{
    four("r1");
    struct seek_match m = match_of("r1");
    assert_string_equal(m.mode, "m");
    assert_int_equal(m.at.ms, fx.now);
    assert_int_equal(m.count, 4);
    assert_string_equal(m.players[3].lobby, "l2");
    assert_int_equal(m.players[3].lobby_epoch, 9);
    assert_int_equal(strncmp(last_told("l1"), "1 - room=r1 mode=m", 18), 0); /* to be finished */
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 0);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:seek:match:r1", NULL), 50000,
                    60000);
    assert_int_equal(redis_client_int(fx.client, "ZSCORE", "berth:{p}:seek:matches", "r1", NULL),
                     fx.now + 5000);
    assert_string_equal(make_one(&proposals[0], "r2", false), "STALE"); /* never twice */
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:match:r2", NULL), 0);
}

static void test_a_matched_player_who_comes_elsewhere_gets_the_result_there(void **state)
{
    four("r1");
    assert_int_equal(seek_at("a", "l3", 7), SEEK_MATCHED);
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 0);
    struct seek_match m = match_of("r1");
    assert_int_equal(finish(&m).word, ANSWER_OK);
    assert_string_equal(last_told("l3"), "0 a go there");
}

/* Its lobby node died with the result in its stream: that is told where the player comes up next.
 */
static void test_a_result_that_a_dead_lobby_node_kept_is_told_by_another(void **state)
{
    four("r1");
    struct seek_match m = match_of("r1");
    assert_int_equal(finish(&m).word, ANSWER_OK);
    assert_string_equal(last_told("l2"), "0 d go there");
    assert_int_equal(seek_at("d", "l3", 7),
                     SEEK_MATCHED); /* it is not known yet whether l2 lives */
    assert_string_equal(last_told("l3"), "0 d go there");
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:seekers", NULL), 0);
    assert_int_equal(seek_at("d", "l4", 1), SEEK_MATCHED); /* and once more */
    assert_string_equal(last_told("l4"), "0 d go there");
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:seek:told:d", NULL), 1, 10000);
    assert_int_equal(seek_at("d", "l4", 1), SEEK_OK); /* l4 lives, and has told it */

    /* l1 has told a, b and c, as far as anybody can know: two of its leases are over. */
    char key[] = "berth:{p}:seek:told:a", record[160];
    (void)snprintf(record, sizeof record, "%s", redis_client_text(fx.client, "GET", key, NULL));
    (void)snprintf(strrchr(record, ' '), 32, " %lld", (long long)(fx.now - 2 * LEASE_MS - 1));
    (void)redis_client_ask(fx.client, "SET", key, record, NULL);
    assert_int_equal(seek_at("a", "l3", 7), SEEK_OK);
    (void)leave_queue("a", "l3", 7, false);
    kill_lobby("l1/1"); /* no, it has not */
    assert_int_equal(seek_at("a", "l3", 7), SEEK_MATCHED);
    (void)redis_client_ask(fx.client, "DEL", "berth:{p}:seek:results:l1", NULL);
    assert_int_equal(seek_at("b", "l3", 7), SEEK_OK); /* nothing is left to be told */
}

static void test_the_newest_seek_wins_and_keeps_the_waiting_time(void **state)
{
    assert_int_equal(seek("a"), SEEK_OK);
    int64_t began = fx.now;
    assert_int_equal(
        seek_full("l2", 3,
                  (struct call_seek_one){.player = SPAN("a"), .mode = SPAN("m"), .rating = 7}),
        SEEK_OK);
    assert_string_equal(last_told("l1"), "3 a m replaced");
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 1);
    char member[64];
    (void)snprintf(member, sizeof member, "%lld|7|-|-|a/l2/3", (long long)began);
    assert_int_equal(redis_client_int(fx.client, "ZSCORE", "berth:{p}:seek:queue:m", member, NULL),
                     7);
    assert_int_equal(
        seek_full("l2", 3, (struct call_seek_one){.player = SPAN("a"), .mode = SPAN("other")}),
        SEEK_OK); /* another mode: out of the first */
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 0);
}

static void test_leaving(void **state)
{
    assert_int_equal(leave_queue("a", "l1", 1, false).word, ANSWER_UNKNOWN);
    (void)seek("a");
    int64_t began = fx.now;
    assert_int_equal(leave_queue("a", "l2", 1, false).word, ANSWER_STALE);
    assert_int_equal(leave_queue("a", "l1", 2, true).word, ANSWER_STALE);
    assert_int_equal(leave_queue("a", "l1", 1, true).word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:queue:m", NULL), 0);
    char member[64];
    (void)seek_at("a", "l2", 3); /* back through another: since then */
    (void)snprintf(member, sizeof member, "%lld|0|-|-|a/l2/3", (long long)began);
    assert_int_equal(redis_client_int(fx.client, "ZSCORE", "berth:{p}:seek:queue:m", member, NULL),
                     0);
    assert_int_equal(leave_queue("a", "l2", 3, false).word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:seekers", NULL), 0);
    four("r1");
    struct store_answer a = leave_queue("a", "l1", 1, false);
    assert_int_equal(a.word, ANSWER_MATCHED);
    assert_true(span_is(a.text, "r1"));
}

static void test_results_are_written_once(void **state)
{
    four("r1");
    struct seek_match m = match_of("r1");
    struct store_answer a = finish(&m);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.count, 4);
    assert_int_equal(finish(&m).word, ANSWER_NONE);
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:seek:results:l1", NULL),
                     5); /* its first, the match, three results */
    assert_string_equal(last_told("l2"), "0 d go there");
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:seek:results:l2", NULL), 50000,
                    60000);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:match:r1",
                                      "berth:{p}:seek:matches", "berth:{p}:seek:seekers", NULL),
                     0);
    assert_int_equal(seek("a"), SEEK_OK); /* may play again */
    struct store_answer g =
        SAY(group, .op = GROUP_SAY, .group = SPAN("r1"), .player = SPAN("d"), .lobby = "l2",
            .lobby_epoch = 9, .text = SPAN("{\"hi\":1}"), .stream = STREAM);
    assert_int_equal(g.count, 3);
    assert_int_equal(strncmp(last_told("l1"), "7 ", 2), 0);
    assert_non_null(strstr(last_told("l1"), " d {\"hi\":1}"));
    assert_int_equal(SAY(group, .op = GROUP_SAY, .group = SPAN("r1"), .player = SPAN("x"),
                         .lobby = "l2", .lobby_epoch = 9, .text = SPAN("no"), .stream = STREAM)
                         .word,
                     ANSWER_UNKNOWN);
}

static void test_a_match_that_someone_left_is_undone_or_goes_on_smaller(void **state)
{
    four("r1");
    assert_int_equal(leave_queue("d", "l2", 9, true).word, ANSWER_MATCHED);
    struct seek_match m = match_of("r1");
    assert_int_equal(finish(&m).word, ANSWER_BROKEN);
    assert_int_equal(strncmp(last_told("l1"), "5 ", 2), 0);
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 3);
    assert_int_equal(seek_at("d", "l2", 9), SEEK_OK);
    propose(&plain, false);
    assert_string_equal(make_one(&proposals[0], "r2", true), "OK");
    kill_lobby("l2/9"); /* and this time it is its lobby node that dies */
    m = match_of("r2");
    struct store_answer a = finish(&m);
    assert_int_equal(a.word, ANSWER_LEFT);
    struct seek_match rest;
    assert_int_equal(seek_match_parse(a.text, &rest, &fx.err), 0);
    assert_int_equal(rest.count, 3);
    assert_int_equal(finish(&rest).word, ANSWER_OK);
    assert_string_equal(last_told("l2"), "10 - -"); /* nothing but that it is there */
}

static void test_the_dead_are_not_matched(void **state)
{
    for (int i = 0; i < 4; i++)
        (void)seek_at((const char *[]){"a", "b", "c", "d"}[i], i ? "l1" : "l2", i ? 1 : 9);
    kill_lobby("l2/9");
    propose(&plain, false);
    assert_int_equal(proposal_count, 0);
    propose(&plain, true); /* a matcher that does not know yet */
    assert_int_equal(proposal_count, 1);
    assert_string_equal(make_one(&proposals[0], "r1", false), "LOST");
    struct call_seek_drop req = {.mode = SPAN("m"), .lost = true, .stream = STREAM};
    store_encoded(calls_seek_drop_begin(&fx.call, &fx.keys, &req, &fx.err));
    for (int i = 0; i < 4; i++)
        assert_int_equal(calls_seek_drop_add(&fx.call, span_of(proposals[0].entries[i])), 0);
    assert_int_equal(store_run().count, 1);
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 3);
    (void)tick_by("l2", 9);
    struct store_answer a = tick_by("l2", 9);
    assert_int_equal(a.count, 0);
    kill_lobby("l2/9");
    a = tick_by("l2", 9); /* it was only slow: it is told to seek again for everyone */
    assert_int_equal(a.count, 1);
}

static void test_timeouts_are_told(void **state)
{
    (void)seek("a");
    propose(&(struct match_rules){.size = 4, .size_min = 1, .party_max = 1}, false);
    assert_int_equal(matcher.timeout_count, 1);
    struct call_seek_drop req = {.mode = SPAN("m"), .stream = STREAM};
    char entry[256];
    assert_true(span_copy(matcher.entries[0].text, entry, sizeof entry));
    store_encoded(calls_seek_drop_begin(&fx.call, &fx.keys, &req, &fx.err));
    assert_int_equal(calls_seek_drop_add(&fx.call, span_of(entry)), 0);
    assert_int_equal(store_run().count, 1);
    assert_string_equal(last_told("l1"), "4 a m");
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:seekers",
                                      "berth:{p}:seek:queue:m", NULL),
                     0);
}

static struct store_answer party(enum party_op op, const char *player, const char *lobby,
                                 int64_t epoch)
{
    return SAY(party, .op = op, .code = SPAN("X1"), .player = span_of(player), .lobby = lobby,
               .lobby_epoch = epoch, .size_max = 3, .ttl_ms = 60000, .stream = STREAM);
}

static void test_a_party_is_matched_whole(void **state)
{
    (void)tick_by("l1", 1);
    (void)tick_by("l2", 9);
    assert_int_equal(party(PARTY_JOIN, "b", "l2", 9).word, ANSWER_NONE);
    assert_int_equal(party(PARTY_CREATE, "a", "l1", 1).word, ANSWER_OK);
    assert_int_equal(party(PARTY_CREATE, "z", "l1", 1).word, ANSWER_TAKEN);
    struct store_answer a = party(PARTY_JOIN, "b", "l2", 9);
    assert_true(span_is(a.text, "X1 a a,b"));
    assert_string_equal(last_told("l1"), "6 a X1 a a,b");
    assert_int_equal(party(PARTY_JOIN, "c", "l2", 9).word, ANSWER_OK);
    assert_int_equal(party(PARTY_JOIN, "d", "l2", 9).word, ANSWER_FULL);
    struct call_seek_one by_b = {.player = SPAN("b"), .mode = SPAN("m"), .party = SPAN("X1")};
    assert_int_equal(seek_full("l2", 9, by_b), SEEK_PARTY_LEADER);
    struct call_seek_one by_a = {
        .player = SPAN("a"), .mode = SPAN("m"), .party = SPAN("X1"), .party_max = 2};
    assert_int_equal(seek_full("l1", 1, by_a), SEEK_PARTY_SIZE);
    by_a.party_max = 3;
    (void)seek_at("b", "l2", 9); /* alone; then the leader seeks for all */
    assert_int_equal(seek_full("l1", 1, by_a), SEEK_OK);
    assert_string_equal(last_told("l2"), "2 c m");
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 1);
    assert_int_equal(leave_queue("c", "l2", 9, true).word, ANSWER_OK); /* whole or not at all */
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 0);
    assert_int_equal(strncmp(last_told("l1"), "3 a m party_changed", 19), 0);
    assert_int_equal(seek_full("l1", 1, by_a), SEEK_OK);
    assert_int_equal(seek("x"), SEEK_OK);
    propose(&plain, false);
    assert_int_equal(proposal_count, 1);
    assert_string_equal(make_one(&proposals[0], "r1", false), "OK");
    assert_int_equal(match_of("r1").count, 4);
    a = party(PARTY_LEAVE, "a", "l1", 1);
    assert_true(span_is(a.text, "X1 b b,c"));
}

/* The lobby node stood still, the party gave its players up, and it seeks again for them. */
static void test_who_is_matched_hears_so_whatever_became_of_the_party(void **state)
{
    (void)tick_by("l1", 1);
    (void)tick_by("l2", 9);
    (void)party(PARTY_CREATE, "a", "l1", 1);
    (void)party(PARTY_JOIN, "b", "l2", 9);
    struct call_seek_one by_a = {.player = SPAN("a"), .mode = SPAN("m"), .party = SPAN("X1")};
    assert_int_equal(seek_full("l1", 1, by_a), SEEK_OK);
    assert_int_equal(seek("x"), SEEK_OK);
    assert_int_equal(seek("y"), SEEK_OK);
    propose(&plain, false);
    assert_string_equal(make_one(&proposals[0], "r1", false), "OK");
    assert_int_equal(party(PARTY_LEAVE, "a", "l1", 1).word, ANSWER_OK);
    assert_int_equal(seek_full("l1", 1, by_a), SEEK_MATCHED);
    assert_int_equal(match_of("r1").count, 4);
    struct seek_match match = match_of("r1");
    assert_int_equal(finish(&match).word, ANSWER_OK);
    assert_int_equal(seek_full("l1", 1, by_a), SEEK_PARTY_NONE);
}

static void test_a_party_that_lost_one_waits_not_without(void **state)
{
    (void)tick_by("l1", 1);
    (void)tick_by("l2", 9);
    (void)party(PARTY_CREATE, "a", "l1", 1);
    (void)party(PARTY_JOIN, "b", "l2", 9);
    struct call_seek_one by_a = {.player = SPAN("a"), .mode = SPAN("m"), .party = SPAN("X1")};
    assert_int_equal(seek_full("l1", 1, by_a), SEEK_OK);
    int64_t began = fx.now;
    assert_int_equal(seek("x"), SEEK_OK);
    assert_int_equal(seek("y"), SEEK_OK);
    propose(&plain, false);
    assert_string_equal(make_one(&proposals[0], "r1", false), "OK");
    struct seek_match match = match_of("r1");
    kill_lobby("l2/9");
    assert_int_equal(finish(&match).word, ANSWER_BROKEN);
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 2);
    char record[64];
    (void)snprintf(record, sizeof record, "K m %lld %lld", (long long)began, (long long)fx.now);
    assert_string_equal(redis_client_text(fx.client, "HGET", "berth:{p}:seek:seekers", "a", NULL),
                        record);
    assert_string_equal(redis_client_text(fx.client, "HGET", "berth:{p}:seek:seekers", "b", NULL),
                        record);
    const struct resp *list =
        redis_client_ask(fx.client, "XRANGE", "berth:{p}:seek:results:l1", "-", "+", NULL);
    int changed = 0, again = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct seek_result r;
        assert_int_equal(seek_result_parse(&list->items[i], &r, &fx.err), 0);
        changed += r.kind == RESULT_CANCELLED && span_is(r.player, "a") &&
                   span_is(r.text, "m party_changed");
        again += r.kind == RESULT_AGAIN;
    }
    assert_int_equal(changed, 1);
    assert_int_equal(again, 2);
}

static void test_an_unfinished_match_is_taken_by_one(void **state)
{
    struct seek_match m;
    four("r1");
    assert_int_equal(take().list->count, 0); /* its lobby node still has time */
    (void)redis_client_ask(fx.client, "ZADD", "berth:{p}:seek:matches", "1", "r1", NULL);
    struct store_answer a = take();
    assert_int_equal(a.list->count, 1);
    assert_int_equal(seek_match_parse(a.list->items[0].text, &m, &fx.err), 0);
    assert_int_equal(m.count, 4);
    assert_int_equal(take().list->count, 0); /* the taker has it now */
    (void)redis_client_ask(fx.client, "ZADD", "berth:{p}:seek:matches", "1", "r1", NULL);
    (void)redis_client_ask(fx.client, "DEL", "berth:{p}:seek:match:r1", NULL); /* expired */
    assert_int_equal(take().list->count, 0);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:matches", NULL), 0);
    assert_int_equal(seek("a"), SEEK_OK); /* free again */
}

static void test_sweep_forgets_what_is_over(void **state)
{
    for (int i = 0; i < 700; i++) {
        char player[16], record[64];
        static const char *const records[] = {"M gone", "P nobody", "Q m 5|0|-|-|x/l/1", "K m 5 5"};
        (void)snprintf(player, sizeof player, "p%d", i);
        (void)snprintf(record, sizeof record, "%s", records[i % 4]);
        (void)redis_client_ask(fx.client, "HSET", "berth:{p}:seek:seekers", player, record, NULL);
    }
    (void)seek("here");
    char cursor[24] = "0";
    int64_t removed = 0;
    int pages = 0;
    do {
        struct store_answer a =
            SAY(seek_sweep, .cursor = span_of(cursor), .limit = 100, .keep_ms = 30000);
        removed += a.count;
        assert_true(span_copy(a.text, cursor, sizeof cursor));
    } while (strcmp(cursor, "0") != 0 && ++pages < 100);
    assert_int_equal(removed, 700);
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:seek:seekers", NULL), 1);
}

static void test_bounds(void **state)
{
    struct call_seek_one one = {.player = SPAN("a"), .mode = SPAN("m"), .party_max = 1};
    struct call_seek_one other = {.player = SPAN("b"), .mode = SPAN("m"), .party_max = 1};
    struct call_seek_one both[] = {one, other, one};
    struct store_answer a =
        SAY(seek, .lobby = "l1", .lobby_epoch = 1, .lease_ms = 1000, .queue_max = 1, .keep_ms = 1,
            .stream = STREAM, .seeks = both, .count = 3);
    assert_true(span_is(a.list->items[0].text, "OK"));
    assert_true(span_is(a.list->items[1].text, "FULL"));
    for (int i = 0; i < 70; i++) {
        char mode[16];
        (void)snprintf(mode, sizeof mode, "mode%d", i);
        struct call_seek_one in = {.player = SPAN("z"), .mode = span_of(mode)};
        assert_int_equal(seek_full("l1", 1, in), i < CALL_MODES_MAX - 1 ? SEEK_OK : SEEK_FULL);
    }
}

/* ---- everything at once ---- */

enum { PLAYERS = 120, LOBBIES = 4, STEPS = 6000 };
struct model {
    struct rng rng;
    int64_t epoch[LOBBIES];
    bool dead[LOBBIES];
    char room_of[PLAYERS][16]; /* of an unfinished match */
    int told[PLAYERS], matched[PLAYERS];
    unsigned char heard[PLAYERS][2048]; /* of this room */
    char rooms[2048][16];
    size_t room_count;
    long made, refused, broken, finished, parties;
};

static int number_of(const char *player)
{
    return atoi(player + 1);
}

static int lobby_of(const char *lobby)
{
    return atoi(lobby + 1) - 1;
}

static void check_match(struct model *w, const char *room, const struct match_rules *rules,
                        const struct proposal *p)
{
    struct seek_match m = match_of(room);
    assert_int_equal(m.count, rules->size);
    for (size_t i = 0; i < m.count; i++) {
        int n = number_of(m.players[i].player), l = lobby_of(m.players[i].lobby);
        assert_string_equal(w->room_of[n], ""); /* in no other */
        (void)snprintf(w->room_of[n], sizeof w->room_of[n], "%s", room);
        assert_false(w->dead[l]);
        assert_int_equal(m.players[i].lobby_epoch, w->epoch[l]);
    }
    size_t players = 0; /* parties are whole */
    for (size_t i = 0; i < p->count; i++) {
        struct span list = span_of(strrchr(p->entries[i], '|') + 1);
        struct matcher_player one;
        bool bad;
        for (; matcher_next_player(&list, &one, &bad); players++)
            assert_true(span_is(one.player, m.players[players].player));
        w->parties += strchr(p->entries[i], ',') != NULL;
    }
    assert_int_equal(players, m.count);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->count; j++) { /* each within the window of each */
            long long since, a, b, since_b;
            assert_int_equal(sscanf(p->entries[i], "%lld|%lld|", &since, &a), 2);
            assert_int_equal(sscanf(p->entries[j], "%lld|%lld|", &since_b, &b), 2);
            assert_true(llabs(a - b) <= rules->window_max);
        }
}

static void random_finish(struct model *w, const char *room)
{
    char key[KEYS_TEXT_MAX + 1] = "";
    (void)keys_match(&fx.keys, span_of(room), key);
    if (redis_client_int(fx.client, "EXISTS", key, NULL) == 0)
        return;
    struct seek_match m = match_of(room);
    struct store_answer a = finish(&m);
    if (a.word == ANSWER_OK) {
        w->finished++;
        for (size_t i = 0; i < m.count; i++) {
            assert_false(w->dead[lobby_of(m.players[i].lobby)]);
            w->matched[number_of(m.players[i].player)]++;
        }
    } else {
        assert_int_equal(a.word, ANSWER_BROKEN);
        w->broken++;
    }
    for (int n = 0; n < PLAYERS; n++)
        if (strcmp(w->room_of[n], room) == 0)
            w->room_of[n][0] = '\0';
}

static void random_seek(struct model *w, int n)
{
    char player[16], lobby[16], code[16];
    int l = (int)rng_below(&w->rng, LOBBIES);
    (void)snprintf(lobby, sizeof lobby, "l%d", l + 1);
    if (w->dead[l])
        return;
    int leader = n % 10 < 2 ? n - n % 10 : n;
    (void)snprintf(player, sizeof player, "p%d", leader);
    struct call_seek_one one = {.player = span_of(player),
                                .mode = SPAN("m"),
                                .rating = (int64_t)rng_below(&w->rng, 1000),
                                .party_max = 2};
    if (leader != n || n % 10 == 0) {
        (void)snprintf(code, sizeof code, "c%d", leader);
        char fellow[16], other[16];
        (void)snprintf(fellow, sizeof fellow, "p%d", leader + 1);
        int k = (l + 1) % LOBBIES;
        if (w->dead[k])
            return;
        (void)snprintf(other, sizeof other, "l%d", k + 1);
        for (int i = 0; i < 2; i++) {
            const char *who = i ? fellow : player, *at = i ? other : lobby;
            enum party_op ops[] = {PARTY_JOIN, PARTY_CREATE};
            for (int op = 0; op < 2; op++)
                if (SAY(party, .op = ops[op], .code = span_of(code), .player = span_of(who),
                        .lobby = at, .lobby_epoch = w->epoch[i ? k : l], .size_max = 2,
                        .ttl_ms = 60000, .stream = STREAM)
                        .word == ANSWER_OK)
                    break;
        }
        one.party = span_of(code);
    }
    enum seek_word word = seek_full(lobby, w->epoch[l], one);
    if (!one.party.len || word == SEEK_MATCHED)
        return;
    /* Whoever leads after a death, a party of one must not pass for a pair. */
    if (word == SEEK_OK &&
        !strstr(redis_client_text(fx.client, "HGET", "berth:{p}:seek:seekers", player, NULL), ","))
        (void)leave_queue(player, lobby, w->epoch[l], false);
}

static void random_step(struct model *w, const struct match_rules *rules)
{
    char player[16], member[40];
    int n = (int)rng_below(&w->rng, PLAYERS), l = 1 + (int)rng_below(&w->rng, LOBBIES - 1);
    switch (rng_below(&w->rng, 20)) {
    case 0: /* a lobby node dies, or another process of its name begins */
        (void)snprintf(member, sizeof member, "l%d/%lld", l + 1, (long long)w->epoch[l]);
        if (w->dead[l])
            w->epoch[l]++;
        else if (rng_below(&w->rng, 4) == 0)
            kill_lobby(member);
        else
            break;
        w->dead[l] = !w->dead[l];
        break;
    case 1:
    case 2:
        (void)snprintf(player, sizeof player, "p%d", n);
        (void)snprintf(member, sizeof member, "l%d", l + 1);
        bool gone = rng_below(&w->rng, 2) == 0;
        if (leave_queue(player, member, w->epoch[l], gone).word == ANSWER_MATCHED && gone)
            w->room_of[n][0] = '\0'; /* that match is without it now */
        break;
    case 3:
        propose(rules, rng_below(&w->rng, 4) == 0);
        break;
    case 4:
    case 5:
        if (proposal_count == 0)
            break;
        struct proposal *p = &proposals[rng_below(&w->rng, proposal_count)];
        char *room = w->rooms[w->room_count++ % 2048];
        (void)snprintf(room, sizeof w->rooms[0], "r%zu", w->room_count);
        if (strcmp(make_one(p, room, false), "OK") == 0) {
            check_match(w, room, rules, p);
            w->made++;
        } else {
            w->refused++;
        }
        break;
    case 6:
    case 7:
        if (w->room_count > 0)
            random_finish(w, w->rooms[w->room_count - 1 -
                                      rng_below(&w->rng, w->room_count < 6 ? w->room_count : 6)]);
        break;
    default:
        random_seek(w, n);
    }
}

static void test_nobody_is_in_two_matches_whatever_happens(void **state)
{
    static struct model w;
    const char *seed = getenv("BERTH_SEED");
    w = (struct model){.made = 0};
    rng_seed(&w.rng, seed ? strtoull(seed, NULL, 10) : 1);
    for (int i = 0; i < LOBBIES; i++)
        w.epoch[i] = 1;
    struct match_rules rules = {.size = 4,
                                .size_min = 1,
                                .party_max = 2,
                                .timeout_ms = 600000,
                                .window_start = 300,
                                .window_max = 300};
    for (int i = 0; i < STEPS; i++)
        random_step(&w, &rules);
    for (size_t i = 0; i < w.room_count; i++)
        random_finish(&w, w.rooms[i]);
    for (int l = 0; l < LOBBIES; l++) { /* told as often as matched, and only once each */
        char key[64];
        (void)snprintf(key, sizeof key, "berth:{p}:seek:results:l%d", l + 1);
        const struct resp *list = redis_client_ask(fx.client, "XRANGE", key, "-", "+", NULL);
        for (size_t i = 0; i < list->count; i++) {
            struct seek_result r;
            char player[KEYS_ID_MAX + 1];
            assert_int_equal(seek_result_parse(&list->items[i], &r, &fx.err), 0);
            assert_true(span_copy(r.player, player, sizeof player));
            int64_t room = 0;
            if (r.kind != RESULT_RESULT)
                continue;
            assert_true(span_int((struct span){r.room.ptr + 1, r.room.len - 1}, &room));
            unsigned char *heard = &w.heard[number_of(player)][room % 2048];
            w.told[number_of(player)] += *heard == 0; /* again, where the first may be lost */
            *heard = 1;
        }
    }
    for (int n = 0; n < PLAYERS; n++)
        assert_int_equal(w.told[n], w.matched[n]);
    if (w.made < 50 || w.parties < 20 || w.refused < 10 || w.broken < 5 || w.finished < 30)
        fail_msg("made=%ld parties=%ld refused=%ld broken=%ld finished=%ld: too little was tried",
                 w.made, w.parties, w.refused, w.broken, w.finished);
}

static int setup(void **state)
{
    return matcher_init(&matcher, 2000) < 0 ? -1 : store_group_setup(state);
}

static int teardown(void **state)
{
    matcher_fini(&matcher);
    return store_group_teardown(state);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_four_seekers_are_one_match),
        T(test_a_matched_player_who_comes_elsewhere_gets_the_result_there),
        T(test_a_result_that_a_dead_lobby_node_kept_is_told_by_another),
        T(test_the_newest_seek_wins_and_keeps_the_waiting_time),
        T(test_leaving),
        T(test_results_are_written_once),
        T(test_a_match_that_someone_left_is_undone_or_goes_on_smaller),
        T(test_the_dead_are_not_matched),
        T(test_timeouts_are_told),
        T(test_a_party_is_matched_whole),
        T(test_who_is_matched_hears_so_whatever_became_of_the_party),
        T(test_a_party_that_lost_one_waits_not_without),
        T(test_an_unfinished_match_is_taken_by_one),
        T(test_sweep_forgets_what_is_over),
        T(test_bounds),
        T(test_nobody_is_in_two_matches_whatever_happens),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
