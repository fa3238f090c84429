/* test_aws_credentials.c - what metadata services tell is read strictly, and renewed in time. */
#include "aws/credentials.h"
#include "tests/support/cmocka.h"

static void test_reads_both_endpoints(void **state)
{
    struct credentials c;
    struct err err = {0};
    assert_int_equal(
        credentials_read(
            SPAN("{\"RoleArn\": \"r\", \"AccessKeyId\": \"ASIA1\", \"SecretAccessKey\": "
                 "\"s/+\", \"Token\": \"t==\", \"Expiration\": "
                 "\"2026-11-21T23:59:59Z\"}"),
            "container", &c, &err),
        0);
    assert_string_equal(c.id, "ASIA1");
    assert_string_equal(c.token, "t==");
    assert_int_equal(c.expires_s, 1795305599);
    assert_int_equal(credentials_read(SPAN("{\"Code\": \"Success\", \"AccessKeyId\": \"ASIA2\", "
                                           "\"SecretAccessKey\": \"s\", \"Token\": \"t\\/u\"}"),
                                      "instance", &c, &err),
                     0);
    assert_string_equal(c.token, "t/u");
    assert_int_equal(c.expires_s, 0);
}

static void test_refuses_what_is_not_whole(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"Code\": \"Failed\", \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\"}",
        "{\"AccessKeyId\": \"a\"}",
        "{\"AccessKeyId\": \"\", \"SecretAccessKey\": \"s\"}",
        "{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\", \"Expiration\": \"soon\"}"};
    struct credentials c = {.id = "untouched"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = {0};
        assert_int_equal(credentials_read(span_of(wrong[i]), "instance", &c, &err), BERTH_EPROTO);
        assert_string_equal(c.id, "untouched");
    }
}

static void test_reads_times(void **state)
{
    int64_t s;
    assert_true(credentials_time(SPAN("1970-01-01T00:00:10Z"), &s));
    assert_int_equal(s, 10);
    assert_true(credentials_time(SPAN("2026-11-21T23:59:59.123Z"), &s));
    assert_int_equal(s, 1795305599);
    assert_false(credentials_time(SPAN("2026-11-21T23:59:59"), &s));
    assert_false(credentials_time(SPAN("2026-13-21T23:59:59Z"), &s));
    assert_false(credentials_time(SPAN("tomorrow"), &s));
}

static void test_is_renewed_before_its_end(void **state)
{
    struct credentials c = {.expires_s = 10000};
    assert_int_equal(credentials_renew_s(&c, 6000), 9700);
    assert_int_equal(credentials_renew_s(&c, 9700), 9900);
    assert_int_equal(credentials_renew_s(&c, 10001), 10001);
    c.expires_s = 0;
    assert_int_equal(credentials_renew_s(&c, 6000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_both_endpoints),
        cmocka_unit_test(test_refuses_what_is_not_whole),
        cmocka_unit_test(test_reads_times),
        cmocka_unit_test(test_is_renewed_before_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
