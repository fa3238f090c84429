#!/bin/sh
# bench-rx: nanoseconds per value and operator of core/rx. Goal: below 20.
exec "$(dirname "$0")/../../${BUILD:-build/release}/bench/bench_rx"
