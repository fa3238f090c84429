#!/bin/sh
# redis_away.sh - the store stands still under load: nobody is lost, nothing launched, no room moved. Options go to redis_away.py.
set -eu
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
exec python3 "$(dirname "$0")/redis_away.py" --build "$(dirname "$BERTH_BIN")" "$@"
