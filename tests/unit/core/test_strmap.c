/* The map finds what was put, forgets what was removed, and stays right through churn at full load.
 */
#include "core/rng.h"
#include "core/strmap.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

static void test_put_get_overwrite_remove(void **state)
{
    struct strmap map;
    assert_int_equal(strmap_init(&map, 4, 1), 0);
    assert_int_equal(strmap_get(&map, SPAN("gn-1")), STRMAP_NONE);
    assert_int_equal(strmap_put(&map, SPAN("gn-1"), 7), 0);
    assert_int_equal(strmap_put(&map, SPAN("gn-1"), 8), 0);
    assert_int_equal(map.count, 1);
    assert_int_equal(strmap_get(&map, SPAN("gn-1")), 8);
    assert_int_equal(strmap_get(&map, SPAN("gn-10")), STRMAP_NONE);
    assert_int_equal(strmap_remove(&map, SPAN("gn-1")), 8);
    assert_int_equal(strmap_remove(&map, SPAN("gn-1")), STRMAP_NONE);
    assert_int_equal(map.count, 0);
    strmap_fini(&map);
}

static void test_limits(void **state)
{
    struct strmap map;
    char longest[STRMAP_KEY_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(strmap_init(&map, 2, 1), 0);
    assert_int_equal(strmap_put(&map, (struct span){longest, STRMAP_KEY_MAX}, 1), 0);
    assert_int_equal(strmap_put(&map, (struct span){longest, STRMAP_KEY_MAX + 1}, 1), BERTH_EINVAL);
    assert_int_equal(strmap_put(&map, SPAN(""), 1), BERTH_EINVAL);
    assert_int_equal(strmap_get(&map, (struct span){longest, STRMAP_KEY_MAX}), 1);
    assert_int_equal(strmap_put(&map, SPAN("b"), 2), 0);
    assert_int_equal(strmap_put(&map, SPAN("c"), 3), BERTH_EFULL);
    assert_int_equal(strmap_put(&map, SPAN("b"), 4), 0); /* overwriting needs no room */
    strmap_clear(&map);
    assert_int_equal(strmap_get(&map, SPAN("b")), STRMAP_NONE);
    assert_int_equal(strmap_put(&map, SPAN("c"), 3), 0);
    strmap_fini(&map);
}

/* Against the simplest model there is: an array of "is it in, with which value". */
static void test_agrees_with_a_model_under_churn(void **state)
{
    enum { KEYS = 600, CAPACITY = 400, ROUNDS = 60000 };
    static uint32_t model[KEYS];
    struct strmap map;
    struct rng rng;
    char key[16];
    uint32_t count = 0;
    memset(model, 0xff, sizeof model);
    rng_seed(&rng, 42);
    assert_int_equal(strmap_init(&map, CAPACITY, 99), 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t k = (uint32_t)rng_below(&rng, KEYS);
        struct span id = {key, (size_t)snprintf(key, sizeof key, "player-%u", k)};
        if (rng_below(&rng, 100) < 60) {
            int rc = strmap_put(&map, id, round);
            bool fits = model[k] != STRMAP_NONE || count < CAPACITY;
            assert_int_equal(rc, fits ? 0 : BERTH_EFULL);
            if (fits) {
                count += model[k] == STRMAP_NONE;
                model[k] = round;
            }
        } else {
            assert_int_equal(strmap_remove(&map, id), model[k]);
            count -= model[k] != STRMAP_NONE;
            model[k] = STRMAP_NONE;
        }
        assert_int_equal(map.count, count);
        if (round % 500 == 0)
            for (uint32_t i = 0; i < KEYS; i++) {
                id.len = (size_t)snprintf(key, sizeof key, "player-%u", i);
                assert_int_equal(strmap_get(&map, id), model[i]);
            }
    }
    strmap_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_overwrite_remove),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_agrees_with_a_model_under_churn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
