/* launch_record.h - a launch as it stands in the plan, for the next leader to go on with.
 *
 * Pure. A plain record: op=launch count= zone= at= why=, and once the provider has answered made=
 * (instances it made) and up= (which of them have reported: four characters each, a checksum of
 * the instance's name; two that look alike are taken for each other, so that one may be left alone
 * that never reported, but never the other way round). */
#ifndef BERTH_AUTOSCALE_LAUNCH_RECORD_H
#define BERTH_AUTOSCALE_LAUNCH_RECORD_H

#include "autoscale/launches.h"

#define LAUNCH_RECORD_MAX 448 /* as effect.record */

void launch_record_write(const struct launch *row, char ret_record[LAUNCH_RECORD_MAX]);

/* BERTH_EINVAL: not a launch. The rest of *ret_row is zeroed. */
int launch_record_read(struct launch *ret_row, const char *token,
                       const char *record) BERTH_MUST_USE;

/* Has it reported (is it marked so)? */
bool launch_record_is_up(const struct launch *row, const char *instance);
/* Mark it. False: it was. */
bool launch_record_mark_up(struct launch *row, const char *instance);

#endif
