"""The memory of a submission's processes together, as seen from outside."""

from __future__ import annotations

import os
import time

import pytest

from autograder.engine import Engine
from autograder.limits import Limits
from autograder.memory import Memory
from course.checks.judge import StudentCodeDied

pytestmark = pytest.mark.slow
MIB = 1 << 20


@pytest.fixture
def student(engine: Engine):
    """A student whose memory is looked at by hand."""
    with engine.student(Limits(memory_mb=3000, cell_seconds=20)) as started:
        yield started


def used(student, source: str) -> float:
    """MiB after a cell has run."""
    student.run_cell(source)
    return student._process.memory.used_mb()


def test_what_the_zygote_had_is_not_counted(student) -> None:
    """torch is no memory of the student's."""
    assert used(student, "import torch, numpy") < 80


def test_what_is_written_is_counted(student) -> None:
    """On the heap, in a shared mapping, and in a child."""
    before = used(student, "import mmap, os, time")
    assert 190 < used(student, "kept = bytearray(200 << 20)") - before < 260
    shared = "shared = mmap.mmap(-1, 100 << 20); shared.write(bytes(100 << 20))"
    assert 290 < used(student, shared) - before < 360
    child = "if os.fork() == 0:\n    own = bytearray(200 << 20)\n    time.sleep(20)\n    os._exit(0)\ntime.sleep(2)"
    assert 480 < used(student, child) - before < 620


def test_what_processes_share_is_counted_once(student) -> None:
    """A data loader's workers hold no second copy of the data."""
    source = """
import os, time
import numpy as np
data = np.ones((400 << 20) // 8)
for _ in range(6):
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
time.sleep(1)
"""
    before = used(student, "1")
    memory = student._process.memory
    assert used(student, source) - before < 600
    assert memory._at_most_mb() > 2000  # what made somebody look twice


def test_orphans_are_counted(student) -> None:
    """A process whose parent has ended belongs to the first one."""
    source = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        kept = bytearray(300 << 20)
        time.sleep(20)
    os._exit(0)
time.sleep(2)
"""
    before = used(student, "1")
    assert used(student, source) - before > 250


def test_too_much_ends_it_within_the_deadline(engine: Engine) -> None:
    """All of it, soon after the limit is passed."""
    started = time.monotonic()
    source = "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        kept = bytearray(150 << 20)\n"
    source += "        time.sleep(30)\n        os._exit(0)\ntime.sleep(30)"
    with engine.student(Limits(memory_mb=300)) as student:
        with pytest.raises(StudentCodeDied, match="more than 300 MB"):
            student.run_cell(source)
        assert student.run_cell("'alive'")[0].data["text/plain"] == "'alive'"
    assert time.monotonic() - started < 20


def test_a_process_that_ended_holds_nothing() -> None:
    """It may end between two looks."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    pidfd = os.pidfd_open(child)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    memory = Memory(pidfd, 1)
    assert memory.used_mb() == 0
    os.waitpid(child, 0)
    assert not memory.too_much()
    os.close(pidfd)


def test_what_waits_in_sockets_is_counted(engine: Engine) -> None:
    """It belongs to no process: sixty of them could hold gigabytes in there."""
    source = """
import os, socket, time
for _ in range(20):
    if os.fork() == 0:
        kept = [socket.socketpair() for _ in range(100)]
        time.sleep(30)
        os._exit(0)
time.sleep(30)
"""
    with engine.student(Limits(memory_mb=500)) as student:
        with pytest.raises(StudentCodeDied, match="more than 500 MB"):
            student.run_cell(source)
        assert used(student, "import socket; kept = [socket.socketpair() for _ in range(50)]") > 20
