"""TRUSTED side: the processes and threads of a submission, and what they may take of the processor.

Their number is limited, but sixty busy ones would still slow down whoever is graded beside them: a right answer would
then run out of time. So one that runs more than a few steps back behind all others, as a whole.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MOST_PROCESSES = 1000
FEW = 8  # processes and threads that nobody minds: a data loader's workers, a pool
LAST = 19  # the lowest priority there is


def family(pid: int) -> list[int]:
    """A process and its descendants; one whose parent ended belongs to the first of its namespace, which is `pid`."""
    found, todo = [], [pid]
    while todo and len(found) < MOST_PROCESSES:
        found.append(todo.pop())
        for task in threads(found[-1]):
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{found[-1]}/task/{task}/children").read_text(encoding="ascii")
                todo += [int(p) for p in children.split()]
    return found


def threads(pid: int) -> list[int]:
    """The threads of a process; none if it has ended."""
    try:
        return [int(task) for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


class Turn:
    """Whose turn a submission has on the processor: the same as all others, until it is too many."""

    def __init__(self, pid: int):
        self.pid = pid
        self.stepped_back = False

    def take(self) -> None:
        """Lower the priority of all of it, if it runs more than a few; what it starts later inherits that."""
        found = [task for pid in family(self.pid) for task in threads(pid)]
        if len(found) <= FEW and not self.stepped_back:
            return
        self.stepped_back = True
        for task in found:
            with contextlib.suppress(OSError):  # it has ended, or a container's root may not
                os.setpriority(os.PRIO_PROCESS, task, LAST)
