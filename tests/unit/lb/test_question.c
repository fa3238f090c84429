/* test_question.c - parameters of the endpoint API, and the JSON of its answers. */
#include "lb/question.h"
#include "tests/support/cmocka.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static struct question q;
static struct err err;

static int start(void **state)
{
    question_init(&q, 0);
    err = (struct err){0};
    return 0;
}

static void test_reads_all_parameters(void **state)
{
    assert_int_equal(
        question_from_json(&q,
                           SPAN("{\"room\":\"r:1\",\"player\":\"ann@x\",\"zone\":\"b\","
                                "\"version\":\"1.2\",\"exclude\":[\"n-1\",\"n-2\"],"
                                "\"explain\":true}"),
                           &err),
        0);
    assert_true(span_is(q.ask.room, "r:1"));
    assert_int_equal(q.ask.player_count, 1);
    assert_true(span_is(q.ask.players[0], "ann@x"));
    assert_true(span_is(q.ask.zone, "b"));
    assert_true(span_is(q.ask.version, "1.2"));
    assert_int_equal(q.ask.exclude_count, 2);
    assert_true(span_is(q.ask.exclude[0], "n-1"));
    assert_true(span_is(q.ask.exclude[1], "n-2"));
    assert_true(q.explain);
    question_init(&q, 0);
    assert_int_equal(question_set(&q, "exclude", SPAN("n-1,n-2,n-3"), &err), 0);
    assert_int_equal(q.ask.exclude_count, 3);
    assert_true(span_is(q.ask.exclude[2], "n-3"));
    assert_int_equal(question_set(&q, "colour", SPAN("red"), &err), BERTH_ENOENT);
}

static void refused(const char *json, const char *says)
{
    question_init(&q, 0);
    err = (struct err){0};
    assert_int_equal(question_from_json(&q, span_of(json), &err), BERTH_EINVAL);
    if (strncmp(err.text, says, strlen(says)) != 0)
        fail_msg("%s: %s", json, err.text);
}

static void test_refuses_by_name(void **state)
{
    refused("", "body");
    refused("[]", "body: must be a JSON object, not a list");
    refused("{\"room\":\"a\",\"room\":\"b\"}", "body");
    refused("{\"room\":7}", "room");
    refused("{\"room\":\"\"}", "room");
    refused("{\"room\":\"a b\"}", "room");
    refused("{\"player\":\"a\\u0000b\"}", "body");
    refused("{\"players\":\"ann\"}", "players: must be a list of 1..32 ids");
    refused("{\"players\":{}}", "players: must be a list of 1..32 ids");
    refused("{\"players\":[1]}", "players");
    refused("{\"players\":[\"ann\",\"ann\"]}", "players: ann");
    refused("{\"zone\":\"a:b\"}", "zone");
    refused("{\"exclude\":[\"a\",\"b/c\"]}", "exclude");
    refused("{\"explain\":\"yes\"}", "explain");
    refused("{\"explain\":1}", "explain: must be a boolean");
    refused("{\"exclude\":1}", "exclude: must be a list of names");
    refused("{\"colour\":\"red\"}", "colour: unknown");
    refused("{\"colour\":7}", "colour: unknown");
    refused("{\"colour\":[]}", "colour: unknown");
}

static void test_one_past_every_limit(void **state)
{
    char id[KEYS_ID_MAX + 2];
    memset(id, 'a', sizeof id);
    assert_int_equal(question_set(&q, "room", (struct span){id, KEYS_ID_MAX}, &err), 0);
    assert_int_equal(question_set(&q, "room", (struct span){id, KEYS_ID_MAX + 1}, &err),
                     BERTH_EINVAL);
    for (int i = 0; i < LB_SEATS_MAX; i++) {
        char player[8];
        (void)snprintf(player, sizeof player, "p%d", i);
        assert_int_equal(question_add_player(&q, span_of(player), &err), 0);
    }
    assert_int_equal(question_add_player(&q, SPAN("late"), &err), BERTH_EINVAL);
    char names[POOL_EXCLUDE_MAX * (KEYS_NAME_MAX + 1)];
    memset(names, 'n', sizeof names); /* as many of the longest as are heeded */
    for (int i = 1; i < POOL_EXCLUDE_MAX; i++)
        names[i * (KEYS_NAME_MAX + 1) - 1] = ',';
    assert_int_equal(question_set(&q, "exclude", (struct span){names, sizeof names - 1}, &err), 0);
    assert_int_equal(question_set(&q, "exclude", SPAN("x"), &err), BERTH_EINVAL);
}

/* ---- answers ---- */

static struct question_signer signer;

static void place(size_t players, const char *endpoint)
{
    static const char *const names[] = {"ann", "bob", "cid", "dee"};
    question_init(&q, 0);
    for (size_t i = 0; i < players; i++)
        assert_int_equal(question_add_player(&q, span_of(names[i]), &err), 0);
    q.placed = (struct lb_placed){.verdict = LB_PLACED,
                                  .why = "least_est",
                                  .node = "n-1",
                                  .endpoint = endpoint,
                                  .node_epoch = 5,
                                  .issuer_epoch = 6,
                                  .seat_count = players ? players : 1};
    for (size_t i = 0; i < LB_SEATS_MAX; i++)
        q.placed.seats[i] =
            (struct lb_seat){.issued_s = 1700000000, .expires_s = 1700000010, .serial = i + 1};
    signer = (struct question_signer){.issuer = "lb-a",
                                      .pool = "game",
                                      .jti_start = 99,
                                      .now = {1700000001500},
                                      .view_age_ms = -1};
    const struct ticket_key key = {SPAN("k"), SPAN("0123456789abcdef")};
    assert_int_equal(ticket_keys_create(&key, 1, &signer.keys, &err), 0);
}

