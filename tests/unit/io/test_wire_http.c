/* test_wire_http.c - where a message ends, and what is refused rather than guessed. */
#include "io/wire_http.h"
#include "tests/support/cmocka.h"

static int parse(const char *text, struct wire_head *head)
{
    return wire_request(text, strlen(text), 8192, head);
}

static void test_reads_a_request(void **state)
{
    (void)state;
    static const char text[] =
        "POST /a/b%20c?x=1&y=2 HTTP/1.1\r\nhost: h\r\nAuthorization: Bearer t\r\nORIGIN: o\r\n"
        "Content-Type:  application/json \r\nX-Forwarded-For: 1.2.3.4\r\nLast-Event-ID: 7\r\n"
        "Accept: */*\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nrest";
    struct wire_head head;
    assert_int_equal(parse(text, &head), 1);
    assert_int_equal(head.len, sizeof text - 1 - 4);
    assert_true(span_is(head.method, "POST"));
    assert_true(span_is(head.path, "/a/b%20c"));
    assert_true(span_is(head.query, "x=1&y=2"));
    assert_true(span_is(head.host, "h"));
    assert_true(span_is(head.authorization, "Bearer t"));
    assert_true(span_is(head.origin, "o"));
    assert_true(span_is(head.content_type, "application/json"));
    assert_true(span_is(head.forwarded_for, "1.2.3.4"));
    assert_true(span_is(head.last_event_id, "7"));
    assert_true(span_is(head.accept, "*/*"));
    assert_int_equal(head.content_length, 12);
    assert_int_equal(head.minor, 1);
    assert_true(head.keep_alive);
    assert_true(head.expect_continue);
    assert_false(head.chunked);
    assert_false(head.upgrade_websocket);
}

static void test_every_prefix_of_a_request_wants_more(void **state)
{
    (void)state;
    static const char text[] = "\r\nGET /x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, "
                               "Upgrade\r\nUpgrade: websocket\r\n\r\n";
    struct wire_head head;
    for (size_t n = 0; n < sizeof text - 1; n++)
        if (wire_request(text, n, 8192, &head) != 0)
            fail_msg("the first %zu bytes were not 'more'", n);
    assert_int_equal(wire_request(text, sizeof text - 1, 8192, &head), 1);
    assert_true(head.upgrade_websocket);
}

static void test_refuses_what_two_readers_could_read_differently(void **state)
{
    (void)state;
#define H "Host: h\r\n"
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\n" H "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" H " folded: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" H "Name : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" H ": x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" H "A: b\001\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" H H "\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
        {"GET / \r\n" H "\r\n", 400},
        {"GET /\x80 HTTP/1.1\r\n" H "\r\n", 400},
        {"G(T / HTTP/1.1\r\n" H "\r\n", 400},
        {"GET x HTTP/1.1\r\n" H "\r\n", 400},
        {"GET http://h HTTP/1.1\r\n" H "\r\n", 400},
        {"GET / HTTP/1.2\r\n" H "\r\n", 400},
        {"GET / HTTP/2.0\r\n" H "\r\n", 505},
        {"GET / http/1.1\r\n" H "\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: \r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 9999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"THISMETHODISLONGERTHANANYMETHODIS / HTTP/1.1\r\n" H "\r\n", 400},
    };
    struct wire_head head;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int r = parse(cases[i].text, &head);
        if (r != -cases[i].status)
            fail_msg("%s gave %d", cases[i].text, r);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct wire_head head;
    static const char text[] = "GET /0123456789 HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_int_equal(wire_request(text, sizeof text - 1, sizeof text - 1, &head), 1);
    assert_int_equal(wire_request(text, sizeof text - 1, sizeof text - 2, &head), -431);
    assert_int_equal(wire_request(text, sizeof text - 1, 20, &head), -414);
    char many[2000] = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (int i = 1; i < WIRE_HEADERS_MAX; i++)
        strcat(many, "A: b\r\n");
    size_t n = strlen(many);
    strcat(many, "\r\n");
    assert_int_equal(parse(many, &head), 1);
    strcpy(many + n, "A: b\r\n\r\n");
    assert_int_equal(parse(many, &head), -431);
}

static void test_keeps_alive_by_version_and_wish(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
    };
    struct wire_head head;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i].text, &head), 1);
        assert_int_equal(head.keep_alive, cases[i].keep);
    }
    assert_int_equal(
        parse("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", &head), 1);
    assert_false(head.upgrade_websocket);
    assert_int_equal(
        parse("POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
              &head),
        1);
    assert_false(head.upgrade_websocket);
}

