/* rx_loop.c - one timer of the loop, set to the deadline of the streams. */
#include "io/rx_loop.h"

static int64_t now_ms(void *ctx)
{
    struct rx_loop *ticks = ctx;
    return loop_now(ticks->loop).ms;
}

static void wake_at(void *ctx, int64_t at_ms)
{
    struct rx_loop *ticks = ctx;
    timer_at(&ticks->timer, at_ms == RX_FOREVER ? MONO_NEVER : (mono_ms_t){at_ms});
}

static void fire(void *arg)
{
    struct rx_loop *ticks = arg;
    rx_run(ticks->rx);
}

void rx_loop_init(struct rx_loop *ticks, struct loop *loop, struct rx *rx)
{
    *ticks = (struct rx_loop){.loop = loop, .rx = rx};
    timer_init(&ticks->timer, loop, fire, ticks);
}

void rx_loop_fini(struct rx_loop *ticks)
{
    timer_stop(&ticks->timer);
}

struct rx_scheduler rx_loop_scheduler(struct rx_loop *ticks)
{
    return (struct rx_scheduler){now_ms, wake_at, ticks};
}
