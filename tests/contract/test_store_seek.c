/* The scripts of matchmaking, on a real Redis: a seeker is in one match, never two, and is told
 * once. */
#include "tests/support/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store_answer seek_in(const char *player, const char *lobby, int64_t epoch,
                                   const char *mode, const char *room, int64_t size)
{
    return SAY(seek, .seeker = span_of(player), .lobby = lobby, .lobby_epoch = epoch,
               .mode = span_of(mode), .size = size, .room = span_of(room), .retry_ms = 5000,
               .match_ttl_ms = 60000, .queue_max = 1000);
}

static struct store_answer seek(const char *player, const char *room)
{
    return seek_in(player, "l1", 1, "default", room, 4);
}

static struct store_answer finish(const struct seek_match *match)
{
    struct call_seek_result results[CALL_PLAYERS_MAX];
    for (size_t i = 0; i < match->count; i++)
        results[i] = (struct call_seek_result){span_of(match->players[i].player),
                                               span_of(match->players[i].lobby),
                                               match->players[i].lobby_epoch, SPAN("go there")};
    return SAY(seek_finish, .room = span_of(match->room), .results = results,
               .result_count = match->count, .stream_max = 1000, .ttl_ms = 60000);
}

static struct store_answer take(void)
{
    return SAY(seek_take, .retry_ms = 5000, .limit = 10);
}

static void make_due(const char *room)
{
    (void)redis_client_ask(fx.client, "ZADD", "berth:{p}:seek:matches", "1", room, NULL);
}

static void test_four_seekers_are_one_match(void **state)
{
    struct seek_match m;
    assert_int_equal(seek("a", "r1").count, 1);
    assert_int_equal(seek_in("b", "l2", 9, "default", "r2", 4).count, 2);
    assert_int_equal(seek("c", "r3").count, 3);
    struct store_answer a = seek("d", "r4");
    assert_int_equal(a.word, ANSWER_MATCH);
    assert_int_equal(seek_match_parse(a.text, &m, &fx.err), 0);
    assert_string_equal(m.room, "r4");
    assert_string_equal(m.mode, "default");
    assert_int_equal(m.at.ms, fx.now);
    assert_int_equal(m.count, 4);
    assert_string_equal(m.players[0].player, "a"); /* the oldest first */
    assert_string_equal(m.players[1].player, "b");
    assert_string_equal(m.players[1].lobby, "l2");
    assert_int_equal(m.players[1].lobby_epoch, 9);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:queue:default", NULL),
                     0);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:seek:match:r4", NULL), 50000,
                    60000);
    assert_int_equal(redis_client_int(fx.client, "ZSCORE", "berth:{p}:seek:matches", "r4", NULL),
                     fx.now + 5000);
}

static void test_a_seeker_is_not_in_two_matches(void **state)
{
    for (int i = 0; i < 4; i++)
        (void)seek((const char *[]){"a", "b", "c", "d"}[i], "r1");
    struct store_answer a = seek("a", "r2"); /* the answer to its call was lost, say */
    assert_int_equal(a.word, ANSWER_MATCHED);
    assert_true(span_is(a.text, "r1"));
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:default", NULL), 0);
}

static void test_seeking_twice_keeps_the_place_and_moves_to_the_lobby_node(void **state)
{
    struct seek_match m;
    (void)seek("a", "r1");
    (void)seek("b", "r2");
    struct store_answer a = seek_in("a", "l2", 3, "default", "r3", 4); /* came back elsewhere */
    assert_int_equal(a.word, ANSWER_HAVE);
    assert_int_equal(a.count, 2);
    (void)seek("c", "r4");
    assert_int_equal(seek_match_parse(seek("d", "r5").text, &m, &fx.err), 0);
    assert_string_equal(m.players[0].player, "a");
    assert_string_equal(m.players[0].lobby, "l2");
    assert_int_equal(m.players[0].lobby_epoch, 3);
}

