#!/bin/sh
# berth simulate as a person meets it: what it prints and writes, and what it refuses.
set -eu
berth=$BERTH_BIN/berth
policies=$BERTH_SOURCE/infra/policies traces=$BERTH_SOURCE/infra/traces
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
has() { grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 does not say: $2"; }; }
# refused EXIT TEXT ARGUMENT...
refused() {
    code=$1 text=$2; shift 2
    set +e; "$berth" simulate "$@" >"$dir/out" 2>&1; got=$?; set -e
    [ $got -eq "$code" ] || fail "exit $got, not $code: $*"
    has "$dir/out" "$text"
}

"$berth" simulate --policy "$policies/default.yaml" --trace "$traces/mass_disconnect.csv" --events \
    --timeline "$dir/t.csv" --plot "$dir/p.svg" >"$dir/a"
has "$dir/a" '^simulate: who=policy node_hours=[0-9.]* node_hours_ratio=1\.[0-9]* refused_s=0 .* flaps=0 killed=0$'
has "$dir/a" '^simulate: who=oracle .*node_hours_ratio=1\.000 refused_s=0 '
has "$dir/a" '^simulate: who=reactive '
has "$dir/a" '\] scale_in size='
[ "$(wc -l <"$dir/t.csv")" -eq 1442 ] || fail "a row each ten seconds, and a heading"
head -1 "$dir/t.csv" | grep -qx 'second,players,refused,refused_s,places,ready,coming,draining' || fail "heading"
has "$dir/p.svg" '^<svg xmlns='
has "$dir/p.svg" '</svg>$'
"$berth" simulate --policy "$policies/default.yaml" --trace "$traces/mass_disconnect.csv" --events >"$dir/b"
cmp "$dir/a" "$dir/b" || fail "the same again is not the same"

# The traces are what the generator makes.
if command -v python3 >/dev/null; then
    mkdir "$dir/traces"
    python3 "$traces/generate.py" "$dir/traces"
    for trace in "$traces"/*.csv; do cmp "$trace" "$dir/traces/$(basename "$trace")" || fail "generate.py"; done
fi

refused 1 'give --policy FILE and --trace FILE'
printf '0,5\n10,x\n' >"$dir/bad.csv"
refused 1 'bad.csv:2: 10,x: players or arrivals must be' --policy "$policies/hpa.yaml" --trace "$dir/bad.csv"
refused 1 'no.csv: No such file' --policy "$policies/hpa.yaml" --trace "$dir/no.csv"
refused 1 'no.yaml: cannot be read' --policy "$dir/no.yaml" --trace "$dir/bad.csv"
printf 'pools:\n  game:\n    scale:\n      min: 9\n      max: 3\n' >"$dir/bad.yaml"
refused 1 'bad.yaml:[0-9]*: .*min = 9: must not be above max' --policy "$dir/bad.yaml" --trace "$traces/slow_leak.csv"
refused 1 'the pools lobby and game have rules: give --pool' --policy "$BERTH_SOURCE/infra/etc/berth.yaml" \
    --trace "$traces/slow_leak.csv"
refused 1 'no pool cats in it' --pool cats --policy "$policies/hpa.yaml" --trace "$traces/slow_leak.csv"
refused 2 'boot = 1s: must be' --boot 1s --policy "$policies/hpa.yaml" --trace "$traces/slow_leak.csv"
echo "simulate: well"
