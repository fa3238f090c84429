# lib.sh - what the end-to-end scripts share: free ports, a small installation, waiting, a verdict. Sourced.
#
# BERTH_BIN: where the programs are. Everything lives in a private directory; every process is ended by pid.
set -u
: "${BERTH_BIN:?the directory of the programs}"
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-e2e-XXXXXX")
checks=0
up_pid=""

fail() {
    echo "FAILED: $*"
    for log in "$work"/up.out "$work"/up/log/*.log; do
        [ -f "$log" ] && echo "--- $log" && tail -n 15 "$log"
    done
    exit 1
}

pass() {
    checks=$((checks + 1))
    echo "ok: $*"
}

# until_true SECONDS COMMAND...: try again each 100 ms; false when it is not true in time.
until_true() {
    local end=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@"; do
        [ "$(date +%s%N)" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# free_ports N: N different free ports of 127.0.0.1, below the range of outgoing connections: still free when they are needed.
free_ports() {
    python3 -c '
import random, socket, sys
found = []
for port in random.sample(range(10000, 32000), 2000):
    with socket.socket() as s:
        try: s.bind(("127.0.0.1", port))
        except OSError: continue
    found.append(port)
    if len(found) == int(sys.argv[1]): break
print(*found)' "$1"
}

# json EXPRESSION: of the object on standard input, called o.
json() {
    python3 -c 'import json, sys
o = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$1"
}

# processes of this installation: those whose command line names our directory
ours() {
    pgrep -f "$work" | grep -vx -e "$$" -e "$BASHPID" || true
}

# pid_of PROGRAM [NAME]: the process of this installation that runs PROGRAM (and is called NAME).
pid_of() {
    local pid
    for pid in $(ours); do
        tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qE "^([^ ]*/)?$1 ${2:+.*--name $2 }" && echo "$pid"
    done
}

# write_config: $work/berth.yaml, two LBs, one lobby and two game nodes, short times. Sets lb_a lb_b admin_a admin_b.
write_config() {
    local p
    read -r -a p <<<"$(free_ports 5)"
    lb_a=http://127.0.0.1:${p[0]} admin_a=http://127.0.0.1:${p[1]}
    lb_b=http://127.0.0.1:${p[2]} admin_b=http://127.0.0.1:${p[3]}
    cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/up/redis.sock"}
tickets: {keys: [{kid: e2e, secret: e2e-secret-e2e-secret-e2e-secret}]}
pools:
  lobby:
    capacity: 100
    ticket_ttl: 3s
    scale: {provider: local, min: 1, max: 2, out_cooldown: 2s, in_cooldown: 3s, boot_timeout: 20s, rules: [{rule: min_ready, ready: 1}]}
  game:
    capacity: 100
    ticket_ttl: 3s
    scale: {provider: local, min: 2, max: 4, out_cooldown: 2s, in_cooldown: 3s, boot_timeout: 20s, rules: [{rule: min_ready, ready: 2}]}
lb:
  peers:
    lb-a: {public: "127.0.0.1:${p[0]}", admin: "127.0.0.1:${p[1]}", owns: [lobby]}
    lb-b: {public: "127.0.0.1:${p[2]}", admin: "127.0.0.1:${p[3]}", owns: [game]}
autoscale:
  admin: "127.0.0.1:${p[4]}"
  local: {directory: $work/up/local, programs: {lobby: [berth-lobbynode], game: [berth-gamenode]}}
gamenode: {listen: "127.0.0.1:0"}
lobbynode: {listen: "127.0.0.1:0", match_size: 4, game_pool: game, lb: ["$lb_a", "$lb_b"]}
YAML
}

# npm_modules: socket.io and socket.io-client from npm, installed once beside the programs; $modules is set. Skips the test without them.
npm_modules() {
    local at
    at=$(cd "$(dirname "${BASH_SOURCE[0]}")/socketio" && pwd)
    command -v node >/dev/null && command -v npm >/dev/null || {
        echo "skipped: node and npm are needed (nodejs)"
        exit 77
    }
    modules=$BERTH_BIN/../npm/socketio
    mkdir -p "$modules"
    exec {modules_lock}>"$modules/.lock"
    flock "$modules_lock" # two tests may come at once
    if ! cmp -s "$at/package-lock.json" "$modules/installed.json"; then
        cp "$at/package.json" "$at/package-lock.json" "$modules/"
        (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 >npm.log 2>&1) || {
            echo "skipped: npm cannot install socket.io: $(tail -n 1 "$modules/npm.log")"
            exit 77
        }
        cp "$at/package-lock.json" "$modules/installed.json"
    fi
    exec {modules_lock}>&-
}

start_up() {
    "$BERTH_BIN/berth" up --config "$work/berth.yaml" --directory "$work/up" >"$work/up.out" 2>&1 &
    up_pid=$!
}

# ready POOL N ADMIN: are exactly N nodes of the pool ready?
ready() {
    [ "$(curl -s -m 2 "$3/v1/pools" | json "[p['states'].get('ready', 0) for p in o['pools'] if p['name'] == '$1'][0]" 2>/dev/null)" = "$2" ]
}

# Under make coverage: only who ends by itself tells what it ran. The second signal ends a drain.
end_gently() {
    local n pid
    for n in 1 2; do
        for pid in $up_pid $(ours); do kill -TERM "$pid" 2>/dev/null; done
        sleep 0.5
    done
    for n in {1..25}; do
        [ -n "$(ours)" ] || return
        sleep 0.1
    done
}

clean_up() {
    local pid
    [ -z "${BERTH_END_GENTLY:-}" ] || end_gently
    [ -n "$up_pid" ] && kill -KILL "$up_pid" 2>/dev/null
    for pid in $(ours); do
        kill -KILL "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT
