"""What `autograder grade` has recorded: one row per submission, written in the same transaction as its grades.

The row says which version of the submission, graded by which version of the grader, the gradebook holds now. So what is
left to do is a question to the gradebook, and an interrupted run is simply started again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from nbgrader.api import SubmittedNotebook

from autograder.jobs import Marks

metadata = sa.MetaData()
table = sa.Table(
    "course_result",
    metadata,
    sa.Column("assignment", sa.String(128), primary_key=True),
    sa.Column("student", sa.String(128), primary_key=True),
    sa.Column("notebook", sa.String(128), primary_key=True),
    sa.Column("content", sa.String(64), nullable=False),  # version of the submission
    sa.Column("grader", sa.String(64), nullable=False),  # version of the grader
    sa.Column("stage", sa.String(32), nullable=False),  # names the staged folder that belongs to this row
    sa.Column("file", sa.String(64), nullable=False),  # SHA-256 of the autograded notebook
    sa.Column("submission_id", sa.String(32), nullable=False),  # nbgrader's id of the submitted notebook
    sa.Column("marks", sa.Text, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
)
KEY = ("assignment", "student", "notebook")
JSON = ("marks", "reasons", "notes")


@dataclass(frozen=True)
class Result:
    """One graded submission."""

    student: str
    content: str
    grader: str
    stage: str
    file: str
    marks: Marks
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def is_of(self, content: str, grader: str) -> bool:
        """Whether this is the result of this version of the submission by this version of the grader."""
        return (self.content, self.grader) == (content, grader)


def create(connection: sa.Connection) -> None:
    """Make the table if it is not there."""
    metadata.create_all(connection, checkfirst=True)


def find(connection: Any, assignment: str, student: str | None = None) -> dict[str, Result]:
    """Student -> result, of one assignment, of all students by default.

    A row whose submission was removed from the gradebook since (in formgrader, by `nbgrader db`) does not count.
    """
    query = sa.select(table).join(SubmittedNotebook, SubmittedNotebook.id == table.c.submission_id)
    query = query.where(table.c.assignment == assignment, table.c.notebook == assignment)
    if student is not None:
        query = query.where(table.c.student == student)
    return {row.student: _result(row) for row in connection.execute(query)}


def _result(row: Any) -> Result:
    marks, reasons, notes = (json.loads(getattr(row, name)) for name in JSON)
    marks = {name: (earned, points) for name, (earned, points) in marks.items()}
    return Result(row.student, row.content, row.grader, row.stage, row.file, marks, reasons, notes, row.seconds)


def save(connection: Any, assignment: str, submission_id: str, result: Result) -> None:
    """Put a result in the place of an earlier one of the same submission."""
    row = {**vars(result), **{name: json.dumps(getattr(result, name)) for name in JSON}}
    row |= {"assignment": assignment, "notebook": assignment, "submission_id": submission_id, "at": _now()}
    connection.execute(table.delete().where(*(table.c[name] == row[name] for name in KEY)))
    connection.execute(table.insert().values(row))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
