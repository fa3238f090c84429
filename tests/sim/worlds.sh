#!/bin/sh
# Worlds in which something was found, a few seeds each: one kind of trouble, much of it. SEEDS=N of each world.
set -eu
sim="$BERTH_BIN/berth-sim"
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for world in "$(dirname "$0")"/worlds/*.yaml; do
    "$sim" --seeds "1..${SEEDS:-6}" --jobs "${JOBS:-2}" --world "$world" > "$out" 2>&1 || failed=1
    printf '%s: ' "$(basename "$world" .yaml)"
    if tail -1 "$out" | grep -q ', 0 failed$'; then tail -1 "$out"; else cat "$out"; fi
done
exit $failed
