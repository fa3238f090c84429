"""scenarios.py - what is done when, and what must hold."""
import time

from fleet import Failed, wait
from world import World

SCENARIOS = []


class Scenario:
    def __init__(self, name, holds, act, knobs):
        self.name, self.holds, self.act, self.knobs = name, holds, act, knobs

    def run(self, build, directory):
        world = World(build, directory, **self.knobs)
        world.up()
        return self.act(world)


def scenario(name, holds, **knobs):
    def add(act):
        SCENARIOS.append(Scenario(name, holds, act, knobs))
        return act
    return add


@scenario("nothing", "nothing is done: nobody fails, nothing is lost or launched")
def nothing(w):
    return w.well()


def bereaved(w, launched=(1, 1), limit_s=30, meanwhile=lambda victim: None):
    """A node is killed, then what meanwhile() does: nobody but its players loses anything, and it is replaced."""
    victim = w.node()
    held = w.players_of(victim)
    w.kill(victim)
    meanwhile(victim)
    return w.well(failed=held + 8, killed=held + 8, launched=launched, lost={victim}, limit_s=limit_s)


def bereaved_while_the_cloud(w, ails, until, **expect):
    """The same, while the cloud ails (cloud.py): for so many seconds, or until until() returns; None: to the end."""
    def meanwhile(_):
        if until is None:
            return
        if callable(until):
            until()
        else:
            time.sleep(until)
        w.cloud("")
    w.cloud(ails)
    return bereaved(w, meanwhile=meanwhile, **expect)


@scenario("node-killed", "only the players of that node lose their session; it is out in a second and replaced once")
def node_killed(w):
    victim = w.node()
    held = w.players_of(victim)
    w.kill(victim)
    began = time.monotonic()
    wait("it is lost", lambda: victim in w.lost(), 4, 0.02)
    took = (time.monotonic() - began) * 1000
    return f"lost_ms={took:.0f} {w.well(failed=held + 8, killed=held + 8, launched=(1, 1), lost={victim}, limit_s=25)}"


# ---- nodes ----

@scenario("node-stopped", "SIGSTOP for 6 s: out after its silence; its rooms move if they are asked for, who plays there plays on; back when it goes on")
def node_stopped(w):
    victim = w.node()
    w.stop(victim)
    w.ended.add(victim)  # the resident's room is asked for all the time: it moves, because a probe fails, too
    wait("it is lost", lambda: victim in w.lost(), 6)
    time.sleep(4)
    w.go(victim)
    return w.well(failed=8, killed=8, launched=(1, 1), lost={victim}, game=4)


@scenario("lobby-killed", "whoever was in that lobby node finds another one, and the match that was made meanwhile: nobody fails")
def lobby_killed(w):
    victim = w.node("lobby")
    w.kill(victim)
    return w.well(killed=24, launched=(1, 1), lost={victim})


@scenario("lobby-stopped", "SIGSTOP of a lobby node for 6 s: nobody fails")
def lobby_stopped(w):
    victim = w.node("lobby")
    w.paused(victim, 6)
    return w.well(killed=24, launched=(1, 1), lost={victim}, lobby=3)


def half(w):
    return sorted(name for name, (_, pool, _) in w.nodes().items() if pool == "game")[:3]


@scenario("half-killed", "three of six game nodes die at once: the guard lets a third go and holds back the rest while it is in doubt; players on "
          "the others see nothing, each is replaced once", games=6, game={"guard_release": "6s"})
def half_killed(w):
    victims = half(w)
    held = sum(w.players_of(v) for v in victims)
    for victim in victims:
        w.kill(victim)
    wait("the guard holds", lambda: [e for e in w.events("game") if e["k"] == "guard"], 10, 0.01)
    if len(w.lost()) > 2:
        raise Failed(f"the guard does not hold: lost {w.lost()}")
    return w.well(failed=held + 12, killed=held + 12, launched=(3, 3), lost=victims, limit_s=30)


@scenario("half-cut", "three of six game nodes cannot reach Redis for 6 s: the guard holds, none is lost, nothing is launched, nobody is hung up on",
          games=6)
def half_cut(w):
    for victim in half(w):
        w.net.cut(w.host_of(victim), "redis")
    wait("the guard holds", lambda: [e for e in w.events("game") if e["k"] == "guard"], 10)
    time.sleep(3)
    w.net.heal()
    return w.well()


