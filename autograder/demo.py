"""A class of six made-up students goes the whole way: handed out, submitted, collected, graded, feedback written.

Everything happens through nbgrader's own commands, in a folder of its own.
"""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

import nbformat
import numpy as np
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.auth import Authenticator
from nbgrader.exchange import ExchangeFactory
from nbgrader.utils import is_grade
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from autograder import build, lesson_source, notebooks
from autograder.configuration import course_config
from autograder.exercise import Definition, Question, definitions
from autograder.submission import explanation

MARKER = ".made-by-grade-demo"
CHECK_SECONDS, CELL_SECONDS = 3.0, 10  # the slow student should not keep us waiting

Answers = dict[str, str]  # exercise id -> text of the answer cell; what is absent stays as handed out


@dataclass(frozen=True)
class Mark:
    """One student's result in one lesson."""

    student: str
    lesson: str
    score: float
    maximum: float
    seconds: float
    reasons: dict[str, str]  # exercise id -> what the feedback says, for what lost points


def right(lesson: str, solved: Answers) -> Answers:
    """Every answer right."""
    return solved


def partly_right(lesson: str, solved: Answers) -> Answers:
    """One function has a misconception that costs a part of its points, and one check question is wrong."""
    known = definitions(lesson)
    partial = next(one for d in known.values() for one in _costing_a_part(d))
    asked = next(d for d in known.values() if isinstance(d, Question))
    return {**solved, **partial, asked.id: f"{asked.name} = {wrong_answer(asked)!r}"}


def _costing_a_part(definition: Definition | Question) -> Iterator[Answers]:
    """An exercise's answers with a misconception that leaves it some of its points."""
    if isinstance(definition, Question) or len(definition.parts) == 1:
        return
    sheet = definition.sheet(np.random.default_rng(0))
    for name, wrong in definition.misconceptions.items():
        if definition.verdict_by(sheet, wrong).earned > 0:
            yield {definition.id: misconception_text(definition, name)}


def misconceived(lesson: str, solved: Answers) -> Answers:
    """Every function has one of its listed misconceptions, every question a wrong answer."""
    return {i: misconception_text(d) if isinstance(d, Definition) else f"{d.name} = {wrong_answer(d)!r}"
            for i, d in definitions(lesson).items()}  # fmt: skip


def blank(lesson: str, solved: Answers) -> Answers:
    """Submitted as handed out."""
    return {}


def crashing(lesson: str, solved: Answers) -> Answers:
    """The second function ends the Python process."""
    return {**solved, _second(lesson).id: f"import os\n\ndef {_second(lesson).name}(*args):\n    os._exit(3)"}


def slow(lesson: str, solved: Answers) -> Answers:
    """The second function never returns."""
    return {**solved, _second(lesson).id: f"def {_second(lesson).name}(*args):\n    while True:\n        pass"}


STUDENTS: dict[str, Callable[[str, Answers], Answers]] = {
    "ada": right, "ben": partly_right, "cleo": misconceived, "dan": blank, "eve": crashing, "finn": slow,
}  # fmt: skip


def _second(lesson: str) -> Definition:
    return [d for d in definitions(lesson).values() if isinstance(d, Definition)][1]


def wrong_answer(question: Question) -> str | list[str]:
    """An answer that is not right."""
    keys = [o.key for o in question.options if o.key not in question.answer]
    return keys if len(question.answer) > 1 else keys[0]


def misconception_text(definition: Definition, name: str | None = None) -> str:
    """A misconception (the first by default) as a student would have it in a cell."""
    wrong = definition.misconceptions[name or next(iter(definition.misconceptions))]
    function = getattr(wrong, "fn", wrong)  # of a Triton kernel
    text = textwrap.dedent(inspect.getsource(function))
    helpers = _helpers(inspect.getmodule(function))
    return helpers + re.sub(rf"^def {wrong.__name__}\(", f"def {definition.name}(", text, flags=re.MULTILINE)


def _helpers(module: ModuleType) -> str:
    """What a misconception may use of its module: what that imports, its texts (as constants) and its functions."""
    texts = [f"{name} = {v!r}\n" for name, v in vars(module).items() if name.isupper() and isinstance(v, str)]
    imports = [f"import {m.__name__} as {name}\n" for name, m in vars(module).items() if isinstance(m, ModuleType)]
    own = [f for f in vars(module).values() if isinstance(f, FunctionType) and f.__module__ == module.__name__]
    return "".join([*imports, *texts, "\n", *(inspect.getsource(f) + "\n\n" for f in own)])


def run(root: Path, folder: Path, lessons: list[str]) -> list[Mark]:
    """Build the class in `folder`, grade it, print the table of marks and where the feedback lies; return the marks."""
    course = DemoCourse(root, folder, lessons)
    course.hand_out()
    marks = course.grade()
    _print(marks, folder)
    return marks


