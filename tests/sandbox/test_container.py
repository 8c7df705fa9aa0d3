"""The container's recipe: it copies what grading needs and no more, and its filter lets the engine do its work."""

from __future__ import annotations

import json
import re
import sys

import pytest

from autograder.engine import OURS
from autograder.untrusted.seccomp import DENIED
from tests.grading.classroom import ROOT
from tests.sandbox.machines import AS_ROOT, Machine

FOLDER = ROOT / "deploy"
PROFILE = json.loads((FOLDER / "seccomp.json").read_text())
# With these the engine builds its sandbox; inside it they are refused.
NEEDED = {"mount", "umount2", "pivot_root", "setns", "unshare", "landlock_create_ruleset", "memfd_create"}
# Memory that belongs to no process: the container's own limit counts it.
COUNTED = {
    "memfd_secret",
    "shmget",
    "shmat",
    "shmctl",
    "semget",
    "semop",
    "semctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "mq_open",
}
COPIED = re.findall(r"^COPY (.+) \S+$", (FOLDER / "Containerfile").read_text(), re.MULTILINE)
# As a container runtime loads it: a call that this libseccomp or this processor does not know is passed over.
LOAD = """
import contextlib, json, os, sys
import pyseccomp as seccomp
profile = json.load(open(sys.argv[1]))
rules = seccomp.SyscallFilter(seccomp.ALLOW)
for rule in profile["syscalls"]:
    tests = []
    for arg in rule.get("args", []):
        compare = getattr(seccomp, arg["op"].removeprefix("SCMP_CMP_"))
        tests.append(seccomp.Arg(arg["index"], compare, arg["value"], arg.get("valueTwo", 0)))
    for name in rule["names"]:
        with contextlib.suppress(OSError):
            rules.add_rule(seccomp.ERRNO(rule["errnoRet"]), name, *tests)
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
"""


def test_the_profile_refuses_what_the_engine_refuses_but_for_what_it_needs() -> None:
    """One list follows from the other."""
    assert PROFILE["defaultAction"] == "SCMP_ACT_ALLOW"
    assert {rule["action"] for rule in PROFILE["syscalls"]} == {"SCMP_ACT_ERRNO"}
    refused = {name for rule in PROFILE["syscalls"] if "args" not in rule for name in rule["names"]}
    assert set(DENIED.split()) - NEEDED - COUNTED <= refused
    assert not refused & NEEDED
    assert all(names == sorted(names) for names in (rule["names"] for rule in PROFILE["syscalls"]))


def test_what_is_copied_is_there_and_is_all_that_is_needed() -> None:
    """And nothing else is sent to the builder: a gradebook lies in the same folder."""
    names = [name for line in COPIED for name in line.split()]
    assert all((ROOT / name).exists() for name in names)
    assert {path.split("/")[0] for path in OURS} <= set(names)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(names)


def test_the_readme_names_the_options_that_the_doctor_names() -> None:
    """A remedy that nobody can look up is none."""
    from autograder.doctor.remedies import CONTAINER_FLAGS

    text = (FOLDER / "README.md").read_text()
    for option in re.findall(r"[a-z]+=\S+?(?=[\s)]|$)", CONTAINER_FLAGS):
        assert option in text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")
def test_every_layer_holds_under_the_profile() -> None:
    """An ordinary user without any capability, without new ones, under the container's filter."""
    drop = ("setpriv", "--no-new-privs", *(("--bounding-set=-all", "--inh-caps=-all") if AS_ROOT else ()))
    machine = Machine(ordinary=True, first=(*drop, sys.executable, "-c", LOAD, str(FOLDER / "seccomp.json")))
    done = machine.run("-m", "autograder", "doctor", "--json")
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["holds"], [p for p in found["probes"] if p["open"]] or found
    said = machine.run("-c", "import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))").stdout
    assert said.strip() == "-1"  # so that the profile was in force
