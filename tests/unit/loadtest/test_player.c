/* test_player.c - the journey, and what is a retry and what a failure, told as traces. */
#include "loadtest/player.h"
#include "tests/support/cmocka.h"

#include <stdarg.h>
#include <stdio.h>

static const struct player_plan plan = {.step_timeout_ms = 5000,
                                        .match_timeout_ms = 20000,
                                        .event_interval_ms = 0,
                                        .linger_max_ms = 0,
                                        .leave_from = {30000},
                                        .leave_over_ms = 1,
                                        .mode = "default"};
static struct player player;
static mono_ms_t now;
static char trace[4096];
static size_t trace_len;

static void note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(trace + trace_len, sizeof trace - trace_len, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof trace - trace_len);
    trace_len += (size_t)n;
}

/* One line an effect, stamped with the time. */
static void step(const struct player_event *event)
{
    static const char *const socket_word[] = {"lobby", "game"};
    struct player_effects fx;
    player_step(&player, now, event, &fx);
    for (size_t i = 0; i < fx.count; i++) {
        const struct player_effect *e = &fx.list[i];
        note("[%lld] ", (long long)now.ms);
        switch (e->kind) {
        case PLAYER_FX_ASK_LOBBY:
            note("ask lobby not=%s\n", player.shunned);
            break;
        case PLAYER_FX_START:
            note("start %s\n", player.room);
            break;
        case PLAYER_FX_FINISH:
            note("finish %s\n", player.room);
            break;
        case PLAYER_FX_CONNECT:
            note("connect %s %s\n", socket_word[e->socket], player.url[e->socket]);
            break;
        case PLAYER_FX_SEND:
            note("send %s %s\n", socket_word[e->socket], e->text);
            break;
        case PLAYER_FX_CLOSE:
            note("close %s\n", socket_word[e->socket]);
            break;
        case PLAYER_FX_TIMED:
            note("took %s %lld\n", player_timed_word(e->timed), (long long)e->took_ms);
            break;
        case PLAYER_FX_MATCHED:
            note("matched\n");
            break;
        case PLAYER_FX_MET:
            note("met\n");
            break;
        case PLAYER_FX_RETRY:
            note("retry %s\n", e->why);
            break;
        case PLAYER_FX_KILLED:
            note("killed %s\n", e->why);
            break;
        case PLAYER_FX_FAILED:
            note("failed %s\n", e->why);
            break;
        case PLAYER_FX_DONE:
            note("done\n");
            break;
        case PLAYER_FX_EVENT_IN:
            note("event\n");
            break;
        }
    }
}

static void expect(const char *wanted)
{
    assert_string_equal(trace, wanted);
    trace_len = 0;
    trace[0] = '\0';
}

static void at(int64_t ms)
{
    assert_true(ms >= now.ms);
    now.ms = ms;
}

/* Let time pass to the player's own deadline, which must be at most `limit_ms`. */
static void at_deadline(int64_t limit_ms)
{
    mono_ms_t due = player_deadline(&player);
    assert_true(due.ms <= limit_ms);
    if (due.ms > now.ms)
        now = due;
    step(&(struct player_event){.kind = PLAYER_EV_TIME});
}

static void answer(int status, const char *endpoint, const char *node, const char *ticket)
{
    step(&(struct player_event){.kind = PLAYER_EV_ANSWER,
                                .status = status,
                                .retry_after_ms = status == 503 ? 1000 : -1,
                                .endpoint = span_of(endpoint),
                                .node = span_of(node),
                                .ticket = span_of(ticket)});
}

static void opened(enum player_socket socket)
{
    step(&(struct player_event){.kind = PLAYER_EV_OPEN, .socket = socket});
}

static void closed(enum player_socket socket)
{
    step(&(struct player_event){.kind = PLAYER_EV_CLOSED, .socket = socket});
}

static void message(enum player_socket socket, const char *type)
{
    step(
        &(struct player_event){.kind = PLAYER_EV_MESSAGE, .socket = socket, .type = span_of(type)});
}

static void matched(const char *mate)
{
    step(&(struct player_event){.kind = PLAYER_EV_MESSAGE,
                                .socket = SOCKET_LOBBY,
                                .type = SPAN("ALL_CONNECTED"),
                                .room = SPAN("r1"),
                                .ticket = SPAN("T2"),
                                .players = {span_of(mate), SPAN("p5")},
                                .players_count = 2});
}

