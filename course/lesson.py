"""`begin("ch02_scaled_dot_product")`: what the first cell of every lesson does."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from course.checks import sheet
from course.tracking import progress

OLDEST_PYTHON, FIRST_UNSUPPORTED = (3, 11), (3, 14)


class CourseSetupError(RuntimeError):
    """This installation cannot run the lesson; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"Course setup: {self}"]


def begin(lesson: str, edition: str | None = None) -> None:
    """Make ready for a lesson: check the installation, set the plots' style, say how far one has come.

    `edition` is filled in by the build. If the notebook and the installed course are of different editions, a message
    says so and what to do; the lesson goes on.
    """
    _require_python()
    _require_packages()
    try:
        sheets = sheet.load_lesson(lesson)
    except sheet.UnknownExercise as error:
        raise CourseSetupError(f"{error} Is the installed course older than this notebook?") from None
    from course import plots

    plots.use_style()
    done = progress(lesson).rows
    solved = sum(row[3] for row in done)
    print(f"{lesson.partition('_')[0]} {sheets.title}: {solved} of {len(done)} exercises done.")
    if edition is not None and edition != sheets.edition:
        print(_edition_message(edition, sheets.edition))


def _edition_message(notebook: str, installed: str) -> str:
    return (
        f"Note: this notebook is of edition {notebook}, the installed checks are of edition {installed}. Most things "
        "still work, but a check may ask for something else than the text does. To update, keep this file, run "
        "`python -m course start` for a fresh copy beside it, and paste your answers there."
    )


def _require_python() -> None:
    if not OLDEST_PYTHON <= sys.version_info[:2] < FIRST_UNSUPPORTED:
        have = ".".join(map(str, sys.version_info[:2]))
        raise CourseSetupError(
            f"Python {have} is not supported: use 3.11, 3.12 or 3.13 (`make lab PYTHON=python3.12`)."
        )


def _require_packages() -> None:
    for package in ("numpy", "matplotlib", "ipywidgets", "anywidget", "safetensors"):
        if find_spec(package) is None:
            raise CourseSetupError(
                f"the package {package} is missing. Run `make lab`, or `pip install transformer-course`."
            )
