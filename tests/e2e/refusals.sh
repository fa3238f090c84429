#!/bin/bash
# refusals.sh - what people get wrong at a terminal: a Redis that will not have them, a reader that has gone, a disk that is full.
. "$(dirname "$0")/lib.sh"
command -v redis-server >/dev/null || {
    echo "skipped: no redis-server"
    exit 77
}
mkdir "$work/up"
socket=$work/up/redis.sock
redis-server --port 0 --unixsocket "$socket" --requirepass right --save '' --dir "$work" >"$work/redis.log" 2>&1 &
redis=$!
write_config
until_true 10 redis-cli -s "$socket" -a right --no-auth-warning ping >/dev/null || fail "no Redis"
errors=$work/errors
berth() { timeout 20 "$BERTH_BIN/berth" "$@" --config "$work/berth.yaml" 2>"$errors"; }
# refused EXIT TEXT VERB...: ends with this code and says this.
refused() {
    local code=$1 text=$2
    shift 2
    berth "$@" >"$work/out"
    local got=$?
    [ $got -eq "$code" ] || fail "exit $got, not $code: $*: $(cat "$errors")"
    grep -q -- "$text" "$errors" || fail "$*: does not say '$text': $(cat "$errors")"
}

(errors=$work/errors.$BASHPID && refused 1 "Redis at $socket: NOAUTH" events game) &
(errors=$work/errors.$BASHPID && refused 1 "Redis at $socket: WRONGPASS" drain game n1 --redis.password wrong) &
(errors=$work/errors.$BASHPID && refused 1 "Redis at $work/nowhere: connect: No such file" why game --redis.host "$work/nowhere") &
for job in $(jobs -p | grep -vx "$redis"); do wait "$job" || exit 1; done
pass "a Redis that refuses or is not there: its own words"

export BERTH_REDIS__PASSWORD=right
size() { redis-cli -s "$socket" -a right --no-auth-warning HGET 'berth:{game}:wants' '*size|operator'; }
berth scale game 3 >/dev/null || fail "berth scale: $(cat "$errors")"
[[ $(size) == *"want=size:3 "* ]] || fail "the size is not wished: $(size)"
refused 1 "3x: the size must be 0..100000 (ready nodes), or auto" scale game 3x
berth scale game auto >/dev/null || fail "berth scale auto: $(cat "$errors")"
[ -z "$(size)" ] || fail "the size is not taken back: $(size)"
pass "a size is wished and taken back by auto"

refused 2 "scale: POOL N, not 1 word; usage: berth scale POOL N" scale game
refused 2 "status: takes no word, not 1 word; usage: berth status$" status game
pass "too many and too few words"

[ -w /dev/full ] && for verb in "--help" "--print-config" "events game" "simulate --policy $BERTH_SOURCE/infra/policies/hpa.yaml --trace $BERTH_SOURCE/infra/traces/event_spike.csv"; do
    # shellcheck disable=SC2086
    berth $verb >/dev/full && fail "$verb on a full disk ends with 0"
    grep -q "standard output cannot be written" "$errors" || fail "$verb: $(cat "$errors")"
done
pass "a full disk is told, and is no success"

# The reader goes: the next event ends it, quietly.
"$BERTH_BIN/berth" events game --follow --config "$work/berth.yaml" > >(head -n 1 >/dev/null) 2>/dev/null &
follower=$!
another=4 # the same wish again is no event
more() { berth scale game $((another++)) >/dev/null && ! kill -0 "$follower" 2>/dev/null; }
until_true 30 more || fail "berth events --follow goes on without a reader"
pass "berth events --follow ends when its reader has gone"
echo "refusals: $checks checks passed"
