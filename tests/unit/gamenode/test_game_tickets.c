/* test_game_tickets.c - a game node's door: one ticket, one seat. */
#include "tests/unit/gamenode/game_world.h"

static const char *ticket_for(struct world *w, const char *node, const char *pool, const char *room,
                              const char *player, int64_t epoch, int64_t life_s)
{
    static char payload[TICKET_TEXT_MAX + 256];
    char token[TICKET_TEXT_MAX], jti[TICKET_JTI_SIZE];
    ticket_jti(jti, 42, w->serial++);
    int64_t now_s = (1700000000000 + w->now) / 1000;
    struct ticket_grant grant = {.issuer = SPAN("lb-a"),
                                 .node = span_of(node),
                                 .pool = span_of(pool),
                                 .room = span_of(room),
                                 .player = span_of(player),
                                 .jti = span_of(jti),
                                 .issuer_epoch = 3,
                                 .node_epoch = epoch,
                                 .issued_s = now_s,
                                 .expires_s = now_s + life_s};
    assert_true(ticket_sign(w->keys, &grant, token, sizeof token) > 0);
    (void)snprintf(payload, sizeof payload, "{\"room\":\"%s\",\"player\":\"%s\",\"ticket\":\"%s\"}",
                   room, player, token);
    return payload;
}

static void expect_refused(struct world *w, uint32_t peer, const char *reason)
{
    char start_text[64], end_text[64];
    (void)snprintf(start_text, sizeof start_text, "%u refused {\"reason\":\"%s\"", peer, reason);
    (void)snprintf(end_text, sizeof end_text, "%u close 4403 %s\n", peer, reason);
    if (!strstr(w->trace.text, start_text) || !strstr(w->trace.text, end_text))
        fail_msg("not refused as %s: %s", reason, w->trace.text);
    node_trace_clear(&w->trace);
    hang_up(w, peer);
}

static uint32_t admitted(const struct world *w)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < w->door.book.admitted.used; i++)
        for (uint32_t s = 0; s < w->door.book.admitted.runs[i].count; s++)
            sum += w->door.book.admitted.runs[i].counts[s];
    return sum;
}

static void test_tickets_are_refused_each_with_its_reason(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    open(&w, 0);
    say(&w, 0, "join", "{\"room\":\"r\",\"player\":\"ann\"}");
    expect_refused(&w, 0, "ticket_missing");
    open(&w, 0);
    say(&w, 0, "join", "{\"room\":\"r\",\"player\":\"ann\",\"ticket\":\"a.b.c\"}");
    expect_refused(&w, 0, "ticket_invalid");
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-2", "game", "r", "ann", 5, 30));
    expect_refused(&w, 0, "wrong_node");
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 4, 30));
    expect_refused(&w, 0, "wrong_node"); /* for an earlier process of this name */
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "lobby", "r", "ann", 5, 30));
    expect_refused(&w, 0, "wrong_pool");
    char old[TICKET_TEXT_MAX + 256];
    (void)snprintf(old, sizeof old, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 10));
    w.now += 12000;
    open(&w, 0);
    say(&w, 0, "join", old);
    expect_refused(&w, 0, "ticket_expired");
    assert_int_equal(admitted(&w), 0);
    finish(&w);
}

