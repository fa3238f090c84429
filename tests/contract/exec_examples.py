"""The example commands in infra/exec against a cluster, a cloud and a Terraform that are made up: they keep state, check the
arguments they get, behave as the real ones do where it matters (who is deleted when a Deployment shrinks), and lose answers.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ.get("BERTH_SOURCE", os.getcwd())
EXEC = os.path.join(SOURCE, "infra", "exec")

FAKE = r'''#!/usr/bin/python3 -SE
import json, os, sys
sys.dont_write_bytecode = True
DIR = os.environ["FAKE_DIR"]
PATH = os.path.join(DIR, "state")
S = json.load(open(PATH))
ARGS = sys.argv[1:]
PROGRAM = os.path.basename(sys.argv[0])
open(os.path.join(DIR, "calls"), "a").write(json.dumps([PROGRAM] + ARGS) + "\n")


def need(condition, what):
    if not condition:
        open(os.path.join(DIR, "wrong"), "a").write(what + ": " + json.dumps(ARGS) + "\n")
        print("error: " + what, file=sys.stderr)
        sys.exit(1)


def done(o=None):
    json.dump(S, open(PATH, "w"))
    if S.get("lose") == (ARGS[4] if PROGRAM == "gcloud" else ARGS[2] if PROGRAM == "kubectl" else ARGS[1]):
        del S["lose"]
        json.dump(S, open(PATH, "w"))
        print("connection reset", file=sys.stderr)
        sys.exit(1)
    if o is not None:
        print(json.dumps(o))
    sys.exit(0)


def patched(o, patch):
    for p in patch:
        at = o
        *way, last = [w.replace("~1", "/") for w in p["path"].split("/")[1:]]
        for w in way:
            at = at[w]
        if p["op"] == "test":
            if at.get(last) != p["value"]:
                print("the server rejected our request: test failed", file=sys.stderr)
                sys.exit(1)
        else:
            need(p["op"] in ("add", "replace") and (p["op"] == "add" or last in at), "patch")
            at[last] = p["value"]


def rank(pod):  # k8s.io/kubernetes pkg/controller/controller_utils.go, ActivePodsWithRanks: who goes first
    ready = pod["status"]["conditions"][0]["status"] == "True"
    return (pod["status"]["phase"] == "Running", ready,
            int(pod["metadata"].get("annotations", {}).get("controller.kubernetes.io/pod-deletion-cost", 0)))


def kubectl():
    need(ARGS[:2] == ["--namespace", "games"], "namespace")
    verb, kind, rest = ARGS[2], ARGS[3], ARGS[4:]
    agones = kind.endswith("agones.dev")
    need(kind in ("deployment", "pod", "pods", "fleets.agones.dev", "gameservers.agones.dev"), "kind")
    owner, items = S["owner"], S["items"]
    if verb == "get" and kind in ("deployment", "fleets.agones.dev"):
        need(rest == ["game", "--output", "json"], "get")
        done(owner)
    if verb == "get":
        need(rest == ["--selector", "agones.dev/fleet=game" if agones else "app=game", "--output", "json"], "selector")
        done({"items": items})
    if verb == "patch" and kind in ("deployment", "fleets.agones.dev"):
        need(rest[:4] == ["game", "--type", "json", "--patch"], "patch")
        need(json.loads(rest[4])[0]["path"] == "/metadata/resourceVersion", "a patch without a version")
        patched(owner, json.loads(rest[4]))
        owner["metadata"]["resourceVersion"] = str(int(owner["metadata"]["resourceVersion"]) + 1)
        while len(items) < owner["spec"]["replicas"]:
            S["made"] += 1
            items.append({"metadata": {"name": f"game-pod-{S['made']}", "labels": {}},
                          "status": {"phase": "Running", "state": "Ready", "podIP": "10.0.0.1", "address": "10.0.0.1",
                                     "conditions": [{"type": "Ready", "status": "True"}]}})
        while len(items) > owner["spec"]["replicas"]:
            if not agones:
                items.remove(sorted(items, key=rank)[0])
                continue
            free = [i for i in items if i["status"]["state"] != "Allocated"]
            if not free:
                break
            items.remove(free[0])
        done({})
    name = rest[0]
    found = [i for i in items if i["metadata"]["name"] == name]
    if verb == "delete":
        need(agones and rest == [name, "--ignore-not-found", "--wait=false"], "delete")
        for i in found:
            items.remove(i)
        if len(items) < owner["spec"]["replicas"]:
            items.append({"metadata": {"name": "game-replacement", "labels": {}}, "status": {"state": "Scheduled"}})
        done()
    need(found, "no such object")
    if verb == "label":
        key, value = rest[1].split("=")
        need(key not in found[0]["metadata"]["labels"], "label twice")
        found[0]["metadata"]["labels"][key] = value
    elif verb == "annotate":
        need(rest[2:] == ["--overwrite"], "annotate")
        key, value = rest[1].split("=")
        found[0]["metadata"].setdefault("annotations", {})[key] = value
    else:
        need(verb == "patch" and agones and rest[1:4] == ["--type", "json", "--patch"], "verb")
        patched(found[0], json.loads(rest[4]))
    done()


def gcloud():
    need(ARGS[:3] == ["compute", "instance-groups", "managed"] and ARGS[4:7] == ["game", "--region", "europe-west1"], "group")
    need(ARGS[-1] == "--quiet", "it may ask")
    verb, rest = ARGS[3], ARGS[7:-1]
    ARGS.insert(4, verb)
    if verb == "list-instances":
        need(rest == ["--format", "json"], "format")
        base = "https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b/instances/"
        done([{"instance": base + n, "instanceStatus": s, "currentAction": "NONE"} for n, s in S["vms"].items()])
    if verb == "create-instance":
        need(rest[0] == "--instance" and len(rest) == 2, "create-instance")
        need(rest[1] not in S["vms"], "made twice")
        S["vms"][rest[1]] = "STAGING"
        done()
    need(verb == "delete-instances" and rest[0] == "--instances" and rest[2:] == ["--skip-instances-on-validation-error"], "verb")
    S["vms"].pop(rest[1], None)
    done()


def terraform():
    need(ARGS[0].startswith("-chdir="), "chdir")
    if ARGS[1] == "output":
        need(ARGS[2:] == ["-json", "-no-color"], "output")
        done({"instances": {"sensitive": False, "type": "map", "value": S["map"]}} if S["map"] else {})
    need(ARGS[1:6] == ["apply", "-input=false", "-auto-approve", "-no-color", "-lock-timeout=60s"] and ARGS[6] == "-var", "apply")
    wanted = json.loads(ARGS[7].split("=", 1)[1])
    need(all(set(m) == {"token", "zone"} for m in wanted.values()), "type of the variable")
    S["map"] = {k: {"token": m["token"], "zone": m["zone"] or "z-1", "address": "10.0.0.9"} for k, m in wanted.items()}
    done()


{"kubectl": kubectl, "gcloud": gcloud, "terraform": terraform}[PROGRAM]()
'''


class Examples(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="berth-exec-")
        self.dir = self.tmp.name
        for name in ("kubectl", "gcloud", "terraform"):
            path = os.path.join(self.dir, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(FAKE)
            os.chmod(path, 0o755)
        self.write({"owner": {"metadata": {"name": "game", "resourceVersion": "7"},
                              "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "game"}}}},
                    "items": [], "made": 0, "vms": {}, "map": {}})

    def tearDown(self):
        wrong = os.path.join(self.dir, "wrong")
        if os.path.exists(wrong):
            with open(wrong, encoding="utf-8") as f:
                self.fail(f.read())
        self.tmp.cleanup()

    def write(self, state):
        with open(os.path.join(self.dir, "state"), "w", encoding="utf-8") as f:
            json.dump(state, f)

    def read(self):
        with open(os.path.join(self.dir, "state"), encoding="utf-8") as f:
            return json.load(f)

    def change(self, **values):
        self.write({**self.read(), **values})

    def call(self, program, expect=0, **request):
        env = {**os.environ, "PATH": self.dir + ":" + os.environ["PATH"], "FAKE_DIR": self.dir, "K8S_NAMESPACE": "games",
               "MIG_REGION": "europe-west1", "POD_WAIT_S": "1", "GAMESERVER_WAIT_S": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        request = {"version": 1, "namespace": "berth", "pool": "game", **request}
        done = subprocess.run([os.path.join(EXEC, program), request["operation"]], input=json.dumps(request), env=env,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return json.loads(done.stdout)["instances"] if expect == 0 else done.stderr

    def launch(self, program, token, count, **more):
        return self.call(program, operation="launch", token=token, count=count, zone=None, config=None, **more)

    def list(self, program):
        return {i["id"]: i for i in self.call(program, operation="list")}

    def whole_life(self, program, lose):
        """Launched, launched again with the same token, one ended, ended again; an answer lost on the way."""
        first = self.launch(program, "tok-1", 2)
        self.assertEqual(len(first), 2)
        self.assertEqual({i["id"] for i in self.launch(program, "tok-1", 2)}, {i["id"] for i in first})
        self.change(lose=lose[0])
        self.call(program, expect=1, operation="launch", token="tok-2", count=1, zone=None, config=None)
        second = self.launch(program, "tok-2", 1)
        present = self.list(program)
        self.assertEqual(len(present), 3)
        self.assertEqual(present[second[0]["id"]]["token"], "tok-2")
        victim = first[0]["id"]
        self.change(lose=lose[1])
        self.call(program, expect=1, operation="terminate", id=victim)
        self.call(program, operation="terminate", id=victim)
        self.call(program, operation="terminate", id=victim)
        self.assertEqual(set(self.list(program)), set(present) - {victim})

    def test_deployment(self):
        self.whole_life("kubectl-deployment", ("patch", "patch"))
        self.assertEqual(self.read()["owner"]["spec"]["replicas"], 2)

    def test_deployment_never_ends_another(self):
        made = self.launch("kubectl-deployment", "tok-1", 3)
        state = self.read()
        state["items"][2]["status"]["conditions"][0]["status"] = "False"  # would be chosen first, cost or not
        self.write(state)
        text = self.call("kubectl-deployment", expect=1, operation="terminate", id=made[0]["id"])
        self.assertIn("not ready would be chosen instead", text)
        self.assertEqual(len(self.list("kubectl-deployment")), 3)
        state["items"][2]["status"]["conditions"][0]["status"] = "True"
        self.write(state)
        self.call("kubectl-deployment", operation="terminate", id=made[0]["id"])
        self.assertNotIn(made[0]["id"], self.list("kubectl-deployment"))

    def test_fleet(self):
        self.whole_life("agones-fleet", ("patch", "delete"))
        self.assertEqual(self.read()["owner"]["spec"]["replicas"], 2)
        self.assertNotIn("game-replacement", self.list("agones-fleet"))
        self.assertTrue(all(i["status"]["state"] == "Allocated" for i in self.read()["items"]))

    def test_gcloud(self):
        self.whole_life("gcloud-mig", ("create-instance", "delete-instances"))
        self.assertEqual(sorted(self.read()["vms"]), ["game-tok-1-2", "game-tok-2-1"])
        self.assertEqual(self.list("gcloud-mig")["game-tok-2-1"]["zone"], "europe-west1-b")
        text = self.call("gcloud-mig", expect=3, operation="launch", token="Tok_1", count=1, zone=None, config=None)
        self.assertIn("Tok_1", text)

    def test_terraform(self):
        self.whole_life("terraform-map", ("apply", "apply"))
        self.assertEqual(sorted(self.read()["map"]), ["game-tok-1-2", "game-tok-2-1"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
