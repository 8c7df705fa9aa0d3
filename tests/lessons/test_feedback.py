"""The feedback page explains, and gives nothing away: no reference, no hidden test, no expected value."""

from __future__ import annotations

import re

import numpy as np
import pytest

from autograder.demo import misconception_text
from autograder.exercise import definitions
from course.checks.report import Report
from tests.grading.classroom import Classroom, Graded, solved, text_of
from tests.lessons.tools import (
    answer_lines,
    computing,
    expected_numbers,
    hidden_verdict,
    reference_lines,
    solution_lines,
)

SEEDS = range(3)
DIRECTIVE = re.compile(r'graded\("[\w.]+"\)')


def misconceived(classroom: Classroom, lesson: str) -> Graded:
    """A submission in which everything is wrong."""
    answers = {d.id: misconception_text(d) for d in computing(lesson)}
    return classroom.graded("all-wrong", lesson, answers, slim=True)


def crashing(classroom: Classroom, lesson: str) -> Graded:
    """A submission whose functions all raise."""
    answers = {d.id: f"def {d.name}(*args, **kwargs):\n    return [][len(args)]" for d in computing(lesson)}
    return classroom.graded("all-raise", lesson, answers, slim=True)


def test_hidden_verdicts_tell_no_expected_number(lesson: str) -> None:
    """For every misconception, and for results of the right shape with wrong numbers."""
    for d in computing(lesson):
        for seed in SEEDS:
            secrets = expected_numbers(d, seed)
            for wrong in [*d.misconceptions.values(), lambda *args: np.zeros((2, 2)), lambda *args: 0.0]:
                report = Report(hidden_verdict(d, seed, {d.name: wrong}, ""), reveal=False)
                said = set(re.findall(r"\d+\.\d+(?:e[-+]?\d+)?|\d{4,}", f"{report!r} {report._repr_html_()}"))
                assert not said & secrets


def test_the_comparison_of_numbers_would_notice(lesson: str) -> None:
    """The same search finds numbers in the visible check's words, which may tell them."""
    found = 0
    for d in computing(lesson):
        for wrong in d.misconceptions.values():
            shown = repr(Report(hidden_verdict(d, 0, {d.name: wrong}, ""), reveal=True))
            found += bool(set(re.findall(r"\d+\.\d+(?:e[-+]?\d+)?|\d{4,}", shown)) & expected_numbers(d, 0))
    assert found >= 3


@pytest.mark.slow
@pytest.mark.parametrize("submission", [misconceived, crashing])
def test_page_explains_and_keeps_its_secrets(submission, lesson: str, classroom: Classroom) -> None:
    """Our words for every exercise; no traceback, no reference, no solution, no expected number."""
    graded = submission(classroom, lesson)
    page = text_of(graded.feedback)
    assert [i for i, text in graded.said.items() if text not in page] == []
    assert "Traceback" not in page
    assert not re.search(r"/(autograder|course|nbgrader)/\w+", page)
    own = " ".join(
        " ".join(c.source for c in graded.notebook.cells).split()
    )  # a mistake shares lines with what is right
    lines = reference_lines(lesson) | solution_lines(lesson) | answer_lines(lesson)
    assert [line for line in lines if line in page and line not in own] == []
    for d in computing(lesson):
        assert not set(re.findall(r"\d+\.\d+", graded.said[d.id])) & expected_numbers(d, graded.seed)


@pytest.mark.slow
def test_graded_cells_show_only_the_directive(lesson: str, classroom: Classroom) -> None:
    """One line for each exercise, and none of it anywhere else on the page."""
    page = text_of(misconceived(classroom, lesson).feedback)
    assert sorted(DIRECTIVE.findall(page)) == sorted(f'graded("{i}")' for i in definitions(lesson))
    assert page.count("graded(") == len(definitions(lesson))


@pytest.mark.slow
def test_an_error_in_the_students_code_is_named_with_its_line(lesson: str, classroom: Classroom) -> None:
    """The student's own line, not our frames."""
    for d in computing(lesson):
        said = crashing(classroom, lesson).said[d.id]
        assert "Your code raised IndexError" in said
        assert "return [][len(args)]" in said


@pytest.mark.slow
def test_right_answers_are_told_so(lesson: str, classroom: Classroom) -> None:
    """A page without a single complaint."""
    graded = classroom.graded("solved", lesson, solved(lesson))
    assert text_of(graded.feedback).count(": passed") == len(definitions(lesson))
    assert "not right yet" not in " ".join(graded.said.values())
