"""Relations that show once an argument that is added, or multiplied in, is taken away again: a bias, a gain."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from course.checks.rows import line_by_line
from course.checks.sample import EVIDENCE, Sample, calculated, in_all
from course.checks.scale import scaled


@calculated
def apart_from_a_term(samples: list[Sample]) -> str:
    """Without a vector that is added to every row, the result is scaled, as a whole or row by row."""
    for name in _vectors(samples):
        rest = [_without(s, name) for s in samples]
        for rule in (scaled, line_by_line):
            if text := rule(rest):
                return f"Apart from `{name}`, which is added, {text[0].lower()}{text[1:]}"
    return ""


@calculated
def rows_moved_and_scaled(samples: list[Sample]) -> str:
    """Without a vector that multiplies every row and one that is added, each row is moved and scaled as a whole."""
    for factor, term in itertools.permutations(_vectors(samples), 2):
        if not in_all(samples, lambda s, f=factor: bool(s.arguments[f].all())):
            continue
        rest = [_without(s, term, factor) for s in samples]
        free = sum(max(s.want.shape[-1] - 2, 0) * (s.want.size // s.want.shape[-1]) for s in rest if s.wrong.any())
        if free > EVIDENCE and in_all(rest, lambda s: s.is_now(_moved_and_scaled(s.want, s.have))):
            return f"Apart from `{factor}` and `{term}`, each row is right but for its centre and its scale."
    return ""


def _vectors(samples: list[Sample]) -> list[str]:
    """Arguments that are a vector as long as the result's rows, in all samples."""
    return [name for name in samples[0].arguments if in_all(samples, lambda s, n=name: _is_vector(s, n))]


def _is_vector(sample: Sample, name: str) -> bool:
    vector = sample.arguments.get(name, np.zeros(0))
    return vector.dtype.kind == "f" and vector.size > 0 and sample.want.shape[-1:] == vector.shape


def _without(sample: Sample, term: str, factor: str = "") -> Sample:
    divisor = sample.arguments[factor] if factor else 1.0
    want, have = ((a - sample.arguments[term]) / divisor for a in (sample.want, sample.have))
    return replace(sample, want=want, have=have)


def _moved_and_scaled(want: np.ndarray, have: np.ndarray) -> np.ndarray:
    """The row-wise straight-line function of `want` that comes nearest to `have`."""
    means = [a.mean(-1, keepdims=True) for a in (want, have)]
    x, y = (a - mean for a, mean in zip((want, have), means, strict=True))
    sizes = (x * x).sum(-1, keepdims=True)
    return means[1] + x * np.where(sizes > 0, (x * y).sum(-1, keepdims=True) / np.where(sizes > 0, sizes, 1), 0)
