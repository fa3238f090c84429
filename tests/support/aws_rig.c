/* aws_rig.c - a provider on AWS, driven against aws_endpoint.py as the autoscaler drives it. */
#include "tests/support/aws_rig.h"

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 30000

static void on_deadline(void *arg)
{
    fail_msg("no answer in time");
}

int aws_rig_start(void **state)
{
    struct aws_rig *rig = calloc(1, sizeof *rig);
    static const char *const gone[] = {"AWS_PROFILE",
                                       "AWS_SESSION_TOKEN",
                                       "AWS_DEFAULT_REGION",
                                       "AWS_ENDPOINT_URL",
                                       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                       "AWS_CONTAINER_CREDENTIALS_FULL_URI"};
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        unsetenv(gone[i]);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials", 1);
    setenv("AWS_CONFIG_FILE", "/nowhere/config", 1);
    py_server_start(&rig->server, "tests/support/aws_endpoint.py", NULL);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", rig->server.url, 1);
    *state = rig;
    return 0;
}

int aws_rig_stop(void **state)
{
    struct aws_rig *rig = *state;
    py_server_stop(&rig->server);
    free(rig);
    return 0;
}

static void open_provider(struct aws_rig *rig)
{
    struct err err = {0};
    rig->env.aws = aws_create(rig->loop, &rig->log, rig->fetcher, &rig->settings.aws, &err);
    assert_non_null(rig->env.aws);
    if (rig->kind)
        rig->provider = rig->kind->open(&rig->env, &err);
    if (rig->kind && !rig->provider)
        fail_msg("%s", err.text);
}

static void close_provider(struct aws_rig *rig)
{
    if (rig->kind)
        rig->kind->close(rig->provider);
    aws_destroy(rig->env.aws);
    rig->provider = NULL;
    rig->env.aws = NULL;
}

void aws_rig_open(struct aws_rig *rig, const struct provider_kind *kind)
{
    setenv("AWS_ACCESS_KEY_ID", "AKIDBERTHTEST", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "berth/test+secret", 1);
    setenv("AWS_REGION", "eu-test-1", 1);
    aws_rig_tell(rig, "{\"reset\": true}");
    rig->kind = kind;
    rig->loop = loop_create(NULL);
    log_init(&rig->log, "test");
    rig->log.level = getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR;
    rig->fetcher = fetcher_create(rig->loop, &rig->log, NULL);
    rig->settings.aws.endpoint = rig->server.url;
    rig->settings.aws.timeout_ms = 4000;
    rig->env = (struct provider_env){.loop = rig->loop,
                                     .log = &rig->log,
                                     .settings = &rig->settings,
                                     .fetcher = rig->fetcher,
                                     .name_space = "berth-test"};
    timer_init(&rig->deadline, rig->loop, on_deadline, rig);
    open_provider(rig);
}

void aws_rig_close(struct aws_rig *rig)
{
    close_provider(rig);
    timer_stop(&rig->deadline);
    fetcher_destroy(rig->fetcher);
    loop_destroy(rig->loop);
    memset(&rig->settings, 0, sizeof rig->settings);
}

void aws_rig_reopen(struct aws_rig *rig)
{
    close_provider(rig);
    open_provider(rig);
}

/* ---- calls ---- */

static void run(struct aws_rig *rig)
{
    timer_start(&rig->deadline, DEADLINE_MS, 0);
    loop_run(rig->loop);
    timer_stop(&rig->deadline);
}

static void on_launched(void *arg, enum scale_outcome outcome, const char (*ids)[NAME_SIZE],
                        size_t count, const char *error)
{
    struct aws_rig *rig = arg;
    rig->answers++;
    rig->outcome = outcome;
    rig->count = count;
    for (size_t i = 0; i < count && i < 64; i++)
        memcpy(rig->ids[i], ids[i], NAME_SIZE);
    snprintf(rig->error, sizeof rig->error, "%s", error ? error : "");
    loop_stop(rig->loop);
}

