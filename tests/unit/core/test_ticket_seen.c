/* test_ticket_seen.c - one ticket is one seat: resumed within the grace, spent after, bounded in
 * number. */
#include "core/ticket_seen.h"

#include "tests/support/cmocka.h"

#include <stdio.h>

static const wall_ms_t noon = {1763726400000};

struct use {
    enum ticket_use use;
    uint64_t seat;
    uint32_t entry;
};

static struct use use(struct ticket_seen *seen, int64_t at_ms, const char *jti, int64_t expires_ms,
                      uint64_t seat)
{
    struct use u = {0};
    u.use = ticket_seen_use(seen, wall_add(noon, at_ms), span_of(jti), wall_add(noon, expires_ms),
                            seat, &u.seat, &u.entry);
    return u;
}

static struct ticket_seen seen_of(uint32_t capacity, int64_t grace_ms)
{
    struct ticket_seen seen;
    assert_int_equal(ticket_seen_init(&seen, capacity, grace_ms, 1), 0);
    return seen;
}

static void test_the_same_ticket_resumes_its_seat(void **state)
{
    struct ticket_seen seen = seen_of(4, 5000);
    struct use first = use(&seen, 0, "a", 11000, 70);
    assert_int_equal(first.use, TICKET_USE_NEW);
    assert_int_equal(first.seat, 70);
    struct use again = use(&seen, 10, "a", 11000, 71); /* while its first socket is still there */
    assert_int_equal(again.use, TICKET_USE_RESUME);
    assert_int_equal(again.seat, 70);
    assert_int_equal(again.entry, first.entry);
    assert_int_equal(use(&seen, 20, "b", 11000, 72).use, TICKET_USE_NEW);
    ticket_seen_fini(&seen);
}

static void test_a_seat_is_kept_for_the_grace_and_no_longer(void **state)
{
    struct ticket_seen seen = seen_of(4, 5000);
    struct use u = use(&seen, 0, "a", 11000, 70);
    ticket_seen_left(&seen, wall_add(noon, 1000), u.entry, false);
    assert_int_equal(use(&seen, 5999, "a", 11000, 71).use, TICKET_USE_RESUME);
    ticket_seen_left(&seen, wall_add(noon, 6000), u.entry, false);
    assert_int_equal(use(&seen, 10999, "a", 11000, 71).use, TICKET_USE_RESUME);
    ticket_seen_left(&seen, wall_add(noon, 11000), u.entry, true); /* for good */
    assert_false(ticket_seen_resumes(&seen, wall_add(noon, 11000), SPAN("a")));
    ticket_seen_fini(&seen);
}

static void test_a_ticket_whose_seat_was_given_up_is_spent_until_it_expires(void **state)
{
    struct ticket_seen seen = seen_of(4, 0);
    struct use u = use(&seen, 0, "a", 11000, 70);
    ticket_seen_left(&seen, wall_add(noon, 1000), u.entry, false);
    assert_int_equal(use(&seen, 1000, "a", 11000, 71).use, TICKET_USE_SPENT);
    assert_int_equal(use(&seen, 10999, "a", 11000, 71).use, TICKET_USE_SPENT);
    ticket_seen_fini(&seen);
}

/* The store's clock may go back by a failover: found by berth-sim. */
static void test_what_is_spent_stays_spent_when_the_clock_goes_back(void **state)
{
    struct ticket_seen seen = seen_of(4, 5000);
    struct use u = use(&seen, 4000, "a", 11000, 70);
    ticket_seen_left(&seen, wall_add(noon, 5000), u.entry, true);
    assert_int_equal(use(&seen, 3500, "a", 11000, 71).use, TICKET_USE_SPENT);
    ticket_seen_fini(&seen);
}

static void test_a_long_session_resumes_after_its_ticket_expired(void **state)
{
    struct ticket_seen seen = seen_of(4, 5000);
    struct use u = use(&seen, 0, "a", 11000, 70);
    assert_int_equal(use(&seen, 600000, "b", 700000, 71).use, TICKET_USE_NEW); /* sweeps */
    assert_true(ticket_seen_resumes(&seen, wall_add(noon, 600000), SPAN("a")));
    ticket_seen_left(&seen, wall_add(noon, 600000), u.entry, false);
    assert_true(ticket_seen_resumes(&seen, wall_add(noon, 604999), SPAN("a")));
    assert_false(ticket_seen_resumes(&seen, wall_add(noon, 605000), SPAN("a")));
    assert_int_equal(use(&seen, 605000, "c", 700000, 72).use, TICKET_USE_NEW);
    assert_int_equal(ticket_seen_count(&seen), 2); /* a is forgotten */
    ticket_seen_fini(&seen);
}

static void test_is_bounded_and_frees_what_is_over(void **state)
{
    struct ticket_seen seen = seen_of(100, 0);
    char jti[16];
    for (int i = 0; i < 100; i++) {
        snprintf(jti, sizeof jti, "t%d", i);
        struct use u = use(&seen, i, jti, 11000, 1);
        assert_int_equal(u.use, TICKET_USE_NEW);
        if (i < 50)
            ticket_seen_left(&seen, wall_add(noon, i), u.entry, true);
    }
    assert_int_equal(use(&seen, 10999, "more", 20000, 1).use, TICKET_USE_FULL);
    for (int i = 0; i < 50; i++) { /* the 50 that left and expired made room */
        snprintf(jti, sizeof jti, "u%d", i);
        assert_int_equal(use(&seen, 11000, jti, 20000, 1).use, TICKET_USE_NEW);
    }
    assert_int_equal(use(&seen, 11000, "more", 20000, 1).use, TICKET_USE_FULL);
    ticket_seen_fini(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_ticket_resumes_its_seat),
        cmocka_unit_test(test_a_seat_is_kept_for_the_grace_and_no_longer),
        cmocka_unit_test(test_a_ticket_whose_seat_was_given_up_is_spent_until_it_expires),
        cmocka_unit_test(test_what_is_spent_stays_spent_when_the_clock_goes_back),
        cmocka_unit_test(test_a_long_session_resumes_after_its_ticket_expired),
        cmocka_unit_test(test_is_bounded_and_frees_what_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
