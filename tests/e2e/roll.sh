#!/bin/sh
# roll.sh - a pool's nodes are replaced by new ones while players play on.
set -eu
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
exec python3 "$(dirname "$0")/roll.py" --build "$(dirname "$BERTH_BIN")"
