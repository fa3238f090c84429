#!/bin/sh
# 100,000 nodes in 50 pools and 10 million players for an hour of virtual time: what one LB's core and one autoscaler's
# cores make of 360 million reports. SECONDS_SIM=120 for less than an hour.
set -eu
bench="${BUILD:-build/release}/bench"
seconds="${SECONDS_SIM:-3600}"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$bench/bench_scale_autoscale" "$seconds" > "$out/autoscale" &
"$bench/bench_scale_lb" "$seconds" > "$out/lb"
wait $!
value() { tr ' ' '\n' < "$out/$1" | sed -n "s/^$2=//p"; }
hours=$(awk "BEGIN { printf \"%g\", $seconds / 3600 }")
wall=$(printf '%s\n%s\n' "$(value lb wall_s)" "$(value autoscale wall_s)" | sort -g | tail -1)
echo "bench-scale: nodes=100000 players=10000000 sim_hours=$hours wall_s=$wall max_mean=$(value lb max_mean)" \
  "reports_per_s=$(value lb reports_per_s) lb_cpu_per_report_ns=$(value lb lb_cpu_per_report_ns)" \
  "autoscale_cpu_per_snapshot_ms=$(value autoscale autoscale_cpu_per_snapshot_ms)"
