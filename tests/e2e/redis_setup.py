"""redis-setup: pools in two Redises, every program as the ACL user of docs/redis-setup.md, whole journeys; then one Redis cannot write.

The ACL lines are taken from the document. Nothing is denied (ACL LOG stays empty), nobody uses the default user. When the Redis of the
pool `lobby` is out of memory, that is told within 2 s, its nodes are not lost, and the pool `game` goes on as if nothing were.
"""
import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from fleet import Failed, free_port, now_ms, record, wait  # noqa: E402
from redis_sets import Server  # noqa: E402

PASSWORD = "setup-setup-setup"
PROGRAMS = {"lb": "berth-lb", "as": "berth-autoscale", "gn": "berth-game", "ln": "berth-lobby", "cli": "berth-cli"}


class Setup:
    def __init__(self, build):
        self.bin = os.path.abspath(f"{build}/bin")
        self.directory = tempfile.mkdtemp(prefix="berth-setup-")
        self.config = f"{self.directory}/berth.yaml"
        self.stores = {"lobby": Server(self.directory, "redis-lobby"), "game": Server(self.directory, "redis-game")}
        self.public, self.admin, self.scale = free_port(), free_port(), free_port()
        self.running = {}
        at = {name: {"host": "127.0.0.1", "port": server.port} for name, server in self.stores.items()}
        pool = {"capacity": 100, "ticket_ttl": "2s", "room_ticket_ttl": "2s", "slow_start": "0s"}
        with open(self.config, "w") as f:
            json.dump({
                "redis": {**at["lobby"], "servers": {"games": at["game"]}},
                "tickets": {"keys": [{"kid": "k1", "secret": "setup-setup-setup-setup-setup"}]},
                "pools": {"lobby": {**pool}, "game": {**pool, "redis": "games", "scale": {
                    "provider": "local", "min": 0, "max": 1, "rules": [{"rule": "min_ready", "ready": 0}]}}},
                "lb": {"peers": {"lb-a": {"public": f"127.0.0.1:{self.public}", "admin": f"127.0.0.1:{self.admin}", "owns": ["lobby", "game"]}}},
                "autoscale": {"admin": f"127.0.0.1:{self.scale}", "local": {"directory": f"{self.directory}/local", "programs": {"game": ["true"]}}},
                "gamenode": {"listen": "127.0.0.1:0"},
                "lobbynode": {"listen": "127.0.0.1:0", "lb": [f"http://127.0.0.1:{self.public}"]}}, f)

    def open(self):
        with open(os.path.join(os.path.dirname(__file__), "../../docs/redis-setup.md")) as f:
            lines = re.findall(r"^ +(ACL SETUSER .*)$", f.read(), re.M)
        if len(lines) != len(PROGRAMS):
            raise Failed(f"docs/redis-setup.md has {len(lines)} ACL lines")
        for server in self.stores.values():
            server.start().up()
            for line in lines:
                server.ask(*line.replace("PASSWORD", PASSWORD).split())
        for name, program in (("lb", "lb"), ("as", "autoscale"), ("gn", "gamenode"), ("ln", "lobbynode")):
            self.start(name, f"{self.bin}/berth-{program}", "--name", "lb-a" if name == "lb" else name)
        wait("both pools have a ready node", lambda: self.state("lobby") == self.state("game") == "ready", 20)

    def environment(self, name):
        env = dict(os.environ)
        for section in ("BERTH_REDIS", "BERTH_REDIS__SERVERS__GAMES"):
            env[f"{section}__USERNAME"], env[f"{section}__PASSWORD"] = PROGRAMS[name], PASSWORD
        return env

    def start(self, name, *argv):
        with open(f"{self.directory}/{name}.log", "wb") as log:
            self.running[name] = subprocess.Popen([*argv, "--config", self.config], stdout=log, stderr=subprocess.STDOUT,
                                                  env=self.environment(name))

    def key(self, pool, name):
        return f"berth:{{{pool}}}:{name}"

    def state(self, pool):
        rows = self.stores[pool].ask("HGETALL", self.key(pool, "states"))
        return record(rows[1])["state"] if rows else None

    def ask(self, path, port=None):
        line = http.client.HTTPConnection("127.0.0.1", port or self.public, timeout=5)
        line.request("GET", path)
        answer = line.getresponse()
        body = answer.read()
        line.close()
        return answer.status, json.loads(body) if body[:1] == b"{" else body.decode()

    def berth(self, *words):
        return subprocess.run([f"{self.bin}/berth", *words, "--config", self.config], capture_output=True, text=True,
                              env=self.environment("cli"), timeout=60)

    def close(self):
        for _ in range(2):  # the second time: at once
            for process in self.running.values():
                if process.poll() is None:
                    process.terminate()
            time.sleep(0.3)
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for server in self.stores.values():
            server.close()
        shutil.rmtree(self.directory)