# ---- balancers ----

def taken_over(w, pool, by, limit_s=4):
    began = time.monotonic()
    wait(f"{by} owns {pool}", lambda: w.owner(pool) == by, limit_s, 0.01)
    return (time.monotonic() - began) * 1000


@scenario("owner-killed", "the balancer that owns the game pool is killed: the other owns it within 1.5 s, every ask is answered, and it comes back")
def owner_killed(w):
    w.kill("lb-b")
    took = taken_over(w, "game", "lb-a")
    time.sleep(3)
    w.lb("lb-b")
    wait("the pool goes back", lambda: w.owner() == "lb-b", 15)
    return f"owned_ms={took:.0f} {w.well()}"


@scenario("owner-stopped", "the same by SIGSTOP for 5 s; awake, it does nothing under its old token")
def owner_stopped(w):
    before = int(w.ask("GET", w.key("owner")).split()[2])
    w.stop("lb-b")
    took = taken_over(w, "game", "lb-a")
    time.sleep(4)
    w.go("lb-b")
    time.sleep(1)
    token = int(w.ask("GET", w.key("owner")).split()[2])
    if token <= before:
        raise Failed(f"the token did not grow: {before}, {token}")
    return f"owned_ms={took:.0f} {w.well()}"


@scenario("balancers-in-turn", "both balancers are killed and started again, one after the other: every ask is answered")
def balancers_in_turn(w):
    for name in ("lb-a", "lb-b"):
        w.kill(name)
        time.sleep(2)
        w.lb(name)
        w.settled()
    return w.well()


@scenario("balancers-away", "both are killed for 3 s: players play on, who asks waits, nothing is launched or lost")
def balancers_away(w):
    for name in ("lb-a", "lb-b"):
        w.kill(name)
    time.sleep(3)
    for name in ("lb-a", "lb-b"):
        w.lb(name)
    return w.well()


# ---- autoscalers ----

def other(name):
    return "as-2" if name == "as-1" else "as-1"


@scenario("launch-killed", "the leading autoscaler is killed in the middle of a launch of two: the other finishes it, two are launched")
def launch_killed(w):
    leader, before = w.leader(), w.starts()
    w.berth("scale", "game", "5", "--why", "test")
    wait("a launch begins", lambda: w.starts() > before, 10, 0.001)
    w.kill(leader)
    began = time.monotonic()
    wait("the other leads", lambda: w.leader() == other(leader), 5, 0.01)
    took = (time.monotonic() - began) * 1000
    w.autoscaler(leader)
    return f"leads_ms={took:.0f} {w.well(launched=(2, 2), game=5)}"


@scenario("launch-stopped", "the same by SIGSTOP for 6 s")
def launch_stopped(w):
    leader, before = w.leader(), w.starts()
    w.berth("scale", "game", "5", "--why", "test")
    wait("a launch begins", lambda: w.starts() > before, 10, 0.001)
    w.stop(leader)
    wait("the other leads", lambda: w.leader() == other(leader), 5, 0.01)
    time.sleep(5)
    w.go(leader)
    return w.well(launched=(2, 2), game=5)


@scenario("autoscalers-away", "both are killed, and a node, too: the node is lost all the same, and replaced once when they are back")
def autoscalers_away(w):
    victim = w.node()
    held = w.players_of(victim)
    for name in ("as-1", "as-2"):
        w.kill(name)
    w.kill(victim)
    wait("it is lost", lambda: victim in w.lost(), 6)
    time.sleep(3)
    for name in ("as-1", "as-2"):
        w.autoscaler(name)
    return w.well(failed=held + 8, killed=held + 8, launched=(1, 1), lost={victim}, limit_s=30)


@scenario("cut-leader-redis", "the leading autoscaler cannot reach Redis: the other leads; nothing is launched, now or when it is back")
def cut_leader_redis(w):
    leader = w.leader()
    w.net.cut(leader, "redis")
    wait("the other leads", lambda: w.leader() == other(leader), 6)
    time.sleep(4)
    w.net.heal()
    return w.well()


# ---- Redis ----

@scenario("redis-paused", "Redis stands still for 10 s under load: nobody is lost, nothing is launched, no room moves, every ask is answered",
          players=80)
