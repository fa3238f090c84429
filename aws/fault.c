/* fault.c - what AWS says when it does not do what was asked, and what to make of it.
 *
 * The codes are those of the EC2, Auto Scaling, CloudFormation and CloudWatch references ("Common
 * errors" and each action's own). */
#include "aws/fault.h"

#include "aws/xml.h"

#include <stdio.h>

struct row {
    const char *code;
    enum fault_kind kind;
};

static const struct row rows[] = {
    {"RequestLimitExceeded", FAULT_THROTTLED},
    {"Throttling", FAULT_THROTTLED},
    {"ThrottlingException", FAULT_THROTTLED},
    {"ThrottledException", FAULT_THROTTLED},
    {"RequestThrottled", FAULT_THROTTLED},
    {"RequestThrottledException", FAULT_THROTTLED},
    {"TooManyRequestsException", FAULT_THROTTLED},
    {"BandwidthLimitExceeded", FAULT_THROTTLED},
    {"LimitExceededException", FAULT_REFUSED}, /* CloudFormation: too many stacks */
    {"SlowDown", FAULT_THROTTLED},
    {"EC2ThrottledException", FAULT_THROTTLED},
    {"InsufficientInstanceCapacity", FAULT_CAPACITY},
    {"InsufficientHostCapacity", FAULT_CAPACITY},
    {"InsufficientReservedInstanceCapacity", FAULT_CAPACITY},
    {"InsufficientCapacity", FAULT_CAPACITY},
    {"InsufficientCapacityOnHost", FAULT_CAPACITY},
    {"InsufficientFreeAddressesInSubnet", FAULT_CAPACITY},
    {"MaxSpotInstanceCountExceeded", FAULT_CAPACITY},
    {"SpotMaxPriceTooLow", FAULT_CAPACITY},
    {"InstanceLimitExceeded", FAULT_CAPACITY},
    {"VcpuLimitExceeded", FAULT_CAPACITY},
    {"UnfulfillableCapacity", FAULT_CAPACITY},
    {"Unsupported", FAULT_CAPACITY}, /* this type is not offered in this zone */
    {"RequestExpired", FAULT_SKEWED},
    {"RequestTimeTooSkewed", FAULT_SKEWED},
    {"RequestInTheFuture", FAULT_SKEWED},
    {"ExpiredToken", FAULT_EXPIRED},
    {"ExpiredTokenException", FAULT_EXPIRED},
    {"TokenRefreshRequired", FAULT_EXPIRED},
    {"InvalidClientTokenId", FAULT_EXPIRED}, /* temporary keys that were just replaced look so */
    {"UnrecognizedClientException", FAULT_EXPIRED},
    {"InvalidAccessKeyId", FAULT_EXPIRED},
    {"AuthFailure", FAULT_EXPIRED},
    {"SignatureDoesNotMatch", FAULT_DENIED},
    {"InvalidSignatureException", FAULT_DENIED},
    {"IncompleteSignature", FAULT_DENIED},
    {"IncompleteSignatureException", FAULT_DENIED},
    {"MissingAuthenticationToken", FAULT_DENIED},
    {"MissingAuthenticationTokenException", FAULT_DENIED},
    {"UnauthorizedOperation", FAULT_DENIED},
    {"AccessDenied", FAULT_DENIED},
    {"AccessDeniedException", FAULT_DENIED},
    {"NotAuthorized", FAULT_DENIED},
    {"OptInRequired", FAULT_DENIED},
    {"SubscriptionRequiredException", FAULT_DENIED},
    {"Blocked", FAULT_DENIED},
    {"PendingVerification", FAULT_DENIED},
    {"InsufficientCapabilities", FAULT_DENIED},
    {"InsufficientCapabilitiesException", FAULT_DENIED},
    {"InvalidLaunchTemplateId.NotFound", FAULT_DENIED},
    {"InvalidLaunchTemplateId.NotFoundException", FAULT_DENIED},
    {"InvalidLaunchTemplateId.Malformed", FAULT_DENIED},
    {"InvalidLaunchTemplateName.NotFoundException", FAULT_DENIED},
    {"InvalidLaunchTemplateId.VersionNotFound", FAULT_DENIED},
    {"InvalidSubnetID.NotFound", FAULT_DENIED},
    {"InvalidSubnet", FAULT_DENIED},
    {"InvalidAMIID.NotFound", FAULT_DENIED},
    {"InvalidGroup.NotFound", FAULT_DENIED},
    {"InvalidKeyPair.NotFound", FAULT_DENIED},
    {"MaxSpotFleetRequestCountExceeded", FAULT_DENIED},
    {"InvalidInstanceID.NotFound", FAULT_GONE},
    {"InvalidInstanceID", FAULT_GONE},
    {"InvalidInstanceID.Malformed", FAULT_REFUSED},
    {"AlreadyExistsException", FAULT_EXISTS},
    {"TokenAlreadyExistsException", FAULT_EXISTS},
    {"IdempotentInstanceTerminated", FAULT_GONE},
    {"InternalError", FAULT_PASSING},
    {"InternalFailure", FAULT_PASSING},
    {"InternalServiceFault", FAULT_PASSING},
    {"ServiceUnavailable", FAULT_PASSING},
    {"Unavailable", FAULT_PASSING},
    {"ServerInternal", FAULT_PASSING},
    {"ScalingActivityInProgress", FAULT_PASSING},
    {"ResourceContention", FAULT_PASSING},
    {"ResourceContentionFault", FAULT_PASSING},
    {"OperationInProgressException", FAULT_PASSING},
    {"RequestTimeout", FAULT_PASSING},
    {"RequestTimeoutException", FAULT_PASSING},
    {NULL, FAULT_NONE},
};

