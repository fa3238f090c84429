/* test_ticket_jwt.c - our tickets and those of an independent JWT library (libjwt) must be the same
 * thing. */
#include "tests/unit/core/ticket_world.h"

#include <jwt.h>
#include <stdlib.h>

static const unsigned char *bytes(const char *text)
{
    return (const unsigned char *)text;
}

/* A ticket as libjwt writes it. */
static struct span sign_there(const char *secret, jwt_alg_t alg, const char *kid, const char *node,
                              char buf[static TICKET_TEXT_MAX])
{
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_header(jwt, "kid", kid), 0);
    assert_int_equal(jwt_add_grant(jwt, "iss", "lb-a"), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "ie", 1763726000123), 0);
    assert_int_equal(jwt_add_grant(jwt, "aud", node), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "ne", 5), 0);
    assert_int_equal(jwt_add_grant(jwt, "pool", "game"), 0);
    assert_int_equal(jwt_add_grant(jwt, "room", "r-77"), 0);
    assert_int_equal(jwt_add_grant(jwt, "sub", "p1"), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "iat", noon_s), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "exp", noon_s + 10), 0);
    assert_int_equal(jwt_add_grant(jwt, "jti", "j"), 0);
    assert_int_equal(jwt_set_alg(jwt, alg, alg == JWT_ALG_NONE ? NULL : bytes(secret),
                                 alg == JWT_ALG_NONE ? 0 : (int)strlen(secret)),
                     0);
    char *text = jwt_encode_str(jwt);
    assert_non_null(text);
    struct span token = {buf, strlen(text)};
    assert_true(token.len < TICKET_TEXT_MAX);
    memcpy(buf, text, token.len + 1);
    free(text);
    jwt_free(jwt);
    return token;
}

static void test_libjwt_reads_what_we_sign(void **state)
{
    struct ticket_keys *keys = keys_one();
    char buf[TICKET_TEXT_MAX];
    (void)sign(keys, grant_one(), buf);
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_decode(&jwt, buf, bytes(SECRET_1), (int)strlen(SECRET_1)), 0);
    assert_int_equal(jwt_get_alg(jwt), JWT_ALG_HS256);
    assert_string_equal(jwt_get_header(jwt, "kid"), "k1");
    assert_string_equal(jwt_get_header(jwt, "typ"), "JWT");
    assert_string_equal(jwt_get_grant(jwt, "iss"), "lb-a");
    assert_string_equal(jwt_get_grant(jwt, "aud"), "gn-1");
    assert_string_equal(jwt_get_grant(jwt, "pool"), "game");
    assert_string_equal(jwt_get_grant(jwt, "room"), "r-77");
    assert_string_equal(jwt_get_grant(jwt, "sub"), "p1");
    assert_string_equal(jwt_get_grant(jwt, "jti"), "AAECAwQFBgcICQoLDA0ODw");
    assert_int_equal(jwt_get_grant_int(jwt, "ie"), 1763726000123);
    assert_int_equal(jwt_get_grant_int(jwt, "ne"), 1763726111456);
    assert_int_equal(jwt_get_grant_int(jwt, "iat"), noon_s);
    assert_int_equal(jwt_get_grant_int(jwt, "exp"), noon_s + 10);
    jwt_free(jwt);
    ticket_keys_destroy(keys);
}

static void test_libjwt_refuses_what_we_signed_with_another_key_or_was_changed(void **state)
{
    struct ticket_keys *keys = keys_one();
    char buf[TICKET_TEXT_MAX];
    struct span token = sign(keys, grant_one(), buf);
    jwt_t *jwt = NULL;
    assert_int_not_equal(jwt_decode(&jwt, buf, bytes(SECRET_2), (int)strlen(SECRET_2)), 0);
    buf[token.len - 10] ^= 1;
    assert_int_not_equal(jwt_decode(&jwt, buf, bytes(SECRET_1), (int)strlen(SECRET_1)), 0);
    ticket_keys_destroy(keys);
}

static void test_we_read_what_libjwt_signs(void **state)
{
    struct ticket_keys *keys = keys_of("k2", SECRET_2, "k1", SECRET_1);
    char buf[TICKET_TEXT_MAX];
    struct span token = sign_there(SECRET_1, JWT_ALG_HS256, "k1", "gn-1", buf);
    struct ticket_expect expect = {.node = SPAN("gn-1"), .pool = SPAN("game"), .node_epoch = 5};
    struct ticket t;
    assert_int_equal(ticket_verify(keys, token, noon, &expect, &t, NULL), TICKET_OK);
    assert_string_equal(t.player, "p1");
    assert_string_equal(t.room, "r-77");
    assert_int_equal(t.issuer_epoch, 1763726000123);
    char player[TICKET_ID_MAX + 1];
    assert_int_equal(ticket_verify_player(keys, token, noon, SPAN("gn-1"), player, NULL),
                     TICKET_OK);
    assert_string_equal(player, "p1");
    ticket_keys_destroy(keys);
}

static void test_we_refuse_what_libjwt_signs_otherwise(void **state)
{
    static const struct {
        const char *secret;
        jwt_alg_t alg;
        const char *kid, *node;
        int64_t late_ms;
        enum ticket_refusal refusal;
    } cases[] = {
        {SECRET_1, JWT_ALG_HS256, "k1", "gn-1", 0, TICKET_OK},
        {SECRET_2, JWT_ALG_HS256, "k1", "gn-1", 0, TICKET_INVALID}, /* wrong key */
        {SECRET_1, JWT_ALG_HS256, "k9", "gn-1", 0, TICKET_INVALID}, /* unknown key */
        {SECRET_1, JWT_ALG_NONE, "k1", "gn-1", 0, TICKET_INVALID},  /* alg none */
        {SECRET_1, JWT_ALG_HS384, "k1", "gn-1", 0, TICKET_INVALID},
        {SECRET_1, JWT_ALG_HS512, "k1", "gn-1", 0, TICKET_INVALID},
        {SECRET_1, JWT_ALG_HS256, "k1", "gn-2", 0, TICKET_WRONG_NODE},
        {SECRET_1, JWT_ALG_HS256, "k1", "gn-1", 11000, TICKET_EXPIRED},
    };
    struct ticket_keys *keys = keys_one();
    struct ticket_expect expect = {.node = SPAN("gn-1"), .pool = SPAN("game"), .node_epoch = 5};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[TICKET_TEXT_MAX];
        struct ticket t;
        struct span token =
            sign_there(cases[i].secret, cases[i].alg, cases[i].kid, cases[i].node, buf);
        assert_int_equal(
            ticket_verify(keys, token, wall_add(noon, cases[i].late_ms), &expect, &t, NULL),
            cases[i].refusal);
    }
    char buf[TICKET_TEXT_MAX];
    struct span token = sign_there(SECRET_1, JWT_ALG_HS256, "k1", "gn-1", buf);
    for (size_t i = 0; i < token.len; i += 7) { /* tampered with */
        char was = buf[i];
        buf[i] = was == 'A' ? 'B' : 'A';
        struct ticket t;
        assert_int_equal(ticket_verify(keys, token, noon, &expect, &t, NULL), TICKET_INVALID);
        buf[i] = was;
    }
    ticket_keys_destroy(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libjwt_reads_what_we_sign),
        cmocka_unit_test(test_libjwt_refuses_what_we_signed_with_another_key_or_was_changed),
        cmocka_unit_test(test_we_read_what_libjwt_signs),
        cmocka_unit_test(test_we_refuse_what_libjwt_signs_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
