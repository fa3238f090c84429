"""Instance metadata (IMDSv2) for tests: prints its port, then serves what POST /control gave it.

POST /control {"items": {"/latest/meta-data/instance-id": "i-1"}, "fail_next": 2, "drop_tokens": true, "refuse": false}
sets; GET /control tells {"tokens": issued, "asked": [paths], "unsigned": asked without a token}.
Importable: Metadata is the state that other endpoints use too."""
import http.server
import json
import secrets
import socketserver
import threading


class Metadata:
    def __init__(self):
        self.items = {}
        self.tokens = set()
        self.issued = 0
        self.asked = []
        self.unsigned = 0
        self.fail_next = 0
        self.refuse = False
        self.lock = threading.Lock()

    def control(self, wish):
        with self.lock:
            self.items.update(wish.get("items", {}))
            for gone in wish.get("remove", []):
                self.items.pop(gone, None)
            self.fail_next = wish.get("fail_next", self.fail_next)
            self.refuse = wish.get("refuse", self.refuse)
            if wish.get("drop_tokens"):
                self.tokens.clear()

    def told(self):
        return {"tokens": self.issued, "asked": self.asked, "unsigned": self.unsigned}

    def answer(self, method, path, headers):
        """(status, body) of one request."""
        with self.lock:
            if self.fail_next > 0:
                self.fail_next -= 1
                return 503, b"busy"
            if self.refuse:
                return 403, b"disabled"
            if path == "/latest/api/token":
                ttl = headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
                if method != "PUT" or not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                    return 400, b"bad"
                token = secrets.token_urlsafe(40)
                self.tokens.add(token)
                self.issued += 1
                return 200, token.encode()
            if method != "GET":
                return 405, b""
            if headers.get("X-aws-ec2-metadata-token") not in self.tokens:
                self.unsigned += 1
                return 401, b""
            self.asked.append(path)
            item = self.items.get(path)
            return (404, b"") if item is None else (200, item.encode())


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    metadata = Metadata()

    def log_message(self, *args):
        pass

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/control":
            if self.command == "POST":
                self.metadata.control(json.loads(body))
            status, answer = 200, json.dumps(self.metadata.told()).encode()
        else:
            status, answer = self.metadata.answer(self.command, self.path, self.headers)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = handle_any


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


if __name__ == "__main__":
    server = Tcp(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
