"""Grade damaged notebooks: damage never crashes the grader, never earns a point, and is always explained."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader.utils import determine_grade, is_grade

from autograder.engine import Engine
from autograder.exercise import definitions
from autograder.limits import Limits
from autograder.steps.restore import KnownCell, known_cells
from autograder.submission import Graded, Submission, grade_submission
from tests.bulk.course import LESSON, CourseCopy, generated
from tests.fuzz import damage
from tests.grading.classroom import fill, slimmed, solved

LIMITS = Limits(cell_seconds=5, case_seconds=3, notebook_seconds=60)
SEED = 20_261_101
HALF = ("ch02.project_qkv", "ch02.row_facts", "ch02.why_scale")  # the exercises that one of the students solved
POINTS = {d.id: d.points for d in definitions(LESSON).values()}


@dataclass
class Tally:
    """What became of the notebooks of one kind of damage."""

    notebooks: int = 0
    unreadable: int = 0
    kept: int = 0
    lost: int = 0
    gained: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def faults(self) -> list[str]:
        """All that must not happen."""
        return self.gained + self.crashed + self.unexplained


class Bench:
    """A lesson and three honest submissions: everything solved, some of it, nothing."""

    def __init__(self, folder: Path, engine: Engine):
        course = generated(folder)
        self.engine = engine
        self.known: dict[str, KnownCell] = known_cells(course.url, LESSON, LESSON)
        answers = solved(LESSON)
        self.honest = {
            "all": _submission(course, answers),
            "some": _submission(course, {i: answers[i] for i in HALF}),
            "nothing": _submission(course, {}),
        }
        self.earned = {name: self._earned(content) for name, content in self.honest.items()}

    def _earned(self, content: bytes) -> dict[str, float]:
        return {name: earned for name, (earned, _) in self.grade(content).marks.items()}

    def grade(self, content: bytes) -> Graded:
        """Grade one file."""
        return grade_submission(Submission("fuzz", LESSON, content, {}), self.known, SEED, self.engine, LIMITS)


def _submission(course: CourseCopy, answers: dict[str, str]) -> bytes:
    path = course.folder / "build" / "release" / LESSON / f"{LESSON}.ipynb"
    notebook = fill(slimmed(nbformat.read(path, as_version=4)), answers)
    return nbformat.writes(notebook).encode()


def run(bench: Bench, count: int, seed: int) -> Iterator[tuple[str, Tally]]:
    """Damage `count` notebooks in all ways in turn; after each, its kind and that kind's tally so far."""
    tallies = {kind: Tally() for kind in damage.kinds()}
    for number in range(count):
        kind = list(tallies)[number % len(tallies)]
        base = list(bench.honest)[(seed + number // len(tallies)) % len(bench.honest)]
        _try(bench, tallies[kind], kind, base, seed + number)
        yield kind, tallies[kind]


def _try(bench: Bench, tally: Tally, kind: str, base: str, seed: int) -> None:
    name = f"{kind} of {base!r}, seed {seed}"
    content = damage.damaged(kind, bench.honest[base], seed)
    tally.notebooks += 1
    try:
        graded = bench.grade(content)
    except Exception as error:  # the one thing that must never happen
        tally.crashed.append(f"{name}: {type(error).__name__}: {error}")
        return
    tally.slowest = max(tally.slowest, graded.seconds)
    tally.unreadable += any("could not be read as a notebook" in note for note in graded.notes)
    earned = {exercise: mark for exercise, (mark, _) in graded.marks.items()}
    tally.gained += [f"{name}: {e} {earned[e]}" for e in earned if earned[e] > bench.earned[base].get(e, 0)]
    tally.kept += earned == bench.earned[base]
    tally.lost += sum(earned.values()) < sum(bench.earned[base].values())
    tally.unexplained += [f"{name}: {problem}" for problem in unexplained(graded)]


def unexplained(graded: Graded) -> list[str]:
    """What is wrong with a graded notebook as nbgrader and the student will read it."""
    nbformat.validate(graded.notebook)
    cells = [c for c in graded.notebook.cells if is_grade(c)]
    names = Counter(c.metadata.nbgrader.grade_id.replace("-", ".", 1) for c in cells)
    problems = [] if names == Counter(POINTS.keys()) else [f"graded cells: {dict(names)}"]
    for cell in cells:
        exercise = cell.metadata.nbgrader.grade_id.replace("-", ".", 1)
        mark, points = determine_grade(cell)
        if (mark, points) != graded.marks.get(exercise):
            problems.append(f"{exercise}: nbgrader reads {mark} of {points}")
        if mark < points and not _words(graded.reasons.get(exercise, "")):
            problems.append(f"{exercise}: no reason")
    return problems


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]{3,}", html.unescape(text).lower())
