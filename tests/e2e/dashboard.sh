#!/bin/bash
# dashboard.sh - events as they happen, and the dashboard: by curl, and in a browser where there is one.
. "$(dirname "$0")/lib.sh"
command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
mkdir -p "$work/up/log"
read -r public admin <<<"$(free_ports 2)"
cat >"$work/berth.yaml" <<YAML
redis: {host: "$work/redis.sock"}
tickets: {keys: [{kid: e2e, secret: e2e-secret-e2e-secret-e2e-secret}]}
pools: {game: {capacity: 20, report_interval: 200ms, lost_after: 1500ms, rise: 1, probe: {joining_interval: 200ms}}}
lb: {peers: {lb-a: {public: "127.0.0.1:$public", admin: "127.0.0.1:$admin", owns: [game]}}}
YAML
run() { # NAME COMMAND...
    "${@:2}" >"$work/up/log/$1.log" 2>&1 &
    disown
    eval "pid_$1=$!"
}
run redis redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --dir "$work"
until_true 10 test -S "$work/redis.sock" || fail "no Redis"
run lb "$BERTH_BIN/berth-lb" --config "$work/berth.yaml" --name lb-a
page=http://127.0.0.1:$admin
until_true 10 curl -s -o /dev/null "$page/readyz" || fail "no balancer"

run stream curl -sN -H 'Accept: text/event-stream' "$page/v1/events?pool=game"
run node "$BERTH_BIN/berth-gamenode" --config "$work/berth.yaml" --name gn-1
told() { grep -q "$1" "$work/up/log/stream.log"; }
until_true 10 told '"about":"gn-1"' || fail "the stream does not tell of the node: $(cat "$work/up/log/stream.log")"
until_true 10 ready game 1 "$page" || fail "the node is not ready"
"$BERTH_BIN/berth" hold game gn-1 --why inspection --config "$work/berth.yaml" >/dev/null || fail "berth hold"
until_true 5 told 'to=held' || fail "nor that it is held: $(cat "$work/up/log/stream.log")"
"$BERTH_BIN/berth" release game gn-1 --config "$work/berth.yaml" >/dev/null || fail "berth release"
until_true 10 ready game 1 "$page" || fail "the node does not come back"
until_true 5 told 'from=joining to=ready' || fail "nor that it is ready: $(cat "$work/up/log/stream.log")"
# shellcheck disable=SC2154
kill -KILL "$pid_stream"
last=$(sed -n 's/^id: //p' "$work/up/log/stream.log" | tail -n 1)
first=$(sed -n 's/^id: //p' "$work/up/log/stream.log" | head -n 1)
run again curl -sN -H 'Accept: text/event-stream' -H "Last-Event-ID: $first" "$page/v1/events?pool=game"
from_there() { grep -q "^id: $last$" "$work/up/log/again.log" && ! grep -q "^id: $first$" "$work/up/log/again.log"; }
until_true 5 from_there || fail "a client that comes back does not go on where it stopped: $(cat "$work/up/log/again.log")"
# shellcheck disable=SC2154
kill -KILL "$pid_again"
[ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' -H 'Accept: text/event-stream' -H 'Last-Event-ID: yesterday' "$page/v1/events")" = 400 ] || fail "a wrong id is taken"
long=$(printf '1%.0s' {1..60})
[ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' -H 'Accept: text/event-stream' -H "Last-Event-ID: $long" "$page/v1/events")" = 400 ] || fail "an id too long for one is taken"
pass "events as they happen, and from where a client stopped"

curl -s -D "$work/head" -o "$work/page" "$page/"
grep -qi "^content-type: text/html" "$work/head" && grep -qi "^content-security-policy: default-src 'none'" "$work/head" || fail "headers: $(cat "$work/head")"
grep -q "<title>berth</title>" "$work/page" || fail "no page"
grep -qE "(src|href)=|https?://" "$work/page" && fail "the page asks others for something"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$page/nowhere")" = 404 ] || fail "every path is a page"
pass "the page"

browser=$(command -v chromium || true)
if [ -z "$browser" ]; then
    echo "not looked at in a browser: there is no chromium"
    exit 0
fi
# #still: without the stream of events, for whose end virtual time would wait.
timeout -k 1 30 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update \
    --disable-sync --disable-dev-shm-usage --user-data-dir="$work/profile" --window-size=1400,900 --virtual-time-budget=4000 \
    ${SCREENSHOT:+--screenshot="$SCREENSHOT"} $([ -n "${SCREENSHOT:-}" ] || echo --dump-dom) "$page/#still" >"$work/dom" 2>"$work/browser.log" ||
    fail "chromium: $(tail -n 3 "$work/browser.log")"
[ -n "${SCREENSHOT:-}" ] && exit 0
grep -q 'id="pool-game"' "$work/dom" || fail "the pool is not shown: $(head -c 2000 "$work/dom")"
grep -q '<td>gn-1</td><td class="state ready">ready</td>' "$work/dom" || fail "the node is not shown as ready"
grep -q 'as lb-a sees it' "$work/dom" || fail "who says so is not shown"
grep -q '<b>state</b> gn-1' "$work/dom" || fail "the events are not shown"
pass "the dashboard in chromium: pool, node, events"
