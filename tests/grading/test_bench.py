"""The benchmark measures what it says: equal scores, ratios of the same submission, CPU of all that was started."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.grading.classroom import ROOT, full_points
from tools.bench.classes import StockCourse, notebook_of, students
from tools.bench.duel import NBGRADER, PLAIN, STOCK, Table
from tools.bench.meter import Cost, metered

LESSON = "ch02_scaled_dot_product"


def test_a_ratio_is_of_the_same_submission() -> None:
    """Not of the two medians, which a slow spell could take from different students."""
    table = Table()
    for student, (stock, ours) in {"a": (2.0, 1.0), "b": (40.0, 10.0), "c": (3.0, 1.0)}.items():
        table.costs[PLAIN, STOCK, LESSON, student] = Cost(stock, 1.0)
        table.costs[PLAIN, NBGRADER, LESSON, student] = Cost(ours, None)
    assert table.ratio(PLAIN, NBGRADER) == 3.0
    assert table.wall(PLAIN, STOCK) == 3.0
    assert table.cpu(PLAIN, STOCK) == 1.0
    assert table.cpu(PLAIN, NBGRADER) is None
    assert table.rate(PLAIN, NBGRADER) == 0.25


def test_a_class_is_mostly_right_and_its_answers_differ() -> None:
    """Its size is what was asked for, and two of ten are only partly right."""
    members = list(students(LESSON, 10))
    assert [s.honest for s in members] == 2 * [True, True, True, True, False]
    assert len({tuple(s.answers.values()) for s in members if s.honest}) >= 4


def test_processes_that_have_ended_are_counted() -> None:
    """As the sandbox's, for which nobody waits; only root can measure this."""
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    orphan = f"import os, sys\nif os.fork() == 0: exec({burn!r})"
    with metered() as meter:
        _, cost = meter.cost(lambda: subprocess.run([sys.executable, "-c", orphan], check=True))
        if cost.cpu is None:
            pytest.skip("no control group can be made here")
        used, ends = cost.cpu, time.monotonic() + 60
        while used < 0.25 and time.monotonic() < ends:  # on a busy machine the orphan takes its time
            used += meter.cost(lambda: time.sleep(0.2))[1].cpu
    assert 0.25 <= used < 1.5


@pytest.mark.slow
def test_stock_nbgrader_gives_the_points_of_its_hidden_tests(tmp_path: Path) -> None:
    """All points for what is right, part of them for what is partly right, none for what is missing."""
    course = StockCourse(tmp_path / "stock", [LESSON])
    found = {}
    for student in (s for i, s in enumerate(students(LESSON, 5)) if i in (0, 4)):
        course.submit(student.name, LESSON, notebook_of(course, student, demonstrations=False))
        found[student.honest] = course.grade(student.name, LESSON).scores
    assert found[True] == full_points(LESSON)
    assert 0 < sum(found[False].values()) < sum(full_points(LESSON).values())
    course.submit("blank", LESSON, course.released(LESSON))
    assert set(course.grade("blank", LESSON).scores.values()) == {0.0}


@pytest.mark.slow
def test_the_command_ends_with_the_ratios() -> None:
    """A small class, the way that CI runs it."""
    command = [sys.executable, "tools/bench_grading.py", "--quick", "--students", "1", "--lessons", LESSON]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert re.fullmatch(r"ratio nbgrader=\d+\.\d\d bulk=\d+\.\d\d", done.stdout.splitlines()[-1])
    assert "| bulk, 2 workers |" in done.stdout
