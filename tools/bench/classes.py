"""The class of the benchmark, and the course in which stock nbgrader grades it.

A graded cell of the stock course holds what an nbgrader course usually has there: hidden tests that run in the
student's kernel, on the student's objects, and end with the points. They judge by the course's golden cases, which are
made already; nothing is drawn and no reference is run, so they cost stock nbgrader as little as tests can.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import is_grade
from traitlets.config import Config

from autograder import build, demo, lesson_source
from autograder.demo import Answers, fill
from autograder.submission import directive_of
from tests.grading.classroom import ROOT, Classroom, solved
from tests.lessons import alternatives
from tests.lessons.tools import computing

PARTLY_RIGHT = 5  # every so manieth student has one misconception and one wrong answer
HIDDEN_TESTS = """### BEGIN HIDDEN TESTS
from course.checks.judge import judge
from course.checks.runner import run_script
from course.checks.sheet import load_sheet
judge(load_sheet("{}"), lambda script: run_script(script, globals()), In).earned
### END HIDDEN TESTS"""


@dataclass(frozen=True)
class Student:
    """A student's answers to one lesson. `honest`: all of them are right."""

    name: str
    lesson: str
    answers: Answers
    honest: bool


def students(lesson: str, count: int) -> Iterator[Student]:
    """A class: the lesson's own solutions, other right ones, and some that are partly right."""
    right = solved(lesson)
    for i in range(count):
        if i % PARTLY_RIGHT == PARTLY_RIGHT - 1:
            yield Student(f"s{i:02}", lesson, demo.partly_right(lesson, right), False)
        else:
            yield Student(f"s{i:02}", lesson, right | (_others(lesson, i - 1) if i else {}), True)


def _others(lesson: str, number: int) -> Answers:
    """Another right answer to each exercise that is no question."""
    listed = {d.id: list(alternatives.texts(lesson, d).values()) for d in computing(lesson)}
    return {exercise_id: texts[number % len(texts)] for exercise_id, texts in listed.items()}


class StockCourse(Classroom):
    """A course that knows nothing of ours but the lessons: nbgrader's own steps, all as they are by default."""

    def __init__(self, folder: Path, lessons: list[str]):
        self.folder = folder
        self.db_url = f"sqlite:///{folder / 'gradebook.db'}"
        self.config = self._config()
        self.api = NbGraderAPI(config=self.config)
        self.known = {}
        for lesson in lessons:
            self._generate(lesson)

    def _config(self) -> Config:
        c = Config()
        c.CourseDirectory.course_id = "stock"
        c.CourseDirectory.root = str(self.folder)
        c.CourseDirectory.source_directory = "build/source"
        c.CourseDirectory.release_directory = "build/release"
        c.CourseDirectory.db_url = self.db_url
        c.Exchange.root = str(self.folder / "exchange")
        c.NbGraderAPI.log_level = logging.WARNING
        c.Execute.extra_arguments = ["--log-level=ERROR"]  # the kernel's remarks on its connection
        return c

    def _generate(self, lesson: str) -> None:
        notebook = nbformat.reads(build.source_text(ROOT, lesson), as_version=4)
        for cell in notebook.cells:
            if is_grade(cell):
                cell.source = HIDDEN_TESTS.format(directive_of(cell))
        path = self.folder / "build" / "source" / lesson / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
        result = self.api.generate_assignment(lesson)
        assert result["success"], result


def notebook_of(course: Classroom, student: Student, demonstrations: bool = True) -> NotebookNode:
    """What a student hands in to a course, with the lesson's demonstrations or without."""
    notebook = fill(course.released(student.lesson), student.answers)
    if not demonstrations:
        left_out = lesson_source.demonstrations(ROOT, student.lesson)
        notebook.cells = [c for c in notebook.cells if c.source.strip() not in left_out]
    return notebook
