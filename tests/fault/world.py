"""world.py - a small installation on hosts of its own: Redis, two balancers, two autoscalers, two lobby and three game nodes; players who
make whole journeys, clients who ask all the time, residents who sit in rooms. What a scenario does, and what must hold, in few words.
"""
import glob
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from fleet import Failed, Player, Redis, listens_at, record, wait
from network import Network, command

SECRET = "fault-fault-fault-fault-fault-fault"
LOBBIES, GAMES, NODES = 2, 3, 14
HOSTS = {"redis": 2, "redis-2": 3, "sentinels": 4, "lb-a": 11, "lb-b": 12, "as-1": 21, "as-2": 22, "swarm": 30,
         **{f"node-{n}": 50 + n for n in range(1, NODES + 1)}}


class Asker(threading.Thread):
    """Clients that ask all the time for a lobby node, and where the rooms of the residents are: ten a second. A client gives a balancer
    a second, then asks the other one; an ask has failed when nobody has answered it with 200 in five seconds."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.over, self.asked, self.failed, self.slowest_ms = world, False, 0, [], 0

    def ask(self, path, good):
        began, at, last = time.monotonic(), self.asked, None
        while time.monotonic() < began + 5:
            try:
                status, body = self.world.get(("lb-a", "lb-b")[at % 2], path, 8080, 1)
                last = status, body.get("detail") or body
                if status == 200 and good(body):
                    self.slowest_ms = max(self.slowest_ms, (time.monotonic() - began) * 1000)
                    return
            except (OSError, http.client.HTTPException, ValueError) as e:
                last = repr(e)
            at += 1
            time.sleep(0.02)
        self.failed.append(f"{path}: {last}")

    def run(self):
        while not self.over:
            residents = self.world.residents
            self.ask("/v1/pools/lobby/endpoint", lambda body: True)
            if residents:
                r = residents[self.asked % len(residents)]
                self.ask(f"/v1/pools/game/endpoint?room=r-{r.name}&player={r.name}",
                         lambda body: body["node"] == r.node or r.node in self.world.ended)
            self.asked += 1
            time.sleep(0.1)


class World:
    def __init__(self, build, directory, players=60, slow=(), sentinel=False, redis_args=(), games=GAMES, game=None, limits=None,
                 node_limit=0, clocks=None, log_disk=None, lb=None, provider="local"):
        """slow: hosts behind a slow cable. games: how many game nodes; game: more options of that pool, game["scale"] of its scaling. limits:
        descriptors by program; node_limit: of each game node. clocks: by host, by how many ms its clock is wrong at the beginning (it can be set
        later). log_disk: size of the file system that the programs log to. lb: more of that section. provider: local or
        exec (cloud.py)."""
        self.build, self.directory, self.players = build, directory, players
        self.bin, self.logs = f"{build}/bin", f"{directory}/log"
        self.sentinel, self.redis_args, self.limits, self.node_limit, self.clocks = sentinel, redis_args, limits or {}, node_limit, clocks or {}
        self.running, self.ended, self.residents, self.held, self.sizes = {}, set(), [], [], {"lobby": LOBBIES, "game": games}
        self.provider = provider
        os.makedirs(f"{directory}/hosts")
        os.makedirs(self.logs)
        if log_disk:
            command("mount", "-t", "tmpfs", "-o", f"size={log_disk}", "tmpfs", self.logs)
        for host, ms in self.clocks.items():
            self.set_clock(host, ms)
        self.net = Network(build, HOSTS, slow)
        self.config = f"{directory}/berth.yaml"
        self.write_config(game or {}, lb or {})
        self.store = "redis"  # the host of the primary
        self.asker, self.asked, self.unanswered = None, 0, 0

    # ---- the installation ----

    def write_config(self, game, lb):
        host, games = self.net.address, self.sizes["game"]
        common = {"capacity": 100, "report_interval": "500ms", "lost_after": "2s", "forget_after": "30s", "ticket_ttl": "4s",
                  "room_ticket_ttl": "6s", "slow_start": "0s", "player_rate": 0, "address_rate": 0}
        scale = {"provider": self.provider, "out_cooldown": "1s", "in_cooldown": "1h", "boot_timeout": "8s", "launch_backoff": "1s"}
        node = f"{os.path.dirname(os.path.abspath(__file__))}/node.sh"
        config = {
            "redis": {"sentinels": [f"{host['sentinels']}:{26379 + i}" for i in range(3)], "master": "berth"} if self.sentinel
            else {"host": host["redis"], "port": 6379},
            "tickets": {"keys": [{"kid": "k1", "secret": SECRET}]},
            "pools": {
                "lobby": {**common, "scale": {**scale, "min": LOBBIES, "max": 3, "rules": [{"rule": "min_ready", "ready": LOBBIES}]}},
                "game": {**common, **game, "scale": {**scale, "min": games, "max": 6, "rules": [{"rule": "min_ready", "ready": games}],
                                                     **game.get("scale", {})}}},
            "lb": {"peers": {
                "lb-a": {"public": f"{host['lb-a']}:8080", "admin": f"{host['lb-a']}:8081", "owns": ["lobby"]},
                "lb-b": {"public": f"{host['lb-b']}:8080", "admin": f"{host['lb-b']}:8081", "owns": ["game"]}}, "failback_after": "3s", **lb},
            "autoscale": {"local": {"directory": f"{self.directory}/local", "programs": {
                "lobby": [node, "lobbynode", f"{self.bin}/berth-lobbynode"], "game": [node, "gamenode", f"{self.bin}/berth-gamenode"]}},
                "exec": {"launch_timeout": "2s", "list_timeout": "2s", "terminate_timeout": "2s", "grace": "500ms", "pools": {
                    pool: [f"{os.path.dirname(os.path.abspath(__file__))}/cloud.py"] for pool in self.sizes}}},
            "gamenode": {"ping_interval": "0s"},  # the residents answer no pings
            "lobbynode": {"match_size": 4, "game_pool": "game", "lb": [f"http://{host[name]}:8080" for name in ("lb-a", "lb-b")]},
        }
        with open(self.config, "w") as f:
            json.dump(config, f, indent=1)

    def start(self, name, host, *argv, program=None):
        words = self.net.inside(host)
        program = program or name
        if program in self.limits:
            words += ["prlimit", f"--nofile={self.limits[program]}"]
        environment = {**os.environ, "FAULT_DIRECTORY": self.directory, "FAULT_NODES": str(NODES), "FAULT_CONFIG": self.config,
                       "FAULT_BIN": self.bin, "FAULT_LIMIT": str(self.node_limit or 4096)}
        if host in self.clocks:
            environment |= {"LD_PRELOAD": f"{self.build}/fault/libfault_clock.so", "BERTH_FAULT_CLOCK": f"{self.directory}/clock-{host}"}
        with open(f"{self.logs}/{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(words + list(argv), stdout=log, stderr=subprocess.STDOUT, env=environment,
                                                  start_new_session=True)

    def redis_server(self, host="redis", *args):
        self.start(host, host, "redis-server", "--port", "6379", "--protected-mode", "no", "--save", "", "--appendonly", "no",
                   "--repl-diskless-sync-delay", "0", "--dir", self.make(f"{self.directory}/data-{host}"), *self.redis_args, *args)
        wait(f"{host} listens", lambda: listens_at(self.net.address[host], 6379))

    def make(self, directory):
        os.makedirs(directory, exist_ok=True)
        return directory

    def sentinels(self):
        self.redis_server("redis-2", "--replicaof", f"{self.net.address['redis']} 6379")
        for i in range(3):
            conf = f"{self.make(f'{self.directory}/sentinel-{i}')}/sentinel.conf"
            with open(conf, "w") as f:
                f.write(f"sentinel monitor berth {self.net.address['redis']} 6379 2\nsentinel down-after-milliseconds berth 1000\n"
                        "sentinel failover-timeout berth 6000\n")
            self.start(f"sentinel-{i}", "sentinels", "redis-server", conf, "--sentinel", "--port", str(26379 + i), "--protected-mode", "no")
        def settled():
            for i in range(3):
                try:
                    row = self.redis("sentinels", 26379 + i).ask("SENTINEL", "MASTER", "berth")
                except OSError:
                    return False
                row = dict(zip(row[::2], row[1::2]))
                if row["num-other-sentinels"] != "2" or row["num-slaves"] != "1":
                    return False
            return True
        wait("the sentinels know each other and the replica", settled, 20, 0.1)

    def lb(self, name):
        self.start(name, name, f"{self.bin}/berth-lb", "--config", self.config, "--name", name)

    def autoscaler(self, name):
        self.start(name, name, f"{self.bin}/berth-autoscale", "--config", self.config, "--name", name,
                   "--admin", f"{self.net.address[name]}:8082")

    def open(self):
        """Everything runs, all nodes are ready, nobody is there."""
        self.redis_server()
        if self.sentinel:
            self.sentinels()
        for name in ("lb-a", "lb-b"):
            self.lb(name)
        for name in ("as-1", "as-2"):
            self.autoscaler(name)
        self.settled(20)
        self.first = self.starts()

    def up(self):
        """Everything runs, on each game node sits a resident, clients ask, players come over eight seconds; returns when a third of them
        play."""
        self.open()
        self.reside()
        self.ask_all_the_time()
        self.swarm()
        self.playing(self.players // 3)

    def ask_all_the_time(self):
        self.asker = Asker(self)
        self.asker.start()

    def rest_asker(self):
        self.asker.over = True
        self.asker.join(10)
        self.asked += self.asker.asked
        self.unanswered += len(self.asker.failed)

    def reside(self):
        number = 0
        while len({r.node for r in self.residents}) < self.sizes["game"]:
            number += 1
            if number > 30:
                raise Failed("30 residents, and still not one on each node")
            name = f"resident-{number}"
            status, body = self.get("lb-a", f"/v1/pools/game/endpoint?room=r-{name}&player={name}", 8080)
            if status != 200:
                raise Failed(f"no place for a resident: {status} {body}")
            player = Player(name, body)
            player.join()
            self.residents.append(player)

    # ---- players ----

    def swarm(self, name="swarm", ramp="8s", hold="4s", players=None, leave="2s"):
        host = self.net.address
        self.start(name, "swarm", f"{self.bin}/berth-swarm", "--players", str(players or self.players),
                   "--lb", f"http://{host['lb-a']}:8080,http://{host['lb-b']}:8080", "--ramp", ramp, "--hold", hold, "--leave", leave,
                   "--swarm.api_timeout", "1s", "--swarm.connect_timeout", "2s", "--swarm.match_timeout", "30s")

    def playing(self, count, limit_s=30):
        wait(f"{count} players are on game nodes", lambda: self.conns() >= count + len(self.residents), limit_s, 0.1)

    def conns(self):
        return sum(int(record(text)["conns"]) for text in self.redis().hash(self.key("reports")).values())

    def saw(self, name="swarm"):
        """Waits for a swarm. Its closing line as a dictionary, and under `text` all it said."""
        process = self.running.pop(name)
        try:
            process.wait(50)
        except subprocess.TimeoutExpired:
            raise Failed("the swarm does not end")
        text = self.log(name)
        found = dict(re.findall(r"(\w+)=(\S+)", text.rstrip().splitlines()[-1]))
        if "killed_sessions" not in found:
            raise Failed(f"the swarm gave no verdict: {text[-300:]}")
        return {**found, "text": text}

    def verdict(self, failed=0, killed=0):
        """failed, killed: at most so many players; rooms are never split. What the swarm saw."""
        found = self.saw()
        if int(found["failed"]) > failed or int(found["killed_sessions"]) > killed or found["split_rooms"] != "0":
            raise Failed(f"players saw: {found['text'][-1500:]}")
        return f"players={found['players']} failed={found['failed']} killed={found['killed_sessions']} split_rooms=0"

    def answered(self):
        """All asks were answered."""
        self.rest_asker()
        if self.asker.failed:
            raise Failed(f"{len(self.asker.failed)} of {self.asker.asked} asks failed: {self.asker.failed[:3]}")
        return f"asks={self.asker.asked} unanswered=0 slowest_ms={self.asker.slowest_ms:.0f}"

    def residents_play(self, but=()):
        """Whoever sits on another node than those in `but` still plays, and the room is where it was."""
        for r in self.residents:
            if r.node in but or r.node in self.ended:
                continue
            r.socket.settimeout(10)
            if not r.plays():
                raise Failed(f"{r.name} was cut off from {r.node}")
            kept = record(self.redis().ask("GET", self.key("room:r-" + r.name)) or "node=- moved=-")
            if kept["node"] != r.node or kept["moved"] != "0":
                raise Failed(f"the room of {r.name} was on {r.node}, is {kept}")

    # ---- looking ----

    def get(self, lb, path, port=8081, limit_s=3):
        line = http.client.HTTPConnection(self.net.address[lb], port, timeout=limit_s)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body[:1] == b"{" else {"detail": body.decode()}
        finally:
            line.close()

    def serves(self, lb):
        try:
            return self.get(lb, "/readyz", limit_s=1)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def redis(self, host=None, port=6379):
        return Redis(port, self.net.address[host or self.store], 5)

    def ask(self, *words):
        return self.redis().ask(*words)

    def key(self, name, pool="game"):
        return f"berth:{{{pool}}}:{name}"

    def owner(self, pool="game"):
        return (self.ask("GET", self.key("owner", pool)) or "-").split()[0]

    def leader(self, pool="game"):
        return (self.ask("GET", self.key("leader", pool)) or "-").split()[0]

    def states(self, pool="game"):
        return {node: record(text)["state"] for node, text in self.redis().hash(self.key("states", pool)).items()}

    def ready(self, pool="game"):
        return sorted(node for node, state in self.states(pool).items() if state == "ready")

    def seen_ready(self, lb, pool):
        status, body = self.get(lb, f"/v1/pools/{pool}/nodes")
        return sorted(n["name"] for n in body["nodes"] if n["state"] == "ready")

    def nodes(self):
        """By name: (pid, pool, host) of every node process that runs."""
        found = {}
        for path in glob.glob(f"{self.directory}/hosts/*"):
            with open(path) as f:
                words = f.read().split()
            if len(words) == 3 and self.alive(int(words[0])):
                found[words[1]] = int(words[0]), words[2][:-4], "node-" + os.path.basename(path)
        return found

    @staticmethod
    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    def node(self, pool="game"):
        """One that runs and is ready; of game nodes one that holds most players."""
        reports = self.redis().hash(self.key("reports", pool))
        ready = [name for name in self.nodes() if name in self.ready(pool)]
        return max(ready, key=lambda name: int(record(reports[name])["conns"]))

    def host_of(self, node):
        return self.nodes()[node][2]

    def players_of(self, node, pool="game"):
        """Players of the swarm on a node now, and as many as may be about to arrive."""
        return int(record(self.redis().hash(self.key("reports", pool))[node])["conns"])

    def starts(self):
        try:
            with open(f"{self.directory}/stamps") as f:
                return len(f.readlines())
        except FileNotFoundError:
            return 0

    def events(self, pool="game", having=""):
        rows = []
        for _, flat in self.ask("XRANGE", self.key("events", pool), "-", "+"):
            row = dict(zip(flat[::2], flat[1::2]))
            if having in f"{row.get('k')} {row.get('n')} {row.get('d')}":
                rows.append(row)
        return rows

    def lost(self, pool="game"):
        return {row["n"] for row in self.events(pool, " to=lost") if row["k"] == "state"}

    def log(self, name):
        with open(f"{self.logs}/{name}.log", errors="replace") as f:
            return f.read()

    # ---- what must hold ----

    def launched(self, least, most=None):
        """So many instances were started since the beginning."""
        most = least if most is None else most
        if not least <= self.starts() - self.first <= most:
            raise Failed(f"{self.starts() - self.first} instances were launched, not {least}..{most}")

    def none_lost(self, but=()):
        for pool in self.sizes:
            lost = self.lost(pool) - set(but)
            if lost:
                raise Failed(f"nodes were lost: {[r for r in self.events(pool, 'to=lost')]}")

    def unsettled(self, sizes):
        """What is not well yet; None when all is."""
        try:
            for pool, size in sizes.items():
                ready = self.ready(pool)
                if size is not None and len(ready) != size:
                    return f"{pool}: {self.states(pool)}"
                if self.owner(pool) not in self.running or self.leader(pool) not in self.running:
                    return f"{pool}: owner {self.owner(pool)}, leader {self.leader(pool)}"
                for lb in ("lb-a", "lb-b"):
                    if self.seen_ready(lb, pool) != ready:
                        return f"{lb} sees {self.seen_ready(lb, pool)}, ready are {ready}"
                    status, body = self.get(lb, "/readyz")
                    if status != 200:
                        return f"{lb}: {body}"
            return None
        except (OSError, Failed, ValueError, IndexError, http.client.HTTPException) as e:
            return repr(e)

    def settled(self, limit_s=20, **sizes):
        """All is well again: both balancers serve and see the same ready nodes, every pool has an owner and a leader."""
        until = time.monotonic() + limit_s
        while why := self.unsettled({**self.sizes, **sizes}):
            if time.monotonic() > until:
                raise Failed(f"after {limit_s} s it is not settled: {why}")
            time.sleep(0.1)

    def well(self, failed=0, killed=0, launched=(0, 0), lost=(), limit_s=20, **sizes):
        """The usual end: see what each part says."""
        self.settled(limit_s, **sizes)
        saw = self.verdict(failed, killed)
        asks = self.answered()
        self.residents_play()
        self.launched(*launched)
        if lost is not None:
            self.none_lost(lost)
        self.all_run()
        return f"{saw} {asks}"

    def all_run(self):
        for name, process in self.running.items():
            if process.poll() is not None:
                raise Failed(f"{name} ended with {process.returncode}: {self.log(name)[-500:]}")
        for path in glob.glob(f"{self.logs}/*.log") + glob.glob(f"{self.directory}/local/*.log"):
            with open(path, errors="replace") as f:
                found = re.search(r".*(Sanitizer|Assertion|ev=fatal).*", f.read())
            if found:
                raise Failed(f"{path}: {found.group(0)}")

    # ---- doing ----

    def pid(self, name):
        return self.running[name].pid if name in self.running else self.nodes()[name][0]

    def descriptors(self, name):
        return len(os.listdir(f"/proc/{self.pid(name)}/fd"))

    def kill(self, name):
        """kill -9, of a program or a node; it is not started again by us."""
        pid = self.pid(name)
        if name in self.running:
            self.running.pop(name).kill()
        else:
            self.ended.add(name)
            os.kill(pid, signal.SIGKILL)

    def stop(self, name):
        os.kill(self.pid(name), signal.SIGSTOP)

    def go(self, name):
        os.kill(self.pid(name), signal.SIGCONT)

    def paused(self, name, seconds):
        self.stop(name)
        time.sleep(seconds)
        self.go(name)

    def berth(self, *words):
        done = subprocess.run([f"{self.bin}/berth", *words, "--config", self.config], capture_output=True, text=True, timeout=15)
        if done.returncode != 0:
            raise Failed(f"berth {' '.join(words)}: {done.stderr}{done.stdout}")
        return done.stdout

    def cloud(self, what):
        with open(f"{self.directory}/cloud", "w") as f:
            f.write(what)

    def set_clock(self, host, ms):
        path = f"{self.directory}/clock-{host}"
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.write(struct.pack("q", ms))

    def node_hosts(self):
        return [host for _, _, host in self.nodes().values()]

    def end(self, name):
        """SIGTERM, and wait for the end."""
        process = self.running.pop(name)
        process.terminate()
        if process.wait(15) != 0:
            raise Failed(f"{name} ended with {process.returncode} after SIGTERM: {self.log(name)[-500:]}")

    def hold(self, host, port, count):
        """Strangers who connect and say nothing."""
        for _ in range(count):
            s = socket.socket()
            s.settimeout(1)
            s.connect_ex((self.net.address[host], port))
            self.held.append(s)

    def let_go(self):
        for s in self.held:
            s.close()
        self.held.clear()

    def fill_logs(self):
        """Not a byte is left where the programs log."""
        try:
            with open(f"{self.logs}/filler", "wb", 0) as f:
                while True:
                    f.write(b"x" * 4096)
        except OSError:
            pass
        try:
            with open(f"{self.logs}/filler", "ab", 0) as f:
                while True:
                    f.write(b"x")
        except OSError:
            pass

    def disk_full(self, host="redis"):
        """Redis's snapshots go to a disk of one page from now on."""
        at = self.make(f"{self.directory}/full")
        command("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", at)
        self.ask("CONFIG", "SET", "dir", at)
        self.ask("CONFIG", "SET", "save", "1 1")

    def refuses_writes(self):
        try:
            self.ask("SET", "fault", "1", "PX", "1000")
            return False
        except Failed:
            return True
