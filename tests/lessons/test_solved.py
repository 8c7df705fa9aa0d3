"""The solved lesson runs from top to bottom without a word of complaint, and gets full points."""

from __future__ import annotations

import functools
import re
import tempfile
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode

from tests.grading.classroom import ROOT, Classroom, full_points, solved
from tests.lessons.tools import executed, shown

pytestmark = pytest.mark.slow
SECONDS = 60  # a beginner's lesson: 30 s where nothing else runs, see the lesson standard; other tests run beside it
SECONDS_OF = {  # lessons that train or measure
    "ch07_training": 240, "ch10_composition": 240, "m18_multiply_cot": 240, "m19_rope": 240,
    "m20_curriculum": 240,
    "m21_kv_cache": 120, "m22_flash_attention": 180,
}  # fmt: skip


@functools.cache
def run(lesson: str) -> tuple[NotebookNode, float]:
    """The solved notebook after all of it ran, and the seconds that this took."""
    notebook = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        return executed(notebook, Path(folder)), time.perf_counter() - start


def test_solved_notebook_runs_without_error_or_warning(lesson: str) -> None:
    """No error, nothing on stderr, where warnings go; every check passes; in time."""
    done, seconds = run(lesson)
    assert seconds < SECONDS_OF.get(lesson, SECONDS)
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


def test_ch07_the_held_out_loss_falls_below_the_stated_bound() -> None:
    """With the lesson's own solutions, from a loss of pure guessing to below 2.0."""
    done, _ = run("ch07_training")
    training = next(c for c in done.cells if c.source.startswith("from tqdm.auto import tqdm"))
    said = "".join(output.get("text", "") for output in training.outputs)
    before, after = (float(re.search(f"held-out loss {when}: ([0-9.]+)", said)[1]) for when in ("before", "after"))
    assert before == pytest.approx(4.11, abs=0.1)
    assert after < 2.0
    assert "goal, below 2.0: reached" in said
