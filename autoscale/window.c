/* window.c - the largest and smallest value of the last while. */
#include "autoscale/window.h"

#include <string.h>

void window_put(struct window *w, int64_t now_ms, int64_t span_ms, int value)
{
    size_t old = 0;
    while (old < w->count && now_ms - w->item[old].last_ms >= span_ms)
        old++;
    w->count -= old;
    memmove(w->item, w->item + old, w->count * sizeof w->item[0]);
    if (w->count == 0 || (now_ms - w->item[w->count - 1].first_ms >= span_ms / WINDOW_PARTS &&
                          w->count < WINDOW_ITEMS)) {
        w->item[w->count].first_ms = now_ms;
        w->item[w->count].largest = w->item[w->count].smallest = value;
        w->count++;
    }
    size_t last = w->count - 1;
    w->item[last].last_ms = now_ms;
    if (value > w->item[last].largest)
        w->item[last].largest = value;
    if (value < w->item[last].smallest)
        w->item[last].smallest = value;
}

int window_largest(const struct window *w, int otherwise)
{
    for (size_t i = 0; i < w->count; i++)
        if (i == 0 || w->item[i].largest > otherwise)
            otherwise = w->item[i].largest;
    return otherwise;
}

int window_smallest(const struct window *w, int otherwise)
{
    for (size_t i = 0; i < w->count; i++)
        if (i == 0 || w->item[i].smallest < otherwise)
            otherwise = w->item[i].smallest;
    return otherwise;
}
