#!/bin/sh
# berth-sim: the same seed gives the same bytes; a failure says seed, commit, the last of the trace and how to see it again;
# a wrong world says where.
set -eu
sim="$BERTH_BIN/berth-sim"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "replay: $*" >&2; exit 1; }

cat > "$dir/world.yaml" <<'YAML'
faults_s: 10
quiet_s: 30
faults: 3
arrivals: 4
YAML
"$sim" --seed 3 --trace --world "$dir/world.yaml" > "$dir/a" || fail "seed 3 fails"
"$sim" --seed 3 --trace --world "$dir/world.yaml" > "$dir/b"
cmp -s "$dir/a" "$dir/b" || fail "the same seed gave other bytes"
[ "$(wc -l < "$dir/a")" -gt 1000 ] || fail "the trace is short"
grep -q 'seed 3 passed at .* digest=' "$dir/a" || fail "no closing line"
"$sim" --seed 4 --world "$dir/world.yaml" > "$dir/c"
[ "$(sed 's/.*digest=//' "$dir/c")" != "$(tail -1 "$dir/a" | sed 's/.*digest=//')" ] || fail "another seed is the same world"

"$sim" --seed 1 --mutant ticket_admits_twice > "$dir/m" && fail "a planted bug was not seen"
grep -q '^seed 1 FAILED at ' "$dir/m" || fail "a failure does not say its seed and commit"
grep -q 'replay: berth-sim --seed 1 --trace --mutant ticket_admits_twice' "$dir/m" || fail "a failure does not say how to see it again"
[ "$(grep -c '^    \[' "$dir/m")" -gt 20 ] || fail "a failure shows no trace"

echo 'fualts: 3' > "$dir/wrong.yaml"
"$sim" --seed 1 --world "$dir/wrong.yaml" > /dev/null 2> "$dir/e" && fail "an unknown name is taken"
grep -q 'wrong.yaml:1: fualts: unknown' "$dir/e" || fail "an unknown name is not told: $(cat "$dir/e")"
echo 'faults: many' > "$dir/wrong.yaml"
"$sim" --seeds 1..2 --world "$dir/wrong.yaml" > /dev/null 2> "$dir/e" && fail "a wrong number is taken"
grep -q 'faults = many: must be a number, 0..64' "$dir/e" || fail "a wrong number is not told: $(cat "$dir/e")"
"$sim" --mutants --mutant nobody > /dev/null 2>&1 && fail "an unknown mutant is taken"
[ "$("$sim" --list-mutants | wc -l)" -ge 16 ] || fail "too few mutants"
"$sim" --seeds 1..3 --world "$dir/world.yaml" | tail -1 | grep -qx '3 passed, 0 failed' || fail "no closing line of many"
