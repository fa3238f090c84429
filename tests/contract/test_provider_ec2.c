/* test_provider_ec2.c - launches, lists and ends against an EC2 that checks every request and makes
 * trouble (aws_endpoint.py). */
#include "tests/support/aws_rig.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const subnets[] = {"subnet-0000000a", "subnet-0000000b", "subnet-0000000c"};
static const char *const types[] = {"c5.large", "c6i.large"};
static const char *const tags[] = {"team=realtime, eu", "cost=a=b"};
static struct ec2_template_settings template;

static int setup(void **state)
{
    struct aws_rig *rig = *state;
    template = (struct ec2_template_settings){.name = "game",
                                              .launch_template = "lt-0123456789abcdef0",
                                              .version = "$Default",
                                              .subnets = {subnets, 3},
                                              .instance_types = {types, 2},
                                              .tags = {tags, 2}};
    rig->settings.ec2.templates = (struct section_items){&template, 1};
    aws_rig_open(rig, &provider_ec2);
    return 0;
}

static int teardown(void **state)
{
    aws_rig_all_well_formed(*state);
    aws_rig_close(*state);
    return 0;
}

/* The value of a tag of the endpoint's instance number i. */
static void assert_tag(json_t *told, size_t i, const char *key, const char *want)
{
    json_t *one = json_array_get(json_object_get(told, "instances"), i);
    const char *have = json_string_value(json_object_get(json_object_get(one, "tags"), key));
    assert_non_null(have);
    assert_string_equal(have, want);
}

static int in_zone(json_t *told, const char *zone, const char *type)
{
    size_t i;
    json_t *one;
    int n = 0;
    json_array_foreach(json_object_get(told, "instances"), i, one) n +=
        strcmp(json_string_value(json_object_get(one, "zone")), zone) == 0 &&
        (!type || strcmp(json_string_value(json_object_get(one, "type")), type) == 0);
    return n;
}

static void test_launches_with_tags_spread_over_zones(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 6, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 6);
    assert_int_equal(aws_rig_calls(rig, "RunInstances"), 3);
    json_t *told = aws_rig_told(rig);
    assert_int_equal(in_zone(told, "eu-test-1a", "c5.large"), 2);
    assert_int_equal(in_zone(told, "eu-test-1b", "c5.large"), 2);
    assert_int_equal(in_zone(told, "eu-test-1c", "c5.large"), 2);
    assert_tag(told, 0, "berth:namespace", "berth-test");
    assert_tag(told, 0, "berth:pool", "game");
    assert_tag(told, 0, "berth:token", "tok-1");
    assert_tag(told, 0, "team", "realtime, eu");
    assert_tag(told, 0, "cost", "a=b");
    assert_tag(told, 0, "Name", "berth-test-game");
    json_decref(told);
    assert_int_equal(aws_rig_list(rig), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(rig->listed[i].token, "tok-1");
        assert_true(strncmp(rig->listed[i].zone, "eu-test-1", 9) == 0);
        assert_true(rig->listed[i].age_ms >= 0 && rig->listed[i].age_ms < 20000);
        assert_false(rig->listed[i].ending);
    }
    aws_rig_launch(rig, "tok-2", 1, "eu-test-1c"); /* the plan's zone goes first */
    told = aws_rig_told(rig);
    assert_int_equal(in_zone(told, "eu-test-1c", NULL), 3);
    json_decref(told);
}

static void test_knows_a_subnets_zone_before_the_first_launch(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 2, "eu-test-1b");
    json_t *told = aws_rig_told(rig);
    assert_int_equal(in_zone(told, "eu-test-1b", NULL), 2);
    json_decref(told);
}

static void test_a_lost_answer_does_not_launch_twice(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"lose_next\": {\"action\": \"RunInstances\", \"count\": 2}}");
    aws_rig_launch(rig, "tok-1", 3, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 3);
    assert_int_equal(aws_rig_number(rig, "made"), 3);
    assert_true(aws_rig_calls(rig, "RunInstances") >= 5); /* three, and two of them again */
    aws_rig_launch(rig, "tok-1", 3, "");                  /* and if the core asks once more */
    assert_int_equal(rig->count, 3);
    assert_int_equal(aws_rig_number(rig, "made"), 3);
}

static void test_another_process_finds_what_the_token_made(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 3, "");
    aws_rig_reopen(rig);
    aws_rig_launch(rig, "tok-1", 4, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 4);
    assert_int_equal(aws_rig_number(rig, "made"), 4);
}

static void test_another_process_that_sees_nothing_yet_asks_the_same_thing(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"visible_after_ms\": 60000}");
    aws_rig_launch(rig, "tok-1", 3, "");
    aws_rig_reopen(rig);
    aws_rig_launch(rig, "tok-1", 3, "");
    assert_int_equal(rig->count, 3);
    assert_int_equal(aws_rig_number(rig, "made"), 3);
}

static void test_falls_back_to_other_zones_then_types(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"capacity\": {\"eu-test-1a/c5.large\": 1, \"eu-test-1b/c5.large\": 0, "
                      "\"eu-test-1c/c5.large\": 2}}");
    aws_rig_launch(rig, "tok-1", 6, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 6);
    json_t *told = aws_rig_told(rig);
    assert_int_equal(in_zone(told, "eu-test-1a", "c5.large"), 1);
    assert_int_equal(in_zone(told, "eu-test-1c", "c5.large"), 2);
    assert_int_equal(in_zone(told, "eu-test-1a", "c6i.large") +
                         in_zone(told, "eu-test-1b", "c6i.large") +
                         in_zone(told, "eu-test-1c", "c6i.large"),
                     3);
    json_decref(told);
}

