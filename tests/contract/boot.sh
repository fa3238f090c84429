#!/bin/bash
# boot.sh - berth-boot: the configuration fetched, secrets filled in or withheld, units started; a hole in it is an error.
: "${BERTH_SOURCE:?the source tree}"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d)
trap '[ -z "$metadata" ] || kill "$metadata"; rm -rf "$work"' EXIT
metadata=""
fail() { echo "FAILED: $*"; exit 1; }
mkdir "$work/bin" "$work/root"
# An `aws` that answers only what it should be asked.
cat >"$work/bin/aws" <<'SH'
#!/bin/sh
case "$*" in
"--region eu-central-1 ssm get-parameter --name /game/berth.yaml --query Parameter.Value --output text") cat "$CONFIG" ;;
"--region eu-central-1 secretsmanager get-secret-value --secret-id arn:tickets --query SecretString --output text") echo '{"TICKET_SECRET": "s3cret-s3cret-s3cret"}' ;;
"--region eu-central-1 secretsmanager get-secret-value --secret-id arn:control --query SecretString --output text") echo '{"ADMIN_TOKEN": "t0ken", "SLACK_URL": "https://hooks.example/x"}' ;;
*) echo "AccessDenied: $*" >&2; exit 254 ;;
esac
SH
cat >"$work/bin/systemctl" <<'SH'
#!/bin/sh
echo "$*" >>"$STARTED"
SH
chmod +x "$work/bin"/*
python3 - "$work/port" <<'PY' &
import http.server, sys
class Metadata(http.server.BaseHTTPRequestHandler):
    def answer(self, ok, body):
        self.send_response(200 if ok else 401)
        self.end_headers()
        self.wfile.write(body if ok else b"")
    def do_PUT(self):
        self.answer(self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers, b"TOKEN")
    def do_GET(self):
        self.answer(self.path == "/latest/meta-data/instance-id" and self.headers["X-aws-ec2-metadata-token"] == "TOKEN", b"i-0123456789abcdef0")
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Metadata)
open(sys.argv[1] + ".new", "w").write(str(server.server_port))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
PY
metadata=$!
for _ in $(seq 100); do [ -f "$work/port" ] && break; sleep 0.05; done
export CONFIG=$work/config STARTED=$work/started PATH=$work/bin:$PATH BERTH_BOOT_ROOT=$work/root
AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:$(cat "$work/port")
export AWS_EC2_METADATA_SERVICE_ENDPOINT
boot() { "$BERTH_SOURCE/infra/aws/berth-boot" --region eu-central-1 --config-parameter /game/berth.yaml "$@" >"$work/out" 2>&1; }
printf 'tickets: {keys: [{kid: k1, secret: "@TICKET_SECRET@"}]}\nlb: {admin_token: "@ADMIN_TOKEN@"}\n' >"$CONFIG"

boot --secret arn:tickets --secret arn:control berth-lb@lb-a berth-autoscale@as-a || fail "a control machine does not boot: $(cat "$work/out")"
written=$work/root/etc/berth/berth.yaml
[ "$(cat "$written")" = 'tickets: {keys: [{kid: k1, secret: "s3cret-s3cret-s3cret"}]}
lb: {admin_token: "t0ken"}' ] || fail "written: $(cat "$written")"
[ "$(stat -c %a "$written")" = 640 ] || fail "anyone may read the secrets: $(stat -c %a "$written")"
[ "$(cat "$STARTED")" = "enable --now berth-lb@lb-a.service
enable --now berth-autoscale@as-a.service" ] || fail "started: $(cat "$STARTED")"
echo "ok: a control machine"

: >"$STARTED"
boot --secret arn:tickets --withhold ADMIN_TOKEN "berth-gamenode@{instance}" || fail "a node does not boot: $(cat "$work/out")"
grep -q 'admin_token: "withheld"' "$written" && ! grep -q t0ken "$written" || fail "a node knows the admin token"
[ "$(cat "$STARTED")" = "enable --now berth-gamenode@i-0123456789abcdef0.service" ] || fail "started: $(cat "$STARTED")"
echo "ok: a node, under its instance's name, without what it need not know"

: >"$STARTED"
before=$(cat "$written")
boot --secret arn:tickets berth-lb@lb-a && fail "a configuration with a hole is started"
grep -q "berth-boot: @ADMIN_TOKEN@ stands in the configuration, but in no secret; there are: TICKET_SECRET" "$work/out" || fail "said: $(cat "$work/out")"
boot --secret arn:other berth-lb@lb-a && fail "a secret that may not be read is no error"
grep -q "AccessDenied" "$work/out" || fail "said: $(cat "$work/out")"
[ ! -s "$STARTED" ] && [ "$(cat "$written")" = "$before" ] || fail "something was written or started all the same"
echo "ok: a hole in it is an error"
