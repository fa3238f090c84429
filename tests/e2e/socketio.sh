#!/bin/bash
# socketio.sh - an unmodified socket.io-client from npm: against the echo server, a game node and a lobby node.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")/socketio" && pwd)
npm_modules
cp "$here"/*.mjs "$modules/"

stop() { # PID: SIGTERM must end it with 0 (under ASan: without a leak)
    kill -TERM "$1"
    wait "$1" || fail "pid $1 ended with $?"
}

read -r echo_port game lobby <<<"$(free_ports 3)"
mkdir -p "$work/up/log"
"$BERTH_BIN/berth-gamenode" --echo --port "$echo_port" --ping-interval-ms 300 --ping-timeout-ms 400 --max-payload 100000 \
    --connect-timeout-ms 2000 2>"$work/up/log/echo.log" &
echo_pid=$!
trap 'kill -KILL $echo_pid 2>/dev/null; clean_up' EXIT
until_true 10 curl -s -o /dev/null "http://127.0.0.1:$echo_port/" || fail "no echo server"
node "$modules/echo.mjs" "$echo_port" || fail "echo"
stop "$echo_pid"
pass "echo"

secret=e2e-secret-e2e-secret-e2e-secret
cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/redis.sock"}
tickets: {keys: [{kid: e2e, secret: $secret}]}
pools: {game: {capacity: 20, report_interval: 200ms}, lobby: {capacity: 20, report_interval: 200ms}}
gamenode: {admit_timeout: 500ms, grace: 3s, room_linger: 100ms, send_max: 64KiB}
lobbynode: {match_size: 4, tickets: false}
YAML
redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --dir "$work" >"$work/up/log/redis.log" 2>&1 &
redis_pid=$!
until_true 10 redis-cli -s "$work/redis.sock" ping >/dev/null 2>&1 || fail "no Redis"
"$BERTH_BIN/berth-gamenode" --config "$work/berth.yaml" --listen "127.0.0.1:$game" --name gn-1 2>"$work/up/log/game.log" &
game_pid=$!
"$BERTH_BIN/berth-lobbynode" --config "$work/berth.yaml" --listen "127.0.0.1:$lobby" --name ln-1 2>"$work/up/log/lobby.log" &
lobby_pid=$!
known() { [ "$(curl -s "http://127.0.0.1:$1/healthz" | json "o['epoch'] > 0" 2>/dev/null)" = True ]; }
until_true 10 known "$game" || fail "the game node is not registered"
until_true 10 known "$lobby" || fail "the lobby node is not registered"
node "$modules/nodes.mjs" "$game" "$lobby" "$secret" || fail "nodes"
ended() { # the first SIGTERM drains, the next one ends at once; two that come together are one
    kill -TERM "$1" 2>/dev/null
    [ ! -d "/proc/$1" ] || grep -q "^State:.Z" "/proc/$1/status"
}
for pid in "$game_pid" "$lobby_pid"; do
    until_true 20 ended "$pid" || fail "a node does not end"
    wait "$pid"
    rc=$?
    [ $rc -eq 0 ] || [ $rc -eq 143 ] || fail "a node ended with $rc"
done
kill -TERM "$redis_pid"
pass "nodes"
