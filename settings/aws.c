/* aws.c - the options of what talks to AWS. */
#include "settings/settings.h"

#include <string.h>
#include <strings.h>

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

#define AT(field) offsetof(struct ec2_template_settings, field)
const struct option ec2_template_options[] = {
    {"launch_template", OPT_TEXT, AT(launch_template), NULL, "3..128",
     "Id (lt-...) or name of the launch template: image, security groups, instance profile, "
     "user-data, Spot or not.",
     OPT_REQUIRED},
    {"version", OPT_TEXT, AT(version), "$Default", "1..20",
     "Its version: a number, $Default or $Latest.", 0},
    {"subnets", OPT_LIST, AT(subnets), NULL, "0..16",
     "Instances are spread over these. Not set: the template's.", 0},
    {"zones", OPT_LIST, AT(zones), NULL, "0..16",
     "Instead of subnets: availability zones, in the default subnet of each.", 0},
    {"instance_types", OPT_LIST, AT(instance_types), NULL, "0..8",
     "In order of preference: the next one where the first is out of capacity in every zone. Not "
     "set: the template's.",
     0},
    {"tags", OPT_LIST, AT(tags), NULL, "0..40", "More tags of the instances, as key=value.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct asg_settings, field)
const struct option asg_options[] = {
    {"launch_timeout", OPT_DURATION, AT(launch_timeout_ms), "5m", "5s..1h",
     "A group that has not made the instances by then is set back, and the launch has failed.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct asg_group_settings, field)
const struct option asg_group_options[] = {
    {"group", OPT_TEXT, AT(group), NULL, "1..255", "Name of the Auto Scaling group.", OPT_REQUIRED},
    {0}};
#undef AT

#define AT(field) offsetof(struct cloudformation_settings, field)
const struct option cloudformation_options[] = {
    {"create_timeout", OPT_DURATION, AT(create_timeout_ms), "15m", "5s..6h",
     "A stack that is not complete by then has failed and is deleted.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct stack_settings, field)
const struct option stack_options[] = {
    {"template_url", OPT_TEXT, AT(template_url), NULL, "8..1024",
     "The template in S3; or template_file.", 0},
    {"template_file", OPT_TEXT, AT(template_file), NULL, "1..500",
     "The template as a file of this machine, at most 51,200 bytes; or template_url.", 0},
    {"count_parameter", OPT_TEXT, AT(count_parameter), "Count", "1..255",
     "The parameter of the template that says how many instances.", 0},
    {"capabilities", OPT_LIST, AT(capabilities), NULL, "0..3",
     "What the template may do: CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND.", 0},
    {"tags", OPT_LIST, AT(tags), NULL, "0..40",
     "More tags of the stack and what is in it, as key=value.", 0},
    {"role_arn", OPT_TEXT, AT(role_arn), NULL, "20..2048",
     "Role that CloudFormation takes to make the stack. Not set: berth's own.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct stack_parameter_settings, field)
const struct option stack_parameter_options[] = {
    {"value", OPT_TEXT, AT(value), NULL, "0..4096", "Its value.", OPT_REQUIRED}, {0}};
#undef AT

#define AT(field) offsetof(struct cloudwatch_settings, field)
const struct option cloudwatch_options[] = {
    {"enabled", OPT_BOOL, AT(enabled), "false", NULL, "Send them.", 0},
    {"namespace", OPT_TEXT, AT(name_space), "Berth", "1..255",
     "CloudWatch namespace of the metrics; not one that begins with AWS/.", 0},
    {"interval", OPT_DURATION, AT(interval_ms), "1m", "1s..1h", "How often.", 0},
    {0}};
#undef AT

/* Tags as "key=value", not in anybody's own namespace. */
static int tags_check(const struct text_list *tags, struct err *err)
{
    for (size_t i = 0; i < tags->count; i++) {
        const char *tag = tags->items[i], *equals = strchr(tag, '=');
        if (!equals || equals == tag || equals - tag > 127 || strlen(equals + 1) > 255)
            return err_set(err, BERTH_EINVAL, "tags: %s: must be key=value", tag);
        if (strncasecmp(tag, "aws:", 4) == 0 || strncmp(tag, "berth:", 6) == 0)
            return err_set(err, BERTH_EINVAL, "tags: %s: keys of aws: and berth: are taken", tag);
    }
    return 0;
}

int ec2_template_check(const void *values, struct err *err)
{
    const struct ec2_template_settings *t = values;
    if (t->subnets.count > 0 && t->zones.count > 0)
        return err_set(err, BERTH_EINVAL,
                       "zones: must not be set beside subnets, which have theirs");
    for (size_t i = 0; i < t->subnets.count; i++)
        if (strncmp(t->subnets.items[i], "subnet-", 7) != 0)
            return err_set(err, BERTH_EINVAL,
                           "subnets: %s: must be the id of a subnet (subnet-...)",
                           t->subnets.items[i]);
    return tags_check(&t->tags, err);
}

int stack_check(const void *values, struct err *err)
{
    static const char *const known[] = {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM",
                                        "CAPABILITY_AUTO_EXPAND"};
    const struct stack_settings *s = values;
    if ((s->template_url != NULL) == (s->template_file != NULL))
        return err_set(err, BERTH_EINVAL,
                       "template_url: one of template_url and template_file must be set");
    for (size_t i = 0; i < s->capabilities.count; i++) {
        const char *one = s->capabilities.items[i];
        if (strcmp(one, known[0]) != 0 && strcmp(one, known[1]) != 0 && strcmp(one, known[2]) != 0)
            return err_set(err, BERTH_EINVAL, "capabilities: %s: must be %s, %s or %s", one,
                           known[0], known[1], known[2]);
    }
    for (size_t i = 0; i < s->parameters.count; i++) {
        const struct stack_parameter_settings *p =
            SECTION_AT(s->parameters, struct stack_parameter_settings, i);
        if (strcmp(p->name, s->count_parameter) == 0)
            return err_set(err, BERTH_EINVAL,
                           "parameters.%s: is the count_parameter, which berth sets", p->name);
    }
    return tags_check(&s->tags, err);
}