static void test_modes_do_not_mix(void **state)
{
    (void)seek("a", "r1");
    struct store_answer a = seek_in("a", "l1", 1, "ranked", "r2", 4);
    assert_int_equal(a.word, ANSWER_BUSY);
    assert_true(span_is(a.text, "default"));
    assert_int_equal(seek_in("b", "l1", 1, "ranked", "r3", 2).count, 1);
    assert_int_equal(seek_in("c", "l1", 1, "ranked", "r4", 2).word, ANSWER_MATCH);
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:default", NULL), 1);
}

static void test_a_room_id_in_use_and_a_full_queue_are_refused(void **state)
{
    (void)seek_in("a", "l1", 1, "m", "r1", 1); /* a match of one */
    assert_int_equal(seek_in("b", "l1", 1, "m", "r1", 1).word, ANSWER_TAKEN);
    assert_int_equal(redis_client_int(fx.client, "HEXISTS", "berth:{p}:seek:seekers", "b", NULL),
                     0);
    for (int i = 0; i < 2; i++) {
        struct store_answer a =
            SAY(seek, .seeker = i ? SPAN("y") : SPAN("x"), .lobby = "l1", .lobby_epoch = 1,
                .mode = SPAN("z"), .size = 2, .room = SPAN("r2"), .retry_ms = 1,
                .match_ttl_ms = 1000, .queue_max = 2);
        assert_int_equal(a.word, i ? ANSWER_MATCH : ANSWER_OK);
    }
    (void)seek_in("p", "l1", 1, "w", "r3", 9);
    (void)seek_in("q", "l1", 1, "w", "r3", 9);
    struct store_answer a =
        SAY(seek, .seeker = SPAN("s"), .lobby = "l1", .lobby_epoch = 1, .mode = SPAN("w"),
            .size = 2, .room = SPAN("r3"), .retry_ms = 1, .match_ttl_ms = 1000, .queue_max = 2);
    assert_int_equal(a.word, ANSWER_FULL);
}

static struct store_answer cancel(const char *player, const char *lobby, int64_t epoch)
{
    return SAY(seek_cancel, .seeker = span_of(player), .lobby = lobby, .lobby_epoch = epoch,
               .mode = SPAN("default"));
}

static void test_cancel_only_while_queued_and_only_by_its_lobby_node(void **state)
{
    assert_int_equal(cancel("a", "l1", 1).word, ANSWER_UNKNOWN);
    (void)seek("a", "r1");
    assert_int_equal(cancel("a", "l2", 1).word, ANSWER_STALE);
    assert_int_equal(cancel("a", "l1", 2).word, ANSWER_STALE);
    assert_int_equal(cancel("a", "l1", 1).word, ANSWER_OK);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:queue:default",
                                      "berth:{p}:seek:seekers", NULL),
                     0);
    for (int i = 0; i < 4; i++)
        (void)seek((const char *[]){"a", "b", "c", "d"}[i], "r2");
    struct store_answer a = cancel("a", "l1", 1);
    assert_int_equal(a.word, ANSWER_MATCHED);
    assert_true(span_is(a.text, "r2"));
}

static void test_results_are_written_once(void **state)
{
    struct seek_match m;
    struct seek_result result;
    (void)seek("a", "r1");
    (void)seek_in("b", "l2", 9, "default", "r1", 4);
    (void)seek("c", "r1");
    assert_int_equal(seek_match_parse(seek("d", "r1").text, &m, &fx.err), 0);
    struct store_answer a = finish(&m);
    assert_int_equal(a.word, ANSWER_OK);
    assert_int_equal(a.count, 4);
    assert_int_equal(finish(&m).word, ANSWER_NONE);
    assert_int_equal(redis_client_int(fx.client, "XLEN", "berth:{p}:seek:results:l1", NULL), 3);
    const struct resp *r =
        redis_client_ask(fx.client, "XRANGE", "berth:{p}:seek:results:l2", "-", "+", NULL);
    assert_int_equal(r->count, 1);
    assert_int_equal(seek_result_parse(&r->items[0], &result, &fx.err), 0);
    assert_true(span_is(result.player, "b") && span_is(result.room, "r1") &&
                span_is(result.text, "go there"));
    assert_int_equal(result.lobby_epoch, 9);
    assert_in_range(redis_client_int(fx.client, "PTTL", "berth:{p}:seek:results:l2", NULL), 50000,
                    60000);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:match:r1",
                                      "berth:{p}:seek:matches", "berth:{p}:seek:seekers", NULL),
                     0);
    assert_int_equal(seek("a", "r2").word, ANSWER_OK); /* may play again */
}

