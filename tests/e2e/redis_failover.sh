#!/bin/sh
# redis_failover.sh WHAT - a real failover of Redis under a running fleet: sentinel, or cluster (with slots that move).
set -eu
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
exec python3 "$(dirname "$0")/redis_failover.py" --build "$(dirname "$BERTH_BIN")" "$1"
