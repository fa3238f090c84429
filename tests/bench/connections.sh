#!/bin/bash
# connections.sh - make bench-connections: idle players on one game node, by /ws and by Socket.IO (WebSocket): memory, handshakes, relay
# (at once, and by ticks).
# N=19000 (the descriptor limit of one process), SECONDS_=3. The limit of messages is counted but never met; RATE=0 turns it off. Loopback; client and node share the machine.
set -eu
cd "$(dirname "$0")/../.."
build=$PWD/build/release
n=${N:-19000}
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-bench-XXXXXX")
pids=()
clean_up() {
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
ulimit -n "$(ulimit -Hn)"
redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --dir "$work" >/dev/null 2>&1 &
pids+=($!)
cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/redis.sock"}
tickets: {mode: off}
pools: {game: {capacity: $n}}
gamenode: {rooms_max: $((n / 4 + 1)), ping_interval: 10m, admit_timeout: 60s, message_rate: ${RATE:-1000000}, message_burst: 1000000}
YAML
for kind in plain socketio; do
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$build/bin/berth-gamenode" --config "$work/berth.yaml" --listen "127.0.0.1:$port" --name "gn-$kind" 2>"$work/$kind.log" &
    node=$!
    pids+=("$node")
    for _ in $(seq 100); do
        curl -s "http://127.0.0.1:$port/healthz" >/dev/null && break
        sleep 0.1
    done
    "$build/bench/connections" "$kind" "$port" "$node" "$n" "${SECONDS_:-3}" | tee "$work/$kind.line"
    kill -KILL "$node" # its players would keep it
    wait "$node" 2>/dev/null || true
done
awk -v n="$n" '{for (i = 1; i <= NF; i++) {split($i, p, "="); v[NR, p[1]] = p[2]}}
    function least(key) {return v[1, key] + 0 < v[2, key] + 0 ? v[1, key] : v[2, key]}
    END {printf "bench-connections: n=%d plain_bytes_per_conn=%d socketio_bytes_per_conn=%d handshakes_per_s=%d relay_msgs_per_s=%d\n",
        n, v[1, "bytes_per_conn"], v[2, "bytes_per_conn"], least("handshakes_per_s"), least("relay_per_s")}' "$work/plain.line" "$work/socketio.line"
