"""A course folder with a gradebook, SQLite or PostgreSQL, in which tests hand in, grade and look."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import sqlalchemy as sa
from nbgrader.api import Gradebook, SubmittedNotebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from autograder import build, bulk
from autograder.configuration import course_config
from autograder.jobs import Job
from tests.bulk import fake
from tests.grading.classroom import ROOT, slimmed

LESSON = "ch02_scaled_dot_product"
ANSWER = "ch02-project_qkv-code"
POINTS = {
    "ch02.project_qkv": 2.0, "ch02.scaled_dot_product_attention": 5.0, "ch02.row_facts": 1.0,
    "ch02.softmax_grad_norm": 2.0, "ch02.why_scale": 1.0,
}  # fmt: skip


def version(*_: object) -> str:
    """The grader's version, in the place of a digest of files, which may be edited while tests run."""
    return "version of tests"


class Serial(bulk.Bulk):
    """A run without workers: each job is graded here and now."""

    def fan_out(self, stack: contextlib.ExitStack, jobs: int) -> Callable[[Iterable[Job]], Iterator]:
        """As FanOut.results."""

        def results(jobs: Iterable[Job]) -> Iterator:
            for job in jobs:
                try:
                    yield job, self.grade(self._work(job))
                except Exception as error:
                    yield job, error

        return results


@dataclass(frozen=True)
class CourseCopy:
    """A course of a test's own."""

    folder: Path
    url: str

    @property
    def config(self) -> Config:
        """nbgrader's configuration."""
        config = course_config(self.folder)
        config.CourseDirectory.db_url = self.url
        config.NbGraderAPI.log_level = logging.ERROR
        return config

    def configure(self, *lines: str) -> None:
        """Give the course a nbgrader_config.py of its own: this course's, and then these lines."""
        text = [
            "from pathlib import Path", "from autograder.configuration import course_config", "c = get_config()",
            "c.merge(course_config(Path(__file__).resolve().parent))", *lines,
        ]  # fmt: skip
        (self.folder / "nbgrader_config.py").write_text("\n".join(text) + "\n")

    def submitted(self, student: str) -> Path:
        """The folder of a submission."""
        return self.folder / "submitted" / student / LESSON

    def path(self, student: str, step: str = "autograded") -> Path:
        """A student's notebook in one of nbgrader's folders."""
        return self.folder / step / student / LESSON / f"{LESSON}.ipynb"

    def submit(self, student: str, earns: float = 1.0, stamp: str = "", more: str = "") -> None:
        """Hand in a notebook that earns this share of all points."""
        notebook = slimmed(nbformat.read(self.folder / "build/release" / LESSON / f"{LESSON}.ipynb", as_version=4))
        answer = next(c for c in notebook.cells if c.id == ANSWER)
        answer.source = f"# earns {earns}\n{more}"
        self.submitted(student).mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, self.path(student, "submitted"))
        if stamp:
            (self.submitted(student) / "timestamp.txt").write_text(stamp)

    def bulk(self, grade: Callable = fake.grade, kind: type[bulk.Bulk] = Serial, **options: Any) -> bulk.Bulk:
        """A run that has not begun."""
        return kind(bulk.Options(LESSON, self.folder, gradebook=self.url, **options), grade)

    def run(self, **options: Any) -> dict[str, Any]:
        """Grade; the report, with the exit status and the jobs by student."""
        path = self.folder / "report.json"
        path.unlink(missing_ok=True)
        status = bulk.run(self.bulk(**options), path)
        report = json.loads(path.read_text())
        return report | {"status": status, "jobs": {job["student"]: job for job in report["jobs"]}}

    def outcomes(self, **options: Any) -> dict[str, str]:
        """Grade; student -> outcome."""
        return {student: job["outcome"] for student, job in self.run(**options)["jobs"].items()}

    def gradebook(self) -> Gradebook:
        """The gradebook, opened by nbgrader; a context manager."""
        return Gradebook(self.url)

    def rows(self) -> dict[str, list[tuple]]:
        """All that nbgrader keeps of submissions, without its random ids."""
        with self.gradebook() as gradebook:
            notebooks = gradebook.db.query(SubmittedNotebook).all()
            return {
                "submissions": _sorted(
                    (n.student.id, n.assignment.timestamp, n.late_submission_penalty, n.flagged) for n in notebooks
                ),
                "grades": _sorted(
                    (n.student.id, g.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade)
                    for n in notebooks for g in n.grades
                ),
                "comments": _sorted(
                    (n.student.id, c.name, c.auto_comment, c.manual_comment) for n in notebooks for c in n.comments
                ),
            }  # fmt: skip

    def scores(self, student: str) -> dict[str, float | None]:
        """Exercise id -> points of the autograder."""
        found = [r for r in self.rows()["grades"] if r[0] == student]
        return {r[1].replace("-", ".", 1): r[2] for r in found}

    def query(self, text: str) -> list[Any]:
        """What the gradebook answers."""
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            found = connection.execute(sa.text(text))
            rows = list(found) if found.returns_rows else []
        engine.dispose()
        return rows


def _sorted(rows: Iterable[tuple]) -> list[tuple]:
    return sorted(rows, key=str)


def generated(folder: Path, url: str | None = None) -> CourseCopy:
    """Make a course folder in which the lesson was generated."""
    made = CourseCopy(folder, url or course_config(folder).CourseDirectory.db_url)
    (folder / "exchange").mkdir(parents=True)
    path = folder / "build" / "source" / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(build.source_text(ROOT, LESSON), encoding="utf-8")
    result = NbGraderAPI(config=made.config).generate_assignment(LESSON, force=True)
    assert result["success"], result
    return made


def copied(course: CourseCopy, folder: Path, url: str | None = None) -> CourseCopy:
    """A copy of a course in another folder, with its own SQLite gradebook or another one."""
    shutil.copytree(course.folder, folder)
    return CourseCopy(folder, url or course_config(folder).CourseDirectory.db_url)
