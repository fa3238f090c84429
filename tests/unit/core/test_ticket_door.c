/* test_ticket_door.c - a node's door: verified, one seat each, counted once. */
#include "core/ticket_door.h"
#include "tests/unit/core/ticket_world.h"

static const struct span none;

struct visit {
    enum ticket_refusal refusal;
    struct ticket_entry entry;
};

static struct visit try(struct ticket_door *door, int64_t at_ms, struct span token,
                        const char *player, const char *room)
{
    struct visit v = {0};
    v.refusal = ticket_door_try(door, wall_add(noon, at_ms), token, span_of(player), span_of(room),
                                42, &v.entry, NULL);
    return v;
}

static const char *adm(struct ticket_door *door, int64_t at_ms)
{
    static char buf[256];
    assert_true(admitted_render(&door->admitted, wall_add(noon, at_ms), buf, sizeof buf) > 0);
    return buf;
}

static struct ticket_door door_of(struct ticket_keys *keys)
{
    struct ticket_door_config config = {.keys = keys,
                                        .node = SPAN("gn-1"),
                                        .pool = SPAN("game"),
                                        .tickets_max = 2,
                                        .grace_ms = 5000,
                                        .window_ms = 12000,
                                        .seed = 1};
    struct ticket_door door;
    assert_int_equal(ticket_door_init(&door, &config, NULL), 0);
    ticket_door_epoch(&door, 1763726111456);
    return door;
}

static void test_admits_once_and_counts_once(void **state)
{
    struct ticket_keys *keys = keys_one();
    struct ticket_door door = door_of(keys);
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    struct visit first = try(&door, 300, token, "p1", "r-77");
    assert_int_equal(first.refusal, TICKET_OK);
    assert_false(first.entry.resumed);
    assert_int_equal(first.entry.seat, 42);
    assert_string_equal(first.entry.ticket.player, "p1");
    struct visit again = try(&door, 900, token, "", "");
    assert_int_equal(again.refusal, TICKET_OK);
    assert_true(again.entry.resumed);
    assert_string_equal(adm(&door, 1000), "lb-a/1763726000123/1763726400:1");
    ticket_door_left(&door, wall_add(noon, 1000), again.entry.entry, false);
    assert_true(try(&door, 5999, token, "", "").entry.resumed);
    ticket_door_left(&door, wall_add(noon, 6000), again.entry.entry, true);
    assert_int_equal(try(&door, 6000, token, "", "").refusal, TICKET_USED);
    assert_string_equal(adm(&door, 6000), "lb-a/1763726000123/1763726400:1");
    ticket_door_fini(&door);
    ticket_keys_destroy(keys);
}

static void test_refuses_and_counts_nothing(void **state)
{
    struct ticket_keys *keys = keys_one();
    struct ticket_door door = door_of(keys);
    char buf[TICKET_TEXT_MAX];
    struct ticket_grant other = grant_one();
    struct span token = sign(keys, grant_one(), buf);
    assert_int_equal(try(&door, 0, none, "", "").refusal, TICKET_MISSING);
    assert_int_equal(try(&door, 0, token, "p2", "").refusal, TICKET_INVALID);
    assert_int_equal(try(&door, 0, token, "", "r-78").refusal, TICKET_INVALID);
    assert_int_equal(try(&door, 11000, token, "", "").refusal, TICKET_EXPIRED);
    other.node = SPAN("gn-2");
    assert_int_equal(try(&door, 0, sign(keys, other, buf), "", "").refusal, TICKET_WRONG_NODE);
    other = grant_one();
    other.pool = SPAN("lobby");
    assert_int_equal(try(&door, 0, sign(keys, other, buf), "", "").refusal, TICKET_WRONG_POOL);
    other = grant_one();
    other.node_epoch--;
    assert_int_equal(try(&door, 0, sign(keys, other, buf), "", "").refusal, TICKET_WRONG_NODE);
    assert_string_equal(adm(&door, 0), "-");
    assert_int_equal(ticket_seen_count(&door.seen), 0);
    ticket_door_fini(&door);
    ticket_keys_destroy(keys);
}

static void test_resumes_with_a_ticket_that_has_expired(void **state)
{
    struct ticket_keys *keys = keys_one();
    struct ticket_door door = door_of(keys);
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    struct visit v = try(&door, 0, token, "", "");
    ticket_door_left(&door, wall_add(noon, 900000), v.entry.entry, false);
    v = try(&door, 903000, token, "", "");
    assert_int_equal(v.refusal, TICKET_OK);
    assert_true(v.entry.resumed);
    ticket_door_left(&door, wall_add(noon, 904000), v.entry.entry, false);
    assert_int_equal(try(&door, 909000, token, "", "").refusal, TICKET_EXPIRED);
    ticket_door_fini(&door);
    ticket_keys_destroy(keys);
}

static void test_a_new_epoch_keeps_seats_but_starts_a_new_book(void **state)
{
    struct ticket_keys *keys = keys_one();
    struct ticket_door door = door_of(keys);
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    assert_int_equal(try(&door, 0, token, "", "").refusal, TICKET_OK);
    ticket_door_epoch(&door, 1763726111456); /* the same */
    assert_string_equal(adm(&door, 0), "lb-a/1763726000123/1763726400:1");
    ticket_door_epoch(&door, 1763726999999);
    assert_string_equal(adm(&door, 0), "-");
    assert_true(try(&door, 100, token, "", "").entry.resumed);
    struct ticket_grant other = grant_one();
    other.jti = SPAN("other");
    assert_int_equal(try(&door, 100, sign(keys, other, buf), "", "").refusal, TICKET_WRONG_NODE);
    ticket_door_fini(&door);
    ticket_keys_destroy(keys);
}

static void test_refuses_more_tickets_than_it_can_remember(void **state)
{
    struct ticket_keys *keys = keys_one();
    struct ticket_door door = door_of(keys);
    char buf[TICKET_TEXT_MAX];
    static const char *const ids[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        struct ticket_grant g = grant_one();
        g.jti = span_of(ids[i]);
        assert_int_equal(try(&door, 0, sign(keys, g, buf), "", "").refusal,
                         i < 2 ? TICKET_OK : TICKET_FULL);
    }
    assert_string_equal(adm(&door, 0), "lb-a/1763726000123/1763726400:2");
    ticket_door_fini(&door);
    ticket_keys_destroy(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admits_once_and_counts_once),
        cmocka_unit_test(test_refuses_and_counts_nothing),
        cmocka_unit_test(test_resumes_with_a_ticket_that_has_expired),
        cmocka_unit_test(test_a_new_epoch_keeps_seats_but_starts_a_new_book),
        cmocka_unit_test(test_refuses_more_tickets_than_it_can_remember),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
