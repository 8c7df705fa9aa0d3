"""TRUSTED side: grade one submission. No database, no files, and nothing that a student did raises an error here."""

from __future__ import annotations

import functools
import html
import re
import time
from dataclasses import dataclass, field
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder import lesson_source
from autograder.engine import ROOT, Engine
from autograder.exercise import find
from autograder.grading import grade
from autograder.harmless import tame_math
from autograder.limits import Limits
from autograder.notebooks import DIRECTIVE
from autograder.outputs import new_output, printable
from autograder.steps.restore import KnownCell, read_notebook, restored_notebook
from autograder.student import SandboxedStudent
from course.checks.judge import StudentCodeDied, Verdict
from course.checks.report import Report, code
from course.checks.sheet import load_lesson

NOT_RUN = "(a demonstration of the lesson's: not run while grading)"


@dataclass(frozen=True)
class Submission:
    """What a student handed in: the notebook's bytes, the other files of its folder, and what was not read there."""

    student: str
    lesson: str
    content: bytes
    files: dict[str, bytes]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Graded:
    """The autograded notebook, and what is in it: exercise id -> (earned, points), and why points were lost."""

    notebook: NotebookNode
    marks: dict[str, tuple[float, float]]
    reasons: dict[str, str]
    notes: list[str]
    seconds: float


def grade_submission(
    submission: Submission, known: dict[str, KnownCell], seed: int, engine: Engine, limits: Limits
) -> Graded:
    """Grade one submission. `known` is what the gradebook knows of the lesson's cells. Raises EngineError."""
    started = time.perf_counter()
    notebook = restored_notebook(read_notebook(submission.content), known)
    notes = notebook.metadata["restored"] = [*notebook.metadata.restored, *submission.notes]
    grade_notebook(notebook, submission.lesson, seed, engine, limits, submission.files)
    marks, reasons = {}, {}
    for cell in notebook.cells:
        if exercise_id := directive_of(cell):
            earned, points = float(cell.outputs[0].data["text/plain"]), float(cell.metadata.nbgrader.points)
            marks[exercise_id] = (earned, points)
            if earned < points:
                reasons[exercise_id] = explanation(cell)
    return Graded(notebook, marks, reasons, notes, time.perf_counter() - started)


def explanation(cell: NotebookNode) -> str:
    """What a graded cell says, as plain text."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", cell.outputs[0].data["text/html"]))
    return " ".join(text.split())


def code_of(notebook: NotebookNode) -> list[str]:
    """The texts of the student's code cells."""
    return [c.source for c in notebook.cells if c.cell_type == "code" and not utils.is_grade(c)]


def grade_notebook(
    notebook: NotebookNode, lesson: str, seed: int, engine: Engine, limits: Limits, files: dict[str, bytes]
) -> None:
    """Run a restored notebook's cells in a process of its own, and write the verdicts into its graded cells."""
    notes = _edition_notes(notebook) + [f"Note: {note}." for note in notebook.metadata.pop("restored", [])]
    demonstrations = _demonstrations(lesson)
    cells = [source for source in code_of(notebook) if source.strip() not in demonstrations]
    with engine.student(limits, files) as student:
        _Walk(student, seed, cells, notes, demonstrations).through(notebook)
    notebook.metadata["course"] = {**notebook.metadata.get("course", {}), "seed": seed}


@functools.lru_cache
def _demonstrations(lesson: str) -> frozenset[str]:
    return lesson_source.demonstrations(ROOT, lesson)


class _Walk:
    """One notebook from top to bottom."""

    def __init__(
        self, student: SandboxedStudent, seed: int, cells: list[str], notes: list[str], demonstrations: frozenset[str]
    ):
        self.student, self.seed, self.cells, self.notes = student, seed, cells, notes
        self.demonstrations = demonstrations
        self.not_passed: set[str] = set()

    def through(self, notebook: NotebookNode) -> None:
        for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
            exercise_id = directive_of(cell)
            if exercise_id:
                cell.outputs = [self._judged(exercise_id)]
            elif utils.is_grade(cell):  # what no directive stands in can be given no points by what it prints
                cell.outputs = [
                    new_output("error", ename="NoVerdict", evalue="No exercise is named here.", traceback=[])
                ]
            elif cell.source.strip() in self.demonstrations:
                cell.outputs = [new_output("stream", name="stdout", text=NOT_RUN)]
            elif cell.source.strip():
                cell.execution_count = count
                cell.outputs = self._run(cell.source)

    def _run(self, source: str) -> list[NotebookNode]:
        try:
            return self.student.run_cell(source)
        except StudentCodeDied as death:
            return [_error("StudentCodeDied", str(death))]

    def _judged(self, exercise_id: str) -> NotebookNode:
        definition = find(exercise_id)
        verdict = grade(definition, self.student, self.seed, self.cells, self.not_passed)
        if not verdict.passed:
            self.not_passed.add(exercise_id)
        notes, self.notes = self.notes, []  # what concerns the whole notebook is said once, at its first graded cell
        return verdict_output(verdict, notes)


def _error(name: str, message: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=message, traceback=[message])


def directive_of(cell: NotebookNode) -> str | None:
    """The exercise that a graded cell names; None for any other cell."""
    if cell.cell_type != "code" or not utils.is_grade(cell):
        return None
    found = DIRECTIVE.search(cell.source)
    return found.group(1) if found else None


def verdict_output(verdict: Verdict, notes: list[str]) -> NotebookNode:
    """The graded cell's only output: the points for nbgrader, the explanation for people."""
    report = Report(verdict, reveal=False)
    page = report._repr_html_() + "".join(f'<div style="opacity:.75">{code(n)}</div>' for n in notes)
    # It may quote what the student's process said, which may hold what no file or page can.
    data = {"text/plain": f"{verdict.earned:g}", "text/html": tame_math(printable(page.replace("\x1b", "")))}
    return new_output("execute_result", data=data)


def _edition_notes(notebook: NotebookNode) -> list[str]:
    course: dict[str, Any] = notebook.metadata.get("course", {})
    if "lesson" not in course or "edition" not in course:
        return []
    try:
        now = load_lesson(course["lesson"]).edition
    except LookupError:
        return []
    if course["edition"] == now:
        return []
    return [f"Note: this notebook was handed out as edition {course['edition']} and graded by edition {now}."]
