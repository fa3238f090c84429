/* chain_io.h - where AWS credentials and the region come from, kept fresh.
 *
 * Shell. In this order, as the AWS SDKs do: the environment (AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN); the shared files (AWS_SHARED_CREDENTIALS_FILE,
 * AWS_CONFIG_FILE, AWS_PROFILE); a container's endpoint (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or
 * _FULL_URI); instance metadata. A profile that is configured goes before the environment. The
 * region: configured, AWS_REGION, AWS_DEFAULT_REGION, the profile's, instance metadata.
 *
 * Files are read again each minute, temporary keys are fetched anew before they end; while that
 * fails, those at hand are used as long as they live. */
#ifndef BERTH_AWS_CHAIN_IO_H
#define BERTH_AWS_CHAIN_IO_H

#include "aws/credentials.h"
#include "io/fetch.h"

struct chain;

struct chain_config {
    struct loop *loop;
    struct log *log;
    struct fetcher *fetcher;
    const char *profile, *region; /* configured; NULL: not */
    const int64_t *skew_s;        /* AWS's clock less ours */
};

/* Borrows what config points to for life. NULL with err on failure. */
struct chain *chain_create(const struct chain_config *config, struct err *err);
/* Whoever waits is not answered: cancel first. NULL is a no-op. */
void chain_destroy(struct chain *chain);

/* keys NULL: err says why; err->code BERTH_ENOENT or BERTH_EDENIED when asking again will not help
 * before a person has changed something. keys and region are borrowed for the call. */
typedef void chain_fn(void *arg, const struct credentials *keys, const char *region,
                      const struct err *err);

/* In the memory of whoever waits, zeroed before its first use. */
struct chain_wait {
    struct chain_wait *next, **link;
    chain_fn *fn;
    void *arg;
};

/* fn is called once, perhaps from within. */
void chain_get(struct chain *chain, struct chain_wait *wait, chain_fn *fn, void *arg);
void chain_cancel(struct chain_wait *wait); /* not waiting: a no-op */

/* AWS no longer takes the keys with this id: fetch others. */
void chain_refuse(struct chain *chain, const char *id);

/* A value of the profile in the shared config file; with `service` ("ec2"), of the services section
 * that it names. False: there is none. */
bool chain_profile_value(struct chain *chain, const char *service, const char *key, char *ret_value,
                         size_t size);

#endif
