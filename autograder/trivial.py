"""Trivial solutions: what takes no understanding must earn nothing, in any exercise. For the tests and the audit."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.exercise import Definition, Question
from course.checks.judge import judge
from course.checks.runner import Outcome, run_script
from course.checks.sheet import Sheet
from course.checks.wire import TorchArray

Fill = Callable[[tuple[int, ...]], Any]


def earned(sheet: Sheet) -> dict[str, float]:
    """Trivial solution -> the points that it earns on the cases of a sheet; all of them should be 0."""
    with np.errstate(all="ignore"):
        objects = {name: _points_for(sheet, target) for name, target in OBJECTS.items()}
        shapes = {
            f"{name}, {'ValueError' if raises else 'None'} for bad input": _points_for_shape(sheet, fill, raises)
            for name, fill in FILLS.items()
            for raises in (True, False)
        }
    return objects | shapes


def library_calls(definition: Definition | Question, solved: str) -> dict[str, str]:
    """Forbidden name -> the right answer's text, but for one mention of that name: it must be refused."""
    if isinstance(definition, Question) or inspect.isclass(definition.reference):
        return {}
    return {name: _mentioning(name, solved, definition.name) for name in definition.forbids}


def _mentioning(forbidden: str, solved: str, name: str) -> str:
    return (
        f"import {forbidden.partition('.')[0]}\n\n{solved}\n\n_own = {name}\n\n"
        f"def {name}(*args, **kwargs):\n    {forbidden}\n    return _own(*args, **kwargs)\n"
    )


def _fail(error: type[Exception]) -> Callable[..., Any]:
    """A function that only raises."""

    def solution(*args: Any, **kwargs: Any) -> Any:
        raise error("no")

    return solution


class Anything:
    """Takes whatever comes and does nothing: the trivial class."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.given = [*args, None]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args else None

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


OBJECTS: dict[str, Any] = {
    "first argument": lambda *args, **kwargs: args[0],
    "last argument": lambda *args, **kwargs: args[-1],
    "all arguments": lambda *args, **kwargs: args,
    "the same twice": lambda *args, **kwargs: (args[0], args[0]),
    "None": lambda *args, **kwargs: None,
    "0": lambda *args, **kwargs: 0,
    "1": lambda *args, **kwargs: 1,
    "0.0": lambda *args, **kwargs: 0.0,
    "True": lambda *args, **kwargs: True,
    "text": lambda *args, **kwargs: "",
    "tuple": lambda *args, **kwargs: (),
    "list": lambda *args, **kwargs: [],
    "dict": lambda *args, **kwargs: {},
    "0-d array": lambda *args, **kwargs: np.zeros(()),
    "empty array": lambda *args, **kwargs: np.zeros(0),
    "ValueError": _fail(ValueError),
    "Exception": _fail(Exception),
    "NotImplementedError": _fail(NotImplementedError),
    "anything": Anything,
    "no function": None,
    "a letter too many": "e",
    "every letter": ["a", "b", "c", "d"],
}


def _points_for(sheet: Sheet, target: Any) -> float:
    return judge(sheet, lambda script: run_script(script, {sheet.name: target})).earned


def _identity(shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(np.eye(*shape[-2:]), shape) if len(shape) > 1 else 1.0


# Results of the right type, shape and dtype with the wrong numbers in them.
FILLS: dict[str, Fill] = {
    "zeros": lambda shape: 0.0,
    "ones": lambda shape: 1.0,
    "shared out equally": lambda shape: 1 / max(1, shape[-1]) if shape else 1.0,
    "identity matrix": _identity,
    "NaN": lambda shape: math.nan,
    "-inf": lambda shape: -math.inf,
}


def _points_for_shape(sheet: Sheet, fill: Fill, raises: bool) -> float:
    """What results of the right shape earn; for a question, an empty answer."""
    given = {id(c.script): _outcomes(c.expected, fill, raises) for c in sheet.cases}
    return judge(sheet, lambda script: given.get(id(script), [{"value": "", "changed": []}])).earned


def _outcomes(expected: list[Outcome], fill: Fill, raises: bool) -> list[Outcome]:
    """What such a solution would give; on bad input it raises ValueError, or returns None."""
    error = {"raised": "ValueError", "bases": ["ValueError", "Exception"], "message": "", "where": ""}
    wrong = error if raises else {"value": None, "changed": []}
    return [{"value": _filled(o["value"], fill), "changed": []} if "value" in o else wrong for o in expected]


def _filled(expected: Any, fill: Fill) -> Any:
    if isinstance(expected, TorchArray):
        return TorchArray(_filled(expected.array, fill), expected.dtype)
    if isinstance(expected, np.ndarray | np.generic | float):
        array = np.asarray(expected)
        numbers = np.broadcast_to(fill(array.shape), array.shape)
        return np.where(np.isfinite(numbers) | (array.dtype.kind == "f"), numbers, 1).astype(array.dtype)
    if isinstance(expected, list | tuple):
        return [_filled(v, fill) for v in expected]
    if isinstance(expected, dict):
        return {k: _filled(v, fill) for k, v in expected.items()}
    return type(expected)(0) if isinstance(expected, int) else "" if isinstance(expected, str) else None
