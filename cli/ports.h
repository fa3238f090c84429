/* ports.h - are the ports of an installation free? */
#ifndef BERTH_CLI_PORTS_H
#define BERTH_CLI_PORTS_H

#include "core/err.h"
#include "settings/settings.h"

/* Looked at before anything is started: an installation of which half cannot listen would look like
 * one that runs, and its status would be that of whoever has the ports. 0, or BERTH_EEXIST: err
 * says which address is in use and who wanted it. */
int ports_free(const struct settings *settings, struct err *err) BERTH_MUST_USE;

#endif
