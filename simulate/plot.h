/* plot.h - a simulation as a picture (SVG): players who want to play, places, those refused.
 *
 * Pure: text goes through a function of the caller's. */
#ifndef BERTH_SIMULATE_PLOT_H
#define BERTH_SIMULATE_PLOT_H

#include "simulate/simulate.h"

#define PLOT_COLUMNS 900

struct plot {
    const char *title, *subtitle; /* borrowed; no markup in them (it is escaped) */
    int64_t seconds;
    int64_t node_capacity;
    struct {
        bool seen;
        int64_t demand, capacity, refused; /* the most of each; of places the fewest */
    } column[PLOT_COLUMNS];
};

typedef void plot_put_fn(void *arg, const char *text);

void plot_begin(struct plot *plot, const char *title, const char *subtitle, int64_t seconds,
                int64_t node_capacity);
void plot_add(struct plot *plot, const struct simulate_sample *sample);
void plot_write(const struct plot *plot, plot_put_fn *put, void *arg);

#endif
