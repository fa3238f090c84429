#!/bin/bash
# reload.sh - an autoscaler takes another policy at SIGHUP, keeps the old one when the file is wrong, and asks a service.
. "$(dirname "$0")/lib.sh"
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
mkdir -p "$work/up/log"
read -r admin hook <<<"$(free_ports 2)"
# policy MIN RULES: nothing is launched, only decided.
policy() {
    cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/up/redis.sock"}
pools:
  game:
    scale: {provider: local, mode: observe, min: $1, max: 6, rules: [$2]}
autoscale:
  admin: "127.0.0.1:$admin"
  local: {directory: $work/up/local, programs: {game: [berth-gamenode]}}
YAML
}
desired_is() { [ "$(curl -s -m 2 "http://127.0.0.1:$admin/metrics" | sed -n 's/^berth_autoscale_desired_nodes{pool="game"} //p')" = "$1" ]; }
log_has() { grep -q "$1" "$work/up/log/as.log"; }

policy 1 ""
redis-server --unixsocket "$work/up/redis.sock" --port 0 --save '' --appendonly no --dir "$work/up" >"$work/up/log/redis.log" 2>&1 &
disown
until_true 5 test -S "$work/up/redis.sock" || fail "redis-server does not come up"
"$BERTH_BIN/berth-autoscale" --config "$work/berth.yaml" >"$work/up/log/as.log" 2>&1 &
as=$!
disown
until_true 15 desired_is 1 || fail "one node is not wanted"

policy 3 ""
kill -HUP "$as"
until_true 5 desired_is 3 || fail "the new floor is not taken"
pass "SIGHUP: another policy"

policy 9 ""
kill -HUP "$as"
until_true 5 log_has "reload_refused" || fail "a wrong file is not refused"
log_has "berth.yaml:4: pools.game.scale.min = 9: must not be above max (6)" || fail "nor said what is wrong"
sleep 0.3
desired_is 3 || fail "a wrong file changed the policy"
policy 2 "" && sed -i 's/provider: local, //' "$work/berth.yaml"
kill -HUP "$as"
until_true 5 log_has "needs a restart" || fail "a pool without its provider is taken"
desired_is 3 || fail "a refused file changed the policy"
pass "a wrong file: the old policy stays, and it is said"

python3 - "$hook" >"$work/up/log/hook.log" 2>&1 <<'PY' &
import http.server, json, sys
class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = json.dumps({"desired": 5 if asked["pool"] == "game" else 0, "reason": "test"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Service).serve_forever()
PY
service=$!
disown
policy 2 "{rule: webhook, url: \"http://127.0.0.1:$hook/$(basename "$work")\", interval: 1s, max_age: 3s}"
kill -HUP "$as"
until_true 10 desired_is 5 || fail "the service is not asked, or not heard"
kill -KILL "$service"
until_true 10 desired_is 2 || fail "the service's last word stays when it is gone"
until_true 5 log_has webhook_failing || fail "a service that is gone is not told"
pass "rule webhook: the service's word counts while it is fresh"

policy 0 "{rule: min_ready, ready: 2, action: command, command: [sh, -c, 'echo \$BERTH_MOVE \$BERTH_AT_LEAST >> $work/acted'], every: 1h}"
sed -i 's/mode: observe/mode: active/' "$work/berth.yaml"
kill -HUP "$as"
until_true 20 log_has action_done || fail "the command of a rule is not run"
[ "$(cat "$work/acted")" = "out 2" ] || fail "the command does not know the vote: $(cat "$work/acted")"
desired_is 0 || fail "a rule with a command moves the pool"
pass "action: command"

kill -TERM "$as"
until_true 5 bash -c "! kill -0 $as 2>/dev/null" || fail "it does not end"
pass "and it ends"
