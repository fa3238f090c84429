/* test_lb_metrics.c - what Prometheus reads: every figure is explained, and the figures are those
 * of the core. */
#include "lb/metrics.h"
#include "tests/support/cmocka.h"
#include "tests/unit/lb/world.h"

#include <stdlib.h>
#include <string.h>

static struct world w;
static char *text;

static const char *render(void)
{
    static struct histogram latency;
    static uint64_t requests[6] = {0, 0, 41, 0, 2, 1};
    size_t len;
    latency = (struct histogram){0};
    histogram_record(&latency, 80);
    histogram_record(&latency, 3000);
    free(text);
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    const struct metrics_shell shell = {.name = "lb-a",
                                        .now = world_mono(&w),
                                        .latency_us = &latency,
                                        .requests = requests,
                                        .public_connections = 7};
    metrics_write(out, w.lbs[0].lb, &shell);
    assert_int_equal(fclose(out), 0);
    return text;
}

static int start(void **state)
{
    world_init(&w, 1);
    world_run(&w, 100);
    world_node(&w, "n-1");
    world_node(&w, "n-2")->reachable = false;
    world_run(&w, 5000);
    return 0;
}

static int end(void **state)
{
    world_fini(&w);
    free(text);
    text = NULL;
    return 0;
}

static void expect(const char *line)
{
    char whole[256];
    (void)snprintf(whole, sizeof whole, "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        fail_msg("no line \"%s\" in\n%s", line, text);
}

static void test_figures_are_those_of_the_core(void **state)
{
    for (int i = 0; i < 3; i++)
        (void)world_place(&w, 0, "ann");
    (void)world_place(&w, 0, "bob");
    (void)render();
    expect("berth_lb_nodes{pool=\"game\",state=\"ready\"} 1");
    expect("berth_lb_nodes{pool=\"game\",state=\"joining\"} 1");
    expect("berth_lb_pending{pool=\"game\"} 2");
    expect("berth_lb_capacity{pool=\"game\"} 100");
    expect("berth_lb_placements_total{pool=\"game\",why=\"placed\"} 2");
    expect("berth_lb_placements_total{pool=\"game\",why=\"repeated\"} 2");
    expect("berth_lb_owner{pool=\"game\"} 1");
    expect("berth_lb_redis_up 1");
    expect("berth_lb_requests_total{status=\"2xx\"} 41");
    expect("berth_lb_connections_open{listener=\"public\"} 7");
    expect("berth_lb_request_duration_seconds_bucket{le=\"0.0001\"} 1");
    expect("berth_lb_request_duration_seconds_bucket{le=\"+Inf\"} 2");
    world_store(&w, false);
    world_run(&w, w.now + 2000);
    (void)render();
    expect("berth_lb_redis_up 0");
    expect("berth_lb_view_live{pool=\"game\"} 0");
    expect("berth_lb_owner{pool=\"game\"} 0");
}

/* HELP and TYPE stand right before the samples of each name, once. */
static void test_every_figure_is_explained(void **state)
{
    char name[128] = "", *save = NULL;
    int families = 0;
    char *copy = strdup(render());
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            size_t len = strcspn(line + 7, " ");
            assert_in_range(len, 9, sizeof name - 1);
            memcpy(name, line + 7, len);
            name[len] = '\0';
            assert_true(strlen(line + 7 + len) > 10); /* a sentence */
            families++;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(strncmp(line + 7, name, strlen(name)), 0);
        } else {
            assert_int_equal(strncmp(line, name, strlen(name)), 0);
            assert_int_equal(strncmp(line, "berth_lb_", 9), 0);
        }
    }
    free(copy);
    assert_true(families >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_figures_are_those_of_the_core, start, end),
        cmocka_unit_test_setup_teardown(test_every_figure_is_explained, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