static json_t *answer(bool match)
{
    assert_int_equal(question_answer(&q, &signer, match), 0);
    json_t *root = json_loadb(q.answer, q.answer_len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    return root;
}

static const char *text(json_t *root, const char *key)
{
    return json_string_value(json_object_get(root, key));
}

static void test_an_answer_carries_a_ticket_that_verifies(void **state)
{
    place(1, "ws://h/\"odd\\\x01");
    assert_int_equal(question_set(&q, "room", SPAN("r1"), &err), 0);
    q.placed.moved = true;
    signer.view_age_ms = 1200;
    json_t *root = answer(false);
    assert_string_equal(text(root, "endpoint"), "ws://h/\"odd\\\x01");
    assert_string_equal(text(root, "room"), "r1");
    assert_string_equal(text(root, "player"), "ann");
    assert_int_equal(json_integer_value(json_object_get(root, "expires_in")), 8);
    assert_int_equal(json_integer_value(json_object_get(root, "view_age_ms")), 1200);
    assert_true(json_is_true(json_object_get(root, "moved")));
    struct ticket ticket;
    struct ticket_expect expect = {.node = SPAN("n-1"), .pool = SPAN("game"), .node_epoch = 5};
    assert_int_equal(ticket_verify(signer.keys, span_of(text(root, "ticket")), signer.now, &expect,
                                   &ticket, &err),
                     TICKET_OK);
    assert_string_equal(ticket.room, "r1");
    assert_string_equal(ticket.player, "ann");
    assert_int_equal(ticket.issuer_epoch, 6);
    json_decref(root);
    ticket_keys_destroy(signer.keys);
}

static void test_a_match_has_a_ticket_for_each(void **state)
{
    place(4, "ws://h/");
    json_t *root = answer(true), *tickets = json_object_get(root, "tickets");
    assert_int_equal(json_object_size(tickets), 4);
    assert_string_not_equal(text(tickets, "ann"), text(tickets, "dee"));
    json_decref(root);
    ticket_keys_destroy(signer.keys);
}

static void test_a_player_without_a_name_gets_one(void **state)
{
    place(0, "ws://h/");
    json_t *root = answer(false);
    assert_int_equal(strncmp(text(root, "player"), "p-", 2), 0);
    assert_true(keys_id_ok(span_of(text(root, "player"))));
    json_decref(root);
    ticket_keys_destroy(signer.keys);
}

static void test_without_tickets_there_is_none(void **state)
{
    place(2, "ws://h/");
    ticket_keys_destroy(signer.keys);
    signer.keys = NULL;
    json_t *root = answer(false);
    assert_null(json_object_get(root, "ticket"));
    json_decref(root);
    root = answer(true);
    assert_true(json_is_null(json_object_get(json_object_get(root, "tickets"), "bob")));
    json_decref(root);
}

static void test_the_largest_match_fits(void **state)
{
    char big[KEYS_ID_MAX + 1];
    place(0, "ws://h/");
    memset(big, 'x', KEYS_ID_MAX);
    big[KEYS_ID_MAX] = '\0';
    assert_int_equal(question_set(&q, "room", span_of(big), &err), 0);
    for (int i = 0; i < LB_SEATS_MAX; i++) {
        (void)snprintf(big + KEYS_ID_MAX - 4, 5, "%04d", i);
        assert_int_equal(question_add_player(&q, span_of(big), &err), 0);
    }
    q.placed.seat_count = LB_SEATS_MAX;
    char name[KEYS_NAME_MAX + 1];
    memset(name, 'n', KEYS_NAME_MAX);
    name[KEYS_NAME_MAX] = '\0';
    q.placed.node = signer.issuer = signer.pool = name;
    json_t *root = answer(true);
    assert_int_equal(json_object_size(json_object_get(root, "tickets")), LB_SEATS_MAX);
    json_decref(root);
    ticket_keys_destroy(signer.keys);
}

static void test_an_explanation_is_part_of_the_answer(void **state)
{
    place(1, "ws://h/");
    assert_int_equal(question_answer(&q, &signer, false), 0);
    const struct question_candidate list[] = {{"n-1", "eligible", 3, 100, true},
                                              {"n-2", "draining", 0, 100, false}};
    question_explain(&q, list, 2);
    json_t *root = json_loadb(q.answer, q.answer_len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    json_t *second = json_array_get(json_object_get(root, "candidates"), 1);
    assert_string_equal(text(second, "verdict"), "draining");
    assert_string_equal(text(root, "why"), "least_est");
    json_decref(root);
    ticket_keys_destroy(signer.keys);
}

#define T(test) cmocka_unit_test_setup(test, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_reads_all_parameters),
        T(test_refuses_by_name),
        T(test_one_past_every_limit),
        T(test_an_answer_carries_a_ticket_that_verifies),
        T(test_a_match_has_a_ticket_for_each),
        T(test_a_player_without_a_name_gets_one),
        T(test_without_tickets_there_is_none),
        T(test_the_largest_match_fits),
        T(test_an_explanation_is_part_of_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
