/* err.h - error codes and the one-line explanation that goes with them.
 *
 * Pure. Fallible functions return 0 or a count, or one of the negative BERTH_E* codes, and are
 * must-use. Where a person will read the error, the last argument is a `struct err *`; callers
 * prefix it with what they were doing, so that the final text reads "berth.yaml:12: heartbeat =
 * 50ms: must be 100ms..60s". */
#ifndef BERTH_CORE_ERR_H
#define BERTH_CORE_ERR_H

enum berth_error {
    BERTH_EINVAL = -1,   /* an argument or input is malformed or out of range */
    BERTH_EFULL = -2,    /* a bounded container is at its limit */
    BERTH_ENOENT = -3,   /* no such thing */
    BERTH_EEXIST = -4,   /* it is there already */
    BERTH_ESTALE = -5,   /* older than what is held: ignored */
    BERTH_EFENCED = -6,  /* the caller's lease or fencing token is not the current one */
    BERTH_EDENIED = -7,  /* not permitted */
    BERTH_ETIMEOUT = -8, /* the deadline passed */
    BERTH_ECLOSED = -9,  /* the connection or object is closed */
    BERTH_EPROTO = -10,  /* the other side broke the protocol */
    BERTH_ESYS = -11,    /* a system call failed; the text holds strerror */
    BERTH_ENOMEM = -12,  /* memory could not be had (only at init) */
    BERTH_EAGAIN = -13,  /* not now: back-pressure or not connected; try later */
};

#define BERTH_MUST_USE __attribute__((warn_unused_result))
#define BERTH_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* An explanation for a person. Zeroed means "no error". Text is cut, never overrun. */
struct err {
    int code; /* a BERTH_E* or 0 */
    char text[512];
};

/* Set the text and the code; returns the code, so that `return err_set(err, BERTH_EINVAL, ...)`
 * reads well. err may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) BERTH_PRINTF(3, 4);

/* Put "prefix: " before the present text. err may be NULL. */
void err_prefix(struct err *err, const char *fmt, ...) BERTH_PRINTF(2, 3);

/* A short constant word for a code: "full", "stale" ... ("ok" for >= 0). The same words appear in
 * logs and metrics. */
const char *err_word(int code);

#endif