static void test_an_unfinished_match_is_taken_by_one(void **state)
{
    struct seek_match m;
    for (int i = 0; i < 4; i++)
        (void)seek((const char *[]){"a", "b", "c", "d"}[i], "r1");
    assert_int_equal(take().list->count, 0); /* its maker still has time */
    make_due("r1");
    struct store_answer a = take();
    assert_int_equal(a.list->count, 1);
    assert_int_equal(seek_match_parse(a.list->items[0].text, &m, &fx.err), 0);
    assert_int_equal(m.count, 4);
    assert_int_equal(take().list->count, 0); /* the taker has it now */
    make_due("r1");
    (void)redis_client_ask(fx.client, "DEL", "berth:{p}:seek:match:r1", NULL); /* expired */
    assert_int_equal(take().list->count, 0);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:matches", NULL), 0);
}

static struct store_answer sweep(const char *cursor)
{
    return SAY(seek_sweep, .cursor = span_of(cursor), .limit = 100, .lost_after_ms = 3000,
               .match_ttl_ms = 60000);
}

static void test_sweep_takes_out_the_seekers_of_dead_lobby_nodes(void **state)
{
    int64_t live = store_join("l1", "x1"), silent = store_join("l2", "x2");
    (void)seek_in("ok", "l1", live, "default", "r1", 8);
    (void)seek_in("silent", "l2", silent, "ranked", "r1", 8);
    (void)seek_in("former", "l1", live - 1, "default", "r1", 8);
    (void)seek_in("unknown", "l3", 1, "default", "r1", 8);
    store_age("l2", 3100);
    struct store_answer a = sweep("0");
    assert_int_equal(a.count, 3);
    assert_true(span_is(a.text, "0"));
    assert_int_equal(redis_client_int(fx.client, "HLEN", "berth:{p}:seek:seekers", NULL), 1);
    assert_int_equal(
        redis_client_int(fx.client, "ZSCORE", "berth:{p}:seek:queue:default", "ok", NULL) > 0, 1);
    assert_int_equal(redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:default", NULL), 1);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:queue:ranked", NULL), 0);
}

static void test_sweep_frees_players_of_a_match_that_expired(void **state)
{
    (void)seek_in("a", "gone", 1, "m", "r1", 1);
    assert_int_equal(sweep("0").count, 0); /* matched: its lobby node does not matter */
    char old[160];
    (void)snprintf(old, sizeof old, "lobby=gone epoch=1 mode=m at=%lld match=r1",
                   (long long)fx.now - 60001);
    (void)redis_client_ask(fx.client, "HSET", "berth:{p}:seek:seekers", "a", old, NULL);
    assert_int_equal(sweep("0").count, 1);
}

