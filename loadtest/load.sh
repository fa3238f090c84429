#!/bin/bash
# load.sh - `make load PLAYERS=10000`: whole journeys on this machine: a private Redis, two balancers, several lobby and game nodes, and
# as many swarm workers as descriptors demand. Closing line
#   load: players=.. failed=.. split_rooms=.. max_mean=.. journey_p50_ms=.. journey_p99_ms=.. endpoint_p99_ms=.. seconds=..
# max_mean: connections of the fullest game node over the mean, while all play. Options by environment: PLAYERS, LOBBIES, GAMES, RAMP, HOLD, EVENTS.
set -u
: "${BERTH_BIN:?the directory of the programs}"
players=${PLAYERS:-10000} ramp=${RAMP:-30s} hold=${HOLD:-10s} events=${EVENTS:-1s}
[ "$players" -ge 4 ] 2>/dev/null || {
    echo "load: PLAYERS=$players: must be a number, 4 or more" >&2
    exit 2
}
lobbies=${LOBBIES:-2} games=${GAMES:-$(((players + 3999) / 4000 + 1))}
command -v redis-server >/dev/null || {
    echo "load: redis-server is needed (make deps)" >&2
    exit 2
}
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-load-XXXXXX")
up=""
clean_up() {
    [ -n "$up" ] && kill -TERM "$up" 2>/dev/null && wait "$up" 2>/dev/null
    [ -n "$watch" ] && kill "$watch" 2>/dev/null
    rm -rf "$work"
}
watch=""
trap clean_up EXIT
trap 'exit 130' INT TERM
read -r public_a admin_a public_b admin_b scaler <<<"$(python3 -c '
import random, socket
found = []
for port in random.sample(range(10000, 32000), 2000):
    with socket.socket() as s:
        try: s.bind(("127.0.0.1", port))
        except OSError: continue
    found.append(port)
    if len(found) == 5: break
print(*found)')"
cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/up/redis.sock"}
log: {level: warn}
tickets: {keys: [{kid: load, secret: load-secret-load-secret-load-secret}]}
pools:
  lobby: {capacity: $((players / lobbies + 1000)), slow_start: 0s, scale: {provider: local, min: $lobbies, max: $lobbies, max_step: $lobbies, rules: [{rule: min_ready, ready: $lobbies}]}}
  game: {capacity: $((players / games + 1500)), slow_start: 0s, scale: {provider: local, min: $games, max: $games, max_step: $games, rules: [{rule: min_ready, ready: $games}]}}
lb:
  peers:
    lb-a: {public: "127.0.0.1:$public_a", admin: "127.0.0.1:$admin_a", owns: [lobby]}
    lb-b: {public: "127.0.0.1:$public_b", admin: "127.0.0.1:$admin_b", owns: [game]}
autoscale:
  admin: "127.0.0.1:$scaler"
  local: {directory: $work/up/local, programs: {lobby: [berth-lobbynode], game: [berth-gamenode]}}
gamenode: {listen: "127.0.0.1:0"}
lobbynode: {listen: "127.0.0.1:0", match_size: 4, game_pool: game, lb: ["http://127.0.0.1:$public_a", "http://127.0.0.1:$public_b"]}
YAML
"$BERTH_BIN/berth" up --config "$work/berth.yaml" --directory "$work/up" >"$work/up.out" 2>&1 &
up=$!
pool() { curl -s -m 2 "http://127.0.0.1:$admin_b/v1/pools/$1/nodes"; }
all_ready() {
    [ "$(pool game | python3 -c 'import json, sys; print(sum(n["state"] == "ready" for n in json.load(sys.stdin)["nodes"]))' 2>/dev/null)" = "$games" ] &&
        [ "$(pool lobby | python3 -c 'import json, sys; print(sum(n["state"] == "ready" for n in json.load(sys.stdin)["nodes"]))' 2>/dev/null)" = "$lobbies" ]
}
end=$(($(date +%s) + 60))
until all_ready; do
    kill -0 "$up" 2>/dev/null && [ "$(date +%s)" -lt "$end" ] || {
        tail -n 20 "$work/up.out" "$work"/up/log/*.log >&2
        echo "load: the installation does not come up" >&2
        exit 1
    }
    sleep 0.2
done
echo "load: $lobbies lobby and $games game nodes are ready; $players players arrive over $ramp" >&2

# The fullest node over the mean, at the moment most were playing.
while sleep 0.5; do
    pool game | python3 -c 'import json, sys
c = [n["connections"] for n in json.load(sys.stdin)["nodes"]]
print(sum(c), max(c) * len(c) / max(1, sum(c)))' 2>/dev/null
done >"$work/counts" &
watch=$!
"$BERTH_BIN/berth-swarm" --players "$players" --lb "http://127.0.0.1:$public_a,http://127.0.0.1:$public_b" --ramp "$ramp" --hold "$hold" \
    --swarm.event_interval "$events" --workers "${WORKERS:-0}" | tee "$work/swarm.out"
verdict=${PIPESTATUS[0]}
kill "$watch"
wait "$watch" 2>/dev/null
watch=""
python3 - "$work/swarm.out" "$work/counts" <<'PY'
import re, sys
out = open(sys.argv[1]).read()
line = dict(re.findall(r"(\w+)=(\S+)", out.splitlines()[-1]))
steps = {row.split()[0]: row.split() for row in out.splitlines() if row.split()[1:2] and row.split()[1].isdigit()}
counts = [tuple(map(float, row.split())) for row in open(sys.argv[2]) if len(row.split()) == 2]
peak = max(counts, default=(0, 0))
print(f"load: players={line['players']} failed={line['failed']} split_rooms={line['split_rooms']} max_mean={peak[1]:.4f} "
      f"journey_p50_ms={steps['journey'][2]} journey_p99_ms={steps['journey'][4]} endpoint_p99_ms={steps['lobby_endpoint'][4]} seconds={line['seconds']}")
PY
exit "$verdict"
