/* What servers, sentinels and cluster nodes say about where to go. */
#include "io/wire_redis.h"
#include "tests/support/cmocka.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .type = RESP_TEXT, .text = { s, sizeof(s) - 1 }                                            \
    }
#define NUMBER(n)                                                                                  \
    {                                                                                              \
        .type = RESP_INT, .integer = (n)                                                           \
    }
#define LIST(a)                                                                                    \
    {                                                                                              \
        .type = RESP_LIST, .items = (a), .count = sizeof(a) / sizeof *(a)                          \
    }

static void test_slots_are_those_of_redis(void **state)
{
    /* CLUSTER KEYSLOT of a real server */
    static const struct {
        const char *key;
        unsigned slot;
    } known[] = {{"123456789", 12739},
                 {"berth:{game}:load", 9681},
                 {"{game}", 9681},
                 {"game", 9681},
                 {"a{}b", 13694},
                 {"", 0},
                 {"{user1000}.following", 3443}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(wire_redis_slot(span_of(known[i].key)), known[i].slot);
    assert_int_equal(wire_redis_slot(SPAN("foo{bar}{zap}")), wire_redis_slot(SPAN("bar")));
    assert_int_equal(wire_redis_slot(SPAN("foo{{bar}}zap")), wire_redis_slot(SPAN("{bar")));
    assert_int_not_equal(wire_redis_slot(SPAN("a{bar")), wire_redis_slot(SPAN("bar")));
}

static enum wire_redis_verdict verdict(const char *text, struct wire_redis_place *ret_place)
{
    const struct resp reply = {.type = RESP_ERROR, .text = span_of(text)};
    return wire_redis_verdict(&reply, ret_place);
}

static void test_errors_that_lead_elsewhere(void **state)
{
    struct wire_redis_place place = {.port = 0};
    assert_int_equal(verdict("MOVED 3999 127.0.0.1:6381", &place), WIRE_REDIS_MOVED);
    assert_string_equal(place.host, "127.0.0.1");
    assert_int_equal(place.port, 6381);
    assert_int_equal(verdict("ASK 3999 fe80::1:6382", &place), WIRE_REDIS_ASK);
    assert_string_equal(place.host, "fe80::1");
    assert_int_equal(verdict("MOVED 3999 :6383", &place), WIRE_REDIS_MOVED);
    assert_string_equal(place.host, ""); /* the one that was asked */
    assert_int_equal(place.port, 6383);
    assert_int_equal(verdict("TRYAGAIN Multiple keys request", &place), WIRE_REDIS_AGAIN);
    assert_int_equal(verdict("NOSCRIPT No matching script.", &place), WIRE_REDIS_NO_SCRIPT);
    assert_int_equal(verdict("READONLY You can't write", &place), WIRE_REDIS_LOST);
    assert_int_equal(verdict("MISCONF Redis is configured to save", &place), WIRE_REDIS_LOST);
    assert_int_equal(verdict("OOM command not allowed", &place), WIRE_REDIS_LOST);
    assert_int_equal(verdict("NOREPLICAS Not enough good replicas", &place), WIRE_REDIS_LOST);
}

static void test_other_errors_are_answers(void **state)
{
    static const char *const answers[] = {
        "ERR wrong",           "MOVED",           "MOVED 1",          "MOVED x 127.0.0.1:1",
        "MOVED 1 127.0.0.1:0", "MOVED 1 a\x01:1", "MOVED 1 [::1]:1",  "MOVED 1 127.0.0.1:70000",
        "ASK 1 nowhere",       "READONLYX",       "NOPERM this user", ""};
    struct wire_redis_place place;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_int_equal(verdict(answers[i], &place), WIRE_REDIS_ANSWER);
    const struct resp text = TEXT("MOVED 3999 127.0.0.1:6381"); /* no error: somebody's value */
    assert_int_equal(wire_redis_verdict(&text, &place), WIRE_REDIS_ANSWER);
}

static void test_roles(void **state)
{
    struct wire_redis_place place;
    const struct resp primary[] = {TEXT("master"), NUMBER(0)};
    const struct resp replica[] = {TEXT("slave"), TEXT("10.0.0.1"), NUMBER(6379),
                                   TEXT("connected")};
    const struct resp a = LIST(primary), b = LIST(replica), c = TEXT("master");
    assert_int_equal(wire_redis_role(&a, &place), WIRE_REDIS_PRIMARY);
    assert_int_equal(wire_redis_role(&b, &place), WIRE_REDIS_REPLICA);
    assert_string_equal(place.host, "10.0.0.1");
    assert_int_equal(wire_redis_role(&c, &place), WIRE_REDIS_ROLE_UNKNOWN);
}

static void test_who_serves_a_slot(void **state)
{
    struct wire_redis_place place;
    const struct resp n1[] = {TEXT("10.0.0.1"), NUMBER(7001), TEXT("id1")};
    const struct resp n2[] = {TEXT("?"), NUMBER(7002), TEXT("id2")};
    const struct resp bad[] = {TEXT("10.0.0.3"), NUMBER(0)};
    const struct resp r1[] = {NUMBER(0), NUMBER(99), LIST(n1), LIST(n2)};
    const struct resp r2[] = {NUMBER(100), NUMBER(100), LIST(n2)};
    const struct resp r3[] = {NUMBER(200), NUMBER(300), LIST(bad)};
    const struct resp r4[] = {NUMBER(400), NUMBER(500)};
    const struct resp rows[] = {LIST(r1), LIST(r2), LIST(r3), LIST(r4)};
    const struct resp slots = LIST(rows), none = {.type = RESP_NIL};
    assert_true(wire_redis_slot_owner(&slots, 99, &place));
    assert_string_equal(place.host, "10.0.0.1");
    assert_int_equal(place.port, 7001);
    assert_true(wire_redis_slot_owner(&slots, 100, &place));
    assert_string_equal(place.host, "");
    assert_false(wire_redis_slot_owner(&slots, 101, &place)); /* nobody */
    assert_false(wire_redis_slot_owner(&slots, 250, &place)); /* no port */
    assert_false(wire_redis_slot_owner(&slots, 450, &place)); /* no node */
    assert_false(wire_redis_slot_owner(&none, 1, &place));
}

static void test_what_sentinels_say(void **state)
{
    struct wire_redis_place place;
    const struct resp at[] = {TEXT("10.0.0.9"), TEXT("6379")}, bad[] = {TEXT(""), TEXT("6379")};
    const struct resp yes = LIST(at), no = {.type = RESP_NIL}, empty = LIST(bad);
    assert_true(wire_redis_master(&yes, &place));
    assert_int_equal(place.port, 6379);
    assert_false(wire_redis_master(&no, &place));
    assert_false(wire_redis_master(&empty, &place));
    const struct resp flat[] = {TEXT("name"), TEXT("m"), TEXT("config-epoch"), TEXT("7"),
                                TEXT("odd")};
    const struct resp fields = LIST(flat);
    assert_int_equal(wire_redis_field(&fields, "config-epoch"), 7);
    assert_int_equal(wire_redis_field(&fields, "odd"), -1);
    const struct resp said[] = {TEXT("message"), TEXT("+switch-master"),
                                TEXT("m 1.1.1.1 1 2.2.2.2 2")};
    const struct resp message = LIST(said);
    assert_true(wire_redis_switched(&message, "m"));
    assert_false(wire_redis_switched(&message, "mm"));
}

static void test_places_as_people_write_them(void **state)
{
    struct wire_redis_place p;
    assert_true(wire_redis_place_parse(SPAN("redis.example:7000"), 26379, &p));
    assert_string_equal(p.host, "redis.example");
    assert_int_equal(p.port, 7000);
    assert_true(wire_redis_place_parse(SPAN("10.0.0.1"), 26379, &p));
    assert_int_equal(p.port, 26379);
    assert_true(wire_redis_place_parse(SPAN("[::1]:7000"), 1, &p));
    assert_string_equal(p.host, "::1");
    assert_int_equal(p.port, 7000);
    assert_true(wire_redis_place_parse(SPAN("::1"), 5, &p));
    assert_string_equal(p.host, "::1");
    assert_int_equal(p.port, 5);
    static const char *const bad[] = {"",        ":6379", "h:",     "h:x",  "h:0",
                                      "h:65536", "[::1",  "[::1]7", "a b:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(wire_redis_place_parse(span_of(bad[i]), 6379, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_are_those_of_redis),
        cmocka_unit_test(test_errors_that_lead_elsewhere),
        cmocka_unit_test(test_other_errors_are_answers),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_who_serves_a_slot),
        cmocka_unit_test(test_what_sentinels_say),
        cmocka_unit_test(test_places_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
