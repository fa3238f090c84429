/* Reports as records, both ways. */
#include "store/node_report.h"
#include "tests/support/cmocka.h"

static struct node_report full_report(void)
{
    return (struct node_report){
        .contract = 1,
        .epoch = 1700000000123,
        .seq = 9,
        .conns = 40,
        .handshaking = 2,
        .capacity = 100,
        .rooms = 10,
        .closed = true,
        .drain = true,
        .pid = 77,
        .admitted_count = 2,
        .admitted = {{.issuer = "lb-a",
                      .issuer_epoch = 5,
                      .first_s = 1700000000,
                      .count = 3,
                      .counts = {1, 0, 4}},
                     {.issuer = "lb-b",
                      .issuer_epoch = 6,
                      .first_s = 1700000001,
                      .count = 1,
                      .counts = {9}}},
        .gauge_count = 2,
        .gauges = {{.name = "cpu", .value = 0.25}, {.name = "tick_ms", .value = -3}},
    };
}

static void test_what_was_written_is_read(void **state)
{
    char text[REPORT_TEXT_MAX];
    struct node_report in = full_report(), out;
    struct err err = {0};
    int len = node_report_write(&in, text, sizeof text);
    assert_true(len > 0);
    assert_string_equal(text,
                        "v=1 epoch=1700000000123 seq=9 conns=40 hs=2 cap=100 rooms=10 "
                        "adm=lb-a/5/1700000000:1.0.4,lb-b/6/1700000001:9 closed=1 drain=1 pid=77 "
                        "g.cpu=0.25 g.tick_ms=-3");
    if (node_report_parse((struct span){text, (size_t)len}, &out, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(out.epoch, in.epoch);
    assert_int_equal(out.handshaking, 2);
    assert_true(out.closed && out.drain);
    assert_int_equal(out.admitted_count, 2);
    assert_string_equal(out.admitted[1].issuer, "lb-b");
    assert_int_equal(out.admitted[0].counts[2], 4);
    assert_int_equal(out.gauge_count, 2);
    assert_string_equal(out.gauges[1].name, "tick_ms");
    assert_true(out.gauges[0].value == 0.25);
    assert_int_equal(out.at.ms, 0);
}

static void test_unknown_fields_are_ignored_and_at_is_read(void **state)
{
    struct node_report r;
    assert_int_equal(
        node_report_parse(SPAN("v=2 epoch=1 seq=0 conns=0 shiny=%zz adm=- at=55"), &r, NULL), 0);
    assert_int_equal(r.contract, 2);
    assert_int_equal(r.at.ms, 55);
    assert_int_equal(r.admitted_count, 0);
    assert_false(r.closed);
}

static void test_malformed_reports_are_refused_and_the_field_is_named(void **state)
{
    static const struct {
        const char *text, *named;
    } cases[] = {
        {"", "must be there"},
        {"v=1 epoch=1 seq=1", "must be there"},
        {"epoch=1 seq=1 conns=1", "must be there"},
        {"v=1 epoch=1 seq=1 conns=-1", "conns=-1"},
        {"v=1 epoch=1 seq=1 conns=1e3", "conns=1e3"},
        {"v=1 epoch=x seq=1 conns=1", "epoch=x"},
        {"v=1 epoch=1 seq=1 conns=1 closed=yes", "closed=yes"},
        {"v=1 epoch=1 seq=1 conns=1 adm=lb-a/5", "adm="},
        {"v=1 epoch=1 seq=1 conns=1 g.cpu=nan", "g.cpu=nan"},
        {"v=1 epoch=1 seq=1 conns=1 g.abcdefghijklmnopqrstuvwxyz0123456=1", "g.abc"},
        {"v=1 epoch=1 seq=1 conns=1 g.1=1 g.2=1 g.3=1 g.4=1 g.5=1 g.6=1 g.7=1 g.8=1 g.9=1",
         "g.9=1"},
    };
    struct node_report r;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        assert_int_equal(node_report_parse(span_of(cases[i].text), &r, &err), BERTH_EPROTO);
        if (!strstr(err.text, cases[i].named))
            fail_msg("'%s' does not name %s", err.text, cases[i].named);
    }
}

static void test_what_does_not_fit_is_not_written(void **state)
{
    char text[64];
    const struct node_report r = full_report();
    assert_int_equal(node_report_write(&r, text, sizeof text), BERTH_EFULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_unknown_fields_are_ignored_and_at_is_read),
        cmocka_unit_test(test_malformed_reports_are_refused_and_the_field_is_named),
        cmocka_unit_test(test_what_does_not_fit_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
