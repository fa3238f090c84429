#!/bin/bash
# aws.sh [ec2|asg|cloudformation] - the whole system on AWS by that provider (tests/support/aws_endpoint.py, whose instances boot
# real nodes): a floor launched once though answers are lost, calls throttled and a stack rolled back, a machine that dies, one that never boots, a size that comes and goes, keys of the instance that end meanwhile.
what=${1:-ec2}
. "$(dirname "$0")/lib.sh"
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
/usr/bin/python3 -c 'import botocore' 2>/dev/null || python3 -c 'import botocore' 2>/dev/null || { echo "skipped: no python3-botocore"; exit 77; }
write_config
mkdir -p "$work/up/log"
read -r aws_port <<<"$(free_ports 1)"
aws=http://127.0.0.1:$aws_port
case $what in
ec2) section='ec2: {templates: {game: {launch_template: game, subnets: [subnet-0000000a, subnet-0000000b]}}}'
    trouble='"lose_next": {"action": "RunInstances", "count": 2}' ;;
asg) section='asg: {groups: {game: g}}'
    trouble='"lose_next": {"action": "SetDesiredCapacity", "count": 1}, "asg": {"g": {"max": 6, "new_protected": false}}' ;;
cloudformation) section="cloudformation: {stacks: {game: {template_file: $work/stack.json}}}"
    trouble='"lose_next": {"action": "CreateStack", "count": 1}, "stack_rollback_next": 1'
    echo '{}' >"$work/stack.json" ;;
*) fail "$what: ec2, asg or cloudformation" ;;
esac
sed -i '/^  lobby:/,/^  game:/s/^    scale: .*//
s/provider: local, min: 2, max: 4, out_cooldown: 2s, in_cooldown: 3s, boot_timeout: 20s/provider: '$what', min: 2, max: 4, out_cooldown: 1s, in_cooldown: 1s, boot_timeout: 5s, launch_backoff: 1s/; s/{rule: min_ready, ready: 2}/{rule: min_ready, ready: 2}, {rule: average_connections, above: 15, below: 3, hold: 1s}/
s|^  local: .*|  aws: {endpoint: "'"$aws"'", region: eu-test-1, timeout: 2s}\n  '"$section"'|' "$work/berth.yaml"

run() { # NAME PROGRAM [ARGUMENT...]: in the background, its output in up/log/NAME.log; sets pid
    local name=$1
    shift
    "$@" >>"$work/up/log/$name.log" 2>&1 &
    pid=$!
    disown "$pid"
}
tell() { curl -sf -m 5 -d "$1" "$aws/control" >/dev/null || fail "the endpoint does not take $1"; }
told() { curl -sf -m 5 "$aws/control" | json "$1"; }
told_is() { [ "$(told "$1")" = "$2" ]; }
live='sorted(i["id"] for i in o["instances"] if i["state"] == "running")'

run endpoint python3 "$BERTH_SOURCE/tests/support/aws_endpoint.py" "$aws_port"
endpoint=$pid
until_true 15 curl -sf -m 2 -o /dev/null "$aws/control" || fail "the endpoint does not come up"
tell '{"credentials_life_s": 8, "visible_after_ms": 700, "throttle_next": 2, '"$trouble"',
       "boot": ["'"$BERTH_BIN"'/berth-gamenode", "--config", "'"$work"'/berth.yaml", "--pool", "{pool}", "--name", "{id}", "--instance", "{id}", "--gamenode.zone", "{zone}"]}'
run redis redis-server --unixsocket "$work/up/redis.sock" --port 0 --save '' --appendonly no --dir "$work/up"
until_true 5 test -S "$work/up/redis.sock" || fail "redis-server does not come up"
run lb-a "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-a
run lb-b "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-b
run as-1 env -u AWS_ACCESS_KEY_ID -u AWS_PROFILE AWS_SHARED_CREDENTIALS_FILE=/nowhere AWS_CONFIG_FILE=/nowhere \
    AWS_EC2_METADATA_SERVICE_ENDPOINT="$aws" "$BERTH_BIN/berth-autoscale" --config "$work/berth.yaml" --name as-1
autoscaler=$pid
until_true 40 ready game 2 "$admin_a" || fail "min_ready does not bring up two nodes: $(curl -s "$aws/control" | head -c 2000)"
told_is 'o["made"]' 2 || fail "$(told 'o["made"]') instances were made"
told_is 'len(set(i["zone"] for i in o["instances"]))' 2 || fail "both are in one zone"
pass "the floor is launched once, over two zones, though answers were lost and calls throttled"

tell '{"boot_next": 1, "kill": ['"$(told "$live" | sed "s/'/\"/g; s/.*\[\(\"[^\"]*\"\).*/\1/")"']}'
until_true 40 told_is 'o["made"]' 4 || fail "a machine that died is replaced, one that never boots is not: $(told 'o["made"]') made"
until_true 20 ready game 2 "$admin_a" || fail "the replacement is not ready"
until_true 10 told_is 'o["live"]' 2 || fail "the machine that never booted lives on"
pass "a machine that dies is replaced; its replacement, which never boots, is terminated after boot_timeout and replaced too"

"$BERTH_BIN/berth" scale game 3 --until 4s --why test --config "$work/berth.yaml" >/dev/null || fail "berth scale"
until_true 20 ready game 3 "$admin_a" || fail "three nodes are not ready"
until_true 40 ready game 2 "$admin_a" || fail "the pool does not go back to its minimum"
until_true 15 told_is 'o["live"]' 2 || fail "the drained machine is not terminated"
told_is 'o["made"]' 5 || fail "$(told 'o["made"]') instances were made"
pass "a size that comes and goes: one machine more, drained and terminated again"

told_is 'o["rejected"]' '[]' || fail "the endpoint refused requests for their form: $(told 'o["rejected"]')"
[ "$(grep -c "ev=aws_credentials .*source=instance" "$work/up/log/as-1.log")" -gt 2 ] || fail "the keys of the instance were not renewed"
pass "every request was as AWS wants it; keys were renewed as they ended"

kill -TERM "$autoscaler"
until_true 5 sh -c "! kill -0 $autoscaler 2>/dev/null" || fail "as-1 does not end"
told_is 'o["live"]' 2 || fail "instances ended with the autoscaler"
kill -TERM "$endpoint"
echo "aws: $what: $checks checks passed"
