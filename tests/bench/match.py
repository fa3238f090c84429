"""bench-match: matchmaking across 4 lobby nodes and one Redis.

players_per_s: at the lobby's store interface (tests/bench/match_store.c: 4 processes that seek, match, finish and read their
results through the scripts; a player counts once told). The better of --rounds.
p99_ms: from seek to ALL_CONNECTED through real sockets (tests/bench/match_sockets.c), RATE players a second on 4 berth-lobbynode, rooms from a
berth-lb with 20 nodes that report each second. mean_rating_spread: of those matches, largest minus smallest rating; ratings are normal with
deviation 300, 4 players a match. Beside it the same players matched at random, and sorted offline.

  --rounds N  --seconds S  --rate R  --window START,GROWTH,MAX
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

from endpoint import berth, free_port, nodes, redis, wait_port

LOBBIES = 4
MODE = "{size: 4, window_start: %s, window_growth: %s, window_max: %s, timeout: 30s}"


def figures(text):
    return {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", text)}


def at_the_store(options, path):
    store = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", f"{path}/store.sock", "--save", "", "--dir", path],
                             stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(f"{path}/store.sock"):
            pass
        best = 0
        for i in range(options.rounds):
            subprocess.run(["redis-cli", "-s", f"{path}/store.sock", "flushall"], stdout=subprocess.DEVNULL, check=True)
            done = subprocess.run([f"{options.build}/bench/match_store", f"{path}/store.sock", str(LOBBIES), str(options.seconds)],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if done.returncode != 0:
                sys.exit("bench-match: match_store failed")
            got = figures(done.stdout)
            print("  store interface: %.0f players/s, mean spread %.1f" % (got["players_per_s"], got["spread"]), flush=True)
            best = max(best, got["players_per_s"])
        return best
    finally:
        store.terminate()
        store.wait()


def through_sockets(options, tmp, running):
    store, port = redis(tmp)
    running.append(store)
    server = berth(options.build, tmp, min(os.sched_getaffinity(0)), port, "game")
    running.append(server.process)
    reporting, _ = nodes(options.build, port, server, "game")
    running.append(reporting)
    ports = [free_port() for _ in range(LOBBIES)]
    with open(f"{tmp}/lobby.yaml", "w") as f:
        f.write(f"redis: {{host: 127.0.0.1, port: {port}}}\nlog: {{level: warn}}\ntickets: {{mode: \"off\"}}\n"
                f"pools:\n  lobby: {{capacity: 15000}}\n  game: {{capacity: 100000}}\n"
                f"lobbynode:\n  lb: [\"http://127.0.0.1:{server.port}\"]\n  admit_timeout: 60s\n  modes:\n    ranked: {MODE % tuple(options.window.split(','))}\n")
    for i, lobby_port in enumerate(ports):
        process = subprocess.Popen([f"{options.build}/bin/berth-lobbynode", "--config", f"{tmp}/lobby.yaml", "--name", f"ln-{i}",
                                    "--listen", f"127.0.0.1:{lobby_port}"])
        running.append(process)
        wait_port(lobby_port, process)
    load = subprocess.run([f"{options.build}/bench/match_sockets", str(options.rate), str(options.seconds + 2), str(2 * options.rate),
                           *map(str, ports)], stdout=subprocess.PIPE, text=True)
    print("  sockets: " + load.stdout.strip(), flush=True)
    if load.returncode != 0:
        sys.exit("bench-match: somebody was not matched")
    return figures(load.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--window", default="50,400,1500", help="start, growth a second, max (through sockets)")
    options = parser.parse_args()
    tmp = tempfile.mkdtemp(prefix="berth-bench-")
    running = []
    try:
        players = at_the_store(options, tmp)
        got = through_sockets(options, tmp, running)
    finally:
        for process in reversed(running):
            process.kill()
            process.wait(20)
        shutil.rmtree(tmp)
    print(f"bench-match: players_per_s={players:.0f} p99_ms={got['p99_ms']:.1f} mean_rating_spread={got['spread']:.1f}")


main()
