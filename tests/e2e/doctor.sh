#!/bin/sh
# doctor.sh - `berth doctor` against a real installation in which things are broken one by one.
set -eu
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
exec python3 "$(dirname "$0")/doctor.py" --build "$(dirname "$BERTH_BIN")"
