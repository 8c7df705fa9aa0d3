"""nbgrader's configuration for this course, as a function so that tests, the build and the demo use the very same."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from autograder import harmless

COURSE_ID = "transformers"
GENERATE = [
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.LockCells",
    "autograder.steps.release.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
    "autograder.steps.release.Stamp",
]
# Restore makes all metadata anew from the gradebook: there is nothing left for nbgrader's OverwriteKernelspec,
# OverwriteCells and CheckCellMetadata to mend, and they took as long as a third of grading.
SANITIZE = ["autograder.steps.restore.Restore"]
AUTOGRADE = [
    "autograder.steps.grade.GradeSubmission",
    "nbgrader.preprocessors.IgnorePattern",
    "nbgrader.preprocessors.LimitOutput",
    "autograder.steps.record.RecordGrades",
]


def course_config(root: Path, exchange: Path | None = None) -> Config:
    """The configuration of a course that lives in `root`. `exchange` defaults to `root/exchange`.

    nbgrader works in `build/source` and `build/release`: it may empty those folders, and nobody works in them.
    """
    _put_own_tools_on_path()
    # nbgrader 0.9.6 relies on an old habit of SQLAlchemy's, which is harmless and warned of at every grade.
    warnings.filterwarnings("ignore", "Object of type .* not in session", category=SAWarning)
    c = Config()
    c.CourseDirectory.course_id = COURSE_ID
    c.CourseDirectory.root = str(root)
    c.CourseDirectory.source_directory = str(Path("build") / "source")
    c.CourseDirectory.release_directory = str(Path("build") / "release")
    c.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    c.Exchange.root = str(exchange or root / "exchange")
    c.GenerateAssignment.preprocessors = GENERATE
    c.Autograde.sanitize_preprocessors = SANITIZE
    c.Autograde.autograde_preprocessors = AUTOGRADE
    c.Autograde.pre_convert_hook = "autograder.submitted.make_safe"
    c.Autograde.exporter_class = "autograder.steps.restore.SubmissionExporter"
    c.SubmissionExporter.optimistic_validation = True  # the schema is checked after the last step, not after each
    c.HTMLExporter.filters = harmless.FILTERS  # of feedback pages and formgrader's
    c.ClearSolutions.code_stub = {"python": "# Your code here.\nraise NotImplementedError"}
    return c


def _put_own_tools_on_path() -> None:
    """nbgrader starts `alembic` by name, and does not find it when the environment is used without being activated."""
    tools = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if tools not in folders:
        os.environ["PATH"] = os.pathsep.join([tools, *folders])
