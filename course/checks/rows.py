"""Relations between the rows, or columns, of a result: weights that do not sum to 1, of other scores, all alike."""

from __future__ import annotations

import numpy as np

from course.checks.compare import within
from course.checks.sample import EVIDENCE, Sample, calculated, in_all, in_pairs
from course.checks.scale import times_text


@calculated
def other_scores(samples: list[Sample]) -> str:
    """Rows of weights are those that a softmax would give for scores of another size."""
    if not in_all(samples, lambda s: _sums_to_one(s.want, s) and _sums_to_one(s.have, s)):
        return ""
    factors = [_exponent(s) for s in samples]
    if not in_pairs(samples, factors, lambda s, c: s.is_now(_sharpened(s.want, c))):
        return ""
    known = [(s, c) for s, c in zip(samples, factors, strict=True) if c is not None and s.wrong.any()]
    free = [_freedom(s.want) for s, _ in known]
    if sum(free) <= EVIDENCE:
        return ""
    if np.allclose([c for _, c in known], 0, atol=1e-6):
        return "Each row is shared out equally: the scores have no effect."
    if np.allclose([c for _, c in known], -1, rtol=1e-3):
        return "These are the weights of scores with the wrong sign."
    times = times_text(known, free, "they should be")
    return (
        f"These are the weights of scores that are {times}: look at what is done before the softmax." if times else ""
    )


def _sums_to_one(array: np.ndarray, sample: Sample) -> bool:
    """Whether rows sum to 1. A row of zeros may stand for a query that sees nothing."""
    if not array.ndim or not array.size or (array < 0).any():
        return False
    sums = array.sum(axis=-1)
    return bool((np.isclose(sums, 1, rtol=1e-4) | (sums == 0)).all()) and bool((sums != 0).any())


def _freedom(want: np.ndarray) -> int:
    """How many entries are not settled by their rows' sums."""
    return int(np.maximum(np.count_nonzero(want, axis=-1) - 1, 0).sum())


def _exponent(sample: Sample) -> float | None:
    some = sample.want > 0
    if not _freedom(sample.want) or not (sample.have[some] > 0).all():
        return None
    before, after = (_centred_logs(a, some) for a in (sample.want, sample.have))
    size = float((before**2).sum())
    return float((before * after).sum()) / size if size > 1e-12 else None


def _centred_logs(array: np.ndarray, some: np.ndarray) -> np.ndarray:
    logs = np.where(some, np.log(np.where(some, array, 1)), 0)
    mean = logs.sum(-1, keepdims=True) / np.maximum(some.sum(-1, keepdims=True), 1)
    return np.where(some, logs - mean, 0)


def _sharpened(want: np.ndarray, exponent: float) -> np.ndarray:
    some = want > 0
    logs = np.where(some, exponent * np.log(np.where(some, want, 1)), -np.inf)
    top = logs.max(axis=-1, keepdims=True)
    powers = np.where(some, np.exp(logs - np.where(np.isfinite(top), top, 0)), 0)
    return powers / np.maximum(powers.sum(-1, keepdims=True), 1e-300)


@calculated
def sums_lost(samples: list[Sample]) -> str:
    """Rows should sum to 1 and do not."""
    if not in_all(samples, lambda s: s.want.ndim > 0 and _sums_to_one(s.want, s)):
        return ""
    bad = [s for s in samples if not _sums_to_one(s.have, s)]
    if not any(s.want.shape[-1] > 1 and np.count_nonzero(s.want) > EVIDENCE for s in bad):
        return ""
    if all(s.have.ndim == 2 and _sums_to_one(s.have.T, s) for s in samples):
        return "The columns sum to 1, but the rows should."
    return "The rows should sum to 1, but they do not." if bad[0].want.ndim > 1 else "The entries should sum to 1."


@calculated
def line_by_line(samples: list[Sample]) -> str:
    """Each row, or each column, is scaled or shifted by a number of its own."""
    if not in_all(samples, lambda s: s.want.ndim >= 2):
        return ""
    for axis, line in ((-1, "row"), (-2, "column")):
        for kind, predicted in (("factor", _rescaled), ("number to add", _recentred)):
            free = sum(s.want.size - s.want.size // s.want.shape[axis] for s in samples if s.wrong.any())
            if free > EVIDENCE and in_all(samples, lambda s, a=axis, p=predicted: s.is_now(p(s.want, s.have, a))):
                return f"Each {line} is right but for a {kind} of its own."
    return ""


def _rescaled(want: np.ndarray, have: np.ndarray, axis: int) -> np.ndarray:
    sizes = (want * want).sum(axis, keepdims=True)
    return want * np.where(sizes > 0, (want * have).sum(axis, keepdims=True) / np.where(sizes > 0, sizes, 1), 0)


def _recentred(want: np.ndarray, have: np.ndarray, axis: int) -> np.ndarray:
    return want + (have - want).mean(axis, keepdims=True)


@calculated
def lines_alike(samples: list[Sample]) -> str:
    """All rows, or all columns, are the same and should not be."""
    for axis, line in ((0, "row"), (1, "column")):
        tall = [s for s in samples if s.want.ndim == 2 and s.want.shape[axis] > 1]
        enough = sum(s.want.size for s in tall) > EVIDENCE + 1 and not any(_alike(s.want, axis, s) for s in tall)
        if enough and all(_alike(s.have, axis, s) for s in tall):
            return f"All {line}s are the same."
    return ""


def _alike(array: np.ndarray, axis: int, sample: Sample) -> bool:
    return bool(within(np.broadcast_to(array.take([0], axis), array.shape), array, sample.tolerance).all())


@calculated
def shared_equally(samples: list[Sample]) -> str:
    """All entries of a row that are not 0 are the same and should not be."""
    if any(s.want.ndim < 2 for s in samples) or not in_all(samples, lambda s: _flat_rows(s.have)):
        return ""
    telling = any(not _flat_rows(s.want) and np.count_nonzero(s.have) > EVIDENCE + 1 for s in samples)
    return "In each row all entries that are not 0 are equal: do the scores have any effect?" if telling else ""


def _flat_rows(array: np.ndarray) -> bool:
    top = array.max(axis=-1, keepdims=True, initial=0.0)
    return bool((np.isclose(array, top) | (array == 0)).all())
