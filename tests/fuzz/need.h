/* need.h - what must hold whatever the input is: otherwise the place is told, and the target ends.
 */
#ifndef BERTH_TESTS_FUZZ_NEED_H
#define BERTH_TESTS_FUZZ_NEED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define need(what) need_at((what), __FILE__, __LINE__)

static inline void need_at(bool ok, const char *file, int line)
{
    if (ok)
        return;
    (void)fprintf(stderr, "%s:%d does not hold\n", file, line);
    abort();
}

#endif
