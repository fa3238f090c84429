#!/bin/sh
# make bench-allocate: whole matches of 4, each in a new room, claimed in Redis.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/bench/allocate.py --build "${BUILD:-build/release}" "$@"
