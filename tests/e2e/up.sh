#!/bin/bash
# up.sh - `berth up`: everything from one file, what fails comes back, Ctrl-C leaves nothing behind.
. "$(dirname "$0")/lib.sh"
write_config
start_up

until_true 30 grep -q "berth is up" "$work/up.out" || fail "berth up does not come up"
until_true 30 ready game 2 "$admin_a" || fail "two game nodes are not ready in 30 s"
until_true 10 ready lobby 1 "$admin_b" || fail "one lobby node is not ready in 10 s"
read -r -a told <<<"$(sed -n 's/^      berth \(why .*\)$/\1/p' "$work/up.out")"
"$BERTH_BIN/berth" "${told[@]}" | grep -q "the provider made 1" || fail "what berth up tells to try does not work: berth ${told[*]}"
pass "one command brings up two LBs, the autoscaler and the first nodes"

"$BERTH_BIN/berth" up --config "$work/berth.yaml" --directory "$work/up" >"$work/body" 2>&1 && fail "a second berth up in the same directory"
grep -q "redis-server is there already" "$work/body" || fail "no explanation: $(cat "$work/body")"
"$BERTH_BIN/berth" up --config "$work/berth.yaml" --directory "$work/up2" >"$work/body" 2>&1 && fail "a second berth up on the same ports"
grep -q "where lb-a is to listen, is in use already" "$work/body" || fail "no explanation: $(cat "$work/body")"
[ -z "$(pgrep -f "$work/up2/")" ] || fail "a second berth up left something running"
pass "a second berth up is refused and says why, and harms nothing"

for base in "$lb_a" "$lb_b"; do
    answer=$(curl -s -m 2 "$base/v1/pools/game/endpoint?player=ann")
    [ "$(json "o['pool'] + str(o['endpoint'].startswith('ws://127.0.0.1:')) + str(len(o['ticket'].split('.')))" <<<"$answer")" = gameTrue3 ] ||
        fail "endpoint answers: $answer"
done
pass "both LBs answer for any pool, with node, endpoint and ticket"

status() { curl -s -m 2 -o "$work/body" -w '%{http_code} %{content_type}' "$@"; }
[ "$(status "$lb_a/v1/pools/arena/endpoint")" = "404 application/problem+json" ] || fail "unknown pool: $(cat "$work/body")"
[ "$(status "$lb_a/v1/pools/game/endpoint?player=a%20b")" = "400 application/problem+json" ] || fail "bad player: $(cat "$work/body")"
grep -q player "$work/body" || fail "the problem does not name the parameter: $(cat "$work/body")"
[ "$(status "$lb_a/nowhere")" = "404 application/problem+json" ] || fail "unknown path: $(cat "$work/body")"
[ "$(status -X DELETE "$lb_a/v1/pools/game/endpoint")" = "405 application/problem+json" ] || fail "wrong method: $(cat "$work/body")"
[ "$(head -c 100000 /dev/zero | tr '\0' x | status -X POST --data-binary @- "$lb_a/v1/pools/game/rooms")" = "413 application/problem+json" ] ||
    fail "body over its limit: $(cat "$work/body")"
pass "bad input is refused as problem+json, by name"

for url in "$admin_a/healthz" "$admin_a/readyz" "$admin_b/readyz"; do
    [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "$url")" = 200 ] || fail "$url is not 200"
done
curl -s -m 2 "$admin_a/metrics" | grep -q '^berth_lb_' || fail "no metrics"
"$BERTH_BIN/berth" status --config "$work/berth.yaml" | grep -q '^game' || fail "berth status shows no pool"
pass "healthz, readyz, metrics, berth status"

# Alert rules and dashboard ask for what the programs export.
node_port() { curl -s -m 2 "$admin_a/v1/pools/$1/nodes" | json "o['nodes'][0]['endpoint'].split(':')[2].split('/')[0]"; }
scaler=$(sed -n 's/^  admin: "\(.*\)"$/\1/p' "$work/berth.yaml")
exporters=0
for url in "$admin_a" "http://$scaler" "http://127.0.0.1:$(node_port game)" "http://127.0.0.1:$(node_port lobby)"; do
    exporters=$((exporters + 1))
    curl -s -m 2 "$url/metrics" >"$work/metrics.$exporters"
done
here=$(cd "$(dirname "$0")" && pwd)
python3 "$here/metrics.py" "$here/../../infra" "$work"/metrics.* >"$work/body" || fail "metrics: $(cat "$work/body"; wc "$work"/metrics.*)"
pass "rules and dashboard: $(tail -n 1 "$work/body")"

