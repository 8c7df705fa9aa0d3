"""Correct is correct: loops, einsum, float32, a view, a list for a tuple, another algorithm."""

from __future__ import annotations

import pytest

from autograder.exercise import find, lessons
from course import checking
from course.checks.sheet import load_sheet
from tests.grading.classroom import Classroom, full_points, solved, solved_imports
from tests.lessons import alternatives
from tests.lessons.tools import computing, hidden_verdict, namespace_of

ALL = [
    pytest.param(lesson, d.id, text, id=f"{d.id}-{name}")
    for lesson in lessons()
    for d in computing(lesson)
    for name, text in alternatives.texts(lesson, d).items()
]
HIDDEN_SEEDS = range(5)


def test_every_exercise_lists_at_least_three(lesson: str) -> None:
    """Otherwise nobody knows what the check would wrongly refuse."""
    assert [d.id for d in computing(lesson) if len(alternatives.texts(lesson, d)) < 3] == []


@pytest.mark.parametrize(("lesson", "exercise_id", "text"), ALL)
def test_full_points_in_the_visible_check(lesson: str, exercise_id: str, text: str) -> None:
    """As the student sees it."""
    verdict = checking.verdict(load_sheet(exercise_id), namespace_of(lesson, text))
    assert verdict.passed, verdict


@pytest.mark.parametrize(("lesson", "exercise_id", "text"), ALL)
def test_full_points_on_hidden_cases(lesson: str, exercise_id: str, text: str) -> None:
    """Whatever the seed; as in grading, all cells are searched for what is forbidden, and may build on one another."""
    names = namespace_of(lesson, text)
    cells = "\n\n".join([solved_imports(lesson), *solved(lesson).values(), text])
    for seed in HIDDEN_SEEDS:
        verdict = hidden_verdict(find(exercise_id), seed, names, cells)
        assert verdict.earned == find(exercise_id).points, verdict


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_full_points_from_nbgrader(lesson: str, number: int, classroom: Classroom) -> None:
    """Three submissions with another alternative in every exercise each."""
    chosen = {d.id: list(alternatives.texts(lesson, d).values())[number] for d in computing(lesson)}
    graded = classroom.graded(f"alternative-{number}", lesson, solved(lesson) | chosen, slim=True)
    assert graded.scores == full_points(lesson)
