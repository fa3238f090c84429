#!/bin/sh
# 100,000 nodes in 50 pools and 10 million players for an hour of virtual time: what one LB's core and one autoscaler's
# cores make of 360 million reports. SECONDS_SIM=120 for less than an hour. The two run side by side; each says on stderr
# how far it is after each virtual minute, and fails when something that must hold did not.
set -eu
bench="${BUILD:-build/release}/bench"
seconds="${SECONDS_SIM:-3600}"
case $seconds in
'' | *[!0-9]* | 0*)
  echo "scale.sh: SECONDS_SIM = '$seconds': must be a whole number of seconds, 1 or more" >&2
  exit 2
  ;;
esac
out=$(mktemp -d)
running=
trap 'rm -rf "$out"' EXIT
trap 'kill $running 2> /dev/null || true; exit 130' INT TERM
"$bench/bench_scale_autoscale" "$seconds" > "$out/autoscale" &
autoscale=$!
"$bench/bench_scale_lb" "$seconds" > "$out/lb" &
lb=$!
running="$autoscale $lb"
failed=0
wait "$lb" || failed=1
wait "$autoscale" || failed=1
value() { tr ' ' '\n' < "$out/$1" | sed -n "s/^$2=//p"; }
hours=$(awk "BEGIN { printf \"%g\", $seconds / 3600 }")
wall=$(printf '%s\n%s\n' "$(value lb wall_s)" "$(value autoscale wall_s)" | sort -g | tail -1)
for half in lb autoscale; do
  echo "$half: $(cat "$out/$half")"
done
echo "bench-scale: nodes=$(value lb nodes) players=$(value lb players) sim_hours=$hours wall_s=$wall" \
  "max_mean=$(value lb max_mean) reports_per_s=$(value lb reports_per_s)" \
  "lb_cpu_per_report_ns=$(value lb lb_cpu_per_report_ns)" \
  "autoscale_cpu_per_snapshot_ms=$(value autoscale autoscale_cpu_per_snapshot_ms)"
exit $failed
