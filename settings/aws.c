/* aws.c - the options of what talks to AWS. */
#include "settings/settings.h"

#include <string.h>

#define AT(field) offsetof(struct aws_settings, field)
const struct option aws_options[] = {
    {"region", OPT_TEXT, AT(region), NULL, "1..63",
     "As eu-central-1. Not set: AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's.", 0},
    {"profile", OPT_TEXT, AT(profile), NULL, "1..100",
     "Profile of the shared files; goes before keys in the environment. Not set: AWS_PROFILE, else "
     "default.",
     0},
    {"endpoint", OPT_TEXT, AT(endpoint), NULL, "8..255",
     "URL of every service, for private and test clouds. Not set: AWS_ENDPOINT_URL and its like, "
     "else AWS's own.",
     0},
    {"ec2_endpoint", OPT_TEXT, AT(ec2_endpoint), NULL, "8..255", "URL of EC2 alone.", 0},
    {"autoscaling_endpoint", OPT_TEXT, AT(autoscaling_endpoint), NULL, "8..255",
     "URL of EC2 Auto Scaling alone.", 0},
    {"cloudformation_endpoint", OPT_TEXT, AT(cloudformation_endpoint), NULL, "8..255",
     "URL of CloudFormation alone.", 0},
    {"cloudwatch_endpoint", OPT_TEXT, AT(cloudwatch_endpoint), NULL, "8..255",
     "URL of CloudWatch alone.", 0},
    {"timeout", OPT_DURATION, AT(timeout_ms), "8s", "500ms..20s",
     "One request; a call is repeated within 25s.", 0},
    {0}};
#undef AT

int aws_check(const void *values, struct err *err)
{
    const struct aws_settings *aws = values;
    const struct {
        const char *name, *url;
    } urls[] = {{"endpoint", aws->endpoint},
                {"ec2_endpoint", aws->ec2_endpoint},
                {"autoscaling_endpoint", aws->autoscaling_endpoint},
                {"cloudformation_endpoint", aws->cloudformation_endpoint},
                {"cloudwatch_endpoint", aws->cloudwatch_endpoint}};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        if (urls[i].url && strncmp(urls[i].url, "http://", 7) != 0 &&
            strncmp(urls[i].url, "https://", 8) != 0)
            return err_set(err, BERTH_EINVAL, "%s = %s: must begin with http:// or https://",
                           urls[i].name, urls[i].url);
    return 0;
}
