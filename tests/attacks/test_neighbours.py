"""Two students' processes at the same time, as when a class is graded by several workers: neither feels the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autograder.engine import Engine
from autograder.limits import Limits
from autograder.student import SandboxedStudent

LIMITS = Limits(cell_seconds=20, notebook_seconds=60, memory_mb=1500, processes=40, scratch_mb=32, file_mb=32)


@pytest.fixture
def pair() -> Iterator[tuple[SandboxedStudent, SandboxedStudent]]:
    """Two processes of one engine."""
    with Engine() as engine, engine.student(LIMITS) as one, engine.student(LIMITS) as other:
        yield one, other


def printed(student: SandboxedStudent, source: str) -> str:
    """What a cell prints."""
    return "".join(o.get("text", o.get("evalue", "")) for o in student.run_cell(source)).strip()


def test_one_uses_up_its_processes_and_the_other_has_its_own(pair) -> None:
    bomb = """
import os, time
made = 0
try:
    while os.fork():
        made += 1
    time.sleep(1000)
except OSError:
    print(made)
"""
    one, other = pair
    first = int(printed(one, bomb))
    assert 20 < first < 40
    assert (
        printed(other, "import subprocess; print(subprocess.run(['echo', 'ran'], capture_output=True).stdout)")
        == "b'ran\\n'"
    )
    assert int(printed(other, bomb)) == first


def test_one_fills_its_scratch_and_the_other_has_room(pair) -> None:
    fill = """
for place in (".", "/dev/shm"):
    written = 0
    try:
        while True:
            with open(f"{place}/fill{written}", "wb") as file:
                file.write(bytes(1 << 20))
            written += 1
    except OSError:
        print(written)
"""
    one, other = pair
    assert printed(one, fill) == printed(other, fill)


def test_they_do_not_see_each_other(pair) -> None:
    look = """
import glob, os, socket
open("/dev/shm/mine", "w").close(), open("mine", "w").close()
listener = socket.socket(socket.AF_UNIX)
try:
    listener.bind("\\0neighbour")
    listener.listen()
except OSError as error:
    print(error)
print(len(glob.glob("/proc/[0-9]*")), os.listdir("/dev/shm"), os.listdir("."))
"""
    one, other = pair
    assert printed(one, look) == printed(other, look) == "1 ['mine'] ['mine']"


def test_one_dies_and_the_other_goes_on(pair) -> None:
    one, other = pair
    assert printed(other, "x = 5; print(x)") == "5"
    with pytest.raises(Exception, match="ended the Python process"):
        one.run_cell("import os, signal; os.kill(-1, 9) if os.fork() == 0 else os._exit(1)")
    assert printed(other, "print(x + 1)") == "6"
