"""What the kernel says about the processes of this machine; tests that kill look here."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        tasks = [(t / "children").read_text() for t in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    return [int(p) for text in tasks for p in text.split()]


def descendants(pid: int) -> list[int]:
    """All processes that came of one."""
    found = children(pid)
    for child in found:
        found += [p for p in children(child) if p not in found]
    return found


def alive(pid: int) -> bool:
    """Whether it runs; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def with_mark(mark: str) -> list[int]:
    """The processes whose command line holds a text."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                if mark in (path / "cmdline").read_text(errors="replace") and alive(int(path.name)):
                    found.append(int(path.name))
            except OSError:
                continue
    return found


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it comes true in time."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True
