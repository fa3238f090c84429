/* bench_rx.c - what one value costs per operator: a subject, ten operators, a subscriber. */
#include "core/rx.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OPERATORS 10
#define VALUES 2000000
#define ROUNDS 5

static struct rx_value plus_one(void *ctx, struct rx_value v)
{
    return rx_int(v.integer + 1);
}

static bool positive(void *ctx, struct rx_value v)
{
    return v.integer >= 0;
}

static struct rx_value sum(void *ctx, struct rx_value total, struct rx_value v)
{
    return rx_int(total.integer + v.integer);
}

static void see(void *ctx, struct rx_value v)
{
    *(int64_t *)ctx += v.integer;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
    static _Alignas(64) char memory[1 << 20];
    struct rx rx;
    struct rx_virtual clock;
    rx_virtual_init(&clock, 0);
    if (rx_init(&rx, memory, sizeof memory, rx_virtual_scheduler(&clock)) != 0)
        return 1;
    int64_t seen = 0;
    struct rx_stream *in = rx_subject(&rx);
    struct rx_stream *out = rx_pipe(in,
                                    rx_map(plus_one, NULL),
                                    rx_filter(positive, NULL),
                                    rx_tap(see, &seen),
                                    rx_map(plus_one, NULL),
                                    rx_scan(sum, NULL, rx_int(0)),
                                    rx_distinct_until_changed(),
                                    rx_take_while(positive, NULL, false),
                                    rx_map(plus_one, NULL),
                                    rx_skip(1),
                                    rx_filter(positive, NULL));
    rx_subscribe(out, (struct rx_observer){.next = see, .ctx = &seen}, NULL);
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (int i = 0; i < VALUES; i++)
            rx_subject_next(in, rx_int(i));
        double took = now_ns() - start;
        best = took < best ? took : best;
    }
    size_t used = rx_used(&rx);
    if (seen == 0 || used != rx_used_max(&rx)) {
        fprintf(stderr, "bench-rx: values were lost, or memory was allocated per value\n");
        return 1;
    }
    printf("bench-rx: ns_per_value_per_operator=%.2f operators=%d values=%d arena_bytes=%zu\n",
           best / VALUES / OPERATORS, OPERATORS, VALUES, used);
    rx_fini(&rx);
    return 0;
}
