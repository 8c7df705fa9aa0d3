"""Say in words how wrong numbers are related to the right ones: negated, scaled, transposed, in another's place.

A relation is told only if it holds in all given results, within the exercise's tolerance, and rests on more numbers
than it leaves free, so that it is no accident. It tells no expected value: at most a factor or a difference, to three
digits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from course.checks import apart, rows, scale
from course.checks.compare import within
from course.checks.sample import Rule, Sample, calculated, first_of, in_all, lines

Map = Callable[[np.ndarray], np.ndarray]


def relation(samples: list[Sample]) -> str:
    """How the numbers that came are related to the right ones, in a sentence; "" if in no way that we know."""
    return first_of(RELATIONS, samples)


def _all_the_same(samples: list[Sample]) -> str:
    values = {v for s in samples for v in np.unique(s.have).tolist()}
    if len(values) == 1:
        value = values.pop()
        what = f"{value or 0.0:.3g}" if isinstance(value, float) else str(value)  # 0 rather than -0
        scalar = all(s.have.ndim == 0 for s in samples)
        return f"The result is {what} whatever the input." if scalar else f"Every entry is {what}."
    flat = all(len(np.unique(s.have)) == 1 for s in samples)
    telling = any(s.have.size > 2 and len(np.unique(s.want)) > 1 for s in samples)
    return "All entries are the same number." if flat and telling else ""


def _an_argument(samples: list[Sample]) -> str:
    for name in samples[0].arguments:
        if in_all(samples, lambda s, n=name: n in s.arguments and s.is_now(s.arguments[n])):
            return f"This is `{name}` itself, unchanged."
    return ""


def _another_result(samples: list[Sample]) -> str:
    for name in samples[0].others:
        if in_all(samples, lambda s, n=name: n in s.others and s.is_now(s.others[n])):
            return f"These are the numbers of {name}: is something swapped, or copied and not changed?"
    return ""


ENTRYWISE: list[tuple[Map, str]] = [
    (np.negative, "Every sign is wrong: this is minus the right result."),
    (lambda x: 1 - x, "Every entry is 1 minus what it should be."),
    (np.abs, "The signs are lost: these are the absolute values of the right result."),
    (np.square, "Every entry is the square of what it should be: is a square root missing?"),
    (np.sqrt, "Every entry is the square root of what it should be: is there one root too many?"),
    (np.reciprocal, "Every entry is 1 divided by what it should be: is a fraction upside down?"),
    (np.log, "Every entry is the logarithm of what it should be: is an exp missing?"),
    (np.exp, "Every entry is exp of what it should be: is there one exp too many, or a log missing?"),
    (lambda x: np.maximum(x, 0), "Negative entries came out as 0, the others are right."),
    (np.round, "Every entry is rounded to a whole number: is there an integer dtype or a `//`?"),
    (np.trunc, "Every entry is cut to a whole number: is there an integer dtype or a `//`?"),
    (np.floor, "Every entry is rounded down to a whole number: is there an integer dtype or a `//`?"),
]


@calculated
def _entrywise(samples: list[Sample]) -> str:
    for function, text in ENTRYWISE:
        if in_all(samples, lambda s, f=function: s.is_now(f(s.want.astype(np.float64)))):
            return text
    return ""


def _opposite(samples: list[Sample]) -> str:
    if in_all(samples, lambda s: s.want.dtype.kind == s.have.dtype.kind == "b" and s.is_now(~s.want)):
        return "True and False are swapped everywhere."
    return ""


def _moved(samples: list[Sample]) -> str:
    axes = {s.want.ndim for s in samples}
    if len(axes) != 1:
        return ""
    for move, text in _moves(axes.pop()):
        if in_all(samples, lambda s, m=move: s.is_now(m(s.want))):
            return text
    return ""


def _moves(ndim: int) -> Iterator[tuple[Map, str]]:
    for order in itertools.permutations(range(ndim)):
        if order != tuple(range(ndim)):
            yield lambda x, o=order: x.transpose(o), _axes_text(order)
    for axis in range(ndim):
        yield lambda x, a=axis: np.flip(x, a), f"The {lines(axis, ndim)} are in reverse order."
        for by, where in ((1, "before"), (-1, "after")):
            text = f"The {lines(axis, ndim)} are shifted by one: each is the one that should come {where} it."
            yield lambda x, a=axis, b=by: np.roll(x, b, a), text


def _axes_text(order: tuple[int, ...]) -> str:
    if len(order) == 2:
        return "Rows and columns are swapped: this is the transpose of the right result."
    moved = [axis for axis, source in enumerate(order) if axis != source]
    return f"Axes {', '.join(map(str, moved[:-1]))} and {moved[-1]} are in the wrong order."


def _another_order(samples: list[Sample]) -> str:
    telling = any(s.want.size > 2 and len(np.unique(s.want)) == s.want.size for s in samples)
    if telling and in_all(samples, _same_numbers):
        return "These are the right numbers in another order."
    return ""


def _same_numbers(sample: Sample) -> bool:
    want, have = np.sort(sample.want, None), np.sort(sample.have, None)
    return bool(within(want, have, sample.tolerance).all())


RELATIONS: list[Rule] = [
    rows.other_scores, _all_the_same, _an_argument, _another_result, _entrywise, _opposite, _moved,
    scale.off_by_a_count, scale.scaled, scale.off_by_an_argument, scale.shifted, rows.lines_alike, rows.shared_equally,
    rows.sums_lost, rows.line_by_line, _another_order,
    apart.apart_from_a_term, apart.rows_moved_and_scaled,
]  # fmt: skip
