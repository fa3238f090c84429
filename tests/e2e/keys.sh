#!/bin/bash
# keys.sh - nothing in Redis grows for ever: a whole installation at work, every key that it writes held against docs/redis.md.
# Watched by MONITOR, so keys that live for a moment are seen, too. Every feature that has a key of its own is used.
. "$(dirname "$0")/lib.sh"
: "${BERTH_SOURCE:?the source tree}"
command -v redis-server >/dev/null || {
    echo "skipped: no redis-server"
    exit 77
}
write_config
cat >>"$work/berth.yaml" <<YAML
alerts:
  to:
    ops: {kind: webhook, url: "http://127.0.0.1:9/alerts"}
YAML
start_up
until_true 30 grep -q "berth is up" "$work/up.out" || fail "berth up does not come up"
python3 -B "$BERTH_SOURCE/tests/support/redis_keys.py" "$work/up/redis.sock" "$BERTH_SOURCE/docs/redis.md" "$work/stop" >"$work/keys" &
watcher=$!
berth() { "$BERTH_BIN/berth" "$@" --config "$work/berth.yaml" >>"$work/said" 2>&1; }
until_true 30 ready game 2 "$admin_a" || fail "two game nodes are not ready in 30 s"
until_true 10 ready lobby 1 "$admin_b" || fail "one lobby node is not ready in 10 s"

node=$(curl -s -m 2 "$lb_b/v1/pools/game/endpoint?player=op" | json "o['node']")
berth hold game "$node" --why inspection || fail "berth hold"
berth release game "$node" || fail "berth release"
berth scale game 3 --why evening || fail "berth scale: $(tail -n 1 "$work/said")"
"$BERTH_BIN/berth-swarm" --players 40 --lb "$lb_a,$lb_b" --ramp 1s --hold 1s >"$work/swarm" 2>&1 || fail "the swarm: $(tail -n 3 "$work/swarm")"
pass "40 players met in 10 rooms"
until_true 15 ready game 3 "$admin_a" || fail "the pool does not grow to 3"
victim=$(pid_of berth-gamenode "$node")
kill -KILL "${victim:?no process of $node}" # it is lost, told to people, and replaced
until_true 10 grep -q "node_lost\|lost" "$work"/up/log/*.log || fail "nobody noticed"
sleep 1
touch "$work/stop"
wait "$watcher" || fail "$(cat "$work/keys")"
tail -n 1 "$work/keys"
for key in load nodes epoch reports beats states wants feed owner leader fence peers "room:<id>" plan events history probe \
    "seek:queue:<mode>" seek:seekers seek:modes seek:lobbies seek:matcher seek:matches "seek:match:<room>" "seek:results:<lobby>"; do
    grep -qxF "seen: $key" "$work/keys" || fail "no key like $key was written: the test does not look at it"
done
kill -INT "$up_pid"
wait "$up_pid" || fail "berth up ended with code $?"
up_pid=""
pass "every key is in the document, of its type, and has a life or a bound"
echo "keys: $checks checks passed"
