#!/bin/sh
# make bench-endpoint: the endpoint API beside nginx `return 200` of the same length.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/bench/endpoint.py --build "${BUILD:-build/release}" "$@"
