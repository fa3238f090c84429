#!/bin/bash
# stunnel.sh - the recipes in infra/stunnel with the real program: a node and a balancer reach a Redis without TLS through two stunnels.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")/../.." && pwd)
for tool in redis-server stunnel openssl; do
    command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
# A Redis on a TCP port calls itself by it, not by our directory: it is ended by its pid.
trap 'kill -KILL "${pid_redis:-}" 2>/dev/null; clean_up' EXIT
mkdir -p "$work/up/log"
read -r plain tls entry public admin <<<"$(free_ports 5)"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout "$work/redis.key" -out "$work/redis.crt" \
    2>/dev/null || fail "openssl"
sed -e "s|accept = 6380|accept = 127.0.0.1:$tls|; s|connect = 127.0.0.1:6379|connect = 127.0.0.1:$plain|; s|/etc/stunnel|$work|" \
    "$here/infra/stunnel/redis-server.conf" >"$work/server.conf"
recipe() { # NAME TO CHECK: the client's recipe
    sed -e "s|^accept = 127.0.0.1:6379|accept = 127.0.0.1:$entry|; s|^connect = .*|connect = 127.0.0.1:$tls|; s|checkHost = .*|checkHost = $1|" \
        -e "s|CAfile = .*|CAfile = $work/redis.crt|" "$here/infra/stunnel/redis.conf"
}
run() { # NAME COMMAND...
    "${@:2}" >"$work/up/log/$1.log" 2>&1 &
    disown
    eval "pid_$1=$!"
}
run redis redis-server --bind 127.0.0.1 --port "$plain" --save "" --dir "$work"
run server stunnel "$work/server.conf"
recipe other.example >"$work/client.conf"
run client stunnel "$work/client.conf"
speaks() { [ "$(timeout 2 redis-cli -p "$entry" ping 2>/dev/null)" = PONG ]; }
refuses() { ! speaks && grep -qE "Rejected by CERT|certificate verify failed|does not match" "$work/up/log/client.log"; }
until_true 10 refuses || fail "a certificate for another name is taken"
# shellcheck disable=SC2154
kill -TERM "$pid_client"
while kill -0 "$pid_client" 2>/dev/null; do sleep 0.05; done
pass "a certificate for another name is refused"

recipe localhost >"$work/client.conf"
run client stunnel "$work/client.conf"
until_true 10 speaks || fail "no way through"
cat >"$work/berth.yaml" <<YAML
redis: {host: 127.0.0.1, port: $entry}
tickets: {keys: [{kid: e2e, secret: e2e-secret-e2e-secret-e2e-secret}]}
pools: {game: {capacity: 20, report_interval: 200ms, lost_after: 1500ms, rise: 1, probe: {joining_interval: 200ms}}}
lb: {peers: {lb-a: {public: "127.0.0.1:$public", admin: "127.0.0.1:$admin", owns: [game]}}}
YAML
run lb "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-a
run node "$BERTH_BIN/berth-gamenode" --config "$work/berth.yaml" --name gn-1
until_true 15 ready game 1 "http://127.0.0.1:$admin" || fail "the node is not ready"
pass "reports, leases and feeds through TLS"
# shellcheck disable=SC2154
kill -KILL "$pid_server"
run server stunnel "$work/server.conf"
sleep 1
until_true 15 ready game 1 "http://127.0.0.1:$admin" || fail "not ready again after the tunnel was cut"
pass "and again after the tunnel was cut"
