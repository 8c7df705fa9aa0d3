"""What `autograder grade` tells when it is done: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.jobs import Marks
from autograder.results import Result

Outcome = Literal["graded", "already", "failed", "left"]
OUTCOMES: dict[Outcome, str] = {
    "graded": "graded",
    "already": "graded before",
    "failed": "could not be graded",
    "left": "not reached",
}
SHORT = 100  # characters of a reason in the table


@dataclass(frozen=True)
class Entry:
    """What became of one submission. `problem` says why there is no result."""

    student: str
    outcome: Outcome
    problem: str = ""
    content: str = ""
    marks: Marks = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(cls, result: Result, outcome: Outcome) -> Entry:
        """The entry of a recorded result."""
        return cls(
            result.student, outcome, "", result.content, result.marks, result.reasons, result.notes, result.seconds
        )

    @property
    def earned(self) -> float:
        """Points of all exercises; late penalties and manual scores are the gradebook's business."""
        return sum(earned for earned, _ in self.marks.values())

    @property
    def points(self) -> float:
        """Points that could be earned."""
        return sum(points for _, points in self.marks.values())


@dataclass(frozen=True)
class Report:
    """A whole run."""

    assignment: str
    gradebook: str  # without its password
    grader: str
    seconds: float
    entries: list[Entry]
    stopped: str = ""  # why the run ended early

    @property
    def exit_status(self) -> int:
        """0 if every submission is graded, whatever its marks."""
        return 1 if self.stopped or any(e.outcome in ("failed", "left") for e in self.entries) else 0

    def as_json(self) -> dict[str, Any]:
        """The run as plain data."""
        counts = Counter(e.outcome for e in self.entries)
        return {
            "assignment": self.assignment,
            "gradebook": self.gradebook,
            "grader": self.grader,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "totals": {outcome: counts[outcome] for outcome in OUTCOMES},
            "jobs": [_plain(e) for e in self.entries],
        }

    def write(self, path: Path) -> None:
        """Write the JSON, whole or not at all."""
        draft = path.with_name(f".{path.name}.new")
        draft.write_text(json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(draft, path)

    def show(self) -> None:
        """Print the table, the totals, and the submissions that could not be graded."""
        console = Console(width=None if Console().is_terminal else 160, highlight=False)
        if self.entries:
            console.print(self._table())
        console.print(self._totals())
        for entry in (e for e in self.entries if e.outcome == "failed"):
            console.print(f"not graded: {escape(entry.student)}: {escape(entry.problem)}", soft_wrap=True)
        if self.stopped:
            console.print(escape(self.stopped), soft_wrap=True)

    def _table(self) -> Table:
        table = Table("student", "mark", "seconds", "why points were lost", title=self.assignment)
        for column in (1, 2):
            table.columns[column].justify = "right"
        for e in self.entries:
            mark = f"{e.earned:g} of {e.points:g}" if e.marks else "-"
            seconds = f"{e.seconds:.2f}" if e.outcome == "graded" else OUTCOMES[e.outcome].split()[-1]
            table.add_row(escape(e.student), mark, seconds, escape("\n".join(_told(e))))
        return table

    def _totals(self) -> str:
        counts = Counter(e.outcome for e in self.entries)
        told = ", ".join(f"{counts[outcome]} {text}" for outcome, text in OUTCOMES.items() if counts[outcome])
        marks = [e.earned for e in self.entries if e.marks]
        mean = f"; mean mark {sum(marks) / len(marks):.2f}" if marks else ""
        return f"{len(self.entries)} submissions: {told or 'none'}{mean}; {self.seconds:.1f} s"


def _told(entry: Entry) -> list[str]:
    reasons = [text.lstrip("○◐✗? ") for text in entry.reasons.values()]  # each begins with its exercise's name
    return [textwrap.shorten(text, SHORT) for text in [entry.problem, *entry.notes, *reasons] if text]


def _plain(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {"earned": entry.earned, "points": entry.points, "seconds": round(entry.seconds, 4)}
