/* rx_loop.h - the event loop as the scheduler of streams: time passes, and timers of core/rx fire.
 *
 *     rx_loop_init(&app->ticks, app->loop, &app->rx);
 *     rx_init(&app->rx, arena, sizeof arena, rx_loop_scheduler(&app->ticks));
 *     ...
 *     rx_fini(&app->rx);
 *     rx_loop_fini(&app->ticks);
 *
 * Time is loop_now(): monotonic milliseconds. */
#ifndef BERTH_IO_RX_LOOP_H
#define BERTH_IO_RX_LOOP_H

#include "core/rx.h"
#include "io/loop.h"

/* In its owner's memory. Borrows both. */
struct rx_loop {
    struct loop *loop;
    struct rx *rx;
    struct timer timer;
};

void rx_loop_init(struct rx_loop *ticks, struct loop *loop, struct rx *rx);
/* After rx_fini(). */
void rx_loop_fini(struct rx_loop *ticks);
struct rx_scheduler rx_loop_scheduler(struct rx_loop *ticks);

#endif
