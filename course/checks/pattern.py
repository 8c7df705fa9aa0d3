"""Where the wrong entries lie, or how little is wrong: less than a relation, more than the first wrong place."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from course.checks.sample import EVIDENCE, Rule, Sample, calculated, first_of, in_all, lines

CHANCE = 0.02  # that so many wrong entries lie in one region by accident
NEARLY = 0.01


def pattern(samples: list[Sample]) -> str:
    """Where the wrong entries lie, or how little is wrong, in a sentence; "" if there is no pattern."""
    return first_of(PATTERNS, samples)


@calculated
def _zeros(samples: list[Sample]) -> str:
    lost = sum(int(((s.want != 0) & (s.have == 0) & s.wrong).sum()) for s in samples)
    gained = sum(int(((s.want == 0) & (s.have != 0) & s.wrong).sum()) for s in samples)
    if gained >= EVIDENCE and not lost:
        return "Some entries should be exactly 0 and are not."
    if lost >= EVIDENCE and not gained:
        return "Some entries are 0 and should not be."
    return ""


REGIONS: dict[str, Callable[[int, int], np.ndarray]] = {
    "on the diagonal": lambda n, m: np.eye(n, m, dtype=bool),
    "in the first row": lambda n, m: np.arange(n)[:, None] + np.zeros(m, int) == 0,
    "in the last row": lambda n, m: np.arange(n)[:, None] + np.zeros(m, int) == n - 1,
    "in the first column": lambda n, m: np.zeros((n, 1), int) + np.arange(m) == 0,
    "in the last column": lambda n, m: np.zeros((n, 1), int) + np.arange(m) == m - 1,
    "just above the diagonal": lambda n, m: np.eye(n, m, 1, dtype=bool),
    "just below the diagonal": lambda n, m: np.eye(n, m, -1, dtype=bool),
    "above the diagonal": lambda n, m: ~np.tri(n, m, dtype=bool),
    "below the diagonal": lambda n, m: np.tri(n, m, -1, dtype=bool),
    "on and above the diagonal": lambda n, m: ~np.tri(n, m, -1, dtype=bool),
    "on and below the diagonal": lambda n, m: np.tri(n, m, dtype=bool),
    "off the diagonal": lambda n, m: ~np.eye(n, m, dtype=bool),
    "outside the first row": lambda n, m: np.arange(n)[:, None] + np.zeros(m, int) > 0,
    "outside the first column": lambda n, m: np.zeros((n, 1), int) + np.arange(m) > 0,
}


def _region(samples: list[Sample]) -> str:
    if not in_all(samples, lambda s: s.want.ndim == 2 and s.want.size > 0):
        return ""
    for where, region in REGIONS.items():
        inside = [region(*s.want.shape) for s in samples]
        pairs = list(zip(samples, inside, strict=True))
        if any((s.wrong & ~r).any() for s, r in pairs):
            continue
        if math.prod(float(r.mean()) ** int(s.wrong.sum()) for s, r in pairs if s.wrong.any()) < CHANCE:
            return f"All wrong entries are {where}."
    return ""


def _some_lines(samples: list[Sample]) -> str:
    failing = [s for s in samples if s.wrong.any()]
    for axis in range(failing[0].want.ndim if failing[0].want.ndim > 1 else 0):
        others = tuple(a for a in range(failing[0].want.ndim) if a != axis)
        if any(s.want.ndim != failing[0].want.ndim for s in failing):
            return ""
        bad = [s.wrong.any(axis=others) for s in failing]
        if all(1 <= b.sum() <= len(b) // 2 for b in bad) and _whole_lines(failing, bad, axis):
            where = ", ".join(str(i) for i in np.flatnonzero(bad[0]))
            name = lines(axis, failing[0].want.ndim)
            return f"Whole {name} are right, others wrong: where it first fails, {where} of {len(bad[0])}."
    return ""


def _whole_lines(failing: list[Sample], bad: list[np.ndarray], axis: int) -> bool:
    """Whether lines are wrong as a whole: then it is they that differ, and no accident."""
    shares = [s.wrong.compress(b, axis).mean() for s, b in zip(failing, bad, strict=True)]
    return min(shares) > 0.5 and sum(int(s.wrong.sum()) for s in failing) > EVIDENCE


@calculated
def _nearly(samples: list[Sample]) -> str:
    if in_all(samples, lambda s: bool((np.abs(s.have - s.want) <= NEARLY * np.abs(s.want)).all())):
        return (
            f"Every entry is nearly right (within {NEARLY:.0%}): is a constant, an epsilon or the precision different?"
        )
    return ""


PATTERNS: list[Rule] = [_nearly, _region, _zeros, _some_lines]
