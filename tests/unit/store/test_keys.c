/* Key names and the patterns of names. */
#include "store/keys.h"
#include "tests/support/cmocka.h"

static void test_keys_carry_the_pool_as_hash_tag(void **state)
{
    struct keys keys, copy;
    char buf[KEYS_TEXT_MAX];
    assert_int_equal(keys_init(&keys, "prod", "game-1", NULL), 0);
    copy = keys;
    assert_true(span_is(keys_get(&copy, KEY_LOAD), "prod:{game-1}:load"));
    assert_true(span_is(keys_get(&keys, KEY_SEEKERS), "prod:{game-1}:seek:seekers"));
    assert_true(span_is(keys_room(&keys, SPAN("r:1"), buf), "prod:{game-1}:room:r:1"));
    assert_true(span_is(keys_player(&keys, SPAN("a@b"), buf), "prod:{game-1}:player:a@b"));
    assert_true(span_is(keys_queue(&keys, SPAN("m"), buf), "prod:{game-1}:seek:queue:m"));
    assert_true(span_is(keys_match(&keys, SPAN("r"), buf), "prod:{game-1}:seek:match:r"));
    assert_true(span_is(keys_party(&keys, SPAN("c"), buf), "prod:{game-1}:seek:party:c"));
    assert_true(span_is(keys_group(&keys, SPAN("r"), buf), "prod:{game-1}:seek:group:r"));
    assert_true(span_is(keys_results(&keys, SPAN("l1"), buf), "prod:{game-1}:seek:results:l1"));
}

static void test_prefixes_are_those_of_the_whole_names(void **state)
{
    struct keys keys;
    char buf[KEYS_TEXT_MAX];
    assert_int_equal(keys_init(&keys, "b", "p", NULL), 0);
    struct span prefix = keys_get(&keys, KEY_MATCH_PREFIX);
    struct span whole = keys_match(&keys, SPAN("r"), buf);
    assert_int_equal(whole.len, prefix.len + 1);
    assert_memory_equal(whole.ptr, prefix.ptr, prefix.len);
    prefix = keys_get(&keys, KEY_QUEUE_PREFIX);
    whole = keys_queue(&keys, SPAN("m"), buf);
    assert_memory_equal(whole.ptr, prefix.ptr, prefix.len);
}

static void test_the_longest_names_fit_and_one_more_does_not(void **state)
{
    struct keys keys;
    struct err err = {0};
    char space[34], pool[65], id[66], buf[KEYS_TEXT_MAX];
    memset(space, 's', sizeof space);
    memset(pool, 'p', sizeof pool);
    memset(id, 'i', sizeof id);
    space[32] = pool[63] = '\0';
    assert_int_equal(keys_init(&keys, space, pool, &err), 0);
    assert_int_equal(keys_get(&keys, KEY_SEEKERS).len, 32 + 2 + 63 + 2 + 12);
    assert_int_equal(keys_room(&keys, (struct span){id, 64}, buf).len, 32 + 2 + 63 + 2 + 5 + 64);
    assert_int_equal(keys_room(&keys, (struct span){id, 65}, buf).len, 0);
    space[32] = 's';
    space[33] = '\0';
    assert_int_equal(keys_init(&keys, space, "p", &err), BERTH_EINVAL);
    pool[63] = 'p';
    pool[64] = '\0';
    assert_int_equal(keys_init(&keys, "s", pool, &err), BERTH_EINVAL);
}

static void test_names_of_other_characters_are_refused(void **state)
{
    static const char *const bad[] = {"",    "a b", "a{b",      "a}b", "a:b",
                                      "a/b", "a@b", "\xc3\xa4", "a\n"};
    struct keys keys;
    char buf[KEYS_TEXT_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(keys_name_ok(span_of(bad[i])));
        assert_int_equal(keys_init(&keys, "b", bad[i], NULL), BERTH_EINVAL);
    }
    assert_int_equal(keys_init(&keys, "b", "p", NULL), 0);
    assert_true(keys_id_ok(SPAN("a:b@c~d-e_f.9")));
    assert_int_equal(keys_player(&keys, SPAN("a b"), buf).len, 0);
    assert_int_equal(keys_player(&keys, ((struct span){"a\0b", 3}), buf).len, 0);
    assert_int_equal(keys_results(&keys, SPAN("a:b"), buf).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_carry_the_pool_as_hash_tag),
        cmocka_unit_test(test_prefixes_are_those_of_the_whole_names),
        cmocka_unit_test(test_the_longest_names_fit_and_one_more_does_not),
        cmocka_unit_test(test_names_of_other_characters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
