"""One course under attack for the whole suite."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.checks import adopt_orphans
from tests.attacks.target import Target


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The course; temporary files of the grader go into its folder, where none may be left."""
    adopt_orphans()
    folder = tmp_path_factory.mktemp("attacked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_PROGRESS", str(folder / "progress.json"))
        patch.setattr(tempfile, "tempdir", str(own_temporary(folder)))
        made = Target(folder)
        yield made
        made.close()


def own_temporary(folder: Path) -> Path:
    """An empty folder for temporary files."""
    path = folder / "tmp"
    path.mkdir()
    os.environ["TMPDIR"] = str(path)
    return path
