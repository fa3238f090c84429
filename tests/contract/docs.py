#!/usr/bin/env python3
"""What the documentation points to is there: files and headings that are linked, paths that are named, targets of make.

Every mention of `make TARGET` must be a target, every target must be in `make help`, and a path in backticks that begins with a folder of ours
must exist if it ends in a file's name or in / (`*` stands for anything, {a,b} for either).
"""
import glob
import itertools
import os
import re
import subprocess
import sys

SOURCE = os.environ.get("BERTH_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.S)
MAKE = re.compile(r"(?<![\w-])make (?:-\w+ )*((?:[A-Z_]+=\S* )*)([a-z][a-z0-9-]*)")
PATH = re.compile(r"[\w.{},*-]+(?:/[\w.{},*%-]+)+/?$")
faults = []


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        return file.read()


def anchors(text):
    """The fragments by which the headings of a page are reached, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", re.sub(r"```.*?```", "", text, flags=re.S), re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while plain + (f"-{number}" if number else "") in found:
            number += 1
        found.add(plain + (f"-{number}" if number else ""))
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def look_at_links(page, text):
    for target in LINK.findall(re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.S)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        to = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
        if not os.path.exists(os.path.join(SOURCE, to)):
            faults.append(f"{page}: links to {target}, which is not there")
        elif fragment and to.endswith(".md") and fragment not in anchors(read(to)):
            faults.append(f"{page}: links to {target}, and {to} has no such heading")


def spread(path):
    """a/{b,c}/d is a/b/d and a/c/d."""
    parts = re.split(r"\{([^{}]*)\}", path)
    choices = [[part] if i % 2 == 0 else part.split(",") for i, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def look_at_code(page, text, rooms, targets, benches):
    for code in CODE.findall(text):
        for _, target in MAKE.findall(code):
            known = target in targets or (target.startswith("bench-") and target[6:] in benches | {""})
            if not known:
                faults.append(f"{page}: there is no make {target}")
        path = code.strip("`").split(":")[0]
        if "\n" in path or not PATH.match(path) or path.split("/")[0] not in rooms:
            continue
        last = os.path.basename(path)
        if last and "." not in last and "*" not in last:
            continue  # a stem (core/pool), or a name that is no path (lb/NAME in Redis)
        for one in spread(path):
            if not glob.glob(os.path.join(SOURCE, one.replace("%", "*"))):
                faults.append(f"{page}: names {one}, which is not there")


def main():
    pages = subprocess.run(["git", "-C", SOURCE, "ls-files", "*.md"], capture_output=True, text=True, check=False).stdout.split()
    if not pages:  # no checkout: as it was unpacked
        pages = [os.path.relpath(p, SOURCE) for p in glob.glob(os.path.join(SOURCE, "*.md")) + glob.glob(os.path.join(SOURCE, "*", "**", "*.md"), recursive=True)
                 if "/build/" not in p]
    makefile = read("Makefile")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.M))
    benches = {os.path.basename(p)[:-3] for p in glob.glob(os.path.join(SOURCE, "tests/bench/*.sh"))}
    helped = subprocess.run(["make", "-s", "-C", SOURCE, "help"], capture_output=True, text=True, check=True).stdout
    for target in sorted(targets):
        if not re.search(rf"^ +make {re.escape(target)} ", helped, re.M):
            faults.append(f"Makefile: make help does not tell of {target}")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M).group(1).split())
    for target in sorted(phony ^ targets):
        faults.append(f"Makefile: {target} is {'in .PHONY, and no target' if target in phony else 'no file, and not in .PHONY'}")
    rooms = {entry for entry in os.listdir(SOURCE) if os.path.isdir(os.path.join(SOURCE, entry)) and entry != "build" and not entry.startswith(".git")}
    for page in pages:
        text = read(page)
        look_at_links(page, text)
        look_at_code(page, text, rooms, targets, benches)
    for fault in faults:
        print(fault)
    print(f"docs: {len(pages)} pages, {len(faults)} faults")
    return 1 if faults or len(pages) < 10 else 0


sys.exit(main())
