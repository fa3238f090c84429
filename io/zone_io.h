/* zone_io.h - loads time zones from the system's files (package tzdata).
 *
 * Impure (files): $TZDIR, or /usr/share/zoneinfo. */
#ifndef BERTH_IO_ZONE_IO_H
#define BERTH_IO_ZONE_IO_H

#include "core/zone.h"

/* "UTC" needs no file. Heap, free() it; NULL with err: no such zone, or its file is none. */
struct zone *zone_io_load(const char *name, struct err *err);

#endif
