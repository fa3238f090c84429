"""bench-reaction: how long after the crossing of a threshold the provider is called, and how soon a new node has a player.

Real processes: redis-server, berth-lb, berth-autoscale with the local provider, and the berth-gamenodes that it starts. The rule is
average_connections without hold, out_cooldown 0, reports each second (a node's own phase is random); everything else is as shipped.
A round:

  1. As many players as the ready nodes hold at the threshold are in, and every node has reported so. Then a random time up to an interval.
  2. One more player asks berth-lb, connects to the node and says join. The clock starts when `join` is sent, before the node admits.
  3. The clock stops in the process that the provider starts: a line of sh that writes the time down before it becomes the node.
  4. The new node joins (its first report; the time of that entry in the feed). From then on a player comes each 50 ms and asks
     berth-lb; the first one who is sent to the new node connects, and the clock stops when the node says `joined`.

The pool grows by one node a round. p99 is the largest of fewer than 100 rounds.

  --rounds N
"""
import argparse
import math
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from fleet import Failed, Fleet, Player, record, wait  # noqa: E402

THRESHOLD = 3  # players per node


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, math.ceil(q * len(values)) - 1)]


def reported(fleet):
    """Players by the nodes' last reports."""
    return sum(int(record(text)["conns"]) for text in fleet.redis.hash(fleet.key("reports")).values())


def joined_at(fleet, node):
    for entry, fields in fleet.redis.ask("XREVRANGE", fleet.key("feed"), "+", "-"):
        item = dict(zip(fields[::2], fields[1::2]))
        if item["k"] == "join" and item["n"] == node:
            return int(entry.split("-")[0])
    return None


def first_player(fleet, node):
    found = fleet.endpoint()
    return Player(*found) if found and found[1]["node"] == node else None


def measure(fleet, players, n):
    """One round, with n nodes ready: reaction, boot and first player in ms."""
    wait(f"{n} nodes ready", lambda: len(fleet.ready()) == n)
    while len(players) < THRESHOLD * n:
        players.append(fleet.comer())
        players[-1].join()
    wait("all players reported", lambda: reported(fleet) == len(players))
    time.sleep(random.uniform(0.1, 1.1))
    if len(fleet.started()) != n:
        raise Failed(f"{len(fleet.started())} nodes were started for {n}")
    players.append(fleet.comer())
    crossed, _ = players[-1].join()
    ns, node = wait("the provider is called", lambda: fleet.started()[n:], each_s=0.005)[0]
    called = ns / 1e6
    joined = wait("the new node joins", lambda: joined_at(fleet, node), each_s=0.005)
    players.append(wait("a player is sent to the new node", lambda: first_player(fleet, node), each_s=0.05))
    return called - crossed, joined - called, players[-1].join()[1] - joined


def run(fleet, rounds):
    fleet.open()
    fleet.autoscaler("as-1")
    players, results = [], []
    for n in range(1, rounds + 1):
        results.append(measure(fleet, players, n))
        print("  %2d: provider called after %5.0f ms, first report %4.0f ms later, first player %5.0f ms later" % (n, *results[-1]),
              flush=True)
    reactions, _, firsts = zip(*results)
    print("bench-reaction: p50_ms=%.0f p99_ms=%.0f first_report_to_first_player_p99_ms=%.0f"
          % (quantile(reactions, 0.5), quantile(reactions, 0.99), quantile(firsts, 0.99)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=24)
    options = parser.parse_args()
    fleet = Fleet(options.build, {
        "min": 1, "max": options.rounds + 2, "out_cooldown": "0s", "max_step": 1,
        "rules": [{"rule": "min_ready", "ready": 1},
                  {"rule": "average_connections", "above": THRESHOLD, "below": 0, "hold": "0s"}]})
    try:
        run(fleet, options.rounds)
    except Failed as e:
        sys.exit(f"bench-reaction: {e}")
    finally:
        fleet.close()


main()
