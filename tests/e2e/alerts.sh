#!/bin/bash
# alerts.sh - people hear of what happens: Slack's own limits, a destination that hangs, one that fails while the sender is
# killed, Redis away; and no address in any log.
. "$(dirname "$0")/lib.sh"
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
write_config
mkdir -p "$work/up/log" "$work/slack"
secret=T0SECRET0B0HOOK

run() { # NAME PROGRAM [ARGUMENT...]: in the background, its output in up/log/NAME.log; sets pid
    local name=$1
    shift
    "$@" >>"$work/up/log/$name.log" 2>&1 &
    pid=$!
    disown "$pid"
}
python3 "$BERTH_SOURCE/tests/support/slack_server.py" "$work/slack" >"$work/slack/port" &
slack=$!
disown "$slack"
until_true 10 test -s "$work/slack/port" || fail "the Slack of the test does not come up"
base=http://127.0.0.1:$(cat "$work/slack/port")
echo "$base/services/$secret/flaky" >"$work/slack-url"
read -r as_1 as_2 <<<"$(free_ports 2)"
sed -i "s/^  admin: .*/  admin: \"127.0.0.1:$as_1\"\n  lease: 1s\n  lease_renew: 250ms/; s/^redis: {/redis: {command_timeout: 300ms, /" "$work/berth.yaml"
cat >>"$work/berth.yaml" <<YAML
alerts:
  runbook_url: https://docs.example/runbook.md
  installation: "test & co"
  batch: 100ms
  interval: 1s
  redis_after: 1s
  silent_after: 2s
  report: 5s
  to:
    ops: {kind: slack, url_file: $work/slack-url}
    hangs: {kind: slack, url: "$base/services/$secret/hang", timeout: 30s}
    json: {kind: webhook, url: "$base/json", token: a-token, mute: [leader_change]}
    loud: {kind: webhook, url: "$base/loud", severity: critical, report: no}
