#!/bin/sh
# How evenly a burst of players is spread: the real core in virtual time, beside an oracle and simpler rules.
exec "${BUILD:-build/release}/bench/bench_balance" "$@"