class DemoCourse:
    """A course in a folder of its own, with an exchange beside it."""

    def __init__(self, root: Path, folder: Path, lessons: list[str]):
        self.root, self.folder, self.lessons = root, folder, lessons
        _empty(folder)
        self.config = course_config(folder)
        self.config.Exchange.cache = str(folder / "cache")
        self.config.GradeSubmission.check_seconds = CHECK_SECONDS
        self.config.Execute.timeout = CELL_SECONDS
        (folder / "exchange").mkdir(mode=0o777)
        (folder / "exchange").chmod(0o777)  # nbgrader wants it writable for everybody
        self.api = NbGraderAPI(config=self.config)

    def hand_out(self) -> None:
        """Generate and release each lesson, then let every student submit."""
        for lesson in self.lessons:
            path = self.folder / "build" / "source" / lesson / f"{lesson}.ipynb"
            path.parent.mkdir(parents=True)
            path.write_text(build.source_text(self.root, lesson), encoding="utf-8")
            _require(self.api.generate_assignment(lesson))
            _require(self.api.release_assignment(lesson))
            for student, answers in STUDENTS.items():
                self.submit(student, lesson, answers(lesson, self.solved(lesson)))

    def solved(self, lesson: str) -> Answers:
        """The right answers, from the lesson's text."""
        return right_answers(self.root, lesson)

    def submit(self, student: str, lesson: str, answers: Answers) -> None:
        """Fill in the released notebook and submit it through the exchange, as nbgrader's Submit button does."""
        released = self.folder / "build" / "release" / lesson / f"{lesson}.ipynb"
        home = self.folder / "students" / student
        filled = fill(nbformat.read(released, as_version=4), answers)
        (home / lesson).mkdir(parents=True)
        nbformat.write(filled, home / lesson / f"{lesson}.ipynb")
        self.config.Exchange.assignment_dir = str(home)
        api = NbGraderAPI(config=self.config)
        api.coursedir.student_id, api.coursedir.assignment_id = student, lesson
        submit = ExchangeFactory(config=self.config).Submit(
            coursedir=api.coursedir, authenticator=Authenticator(config=self.config), config=self.config
        )
        submit.start()

    def grade(self) -> list[Mark]:
        """Collect, autograde and write feedback for everybody."""
        for lesson in self.lessons:
            _require(self.api.collect(lesson))
        jobs = [(student, lesson) for lesson in self.lessons for student in STUDENTS]
        return [self._grade_one(*job) for job in tqdm(jobs, desc="grading", unit="submission")]

    def _grade_one(self, student: str, lesson: str) -> Mark:
        start = time.perf_counter()
        _require(self.api.autograde(lesson, student))
        seconds = time.perf_counter() - start
        _require(self.api.generate_feedback(lesson, student))
        with Gradebook(self.config.CourseDirectory.db_url) as gradebook:
            submission = gradebook.find_submission(lesson, student)
            score, maximum = submission.score, submission.max_score
        path = self.folder / "autograded" / student / lesson / f"{lesson}.ipynb"
        return Mark(student, lesson, score, maximum, seconds, reasons(nbformat.read(path, as_version=4)))


def right_answers(root: Path, lesson: str) -> Answers:
    """The right answers to all exercises of a lesson, from its text."""
    notebook = notebooks.solved_notebook(lesson, lesson_source.read(root, lesson), "")
    texts = {c.id: c.source for c in notebook.cells}
    return {i: texts[answer_cell(i)] for i in definitions(lesson)}


def answer_cell(exercise_id: str) -> str:
    """The id of an exercise's answer cell."""
    return notebooks.grade_id(exercise_id) + "-code"


def fill(notebook: nbformat.NotebookNode, answers: Answers) -> nbformat.NotebookNode:
    """The notebook with answers typed into their cells."""
    texts = {answer_cell(i): text for i, text in answers.items()}
    for cell in notebook.cells:
        cell.source = texts.get(cell.id, cell.source)
    return notebook


def reasons(graded: nbformat.NotebookNode) -> dict[str, str]:
    """Exercise id -> the explanation in its graded cell, for cells that lost points."""
    found = {}
    for cell in graded.cells:
        if is_grade(cell) and float(cell.outputs[0].data["text/plain"]) < cell.metadata.nbgrader.points:
            found[cell.metadata.nbgrader.grade_id.replace("-", ".", 1)] = explanation(cell)
    return found


def _require(result: dict) -> None:
    if not result["success"]:
        raise build.BuildError(f"nbgrader failed:\n{result.get('error') or ''}{result.get('log') or ''}")


def _empty(folder: Path) -> None:
    """Empty a folder that an earlier demo made; refuse any other one that is not empty."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise build.BuildError(f"{folder} is not empty and not of an earlier demo. Choose another with --folder.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def _print(marks: list[Mark], folder: Path) -> None:
    table = Table("student", "handed in", "lesson", "mark", "seconds", "why points were lost", show_lines=True)
    for m in marks:
        why = "\n".join(textwrap.shorten(reason, 110) for reason in m.reasons.values())
        row = (m.student, inspect.getdoc(STUDENTS[m.student]), m.lesson.partition("_")[0])
        table.add_row(*row, f"{m.score:g} of {m.maximum:g}", f"{m.seconds:.1f}", escape(why))
    Console(width=190).print(table)
    print(f"Feedback: {folder}/feedback/<student>/<lesson>/<lesson>.html, gradebook: {folder}/gradebook.db")
