"""Second step of autograding, in the place of nbgrader's Execute: run the student's cells, judge the graded ones.

A graded cell holds only a directive. It is never run: the trusted side reads which exercise it names, asks the
student's process, and writes the cell's output itself.
"""

from __future__ import annotations

import copy
from typing import Any

from nbclient.exceptions import DeadKernelError
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import Execute
from traitlets import Float

from autograder.exercise import find
from autograder.grading import grade
from autograder.notebooks import DIRECTIVE
from autograder.seeds import seed_for
from autograder.student import ENDED, KernelStudent
from course.checks.judge import Verdict
from course.checks.report import Report, code
from course.checks.sheet import load_lesson

MAX_OUTPUT, MAX_RICH_OUTPUT = 100_000, 5_000_000  # characters of printed text; of a picture or table
LEFT_OUT = "({:,} characters are left out here)"


class GradeSubmission(Execute):
    """nbgrader's Execute whose graded cells are judged by `autograder.grading`."""

    check_seconds = Float(10.0, help="Time limit for one case of one exercise, in seconds.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict, km: Any = None) -> tuple[NotebookNode, dict]:
        """Run and judge the whole notebook."""
        where = resources["nbgrader"]
        self.cells = [c.source for c in nb.cells if c.cell_type == "code" and not utils.is_grade(c)]
        self.seed = seed_for(where["db_url"], where["assignment"], where["student"], "\n\n".join(self.cells))
        self.not_passed: set[str] = set()
        self.student: KernelStudent | None = None
        self.ran: dict[int, NotebookNode] = {}
        self.notes = _edition_notes(nb) + [f"Note: {note}." for note in nb.metadata.pop("restored", [])]
        nb, resources = super().preprocess(nb, resources)
        nb.metadata["course"] = {**nb.metadata.get("course", {}), "seed": self.seed}
        return nb, resources

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        """Run a cell of the student's, or judge a graded one."""
        if self.student is None:  # a retry starts a new kernel, and so a new student process
            self.student = KernelStudent(self, self.check_seconds, self._run_again)
        exercise_id = directive_of(cell)
        if exercise_id:
            cell.outputs = [self._judged(exercise_id)]
        elif cell.cell_type == "code" and self.student.recovered():
            try:
                cell, resources = super().preprocess_cell(cell, resources, index)
                cell.outputs = [_shortened(o) for o in cell.outputs]
                self.ran[index] = cell
            except DeadKernelError:
                self.student.died = ENDED
        return cell, resources

    def _run_again(self) -> None:
        """Bring a new process to where the last one died, leaving out the cells that kill it."""
        for index, cell in list(self.ran.items()):
            try:
                super().preprocess_cell(copy.deepcopy(cell), {}, index)
            except DeadKernelError:
                del self.ran[index]
                raise
            finally:
                self.nb.cells[index] = cell  # what it printed the first time stays

    def _judged(self, exercise_id: str) -> NotebookNode:
        definition = find(exercise_id)
        verdict = grade(definition, self.student, self.seed, self.cells, self.not_passed)
        if not verdict.passed:
            self.not_passed.add(exercise_id)
        notes, self.notes = self.notes, []  # what concerns the whole notebook is said once, at its first graded cell
        return verdict_output(verdict, notes)


def _shortened(output: NotebookNode) -> NotebookNode:
    """An output as it is, or what fits on a feedback page of one that is far too long."""
    if output.output_type == "stream" and len(output.text) > MAX_OUTPUT:
        output.text = f"{output.text[:MAX_OUTPUT]}\n... {LEFT_OUT.format(len(output.text) - MAX_OUTPUT)}\n"
    elif sum(len(str(v)) for v in output.get("data", {}).values()) > MAX_RICH_OUTPUT:
        length = max(len(str(v)) for v in output.data.values())
        output.data = NotebookNode({"text/plain": LEFT_OUT.format(length)})
    return output


def directive_of(cell: NotebookNode) -> str | None:
    """The exercise that a graded cell names; None for any other cell."""
    if cell.cell_type != "code" or not utils.is_grade(cell):
        return None
    found = DIRECTIVE.search(cell.source)
    return found.group(1) if found else None


def verdict_output(verdict: Verdict, notes: list[str]) -> NotebookNode:
    """The graded cell's only output: the points for nbgrader, the explanation for people."""
    report = Report(verdict, reveal=False)
    html = report._repr_html_() + "".join(f'<div style="opacity:.75">{code(n)}</div>' for n in notes)
    return new_output(
        "execute_result", {"text/plain": f"{verdict.earned:g}", "text/html": html}, metadata={}, execution_count=None
    )


def _edition_notes(nb: NotebookNode) -> list[str]:
    course = nb.metadata.get("course", {})
    if "lesson" not in course or "edition" not in course:
        return []
    try:
        now = load_lesson(course["lesson"]).edition
    except LookupError:
        return []
    if course["edition"] == now:
        return []
    return [f"Note: this notebook was handed out as edition {course['edition']} and graded by edition {now}."]
