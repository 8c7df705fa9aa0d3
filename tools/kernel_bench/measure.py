"""Right first, then quick: each way is held against float64 before it is timed."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tools.kernel_bench.case import Case, Way, as_list

LIMIT = {"forward": 5e-3, "backward": 1e-2}  # relative error in bfloat16, of the norm, against float64
UNSEEN = "cannot be simulated"
Timer = Callable[[Callable[[], Any]], float]


@dataclasses.dataclass
class Row:
    """One way of one case. What could not be measured is None; `note` says why."""

    kernel: str
    what: str
    size: dict[str, Any]
    way: str
    error: float | None = None
    right: bool | None = None
    ms: float | None = None
    tflops: float | None = None
    gbs: float | None = None
    of_matmul: float | None = None
    of_copy: float | None = None
    ratio: float | None = None  # time of torch's best way / time of this one
    note: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether this repository's kernels did it."""
        return not self.way.startswith("torch")

    @property
    def failed(self) -> bool:
        """Whether ours is wrong, or did not run."""
        return self.is_ours and self.right is not True and self.note != UNSEEN


class Ceilings(NamedTuple):
    """What this GPU reaches: a large matrix multiplication by torch, and a large copy."""

    tflops: float
    gbs: float


def ceilings(timer: Timer, device: str, size: int = 8192, copied: int = 2**31) -> Ceilings:
    """Measure both: bfloat16 size x size x size, and `copied` bytes read and written."""
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    source = torch.ones(copied, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    return Ceilings(
        tflops=2 * size**3 / timer(lambda: a @ a) / 1e9, gbs=2 * copied / timer(lambda: target.copy_(source)) / 1e6
    )


def gpu_timer(run: Callable[[], Any]) -> float:
    """Milliseconds on a GPU, the median of many runs with a cold cache."""
    from triton.testing import do_bench

    return do_bench(run, warmup=50, rep=200, return_mode="median")


def measure(case: Case, timer: Timer | None, top: Ceilings | None) -> list[Row]:
    """All ways of a case. Without a timer they are only held against float64."""
    exact = case.exact()
    rows = [_measure_way(case, way, exact, timer) for way in case.ways]
    for row in rows:
        if row.ms is not None:
            _rate(row, case, top)
    best = min((row.ms for row in rows if row.ms is not None and not row.is_ours), default=None)
    for row in rows:
        row.ratio = best / row.ms if best is not None and row.ms is not None else None
    return rows


def _measure_way(case: Case, way: Way, exact: list[Tensor], timer: Timer | None) -> Row:
    row = Row(case.kernel, case.what, case.size, way.name)
    if timer is None and not way.simulated:
        row.note = UNSEEN
        return row
    try:
        with warnings.catch_warnings(), way.within():
            warnings.simplefilter("ignore")  # torch says why a backend cannot
            results = as_list(way.run())
            row.error = _error(case.sample(results), exact)
            row.right = row.error <= LIMIT[case.what]
            if timer is not None and row.right:
                row.ms = timer(way.run)
    except Exception as error:  # one way that cannot must not end the others
        row.note = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"[:80]
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # mostly it was too large
    finally:
        getattr(way.run, "forget", lambda: None)()
    return row


def _error(results: list[Tensor], exact: list[Tensor]) -> float:
    """The largest relative error of any result, of the norm; infinite where there are NaN or another shape."""
    worst = 0.0
    for got, wanted in zip(results, exact, strict=True):
        if got.shape != wanted.shape or not got.isfinite().all():
            return float("inf")
        worst = max(worst, float((got.double() - wanted).norm() / (wanted.norm() + 1e-30)))
    return worst


def _rate(row: Row, case: Case, top: Ceilings | None) -> None:
    row.tflops = case.cost.dots / row.ms / 1e9 if case.cost.dots else None
    row.gbs = case.cost.moved / row.ms / 1e6
    if top is not None:
        row.of_matmul = row.tflops / top.tflops if row.tflops is not None else None
        row.of_copy = row.gbs / top.gbs
