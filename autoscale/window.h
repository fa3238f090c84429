/* window.h - the largest and smallest value of the last while.
 *
 * Pure, fixed memory: values that come within a fraction of the window are kept as one (their
 * largest and smallest), so a window may hold a value longer than asked, by at most 1/WINDOW_PARTS
 * of it. */
#ifndef BERTH_AUTOSCALE_WINDOW_H
#define BERTH_AUTOSCALE_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define WINDOW_PARTS 100
#define WINDOW_ITEMS (WINDOW_PARTS + 2)

struct window {
    struct {
        int64_t first_ms, last_ms; /* of its first and last value */
        int largest, smallest;
    } item[WINDOW_ITEMS]; /* oldest first */
    size_t count;
};

/* Add a value, forget what is older than span_ms. now_ms must not go backwards. span_ms 0: holds
 * nothing but this value. */
void window_put(struct window *window, int64_t now_ms, int64_t span_ms, int value);

int window_largest(const struct window *window, int otherwise);
int window_smallest(const struct window *window, int otherwise);

#endif
