"""bench-endpoint: berth's public port beside nginx `return 200` with a body of the same length.

One core for the server, another for the load (tests/bench/http_load.c). CPU time is the scheduler's (schedstat), in ns.

berth is one berth-lb with a private redis-server, 20 nodes that report each second (tests/bench/bench_nodes.c) and tickets on; the
2015 way is Node.js http that asks Redis with ioredis for each request (tests/bench/node_redis.js).

  --rounds N  --seconds S  --no-idle  --no-node
  --server fixed   in berth-lb's place tests/bench/http_fixed.c, which is io/web.h with a fixed body of 250 bytes
"""
import random
import argparse
import collections
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BODY = 250
SECRET = "bench-bench-bench-bench-bench-bench"
PATH = "/v1/pools/lobby/endpoint"


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


def wait_port(port, process):
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"bench-endpoint: the server ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"bench-endpoint: nothing listens on port {port}")


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0])


class Server:
    def __init__(self, name, argv, port, path, core, secret=None):
        self.name, self.port, self.path, self.secret = name, port, path, secret
        self.picks = collections.Counter()
        self.verified = 0
        self.process = subprocess.Popen(["taskset", "-c", str(core), *argv])
        wait_port(port, self.process)


def nginx(build, tmp, core, body):
    port = free_port()
    conf = os.path.join(tmp, "nginx.conf")
    with open(conf, "w") as f:
        f.write(f"""daemon off; master_process off; pid {tmp}/nginx.pid; error_log stderr error; worker_rlimit_nofile 20000;
events {{ worker_connections 19000; use epoll; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;
  client_body_temp_path {tmp}/b; proxy_temp_path {tmp}/p; fastcgi_temp_path {tmp}/f; uwsgi_temp_path {tmp}/u; scgi_temp_path {tmp}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ add_header Cache-Control no-store; return 200 '{body}'; }} }}
}}
""")
    return Server("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-p", tmp, "-c", conf], port, PATH, core)


def redis(tmp, *options):
    port = free_port()
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmp,
            "--logfile", f"{tmp}/redis.log", *options]
    process = subprocess.Popen(argv)
    wait_port(port, process)
    return process, port


def berth(build, tmp, core, redis_port, pool="lobby"):
    port, admin = free_port(), free_port()
    with open(f"{tmp}/berth.yaml", "w") as f:
        f.write(f"""redis: {{host: 127.0.0.1, port: {redis_port}}}
log: {{level: warn}}
tickets:
  mode: required
  keys:
    - {{kid: k1, secret: {SECRET}}}
pools:
  {pool}: {{slow_start: 0s, player_rate: 0, ticket_ttl: 45s, probe: {{kind: none}}}}
lb:
  peers:
    lb-a: {{public: "127.0.0.1:{port}", admin: "127.0.0.1:{admin}", owns: [{pool}]}}
""")
    argv = [f"{build}/bin/berth-lb", "--name", "lb-a", "--config", f"{tmp}/berth.yaml"]
    return Server("berth", argv, port, PATH.replace("lobby", pool), core, SECRET)


