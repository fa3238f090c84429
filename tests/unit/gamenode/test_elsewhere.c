/* test_elsewhere.c - rooms that an earlier process of this node still holds. */
#include "gamenode/elsewhere.h"
#include "tests/support/cmocka.h"

#include <string.h>

static struct elsewhere e;

static int begin(void **state)
{
    return elsewhere_init(&e, 4, 1);
}

static int end(void **state)
{
    elsewhere_fini(&e);
    return 0;
}

static void test_rooms_are_where_the_line_before_them_says(void **state)
{
    elsewhere_set(&e, SPAN("@ws://a:1/ws\nr-1\n@ws://b:2/ws\nr-2\nr-3\n"));
    assert_string_equal(elsewhere_find(&e, SPAN("r-1")), "ws://a:1/ws");
    assert_string_equal(elsewhere_find(&e, SPAN("r-3")), "ws://b:2/ws");
    assert_null(elsewhere_find(&e, SPAN("r-4")));
}

/* A room's name may begin with "@": it is no endpoint that players of others are sent to. */
static void test_a_room_is_never_taken_for_an_endpoint(void **state)
{
    elsewhere_set(&e, SPAN("@ws://a:1/ws\n@evil:80\nr-1\n"));
    assert_string_equal(elsewhere_find(&e, SPAN("@evil:80")), "ws://a:1/ws");
    assert_string_equal(elsewhere_find(&e, SPAN("r-1")), "ws://a:1/ws");
}

static void test_what_is_neither_is_left_out(void **state)
{
    elsewhere_set(&e, SPAN("r-0\n@ws://a:1/ws\nr 1\n\nr-2\n@w\0s://b/ws\nr-3\n"));
    assert_null(elsewhere_find(&e, SPAN("r-0")));
    assert_null(elsewhere_find(&e, SPAN("r 1")));
    assert_string_equal(elsewhere_find(&e, SPAN("r-2")), "ws://a:1/ws");
    assert_null(elsewhere_find(&e, SPAN("r-3")));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(test_rooms_are_where_the_line_before_them_says),
        T(test_a_room_is_never_taken_for_an_endpoint),
        T(test_what_is_neither_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
