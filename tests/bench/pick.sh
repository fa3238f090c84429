#!/bin/sh
# The cost of a pick, of a report, and of what a pick would cost by looking at every node.
exec "${BUILD:-build/release}/bench/bench_pick" "$@"
