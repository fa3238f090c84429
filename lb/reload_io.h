/* reload_io.h - SIGHUP: what berth-lb takes of a configuration that was changed, and the keys made
 * from it.
 *
 * Shell. docs/configuration.md marks what changes while it runs. */
#ifndef BERTH_LB_RELOAD_IO_H
#define BERTH_LB_RELOAD_IO_H

#include "core/ticket.h"
#include "settings/settings.h"

/* NULL keys when there are none to be made (access is not player; tickets are off). */
int reload_player_keys(const struct pool_settings *pool, struct ticket_keys **ret_keys,
                       struct err *err) BERTH_MUST_USE;
int reload_ticket_keys(const struct ticket_settings *tickets, struct ticket_keys **ret_keys,
                       struct err *err) BERTH_MUST_USE;

/* For boot.reload. All or nothing; what was refused, and why, is in the log. */
void reload_all(void *arg); /* struct app */

#endif
