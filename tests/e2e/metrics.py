#!/usr/bin/env python3
"""metrics.py DIRECTORY METRICS... - does everything that rules and dashboard ask for exist? METRICS: files of /metrics of running programs.

Each name and each label in berth.rules.yml and berth.json must be exported by one of them; runbook sections must be there.
"""
import json, re, sys

infra, files = sys.argv[1], sys.argv[2:]
exported = {}  # name -> labels
for file in files:
    for line in open(file):
        found = re.match(r"(\w+)(?:\{(.*)\})? ", line)
        if found and not line.startswith("#"):
            labels = set(re.findall(r"(\w+)=\"", found.group(2) or ""))
            exported.setdefault(found.group(1), set()).update(labels)
rules = open(f"{infra}/prometheus/berth.rules.yml").read()
recorded = set(re.findall(r"- record: (\S+)", rules))
dashboard = json.load(open(f"{infra}/grafana/berth.json"))
asked = [(m.group(1), "rules") for m in re.finditer(r"^\s+expr: (.*)$", rules, re.M)]
for panel in dashboard["panels"]:
    asked += [(target["expr"], panel["title"]) for target in panel.get("targets", [])]
    assert panel["type"] == "row" or panel["targets"], f"panel {panel['title']} asks for nothing"
faults, names = [], 0
# What appears only once something has happened, and who says so.
later = {"berth_autoscale_held_by"}
for text, where in asked:
    text = re.sub(r'"[^"]*"', '""', text)
    for name, selector in re.findall(r"\b(berth[\w:]*)\s*(?:\{([^}]*)\})?", text):
        names += 1
        if name.startswith("berth:"):
            if name not in recorded:
                faults.append(f"{where}: {name} is recorded nowhere")
        elif name not in exported and name not in later:
            faults.append(f"{where}: no program exports {name}")
        else:
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector or ""):
                if name in exported and label not in exported[name] | {"job", "instance"}:
                    faults.append(f"{where}: {name} has no label {label}")
    for labels in re.findall(r"by \(([^)]*)\)", text):
        for label in labels.split(","):
            if label.strip() not in set().union(*exported.values()) | {"instance", "le"}:
                faults.append(f"{where}: nothing has a label {label.strip()}")
runbook = open(f"{infra}/../docs/runbook.md").read()
for anchor in re.findall(r"runbook: runbook.md#(\w+)", rules):
    if not re.search(rf"^##+ {anchor}$", runbook, re.M):
        faults.append(f"rules: docs/runbook.md has no section {anchor}")
for fault in faults:
    print(fault)
print(f"{names} uses of {len(exported)} metrics")
sys.exit(1 if faults or names < 40 else 0)
