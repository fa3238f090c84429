#!/bin/sh
# make bench-match: matchmaking: players a second at the store interface; latency and spread of ratings through sockets.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/bench/match.py --build "${BUILD:-build/release}" "$@"
