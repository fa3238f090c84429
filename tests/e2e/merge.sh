#!/bin/sh
# berth-swarm --merge as a person meets it: what several machines saw, added up; and what it refuses.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
# says EXIT TEXT FILE...
says() {
    code=$1 text=$2; shift 2
    set +e; (cd "$dir" && "$BERTH_BIN/berth-swarm" --merge "$@") >"$dir/out" 2>&1; got=$?; set -e
    [ $got -eq "$code" ] || { cat "$dir/out"; fail "exit $got, not $code: $*"; }
    grep -q -- "$text" "$dir/out" || { cat "$dir/out"; fail "$* does not say: $text"; }
}
# machine FILE ROOM FAILED
machine() {
    cat >"$dir/$1" <<EOF
progress started=4 done=2
timed step=match count=4 sum=100 max=40 buckets=10:2,20:2,
reason kind=failures why=timeout count=$3
room id=$2 node=gn-1 met=4 split=0
tally players=4 started=4 matched=4 met=4 done=$((4 - $3)) failed=$3 killed=0 retried=0 events=16
EOF
}
machine a r-1 0
machine b r-2 0
machine c r-3 1
says 0 '^swarm: players=8 matched=8 .*rooms=2 split_rooms=0 failed=0 .*verdict=passed$' a b
says 1 '^swarm: players=12 .*rooms=3 .*failed=1 .*verdict=failed$' a b c
grep -q timeout "$dir/out" || fail "why they failed is not told"
sed 's/node=gn-1/node=gn-2/' "$dir/a" >"$dir/elsewhere" # the same room on another node: friends were split
says 1 'split_rooms=1 .*verdict=failed$' a elsewhere
grep -v ^tally "$dir/a" >"$dir/cut"
says 2 'no line begins with "tally ": did the run end?' cut
says 2 'none: No such file' a none
sed 's/met=4 split/met=-4 split/' "$dir/b" >"$dir/wrong"
says 2 'wrong:4: malformed: "room id=r-2' a wrong
says 2 '^usage: berth-swarm --merge FILE'
sed 's/players=4/players=99999999999999999/' "$dir/a" >"$dir/many"
says 2 'many:5: players=99999999999999999: more than 67108864 in all' many
echo "merge: passed"