static void test_a_ticket_is_one_seat(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    char ticket[TICKET_TEXT_MAX + 256];
    (void)snprintf(ticket, sizeof ticket, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    open(&w, 0);
    say(&w, 0, "join", ticket);
    assert_int_equal(admitted(&w), 1);
    hang_up(&w, 0);
    pass(&w, 5000);
    open(&w, 1);
    say(&w, 1, "join", ticket); /* the same ticket resumes its seat and is not counted again */
    assert_true(front_is(&w.game.front, 1, FRONT_ADMITTED));
    assert_int_equal(admitted(&w), 1);
    pass(&w, 40000);
    hang_up(&w, 1);
    node_trace_clear(&w.trace);
    open(&w, 2);
    say(&w, 2, "join", ticket); /* within the grace however old the ticket is by now */
    assert_true(front_is(&w.game.front, 2, FRONT_ADMITTED));
    node_trace_clear(&w.trace);
    say(&w, 2, "leave", "{}");
    hang_up(&w, 2);
    open(&w, 3);
    say(&w, 3, "join", ticket);
    assert_true(strstr(w.trace.text, "3 refused {\"reason\":\"ticket_") != NULL);
    finish(&w);
}

static void test_a_ticket_that_was_left_is_used_up(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    char ticket[TICKET_TEXT_MAX + 256];
    (void)snprintf(ticket, sizeof ticket, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    open(&w, 0);
    say(&w, 0, "join", ticket);
    say(&w, 0, "leave", "{}");
    hang_up(&w, 0);
    node_trace_clear(&w.trace);
    open(&w, 1);
    say(&w, 1, "join", ticket);
    expect_refused(&w, 1, "ticket_used");
    finish(&w);
}

static void test_a_fresh_ticket_takes_the_seat_over(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_READY);
    char first[TICKET_TEXT_MAX + 256];
    (void)snprintf(first, sizeof first, "%s", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    open(&w, 0);
    say(&w, 0, "join", first);
    open(&w, 1);
    say(&w, 1, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    hang_up(&w, 0);
    assert_int_equal(game_load(&w.game).conns, 1);
    assert_int_equal(admitted(&w), 2); /* both were handed out, both are accounted for */
    node_trace_clear(&w.trace);
    open(&w, 2);
    say(&w, 2, "join", first);
    expect_refused(&w, 2, "ticket_used");
    finish(&w);
}

static void test_a_full_node_does_not_use_the_ticket_up(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.front.capacity = 1;
    start(&w, true, config);
    state_is(&w, NODE_READY);
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    char ticket[TICKET_TEXT_MAX + 256];
    (void)snprintf(ticket, sizeof ticket, "%s", ticket_for(&w, "gn-1", "game", "r", "bob", 5, 30));
    open(&w, 1);
    node_trace_clear(&w.trace);
    say(&w, 1, "join", ticket);
    expect_refused(&w, 1, "full");
    say(&w, 0, "leave", "{}");
    open(&w, 2);
    say(&w, 2, "join", ticket);
    assert_true(front_is(&w.game.front, 2, FRONT_ADMITTED));
    assert_int_equal(admitted(&w), 2);
    finish(&w);
}

static void test_draining_honours_tickets(void **state)
{
    struct world w;
    start(&w, true, config_default());
    state_is(&w, NODE_DRAINING);
    open(&w, 0);
    say(&w, 0, "join", ticket_for(&w, "gn-1", "game", "r", "ann", 5, 30));
    assert_true(front_is(&w.game.front, 0, FRONT_ADMITTED));
    step(&w, (struct node_event){.kind = NODE_DOOR, .closed = true});
    open(&w, 1);
    node_trace_clear(&w.trace);
    say(&w, 1, "join", ticket_for(&w, "gn-1", "game", "r", "bob", 5, 30));
    expect_refused(&w, 1, "closed");
    finish(&w);
}

static void test_who_connects_anew_has_spent_what_the_last_socket_did(void **state)
{
    struct world w;
    struct game_config config = config_default();
    config.front.message_rate = 10;
    config.front.message_burst = 3;
    start(&w, false, config);
    enter(&w, 0, "r", "ann"); /* one */
    say(&w, 0, "ping", "{}");
    say(&w, 0, "ping", "{}");
    hang_up(&w, 0);
    enter(&w, 1, "r", "ann"); /* away, and back */
    say(&w, 1, "ping", "{}");
    expect(&w, "1 hold message_rate\n1 pong {}\n");
    enter(&w, 2, "r", "ann"); /* the old socket is still there */
    say(&w, 2, "ping", "{}");
    expect(&w, "2 hold message_rate\n2 pong {}\n");
    hang_up(&w, 2);
    enter(&w, 2, "r", "bob"); /* somebody else in the same slot owes nothing */
    say(&w, 2, "ping", "{}");
    expect(&w, "2 pong {}\n");
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_connects_anew_has_spent_what_the_last_socket_did),
        cmocka_unit_test(test_tickets_are_refused_each_with_its_reason),
        cmocka_unit_test(test_a_ticket_is_one_seat),
        cmocka_unit_test(test_a_ticket_that_was_left_is_used_up),
        cmocka_unit_test(test_a_fresh_ticket_takes_the_seat_over),
        cmocka_unit_test(test_a_full_node_does_not_use_the_ticket_up),
        cmocka_unit_test(test_draining_honours_tickets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
