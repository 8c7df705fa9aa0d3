"""Relations by a number: results that are scaled or shifted, or off by one of the arguments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from course.checks.sample import EVIDENCE, Sample, calculated, in_all, in_pairs


@calculated
def scaled(samples: list[Sample]) -> str:
    """Every entry is multiplied by the same number."""
    factors = [_factor(s.want, s.have) for s in samples]
    if not in_pairs(samples, factors, lambda s, c: _above_noise(s, c) and s.is_now(c * s.want)):
        return ""
    known = [(s, c) for s, c in zip(samples, factors, strict=True) if c is not None]
    times = times_text(known, [np.count_nonzero(s.want) for s, _ in known], "it should be")
    return f"Every entry is {times}: is a scale missing, used twice or upside down?" if times else ""


@calculated
def shifted(samples: list[Sample]) -> str:
    """The same number is added to every entry."""
    shifts = [float(np.median(s.have - s.want)) if s.want.size else None for s in samples]
    if not in_pairs(samples, shifts, lambda s, b: s.is_now(s.want + b)):
        return ""
    known = [b for b in shifts if b is not None]
    side = "large" if max(known) > 0 else "small"
    if np.allclose(known, known[0], rtol=1e-3) and sum(s.want.size for s in samples) > EVIDENCE:
        return f"Every entry is too {side} by the same number ({abs(known[0]):.3g})."
    each = any(s.want.size > EVIDENCE for s in samples)
    return "In each case every entry is off by the same number." if each else ""


def _above_noise(sample: Sample, factor: float) -> bool:
    """Whether what is scaled so much is still more than what the tolerance forgives anyway."""
    return abs(factor) * np.abs(sample.want).max(initial=0.0) > 10 * sample.tolerance.atol


def _factor(want: np.ndarray, have: np.ndarray) -> float | None:
    """What most of the entries that are not 0 are multiplied by."""
    some = np.abs(want) > 1e-9 * np.abs(want).max(initial=0.0)
    return float(np.median(have[some] / want[some])) if some.any() else None


def times_text(known: list[tuple[Sample, float]], entries: list[int], should: str) -> str:
    """`0.5 times what it should be`, or `sqrt(d) times what it should be (d is the length of axis 1 of `k`)`.

    Says what the factors of several samples have in common; `entries` are the numbers that each factor rests on.
    """
    factors = [c for _, c in known]
    if np.allclose(factors, factors[0], rtol=1e-3) and sum(entries) > EVIDENCE:
        one = math.isclose(factors[0], 1, rel_tol=1e-3) or abs(factors[0]) < 1e-6
        return "" if one else f"{factors[0]:.3g} times what {should}"
    times, lengths = _length_text(known)
    if times:
        return f"{times} times what {should} ({lengths})"
    apart = all(n > EVIDENCE for n, c in zip(entries, factors, strict=True) if not math.isclose(c, 1, rel_tol=1e-3))
    return f"what {should} but for a factor, which differs from case to case" if apart else ""


POWERS = {0.5: "sqrt({})", -0.5: "1/sqrt({})", 1.0: "{}", -1.0: "1/{}", 1.5: "{}^1.5", -1.5: "1/{}^1.5", 2.0: "{}^2",
          -2.0: "1/{}^2"}  # fmt: skip


def _length_text(known: list[tuple[Sample, float]]) -> tuple[str, str]:
    """The factors as a power of the length d of an axis, or of the ratio a/b of two lengths; and whose lengths."""
    lengths = _common_lengths([s for s, _ in known])
    factors = np.array([c for _, c in known])
    sign = "minus " if (factors < 0).all() else ""
    for name, length in lengths.items():
        for power, text in POWERS.items():
            if len(set(length)) > 1 and _close(np.abs(factors), length**power):
                return sign + text.format("d"), f"d is {name}"
    for (one, a), (two, b) in itertools.permutations(lengths.items(), 2):
        for power, text in ((0.5, "sqrt({})"), (1.0, "{}")):
            if len(set(a / b)) > 2 and _close(np.abs(factors), (a / b) ** power):
                return sign + text.format("a/b"), f"a is {one}, b is {two}"
    return "", ""


def _common_lengths(samples: list[Sample]) -> dict[str, np.ndarray]:
    """`the length of axis 1 of `k`` -> it in each sample, for axes that are there, and not empty, in all of them.

    Numbers among the arguments are lengths too: a `heads` or an `n`.
    """
    each = [{text: n for name, array in s.arguments.items() for text, n in _lengths(name, array)} for s in samples]
    return {key: np.array([e[key] for e in each], float) for key in each[0] if all(e.get(key) for e in each)}


def _lengths(name: str, array: np.ndarray) -> list[tuple[str, float]]:
    if array.ndim:
        return [(f"the length of axis {axis} of `{name}`", n) for axis, n in enumerate(array.shape)]
    return [(f"`{name}`", float(array))] if array > 0 else []


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.isfinite(b).all()) and np.allclose(a, b, rtol=1e-3, atol=0)


@calculated
def off_by_a_count(samples: list[Sample]) -> str:
    """A whole number among the arguments is missing as a factor, is one too often, or stands where another should."""
    if any(s.want.ndim or not s.want or not s.have for s in samples):
        return ""
    factors = np.array([float(s.have) / float(s.want) for s in samples])
    names = [name for name in samples[0].counts if all(s.counts.get(name, 0) > 0 for s in samples)]
    counts = {name: np.array([s.counts[name] for s in samples], float) for name in names}
    for name, n in counts.items():
        for text, power in COUNT_USED.items():
            if text_of_rest := _rest(factors / n**power, n):
                return text.format(name) + text_of_rest
    for (one, a), (two, b) in itertools.permutations(counts.items(), 2):
        if len(set(a / b)) > 1 and np.allclose(factors, a / b, rtol=1e-9):
            return f"`{one}` stands where `{two}` should, or is there once too often while `{two}` is missing."
    return ""


COUNT_USED = {"The result should still be multiplied by `{}`": -1, "The result is multiplied by `{}` once too often": 1}


def _rest(factors: np.ndarray, counts: np.ndarray) -> str:
    """The end of the sentence if what is left of the factors is one number; "" if it is none, or may be by accident."""
    if len(set(counts)) < EVIDENCE or len(factors) <= EVIDENCE or not np.allclose(factors, factors[0], rtol=1e-9):
        return ""
    return "." if math.isclose(factors[0], 1, rel_tol=1e-9) else f"; what remains is a factor of {factors[0]:.3g}."


@calculated
def off_by_an_argument(samples: list[Sample]) -> str:
    """An argument is missing as a term or factor, or there once too often."""
    for name in samples[0].arguments:
        if not in_all(samples, lambda s, n=name: n in s.arguments and _fits(s.arguments[n], s.want)):
            continue
        for text, change in ARGUMENT_USED.items():
            if in_all(samples, lambda s, n=name, c=change: s.is_now(c(s.want, s.arguments[n]))):
                return text.format(name)
    return ""


ARGUMENT_USED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "The result is too small by exactly `{}`: is it not added?": lambda want, a: want - a,
    "The result is too large by exactly `{}`: is it added once too often?": lambda want, a: want + a,
    "`{}` is subtracted where it should be added.": lambda want, a: want - 2 * a,
    "`{}` is added twice too often, or where it should be subtracted.": lambda want, a: want + 2 * a,
    "The result is `{}` minus what it should be.": lambda want, a: a - want,
    "The result should still be multiplied by `{}`.": lambda want, a: want / a,
    "The result is multiplied by `{}` once too often.": lambda want, a: want * a,
}


def _fits(argument: np.ndarray, want: np.ndarray) -> bool:
    """Whether an argument can be added to a result without changing its shape; a number only to a number."""
    if argument.dtype.kind not in "iuf" or not min(1, want.ndim) <= argument.ndim <= want.ndim:
        return False
    pairs = zip(argument.shape[::-1], want.shape[::-1], strict=False)
    return all(a in (1, n) for a, n in pairs) and bool(np.isfinite(argument).all())
