#!/bin/sh
# takeover.sh [--every] - the leading autoscaler is killed or stopped in the middle of a launch and of a drain; the other finishes.
set -eu
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
exec python3 "$(dirname "$0")/takeover.py" --build "$(dirname "$BERTH_BIN")" "$@"
