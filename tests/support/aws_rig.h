/* aws_rig.h - a provider on AWS, driven against aws_endpoint.py as the autoscaler drives it.
 *
 * Blocking; everything that goes wrong fails the test. One endpoint a program, reset before each
 * test. */
#ifndef BERTH_TESTS_SUPPORT_AWS_RIG_H
#define BERTH_TESTS_SUPPORT_AWS_RIG_H

#include "autoscale/provider_aws.h"
#include "tests/support/py_server.h"

#include <jansson.h>

struct aws_rig {
    struct py_server server;
    struct loop *loop;
    struct log log;
    struct fetcher *fetcher;
    struct autoscale_settings settings;
    struct provider_env env;
    const struct provider_kind *kind;
    void *provider;
    /* The last answer. */
    int answers;
    enum scale_outcome outcome;
    size_t count;
    char ids[64][NAME_SIZE];
    struct fleet_listed listed[512];
    char error[600];
    struct timer deadline;
};

/* For cmocka's group: starts and stops the endpoint; *state is the rig. */
int aws_rig_start(void **state);
int aws_rig_stop(void **state);
/* A fresh cloud, loop, client and provider; keys from the environment. */
void aws_rig_open(struct aws_rig *rig, const struct provider_kind *kind);
void aws_rig_close(struct aws_rig *rig);
/* The provider and its client as another process would have them: nothing is remembered. */
void aws_rig_reopen(struct aws_rig *rig);

void aws_rig_launch(struct aws_rig *rig, const char *token, int count, const char *zone);
/* The same launch asked for so often before it is answered; every one gets its answer. */
void aws_rig_launch_often(struct aws_rig *rig, const char *token, int count, int times);
size_t aws_rig_list(struct aws_rig *rig);
void aws_rig_terminate(struct aws_rig *rig, const char *id);
/* Several, asked at once; the answers are counted. */
void aws_rig_terminate_all(struct aws_rig *rig, const char *const *ids, size_t count);
void aws_rig_pause(struct aws_rig *rig, int ms);
/* Until the provider lists exactly so many that are not ending. */
void aws_rig_wait_live(struct aws_rig *rig, size_t count);

/* Set knobs of the endpoint. */
void aws_rig_tell(struct aws_rig *rig, const char *json);
/* What the endpoint tells; json_decref it. */
json_t *aws_rig_told(struct aws_rig *rig);
int64_t aws_rig_number(struct aws_rig *rig, const char *key);
/* How often was this action carried out? */
int64_t aws_rig_calls(struct aws_rig *rig, const char *action);
/* Nothing was refused for its form or signature. */
void aws_rig_all_well_formed(struct aws_rig *rig);

#endif
