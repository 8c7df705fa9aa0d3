"""The solved lesson runs from top to bottom without a word of complaint, and gets full points."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest

from tests.grading.classroom import ROOT, Classroom, full_points, solved
from tests.lessons.tools import executed, shown

pytestmark = pytest.mark.slow
SECONDS = 30  # a beginner's lesson, see the lesson standard
SECONDS_OF = {"ch07_training": 240, "ch10_composition": 240}  # lessons that train models


def test_solved_notebook_runs_without_error_or_warning(lesson: str, tmp_path: Path) -> None:
    """No error, nothing on stderr, where warnings go; every check passes; in time."""
    notebook = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    start = time.perf_counter()
    done = executed(notebook, tmp_path)
    assert time.perf_counter() - start < SECONDS_OF.get(lesson, SECONDS)
    code = [c for c in done.cells if c.cell_type == "code"]
    assert [o for c in code for o in c.outputs if o.output_type == "error" or o.get("name") == "stderr"] == []
    checks = {c.id: shown(c) for c in code if c.source.startswith("check(")}
    assert len(checks) == len(full_points(lesson))
    assert [name for name, text in checks.items() if ": passed" not in text] == []


def test_solved_notebook_needs_no_grading_tools(lesson: str) -> None:
    """What self-learners read holds no markers, no hidden lines, no outputs and no metadata of nbgrader's."""
    text = (ROOT / "solutions" / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8")
    for word in ("### BEGIN", "### END", "graded(", '"grade_id"', "raise NotImplementedError"):
        assert word not in text
    assert all(not c.get("outputs") for c in nbformat.reads(text, as_version=4).cells)


def test_solved_submission_gets_full_points(lesson: str, classroom: Classroom) -> None:
    """The whole notebook as handed out, prose and plots included, with the lesson's own solutions typed in."""
    graded = classroom.graded("solved", lesson, solved(lesson))
    assert graded.scores == full_points(lesson)
    assert all(": passed" in text for text in graded.said.values())
