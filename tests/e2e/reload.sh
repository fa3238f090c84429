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

# A balancer and a node: what may change while they run.
read -r public lb_admin node_port <<<"$(free_ports 3)"
lb_config() { # POOL-OPTIONS SECRET LEVEL
    cat >"$work/lb.yaml" <<YAML
redis: {host: "$work/up/redis.sock"}
log: {level: $3}
tickets: {keys: [{kid: k, secret: $2}]}
pools: {game: {$1}}
lb:
  name: lb-a
  peers: {lb-a: {public: "127.0.0.1:$public", admin: "127.0.0.1:$lb_admin"}}
YAML
}
asked() { curl -s -m 2 "http://127.0.0.1:$public/v1/pools/game/endpoint"; }
says() { asked | grep -q "$1"; }
lb_log_has() { grep -q "$1" "$work/up/log/lb.log"; }
key_a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa key_b=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
lb_config "probe.joining_interval: 100ms" $key_a info
"$BERTH_BIN/berth-lb" --config "$work/lb.yaml" >"$work/up/log/lb.log" 2>&1 &
lb=$!
"$BERTH_BIN/berth-gamenode" --config "$work/lb.yaml" --pool game --port "$node_port" --name gn-1 >"$work/up/log/gn.log" 2>&1 &
node=$!
disown -a
until_true 15 says '"ticket"' || fail "no player is sent to the node: $(asked)"
lb_config "closed: true, closed_message: back at nine" $key_a info
kill -HUP "$lb"
until_true 5 says "back at nine" || fail "the pool is not closed by SIGHUP: $(asked)"
lb_config "access: server, access_tokens: [token-of-the-studio]" $key_b debug
kill -HUP "$lb" "$node"
until_true 5 says "Token needed" || fail "another access is not taken: $(asked)"
ticket() { curl -s -m 2 -H "Authorization: Bearer token-of-the-studio" "http://127.0.0.1:$public/v1/pools/game/endpoint"; }
until_true 5 bash -c "grep -q 'ev=option_changed.*tickets.keys' '$work/up/log/gn.log'" || fail "the node does not take the new key"
until_true 5 bash -c "[ -n '$(ticket | grep -o '"ticket"')' ]" || fail "no ticket with the new key: $(ticket)"
signed_by() { ticket | json 'o["ticket"]' | KEY=$1 python3 -c '
import base64, hashlib, hmac, os, sys
head, body, mark = sys.stdin.read().strip().split(".")
want = base64.urlsafe_b64encode(hmac.new(os.environ["KEY"].encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
sys.exit(want != mark)'; }
signed_by $key_b || fail "tickets are not signed with the new key"
pass "SIGHUP: a balancer takes closed, access and keys; a node its keys"

lb_config "access: nobody" $key_a info
kill -HUP "$lb"
until_true 5 lb_log_has "reload_refused" || fail "a wrong file is not refused"
signed_by $key_b || fail "a wrong file changed something"
lb_config "capacity: 7, access: server, access_tokens: [token-of-the-studio]" $key_b info
kill -HUP "$lb"
until_true 5 lb_log_has "option_not_taken option=pools.game.capacity" || fail "what needs a restart is not told"
pass "a wrong file: the balancer goes on; what needs a restart is told"
kill -TERM "$lb" "$node"
