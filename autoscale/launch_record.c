/* launch_record.c - a launch as it stands in the plan, for the next leader to go on with. */
#include "autoscale/launch_record.h"

#include "core/record.h"

#include <string.h>

#define MARK_LEN 4

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";

/* 24 bits of FNV-1a */
static uint32_t sum_of(const char *name)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (const char *c = name; *c; c++)
        h = (h ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return (uint32_t)((h ^ h >> 24 ^ h >> 48) & 0xffffff);
}

bool launch_record_is_up(const struct launch *row, const char *instance)
{
    uint32_t sum = sum_of(instance);
    for (int i = 0; i < row->up_count; i++)
        if (row->up[i] == sum)
            return true;
    return false;
}

bool launch_record_mark_up(struct launch *row, const char *instance)
{
    if (row->up_count == LAUNCH_INSTANCES_MAX || launch_record_is_up(row, instance))
        return false;
    row->up[row->up_count++] = sum_of(instance);
    return true;
}

void launch_record_write(const struct launch *row, char ret_record[LAUNCH_RECORD_MAX])
{
    char marks[MARK_LEN * LAUNCH_INSTANCES_MAX];
    size_t len = 0;
    for (int i = 0; i < row->up_count; i++)
        for (int shift = 18; shift >= 0; shift -= 6)
            marks[len++] = digits[row->up[i] >> shift & 63];
    struct record_writer w;
    record_begin(&w, ret_record, LAUNCH_RECORD_MAX);
    record_put_text(&w, "op", "launch");
    record_put_int(&w, "count", row->count);
    record_put_text(&w, "zone", row->zone[0] ? row->zone : "-");
    record_put_int(&w, "at", row->at.ms);
    if (row->made > 0)
        record_put_int(&w, "made", row->made);
    if (len > 0)
        record_put(&w, "up", (struct span){marks, len});
    record_put_text(&w, "why", row->why);
}

static void read_marks(struct launch *row, struct span marks)
{
    for (; marks.len >= MARK_LEN && row->up_count < LAUNCH_INSTANCES_MAX;
         marks.ptr += MARK_LEN, marks.len -= MARK_LEN) {
        uint32_t sum = 0;
        for (size_t i = 0; i < MARK_LEN; i++) {
            const char *digit = memchr(digits, marks.ptr[i], sizeof digits - 1);
            if (!digit)
                return;
            sum = sum << 6 | (uint32_t)(digit - digits);
        }
        row->up[row->up_count++] = sum;
    }
}

int launch_record_read(struct launch *ret_row, const char *token, const char *record)
{
    struct launch row = {.state = LAUNCH_RESUMING};
    struct span r = span_of(record), value;
    int64_t count = record_int_or(r, "count", 0);
    if (!record_raw(r, "op", &value) || !span_is(value, "launch") || count < 1 ||
        count > LAUNCH_INSTANCES_MAX || !span_copy(span_of(token), row.token, sizeof row.token))
        return BERTH_EINVAL;
    if (record_text(r, "zone", row.zone, sizeof row.zone) == BERTH_EFULL ||
        record_text(r, "why", row.why, sizeof row.why) == BERTH_EFULL)
        return BERTH_EINVAL;
    if (strcmp(row.zone, "-") == 0)
        row.zone[0] = 0;
    row.count = (int)count;
    row.at.ms = record_int_or(r, "at", 0);
    int64_t made = record_int_or(r, "made", 0);
    row.made = made > 0 && made <= LAUNCH_INSTANCES_MAX ? (int)made : 0;
    if (record_raw(r, "up", &value))
        read_marks(&row, value);
    *ret_row = row;
    return 0;
}
