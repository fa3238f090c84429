/* watch.h - asks the LBs for the fleet, again and again. */
#ifndef BERTH_CLI_WATCH_H
#define BERTH_CLI_WATCH_H

#include "cli/fleet.h"
#include "io/fetch.h"
#include "settings/settings.h"

struct watch;

/* fleet: borrowed for the call; NULL when no LB could be asked (err says why). */
typedef void watch_fn(void *arg, const struct fleet *fleet, const struct err *err);

/* Ask each interval_ms; the LBs of settings->lb.peers in turn when one does not answer. Borrows
 * everything. NULL only for lack of memory. */
struct watch *watch_open(struct loop *loop, struct fetcher *fetcher,
                         const struct settings *settings, int64_t interval_ms, watch_fn *fn,
                         void *arg);
void watch_close(struct watch *watch);

#endif
