#!/bin/bash
# demo.sh - the main job, whole: `berth demo` must say so and exit 0.
: "${BERTH_BIN:?the directory of the programs}"
out=$("$BERTH_BIN/berth" demo)
code=$?
echo "$out"
[ "$code" = 0 ] || exit 1
tail -1 <<<"$out" |
    grep -qE '^demo: players=400 matched=400 rooms=100 split_rooms=0 failed=0 nodes_start=[0-9]+ nodes_peak=[0-9]+ nodes_end=[0-9]+ killed_sessions=0$'