static void on_element(void *arg, bool begins, const char *path, const char *text)
{
    struct fault *fault = arg;
    if (begins)
        return;
    /* EC2: Response/Errors/Error/Code; the others: ErrorResponse/Error/Code. */
    if (xml_ends(path, "Error/Code") && !fault->code[0])
        snprintf(fault->code, sizeof fault->code, "%.*s", (int)sizeof fault->code - 1, text);
    else if (xml_ends(path, "Error/Message") && !fault->message[0])
        snprintf(fault->message, sizeof fault->message, "%.*s", (int)sizeof fault->message - 1,
                 text);
}

static enum fault_kind kind_of(int status, const struct fault *fault)
{
    for (size_t i = 0; rows[i].code; i++) {
        if (strcmp(rows[i].code, fault->code) != 0)
            continue;
        /* A signature may be refused for its time alone. */
        bool late = strstr(fault->message, "Signature expired") ||
                    strstr(fault->message, "Signature not yet current");
        return rows[i].kind == FAULT_DENIED && late ? FAULT_SKEWED : rows[i].kind;
    }
    /* CloudFormation and Auto Scaling have one code for all that is not right. */
    if (strcmp(fault->code, "ValidationError") == 0 &&
        (strstr(fault->message, "does not exist") || strstr(fault->message, "not found")))
        return FAULT_GONE;
    if (status == 429)
        return FAULT_THROTTLED;
    if (status >= 500)
        return FAULT_PASSING;
    if (!fault->code[0] && (status == 401 || status == 403))
        return FAULT_DENIED;
    return FAULT_REFUSED;
}

void fault_read(int status, struct span body, struct fault *ret_fault)
{
    struct err err = {0};
    *ret_fault = (struct fault){0};
    if (body.len == 0 || xml_read(body, on_element, ret_fault, &err) < 0 || !ret_fault->code[0])
        snprintf(ret_fault->message, sizeof ret_fault->message, "status %d", status);
    ret_fault->kind = kind_of(status, ret_fault);
}

const char *fault_word(enum fault_kind kind)
{
    static const char *const words[] = {"none",   "throttled", "capacity", "denied",  "expired",
                                        "skewed", "gone",      "exists",   "passing", "refused"};
    return words[kind];
}
