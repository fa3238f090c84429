"""A Docker Engine API on a unix socket that checks what it is asked, for tests.

usage: docker_server.py SOCKET DIRECTORY      prints "ready"

Keeps containers and images in memory; writes each request as a line of DIRECTORY/requests, each thing that is wrong as a line
of DIRECTORY/wrong (and answers 400). What it is to do next is in DIRECTORY/mode: words, each used once:
  STEP=STATUS   answer the next request of that step (version create pull start stop remove list) with that status
  STEP=lose     carry it out and close the connection
  STEP=slow     carry it out after half a second
"""
import http.server
import json
import os
import re
import socketserver
import sys
import time
import urllib.parse

SOCKET, DIRECTORY = sys.argv[1:3]
CONTAINERS, IMAGES = {}, {"berth:test"}
API = ["1.24", "1.43"]
REASONS = {404: "No such image: nosuch:1", 409: "conflict", 500: "driver failed programming external connectivity"}


def note(name, text):
    with open(os.path.join(DIRECTORY, name), "a", encoding="utf-8") as f:
        f.write(text + "\n")


def mode_for(step):
    path = os.path.join(DIRECTORY, "mode")
    try:
        with open(path, encoding="utf-8") as f:
            words = f.read().split()
    except FileNotFoundError:
        return None
    for word in words:
        if word.startswith(step + "="):
            words.remove(word)
            with open(path, "w", encoding="utf-8") as f:
                f.write(" ".join(words))
            return word.split("=")[1]
    return None


class Wrong(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Wrong(what)


def check_create(o):
    """ContainerCreateRequest of Engine API v1.41."""
    need(set(o) <= {"Image", "Cmd", "Env", "Labels", "HostConfig"}, f"keys {set(o)}")
    need(isinstance(o["Image"], str) and o["Image"], "Image")
    need(all(isinstance(x, str) for x in o["Cmd"]), "Cmd: strings")
    need(all(re.match(r"[A-Za-z_][A-Za-z0-9_]*=", x) for x in o["Env"]), "Env: NAME=value")
    need(all(isinstance(v, str) for v in o["Labels"].values()), "Labels: strings")
    need({"berth.namespace", "berth.pool", "berth.token", "berth.instance"} <= set(o["Labels"]), "Labels")
    host = o["HostConfig"]
    need(set(host) <= {"NetworkMode", "RestartPolicy", "Init", "Memory", "NanoCpus", "Binds"}, f"HostConfig {set(host)}")
    need(host["RestartPolicy"] == {"Name": "no"}, "RestartPolicy: berth restarts, not docker")
    need(isinstance(host["Memory"], int) and (host["Memory"] == 0 or host["Memory"] >= 6 << 20), "Memory")
    need(isinstance(host["NanoCpus"], int), "NanoCpus")
    need(all(re.match(r"[^:]+:[^:]+(:ro)?$", b) for b in host["Binds"]), "Binds")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def answer(self, status, o=None):
        body = b"" if o is None else json.dumps(o).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(body)

    def error(self, status, message):
        self.answer(status, {"message": message})

    def carry_out(self, step, name, query, body):
        c = CONTAINERS.get(name)
        if step == "version":
            return 200, {"ApiVersion": API[1], "MinAPIVersion": API[0], "Version": "24.0.7"}
        if step == "create":
            name = query["name"][0]
            need(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name), f"name {name}")
            o = json.loads(body)
            check_create(o)
            if name in CONTAINERS:
                return 409, {"message": f'Conflict. The container name "/{name}" is already in use'}
            if o["Image"] not in IMAGES:
                return 404, {"message": f"No such image: {o['Image']}"}
            CONTAINERS[name] = {"State": "created", "Created": int(time.time()) - 7, **o}
            return 201, {"Id": "c" * 64, "Warnings": []}
        if step == "pull":
            need(set(query) <= {"fromImage", "tag"}, f"query {query}")
            image = query["fromImage"][0]
            need("tag" in query or ":" in image, "without a tag all tags are pulled")
            if image.startswith("nosuch"):
                return 404, {"message": f"pull access denied for {image}"}
            IMAGES.add(image if ":" in image else image + ":" + query["tag"][0])
            IMAGES.add(image)
            return 200, {"status": "Status: Downloaded newer image"}
        if step == "list":
            need(query.get("all") == ["true"], "all")
            filters = json.loads(query["filters"][0])
            need(set(filters) == {"label"} and len(filters["label"]) == 2, f"filters {filters}")
            wanted = dict(x.split("=", 1) for x in filters["label"])
            return 200, [{"Id": "c" * 64, "Names": ["/" + n], "State": c["State"], "Status": "Up 7 seconds", "Labels": c["Labels"],
                          "Created": c["Created"], "Image": c["Image"]}
                         for n, c in CONTAINERS.items() if all(c["Labels"].get(k) == v for k, v in wanted.items())]
        if c is None:
            return 404, {"message": f"No such container: {name}"}
        if step == "start":
            need(not body, "start takes no body")
            status = 304 if c["State"] == "running" else 204
            c["State"] = "running"
            return status, None
        if step == "stop":
            need(query == {"t": ["5"]}, f"the grace: {query}")
            status = 204 if c["State"] == "running" else 304
            c["State"] = "exited"
            return status, None
        need(query == {"v": ["true"]}, f"query {query}")
        if c["State"] == "running":
            return 409, {"message": "You cannot remove a running container"}
        del CONTAINERS[name]
        return 204, None

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path, _, query = self.path.partition("?")
        note("requests", f"{self.command} {self.path} {body}")
        query = urllib.parse.parse_qs(query, strict_parsing=bool(query))
        for method, pattern, step in (("GET", r"/version()", "version"), ("POST", r"/containers/create()", "create"),
                                      ("POST", r"/images/create()", "pull"), ("POST", r"/containers/([^/]+)/start", "start"),
                                      ("POST", r"/containers/([^/]+)/stop", "stop"), ("GET", r"/containers/json()", "list"),
                                      ("DELETE", r"/containers/([^/]+)", "remove"), ("POST", r"/test/([^/]+)/exit", "exit")):
            bare = path if step in ("version", "exit") else path.removeprefix(f"/v{API[1]}")
            match = re.fullmatch(pattern, bare)
            if method == self.command and match:
                break
        else:
            note("wrong", f"{self.command} {self.path}")
            return self.error(404, "page not found")
        if step == "exit":  # the test's own: it ended by itself
            CONTAINERS[match.group(1)]["State"] = "exited"
            return self.answer(204)
        mode = mode_for(step)
        if mode and mode.isdigit():
            return self.error(int(mode), REASONS.get(int(mode), "something"))
        if mode == "slow":
            time.sleep(0.5)
        try:
            status, o = self.carry_out(step, match.group(1), query, body)
        except (Wrong, KeyError, ValueError, TypeError) as wrong:
            note("wrong", f"{self.command} {self.path}: {wrong!r}")
            return self.error(400, f"{wrong}")
        if mode == "lose":
            self.close_connection = True
            return None
        return self.answer(status, o)

    do_GET = do_POST = do_DELETE = handle_any


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


server = Server(SOCKET, Handler)
print("ready", flush=True)
server.serve_forever()
