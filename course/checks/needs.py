"""What a function or a kernel needed while it ran: memory at its peak, bytes moved, the largest tiles.

In the student's process this is that process's own word. Hidden grading takes it from a process in which no other code
of the student's ran (kernels), or looks from outside as well (memory).
"""

from __future__ import annotations

import contextlib
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

FINDINGS = ("OutOfBounds", "Race", "DeviceAssert")  # what the simulator finds in a kernel; its message says all
NO_KERNELS = ("TritonMissing", "UnsupportedTriton")  # kernels cannot run on this machine

SAID = {
    "peak_bytes": "needed {need} at its peak, beside its arguments; {limit} would do.",
    "bytes": "moved {need} to and from global memory; {limit} would do.",
    "read": "read {need} from global memory; {limit} would do.",
    "written": "wrote {need} to global memory; {limit} would do.",
    "tile_bytes": "kept tiles of {need} at once in one program; there is room for {limit}.",
}


@dataclass(frozen=True)
class Measured:
    """A value, and what it took: plain numbers by name."""

    value: Any
    needs: dict[str, Any]


def with_memory(run: Callable[[], Any], most: int = 0) -> Measured:
    """Run, and measure `peak_bytes`: NumPy's arrays (and Python's objects) alive at once, or torch's largest tensor.

    What passes `most` runs once more and the smaller peak counts: the first run may have imported something.
    """
    value, peak = _traced(run)
    if peak > most:
        peak = min(peak, _traced(run)[1])
    return Measured(value, {"peak_bytes": peak})


def _traced(run: Callable[[], Any]) -> tuple[Any, int]:
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        with _largest_tensor() as largest:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            value = run()
        return value, max(0, tracemalloc.get_traced_memory()[1] - before, *largest)
    finally:
        if ours:
            tracemalloc.stop()


@contextlib.contextmanager
def _largest_tensor() -> Iterator[list[int]]:
    """Within, the bytes of the largest tensor that torch makes, kept in the list: tracemalloc does not see these."""
    sizes = [0]
    if "torch" not in sys.modules:
        yield sizes
        return
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = function(*args, **(kwargs or {}))
            for tensor in made if isinstance(made, list | tuple) else [made]:
                if isinstance(tensor, torch.Tensor):
                    sizes[0] = max(sizes[0], tensor.untyped_storage().nbytes())
            return made

    with Watch():
        yield sizes


def kernel(function: Any) -> Any:
    """A Triton kernel as it is. Raises TypeError for what is none, TritonMissing where there is no Triton."""
    from kernels._backend import require_triton

    require_triton()
    if not hasattr(function, "fn") or not hasattr(function, "run"):
        raise TypeError("this should be a Triton kernel: write @triton.jit above its def")
    return function


def with_traffic(launch: Callable[[], Any]) -> Measured:
    """Launch kernels in the simulator, and count what they moved. Raises what the simulator finds in them."""
    from kernels.simulator import record

    with record() as traces:
        value = launch()
    tensors: dict[str, list[int]] = {}
    for trace in traces:
        for name, tensor in trace.tensors.items():
            read, written = tensors.get(name, [0, 0])
            tensors[name] = [read + tensor.read, written + tensor.written]
    read, written = (sum(moved[way] for moved in tensors.values()) for way in (0, 1))
    tile = max((trace.peak_tile_bytes for trace in traces), default=0)
    counted = {"bytes": read + written, "read": read, "written": written, "tile_bytes": tile, "tensors": tensors}
    return Measured(value, counted)


def too_much(name: str, limits: dict[str, int], advice: Any, needs: Any) -> str:
    """What is said about the first limit that is passed; empty if all are kept. What was not measured passes it."""
    needs = needs if isinstance(needs, dict) else {}
    for what, limit in limits.items():
        need = needs.get(what)
        if type(need) is not int:
            return f"What `{name}` needed could not be measured."
        if need > limit:
            said = SAID[what].format(need=_amount(need, limit), limit=_amount(limit, need))
            words = advice.get(what, "") if isinstance(advice, dict) else advice
            return " ".join(filter(None, [f"`{name}` {said}", _shares(what, needs), words]))
    return ""


def _amount(count: int, other: int) -> str:
    """Bytes as people say them, so exact that two of them differ."""
    if min(count, other) >= 2_000_000:
        return f"{count / 1e6:.1f} MB"
    return f"{count:,} bytes"


def _shares(what: str, needs: dict[str, Any]) -> str:
    """Of which tensors the bytes were."""
    way = {"read": [0], "written": [1], "bytes": [0, 1]}.get(what)
    tensors = needs.get("tensors")
    if not way or not isinstance(tensors, dict) or len(tensors) > 12:
        return ""
    moved = {str(name): sum(each[i] for i in way) for name, each in tensors.items()}
    return "(" + ", ".join(f"{name} {count:,}" for name, count in moved.items() if count) + ".)"


def alike(limits: dict[str, int], wrong: Any, got: Any) -> bool:
    """Whether two runs pass the same limits in the same way: by the same tensors, as far as tensors are told."""
    if not limits:
        return True
    if not isinstance(wrong, dict) or not isinstance(got, dict):
        return False
    return all(_near(wrong.get(what), got.get(what), limit) for what, limit in limits.items()) and (
        not {"bytes", "read", "written"} & limits.keys() or _same_traffic(wrong.get("tensors"), got.get("tensors"))
    )


def settled(limits: dict[str, int], needs: dict[str, Any]) -> dict[str, Any]:
    """Needs as they are kept for comparison: of memory only whether it passes its limit, for no two runs take the same.

    >>> settled({"peak_bytes": 100}, {"peak_bytes": 123456})
    {'peak_bytes': 101}
    """
    within = {what: min(needs[what], limits[what] + 1) for what in {"peak_bytes"} & limits.keys() & needs.keys()}
    return needs | {what: need if need > limits[what] else 0 for what, need in within.items()}


def _near(wrong: Any, got: Any, limit: int) -> bool:
    return type(wrong) is type(got) is int and (wrong > limit) == (got > limit)


def _same_traffic(wrong: Any, got: Any) -> bool:
    """By the order of the tensors, not their names, which everybody finds their own."""
    left, right = ([n for moved in (t or {}).values() for n in moved] for t in (wrong, got))
    return len(left) == len(right) and all(abs(a - b) <= 0.02 * max(a, b) for a, b in zip(left, right, strict=True))
