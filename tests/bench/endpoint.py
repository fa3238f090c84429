"""bench-endpoint: berth's public port beside nginx `return 200` with a body of the same length.

One core for the server, another for the load (tests/bench/http_load.c). Each round measures both servers, in turn, so that
whatever else the machine does meets both; medians over the rounds count. CPU time is the scheduler's (schedstat), in ns.

  --rounds N  --seconds S  --server fixed|...  what stands on berth's side: http_fixed is io/web.h with a fixed body
"""
import argparse
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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
    def __init__(self, name, argv, port, path, core):
        self.name, self.port, self.path = name, port, path
        self.process = subprocess.Popen(["taskset", "-c", str(core), *argv])
        wait_port(port, self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def nginx(build, tmp, core, body):
    port = free_port()
    conf = os.path.join(tmp, "nginx.conf")
    with open(conf, "w") as f:
        f.write(f"""daemon off; master_process off; pid {tmp}/nginx.pid; error_log stderr error; worker_rlimit_nofile 20000;
events {{ worker_connections 19000; use epoll; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/json;
  client_body_temp_path {tmp}/b; proxy_temp_path {tmp}/p; fastcgi_temp_path {tmp}/f; uwsgi_temp_path {tmp}/u; scgi_temp_path {tmp}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096 reuseport; location / {{ add_header Cache-Control no-store; return 200 '{body}'; }} }}
}}
""")
    return Server("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-p", tmp, "-c", conf], port, "/v1/pools/lobby/endpoint", core)


def fixed(build, tmp, core, body):
    port = free_port()
    argv = [f"{build}/bench/http_fixed", str(port), str(len(body))]
    return Server("berth", argv, port, "/v1/pools/lobby/endpoint", core)


def measure(build, server, core, connections, seconds, idle=0):
    argv = ["taskset", "-c", str(core), f"{build}/bench/http_load", "127.0.0.1", str(server.port), server.path,
            str(connections), str(seconds), str(idle)]
    load = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    if load.stdout.readline() != "measuring\n":
        sys.exit("bench-endpoint: the load generator did not begin")
    before = cpu_ns(server.process.pid)
    line = load.stdout.readline()
    used = cpu_ns(server.process.pid) - before
    if load.wait() != 0:
        sys.exit(f"bench-endpoint: {server.name}: wrong answers: {line}")
    got = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", line)}
    got["cpu_us"] = used / 1000 / got["requests"]
    return got


def compare(build, peers, cores, connections, options):
    rounds = {p.name: [] for p in peers}
    for n in range(options.rounds):
        for p in peers if n % 2 == 0 else reversed(peers):
            rounds[p.name].append(measure(build, p, cores[1], connections, options.seconds))
    middle = {}
    for name, got in rounds.items():
        middle[name] = {k: statistics.median(g[k] for g in got) for k in ("rate", "cpu_us", "p50_us", "p99_us")}
        m = middle[name]
        print(f"  c={connections:<4} {name:<6} {m['rate']:>8.0f}/s  {m['cpu_us']:.2f} us CPU  p50 {m['p50_us']:.0f}  p99 {m['p99_us']:.0f} us")
    b, n = middle["berth"], middle["nginx"]
    return b["rate"], n["rate"], b["rate"] / n["rate"], b["p99_us"] / n["p99_us"], n["cpu_us"] / b["cpu_us"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--no-idle", action="store_true")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0))
    cores = (cores[0], cores[-1])
    body = "x" * BODY
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as tmp:
        peers = [fixed(options.build, tmp, cores[0], body), nginx(options.build, tmp, cores[0], body)]
        try:
            few = compare(options.build, peers, cores, 64, options)
            many = compare(options.build, peers, cores, 512, options)
            ratio = 0.0
            if not options.no_idle:
                alone, beside = [], []
                for _ in range(options.rounds):
                    alone.append(measure(options.build, peers[0], cores[1], 64, options.seconds))
                    beside.append(measure(options.build, peers[0], cores[1], 64, options.seconds, 10000))
                ratio = statistics.median(g["rate"] for g in beside) / statistics.median(g["rate"] for g in alone)
        finally:
            for p in peers:
                p.stop()
    print("bench-endpoint: c=64 berth=%.0f nginx=%.0f ratio=%.2f p99_ratio=%.2f cpu_ratio=%.2f | "
          "c=512 berth=%.0f nginx=%.0f ratio512=%.2f p99_ratio512=%.2f cpu_ratio512=%.2f | idle10k_ratio=%.2f"
          % (*few, *many, ratio))


main()
