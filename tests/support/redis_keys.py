#!/usr/bin/env python3
"""Every key that is ever written, held against docs/redis.md: is it listed, of that type, with that life or bound?

usage: redis_keys.py SOCKET DOCUMENT STOP_FILE
Watches (MONITOR) and looks at all keys again and again until STOP_FILE is there. Prints what is wrong, a line for each key of
the document that was seen, and "keys: N seen, N wrong". Exit code 1: something is wrong.
"""

import os
import re
import socket
import sys
import time

ROW = re.compile(r"^\| `berth:\{P\}:([^`]+)` \| (\w+) \|(.*)\|(.*)\|([^|]*)\|$")
COUNT = {"HASH": "HLEN", "ZSET": "ZCARD", "STREAM": "XLEN"}
NODE_SLACK = 100  # Redis trims whole nodes of a stream


class Redis:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(10)
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            word = str(word).encode()
            out += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(out)

    def read(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:].decode(errors="replace")
        if kind in b"+-":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode(errors="replace")
        return None if rest == "-1" else [self.read() for _ in range(int(rest))]

    def ask(self, *words):
        self.send(*words)
        return self.read()


class Row:
    """One line of the document's table of keys."""

    def __init__(self, name, kind, life):
        self.name, self.kind, self.life = name, kind, life
        parts = re.split(r"(<[^>]+>)", name)
        self.pattern = re.compile(r"^berth:\{[^}:]+\}:" + "".join(".+" if p.startswith("<") else re.escape(p) for p in parts) + "$")
        self.whole = "<" not in name
        self.expires = "PX" in life
        match = re.search(r"MAXLEN ~ ([\d,]+)", life) or re.search(r"at most ([\d,]+)", life)
        self.most = int(match.group(1).replace(",", "")) if match else None
        if name == "feed":
            self.most = 1000  # "at least 1,000": what so small a pool has
        if name == "plan":
            self.most = 64
        self.by_node = life.startswith("until gone") or life.startswith("until taken back")
        self.number = "one number" in life
        self.bounded = self.expires or self.most or self.by_node or self.number


def read_document(path):
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            match = ROW.match(line.strip())
            if match:
                rows.append(Row(match.group(1), match.group(2), match.group(5).strip()))
    return sorted(rows, key=lambda row: not row.whole)


class Judge:
    def __init__(self, rows):
        self.rows, self.seen, self.wrong = rows, set(), {}

    def fail(self, key, what):
        self.wrong.setdefault(f"{key}: {what}", None)

    def row(self, key):
        for row in self.rows:
            if row.pattern.match(key):
                self.seen.add(row.name)
                return row
        self.fail(key, "is not in the document")
        return None

    def nodes_left(self, redis, key, kind, pool):
        """What a hash or a sorted set by node holds of nodes that nobody knows."""
        held = redis.ask("ZRANGE", key, 0, -1) if kind == "ZSET" else redis.ask("HKEYS", key)
        nodes = set(redis.ask("HKEYS", f"berth:{pool}:nodes") or [])
        return [n for n in held if not n.startswith("*") and n.split("|")[0] not in nodes]

    def look(self, redis, key):
        row = self.row(key)
        kind = redis.ask("TYPE", key)
        if row is None or kind == "none":
            return
        if kind.upper() != row.kind:
            self.fail(key, f"is a {kind}, the document says {row.kind}")
            return
        life = redis.ask("PTTL", key)
        if row.expires and life == -1 and redis.ask("EXISTS", key):
            self.fail(key, "has no time to live")
        if row.most and kind in ("hash", "zset", "stream"):
            count = redis.ask(COUNT[row.kind], key)
            if count > row.most + NODE_SLACK:
                self.fail(key, f"holds {count}, bound {row.most}")
        if row.number and not re.match(r"^\d{1,16}$", redis.ask("GET", key) or "0"):
            self.fail(key, "is no number")
        if row.by_node:
            pool = key.split(":")[1]
            for _ in range(3):  # a node may come or go in between
                left = self.nodes_left(redis, key, row.kind, pool)
                if not left:
                    return
            self.fail(key, f"holds {left}, which are no nodes")


def keys_of_monitor(line):
    """The key of a command as MONITOR tells it; a script's own calls are told one by one, so EVALSHA itself says nothing."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    if len(words) < 2 or words[0].upper() in ("EVALSHA", "EVAL", "SCRIPT"):
        return []
    if words[0].upper() in ("XREAD", "SCAN", "MGET"):
        return [w for w in words[1:] if w.startswith("berth:")]
    return [words[1]] if words[1].startswith("berth:") else []


def main():
    path, document, stop = sys.argv[1:4]
    rows = read_document(document)
    judge = Judge(rows)
    for row in rows:
        if not row.bounded:
            judge.fail(row.name, f"the document gives neither a life nor a bound: {row.life}")
    redis, monitor = Redis(path), Redis(path)
    monitor.send("MONITOR")
    monitor.socket.settimeout(0.1)
    rest, commands = b"", 0
    while not os.path.exists(stop):
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            try:
                rest += monitor.socket.recv(1 << 16)
            except TimeoutError:
                continue
            *lines, rest = rest.split(b"\r\n")
            for line in lines:
                commands += 1
                for key in keys_of_monitor(line.decode(errors="replace")):
                    judge.row(key)
        cursor = "0"
        while True:
            cursor, keys = redis.ask("SCAN", cursor, "COUNT", 1000)
            for key in keys:
                judge.look(redis, key)
            if cursor == "0":
                break
    for what in judge.wrong:
        print("wrong:", what)
    for row in rows:
        if row.name in judge.seen:
            print("seen:", row.name)
    print(f"keys: {len(judge.seen)} seen, {len(judge.wrong)} wrong, of {len(rows)}; {commands} commands")
    return 1 if judge.wrong or not rows or not commands else 0


if __name__ == "__main__":
    sys.exit(main())
