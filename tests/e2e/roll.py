"""roll: `berth roll` replaces every node of a pool of three, two at a time, while a player sits on each.

There are never fewer than three ready nodes; no player is cut off; an old node ends when its player has left; at the end there are
three new nodes, and each instance ran once.
"""
import argparse
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from fleet import Failed, Fleet, Redis, record, wait  # noqa: E402

SIZE = 3


class Least(threading.Thread):
    """The fewest ready nodes that were seen."""

    def __init__(self, fleet):
        super().__init__(daemon=True)
        self.redis, self.key = Redis(fleet.redis_port), fleet.key("states")
        self.least, self.over = 1000, False

    def run(self):
        while not self.over:
            states = self.redis.hash(self.key).values()
            self.least = min(self.least, sum(record(text)["state"] == "ready" for text in states))
            time.sleep(0.01)


def run(fleet):
    fleet.open()
    fleet.autoscaler("as-1")
    wait(f"{SIZE} nodes are ready", lambda: len(fleet.ready()) == SIZE)
    old, players = fleet.nodes(), []
    while len({p.node for p in players}) < SIZE:
        players.append(fleet.comer())
        players[-1].join()
    least = Least(fleet)
    least.start()
    fleet.berth("roll", fleet.pool)
    while players:
        leaving = wait("old nodes are draining", lambda: {n for n, s in fleet.states().items() if n in old and s == "draining"})
        time.sleep(1.5)
        if len(leaving) > 2:
            raise Failed(f"{leaving} are drained at once")
        for player in players:
            if not player.plays():
                raise Failed(f"{player.name} was cut off from {player.node}")
        for player in [p for p in players if p.node in leaving]:
            player.leave()
            players.remove(player)
    wait("the old nodes are gone", lambda: not set(old) & set(fleet.nodes()))
    wait(f"{SIZE} new nodes are ready", lambda: len(fleet.ready()) == SIZE == len(fleet.nodes()))
    time.sleep(2)
    least.over = True
    least.join()
    started = [name for _, name in fleet.started()]
    if len(fleet.nodes()) != SIZE or len(started) != 2 * SIZE or len(set(started)) != len(started):
        raise Failed(f"{fleet.nodes()} run, {started} were started")
    if least.least < SIZE:
        raise Failed(f"at a time only {least.least} nodes were ready")
    told = fleet.berth("why", fleet.pool)
    for text in ("a roll of 3 old nodes begins; 3 are kept ready", "the roll launches 2", "the roll is over"):
        if text not in told:
            raise Failed(f"berth why does not tell '{text}':\n{told}")
    print(f"roll: passed; never fewer than {least.least} ready")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    fleet = Fleet(parser.parse_args().build, {
        "min": SIZE, "max": 6, "max_step": 2, "boot_timeout": "20s", "rules": [{"rule": "min_ready", "ready": SIZE}]},
        room_ticket_ttl="2s")
    try:
        run(fleet)
    except Failed as e:
        print(f"FAILED: {e}")
        for name in fleet.running:
            print(f"--- {name}\n" + "\n".join(fleet.log(name).splitlines()[-15:]))
        sys.exit(1)
    finally:
        fleet.close()


main()