static void test_sweep_goes_round_in_pages(void **state)
{
    for (int i = 0; i < 700; i++) {
        char player[16];
        (void)snprintf(player, sizeof player, "p%d", i);
        (void)seek_in(player, "nobody", 1, "m", "r1", 32);
        (void)redis_client_ask(fx.client, "DEL", "berth:{p}:seek:match:r1", NULL);
    }
    int64_t waiting = redis_client_int(fx.client, "ZCARD", "berth:{p}:seek:queue:m", NULL),
            removed = 0;
    assert_int_equal(waiting, 700 % 32);
    (void)redis_client_ask(fx.client, "DEL", "berth:{p}:seek:seekers", "berth:{p}:seek:queue:m",
                           NULL);
    for (int i = 0; i < 700; i++) {
        char player[16];
        (void)snprintf(player, sizeof player, "p%d", i);
        (void)redis_client_ask(fx.client, "HSET", "berth:{p}:seek:seekers", player,
                               "lobby=x epoch=1 mode=m at=1 match=-", NULL);
    }
    char cursor[24] = "0";
    int pages = 0;
    do {
        struct store_answer a = sweep(cursor);
        removed += a.count;
        assert_true(span_copy(a.text, cursor, sizeof cursor));
        pages++;
    } while (strcmp(cursor, "0") != 0 && pages < 100);
    assert_int_equal(removed, 700);
    assert_in_range(pages, 4, 20);
}

/* Four lobby nodes at once, every player asking through two of them: nobody in two matches, nobody
 * forgotten. */
static void seek_all(int lobby)
{
    char name[8], player[16], room[24];
    (void)snprintf(name, sizeof name, "l%d", lobby);
    fx.client = redis_client_open(fx.server.path, NULL);
    for (int i = 0; i < 200; i++) {
        int who =
            (lobby / 2) * 200 + (i + lobby % 2 * 100) % 200; /* two lobby nodes share 200 players */
        (void)snprintf(player, sizeof player, "p%d", who);
        (void)snprintf(room, sizeof room, "r-%d-%d", lobby, i);
        struct store_answer a = seek_in(player, name, lobby + 1, "default", room, 4);
        if (a.word != ANSWER_OK && a.word != ANSWER_HAVE && a.word != ANSWER_MATCH &&
            a.word != ANSWER_MATCHED)
            _exit(1);
    }
    _exit(0);
}

static void test_concurrent_seekers_are_matched_exactly_once(void **state)
{
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0)
            seek_all(i);
    }
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    unsigned char seen[400] = {0};
    char rooms[100][KEYS_ID_MAX + 1];
    const struct resp *r =
        redis_client_ask(fx.client, "ZRANGE", "berth:{p}:seek:matches", "0", "-1", NULL);
    assert_int_equal(r->count, 100);
    for (size_t i = 0; i < 100; i++)
        assert_true(span_copy(r->items[i].text, rooms[i], sizeof rooms[i]));
    for (size_t i = 0; i < 100; i++) {
        char key[KEYS_TEXT_MAX + 1] = "";
        struct seek_match m;
        (void)keys_match(&fx.keys, span_of(rooms[i]), key);
        assert_int_equal(
            seek_match_parse(span_of(redis_client_text(fx.client, "GET", key, NULL)), &m, &fx.err),
            0);
        assert_int_equal(m.count, 4);
        for (size_t p = 0; p < 4; p++)
            seen[strtol(m.players[p].player + 1, NULL, 10)]++;
    }
    for (int i = 0; i < 400; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(redis_client_int(fx.client, "EXISTS", "berth:{p}:seek:queue:default", NULL),
                     0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_four_seekers_are_one_match),
        T(test_a_seeker_is_not_in_two_matches),
        T(test_seeking_twice_keeps_the_place_and_moves_to_the_lobby_node),
        T(test_modes_do_not_mix),
        T(test_a_room_id_in_use_and_a_full_queue_are_refused),
        T(test_cancel_only_while_queued_and_only_by_its_lobby_node),
        T(test_results_are_written_once),
        T(test_an_unfinished_match_is_taken_by_one),
        T(test_sweep_takes_out_the_seekers_of_dead_lobby_nodes),
        T(test_sweep_frees_players_of_a_match_that_expired),
        T(test_sweep_goes_round_in_pages),
        T(test_concurrent_seekers_are_matched_exactly_once),
    };
    return cmocka_run_group_tests(tests, store_group_setup, store_group_teardown);
}
