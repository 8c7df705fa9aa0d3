"""A course in a folder of its own whose submissions are graded by the real nbgrader; tests of grading share it."""

from __future__ import annotations

import html
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import is_grade
from sqlalchemy.exc import SAWarning

from autograder import build
from autograder.configuration import course_config
from autograder.demo import Answers, answer_cell, fill
from autograder.exercise import definitions

ROOT = Path(__file__).resolve().parents[2]
Change = Callable[[NotebookNode], NotebookNode | None]


def text_of(markup: str) -> str:
    """What a reader sees of a piece of HTML: no tags, entities resolved, single spaces."""
    bare = re.sub(r"<style.*?</style>|<script.*?</script>|</?(div|section|p|li|pre)\b[^>]*>", " ", markup, flags=re.S)
    bare = re.sub(r"<[^>]+>", "", bare)  # coloured code is a <span> for each word: nothing stands between them
    return " ".join(html.unescape(bare).split())


@dataclass(frozen=True)
class Graded:
    """What came of one submission."""

    course: Classroom
    student: str
    lesson: str
    success: bool
    log: str

    @property
    def path(self) -> Path:
        """The autograded notebook."""
        return self.course.folder / "autograded" / self.student / self.lesson / f"{self.lesson}.ipynb"

    @cached_property
    def notebook(self) -> NotebookNode:
        """The autograded notebook, read."""
        return nbformat.read(self.path, as_version=4)

    @property
    def seed(self) -> int:
        """The seed of its hidden cases, as recorded in the notebook."""
        return self.notebook.metadata.course.seed

    @cached_property
    def scores(self) -> dict[str, float | None]:
        """Exercise id -> points in the gradebook; None where nbgrader waits for a manual grade."""
        with Gradebook(self.course.db_url) as gradebook:
            grades = gradebook.find_submission_notebook(self.lesson, self.lesson, self.student).grades
            return {g.name.replace("-", ".", 1): None if g.needs_manual_grade else g.auto_score for g in grades}

    @property
    def total(self) -> float:
        """Points of the whole submission, penalties taken off."""
        with Gradebook(self.course.db_url) as gradebook:
            submission = gradebook.find_submission(self.lesson, self.student)
            return submission.score - submission.late_submission_penalty

    @cached_property
    def said(self) -> dict[str, str]:
        """Exercise id -> the explanation in its graded cell."""
        cells = {c.metadata.nbgrader.grade_id: c.outputs for c in self.notebook.cells if is_grade(c)}
        return {name.replace("-", ".", 1): text_of(out[0].data["text/html"]) for name, out in cells.items()}

    @cached_property
    def feedback(self) -> str:
        """The feedback page: generated, then read."""
        result = self.course.api.generate_feedback(self.lesson, self.student)
        assert result["success"], result
        path = self.course.folder / "feedback" / self.student / self.lesson / f"{self.lesson}.html"
        return path.read_text(encoding="utf-8")


class Classroom:
    """A course folder with released lessons; submissions are put straight into submitted/, as `collect` does."""

    def __init__(
        self,
        folder: Path,
        lessons: list[str],
        check_seconds: float = 10.0,
        cell_seconds: int = 30,
        limits: dict[str, float] | None = None,
    ):
        self.folder = folder
        self.config = course_config(folder)
        self.config.Exchange.cache = str(folder / "cache")
        self.config.GradeSubmission.check_seconds = check_seconds
        self.config.Execute.timeout = cell_seconds
        self.config.GradeSubmission.limits = limits or {}
        self.config.NbGraderAPI.log_level = logging.WARNING
        self.db_url = self.config.CourseDirectory.db_url
        (folder / "exchange").mkdir(parents=True)
        self.api = NbGraderAPI(config=self.config)
        self.known: dict[tuple[str, str], Graded] = {}
        for lesson in lessons:
            self._generate(lesson)

    def _generate(self, lesson: str) -> None:
        path = self.folder / "build" / "source" / lesson / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(build.source_text(ROOT, lesson), encoding="utf-8")
        result = self.api.generate_assignment(lesson)
        assert result["success"], result

    def released(self, lesson: str) -> NotebookNode:
        """The notebook that students of this course get."""
        return nbformat.read(self.folder / "build" / "release" / lesson / f"{lesson}.ipynb", as_version=4)

    def submitted(self, student: str, lesson: str) -> Path:
        """Where a student's submission lies."""
        return self.folder / "submitted" / student / lesson / f"{lesson}.ipynb"

    def submit(self, student: str, lesson: str, notebook: NotebookNode | bytes) -> None:
        """Put a notebook, or the bytes of one, into submitted/."""
        data = notebook if isinstance(notebook, bytes) else nbformat.writes(notebook).encode()
        path = self.submitted(student, lesson)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def grade(self, student: str, lesson: str) -> Graded:
        """Autograde one submission, whether or not it was graded before."""
        self.api.log.setLevel(logging.WARNING)  # all of nbgrader shares a logger, and another course may be quieter
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # as course_config has it; pytest sets the filters back
            result = self.api.autograde(lesson, student)
        log = f"{result.get('error') or ''}{result.get('log') or ''}"
        return Graded(self, student, lesson, result["success"], log)

    def graded(self, student: str, lesson: str, answers: Answers, slim: bool = False) -> Graded:
        """The graded submission of these answers; a second call with the same student is answered from memory."""
        if (student, lesson) not in self.known:
            notebook = self.released(lesson)
            self.submit(student, lesson, fill(slimmed(notebook) if slim else notebook, answers))
            self.known[student, lesson] = self.grade(student, lesson)
        found = self.known[student, lesson]
        assert found.success, found.log
        return found

    def changed(self, student: str, lesson: str, change: Change) -> Graded:
        """Grade the solved lesson, without its prose and plots, after `change` was made to the notebook."""
        notebook = fill(slimmed(self.released(lesson)), solved(lesson))
        self.submit(student, lesson, change(notebook) or notebook)
        return self.grade(student, lesson)


def solved(lesson: str) -> Answers:
    """The right answers, from the solved notebook."""
    notebook = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    texts = {c.id: c.source for c in notebook.cells}
    return {i: texts[answer_cell(i)] for i in definitions(lesson)}


def slimmed(notebook: NotebookNode) -> NotebookNode:
    """Only the answer cells and the graded cells, after one cell of imports: graded in half the time."""
    kept = [c for c in notebook.cells if c.metadata.get("nbgrader")]
    return nbformat.from_dict({**notebook, "cells": [nbformat.v4.new_code_cell(imports(notebook), id="setup"), *kept]})


def imports(notebook: NotebookNode) -> str:
    """What a lesson's first code cell imports, without the widgets, which only its demonstrations need."""
    first = next(c for c in notebook.cells if c.cell_type == "code")
    lines = [
        line
        for line in first.source.splitlines()
        if not re.match(r"begin\(|from course\.widgets import [\w, ]+$", line)
    ]
    return "\n".join(lines)


def solved_imports(lesson: str) -> str:
    """The imports of a lesson, from the solved notebook."""
    return imports(nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4))


def full_points(lesson: str) -> dict[str, float]:
    """Exercise id -> its points."""
    return {d.id: d.points for d in definitions(lesson).values()}


def cell(notebook: NotebookNode, cell_id: str) -> NotebookNode:
    """A cell by its id."""
    return next(c for c in notebook.cells if c.id == cell_id)
