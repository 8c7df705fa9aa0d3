"""Each layer, tried from inside by the doctor: as root, as an ordinary user, and where the kernel refuses one."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from typing import Any

import pytest

from autograder.doctor import probes
from autograder.doctor.remedies import remedy
from autograder.untrusted.jail import LAYERS
from tests.sandbox.machines import AS_ROOT, FILTERS, LANDLOCK, LIMITS, NAMESPACES, Machine, environment
from tests.sandbox.processes import alive, descendants, eventually, with_mark

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's"),
]
USERS = [pytest.param(True, id="ordinary user"),
         pytest.param(False, id="root", marks=pytest.mark.skipif(not AS_ROOT, reason="needs root"))]  # fmt: skip
# What is known to be open where there are no namespaces, whatever else there is.
WEAKER = {"list other processes", "files of others", "shared memory of this machine", "more files than the quota"}


def examined(machine: Machine) -> dict[str, Any]:
    """What the doctor says there."""
    done = machine.run("-m", "autograder", "doctor", "--json")
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["holds"] else 1)
    return found


def open_probes(found: dict[str, Any]) -> set[str]:
    """The names of the probes that found something open."""
    return {p["name"] for p in found["probes"] if p["open"]}


@pytest.mark.parametrize("ordinary", USERS)
def test_every_layer_holds(ordinary: bool) -> None:
    """On a machine that gives them all, as this one does; fast enough to be run by anybody."""
    found = examined(Machine(ordinary))
    assert found["holds"], [p for p in found["probes"] if p["open"]] or found
    assert {p["group"] for p in found["probes"]} == set(probes.GROUPS)
    assert len(found["probes"]) >= 25
    assert not found["remedies"]


@pytest.mark.parametrize("ordinary", USERS)
def test_without_namespaces_the_rest_still_holds(ordinary: bool) -> None:
    """As in a container of Docker's. What is open then is known, and no more than that."""
    found = examined(Machine(ordinary, NAMESPACES))
    assert {layer for layer, about in found["layers"].items() if about["missing"]} == {
        "namespaces", "private root", "private places"}  # fmt: skip
    assert open_probes(found) <= WEAKER
    assert {"list other processes", "more files than the quota"} <= open_probes(found)
    read = next(p["open"] for p in found["probes"] if p["name"] == "files of others")
    assert read.count("a canary from") == read.count("a canary from /dev/shm/"), read
    assert "unshare" in found["layers"]["namespaces"]["missing"]
    assert found["remedies"]["namespaces"]


@pytest.mark.parametrize("ordinary", USERS)
def test_without_a_private_root_the_namespaces_still_hold(ordinary: bool) -> None:
    """As in a container whose own /proc is partly covered: nothing can be mounted."""
    found = examined(Machine(ordinary, ("mount",)))
    missing = {layer for layer, about in found["layers"].items() if about["missing"]}
    assert {"private root", "private places"} <= missing <= {"namespaces", "private root", "private places"}
    assert open_probes(found) <= WEAKER
    assert "systempaths=unconfined" in found["remedies"]["private root"] or "namespaces" in missing


@pytest.mark.parametrize(("denied", "layer"), [(LANDLOCK, "landlock"), (FILTERS, "seccomp"), (LIMITS, "limits")])
def test_the_doctor_names_the_layer_that_is_missing(denied: tuple[str, ...], layer: str) -> None:
    """And what to do about it. The namespaces hold without it."""
    found = examined(Machine(denied=denied))
    assert [name for name, about in found["layers"].items() if about["missing"]] == [layer]
    groups = {p["group"] for p in found["probes"] if p["open"]}
    assert layer in groups
    assert not groups & {"namespaces", "private root", probes.INHERITED, probes.WATCHED}
    assert list(found["remedies"]) == [layer]


def test_the_doctor_sees_open_doors() -> None:
    """Where nothing holds, its probes find it: none says that it holds because it cannot fail."""
    everything = (*NAMESPACES, *LANDLOCK, *FILTERS, *LIMITS, "capset")
    found = examined(Machine(ordinary=True, denied=everything))
    assert {name for name, about in found["layers"].items() if about["missing"]} == set(LAYERS)
    assert open_probes(found) >= WEAKER | {
        "TCP to this machine", "UDP to this machine", "abstract socket of this machine", "signal another process",
        "references, lessons' sources, solutions", "another submission's files", "list the root folder, write to /proc",
        "ptrace, reading other memory", "bpf, io_uring, keyrings, perf, userfaultfd", "memory that nobody counts",
        "sockets but local ones", "more processes than allowed", "one allocation beyond the memory limit",
        "a file that is too large", "more open files than allowed"}  # fmt: skip


