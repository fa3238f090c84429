"""network.py - hosts, each a network namespace of its own on one switch, and what can go wrong between them.

The switch is a bridge in the namespace we are in. A host's way to it is a pair of virtual interfaces, or, for a slow host, the cable
fault_slowlink. Cuts and losses are nft rules of the hosts that receive: nobody who sends is told.
"""
import re
import subprocess

from fleet import Failed

NET = "10.77.0"


def command(*words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Network:
    def __init__(self, build, hosts, slow=()):
        """hosts: last number of the address by name. slow: names of those behind a cable of their own, without delay yet."""
        self.address = {name: f"{NET}.{number}" for name, number in hosts.items()}
        self.cables, self.rules = {}, {}
        lines = ["ip link set lo up", "ip link add switch type bridge", f"ip addr add {NET}.1/24 dev switch", "ip link set switch up"]
        for name in hosts:
            lines += [f"ip netns add {name}", f"ip -n {name} link set lo up"]
            if name not in slow:
                lines += [f"ip link add to-{name} type veth peer name eth0 netns {name}"]
        command("sh", "-e", text="\n".join(lines))
        for name in slow:
            self.cables[name] = subprocess.Popen([f"{build}/fault/fault_slowlink", f"/run/netns/{name}", "eth0", f"to-{name}", "0", "0"],
                                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if self.cables[name].stdout.readline() != "ready\n":
                raise Failed("fault_slowlink does not start")
        lines = []
        for name in hosts:
            lines += [f"ip link set to-{name} master switch up", f"ip -n {name} addr add {self.address[name]}/24 dev eth0",
                      f"ip -n {name} link set eth0 up"]
        command("sh", "-e", text="\n".join(lines))

    def inside(self, host):
        """First words of a command that is to run on that host."""
        return ["nsenter", f"--net=/run/netns/{host}", "--"]

    def delay(self, host, ms, jitter_ms=0):
        """Each way, for all that this slow host sends and hears."""
        self.cables[host].stdin.write(f"{ms} {jitter_ms}\n")
        self.cables[host].stdin.flush()

    def apply(self, host):
        lines = ["table inet fault", "delete table inet fault"]
        if self.rules[host]:
            lines += ["table inet fault {", "chain in {", "type filter hook input priority 0; policy accept;", *self.rules[host], "}", "}"]
        command(*self.inside(host), "nft", "-f", "-", text="\n".join(lines) + "\n")

    def add(self, host, rule):
        self.rules.setdefault(host, []).append(rule)
        self.apply(host)

    def deaf(self, host, to):
        """`host` hears nothing from `to` any more; what it says still arrives."""
        self.add(host, f"ip saddr {self.address[to]} counter drop")

    def cut(self, a, b):
        self.deaf(a, b)
        self.deaf(b, a)

    def lossy(self, host, percent):
        """Of what host hears, and of what each other hears from it, so much is lost."""
        for name in self.address:
            if name != host:
                self.add(name, f"ip saddr {self.address[host]} numgen random mod 100 < {percent} counter drop")
        self.add(host, f'iif != "lo" numgen random mod 100 < {percent} counter drop')

    def dropped(self):
        """Packets that these rules have dropped so far."""
        return sum(int(n) for host in self.rules if self.rules[host]
                   for n in re.findall(r"packets (\d+)", command(*self.inside(host), "nft", "list", "table", "inet", "fault")))

    def heal(self):
        """All is well again. Fails if what was wrong met nobody: then nothing would be shown."""
        if any(self.rules.values()) and self.dropped() == 0:
            raise Failed("the fault met no packet")
        for host in list(self.rules):
            self.rules[host] = []
            self.apply(host)
        for host in self.cables:
            self.delay(host, 0)
