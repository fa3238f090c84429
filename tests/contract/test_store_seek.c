/* The scripts of matchmaking, on a real Redis: everyone is told once. */
#include "tests/contract/store_seek.h"

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
    for (int i = 0; i < 4; i++) /* others, and a room of that name is there */
        assert_int_equal(seek((const char *[]){"e", "f", "g", "h"}[i]), SEEK_OK);
    propose(&plain, false);
    assert_string_equal(make_one(&proposals[0], "r1", false), "TAKEN");
    assert_string_equal(match_of("r1").players[0].player, "a");
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL), 4);
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
    };
    return cmocka_run_group_tests(tests, seek_setup, seek_teardown);
}
