"""redis-away: the store stands still while players come, and comes back.

Nobody is lost, nothing is launched, no room moves, no session ends, and every player who asks is answered; a new room has to wait, and
says so. At rest a node is lost after --lost-after seconds of silence; the store is away for --away.
"""
import argparse
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from fleet import Failed, Fleet, Load, record, wait  # noqa: E402

SIZE = 2


def run(fleet, away_s, lost_after_s):
    fleet.open()
    fleet.autoscaler("as-1")
    wait(f"{SIZE} nodes are ready", lambda: len(fleet.ready()) == SIZE)
    players = [fleet.comer() for _ in range(6)]
    for p in players:
        p.join()
    rooms = [("r-" + p.name, p.name, p.node) for p in players]
    time.sleep(lost_after_s + 1.5)  # past the holds of the beginning: from here on silence counts
    load, seen = Load(fleet, rooms), len(fleet.redis.ask("XRANGE", fleet.key("events"), "-", "+"))
    started = len(fleet.started())
    load.start()
    time.sleep(0.5)
    store = fleet.running["redis"]
    store.send_signal(signal.SIGSTOP)
    time.sleep(away_s / 2)
    status, body = load.ask("?room=r-new&player=new")
    if status != 503 or "store-away" not in body["type"]:
        raise Failed(f"a new room while the store is away: {status} {body}")
    time.sleep(away_s / 2)
    store.send_signal(signal.SIGCONT)
    time.sleep(2 * lost_after_s + 2)  # the holds, and sweeps after them
    load.over = True
    load.join()
    if load.failed:
        raise Failed(f"{len(load.failed)} of {load.asked} asks failed: {load.failed[:3]}")
    for p in players:
        if not p.plays():
            raise Failed(f"{p.name} was cut off from {p.node}")
    events = fleet.redis.ask("XRANGE", fleet.key("events"), "-", "+")[seen:]
    lost = [fields for _, fields in events if any("to=lost" in f for f in fields)]
    if lost or sorted(fleet.ready()) != sorted(fleet.nodes()) or len(fleet.ready()) != SIZE:
        raise Failed(f"nodes were lost: {lost} {fleet.states()}")
    if len(fleet.started()) != started:
        raise Failed(f"nodes were launched: {fleet.started()[started:]}")
    for room, _, node in rooms:
        kept = record(fleet.redis.ask("GET", fleet.key("room:" + room)))
        if kept["node"] != node or kept["moved"] != "0":
            raise Failed(f"{room} moved: {kept}")
    for p in players:
        p.leave()
    return load.asked


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    options.add_argument("--away", type=float, default=3, help="seconds")
    options.add_argument("--lost-after", type=float, default=1, help="seconds")
    given = options.parse_args()
    fleet = Fleet(given.build, {"min": SIZE, "max": 6, "out_cooldown": "0s", "rules": [{"rule": "min_ready", "ready": SIZE}]},
                  report_interval=f"{int(given.lost_after * 200)}ms", lost_after=f"{int(given.lost_after * 1000)}ms",
                  ticket_ttl="2s", room_ticket_ttl="2s", slow_start="0s", player_rate=0, capacity=5000)
    try:
        asked = run(fleet, given.away, given.lost_after)
    except Exception:
        print(f"logs: {fleet.directory}", file=sys.stderr)
        for name in fleet.running:
            print(f"---- {name}\n{fleet.log(name)[-2000:]}", file=sys.stderr)
        raise
    finally:
        fleet.close()
    print(f"redis-away: passed away_s={given.away:g} requests={asked} failed=0 lost=0 launched=0 moved=0")


if __name__ == "__main__":
    main()
