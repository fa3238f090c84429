"""soak.py - `make soak MINUTES=30`: players come and go all the time, nodes are drained and replaced, a balancer restarts, and at the end
nothing has grown.

After a first round of all that (the warm-up, longer than a room is remembered) everyone leaves, and memory and descriptors of every berth process and Redis's keys are looked
at; then MINUTES of churn, everyone leaves, and again. One balancer, both autoscalers, a lobby and a game node live all the time. Closing line:

    soak: minutes=30 rss_growth_kib=N fd_growth=N failed=N

rss_growth_kib, fd_growth: the sum over all processes at the end less that at the beginning (descriptors: 0 when they are fewer); failed: players and asks. Exit code 0 when
descriptors have not grown, nothing failed and no process grew by more than GROWTH_KIB_MAX.
"""
import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from contain import contained  # noqa: E402
from fleet import Failed, wait  # noqa: E402
from run import unable  # noqa: E402
from world import World  # noqa: E402

PLAYERS, EACH_S, WARM_UP_S, ROOM_TTL_S = 48, 8, 90, 60
DRAIN_EACH_S, RESTART_EACH_S = 40, 75
KEPT_MAX = 2  # connections to the two balancers that libcurl keeps, and that those have ended: it closes them at its next request
GROWTH_KIB_MAX = 20480  # of one process that lived all the time: a balancer's indices of rooms and players, 9 MiB a pool, are touched page by page


