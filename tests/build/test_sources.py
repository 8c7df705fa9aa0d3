"""nbgrader's source notebooks are made on demand, again when something is newer, and never over someone's work."""

from __future__ import annotations

import os
import time
from pathlib import Path

import nbformat
import pytest

from autograder import build as builder
from autograder.exercise import lessons
from tests.build.conftest import LESSON, notebook_path, replaced, text_path


@pytest.fixture
def made(tree: Path) -> Path:
    """A root in which the source notebooks were made."""
    assert len(builder.refresh_sources(tree)) == len(lessons())
    return tree


def later(path: Path) -> None:
    """As if the file had been saved in a minute."""
    os.utime(path, (time.time() + 60,) * 2)


def edited(path: Path, words: str) -> None:
    """Write something into a notebook, as formgrader's author view would."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += words
    nbformat.write(notebook, path)


def test_nothing_to_do_the_second_time(made: Path) -> None:
    """nbgrader loads its configuration at every command: this has to be quick and quiet."""
    assert builder.refresh_sources(made) == []


def test_a_newer_text_makes_a_new_notebook(made: Path) -> None:
    """Only of that lesson."""
    replaced(text_path(made), "## Recap", "## Summary")
    later(text_path(made))
    assert builder.refresh_sources(made) == [notebook_path(made, "build/source")]
    assert "## Summary" in notebook_path(made, "build/source").read_text(encoding="utf-8")
    assert not (made / "build" / "edited").exists()


def test_an_edited_notebook_is_left_alone_while_it_is_newest(made: Path) -> None:
    """Somebody is trying something out."""
    target = notebook_path(made, "build/source")
    edited(target, "trying")
    before = target.read_bytes()
    assert builder.refresh_sources(made) == []
    assert target.read_bytes() == before


def test_edited_notebooks_are_set_aside_each_under_a_name_of_its_own(made: Path, capsys: pytest.CaptureFixture) -> None:
    """Edited twice, replaced twice: both versions are still there."""
    target = notebook_path(made, "build/source")
    for words in ("first words", "second words"):
        edited(target, words)
        later(text_path(made))
        assert builder.refresh_sources(made) == [target]
        assert "had been edited by hand; your version is now" in capsys.readouterr().out
        os.utime(target, (time.time() + 120,) * 2)
        assert words not in target.read_text(encoding="utf-8")
        later(target)
    kept = sorted((made / "build" / "edited").iterdir())
    assert [p.name for p in kept] == [f"{LESSON}-2.ipynb", f"{LESSON}.ipynb"]
    assert "second words" in kept[0].read_text(encoding="utf-8")
    assert "first words" in kept[1].read_text(encoding="utf-8")


def test_what_is_no_notebook_is_set_aside_too(made: Path) -> None:
    """Somebody's file in the wrong place is still somebody's file."""
    target = notebook_path(made, "build/source")
    target.write_text("notes")
    later(text_path(made))
    assert builder.refresh_sources(made) == [target]
    assert (made / "build" / "edited" / f"{LESSON}.ipynb").read_text() == "notes"
