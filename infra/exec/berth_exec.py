"""What the example commands of the provider exec share: the request in, the answer out, programs run.

docs/providers.md is the contract: JSON on standard input, {"instances": [...]} on standard output, complaints on standard
error (they go to the autoscaler's log). Exit code 0: done. 3: refused, certainly nothing was made. Anything else: not
known, asked again with the same token, so every operation here may be repeated.
"""
import json
import subprocess
import sys
import time

REFUSED = 3


def say(text):
    print(text, file=sys.stderr, flush=True)


def refuse(text):
    say(text)
    sys.exit(REFUSED)


def run(*argv, check=True):
    """Standard output of a program. Its complaints are passed on; a failure ends us with exit code 1: not known."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    for line in done.stderr.splitlines()[-20:]:
        say(line)
    if done.returncode != 0 and check:
        say(f"{argv[0]} {argv[1]}: exit code {done.returncode}")
        sys.exit(1)
    return done.stdout if done.returncode == 0 else None


def run_json(*argv, check=True):
    text = run(*argv, check=check)
    return json.loads(text) if text and text.strip() else None


def wait_until(seconds, look):
    """What look() returns once it is true; ends us when it is not in time."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() >= end:
            say(f"not there after {seconds} s")
            sys.exit(1)
        time.sleep(0.2 if seconds < 5 else 1)


def main(launch, terminate, list_all):
    request = json.load(sys.stdin)
    operation = request["operation"]
    if operation == "launch":
        answer = launch(request)
    elif operation == "list":
        answer = list_all(request)
    elif operation == "terminate":
        terminate(request)
        answer = []
    else:
        refuse(f"operation {operation}: must be launch, terminate or list")
    json.dump({"instances": answer}, sys.stdout)
    print()
