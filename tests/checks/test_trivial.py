"""Nothing comes of nothing: what takes no understanding earns no points, on any exercise of any lesson."""

from __future__ import annotations

import pytest

from autograder import exercise, trivial
from autograder.grading import generator
from tests.checks import ch99_toys as toys

SEED = 22  # the audit takes three, and the cases of the visible check
DEFINITIONS = {i: d for name in exercise.lessons() for i, d in exercise.definitions(name).items()}


@pytest.mark.parametrize("exercise_id", DEFINITIONS)
@pytest.mark.filterwarnings("ignore")
def test_a_trivial_solution_earns_nothing(exercise_id):
    definition = DEFINITIONS[exercise_id]
    earned = trivial.earned(definition.sheet(generator(SEED, exercise_id)))
    assert earned == dict.fromkeys(earned, 0)


def test_the_battery_would_notice():
    class returns_zeros:
        """An exercise that asks for nothing but zeros."""

        cases = toys.row_means.cases
        misconceptions = type("misconceptions", (), {})

        def reference(x):
            return [0.0] * len(x)

    lax = exercise.exercise(parts={"values": 2, "bad input": 1}, minutes=1, source="")(returns_zeros)
    earned = trivial.earned(lax.visible_sheet())
    assert {name for name, points in earned.items() if points} >= {
        "zeros, ValueError for bad input",
        "zeros, None for bad input",
    }
    assert not earned["ones, None for bad input"]


def test_a_forbidden_name_is_all_that_a_library_call_adds():
    texts = trivial.library_calls(toys.row_means, "def row_means(x): return x")
    assert list(texts) == ["torch", "numpy.mean"]
    names: dict = {}
    exec(texts["numpy.mean"], names)
    assert names["row_means"](3) == 3
    assert trivial.library_calls(toys.one_answer, "") == {}
