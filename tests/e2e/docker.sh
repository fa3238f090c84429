#!/bin/bash
# docker.sh - the provider docker against a real Docker Engine: one of our own where dockerd can be started, in a directory of its own. The image
# is made from the built programs and the libraries they are linked with.
. "$(dirname "$0")/lib.sh"
for tool in redis-server dockerd docker; do
    command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: dockerd needs root"; exit 77; }
mkdir -p "$work/up/log" "$work/docker"
run() { # NAME COMMAND...
    "${@:2}" >"$work/up/log/$1.log" 2>&1 &
    disown
    eval "pid_$1=$!"
}
run dockerd dockerd --data-root "$work/docker/data" --exec-root "$work/docker/exec" --pidfile "$work/docker/pid" -H "unix://$work/docker.sock" \
    --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs
# shellcheck disable=SC2154
dockerd_pid=$pid_dockerd
stop_dockerd() {
    docker ps -aq | xargs -r docker rm -f >/dev/null 2>&1
    kill -TERM "$dockerd_pid" 2>/dev/null
    for _ in $(seq 100); do
        kill -0 "$dockerd_pid" 2>/dev/null || break
        sleep 0.1
    done
    awk -v d="$work/docker" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount 2>/dev/null
    clean_up
}
trap stop_dockerd EXIT
export DOCKER_HOST=unix://$work/docker.sock
up() { curl -s -m 2 --unix-socket "$work/docker.sock" http://docker/_ping | grep -q OK; }
until_true 20 up || { echo "skipped: dockerd does not start here: $(tail -n 1 "$work/up/log/dockerd.log")"; exit 77; }

root=$work/docker/root
mkdir -p "$root/usr/bin" "$root/tmp" "$root/etc"
cp "$BERTH_BIN/berth-gamenode" "$root/usr/bin/"
evlib=$(find /usr/lib -name 'libwebsockets-evlib_ev.so' | head -n 1)
for library in $( (ldd "$BERTH_BIN/berth-gamenode" && ldd "$evlib") | grep -oE '/[^ ]+' | sort -u) "$evlib"; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
tar -C "$root" -c . | docker import - berth:test >/dev/null || fail "docker import"
said=$(docker run --rm --network host berth:test /usr/bin/berth-gamenode --version 2>&1) ||
    { echo "skipped: no container can be run here: $said"; exit 77; }
pass "an image of the built programs runs: $said"

read -r public admin scaler <<<"$(free_ports 3)"
cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/redis.sock"}
tickets: {keys: [{kid: e2e, secret: e2e-secret-e2e-secret-e2e-secret}]}
pools:
  game:
    capacity: 20
    report_interval: 200ms
    lost_after: 1500ms
    forget_after: 3s
    ticket_ttl: 1s
    room_ticket_ttl: 1s
    rise: 1
    probe: {joining_interval: 200ms}
    scale: {provider: docker, min: 1, max: 4, out_cooldown: 1s, in_cooldown: 1s, boot_timeout: 30s, rules: [{rule: min_ready, ready: 1}]}
lb: {peers: {lb-a: {public: "127.0.0.1:$public", admin: "127.0.0.1:$admin", owns: [game]}}}
autoscale:
  admin: "127.0.0.1:$scaler"
  docker:
    socket: "$work/docker.sock"
    stop_grace: 5s
    pools: {game: {image: "berth:test", command: [/usr/bin/berth-gamenode, --config, "$work/berth.yaml"], binds: ["$work:$work"]}}
gamenode: {listen: "127.0.0.1:0"}
YAML
run redis redis-server --port 0 --unixsocket "$work/redis.sock" --unixsocketperm 777 --save "" --dir "$work"
until_true 10 test -S "$work/redis.sock" || fail "no Redis"
run lb "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-a
run autoscale "$BERTH_BIN/berth-autoscale" --config "$work/berth.yaml"
base=http://127.0.0.1:$admin
containers_are() { [ "$(docker ps -q | wc -l)" = "$1" ]; }
until_true 40 ready game 1 "$base" || fail "no node: $(docker ps -a; docker logs "$(docker ps -aq | head -n 1)" 2>&1 | tail -n 5)"
containers_are 1 || fail "containers: $(docker ps -a)"
pass "the first node runs in a container"

"$BERTH_BIN/berth" scale game 3 --config "$work/berth.yaml" --why test >/dev/null || fail "berth scale"
until_true 40 ready game 3 "$base" || fail "three nodes: $(docker ps -a)"
containers_are 3 || fail "containers: $(docker ps -a)"
# shellcheck disable=SC2154
kill -KILL "$pid_autoscale"
docker kill "$(docker ps -q | head -n 1)" >/dev/null
run autoscale "$BERTH_BIN/berth-autoscale" --config "$work/berth.yaml"
two_and_then() { ready game 3 "$base" && containers_are 3; }
sleep 2 # the killed one is lost
until_true 60 two_and_then || fail "a new autoscaler does not replace the killed one: $(docker ps -a)"
pass "the next autoscaler knows the containers, and replaces one that was killed"

"$BERTH_BIN/berth" scale game 1 --config "$work/berth.yaml" --why test >/dev/null || fail "berth scale"
one_left() { ready game 1 "$base" && containers_are 1; }
until_true 60 one_left || fail "the pool does not shrink: $(docker ps -a)"
removed() { [ "$(docker ps -aq | wc -l)" = 1 ]; }
until_true 20 removed || fail "drained containers are not removed: $(docker ps -a)"
pass "drained nodes' containers are stopped and removed"
