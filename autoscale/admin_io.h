/* admin_io.h - the autoscaler's admin listener: /healthz, /readyz, /metrics.
 *
 * Shell. */
#ifndef BERTH_AUTOSCALE_ADMIN_IO_H
#define BERTH_AUTOSCALE_ADMIN_IO_H

#include "alerts/alerts_io.h"
#include "autoscale/pool_io.h"
#include "io/web.h"

struct admin_io {
    struct web_server *server;
    struct pool_io *const *pools; /* borrowed */
    size_t count;
    bool (*redis_up)(void *arg);
    void *redis_arg;
    const uint64_t *notices;        /* NOTICE_KINDS counters, borrowed */
    const struct alerts_io *alerts; /* NULL while there is none */
};

/* Listen. Borrows pools for life; pools may still be filled in later. */
int admin_io_open(struct admin_io *admin, struct web *web, const struct host_port *listen,
                  struct err *err) BERTH_MUST_USE;
void admin_io_close(struct admin_io *admin);

#endif
