/* resolve.h - names to addresses without blocking: c-ares on the loop.
 *
 * A numeric address needs no server, but still answers from the loop, never from
 * within the call. /etc/hosts and /etc/resolv.conf are honoured. */
#ifndef BERTH_IO_RESOLVE_H
#define BERTH_IO_RESOLVE_H

#include "core/err.h"
#include "io/loop.h"

enum { RESOLVE_ADDRESSES_MAX = 16 };

struct resolver;
struct resolve; /* one question */

/* Numeric text, IPv4 and IPv6 mixed in the order the system prefers. Valid for the callback. */
struct resolve_answer {
    char addresses[RESOLVE_ADDRESSES_MAX][46];
    size_t count; /* >= 1 */
};

/* code 0 with the answer; BERTH_ENOENT (no such name), BERTH_ETIMEOUT, BERTH_ESYS ... with answer
 * NULL and err. Called once. */
typedef void resolve_fn(void *arg, int code, const struct resolve_answer *answer,
                        const struct err *err);

/* Heap; NULL with err. */
struct resolver *resolver_create(struct loop *loop, struct err *err);
/* Ask these name servers ("10.0.0.2,10.0.0.3:5353") instead of those of /etc/resolv.conf. */
int resolver_use_servers(struct resolver *resolver, const char *servers,
                         struct err *err) BERTH_MUST_USE;
/* Ends every question with BERTH_ECLOSED (callbacks run). NULL is a no-op. */
void resolver_destroy(struct resolver *resolver);

/* Copies the name (1..253 bytes). timeout_ms: the whole question, default 2,000 when 0. NULL with
 * err when it cannot be asked. */
struct resolve *resolve_start(struct resolver *resolver, const char *name, int64_t timeout_ms,
                              resolve_fn *fn, void *arg, struct err *err);
/* fn will not be called. Not after it was. */
void resolve_cancel(struct resolve *resolve);

#endif
