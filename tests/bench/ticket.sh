#!/bin/sh
# Microseconds to sign and to verify a ticket, beside libjwt.
exec "${BUILD:-build/release}/bench/bench_ticket" "$@"
