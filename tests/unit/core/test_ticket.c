/* test_ticket.c - tickets: what is signed is read back; everything else is refused, with the
 * reason. */
#include "core/base64url.h"
#include "core/ticket_mac.h"
#include "tests/unit/core/ticket_world.h"

#include <stdio.h>

static const struct ticket_expect anyone;

static enum ticket_refusal verify(struct ticket_keys *keys, struct span token, wall_ms_t now)
{
    struct ticket t;
    return ticket_verify(keys, token, now, &anyone, &t, NULL);
}

/* A token of any header and claims, rightly signed with SECRET_1. */
static struct span forge(const char *header, const char *claims, char buf[static 4096])
{
    size_t n = base64url_encode(header, strlen(header), buf);
    buf[n++] = '.';
    n += base64url_encode(claims, strlen(claims), buf + n);
    struct ticket_mac mac;
    assert_int_equal(ticket_mac_init(&mac, SPAN(SECRET_1)), 0);
    unsigned char sum[TICKET_MAC_SIZE];
    assert_true(ticket_mac_sign(&mac, (struct span){buf, n}, sum));
    ticket_mac_fini(&mac);
    buf[n++] = '.';
    n += base64url_encode(sum, sizeof sum, buf + n);
    return (struct span){buf, n};
}

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"
#define CLAIMS                                                                                     \
    "{\"iss\":\"lb-a\",\"ie\":5,\"aud\":\"gn-1\",\"ne\":6,\"pool\":\"game\",\"sub\":\"p1\","       \
    "\"iat\":1763726400,\"exp\":1763726410,\"jti\":\"j\"}"

static void test_reads_back_what_it_signed(void **state)
{
    struct ticket_keys *keys = keys_one();
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    struct ticket t;
    assert_int_equal(ticket_verify(keys, token, noon, &anyone, &t, NULL), TICKET_OK);
    assert_string_equal(t.issuer, "lb-a");
    assert_int_equal(t.issuer_epoch, 1763726000123);
    assert_string_equal(t.node, "gn-1");
    assert_int_equal(t.node_epoch, 1763726111456);
    assert_string_equal(t.pool, "game");
    assert_string_equal(t.room, "r-77");
    assert_string_equal(t.player, "p1");
    assert_string_equal(t.jti, "AAECAwQFBgcICQoLDA0ODw");
    assert_int_equal(t.issued_s, noon_s);
    assert_int_equal(t.expires_s, noon_s + 10);
    assert_false(t.expired);
    ticket_keys_destroy(keys);
}

