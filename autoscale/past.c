/* past.c - what a pool was like: the last hour by the second, the last day by the minute. */
#include "autoscale/past.h"

#include <stdlib.h>

int past_init(struct past *past)
{
    *past = (struct past){.seconds = calloc(PAST_SECONDS, sizeof *past->seconds),
                          .minutes = calloc(PAST_MINUTES, sizeof *past->minutes)};
    if (past->seconds && past->minutes)
        return 0;
    past_fini(past);
    return BERTH_ENOMEM;
}

void past_fini(struct past *past)
{
    free(past->seconds);
    free(past->minutes);
    *past = (struct past){0};
}

static int32_t small(int64_t n)
{
    return n < 0 ? 0 : n < INT32_MAX ? (int32_t)n : INT32_MAX;
}

static void put_minute(struct past *past, int64_t minute, int64_t players)
{
    struct past_minute *slot = &past->minutes[minute % PAST_MINUTES];
    if (slot->minute > minute)
        return;
    if (slot->minute < minute)
        *slot = (struct past_minute){.minute = minute};
    if (small(players) > slot->most)
        slot->most = small(players);
}

void past_put(struct past *past, const struct past_entry *entry)
{
    int64_t at_s = entry->at.ms / 1000;
    if (at_s <= 0)
        return;
    put_minute(past, at_s / 60, entry->players);
    struct past_second *slot = &past->seconds[at_s % PAST_SECONDS];
    if (entry->minute || slot->at_s >= at_s)
        return;
    *slot = (struct past_second){.at_s = at_s,
                                 .players = small(entry->players),
                                 .est = small(entry->est),
                                 .capacity = small(entry->capacity),
                                 .ready = entry->ready,
                                 .coming = entry->coming};
}

void past_see(struct past *past, wall_ms_t wall, const struct fleet_figures *figures,
              int64_t players)
{
    past_put(past, &(struct past_entry){.at = wall,
                                        .players = players,
                                        .est = figures->est,
                                        .capacity = figures->capacity,
                                        .ready = figures->ready,
                                        .coming = figures->coming});
}

const struct past_second *past_second(const struct past *past, int64_t at_s)
{
    const struct past_second *slot = &past->seconds[at_s > 0 ? at_s % PAST_SECONDS : 0];
    return at_s > 0 && slot->at_s == at_s ? slot : NULL;
}

const struct past_minute *past_minute(const struct past *past, int64_t minute)
{
    const struct past_minute *slot = &past->minutes[minute > 0 ? minute % PAST_MINUTES : 0];
    return minute > 0 && slot->minute == minute ? slot : NULL;
}
