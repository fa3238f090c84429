/* test_web_text.c - routes, queries, tokens, origins, URLs. */
#include "io/web_text.h"
#include "tests/support/cmocka.h"

static void handler(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    (void)arg;
    (void)req;
    (void)ex;
}

static void test_the_longest_prefix_wins(void **state)
{
    (void)state;
    static const struct http_route routes[] = {
        {"GET", "/", handler},
        {"GET", "/v1/pools/", handler},
        {"GET", "/v1/pools", handler},
        {"PUT", "/v1/pools/", handler},
        {NULL, NULL, NULL},
    };
    static const struct {
        const char *method, *path;
        int found; /* index, or a BERTH_E* */
        const char *allow;
    } cases[] = {
        {"GET", "/v1/pools/a", 1, NULL},
        {"GET", "/v1/pools", 2, NULL},
        {"PUT", "/v1/pools/a", 3, NULL},
        {"GET", "/v1/poolsx", 0, NULL},
        {"PUT", "/v1/pools", BERTH_EDENIED, "GET"},
        {"POST", "/v1/pools/a", BERTH_EDENIED, "GET, PUT"},
        {"get", "/", BERTH_EDENIED, "GET"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_route *route = NULL;
        char allow[32];
        int r = text_route(routes, span_of(cases[i].method), span_of(cases[i].path), &route, allow,
                           sizeof allow);
        assert_int_equal(r == 0 ? route - routes : r, cases[i].found);
        if (cases[i].allow)
            assert_string_equal(allow, cases[i].allow);
    }
    const struct http_route *route;
    char allow[32];
    assert_int_equal(text_route(routes + 1, SPAN("GET"), SPAN("/x"), &route, allow, sizeof allow),
                     BERTH_ENOENT);
    assert_int_equal(text_route(NULL, SPAN("GET"), SPAN("/x"), &route, allow, sizeof allow),
                     BERTH_ENOENT);
}

static void test_queries(void **state)
{
    (void)state;
    char buf[8];
    struct span q = SPAN("room=a%20b&empty=&flag&x=1+2&long=123456789&bad=%g0&%72=enc");
    assert_int_equal(query_get(q, "room", buf, sizeof buf), 3);
    assert_string_equal(buf, "a b");
    assert_int_equal(query_get(q, "empty", buf, sizeof buf), 0);
    assert_int_equal(query_get(q, "flag", buf, sizeof buf), 0);
    assert_int_equal(query_get(q, "x", buf, sizeof buf), 3);
    assert_string_equal(buf, "1 2");
    assert_int_equal(query_get(q, "r", buf, sizeof buf), 3);
    assert_int_equal(query_get(q, "long", buf, sizeof buf), BERTH_EINVAL);
    assert_int_equal(query_get(q, "bad", buf, sizeof buf), BERTH_EINVAL);
    assert_int_equal(query_get(q, "roo", buf, sizeof buf), BERTH_ENOENT);
    assert_int_equal(query_get((struct span){NULL, 0}, "x", buf, sizeof buf), BERTH_ENOENT);
}

static void test_bearer_tokens(void **state)
{
    (void)state;
    struct http_request req = {.authorization = SPAN("bearer  secret")};
    assert_true(http_bearer_is(&req, "secret"));
    assert_false(http_bearer_is(&req, "secre"));
    assert_false(http_bearer_is(&req, "secret2"));
    assert_false(http_bearer_is(&req, "Secret"));
    assert_false(http_bearer_is(&req, ""));
    static const char *const none[] = {"", "Basic secret", "Bearer", "Bearer ", "secret"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        req.authorization = span_of(none[i]);
        assert_int_equal(http_bearer(&req).len, 0);
        assert_false(http_bearer_is(&req, "secret"));
        assert_false(http_bearer_is(&req, ""));
    }
}

static void test_origins_and_json(void **state)
{
    (void)state;
    static const char *const some[] = {"https://a.example", "http://b.example:8080", NULL},
                             *const any[] = {"*", NULL};
    assert_non_null(text_origin_allowed(some, SPAN("http://b.example:8080")));
    assert_null(text_origin_allowed(some, SPAN("https://a.example.evil.example")));
    assert_null(text_origin_allowed(some, SPAN("https://a.exampl")));
    assert_string_equal(text_origin_allowed(any, SPAN("https://x")), "*");
    char buf[16];
    text_json_escape(SPAN("a\"b\\c\n"), buf, sizeof buf);
    assert_string_equal(buf, "a\\\"b\\\\c\\u000a");
    text_json_escape(SPAN("0123456789abcd\n"), buf, sizeof buf);
    assert_string_equal(buf, "0123456789abcd"); /* no half escape */
}

static void test_urls(void **state)
{
    (void)state;
    struct text_url u;
    assert_int_equal(text_ws_url("ws://host", &u, NULL), 0);
    assert_true(span_is(u.host, "host") && span_is(u.path, "/") && u.port == 80 && !u.secure);
    assert_int_equal(text_ws_url("WSS://[::1]:4443/a/b?c=d#frag", &u, NULL), 0);
    assert_true(span_is(u.host, "::1") && span_is(u.path, "/a/b?c=d") && u.port == 4443 &&
                u.secure);
    assert_int_equal(text_ws_url("wss://h/", &u, NULL), 0);
    assert_int_equal(u.port, 443);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_longest_prefix_wins),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_bearer_tokens),
        cmocka_unit_test(test_origins_and_json),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
