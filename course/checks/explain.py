"""Explain a part whose numbers or texts are wrong for no known reason: a relation, an unused argument, a pattern.

What is told here must hold in every case of the part that gave some. It costs nothing and gives no points: if the
student's code makes it fail, nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course.checks import influence, texts
from course.checks.compare import exact
from course.checks.pattern import pattern
from course.checks.relation import relation
from course.checks.runner import Outcome
from course.checks.sample import Sample
from course.checks.script import Script
from course.checks.sheet import Case, Sheet
from course.checks.wire import TorchArray

Run = Callable[[Script], list[Outcome]]
MAX_SECONDS = 3.0  # code that would take longer is not run again just to explain more
Pairs = dict[str, tuple[np.ndarray, np.ndarray | None]]  # "" or "Item 0 of the result" -> expected, and what came


@dataclass(frozen=True)
class Explanation:
    """What else there is to say of wrong numbers."""

    kind: str  # relation, unused (an argument), pattern
    text: str


def explanation(
    sheet: Sheet, cases: list[Case], results: list[list[Outcome]], run: Run, seconds: float
) -> Explanation | None:
    """How the results of a part's cases differ from the expected ones; None if nothing is known.

    `run` runs a script on the student's code once more; the fastest case took so many `seconds`.
    """
    found = _related(sheet, cases, results)
    if text := _said(found, relation) or texts.relation(_texts(cases, results)):
        return Explanation("relation", text)
    if text := _unused(sheet, cases[-1], run, seconds):
        return Explanation("unused", text)
    text = _said(found, pattern)
    return Explanation("pattern", text) if text else None


def _texts(cases: list[Case], results: list[list[Outcome]]) -> list[texts.Pair]:
    """The texts that an exercise gives, right and as they came."""
    pairs = [(w.get("value"), h.get("value")) for c, got in zip(cases, results, strict=True)
             for w, h in zip(c.expected, got, strict=False)]  # fmt: skip
    return [(want, have) for want, have in pairs if isinstance(want, str) and isinstance(have, str)]


def _said(found: dict[str, list[Sample]], find: Callable[[list[Sample]], str]) -> str:
    return next((text for name, samples in found.items() if (text := _prefixed(name, find(samples)))), "")


def _prefixed(name: str, text: str) -> str:
    """Where there are several results, it says which of them is meant."""
    return f"{name}: {text[0].lower()}{text[1:]}" if name and text else text


def _unused(sheet: Sheet, case: Case, run: Run, seconds: float) -> str:
    """Tried on the last case, as edge sizes come first: with one key, say, the queries do not matter."""
    matters = list(case.matters)
    if not matters or seconds * (1 + len(matters)) > MAX_SECONDS:
        return ""
    unused = influence.ignored(case.script, matters, run)
    return influence.sentence(case.script, matters, unused, sheet.arguments)


def _related(sheet: Sheet, cases: list[Case], results: list[list[Outcome]]) -> dict[str, list[Sample]]:
    """For each result that an exercise gives, all its samples. Only cases that gave something like it can be used."""
    samples: dict[str, list[Sample]] = {}
    for case, got in zip(cases, results, strict=True):
        pairs = _pairs(case.expected, got)
        given = influence.arguments(case.script, sheet.arguments)
        given |= influence.plain_numbers(case.script, sheet.arguments)
        wanted = {name[:1].lower() + name[1:]: want for name, (want, _) in pairs.items()}
        for name, (want, have) in pairs.items():
            if have is not None and want.shape == have.shape and _alike(want, have):
                others = {k: v for k, v in wanted.items() if v is not want}
                one = Sample(want, have, sheet.tolerance or exact, given, others)
                samples.setdefault(name, []).append(one)
    return samples


def _alike(want: np.ndarray, have: np.ndarray) -> bool:
    """Whether both are numbers (a whole number may stand where a float is expected), or both truth values."""
    kinds = {want.dtype.kind, have.dtype.kind}
    return len(kinds) == 1 or kinds <= set("iuf")


def _pairs(expected: list[Outcome], got: list[Outcome]) -> Pairs:
    """All numbers of a run, by name, with what came in their place."""
    steps = [(i, o["value"]) for i, o in enumerate(expected) if o.get("value") is not None]
    found: Pairs = {}
    for i, value in steps:
        have = got[i].get("value") if i < len(got) else None
        found |= _inside(value, have, f"Step {i}" if len(steps) > 1 else "")
    return found


def _inside(want: Any, have: Any, name: str) -> Pairs:
    """Walks along the expected result only: what came may be of any size and depth."""
    if isinstance(want, dict):
        given = have if isinstance(have, dict) else {}
        inner = [_inside(w, given.get(k), _named(name, "key", repr(k))) for k, w in want.items()]
        return {k: v for pairs in inner for k, v in pairs.items()}
    if isinstance(want, list) and (row := _row(want, len(want))) is not None:  # its numbers belong together
        return {name: (row, _row(have, len(want)))}
    if isinstance(want, list | tuple):
        items = have if isinstance(have, list | tuple) and len(have) == len(want) else [None] * len(want)
        inner = [_inside(w, h, _named(name, "item", i)) for i, (w, h) in enumerate(zip(want, items, strict=True))]
        return {k: v for pairs in inner for k, v in pairs.items()}
    numbers = _numbers(want)
    return {} if numbers is None else {name: (numbers, _numbers(have))}


def _row(value: Any, length: int) -> np.ndarray | None:
    """A list or tuple of so many numbers as an array; None if it is another thing."""
    if not isinstance(value, list | tuple) or len(value) != length:
        return None
    if not all(type(item) in (int, float) or isinstance(item, np.number) for item in value):
        return None
    array = np.array(value)
    return array if array.dtype.kind in "if" else None


def _numbers(value: Any) -> np.ndarray | None:
    value = value.array if isinstance(value, TorchArray) else value
    if not isinstance(value, np.ndarray | np.generic | bool | int | float):
        return None
    array = np.asarray(value)
    return array if array.dtype.kind in "biuf" else None


def _named(name: str, word: str, which: Any) -> str:
    return f"{name}, {word} {which}" if name else f"{word.capitalize()} {which} of the result"