static void joined(const char *node, size_t inside)
{
    step(&(struct player_event){.kind = PLAYER_EV_MESSAGE,
                                .socket = SOCKET_GAME,
                                .type = SPAN("joined"),
                                .node = span_of(node),
                                .players = {SPAN("p1"), SPAN("p5")},
                                .players_count = inside});
}

static int begin(void **state)
{
    (void)state;
    now = (mono_ms_t){0};
    trace_len = 0;
    trace[0] = '\0';
    player_init(&player, &plan, "p5", (mono_ms_t){100}, 1);
    return 0;
}

/* Bring the player to a state by the shortest way, forgetting the trace. */
static void until_seek(void)
{
    at_deadline(100);
    answer(200, "ws://l1/ws", "l1", "T1");
    opened(SOCKET_LOBBY);
    message(SOCKET_LOBBY, "welcome");
    assert_int_equal(player.state, PLAYER_SEEK);
    trace_len = 0;
}

static void until_join(const char *mate)
{
    until_seek();
    matched(mate);
    answer(200, "ws://g1/ws", "g1", "");
    opened(SOCKET_GAME);
    assert_int_equal(player.state, PLAYER_CONNECT_GAME);
    trace_len = 0;
}

static void test_whole_journey(void **state)
{
    (void)state;
    at_deadline(100);
    at(120);
    answer(200, "ws://l1/ws", "l1", "T1");
    at(150);
    opened(SOCKET_LOBBY);
    message(SOCKET_LOBBY, "welcome");
    at(900);
    matched("p7");
    at(910);
    answer(200, "ws://g1/ws", "g1", "");
    opened(SOCKET_GAME);
    at(930);
    joined("g1", 1);
    at_deadline(930); /* linger is over at once */
    at(1000);
    message(SOCKET_GAME, "player_joined");
    at_deadline(30000);
    at(30010);
    answer(200, "", "", "");
    expect(
        "[100] ask lobby not=\n"
        "[120] took lobby_endpoint 20\n"
        "[120] connect lobby ws://l1/ws\n"
        "[150] send lobby {\"type\":\"hello\",\"player\":\"p5\",\"ticket\":\"T1\"}\n"
        "[150] took lobby_connect 30\n"
        "[150] send lobby {\"type\":\"seek\",\"mode\":\"default\"}\n"
        "[900] took match 750\n"
        "[900] start r1\n"
        "[910] took start 10\n"
        "[910] matched\n"
        "[910] connect game ws://g1/ws\n"
        "[910] send game {\"type\":\"join\",\"room\":\"r1\",\"player\":\"p5\",\"ticket\":\"T2\"}\n"
        "[930] took game_connect 20\n"
        "[930] send lobby {\"type\":\"leave\"}\n"
        "[930] close lobby\n"
        "[1000] took meet 70\n"
        "[1000] took journey 900\n"
        "[1000] met\n"
        "[30000] finish r1\n"
        "[30010] took finish 10\n"
        "[30010] send game {\"type\":\"leave\"}\n"
        "[30010] close game\n"
        "[30010] done\n");
    assert_true(player_deadline(&player).ms == MONO_NEVER.ms);
}

static void test_only_the_first_by_name_says_finish(void **state)
{
    (void)state;
    until_join("p1");
    joined("g1", 2);
    at_deadline(5000); /* lobby socket */
    trace_len = 0;
    at_deadline(30000);
    expect("[30000] send game {\"type\":\"leave\"}\n[30000] close game\n[30000] done\n");
}

static void test_503_is_asked_again_after_its_time(void **state)
{
    (void)state;
    at_deadline(100);
    answer(503, "", "", "");
    mono_ms_t due = player_deadline(&player);
    assert_in_range(due.ms, 1100, 1100 + 550);
    at_deadline(due.ms);
    assert_int_equal(player.state, PLAYER_ASK_LOBBY);
    assert_non_null(strstr(trace, "retry api_503\n"));
    assert_non_null(strstr(strstr(trace, "retry"), "ask lobby"));
}

static void test_503_without_end_is_a_failure_at_the_deadline(void **state)
{
    (void)state;
    at_deadline(100);
    int asked = 1;
    for (int i = 0; i < 100 && player.state == PLAYER_ASK_LOBBY; i++) {
        answer(503, "", "", "");
        at_deadline(40000);
        asked++;
    }
    assert_int_equal(player.state, PLAYER_FAILED);
    assert_in_range(asked, 10, 25);
    assert_in_range(now.ms, 20100, 22000);
    assert_non_null(strstr(trace, "failed timeout_lobby_endpoint"));
}

