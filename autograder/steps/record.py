"""Last step of autograding, in the place of nbgrader's SaveAutoGrades and AssignLatePenalties, and by their own code.

Each of these opens the gradebook anew, and the first commits after every cell. Here a submission's grades, comments
and late penalty are one transaction: quicker, and a kill between two cells leaves no half of them behind.
"""

from __future__ import annotations

from typing import TypeVar

import sqlalchemy as sa
from nbformat.notebooknode import NotebookNode
from nbgrader.api import BaseCell, Comment, Grade, MissingEntry, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades

from autograder import database

T = TypeVar("T")


class RecordGrades(SaveAutoGrades):
    """SaveAutoGrades and AssignLatePenalties in one transaction. What is configured for these holds here."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Record the notebook's grades."""
        where = resources["nbgrader"]

        def attempt() -> None:
            with database.transaction(where["db_url"]) as session:
                self.record(session, nb.cells, where["student"], where["assignment"], where["notebook"])

        database.patiently(attempt)
        return nb, resources

    def record(
        self, session: database.OwnSession, cells: list[NotebookNode], student: str, assignment: str, notebook: str
    ) -> SubmittedNotebook:
        """Write what these cells earned in a transaction of the caller's. Raises MissingEntry."""
        self.student_id, self.assignment_id, self.notebook_id = student, assignment, notebook
        self.gradebook = SubmissionGradebook(session)
        submitted = self.gradebook.load(notebook, assignment, student)
        for index, cell in enumerate(cells):
            self.preprocess_cell(cell, {}, index)
        session.flush()
        late = LatePenalty(parent=self)
        if late.enabled:
            late.assign(session, submitted)
        return submitted


class SubmissionGradebook(database.OpenGradebook):
    """A gradebook that has read one submission's grades and comments with one query each, not one for each cell."""

    def load(self, notebook: str, assignment: str, student: str) -> SubmittedNotebook:
        """Read them. Raises MissingEntry."""
        submitted = self.find_submission_notebook(notebook, assignment, student)
        self._grades, self._comments = (self._by_cell(kind, submitted) for kind in (Grade, Comment))
        return submitted

    def _by_cell(self, kind: type[T], submitted: SubmittedNotebook) -> dict[str, T]:
        query = sa.select(kind, BaseCell.name).join(BaseCell, BaseCell.id == kind.cell_id)
        return {name: row for row, name in self.db.execute(query.where(kind.notebook_id == submitted.id))}

    def find_grade(self, grade_cell: str, notebook: str, assignment: str, student: str) -> Grade:
        """As nbgrader's. Raises MissingEntry."""
        return _found(self._grades, grade_cell)

    def find_comment(self, solution_cell: str, notebook: str, assignment: str, student: str) -> Comment:
        """As nbgrader's. Raises MissingEntry."""
        return _found(self._comments, solution_cell)


class LatePenalty(AssignLatePenalties):
    """nbgrader's step, with its plugin and its bounds, on a submission that is open already."""

    def assign(self, session: database.OwnSession, notebook: SubmittedNotebook) -> None:
        """Set the penalty of a notebook whose grades are written."""
        submission = notebook.assignment
        notebook.late_submission_penalty = None
        if (late := submission.total_seconds_late) <= 0:
            return
        self.log.warning("%s is %s seconds late", submission, late)
        self.init_plugin()
        session.flush()
        session.refresh(notebook, ["score"])  # a sum that the database makes of the grades
        penalty = self.plugin_inst.late_submission_penalty(submission.student_id, notebook.score, late)
        self.log.warning("Late submission penalty: %s", penalty)
        if penalty is not None:
            notebook.late_submission_penalty = self._check_late_penalty(notebook, penalty)


def _found(rows: dict[str, T], name: str) -> T:
    if name not in rows:
        raise MissingEntry(f"it knows no cell {name} in this submission")
    return rows[name]
