/* provider_ear.h - hears a provider's answers, and waits for them on its loop. */
#ifndef BERTH_TESTS_SUPPORT_PROVIDER_EAR_H
#define BERTH_TESTS_SUPPORT_PROVIDER_EAR_H

#include "autoscale/provider.h"
#include "io/loop.h"

enum { HEARD_MAX = 8 }; /* ids and rows that are kept */

struct provider_ear {
    struct loop *loop;
    int awaited; /* answers until the loop stops */
    struct timer deadline;
};

/* The last answer of those that were asked with this as arg. */
struct heard {
    struct provider_ear *ear;
    int count; /* of answers so far */
    enum scale_outcome outcome;
    size_t n;
    char ids[HEARD_MAX][NAME_SIZE];
    struct fleet_listed listed[HEARD_MAX];
    char error[512];
};

void provider_ear_init(struct provider_ear *ear, struct loop *loop);
/* Run the loop until so many answers came; fails the test after 10 s. */
void provider_ear_await(struct provider_ear *ear, int answers);
/* From here on: so many answers, within 10 s; the caller turns the loop. */
void provider_ear_expect(struct provider_ear *ear, int answers);

/* To be given to a provider, with a struct heard. */
void heard_launched(void *arg, enum scale_outcome outcome, const char (*ids)[NAME_SIZE],
                    size_t count, const char *error);
void heard_done(void *arg, enum scale_outcome outcome, const char *error);
void heard_listed(void *arg, const struct fleet_listed *items, size_t count, const char *error);

#endif
