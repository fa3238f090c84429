/* test_aws_fault.c - what AWS refuses is put in the right drawer. */
#include "aws/fault.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

static struct fault ec2(int status, const char *code, const char *message)
{
    char body[1024];
    struct fault fault;
    snprintf(body, sizeof body,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>%s</Code>"
             "<Message>%s</Message></Error></Errors><RequestID>r-1</RequestID></Response>",
             code, message);
    fault_read(status, span_of(body), &fault);
    return fault;
}

static struct fault query(int status, const char *code, const char *message)
{
    char body[1024];
    struct fault fault;
    snprintf(body, sizeof body,
             "<ErrorResponse xmlns=\"http://x/\"><Error><Type>Sender</Type><Code>%s</Code>"
             "<Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>",
             code, message);
    fault_read(status, span_of(body), &fault);
    return fault;
}

static void test_reads_both_shapes(void **state)
{
    struct fault fault = ec2(503, "RequestLimitExceeded", "Request limit exceeded.");
    assert_int_equal(fault.kind, FAULT_THROTTLED);
    assert_string_equal(fault.message, "Request limit exceeded.");
    fault = query(400, "Throttling", "Rate exceeded");
    assert_int_equal(fault.kind, FAULT_THROTTLED);
    assert_string_equal(fault.code, "Throttling");
}

static void test_sorts_codes(void **state)
{
    static const struct {
        int status;
        const char *code, *message;
        enum fault_kind kind;
    } cases[] = {
        {500, "InsufficientInstanceCapacity", "no", FAULT_CAPACITY},
        {400, "Unsupported", "not in your Availability Zone", FAULT_CAPACITY},
        {403, "UnauthorizedOperation", "no", FAULT_DENIED},
        {400, "InvalidLaunchTemplateId.NotFound", "no", FAULT_DENIED},
        {401, "AuthFailure", "could not validate", FAULT_EXPIRED},
        {400, "RequestExpired", "Request has expired.", FAULT_SKEWED},
        {403, "SignatureDoesNotMatch", "Signature expired: 1 is now earlier than 2", FAULT_SKEWED},
        {403, "SignatureDoesNotMatch", "The request signature we calculated", FAULT_DENIED},
        {400, "InvalidInstanceID.NotFound", "does not exist", FAULT_GONE},
        {400, "ValidationError", "Stack with id x does not exist", FAULT_GONE},
        {400, "ValidationError", "Parameters: [Count] must have values", FAULT_REFUSED},
        {400, "AlreadyExistsException", "Stack [x] already exists", FAULT_EXISTS},
        {500, "InternalError", "sorry", FAULT_PASSING},
        {418, "NeverHeardOf", "no", FAULT_REFUSED},
        {502, "NeverHeardOf", "no", FAULT_PASSING},
        {429, "NeverHeardOf", "no", FAULT_THROTTLED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault fault = query(cases[i].status, cases[i].code, cases[i].message);
        if (fault.kind != cases[i].kind)
            fail_msg("%s is %s", cases[i].code, fault_word(fault.kind));
    }
}

static void test_judges_what_is_not_xml_by_its_status(void **state)
{
    struct fault fault;
    fault_read(503, span_of("<html>busy"), &fault);
    assert_int_equal(fault.kind, FAULT_PASSING);
    assert_string_equal(fault.message, "status 503");
    fault_read(403, span_of(""), &fault);
    assert_int_equal(fault.kind, FAULT_DENIED);
    fault_read(404, span_of("{}"), &fault);
    assert_int_equal(fault.kind, FAULT_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_both_shapes),
        cmocka_unit_test(test_sorts_codes),
        cmocka_unit_test(test_judges_what_is_not_xml_by_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
