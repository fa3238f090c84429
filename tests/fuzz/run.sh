#!/bin/bash
# make fuzz: each target of tests/fuzz under libFuzzer, ASan and UBSan, from the corpus in the tree.
#   FUZZ_SECONDS (60)  for each target
#   ONLY="a b"         these targets only
#   JOBS (processors)  so many at once
# What breaks is left in build/fuzz/ with its input, the others go on. Closing line: fuzz: N targets, N crashes.
set -u
cd "$(dirname "$0")/../.." || exit 1
export FUZZ_SECONDS=${FUZZ_SECONDS:-60}
[[ "$FUZZ_SECONDS" =~ ^[1-9][0-9]{0,5}$ ]] || {
    echo "fuzz: SECONDS=$FUZZ_SECONDS: must be a whole number of seconds, 1 or more"
    exit 2
}
export out=build/fuzz/found
# A pointer to a frame that has returned is seen, too.
export ASAN_OPTIONS=detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
mkdir -p "$out"

# Words that this target understands: of the dictionaries that say they are for it; the configuration's are the
# manual's, which is made from the option tables.
words() {
    local name=$1 file
    for file in tests/fuzz/dict/*.dict; do
        if grep -qE "^# for:.* $name( |\$)" "$file"; then cat "$file"; fi
    done
    [ "$name" != config ] ||
        sed -nE 's/^## ([a-z0-9_.]*[a-z0-9_]).*/\1/p; s/^\| `([a-z0-9_]+)` \|.*/\1/p' docs/configuration.md |
        tr '.' '\n' | sort -u | sed 's/.*/"&: "/'
}
# One target: its line, and a mark when it broke.
one() {
    local name=$1 dictionary=()
    words "$name" >"$out/$name.dict"
    [ ! -s "$out/$name.dict" ] || dictionary=("-dict=$out/$name.dict")
    rm -f "$out/$name.crashed" "$out/$name"-*
    mkdir -p "$out/corpus-$name" # what it finds is where the next run begins
    if "build/fuzz/fuzz/fuzz_$name" -max_total_time="$FUZZ_SECONDS" -max_len=16384 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
        "${dictionary[@]}" -artifact_prefix="$out/$name-" "$out/corpus-$name" "tests/fuzz/corpus/$name" >"$out/$name.log" 2>&1; then
        awk -v name="$name" '/number_of_executed_units/ {n = $2} /cov: [0-9]+/ {for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1)}
            END {printf "fuzz: %s: %d runs, %d edges, nothing broke\n", name, n, c}' "$out/$name.log"
    else
        touch "$out/$name.crashed"
        grep -vE '^#[0-9]+|NEW_FUNC' "$out/$name.log" | tail -50
        echo "fuzz: $name: broke; the input is $(ls "$out/$name"-* 2>/dev/null | head -1)"
    fi
}
export -f one words

log=$out/build.log
if ! { cmake --preset fuzz && cmake --build --preset fuzz --target fuzz_targets -j"${JOBS:-$(nproc)}"; } >"$log" 2>&1; then
    grep -E "error|FAILED" -A5 "$log" | head -60
    echo "fuzz: the build failed"
    exit 1
fi
targets=()
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    [ -z "${ONLY:-}" ] || [[ " $ONLY " == *" $name "* ]] || continue
    targets+=("$name")
done
if [ ${#targets[@]} -eq 0 ]; then
    echo "fuzz: no such target: ${ONLY:-}"
    exit 2
fi
printf '%s\n' "${targets[@]}" | xargs -P "${JOBS:-$(nproc)}" -I{} nice bash -c 'one {}'
crashes=0
for name in "${targets[@]}"; do
    [ ! -f "$out/$name.crashed" ] || crashes=$((crashes + 1))
done
echo "fuzz: ${#targets[@]} targets, $crashes crashes"
[ "$crashes" -eq 0 ]
