/* boot_time.c - how long it takes from deciding on a launch until its node is ready, as measured.
 */
#include "autoscale/boot_time.h"

#include "core/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MS 3600000
#define OF_FOUR 3 /* quarters of the launches that were ready in that time */

void boot_time_add(struct boot_time *boot, int64_t ms)
{
    if (ms > 0 && ms <= MOST_MS)
        boot->ms[boot->count++ % BOOT_TIMES] = (int32_t)ms;
}

static size_t held(const struct boot_time *boot)
{
    return boot->count < BOOT_TIMES ? boot->count : BOOT_TIMES;
}

static int by_size(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int64_t boot_time_ms(const struct boot_time *boot)
{
    int32_t sorted[BOOT_TIMES];
    size_t n = held(boot);
    if (n == 0)
        return 0;
    memcpy(sorted, boot->ms, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    int64_t ms = sorted[(n * OF_FOUR + 3) / 4 - 1];
    return (ms + 999) / 1000 * 1000;
}

bool boot_time_watch(struct boot_time *boot, struct fleet *fleet, mono_ms_t now)
{
    size_t before = boot->count;
    for (size_t i = 0; i < fleet->instance_count; i++) {
        struct fleet_instance *in = &fleet->instances[i];
        if (in->measured || in->decided_at.ms == 0)
            continue;
        bool late = in->found && !in->watched; /* ready when it was found: since when? */
        in->watched = true;
        if (!in->ready)
            continue;
        in->measured = true;
        if (!late)
            boot_time_add(boot, mono_sub(now, in->decided_at));
    }
    return boot->count != before;
}

void boot_time_write(const struct boot_time *boot, char ret_record[BOOT_TIME_RECORD_MAX])
{
    size_t n = held(boot);
    size_t len = (size_t)snprintf(ret_record, BOOT_TIME_RECORD_MAX,
                                  "op=boot launches=%zu seconds=%lld ms=", n,
                                  (long long)(boot_time_ms(boot) / 1000));
    for (size_t i = 0; i < n; i++) /* the oldest first */
        len += (size_t)snprintf(ret_record + len, BOOT_TIME_RECORD_MAX - len, "%s%d", i ? "," : "",
                                boot->ms[(boot->count - n + i) % BOOT_TIMES]);
}

void boot_time_read(struct boot_time *ret_boot, const char *record)
{
    struct span list, item;
    int64_t ms;
    struct boot_time boot = {0};
    if (!record_raw(span_of(record), "ms", &list))
        return;
    while (list.len > 0) {
        item = span_cut(&list, ',');
        if (span_int(item, &ms))
            boot_time_add(&boot, ms);
    }
    *ret_boot = boot;
}
