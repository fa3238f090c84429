"""partition: cables are pulled between two balancers, their Redis and their nodes, in network namespaces of this test's own.

Redis and the nodes live in one namespace, each balancer in one of its own. A cable is cut by a route that leads nowhere: what was
connected hears nothing any more, as when a switch dies. Clients ask both balancers all the time.

  redis      lb-a cannot reach Redis: lb-b takes its pool over though their link stands; both go on answering; it goes back
  link       the balancers cannot reach each other: nobody takes anything
  node       lb-a cannot reach a node that reports: lb-b can, so it stays; when neither can, it is lost, and comes back
  alone      lb-a reaches nobody: lb-b takes its pool over
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from fleet import SECRET, Failed, Redis, now_ms, record, wait  # noqa: E402
from pair import Client  # noqa: E402

TAKEOVER_MS = 1500
HUB, A, B, NODES = "1", "2", "3", ("11", "12", "13")


class Net:
    """Namespaces hub, a and b, and a bridge in hub. Everything is gone when they are."""

    def __init__(self):
        self.tag, self.subnet = f"bt{os.getpid()}", f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.names = {n: f"{self.tag}{n}" for n in ("hub", "a", "b")}

    def address(self, host):
        return f"{self.subnet}.{host}"

    def open(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
            self.ip(name, "link set lo up")
        hub = self.names["hub"]
        self.ip(hub, "link add br0 type bridge")
        self.ip(hub, "link set br0 up")
        for host in (HUB, *NODES):
            self.ip(hub, f"addr add {self.address(host)}/24 dev br0")
        for letter, host in (("a", A), ("b", B)):
            name = self.names[letter]
            self.ip(hub, f"link add v{letter} type veth peer name eth0 netns {name}")
            self.ip(hub, f"link set v{letter} master br0 up")
            self.ip(name, f"addr add {self.address(host)}/24 dev eth0")
            self.ip(name, "link set eth0 up")

    def close(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)

    @staticmethod
    def ip(name, words):
        subprocess.run(["ip", "-n", name, *words.split()], check=True)

    def cut(self, letter, *hosts, heal=False):
        for host in hosts:
            self.ip(self.names[letter], f"route {'del' if heal else 'add'} blackhole {self.address(host)}/32")


class Test:
    def __init__(self, build, net):
        self.bin, self.net = os.path.abspath(f"{build}/bin"), net
        self.directory, self.running = tempfile.mkdtemp(prefix="berth-partition-"), []
        self.config = f"{self.directory}/berth.yaml"
        pool = {"slow_start": "0s", "player_rate": 0, "capacity": 5000, "report_interval": "200ms", "lost_after": "1s",
                "probe": {"interval": "1s", "joining_interval": "200ms", "timeout": "500ms"}}
        peers = {f"lb-{letter}": {"public": f"{net.address(host)}:8080", "admin": f"{net.address(host)}:8081", "owns": [pool_name]}
                 for letter, host, pool_name in (("a", A, "lobby"), ("b", B, "game"))}
        with open(self.config, "w") as f:
            json.dump({"redis": {"host": net.address(HUB), "port": 6379}, "tickets": {"keys": [{"kid": "k1", "secret": SECRET}]},
                       "pools": {"lobby": pool, "game": pool}, "lb": {"failback_after": "500ms", "peers": peers}}, f, indent=1)

    def start(self, where, name, *argv):
        with open(f"{self.directory}/{name}.log", "wb") as log:
            self.running.append(subprocess.Popen(["ip", "netns", "exec", self.net.names[where], *argv], stdout=log, stderr=subprocess.STDOUT))

    def open(self):
        self.start("hub", "redis", "redis-server", "--port", "6379", "--bind", self.net.address(HUB), "--protected-mode", "no", "--save", "",
                   "--appendonly", "no", "--dir", self.directory)
        wait("redis answers", self.redis_is_there)
        for letter in "ab":
            self.start(letter, f"lb-{letter}", f"{self.bin}/berth-lb", "--config", self.config, "--name", f"lb-{letter}")
        for i, host in enumerate(NODES):
            self.start("hub", f"n-{i}", f"{self.bin}/berth-gamenode", "--config", self.config, "--pool", "lobby", "--name", f"n-{i}",
                       "--listen", f"{self.net.address(host)}:9100")
        wait("all is well", lambda: self.states() == ["ready"] * 3 and self.owner("lobby") == "lb-a" and self.owner("game") == "lb-b")

    def redis_is_there(self):
        try:
            self.redis = Redis(6379, self.net.address(HUB))
            return True
        except OSError:
            return False

    def close(self):
        for process in self.running[::-1]:
            process.terminate()
        for process in self.running[::-1]:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def owner(self, pool):
        return (self.redis.ask("GET", f"berth:{{{pool}}}:owner") or "-").split()[0]

    def states(self):
        return sorted(record(t)["state"] for t in self.redis.hash("berth:{lobby}:states").values())

    def events(self):
        return [(row[1][1], row[1][3], record(row[1][5])) for row in self.redis.ask("XRANGE", "berth:{lobby}:events", "-", "+")]

    def has(self, kind, name="", **detail):
        return any(k == kind and (not name or n == name) and all(d.get(x) == v for x, v in detail.items()) for k, n, d in self.events())

    def takes_over(self, cut):
        began = now_ms()
        cut()
        wait("lb-b owns lobby", lambda: self.owner("lobby") == "lb-b", 10, 0.002)
        took = now_ms() - began
        if took > TAKEOVER_MS:
            raise Failed(f"lb-b needed {took:.0f} ms")
        return took

    def goes_back(self):
        wait("lb-a owns lobby again", lambda: self.owner("lobby") == "lb-a", 20)


def run(test, net):
    time.sleep(1.5)  # past the hold of the first read
    said = {}
    said["redis_ms"] = test.takes_over(lambda: net.cut("a", HUB))
    time.sleep(1.5)
    net.cut("a", HUB, heal=True)
    test.goes_back()
    tokens = [test.redis.ask("GET", f"berth:{{{p}}}:owner") for p in ("lobby", "game")]
    net.cut("a", B)
    wait("they miss each other", lambda: test.has("peer", up="0", seen_by="lb-b"), 5)
    time.sleep(1.5)
    net.cut("a", B, heal=True)
    if tokens != [test.redis.ask("GET", f"berth:{{{p}}}:owner") for p in ("lobby", "game")]:
        raise Failed("a cut link moved a pool")
    wait("they hear each other again", lambda: [d for k, _, d in test.events() if k == "peer"][-1]["up"] == "1", 10)
    net.cut("a", NODES[0])
    wait("lb-b says that it reaches the node", lambda: test.has("probe_disputed", "n-0"), 15)
    time.sleep(1)
    if test.states() != ["ready"] * 3:
        raise Failed(f"a node was lost on one balancer's word: {test.states()}")
    net.cut("b", NODES[0])
    wait("neither reaches it: it is lost, though it reports", lambda: test.has("state", "n-0", to="lost", why="probe_failed"), 15)
    net.cut("a", NODES[0], heal=True)
    net.cut("b", NODES[0], heal=True)
    wait("it is back", lambda: test.states() == ["ready"] * 3, 15)
    said["alone_ms"] = test.takes_over(lambda: net.cut("a", HUB, B, *NODES))
    return said


def inside(build, tag):
    """In the namespace hub already."""
    net = Net()
    net.tag, net.subnet = tag.split(",")
    net.names = {n: f"{net.tag}{n}" for n in ("hub", "a", "b")}
    test = Test(build, net)
    ends = [f"{net.address(h)}:8080" for h in (A, B)]
    clients = [Client(ends[i:] + ends[:i], "/v1/pools/lobby/endpoint") for i in range(2)]
    try:
        test.open()
        for c in clients:
            c.start()
        said = run(test, net)
        for c in clients:
            c.end()
        fences = [int(d["fence"]) for k, _, d in test.events() if k == "state" and d.get("by")]
        asked, failed = sum(c.asked for c in clients), sum(len(c.failed) for c in clients)
        if failed or fences != sorted(fences):
            raise Failed(f"{failed} of {asked} requests failed; fences {fences}")
    except Exception:
        for name in ("lb-a", "lb-b"):
            with open(f"{test.directory}/{name}.log") as f:
                print(f"---- {name}\n{f.read()[-3500:]}", file=sys.stderr)
        raise
    finally:
        test.close()
    print(f"partition: passed redis_ms={said['redis_ms']:.0f} alone_ms={said['alone_ms']:.0f} requests={asked} failed=0 double_owner=0")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    options.add_argument("--inside", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.inside:
        inside(given.build, given.inside)
        return 0
    net = Net()
    try:
        net.open()
        return subprocess.run(["ip", "netns", "exec", net.names["hub"], sys.executable, __file__, "--build", given.build,
                               "--inside", f"{net.tag},{net.subnet}"], check=False).returncode
    finally:
        net.close()


if __name__ == "__main__":
    sys.exit(main())