def redis_paused(w):
    w.paused("redis", 10)
    return w.well(limit_s=25)


@scenario("redis-restarted", "Redis is killed and comes back after 3 s with its data", redis_args=("--appendonly", "yes"))
def redis_restarted(w):
    w.kill("redis")
    time.sleep(3)
    w.redis_server()
    return w.well(limit_s=25)


@scenario("redis-emptied", "Redis is killed and comes back after 3 s with nothing: everybody registers again, rooms stay where they are")
def redis_emptied(w):
    w.kill("redis")
    time.sleep(3)
    w.redis_server()
    return w.well(limit_s=25)


@scenario("redis-failover", "the primary dies, Sentinel makes the replica primary: nobody is lost, nothing is launched", sentinel=True)
def redis_failover(w):
    w.kill("redis")
    began = time.monotonic()
    wait("the replica is primary", lambda: w.redis("redis-2").ask("ROLE")[0] == "master", 20, 0.05)
    w.store = "redis-2"
    took = (time.monotonic() - began) * 1000
    return f"failover_ms={took:.0f} {w.well(limit_s=25)}"


@scenario("redis-paused-failover", "the primary stands still until a replica has taken over, and goes on as if it led: nobody listens to it",
          sentinel=True, redis_args=("--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"))
def redis_paused_failover(w):
    w.stop("redis")
    wait("the replica is primary", lambda: w.redis("redis-2").ask("ROLE")[0] == "master", 20, 0.05)
    w.store = "redis-2"
    w.go("redis")
    return w.well(limit_s=25)


@scenario("redis-read-only", "Redis refuses writes as a replica does for 6 s: like being away")
def redis_read_only(w):
    w.ask("REPLICAOF", "10.77.0.250", "6379")
    time.sleep(6)
    w.ask("REPLICAOF", "NO", "ONE")
    return w.well(limit_s=25)


@scenario("redis-full", "Redis has no memory left (noeviction) for 6 s: like being away")
def redis_full(w):
    w.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    w.ask("CONFIG", "SET", "maxmemory", "1mb")
    time.sleep(6)
    w.ask("CONFIG", "SET", "maxmemory", "0")
    return w.well(limit_s=25)


@scenario("redis-disk-full", "Redis cannot write its snapshot (stop-writes-on-bgsave-error) for 5 s: like being away",
          redis_args=("--enable-protected-configs", "yes"))
