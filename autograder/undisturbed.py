"""Grade again what was being graded when the sandbox was killed under it.

When a zygote dies (the machine is out of memory, somebody kills it) the kernel ends the students' processes with it. To
a grading that is under way that looks as if the student's code had ended its process, and would cost points.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from autograder.engine import Engine, EngineError

T = TypeVar("T")
ATTEMPTS = 3
EXITING = 0x4  # PF_EXITING of the kernel's process flags


def undisturbed(engine: Engine, grade: Callable[[], T]) -> T:
    """The result of the first `grade()` during which the engine's zygote lived on. Raises EngineError."""
    for left in reversed(range(ATTEMPTS)):
        try:
            engine.start()
            before = _alive(engine.pid)
            result = grade()
        except EngineError:  # it may have been killed while it started
            if not left:
                raise
            continue
        if _alive(engine.pid) == before:
            return result
    raise EngineError(f"The sandbox was killed {ATTEMPTS} times while this submission was graded.")


def _alive(pid: int | None) -> frozenset[int]:
    """The zygote and the process that waits for it, as long as they are not on their way out.

    The kernel marks a dying zygote as exiting before it kills the students' processes, so none of their deaths is seen
    here too early.
    """
    found = [pid, *_children(pid)] if pid else []
    return frozenset(p for p in found if not _exiting(p))


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _exiting(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return True
    return fields[0] in "ZX" or bool(int(fields[6]) & EXITING)
