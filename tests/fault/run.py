"""run.py - `make fault`: the real programs, a real Redis and a real swarm, and what can happen to them, one scenario at a time.

Each scenario has processes, network and mounts of its own (contain.py), so nothing is left of it and nothing outside is touched. Options:
--list; --only NAME[,NAME] (parts of names do). Prints a line per scenario, and at the end `N passed, N failed`; exit code 0 when none
failed, 2 when it cannot run here. The logs of what failed: BUILD/fault/logs/NAME.
"""
import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from contain import contained  # noqa: E402
from fleet import Failed  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402

LIMIT_S = 60


def inside(scenario, build, directory, said):
    """Runs in the namespaces; what it has to say goes through the pipe."""
    try:
        text, code = scenario.run(build, directory), 0
    except Failed as e:
        text, code = str(e), 1
    except Exception:
        text, code = traceback.format_exc(), 1
    if code:
        keep = f"{build}/fault/logs/{scenario.name}"
        shutil.rmtree(keep, ignore_errors=True)
        shutil.copytree(directory, keep, dirs_exist_ok=True)
    os.write(said, text.encode()[:60000])
    return code


def run(scenario, build):
    directory, began = tempfile.mkdtemp(prefix="berth-fault-"), time.monotonic()
    hear, say = os.pipe()
    try:
        code = contained(directory, lambda: inside(scenario, build, directory, say), LIMIT_S)
        os.close(say)
        text = b""
        while part := os.read(hear, 65536):
            text += part
    finally:
        os.close(hear)
        os.rmdir(directory)
    seconds = time.monotonic() - began
    good = code == 0
    why = text.decode(errors="replace").strip() or ("not done in %d s" % LIMIT_S if code is None else f"ended with {code}")
    print(f"{'ok' if good else 'FAILED'} {scenario.name} {seconds:.1f}: {why}", flush=True)
    return good


def unable(build):
    """Why this cannot run here; None when it can."""
    if not os.access(f"{build}/bin/berth-lb", os.X_OK):
        return f"--build {build}: has no bin/berth-lb (make build)"
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    missing = [tool for tool in ("ip", "nft", "nsenter", "prlimit", "redis-server", "mount") if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)} (make deps)"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    return None


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", default="build/release")
    options.add_argument("--only", default="", help="names, or parts of names, separated by commas")
    options.add_argument("--list", action="store_true")
    given = options.parse_args()
    wanted = [word for word in given.only.split(",") if word]
    names = [s.name for s in SCENARIOS]
    chosen = [s for s in SCENARIOS if not wanted or any(s.name == w or w not in names and w in s.name for w in wanted)]
    nobody = [w for w in wanted if not any(w in name for name in names)]
    if nobody:
        print(f"fault: --only {','.join(nobody)}: no scenario is called so; --list names them", file=sys.stderr)
        return 2
    if given.list:
        for s in chosen:
            print(f"{s.name:24} {s.holds}")
        return 0
    why = unable(given.build)
    if why:
        print(f"fault: {why}", file=sys.stderr)
        return 2
    results = [run(s, os.path.abspath(given.build)) for s in chosen]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it came ignored
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
