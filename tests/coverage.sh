#!/bin/bash
# make coverage: builds with gcc --coverage, runs the tests, prints what they reach by room (folder).
#   LABELS (unit|contract|e2e)  which tests
#   FILES=1                    each file, too
# Writes build/coverage/coverage.html, the sources with what never ran marked.
# Closing line: coverage: lines=<percent>% branches=<percent>% tests=<number that passed>
set -u
cd "$(dirname "$0")/.." || exit 1
out=build/coverage
mkdir -p "$out"
if ! { cmake --preset coverage && cmake --build --preset coverage -j"$(nproc)"; } >"$out/build.log" 2>&1; then
    grep -E "error|FAILED" -A5 "$out/build.log" | head -40
    echo "coverage: the build failed"
    exit 1
fi
find "$out" -name '*.gcda' -delete
# Not these: they look at the descriptors of children, and build once more, which the counters are in the way of.
# A process that is killed tells nothing of itself: what only such processes reach is counted as not reached. So the
# scripts ask theirs to end first.
BERTH_END_GENTLY=1 ctest --test-dir "$out" -j"${JOBS:-4}" -L "${LABELS:-unit|contract|e2e}" -E '^(test_io_spawn|infra_package)$' >"$out/tests.log" 2>&1
failed=$?
grep -E '\*\*\*(Failed|Timeout|Exception)' "$out/tests.log"
passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$out/tests.log")
[ "$failed" -eq 0 ] || echo "coverage: not every test passed ($out/tests.log)"
python3 -B tests/coverage.py "$out" . "$passed" ${FILES:+--files} --html "$out/coverage.html" || exit 1
[ "$failed" -eq 0 ]
