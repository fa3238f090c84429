"""pair.py - balancers that can be killed, stopped and put back, and clients that ask them: for tests and benchmarks of failover.

A private Redis, berth-lb lb-a (owns pool lobby) and lb-b (owns pool game), and game nodes in both pools. Everything listens on free
ports of 127.0.0.1, lives in a private directory, and is ended by its pid.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fleet import SECRET, Failed, Redis, free_port, listens, now_ms, record, wait  # noqa: E402

TRY_S, LIMIT_S = 0.3, 2.0  # a client gives one try 300 ms and then asks the other peer; no 200 within 2 s has failed
TOKEN = "pair-admin-token"


class Peer:
    def __init__(self, name, owns):
        self.name, self.owns, self.process, self.args = name, owns, None, []
        self.public, self.admin, self.health = free_port(), free_port(), free_port()

    def settings(self):
        return {"public": f"127.0.0.1:{self.public}", "admin": f"127.0.0.1:{self.admin}", "health": f"127.0.0.1:{self.health}",
                "owns": self.owns}


class Pair:
    """lb: more options of the section lb. pool: of both pools."""

    def __init__(self, build, lb=None, names=("lb-a", "lb-b"), **pool):
        self.bin = os.path.abspath(f"{build}/bin")
        self.directory = tempfile.mkdtemp(prefix="berth-pair-")
        self.config, self.redis_port, self.others, self.redis = f"{self.directory}/berth.yaml", free_port(), [], None
        self.pools = {"lobby": names[0], "game": names[1]}
        self.peers = {n: Peer(n, [p for p, o in self.pools.items() if o == n]) for n in names}
        pool = {"slow_start": "0s", "player_rate": 0, "capacity": 5000, "ticket_ttl": "2s", **pool}
        config = {
            "redis": {"host": "127.0.0.1", "port": self.redis_port},
            "tickets": {"keys": [{"kid": "k1", "secret": SECRET}]},
            "pools": {name: dict(pool) for name in self.pools},
            "lb": {"admin_token": TOKEN, "peers": {p.name: p.settings() for p in self.peers.values()}, **(lb or {})},
            "gamenode": {"listen": "127.0.0.1:0"},
        }
        with open(self.config, "w") as f:
            json.dump(config, f, indent=1)

    def start(self, name, *argv, env=None):
        with open(f"{self.directory}/{name}.log", "ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        self.others.append(process)
        return process

    def start_peer(self, peer):
        with open(f"{self.directory}/{peer.name}.log", "ab") as log:
            peer.process = subprocess.Popen([f"{self.bin}/berth-lb", "--config", self.config, "--name", peer.name, *peer.args],
                                            stdout=log, stderr=subprocess.STDOUT)

    def open(self, nodes=2):
        self.start("redis", "redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--dir", self.directory)
        wait("redis-server listens", lambda: listens(self.redis_port))
        self.redis = Redis(self.redis_port)
        for peer in self.peers.values():
            self.start_peer(peer)
        for pool in self.pools:
            for i in range(nodes):
                self.start(f"{pool}-{i}", f"{self.bin}/berth-gamenode", "--config", self.config, "--pool", pool, "--name", f"{pool}-{i}")
        for pool in self.pools:
            wait(f"{nodes} nodes of {pool} are ready", lambda p=pool: self.states(p).count("ready") == nodes)
        wait("all are ready, and own what they are to own", self.at_rest)
        return self

    def close(self):
        for process in [p.process for p in self.peers.values() if p.process] + self.others[::-1]:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- what is there ----

    def owner(self, pool):
        return (self.redis.ask("GET", f"berth:{{{pool}}}:owner") or "-").split()[0]

    def states(self, pool):
        return [record(text)["state"] for text in self.redis.hash(f"berth:{{{pool}}}:states").values()]

    def at_rest(self):
        return all(listens(p.health) for p in self.peers.values()) and all(self.owner(p) == o for p, o in self.pools.items())

    def events(self, pool):
        """(ms, kind, name, record) of each."""
        found = []
        for at, fields in self.redis.ask("XRANGE", f"berth:{{{pool}}}:events", "-", "+"):
            row = dict(zip(fields[::2], fields[1::2]))
            found.append((int(at.split("-")[0]), row["k"], row["n"], record(row["d"])))
        return found

    # ---- blows ----

    def kill(self, peer):
        peer.process.kill()
        peer.process.wait()

    def stop(self, peer):
        peer.process.send_signal(signal.SIGSTOP)

    def wake(self, peer):
        peer.process.send_signal(signal.SIGCONT)

    def log(self, name):
        with open(f"{self.directory}/{name}.log", errors="replace") as f:
            return f.read()


def ask(at, path, timeout_s):
    """The status; None when nothing came. at: a port of 127.0.0.1, or host:port."""
    host, port = at.split(":") if isinstance(at, str) else ("127.0.0.1", at)
    line = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException, socket.timeout):
        return None
    finally:
        line.close()


class Client(threading.Thread):
    """Asks the peers (ports) in turn, `each_s` apart, by the client's rule; with one port it asks that one only."""

    def __init__(self, ports, path, each_s=0.02, limit_s=LIMIT_S, try_s=TRY_S):
        super().__init__(daemon=True)
        self.ports, self.path, self.each_s, self.over = ports, path, each_s, False
        self.limit_s, self.try_s = limit_s, try_s
        self.asked, self.failed, self.slowest_ms, self.second_tries = 0, [], 0, 0

    def once(self):
        began, at = time.monotonic(), self.asked
        self.asked += 1
        while (left := began + self.limit_s - time.monotonic()) > 0:
            if ask(self.ports[at % len(self.ports)], self.path, min(self.try_s, left)) == 200:
                self.slowest_ms = max(self.slowest_ms, (time.monotonic() - began) * 1000)
                return
            at += 1
            self.second_tries += 1
            time.sleep(0.01)
        self.failed.append(now_ms())

    def run(self):
        while not self.over:
            self.once()
            time.sleep(self.each_s)

    def end(self):
        self.over = True
        self.join()


__all__ = ["Client", "Failed", "Pair", "Peer", "Redis", "TOKEN", "ask", "free_port", "listens", "now_ms", "record", "wait"]
