#!/bin/bash
# load.sh - `make load` in small: two workers' players are matched with each other, and added up.
here=$(cd "$(dirname "$0")/../.." && pwd)
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
fail() {
    cat "$out"/*
    echo "FAILED: $*"
    exit 1
}
PLAYERS=80 WORKERS=2 LOBBIES=2 GAMES=2 RAMP=2s HOLD=1s "$here/loadtest/load.sh" >"$out/load" 2>"$out/err" || fail "exit code $?"
grep -q "^load: players=80 failed=0 split_rooms=0 max_mean=[0-9.]* journey_p50_ms=[0-9]* journey_p99_ms=[0-9]* endpoint_p99_ms=[0-9]* seconds=" "$out/load" || fail "closing line"
grep -q "rooms=20 " "$out/load" || fail "80 players in other than 20 rooms"
echo "ok: 80 players of two workers in 20 rooms"
