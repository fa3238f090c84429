"""failover: how long a pool has no owner when its balancer dies, stands still, or gives it back, while clients ask.

Two balancers, lb-a (owns lobby) and lb-b (owns game), four clients that ask for a place in both pools, and an operator whose wishes
make the owner move nodes all the time. Round after round one of the two, in turn, is killed (-9) or stopped (SIGSTOP), at a moment
drawn at random; it is put back, and its pool returns to it.

  kill9_ms, sigstop_ms  from the blow to the other's holding the lease
  failback_ms           from the survivor's giving the pool up to its first choice's holding it
  failed                requests without a 200 within 2 s, by a client that gives a try 300 ms and then asks the other peer
  double_owner          intervals in which two had a move accepted: in the order of the store's own stream, a move under a token older
                        than one seen before, or one token used by two
  sentinel_ms, cluster_ms  from the death of Redis's primary to the state being whole again (tests/e2e/redis_failover.py)
"""
import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
import http.client

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from pair import TOKEN, Client, Failed, Pair, Redis, now_ms, wait  # noqa: E402

FAILBACK_AFTER_MS = 1000


class Wishes(threading.Thread):
    """Hold one node of each pool, and let it go again: the owner has something to move at every moment."""

    def __init__(self, pair):
        super().__init__(daemon=True)
        self.pair, self.over, self.wished = pair, False, 0

    def wish(self, pool, want):
        for peer in self.pair.peers.values():
            line = http.client.HTTPConnection("127.0.0.1", peer.admin, timeout=0.3)
            try:
                line.request("PUT", f"/v1/pools/{pool}/nodes/{pool}-0/want", json.dumps({"want": want, "reason": "bench"}),
                             {"Authorization": f"Bearer {TOKEN}"})
                if line.getresponse().status == 202:
                    self.wished += 1
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                line.close()

    def run(self):
        while not self.over:
            for want in ("held", "none"):
                for pool in self.pair.pools:
                    self.wish(pool, want)
                time.sleep(0.15)


class Owners(threading.Thread):
    """Who holds the lease of a pool, looked at each millisecond."""

    def __init__(self, pair):
        super().__init__(daemon=True)
        self.redis, self.pools, self.over = Redis(pair.redis_port), list(pair.pools), False
        self.since = {p: ("-", now_ms()) for p in self.pools}  # name, from when
        self.before = dict(self.since)

    def run(self):
        while not self.over:
            for pool in self.pools:
                name = (self.redis.ask("GET", f"berth:{{{pool}}}:owner") or "-").split()[0]
                if name != self.since[pool][0]:
                    self.before[pool], self.since[pool] = self.since[pool], (name, now_ms())
            time.sleep(0.001)

    def until(self, pool, name, limit_s=20):
        """When it began to hold."""
        wait(f"{name} owns {pool}", lambda: self.since[pool][0] == name, limit_s, 0.001)
        return self.since[pool][1]


def double_owners(pair):
    count, moves = 0, 0
    for pool in pair.pools:
        newest, by_token = 0, {}
        for _, kind, _, detail in pair.events(pool):
            if kind != "state" or "by" not in detail:
                continue
            token, name = int(detail["fence"]), detail["by"]
            moves += 1
            count += token < newest or by_token.setdefault(token, name) != name
            newest = max(newest, token)
    return count, moves


def hand_back_gaps(pair):
    """As the store's stream has it: from `owner=-` to the next `failback`."""
    gaps, released = [], None
    for pool in pair.pools:
        for at, kind, _, detail in pair.events(pool):
            if kind == "owner" and detail.get("owner") == "-" and detail["why"] == "resigned":
                released = at
            elif kind == "failback" and released is not None:
                gaps.append(at - released)
    return gaps


def one_round(pair, owners, how, victim, rest_s):
    """Milliseconds without an owner, after the blow and in the hand-back."""
    pool = next(p for p, o in pair.pools.items() if o == victim.name)
    other = next(n for n in pair.peers if n != victim.name)
    wait("all is well", pair.at_rest, 30)
    time.sleep(rest_s)
    at = now_ms()
    (pair.kill if how == "kill9" else pair.stop)(victim)
    took = owners.until(pool, other) - at
    time.sleep(0.3)
    (pair.start_peer if how == "kill9" else pair.wake)(victim)
    back = owners.until(pool, victim.name)
    gap = back - owners.before[pool][1] if owners.before[pool][0] == "-" else 0
    return took, gap


