/* provider_ear.c - hears a provider's answers. */
#include "tests/support/provider_ear.h"

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#define DEADLINE_MS 10000

static void on_deadline(void *arg)
{
    fail_msg("no answer in time");
}

void provider_ear_init(struct provider_ear *ear, struct loop *loop)
{
    *ear = (struct provider_ear){.loop = loop};
    timer_init(&ear->deadline, loop, on_deadline, ear);
}

void provider_ear_expect(struct provider_ear *ear, int answers)
{
    ear->awaited = answers;
    timer_start(&ear->deadline, DEADLINE_MS, 0);
}

void provider_ear_await(struct provider_ear *ear, int answers)
{
    provider_ear_expect(ear, answers);
    loop_run(ear->loop);
    timer_stop(&ear->deadline);
}

static size_t kept(size_t count)
{
    return count < HEARD_MAX ? count : HEARD_MAX;
}

void heard_launched(void *arg, enum scale_outcome outcome, const char (*ids)[NAME_SIZE],
                    size_t count, const char *error)
{
    struct heard *a = arg;
    a->count++;
    a->outcome = outcome;
    a->n = count;
    if (ids)
        memcpy(a->ids, ids, kept(count) * sizeof a->ids[0]);
    snprintf(a->error, sizeof a->error, "%s", error ? error : "");
    if (--a->ear->awaited == 0)
        loop_stop(a->ear->loop);
}

void heard_done(void *arg, enum scale_outcome outcome, const char *error)
{
    heard_launched(arg, outcome, NULL, 0, error);
}

void heard_listed(void *arg, const struct fleet_listed *items, size_t count, const char *error)
{
    struct heard *a = arg;
    if (count > 0)
        memcpy(a->listed, items, kept(count) * sizeof *items);
    heard_launched(arg, error ? SCALE_NOT_DONE : SCALE_DONE, NULL, 0, error);
    a->n = count;
}
