/* test_base64url.c - base64url both ways; one text for one value. */
#include "core/base64url.h"

#include "tests/support/cmocka.h"

static void test_encodes_and_decodes(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        /* RFC 4648 section 10, without padding */
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[32];
        size_t len = strlen(cases[i].bytes);
        size_t n = base64url_encode(cases[i].bytes, len, buf);
        assert_int_equal(n, strlen(cases[i].text));
        assert_int_equal(n, base64url_length(len));
        assert_memory_equal(buf, cases[i].text, n);
        assert_int_equal(base64url_decode(span_of(cases[i].text), buf, sizeof buf), len);
        assert_memory_equal(buf, cases[i].bytes, len);
    }
}

static void test_every_length_and_byte_survives(void **state)
{
    unsigned char bytes[259];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 167);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        char text[400];
        unsigned char back[259];
        size_t n = base64url_encode(bytes, len, text);
        assert_int_equal(base64url_decode((struct span){text, n}, back, len), len);
        assert_memory_equal(back, bytes, len);
        if (len > 0)
            assert_int_equal(base64url_decode((struct span){text, n}, back, len - 1), BERTH_EFULL);
    }
}

static void test_refuses_what_is_not_strict(void **state)
{
    static const char *const texts[] = {
        "Z",     /* a length that no bytes have */
        "Zm9vY", /* likewise */
        "Zg==",  /* padding */
        "Zh",    /* left-over bits: another text of "f" */
        "Zm9",   /* left-over bits */
        "Zm9+",  /* base64, not base64url */
        "Zm9/",  "Zm 9", "Zm9v\n", "Zm9\xc3",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char buf[32];
        assert_int_equal(base64url_decode(span_of(texts[i]), buf, sizeof buf), BERTH_EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodes_and_decodes),
        cmocka_unit_test(test_every_length_and_byte_survives),
        cmocka_unit_test(test_refuses_what_is_not_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
