#!/bin/bash
# What `make test` runs: build in release and under sanitizers, run all tests in both, close with one line.
#   tests/run.sh [release|asan|tsan ...] [-- ctest arguments]     default: release asan
set -u
cd "$(dirname "$0")/.." || exit 1
presets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    presets+=("$1")
    shift
done
[ $# -eq 0 ] || shift
[ ${#presets[@]} -gt 0 ] || presets=(release asan)
jobs=${JOBS:-4} # tests wait more than they compute: four at once keep two cores half busy
passed=0 failed=0 skipped=0
failures=()

for preset in "${presets[@]}"; do
    echo "== $preset: build"
    log=$(mktemp)
    if ! { cmake --preset "$preset" && cmake --build --preset "$preset" -j"$(nproc)"; } >"$log" 2>&1; then
        grep -E "error|FAILED|CMake Error" -A5 "$log" | head -60
        echo "== $preset: the build failed"
        rm -f "$log"
        failed=$((failed + 1))
        failures+=("$preset: build")
        continue
    fi
    echo "== $preset: test"
    ctest --test-dir "build/$preset" -j"$jobs" --output-on-failure "$@" 2>&1 | tee "$log" |
        grep -vE "^Internal ctest|^Test project|^ *Start +[0-9]+:|^$"
    while read -r name verdict; do
        case $verdict in
        Passed) passed=$((passed + 1)) ;;
        Skipped) skipped=$((skipped + 1)) ;;
        *)
            failed=$((failed + 1))
            failures+=("$preset: $name ($verdict)")
            ;;
        esac
    done < <(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.* *(\*\*\*)?(Passed|Failed|Skipped|Timeout|Not Run|Exception[^ ]*|[A-Za-z]+).*/\1 \3/p' "$log")
    if grep -q "No tests were found" "$log"; then
        failed=$((failed + 1))
        failures+=("$preset: no tests were found")
    fi
    rm -f "$log"
done

if [ ${#failures[@]} -gt 0 ]; then
    echo "failed:"
    printf '  %s\n' "${failures[@]}"
fi
echo "test: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
