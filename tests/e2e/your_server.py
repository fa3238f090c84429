#!/usr/bin/env python3
"""your_server.py PAGE DIRECTORY - the files of docs/your-server.md, before and after its changes, into DIRECTORY/before and DIRECTORY.

Prints how many lines the page asks people to write.
"""
import os, re, sys

page, directory = sys.argv[1], sys.argv[2]
text = open(page).read()
blocks = re.findall(r"^```(\w+) (\S+)\n(.*?)^```$", text, re.S | re.M)
files = {name: body for kind, name, body in blocks if kind != "diff"}
os.makedirs(f"{directory}/before", exist_ok=True)
for name, body in files.items():
    open(f"{directory}/before/{name}", "w").write(body)
written = 0
for kind, name, body in blocks:
    if kind != "diff":
        continue
    lines = body.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] == "-")
    new = "".join(line[1:] for line in lines if line[0] == "+")
    assert files[name].count(old) == 1, f"{name}: the page's change does not fit its file"
    files[name] = files[name].replace(old, new)
    written += new.count("\n")
for name, body in files.items():
    open(f"{directory}/{name}", "w").write(body)
print(written)
