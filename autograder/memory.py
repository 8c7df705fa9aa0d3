"""TRUSTED side: how much memory a submission's processes hold together.

A limit for each process does not bound sixty of them; control groups would, but an ordinary user has none. So the
trusted side looks while it waits. What the zygote had before the fork is shared and not counted.
"""

from __future__ import annotations

import re
from pathlib import Path

FIELDS = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
MOST_PROCESSES = 1000


class Memory:
    """The memory of the process behind a handle and of all its descendants."""

    def __init__(self, pidfd: int, limit_mb: int):
        self.limit_mb = limit_mb
        self.pid = _pid(pidfd)
        self.at_start = _held(self.pid)

    def too_much(self) -> bool:
        """Whether the limit is passed now."""
        return self.used_mb() > self.limit_mb

    def used_mb(self) -> float:
        """MiB beyond what each of the processes began with."""
        return sum(max(0, _held(pid) - self.at_start) for pid in _family(self.pid)) / 1024


def _pid(pidfd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii").splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    return -1


def _held(pid: int) -> int:
    """KiB of memory that is a process's own: not its program's files, but what it wrote or shares with its kin."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:  # it has ended
        return 0
    return sum(int(n) for n in FIELDS.findall(status))


def _family(pid: int) -> list[int]:
    """The process and its descendants; one whose parent ended belongs to the first of its namespace, which is `pid`."""
    family, todo = [], [pid]
    while todo and len(family) < MOST_PROCESSES:
        family.append(todo.pop())
        try:
            tasks = list(Path(f"/proc/{family[-1]}/task").iterdir())
            for task in tasks:
                todo += [int(p) for p in (task / "children").read_text(encoding="ascii").split()]
        except OSError:
            continue
    return family
