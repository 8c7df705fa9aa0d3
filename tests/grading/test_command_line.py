"""nbgrader's own commands, run as an instructor and a student would, in a copy of the course folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.demo import fill
from tests.grading.classroom import ROOT, slimmed, solved, text_of

pytestmark = pytest.mark.slow
LESSON = "ch02_scaled_dot_product"


class Folder:
    """A copy of what an instructor's course folder holds, and nbgrader's commands in it."""

    def __init__(self, root: Path):
        self.root = root
        for part in ("source", "release", "solutions"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        shutil.copy(ROOT / "nbgrader_config.py", root)
        (root / "exchange").mkdir()

    def nbgrader(self, *arguments: str, fails: bool = False) -> str:
        """Run a command; returns everything it printed."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(self.root / ".jupyter")}
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=120)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def path(self, folder: str, suffix: str = "ipynb") -> Path:
        """The lesson's file in one of nbgrader's folders."""
        return self.root / folder / LESSON / f"{LESSON}.{suffix}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A fresh course folder in which the assignment was generated."""
    course = Folder(tmp_path_factory.mktemp("course"))
    assert not (course.root / "build").exists()
    course.nbgrader("generate_assignment", LESSON)
    return course


def submitted(folder: Folder, student: str) -> nbformat.NotebookNode:
    """The solved lesson, put where `nbgrader collect` puts it."""
    notebook = fill(slimmed(nbformat.read(folder.path("release"), as_version=4)), solved(LESSON))
    path = folder.path(f"submitted/{student}")
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return notebook


def test_the_source_notebook_is_made_on_demand_and_the_release_is_the_committed_one(folder: Folder) -> None:
    """Nobody ran a build in this folder."""
    assert folder.path("build/source").exists()
    assert folder.path("build/source").read_text().count("### BEGIN SOLUTION") == 5
    made, committed = (nbformat.read(folder.path(f), as_version=4) for f in ("build/release", "release"))
    assert made == committed


def test_autograde_and_feedback(folder: Folder) -> None:
    """Through to the feedback page; graded again by --force, with the same seed."""
    submitted(folder, "ada")
    folder.nbgrader("autograde", LESSON, "--student", "ada")
    first = nbformat.read(folder.path("autograded/ada"), as_version=4)
    folder.nbgrader("autograde", LESSON, "--student", "ada", "--force")
    assert nbformat.read(folder.path("autograded/ada"), as_version=4).metadata.course == first.metadata.course
    folder.nbgrader("generate_feedback", LESSON)
    page = text_of(folder.path("feedback/ada", "html").read_text(encoding="utf-8"))
    assert "(Score: 11.0 / 11.0)" in page
    assert page.count(": passed") == 5


def test_an_unreadable_submission_is_told(folder: Folder) -> None:
    """What to do, and the file as it was."""
    path = folder.path("submitted/bob")
    path.parent.mkdir(parents=True)
    path.write_text("no notebook")
    said = folder.nbgrader("autograde", LESSON, "--student", "bob")
    assert "bob: this file could not be read as a notebook" in said
    assert path.read_text() == "no notebook"


def test_validate_speaks_our_words(folder: Folder) -> None:
    """The student's Validate button: what is not done yet, without a traceback of ours; then success."""
    released = folder.path("build/release")
    said = folder.nbgrader("validate", str(released))
    assert len(re.findall("not (implemented|answered) yet", said)) >= 5
    assert "Success" not in said
    assert not [line for line in said.splitlines() if "/course/" in line or "CheckFailed" in line]
    notebook = fill(nbformat.read(released, as_version=4), solved(LESSON))
    path = folder.root / "solved.ipynb"
    nbformat.write(notebook, path)
    assert "Success! Your notebook passes all the tests." in folder.nbgrader("validate", str(path))


def test_a_source_notebook_edited_by_hand_is_set_aside(folder: Folder) -> None:
    """Someone edited the generated notebook in formgrader, and the lesson's text is newer: both are kept."""
    source = folder.path("build/source")
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[0].source += "\n\nMy own words."
    nbformat.write(notebook, source)
    text = folder.path("source", "py")
    os.utime(text, (source.stat().st_mtime + 5,) * 2)
    said = folder.nbgrader("db", "assignment", "list")  # any command will do
    kept = folder.root / "build" / "edited" / f"{LESSON}.ipynb"
    assert str(kept) in said
    assert "My own words." in kept.read_text(encoding="utf-8")
    assert "My own words." not in source.read_text(encoding="utf-8")
