#!/usr/bin/env python3
"""What a coverage build has counted, by room: reads all .gcda files below a build directory by gcov.

usage: coverage.py BUILD_DIR SOURCE_DIR TESTS [--files] [--html FILE]
Closing line: coverage: lines=<percent>% branches=<percent>% tests=<number>
A line counts once, however many objects hold it (inline functions of headers); a branch likewise.
"""

import argparse
import collections
import concurrent.futures
import html
import json
import os
import subprocess
import sys

BATCH = 20  # objects of one gcov process


def counters(build):
    for folder, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcda"):
                yield os.path.join(folder, name)


def read(batch):
    """One JSON document per object, one a line."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *batch],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def collect(build, source):
    lines = collections.defaultdict(dict)     # file -> line -> times
    branches = collections.defaultdict(dict)  # file -> (line, number) -> times
    files = sorted(counters(build))
    batches = [files[i:i + BATCH] for i in range(0, len(files), BATCH)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for documents in pool.map(read, batches):
            for document in documents:
                for file in document["files"]:
                    path = os.path.join(document["current_working_directory"], file["file"])
                    path = os.path.relpath(os.path.realpath(path), source)
                    if path.startswith(("..", "tests/", "build/")):
                        continue
                    for line in file["lines"]:
                        number = line["line_number"]
                        seen = lines[path]
                        seen[number] = seen.get(number, 0) + line["count"]
                        for i, branch in enumerate(line["branches"]):
                            if branch.get("throw"):
                                continue
                            key = (number, i)
                            branches[path][key] = branches[path].get(key, 0) + branch["count"]
    return lines, branches


def share(hits):
    """(covered, all)"""
    return sum(1 for n in hits if n > 0), len(hits)


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def row(name, line_share, branch_share):
    return (f"{name:<34} {percent(*line_share):6.1f}% of {line_share[1]:6d} "
            f"{percent(*branch_share):6.1f}% of {branch_share[1]:6d}")


def summed(shares):
    return tuple(sum(column) for column in zip(*shares)) or (0, 0)


def write_html(out, rooms, table, lines, source):
    with open(out, "w", encoding="utf-8") as f:
        f.write("<!doctype html><meta charset=utf-8><title>berth: coverage</title><style>"
                "body{font:14px sans-serif;margin:2em}pre{margin:0}.no{background:#fdd}"
                "td,th{padding:0 1em;text-align:right}td:first-child{text-align:left}</style><h1>Coverage</h1><table>"
                "<tr><th>file<th>lines<th>branches")
        for room in sorted(rooms):
            for path in sorted(rooms[room]):
                (a, b), (c, d) = table[path]
                f.write(f"<tr><td><a href='#{path}'>{path}</a><td>{percent(a, b):.1f}%<td>{percent(c, d):.1f}%")
        f.write("</table>")
        for path in sorted(lines):
            f.write(f"<h2 id='{path}'>{path}</h2><pre>")
            with open(os.path.join(source, path), encoding="utf-8", errors="replace") as text:
                for number, line in enumerate(text, 1):
                    mark = " class=no" if lines[path].get(number) == 0 else ""
                    f.write(f"<div{mark}>{number:5d} {html.escape(line.rstrip())}</div>")
            f.write("</pre>")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("source")
    parser.add_argument("tests", type=int)
    parser.add_argument("--files", action="store_true", help="each file, too")
    parser.add_argument("--html", help="write the sources, what never ran marked, into this file")
    args = parser.parse_args()
    source = os.path.realpath(args.source)
    lines, branches = collect(args.build, source)
    if not lines:
        sys.exit("coverage: nothing was counted")
    rooms = collections.defaultdict(list)
    table = {}
    for path in lines:
        rooms[path.split("/")[0]].append(path)
        table[path] = (share(lines[path].values()), share(branches[path].values()))
    print(f"{'room':<34} {'lines':>17} {'branches':>17}")
    for room in sorted(rooms):
        print(row(room, summed([table[p][0] for p in rooms[room]]), summed([table[p][1] for p in rooms[room]])))
        for path in sorted(rooms[room]) if args.files else ():
            print(row("  " + path, *table[path]))
    all_lines = summed([t[0] for t in table.values()])
    all_branches = summed([t[1] for t in table.values()])
    print(row("total", all_lines, all_branches))
    if args.html:
        write_html(args.html, rooms, table, lines, source)
    print(f"coverage: lines={percent(*all_lines):.1f}% branches={percent(*all_branches):.1f}% tests={args.tests}")


if __name__ == "__main__":
    main()