class Soak:
    def __init__(self, world):
        self.world, self.swarms, self.number, self.failed, self.players, self.drained, self.restarts = world, [], 0, 0, 0, 0, 0
        self.stay = set()

    def reap(self, everybody=False):
        """Adds up the swarms that have ended; all of them, if everybody is to leave."""
        for name in list(self.swarms):
            if everybody or self.world.running[name].poll() is not None:
                self.swarms.remove(name)
                found = self.world.saw(name)
                self.players += int(found["players"])
                bad = int(found["failed"]) + int(found["killed_sessions"]) + int(found["split_rooms"])
                if bad:
                    print(f"{name}: {found}", flush=True)
                self.failed += bad
                os.unlink(f"{self.world.logs}/{name}.log")

    def another_swarm(self):
        self.number += 1
        name = f"swarm-{self.number}"
        self.world.swarm(name, ramp="8s", hold="2s", leave="4s", players=PLAYERS)
        self.swarms.append(name)

    def drain_one(self):
        """A game node and a lobby node are told to end (SIGTERM): they leave when they are empty; others take their places."""
        w = self.world
        for pool in ("game", "lobby"):
            going = [n for n in w.ready(pool) if n not in self.stay]
            if going:
                os.kill(w.pid(going[self.drained % len(going)]), signal.SIGTERM)
        self.drained += 1

    def restart(self):
        self.world.end("lb-b")
        self.world.lb("lb-b")
        self.restarts += 1

    def churn(self, seconds):
        begin = time.monotonic()
        due = {lambda: self.tell_growth(begin): (60, 60), self.another_swarm: (0, EACH_S), self.drain_one: (12, DRAIN_EACH_S), self.restart: (25, RESTART_EACH_S)}
        due = {act: [begin + first, each] for act, (first, each) in due.items()}
        while time.monotonic() < begin + seconds:
            for act, when in due.items():
                if time.monotonic() >= when[0]:
                    when[0] += when[1]
                    act()
            self.reap()
            time.sleep(0.2)
        self.reap(everybody=True)

    def tell_growth(self, begin):
        rows = self.look()
        print(f"minute={(time.monotonic() - begin) / 60:.0f} {' '.join(f'{name}={rows[name][1]}' for name in ('lb-a', 'as-1', 'as-2') + tuple(self.stay))}"
              f" keys={self.world.ask('DBSIZE')}", flush=True)

    def kinds(self):
        """How many keys of each kind there are."""
        counts, cursor = {}, "0"
        while True:
            cursor, keys = self.world.ask("SCAN", cursor, "COUNT", "1000")
            for key in keys:
                kind = re.sub(r"(room|player|seek:[a-z]+):.*", r"\1", key.split("}:")[-1])
                counts[kind] = counts.get(kind, 0) + 1
            if cursor == "0":
                return " ".join(f"{kind}={n}" for kind, n in sorted(counts.items()) if n > 1)

    def processes(self):
        """Pid by name of every berth process."""
        w = self.world
        return {**{name: p.pid for name, p in w.running.items() if name[:3] in ("lb-", "as-")}, **{n: row[0] for n, row in w.nodes().items()}}

    def look(self):
        """By name: (pid, RSS in KiB, descriptors)."""
        rows = {}
        for name, pid in self.processes().items():
            with open(f"/proc/{pid}/statm") as f:
                pages = int(f.read().split()[1])
            held = self.descriptors(pid)
            ended = sum(1 for what in held if what.endswith(" close_wait"))
            rows[name] = pid, pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(held) - min(ended, KEPT_MAX)
        return rows

    def descriptors(self, pid):
        """What each descriptor of a process is: a file, or a connection with its ends and its state."""
        states = {"01": "open", "02": "connecting", "06": "time_wait", "08": "close_wait", "0A": "listens"}
        sockets = {}
        with open(f"/proc/{pid}/net/tcp") as f:
            for line in f.readlines()[1:]:
                word = line.split()
                ends = [f"{'.'.join(str(b) for b in bytes.fromhex(a)[::-1])}:{int(p, 16)}" for a, p in (w.split(":") for w in word[1:3])]
                sockets[word[9]] = f"{ends[0]}-{ends[1]} {states.get(word[3], word[3])}"
        found = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                what = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            inode = re.fullmatch(r"socket:\[(\d+)\]", what)
            found.append(sockets.get(inode[1], what) if inode else what)
        return sorted(found)

    def at_rest(self, fds_at_most=None):
        """Nobody is there, idle connections have ended: the same descriptors for six seconds."""
        w = self.world
        w.settled(40)
        wait("everyone has left", lambda: w.conns() == 0, 30, 0.2)
        wait("nodes that were drained have gone", lambda: len(w.nodes()) == sum(w.sizes.values()), 60, 0.2)
        until, same, last = time.monotonic() + 45, 0, None
        while time.monotonic() < until and same < 6:
            now = {name: row[2] for name, row in self.look().items()}
            enough = fds_at_most is None or sum(now.values()) <= fds_at_most
            same = same + 1 if now == last and enough else 0
            last = now
            time.sleep(1)
        info = dict(line.split(":", 1) for line in w.ask("INFO", "memory").splitlines() if ":" in line)
        return self.look(), w.ask("DBSIZE"), int(info["used_memory"]) // 1024

    def run(self, minutes):
        w = self.world
        w.open()
        self.stay = {w.ready("game")[0], w.ready("lobby")[0]}
        w.ask_all_the_time()
        self.churn(WARM_UP_S)
        w.rest_asker()
        before, keys, store_kib = self.at_rest()
        w.ask_all_the_time()
        self.churn(minutes * 60)
        w.rest_asker()
        after, keys_after, store_kib_after = self.at_rest(sum(row[2] for row in before.values()))
        w.all_run()
        return self.tell(minutes, before, after, (keys, store_kib), (keys_after, store_kib_after))

    def tell(self, minutes, before, after, store, store_after):
        grown = 0
        for name, (pid, rss, fds) in sorted(after.items()):
            there = before.get(name, (0, 0, 0))
            if there[0] == pid:
                grown = max(grown, rss - there[1])
                print(f"{name:24} rss_kib={there[1]}->{rss} fds={there[2]}->{fds}")
                if fds > there[2]:
                    print("  " + "\n  ".join(self.descriptors(pid)))
            else:
                print(f"{name:24} rss_kib={rss} fds={fds} (came meanwhile)")
        print(f"redis                    keys={store[0]}->{store_after[0]} memory_kib={store[1]}->{store_after[1]}")
        print(f"more than one key: {self.kinds()}")
        print(f"players={self.players} asks={self.world.asked} drained={2 * self.drained} restarts={self.restarts}")
        rss = sum(row[1] for row in after.values()) - sum(row[1] for row in before.values())
        fds = sum(row[2] for row in after.values()) - sum(row[2] for row in before.values())
        failed = self.failed + self.world.unanswered
        print(f"soak: minutes={minutes:g} rss_growth_kib={rss} fd_growth={max(fds, 0)} failed={failed}", flush=True)
        return 0 if fds <= 0 and failed == 0 and grown <= GROWTH_KIB_MAX else 1


def inside(build, directory, minutes):
    try:
        return Soak(World(build, directory, lb={"idle": "3s"}, game={"room_ttl": f"{ROOM_TTL_S}s"})).run(minutes)
    except Exception as e:
        print("soak: " + (str(e) if isinstance(e, Failed) else traceback.format_exc()), flush=True)
        keep = f"{build}/fault/logs/soak"
        shutil.rmtree(keep, ignore_errors=True)
        shutil.copytree(directory, keep)
        return 1


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    options.add_argument("--minutes", type=float, default=30)
    given = options.parse_args()
    if not 0 < given.minutes <= 10080:
        options.error(f"--minutes {given.minutes:g}: must be above 0, and at most 10080 (a week)")
    if why := unable(given.build):
        print(f"soak: {why}", file=sys.stderr)
        return 2
    directory = tempfile.mkdtemp(prefix="berth-soak-")
    try:
        code = contained(directory, lambda: inside(os.path.abspath(given.build), directory, given.minutes), given.minutes * 60 + 445)
    finally:
        os.rmdir(directory)
    if code is None:
        print("soak: it does not end")
    return 0 if code == 0 else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it came ignored
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
