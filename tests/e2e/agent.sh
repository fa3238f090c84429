#!/bin/bash
# agent.sh - berth-agent beside a server that berth did not write: counted in every way, checked, admitted to, drained, run.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
mkdir -p "$work/up/log"
read -r server public admin tcp process json prometheus command told ran <<<"$(free_ports 10)"
cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/redis.sock"}
tickets: {keys: [{kid: e2e, secret: e2e-secret-e2e-secret-e2e-secret}]}
pools: {game: {capacity: 100, report_interval: 200ms, ticket_ttl: 1s, room_ticket_ttl: 1s, lost_after: 1500ms, rise: 1, slow_start: 0s, probe: {kind: http, path: /stats, joining_interval: 200ms}}}
lb: {peers: {lb-a: {public: "127.0.0.1:$public", admin: "127.0.0.1:$admin", owns: [game]}}}
agent: {advertise: "http://{host}:{port}/{name}", count: {interval: 100ms, stale: 2s}, check: {interval: 200ms, timeout: 300ms}}
YAML
run() { # NAME COMMAND...
    "${@:2}" >"$work/up/log/$1.log" 2>&1 &
    disown
    eval "pid_$1=$!"
}
agent() { # NAME PORT OPTIONS...
    run "$1" "$BERTH_BIN/berth-agent" --config "$work/berth.yaml" --name "$1" --listen "127.0.0.1:$2" "${@:3}"
}
of() { curl -s -m 2 "http://127.0.0.1:$1/ready" | json "$2" 2>/dev/null; } # PORT EXPRESSION
is() { [ "$(of "$1" "$2")" = "$3" ]; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

run redis redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --dir "$work"
until_true 10 test -S "$work/redis.sock" || fail "no Redis"
run lb "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-a
agent tcp "$tcp" --server "127.0.0.1:$server" --agent.tickets true --agent.check.kind http --agent.check.url "http://127.0.0.1:$server/healthz" \
    --agent.drain.url "http://127.0.0.1:$server/told" --agent.count.pid_file "$work/server.pid" --agent.drain.signal SIGUSR1
until_true 10 curl -s -o /dev/null "http://127.0.0.1:$tcp/ready" || fail "the agent's API does not answer"
sleep 0.5
is "$tcp" "o['state'], o['fault']" "('unregistered', 'not_checked')" || fail "registered without a server: $(of "$tcp" o)"
pass "a server that is not there is not registered"

run server python3 "$here/agent_server.py" "$server" "$work/told"
# shellcheck disable=SC2154 # set by run
echo "$pid_server" >"$work/server.pid"
until_true 10 is "$tcp" "o['ready'], o['state']" "(True, 'ready')" || fail "not ready: $(of "$tcp" o)"
exec {h1}<>"/dev/tcp/127.0.0.1/$server" {h2}<>"/dev/tcp/127.0.0.1/$server" {h3}<>"/dev/tcp/127.0.0.1/$server"
for h in "$h1" "$h2" "$h3"; do echo hold >&"$h" && read -r _ <&"$h"; done
conns_is_3() { [ "$(curl -s "http://127.0.0.1:$admin/v1/pools/game/nodes/$1" | json "o['connections']" 2>/dev/null)" = 3 ]; }
until_true 5 conns_is_3 tcp || fail "the balancer does not know of 3 players"
asked=$(curl -s "http://127.0.0.1:$public/v1/pools/game/endpoint?player=p1")
[ "$(json "o['endpoint']" <<<"$asked")" = "http://127.0.0.1:$server/tcp" ] || fail "endpoint: $asked"
pass "tcp: ready, counted, handed out"

ticket=$(json "o['ticket']" <<<"$asked")
admit() { curl -s -d "{\"ticket\": \"$1\", \"player\": \"$2\"}" "http://127.0.0.1:$tcp/admit"; }
[ "$(admit "$ticket" p1)" = '{"admitted":true,"player":"p1","resumed":false}' ] || fail "not admitted: $(admit "$ticket" p1)"
[ "$(admit "$ticket" p1)" = '{"admitted":true,"player":"p1","resumed":true}' ] || fail "not resumed"
[ "$(admit "$ticket" p2)" = '{"admitted":false,"reason":"ticket_invalid"}' ] || fail "another's ticket is taken: $(admit "$ticket" p2)"
[ "$(admit "" p1)" = '{"admitted":false,"reason":"ticket_missing"}' ] || fail "no ticket is needed"
pending_is_0() { [ "$(curl -s "http://127.0.0.1:$admin/v1/pools/game/nodes/tcp" | json "o['pending']" 2>/dev/null)" = 0 ]; }
until_true 3 pending_is_0 || fail "an admitted ticket stays pending"
pass "admit: once, resumed, refused; the balancer hears of it"

agent process "$process" --server "127.0.0.1:$server" --agent.count.kind process --agent.count.pid_file "$work/server.pid"
agent json "$json" --server "127.0.0.1:$server" --agent.count.kind json --agent.count.url "http://127.0.0.1:$server/stats" \
    --agent.count.value /clients/connected --agent.check.kind none
agent prometheus "$prometheus" --server "127.0.0.1:$server" --agent.count.kind prometheus --agent.count.url "http://127.0.0.1:$server/metrics" \
    --agent.count.value open_sockets
agent command "$command" --server "127.0.0.1:$server" --agent.count.kind command --agent.count.command "sh,-c,echo 3"
agent told "$told" --server "127.0.0.1:$server" --agent.count.kind told
for kind in process json prometheus command; do
    until_true 10 is "${!kind}" "o['connections']" 3 || fail "$kind: $(of "${!kind}" o)"
    until_true 10 conns_is_3 "$kind" || fail "$kind: the balancer does not know"
done
is "$told" "o['fault']" not_counted || fail "told: not asked, yet known"
[ "$(curl -s -o /dev/null -w '%{http_code}' -X PUT -d '{"count": "many"}' "http://127.0.0.1:$told/count")" = 400 ] || fail "told: nonsense is taken"
[ "$(curl -s -o /dev/null -w '%{http_code}' -X PUT -d '{"count": 3}' "http://127.0.0.1:$told/count")" = 204 ] || fail "told: a count is refused"
until_true 5 conns_is_3 told || fail "told: the balancer does not know"
until_true 5 is "$told" "o['fault']" count_stale || fail "told: an old count is believed"
pass "counted by process, JSON, Prometheus, command, and told"

kill -STOP "$pid_server"
until_true 10 is "$tcp" "o['ready'], o['fault']" "(False, 'check_failed')" || fail "a hanging server stays in rotation: $(of "$tcp" o)"
gone_out() { [ "$(curl -s "http://127.0.0.1:$admin/v1/pools/game/nodes/tcp" | json "o['state']")" != ready ]; }
until_true 5 gone_out || fail "a hanging server is still ready for the balancer"
kill -CONT "$pid_server"
until_true 10 is "$tcp" "o['ready']" True || fail "it does not come back: $(of "$tcp" o)"
pass "check: a hanging server is out, and back when it works"

: >"$work/told"
curl -s -o /dev/null -X POST "http://127.0.0.1:$tcp/drain"
until_true 5 is "$tcp" "o['draining'], o['ready']" "(True, False)" || fail "drain: $(of "$tcp" o)"
was_told() { grep -q "$1" "$work/told"; }
until_true 5 was_told '"draining":true' || fail "the server is not told by HTTP"
until_true 5 was_told SIGUSR1 || fail "the server is not told by signal"
curl -s -o /dev/null -X DELETE "http://127.0.0.1:$tcp/drain"
until_true 5 was_told '"draining":false' || fail "the server is not told that it serves again"
until_true 5 is "$tcp" "o['ready']" True || fail "not ready after the drain was taken back"
pass "drain: told and taken back"

for h in "$h1" "$h2" "$h3"; do eval "exec $h>&-"; done
agent ran "$ran" --run "python3,$here/agent_server.py" --agent.stop_timeout 5s
until_true 10 is "$ran" "o['ready']" True || fail "run: $(of "$ran" o)"
child=$(pgrep -P "$pid_ran")
[ -n "$child" ] || fail "run: no server"
gone() { [ ! -d "/proc/$1" ]; }
kill -TERM "$pid_ran"
until_true 15 gone "$pid_ran" || fail "run: SIGTERM does not end it: $(of "$ran" o)"
gone "$child" || fail "run: the server outlives its agent"
agent ran "$ran" --run "python3,$here/agent_server.py" --agent.check.interval 10s
until_true 10 is "$ran" "o['ready']" True || fail "run again: $(of "$ran" o)"
kill -KILL "$(pgrep -P "$pid_ran")"
until_true 5 gone "$pid_ran" || fail "run: the agent outlives its server"
pass "run: both come and go together"

# shellcheck disable=SC2154
kill -KILL "$pid_process" "$pid_json" "$pid_prometheus" "$pid_command" "$pid_told" # their checks would be counted as its players
kill -TERM "$pid_tcp"
until_true 15 gone "$pid_tcp" || fail "an empty node does not leave at SIGTERM"
pass "SIGTERM"
