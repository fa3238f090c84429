"""haproxy: the examples of infra/haproxy under the real program.

local-proxy.cfg: an API server asks through it while a balancer is killed, comes back, stands still, goes on, and is taken out by its
maintenance file: no request fails, and none needs a second try of the client.
redis.cfg: of two redis-servers it is the primary that is reached, also after they have changed roles.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from pair import Client, Failed, Pair, Redis, ask, free_port, listens, wait  # noqa: E402
from redis_sets import Server, Set  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../infra/haproxy")


def local_proxy(pair):
    proxy, a = free_port(), pair.peers["lb-a"]
    env = {"BERTH_PROXY": f"127.0.0.1:{proxy}"}
    for letter, peer in zip("AB", pair.peers.values()):
        env |= {f"BERTH_LB_{letter}": f"127.0.0.1:{peer.public}", f"BERTH_LB_{letter}_HOST": "127.0.0.1",
                f"BERTH_LB_{letter}_HEALTH": str(peer.health)}
    pair.start("haproxy", "haproxy", "-f", f"{HERE}/local-proxy.cfg", env=env)
    wait("haproxy listens", lambda: listens(proxy))
    wait("a request goes through", lambda: ask(proxy, "/v1/pools/game/endpoint?player=first", 2) == 200)
    clients = [Client([proxy], f"/v1/pools/game/endpoint?player=p{i}", try_s=2) for i in range(4)]
    for c in clients:
        c.start()
    time.sleep(0.5)
    pair.kill(a)
    time.sleep(1.2)
    pair.start_peer(a)
    wait("lb-a is back", lambda: listens(a.health))
    time.sleep(1)
    pair.stop(a)
    time.sleep(1.5)
    pair.wake(a)
    wait("lb-a is in service", lambda: listens(a.health))
    time.sleep(1)
    with open(f"{pair.directory}/out", "w"):
        pass
    wait("the health port is closed", lambda: not listens(a.health))
    time.sleep(0.8)  # haproxy has noticed: not one request more is for lb-a
    metrics = f"http://127.0.0.1:{a.admin}/metrics"
    before = requests_of(a)
    time.sleep(0.7)
    if requests_of(a) != before:
        raise Failed(f"lb-a is out of service and is still asked: {metrics}")
    for c in clients:
        c.end()
    asked, failed = sum(c.asked for c in clients), sum(len(c.failed) for c in clients)
    again = sum(c.second_tries for c in clients)
    if failed or again:
        raise Failed(f"{failed} of {asked} requests failed, {again} were asked again: {pair.log('haproxy')}")
    return asked, max(c.slowest_ms for c in clients)


def requests_of(peer):
    import urllib.request
    with urllib.request.urlopen(f"http://127.0.0.1:{peer.admin}/metrics", timeout=5) as answer:
        return [line for line in answer.read().decode().splitlines() if line.startswith("berth_lb_requests_total")]


class Two(Set):
    def __init__(self):
        super().__init__()
        self.servers = [Server(self.directory, f"redis-{i}", "--repl-diskless-sync-delay", "0") for i in range(2)]

    def open(self):
        for server in self.servers:
            server.start().up()
        self.servers[1].ask("REPLICAOF", "127.0.0.1", str(self.servers[0].port))
        return self


def through(port):
    """The run id of the server that is reached; None: nobody."""
    try:
        line = Redis(port)
        info = line.ask("INFO", "server")
        line.close()
        return info.split("run_id:")[1].split()[0]
    except (OSError, IndexError, Failed):
        return None


def redis_proxy(pair):
    two, proxy = Two(), free_port()
    try:
        first, second = two.open().servers
        ids = [s.ask("INFO", "server").split("run_id:")[1].split()[0] for s in two.servers]
        pair.start("haproxy-redis", "haproxy", "-f", f"{HERE}/redis.cfg",
                   env={"BERTH_REDIS_PROXY": f"127.0.0.1:{proxy}", "BERTH_REDIS_1": f"127.0.0.1:{first.port}",
                        "BERTH_REDIS_2": f"127.0.0.1:{second.port}"})
        wait("the primary is reached", lambda: through(proxy) == ids[0])
        kept = Redis(proxy)
        first.kill()
        second.ask("REPLICAOF", "NO", "ONE")
        wait("the new primary is reached", lambda: through(proxy) == ids[1])
        try:
            kept.ask("PING")
            raise Failed("a session with a server that is no primary went on")
        except (OSError, IndexError):
            pass
        first.args = (*first.args, "--replicaof", f"127.0.0.1 {second.port}")
        first.start().up()
        for _ in range(20):
            if through(proxy) != ids[1]:
                raise Failed("a replica was reached")
            time.sleep(0.05)
    finally:
        two.close()


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    given = options.parse_args()
    pair = Pair(given.build, {"failback_after": "500ms"})
    try:
        pair.peers["lb-a"].args = ["--lb.maintenance_file", f"{pair.directory}/out"]
        pair.open()
        asked, slowest = local_proxy(pair)
        redis_proxy(pair)
    except Exception:
        for name in ("lb-a", "lb-b", "haproxy", "haproxy-redis"):
            if os.path.exists(f"{pair.directory}/{name}.log"):
                print(f"---- {name}\n{pair.log(name)[-2000:]}", file=sys.stderr)
        raise
    finally:
        pair.close()
    print(f"haproxy: passed requests={asked} failed=0 slowest_ms={slowest:.0f}")


if __name__ == "__main__":
    main()