ASKS = """
from autograder.engine import Engine, IsolationError
with Engine() as engine:
    try:
        engine.student()
    except IsolationError as error:
        print("refused", error)
    engine.allow_weaker_isolation = True
    with engine.student() as student:
        print("allowed", student.run_cell("1 + 1")[0].data["text/plain"])
"""


@pytest.mark.parametrize("denied", [NAMESPACES, LANDLOCK, FILTERS, LIMITS])
def test_nothing_is_run_where_a_layer_is_missing(denied: tuple[str, ...]) -> None:
    """Unless that is allowed in so many words; the refusal names the layer and what to do."""
    done = Machine(denied=denied).run("-c", ASKS)
    assert done.stdout.startswith("refused This machine does not give every layer"), done.stderr
    assert "--allow-weaker-isolation" in done.stdout
    assert done.stdout.endswith("allowed 2\n")


WORKS = '''
from autograder.engine import Engine
import os
CELLS = """
from multiprocessing import Pool; import math; Pool(2).map(math.sqrt, [4])
import threading; t = threading.Thread(target=print); t.start(); t.join(); threading.active_count() > 0
import subprocess; subprocess.run(["true"]).returncode
import matplotlib.pyplot as plt; len(plt.plot([1, 2]))
open("data.txt").read()
import os; open(os.path.join(os.environ["TMPDIR"], "x"), "w").write("abc")
import tempfile; tempfile.TemporaryFile().write(b"abc")
""".strip().splitlines()
with Engine(allow_weaker_isolation=True) as engine:
    with engine.student(files={"data.txt": b"text"}) as student:
        for source in CELLS:
            print(next(o.data["text/plain"] for o in student.run_cell(source) if "data" in o))
        place = student.run_cell("os.getcwd()")[0].data["text/plain"].strip("'")
        print(os.path.isdir(place))
    print(os.path.exists(place))
'''


@pytest.mark.parametrize("ordinary", USERS)
def test_ordinary_cells_work_without_namespaces(ordinary: bool) -> None:
    """Subprocesses, threads, figures, files; the folder is gone afterwards."""
    done = Machine(ordinary, NAMESPACES).run("-c", WORKS)
    assert done.stdout.split("\n")[:-1] == ["[2.0]", "True", "0", "1", "'text'", "3", "3", "True", "False"], done.stderr


LEAVES = """
import sys, time
from autograder.engine import Engine
engine = Engine(allow_weaker_isolation=True)
student = engine.student()
student.run_cell(f'''
import subprocess, sys
sleep = "import time; time.sleep(99)"
code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[2], *sys.argv[1:]]); " + sleep
for _ in range(3):
    subprocess.Popen([sys.executable, "-c", code, "{sys.stdin.readline().strip()}", sleep], start_new_session=True)
''')
print("left", flush=True)
sys.stdin.readline()
student.close()
print("closed", flush=True)
time.sleep(99)
"""


@pytest.mark.parametrize("how", ["close", "kill"])
def test_nothing_is_left_behind_without_namespaces(how: str) -> None:
    """Daemons and their children end with the submission, and when the grader is killed."""
    mark = secrets.token_hex(8)
    command = Machine(ordinary=True, denied=NAMESPACES).command("-c", LEAVES)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment(), "text": True}
    with subprocess.Popen(command, **pipes) as grader:
        grader.stdin.write(f"{mark}\n")
        grader.stdin.flush()
        assert grader.stdout.readline().strip() == "left"
        assert eventually(lambda: len(with_mark(mark)) == 6)
        family = descendants(grader.pid)
        if how == "close":
            grader.stdin.write("close\n")
            grader.stdin.flush()
            assert grader.stdout.readline().strip() == "closed"
            assert not with_mark(mark)
        grader.kill()
    assert eventually(lambda: not with_mark(mark) and not any(map(alive, family)))


def test_remedies_follow_the_machine(tmp_path) -> None:
    """Ubuntu's switch, a kernel without namespaces, a container that forbids to mount."""
    switch = tmp_path / "sys" / "kernel" / "apparmor_restrict_unprivileged_userns"
    switch.parent.mkdir(parents=True)
    switch.write_text("1\n")
    assert "apparmor_restrict_unprivileged_userns=0" in remedy("namespaces", "unshare: refused", tmp_path)
    switch.write_text("0\n")
    assert "apparmor_restrict" not in remedy("namespaces", "unshare: refused", tmp_path)
    none = tmp_path / "sys" / "user" / "max_user_namespaces"
    none.parent.mkdir()
    none.write_text("0\n")
    assert "user.max_user_namespaces" in remedy("namespaces", "unshare: no space left", tmp_path)
    assert "systempaths=unconfined" in remedy("private places", "mount /proc: refused")
    assert "libseccomp2" in remedy("seccomp", "libseccomp: not found")
    assert "5.13" in remedy("landlock", "not implemented")
    assert "report it" in remedy("landlock", "")
