/* test_history.c - what is written down of a pool, each second and each minute. */
#include "autoscale/history.h"
#include "tests/support/cmocka.h"

static struct fleet_figures figures(int64_t players)
{
    return (struct fleet_figures){.ready = 2,
                                  .coming = 1,
                                  .draining = 3,
                                  .lost = 4,
                                  .players = players,
                                  .conns = players - 1,
                                  .est = players - 1,
                                  .capacity = 200};
}

static void a_second_has_all_figures(void **state)
{
    char record[HISTORY_RECORD_MAX];
    struct fleet_figures f = figures(50);
    history_second(&f, 5, record);
    assert_string_equal(
        record, "ready=2 coming=1 draining=3 lost=4 desired=5 players=50 conns=49 est=49 cap=200");
}

static void a_minute_is_written_once_when_it_has_ended(void **state)
{
    struct history h = {0};
    char record[HISTORY_RECORD_MAX] = "";
    for (int64_t s = 30; s < 60; s++) { /* the leader came in the middle of the minute */
        struct fleet_figures f = figures(s < 45 ? 10 : 31);
        assert_false(history_add(&h, (wall_ms_t){600000 + s * 1000}, &f, 3, record));
    }
    struct fleet_figures f = figures(1000);
    assert_true(history_add(&h, (wall_ms_t){660200}, &f, 4, record));
    assert_string_equal(record, "at=600000 seconds=30 ready=2 coming=1 draining=3 lost=4 desired=3 "
                                "players=21 conns=20 est=20 cap=200 players_max=31");
    assert_false(history_add(&h, (wall_ms_t){661200}, &f, 4, record));
    assert_true(history_add(&h, (wall_ms_t){720000}, &f, 4, record)); /* seconds were missed */
    assert_string_equal(record, "at=660000 seconds=2 ready=2 coming=1 draining=3 lost=4 desired=4 "
                                "players=1000 conns=999 est=999 cap=200 players_max=1000");
}

static void the_largest_figures_fit(void **state)
{
    struct history h = {0};
    char record[HISTORY_RECORD_MAX];
    struct fleet_figures f = {.ready = 100000,
                              .coming = 100000,
                              .draining = 100000,
                              .lost = 100000,
                              .players = INT64_C(100000000000),
                              .conns = INT64_C(100000000000),
                              .est = INT64_C(100000000000),
                              .capacity = INT64_C(100000000000)};
    (void)history_add(&h, (wall_ms_t){INT64_C(4102444740000)}, &f, 100000, record);
    assert_true(history_add(&h, (wall_ms_t){INT64_C(4102444800000)}, &f, 100000, record));
    assert_non_null(strstr(record, " players_max=100000000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_has_all_figures),
        cmocka_unit_test(a_minute_is_written_once_when_it_has_ended),
        cmocka_unit_test(the_largest_figures_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