static void test_decodes_chunks_however_they_are_cut(void **state)
{
    (void)state;
    static const char body[] = "5;ext=\"v\"\r\nhello\r\nB\r\n, chunked w\r\n000003\r\norl\r\n1 "
                               "\r\nd\r\n0\r\nTrailer: x\r\n\r\nGET";
    for (size_t step = 1; step < sizeof body; step++) {
        struct wire_chunked c = {.state = 0};
        char out[sizeof body];
        size_t at = 0, made_all = 0, used, made;
        int r = 0;
        while (r == 0 && at < sizeof body - 1) {
            size_t n = sizeof body - 1 - at < step ? sizeof body - 1 - at : step;
            r = wire_chunked_decode(&c, body + at, n, out + made_all, &used, &made);
            at += used;
            made_all += made;
        }
        assert_int_equal(r, 1);
        assert_string_equal(body + at, "GET"); /* the next request is left alone */
        assert_true(span_is((struct span){out, made_all}, "hello, chunked world"));
    }
}

static void test_refuses_malformed_chunks(void **state)
{
    (void)state;
    static const char *const cases[] = {"\r\n",
                                        "g\r\n",
                                        "-1\r\n",
                                        "5\nhello",
                                        "5\r\nhelloX",
                                        "5\r\nhello\rX",
                                        "1000000000000000\r\n",
                                        "0\r\nA\001\r\n",
                                        "0\r\n\rX",
                                        "5;a\001\r\n",
                                        "0x5\r\n",
                                        "5\r\r\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire_chunked c = {.state = 0};
        char out[64];
        size_t used, made;
        if (wire_chunked_decode(&c, cases[i], strlen(cases[i]), out, &used, &made) != -1)
            fail_msg("%s was taken", cases[i]);
    }
}

static void test_bounds_what_chunks_carry_beside_data(void **state)
{
    (void)state;
    struct wire_chunked c = {.state = 0};
    char out[8], filler[5000];
    size_t used, made;
    memset(filler, 'x', sizeof filler);
    assert_int_equal(wire_chunked_decode(&c, "1;", 2, out, &used, &made), 0);
    assert_int_equal(wire_chunked_decode(&c, filler, sizeof filler, out, &used, &made), -1);
    c = (struct wire_chunked){.state = 0};
    assert_int_equal(wire_chunked_decode(&c, "0\r\n", 3, out, &used, &made), 0);
    assert_int_equal(wire_chunked_decode(&c, filler, sizeof filler, out, &used, &made), -1);
}

static void test_unescapes(void **state)
{
    (void)state;
    char buf[8];
    assert_int_equal(wire_unescape(SPAN("a%2Fb+c"), false, buf, sizeof buf), 5);
    assert_string_equal(buf, "a/b+c");
    assert_int_equal(wire_unescape(SPAN("a+b"), true, buf, sizeof buf), 3);
    assert_string_equal(buf, "a b");
    assert_int_equal(wire_unescape(SPAN("1234567"), true, buf, sizeof buf), 7);
    static const char *const bad[] = {"12345678", "%", "%1", "%1g", "%00", "%%41"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(wire_unescape(span_of(bad[i]), true, buf, sizeof buf), -1);
    assert_int_equal(wire_unescape(SPAN("a\0b"), true, buf, sizeof buf), -1);
}

static void test_reads_a_response(void **state)
{
    (void)state;
    struct wire_answer a;
    static const char text[] =
        "HTTP/1.1 101 Switching Protocols\r\nUPGRADE: WebSocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Accept: abc=\r\n\r\n\x81";
    for (size_t n = 0; n < sizeof text - 2; n++)
        assert_int_equal(wire_response(text, n, 8192, &a), 0);
    assert_int_equal(wire_response(text, sizeof text - 1, 8192, &a), 1);
    assert_int_equal(a.status, 101);
    assert_true(a.upgrade_websocket);
    assert_true(span_is(a.ws_accept, "abc="));
    assert_int_equal(a.len, sizeof text - 2);
    static const char *const bad[] = {"HTTP/1.0 101 X\r\n\r\n", "HTTP/1.1 1x1 X\r\n\r\n",
                                      "SSH-2.0\r\n", "HTTP/1.1 101 X\n\n",
                                      "HTTP/1.1 101 X\r\nA\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(wire_response(bad[i], strlen(bad[i]), 8192, &a), -1);
    assert_int_equal(wire_response(text, sizeof text - 1, 40, &a), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_request),
        cmocka_unit_test(test_every_prefix_of_a_request_wants_more),
        cmocka_unit_test(test_refuses_what_two_readers_could_read_differently),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_keeps_alive_by_version_and_wish),
        cmocka_unit_test(test_decodes_chunks_however_they_are_cut),
        cmocka_unit_test(test_refuses_malformed_chunks),
        cmocka_unit_test(test_bounds_what_chunks_carry_beside_data),
        cmocka_unit_test(test_unescapes),
        cmocka_unit_test(test_reads_a_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
