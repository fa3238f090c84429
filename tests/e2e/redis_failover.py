"""redis-failover: the store's primary dies under load, and slots move, and nobody who plays notices.

sentinel: a primary, a replica and three sentinels. The replica stands still while a player joins a new room, then the primary is killed:
what the replica had not heard is lost, and must be there again one report interval later, written by those who hold it: the room, the
nodes' reports, the owner's and the leader's lease.
stopped: the primary stands still instead, and goes on later.
cluster: three shards with a replica each. The slot of the pool goes round all shards key by key; then the shard that has it is killed.
In all: no node is lost, nothing is launched, no room moves, no request fails, no session ends.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from fleet import Failed, Fleet, Load, now_ms, record, wait  # noqa: E402
from redis_sets import Cluster, Sentinels, slot_of  # noqa: E402

SIZE = 2


class Test:
    def __init__(self, fleet, store):
        self.fleet, self.store = fleet, store

    def begin(self):
        fleet = self.fleet
        fleet.open()
        fleet.autoscaler("as-1")
        wait(f"{SIZE} nodes are ready", lambda: len(fleet.ready()) == SIZE)
        self.players = [fleet.comer() for _ in range(4)]
        for p in self.players:
            p.join()
        self.nodes, self.started = fleet.nodes(), len(fleet.started())
        self.load = Load(fleet, [("r-" + p.name, p.name, p.node) for p in self.players])
        self.load.start()

    def reports(self):
        return {n: int(record(text)["at"]) for n, text in self.fleet.redis.hash(self.fleet.key("reports")).items()}

    def held(self, role):
        return self.fleet.redis.ask("GET", self.fleet.key(role))

    def whole(self, since_ms):
        """Is everything there that living processes hold, as heard after this?"""
        reports = self.reports()
        if set(reports) != set(self.nodes) or min(reports.values()) < since_ms:
            return False
        rooms = [self.fleet.redis.ask("GET", self.fleet.key("room:r-" + p.name)) for p in self.players]
        return all(rooms) and self.held("owner") and self.held("leader")

    def healed(self, since_ms):
        wait("all is in the store again", lambda: self.whole(since_ms), 15, 0.01)
        return now_ms() - since_ms

    def end(self):
        fleet = self.fleet
        time.sleep(1.5)
        self.load.over = True
        self.load.join()
        if self.load.failed:
            raise Failed(f"{len(self.load.failed)} of {self.load.asked} asks failed: {self.load.failed[:3]}")
        for p in self.players:
            if not p.plays():
                raise Failed(f"{p.name} was cut off from {p.node}")
            kept = record(fleet.redis.ask("GET", fleet.key("room:r-" + p.name)))
            if kept["node"] != p.node or kept["moved"] != "0":
                raise Failed(f"r-{p.name} moved: {kept}")
        events = fleet.redis.ask("XRANGE", fleet.key("events"), "-", "+")
        lost = [fields for _, fields in events if any("to=lost" in f for f in fields)]
        if lost or sorted(fleet.ready()) != sorted(self.nodes):
            raise Failed(f"nodes were lost: {lost} {fleet.states()}")
        if len(fleet.started()) != self.started:
            raise Failed(f"nodes were launched: {fleet.started()[self.started:]}")
        for p in self.players:
            p.leave()


def sentinel(test, store):
    test.begin()
    time.sleep(1)
    old, replica = store.primary(), store.data[1]
    replica.pause()  # hears nothing any more
    late = test.fleet.comer()
    late.join()
    test.players.append(late)
    killed = now_ms()
    old.kill()
    replica.resume()
    failover = store.failed_over(old, killed)
    if replica.ask("EXISTS", test.fleet.key("room:r-" + late.name)) and now_ms() - killed < 1000:
        raise Failed("the replica had heard of the room: nothing was lost, nothing is shown")
    healed = test.healed(killed)
    test.end()
    if healed - failover > 2000:
        raise Failed(f"healed only {healed - failover:.0f} ms after the failover")
    return f"sentinel_ms={failover:.0f} healed_ms={healed:.0f} requests={test.load.asked} failed=0 lost=0"


def stopped(test, store):
    """The primary stands still instead: nothing tells that it is gone, and it wakes up as a primary that knows nothing."""
    test.begin()
    time.sleep(1)
    old = store.primary()
    at = now_ms()
    old.pause()
    failover = store.failed_over(old, at)
    healed = test.healed(at)
    old.resume()
    wait("the old primary is a replica", lambda: old.role() == "slave", 15)
    again = now_ms()
    test.healed(again)
    test.end()
    if healed - failover > 2000:
        raise Failed(f"healed only {healed - failover:.0f} ms after the failover")
    return f"sentinel_ms={failover:.0f} healed_ms={healed:.0f} requests={test.load.asked} failed=0 lost=0"


def cluster(test, store):
    test.begin()
    key, moves = test.fleet.key("load"), 0
    start = store.owner(key)
    others = [s for s in store.servers[:3] if s is not start]
    time.sleep(0.5)
    for to in others + [start]:
        began = now_ms()
        store.move_slot(slot_of(key), to, 0.002)
        moves += 1
        wait("the nodes report there", lambda: min(test.reports().values(), default=0) > began, 5, 0.01)
        newcomer = test.fleet.comer()  # a new room: the store is asked
        newcomer.join()
        test.players.append(newcomer)
    old, killed = store.owner(key), now_ms()
    old.kill()
    failover = store.failed_over(old, key, killed)
    healed = test.healed(killed)
    test.end()
    if healed - failover > 2000:
        raise Failed(f"healed only {healed - failover:.0f} ms after the failover")
    shown = test.fleet.berth("events", "game", "--lines", "5")
    if not shown.strip():
        raise Failed("berth events shows nothing")
    return f"moves={moves} cluster_ms={failover:.0f} healed_ms={healed:.0f} requests={test.load.asked} failed=0 lost=0"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    options.add_argument("what", choices=["sentinel", "stopped", "cluster"])
    given = options.parse_args()
    store = Cluster(3, 1, node_timeout_ms=1000) if given.what == "cluster" else Sentinels()
    fleet = None
    try:
        store.open()
        fleet = Fleet(given.build, {"min": SIZE, "max": 6, "out_cooldown": "0s", "rules": [{"rule": "min_ready", "ready": SIZE}]},
                      store=store, ticket_ttl="2s", room_ticket_ttl="2s", slow_start="0s", player_rate=0, capacity=5000)
        said = {"sentinel": sentinel, "stopped": stopped, "cluster": cluster}[given.what](Test(fleet, store), store)
    except Exception:
        if fleet:
            for name in fleet.running:
                print(f"---- {name}\n{fleet.log(name)[-3000:]}", file=sys.stderr)
        raise
    finally:
        if fleet:
            fleet.close()
        store.close()
    print(f"redis-failover {given.what}: passed {said}")


if __name__ == "__main__":
    main()
