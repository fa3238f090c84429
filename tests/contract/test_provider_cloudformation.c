/* test_provider_cloudformation.c - a stack per batch, once; deleted when nobody of it is needed, or
 * when it failed (aws_endpoint.py). */
#include "tests/support/aws_rig.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct stack_settings template;
static struct stack_parameter_settings parameters[] = {{"InstanceType", "c5.large"}};
static char path[] = "/tmp/berth-cfn-XXXXXX";

static int setup(void **state)
{
    struct aws_rig *rig = *state;
    static const char text[] = "{\"Resources\": {\"A\": \"ü & <b>\"}}";
    static const char *const capabilities[] = {"CAPABILITY_IAM"}, *const tags[] = {"team=eu"};
    snprintf(path, sizeof path, "/tmp/berth-cfn-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
    close(fd);
    template = (struct stack_settings){.name = "game",
                                       .template_file = path,
                                       .count_parameter = "Count",
                                       .parameters = {parameters, 1},
                                       .capabilities = {capabilities, 1},
                                       .tags = {tags, 1}};
    rig->settings.cloudformation.stacks = (struct section_items){&template, 1};
    rig->settings.cloudformation.create_timeout_ms = 10000;
    aws_rig_open(rig, &provider_cloudformation);
    aws_rig_tell(rig, "{\"stack_parameters\": [\"Count\", \"InstanceType\"]}");
    return 0;
}

static int teardown(void **state)
{
    unlink(path);
    aws_rig_all_well_formed(*state);
    aws_rig_close(*state);
    return 0;
}

static void wait_stacks(struct aws_rig *rig, int64_t count)
{
    for (int i = 0; i < 100 && aws_rig_number(rig, "stack_count") != count; i++) {
        (void)aws_rig_list(rig);
        aws_rig_pause(rig, 100);
    }
    assert_int_equal(aws_rig_number(rig, "stack_count"), count);
}

static void test_a_stack_per_batch(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 3, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 3);
    json_t *told = aws_rig_told(rig);
    const char *id;
    json_t *stack;
    json_object_foreach(json_object_get(told, "stacks"), id, stack)
    {
        assert_string_equal(json_string_value(json_object_get(stack, "name")),
                            "berth-test-game-tok-1");
        assert_string_equal(json_string_value(json_object_get(stack, "body")),
                            "{\"Resources\": {\"A\": \"ü & <b>\"}}");
    }
    json_decref(told);
    aws_rig_launch(rig, "tok-1", 3, ""); /* again: the same stack */
    assert_int_equal(rig->count, 3);
    assert_int_equal(aws_rig_number(rig, "made"), 3);
    assert_int_equal(aws_rig_list(rig), 3);
    assert_string_equal(rig->listed[0].token, "tok-1");
    assert_true(rig->listed[0].age_ms >= 0 && rig->listed[0].age_ms < 60000);
}

static void test_a_lost_answer_creates_no_second_stack(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"lose_next\": {\"action\": \"CreateStack\", \"count\": 2}}");
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(aws_rig_number(rig, "made"), 2);
    aws_rig_reopen(rig);
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(aws_rig_number(rig, "made"), 2);
}

static void test_a_rollback_says_why_and_is_deleted(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"stack_rollback_next\": 1}");
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_NO_CAPACITY);
    assert_non_null(strstr(rig->error, "ROLLBACK_COMPLETE: Server1: Resource handler"));
    wait_stacks(rig, 0);
    aws_rig_tell(rig, "{\"stack_rollback_next\": 1, \"stack_reason\": \"no such image\"}");
    aws_rig_launch(rig, "tok-2", 2, "");
    assert_int_equal(rig->outcome, SCALE_NOT_DONE);
    assert_non_null(strstr(rig->error, "Server1: no such image"));
}

static void test_a_failed_stack_that_nobody_waits_for_is_deleted(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"stack_rollback_next\": 1, \"fail_next\": {\"action\": \"DeleteStack\", "
                      "\"code\": \"AccessDenied\", \"status\": 403, \"count\": 1}}");
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_NO_CAPACITY);
    assert_int_equal(aws_rig_number(rig, "stack_count"), 1);
    wait_stacks(rig, 0);
}

static void test_deletes_the_stack_when_nobody_of_it_is_needed(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 3, "");
    aws_rig_terminate(rig, rig->ids[1]);
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(aws_rig_calls(rig, "DeleteStack"), 0); /* two still play */
    aws_rig_wait_live(rig, 2);
    assert_int_equal(aws_rig_number(rig, "live"), 3);
    aws_rig_reopen(rig); /* another process knows it from the tag */
    aws_rig_wait_live(rig, 2);
    const char *two[] = {rig->ids[0], rig->ids[2]};
    aws_rig_terminate_all(rig, two, 2);
    assert_int_equal(rig->outcome, SCALE_DONE);
    wait_stacks(rig, 0);
    aws_rig_wait_live(rig, 0);
    aws_rig_terminate(rig, rig->ids[0]); /* gone already */
    assert_int_equal(rig->outcome, SCALE_DONE);
}

static void test_pages_of_stacks_and_strangers(void **state)
{
    struct aws_rig *rig = *state;
    rig->env.name_space = "other";
    aws_rig_reopen(rig);
    aws_rig_launch(rig, "tok-1", 1, "");
    rig->env.name_space = "berth-test";
    aws_rig_reopen(rig);
    for (int i = 0; i < 4; i++) {
        char token[16];
        snprintf(token, sizeof token, "tok-%d", i);
        aws_rig_launch(rig, token, 1, "");
    }
    aws_rig_tell(rig, "{\"page_size\": 2}");
    assert_int_equal(aws_rig_list(rig), 4);
}

static void test_a_wrong_parameter_is_said(void **state)
{
    struct aws_rig *rig = *state;
    template.count_parameter = "Nodes";
    aws_rig_launch(rig, "tok-1", 1, "");
    assert_int_equal(rig->outcome, SCALE_NOT_DONE);
    assert_non_null(strstr(rig->error, "do not exist in the template"));
    struct err err = {0};
    struct stack_settings wrong = template;
    wrong.template_file = "/nowhere/template.json";
    rig->settings.cloudformation.stacks = (struct section_items){&wrong, 1};
    assert_null(provider_cloudformation.open(&rig->env, &err));
    assert_non_null(strstr(err.text, "template_file = /nowhere/template.json"));
}

/* The core asks again and again while a launch takes its time. */
static void test_whoever_asks_for_the_same_launch_is_answered(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch_often(rig, "tok-1", 2, 40);
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 2);
    assert_int_equal(aws_rig_calls(rig, "CreateStack"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_stack_per_batch),
        TEST(test_a_lost_answer_creates_no_second_stack),
        TEST(test_a_rollback_says_why_and_is_deleted),
        TEST(test_a_failed_stack_that_nobody_waits_for_is_deleted),
        TEST(test_deletes_the_stack_when_nobody_of_it_is_needed),
        TEST(test_pages_of_stacks_and_strangers),
        TEST(test_a_wrong_parameter_is_said),
        TEST(test_whoever_asks_for_the_same_launch_is_answered),
    };
    return cmocka_run_group_tests(tests, aws_rig_start, aws_rig_stop);
}
