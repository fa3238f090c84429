/* test_cloudwatch_io.c - figures arrive at CloudWatch as metrics, also after it was away
 * (aws_endpoint.py). */
#include "autoscale/cloudwatch.h"
#include "autoscale/cloudwatch_io.h"
#include "tests/support/aws_rig.h"
#include "tests/support/cmocka.h"

#include <string.h>

static const char *look(void *arg, size_t i, struct scale_status *ret_status)
{
    *ret_status = (struct scale_status){
        .leading = i == 0,
        .figures = {.players = 130, .conns = 120, .est = 125, .ready = 2, .average = 62.5},
        .decision = {.desired = 3}};
    return i == 0 ? "game" : i == 1 ? "followed" : NULL;
}

static struct cloudwatch_settings settings = {
    .enabled = true, .name_space = "Berth", .interval_ms = 200};

static int setup(void **state)
{
    aws_rig_open(*state, NULL);
    return 0;
}

static int teardown(void **state)
{
    aws_rig_all_well_formed(*state);
    aws_rig_close(*state);
    return 0;
}

static struct cloudwatch_io *open_it(struct aws_rig *rig)
{
    struct cloudwatch_io_config config = {.loop = rig->loop,
                                          .log = &rig->log,
                                          .aws = rig->env.aws,
                                          .settings = &settings,
                                          .name_space = "berth-test",
                                          .look = look};
    return cloudwatch_io_create(&config, NULL);
}

/* The value of the metric in the last point that arrived; -1: none. */
static double value_of(json_t *told, const char *name)
{
    size_t i;
    json_t *metric;
    double value = -1;
    json_array_foreach(json_object_get(told, "metrics"), i, metric)
    {
        json_t *dimensions = json_object_get(metric, "dimensions");
        assert_string_equal(json_string_value(json_object_get(metric, "namespace")), "Berth");
        assert_string_equal(json_string_value(json_object_get(dimensions, "Pool")), "game");
        assert_string_equal(json_string_value(json_object_get(dimensions, "Namespace")),
                            "berth-test");
        if (strcmp(json_string_value(json_object_get(metric, "name")), name) == 0)
            value = json_number_value(json_object_get(metric, "value"));
    }
    return value;
}

static void wait_metrics(struct aws_rig *rig, size_t count)
{
    for (int i = 0; i < 100; i++) {
        json_t *told = aws_rig_told(rig);
        size_t n = json_array_size(json_object_get(told, "metrics"));
        json_decref(told);
        if (n >= count)
            return;
        aws_rig_pause(rig, 50);
    }
    fail_msg("no %zu metrics arrive", count);
}

static void test_tells_five_figures_of_the_pools_it_leads(void **state)
{
    struct aws_rig *rig = *state;
    struct cloudwatch_io *cw = open_it(rig);
    wait_metrics(rig, 5);
    cloudwatch_io_destroy(cw);
    json_t *told = aws_rig_told(rig);
    assert_true(value_of(told, "Connections") == 130);
    assert_true(value_of(told, "ReadyNodes") == 2);
    assert_true(value_of(told, "AverageConnections") == 62.5);
    assert_true(value_of(told, "Pending") == 5);
    assert_true(value_of(told, "DesiredNodes") == 3);
    json_decref(told);
}

static void test_tells_later_what_it_could_not_tell(void **state)
{
    struct aws_rig *rig = *state;
    aws_rig_tell(rig, "{\"throttle_next\": 4}");
    struct cloudwatch_io *cw = open_it(rig);
    wait_metrics(rig, 20); /* four moments, in fewer requests */
    cloudwatch_io_destroy(cw);
    json_t *told = aws_rig_told(rig);
    size_t n = json_array_size(json_object_get(told, "metrics"));
    json_decref(told);
    assert_true(aws_rig_calls(rig, "PutMetricData") < (int64_t)n / 5);
}

static void test_the_queue_drops_the_oldest(void **state)
{
    static struct cloudwatch queue;
    static char buf[CLOUDWATCH_FORM_MAX];
    struct scale_status status = {0};
    struct form form;
    assert_int_equal(cloudwatch_form(&queue, "Berth", "b", &form, buf), 0);
    for (int i = 0; i < CLOUDWATCH_QUEUE + 3; i++)
        cloudwatch_add(&queue, "a-pool-of-a-name-as-long-as-it-may-be-a-pool-of-a-name-as-long-a",
                       &status, i);
    assert_int_equal(queue.count, CLOUDWATCH_QUEUE);
    assert_int_equal(queue.dropped, 3);
    assert_int_equal(queue.points[queue.first].at_s, 3);
    assert_int_equal(cloudwatch_form(&queue, "Berth", "b", &form, buf), CLOUDWATCH_BATCH);
    assert_false(form.cut);
    cloudwatch_drop(&queue, CLOUDWATCH_QUEUE + 9);
    assert_int_equal(queue.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tells_five_figures_of_the_pools_it_leads),
        TEST(test_tells_later_what_it_could_not_tell),
        cmocka_unit_test(test_the_queue_drops_the_oldest),
    };
    return cmocka_run_group_tests(tests, aws_rig_start, aws_rig_stop);
}
