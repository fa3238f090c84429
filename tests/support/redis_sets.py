"""redis_sets.py - real Redis installations for tests and benchmarks: one primary with replicas and sentinels, or a cluster.

Everything lives in a private directory, listens on free ports of 127.0.0.1, and is ended by its pid. `config()` gives the section
`redis` of berth.yaml. To look at one by hand:  redis_sets.py sentinel|cluster  prints the section and waits for Ctrl-C.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fleet import Failed, Redis, free_port, listens, now_ms, wait  # noqa: E402


class Server:
    """A redis-server (or, with sentinel=True, a sentinel). args: more of its command line."""

    def __init__(self, directory, name, *args, sentinel=False, port=None):
        self.directory, self.name, self.port = f"{directory}/{name}", name, port or free_port()
        self.args, self.sentinel, self.process = args, sentinel, None
        os.makedirs(self.directory, exist_ok=True)

    def start(self):
        argv = ["redis-server"]
        if self.sentinel:
            argv += [f"{self.directory}/sentinel.conf", "--sentinel"]
        else:
            argv += ["--save", "", "--appendonly", "no"]
        argv += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory, *self.args]
        with open(f"{self.directory}/log", "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
        return self

    def up(self):
        """Returns once it answers."""
        wait(f"{self.name} listens", lambda: listens(self.port) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended: {self.log()}")
        return self

    def ask(self, *words, limit_s=10):
        client = Redis(self.port, limit_s=limit_s)
        try:
            return client.ask(*words)
        finally:
            client.close()

    def role(self):
        """master or slave; None when it does not answer."""
        try:
            return self.ask("ROLE", limit_s=0.3)[0]
        except (OSError, Failed, IndexError):
            return None

    def log(self):
        with open(f"{self.directory}/log", errors="replace") as f:
            return f.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process and self.process.poll() is None:
            self.resume()
            self.kill()


class Client:
    """Asks whoever is right for the key now, for up to ten seconds. find: the server for a key."""

    def __init__(self, find):
        self.find, self.lines = find, {}

    def once(self, words):
        server = self.find(words[1] if len(words) > 1 else "")
        if not server:
            raise Failed("nobody serves it")
        try:
            if server.port not in self.lines:
                self.lines[server.port] = Redis(server.port, limit_s=1)
            return self.lines[server.port].ask(*words)
        except (OSError, IndexError):
            self.lines.pop(server.port, None)
            raise

    def ask(self, *words):
        until = now_ms() + 10000
        while True:
            try:
                return self.once(words)
            except (OSError, IndexError, Failed):
                if now_ms() > until:
                    raise

    hash = Redis.hash


class Set:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="berth-redis-")
        self.servers = []

    def close(self):
        for server in self.servers:
            server.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class Sentinels(Set):
    """A primary, replicas and sentinels that watch it under the name `name`."""

    def __init__(self, replicas=1, sentinels=3, down_after_ms=500, name="berth", args=()):
        super().__init__()
        self.name, self.down_after_ms = name, down_after_ms
        first = Server(self.directory, "redis-0", "--repl-diskless-sync-delay", "0", *args)
        self.data = [first]
        for i in range(replicas):
            self.data.append(Server(self.directory, f"redis-{i + 1}", "--replicaof", f"127.0.0.1 {first.port}",
                                    "--repl-diskless-sync-delay", "0", *args))
        self.sentinels = [Server(self.directory, f"sentinel-{i}", sentinel=True) for i in range(sentinels)]
        self.servers = self.data + self.sentinels

    def open(self):
        for server in self.data:
            server.start()
        for server in self.data:
            server.up()
        wait("the replicas follow", lambda: all(r.ask("ROLE")[3] == "connected" for r in self.data[1:]))
        for server in self.sentinels:
            with open(f"{server.directory}/sentinel.conf", "w") as f:
                f.write(f"sentinel monitor {self.name} 127.0.0.1 {self.data[0].port} {len(self.sentinels) // 2 + 1}\n"
                        f"sentinel down-after-milliseconds {self.name} {self.down_after_ms}\n"
                        f"sentinel failover-timeout {self.name} 4000\n")
            server.start()
        for server in self.sentinels:
            server.up()
        wait("the sentinels know each other and the replicas", self.settled)
        return self

    def settled(self):
        for server in self.sentinels:
            row = server.ask("SENTINEL", "MASTER", self.name)
            row = dict(zip(row[::2], row[1::2]))
            if row["num-other-sentinels"] != str(len(self.sentinels) - 1) or row["num-slaves"] != str(len(self.data) - 1):
                return False
        return True

    def config(self):
        return {"sentinels": [f"127.0.0.1:{s.port}" for s in self.sentinels], "master": self.name}

    def client(self):
        return Client(lambda key: self.primary())

    def primary(self):
        """The server that a majority of sentinels name and that says so itself; None while there is none."""
        votes = {}
        for server in self.sentinels:
            try:
                if server.process.poll() is not None:
                    continue
                port = int(server.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)[1])
                votes[port] = votes.get(port, 0) + 1
            except (OSError, Failed):
                pass
        for server in self.data:
            if votes.get(server.port, 0) > len(self.sentinels) // 2 and server.role() == "master":
                return server
        return None

    def failed_over(self, old, since_ms, limit_s=15):
        """Waits until another server than `old` is primary; ms since since_ms."""
        wait("another primary", lambda: (p := self.primary()) and p is not old, limit_s, 0.005)
        return now_ms() - since_ms


def slot_of(key):
    """CRC16 (XMODEM) of the hash tag, modulo 16384."""
    begin, end = key.find("{"), key.find("}")
    if 0 <= begin < end - 1:
        key = key[begin + 1:end]
    crc = 0
    for byte in key.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    return crc % 16384


class Cluster(Set):
    """primaries with equal shares of the slots, each with so many replicas."""

    def __init__(self, primaries=3, replicas=0, node_timeout_ms=1000, args=()):
        super().__init__()
        self.primaries = []
        for i in range(primaries * (replicas + 1)):
            self.servers.append(Server(self.directory, f"redis-{i}", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                                       "--cluster-node-timeout", str(node_timeout_ms), "--cluster-port", str(free_port()),
                                       "--repl-diskless-sync-delay", "0", *args))
        self.count = primaries

    def open(self):
        for server in self.servers:
            server.start()
        for i, server in enumerate(self.servers):
            server.up()
            server.id = server.ask("CLUSTER", "MYID")
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", str(i + 1))
        first = self.servers[0]
        for server in self.servers[1:]:
            first.ask("CLUSTER", "MEET", "127.0.0.1", str(server.port), server.args[server.args.index("--cluster-port") + 1])
        for i, server in enumerate(self.servers[:self.count]):
            server.ask("CLUSTER", "ADDSLOTSRANGE", str(16384 * i // self.count), str(16384 * (i + 1) // self.count - 1))
        wait("all know each other", lambda: all(len(s.ask("CLUSTER", "NODES").splitlines()) == len(self.servers) for s in self.servers))
        for i, server in enumerate(self.servers[self.count:]):
            server.ask("CLUSTER", "REPLICATE", self.servers[i % self.count].id)
        wait("the cluster is whole", lambda: all(self.state(s) == "ok" for s in self.servers))
        wait("the replicas follow", lambda: all(s.ask("ROLE")[3] == "connected" for s in self.servers[self.count:]))
        return self

    @staticmethod
    def state(server):
        info = dict(line.split(":", 1) for line in server.ask("CLUSTER", "INFO").splitlines() if ":" in line)
        return info["cluster_state"]

    def config(self):
        return {"cluster": [f"127.0.0.1:{s.port}" for s in self.servers]}

    def client(self):
        return Client(self.owner)

    def live(self):
        return [s for s in self.servers if s.process.poll() is None]

    def owner(self, key, asked=None):
        """The server that says itself that it owns the key's slot."""
        slot = slot_of(key)
        for server in [asked] if asked else self.live():
            try:
                rows = server.ask("CLUSTER", "SLOTS", limit_s=0.3)
            except (OSError, Failed):
                continue
            for row in rows:
                if row[0] <= slot <= row[1]:
                    for other in self.live():
                        if other.port == row[2][1] and other.role() == "master":
                            return other
        return None

    def move_slot(self, slot, to, pause_s=0.0):
        """As `redis-cli --cluster reshard` does it: key by key, while others go on."""
        source = next(s for s in self.live() if s.role() == "master" and any(
            row[0] <= slot <= row[1] and row[2][2] == s.id for row in s.ask("CLUSTER", "SLOTS")))
        if source is to:
            return source
        to.ask("CLUSTER", "SETSLOT", str(slot), "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", str(slot), "MIGRATING", to.id)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", str(slot), "1"):
            source.ask("MIGRATE", "127.0.0.1", str(to.port), "", "0", "5000", "KEYS", *keys)
            if pause_s:
                wait("a pause", lambda at=now_ms(): now_ms() - at > pause_s * 1000, each_s=0.001)
        for server in [to, source] + [s for s in self.live() if s not in (to, source) and s.role() == "master"]:
            server.ask("CLUSTER", "SETSLOT", str(slot), "NODE", to.id)
        return source

    def failed_over(self, old, key, since_ms, limit_s=20):
        wait("another owner", lambda: (o := self.owner(key)) and o is not old, limit_s, 0.005)
        return now_ms() - since_ms


def main():
    kinds = {"sentinel": Sentinels, "cluster": lambda: Cluster(3, 1)}
    if len(sys.argv) != 2 or sys.argv[1] not in kinds:
        sys.exit("usage: redis_sets.py sentinel|cluster")
    made = kinds[sys.argv[1]]()
    try:
        made.open()
        print(f"redis: {made.config()}   # {made.directory}", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        made.close()


if __name__ == "__main__":
    main()
