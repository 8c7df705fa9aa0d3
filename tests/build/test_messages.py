"""Mistakes in a lesson's text or on the command line: one message that names the file and says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import lesson_source
from autograder.build import ROOT
from autograder.lesson_source import LessonError
from tests.build.conftest import LESSON, notebook_path, replaced, text_path

EXERCISE = '# %% exercise="ch02.project_qkv"'

# What is written into the text -> what the message says.
MISTAKES = {
    "unknown option": (EXERCISE, f"{EXERCISE} points=7", "unknown cell option ['points']; there are ['demonstration'"),
    "misspelt option": (EXERCISE, EXERCISE.replace("exercise", "excercise"), "unknown cell option ['excercise']"),
    "unknown exercise": (EXERCISE, '# %% exercise="ch02.nonsense"', "'ch02.nonsense' is not defined. Defined for this"),
    "another lesson's": (EXERCISE, '# %% exercise="ch06.causal_mask"', "'ch06.causal_mask' is not defined"),
    "forgotten": (EXERCISE, "# %%", "defined but not in the text: ch02.project_qkv"),
    "twice": (EXERCISE, f"{EXERCISE}\npass\n\n{EXERCISE}", "more than once in the text: ch02.project_qkv"),
    "unknown token": ("{{exercises}}", "{{exercise}}", "{{exercise}} is neither `exercises` nor an id of this lesson"),
    "unknown id in a token": ("{{ch02.project_qkv}}", "{{ch02.project}}", "{{ch02.project}} is neither"),
}


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_the_text(tree: Path, old: str, new: str, words: str) -> None:
    """The file and the mistake are named before anything is written."""
    replaced(text_path(tree), old, new)
    with pytest.raises(LessonError) as caught:
        lesson_source.read(tree, LESSON)
    assert str(text_path(tree)) in str(caught.value)
    assert words in str(caught.value)


def test_an_unknown_lesson_is_answered_with_those_that_exist(tree: Path) -> None:
    """A typing mistake on the command line."""
    with pytest.raises(LessonError) as caught:
        lesson_source.read(tree, "ch99")
    assert str(caught.value) == f"There is no lesson 'ch99'. Lessons: {', '.join(lesson_source.lessons(tree))}."
    assert "ch02_scaled_dot_product" in lesson_source.lessons(tree)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A copy of the repository's parts that the commands read and write."""
    root = tmp_path / "repo"
    ignore = shutil.ignore_patterns("__pycache__", "js", "node_modules", ".ipynb_checkpoints")
    for part in ("autograder", "course", "source", "release", "solutions"):
        shutil.copytree(ROOT / part, root / part, ignore=ignore)
    return root


def run(repo: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m autograder ...` in a copy of the repository."""
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    command = [sys.executable, "-m", "autograder", *arguments]
    return subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True, timeout=120)


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit status 1, one message, no traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert [w for w in words if w not in done.stdout + done.stderr] == []


@pytest.mark.slow
@pytest.mark.parametrize("command", ["build", "grade-demo"])
def test_an_unknown_lesson_on_the_command_line(repo: Path, command: str) -> None:
    """Both commands take lessons."""
    assert_refused(run(repo, command, "ch99_nothing"), "There is no lesson 'ch99_nothing'", "ch06_decoder")


@pytest.mark.slow
def test_a_mistake_in_the_text_writes_nothing(repo: Path) -> None:
    """The other lessons are not touched either."""
    replaced(text_path(repo, "ch06_decoder"), 'exercise="ch06.causal_mask"', 'exercise="ch06.casual_mask"')
    replaced(text_path(repo), "## Recap", "## Summary")
    before = notebook_path(repo, "release").read_bytes()
    assert_refused(run(repo, "build"), "ch06_decoder.py", "'ch06.casual_mask' is not defined", "ch06.causal_mask")
    assert notebook_path(repo, "release").read_bytes() == before


@pytest.mark.slow
def test_stale_files_are_named_on_the_command_line(repo: Path) -> None:
    """`--check` as CI runs it, then the build it asks for."""
    replaced(text_path(repo), "## Recap", "## Summary")
    done = run(repo, "build", "--check", LESSON)
    assert_refused(
        done, f"stale: release/{LESSON}/{LESSON}.ipynb", f"stale: solutions/{LESSON}/{LESSON}.ipynb", "make build"
    )
    done = run(repo, "build", LESSON)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote: ") == 2


@pytest.mark.slow
def test_a_changed_definition_makes_the_golden_file_stale(repo: Path) -> None:
    """A new hint: golden data, and with it the notebooks' edition."""
    replaced(repo / "autograder" / "exercises" / f"{LESSON}.py", "Queries and keys are swapped", "You swapped them")
    assert_refused(run(repo, "build", "--check", LESSON), f"stale: course/checks/{LESSON}.safetensors")


@pytest.mark.slow
def test_a_notebook_edited_by_hand_stops_the_build(repo: Path) -> None:
    """And is still there."""
    path = notebook_path(repo, "release")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = "mine"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    assert_refused(run(repo, "build", LESSON), "changed by hand", str(path))
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_damaged_golden_file_is_named(repo: Path) -> None:
    """Checking says which file and which command; building makes it anew."""
    golden = repo / "course" / "checks" / f"{LESSON}.safetensors"
    whole = golden.read_bytes()
    golden.write_bytes(whole[:1000])
    assert_refused(run(repo, "build", "--check", LESSON), golden.name, "build")
    assert run(repo, "build", LESSON).returncode == 0
    assert golden.read_bytes() == whole
