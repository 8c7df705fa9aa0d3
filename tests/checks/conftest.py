"""The toy lesson as golden data, alone in a folder of its own, and progress kept beside it."""

from __future__ import annotations

import pytest

from course.checks import sheet
from tests.checks import ch99_toys as toys


@pytest.fixture
def toy_lesson(tmp_path, monkeypatch):
    """Install the toy lesson as the only one; returns the folder that holds its golden data."""
    folder = tmp_path / "golden"
    folder.mkdir()
    monkeypatch.setattr(sheet, "FOLDER", folder)
    definitions = [toys.row_means, toys.Counter, toys.Affine, toys.one_answer, toys.two_answers]
    golden = sheet.dump("ch99_toys", toys.TITLE, [d.visible_sheet() for d in definitions])
    sheet.path_of("ch99_toys").write_bytes(golden)
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return folder