void aws_rig_launch(struct aws_rig *rig, const char *token, int count, const char *zone)
{
    rig->answers = 0;
    rig->kind->launch(rig->provider, "game", token, count, zone, on_launched, rig);
    assert_int_equal(rig->answers, 0);
    run(rig);
    assert_int_equal(rig->answers, 1);
}

void aws_rig_launch_often(struct aws_rig *rig, const char *token, int count, int times)
{
    rig->answers = 0;
    for (int i = 0; i < times; i++)
        rig->kind->launch(rig->provider, "game", token, count, "", on_launched, rig);
    run(rig); /* the first answer stops the loop; the others come with it */
    assert_int_equal(rig->answers, times);
}

static void on_listed(void *arg, const struct fleet_listed *items, size_t count, const char *error)
{
    struct aws_rig *rig = arg;
    rig->count = count;
    assert_true(count <= 512);
    if (count > 0)
        memcpy(rig->listed, items, count * sizeof *items);
    snprintf(rig->error, sizeof rig->error, "%s", error ? error : "");
    loop_stop(rig->loop);
}

size_t aws_rig_list(struct aws_rig *rig)
{
    rig->kind->list(rig->provider, "game", on_listed, rig);
    run(rig);
    return rig->count;
}

static void on_done(void *arg, enum scale_outcome outcome, const char *error)
{
    struct aws_rig *rig = arg;
    rig->outcome = outcome;
    snprintf(rig->error, sizeof rig->error, "%s", error ? error : "");
    if (--rig->answers == 0)
        loop_stop(rig->loop);
}

void aws_rig_terminate_all(struct aws_rig *rig, const char *const *ids, size_t count)
{
    rig->answers = (int)count;
    for (size_t i = 0; i < count; i++)
        rig->kind->terminate(rig->provider, "game", ids[i], on_done, rig);
    assert_int_equal(rig->answers, count);
    run(rig);
}

void aws_rig_terminate(struct aws_rig *rig, const char *id)
{
    aws_rig_terminate_all(rig, &id, 1);
}

static void on_pause(void *arg)
{
    struct aws_rig *rig = arg;
    loop_stop(rig->loop);
}

void aws_rig_pause(struct aws_rig *rig, int ms)
{
    struct timer timer;
    timer_init(&timer, rig->loop, on_pause, rig);
    timer_start(&timer, ms, 0);
    loop_run(rig->loop);
}

void aws_rig_wait_live(struct aws_rig *rig, size_t count)
{
    size_t live = 0;
    for (int i = 0; i < 100; i++) {
        live = 0;
        size_t n = aws_rig_list(rig);
        assert_string_equal(rig->error, "");
        for (size_t k = 0; k < n; k++)
            live += !rig->listed[k].ending;
        if (live == count)
            return;
        aws_rig_pause(rig, 100);
    }
    fail_msg("%zu instances are listed, not %zu", live, count);
}

/* ---- the endpoint ---- */

void aws_rig_tell(struct aws_rig *rig, const char *json)
{
    py_server_post(&rig->server, "/control", json);
}

json_t *aws_rig_told(struct aws_rig *rig)
{
    char *text = py_server_get(&rig->server, "/control");
    json_t *told = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(told);
    return told;
}

int64_t aws_rig_number(struct aws_rig *rig, const char *key)
{
    json_t *told = aws_rig_told(rig);
    int64_t n = json_integer_value(json_object_get(told, key));
    json_decref(told);
    return n;
}

int64_t aws_rig_calls(struct aws_rig *rig, const char *action)
{
    json_t *told = aws_rig_told(rig);
    int64_t n = json_integer_value(json_object_get(json_object_get(told, "calls"), action));
    json_decref(told);
    return n;
}

void aws_rig_all_well_formed(struct aws_rig *rig)
{
    json_t *told = aws_rig_told(rig);
    json_t *rejected = json_object_get(told, "rejected");
    if (json_array_size(rejected) > 0)
        fail_msg("rejected: %s", json_string_value(json_array_get(rejected, 0)));
    json_decref(told);
}