def redis_failover(build, kind):
    script = os.path.join(os.path.dirname(__file__), "../e2e/redis_failover.py")
    done = subprocess.run([sys.executable, script, "--build", build, kind], capture_output=True, text=True)
    found = re.search(r"healed_ms=(\d+)", done.stdout)
    if done.returncode or not found:
        raise Failed(f"redis-failover {kind}: {done.stdout}{done.stderr[-2000:]}")
    return found.group(1)


def run(given, pair):
    pair.open()
    rng = random.Random(given.seed)
    owners, wishes = Owners(pair), Wishes(pair)
    ports = [p.public for p in pair.peers.values()]
    clients = [Client(ports[i % 2:] + ports[:i % 2], f"/v1/pools/{pool}/endpoint", given.each) for i in range(2) for pool in pair.pools]
    for thread in [owners, wishes, *clients]:
        thread.start()
    took, gaps, names = {"kill9": [], "sigstop": []}, [], list(pair.peers)
    for i in range(given.rounds):
        how = ("kill9", "sigstop")[i % 2]
        ms, gap = one_round(pair, owners, how, pair.peers[names[i // 2 % 2]], rng.random())
        took[how].append(ms)
        gaps.append(gap)
        print(f"round {i + 1}: {how} {names[i // 2 % 2]} {ms:.0f} ms, back with a gap of {gap:.0f} ms", file=sys.stderr)
    wait("all is well", pair.at_rest, 30)
    wishes.over = owners.over = True
    for c in clients:
        c.end()
    wishes.join()
    doubles, moves = double_owners(pair)
    gaps += hand_back_gaps(pair)
    asked, failed = sum(c.asked for c in clients), sum(len(c.failed) for c in clients)
    if moves < given.rounds:
        raise Failed(f"only {moves} moves were made: double_owner says nothing")
    print(f"moves={moves} second_tries={sum(c.second_tries for c in clients)} slowest_ms={max(c.slowest_ms for c in clients):.0f}",
          file=sys.stderr)
    return took, gaps, asked, failed, doubles


def steady(given, pair):
    """Everything as it is, for so long, with the processors full: nobody may take anything over."""
    pair.open()
    before = {p: pair.redis.ask("GET", f"berth:{{{p}}}:owner") for p in pair.pools}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(given.busy)]
    clients = [Client([p.public for p in pair.peers.values()], f"/v1/pools/{pool}/endpoint", given.each, try_s=1) for pool in pair.pools]
    for c in clients:
        c.start()
    try:
        time.sleep(given.steady)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    for c in clients:
        c.end()
    after = {p: pair.redis.ask("GET", f"berth:{{{p}}}:owner") for p in pair.pools}
    lost = [row for p in pair.pools for row in pair.events(p) if row[1] == "state" and row[3].get("to") == "lost"]
    failovers = [row for p in pair.pools for row in pair.events(p) if row[1] == "failover"]
    asked, failed = sum(c.asked for c in clients), sum(len(c.failed) for c in clients)
    told = f"seconds={given.steady:g} busy={given.busy} requests={asked} failed={failed} failovers={len(failovers)} lost={len(lost)}"
    if before != after or failovers or lost or failed:
        raise Failed(f"{told} {before} {after}")
    print(f"steady: passed {told}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--each", type=float, default=0.02, help="seconds between two requests of a client")
    options.add_argument("--no-redis", action="store_true", help="leave out sentinel_ms and cluster_ms")
    options.add_argument("--steady", type=float, default=0, help="instead: so many seconds at full CPU without a failover")
    options.add_argument("--busy", type=int, default=2 * (os.cpu_count() or 1), help="processes that spin, with --steady")
    given = options.parse_args()
    pair = Pair(given.build, {"failback_after": f"{FAILBACK_AFTER_MS}ms"})
    try:
        if given.steady:
            steady(given, pair)
            return
        took, gaps, asked, failed, doubles = run(given, pair)
    except Exception:
        for name in pair.peers:
            print(f"---- {name}\n{pair.log(name)[-3000:]}", file=sys.stderr)
        raise
    finally:
        pair.close()
    sentinel, cluster = ("-", "-") if given.no_redis else (redis_failover(given.build, k) for k in ("sentinel", "cluster"))
    print(f"bench-failover: kill9_p50_ms={statistics.median(took['kill9']):.0f} kill9_max_ms={max(took['kill9']):.0f} "
          f"sigstop_max_ms={max(took['sigstop']):.0f} failback_max_ms={max(gaps):.0f} requests={asked} failed={failed} "
          f"double_owner={doubles} sentinel_ms={sentinel} cluster_ms={cluster}")


if __name__ == "__main__":
    main()
