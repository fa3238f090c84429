#!/bin/bash
# autoscale.sh - two autoscalers, two LBs and real nodes: floor, replacement, takeover, adoption, drain.
. "$(dirname "$0")/lib.sh"
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
write_config
mkdir -p "$work/up/log"
# Two autoscalers share the machine and so the directory; the second has a listener of its own.
read -r as_1 as_2 <<<"$(free_ports 2)"
sed -i "s/^  admin: .*/  admin: \"127.0.0.1:$as_1\"/; s/max: 4, out_cooldown: 2s, in_cooldown: 3s/max: 4, out_cooldown: 1s, in_cooldown: 2s/; s/{rule: min_ready, ready: 2}/{rule: min_ready, ready: 2}, {rule: average_connections, above: 15, below: 3, hold: 1s}/" "$work/berth.yaml"

# run NAME PROGRAM [ARGUMENT...]: in the background, its output in up/log/NAME.log; sets pid.
run() {
    local name=$1
    shift
    "$@" >>"$work/up/log/$name.log" 2>&1 &
    pid=$!
    disown "$pid"
}
start_autoscaler() { # 1 or 2; sets pid
    local port=as_$1
    run "as-$1" "$BERTH_BIN/berth-autoscale" --config "$work/berth.yaml" --name "as-$1" --admin "127.0.0.1:${!port}"
}
metric() { # PORT NAME
    curl -s -m 2 "http://127.0.0.1:$1/metrics" | sed -n "s/^berth_autoscale_$2{pool=\"game\"} //p"
}
metric_is() { [ "$(metric "$1" "$2")" = "$3" ]; }
nodes() { pid_of berth-gamenode | sort; }
node_count_is() { [ "$(nodes | wc -l)" = "$1" ]; }

run redis redis-server --unixsocket "$work/up/redis.sock" --port 0 --save '' --appendonly no --dir "$work/up"
until_true 5 test -S "$work/up/redis.sock" || fail "redis-server does not come up"
run lb-a "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-a
run lb-b "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-b
start_autoscaler 1
first=$pid
until_true 10 metric_is "$as_1" leading 1 || fail "as-1 does not lead"
start_autoscaler 2
second=$pid
until_true 20 ready game 2 "$admin_a" || fail "min_ready does not bring up two nodes"
until_true 5 metric_is "$as_2" ready_nodes 2 || fail "as-2 does not follow the pool"
metric_is "$as_2" leading 0 || fail "both lead"
node_count_is 2 || fail "$(nodes | wc -l) nodes were started"
pass "min_ready brings up the floor, once, with two autoscalers there"

kill -KILL "$(nodes | head -1)"
until_true 10 node_count_is 2 || fail "a killed node is not replaced"
until_true 10 ready game 2 "$admin_a" || fail "the replacement is not ready"
pass "a killed node is replaced"

kill -KILL "$first"
until_true 5 metric_is "$as_2" leading 1 || fail "as-2 does not take over within 5 s of kill -9"
knows_boot_time() { case $(metric "$as_2" boot_seconds) in '' | 0) return 1 ;; esac; }
until_true 5 knows_boot_time || fail "the new leader does not know how long a node takes: $(metric "$as_2" boot_seconds)"
grep -q "ev=past_read.*pool=game" "$work/up/log/as-2.log" || fail "as-2 has not read the pool's history"
before=$(nodes)
sleep 3
[ "$(nodes)" = "$before" ] || fail "the new leader touched the nodes"
kill -KILL "$(nodes | head -1)"
until_true 15 node_count_is 2 || fail "the new leader does not replace a killed node"
until_true 10 ready game 2 "$admin_a" || fail "the replacement is not ready"
pass "the leader killed with -9: the other leads within 5 s, launches nothing twice, and goes on"

start_autoscaler 1
first=$pid
until_true 10 metric_is "$as_1" ready_nodes 2 || fail "as-1 does not come back"
kill -STOP "$second"
until_true 5 metric_is "$as_1" leading 1 || { kill -CONT "$second"; fail "as-1 does not take over within 5 s of SIGSTOP"; }
kill -CONT "$second"
until_true 5 metric_is "$as_2" leading 0 || fail "as-2 woke up and still believes that it leads"
sleep 2
node_count_is 2 || fail "after SIGSTOP and SIGCONT there are $(nodes | wc -l) nodes"
pass "the leader stopped and woken: it leads no more, nothing is launched twice"

