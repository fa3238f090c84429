/* fuzz_cloud.c - any bytes as what clouds, a Docker engine and the owner's own commands and
 * services answer: lists of instances, groups and containers, advice, credentials. The first byte
 * says as what it is read. */
#include "autoscale/act_json.h"
#include "autoscale/docker_json.h"
#include "autoscale/exec_json.h"
#include "aws/credentials.h"
#include "aws/group.h"
#include "aws/instances.h"
#include "tests/fuzz/need.h"

static void list_instances(struct span text)
{
    struct instances list = {.items = NULL};
    struct err err = {0};
    int rc = instances_read(&list, text, &err);
    need(rc == 0 || err.text[0]);
    need(list.count <= INSTANCES_MAX);
    for (size_t i = 0; rc == 0 && i < list.count; i++)
        need(list.items[i].id[0] && strlen(list.items[i].id) < sizeof list.items[i].id);
    instances_free(&list);
}

static void list_group(struct span text)
{
    struct group group = {.found = false};
    struct err err = {0};
    int rc = group_read(&group, text, &err);
    need(rc == 0 || err.text[0]);
    need(group.count <= GROUP_MEMBERS_MAX && (group.found || rc < 0 || group.count == 0));
    group_free(&group);
}

static void exec_list(struct span text)
{
    enum { MAX = 8 };
    static struct fleet_listed items[MAX];
    struct err err = {0};
    int n = exec_json_read(text, items, MAX, &err);
    need(n <= MAX && (n >= 0 || err.text[0]));
    for (int i = 0; i < n; i++) {
        need(items[i].id[0] && items[i].age_ms >= -1);
        for (int j = 0; j < i; j++)
            need(strcmp(items[i].id, items[j].id) != 0);
    }
}

static void containers(struct span text)
{
    enum { MAX = 8 };
    static struct docker_listed items[MAX];
    const wall_ms_t now = {1700000000000};
    struct err err = {0};
    int n = docker_json_list(text, now, items, MAX, &err);
    need(n <= MAX && (n >= 0 || err.text[0]));
    for (int i = 0; i < n; i++)
        need(items[i].item.id[0] && strlen(items[i].item.id) < NAME_SIZE &&
             strlen(items[i].item.token) < NAME_SIZE && items[i].item.age_ms >= 0 &&
             items[i].item.age_ms <= now.ms);
}

static void engine(struct span text)
{
    struct err err = {0};
    char message[32];
    int minor = docker_json_version(text, &err);
    need(minor < 0 ? err.text[0] != '\0' : minor >= DOCKER_API_LEAST && minor <= DOCKER_API_NEWEST);
    need(strlen(docker_json_message(text, message, sizeof message)) < sizeof message);
}

static void advice(struct span text)
{
    struct act_advice said;
    struct err err = {0};
    if (act_json_read(text, &said, &err) < 0)
        need(err.text[0]);
    else
        need(said.desired >= 0 && strlen(said.reason) < sizeof said.reason);
}

static void keys(struct span text)
{
    static struct credentials c;
    struct err err = {0};
    int64_t at;
    if (credentials_read(text, "container", &c, &err) < 0)
        need(err.text[0]);
    else
        need(c.id[0] && c.secret[0] && credentials_renew_s(&c, 1700000000) >= 0);
    (void)credentials_time(text, &at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const read_as[])(struct span text) = {
        list_instances, list_group, exec_list, advice, keys, containers, engine};
    if (size < 1)
        return 0;
    read_as[(data[0] - '0') % 7u]((struct span){(const char *)data + 1, size - 1});
    return 0;
}
