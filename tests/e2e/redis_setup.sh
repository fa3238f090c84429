#!/bin/sh
# redis_setup.sh - pools in two Redises, least privileges, and one that cannot write.
set -eu
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
exec python3 "$(dirname "$0")/redis_setup.py" --build "$(dirname "$BERTH_BIN")"
