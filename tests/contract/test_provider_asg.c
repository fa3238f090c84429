/* test_provider_asg.c - a group is sized by exactly what was asked, and AWS ends nobody of its own
 * choice (aws_endpoint.py). */
#include "tests/support/aws_rig.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

static struct asg_group_settings group;

static int setup(void **state)
{
    struct aws_rig *rig = *state;
    group = (struct asg_group_settings){"game", "game-group"};
    rig->settings.asg.groups = (struct section_items){&group, 1};
    rig->settings.asg.launch_timeout_ms = 10000;
    aws_rig_open(rig, &provider_asg);
    aws_rig_tell(rig, "{\"asg\": {\"game-group\": {\"max\": 8}, \"other\": {\"desired\": 3}}}");
    return 0;
}

static int teardown(void **state)
{
    struct aws_rig *rig = *state;
    json_t *told = aws_rig_told(rig);
    if (json_array_size(json_object_get(told, "victims")) > 0)
        fail_msg("AWS ended an instance of its own choice");
    json_decref(told);
    aws_rig_all_well_formed(rig);
    aws_rig_close(rig);
    return 0;
}

static int64_t of_group(struct aws_rig *rig, const char *key)
{
    json_t *told = aws_rig_told(rig);
    json_t *one = json_object_get(json_object_get(told, "asgs"), "game-group");
    int64_t n = json_integer_value(json_object_get(one, key));
    json_decref(told);
    return n;
}

static void test_launches_by_desired_capacity(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 2);
    aws_rig_launch(rig, "tok-2", 1, "");
    assert_int_equal(rig->count, 1);
    assert_int_equal(of_group(rig, "desired"), 3);
    assert_int_equal(aws_rig_list(rig), 3);
    int first = 0;
    for (size_t i = 0; i < 3; i++) {
        first += strcmp(rig->listed[i].token, "tok-1") == 0;
        assert_true(rig->listed[i].age_ms >= 0 && rig->listed[i].age_ms < 20000);
        assert_true(rig->listed[i].zone[0]);
    }
    assert_int_equal(first, 2);
}

static void test_a_lost_answer_adds_nothing(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"lose_next\": {\"action\": \"SetDesiredCapacity\", \"count\": 2}}");
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(of_group(rig, "desired"), 2);
    assert_int_equal(aws_rig_calls(rig, "SetDesiredCapacity"), 3);
}

static void test_another_process_carries_on_with_the_same_target(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 2, "");
    aws_rig_reopen(rig);
    assert_int_equal(aws_rig_list(rig), 2);
    assert_string_equal(rig->listed[0].token, "tok-1"); /* from EC2's tags */
    assert_true(rig->listed[0].age_ms < 60000);
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 2);
    assert_int_equal(of_group(rig, "desired"), 2);
    assert_int_equal(aws_rig_number(rig, "made"), 2 + 3);
}

static void test_works_without_tags(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"fail_next\": {\"action\": \"CreateOrUpdateTags\", \"code\": "
                      "\"AccessDenied\", \"status\": 403, \"count\": 99}}");
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 2);
    assert_int_equal(aws_rig_list(rig), 2);
    assert_string_equal(rig->listed[0].token, "tok-1");
}

static void test_the_groups_ceiling_is_kept(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 20, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 8);
    aws_rig_launch(rig, "tok-2", 1, "");
    assert_int_equal(rig->outcome, SCALE_NO_CAPACITY);
    assert_non_null(strstr(rig->error, "MaxSize (8)"));
}

static void test_a_group_that_makes_none_is_set_back(void **state)
{
    struct aws_rig *rig = *state;
    rig->settings.asg.launch_timeout_ms = 1500;
    aws_rig_tell(rig, "{\"capacity\": {\"*\": 1}, \"asg\": {\"other\": {}}}");
    aws_rig_launch(rig, "tok-1", 3, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 1);
    assert_int_equal(of_group(rig, "desired"), 1);
    aws_rig_launch(rig, "tok-2", 2, "");
    assert_int_equal(rig->outcome, SCALE_NO_CAPACITY);
    assert_int_equal(of_group(rig, "desired"), 1);
}

