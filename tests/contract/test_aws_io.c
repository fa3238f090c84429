/* test_aws_io.c - credentials from every source, a wrong clock, keys that end: calls that are
 * carried out all the same (aws_endpoint.py). */
#include "tests/support/aws_rig.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct describe_answer {
    int answers;
    enum fault_kind kind;
    char error[600];
} told;

static void on_described(void *arg, const struct instances *list, const struct aws_answer *answer)
{
    struct aws_rig *rig = arg;
    told.answers++;
    told.kind = answer->kind;
    snprintf(told.error, sizeof told.error, "%s", answer->error ? answer->error : "");
    loop_stop(rig->loop);
}

static enum fault_kind ask(struct aws_rig *rig)
{
    static const char *const value[] = {"x"};
    struct describe_filter filter = {"tag:none", value, 1};
    told = (struct describe_answer){0};
    assert_non_null(describe_start(rig->env.aws, &filter, 1, 6000, on_described, rig));
    timer_start(&rig->deadline, 15000, 0);
    loop_run(rig->loop);
    timer_stop(&rig->deadline);
    assert_int_equal(told.answers, 1);
    return told.kind;
}

static int setup(void **state)
{
    aws_rig_open(*state, NULL);
    return 0;
}

static int teardown(void **state)
{
    static const char *const gone[] = {"AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                       "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_PROFILE",
                                       "AWS_ENDPOINT_URL_EC2"};
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        unsetenv(gone[i]);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials", 1);
    setenv("AWS_CONFIG_FILE", "/nowhere/config", 1);
    aws_rig_close(*state);
    return 0;
}

static void no_keys_in_the_environment(struct aws_rig *rig)
{
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    aws_rig_reopen(rig);
}

static void test_keys_of_the_environment(void **state)
{
    struct aws_rig *rig = *state;
    assert_int_equal(ask(rig), FAULT_NONE);
    aws_rig_all_well_formed(rig);
    setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
    aws_rig_reopen(rig);
    assert_int_equal(ask(rig), FAULT_DENIED);
    assert_non_null(strstr(told.error, "DescribeInstances: AuthFailure"));
}

static void test_keys_and_region_of_a_profile(void **state)
{
    struct aws_rig *rig = *state;
    char keys[] = "/tmp/berth-aws-XXXXXX", config[] = "/tmp/berth-aws-XXXXXX", line[200];
    int a = mkstemp(keys), b = mkstemp(config);
    static const char text[] = "[default]\naws_access_key_id = WRONG\naws_secret_access_key = x\n"
                               "[game]\naws_access_key_id = AKIDBERTHTEST\n"
                               "aws_secret_access_key = berth/test+secret\n";
    assert_int_equal(write(a, text, sizeof text - 1), sizeof text - 1);
    snprintf(line, sizeof line,
             "[profile game]\nregion = eu-test-1\nservices = here\n[services here]\nec2 =\n"
             "  endpoint_url = %s\n",
             rig->server.url);
    assert_int_equal(write(b, line, strlen(line)), strlen(line));
    setenv("AWS_SHARED_CREDENTIALS_FILE", keys, 1);
    setenv("AWS_CONFIG_FILE", config, 1);
    setenv("AWS_PROFILE", "game", 1);
    unsetenv("AWS_REGION");
    rig->settings.aws.endpoint = NULL;
    no_keys_in_the_environment(rig);
    assert_int_equal(ask(rig), FAULT_NONE);
    aws_rig_all_well_formed(rig);
    rig->settings.aws.profile = "nobody"; /* what is configured goes first */
    aws_rig_reopen(rig);
    assert_int_equal(ask(rig), FAULT_DENIED);
    assert_non_null(strstr(told.error, "profile nobody is neither in"));
    close(a);
    close(b);
    unlink(keys);
    unlink(config);
}

