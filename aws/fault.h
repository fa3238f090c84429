/* fault.h - what AWS says when it does not do what was asked, and what to make of it.
 *
 * Pure. */
#ifndef BERTH_AWS_FAULT_H
#define BERTH_AWS_FAULT_H

#include "core/span.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_THROTTLED, /* asked too often: again later, with jitter */
    FAULT_CAPACITY,  /* no such machine left here: elsewhere, or another */
    FAULT_DENIED,    /* keys, permissions, or what was configured: a person must change something */
    FAULT_EXPIRED,   /* the keys are no longer good: fetch new ones */
    FAULT_SKEWED,    /* our clock differs from AWS's */
    FAULT_GONE,      /* what was named is not there: an end is reached */
    FAULT_EXISTS,    /* what was to be made is there already */
    FAULT_PASSING,   /* their trouble or the network's: again, perhaps it was carried out */
    FAULT_REFUSED,   /* this request, as it is, will not be carried out */
};

struct fault {
    enum fault_kind kind;
    char code[96]; /* AWS's own, "InsufficientInstanceCapacity"; "" */
    char message[400];
};

/* From an answer whose status is not 200. A body that is not AWS's XML is judged by its status. */
void fault_read(int status, struct span body, struct fault *ret_fault);

/* One word: "throttled". */
const char *fault_word(enum fault_kind kind);

#endif