static void test_refused_by_lobby_asks_for_another_node(void **state)
{
    (void)state;
    at_deadline(100);
    answer(200, "ws://l1/ws", "l1", "T1");
    opened(SOCKET_LOBBY);
    trace_len = 0;
    message(SOCKET_LOBBY, "refused");
    at_deadline(1000);
    assert_non_null(strstr(trace, "close lobby\n"));
    assert_non_null(strstr(trace, "ask lobby not=l1"));
}

static void test_lobby_lost_while_seeking_is_a_killed_session(void **state)
{
    (void)state;
    until_seek();
    at(8000);
    closed(SOCKET_LOBBY);
    expect("[8000] killed lobby_closed\n[8000] retry lobby_lost\n");
    at_deadline(8200);
    assert_int_equal(player.state, PLAYER_ASK_LOBBY);
}

static void test_unreachable_game_node_asks_where_the_room_is_now(void **state)
{
    (void)state;
    until_seek();
    matched("p7");
    answer(200, "ws://g1/ws", "g1", "");
    trace_len = 0;
    closed(SOCKET_GAME);
    at_deadline(600);
    answer(200, "ws://g2/ws", "g2", "T3");
    opened(SOCKET_GAME);
    assert_non_null(strstr(trace, "retry game_unreached\n"));
    assert_null(strstr(trace, "killed"));
    assert_non_null(strstr(trace, "connect game ws://g2/ws\n"));
    assert_non_null(strstr(trace, "\"ticket\":\"T3\""));
}

static void test_game_lost_in_play_is_killed_and_failed(void **state)
{
    (void)state;
    until_join("p7");
    joined("g1", 2);
    assert_int_equal(player.state, PLAYER_PLAY);
    trace_len = 0;
    at(9000);
    closed(SOCKET_GAME);
    expect("[9000] killed game_closed\n"
           "[9000] close lobby\n"
           "[9000] failed game_lost_in_play\n");
}

static void test_closed_after_the_end_is_no_kill(void **state)
{
    (void)state;
    until_join("p7");
    joined("g1", 2);
    at_deadline(5000);
    at(30001);
    trace_len = 0;
    closed(SOCKET_GAME); /* a mate's finish closed the room a moment before ours */
    expect("[30001] done\n");
}

static void test_other_node_than_promised_is_a_failure(void **state)
{
    (void)state;
    until_join("p7");
    joined("g9", 1);
    assert_non_null(strstr(trace, "failed wrong_node"));
}

static void test_mate_who_never_comes_is_a_failure(void **state)
{
    (void)state;
    until_join("p7");
    joined("g1", 1);
    for (int i = 0; i < 3 && player.state == PLAYER_MEET; i++)
        at_deadline(40000);
    assert_int_equal(player.state, PLAYER_FAILED);
    assert_non_null(strstr(trace, "failed timeout_meet"));
}

static void test_messages_of_a_closed_socket_are_ignored(void **state)
{
    (void)state;
    until_join("p7");
    message(SOCKET_GAME, "refused");
    trace_len = 0;
    trace[0] = '\0';
    joined("g1", 2);
    expect("");
    assert_int_equal(player.state, PLAYER_ASK_GAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_whole_journey, begin),
        cmocka_unit_test_setup(test_only_the_first_by_name_says_finish, begin),
        cmocka_unit_test_setup(test_503_is_asked_again_after_its_time, begin),
        cmocka_unit_test_setup(test_503_without_end_is_a_failure_at_the_deadline, begin),
        cmocka_unit_test_setup(test_refused_by_lobby_asks_for_another_node, begin),
        cmocka_unit_test_setup(test_lobby_lost_while_seeking_is_a_killed_session, begin),
        cmocka_unit_test_setup(test_unreachable_game_node_asks_where_the_room_is_now, begin),
        cmocka_unit_test_setup(test_game_lost_in_play_is_killed_and_failed, begin),
        cmocka_unit_test_setup(test_closed_after_the_end_is_no_kill, begin),
        cmocka_unit_test_setup(test_other_node_than_promised_is_a_failure, begin),
        cmocka_unit_test_setup(test_mate_who_never_comes_is_a_failure, begin),
        cmocka_unit_test_setup(test_messages_of_a_closed_socket_are_ignored, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
