/* test_aws_sigv4.c - signatures as botocore makes them of the same request. */
#include "aws/sigv4.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

static const char body[] =
    "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Aberth%3Apool";

static void sign(const char *token, const char *names, const char *signature)
{
    struct credentials keys = {.id = "AKIDEXAMPLE",
                               .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
    char date[SIGV4_LINE_MAX], authorization[SIGV4_LINE_MAX], want[SIGV4_LINE_MAX];
    struct sigv4 request = {.keys = &keys,
                            .region = "eu-central-1",
                            .service = "ec2",
                            .host = "ec2.eu-central-1.amazonaws.com",
                            .content_type = "application/x-www-form-urlencoded; charset=utf-8",
                            .body = span_of(body),
                            .at_s = 1795303800};
    snprintf(keys.token, sizeof keys.token, "%s", token);
    assert_true(sigv4_sign(&request, date, authorization));
    assert_string_equal(date, "X-Amz-Date: 20261121T233000Z");
    snprintf(want, sizeof want,
             "Authorization: AWS4-HMAC-SHA256 "
             "Credential=AKIDEXAMPLE/20261121/eu-central-1/ec2/aws4_request, SignedHeaders=%s, "
             "Signature=%s",
             names, signature);
    assert_string_equal(authorization, want);
}

static void test_signs_as_botocore_does(void **state)
{
    sign("", "content-type;host;x-amz-date",
         "01caef9d7385c97c2c468fb10338f34c89fa2d61550ccc4ef610f219f355cc0c");
    sign("FQoG/token+with==slash", "content-type;host;x-amz-date;x-amz-security-token",
         "fe40972c96b438b86989dec90412f19d87afc3c39cf62b405a97b52b66307f78");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_signs_as_botocore_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