def redis_disk_full(w):
    w.disk_full()
    wait("it refuses writes", w.refuses_writes, 15, 0.2)
    time.sleep(5)
    w.ask("CONFIG", "SET", "save", "")
    w.ask("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
    return w.well(limit_s=25)


# ---- partitions ----

@scenario("cut-owner-redis", "the balancer that owns the game pool is cut off from Redis for 6 s: the other owns it, both go on answering")
def cut_owner_redis(w):
    w.net.cut("lb-b", "redis")
    took = taken_over(w, "game", "lb-a")
    time.sleep(5)
    w.net.heal()
    return f"owned_ms={took:.0f} {w.well()}"


@scenario("deaf-owner-redis", "it does not hear Redis, which hears it")
def deaf_owner_redis(w):
    w.net.deaf("lb-b", "redis")
    took = taken_over(w, "game", "lb-a")
    time.sleep(5)
    w.net.heal()
    return f"owned_ms={took:.0f} {w.well()}"


@scenario("mute-owner-redis", "it hears Redis, which does not hear it")
def mute_owner_redis(w):
    w.net.deaf("redis", "lb-b")
    took = taken_over(w, "game", "lb-a")
    time.sleep(5)
    w.net.heal()
    return f"owned_ms={took:.0f} {w.well()}"


@scenario("cut-peers", "the link between the balancers is cut for 7 s: nobody takes a pool from the other, nobody is lost")
def cut_peers(w):
    owners = {pool: w.ask("GET", w.key("owner", pool)) for pool in ("lobby", "game")}
    w.net.cut("lb-a", "lb-b")
    time.sleep(7)
    now = {pool: w.ask("GET", w.key("owner", pool)) for pool in ("lobby", "game")}
    w.net.heal()
    if owners != now:
        raise Failed(f"pools changed hands: {owners} {now}")
    return w.well()


@scenario("deaf-peer", "one balancer does not hear the other for 7 s: the same")
def deaf_peer(w):
    owners = {pool: w.ask("GET", w.key("owner", pool)) for pool in ("lobby", "game")}
    w.net.deaf("lb-b", "lb-a")
    time.sleep(7)
    now = {pool: w.ask("GET", w.key("owner", pool)) for pool in ("lobby", "game")}
    w.net.heal()
    if owners != now:
        raise Failed(f"pools changed hands: {owners} {now}")
    return w.well()


@scenario("cut-node-redis", "a node alone cannot reach Redis for 6 s: no new players; those inside play on, its rooms stay")
def cut_node_redis(w):
    victim = w.node()
    w.net.cut(w.host_of(victim), "redis")
    wait("it is lost", lambda: victim in w.lost(), 6)
    time.sleep(3)
    w.net.heal()
    return w.well(launched=(1, 1), lost={victim}, game=4)


@scenario("mute-node-redis", "a node hears Redis, which does not hear it: the same")
def mute_node_redis(w):
    victim = w.node()
    w.net.deaf("redis", w.host_of(victim))
    wait("it is lost", lambda: victim in w.lost(), 6)
    time.sleep(3)
    w.net.heal()
    return w.well(launched=(1, 1), lost={victim}, game=4)


def disputed(w):
    """The owner has asked its peer about a node and was overruled, or its guard held: it has noticed."""
    wait("the owner notices", lambda: w.events("game", "probe_disputed") + w.events("game", "probes_fail_everywhere"), 10)


@scenario("cut-owner-node", "the owner of the game pool cannot reach one of its nodes for 8 s: the other balancer can, so it is not lost")
def cut_owner_node(w):
    w.net.cut("lb-b", w.host_of(w.node()))
    time.sleep(8)
    disputed(w)
    w.net.heal()
    return w.well()


@scenario("cut-owner-nodes", "it can reach none of them: the same")
def cut_owner_nodes(w):
    for host in w.node_hosts():
        w.net.cut("lb-b", host)
    time.sleep(8)
    disputed(w)
    w.net.heal()
    return w.well()


@scenario("deaf-owner-nodes", "it hears none of them, which hear it: the same")
def deaf_owner_nodes(w):
    for host in w.node_hosts():
        w.net.deaf("lb-b", host)
    time.sleep(8)
    disputed(w)
    w.net.heal()
    return w.well()


@scenario("cut-owner", "it is cut off from Redis, its peer and all nodes at once: the other owns the pool, those who ask it are answered from memory")
def cut_owner(w):
    for host in ["redis", "lb-a"] + w.node_hosts():
        w.net.cut("lb-b", host)
    took = taken_over(w, "game", "lb-a")
    time.sleep(5)
    w.net.heal()
    return f"owned_ms={took:.0f} {w.well()}"


# ---- slow and lossy links ----

@scenario("slow-redis", "200 ms to Redis and 200 ms back: nothing is lost or launched, every ask is answered", slow=("redis",))
def slow_redis(w):
    w.net.delay("redis", 200, 20)
    time.sleep(10)
    w.net.heal()
    return w.well()


@scenario("slow-node", "200 ms to a node and back: it stays", slow=[f"node-{n}" for n in range(1, 10)])
def slow_node(w):
    w.net.delay(w.host_of(w.node()), 200, 20)
    time.sleep(10)
    w.net.heal()
    return w.well()


@scenario("lossy-redis", "15 % of the packets to and from Redis are lost for 8 s: every ask is answered, nobody is hung up on; a node that was not "
          "heard for 2 s may be replaced")
def lossy_redis(w):
    w.net.lossy("redis", 15)
    time.sleep(8)
    w.net.heal()
    return w.well(lost=None, launched=(0, 2), game=None, lobby=None)


@scenario("lossy-node", "20 % of the packets of a node are lost for 8 s: nobody there is hung up on; it may be replaced")
def lossy_node(w):
    w.net.lossy(w.host_of(w.node()), 20)
    time.sleep(8)
    w.net.heal()
    return w.well(lost=None, launched=(0, 1), game=None)


@scenario("lossy-balancer", "10 % of the packets of a balancer are lost for 8 s: every ask is answered")
def lossy_balancer(w):
    w.net.lossy("lb-b", 10)
    time.sleep(8)
    w.net.heal()
    return w.well()


# ---- the cloud ----

@scenario("cloud-fails", "instances end as they begin: launches are repeated with pauses, no more; the pool is whole when the cloud is")
def cloud_fails(w):
    return bereaved_while_the_cloud(w, "fail", 8, launched=(2, 6))


@scenario("cloud-boots-dead", "instances boot and never report: ended after boot_timeout, others are launched, never too many",
          game={"scale": {"boot_timeout": "3s"}})
def cloud_boots_dead(w):
    given_up = lambda: wait("a dead instance is given up", lambda: w.starts() - w.first >= 2, 20)  # noqa: E731
    return bereaved_while_the_cloud(w, "dead", given_up, launched=(2, 5))


@scenario("cloud-slow", "an instance takes 3 s more to boot than the others: it is waited for, one is launched")
def cloud_slow(w):
    return bereaved_while_the_cloud(w, "slow", None)


@scenario("cloud-hangs", "launches and lists of the exec provider hang for 8 s: ended at their time limit and asked again; nobody is lost, one is launched",
          provider="exec")
def cloud_hangs(w):
    return bereaved_while_the_cloud(w, "hang", 8, limit_s=35)


@scenario("cloud-out-of-order", "the exec provider's commands fail for 8 s: the same", provider="exec")
def cloud_out_of_order(w):
    return bereaved_while_the_cloud(w, "error", 8, limit_s=35)


@scenario("cloud-forgets", "launches make instances, and the answer is lost: asked again with the same token, one is launched", provider="exec")
def cloud_forgets(w):
    return bereaved_while_the_cloud(w, "forget", 6, limit_s=35)


# ---- machines ----

@scenario("logs-full", "the disk that logs go to is full: everything goes on", log_disk="1m")
def logs_full(w):
    w.fill_logs()
    return bereaved(w, meanwhile=lambda victim: wait("a node is lost as ever", lambda: victim in w.lost(), 6))


@scenario("balancer-descriptors", "a balancer runs out of descriptors: the other answers; it answers again when connections end",
          limits={"lb-b": 96})
def balancer_descriptors(w):
    w.hold("lb-b", 8080, 120)
    time.sleep(6)
    w.let_go()
    return w.well()


@scenario("node-descriptors", "strangers take all descriptors of a game node for 6 s: nobody inside is hung up on", node_limit=260)
def node_descriptors(w):
    victim = w.node()
    w.hold(w.host_of(victim), 7000, 400)
    most = max(w.descriptors(victim) for _ in range(20) if not time.sleep(0.05))
    if most < 130:  # what 260 descriptors leave for sockets
        raise Failed(f"its sockets are not taken: {most}")
    time.sleep(6)
    w.let_go()
    return w.well(lost=None, launched=(0, 1), game=None)


@scenario("clocks-apart", "the wall clocks of a balancer and of the nodes are an hour apart: tickets are good, nothing is lost",
          clocks={"lb-a": 3600000, "as-1": -1800000, "as-2": -1800000})
def clocks_apart(w):
    return w.well()


@scenario("clock-leaps", "the wall clocks of a balancer and of the leading autoscaler leap by 90 s, one way and the other: the same",
          clocks={"lb-b": 0, "as-1": 0, "as-2": 0})
def clock_leaps(w):
    for ms in (90000, -90000, 0):
        for host in ("lb-b", "as-1"):
            w.set_clock(host, ms)
        time.sleep(2)
    return w.well()


# ---- everything ----

@scenario("roll-everything", "balancers, autoscalers and Redis's clients restart one by one, and all nodes are replaced, under load: nobody fails",
          players=80)
def roll_everything(w):
    w.berth("roll", "game")
    w.berth("roll", "lobby")
    for name, start in (("as-1", w.autoscaler), ("as-2", w.autoscaler), ("lb-a", w.lb), ("lb-b", w.lb)):
        w.end(name)
        start(name)
        wait(f"{name} is there again", lambda: name[:2] == "as" or w.serves(name), 15, 0.1)
    for r in w.residents:
        r.leave()
    w.residents.clear()
    return w.well(launched=(5, 5), limit_s=40)