def permissions(setup):
    swarm = subprocess.run([f"{setup.bin}/berth-swarm", "--players", "8", "--lb", f"http://127.0.0.1:{setup.public}", "--ramp", "500ms",
                            "--hold", "500ms", "--leave", "500ms"], capture_output=True, text=True, timeout=60)
    if swarm.returncode:
        raise Failed(f"the swarm: {swarm.stdout[-2000:]} {swarm.stderr[-1000:]}")
    for words in (("drain", "game", "gn", "--until", "1s"), ("pause", "game"), ("resume", "game"), ("events", "game"), ("why", "game")):
        ran = setup.berth(*words)
        if ran.returncode:
            raise Failed(f"berth {words}: {ran.stdout} {ran.stderr}")
    ran = setup.berth("doctor", "--json")
    wrong = {c["check"] for c in json.loads(ran.stdout)["checks"] if c["verdict"] != "ok"}
    if wrong - {"persistence", "closings", "wants"}:
        raise Failed(f"the doctor: {ran.stdout}")
    for name, server in setup.stores.items():
        denied = server.ask("ACL", "LOG")
        if denied:
            raise Failed(f"{name}: denied: {denied}")
        users = set(re.findall(r" user=(\S+)", server.ask("CLIENT", "LIST"))) - {"default"}
        named = re.findall(r" user=default .*cmd=(\S+)", server.ask("CLIENT", "LIST"))
        if not users <= set(PROGRAMS.values()) or any(c != "client|list" for c in named):
            raise Failed(f"{name}: {server.ask('CLIENT', 'LIST')}")
        wrong = [k for k in server.ask("KEYS", "*") if not k.startswith(f"berth:{{{name}}}:")]
        if wrong:
            raise Failed(f"keys of another pool in the Redis of {name}: {wrong}")


def no_memory(setup):
    """The Redis of the lobby answers and cannot write, for longer than lost_after."""
    lobby, began = setup.stores["lobby"], now_ms()
    wait("gn is ready again", lambda: setup.state("game") == "ready", 20)
    lobby.ask("CONFIG", "SET", "maxmemory", "1")
    broken = now_ms()
    wait("the balancer says so", lambda: setup.ask("/v1/pools", setup.admin)[1]["redis_up"] is False, 5, 0.01)
    noticed = now_ms() - broken
    if noticed > 2000:
        raise Failed(f"noticed only after {noticed:.0f} ms")
    for i in range(20):  # the other pool, with rooms that are new
        status, body = setup.ask(f"/v1/pools/game/endpoint?room=during-{i}&player=p{i}")
        if status != 200:
            raise Failed(f"the pool game is not served: {status} {body}")
        time.sleep(0.2)
    status, body = setup.ask("/v1/pools/lobby/endpoint?player=late")
    if status != 200:
        raise Failed(f"the lobby is not answered for from memory: {status} {body}")
    lobby.ask("CONFIG", "SET", "maxmemory", "0")
    wait("it is back", lambda: setup.ask("/v1/pools", setup.admin)[1]["redis_up"] is True, 5, 0.01)
    time.sleep(1.5)
    events = lobby.ask("XRANGE", setup.key("lobby", "events"), "-", "+")
    lost = [f for _, f in events if any("to=lost" in text for text in f)]
    if lost or setup.state("lobby") != "ready":
        raise Failed(f"after {now_ms() - began:.0f} ms: {setup.state('lobby')} {lost}")
    return noticed


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    setup = Setup(options.parse_args().build)
    try:
        setup.open()
        permissions(setup)
        noticed = no_memory(setup)
    except Exception:
        for name in setup.running:
            with open(f"{setup.directory}/{name}.log", errors="replace") as f:
                print(f"---- {name}\n{f.read()[-2500:]}", file=sys.stderr)
        raise
    finally:
        setup.close()
    print(f"redis-setup: passed; no memory noticed after {noticed:.0f} ms")


if __name__ == "__main__":
    main()
