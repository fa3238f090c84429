"""A small real HTTP server for test_io_fetch: prints its port (or serves on a unix socket given as argument) and answers by path."""
import http.server
import json
import os
import socketserver
import sys
import time
from email.utils import formatdate


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        Handler.connections += 1
        self.connection_number = Handler.connections

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length)
        path = self.path.split("?")[0]
        if path == "/echo":
            text = f"{self.command} {self.path} x={self.headers.get('X-Test')} type={self.headers.get('Content-Type')} "
            self.answer(200, text.encode() + sent)
        elif path == "/connection":
            self.answer(200, str(self.connection_number).encode())
        elif path == "/big":
            self.answer(200, b"x" * int(self.path.split("?")[1]))
        elif path == "/busy":
            self.answer(503, b"busy", [("Retry-After", "7")])
        elif path == "/busy-date":
            self.answer(503, b"busy", [("Retry-After", formatdate(time.time() + 60, usegmt=True))])
        elif path == "/busy-odd":
            self.answer(503, b"busy", [("Retry-After", "soon")])
        elif path == "/redirect":
            self.answer(302, b"", [("Location", "/echo")])
        elif path == "/slow":
            time.sleep(3)
            self.answer(200, b"late")
        elif path == "/hangup":
            self.close_connection = True
            self.connection.close()
        elif path == "/desired":  # a service that a scaling rule asks
            asked = json.loads(sent)
            said = {"desired": asked["figures"]["ready"] + len(asked["nodes"]), "reason": f"{asked['event']} {self.headers.get('Authorization')}"}
            self.answer(200, json.dumps(said).encode())
        elif path == "/told":  # one that a rule's action tells
            told = json.loads(sent)
            right = told["event"] == "action" and told["rule"] == "min_ready" and told["vote"]["reason"] == "too few"
            self.answer(204 if right else 400, b"")
        elif path == "/signed":
            self.answer(200, (self.headers.get("Authorization") or "none").encode())
        else:
            self.answer(404, b"no such page")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True


if len(sys.argv) > 1:

    class Unix(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    server = Unix(sys.argv[1], Handler)
    print(0, flush=True)
else:
    server = Tcp(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
server.handle_error = lambda *_: None  # clients that hang up are part of the test
parent = os.getppid()
server.timeout = 0.5
while os.getppid() == parent:  # never outlives its test
    server.handle_request()
