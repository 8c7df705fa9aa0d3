"""What work costs: wall time, CPU time of all processes that have a part in it, and memory."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where the kernel keeps control groups, the file that counts CPU time in them, and its unit in seconds.
COUNTERS = [
    ("cpuacct", "/sys/fs/cgroup/cpuacct", "cpuacct.usage", 1e-9),
    ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "cpuacct.usage", 1e-9),
    ("", "/sys/fs/cgroup", "cpu.stat", 1e-6),
    ("", "/sys/fs/cgroup/unified", "cpu.stat", 1e-6),
]
SIZES = re.compile(rb"^(Rss|Pss):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """Seconds. `cpu` is None where it cannot be measured."""

    wall: float
    cpu: float | None


class Meter:
    """A control group of our own, which counts the CPU time of this process and of all that it starts.

    It counts processes that have ended too, also those that nobody waited for, as the sandbox's. So CPU time is only
    known to root, where such groups can be made.
    """

    def __init__(self, group: Path | None = None, file: str = "", unit: float = 0.0):
        self.group, self._file, self._unit = group, file, unit
        self._idle = 0.0

    def cost(self, work: Callable[[], Any]) -> tuple[Any, Cost]:
        """What `work` returns and what it cost, without what waiting processes use by themselves."""
        cpu, start = self._cpu(), time.perf_counter()
        result = work()
        wall = time.perf_counter() - start
        return result, Cost(wall, None if cpu is None else self._cpu() - cpu - self._idle * wall)

    def learn_idle(self, seconds: float) -> float:
        """Look how much CPU is used when nothing is done (Dask's heartbeats); it is taken off from now on."""
        self._idle = 0.0
        _, cost = self.cost(lambda: time.sleep(seconds))
        self._idle = (cost.cpu or 0.0) / cost.wall
        return self._idle

    def _cpu(self) -> float | None:
        if self.group is None:
            return None
        return int(re.search(r"\d+", (self.group / self._file).read_text()).group()) * self._unit


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    """A meter for what is started in the body."""
    meter = next(filter(None, (_started(*counter) for counter in COUNTERS)), None)
    if meter is None:
        yield Meter()
        return
    group = meter.group
    try:
        yield meter
    finally:
        _remove(group)


def _started(controller: str, base: str, file: str, unit: float) -> Meter | None:
    """A meter with this process in its group; None where there can be none."""
    group = Path(base + _own_group(controller), f"bench-grading-{os.getpid()}")
    if (group.parent / file).exists():
        with contextlib.suppress(OSError):
            group.mkdir()
            (group / "cgroup.procs").write_text(str(os.getpid()))
            return Meter(group, file, unit)
    return None


def _remove(group: Path) -> None:
    """Send this process, and what has not ended yet, back to where they came from."""
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):  # it has ended
            (group.parent / "cgroup.procs").write_text(pid)
    with contextlib.suppress(OSError):
        group.rmdir()


def _own_group(controller: str) -> str:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path.rstrip("/")
    return ""


def memory_mb(pids: Iterable[int]) -> tuple[float, float]:
    """RSS and PSS of processes together, in MiB. PSS shares a page among those that use it: it can be added up."""
    sizes = {b"Rss": 0, b"Pss": 0}
    for pid in pids:
        for name, kib in SIZES.findall(Path(f"/proc/{pid}/smaps_rollup").read_bytes()):
            sizes[name] += int(kib)
    return sizes[b"Rss"] / 1024, sizes[b"Pss"] / 1024


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(p for child in children for p in family(int(child)))]