static void test_partial_capacity_is_what_there_is(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"capacity\": {\"*\": 2}}");
    aws_rig_launch(rig, "tok-1", 5, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(rig->count, 2);
    aws_rig_launch(rig, "tok-2", 1, "");
    assert_int_equal(rig->outcome, SCALE_NO_CAPACITY);
    assert_non_null(strstr(rig->error, "InsufficientInstanceCapacity"));
}

static void test_a_throttling_storm_converges(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"throttle_next\": 5}");
    aws_rig_launch(rig, "tok-1", 3, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(aws_rig_number(rig, "made"), 3);
}

static void test_denied_is_said_and_not_repeated(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"fail_next\": {\"action\": \"RunInstances\", \"code\": "
                      "\"UnauthorizedOperation\", \"status\": 403, \"count\": 9}}");
    aws_rig_launch(rig, "tok-1", 1, "");
    assert_int_equal(rig->outcome, SCALE_DENIED);
    assert_non_null(strstr(rig->error, "RunInstances: UnauthorizedOperation: as asked"));
    assert_int_equal(aws_rig_number(rig, "made"), 0);
    template.launch_template = "lt-0123456789abcdef9";
    aws_rig_tell(rig, "{\"fail_next\": null}");
    aws_rig_launch(rig, "tok-2", 1, "");
    assert_int_equal(rig->outcome, SCALE_DENIED);
    template.launch_template = "game"; /* by name */
    aws_rig_launch(rig, "tok-3", 1, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
}

static void test_errors_on_their_side_are_bridged(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"fail_next\": {\"action\": \"RunInstances\", \"code\": \"InternalError\", "
                      "\"status\": 500, \"count\": 3}}");
    aws_rig_launch(rig, "tok-1", 1, "");
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(aws_rig_number(rig, "made"), 1);
}

static void test_lists_all_pages_and_only_its_own(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 23, "");
    rig->env.name_space = "another";
    aws_rig_reopen(rig);
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->count, 2);
    assert_int_equal(aws_rig_number(rig, "made"), 25);
    rig->env.name_space = "berth-test";
    aws_rig_reopen(rig);
    aws_rig_tell(rig, "{\"page_size\": 5}");
    assert_int_equal(aws_rig_list(rig), 23);
}

static void test_a_fresh_instance_is_listed_before_ec2_lists_it(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"visible_after_ms\": 700}");
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(aws_rig_list(rig), 2);
    assert_string_equal(rig->listed[0].token, "tok-1");
    aws_rig_pause(rig, 900);
    assert_int_equal(aws_rig_list(rig), 2); /* now EC2's own, not twice */
}

static void test_one_that_dies_at_boot_leaves_the_list(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"die_at_boot_next\": 1}");
    aws_rig_launch(rig, "tok-1", 2, "");
    assert_int_equal(rig->count, 2);
    aws_rig_wait_live(rig, 1);
}

static void test_terminates_together_and_what_is_gone_is_done(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 3, "");
    const char *ids[] = {rig->ids[0], "i-0123456789abcdef0", rig->ids[1]};
    aws_rig_terminate_all(rig, ids, 3);
    assert_int_equal(rig->outcome, SCALE_DONE);
    aws_rig_wait_live(rig, 1);
    const char *both[] = {rig->ids[0], rig->ids[2]};
    int64_t before = aws_rig_calls(rig, "TerminateInstances");
    aws_rig_terminate_all(rig, both, 2); /* one of them a second time */
    assert_int_equal(rig->outcome, SCALE_DONE);
    assert_int_equal(aws_rig_calls(rig, "TerminateInstances"), before + 1);
    aws_rig_wait_live(rig, 0);
}

static void test_a_terminate_that_is_refused_says_why(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_launch(rig, "tok-1", 1, "");
    aws_rig_tell(rig, "{\"fail_next\": {\"action\": \"TerminateInstances\", \"code\": "
                      "\"OperationNotPermitted\", \"count\": 1}}");
    aws_rig_terminate(rig, rig->ids[0]);
    assert_int_equal(rig->outcome, SCALE_NOT_DONE);
    assert_non_null(strstr(rig->error, "OperationNotPermitted"));
}

static void test_a_pool_without_a_template_is_refused(void **state)
{
    struct aws_rig *rig = *state;
    struct err err = {0};
    assert_int_equal(provider_ec2.check(rig->provider, "game", &err), 0);
    assert_int_equal(provider_ec2.check(rig->provider, "lobby", &err), BERTH_EINVAL);
    assert_non_null(strstr(err.text, "autoscale.ec2.templates"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_launches_with_tags_spread_over_zones),
        TEST(test_knows_a_subnets_zone_before_the_first_launch),
        TEST(test_a_lost_answer_does_not_launch_twice),
        TEST(test_another_process_finds_what_the_token_made),
        TEST(test_another_process_that_sees_nothing_yet_asks_the_same_thing),
        TEST(test_falls_back_to_other_zones_then_types),
        TEST(test_partial_capacity_is_what_there_is),
        TEST(test_a_throttling_storm_converges),
        TEST(test_denied_is_said_and_not_repeated),
        TEST(test_errors_on_their_side_are_bridged),
        TEST(test_lists_all_pages_and_only_its_own),
        TEST(test_a_fresh_instance_is_listed_before_ec2_lists_it),
        TEST(test_one_that_dies_at_boot_leaves_the_list),
        TEST(test_terminates_together_and_what_is_gone_is_done),
        TEST(test_a_terminate_that_is_refused_says_why),
        TEST(test_a_pool_without_a_template_is_refused),
    };
    return cmocka_run_group_tests(tests, aws_rig_start, aws_rig_stop);
}
