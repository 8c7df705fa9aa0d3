"""A second draw repeats shapes and changes values, so that remembered answers are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograder.exercise import Definition, definitions, lessons
from autograder.grading import generator, grade
from course.checks import runner

ALL = [d for lesson in lessons() for d in definitions(lesson).values() if isinstance(d, Definition)]


def arrays(tree: Any) -> list[np.ndarray]:
    """All arrays in plain data, in order."""
    tree = getattr(tree, "array", tree)
    if isinstance(tree, np.ndarray):
        return [tree]
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return [found for item in items for found in arrays(item)]


class Here:
    """A student's process, without the process."""

    def __init__(self, namespace: dict[str, Any]):
        self.namespace = namespace

    def ask(self, message: dict[str, Any], room_mb: int | None = None) -> dict[str, Any]:
        return runner.answer(message, self.namespace)

    def recovered(self) -> bool:
        return True


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.id)
def test_a_second_round_has_the_same_shapes_and_other_values(definition: Definition) -> None:
    for seed in range(3):
        drawn = [definition.sheet(generator(seed, definition.id, round=r)) for r in (0, 1)]
        first, second = ([arrays(c.script) for c in sheet.cases] for sheet in drawn)
        assert [[a.shape for a in case] for case in first] == [[a.shape for a in case] for case in second]
        filled = [a for case in first for a in case if a.dtype.kind == "f" and a.size > 1 and np.ptp(a) > 0]
        same = sum(np.array_equal(a, b) for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True))
        assert not filled or same < len([a for case in first for a in case])


def test_single_numbers_repeat_and_arrays_do_not() -> None:
    one, two = (generator(5, "ch02.x", round=r) for r in (0, 1))
    assert [int(one.integers(0, 10**9)) for _ in range(5)] == [int(two.integers(0, 10**9)) for _ in range(5)]
    assert one.choice(["a", "b", "c", "d"] * 9) == two.choice(["a", "b", "c", "d"] * 9)
    for draw in (
        lambda rng: rng.integers(0, 10**9, 8),
        lambda rng: rng.integers(0, 10**9, size=8),
        lambda rng: rng.integers(np.zeros(8, int), 10**9),
        lambda rng: rng.choice(10**6, 8),
        lambda rng: rng.standard_normal(8),
        lambda rng: rng.random(),
        lambda rng: rng.permutation(50),
    ):
        assert not np.array_equal(draw(one), draw(two))
    assert np.array_equal(generator(5, "ch02.x").random(9), generator(5, "ch02.x").random(9))
    assert not np.array_equal(generator(5, "ch02.x").random(9), generator(6, "ch02.x").random(9))
    assert 3 <= generator(1, "ch02.x").integers(3, 5, endpoint=True) <= 5


def remembers(function: Any) -> Any:
    """Right for each new shape, and after that its old answer."""
    known: dict[Any, Any] = {}

    def cached(*args: Any) -> Any:
        shapes = repr([(a.shape, a.dtype) for a in arrays(list(args))])
        if shapes not in known:
            known[shapes] = function(*args)
        return known[shapes]

    return cached


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.id)
def test_who_remembers_by_shape_gets_nothing(definition: Definition) -> None:
    takes_arrays = all(arrays(c.script) for c in definition.visible_sheet().cases_of(next(iter(definition.parts))))
    if not takes_arrays or not callable(definition.reference) or isinstance(definition.reference, type):
        return  # a number is remembered by its value: there is nothing to catch
    seed, honest, forgetful = 3, definition.reference, remembers(definition.reference)
    assert grade(definition, Here({definition.name: honest}), seed, [], set()).passed
    assert grade(definition, Here({definition.name: forgetful}), seed, [], set()).earned == 0
