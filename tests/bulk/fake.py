"""Grading without a sandbox: a submission says itself what it earns, in a line `# earns 0.5` of its code."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output

from autograder.jobs import Finished, Work
from autograder.steps.grade import GradeSubmission
from autograder.steps.restore import read_notebook, restored_notebook
from autograder.submission import directive_of

EARNS = re.compile(r"^# earns ([\d.]+)$", re.MULTILINE)
MARKER = re.compile(r"^# marker (.+)$", re.MULTILINE)


def grade(work: Work) -> Finished:
    """Give every exercise the share of its points that the submission asks for."""
    notebook = restored_notebook(read_notebook(work.submission.content), work.terms.known)
    notebook.metadata.pop("restored")
    marks = marked(notebook)
    notebook.metadata["course"] = {"seed": work.seed}
    reasons = {name: f"{name} is wrong" for name, (earned, points) in marks.items() if earned < points}
    return Finished(nbformat.writes(notebook), marks, reasons, work.submission.notes, 0.125)


def marked(notebook: NotebookNode) -> dict[str, tuple[float, float]]:
    """Write the graded cells' outputs; return the marks."""
    wanted = [float(x) for cell in notebook.cells for x in EARNS.findall(cell.source)]
    marks = {}
    for cell in notebook.cells:
        if exercise_id := directive_of(cell):
            points = float(cell.metadata.nbgrader.points)
            earned = points * (wanted[-1] if wanted else 0.0)
            data = {"text/plain": f"{earned:g}", "text/html": f"<p>{exercise_id}: {earned:g}</p>"}
            cell.outputs = [new_output("execute_result", data)]
            marks[exercise_id] = (earned, points)
    return marks


class GradeInNbgrader(GradeSubmission):
    """The same for `nbgrader autograde`."""

    def preprocess(self, nb: NotebookNode, resources: dict, km=None) -> tuple[NotebookNode, dict]:
        """Give what is asked for."""
        nb.metadata.pop("restored", None)
        marked(nb)
        return nb, resources


def grade_or_break(work: Work) -> Finished:
    """As `grade`; a submission with `# marker FILE` first kills its worker, as long as FILE counts down to 0."""
    cells = nbformat.v4.reads(work.submission.content.decode()).cells
    for found in MARKER.findall("\n".join(cell.source for cell in cells)):
        path = Path(found)
        left = int(path.read_text())
        if left:
            path.write_text(str(left - 1))
            os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return grade(work)


def no_grade(work: Work) -> Finished:
    """A mistake of ours."""
    raise ZeroDivisionError("a mistake in the grader")
