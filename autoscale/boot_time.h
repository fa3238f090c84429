/* boot_time.h - how long it takes from deciding on a launch until its node is ready, as measured.
 *
 * Pure, fixed memory. The last BOOT_TIMES launches count; what is told is the time in which three
 * of four of them were ready, so that one that hung does not move it. It is kept in the plan (field
 * `boot`), so a new leader knows it. */
#ifndef BERTH_AUTOSCALE_BOOT_TIME_H
#define BERTH_AUTOSCALE_BOOT_TIME_H

#include "autoscale/fleet.h"

#define BOOT_TIME_FIELD "boot" /* of the plan */
#define BOOT_TIMES 16

struct boot_time {
    int32_t ms[BOOT_TIMES]; /* a ring */
    size_t count;           /* ever */
};

/* 0 < ms <= an hour; others are ignored. */
void boot_time_add(struct boot_time *boot, int64_t ms);

/* Milliseconds, a whole number of seconds; 0: nothing was measured yet. */
int64_t boot_time_ms(const struct boot_time *boot);

/* Measure the instances that became ready since the last time. True: there were some. */
bool boot_time_watch(struct boot_time *boot, struct fleet *fleet, mono_ms_t now);

/* "op=boot launches=7 seconds=61 ms=60120,60980,..."; read: what cannot be read is ignored. */
#define BOOT_TIME_RECORD_MAX 448
void boot_time_write(const struct boot_time *boot, char ret_record[BOOT_TIME_RECORD_MAX]);
void boot_time_read(struct boot_time *ret_boot, const char *record);

#endif
