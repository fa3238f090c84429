/* test_agenda.c - a set of slots against a plain array of flags. */
#include "core/rng.h"
#include "lb/agenda.h"
#include "tests/support/cmocka.h"

#include <stdbool.h>
#include <stdlib.h>

enum { SLOTS = 10007 };

static void expect_same(struct agenda *agenda, const bool *set, uint32_t from)
{
    uint32_t wanted = from;
    while (wanted < SLOTS && !set[wanted])
        wanted++;
    assert_int_equal(agenda_next(agenda, from), wanted < SLOTS ? wanted : AGENDA_NONE);
}

static void test_walks_what_was_added_and_not_removed(void **state)
{
    static bool set[SLOTS];
    struct agenda agenda;
    struct rng rng;
    rng_seed(&rng, 7);
    assert_int_equal(agenda_init(&agenda, SLOTS), 0);
    for (int round = 0; round < 20000; round++) {
        uint32_t slot = (uint32_t)rng_below(&rng, SLOTS);
        set[slot] = rng_below(&rng, 4) == 0;
        if (set[slot])
            agenda_add(&agenda, slot);
        else
            agenda_remove(&agenda, slot);
        expect_same(&agenda, set, (uint32_t)rng_below(&rng, SLOTS));
    }
    expect_same(&agenda, set, 0);
    agenda_fini(&agenda);
}

static void test_the_whole_walk_is_in_order_and_ends(void **state)
{
    struct agenda agenda;
    assert_int_equal(agenda_init(&agenda, SLOTS), 0);
    assert_int_equal(agenda_next(&agenda, 0), AGENDA_NONE);
    agenda_add_all(&agenda, SLOTS);
    uint32_t seen = 0;
    for (uint32_t s = agenda_next(&agenda, 0); s != AGENDA_NONE; s = agenda_next(&agenda, s + 1)) {
        assert_int_equal(s, seen++);
        agenda_remove(&agenda, s);
    }
    assert_int_equal(seen, SLOTS);
    assert_int_equal(agenda_next(&agenda, 0), AGENDA_NONE);
    assert_int_equal(agenda_next(&agenda, SLOTS - 1), AGENDA_NONE);
    agenda_add(&agenda, SLOTS - 1);
    assert_int_equal(agenda_next(&agenda, 0), SLOTS - 1);
    agenda_fini(&agenda);
}

static void test_one_slot_is_enough(void **state)
{
    struct agenda agenda;
    assert_int_equal(agenda_init(&agenda, 1), 0);
    agenda_add(&agenda, 0);
    assert_int_equal(agenda_next(&agenda, 0), 0);
    assert_int_equal(agenda_next(&agenda, 1), AGENDA_NONE);
    agenda_fini(&agenda);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks_what_was_added_and_not_removed),
        cmocka_unit_test(test_the_whole_walk_is_in_order_and_ends),
        cmocka_unit_test(test_one_slot_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
