#!/bin/sh
# haproxy.sh - the HAProxy examples: a local proxy before two balancers, and before two redis-servers.
set -eu
PATH=$PATH:/usr/sbin
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
command -v haproxy >/dev/null || { echo "skipped: no haproxy"; exit 77; }
exec python3 "$(dirname "$0")/haproxy.py" --build "$(dirname "$BERTH_BIN")"
