"""An instructor's course folder as nbgrader sees it: its configuration, its gradebook, what was handed in."""

from __future__ import annotations

import contextlib
import difflib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from nbgrader.api import Assignment, Notebook
from nbgrader.apps.autogradeapp import AutogradeApp
from nbgrader.converters import Autograde
from nbgrader.preprocessors import AssignLatePenalties, Execute, SaveAutoGrades
from traitlets.utils.importstring import import_item

from autograder import submitted
from autograder.configuration import course_config
from autograder.database import transaction
from autograder.exercise import lessons
from autograder.limits import Limits
from autograder.steps.grade import GradeSubmission
from autograder.steps.record import RecordGrades

CONFIG = "nbgrader_config.py"
# Steps of `nbgrader autograde` that grade and record as `autograder grade` does.
WAYS = [[GradeSubmission, RecordGrades], [GradeSubmission, SaveAutoGrades, AssignLatePenalties]]


class UsageError(RuntimeError):
    """The command cannot do what it was asked for; the message says what to do."""


@dataclass(frozen=True)
class CourseFolder:
    """A course. `converter` is nbgrader's Autograde as `nbgrader autograde` would make it; it never runs here."""

    root: Path
    db_url: str
    converter: Autograde

    @property
    def grading(self) -> GradeSubmission:
        """The grading step as configured."""
        return GradeSubmission(parent=self.converter)

    def limits(self, lesson: str) -> Limits:
        """What a submission of this lesson may use."""
        return self.grading._limits(lesson)

    def submissions(self, assignment: str) -> list[tuple[str, Path]]:
        """Student and folder of every submission of an assignment, without those that the configuration excludes."""
        left_out = self.converter.coursedir.student_id_exclude.split(",")
        found = submitted.submissions(self._submitted(assignment))
        return [(student, path) for student, path in found if student not in left_out]

    def chosen(self, assignment: str, students: list[str]) -> list[tuple[str, Path]]:
        """Submissions of these students, of all by default. Raises UsageError if there is none of one who was named."""
        found = dict(self.submissions(assignment))
        if not found:
            place = self._submitted(assignment)
            raise UsageError(f"There are no submissions: no folder {place}. Run `nbgrader collect {assignment}`.")
        for student in students:
            if student not in found:
                near = difflib.get_close_matches(student, found, 3)
                hint = f" Did you mean {' or '.join(near)}?" if near else ""
                raise UsageError(f"{student!r} has no submission of {assignment} (of {len(found)} students).{hint}")
        return [(student, path) for student, path in found.items() if not students or student in students]

    def require(self, assignment: str) -> None:
        """Raises UsageError unless the gradebook knows this lesson, with one notebook of the same name."""
        known = self._notebooks()
        if assignment not in known and assignment in lessons():
            raise UsageError(f"{assignment} was never generated: run `nbgrader generate_assignment {assignment}`.")
        if assignment not in known:
            there = f"the gradebook has {', '.join(sorted(known))}" if known else "the gradebook has none yet"
            raise UsageError(f"There is no assignment {assignment!r}: {there}. Lessons: {', '.join(lessons())}.")
        if known[assignment] != [assignment] or assignment not in lessons():
            raise UsageError(
                f"{assignment} is no lesson of this course with one notebook of its name (notebooks: "
                f"{', '.join(map(str, known[assignment]))}). Grade it with `nbgrader autograde`."
            )

    def _submitted(self, assignment: str) -> str:
        coursedir = self.converter.coursedir
        return coursedir.format_path(coursedir.submitted_directory, "*", assignment)

    def _notebooks(self) -> dict[str, list[str | None]]:
        """Assignment -> its notebooks, as the gradebook knows them."""
        found: dict[str, list[str | None]] = {}
        both = sa.outerjoin(Assignment, Notebook, Notebook.assignment_id == Assignment.id)
        with transaction(self.db_url) as session:
            if sa.inspect(session.connection()).has_table("assignment"):
                for name, notebook in session.execute(sa.select(Assignment.name, Notebook.name).select_from(both)):
                    found.setdefault(name, []).append(notebook)
        return found

    def later_steps(self) -> list[str]:
        """The configured steps between grading and recording, and after it, by name: they only change the notebook.

        Raises UsageError if one of them would record grades in another way than nbgrader's own.
        """
        names = [_name(step) for step in self.converter.autograde_preprocessors]
        steps = [import_item(name) for name in names]
        own = [s for s in steps if issubclass(s, Execute | SaveAutoGrades | AssignLatePenalties)]
        if own not in WAYS:
            raise UsageError(
                f"{CONFIG} sets steps of its own for grading or recording (c.Autograde.autograde_preprocessors: "
                f"{', '.join(names)}). `autograder grade` has its own; use `nbgrader autograde`, or leave them out."
            )
        return [name for name, step in zip(names, steps, strict=True) if step not in own]

    def settings_of(self, steps: list[str]) -> dict[str, Any]:
        """The configuration of these steps and nothing else: the rest may hold the gradebook's password."""
        classes = {kind.__name__ for name in steps for kind in import_item(name).__mro__}
        return {name: dict(section) for name, section in self.converter.config.items() if name in classes}


def open_course(folder: Path, db_url: str | None = None) -> CourseFolder:
    """The course in a folder, with the configuration that nbgrader would load there.

    Raises UsageError if there is none, or if its configuration is broken.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}. Name the course's with --folder.")
    app = AutogradeApp(log_level=logging.ERROR)
    app.raise_config_file_errors = True
    if not (folder / CONFIG).exists():
        app.update_config(course_config(folder))
    with contextlib.chdir(folder):  # nbgrader looks for its configuration where it is called
        try:
            app.initialize([])
        except Exception as error:  # whatever Python code may raise
            raise UsageError(f"{folder / CONFIG} cannot be loaded: {type(error).__name__}: {error}") from error
        converter = Autograde(coursedir=app.coursedir, parent=app)
    return CourseFolder(folder, _full_url(folder, db_url or app.coursedir.db_url), converter)


def _full_url(folder: Path, url: str) -> str:
    """The URL of a gradebook that is there. Raises UsageError for what is no URL, and for a file that is missing."""
    if "://" not in url:
        url = f"sqlite:///{Path(url).absolute()}"
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect().import_dbapi()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        shown = re.sub(r"//[^@/]*@", "//***@", url)  # the name before the @ may be followed by a password
        raise UsageError(
            f"The gradebook {shown} cannot be used ({error}). Examples: sqlite:////srv/course/gradebook.db, "
            "postgresql+psycopg://user@host/database (needs `pip install 'transformer-course[postgres]'`)."
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return url
    path = folder / (parsed.database or "")
    if not path.is_file():
        raise UsageError(f"There is no gradebook {path}. Run `nbgrader generate_assignment` first.")
    return parsed.set(database=str(path)).render_as_string(hide_password=False)


@contextlib.contextmanager
def reachable(url: str) -> Iterator[None]:
    """Turn a database error of the body into a UsageError without the password."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        shown = sa.make_url(url).render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise UsageError(f"The gradebook {shown} cannot be read: {reason}") from None


def _name(step: Any) -> str:
    return step if isinstance(step, str) else f"{step.__module__}.{step.__qualname__}"
