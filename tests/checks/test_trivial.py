"""Nothing comes of nothing: what takes no understanding earns no points, on any exercise of any lesson."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograder import exercise
from autograder.grading import generator
from course.checks.judge import judge
from course.checks.runner import Outcome, run_script
from course.checks.sheet import Sheet
from course.checks.wire import TorchArray

SEEDS = (1, 22, 333)
DEFINITIONS = {i: d for name in exercise.lessons() for i, d in exercise.definitions(name).items()}


@functools.cache
def sheets_of(exercise_id: str) -> list[Sheet]:
    """The visible cases, and fresh hidden ones for each seed."""
    definition = DEFINITIONS[exercise_id]
    return [definition.visible_sheet(), *(definition.sheet(generator(seed, exercise_id)) for seed in SEEDS)]


def fail(error: type[Exception]) -> Callable[..., Any]:
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


OBJECTS = {
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
    "ValueError": fail(ValueError),
    "Exception": fail(Exception),
    "NotImplementedError": fail(NotImplementedError),
    "anything": Anything,
    "no function": None,
    "a letter too many": "e",
    "every letter": ["a", "b", "c", "d"],
}


@pytest.mark.parametrize("exercise_id", DEFINITIONS)
@pytest.mark.filterwarnings("ignore")
def test_a_trivial_solution_earns_nothing(exercise_id):
    for sheet in sheets_of(exercise_id):
        earned = {name: points_for(sheet, target) for name, target in OBJECTS.items()}
        assert earned == dict.fromkeys(OBJECTS, 0)


def points_for(sheet: Sheet, target: Any) -> float:
    """What an object earns."""
    return judge(sheet, lambda script: run_script(script, {sheet.name: target})).earned


def uniform(shape: tuple[int, ...]) -> float:
    """The same share for every entry of a row."""
    return 1 / max(1, shape[-1]) if shape else 1.0


FILLS: dict[str, Callable[[tuple[int, ...]], float]] = {
    "zeros": lambda shape: 0.0,
    "ones": lambda shape: 1.0,
    "uniform": uniform,
    "NaN": lambda shape: math.nan,
    "-inf": lambda shape: -math.inf,
}


def filled(expected: Any, fill: Callable[[tuple[int, ...]], float]) -> Any:
    """A value of the right type, shape and dtype with the wrong numbers in it."""
    if isinstance(expected, TorchArray):
        return TorchArray(filled(expected.array, fill), expected.dtype)
    if isinstance(expected, np.ndarray | np.generic | float):
        array = np.asarray(expected)
        number = fill(array.shape)
        number = number if array.dtype.kind == "f" or math.isfinite(number) else 1
        return np.full(array.shape, number).astype(array.dtype)
    if isinstance(expected, list | tuple):
        return [filled(v, fill) for v in expected]
    if isinstance(expected, dict):
        return {k: filled(v, fill) for k, v in expected.items()}
    return type(expected)(0) if isinstance(expected, int) else "" if isinstance(expected, str) else None


def outcomes(expected: list[Outcome], fill: Callable[[tuple[int, ...]], float], raises: bool) -> list[Outcome]:
    """What such a solution would give; on bad input it raises ValueError, or returns None."""
    error = {"raised": "ValueError", "bases": ["ValueError", "Exception"], "message": "", "where": ""}
    wrong = error if raises else {"value": None, "changed": []}
    return [{"value": filled(o["value"], fill), "changed": []} if "value" in o else wrong for o in expected]


@pytest.mark.parametrize("raises", [True, False], ids=["raising", "returning"])
@pytest.mark.parametrize("exercise_id", DEFINITIONS)
def test_the_right_shape_alone_earns_nothing(exercise_id, raises):
    for sheet in sheets_of(exercise_id):
        earned = {name: points_for_shape(sheet, fill, raises) for name, fill in FILLS.items()}
        assert earned == dict.fromkeys(FILLS, 0)


def points_for_shape(sheet: Sheet, fill: Callable[[tuple[int, ...]], float], raises: bool) -> float:
    """What results of the right shape earn; for a question, an empty answer."""
    given = {id(c.script): outcomes(c.expected, fill, raises) for c in sheet.cases}
    return judge(sheet, lambda script: given.get(id(script), [{"value": "", "changed": []}])).earned
