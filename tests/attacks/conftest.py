"""One course under attack for the whole suite."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

from tests.attacks.checks import adopt_orphans
from tests.attacks.target import Target


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The course; temporary files of the grader go into its folder, where none may be left."""
    adopt_orphans()
    folder = tmp_path_factory.mktemp("attacked")
    temporary = folder / "tmp"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:  # undone for the tests of other packages, which share this process
        patch.setenv("COURSE_PROGRESS", str(folder / "progress.json"))
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", str(temporary))
        made = Target(folder)
        yield made
        made.close()
    adopt_orphans(False)