static void test_signs_as_rfc_4231_says(void **state)
{
    struct ticket_mac
        mac; /* test case 2 has a key shorter than we allow: the MAC itself does not mind */
    assert_int_equal(ticket_mac_init(&mac, SPAN("Jefe")), 0);
    static const unsigned char expected[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                             0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                             0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
                                             0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    for (int i = 0; i < 3; i++) { /* again and again from the kept state */
        unsigned char sum[TICKET_MAC_SIZE];
        assert_true(ticket_mac_sign(&mac, SPAN("what do ya want for nothing?"), sum));
        assert_memory_equal(sum, expected, sizeof expected);
    }
    ticket_mac_fini(&mac);
}

static void test_refuses_whatever_was_changed(void **state)
{
    struct ticket_keys *keys = keys_one();
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    for (size_t i = 0; i < token.len; i++) {
        char was = buf[i];
        for (const char *c = "A.b0_"; *c; c++) {
            if (*c == was)
                continue;
            buf[i] = *c;
            assert_int_equal(verify(keys, token, noon), TICKET_INVALID);
        }
        buf[i] = was;
        if (i > 0)
            assert_int_equal(verify(keys, (struct span){buf, i}, noon), TICKET_INVALID);
    }
    assert_int_equal(verify(keys, token, noon), TICKET_OK);
    assert_int_equal(verify(keys, (struct span){0}, noon), TICKET_MISSING);
    ticket_keys_destroy(keys);
}

static void test_accepts_two_keys_while_they_rotate(void **state)
{
    struct ticket_keys *before = keys_one();
    struct ticket_keys *both = keys_of("k2", SECRET_2, "k1", SECRET_1);
    struct ticket_keys *after = keys_of("k2", SECRET_2, NULL, NULL);
    struct ticket_keys *liar = keys_of("k1", SECRET_2, NULL, NULL);
    char a[TICKET_TEXT_MAX], b[TICKET_TEXT_MAX], c[TICKET_TEXT_MAX];
    struct span old = sign(before, grant_one(), a), new = sign(both, grant_one(), b);
    struct span lie = sign(liar, grant_one(), c);
    assert_int_equal(verify(both, old, noon), TICKET_OK);
    assert_int_equal(verify(both, new, noon), TICKET_OK);
    assert_int_equal(verify(after, new, noon), TICKET_OK); /* the first key signed it */
    assert_int_equal(verify(after, old, noon), TICKET_INVALID);
    assert_int_equal(verify(before, new, noon), TICKET_INVALID);
    assert_int_equal(verify(both, lie, noon), TICKET_INVALID); /* the kid says which key, not any */
    ticket_keys_destroy(before);
    ticket_keys_destroy(both);
    ticket_keys_destroy(after);
    ticket_keys_destroy(liar);
}

static void test_expires_with_one_second_of_allowance(void **state)
{
    struct ticket_keys *keys = keys_one();
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    assert_int_equal(verify(keys, token, wall_add(noon, 10999)), TICKET_OK);
    assert_int_equal(verify(keys, token, wall_add(noon, 11000)), TICKET_EXPIRED);
    assert_int_equal(verify(keys, token, wall_add(noon, -1000)), TICKET_OK);
    assert_int_equal(verify(keys, token, wall_add(noon, -1001)), TICKET_INVALID);
    struct ticket_expect expect = {.skew_ms = 2000};
    struct ticket t;
    assert_int_equal(ticket_verify(keys, token, wall_add(noon, 11999), &expect, &t, NULL),
                     TICKET_OK);
    assert_int_equal(ticket_verify(keys, token, wall_add(noon, 12000), &expect, &t, NULL),
                     TICKET_EXPIRED);
    assert_int_equal(ticket_verify(keys, token, wall_add(noon, -2000), &expect, &t, NULL),
                     TICKET_OK);
    expect = (struct ticket_expect){.expired_too = true};
    assert_int_equal(ticket_verify(keys, token, wall_add(noon, 60000), &expect, &t, NULL),
                     TICKET_OK);
    assert_true(t.expired);
    ticket_keys_destroy(keys);
}

static void test_is_for_one_process_of_one_node_of_one_pool(void **state)
{
    struct ticket_keys *keys = keys_one();
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    static const struct {
        struct ticket_expect expect;
        enum ticket_refusal refusal;
    } cases[] = {
        {{.node = {"gn-1", 4}, .pool = {"game", 4}, .node_epoch = 1763726111456}, TICKET_OK},
        {{.node = {"gn-2", 4}, .pool = {"game", 4}}, TICKET_WRONG_NODE},
        {{.node = {"gn-1", 4}, .node_epoch = 1763726111457}, TICKET_WRONG_NODE},
        {{.node = {"gn-1", 4}, .pool = {"lobby", 5}}, TICKET_WRONG_POOL},
        {{.pool = {"gam", 3}}, TICKET_WRONG_POOL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ticket t;
        struct err err = {0};
        assert_int_equal(ticket_verify(keys, token, noon, &cases[i].expect, &t, &err),
                         cases[i].refusal);
        assert_int_equal(err.code, cases[i].refusal == TICKET_OK ? 0 : BERTH_EDENIED);
    }
    ticket_keys_destroy(keys);
}

static void test_refuses_headers_that_are_not_ours(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"k1\"}",
        "{\"alg\":\"HS512\",\"kid\":\"k1\"}",
        "{\"alg\":\"hs256\",\"kid\":\"k1\"}",
        "{\"alg\":\"RS256\",\"kid\":\"k1\"}",
        "{\"kid\":\"k1\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"kid\":\"k9\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\"}",
        "{\"alg\":\"HS256\",\"kid\":1}",
        "{\"alg\":[\"HS256\"],\"kid\":\"k1\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\",\"kid\":\"k1\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"k1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"k1\",\"crit\":[\"x\"]}",
        "[\"alg\",\"HS256\"]",
        "",
    };
    struct ticket_keys *keys = keys_one();
    char buf[4096];
    assert_int_equal(verify(keys, forge(HEADER, CLAIMS, buf), noon), TICKET_OK);
    assert_int_equal(
        verify(keys, forge("{\"kid\":\"k1\", \"x\":{\"y\":[]}, \"alg\":\"HS256\"}", CLAIMS, buf),
               noon),
        TICKET_OK);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (verify(keys, forge(headers[i], CLAIMS, buf), noon) != TICKET_INVALID)
            fail_msg("accepted %s", headers[i]);
    /* alg none without a signature */
    struct span none = forge("{\"alg\":\"none\",\"kid\":\"k1\"}", CLAIMS, buf);
    while (none.ptr[none.len - 1] != '.')
        none.len--;
    assert_int_equal(verify(keys, none, noon), TICKET_INVALID);
    ticket_keys_destroy(keys);
}

static void test_refuses_claims_that_are_missing_doubled_or_malformed(void **state)
{
    static const struct {
        const char *find, *replace;
    } changes[] = {
        {"\"iss\":\"lb-a\",", ""},
        {"\"ie\":5,", ""},
        {"\"aud\":\"gn-1\",", ""},
        {"\"ne\":6,", ""},
        {"\"pool\":\"game\",", ""},
        {"\"sub\":\"p1\",", ""},
        {"\"iat\":1763726400,", ""},
        {"\"exp\":1763726410,", ""},
        {",\"jti\":\"j\"", ""},
        {"\"ie\":5", "\"ie\":5,\"ie\":5"},
        {"\"ie\":5", "\"ie\":\"5\""},
        {"\"ie\":5", "\"ie\":5.0"},
        {"\"ie\":5", "\"ie\":-5"},
        {"\"ie\":5", "\"ie\":99999999999999999999"},
        {"\"sub\":\"p1\"", "\"sub\":\"\""},
        {"\"sub\":\"p1\"", "\"sub\":\"p\\u0031\""},
        {"\"sub\":\"p1\"", "\"sub\":null"},
        {"\"sub\":\"p1\"",
         "\"sub\":\"a234567890123456789012345678901234567890123456789012345678901234x\""},
        {"\"aud\":\"gn-1\"", "\"aud\":[\"gn-1\"]"},
        {"1763726410", "1763726399"},          /* expires before it was issued */
        {"1763726410", "1763730001"},          /* lives too long */
        {"1763726410", "9223372036854775807"}, /* ... far too long */
        {"1763726400", "1763726402"},          /* from the future */
        {"\"j\"}", "\"j\"}x"},
        {"\"j\"}", "\"j\""},
    };
    struct ticket_keys *keys = keys_one();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(CLAIMS, changes[i].find);
        assert_non_null(at);
        char claims[512], buf[4096];
        snprintf(claims, sizeof claims, "%.*s%s%s", (int)(at - CLAIMS), CLAIMS, changes[i].replace,
                 at + strlen(changes[i].find));
        enum ticket_refusal refusal = verify(keys, forge(HEADER, claims, buf), noon);
        if (refusal != TICKET_INVALID)
            fail_msg("%s: %s", ticket_refusal_word(refusal), claims);
    }
    char buf[4096];
    assert_int_equal(verify(keys,
                            forge(HEADER,
                                  "{\"later\":{\"x\":[1]},"
                                  "\"iss\":\"lb-a\",\"ie\":5,\"aud\":\"gn-1\","
                                  "\"ne\":6,\"pool\":\"game\",\"sub\":\"p1\",\"iat\":1763726400,"
                                  "\"exp\":1763726410,\"jti\":\"j\"}",
                                  buf),
                            noon),
                     TICKET_OK); /* a claim that a later version adds */
    ticket_keys_destroy(keys);
}