# What an operator wishes: a node kept out, and back; the events tell of both.
spare=$(curl -s -m 2 "$lb_b/v1/pools/game/endpoint?player=op" | json "o['node']")
berth() { "$BERTH_BIN/berth" "$@" --config "$work/berth.yaml"; }
berth hold game "$spare" --why inspection >/dev/null || fail "berth hold"
state_is() { [ "$(curl -s -m 2 "$admin_a/v1/pools/game/nodes/$spare" | json "o['state']" 2>/dev/null)" = "$1" ]; }
until_true 5 state_is held || fail "the node is not held"
for i in $(seq 10); do
    [ "$(curl -s -m 2 "$lb_a/v1/pools/game/endpoint?player=h$i" | json "o['node']")" != "$spare" ] || fail "a held node is handed out"
done
berth release game "$spare" >/dev/null || fail "berth release"
until_true 10 state_is ready || fail "the node does not come back"
berth events game --lines 200 >"$work/body" || fail "berth events"
grep -q "want *$spare .*want=held.*why=inspection" "$work/body" || fail "the wish is not in the events: $(cat "$work/body")"
berth drain game no-such-node 2>"$work/body" && fail "a node that is not there was drained"
grep -q "no such node" "$work/body" || fail "no explanation: $(cat "$work/body")"
pass "an operator holds a node and lets it back; the events tell"

# A node killed with -9 is out of rotation within lost_after + 1 s, and is replaced.
victim=$(curl -s -m 2 "$lb_a/v1/pools/game/endpoint?player=bob" | json "o['node']")
pid=$(pid_of berth-gamenode "$victim")
[ -n "$pid" ] || fail "no process of node $victim"
kill -KILL "$pid"
sleep 4
for i in $(seq 20); do
    node=$(curl -s -m 2 "$lb_a/v1/pools/game/endpoint?player=c$i" | json "o['node']")
    [ "$node" != "$victim" ] || fail "the dead node $victim is handed out 4 s after its death"
done
pass "a killed node is out of rotation in lost_after + 1 s"
# A live view of the pool with two ready nodes or more, as that LB sees it.
two_seen_by() {
    [ "$(curl -s -m 2 "$1/v1/pools" | json "[p['view_live'] and p['states'].get('ready', 0) >= 2 for p in o['pools'] if p['name'] == 'game'][0]" 2>/dev/null)" = True ]
}
until_true 20 two_seen_by "$admin_a" || fail "the killed node was not replaced in 20 s"
pass "and is replaced"

# One LB killed: the other answers every pool; the killed one comes back.
pid=$(pid_of berth-lb lb-b)
kill -KILL "$pid"
for i in $(seq 10); do
    code=$(curl -s -m 2 -o "$work/body" -w '%{http_code}' "$lb_a/v1/pools/game/endpoint?player=d$i")
    [ "$code" = 200 ] || fail "lb-a alone answers $code: $(cat "$work/body")"
done
until_true 15 two_seen_by "$admin_b" || fail "lb-b did not come back in 15 s"
pass "one LB answers alone; the other comes back"

# Redis killed under load: no process of ours dies, the LBs go on from memory, everything registers again.
before=$(pid_of 'berth-[a-z]*' | sort)
kill -KILL "$(pid_of redis-server)" || fail "no redis-server found"
for i in $(seq 10); do
    code=$(curl -s -m 2 -o "$work/body" -w '%{http_code}' "$lb_a/v1/pools/lobby/endpoint?player=e$i")
    [ "$code" = 200 ] || fail "without Redis lb-a answers $code: $(cat "$work/body")"
done
pass "with Redis away the LBs answer from memory"
{ until_true 20 two_seen_by "$admin_a" && until_true 20 two_seen_by "$admin_b"; } || fail "the nodes did not register again in 20 s"
[ "$(pid_of 'berth-[a-z]*' | sort)" = "$before" ] || fail "a process died or was started"
pass "Redis lost with all it held: everyone registers again, nothing died, nothing was launched"

kill -INT "$up_pid"
wait "$up_pid"
code=$?
up_pid=""
[ "$code" = 0 ] || fail "berth up ended with code $code"
[ -z "$(ours)" ] || fail "still running: $(ours | xargs ps -o pid,args -p)"
pass "Ctrl-C stops all of it"
echo "up: $checks checks passed"
