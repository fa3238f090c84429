/* test_aws_form.c - forms are encoded as AWS decodes them, and never cut in silence. */
#include "aws/form.h"
#include "tests/support/cmocka.h"

static void test_encodes_everything_but_unreserved(void **state)
{
    char buf[256];
    struct form form;
    form_begin(&form, buf, sizeof buf, "RunInstances", "2016-11-15");
    form_add(&form, "a b+c/d=é~-._&", "TagSpecification.%d.Tag.1.Value", 1);
    form_add_int(&form, -3, "MinCount");
    assert_false(form.cut);
    struct span s = form_span(&form);
    assert_true(span_is(s, "Action=RunInstances&Version=2016-11-15&TagSpecification.1.Tag.1.Value="
                           "a%20b%2Bc%2Fd%3D%C3%A9~-._%26&MinCount=-3"));
}

static void test_says_when_it_does_not_fit(void **state)
{
    char buf[40];
    struct form form;
    form_begin(&form, buf, sizeof buf, "A", "2016-11-15");
    assert_false(form.cut);
    form_add(&form, "0123456789012345678901234567890", "Name");
    assert_true(form.cut);
    assert_true(form.len <= sizeof buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodes_everything_but_unreserved),
        cmocka_unit_test(test_says_when_it_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