before=$(nodes)
kill -TERM "$first" "$second"
gone() { ! kill -0 "$first" 2>/dev/null && ! kill -0 "$second" 2>/dev/null; }
until_true 10 gone || fail "the autoscalers do not end on SIGTERM"
[ "$(nodes)" = "$before" ] || fail "nodes ended with the autoscalers"
start_autoscaler 1
first=$pid
until_true 10 metric_is "$as_1" instances 2 || fail "a restarted autoscaler does not adopt the nodes"
sleep 3
[ "$(nodes)" = "$before" ] || fail "a restarted autoscaler touched the nodes"
pass "a restarted autoscaler adopts what runs"

"$BERTH_BIN/berth" scale game 4 --until 12s --why test --config "$work/berth.yaml" >/dev/null || fail "berth scale"
until_true 10 ready game 4 "$admin_a" || fail "four nodes are not ready"
pass "an operator's size is carried out"
until_true 40 ready game 2 "$admin_a" || fail "the pool does not go back to its minimum"
until_true 10 node_count_is 2 || fail "drained nodes do not end"
sleep 3
node_count_is 2 || fail "the pool went below its minimum"
grep -h "ev=process_ended.*asked=1" "$work"/up/log/as-*.log >"$work/ended" || fail "no node was told to end"
grep -v "status=0 signal=0" "$work/ended" && fail "a node that was told to end did not end by itself"
grep -q "ev=process_killed" "$work"/up/log/as-*.log && fail "a node was killed"
"$BERTH_BIN/berth" events game --lines 500 --config "$work/berth.yaml" >"$work/events"
for word in scale_out scale_in launched terminate; do
    grep -q " $word " "$work/events" || fail "no $word among the events: $(tail -20 "$work/events")"
done
pass "the wish ends by itself; the pool drains to its minimum, no node is killed, the events tell"

"$BERTH_BIN/berth" why game --lines 500 --config "$work/berth.yaml" >"$work/why" || fail "berth why"
for told in "out 2 -> 4, launches 2: operator" "the provider made 2 " " is ended: drained" "votes: min_ready at least 2"; do
    grep -q "$told" "$work/why" || fail "berth why does not tell '$told': $(tail -20 "$work/why")"
done
grep -q "^a node takes [0-9]* s from its launch until it is ready" "$work/why" || fail "berth why does not tell the boot time: $(head -3 "$work/why")"
grep -q "why=joined\|from=" "$work/why" && fail "berth why tells of more than decisions"
"$BERTH_BIN/berth" record game --config "$work/berth.yaml" >"$work/trace.csv" || fail "berth record"
grep -qx "second,players" "$work/trace.csv" || fail "no heading in the trace: $(head -5 "$work/trace.csv")"
[ "$(grep -cE '^[0-9]+,0$' "$work/trace.csv")" -gt 20 ] || fail "the trace is short: $(tail -5 "$work/trace.csv")"
minute_written() { redis-cli -s "$work/up/redis.sock" xrange 'berth:{game}:history:minutes' - + | grep -q "seconds=.* players_max=0"; }
until_true 62 minute_written || fail "no minute was written down"
"$BERTH_BIN/berth" simulate --policy "$work/berth.yaml" --pool game --trace "$work/trace.csv" >"$work/simulated" 2>&1 || fail "berth simulate: $(cat "$work/simulated")"
pass "the events in words; the pool's history as a trace that berth simulate reads"

# Tickets take every place, and nobody comes: the nodes report no player, and the average wants fewer of them.
crowd() { curl -s -m 10 -o /dev/null "$lb_b/v1/pools/game/endpoint?n=[1-230]"; }
refused_out() {
    crowd
    "$BERTH_BIN/berth" why game --lines 500 --config "$work/berth.yaml" >"$work/why"
    grep -q "out 2 -> [34], launches [12]: players_refused (rule refused)" "$work/why"
}
until_true 15 refused_out || fail "a pool that refuses players does not grow: $(tail -20 "$work/why")"
pass "a pool that refuses players grows, and says why"

kill -TERM "$first"
until_true 5 sh -c "! kill -0 $first 2>/dev/null" || fail "as-1 does not end"
echo "autoscale: $checks checks passed"