YAML
start_autoscaler() { # 1 or 2; sets pid
    local port=as_$1
    run "as-$1" "$BERTH_BIN/berth-autoscale" --config "$work/berth.yaml" --name "as-$1" --admin "127.0.0.1:${!port}"
}
metric_is() { [ "$(curl -s -m 2 "http://127.0.0.1:$1/metrics" | sed -n "s/^berth_autoscale_$2 //p")" = "$3" ]; }
# told PATH EXPRESSION: is there a message at PATH whose body o makes EXPRESSION true?
told() {
    [ -f "$work/slack/messages" ] && python3 - "$work/slack/messages" "$1" "$2" <<'PY'
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    m = json.loads(line)
    o, text, token = m["body"], json.dumps(m["body"]), m["token"]
    if m["path"] == sys.argv[2] and eval(sys.argv[3]):
        sys.exit(0)
sys.exit(1)
PY
}
of_kind() { echo "any(a['kind'] == '$1' ${2:+and $2} for a in o.get('alerts', []))"; }

"$BERTH_BIN/berth" alert --config "$work/berth.yaml" >"$work/list" || fail "berth alert"
grep -q "^ops (slack): severity info" "$work/list" || fail "berth alert lists: $(cat "$work/list")"
sed "s/timeout: 30s/timeout: 300ms/; s#\"$base/loud\", severity#\"$base/services/$secret/gone\", severity#" "$work/berth.yaml" >"$work/test.yaml"
"$BERTH_BIN/berth" alert --test --config "$work/test.yaml" >"$work/tested" 2>&1 && fail "berth alert --test is content with one that hangs"
grep -q "^ops (slack): delivered in" "$work/tested" || fail "no test message: $(cat "$work/tested")"
grep -q "^json (webhook): delivered in" "$work/tested" || fail "no test message: $(cat "$work/tested")"
grep -q "^loud (webhook): not delivered: HTTP 404 -$" "$work/tested" || fail "404: $(cat "$work/tested")"
grep -q "^hangs (slack): not delivered: 127.0.0.1:[0-9]*: " "$work/tested" || fail "hang: $(cat "$work/tested")"
told flaky "'Test of the alerts' in text" || fail "the test message did not arrive"
"$BERTH_BIN/berth-autoscale" --config "$work/berth.yaml" --print-config >"$work/printed" || fail "--print-config"
pass "berth alert --test says what each destination answers"

run redis redis-server --unixsocket "$work/up/redis.sock" --port 0 --save '' --appendonly no --dir "$work/up"
redis=$pid
until_true 5 test -S "$work/up/redis.sock" || fail "redis-server does not come up"
run lb-a "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-a
run lb-b "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-b
start_autoscaler 1
first=$pid
until_true 10 metric_is "$as_1" 'leading{pool="game"}' 1 || fail "as-1 does not lead"
start_autoscaler 2
second=$pid
until_true 20 ready game 2 "$admin_a" || fail "two game nodes are not ready"

"$BERTH_BIN/berth" scale game 3 --until 1h --why "more <!channel> for tonight" --config "$work/berth.yaml" >/dev/null || fail "berth scale"
until_true 15 ready game 3 "$admin_a" || fail "the pool does not grow while a destination hangs"
until_true 10 told flaky "'Pool grows' in text and '2 -&gt; 3' in text and 'operator' in text" || fail "no scale_out"
until_true 5 told flaky "'more &lt;!channel&gt; for tonight' in text" || fail "who and why of the operator's wish are not told"
until_true 5 told json "$(of_kind scale_out "a['facts']['from'] == '2' and a['facts']['to'] == '3' and a['pool'] == 'game'") and token == 'Bearer a-token'" || fail "no JSON scale_out"
grep -q '/hang"' "$work/slack/requests" || fail "the one that hangs was not asked"
pass "scaling is told with from, to, who and why, and goes on while a destination hangs"

kill -KILL "$(pid_of berth-gamenode | head -1)"
until_true 15 told json "$(of_kind node_lost "a['facts']['to'] == 'lost'")" || fail "no node_lost"
until_true 5 told flaky "'runbook.md#node_lost' in text" || fail "no link to the runbook"
until_true 5 told flaky "'report of 2 pools' in text and '\`\`\`pool' in text" || fail "no report"
until_true 5 told json "o['type'] == 'report' and [p['desired'] for p in o['pools'] if p['pool'] == 'game'] == [3]" || fail "no JSON report"
pass "a lost node and the report are told"

echo 1 >"$work/slack/busy"
"$BERTH_BIN/berth" hold game "$(curl -s "$admin_a/v1/pools/game/nodes" | json "o['nodes'][0]['name']")" --why busy-slack --config "$work/berth.yaml" >/dev/null || fail "berth hold"
until_true 5 grep -q '"status": 429' "$work/slack/requests" || fail "Slack was not asked"
: >"$work/slack/down"
rm "$work/slack/busy"
until_true 8 grep -q '"status": 500' "$work/slack/requests" || fail "Slack was not asked again"
kill -KILL "$first"
rm "$work/slack/down"
until_true 15 told flaky "'busy-slack' in text and 'told by as-2' in text" || fail "what the killed sender had not told is lost"
until_true 10 told flaky "'Another autoscaler leads' in text and 'as-1 -&gt; as-2' in text" || fail "no leader_change"
pass "the sender killed while Slack fails: the next one tells what was not told, and that it leads"

kill -STOP "$redis"
until_true 15 told loud "$(of_kind redis_lost)" || { kill -CONT "$redis"; fail "no redis_lost"; }
kill -CONT "$redis"
until_true 15 told json "$(of_kind redis_back)" || fail "no redis_back"
pass "Redis away and back is told while it is away"

told loud "$(of_kind scale_out)" && fail "a destination for critical ones hears of scaling"
told json "$(of_kind leader_change)" && fail "a muted kind is told"
metric_is "$as_2" 'alerts_dropped_total{to="ops"}' 0 || fail "the metrics of the alerts: $(curl -s "http://127.0.0.1:$as_2/metrics" | grep alert)"
kill -KILL "$second"
until_true 15 told json "o['sender'].startswith('lb-') and $(of_kind berth_silent "a['facts']['what'] == 'no_leader'")" || fail "no LB says that nobody leads"
pass "no autoscaler left: an LB says so"
[ -f "$work/slack/wrong" ] && fail "Slack refuses: $(head -c 2000 "$work/slack/wrong")"
grep -rl "$secret" "$work/up/log" "$work/tested" "$work/list" "$work/printed" && fail "the address is told"
pass "severity, mute and metrics; every message within Slack's limits; no address in logs, errors, --print-config"
kill "$slack"
echo "alerts: $checks checks passed"
