#!/bin/sh
# make bench-reaction: from the player who is one too many to the provider, and from a node's first word to its first player.
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/bench/reaction.py --build "${BUILD:-build/release}" "$@"
