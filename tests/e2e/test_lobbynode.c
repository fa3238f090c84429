/* test_lobbynode.c - berth-lobbynode as a whole: matches across real lobby nodes, through real
 * Redis. */
#include "tests/support/cmocka.h"
#include "tests/support/fake_lb.h"
#include "tests/support/rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char yaml[] =
    "pools:\n"
    "  lobby: {capacity: 20, report_interval: 200ms, lost_after: 1s}\n"
    "  game: {capacity: 20}\n"
    "lobbynode:\n"
    "  {match_size: 4, match_retry: 1s, match_ttl: 20s, seek_timeout: 30s, lobby_lease: 500ms,\n"
    "   match_interval: 20ms}\n";

static const char modes_yaml[] =
    "pools:\n"
    "  lobby: {capacity: 20, report_interval: 200ms, lost_after: 1s}\n"
    "  game: {capacity: 20}\n"
    "lobbynode:\n"
    "  match_retry: 1s\n"
    "  lobby_lease: 500ms\n"
    "  match_interval: 20ms\n"
    "  modes:\n"
    "    trio: {size: 3, region_after: 1h}\n"
    "    bots: {size: 4, timeout: 1s, on_timeout: bots}\n"
    "    small: {size: 4, timeout: 1s, on_timeout: smaller, size_min: 2}\n"
    "    ranked: {size: 2, window_start: 10, window_growth: 100, window_max: 100}\n";

static struct rig_node lobby(struct rig *rig, const char *name, const char *lbs, const char *size)
{
    const char *args[] = {"--lobbynode.lb", lbs, "--lobbynode.match_size", size, NULL};
    return rig_node_start(rig, "lobby", name, args);
}

static void seek(int fd)
{
    player_say(fd, "{\"type\":\"seek\"}");
    (void)player_hear(fd, "seeking");
}

/* The value of "room_id" in an ALL_CONNECTED. */
static void room_of(const char *text, char ret_room[65])
{
    const char *at = strstr(text, "\"room_id\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"room_id\":\"%64[^\"]", ret_room), 1);
}

/* Until redis answers this number. */
static void wait_int(struct rig *rig, int64_t value, const char *word, const char *key,
                     const char *arg)
{
    int64_t end = rig_now_ms() + 5000;
    while (redis_client_int(rig->client, word, key, arg, NULL) != value) {
        if (rig_now_ms() > end)
            fail_msg("%s %s is not %lld", word, key, (long long)value);
        rig_sleep_ms(10);
    }
}

static void seek_in(int fd, const char *members)
{
    player_say(fd, "{\"type\":\"seek\",%s}", members);
    (void)player_hear(fd, "seeking");
}

