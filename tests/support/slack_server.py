"""A Slack incoming webhook that holds every message against Slack's own limits, for tests.

usage: slack_server.py DIRECTORY    prints its port

POST /services/SECRET/ok      checked; 200 "ok", or 400 "invalid_payload" with the reason in DIRECTORY/wrong
POST /services/SECRET/hang    never answered
POST /services/SECRET/gone    404, quoting the path as some servers do
POST /services/SECRET/flaky   while DIRECTORY/down exists: 500; while DIRECTORY/busy exists: 429 with its text as Retry-After
POST /json, /loud             a generic JSON webhook, checked against docs/alerts.md
Every request is a line of DIRECTORY/requests (time, path, status); every message taken is a line of DIRECTORY/messages.
"""
import http.server
import json
import os
import re
import sys
import time

DIRECTORY = sys.argv[1]


def require(condition, what):
    if not condition:
        raise ValueError(what)


def check_text(o, kinds, most, where):
    require(isinstance(o, dict), f"{where}: no object")
    require(o.get("type") in kinds, f"{where}: type {o.get('type')}, must be one of {kinds}")
    require(set(o) <= {"type", "text", "emoji", "verbatim"}, f"{where}: unknown keys {set(o)}")
    require(isinstance(o.get("text"), str), f"{where}: no text")
    require(1 <= len(o["text"]) <= most, f"{where}: text of {len(o['text'])} characters, allowed are 1..{most}")
    if o["type"] == "mrkdwn":
        for tag in re.findall(r"<([^>]*)>?", o["text"]):
            require(re.match(r"(https?://|!date\^\d+\^)", tag), f"{where}: unescaped markup <{tag}")


def check_slack(o):
    """https://api.slack.com/reference/block-kit/blocks"""
    require(isinstance(o, dict) and set(o) <= {"text", "blocks"}, f"unknown keys {set(o)}")
    require(isinstance(o.get("text"), str) and 1 <= len(o["text"]) <= 40000, "no text for notifications")
    blocks = o.get("blocks")
    require(isinstance(blocks, list) and 1 <= len(blocks) <= 50, "blocks: 1..50")
    for i, b in enumerate(blocks):
        where = f"blocks[{i}]"
        if b.get("type") == "header":
            require(set(b) <= {"type", "text", "block_id"}, f"{where}: unknown keys {set(b)}")
            check_text(b.get("text"), ("plain_text",), 150, where)
        elif b.get("type") == "section":
            require(set(b) <= {"type", "text", "fields", "block_id", "accessory"}, f"{where}: unknown keys {set(b)}")
            require("text" in b or "fields" in b, f"{where}: text or fields")
            if "text" in b:
                check_text(b["text"], ("mrkdwn", "plain_text"), 3000, where)
            if "fields" in b:
                require(1 <= len(b["fields"]) <= 10, f"{where}.fields: {len(b['fields'])}, allowed are 1..10")
                for j, f in enumerate(b["fields"]):
                    check_text(f, ("mrkdwn", "plain_text"), 2000, f"{where}.fields[{j}]")
        elif b.get("type") == "context":
            require(1 <= len(b.get("elements", [])) <= 10, f"{where}.elements: 1..10")
            for j, f in enumerate(b["elements"]):
                check_text(f, ("mrkdwn", "plain_text"), 3000, f"{where}.elements[{j}]")
        else:
            require(b.get("type") == "divider", f"{where}: type {b.get('type')}")


def check_json(o):
    for key, kind in {"version": int, "type": str, "installation": str, "sender": str, "at_ms": int}.items():
        require(isinstance(o.get(key), kind), f"{key}: must be {kind.__name__}")
    if o["type"] == "report":
        for p in o["pools"]:
            require(set(p) == {"pool", "ready", "coming", "leaving", "held", "lost", "desired", "players", "capacity",
                               "scale_outs", "scale_ins", "nodes_lost"}, f"pools: {set(p)}")
        return
    require(o["alerts"], "alerts: none")
    for a in o["alerts"]:
        require(set(a) == {"kind", "severity", "title", "summary", "pool", "about", "at_ms", "id", "repeats", "facts",
                           "runbook"}, f"alerts: {set(a)}")
        require(all(isinstance(v, str) for v in a["facts"].values()), "facts: texts")
        require(a["runbook"].endswith("#" + a["kind"]), f"runbook: {a['runbook']}")


def note(name, o):
    with open(os.path.join(DIRECTORY, name), "a", encoding="utf-8") as f:
        f.write(json.dumps(o) + "\n")


def content_of(name):
    try:
        with open(os.path.join(DIRECTORY, name), encoding="utf-8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, text, *headers):
        note("requests", {"t": time.time(), "path": self.path, "status": status})
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        last = self.path.split("/")[-1]
        if last == "hang":
            note("requests", {"t": time.time(), "path": self.path, "status": 0})
            time.sleep(3600)
        if last == "gone":
            return self.answer(404, f"<html>The page {self.path} was not found</html>")
        if last == "flaky" and content_of("down") is not None:
            return self.answer(500, "internal_error")
        if last == "flaky" and content_of("busy") is not None:
            return self.answer(429, "rate_limited", ("Retry-After", content_of("busy")))
        try:
            require(self.headers.get("Content-Type", "").startswith("application/json"), "Content-Type")
            o = json.loads(body.decode("utf-8"))
            check_json(o) if last in ("json", "loud") else check_slack(o)
        except (ValueError, KeyError, TypeError) as wrong:
            note("wrong", {"path": self.path, "why": str(wrong), "body": body.decode("utf-8", "replace")})
            return self.answer(400, "invalid_payload")
        note("messages", {"t": time.time(), "path": last, "token": self.headers.get("Authorization"), "body": o})
        return self.answer(200, "ok")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
