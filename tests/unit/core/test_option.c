/* One value against its row: what is taken, what is refused and with which words, how it is
 * printed. */
#include "core/option.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct values {
    bool flag;
    int choice;
    int64_t number;
    double real;
    const char *text;
    struct text_list list;
    struct host_port at;
};

#define AT(field) offsetof(struct values, field)
static const struct option whole = {"n", OPT_INT, AT(number), NULL, "-5..65535", "", 0};
static const struct option wait = {"wait", OPT_DURATION, AT(number), NULL, "500ms..1h", "", 0};
static const struct option size = {"size", OPT_SIZE, AT(number), NULL, "0..1GiB", "", 0};
static const struct option real = {"real", OPT_NUMBER, AT(real), NULL, "0..1.5", "", 0};
static const struct option flag = {"flag", OPT_BOOL, AT(flag), NULL, NULL, "", 0};
static const struct option choice = {"choice", OPT_CHOICE, AT(choice), NULL, "logfmt|json", "", 0};
static const struct option text = {"text", OPT_TEXT, AT(text), NULL, "1..8", "", 0};
static const struct option name = {"name", OPT_NAME, AT(text), NULL, NULL, "", 0};
static const struct option list = {"list", OPT_LIST, AT(list), NULL, "0..3", "", 0};
static const struct option at = {"at", OPT_HOSTPORT, AT(at), NULL, NULL, "", 0};
static const struct option secret = {"secret", OPT_TEXT, AT(text), NULL, NULL, "", OPT_SECRET};

static char arena[4096];
static size_t arena_used;

static void *alloc(void *arg, size_t n)
{
    void *p = arena + arena_used;
    arena_used += (n + 15) & ~(size_t)15;
    assert_true(arena_used <= sizeof arena);
    return p;
}

static const struct option_memory memory = {alloc, NULL};

