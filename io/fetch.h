/* fetch.h - HTTP requests out, on libcurl's multi interface and the loop: the endpoint API, cloud
 * APIs, webhooks. */
#ifndef BERTH_IO_FETCH_H
#define BERTH_IO_FETCH_H

#include "core/span.h"
#include "io/log.h"
#include "io/loop.h"

struct fetcher;
struct fetch;

struct fetcher *fetcher_create(struct loop *loop, struct log *log, struct err *err);
/* Ends every fetch (callbacks run with BERTH_ECLOSED). Not from within a callback. NULL is a no-op.
 */
void fetcher_destroy(struct fetcher *fetcher);

struct fetch_request {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;
    const char *const *headers; /* "Name: value", ended by NULL; or NULL */
    struct span body;
    int64_t timeout_ms;      /* whole request; default 5,000 */
    size_t response_max;     /* default 1 MiB; beyond it BERTH_EFULL */
    bool response_cut;       /* beyond it the rest is left out instead: for who asks the status */
    const char *unix_socket; /* path, or NULL */
    const char
        *proxy;      /* "http://host:port", or NULL: none is used, whatever the environment says */
    bool secret_url; /* errors name its host only */
    const char *aws_sigv4;     /* "aws:amz:REGION:SERVICE", or NULL */
    const char *user_password; /* "id:secret" for aws_sigv4, or NULL */
    bool once; /* sent at most once. Otherwise libcurl sends a request again, whatever its method,
                  when a kept connection ends before an answer's first byte */
};

struct fetch_response {
    int status; /* HTTP status */
    struct span body;
    int64_t retry_after_ms; /* from Retry-After, seconds or a date, at most a week; -1 if absent or
                               malformed */
    int64_t date_s;         /* from Date: seconds since 1970; -1 if absent or malformed */
    double seconds;
};

/* code 0: an answer came, whatever its status; else BERTH_ETIMEOUT, BERTH_ESYS ... with err. Never
 * from within fetch_start. */
typedef void fetch_done_fn(void *arg, int code, const struct fetch_response *response,
                           const struct err *err);

/* Copies the request. At most 256 at a time (BERTH_EAGAIN in err). Redirects are answers, not
 * followed. Returns NULL with err set when it cannot be started. */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          fetch_done_fn *fn, void *arg, struct err *err);
/* fn is not called. Not after it was. */
void fetch_cancel(struct fetch *fetch);

#endif