static bool all_protected(struct aws_rig *rig)
{
    const char *id;
    json_t *one, *told = aws_rig_told(rig);
    bool all = true;
    json_object_foreach(
        json_object_get(json_object_get(json_object_get(told, "asgs"), "game-group"), "instances"),
        id, one) all = all && json_is_true(json_object_get(one, "protected"));
    json_decref(told);
    return all;
}

static void test_what_the_group_makes_by_itself_is_not_asked_for_again(void **state)
{
    struct aws_rig *rig = *state;
    char kill[96];
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(aws_rig_list(rig), 2);
    snprintf(kill, sizeof kill, "{\"kill\": [\"%s\"]}", rig->ids[0]);
    aws_rig_tell(rig, kill);
    aws_rig_launch(rig, "tok-2", 1, ""); /* the group replaces it, too */
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 1);
    assert_int_equal(of_group(rig, "desired"), 2);
    aws_rig_wait_live(rig, 2);
}

static void test_protects_everybody(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"asg\": {\"game-group\": {\"max\": 8, \"new_protected\": false}}}");
    aws_rig_launch(rig, "tok-1", 2, "");
    for (int i = 0; i < 50 && !all_protected(rig); i++) {
        (void)aws_rig_list(rig);
        aws_rig_pause(rig, 100);
    }
    assert_true(all_protected(rig));
}

static void test_terminates_with_decrement_and_only_once(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 3, "");
    aws_rig_tell(rig, "{\"ending_ms\": 60000, \"lose_next\": {\"action\": "
                      "\"TerminateInstanceInAutoScalingGroup\", \"count\": 1}}");
    aws_rig_terminate(rig, rig->ids[0]);
    assert_int_equal(rig->outcome, SCALE_UNKNOWN);
    assert_int_equal(of_group(rig, "desired"), 2);
    aws_rig_terminate(rig, rig->ids[0]); /* asked again: it is on its way */
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(of_group(rig, "desired"), 2);
    const char *twice[] = {rig->ids[1], rig->ids[1]};
    aws_rig_terminate_all(rig, twice, 2);
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(of_group(rig, "desired"), 1);
    aws_rig_terminate(rig, "i-0123456789abcdef0"); /* nobody's */
    assert_int_equal(rig->outcome, SCALE_DONE);
    aws_rig_tell(rig, "{\"ending_ms\": 0}");
    aws_rig_wait_live(rig, 1);
    assert_int_equal(aws_rig_number(rig, "live"), 1 + 3);
}

static void test_a_group_that_is_not_there_is_said(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 1, "");
    group.group = "nobody";
    aws_rig_launch(rig, "tok-2", 1, "");
    assert_int_equal(rig->outcome, SCALE_DENIED);
    assert_non_null(strstr(rig->error, "there is no Auto Scaling group nobody"));
    assert_int_equal(aws_rig_list(rig), 0);
    assert_non_null(strstr(rig->error, "nobody"));
}

/* The core asks again and again while a launch takes its time. */
static void test_whoever_asks_for_the_same_launch_is_answered(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch_often(rig, "tok-1", 2, 40);
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 2);
    assert_int_equal(aws_rig_calls(rig, "SetDesiredCapacity"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_launches_by_desired_capacity),
        TEST(test_a_lost_answer_adds_nothing),
        TEST(test_another_process_carries_on_with_the_same_target),
        TEST(test_works_without_tags),
        TEST(test_the_groups_ceiling_is_kept),
        TEST(test_a_group_that_makes_none_is_set_back),
        TEST(test_what_the_group_makes_by_itself_is_not_asked_for_again),
        TEST(test_protects_everybody),
        TEST(test_terminates_with_decrement_and_only_once),
        TEST(test_a_group_that_is_not_there_is_said),
        TEST(test_whoever_asks_for_the_same_launch_is_answered),
    };
    return cmocka_run_group_tests(tests, aws_rig_start, aws_rig_stop);
}
