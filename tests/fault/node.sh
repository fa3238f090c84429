#!/bin/sh
# node.sh SECTION PROGRAM --name .. --instance ID ..: what the local provider starts: the node, on a free host of its own (a network
# namespace node-1, node-2 ...). $FAULT_DIRECTORY: where it is written down. `cloud` there says what else the cloud does today.
section=$1 program=$2
shift 2
instance="" before=""
for word; do
    [ "$before" = --instance ] && instance=$word
    before=$word
done
cd "$FAULT_DIRECTORY" || exit 1
echo "$(date +%s%N) $instance" >>stamps
case $(cat cloud 2>/dev/null) in
fail) exit 1 ;;
dead) exec sleep 1000 ;; # a machine that boots, and on which nothing ever answers
slow) sleep 3 ;;
esac
exec 9>hosts.lock
flock 9
for number in $(seq 1 "$FAULT_NODES"); do
    at=hosts/$number
    [ -e "$at" ] && kill -0 "$(cut -d' ' -f1 "$at")" 2>/dev/null && continue
    echo "$$ $instance $section" >"$at"
    exec 9>&-
    [ "$section" = gamenode ] && ulimit -n "$FAULT_LIMIT"
    exec nsenter "--net=/run/netns/node-$number" -- "$program" "$@" "--$section.listen" "10.77.0.$((50 + number)):7000"
done
echo "no host is free" >&2
exit 1
