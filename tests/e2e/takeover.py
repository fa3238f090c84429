"""takeover: the leading autoscaler is killed (-9) or stopped in the middle of a launch and of a drain; the other finishes.

Two autoscalers on one machine share the local provider's directory. The size of the pool is an operator's wish, so each step is due at
once. Redis tells this test of the very write after which the leader is hit. After each blow:

  - the other leads within 5 s;
  - the pool comes to the size wished: each instance runs once and has its pid file, none runs without one, none was started in vain;
  - a player on a node that is being drained plays on until leaving, and only then the node ends;
  - one that was stopped and is woken changes nothing.
"""
import argparse
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from fleet import Failed, Fleet, Redis, wait  # noqa: E402

TAKEOVER_S = 5
ACTS = ("process_started", "process_adopted", "process_told_to_end", "process_killed", "ev=leading")


class Watch:
    """What Redis writes, key by key, the moment it does."""

    def __init__(self, fleet):
        self.redis = Redis(fleet.redis_port)
        self.redis.ask("CONFIG", "SET", "notify-keyspace-events", "Kh")
        self.fleet, self.keys = fleet, ("plan", "wants", "states")
        self.redis.ask("SUBSCRIBE", *(f"__keyspace@0__:{fleet.key(k)}" for k in self.keys))
        for _ in self.keys[1:]:
            self.redis.reply()

    def until(self, key, true):
        """Return after a write to that key that makes it true."""
        self.redis.socket.settimeout(20)
        name = f"__keyspace@0__:{self.fleet.key(key)}"
        while True:
            _, channel, what = self.redis.reply()
            if channel == name and what == "hset" and true():
                return


class Takeover:
    def __init__(self, fleet):
        self.fleet, self.serial, self.expected, self.size = fleet, 0, 0, 0

    def leader(self):
        return (self.fleet.redis.ask("GET", self.fleet.key("leader")) or "- 0 0").split()[0]

    def add_autoscaler(self):
        self.serial += 1
        name = f"as-{self.serial}"
        self.fleet.autoscaler(name)
        wait(f"{name} has enrolled", lambda: f"autoscale/{name}" in self.fleet.redis.hash(self.fleet.key("peers")))

    def wish(self, size):
        self.expected += max(0, size - self.size)
        self.size = size
        self.fleet.berth("scale", self.fleet.pool, str(size), "--why", "test")

    def is_as_wished(self):
        running, files = self.fleet.nodes(), self.fleet.pid_files()
        return running == files and len(running) == self.size and len(self.fleet.ready()) == self.size

    def check(self):
        wait(f"{self.size} nodes run, each with its pid file, and are ready", self.is_as_wished, 25, 0.1)
        time.sleep(1.5)
        if not self.is_as_wished():
            raise Failed(f"it does not stay so: {self.fleet.nodes()} {self.fleet.pid_files()} {self.fleet.states()}")
        started = [name for _, name in self.fleet.started()]
        if len(started) != self.expected or len(set(started)) != len(started):
            raise Failed(f"{self.expected} starts were needed, there were {len(started)}: {started}")

    def hit(self, name, how):
        """Returns ms until the other leads."""
        self.fleet.running[name].send_signal(how)
        at = time.monotonic()
        wait(f"another leads after {name}", lambda: self.leader() not in (name, "-"), TAKEOVER_S, 0.01)
        return (time.monotonic() - at) * 1000

    def wake(self, name, seen):
        woken = time.time_ns()
        self.fleet.running[name].send_signal(signal.SIGCONT)
        time.sleep(2)
        before = [instance for ns, instance in self.fleet.started() if ns < woken]  # started, but not told yet
        acted = [line for line in self.fleet.log(name)[seen:].splitlines() if any(word in line for word in ACTS)
                 and not ("process_started" in line and any(f"id={instance} " in line for instance in before))]
        if acted:
            raise Failed(f"{name} was woken, does not lead, and acts: {acted}")
        if self.leader() == name:
            raise Failed(f"{name} took the lead from a live one")

    def scenario(self, how, moment, size, play):
        fleet, name, watch = self.fleet, self.leader(), Watch(self.fleet)
        players = play() if moment == "session" else []
        victims = set()
        self.wish(size)
        if moment == "plan":
            watch.until("plan", lambda: True)
        elif moment == "started":
            wait("the provider starts a process", lambda: len(fleet.started()) == self.expected, 20, 0.001)
        elif moment in ("want", "session"):
            watch.until("wants", lambda: any(f.endswith("|autoscale") for f in fleet.redis.hash(fleet.key("wants"))))
        else:
            watch.until("states", lambda: moment in fleet.states().values())
        took = self.hit(name, how)
        seen = len(fleet.log(name))
        if how == signal.SIGSTOP and moment in ("plan", "want"):
            self.wake(name, seen)  # while the new leader is at work
        if players:
            victims = self.play_on(players)
        self.check()
        if victims & set(fleet.nodes()):
            raise Failed(f"{victims} were to be drained, {fleet.nodes()} run")
        if how == signal.SIGSTOP and moment not in ("plan", "want"):
            self.wake(name, seen)
        if how == signal.SIGKILL:
            fleet.running.pop(name).wait()
            self.add_autoscaler()
        watch.redis.close()
        print(f"ok: {how.name} at {moment}: another leads after {took:.0f} ms, and {size} nodes are ready", flush=True)

    def play_on(self, players):
        """The drained node waits for its player, whoever leads. Returns the nodes drained."""
        time.sleep(4)
        leaving = {node for node, state in self.fleet.states().items() if state != "ready"}
        if not leaving:
            raise Failed(f"nothing is drained: {self.fleet.states()}")
        for player in players:
            if player.node not in self.fleet.nodes() or not player.plays():
                raise Failed(f"{player.name} was cut off from {player.node}")
        for player in players:
            player.leave()
        return leaving

    def one_player_a_node(self):
        players = []
        while len({p.node for p in players}) < self.size:
            players.append(self.fleet.comer())
            players[-1].join()
        return players

    def run(self, every):
        self.fleet.open()
        for _ in range(2):
            self.add_autoscaler()
        self.wish(1)
        self.check()
        for how, moment, size in EVERY if every else SOME:
            self.scenario(how, moment, size, self.one_player_a_node)


MOMENTS = (("plan", 3), ("started", 4), ("want", 3), ("terminating", 2), ("session", 1))  # and the size that is wished
EVERY = [(how, moment, size) for how in (signal.SIGKILL, signal.SIGSTOP) for moment, size in MOMENTS]
SOME = [(signal.SIGKILL, "plan", 3), (signal.SIGSTOP, "started", 4), (signal.SIGKILL, "want", 3), (signal.SIGSTOP, "terminating", 2)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--every", action="store_true", help="all moments, killed and stopped: two minutes more")
    args = parser.parse_args()
    fleet = Fleet(args.build, {
        "min": 1, "max": 6, "out_cooldown": "1s", "in_cooldown": "1s", "boot_timeout": "20s", "rules": [{"rule": "min_ready", "ready": 1}]},
        room_ticket_ttl="3s")
    takeover = Takeover(fleet)
    try:
        takeover.run(args.every)
    except Failed as e:
        print(f"FAILED: {e}")
        for name in fleet.running:
            print(f"--- {name}\n" + "\n".join(fleet.log(name).splitlines()[-15:]))
        sys.exit(1)
    finally:
        fleet.close()
    print("takeover: passed")


main()
