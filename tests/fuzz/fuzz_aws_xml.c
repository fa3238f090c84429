/* fuzz_aws_xml.c - any bytes as an answer of AWS: read within bounds, judged as something. */

#include "aws/credentials.h"
#include "aws/fault.h"
#include "aws/group.h"
#include "aws/instances.h"
#include "aws/profile.h"
#include "aws/stacks.h"
#include "aws/xml.h"
#include "tests/fuzz/need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct depth {
    size_t open, elements;
};

static void on_element(void *arg, bool begins, const char *path, const char *text)
{
    struct depth *d = arg;
    need(strlen(path) < XML_PATH_MAX && strlen(text) <= XML_TEXT_MAX);
    need(begins || d->open > 0);
    d->open += begins ? 1 : (size_t)-1;
    d->elements += begins;
    need(d->open <= XML_DEPTH_MAX && d->elements <= XML_ELEMENTS_MAX);
}

/* The readers of answers: what they tell is whole. */
static void read_lists(struct span text)
{
    struct instances instances = {0};
    struct stacks stacks = {0};
    struct group group = {0};
    struct err err = {0};
    char reason[64] = "", next[64];
    (void)!instances_read(&instances, text, &err);
    for (size_t i = 0; i < instances.count; i++)
        need(instances.items[i].id[0] && strlen(instances.items[i].token) < 65);
    (void)!stacks_read(&stacks, text, &err);
    for (size_t i = 0; i < stacks.count; i++)
        need(stacks.items[i].name[0] && strlen(stacks.items[i].reason) < 200);
    (void)!group_read(&group, text, &err);
    for (size_t i = 0; i < group.count; i++)
        need(group.members[i].id[0] && group.members[i].lifecycle != MEMBER_GONE);
    stacks_read_reason(text, reason, sizeof reason);
    stacks_read_next(text, next, sizeof next);
    need(strlen(reason) < sizeof reason && strlen(next) < sizeof next);
    instances_free(&instances);
    stacks_free(&stacks);
    group_free(&group);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct depth depth = {0};
    struct err err = {0};
    struct fault fault;
    struct credentials credentials;
    struct span value = {0};
    if (size == 0)
        return 0;
    if (xml_read(text, on_element, &depth, &err) == 0)
        need(depth.open == 0 && depth.elements > 0);
    read_lists(text);
    fault_read(400, text, &fault);
    need(fault.kind != FAULT_NONE && fault.message[sizeof fault.message - 1] == 0);
    if (profile_get(text, "default", "region", &value) ||
        profile_get_nested(text, "default", "ec2", "endpoint_url", &value))
        need(value.len == 0 || (value.ptr >= text.ptr && value.ptr + value.len <= text.ptr + size));
    if (credentials_read(text, "instance", &credentials, &err) == 0)
        need(credentials.id[0] && credentials.secret[0]);
    return 0;
}
