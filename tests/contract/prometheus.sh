#!/bin/bash
# prometheus.sh - scrape configuration and alert rules, by Prometheus's own tool: right, and firing when they should.
: "${BERTH_SOURCE:?the source tree}"
command -v promtool >/dev/null || { echo "skipped: no promtool (prometheus)"; exit 77; }
cd "$BERTH_SOURCE/infra/prometheus" || exit 1
promtool check config prometheus.yml && promtool check rules berth.rules.yml && promtool test rules berth.rules.test.yml || {
    echo "FAILED: promtool"
    exit 1
}