static void test_takes_and_prints(void **state)
{
    static const struct {
        const struct option *option;
        const char *typed, *printed;
    } cases[] = {
        {&whole, "0", "0"},
        {&whole, "-5", "-5"},
        {&whole, "65535", "65535"},
        {&wait, "500ms", "500ms"},
        {&wait, "1h", "1h"},
        {&wait, "90s", "90s"},
        {&wait, "1.5s", "1500ms"},
        {&wait, "60s", "1m"},
        {&size, "0", "0"},
        {&size, "64KiB", "64KiB"},
        {&size, "64K", "64KiB"},
        {&size, "1MB", "1000000"},
        {&size, "4096", "4KiB"},
        {&real, "1.5", "1.5"},
        {&real, "1e-1", "0.1"},
        {&flag, "yes", "true"},
        {&flag, "off", "false"},
        {&choice, "json", "json"},
        {&text, "12345678", "12345678"},
        {&name, "gn-1.zone_a~2", "gn-1.zone_a~2"},
        {&list, "a,b,c", "a,b,c"},
        {&list, "", "-"},
        {&at, "127.0.0.1:0", "127.0.0.1:0"},
        {&at, "[::1]:8080", "[::1]:8080"},
        {&at, "lb.example:65535", "lb.example:65535"},
        {&secret, "hush", "***"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values values = {0};
        struct err err = {0};
        char printed[64];
        arena_used = 0;
        if (option_set(cases[i].option, &values, span_of(cases[i].typed), &memory, &err) != 0)
            fail_msg("%s = %s: %s", cases[i].option->name, cases[i].typed, err.text);
        assert_string_equal(option_format(cases[i].option, &values, printed, sizeof printed),
                            cases[i].printed);
    }
}

static void test_refuses_with_what_is_allowed(void **state)
{
    static const struct {
        const struct option *option;
        const char *typed, *why;
    } cases[] = {
        {&whole, "65536", "must be -5..65535"},
        {&whole, "-6", "must be -5..65535"},
        {&whole, "1.0", "must be an integer -5..65535"},
        {&whole, "", "must be an integer -5..65535"},
        {&whole, "99999999999999999999", "must be an integer -5..65535"},
        {&wait, "50ms", "must be 500ms..1h"},
        {&wait, "61m", "must be 500ms..1h"},
        {&wait, "5", "must be a duration 500ms..1h (a number and a unit: 250ms, 3s, 5m, 1h)"},
        {&wait, "5 s", "must be a duration 500ms..1h (a number and a unit: 250ms, 3s, 5m, 1h)"},
        {&wait, "0.0001s", "must be a duration 500ms..1h (a number and a unit: 250ms, 3s, 5m, 1h)"},
        {&wait, "99999999999999h",
         "must be a duration 500ms..1h (a number and a unit: 250ms, 3s, 5m, 1h)"},
        {&size, "2GiB", "must be 0..1GiB"},
        {&real, "nan", "must be a number 0..1.5"},
        {&real, "0x1", "must be a number 0..1.5"},
        {&real, "1.6", "must be 0..1.5"},
        {&flag, "1", "must be true or false"},
        {&choice, "xml", "must be one of logfmt|json"},
        {&choice, "", "must be one of logfmt|json"},
        {&text, "", "must be text of 1..8 bytes"},
        {&text, "123456789", "must be text of 1..8 bytes"},
        {&name, "a b", "must be a name of 1..63 letters, digits, or . _ ~ -"},
        {&name, "", "must be a name of 1..63 letters, digits, or . _ ~ -"},
        {&list, "a,b,c,d", "must be a list of 0..3 items"},
        {&list, "a,,c", "must have no empty item (item 2 is)"},
        {&list, "a,", "must have no empty item (item 2 is)"},
        {&at, "127.0.0.1", "must be host:port, as in 127.0.0.1:8080 or [::1]:8080 (port 0..65535)"},
        {&at, "::1:80", "must be host:port, as in 127.0.0.1:8080 or [::1]:8080 (port 0..65535)"},
        {&at, "h:65536", "must be host:port, as in 127.0.0.1:8080 or [::1]:8080 (port 0..65535)"},
        {&at, ":80", "must be host:port, as in 127.0.0.1:8080 or [::1]:8080 (port 0..65535)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values values, before;
        struct err err = {0};
        memset(&values, 0x5a, sizeof values);
        before = values;
        arena_used = 0;
        if (option_set(cases[i].option, &values, span_of(cases[i].typed), &memory, &err) !=
            BERTH_EINVAL)
            fail_msg("%s = %s was taken", cases[i].option->name, cases[i].typed);
        assert_string_equal(err.text, cases[i].why);
        assert_memory_equal(&values, &before, sizeof values); /* nothing is written on failure */
    }
}

static void test_a_list_holds_at_most_its_limit(void **state)
{
    static const struct option open_list = {"list", OPT_LIST, AT(list), NULL, NULL, "", 0};
    struct values values = {0};
    char typed[2 * OPTION_LIST_MAX + 8];
    for (size_t i = 0; i <= OPTION_LIST_MAX; i++)
        memcpy(typed + 2 * i, "a,", 3);
    arena_used = 0;
    assert_int_equal(option_set(&open_list, &values, span_of(typed), &memory, NULL), BERTH_EINVAL);
}

static void test_distance(void **state)
{
    assert_int_equal(option_distance(SPAN("port"), SPAN("port")), 0);
    assert_int_equal(option_distance(SPAN("prot"), SPAN("port")), 1);
    assert_int_equal(option_distance(SPAN("lost_aftr"), SPAN("lost_after")), 1);
    assert_int_equal(option_distance(SPAN(""), SPAN("abc")), 3);
    assert_int_equal(option_distance(SPAN("kitten"), SPAN("sitting")), 3);
    char longer[200];
    memset(longer, 'x', sizeof longer);
    assert_int_equal(option_distance((struct span){longer, sizeof longer}, SPAN("")), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_and_prints),
        cmocka_unit_test(test_refuses_with_what_is_allowed),
        cmocka_unit_test(test_a_list_holds_at_most_its_limit),
        cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
