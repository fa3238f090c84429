/* test_link.c - the lines two balancers exchange: there and back, and what is refused. */
#include "lb/link.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

static char buf[LINK_LINE_MAX];
static struct link_line line;

static void expect_count(const struct lb_count *count)
{
    assert_string_equal(line.count.node, count->node);
    assert_string_equal(line.count.issuer, count->issuer);
    assert_int_equal(line.count.epoch, count->epoch);
    assert_int_equal(line.count.issuer_epoch, count->issuer_epoch);
    assert_int_equal(line.count.second, count->second);
    assert_int_equal(line.count.count, count->count);
}

static void test_lines_come_back_as_they_were(void **state)
{
    struct lb_count count = {.node = "gn-1",
                             .epoch = 1700000000001,
                             .issuer = "lb-a",
                             .issuer_epoch = 1700000000000,
                             .second = 1700000002,
                             .count = 4000000000u};
    assert_int_equal(link_parse(link_count(buf, "game", &count), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_COUNT);
    assert_string_equal(line.pool, "game");
    expect_count(&count);
    assert_int_equal(link_parse(link_hello(buf, "lb-a"), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_HELLO);
    assert_string_equal(line.name, "lb-a");
    assert_int_equal(line.contract, LINK_CONTRACT);
    assert_int_equal(link_parse(link_released(buf, "game"), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_RELEASED);
    assert_int_equal(link_parse(link_rooms(buf, "game"), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_ROOMS);
    assert_string_equal(line.pool, "game");
    assert_int_equal(link_parse(link_room_over(buf, "game", "r:1@x"), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_ROOM_OVER);
    assert_string_equal(line.room, "r:1@x");
    assert_int_equal(link_parse(link_able(buf, true), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_ABLE);
    assert_true(line.yes);
    assert_int_equal(
        link_parse(link_node(buf, LINK_CONFIRM, "game", "gn-1", 17, true), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_CONFIRM);
    assert_string_equal(line.pool, "game");
    assert_string_equal(line.node, "gn-1");
    assert_int_equal(line.epoch, 17);
    assert_int_equal(
        link_parse(link_node(buf, LINK_VERDICT, "game", "gn-1", 17, true), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_VERDICT);
    assert_true(line.yes);
    assert_int_equal(link_parse(SPAN("beat"), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_BEAT);
}

static void test_the_longest_names_fit_a_line(void **state)
{
    struct lb_count count = {.epoch = INT64_MAX,
                             .issuer_epoch = INT64_MAX,
                             .second = INT64_MAX / 1000,
                             .count = UINT32_MAX};
    char pool[KEYS_NAME_MAX + 1];
    memset(pool, 'p', KEYS_NAME_MAX);
    memset(count.node, 'n', KEYS_NAME_MAX);
    memset(count.issuer, 'l', KEYS_NAME_MAX);
    pool[KEYS_NAME_MAX] = '\0';
    assert_int_equal(link_parse(link_count(buf, pool, &count), &line, NULL), 0);
    expect_count(&count);
}

static void test_what_a_newer_one_says_is_passed_over(void **state)
{
    assert_int_equal(link_parse(SPAN("weather pool=game sun=1"), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_OTHER);
    assert_int_equal(link_parse(SPAN("released pool=game since=7"), &line, NULL), 0);
    assert_int_equal(line.kind, LINK_RELEASED);
}

static void test_malformed_lines_are_refused_by_field(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"hello v=1", "hello: name"},
        {"hello name=lb-a", "hello: v"},
        {"released", "released: pool"},
        {"released pool=a/b", "released: pool"},
        {"room_over pool=game", "room_over: room"},
        {"able", "able: yes"},
        {"able yes=2", "able: yes"},
        {"confirm pool=game node=a/b ne=1", "confirm: node"},
        {"verdict pool=game node=n ne=1", "verdict: yes"},
        {"count pool=game node=n by=l ne=1 ie=1 s=1", "count: c"},
        {"count pool=game node=n by=l ne=1 ie=1 s=1 c=-1", "count: c"},
        {"count pool=game node=n by=l ne=1 ie=1 s=1 c=4294967296", "count: c"},
        {"count pool=game node= by=l ne=1 ie=1 s=1 c=1", "count: node"},
        {"count pool=game node=n by=l ne=x ie=1 s=1 c=1", "count: ne"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        assert_int_equal(link_parse(span_of(rows[i].text), &line, &err), BERTH_EPROTO);
        if (strncmp(err.text, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("%s: %s", rows[i].text, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_come_back_as_they_were),
        cmocka_unit_test(test_the_longest_names_fit_a_line),
        cmocka_unit_test(test_what_a_newer_one_says_is_passed_over),
        cmocka_unit_test(test_malformed_lines_are_refused_by_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
