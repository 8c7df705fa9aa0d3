"""Every exercise holds together, and its reference agrees with an outside authority."""

from __future__ import annotations

import functools
import string
from typing import Any

import numpy as np
import pytest

from autograder import exercise
from autograder.exercise import Definition, Question
from autograder.grading import generator
from course.checks import wire
from course.checks.judge import Verdict, judge
from course.checks.runner import Outcome, run_script
from course.checks.script import Script, for_reference
from course.checks.sheet import Sheet, answer_digest, dump

LESSONS = exercise.lessons()
ALL = {i: d for lesson in LESSONS for i, d in exercise.definitions(lesson).items()}
EXERCISES = {i: d for i, d in ALL.items() if isinstance(d, Definition)}
QUESTIONS = {i: d for i, d in ALL.items() if isinstance(d, Question)}
MISCONCEPTIONS = [(i, name) for i, d in EXERCISES.items() for name in d.misconceptions]
SEEDS = range(1, 11)
NAMES = {"exp", "log", "softmax"}  # a sentence may begin with one of these


@functools.cache
def hidden(exercise_id: str, seed: int) -> Sheet:
    """The hidden sheet of a submission with this seed."""
    return ALL[exercise_id].sheet(generator(seed, exercise_id))


@functools.cache
def visible(exercise_id: str) -> Sheet:
    """The sheet of the check that a student runs."""
    return ALL[exercise_id].visible_sheet()


def verdict(sheet: Sheet, target: Any) -> Verdict:
    """The verdict on an object; a reference is called, and needs nothing that is measured."""
    names = {sheet.name: target}

    def of_reference(script: Script) -> list[Outcome]:
        outcomes = run_script(for_reference(script), names)
        return [o | {"needs": dict.fromkeys(s.get("limits", {}), 0)} for s, o in zip(script, outcomes, strict=False)]

    ours = target is getattr(ALL[sheet.id], "reference", None)
    with np.errstate(all="ignore"):
        return judge(sheet, of_reference if ours else lambda script: run_script(script, names))


def inputs(sheet: Sheet) -> bytes:
    """What a sheet asks, as bytes."""
    return wire.encode([c.script for c in sheet.cases])


def is_sentence(text: str) -> bool:
    """Whether a text reads as one or more full sentences."""
    begins = text[:1].isupper() or text[:1] in "`0123456789" or text.split()[0] in NAMES
    return begins and text.rstrip("`)").endswith((".", "?", "!", "...")) and len(text.split()) >= 4


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_exercises_and_questions(lesson):
    definitions = exercise.definitions(lesson).values()
    assert sum(isinstance(d, Definition) for d in definitions) >= 2
    assert sum(isinstance(d, Question) for d in definitions) >= 1
    assert len({d.name for d in definitions}) == len(definitions)
    assert {d.id for d in definitions} == {f"{lesson.partition('_')[0]}.{d.name}" for d in definitions}


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_an_exercise_says_what_it_is(exercise_id):
    definition = EXERCISES[exercise_id]
    assert definition.summary.endswith(".")
    assert definition.source
    assert 1 <= definition.minutes <= 60
    assert definition.points == sum(definition.parts.values()) > 0
    assert min(definition.parts.values()) > 0
    assert definition.tolerance.why
    assert len(definition.misconceptions) >= 4
    assert all(used in EXERCISES for used in definition.uses)
    assert all(len(why.split()) >= 3 for why in definition.forbids.values())


@pytest.mark.parametrize(("exercise_id", "name"), MISCONCEPTIONS)
def test_hints_are_full_sentences_and_differ(exercise_id, name):
    hints = EXERCISES[exercise_id].hints
    assert is_sentence(hints[name])
    assert len(hints[name]) <= 200
    assert list(hints.values()).count(hints[name]) == 1


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_the_reference_passes_visible_and_hidden_sheets(exercise_id):
    definition = EXERCISES[exercise_id]
    for sheet in (visible(exercise_id), *(hidden(exercise_id, seed) for seed in SEEDS)):
        found = verdict(sheet, definition.reference)
        assert found.passed, found
        assert found.earned == definition.points
        assert not found.hint


@pytest.mark.parametrize(("exercise_id", "name"), MISCONCEPTIONS)
def test_every_misconception_is_rejected_with_its_own_hint(exercise_id, name):
    """In the notebook; hidden grading is tried by tests/lessons/test_misconceptions.py, and by the audit."""
    definition = EXERCISES[exercise_id]
    found = verdict(visible(exercise_id), definition.misconceptions[name])
    assert not found.passed
    assert found.hint == definition.hints[name]


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_every_seed_draws_its_own_inputs_and_the_same_ones_again(exercise_id):
    definition = EXERCISES[exercise_id]
    drawn = [inputs(hidden(exercise_id, seed)) for seed in SEEDS]
    assert len(set(drawn)) > len(SEEDS) // 3
    assert inputs(visible(exercise_id)) not in drawn[:3]
    again = definition.sheet(generator(1, exercise_id))
    assert dump("x", "x", [again]) == dump("x", "x", [hidden(exercise_id, 1)])
    assert dump("x", "x", [definition.visible_sheet()]) == dump("x", "x", [visible(exercise_id)])


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_cases_are_labelled(exercise_id):
    labels = [c.label for c in visible(exercise_id).cases]
    assert all(labels)
    assert len(labels) >= 2


@pytest.mark.parametrize("exercise_id", QUESTIONS)
def test_every_option_has_an_explanation(exercise_id):
    question = QUESTIONS[exercise_id]
    assert is_sentence(question.summary)
    assert [o.key for o in question.options] == list(string.ascii_lowercase[: len(question.options)])
    assert len(question.options) >= 3
    for option in question.options:
        assert option.text
        assert is_sentence(option.explanation)
        assert option.explanation.startswith("Right") == (option.key in question.answer)
    assert len({o.explanation for o in question.options}) == len(question.options)


@pytest.mark.parametrize("exercise_id", QUESTIONS)
def test_the_answer_passes_and_every_other_option_does_not(exercise_id):
    question = QUESTIONS[exercise_id]
    sheet = question.visible_sheet()
    right = question.answer if len(question.answer) > 1 else question.answer[0]
    assert verdict(sheet, right).earned == question.points
    assert sheet.answer_digest == answer_digest(exercise_id, right)
    for option in sheet.options:
        assert verdict(sheet, option.key).passed == ([option.key] == question.answer)
