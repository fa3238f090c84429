"""infra/docker: does the image hold what the programs need, does the compose file say what it should, and do the programs take
the configuration and the flags that it gives them? `docker compose config` where it is there; building needs an engine, so
that is left to people."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

SOURCE = os.environ.get("BERTH_SOURCE", os.getcwd())
BIN = os.environ.get("BERTH_BIN", os.path.join(SOURCE, "build", "release", "bin"))
DIR = os.path.join(SOURCE, "infra", "docker")
PROGRAMS = ("berth", "berth-lb", "berth-autoscale", "berth-gamenode", "berth-lobbynode", "berth-agent", "berth-swarm")
SECRET = "0123456789abcdef0123456789abcdef"


def read(name):
    with open(os.path.join(DIR, name), encoding="utf-8") as f:
        return f.read()


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False)


class Dockerfile(unittest.TestCase):
    def setUp(self):
        lines = [re.sub(r"\s+", " ", l) for l in re.sub(r"\\\n", " ", read("Dockerfile")).splitlines() if l and l[0] != "#"]
        starts = [i for i, l in enumerate(lines) if l.startswith("FROM ")]
        self.build, self.run_ = lines[:starts[1]], lines[starts[1]:]

    def test_two_stages_nobody_and_a_stop_signal(self):
        self.assertEqual(self.build[0], "FROM debian:12-slim AS build")
        self.assertEqual(self.run_[0], "FROM debian:12-slim")
        user = [l for l in self.run_ if l.startswith("USER ")]
        self.assertRegex(user[-1], r"^USER [1-9]\d+:[1-9]\d+$")
        self.assertIn("STOPSIGNAL SIGTERM", self.run_)
        self.assertFalse([l for l in self.run_ if l.startswith("COPY") and "--from=build" not in l])
        self.assertFalse([l for l in self.run_ if "build-essential" in l or "-dev" in l])

    def test_builds_with_what_deps_txt_says(self):
        with open(os.path.join(SOURCE, "infra", "deps.txt"), encoding="utf-8") as f:
            wanted = f.read().split("# build\n")[1].split("#")[0].split()
        installed = " ".join(self.build).split()
        self.assertEqual([p for p in wanted if p not in installed and p not in ("ccache", "git")], [])

    def test_holds_every_library_that_a_program_needs(self):
        if not shutil.which("dpkg-query") or not shutil.which("readelf"):
            self.skipTest("no dpkg-query or readelf")
        libs = set()
        for program in PROGRAMS:
            libs |= set(re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", os.path.join(BIN, program)).stdout))
        libs = {l for l in libs if not re.match(r"lib(asan|ubsan|tsan)\.", l)}
        packages = set()
        for lib in libs:
            found = output("dpkg-query", "--search", f"*/{lib}").stdout
            packages |= {line.split(":")[0] for line in found.splitlines() if "-dev" not in line.split(":")[0]}
        packages = {p for p in packages if not p.startswith(("libc6", "libgcc"))}
        missing = packages - set(" ".join(self.run_).split())
        self.assertEqual(missing, set(), "not installed in the image")
        self.assertIn("libwebsockets-evlib-ev", " ".join(self.run_))  # loaded by name, not linked


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        env = {**os.environ, "BERTH_SECRET": SECRET}
        if shutil.which("docker") and output("docker", "compose", "version").returncode == 0:
            done = subprocess.run(["docker", "compose", "--file", os.path.join(DIR, "compose.yaml"), "config", "--format", "json"],
                                  capture_output=True, text=True, env=env, check=False)
            if done.returncode != 0:
                raise AssertionError(done.stderr)
            cls.services = json.loads(done.stdout)["services"]
            return
        try:
            import yaml
        except ImportError as no:
            raise unittest.SkipTest("neither docker compose nor python3-yaml") from no
        text = re.sub(r"\$\{BERTH_SECRET[^}]*\}", SECRET, read("compose.yaml"))
        o = yaml.safe_load(re.sub(r"\$\{DOCKER_GID:-(\d+)\}", r"\1", text))
        cls.services = o["services"]
        known = {"name", "services", "networks", "volumes"}
        assert {k for k in o if not k.startswith("x-")} == known, o.keys()
        keys = {"image", "restart", "init", "read_only", "cap_drop", "security_opt", "networks", "depends_on", "environment", "volumes",
                "command", "ports", "healthcheck", "group_add", "stop_grace_period"}
        for name, service in cls.services.items():
            assert set(service) <= keys, (name, set(service) - keys)
            for other in service.get("depends_on", {}):
                assert other in cls.services, (name, other)

    def test_all_parts_are_there(self):
        programs = [s["command"][0] for s in self.services.values()]
        self.assertEqual(sorted(programs), sorted(["redis-server", "berth-lb", "berth-lb", "berth-autoscale", "berth-autoscale",
                                                   "berth-lobbynode", "berth-gamenode"]))

    def test_programs_take_what_they_are_given(self):
        for name, service in self.services.items():
            program, *flags = service["command"]
            if program == "redis-server":
                continue
            env = {**os.environ, **{k: str(v).strip() for k, v in service["environment"].items()}}
            done = subprocess.run([os.path.join(BIN, program), *flags, "--config", os.path.join(DIR, "berth.yaml"), "--check-config"],
                                  capture_output=True, text=True, env=env, check=False)
            self.assertEqual(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")

    def test_the_secret_is_asked_for(self):
        self.assertIn("${BERTH_SECRET:?", read("compose.yaml"))
        self.assertNotRegex(read("compose.yaml"), r"privileged")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
