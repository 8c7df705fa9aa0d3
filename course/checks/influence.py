"""Find out which arguments a result depends on, by changing one at a time and running the script again.

An argument that matters to the right solution and not to the student's was forgotten, or another one was used in its
place: that is said in words, whatever the numbers look like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from course.checks.compare import Tolerance, difference
from course.checks.runner import Outcome
from course.checks.script import Script
from course.checks.wire import TorchArray

Place = list[Any]  # step, argument (its position or keyword), then keys and indices inside it
Run = Callable[[Script], list[Outcome]]
MAX_PLACES, MAX_NUMBERS = 60, 200_000  # more arguments, or larger ones, are not tried
MAX_NAMED = 3


def places(script: Script) -> list[Place]:
    """Where a script's arguments hold numbers that can be changed a little: floats, and truth values in arrays."""
    found = []
    for i, step in enumerate(script):
        given = [*enumerate(step["args"]), *step["kwargs"].items()]
        found += [[i, name, *rest] for name, value in given for rest in _inside(value)]
    return found


def _inside(value: Any) -> Iterator[Place]:
    if isinstance(value, dict | list | tuple):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from ([key, *rest] for rest in _inside(item))
    elif _changed(value) is not None:
        yield []


def _changed(value: Any) -> Any:
    """A value like this one with other numbers in it; None if there is no saying what would still be valid."""
    if isinstance(value, TorchArray):
        array = _changed(value.array)
        return None if array is None else TorchArray(array, value.dtype)
    if isinstance(value, float):
        return 1.5 * value + 0.1
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fb" or not value.size:
        return None
    count = np.arange(value.size).reshape(value.shape)
    if value.dtype.kind == "b":
        return np.asarray(value ^ (count % 2 == 0))
    finite = np.where(np.isfinite(value), value, 0.0)
    moved = finite + 0.5 * np.cos(1 + count) * (1 + np.abs(finite))  # no scaling and no shift
    return np.asarray(np.where(np.isfinite(value), moved, value), value.dtype)  # of no axes too


def with_change(script: Script, place: Place) -> Script:
    """The script with the numbers at one place changed."""
    step, argument, *inside = place
    field = "args" if isinstance(argument, int) else "kwargs"
    changed = {**script[step], field: _replaced(script[step][field], [argument, *inside])}
    return [*script[:step], changed, *script[step + 1 :]]


def _replaced(value: Any, keys: Place) -> Any:
    if not keys:
        return _changed(value)
    key, *rest = keys
    if isinstance(value, dict):
        return {**value, key: _replaced(value[key], rest)}
    items = [_replaced(v, rest) if i == key else v for i, v in enumerate(value)]
    return tuple(items) if isinstance(value, tuple) else items


def influential(script: Script, run: Run, tolerance: Tolerance) -> list[Place]:
    """The places whose numbers matter to what `run` gives; none if the script ends with an error, or is too large."""
    tried = places(script)
    if len(tried) > MAX_PLACES or len(tried) * _numbers(script) > MAX_NUMBERS:
        return []
    usual = run(script)
    if not _values(usual):
        return []
    return [place for place in tried if _differ(usual, run(with_change(script, place)), tolerance)]


def _numbers(value: Any) -> int:
    array = getattr(value, "array", value)
    if isinstance(array, np.ndarray):
        return array.size
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return sum(_numbers(v) for v in items)


def _differ(usual: list[Outcome], now: list[Outcome], tolerance: Tolerance) -> bool:
    if not _values(now):
        return False
    pairs = zip(usual, now, strict=True)
    return any(difference(a["value"], b["value"], tolerance) for a, b in pairs)


def _values(outcomes: list[Outcome]) -> bool:
    return all("value" in o for o in outcomes)


def ignored(script: Script, matters: list[Place], run: Run) -> list[Place]:
    """The places among `matters` that do not matter at all to `run`: its result stays the same to the last bit.

    All changed scripts are run as one, so that it costs a single question and a single time limit.
    """
    tried = [script, *(with_change(script, place) for place in matters)]
    outcomes = run([step for one in tried for step in one])
    if len(outcomes) < len(tried) * len(script) or not _values(outcomes):
        return []
    usual, *others = (outcomes[i : i + len(script)] for i in range(0, len(outcomes), len(script)))
    return [place for place, now in zip(matters, others, strict=True) if _identical(usual, now)]


def _identical(usual: list[Outcome], now: list[Outcome]) -> bool:
    exactly = Tolerance(0.0, 0.0, "")
    return all(difference(a["value"], b["value"], exactly) is None for a, b in zip(usual, now, strict=True))


def sentence(script: Script, matters: list[Place], unused: list[Place], names: list[str]) -> str:
    """What to tell the student; "" if nothing is unused."""
    if not unused:
        return ""
    if len(unused) == len(matters) and len(matters) > 1:
        return "Your result depends on none of the arguments."
    said = list(dict.fromkeys(_name(script, _group(place, matters, unused), names) for place in unused))
    listed = ", ".join(f"`{name}`" for name in said[:MAX_NAMED]) + (" and others" if len(said) > MAX_NAMED else "")
    it = "is it" if len(said) == 1 else "are they"
    return f"Your result does not depend on {listed}: {it} used, and in the right place?"


def _group(place: Place, matters: list[Place], unused: list[Place]) -> Place:
    """The largest part of an argument around this place of which nothing is used."""
    for length in range(2, len(place)):
        around = [m for m in matters if m[:length] == place[:length]]
        if len(around) > 1 and all(m in unused for m in around):
            return place[:length]
    return place


def _name(script: Script, place: Place, names: list[str]) -> str:
    """`p['norm_1']`, or `argument 0` where the parameters' names are not known."""
    step, argument, *inside = place
    if script[step]["op"] == "load":
        return str(inside[0]) if inside else "the parameters"
    if isinstance(argument, str):
        stem = argument
    else:
        known = script[step]["op"] in ("call", "items", "grads") and argument < len(names)  # the function's own
        stem = names[argument] if known else f"argument {argument} of {script[step].get('name') or script[step]['op']}"
    return stem + "".join(f"[{key!r}]" for key in inside)


def arguments(script: Script, names: list[str]) -> dict[str, np.ndarray]:
    """Name -> array, for every array among the arguments of a script."""
    found = {}
    for place in places(script):
        value: Any = script[place[0]]["args" if isinstance(place[1], int) else "kwargs"]
        for key in place[1:]:
            value = value[key]
        array = getattr(value, "array", value)
        if isinstance(array, np.ndarray):
            found[_name(script, place, names)] = array
    return found


def plain_numbers(script: Script, names: list[str]) -> dict[str, np.ndarray]:
    """Name -> array without axes, for every argument that is a number: sizes and counts, say."""
    found = {}
    for i, step in enumerate(script):
        for name, value in [*enumerate(step["args"]), *step["kwargs"].items()]:
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[_name(script, [i, name], names)] = np.asarray(value)
    return found
