"""doctor: `berth doctor` is content with a whole installation (a primary, two replicas, three sentinels, a balancer, an autoscaler, two
nodes), names each of the things that are broken in it one after the other, and is content again. Exit codes 0, 1, 2."""
import argparse
import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from fleet import Failed, Fleet, free_port, now_ms, wait  # noqa: E402
from redis_sets import Sentinels  # noqa: E402

SIZE = 2
DAY_MS = 24 * 3600 * 1000


class Patient:
    def __init__(self, fleet, store):
        self.fleet, self.store = fleet, store

    def ask(self, *more):
        """Exit code and the answer."""
        ran = subprocess.run([f"{self.fleet.bin}/berth", "doctor", "--json", "--config", self.fleet.config, *more],
                             capture_output=True, text=True, timeout=60)
        if ran.returncode not in (0, 1, 2) or not ran.stdout:
            raise Failed(f"berth doctor ended with {ran.returncode}: {ran.stderr}")
        return ran.returncode, json.loads(ran.stdout)

    def says(self, check, text):
        """Is there such a finding? Several at once are joined by +."""
        code, told = self.ask()
        found = [(c["check"], f["text"]) for c in told["checks"] for f in c["findings"]]
        wanted = list(zip(check.split("+"), text.split("+")))
        if code == 1 and all(any(c == name and re.search(t, f) for name, f in found) for c, t in wanted):
            return True
        self.last = code, [(c["check"], f["text"]) for c in told["checks"] for f in c["findings"]]
        return False

    def healthy(self):
        code, told = self.ask()
        self.last = code, [(c["check"], f["text"]) for c in told["checks"] for f in c["findings"]]
        return code == 0

    def wait(self, what, true, limit_s=10):
        try:
            wait(what, true, limit_s, 0.1)
        except Failed as e:
            raise Failed(f"{e}; the doctor said last: {self.last}") from None

    # ---- what is broken, and mended; each yields (check, text) while it is ----

    def config(self, server, name, value):
        old = server.ask("CONFIG", "GET", name)[1]
        server.ask("CONFIG", "SET", name, value)
        return lambda: server.ask("CONFIG", "SET", name, old)

    def row(self, what, field, change):
        """Change a row of a hash, unseen by who follows the feed."""
        redis, key = self.fleet.redis, self.fleet.key(what)
        old = redis.ask("HGET", key, field)
        redis.ask("HSET", key, field, change(old))
        return lambda: redis.ask("HSET", key, field, old)

    def new_row(self, what, field, text):
        redis, key = self.fleet.redis, self.fleet.key(what)
        redis.ask("HSET", key, field, text)
        return lambda: redis.ask("HDEL", key, field)

    def key(self, name):
        self.fleet.redis.ask("SET", self.fleet.key(name), "node=x epoch=1 seats=1 since=1 moved=0")
        return lambda: self.fleet.redis.ask("DEL", self.fleet.key(name))

    def stop(self, process):
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)

    def cases(self):
        """(check, what it says, break it: returns how it is mended)"""
        primary, replica = self.store.primary(), self.store.data[1]
        node, old = self.fleet.ready()[0], str(int(now_ms()) - 2 * DAY_MS)
        used = int(re.search(r"used_memory:(\d+)", primary.ask("INFO", "memory")).group(1))
        closed = free_port()

        def state(word):
            return lambda text: re.sub(r"since=\d+", f"since={old}", re.sub(r"state=\w+", f"state={word}", text))

        return [
            ("eviction", "allkeys-lru", lambda: self.config(primary, "maxmemory-policy", "allkeys-lru")),
            ("persistence", "keeps nothing on disk", lambda: self.config(primary, "appendonly", "no")),
            ("memory", "MiB", lambda: self.config(primary, "maxmemory", str(used * 11 // 10))),
            ("replication", "cut off from its replicas", lambda: self.config(primary, "min-replicas-to-write", "0")),
            ("writable", "NOREPLICAS", lambda: self.config(primary, "min-replicas-to-write", "9")),
            ("replicas", "writes of its own", lambda: self.config(replica, "replica-read-only", "no")),
            ("replicas", "left out of failovers", lambda: self.config(replica, "replica-priority", "0")),
            ("views", f"{node} is held, it says ready", lambda: self.row("states", node, state("held"))),
            ("closings", f"{node}.*has been closing", lambda: self.row("states", node, state("closing"))),
            ("ticket_keys", "refuse the tickets of balancer lb-a",
             lambda: self.row("nodes", node, lambda t: re.sub(r'"keys":"[^"]*"', '"keys":"k1:0000000000000000"', t))),
            ("reachable", f"{node}.*cannot be connected to",
             lambda: self.row("nodes", node, lambda t: re.sub(r'(ws://[^:]*):\d+', rf'\1:{closed}', t))),
            ("wants", "paused for all", lambda: self.new_row("wants", "*paused|operator", f"want=paused until=0 since={old} why=x")),
            ("growth", "ghost in states", lambda: self.new_row("states", "ghost", f"state=ready since={old} epoch=1 fence=1 why=x")),
            ("lifetimes", "room:endless", lambda: self.key("room:endless")),
            ("unknown_keys", "something-else", lambda: self.key("something-else")),
            ("sentinels", "does not answer", lambda: self.stop(self.store.sentinels[2].process)),
            ("balancers+owners", "lb-a does not answer+Nobody owns pool game", lambda: self.stop(self.fleet.running["lb-a"])),
        ]


def prepare(store):
    for server in store.data:
        server.ask("CONFIG", "SET", "appendonly", "yes")
        server.ask("CONFIG", "SET", "min-replicas-to-write", "1")


def run(patient):
    fleet = patient.fleet
    fleet.open()
    fleet.autoscaler("as-1")
    wait(f"{SIZE} nodes are ready", lambda: len(fleet.ready()) == SIZE)
    patient.wait("the doctor is content", patient.healthy)
    cases = patient.cases()
    for check, text, breaks in cases:
        mend = breaks()
        try:
            patient.wait(f"{check}: {text}", lambda: patient.says(check, text))
        finally:
            mend()
    patient.wait("the doctor is content again", patient.healthy, 20)
    told = fleet.berth("doctor")
    if not told.splitlines()[-1].startswith("doctor: checks=") or "problems=0" not in told:
        raise Failed(f"it ends with {told.splitlines()[-1]}")
    store = patient.store
    one, two = store.sentinels[0], store.data[1].port
    one.ask("SENTINEL", "REMOVE", store.name)
    one.ask("SENTINEL", "MONITOR", store.name, "127.0.0.1", str(two), "2")
    patient.wait("sentinels that disagree", lambda: patient.says("sentinels", "disagree|knows of"))
    nowhere = free_port()
    code, told = patient.ask("--redis.sentinels", f"127.0.0.1:{nowhere}")
    if code != 2:
        raise Failed(f"without Redis the exit code is {code}: {told}")
    return len(cases) + 3


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    store, fleet = Sentinels(replicas=2, down_after_ms=5000), None
    try:
        store.open()
        prepare(store)
        fleet = Fleet(options.parse_args().build, {"min": SIZE, "max": 4, "rules": [{"rule": "min_ready", "ready": SIZE}]}, store=store)
        count = run(Patient(fleet, store))
    except Exception:
        if fleet:
            for name in fleet.running:
                print(f"---- {name}\n{fleet.log(name)[-1500:]}", file=sys.stderr)
        raise
    finally:
        if fleet:
            fleet.close()
        store.close()
    print(f"doctor: passed; {count} things broken and named")


if __name__ == "__main__":
    main()
