"""What a function costs: processor time, and the most memory that its arrays and tensors took at one moment."""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# The processor's own clock: a busy machine does not disturb, and all threads count. On Windows it is too coarse.
PRECISE = time.get_clock_info("process_time").resolution < 1e-6
clock = time.process_time if PRECISE else time.perf_counter


def seconds(function: Callable[[], Any], repeats: int = 3) -> float:
    """Median processor time of a call, in seconds; one call before, which may warm up, does not count."""
    times = []
    for _ in range(repeats + 1):
        start = clock()
        function()
        times.append(clock() - start)
    return statistics.median(times[1:])


@dataclass
class Memory:
    """`peak`: the most bytes in use at one moment, of what was made since the start; `operations`: names of torch's."""

    peak: int = 0
    operations: list[str] = field(default_factory=list)


def memory(function: Callable[[], Any]) -> Memory:
    """Call a function once and watch what NumPy and torch (on the CPU, this thread) allocate for it.

    What an operation needs inside, and gives back before it ends, counts too. If a function uses both libraries, their
    two peaks are added, though they may not fall together.

    >>> memory(lambda: np.ones(1000)).peak // 1000  # 1000 numbers of 8 bytes
    8
    """
    with _torch_watched() as found, _numpy_watched() as numpy_peak:
        function()
    found.peak += numpy_peak[0]
    return found


@contextmanager
def _numpy_watched() -> Iterator[list[int]]:
    """NumPy reports its arrays to Python's own tracer."""
    peak, started = [0], not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield peak
    finally:
        peak[0] = tracemalloc.get_traced_memory()[1] - before
        if started:
            tracemalloc.stop()


@contextmanager
def _torch_watched() -> Iterator[Memory]:
    """torch's first profiler: the newer one takes seconds to start, and writes to stderr."""
    found = Memory()
    if "torch" not in sys.modules:
        yield found
        return
    from torch import autograd
    from torch._C._profiler import _ExperimentalConfig

    kind = autograd.ProfilerState.CPU
    autograd._enable_profiler_legacy(
        autograd.ProfilerConfig(kind, False, True, False, False, False, _ExperimentalConfig())
    )
    try:
        yield found
    finally:
        _read(autograd._disable_profiler_legacy(), found)


def _read(records: Any, found: Memory) -> None:
    """Add up what was allocated and freed, in order."""
    for thread in records:
        now = 0
        for record in thread:
            if record.kind() == "memory_alloc":
                now += record.cpu_memory_usage()
                found.peak = max(found.peak, now)
            elif record.kind() == "push":
                found.operations.append(record.name().removeprefix("aten::"))
