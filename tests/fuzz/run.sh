#!/bin/sh
# make fuzz: each tests/fuzz/fuzz_*.c under libFuzzer, ASan and UBSan, for FUZZ_SECONDS (60) each, from the corpus in the tree.
# A comment of a target names the sources it needs. What breaks is left in build/fuzz/ with its input. ONLY=name picks one.
set -eu
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
out=build/fuzz
mkdir -p "$out"
for target in tests/fuzz/fuzz_*.c; do
    name=$(basename "$target" .c)
    name=${name#fuzz_}
    [ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || continue
    sources=$(sed -n 's|^/\* sources: \(.*\) \*/$|\1|p' "$target")
    # shellcheck disable=SC2086
    clang -g -O1 -std=gnu11 -D_GNU_SOURCE '-DBERTH_VERSION="fuzz"' -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -I. \
        -o "$out/$name" "$target" $sources $(pkg-config --libs libcrypto yaml-0.1 jansson expat) -lm
    mkdir -p "$out/found-$name" "tests/fuzz/corpus/$name"
    "$out/$name" -max_total_time="$seconds" -max_len=16384 -timeout=5 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$out/$name-" "$out/found-$name" "tests/fuzz/corpus/$name" 2>"$out/$name.log" || {
        tail -40 "$out/$name.log"
        echo "fuzz: $name broke; the input is $out/$name-*"
        exit 1
    }
    awk -v name="$name" '/number_of_executed_units/ {n = $2} END {printf "fuzz: %s: %d runs, nothing broke\n", name, n}' "$out/$name.log"
done
