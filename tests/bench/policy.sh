#!/bin/sh
# make bench-policy: the policies of infra/policies over the traces of infra/traces, in virtual time (berth simulate).
# A line for each pair; the last policy is the oracle itself, and `reactive` what nobody without foresight can beat.
#   tests/bench/policy.sh [--boot 60s ...] [TRACE.csv ...]     other options of berth simulate, other traces
set -eu
cd "$(dirname "$0")/../.."
berth=${BUILD:-build/release}/bin/berth
options="" traces=""
while [ $# -gt 0 ]; do
    case $1 in
    --*=*) options="$options $1" ;;
    --*) options="$options $1 $2"; shift ;;
    *) traces="$traces $1" ;;
    esac
    shift
done
for trace in ${traces:-infra/traces/*.csv}; do
    for policy in default thresholds2015 hpa headroom predict; do
        # shellcheck disable=SC2086
        "$berth" simulate --policy "infra/policies/$policy.yaml" --trace "$trace" $options |
            awk -v trace="$(basename "$trace" .csv)" -v policy="$policy" '
                function of(name,   i, pair) {
                    for (i = 1; i <= NF; i++) { split($i, pair, "="); if (pair[1] == name) return pair[2] }
                }
                of("who") { who = of("who"); ratio[who] = of("node_hours_ratio"); refused[who] = of("refused_s"); flaps[who] = of("flaps") }
                function line(policy, who) {
                    printf "bench-policy: trace=%s policy=%s node_hours_ratio=%s refused_s=%s oracle_refused_s=%s flaps=%s\n",
                        trace, policy, ratio[who], refused[who], refused["oracle"], flaps[who]
                }
                END {
                    line(policy, "policy")
                    if (policy == "predict") { line("reactive", "reactive"); line("oracle", "oracle") }
                }'
    done
done
