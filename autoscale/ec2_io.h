/* ec2_io.h - the inside of the ec2 provider: its pools, what it knows of them, its three calls.
 *
 * Shell. */
#ifndef BERTH_AUTOSCALE_EC2_IO_H
#define BERTH_AUTOSCALE_EC2_IO_H

#include "autoscale/ec2_spread.h"
#include "autoscale/provider_aws.h"

enum { EC2_RECENT_MAX = 256, EC2_RECORDS_MAX = 32, EC2_ENDS_MAX = 256 };

/* A fresh instance that is in no list yet is believed to be there for so long: lists lag. */
#define EC2_LAG_MS 60000

struct ec2_launch;

/* As of the last list. */
struct ec2_known {
    char id[32];
    char token[NAME_SIZE];
    int place; /* -1: none of those configured */
};

struct ec2_recent {
    struct instance instance;
    mono_ms_t at;
    bool seen; /* a list has shown it */
};

struct ec2_pool {
    const struct ec2_template_settings *s;
    struct ec2_known *known; /* heap */
    size_t known_count;
    bool listed;
    mono_ms_t listed_at;
    struct ec2_recent recent[EC2_RECENT_MAX]; /* a ring */
    size_t recent_next;
    char place_zone[EC2_PLACES_MAX][64]; /* "": not known yet */
    bool zones_asked;
};

/* A terminate that waits to be sent, or is on its way. */
struct ec2_end {
    char pool[NAME_SIZE], id[32];
    provider_done_fn *fn;
    void *arg;
};

struct ec2_batch {
    struct ec2 *ec2;
    struct ec2_batch *next;
    struct aws_call *call;
    size_t count;
    struct ec2_end ends[EC2_ENDS_MAX];
};

struct ec2_list {
    struct ec2 *ec2;
    struct ec2_list *next;
    struct ec2_pool *pool;
    struct describe *describe;
    struct timer timer; /* begins, or fails, in a turn of its own */
    provider_listed_fn *fn;
    void *arg;
};

struct ec2 {
    struct provider_env env;
    struct ec2_pool *pools; /* one per template */
    size_t pool_count;
    struct ec2_launch *launches; /* under way, and those of unknown end (records) */
    struct ec2_list *lists;
    struct ec2_batch *batches;
    struct ec2_batch *waiting; /* NULL: none */
    struct timer end_timer;
};

struct ec2_pool *ec2_pool_named(struct ec2 *ec2, const char *name);
size_t ec2_place_count(const struct ec2_pool *pool);
/* Which place an instance is at, by its subnet or zone; -1. */
int ec2_place_of(const struct ec2_pool *pool, const struct instance *instance);
/* Ask for the pool's instances, those that ended too. */
struct describe *ec2_describe(struct ec2 *ec2, const struct ec2_pool *pool, describe_fn *fn,
                              void *arg);
/* Remember what a list has told. */
void ec2_remember(struct ec2 *ec2, struct ec2_pool *pool, const struct instances *list);

void ec2_launch(void *provider, const char *pool, const char *token, int count, const char *zone,
                provider_launched_fn *fn, void *arg);
void ec2_launch_close(struct ec2 *ec2);
void ec2_terminate(void *provider, const char *pool, const char *id, provider_done_fn *fn,
                   void *arg);
void ec2_terminate_open(struct ec2 *ec2);
void ec2_terminate_close(struct ec2 *ec2);

#endif
