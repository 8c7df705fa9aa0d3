"""Every misconception is rejected in its graded cell, with its own hint on the feedback page."""

from __future__ import annotations

import pytest

from autograder.demo import misconception_text
from autograder.exercise import find, lessons
from tests.grading.classroom import Classroom, Graded, solved, text_of
from tests.lessons.tools import computing, hidden_verdict, namespace_of

ALL = [(lesson, d.id, name) for lesson in lessons() for d in computing(lesson) for name in d.misconceptions]
HIDDEN_SEEDS = range(2)  # the audit takes three
ROUNDS = 3  # submissions a lesson that go through nbgrader: the way there is the same for every misconception
THROUGH_NBGRADER = [(lesson, i, name) for lesson, i, name in ALL if list(find(i).misconceptions).index(name) < ROUNDS]


def round_of(classroom: Classroom, lesson: str, number: int) -> Graded:
    """The submission with misconception number so and so in every exercise; one that has no so many is solved."""
    answers = solved(lesson)
    for d in computing(lesson):
        names = list(d.misconceptions)
        if number < len(names):
            answers[d.id] = misconception_text(d, names[number])
    return classroom.graded(f"misconceived-{number}", lesson, answers, slim=True)


def test_every_exercise_lists_at_least_four(lesson: str) -> None:
    """The lesson standard asks for it."""
    assert [d.id for d in computing(lesson) if len(d.misconceptions) < 4] == []


def test_hints_differ_and_are_sentences(lesson: str) -> None:
    """Two misconceptions with one hint would hide which of them was recognised."""
    for d in computing(lesson):
        hints = list(d.hints.values())
        assert len(set(hints)) == len(hints)
        assert all(h.endswith(".") and len(h) > 20 for h in hints), d.id


@pytest.mark.parametrize(("lesson", "exercise_id", "name"), ALL, ids=[f"{i}-{name}" for _, i, name in ALL])
def test_rejected_whatever_the_seed(lesson: str, exercise_id: str, name: str) -> None:
    """Never full points, and always its own hint."""
    definition = find(exercise_id)
    names = {**namespace_of(lesson, ""), definition.name: definition.misconceptions[name]}
    for seed in HIDDEN_SEEDS:
        verdict = hidden_verdict(definition, seed, names, "")
        assert not verdict.passed
        assert verdict.earned < definition.points
        assert verdict.hint == definition.hints[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lesson", "exercise_id", "name"), THROUGH_NBGRADER, ids=[f"{i}-{name}" for _, i, name in THROUGH_NBGRADER]
)
def test_rejected_by_nbgrader_with_its_hint(lesson: str, exercise_id: str, name: str, classroom: Classroom) -> None:
    """Points in the gradebook as judged, the hint in the cell and on the feedback page."""
    definition = find(exercise_id)
    graded = round_of(classroom, lesson, list(definition.misconceptions).index(name))
    judged = hidden_verdict(definition, graded.seed, {definition.name: definition.misconceptions[name]}, "")
    hint = definition.hints[name].replace("`", "")
    assert graded.scores[exercise_id] == judged.earned < definition.points
    assert f"Hint: {hint}" in graded.said[exercise_id]
    assert hint in text_of(graded.feedback)


@pytest.mark.slow
def test_other_answers_of_the_same_submission_keep_their_points(lesson: str, classroom: Classroom) -> None:
    """Check questions are solved in every round, and are not touched by what is wrong elsewhere."""
    graded = round_of(classroom, lesson, 0)
    wrong = {d.id for d in computing(lesson)}
    assert all(graded.scores[i] == find(i).points for i in graded.scores if i not in wrong)