static void test_refuses_a_token_over_its_limit_unread(void **state)
{
    struct ticket_keys *keys = keys_one();
    char claims[1200] = "{\"x\":\"", buf[4096];
    memset(claims + 6, 'y', 900);
    strcpy(claims + 906, "\",");
    strcat(claims, CLAIMS + 1);
    struct span token = forge(HEADER, claims, buf);
    assert_true(token.len > TICKET_TEXT_MAX);
    struct err err = {0};
    struct ticket t;
    assert_int_equal(ticket_verify(keys, token, noon, &anyone, &t, &err), TICKET_INVALID);
    assert_string_equal(err.text, "longer than a token may be");
    ticket_keys_destroy(keys);
}

static void test_signs_the_longest_names_and_nothing_longer(void **state)
{
    struct ticket_keys *keys = keys_one();
    char x[80], buf[TICKET_TEXT_MAX];
    memset(x, 'x', sizeof x);
    struct ticket_grant g = grant_one();
    g.issuer = g.node = g.pool = (struct span){x, TICKET_NAME_MAX};
    g.room = g.player = g.jti = (struct span){x, TICKET_ID_MAX};
    g.issuer_epoch = g.node_epoch = INT64_MAX;
    assert_int_equal(verify(keys, sign(keys, g, buf), noon), TICKET_OK);
    struct ticket_grant bad = g;
    bad.player.len++;
    assert_int_equal(ticket_sign(keys, &bad, buf, sizeof buf), BERTH_EINVAL);
    bad = g;
    bad.player = SPAN("a\"b");
    assert_int_equal(ticket_sign(keys, &bad, buf, sizeof buf), BERTH_EINVAL);
    bad.player = SPAN("a\nb");
    assert_int_equal(ticket_sign(keys, &bad, buf, sizeof buf), BERTH_EINVAL);
    bad.player = (struct span){0};
    assert_int_equal(ticket_sign(keys, &bad, buf, sizeof buf), BERTH_EINVAL);
    bad = g;
    bad.expires_s = bad.issued_s - 1;
    assert_int_equal(ticket_sign(keys, &bad, buf, sizeof buf), BERTH_EINVAL);
    assert_int_equal(ticket_sign(keys, &g, buf, 100), BERTH_EFULL);
    ticket_keys_destroy(keys);
}

