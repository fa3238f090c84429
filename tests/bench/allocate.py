"""bench-allocate: how many matches a second one berth-lb places, and how long a match waits.

POST /v1/pools/game/rooms with 4 players in a room that nobody has asked for before: one node is picked, the room and its
players are claimed by one script in Redis (appendonly, fsync each second, no rewriting meanwhile), 4 tickets are signed. 20 nodes that
report each second (tests/bench/bench_nodes.c); the load is tests/bench/room_load.c on 64 connections. berth-lb is
kept on one core; Redis, the nodes and the load run where the scheduler puts them.

rooms_per_s is the median of the rounds at saturation (closed loop); p99_ms the median of as many rounds at half that rate, open loop:
a match is due each 1/rate s, and its latency counts from then. Every answer is checked, and 1 room in 500 is read back from Redis.

  --rounds N  --seconds S
  --rate R   open loop at this rate instead of half of what was reached
"""
import argparse
import collections
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

from endpoint import SECRET, berth, nodes, redis

POOL = "game"
CONNECTIONS = 64


def sched_us(pid):
    """CPU time, and time ready to run without a core, in microseconds."""
    with open(f"/proc/{pid}/schedstat") as f:
        return [int(field) / 1000 for field in f.read().split()[:2]]


class Resp:
    """Just enough of a Redis client to read keys back."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.file = self.socket.makefile("rb")

    def get(self, key):
        self.socket.sendall(f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode())
        head = self.file.readline().decode().strip()
        if head[0] != "$":
            sys.exit(f"bench-allocate: GET {key}: {head}")
        return None if head == "$-1" else self.file.read(int(head[1:]) + 2)[:-2].decode()


def read_back(client, room, node):
    record = client.get(f"berth:{{{POOL}}}:room:{room}")
    if record is None or f"node={node} " not in record:
        sys.exit(f"bench-allocate: room {room} was placed on {node}, Redis says {record}")
    tag, number = room.rsplit("-", 1)
    for i in range(4):
        at = client.get(f"berth:{{{POOL}}}:player:{tag}-p{number}-{i}")
        if at != room:
            sys.exit(f"bench-allocate: player {i} of {room} is in {at}")


class Bench:
    def __init__(self, options, server, store, store_port):
        self.options, self.server, self.store = options, server, store
        self.client = Resp(store_port)
        self.runs = self.rooms = self.samples = self.verified = 0
        self.nodes = collections.Counter()

    def run(self, rate):
        self.runs += 1
        argv = [f"{self.options.build}/bench/room_load", str(self.server.port), POOL, f"b{self.runs}",
                str(CONNECTIONS), str(self.options.seconds), str(rate), SECRET]
        load = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        if load.stdout.readline() != "measuring\n":
            sys.exit("bench-allocate: the load generator did not begin")
        before = sched_us(self.server.process.pid) + sched_us(self.store.pid)
        lines = load.stdout.read().splitlines()
        after = sched_us(self.server.process.pid) + sched_us(self.store.pid)
        if load.wait() != 0:
            sys.exit(f"bench-allocate: wrong answers: {lines[-1] if lines else ''}")
        got = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", lines[-1])}
        for line in lines[:-1]:
            kind, name, value = line.split()
            if kind == "room":
                read_back(self.client, name, value)
                self.samples += 1
            else:
                self.nodes[name] += int(value)
        self.rooms += int(got["rooms"])
        self.verified += int(got["verified"])
        measured = got["rate"] * self.options.seconds
        print("  %-11s %6.0f rooms/s  p50 %5.2f  p90 %5.2f  p99 %5.2f  max %5.1f ms  CPU a room (and waiting for a core): "
              "berth-lb %.1f (%.0f), Redis %.1f (%.0f), load %.1f us"
              % (f"at {rate:.0f}/s" if rate else "saturated", got["rate"], *(got[f"{q}_us"] / 1000 for q in ("p50", "p90", "p99", "max")),
                 *((b - a) / measured for a, b in zip(before, after)), got["cpu_us"] / measured))
        return got


def run(options, tmp, core, running):
    store, store_port = redis(tmp, "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    running.append(store)
    server = berth(options.build, tmp, core, store_port, POOL)
    running.append(server.process)
    reporting, _ = nodes(options.build, store_port, server, POOL)
    running.append(reporting)
    bench = Bench(options, server, store, store_port)
    full = [bench.run(0) for _ in range(options.rounds)]
    rate = statistics.median(g["rate"] for g in full)
    half = [bench.run(options.rate or int(rate / 2)) for _ in range(options.rounds)]
    p99 = statistics.median(g["p99_us"] for g in half) / 1000
    spread = max(bench.nodes.values()) - min(bench.nodes.values())
    print(f"  {bench.rooms} rooms on {len(bench.nodes)} nodes, max - min = {spread}; {bench.samples} rooms read back; "
          f"{bench.verified} tickets verified")
    if len(bench.nodes) != 20 or bench.samples == 0 or bench.verified == 0:
        sys.exit("bench-allocate: not every node was used")
    print(f"bench-allocate: rooms_per_s={rate:.0f} p99_ms={p99:.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rate", type=int)
    options = parser.parse_args()
    tmp = tempfile.mkdtemp(prefix="berth-bench-")
    running = []
    try:
        run(options, tmp, min(os.sched_getaffinity(0)), running)
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(20)
        shutil.rmtree(tmp)


main()
