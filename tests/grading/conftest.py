"""One course for all tests of grading: its lessons are generated once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grading.classroom import Classroom

LESSONS = ["ch02_scaled_dot_product", "ch06_decoder"]


@pytest.fixture(scope="session")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """A course of its own for this directory, in which endless loops do not keep us waiting."""
    return Classroom(tmp_path_factory.mktemp("class"), LESSONS, check_seconds=3.0, cell_seconds=4)


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test runs touches the progress of whoever runs it."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
