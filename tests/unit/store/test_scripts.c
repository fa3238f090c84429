/* The table of embedded scripts. */
#include "store/scripts.h"
#include "tests/support/cmocka.h"

#include <string.h>

static void test_the_table_is_in_the_order_of_the_enum(void **state)
{
    static const char *const names[SCRIPT_COUNT] = {
        [SCRIPT_JOIN] = "join",
        [SCRIPT_REPORT] = "report",
        [SCRIPT_WANT] = "want",
        [SCRIPT_MOVE] = "move",
        [SCRIPT_SWEEP] = "sweep",
        [SCRIPT_LEASE] = "lease",
        [SCRIPT_ENROLL] = "enroll",
        [SCRIPT_ROOM] = "room",
        [SCRIPT_ROOM_END] = "room_end",
        [SCRIPT_PLAN] = "plan",
        [SCRIPT_EVENT] = "event",
        [SCRIPT_SEEK] = "seek",
        [SCRIPT_SEEK_CANCEL] = "seek_cancel",
        [SCRIPT_SEEK_TAKE] = "seek_take",
        [SCRIPT_SEEK_FINISH] = "seek_finish",
        [SCRIPT_SEEK_SWEEP] = "seek_sweep",
        [SCRIPT_ALERTED] = "alerted",
        [SCRIPT_SEEK_TICK] = "seek_tick",
        [SCRIPT_SEEK_MAKE] = "seek_make",
        [SCRIPT_SEEK_DROP] = "seek_drop",
        [SCRIPT_PARTY] = "party",
        [SCRIPT_GROUP] = "group",
    };
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        assert_string_equal(scripts_table[i].name, names[i]);
        assert_memory_equal(scripts_table[i].text, "#!lua\n", 6);
        assert_int_equal(strlen(scripts_table[i].sha1), 40);
    }
    assert_null(scripts_table[SCRIPT_COUNT].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_in_the_order_of_the_enum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
