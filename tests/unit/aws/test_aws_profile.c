/* test_aws_profile.c - the shared files are read as the other AWS tools read them. */
#include "aws/profile.h"
#include "tests/support/cmocka.h"

static const char config[] = "# comment\n"
                             "[default]\n"
                             "region = eu-central-1\r\n"
                             "\n"
                             "[profile   game]\n"
                             "region=us-east-1\n"
                             "services = local\n"
                             "s3 =\n"
                             "  region = nested\n"
                             "; region = commented\n"
                             "[services local]\n"
                             "ec2 =\n"
                             "    endpoint_url = http://127.0.0.1:4566\n"
                             "auto_scaling =\n"
                             "    endpoint_url = http://127.0.0.1:4567\n"
                             "[profile last]\n"
                             "aws_access_key_id = one\n"
                             "aws_access_key_id = AKID=two";

static void expect(const char *section, const char *key, const char *sub, const char *want)
{
    struct span value = {0};
    struct span text = span_of(config);
    bool there = sub ? profile_get_nested(text, section, key, sub, &value)
                     : profile_get(text, section, key, &value);
    if (!want) {
        assert_false(there);
        return;
    }
    assert_true(there);
    if (!span_is(value, want))
        fail_msg("%s.%s is %.*s", section, key, SPAN_ARG(value));
}

static void test_finds_values(void **state)
{
    expect("default", "region", NULL, "eu-central-1");
    expect("profile game", "region", NULL, "us-east-1");
    expect("profile last", "aws_access_key_id", NULL, "AKID=two");
    expect("game", "region", NULL, NULL);
    expect("profile gam", "region", NULL, NULL);
    expect("profile game", "output", NULL, NULL);
}

static void test_finds_nested_values(void **state)
{
    expect("services local", "ec2", "endpoint_url", "http://127.0.0.1:4566");
    expect("services local", "auto_scaling", "endpoint_url", "http://127.0.0.1:4567");
    expect("services local", "cloudwatch", "endpoint_url", NULL);
    expect("profile game", "s3", "region", "nested");
}

static void test_knows_sections(void **state)
{
    assert_true(profile_has(span_of(config), "default"));
    assert_true(profile_has(span_of(config), "profile game"));
    assert_false(profile_has(span_of(config), "profile nobody"));
    assert_false(profile_has(span_of(""), "default"));
    assert_false(profile_has(span_of("[default"), "default"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_values),
        cmocka_unit_test(test_finds_nested_values),
        cmocka_unit_test(test_knows_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
