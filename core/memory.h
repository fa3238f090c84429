/* memory.h - memory for large tables that are touched all over at random.
 *
 * Pure but for asking the system how the memory is to be backed. */
#ifndef BERTH_CORE_MEMORY_H
#define BERTH_CORE_MEMORY_H

#include <stddef.h>

/* As malloc (contents undefined; NULL when there is none), aligned to a cache line. From 4 MiB on
 * the system is asked for huge pages (madvise(2), MADV_HUGEPAGE): a pick among 100,000 nodes spent
 * a good part of its time on finding pages. free() gives it back. */
void *memory_table(size_t size) __attribute__((malloc));

#endif