def nodes(build, redis_port, server, pool="lobby"):
    process = subprocess.Popen([f"{build}/bench/bench_nodes", str(redis_port), pool, "20", "10000000"])
    seen, length = set(), 0
    for _ in range(1200):
        time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", server.port), 5) as s:
            s.sendall(f"GET {server.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := s.recv(65536):
                answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " in head:
            seen.add(json.loads(body)["node"])
            server.picks[json.loads(body)["node"]] += 1
            length = len(body)
            if len(seen) == 20:
                return process, length
    process.terminate()
    sys.exit(f"bench-endpoint: after a minute only {len(seen)} of 20 nodes were handed out")


def node_redis(tmp, core, redis_port, length):
    directory = os.path.abspath("build/bench-node")
    os.makedirs(directory, exist_ok=True)
    if not os.path.isdir(f"{directory}/node_modules/ioredis"):
        if subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", directory, "ioredis"]).returncode:
            return None
    port = free_port()
    os.environ["NODE_PATH"] = f"{directory}/node_modules"
    return Server("node", ["node", "tests/bench/node_redis.js", str(port), str(redis_port), str(length)], port, PATH, core)


def fixed(build, tmp, core, body):
    port = free_port()
    argv = [f"{build}/bench/http_fixed", str(port), str(len(body))]
    return Server("berth", argv, port, PATH, core)


def measure(build, server, core, connections, seconds, idle=0):
    argv = ["taskset", "-c", str(core), f"{build}/bench/http_load", "127.0.0.1", str(server.port), server.path,
            str(connections), str(seconds), str(idle)] + ([server.secret] if server.secret else [])
    load = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    if load.stdout.readline() != "measuring\n":
        sys.exit("bench-endpoint: the load generator did not begin")
    before = cpu_ns(server.process.pid)
    line = load.stdout.readline()
    used = cpu_ns(server.process.pid) - before
    while line.startswith("node "):
        _, node, count = line.split()
        server.picks[node] += int(count)
        line = load.stdout.readline()
    if load.wait() != 0:
        sys.exit(f"bench-endpoint: {server.name}: wrong answers: {line}")
    got = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", line)}
    server.verified += int(got["verified"])
    got["cpu_us"] = used / 1000 / got["requests"]
    return got


def compare(build, peers, cores, connections, options):
    """Both servers in each round, in alternating order. A ratio is the median over the rounds of the ratios of
    neighbours in time: what else the machine does changes from second to second, and meets both of a round."""
    rounds = {p.name: [] for p in peers}
    for n in range(options.rounds):
        for p in peers if n % 2 == 0 else reversed(peers):
            rounds[p.name].append(measure(build, p, cores[1], connections, options.seconds))
    middle = {}
    for name, got in rounds.items():
        m = middle[name] = {k: statistics.median(g[k] for g in got) for k in ("rate", "cpu_us", "p50_us", "p99_us")}
        print(f"  c={connections:<4} {name:<6} {m['rate']:>8.0f}/s  {m['cpu_us']:.2f} us CPU  p50 {m['p50_us']:.0f}  p99 {m['p99_us']:.0f} us")
    pairs = list(zip(rounds["berth"], rounds["nginx"]))

    def ratio(of):
        return statistics.median(of(b, n) for b, n in pairs)

    return (middle["berth"]["rate"], middle["nginx"]["rate"], ratio(lambda b, n: b["rate"] / n["rate"]),
            ratio(lambda b, n: b["p99_us"] / n["p99_us"]), ratio(lambda b, n: n["cpu_us"] / b["cpu_us"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--server", choices=["lb", "fixed"], default="lb")
    parser.add_argument("--no-idle", action="store_true")
    parser.add_argument("--no-node", action="store_true")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0))
    cores = (cores[0], cores[-1])
    tmp = tempfile.mkdtemp(prefix="berth-bench-")
    running = []
    try:
        run(options, tmp, cores, running)
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(20)
        shutil.rmtree(tmp)


def run(options, tmp, cores, running):
    build, length, redis_port = options.build, BODY, 0
    if options.server == "lb":
        process, redis_port = redis(tmp)
        running.append(process)
        ours = berth(build, tmp, cores[0], redis_port)
        running.append(ours.process)
        process, length = nodes(build, redis_port, ours)
        running.append(process)
    else:
        ours = fixed(build, tmp, cores[0], "x" * length)
        running.append(ours.process)
    static = nginx(build, tmp, cores[0], "x" * length)
    running.append(static.process)
    print(f"  body {length} bytes, server on core {cores[0]}, load on core {cores[1]}, medians of {options.rounds} rounds of {options.seconds} s")

    if options.server == "lb": # while no ticket has expired, the sums of all picks must be even
        measure(build, ours, cores[1], 64, 3)
        spread = max(ours.picks.values()) - min(ours.picks.values())
        print(f"  {sum(ours.picks.values())} picks on {len(ours.picks)} nodes, max - min = {spread}")
        if spread > 1 or len(ours.picks) != 20:
            sys.exit("bench-endpoint: the picks are not even")
    few = compare(build, [ours, static], cores, 64, options)
    many = compare(build, [ours, static], cores, 512, options)
    idle_ratio = node_ratio = float("nan")
    if not options.no_idle:
        alone, beside = [], []
        for _ in range(options.rounds // 2 + 1):
            alone.append(measure(build, ours, cores[1], 64, options.seconds))
            beside.append(measure(build, ours, cores[1], 64, options.seconds, 10000))
        idle_ratio = statistics.median(b["rate"] / a["rate"] for a, b in zip(alone, beside))
        print("  beside 10,000 idle connections: %.2f us CPU, without: %.2f"
              % (statistics.median(g["cpu_us"] for g in beside), statistics.median(g["cpu_us"] for g in alone)))
    if not options.no_node and options.server == "lb":
        node = node_redis(tmp, cores[0], redis_port, length)
        if node:
            running.append(node.process)
            got = [(measure(build, ours, cores[1], 64, options.seconds), measure(build, node, cores[1], 64, options.seconds))
                   for _ in range(options.rounds // 2 + 1)]
            print("  c=64   node   %8.0f/s  %.2f us CPU (its own; Redis's comes on top)"
                  % (statistics.median(n["rate"] for _, n in got), statistics.median(n["cpu_us"] for _, n in got)))
            node_ratio = statistics.median(b["rate"] / n["rate"] for b, n in got)
    if options.server == "lb":
        print(f"  {sum(ours.picks.values())} answers, {ours.verified} tickets verified")
    print("bench-endpoint: c=64 berth=%.0f nginx=%.0f ratio=%.2f p99_ratio=%.2f cpu_ratio=%.2f | "
          "c=512 berth=%.0f nginx=%.0f ratio512=%.2f p99_ratio512=%.2f cpu_ratio512=%.2f | idle10k_ratio=%.2f node_redis_ratio=%.2f"
          % (*few, *many, idle_ratio, node_ratio))


if __name__ == "__main__":
    main()
