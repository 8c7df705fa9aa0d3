"""Progress: which exercises passed their visible checks, kept in a small file of the user's.

The file is only a convenience for the student. Marks come from grading, never from here.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from course.checks import sheet
from course.checks.judge import Verdict
from course.checks.report import points_text


def path() -> Path:
    """Where progress is kept: `$COURSE_PROGRESS`, else the user's data directory."""
    given = os.environ.get("COURSE_PROGRESS")
    return Path(given) if given else user_data_path("transformer-course") / "progress.json"


def record(verdict: Verdict) -> None:
    """Remember a verdict; a later failure never takes away what once passed. Does nothing while grading."""
    if os.environ.get("NBGRADER_EXECUTION"):
        return
    entries = read()
    best = max(verdict.earned, entries.get(verdict.id, {}).get("points", 0.0))
    entries[verdict.id] = {"points": best, "now": verdict.earned}
    with contextlib.suppress(OSError):  # a full disk or a read-only home must not turn a right answer into an error
        _write(entries)


def read() -> dict[str, dict[str, Any]]:
    """What is remembered: exercise id -> {"points": best, "now": latest}. Whatever is damaged counts as not there."""
    try:
        entries = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {k: v for k, v in entries.items() if _is_entry(v)} if isinstance(entries, dict) else {}


def _is_entry(value: Any) -> bool:
    points = value.get("points") if isinstance(value, dict) else None
    return type(points) in (int, float) and math.isfinite(points)


def _write(entries: dict[str, Any]) -> None:
    path().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path().parent, delete=False, encoding="utf-8") as file:
        json.dump(entries, file, indent=1, sort_keys=True)
    try:
        os.replace(file.name, path())  # another notebook may be writing too: all or nothing
    except OSError:
        os.unlink(file.name)
        raise


def progress(lesson: str | None = None) -> Progress:
    """Exercises and points, by lesson; of one lesson if it is named (`progress("ch06_decoder")`)."""
    names = sheet.lessons()
    if lesson is not None:
        names = [n for n in names if n == lesson or n.partition("_")[0] == lesson]
        if not names:
            raise sheet.UnknownExercise(f"There is no lesson {lesson!r}. Lessons: {', '.join(sheet.lessons())}.")
    return Progress(names)


class Progress:
    """A table of the lessons with what was earned in each; a single lesson is shown exercise by exercise."""

    def __init__(self, names: list[str]):
        entries = read()
        self.of = "exercise" if len(names) == 1 else "lesson"
        self.rows = [row for name in names for row in self._rows(name, entries, detailed=len(names) == 1)]

    @staticmethod
    def _rows(name: str, entries: dict[str, Any], detailed: bool) -> list[tuple[str, float, float, int, int]]:
        lesson = sheet.load_lesson(name)
        earned = {s.id: min(s.points, entries.get(s.id, {}).get("points", 0.0)) for s in lesson.sheets.values()}
        if detailed:
            return [(s.id, earned[s.id], s.points, int(earned[s.id] == s.points), 1) for s in lesson.sheets.values()]
        done = sum(earned[s.id] == s.points for s in lesson.sheets.values())
        title = f"{name.partition('_')[0]} {lesson.title}"
        return [(title, sum(earned.values()), lesson.points, done, len(lesson.sheets))]

    def __repr__(self) -> str:
        width = max((len(r[0]) for r in self.rows), default=0)
        return "\n".join(
            f"{name:<{width}}  {done:>2} of {of:<2} done  {got:g} of {points_text(points)}"
            for name, got, points, done, of in self.rows
        )

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th><td>{done} of {of}</td>'
            f'<td><progress max="{points:g}" value="{got:g}" aria-label="{escape(name)}"></progress></td>'
            f"<td>{got:g} of {points_text(points)}</td></tr>"
            for name, got, points, done, of in self.rows
        )
        head = f"<tr><th>{self.of}</th><th>done</th><th></th><th>points</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{cells}</tbody></table>"
