"""Every submission graded in every way, in turn, with the time of each and equal scores."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from autograder import worker
from autograder.jobs import Finished
from autograder.steps.grade import engine
from autograder.submission import Submission
from tests.grading.classroom import Classroom, Graded, full_points
from tools.bench.classes import StockCourse, Student, notebook_of, students
from tools.bench.fleet import Fleet, WarmRun, grade_everything, nothing_left_out
from tools.bench.meter import Cost, Meter

BLOCK = 10  # what a run begins and ends with is shared by hundreds in a class
PLAIN, LEAN, FULL = "as handed in", "without demonstrations", "demonstrations run by both"
VARIANTS = (PLAIN, LEAN, FULL)
STOCK, NBGRADER = "stock", "nbgrader"


def bulk_name(workers: int) -> str:
    """What grading with so many workers is called."""
    return f"bulk, {workers} worker{'s' if workers > 1 else ''}"


@dataclass
class Table:
    """What was measured: (variant, way of grading, lesson, student) -> cost of one submission."""

    costs: dict[tuple[str, str, str, str], Cost] = field(default_factory=dict)

    def of(self, variant: str, way: str, lesson: str | None = None) -> dict[tuple[str, str], Cost]:
        """(lesson, student) -> cost, in one variant and way."""
        found = {(le, s): c for (v, w, le, s), c in self.costs.items() if (v, w) == (variant, way)}
        return {key: c for key, c in found.items() if lesson in (None, key[0])}

    def ratio(self, variant: str, way: str, lesson: str | None = None) -> float:
        """Median over submissions of stock's wall time for one, divided by this way's for the same."""
        stock = self.of(variant, STOCK)
        return median(stock[key].wall / cost.wall for key, cost in self.of(variant, way, lesson).items())

    def wall(self, variant: str, way: str, lesson: str | None = None) -> float:
        """Median seconds."""
        return median(c.wall for c in self.of(variant, way, lesson).values())

    def cpu(self, variant: str, way: str, lesson: str | None = None) -> float | None:
        """Mean seconds: a block's time is known as a whole. None where it cannot be measured."""
        costs = [c.cpu for c in self.of(variant, way, lesson).values()]
        return None if None in costs else mean(costs)

    def rate(self, variant: str, way: str) -> float:
        """Submissions in a second."""
        costs = self.of(variant, way).values()
        return len(costs) / sum(c.wall for c in costs)


class Duel:
    """The course of stock nbgrader, ours, and the clusters."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack, meter: Meter, lessons: list[str], workers: list[int]):
        self.meter, self.table, self.lessons = meter, Table(), lessons
        self.different: list[str] = []  # exercises of partly right work whose scores differ
        self.stock, self.ours = (kind(folder / kind.__name__, lessons) for kind in (StockCourse, Classroom))
        started = time.perf_counter()
        engine(False).start()
        self.zygote_seconds = time.perf_counter() - started
        self.fleets = [Fleet(stack, count) for count in workers]

    @property
    def ways(self) -> list[str]:
        """The ways of grading."""
        return [STOCK, NBGRADER, *(bulk_name(f.workers) for f in self.fleets)]

    def warm_up(self) -> dict[str, Finished]:
        """Grade a submission of each lesson in every way, and on every worker: lesson -> a worker's result."""
        found = {}
        for lesson in self.lessons:
            student = next(students(lesson, 1))
            for course in (self.stock, self.ours):
                course.submit("warm", lesson, notebook_of(course, student))
                graded = course.grade("warm", lesson)
                _require(graded.scores == full_points(lesson), f"{lesson}: {graded.scores}\n{graded.log}")
            content = self.ours.submitted("warm", lesson).read_bytes()
            for fleet in self.fleets:
                terms = WarmRun(fleet.client, self.ours.folder, lesson, ["warm"], worker.grade).terms
                (found[lesson], *_) = fleet.warm(Submission("warm", lesson, content, {}), terms).values()
        return found

    def grade(self, count: int, variants: tuple[str, ...]) -> Iterator[int]:
        """Grade a class of this size in every lesson; how many submissions are done, as they are."""
        for lesson in self.lessons:
            members = list(students(lesson, count))
            for start in range(0, count, BLOCK):
                for variant in variants:
                    self._block(members[start : start + BLOCK], variant)
                    yield len(members[start : start + BLOCK])

    def _block(self, block: list[Student], variant: str) -> None:
        for i, student in enumerate(block):
            order = [self._stock, self._nbgrader]
            for way in order if i % 2 else reversed(order):
                way(student, variant)
        for fleet in self.fleets:
            self._bulk(fleet, block, variant)
        for student in block:
            self._compare(student, variant)

    def _stock(self, student: Student, variant: str) -> None:
        if variant == FULL:  # as always: stock leaves nothing out
            cost = self.table.costs[PLAIN, STOCK, student.lesson, student.name]
            self.table.costs[FULL, STOCK, student.lesson, student.name] = cost
        else:
            self._autograde(self.stock, STOCK, student, variant)

    def _nbgrader(self, student: Student, variant: str) -> None:
        with nothing_left_out() if variant == FULL else contextlib.nullcontext():
            self._autograde(self.ours, NBGRADER, student, variant)

    def _autograde(self, course: Classroom, way: str, student: Student, variant: str) -> None:
        account = self._hand_in(course, way, student, variant)
        graded, cost = self.meter.cost(lambda: course.grade(account, student.lesson))
        _require(graded.success, f"{way} did not grade {account}:\n{graded.log}")
        self.table.costs[variant, way, student.lesson, student.name] = cost

    def _bulk(self, fleet: Fleet, block: list[Student], variant: str) -> None:
        way, lesson = bulk_name(fleet.workers), block[0].lesson
        accounts = [self._hand_in(self.ours, way, s, variant) for s in block]
        grade = grade_everything if variant == FULL else worker.grade
        cost = fleet.grade(self.meter, self.ours.folder, lesson, accounts, grade)
        for student in block:
            share = Cost(cost.wall / len(block), None if cost.cpu is None else cost.cpu / len(block))
            self.table.costs[variant, way, lesson, student.name] = share

    def _hand_in(self, course: Classroom, way: str, student: Student, variant: str) -> str:
        account = _account(student, way, variant)
        course.submit(account, student.lesson, notebook_of(course, student, variant != LEAN))
        return account

    def _compare(self, student: Student, variant: str) -> None:
        """Honest work gets the same scores in every way: all points."""
        scores = {way: self._scores(student, way, variant) for way in self.ways}
        if student.honest:
            right = all(s == full_points(student.lesson) for s in scores.values())
            _require(right, f"{student.lesson}, {student.name}: unequal scores on honest work:\n{scores}")
        elif variant == PLAIN:
            for name in full_points(student.lesson):
                if len({s[name] for s in scores.values()}) > 1:
                    points = ", ".join(f"{way}: {s[name]:g}" for way, s in scores.items())
                    self.different.append(f"{student.name}, {name}: {points}")

    def _scores(self, student: Student, way: str, variant: str) -> dict[str, float | None]:
        course = self.stock if way == STOCK else self.ours
        if (way, variant) == (STOCK, FULL):
            variant = PLAIN
        return Graded(course, _account(student, way, variant), student.lesson, True, "").scores


def _account(student: Student, way: str, variant: str) -> str:
    """The name under which a submission is graded: each way and variant has its own."""
    return "-".join([student.name, *way.replace(",", "").split(), *variant.split()])


def _require(right: bool, message: str) -> None:
    if not right:
        raise RuntimeError(message)
