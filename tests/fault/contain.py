"""contain.py - a function in namespaces of its own: processes, mounts and network.

Nothing that runs inside can be seen from, or harm, what is outside: its interfaces, firewall rules and mounts end with it, and the kernel
ends every process of it when its first one ends, or when the caller does, however it ends.
"""
import ctypes
import os
import signal
import subprocess
import time

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run_as_first(directory, work):
    """The first process of the namespaces: prepares them, lets a child work, and buries whoever loses its parent."""
    for words in (["--make-rprivate", "/"], ["-t", "proc", "proc", "/proc"], ["-t", "tmpfs", "tmpfs", directory]):
        subprocess.run(["mount", *words], check=True)
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    worker = os.fork()
    if worker == 0:
        os._exit(work())
    while True:
        pid, status = os.wait()
        if pid == worker:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def contained(directory, work, limit_s):
    """work() -> exit code, inside; None when it was not done in limit_s and was ended. directory is an empty file system there."""
    outer = os.fork()
    if outer == 0:
        os.setsid()  # an interrupt from the terminal is for the caller
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent()
        if libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) != 0:
            print(f"fault: unshare: {os.strerror(ctypes.get_errno())}", flush=True)
            os._exit(1)
        first = os.fork()
        if first == 0:
            die_with_parent()
            run_as_first(directory, work)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xff)
    until = time.monotonic() + limit_s
    try:
        while True:
            pid, status = os.waitpid(outer, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                return None
            time.sleep(0.05)
    finally:
        try:
            os.kill(outer, signal.SIGKILL)
            os.waitpid(outer, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
