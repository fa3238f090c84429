/* rx_world.h - a small world for tests of core/rx: an arena, virtual time, and a log of what a
 * subscriber heard. */
#ifndef BERTH_TESTS_RX_WORLD_H
#define BERTH_TESTS_RX_WORLD_H

#include "core/rx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct rx rx;
    struct rx_virtual clock;
    void *memory;
    size_t used_before; /* of the arena, by the world itself */
    char log[4096];     /* "1@0 2@0 |@0 " */
};

static void log_add(struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), unused));
static void log_add(struct world *w, const char *fmt, ...)
{
    size_t at = strlen(w->log);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(w->log + at, sizeof w->log - at, fmt, ap);
    va_end(ap);
}

static void log_value(struct world *w, struct rx_value v)
{
    switch (v.kind) {
    case RX_INT:
        log_add(w, "%lld", (long long)v.integer);
        break;
    case RX_REAL:
        log_add(w, "%g", v.real);
        break;
    case RX_TEXT:
        log_add(w, "%.*s", (int)v.size, v.text);
        break;
    case RX_LIST:
        log_add(w, "[");
        for (uint32_t i = 0; i < v.size; i++) {
            log_add(w, i ? "," : "");
            log_value(w, v.items[i]);
        }
        log_add(w, "]");
        break;
    case RX_ERROR:
        log_add(w, "error(%d %s)", rx_error_code(v), v.text);
        break;
    default:
        log_add(w, "?%d", v.kind);
    }
}

static void hear_next(void *ctx, struct rx_value v)
{
    struct world *w = ctx;
    log_value(w, v);
    log_add(w, "@%lld ", (long long)w->clock.now_ms);
}

static void hear_error(void *ctx, struct rx_value e)
{
    struct world *w = ctx;
    log_add(w, "#");
    log_value(w, e);
    log_add(w, "@%lld ", (long long)w->clock.now_ms);
}

static void hear_complete(void *ctx)
{
    struct world *w = ctx;
    log_add(w, "|@%lld ", (long long)w->clock.now_ms);
}

static inline struct rx_observer hear(struct world *w)
{
    return (struct rx_observer){hear_next, hear_error, hear_complete, w};
}

static inline struct world *world_new(size_t arena)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->memory = malloc(arena);
    assert_non_null(w->memory);
    rx_virtual_init(&w->clock, 0);
    assert_int_equal(rx_init(&w->rx, w->memory, arena, rx_virtual_scheduler(&w->clock)), 0);
    w->used_before = rx_used(&w->rx);
    return w;
}

static inline int world_setup(void **state)
{
    *state = world_new(1 << 20);
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;
    rx_fini(&w->rx);
    free(w->memory);
    free(w);
    return 0;
}

static inline void advance(struct world *w, int64_t to_ms)
{
    rx_virtual_advance(&w->clock, &w->rx, to_ms);
}

/* Give back the stream, and see that nothing of it, nor of anything it made, is left in the arena.
 */
static inline void assert_all_freed(struct world *w, struct rx_stream *stream)
{
    if (stream)
        rx_forget(stream);
    assert_int_equal(rx_used(&w->rx), w->used_before);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_setup, world_teardown)

#endif
