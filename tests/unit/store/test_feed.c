/* Typed items out of replies, well formed and not. */
#include "store/feed.h"
#include "tests/support/cmocka.h"

#define T(lit)                                                                                     \
    {                                                                                              \
        .type = RESP_TEXT, .text = { lit, sizeof(lit) - 1 }                                        \
    }
#define LIST(...)                                                                                  \
    {                                                                                              \
        .type = RESP_LIST, .items = (const struct resp[]){__VA_ARGS__},                            \
        .count = sizeof((const struct resp[]){__VA_ARGS__}) / sizeof(struct resp)                  \
    }
#define ENTRY(id, ...) LIST(T(id), LIST(__VA_ARGS__))

static void test_the_kinds_of_entries(void **state)
{
    const struct resp entries =
        LIST(ENTRY("1-1", T("k"), T("report"), T("n"), T("a"), T("d"),
                   T("v=1 epoch=1 seq=2 conns=3 at=4")),
             ENTRY("1-2", T("k"), T("want"), T("n"), T("a"), T("d"),
                   T("who=operator want=held until=0 since=1 why=x")),
             ENTRY("1-3", T("k"), T("gone"), T("n"), T("a"), T("d"),
                   T("state=gone since=1 epoch=1 fence=0 why=x")),
             ENTRY("1-4", T("k"), T("join"), T("n"), T("a"), T("d"),
                   T("state=joining since=1 epoch=6 fence=0 why=join"), T("i"),
                   T("{\"epoch\":6,\"endpoint\":\"ws://h\",\"capacity\":3}")));
    const struct resp xread = LIST(LIST(T("the stream"), entries));
    const struct resp *shapes[] = {&entries, &xread}; /* XRANGE, XREAD */
    for (int shape = 0; shape < 2; shape++) {
        struct feed_iter iter;
        struct feed_item item;
        assert_int_equal(feed_iter_init(&iter, shapes[shape], NULL), 0);
        assert_int_equal(feed_next(&iter, &item, NULL), 1);
        assert_int_equal(item.kind, FEED_REPORT);
        assert_int_equal(item.report.conns, 3);
        assert_true(span_is(iter.id, "1-1"));
        assert_int_equal(feed_next(&iter, &item, NULL), 1);
        assert_int_equal(item.kind, FEED_WANT);
        assert_string_equal(item.want.node, "a");
        assert_int_equal(item.want.who, WANT_BY_OPERATOR);
        assert_int_equal(feed_next(&iter, &item, NULL), 1);
        assert_int_equal(item.kind, FEED_GONE);
        assert_int_equal(feed_next(&iter, &item, NULL), 1);
        assert_int_equal(item.kind, FEED_JOIN);
        assert_int_equal(item.info.capacity, 3);
        assert_int_equal(item.state.epoch, 6);
        assert_int_equal(feed_next(&iter, &item, NULL), 0);
        assert_true(span_is(iter.id, "1-4"));
    }
}

static void test_a_malformed_entry_hides_nobody(void **state)
{
    const struct resp entries = LIST(
        ENTRY("1-1", T("k"), T("novelty"), T("n"), T("a"), T("d"), T("x")),
        ENTRY("1-2", T("k"), T("report"), T("n"), T(""), T("d"), T("v=1 epoch=1 seq=2 conns=3")),
        ENTRY("1-3", T("k"), T("want"), T("n"), T("a"), T("d"), T("want=held")),
        LIST(T("1-4"), {.type = RESP_NIL}), /* deleted */
        ENTRY("1-5", T("k"), T("state"), T("n"), T("a"), T("d"), T("state=ready since=1 epoch=1")));
    struct feed_iter iter;
    struct feed_item item;
    struct err err = {0};
    assert_int_equal(feed_iter_init(&iter, &entries, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(feed_next(&iter, &item, &err), BERTH_EPROTO);
    assert_int_equal(feed_next(&iter, &item, NULL), 1);
    assert_int_equal(item.state.state, NODE_READY);
    assert_int_equal(feed_next(&iter, &item, NULL), 0);
}

static void test_replies_that_are_no_entries(void **state)
{
    const struct resp nil = {.type = RESP_NIL}, none = {.type = RESP_LIST};
    const struct resp error = {.type = RESP_ERROR, .text = SPAN("LOADING")},
                      number = {.type = RESP_INT};
    const struct resp odd = LIST(T("x"));
    struct feed_iter iter;
    struct feed_item item;
    struct err err = {0};
    assert_int_equal(feed_iter_init(&iter, &nil, NULL), 0);
    assert_int_equal(feed_next(&iter, &item, NULL), 0);
    assert_int_equal(feed_iter_init(&iter, &none, NULL), 0);
    assert_int_equal(feed_next(&iter, &item, NULL), 0);
    assert_int_equal(feed_iter_init(&iter, &error, &err), BERTH_EPROTO);
    assert_string_equal(err.text, "LOADING");
    assert_int_equal(feed_iter_init(&iter, &number, NULL), BERTH_EPROTO);
    assert_int_equal(feed_iter_init(&iter, &odd, NULL), BERTH_EPROTO);
}

static void test_pages_of_rows(void **state)
{
    const struct resp hscan = LIST(T("17"), LIST(T("a"), T("1"), T("b"), T("2")));
    const struct resp hgetall = LIST(T("a"), T("1"));
    struct page_iter page;
    struct span field, value;
    assert_int_equal(page_iter_init(&page, &hscan, NULL), 0);
    assert_true(span_is(page.cursor, "17"));
    assert_true(page_next(&page, &field, &value) && span_is(value, "1"));
    assert_true(page_next(&page, &field, &value) && span_is(field, "b"));
    assert_false(page_next(&page, &field, &value));
    assert_int_equal(page_iter_init(&page, &hgetall, NULL), 0);
    assert_true(span_is(page.cursor, "0"));
    assert_true(page_next(&page, &field, &value) && span_is(field, "a"));
    assert_false(page_next(&page, &field, &value));
}

static void test_rows_as_items(void **state)
{
    struct feed_item item;
    struct err err = {0};
    assert_int_equal(feed_item_from_row(FEED_WANT, SPAN("*closed|operator"),
                                        SPAN("want=closed why=x"), &item, NULL),
                     0);
    assert_string_equal(item.node, "*closed");
    assert_int_equal(feed_item_from_row(FEED_JOIN, SPAN("n"),
                                        SPAN("{\"endpoint\":\"ws://h\",\"capacity\":3}"), &item,
                                        NULL),
                     0);
    assert_false(item.has_state);
    assert_int_equal(
        feed_item_from_row(FEED_REPORT, SPAN("n"), SPAN("v=1 conns=many"), &item, &err),
        BERTH_EPROTO);
    assert_memory_equal(err.text, "row 'n' of report", 17);
    /* only a wish is about a pool */
    assert_int_equal(feed_item_from_row(FEED_JOIN, SPAN("*closed"),
                                        SPAN("{\"endpoint\":\"ws://h\",\"capacity\":3}"), &item,
                                        &err),
                     BERTH_EPROTO);
    assert_memory_equal(err.text, "row '*closed' of join: bad node name", 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kinds_of_entries),
        cmocka_unit_test(test_a_malformed_entry_hides_nobody),
        cmocka_unit_test(test_replies_that_are_no_entries),
        cmocka_unit_test(test_pages_of_rows),
        cmocka_unit_test(test_rows_as_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
