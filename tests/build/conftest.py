"""A copy of what the build reads and writes, which tests may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder.build import ROOT
from course.checks import sheet

LESSON = "ch02_scaled_dot_product"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with source/, release/, solutions/ and golden files of its own."""
    root = tmp_path / "course"
    for part in ("source", "release", "solutions", "course/checks"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("*.py[co]", ".ipynb_checkpoints"))
    monkeypatch.setattr(sheet, "FOLDER", root / "course" / "checks")
    return root


def text_path(root: Path, lesson: str = LESSON) -> Path:
    """The lesson's text."""
    return root / "source" / lesson / f"{lesson}.py"


def notebook_path(root: Path, kind: str, lesson: str = LESSON) -> Path:
    """The lesson's notebook in release/, solutions/ or build/source/."""
    return root / kind / lesson / f"{lesson}.ipynb"


def replaced(path: Path, old: str, new: str) -> None:
    """Replace a piece of a text file that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
