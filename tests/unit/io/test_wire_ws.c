/* test_wire_ws.c - frames of RFC 6455. */
#include "io/wire_ws.h"
#include "tests/support/cmocka.h"

static void test_frame_heads_survive_the_trip(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 1u << 31, INT64_MAX};
    static const uint8_t mask[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int masked = 0; masked < 2; masked++) {
            char head[WIRE_WS_HEAD_MAX];
            struct wire_frame f;
            size_t n = wire_frame_write(head, WS_BINARY, i % 2, lengths[i], masked ? mask : NULL);
            for (size_t part = 0; part < n; part++)
                assert_int_equal(wire_frame_read(head, part, masked, &f), 0);
            assert_int_equal(wire_frame_read(head, n, masked, &f), 1);
            assert_int_equal(f.head, n);
            assert_true(f.len == lengths[i]);
            assert_int_equal(f.opcode, WS_BINARY);
            assert_int_equal(f.fin, i % 2);
            if (masked)
                assert_memory_equal(f.mask, mask, 4);
            assert_int_equal(wire_frame_read(head, n, !masked, &f), -1);
        }
}

static void test_refuses_broken_frames(void **state)
{
    (void)state;
    static const struct span frames[] = {
        {"\xc1\x00", 2},
        {"\xa1\x00", 2},
        {"\x91\x00", 2},
        {"\x83\x00", 2},
        {"\x8b\x00", 2},
        {"\x09\x00", 2},
        {"\x89\x7e", 2},
        {"\x88\x7f", 2},
        {"\x81\x7e\x00\x7d", 4},
        {"\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 10},
        {"\x81\x7f\x80\x00\x00\x00\x00\x01\x00\x00", 10},
    };
    struct wire_frame f;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        assert_int_equal(wire_frame_read(frames[i].ptr, frames[i].len, false, &f), -1);
}

static void test_masks(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d}; /* RFC 6455 5.7 */
    char hello[] = "Hello";
    wire_mask(hello, 5, mask);
    assert_memory_equal(hello, "\x7f\x9f\x4d\x51\x58", 5);
    for (size_t len = 0; len < 40; len++) {
        char data[40] = {0};
        wire_mask(data, len, mask);
        for (size_t i = 0; i < sizeof data; i++)
            assert_int_equal((uint8_t)data[i], i < len ? mask[i % 4] : 0);
    }
}

static void test_knows_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "plain ascii of more than eight bytes",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "12345678\xc3\xa9"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xe2\x82",
                                      "\xc2\x41",
                                      "12345678\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(wire_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(wire_utf8(bad[i], strlen(bad[i])));
}

static void test_answers_the_key_of_the_rfc(void **state)
{
    (void)state;
    char accept[29];
    wire_ws_accept(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_true(wire_ws_key(SPAN("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_false(wire_ws_key(SPAN("dGhlIHNhbXBsZSBub25jZQ")));
    assert_false(wire_ws_key(SPAN("dGhlIHNhbXBsZSBub25j====")));
    assert_false(wire_ws_key(SPAN("dGhlIHNhbXBsZSBub25j!Q==")));
}

static void test_close_codes(void **state)
{
    (void)state;
    static const int good[] = {1000, 1001, 1003, 1007, 1014, 3000, 4000, 4999},
                     bad[] = {0, 999, 1004, 1005, 1006, 1015, 2999, 5000};
    for (size_t i = 0; i < 8; i++) {
        assert_true(wire_close_code(good[i]));
        assert_false(wire_close_code(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_heads_survive_the_trip),
        cmocka_unit_test(test_refuses_broken_frames),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_knows_utf8),
        cmocka_unit_test(test_answers_the_key_of_the_rfc),
        cmocka_unit_test(test_close_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
