"""Record a graded submission as nbgrader does, in one transaction.

Only the client of `autograder grade` comes here: workers know no gradebook. Two clients may run at once; the lock of a
submission lets one after the other see whether there is still something to record.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import InvalidEntry, MissingEntry, SubmittedNotebook
from nbgrader.utils import parse_utc
from sqlalchemy.exc import DBAPIError

from autograder import database, publish, results
from autograder.coursefolder import CourseFolder
from autograder.database import OwnSession
from autograder.jobs import Finished
from autograder.results import Result
from autograder.seeds import seeds_for
from autograder.steps.record import RecordGrades

T = TypeVar("T")
TIMESTAMP = "timestamp.txt"


class CannotRecord(RuntimeError):
    """A graded submission does not fit the gradebook; the message says what to do."""


def handed_in_at(files: dict[str, bytes]) -> datetime | None:
    """When a submission was handed in, from nbgrader's own file (`read_submission` leaves none that is no date)."""
    text = files.get(TIMESTAMP, b"").decode().strip()
    return parse_utc(text) if text else None


class Recorder:
    """Writes graded submissions of one assignment into the gradebook and into autograded/."""

    def __init__(self, course: CourseFolder, assignment: str):
        self.assignment = assignment
        self.create_student = course.converter.create_student
        self.publisher = publish.Publisher(course.converter, assignment)
        self._engine = database.connect(course.db_url)
        self._step = RecordGrades(parent=course.converter)
        self._transaction(lambda session: results.create(session.connection()), "tables")

    def close(self) -> None:
        """Close the connection to the gradebook."""
        self._engine.dispose()

    def recorded(self) -> dict[str, Result]:
        """Student -> what is recorded of this assignment."""
        return self._transaction(lambda session: results.find(session, self.assignment))

    def seeds(self, code: dict[str, str]) -> dict[str, int]:
        """Student -> seed of the hidden cases, for student -> digest of the code: drawn once, and kept."""
        return self._transaction(lambda session: seeds_for(session.connection(), self.assignment, code))

    def is_done(self, student: str, result: Result | None, content: str, grader: str) -> bool:
        """Whether nothing is left to do: gradebook and autograded notebook come of one grading, of these versions.

        What an interrupted run left in autograded/ is first put in its place, or thrown away.
        """
        if self.publisher.unsettled(student):
            self._transaction(lambda session: self._settled(session, student), student)
        return _is_current(result, content, grader) and self._is_published(student, result)

    def record(
        self, student: str, content: str, grader: str, files: dict[str, bytes], done: Finished, again: bool = False
    ) -> bool:
        """Record one graded submission; False if it is there already and should not be written `again`.

        Raises CannotRecord, and what the database raises if it stays away.
        """
        notebook, stage = done.notebook.encode(), publish.new_stage()
        result = Result(
            student, content, grader, stage, hashlib.sha256(notebook).hexdigest(),
            done.marks, done.reasons, done.notes, done.seconds,
        )  # fmt: skip

        def write(session: OwnSession) -> bool:
            earlier = self._settled(session, student)
            if earlier and earlier.stage == stage:
                return True  # the answer to our commit was lost, not the commit
            if not again and _is_current(earlier, content, grader) and self._is_published(student, earlier):
                return False
            submitted = self._as_nbgrader_does(session, student, files, done.notebook)
            results.save(session, self.assignment, submitted.id, result)
            self.publisher.stage(student, stage, notebook, files)
            return True

        if not self._transaction(write, student):
            return False
        self._transaction(lambda session: self._settled(session, student), student)
        return True

    def _is_published(self, student: str, result: Result) -> bool:
        return publish.file_digest(self.publisher.notebook(student)) == result.file

    def _settled(self, session: OwnSession, student: str) -> Result | None:
        """What is recorded for a student, after its staged folder, if there still is one, took its place."""
        result = results.find(session, self.assignment, student).get(student)
        self.publisher.settle(student, result.stage if result else None)
        return result

    def _transaction(self, work: Callable[[OwnSession], T], name: str = "") -> T:
        """Do `work` in one transaction, under the lock of this name, again while the database is away."""

        def attempt() -> T:
            with OwnSession(self._engine) as session, _without_disguise(), session.begin():
                if name:
                    database.lock(session, f"{self.assignment}/{name}")
                return work(session)

        try:
            return database.patiently(attempt)
        except (MissingEntry, InvalidEntry) as error:
            raise CannotRecord(
                f"the gradebook does not fit ({str(error)[:200]}). If the assignment was changed after this student's "
                f"first grading, run `nbgrader generate_assignment {self.assignment} --force`"
            ) from error

    def _as_nbgrader_does(
        self, session: OwnSession, student: str, files: dict[str, bytes], notebook: str
    ) -> SubmittedNotebook:
        """What `nbgrader autograde` writes, by nbgrader's own code: submission, grades, comments, late penalty."""
        gradebook = database.OpenGradebook(session)
        if self.create_student:
            gradebook.update_or_create_student(student)
        when = handed_in_at(files)
        gradebook.update_or_create_submission(self.assignment, student, **({"timestamp": when} if when else {}))
        session.flush()
        return self._step.record(session, _cells(notebook), student, self.assignment, self.assignment)


@contextlib.contextmanager
def _without_disguise() -> Iterator[None]:
    """nbgrader turns a lost connection into InvalidEntry too, which would not be tried again."""
    try:
        yield
    except InvalidEntry as error:
        if isinstance(error.__context__, DBAPIError):
            raise error.__context__ from None
        raise


def _is_current(result: Result | None, content: str, grader: str) -> bool:
    return result is not None and result.is_of(content, grader)


def _cells(notebook: str) -> list[NotebookNode]:
    return nbformat.v4.reads(notebook).cells  # made by ourselves: not validated once more
