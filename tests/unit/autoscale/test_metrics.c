/* test_metrics.c - the text that Prometheus reads. */
#include "autoscale/metrics.h"
#include "tests/support/cmocka.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *render(const struct metrics_pool *pools, size_t count)
{
    const struct metrics_process process = {.redis_up = true, .notices = {[NOTICE_NODE_LOST] = 7}};
    size_t size = metrics_size(count);
    char *text = malloc(size + 1);
    assert_non_null(text);
    struct span all = metrics_write(pools, count, &process, text, size);
    text[all.len] = '\0';
    return text;
}

static void has(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("%s is not in\n%s", line, text);
}

static void test_a_pool_is_shown_as_it_is(void **state)
{
    const struct metrics_pool pool = {.name = "game",
                                      .status = {.figures = {.size = 7,
                                                             .ready = 4,
                                                             .booting = 2,
                                                             .joining = 1,
                                                             .draining = 3,
                                                             .conns = 123,
                                                             .capacity = 400},
                                                 .decision = {.desired = 9, .limited = true},
                                                 .held_by = "cooldown_out",
                                                 .leading = true,
                                                 .failures = 2}};
    char *text = render(&pool, 1);
    has(text, "\nberth_autoscale_desired_nodes{pool=\"game\"} 9\n");
    has(text, "\nberth_autoscale_current_nodes{pool=\"game\"} 7\n");
    has(text, "\nberth_autoscale_ready_nodes{pool=\"game\"} 4\n");
    has(text, "\nberth_autoscale_booting_nodes{pool=\"game\"} 2\n");
    has(text, "\nberth_autoscale_draining_nodes{pool=\"game\"} 3\n");
    has(text, "\nberth_autoscale_limited{pool=\"game\"} 1\n");
    has(text, "\nberth_autoscale_held{pool=\"game\"} 1\n");
    has(text, "\nberth_autoscale_held_by{pool=\"game\",by=\"cooldown_out\"} 1\n");
    has(text, "\nberth_autoscale_connections{pool=\"game\"} 123\n");
    has(text, "\nberth_autoscale_launch_failures{pool=\"game\"} 2\n");
    has(text, "\nberth_autoscale_redis_up 1\n");
    has(text, "\nberth_autoscale_notices_total{kind=\"node_lost\"} 7\n");
    has(text, "\nberth_autoscale_notices_total{kind=\"store_back\"} 0\n");
    free(text);
}

/* Every family has one HELP and one TYPE before its values; nothing is cut, whatever is in it. */
static void test_every_pool_fits(void **state)
{
    enum { POOLS = 64 };
    static char names[POOLS][64];
    static struct metrics_pool pools[POOLS];
    for (size_t i = 0; i < POOLS; i++) {
        memset(names[i], 'p', 63);
        names[i][0] = (char)('0' + i);
        pools[i].name = names[i];
        pools[i].status.figures.conns = INT64_MAX;
        pools[i].status.outs = UINT64_MAX;
        pools[i].status.held_by = "blocked_by_vote";
    }
    char *text = render(pools, POOLS);
    size_t helps = 0, types = 0, values = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        helps += strncmp(line, "# HELP berth_autoscale_", 23) == 0;
        types += strncmp(line, "# TYPE berth_autoscale_", 23) == 0;
        values += strncmp(line, "berth_autoscale_", 16) == 0;
    }
    assert_true(helps > 20);
    assert_int_equal(helps, types);
    assert_int_equal(values, (helps - 2) * POOLS + 1 + NOTICE_KINDS);
    free(text);
}

static void test_a_follower_shows_what_it_would_want(void **state)
{
    struct world w;
    world_init(&w, 2, 4);
    world_boot_side(&w, 1);
    world_run(&w, 10000);
    struct scale_status follower = world_status(&w, 1);
    assert_false(follower.leading);
    assert_int_equal(follower.decision.desired, world_status(&w, 0).decision.desired);
    assert_int_equal(follower.decision.desired, 2);
    assert_int_equal(follower.figures.ready, 2);
    assert_int_equal(w.launched, 2);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pool_is_shown_as_it_is),
        cmocka_unit_test(test_every_pool_fits),
        cmocka_unit_test(test_a_follower_shows_what_it_would_want),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
