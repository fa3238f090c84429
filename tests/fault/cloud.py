#!/usr/bin/env python3
"""cloud.py - a cloud of the exec provider: launch, terminate and list of node.sh processes. $FAULT_DIRECTORY/cloud says what ails it:
`hang` nothing is answered, `error` nothing can be done, `forget` instances are made and nobody is told."""
import json
import os
import signal
import subprocess
import sys
import time

directory, config, here = os.environ["FAULT_DIRECTORY"], os.environ["FAULT_CONFIG"], os.path.dirname(os.path.abspath(__file__))


def state():
    try:
        with open(f"{directory}/cloud") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def pid_of(name):
    """Of an instance that lives; None else."""
    try:
        with open(f"{directory}/instances/{name}") as f:
            pid = int(f.read() or 0)
        with open(f"/proc/{pid}/stat") as f:
            return pid if f.read().rpartition(")")[2].split()[0] not in "ZX" else None
    except (FileNotFoundError, ProcessLookupError):
        return None


def rows(pool, token=None):
    names = [n for n in os.listdir(f"{directory}/instances") if n.startswith(pool + "-") and (token is None or n.startswith(f"{pool}-{token}-"))]
    return [{"id": n, "token": n[len(pool) + 1:].rpartition("-")[0], "state": "running"} for n in sorted(names) if pid_of(n)]


def make(pool, token, count):
    """Once for each number of the token, however often it is asked for."""
    for number in range(1, count + 1):
        name = f"{pool}-{token}-{number}"
        try:
            with open(f"{directory}/instances/{name}", "x") as f, open(f"{directory}/log/{name}.log", "ab") as log:
                node = subprocess.Popen([f"{here}/node.sh", f"{pool}node", f"{os.environ['FAULT_BIN']}/berth-{pool}node", "--name", name, "--pool", pool,
                                         "--config", config, "--instance", name], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        start_new_session=True)
                f.write(str(node.pid))
        except FileExistsError:
            pass


def main():
    ask, ails = json.load(sys.stdin), state()
    os.makedirs(f"{directory}/instances", exist_ok=True)
    if ails == "hang":
        time.sleep(1000)
    if ails == "error":
        sys.exit("the cloud is out of order")
    if ask["operation"] == "launch":
        make(ask["pool"], ask["token"], ask["count"])
        if ails == "forget":
            sys.exit("the answer is lost")
        print(json.dumps({"instances": rows(ask["pool"], ask["token"])}))
    elif ask["operation"] == "list":
        print(json.dumps({"instances": rows(ask["pool"])}))
    elif pid := pid_of(ask["id"]):
        os.kill(pid, signal.SIGTERM)


main()
