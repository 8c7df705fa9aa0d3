"""One course for all lessons, through the real nbgrader; a new lesson is under test as soon as it has exercises."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.exercise import lessons
from course.lab.training import FEWER
from tests.grading.classroom import Classroom


@pytest.fixture(scope="session")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """A course with every lesson."""
    return Classroom(tmp_path_factory.mktemp("lessons"), lessons())


@pytest.fixture(params=lessons())
def lesson(request: pytest.FixtureRequest) -> str:
    """Each lesson in turn."""
    return request.param


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test runs touches the progress of whoever runs it."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture(autouse=True)
def short_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laboratory's lessons train a few steps only; that they would train as recorded, their authorities prove."""
    monkeypatch.setenv(FEWER, "8")