static void test_refuses_keys_that_are_no_keys(void **state)
{
    static const struct {
        struct ticket_key keys[2];
        size_t count;
        const char *says;
    } cases[] = {
        {.count = 0, .says = "0 ticket keys: must be 1..4"},
        {.count = 5, .says = "5 ticket keys: must be 1..4"},
        {{{{"k 1", 3}, {SECRET_1, 32}}}, 1, "kid of ticket key 1"},
        {{{{"", 0}, {SECRET_1, 32}}}, 1, "kid of ticket key 1"},
        {{{{"k1", 2}, {SECRET_1, 15}}}, 1, "secret of ticket key k1 has 15 bytes: must be 16..256"},
        {{{{"k1", 2}, {SECRET_1, 32}}, {{"k1", 2}, {SECRET_2, 32}}},
         2,
         "ticket keys 1 and 2 are both called k1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ticket_keys *keys = NULL;
        struct err err = {0};
        assert_int_equal(ticket_keys_create(cases[i].keys, cases[i].count, &keys, &err),
                         BERTH_EINVAL);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_null(strstr(err.text, "0123456789abcdef")); /* no secret in an error */
    }
}

static void test_jti_is_unique(void **state)
{
    char a[TICKET_JTI_SIZE], b[TICKET_JTI_SIZE];
    ticket_jti(a, 1, 0);
    assert_string_equal(a, "AAAAAAAAAAEAAAAAAAAAAA");
    ticket_jti(b, 1, 1);
    assert_string_not_equal(a, b);
    ticket_jti(b, 2, 0);
    assert_string_not_equal(a, b);
    ticket_jti(b, UINT64_MAX, UINT64_MAX);
    assert_string_equal(b, "_____________________w");
}

static void test_takes_a_players_own_token(void **state)
{
    static const struct {
        const char *header, *claims;
        enum ticket_refusal refusal;
    } cases[] = {
        {"{\"alg\":\"HS256\"}", "{\"sub\":\"p1\",\"exp\":1763726410}", TICKET_OK},
        {HEADER, "{\"sub\":\"p1\",\"exp\":1763726410.75,\"name\":{\"n\":\"\\u00e9\"}}", TICKET_OK},
        {HEADER, "{\"sub\":\"p1\",\"exp\":1763726410,\"aud\":\"berth\"}", TICKET_OK},
        {HEADER, "{\"sub\":\"p1\",\"exp\":19999999700000010}", TICKET_OK},
        {HEADER, "{\"sub\":\"p1\",\"exp\":1763726389}", TICKET_EXPIRED},
        {HEADER, "{\"sub\":\"p1\",\"exp\":1763726410,\"nbf\":1763726402}", TICKET_INVALID},
        {HEADER, "{\"sub\":\"p1\"}", TICKET_INVALID},
        {HEADER, "{\"exp\":1763726410}", TICKET_INVALID},
        {HEADER, "{\"sub\":7,\"exp\":1763726410}", TICKET_INVALID},
        {HEADER, "{\"sub\":\"p1\",\"exp\":1e12}", TICKET_INVALID},
        {"{\"alg\":\"HS256\",\"kid\":\"k9\"}", "{\"sub\":\"p1\",\"exp\":1763726410}",
         TICKET_INVALID},
        {"{\"alg\":\"none\"}", "{\"sub\":\"p1\",\"exp\":1763726410}", TICKET_INVALID},
    };
    struct ticket_keys *keys = keys_of("k2", SECRET_2, "k1", SECRET_1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[4096], player[TICKET_ID_MAX + 1] = "";
        struct span token = forge(cases[i].header, cases[i].claims, buf);
        assert_int_equal(ticket_verify_player(keys, token, noon, (struct span){0}, player, NULL),
                         cases[i].refusal);
        assert_string_equal(player, cases[i].refusal == TICKET_OK ? "p1" : "");
    }
    static const struct {
        const char *aud;
        bool ok;
    } audiences[] = {
        {"\"berth\"", true}, {"[\"x\",\"berth\"]", true}, {"\"x\"", false}, {"[]", false},
        {"7", false},
    };
    for (size_t i = 0; i < sizeof audiences / sizeof *audiences; i++) {
        char claims[128], buf[4096], player[TICKET_ID_MAX + 1];
        snprintf(claims, sizeof claims, "{\"sub\":\"p1\",\"exp\":1763726410,\"aud\":%s}",
                 audiences[i].aud);
        assert_int_equal(ticket_verify_player(keys, forge(HEADER, claims, buf), noon, SPAN("berth"),
                                              player, NULL),
                         audiences[i].ok ? TICKET_OK : TICKET_INVALID);
    }
    ticket_keys_destroy(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_back_what_it_signed),
        cmocka_unit_test(test_signs_as_rfc_4231_says),
        cmocka_unit_test(test_refuses_whatever_was_changed),
        cmocka_unit_test(test_accepts_two_keys_while_they_rotate),
        cmocka_unit_test(test_expires_with_one_second_of_allowance),
        cmocka_unit_test(test_is_for_one_process_of_one_node_of_one_pool),
        cmocka_unit_test(test_refuses_headers_that_are_not_ours),
        cmocka_unit_test(test_refuses_claims_that_are_missing_doubled_or_malformed),
        cmocka_unit_test(test_refuses_a_token_over_its_limit_unread),
        cmocka_unit_test(test_signs_the_longest_names_and_nothing_longer),
        cmocka_unit_test(test_refuses_keys_that_are_no_keys),
        cmocka_unit_test(test_jti_is_unique),
        cmocka_unit_test(test_takes_a_players_own_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
