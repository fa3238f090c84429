/* imds.h - EC2 instance metadata (IMDSv2): what a machine can ask about itself.
 *
 * Shell. A session token is fetched by PUT, kept, and renewed by itself; requests of version 1 are
 * never sent. Off EC2 nobody answers: BERTH_ETIMEOUT after about two seconds. */
#ifndef BERTH_IO_IMDS_H
#define BERTH_IO_IMDS_H

#include "io/fetch.h"

struct imds;

enum { IMDS_WAITING_MAX = 32, IMDS_PATH_MAX = 256, IMDS_ANSWER_MAX = 64 << 10 };

/* endpoint: "http://host[:port]", copied; NULL: AWS_EC2_METADATA_SERVICE_ENDPOINT, else the link
 * local address (its IPv6 one when AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is IPv6). With
 * AWS_EC2_METADATA_DISABLED=true nothing is asked, every answer is BERTH_ENOENT. Borrows loop and
 * fetcher for life. NULL with err on failure. */
struct imds *imds_create(struct loop *loop, struct fetcher *fetcher, const char *endpoint,
                         struct err *err);
/* Answers what waits with BERTH_ECLOSED. Not from within a callback. NULL is a no-op. */
void imds_destroy(struct imds *imds);

/* code 0: body is the item, borrowed for the call. BERTH_ENOENT: there is no such item.
 * BERTH_EDENIED: the service refuses. BERTH_ETIMEOUT, BERTH_ESYS, BERTH_EPROTO: after three
 * attempts. */
typedef void imds_fn(void *arg, int code, struct span body, const struct err *err);

/* GET a path ("/latest/meta-data/instance-id"). fn is called later, exactly once. BERTH_EAGAIN: too
 * many wait already; BERTH_EINVAL: the path is none (fn is not called). */
int imds_get(struct imds *imds, const char *path, imds_fn *fn, void *arg) BERTH_MUST_USE;

#endif
