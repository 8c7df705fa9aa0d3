"""The jobs of `autograder grade`: what there is to grade, and what of it is left.

A job is one submission in one version. What is left is asked of the gradebook and of autograded/, so a run that was
killed is simply started again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.limits import Limits
from autograder.steps.restore import KnownCell
from autograder.submission import Submission

Marks = dict[str, tuple[float, float]]  # exercise id -> (earned, points)


@dataclass(frozen=True)
class Work:
    """Everything that grading one submission takes: what a worker is sent."""

    submission: Submission
    seed: int
    terms: Terms


@dataclass(frozen=True)
class Terms:
    """On what terms all submissions of a run are graded."""

    known: dict[str, KnownCell]  # what the gradebook knows of the notebook's cells
    limits: Limits
    code: str  # version of the client's grading code
    steps: list[str]  # what comes after grading, by name: these steps only change the notebook
    settings: dict[str, Any]  # their configuration
    allow_weaker_isolation: bool = False


@dataclass(frozen=True)
class Finished:
    """What a worker gives back: the autograded notebook as text, and what stands in it."""

    notebook: str
    marks: Marks
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Job:
    """A submission of which this version is to be graded."""

    student: str
    folder: Path
    content: str  # version of the submission
    seed: int