static void test_keys_of_a_container(void **state)
{
    struct aws_rig *rig = *state;
    char url[128];
    snprintf(url, sizeof url, "%s/container", rig->server.url);
    aws_rig_tell(rig, "{\"container_token\": \"Basic abc\"}");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc", 1);
    no_keys_in_the_environment(rig);
    assert_int_equal(ask(rig), FAULT_NONE);
    aws_rig_all_well_formed(rig);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/steal", 1);
    aws_rig_reopen(rig);
    assert_int_equal(ask(rig), FAULT_DENIED);
    assert_non_null(strstr(told.error, "must be https, or on this machine"));
}

static void test_keys_and_region_of_the_instance(void **state)
{
    struct aws_rig *rig = *state;
    unsetenv("AWS_REGION");
    no_keys_in_the_environment(rig);
    assert_int_equal(ask(rig), FAULT_NONE);
    aws_rig_all_well_formed(rig);
}

static void test_keys_that_end_in_mid_flight_are_fetched_anew(void **state)
{
    struct aws_rig *rig = *state;
    no_keys_in_the_environment(rig);
    assert_int_equal(ask(rig), FAULT_NONE);
    aws_rig_tell(rig, "{\"expire_credentials\": true}");
    assert_int_equal(ask(rig), FAULT_NONE);
    aws_rig_all_well_formed(rig);
}

static void test_keys_of_a_short_life_never_run_out(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"credentials_life_s\": 3}");
    no_keys_in_the_environment(rig);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(ask(rig), FAULT_NONE);
        aws_rig_pause(rig, 250);
    }
    aws_rig_all_well_formed(rig);
}

static void test_a_wrong_clock_is_put_right(void **state)
{
    struct aws_rig *rig = *state;
    for (int i = -1; i <= 1; i += 2) {
        aws_rig_tell(rig, i < 0 ? "{\"clock_offset_s\": -7200}" : "{\"clock_offset_s\": 900}");
        assert_int_equal(ask(rig), FAULT_NONE);
        int64_t apart = aws_wall_s(rig->env.aws) - loop_wall_us() / 1000000;
        assert_true(apart - (i < 0 ? -7200 : 900) <= 1 && apart - (i < 0 ? -7200 : 900) >= -1);
    }
    aws_rig_tell(rig, "{\"clock_offset_s\": 0}");
    assert_int_equal(ask(rig), FAULT_NONE);
    assert_int_equal(aws_wall_s(rig->env.aws), loop_wall_us() / 1000000);
    aws_rig_all_well_formed(rig);
}

static void test_without_keys_it_says_where_it_looked(void **state)
{
    struct aws_rig *rig = *state;
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    no_keys_in_the_environment(rig);
    unsetenv("AWS_EC2_METADATA_DISABLED");
    assert_int_equal(ask(rig), FAULT_DENIED);
    assert_non_null(strstr(told.error, "no AWS credentials: none in the environment"));
    setenv("AWS_ACCESS_KEY_ID", "half", 1);
    aws_rig_reopen(rig);
    assert_int_equal(ask(rig), FAULT_DENIED);
    assert_non_null(strstr(told.error, "must have both"));
}

static void test_an_answer_that_is_late_is_asked_again_within_the_limit(void **state)
{
    struct aws_rig *rig = *state;
    rig->settings.aws.timeout_ms = 500;
    aws_rig_tell(rig, "{\"latency_ms\": 700}");
    int64_t before = rig->loop ? loop_now(rig->loop).ms : 0;
    assert_int_equal(ask(rig), FAULT_PASSING);
    assert_in_range(loop_now(rig->loop).ms - before, 2000, 7000);
    aws_rig_tell(rig, "{\"latency_ms\": 0}");
    assert_int_equal(ask(rig), FAULT_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_of_the_environment),
        TEST(test_keys_and_region_of_a_profile),
        TEST(test_keys_of_a_container),
        TEST(test_keys_and_region_of_the_instance),
        TEST(test_keys_that_end_in_mid_flight_are_fetched_anew),
        TEST(test_keys_of_a_short_life_never_run_out),
        TEST(test_a_wrong_clock_is_put_right),
        TEST(test_without_keys_it_says_where_it_looked),
        TEST(test_an_answer_that_is_late_is_asked_again_within_the_limit),
    };
    return cmocka_run_group_tests(tests, aws_rig_start, aws_rig_stop);
}
