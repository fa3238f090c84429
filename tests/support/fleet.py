"""fleet.py - a real fleet for tests and benchmarks: redis-server, berth-lb, autoscalers with the local provider, and players.

Everything lives in a private directory, listens on free ports of 127.0.0.1, and is ended by its pid.
"""
import random
import base64
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from urllib.parse import urlparse

SECRET = "fleet-fleet-fleet-fleet-fleet-fleet"


class Failed(Exception):
    """Something that must be true is not."""


def now_ms():
    return time.time_ns() / 1e6


def free_port():
    """Below the range of outgoing connections: it is still free when it is needed."""
    for port in random.sample(range(10000, 32000), 1000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise OSError("no free port in 10000..31999")


def wait(what, true, limit_s=30, each_s=0.02):
    """What `true` returns once it is true."""
    until = time.monotonic() + limit_s
    while True:
        found = true()
        if found:
            return found
        if time.monotonic() > until:
            raise Failed(f"after {limit_s} s still not: {what}")
        time.sleep(each_s)


def listens_at(host, port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((host, port)) == 0


def listens(port):
    return listens_at("127.0.0.1", port)


class Redis:
    """Ask and get the answer. Errors are raised."""

    def __init__(self, port, host="127.0.0.1", limit_s=10):
        self.socket = socket.create_connection((host, port), limit_s)
        self.file = self.socket.makefile("rb")

    def ask(self, *words):
        texts = [w.encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%s\r\n" % (len(t), t) for t in texts))
        return self.reply()

    def reply(self):
        head = self.file.readline().decode().strip()
        if head[0] == "*":
            return [self.reply() for _ in range(int(head[1:]))]
        if head[0] == "$":
            return None if head == "$-1" else self.file.read(int(head[1:]) + 2)[:-2].decode()
        if head[0] == "-":
            raise Failed(f"Redis: {head}")
        return int(head[1:]) if head[0] == ":" else head[1:]

    def hash(self, key):
        flat = self.ask("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def close(self):
        self.file.close()
        self.socket.close()


def record(text):
    """A plain record as a dictionary."""
    return dict(pair.split("=", 1) for pair in text.split())


class Player:
    """A WebSocket to a game node: connected at once, in a room when asked."""

    def __init__(self, name, answer):
        url = urlparse(answer["endpoint"])
        self.name, self.node, self.ticket = name, answer["node"], answer.get("ticket")
        self.socket = socket.create_connection((url.hostname, url.port), 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {url.path or '/ws'} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        if b" 101 " not in self.file.readline():
            raise Failed(f"{answer['endpoint']} does not take a WebSocket")
        while self.file.readline() != b"\r\n":
            pass

    def say(self, message):
        text, mask = json.dumps(message).encode(), os.urandom(4)
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self.socket.sendall(b"\x81" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text)))

    def hear(self, kind):
        """The next message of that type; None when the node hangs up before."""
        while True:
            head = self.file.read(2)
            if len(head) < 2 or head[0] & 0x0f == 8:
                return None
            size = head[1]
            if size == 126:
                size = int.from_bytes(self.file.read(2), "big")
            text = self.file.read(size)
            if head[0] & 0x0f == 1:
                message = json.loads(text)
                if message["type"] == "refused":
                    raise Failed(f"{self.name} was not admitted: {message}")
                if message["type"] == kind:
                    return message

    def join(self):
        """Returns when `join` was sent and when `joined` came, in ms."""
        sent = now_ms()
        self.say({"type": "join", "room": "r-" + self.name, "player": self.name, "ticket": self.ticket})
        if not self.hear("joined"):
            raise Failed(f"{self.name} was hung up on")
        return sent, now_ms()

    def plays(self):
        """Does the node still answer?"""
        self.say({"type": "ping", "id": 1})
        return self.hear("pong") is not None

    def leave(self):
        self.say({"type": "leave"})
        self.hear("left")
        self.file.close()
        self.socket.close()


class Fleet:
    """A pool `game` of berth-gamenodes. scale: the section pools.game.scale, without its provider. store: a set of redis_sets.py that is
    open already, instead of a redis-server of our own."""

    def __init__(self, build, scale, store=None, **pool):
        self.bin, self.pool = os.path.abspath(f"{build}/bin"), "game"
        self.directory = tempfile.mkdtemp(prefix="berth-fleet-")
        self.redis_port, self.lb_port = free_port(), free_port()
        self.config = f"{self.directory}/berth.yaml"  # JSON is YAML
        self.running, self.serial, self.redis, self.store = {}, 0, None, store
        stamp = f'echo "$(date +%s%N) $2" >> {self.directory}/stamps; exec "$0" "$@"'
        config = {
            "redis": store.config() if store else {"host": "127.0.0.1", "port": self.redis_port},
            "tickets": {"keys": [{"kid": "k1", "secret": SECRET}]},
            "pools": {self.pool: {"capacity": 100, "scale": {"provider": "local", **scale}, **pool}},
            "lb": {"peers": {"lb-a": {"public": f"127.0.0.1:{self.lb_port}", "admin": f"127.0.0.1:{free_port()}", "owns": [self.pool]}}},
            "autoscale": {"local": {"directory": f"{self.directory}/local",
                                    "programs": {self.pool: ["/bin/sh", "-c", stamp, f"{self.bin}/berth-gamenode"]}}},
            "gamenode": {"listen": "127.0.0.1:0", "ping_interval": "0s"},  # players here answer no pings
        }
        with open(self.config, "w") as f:
            json.dump(config, f, indent=1)

    # ---- processes ----

    def start(self, name, *argv):
        with open(f"{self.directory}/{name}.log", "wb") as log:
            self.running[name] = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
        return self.running[name]

    def open(self):
        """The store and the balancer."""
        if self.store:
            self.redis = self.store.client()
        else:
            self.start("redis", "redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                       "--dir", self.directory)
            wait("redis-server listens", lambda: listens(self.redis_port))
            self.redis = Redis(self.redis_port)
        self.start("lb-a", f"{self.bin}/berth-lb", "--config", self.config, "--name", "lb-a")
        wait("berth-lb listens", lambda: listens(self.lb_port))

    def autoscaler(self, name):
        return self.start(name, f"{self.bin}/berth-autoscale", "--config", self.config, "--name", name,
                          "--admin", f"127.0.0.1:{free_port()}")

    def berth(self, *words):
        """Run a verb of `berth`; what it prints."""
        return subprocess.run([f"{self.bin}/berth", *words, "--config", self.config], check=True, capture_output=True, text=True).stdout

    def log(self, name):
        with open(f"{self.directory}/{name}.log") as f:
            return f.read()

    def close(self):
        store = self.running.pop("redis", None)
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        until = time.monotonic() + 10
        while (nodes := self.nodes()) and time.monotonic() < until:  # once more: it ends at once, whoever plays
            for pid in nodes.values():
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
            time.sleep(0.3)
        if store:
            store.terminate()
            store.wait()
        shutil.rmtree(self.directory)

    # ---- what is there ----

    def nodes(self):
        """The node processes of this fleet, whoever started them: pid by instance."""
        rows = {}
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as f:
                    argv = f.read().decode(errors="replace").split("\0")
                with open(path.replace("cmdline", "stat")) as f:
                    parent = int(f.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if self.config in argv and "--instance" in argv:
                rows[int(path.split("/")[2])] = argv[argv.index("--instance") + 1], parent
        found = {}
        for pid, (name, parent) in rows.items():
            if parent in rows:
                continue  # the shell that writes the time down, between fork and exec
            if name in found:
                raise Failed(f"instance {name} runs twice: pids {found[name]} and {pid}")
            found[name] = pid
        return found

    def pid_files(self):
        """Pid by instance, as the provider remembers."""
        found = {}
        for path in glob.glob(f"{self.directory}/local/*.pid"):
            try:
                with open(path) as f:
                    found[os.path.basename(path)[:-4]] = int(record(f.read())["pid"])
            except FileNotFoundError:
                pass
        return found

    def started(self):
        """(ns, instance) of every node process that was ever started."""
        try:
            with open(f"{self.directory}/stamps") as f:
                return [(int(ns), name) for ns, name in map(str.split, f.read().splitlines())]
        except FileNotFoundError:
            return []

    def key(self, name):
        return f"berth:{{{self.pool}}}:{name}"

    def states(self):
        """State by node."""
        return {node: record(text)["state"] for node, text in self.redis.hash(self.key("states")).items()}

    def ready(self):
        return sorted(node for node, state in self.states().items() if state == "ready")

    # ---- players ----

    def endpoint(self):
        """A new player's name and where berth-lb sends it, to a room of its own; None while there is no place."""
        self.serial += 1
        name = f"p{self.serial}"
        line = http.client.HTTPConnection("127.0.0.1", self.lb_port, timeout=5)
        line.request("GET", f"/v1/pools/{self.pool}/endpoint?player={name}&room=r-{name}")
        answer = line.getresponse()
        body = json.loads(answer.read() or b"{}")
        line.close()
        return (name, body) if answer.status == 200 else None

    def comer(self):
        """A new player, connected to its node."""
        return Player(*wait("berth-lb has a node for a player", self.endpoint))


class Load(threading.Thread):
    """Asks for a place all the time, as players without a room and as ones of rooms that are known; `failed` tells what went wrong.

    rooms: (room, player, node) each. Ends when `over` is set.
    """

    def __init__(self, fleet, rooms):
        super().__init__(daemon=True)
        self.fleet, self.rooms, self.over, self.asked, self.failed = fleet, rooms, False, 0, []

    def ask(self, query):
        line = http.client.HTTPConnection("127.0.0.1", self.fleet.lb_port, timeout=5)
        line.request("GET", f"/v1/pools/game/endpoint{query}")
        answer = line.getresponse()
        body = json.loads(answer.read())
        line.close()
        return answer.status, body

    def run(self):
        while not self.over:
            room, player, node = self.rooms[self.asked % len(self.rooms)]
            for query in ("", f"?room={room}&player={player}"):
                status, body = self.ask(query)
                self.asked += 1
                if status != 200:
                    self.failed.append(body.get("detail"))
                elif query and (body["node"] != node or body.get("moved")):
                    self.failed.append(f"{room} was on {node}: {body}")
            time.sleep(0.01)
