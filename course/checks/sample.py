"""Samples: a result as it should be and as it came. What rules about several of them share.

A rule looks at all samples of one result, one from each case, and gives a sentence, or "" if it does not hold in all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from course.checks.compare import Tolerance, within

EVIDENCE = 2  # wrong entries, beyond the numbers that a rule leaves free, that it has to explain
MAX_ENTRIES, MAX_AXES = 100_000, 4  # beyond that nothing is looked for: it would take too long


@dataclass(frozen=True)
class Sample:
    """One result, as it should be and as it came: two arrays of one shape. What it was computed from has names."""

    want: np.ndarray
    have: np.ndarray
    tolerance: Tolerance
    arguments: dict[str, np.ndarray] = field(default_factory=dict)
    others: dict[str, np.ndarray] = field(default_factory=dict)  # further results that were expected

    @functools.cached_property
    def counts(self) -> dict[str, int]:
        """The whole numbers among the arguments, by name."""
        return {name: int(a) for name, a in self.arguments.items() if not a.ndim and a.dtype.kind in "iu"}

    @functools.cached_property
    def wrong(self) -> np.ndarray:
        """True where an entry is wrong."""
        return ~within(self.want, self.have, self.tolerance)

    @property
    def numeric(self) -> bool:
        """Whether one can calculate with both."""
        both = np.isfinite(self.want).all() and np.isfinite(self.have).all()
        return self.want.dtype.kind in "iuf" and self.have.dtype.kind in "iuf" and bool(both)

    def is_now(self, predicted: np.ndarray) -> bool:
        """Whether what came agrees with a prediction."""
        return predicted.shape == self.have.shape and bool(within(predicted, self.have, self.tolerance).all())


Rule = Callable[[list[Sample]], str]


def first_of(rules: list[Rule], samples: list[Sample]) -> str:
    """What the first rule that holds says of the samples; "" if none does, or if so few wrong entries prove nothing."""
    sizes = [s.want.size for s in samples]
    deep = any(s.want.ndim > MAX_AXES or s.want.shape != s.have.shape for s in samples)
    wrong = sum(int(s.wrong.sum()) for s in samples) if samples and not deep and max(sizes) <= MAX_ENTRIES else 0
    truth = any(s.want.dtype.kind == "b" for s in samples)  # a bool is right by accident every other time
    if wrong < EVIDENCE * (3 if truth else 1):
        return ""
    with np.errstate(all="ignore"):
        return next((text for rule in rules if (text := rule(samples))), "")


def in_all(samples: list[Sample], holds: Callable[[Sample], bool]) -> bool:
    """Whether something holds for each sample."""
    return all(holds(s) for s in samples)


def calculated(rule: Rule) -> Rule:
    """A rule about numbers: it says nothing of truth values, infinity and NaN."""

    @functools.wraps(rule)
    def guarded(samples: list[Sample]) -> str:
        return rule(samples) if in_all(samples, lambda s: s.numeric) else ""

    return guarded


def in_pairs(samples: list[Sample], numbers: list[float | None], holds: Callable[[Sample, float], bool]) -> bool:
    """Whether each sample agrees with its own number; one without a number has to be right."""
    pairs = list(zip(samples, numbers, strict=True))
    return any(c is not None for c in numbers) and all(
        not s.wrong.any() if c is None else math.isfinite(c) and holds(s, c) for s, c in pairs
    )


def lines(axis: int, ndim: int) -> str:
    """`rows`, `columns`, or what else lies one after the other along an axis."""
    if ndim <= 2:
        return "entries" if ndim == 1 else ("rows", "columns")[axis]
    return f"slices along axis {axis}"
