#!/usr/bin/env python3
"""agent_server.py - a server that berth did not write: holds raw connections and answers a little HTTP on the same port.

GET /stats {"clients": {"connected": N}}   GET /metrics open_sockets N   GET /healthz   POST /told: its body is appended to a file.
A connection that says "hold" is a player until it closes. usage: agent_server.py [PORT] [FILE]; PORT defaults to $PORT.
"""
import os, signal, socketserver, sys, threading

players = 0
lock = threading.Lock()
told = sys.argv[2] if len(sys.argv) > 2 else os.devnull


def answer(out, body, kind="application/json"):
    out.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        global players
        line = self.rfile.readline().decode().split()
        if line[:1] == ["hold"]:
            with lock:
                players += 1
            self.wfile.write(b"held\n")
            self.rfile.read()
            with lock:
                players -= 1
            return
        if len(line) < 2:
            return
        length = 0
        while (head := self.rfile.readline().strip()):
            if head.lower().startswith(b"content-length:"):
                length = int(head.split(b":")[1])
        body = self.rfile.read(length).decode()
        if line[1] == "/metrics":
            answer(self.wfile, f'# TYPE open_sockets gauge\nopen_sockets{{kind="a"}} {players}\nopen_sockets{{kind="b"}} 0\n', "text/plain")
        elif line[1] == "/told":
            with open(told, "a") as file:
                file.write(body + "\n")
            answer(self.wfile, "{}")
        else:
            answer(self.wfile, f'{{"clients": {{"connected": {players}}}}}')


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


signal.signal(signal.SIGUSR1, lambda *_: open(told, "a").write("SIGUSR1\n"))
Server(("127.0.0.1", int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"])), Handler).serve_forever()
