/* test_ec2_spread.c - launches are spread evenly and go where there is room. */
#include "autoscale/ec2_spread.h"
#include "tests/support/cmocka.h"

#include <string.h>

static struct ec2_place places[3];
static struct ec2_shortage shortage;
static int share[EC2_PLACES_MAX];
static size_t type;

static int setup(void **state)
{
    memset(places, 0, sizeof places);
    memset(&shortage, 0, sizeof shortage);
    type = 99;
    return 0;
}

static void expect(int n, int given, size_t of_type, int a, int b, int c)
{
    assert_int_equal(ec2_spread(places, 3, 2, &shortage, n, &type, share), given);
    assert_int_equal(type, of_type);
    assert_int_equal(share[0], a);
    assert_int_equal(share[1], b);
    assert_int_equal(share[2], c);
}

static void test_evens_out_what_is_there(void **state)
{
    expect(6, 6, 0, 2, 2, 2);
    places[0].load = 3;
    expect(4, 4, 0, 0, 2, 2);
    expect(1, 1, 0, 0, 1, 0);
}

static void test_goes_round_what_is_out(void **state)
{
    shortage.out[1][0] = true;
    expect(3, 3, 0, 2, 0, 1);
    shortage.out[0][0] = shortage.out[2][0] = true;
    expect(3, 3, 1, 1, 1, 1);
    shortage.out[0][1] = shortage.out[1][1] = shortage.out[2][1] = true;
    assert_int_equal(ec2_spread(places, 3, 2, &shortage, 3, &type, share), 0);
}

static void test_keeps_to_the_preferred_place_while_it_has_room(void **state)
{
    places[2].preferred = true;
    places[2].load = 9;
    expect(2, 2, 0, 0, 0, 2);
    shortage.out[2][0] = true;
    expect(2, 2, 0, 1, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_evens_out_what_is_there, setup),
        cmocka_unit_test_setup(test_goes_round_what_is_out, setup),
        cmocka_unit_test_setup(test_keeps_to_the_preferred_place_while_it_has_room, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
