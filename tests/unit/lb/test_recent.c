/* test_recent.c - a bounded table that forgets what was used least recently. */
#include "core/rng.h"
#include "lb/recent.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

static struct recent table;

static int start(void **state)
{
    return recent_init(&table, 4, sizeof(int), 1);
}

static int end(void **state)
{
    recent_fini(&table);
    return 0;
}

static int *at(const char *key)
{
    return recent_get(&table, span_of(key));
}

static void test_the_least_recently_used_makes_room(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        *(int *)recent_put(&table, span_of(keys[i])) = i;
    assert_non_null(at("a")); /* used again: b is the oldest now */
    *(int *)recent_put(&table, SPAN("e")) = 9;
    assert_null(at("b"));
    assert_int_equal(*at("a"), 0);
    assert_int_equal(*at("e"), 9);
    assert_int_equal(table.evicted, 1);
}

static void test_what_comes_new_is_zero_even_in_used_memory(void **state)
{
    *(int *)recent_put(&table, SPAN("a")) = 7;
    recent_remove(&table, SPAN("a"));
    assert_null(at("a"));
    assert_int_equal(*(int *)recent_put(&table, SPAN("z")), 0);
}

static void test_keys_that_cannot_be_are_refused(void **state)
{
    char big[65];
    memset(big, 'x', sizeof big);
    assert_null(recent_put(&table, (struct span){big, 0}));
    assert_null(recent_put(&table, (struct span){big, sizeof big}));
    assert_non_null(recent_put(&table, (struct span){big, 64}));
    assert_null(recent_get(&table, (struct span){big, 0}));
    recent_remove(&table, SPAN("nobody"));
}

static bool below(const void *arg, const void *entry)
{
    return *(const int *)entry < *(const int *)arg;
}

static void test_trimming_forgets_what_is_over_and_no_more(void **state)
{
    static const char *const keys[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        *(int *)recent_put(&table, span_of(keys[i])) = i;
    recent_trim(&table, 1, below, &(int){2});
    assert_null(at("a"));
    recent_trim(&table, 9, below, &(int){2});
    assert_null(at("b"));
    assert_non_null(at("c"));
    for (int i = 4; i < 100; i++) { /* the same slots serve again */
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        recent_trim(&table, 2, below, &(int){i - 1});
        *(int *)recent_put(&table, span_of(key)) = i;
    }
    assert_int_equal(table.evicted, 0);
}

/* Against a list kept the slow way. */
static void test_agrees_with_a_slow_model(void **state)
{
    int model[4] = {-1, -1, -1, -1}; /* newest first */
    struct rng rng;
    rng_seed(&rng, 5);
    for (int n = 0; n < 20000; n++) {
        int k = (int)rng_below(&rng, 9), place = 3;
        char key[4];
        (void)snprintf(key, sizeof key, "k%d", k);
        for (int i = 0; i < 4; i++)
            if (model[i] == k)
                place = i;
        bool known = model[place] == k;
        switch (rng_below(&rng, 3)) {
        case 0:
            assert_int_equal(recent_get(&table, span_of(key)) != NULL, known);
            break;
        case 1:
            assert_non_null(recent_put(&table, span_of(key)));
            known = true;
            break;
        default:
            recent_remove(&table, span_of(key));
            for (int i = place; known && i < 3; i++)
                model[i] = model[i + 1];
            if (known)
                model[3] = -1;
            known = false;
        }
        if (!known)
            continue;
        memmove(model + 1, model, (size_t)place * sizeof *model);
        model[0] = k;
    }
    for (int i = 0; i < 9; i++) {
        char key[4];
        (void)snprintf(key, sizeof key, "k%d", i);
        bool known = false;
        for (int j = 0; j < 4; j++)
            known |= model[j] == i;
        assert_int_equal(strmap_get(&table.map, span_of(key)) != STRMAP_NONE, known);
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_the_least_recently_used_makes_room),
        T(test_what_comes_new_is_zero_even_in_used_memory),
        T(test_keys_that_cannot_be_are_refused),
        T(test_trimming_forgets_what_is_over_and_no_more),
        T(test_agrees_with_a_slow_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
