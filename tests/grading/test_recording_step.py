"""Our recording step leaves the gradebook as nbgrader's own two steps do, in one transaction."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from nbgrader.utils import is_grade
from traitlets.config import Config

from autograder.steps.record import RecordGrades
from autograder.steps.restore import HandedIn, known_cells, restored_notebook
from tests.grading.classroom import Classroom, fill

# nbgrader's old habit, harmless: see autograder.configuration
pytestmark = pytest.mark.filterwarnings("ignore:Object of type .* not in session")
LESSON, STUDENT = "ch06_decoder", "rose"
STOCK, OURS = (SaveAutoGrades, AssignLatePenalties), (RecordGrades,)
TABLES = {
    "grade": "g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade",
    "comment": "g.auto_comment, g.manual_comment",
}


class HalfOff(LateSubmissionPlugin):
    """Half of the score, whatever it is."""

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        """The penalty."""
        return score / 2


class Copy:
    """A copy of the class's gradebook with one submission in it."""

    def __init__(self, classroom: Classroom, folder: Path, late: bool = False):
        self.classroom = classroom
        folder.mkdir()
        shutil.copy(classroom.folder / "gradebook.db", folder / "gradebook.db")
        self.url = f"sqlite:///{folder / 'gradebook.db'}"
        with Gradebook(self.url) as gradebook:
            gradebook.update_or_create_assignment(LESSON, duedate=datetime(2030, 1, 1))
            gradebook.update_or_create_student(STUDENT)
            when = datetime(2030, 1, 2) if late else datetime(2029, 1, 1)
            gradebook.update_or_create_submission(LESSON, STUDENT, timestamp=when)

    def notebook(self) -> NotebookNode:
        """A graded notebook: full marks, partial, an error, noise on stderr, no output; some answers as handed out."""
        released = fill(self.classroom.released(LESSON), {"ch06.causal_mask": "causal_mask = None"})
        made = restored_notebook(HandedIn(released.cells, {}), known_cells(self.url, LESSON, LESSON))
        graded = [c for c in made.cells if is_grade(c)]
        results = [new_output("execute_result", {"text/plain": text}) for text in ("0.5", "2", "0")]
        results += [new_output("error", ename="E", evalue=""), new_output("stream", name="stderr", text="oh")]
        for cell, output in zip(graded, results, strict=False):
            cell.outputs = [output]
        return made

    def record(self, steps: tuple, config: Config | None = None, notebook: NotebookNode | None = None) -> None:
        """Run these steps over the notebook."""
        where = {"student": STUDENT, "assignment": LESSON, "notebook": LESSON, "db_url": self.url}
        nb = notebook or self.notebook()
        for step in steps:
            nb, _ = step(config=config or Config())(nb, {"nbgrader": where})

    def rows(self) -> dict[str, list]:
        """Everything that recording may touch."""
        engine = sa.create_engine(self.url)
        with engine.connect() as connection:
            found = {
                table: connection.execute(sa.text(
                    f"SELECT c.name, {columns} FROM {table} g JOIN base_cell c ON c.id = g.cell_id "
                    "JOIN submitted_notebook n ON n.id = g.notebook_id "
                    "JOIN submitted_assignment a ON a.id = n.assignment_id "
                    f"WHERE a.student_id = '{STUDENT}' ORDER BY c.name"
                )).all()
                for table, columns in TABLES.items()
            }  # fmt: skip
        engine.dispose()
        with Gradebook(self.url) as gradebook:
            notebook = gradebook.find_submission_notebook(LESSON, LESSON, STUDENT)
            return found | {"penalty": [notebook.late_submission_penalty], "score": [notebook.score]}


def both(classroom: Classroom, folder: Path, late: bool, config: Config | None = None, manual: bool = False) -> list:
    """What stands in the gradebook after nbgrader's steps, and after ours."""
    found = []
    for name, steps in (("stock", STOCK), ("ours", OURS)):
        copy = Copy(classroom, folder / name, late)
        if manual:
            _grade_by_hand(copy)
        copy.record(steps, config)
        found.append(copy.rows())
    return found


def _grade_by_hand(copy: Copy) -> None:
    copy.record(STOCK)
    with Gradebook(copy.url) as gradebook:
        notebook = gradebook.find_submission_notebook(LESSON, LESSON, STUDENT)
        notebook.grades[0].manual_score = 0.25
        notebook.grades[1].extra_credit = 2
        notebook.comments[0].manual_comment = "Well tried."
        notebook.late_submission_penalty = 3
        gradebook.db.commit()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("method", ["none", "zero", "half"])
def test_as_nbgraders_steps(classroom: Classroom, tmp_path: Path, late: bool, manual: bool, method: str) -> None:
    """Scores, what waits for a person, comments, and the penalty by the configured plugin."""
    config = Config({"LateSubmissionPlugin": {"penalty_method": method}})
    if method == "half":
        config = Config({"AssignLatePenalties": {"plugin_class": HalfOff}})
    stock, ours = both(classroom, tmp_path, late, config, manual)
    assert ours == stock
    assert {row.auto_score for row in ours["grade"]} >= {0.5, 2.0, 0.0}
    assert {row.auto_comment for row in ours["comment"]} == {None, "No response."}
    assert any(row.needs_manual_grade for row in ours["grade"]) == manual
    lost = {"none": None, "zero": ours["score"][0], "half": ours["score"][0] / 2}
    assert ours["penalty"] == [lost[method] if late else None]


def test_a_step_that_is_switched_off_stays_off(classroom: Classroom, tmp_path: Path) -> None:
    """c.AssignLatePenalties.enabled and c.SaveAutoGrades.enabled, as in nbgrader."""
    zero = {"LateSubmissionPlugin": {"penalty_method": "zero"}}
    stock, ours = both(classroom, tmp_path, True, Config(zero | {"AssignLatePenalties": {"enabled": False}}))
    assert ours == stock
    assert ours["penalty"] == [None]
    copy = Copy(classroom, tmp_path / "off")
    copy.record(OURS, Config({"SaveAutoGrades": {"enabled": False}}))
    assert {row.auto_score for row in copy.rows()["grade"]} == {None}


def test_a_failure_in_the_middle_records_nothing(classroom: Classroom, tmp_path: Path) -> None:
    """A cell that the gradebook does not know comes last; what was read before it is not kept."""
    copy = Copy(classroom, tmp_path / "half")
    before = copy.rows()
    notebook = copy.notebook()
    next(c for c in reversed(notebook.cells) if is_grade(c)).metadata.nbgrader.grade_id = "unknown"
    with pytest.raises(MissingEntry, match="no cell unknown"):
        copy.record(OURS, notebook=notebook)
    assert copy.rows() == before