static void test_four_players_of_two_lobbies_meet(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node nodes[2] = {lobby(&rig, "ln-1", lb.url, "4"), lobby(&rig, "ln-2", lb.url, "4")};
    static const char *const names[] = {"ann", "bob", "cid", "dan", "eve"};
    int fds[5];
    for (int i = 0; i < 5; i++)
        fds[i] = player_hello(&nodes[i % 2], names[i]);
    rig_wait_report(&rig, &nodes[0], "conns=3");
    rig_wait_report(&rig, &nodes[1], "conns=2");
    for (int i = 0; i < 4; i++)
        seek(fds[i]);
    char first[65], room[65];
    for (int i = 0; i < 4; i++) {
        char ticket[64];
        (void)snprintf(ticket, sizeof ticket, "\"ticket\":\"t-%s\"", names[i]);
        const char *text = player_hear_with(fds[i], "ALL_CONNECTED", ticket);
        assert_non_null(strstr(text, "\"endpoint\":\"ws://127.0.0.1:1/ws\""));
        assert_non_null(strstr(text, "\"node\":\"gn-test\""));
        assert_non_null(strstr(text, "\"players\":[\"ann\",\"bob\",\"cid\",\"dan\"]"));
        room_of(text, i ? room : first);
        if (i)
            assert_string_equal(room, first);
    }
    seek(fds[4]);
    player_hear_nothing(fds[4], 300); /* one alone is no match */
    assert_int_equal(redis_client_int(rig.client, "ZCARD", "berth:{lobby}:seek:matches", NULL), 0);
    for (int i = 0; i < 5; i++)
        player_drop(fds[i]);
    rig_node_end(&nodes[0]);
    rig_node_end(&nodes[1]);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

static void test_leaving_cancelling_and_timing_out(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    const char *args[] = {"--lobbynode.lb",
                          lb.url,
                          "--lobbynode.match_size",
                          "2",
                          "--lobbynode.seek_timeout",
                          "1s",
                          NULL};
    struct rig_node node = rig_node_start(&rig, "lobby", "ln-1", args);
    int ann = player_hello(&node, "ann"), bob = player_hello(&node, "bob"),
        cid = player_hello(&node, "cid");
    seek(ann);
    player_drop(ann);
    rig_wait_report(&rig, &node, "conns=2");
    seek(bob);
    player_say(bob, "{\"type\":\"cancel\"}");
    (void)player_hear(bob, "cancelled");
    seek(cid); /* those who went are not in its match */
    (void)player_hear_with(cid, "seek_timeout", "\"default\"");
    seek(cid); /* out of the queue, and free to look again */
    seek(bob);
    (void)player_hear(bob, "ALL_CONNECTED");
    (void)player_hear(cid, "ALL_CONNECTED");
    player_drop(bob);
    player_drop(cid);
    rig_node_end(&node);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

static void test_asks_every_endpoint_api(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb full = fake_lb_start(FAKE_LB_FULL, NULL),
                   good = fake_lb_start(FAKE_LB_ANSWERS, "sesame");
    char lbs[160];
    (void)snprintf(lbs, sizeof lbs, "http://127.0.0.1:9,%s,%s", full.url, good.url);
    const char *args[] = {"--lobbynode.lb", lbs, "--lobbynode.match_size", "1", "--lobbynode.token",
                          "sesame",         NULL};
    struct rig_node node = rig_node_start(&rig, "lobby", "ln-1", args);
    int ann = player_hello(&node, "ann");
    for (int i = 0; i < 3; i++) {
        seek(ann);
        (void)player_hear(ann, "ALL_CONNECTED");
    }
    player_drop(ann);
    rig_node_end(&node);
    fake_lb_stop(&full);
    fake_lb_stop(&good);
    rig_stop(&rig);
}

static void test_a_match_outlives_its_maker(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb hangs = fake_lb_start(FAKE_LB_HANGS, NULL),
                   good = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node maker = lobby(&rig, "ln-1", hangs.url, "2"),
                    other = lobby(&rig, "ln-2", good.url, "2");
    int ann = player_hello(&other, "ann"), bob = player_hello(&maker, "bob");
    seek(bob); /* its lobby node will have to finish the match, asks, and gets no answer */
    seek(ann);
    wait_int(&rig, 1, "ZCARD", "berth:{lobby}:seek:matches", NULL);
    rig_node_kill(&maker);
    player_drop(bob);
    bob = player_hello(&other, "bob"); /* back elsewhere: the same match */
    seek(bob);
    (void)player_hear_with(ann, "ALL_CONNECTED", "\"players\":[\"bob\",\"ann\"]");
    (void)player_hear_with(bob, "ALL_CONNECTED", "\"ticket\":\"t-bob\"");
    assert_int_equal(redis_client_int(rig.client, "ZCARD", "berth:{lobby}:seek:matches", NULL), 0);
    player_drop(ann);
    player_drop(bob);
    rig_node_end(&other);
    fake_lb_stop(&hangs);
    fake_lb_stop(&good);
    rig_stop(&rig);
}

static void test_seekers_of_a_dead_lobby_are_swept(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node dies = lobby(&rig, "ln-1", lb.url, "2"),
                    lives = lobby(&rig, "ln-2", lb.url, "2");
    int ghost = player_hello(&dies, "ghost"), ann = player_hello(&lives, "ann");
    seek(ghost);
    rig_node_kill(&dies);
    int64_t killed = rig_now_ms();
    wait_int(&rig, 0, "ZCARD", "berth:{lobby}:seek:queue:default", NULL);
    assert_true(rig_now_ms() - killed < 2000);
    seek(ann);
    player_hear_nothing(ann, 300); /* not matched with one who is not there */
    int bob = player_hello(&lives, "bob");
    seek(bob);
    (void)player_hear_with(ann, "ALL_CONNECTED", "\"players\":[\"ann\",\"bob\"]");
    (void)player_hear(bob, "ALL_CONNECTED");
    player_drop(ghost);
    player_drop(ann);
    player_drop(bob);
    rig_node_end(&lives);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

static void test_seekers_are_queued_again_after_redis_lost_them(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node node = lobby(&rig, "ln-1", lb.url, "2");
    int ann = player_hello(&node, "ann"), bob = player_hello(&node, "bob");
    seek(ann);
    redis_server_kill(&rig.redis);
    player_say(bob, "{\"type\":\"seek\"}"); /* asked while the store is away */
    rig_sleep_ms(300);
    struct err err = {0};
    assert_int_equal(redis_server_restart(&rig.redis, &err), 0);
    (void)player_hear(ann, "seek_paused"); /* told, and kept */
    (void)player_hear(ann, "seeking");
    (void)player_hear(bob, "seek_paused");
    (void)player_hear(bob, "seeking");
    (void)player_hear(ann, "ALL_CONNECTED");
    (void)player_hear(bob, "ALL_CONNECTED");
    player_drop(ann);
    player_drop(bob);
    rig_node_end(&node);
    rig_stop(&rig);
    fake_lb_stop(&lb);
}

static void test_a_draining_lobby_tells_its_players_and_finishes(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node node = lobby(&rig, "ln-1", lb.url, "2"),
                    other = lobby(&rig, "ln-2", lb.url, "2");
    int ann = player_hello(&node, "ann"), bob = player_hello(&other, "bob");
    seek(ann);
    (void)kill(node.pid, SIGTERM);
    rig_move(&rig, &node, NODE_JOINING, NODE_DRAINING);
    (void)player_hear_with(ann, "draining", "\"move\":true");
    seek(bob);
    (void)player_hear(ann, "ALL_CONNECTED");
    (void)player_hear(bob, "ALL_CONNECTED");
    player_say(ann, "{\"type\":\"leave\"}");
    (void)player_hear(ann, "left");
    player_closed(ann, 1000);
    rig_move(&rig, &node, NODE_DRAINING, NODE_CLOSING);
    rig_wait_report(&rig, &node, "closed=1");
    rig_move(&rig, &node, NODE_CLOSING, NODE_DRAINED);
    assert_int_equal(rig_node_wait(&node, 3000), 0);
    player_drop(bob);
    rig_node_end(&other);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

static void test_hello_wants_a_ticket(void **state)
{
    struct rig rig;
    rig_start(&rig, true, yaml);
    struct rig_node node = lobby(&rig, "ln-1", "http://127.0.0.1:9", "2");
    int fd = player_connect(&node);
    player_say(fd, "{\"type\":\"hello\",\"player\":\"ann\"}");
    (void)player_hear_with(fd, "refused", "ticket_missing");
    player_closed(fd, 4403);
    fd = player_connect(&node);
    player_say(fd, "{\"type\":\"hello\",\"player\":\"ann\",\"ticket\":\"%s\"}",
               rig_ticket(&rig, &node, "", "ann"));
    (void)player_hear_with(fd, "welcome", "\"node\":\"ln-1\"");
    player_drop(fd);
    rig_node_end(&node);
    rig_stop(&rig);
}

/* Since when the only one in the queue waits. */
static int64_t waits_since(struct rig *rig)
{
    const struct resp *r = redis_client_ask(rig->client, "ZRANGE",
                                            "berth:{lobby}:seek:queue:default", "0", "-1", NULL);
    assert_int_equal(r->count, 1);
    return strtoll(r->items[0].text.ptr, NULL, 10);
}

static void test_who_moves_from_a_draining_lobby_keeps_the_waiting_time(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node node = lobby(&rig, "ln-1", lb.url, "2"),
                    other = lobby(&rig, "ln-2", lb.url, "2");
    int ann = player_hello(&node, "ann");
    seek(ann);
    const struct resp *r =
        redis_client_ask(rig.client, "ZRANGE", "berth:{lobby}:seek:queue:default", "0", "-1", NULL);
    assert_int_equal(r->count, 1);
    int64_t since = strtoll(r->items[0].text.ptr, NULL, 10);
    (void)kill(node.pid, SIGTERM);
    rig_move(&rig, &node, NODE_JOINING, NODE_DRAINING);
    (void)player_hear_with(ann, "draining", "\"keep_ms\":30000");
    player_say(ann, "{\"type\":\"leave\"}");
    (void)player_hear(ann, "left");
    player_closed(ann, 1000);
    ann = player_hello(&other, "ann");
    seek(ann);
    assert_int_equal(waits_since(&rig), since);
    int bob = player_hello(&other, "bob");
    seek(bob);
    (void)player_hear(ann, "ALL_CONNECTED");
    (void)player_hear(bob, "ALL_CONNECTED");
    player_drop(ann);
    player_drop(bob);
    rig_node_kill(&node);
    rig_node_end(&other);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

static void test_a_lobby_that_was_only_slow_seeks_again_for_everyone(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node slow = lobby(&rig, "ln-1", lb.url, "2"),
                    other = lobby(&rig, "ln-2", lb.url, "2");
    int ann = player_hello(&slow, "ann"), bob = player_hello(&other, "bob");
    seek(ann);
    int64_t since = waits_since(&rig);
    (void)kill(slow.pid, SIGSTOP);
    wait_int(&rig, 0, "ZCARD", "berth:{lobby}:seek:queue:default", NULL); /* taken for dead */
    (void)kill(slow.pid, SIGCONT);
    wait_int(&rig, 1, "ZCARD", "berth:{lobby}:seek:queue:default", NULL);
    assert_in_range(waits_since(&rig), since - 100, since); /* by the node's own clock */
    seek(bob);
    (void)player_hear_with(ann, "ALL_CONNECTED", "\"bob\"");
    (void)player_hear_with(bob, "ALL_CONNECTED", "\"ann\"");
    player_drop(ann);
    player_drop(bob);
    rig_node_end(&slow);
    rig_node_end(&other);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

/* The code in a `party` message. */
static void code_of(const char *text, char ret_code[16])
{
    const char *at = strstr(text, "\"code\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"code\":\"%15[^\"]", ret_code), 1);
}

static void test_a_party_of_two_lobbies_and_what_its_match_says(void **state)
{
    struct rig rig;
    rig_start(&rig, false, modes_yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node one = lobby(&rig, "ln-1", lb.url, "4"), two = lobby(&rig, "ln-2", lb.url, "4");
    int ann = player_hello(&one, "ann"), bob = player_hello(&two, "bob"),
        cid = player_hello(&two, "cid");
    char code[16], room[65];
    player_say(ann, "{\"type\":\"party_create\"}");
    code_of(player_hear_with(ann, "party", "\"leader\":\"ann\",\"players\":[\"ann\"]"), code);
    player_say(bob, "{\"type\":\"party_join\",\"code\":\"nonsuch\"}");
    (void)player_hear_with(bob, "error", "party_none");
    player_say(bob, "{\"type\":\"party_join\",\"code\":\"%s\"}", code);
    (void)player_hear_with(bob, "party", "[\"ann\",\"bob\"]");
    (void)player_hear_with(ann, "party", "[\"ann\",\"bob\"]");
    player_say(bob, "{\"type\":\"seek\",\"mode\":\"trio\"}");
    (void)player_hear_with(bob, "error", "party_not_leader");
    seek_in(ann, "\"mode\":\"trio\"");
    (void)player_hear_with(bob, "seeking", "\"trio\"");
    seek_in(cid, "\"mode\":\"trio\"");
    room_of(player_hear_with(ann, "ALL_CONNECTED", "\"players\":[\"ann\",\"bob\",\"cid\"]"), room);
    (void)player_hear_with(bob, "ALL_CONNECTED", room);
    (void)player_hear_with(cid, "ALL_CONNECTED", room);
    player_say(cid, "{\"type\":\"message\",\"data\":{\"ready\":[1,\"x\"]}}");
    (void)player_hear_with(ann, "message", "\"from\":\"cid\"");
    (void)player_hear_with(bob, "message", "\"data\":{\"ready\":[1,\"x\"]}");
    player_drop(bob); /* of the party, and of the match */
    (void)player_hear_with(ann, "party", "[\"ann\"]");
    (void)player_hear_with(ann, "presence", "\"online\":false");
    (void)player_hear_with(cid, "presence", "\"player\":\"bob\"");
    bob = player_hello(&one, "bob"); /* back at the other node */
    player_say(bob, "{\"type\":\"group_join\",\"room_id\":\"%s\"}", room);
    (void)player_hear(bob, "group_joined");
    (void)player_hear_with(cid, "presence", "\"online\":true");
    player_drop(ann);
    player_drop(bob);
    player_drop(cid);
    rig_node_end(&one);
    rig_node_end(&two);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

static void test_ratings_regions_keywords_and_the_end_of_patience(void **state)
{
    struct rig rig;
    rig_start(&rig, false, modes_yaml);
    struct fake_lb lb = fake_lb_start(FAKE_LB_ANSWERS, NULL);
    struct rig_node one = lobby(&rig, "ln-1", lb.url, "4"), two = lobby(&rig, "ln-2", lb.url, "4");
    int ann = player_hello(&one, "ann"), bob = player_hello(&two, "bob"),
        cid = player_hello(&one, "cid"), dan = player_hello(&two, "dan");
    player_say(ann, "{\"type\":\"seek\",\"mode\":\"nosuch\"}");
    (void)player_hear_with(ann, "error", "bad_mode");
    seek_in(ann, "\"mode\":\"bots\"");
    (void)player_hear_with(ann, "ALL_CONNECTED", "\"bots\":3,\"players\":[\"ann\"]");
    seek_in(ann, "\"mode\":\"small\"");
    seek_in(bob, "\"mode\":\"small\"");
    (void)player_hear_with(ann, "ALL_CONNECTED", "\"players\":[\"ann\",\"bob\"]");
    (void)player_hear(bob, "ALL_CONNECTED");
    /* 70 apart: not before both windows have grown; and the nearest first */
    seek_in(ann, "\"mode\":\"ranked\",\"rating\":1000");
    seek_in(bob, "\"mode\":\"ranked\",\"rating\":1070");
    player_hear_nothing(ann, 200);
    (void)player_hear_with(ann, "ALL_CONNECTED", "\"bob\"");
    (void)player_hear(bob, "ALL_CONNECTED");
    /* friends, whatever their ratings */
    seek_in(ann, "\"mode\":\"ranked\",\"rating\":1,\"keyword\":\"us\"");
    seek_in(bob, "\"mode\":\"ranked\",\"rating\":1");
    seek_in(cid, "\"mode\":\"ranked\",\"rating\":9000,\"keyword\":\"us\"");
    (void)player_hear_with(cid, "ALL_CONNECTED", "\"players\":[\"ann\",\"cid\"]");
    (void)player_hear(ann, "ALL_CONNECTED");
    /* the newest seek of a player wins, wherever */
    int twin = player_hello(&one, "bob");
    seek_in(twin, "\"mode\":\"small\"");
    (void)player_hear_with(bob, "cancelled", "\"reason\":\"replaced\"");
    (void)player_hear_with(twin, "seek_timeout", "small"); /* alone: less than size_min */
    player_drop(ann);
    player_drop(bob);
    player_drop(twin);
    player_drop(cid);
    player_drop(dan);
    rig_node_end(&one);
    rig_node_end(&two);
    fake_lb_stop(&lb);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_players_of_two_lobbies_meet),
        cmocka_unit_test(test_leaving_cancelling_and_timing_out),
        cmocka_unit_test(test_asks_every_endpoint_api),
        cmocka_unit_test(test_a_match_outlives_its_maker),
        cmocka_unit_test(test_seekers_of_a_dead_lobby_are_swept),
        cmocka_unit_test(test_seekers_are_queued_again_after_redis_lost_them),
        cmocka_unit_test(test_a_draining_lobby_tells_its_players_and_finishes),
        cmocka_unit_test(test_hello_wants_a_ticket),
        cmocka_unit_test(test_who_moves_from_a_draining_lobby_keeps_the_waiting_time),
        cmocka_unit_test(test_a_lobby_that_was_only_slow_seeks_again_for_everyone),
        cmocka_unit_test(test_a_party_of_two_lobbies_and_what_its_match_says),
        cmocka_unit_test(test_ratings_regions_keywords_and_the_end_of_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
