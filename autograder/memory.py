"""TRUSTED side: how much memory a submission's processes hold together.

A limit for each process does not bound sixty of them; control groups would, but an ordinary user has none. So the
trusted side looks while it waits. What the zygote had before the fork is shared and not counted. What a student's
processes share among themselves is counted once: a data loader's workers hold no second copy of the data. A socket
counts as if it were full.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from autograder.family import family

# KiB of memory that is a process's own: not its program's files, but what it wrote or shares with its kin.
HELD = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", re.MULTILINE)  # in status: quick
SHARE = re.compile(rb"^(?:Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB", re.MULTILINE)  # in smaps_rollup: walks every page
SOCKETS = re.compile(rb"^sockets: used (\d+)$", re.MULTILINE)


class Memory:
    """The memory of the process behind a handle and of all its descendants."""

    def __init__(self, pidfd: int, limit_mb: int):
        self.limit_mb = limit_mb
        self.room_mb: int | None = None  # a lower limit, for as long as one question takes
        self.pid = _pid(pidfd)
        self.at_start = _held(self.pid)

    def too_much(self) -> bool:
        """Whether the limit is passed now."""
        limit = self.limit_mb if self.room_mb is None else min(self.room_mb, self.limit_mb)
        return self._at_most_mb() > limit and self.used_mb() > limit

    def _at_most_mb(self) -> float:
        """MiB beyond what each of the processes began with; a page that some of them share counts for each."""
        return (sum(max(0, _held(pid) - self.at_start) for pid in family(self.pid)) + _in_sockets(self.pid)) / 1024

    def used_mb(self) -> float:
        """MiB of all the processes together, each page counted once."""
        kin = family(self.pid)
        from_zygote = self.at_start * len(kin) / (len(kin) + 1)  # the zygote keeps a share of its own pages
        return (max(0, sum(map(_share, kin)) - from_zygote) + _in_sockets(self.pid)) / 1024


def _pid(pidfd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii").splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    return -1


def _held(pid: int) -> int:
    return _sum(pid, "status", HELD) or 0


def _share(pid: int) -> int:
    """A process's share of the pages that it uses; all of them if this kernel does not tell."""
    share = _sum(pid, "smaps_rollup", SHARE)
    return _held(pid) if share is None else share


def _in_sockets(pid: int) -> int:
    """KiB that may wait in the sockets of its network namespace; 0 where it has none of its own."""
    try:
        if os.path.samefile(f"/proc/{pid}/ns/net", "/proc/self/ns/net"):
            return 0
        found = SOCKETS.search(Path(f"/proc/{pid}/net/sockstat").read_bytes())
    except OSError:
        return 0
    return _socket_kib() * int(found[1]) if found else 0


@cache
def _socket_kib() -> int:
    """What may wait in one; the filter keeps everybody from asking for more."""
    return int(Path("/proc/sys/net/core/wmem_default").read_text(encoding="ascii")) // 1024


def _sum(pid: int, file: str, fields: re.Pattern[bytes]) -> int | None:
    try:
        found = fields.findall(Path(f"/proc/{pid}/{file}").read_bytes())
    except OSError:  # it has ended
        return None
    return sum(int(n) for n in found) if found else None
