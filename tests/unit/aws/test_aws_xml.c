/* test_aws_xml.c - answers are read as paths; hostile ones end with an error. */
#include "aws/xml.h"
#include "core/text.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

struct trace {
    char buf[2048];
    struct text text;
    size_t longest;
};

static void on_element(void *arg, bool begins, const char *path, const char *text)
{
    struct trace *t = arg;
    size_t len = strlen(text);
    t->longest = len > t->longest ? len : t->longest;
    text_add(&t->text, begins ? "+%s " : "-%s=%s ", path, text);
}

static int read_text(struct trace *t, const char *document)
{
    struct err err = {0};
    *t = (struct trace){0};
    text_init(&t->text, t->buf, sizeof t->buf);
    int rc = xml_read(span_of(document), on_element, t, &err);
    assert_int_equal(rc, err.code);
    return rc;
}

static void test_tells_paths_without_the_root(void **state)
{
    struct trace t;
    assert_int_equal(
        read_text(&t, "<?xml version=\"1.0\"?><R xmlns=\"http://x/\"><set>\n <item a='1'><id> i-1\n"
                      "</id><none/></item> lost </set><x:n xmlns:x='u'>a&amp;b</x:n></R>"),
        0);
    assert_string_equal(t.buf, "+ +set +set/item +set/item/id -set/item/id=i-1 +set/item/none "
                               "-set/item/none= -set/item= -set=lost +n -n=a&b -= ");
}

static void test_refuses_what_is_hostile(void **state)
{
    struct trace t;
    assert_int_equal(read_text(&t, "<!DOCTYPE a [<!ENTITY b \"cccc\">]><a>&b;</a>"), BERTH_EPROTO);
    assert_int_equal(read_text(&t, "<a><b></a>"), BERTH_EPROTO);
    assert_int_equal(read_text(&t, ""), BERTH_EPROTO);
    assert_int_equal(read_text(&t, "<a/><b/>"), BERTH_EPROTO);
    assert_int_equal(read_text(&t, "Service Unavailable"), BERTH_EPROTO);
}

static void test_bounds_depth_names_and_text(void **state)
{
    struct trace t;
    char deep[XML_DEPTH_MAX * 8 + 32];
    size_t n = 0;
    for (int i = 0; i <= XML_DEPTH_MAX; i++)
        n += (size_t)snprintf(deep + n, sizeof deep - n, "<a>");
    assert_int_equal(read_text(&t, deep), BERTH_EPROTO);

    char *name = malloc(2000);
    memset(name, 'n', 1999);
    name[1999] = 0;
    char *document = malloc(3 * XML_TEXT_MAX);
    snprintf(document, 3 * XML_TEXT_MAX, "<a><%s/></a>", name);
    assert_int_equal(read_text(&t, document), BERTH_EPROTO);

    n = (size_t)snprintf(document, 64, "<a><b>");
    memset(document + n, 'x', 2 * XML_TEXT_MAX);
    snprintf(document + n + 2 * XML_TEXT_MAX, 32, "</b></a>");
    assert_int_equal(read_text(&t, document), 0);
    assert_int_equal(t.longest, XML_TEXT_MAX);
    free(name);
    free(document);
}

static void test_knows_the_tail_of_a_path(void **state)
{
    assert_true(xml_ends("Errors/Error/Code", "Error/Code"));
    assert_true(xml_ends("Error/Code", "Error/Code"));
    assert_false(xml_ends("TheError/Code", "Error/Code"));
    assert_false(xml_ends("Code", "Error/Code"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_paths_without_the_root),
        cmocka_unit_test(test_refuses_what_is_hostile),
        cmocka_unit_test(test_bounds_depth_names_and_text),
        cmocka_unit_test(test_knows_the_tail_of_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
