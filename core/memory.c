/* memory.c - large tables on huge pages. */
#include "core/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20, LARGE = 4 << 20 };

void *memory_table(size_t size)
{
    size_t unit = size >= LARGE ? HUGE_PAGE : LINE;
    if (size > SIZE_MAX - unit)
        return NULL;
    size_t rounded = (size + unit - 1) / unit * unit;
    void *table = aligned_alloc(unit, rounded ? rounded : unit);
    if (table && size >= LARGE)
        (void)madvise(table, rounded, MADV_HUGEPAGE); /* a wish: without it all is as before */
    return table;
}
