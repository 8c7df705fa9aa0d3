"""`autograder grade` as it is: the command, its workers, the sandbox. Marks are those of `nbgrader autograde`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import sqlalchemy as sa
from nbformat.notebooknode import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.utils import is_grade

from autograder import demo, seeds, worker
from autograder.engine import Engine
from autograder.jobs import Work
from autograder.submission import Graded, grade_submission
from autograder.undisturbed import undisturbed
from tests.bulk.course import LESSON, CourseCopy, copied, version
from tests.grading.classroom import ROOT, fill, slimmed, solved

pytestmark = pytest.mark.slow
FULL = 11.0


def without_checks(notebook: NotebookNode) -> NotebookNode:
    """All locked cells deleted."""
    notebook.cells = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("grade")]
    return notebook


def answered(course: CourseCopy, answers: demo.Answers) -> NotebookNode:
    """The released notebook with answers in it."""
    path = course.folder / "build" / "release" / LESSON / f"{LESSON}.ipynb"
    return fill(slimmed(nbformat.read(path, as_version=4)), answers)


HANDED_IN: dict[str, Callable[[CourseCopy], NotebookNode | bytes]] = {
    **{name: lambda c, make=make: answered(c, make(LESSON, solved(LESSON)))
       for name, make in demo.STUDENTS.items() if name != "finn"},  # endless loops take long, and are tested elsewhere
    "gina": lambda c: without_checks(answered(c, solved(LESSON))),
    "hugo": lambda c: nbformat.writes(answered(c, solved(LESSON))).encode()[:2000],
    "iris": lambda c: b"",
}  # fmt: skip
MARKS = {"ada": FULL, "cleo": 0, "dan": 0, "gina": FULL, "hugo": 0, "iris": 0}


def hand_in(course: CourseCopy) -> None:
    """A class in which something is wrong with almost everybody."""
    for student, make in HANDED_IN.items():
        made = make(course)
        course.submitted(student).mkdir(parents=True)
        data = made if isinstance(made, bytes) else nbformat.writes(made).encode()
        course.path(student, "submitted").write_bytes(data)
    (course.submitted("ada") / "timestamp.txt").write_text("2030-01-02 00:00:00 UTC")


def same_seeds(course: CourseCopy, other: CourseCopy) -> None:
    """Both gradebooks draw the same hidden cases."""
    engine = sa.create_engine(course.url)
    with engine.begin() as connection:
        seeds.metadata.create_all(connection)
        rows = other.query("SELECT assignment, student, content, seed FROM course_seed")
        connection.execute(seeds.table.insert(), [row._asdict() for row in rows])
    engine.dispose()


def said(course: CourseCopy, student: str) -> dict[str, object]:
    """What stands in the graded cells."""
    cells = nbformat.read(course.path(student), as_version=4).cells
    return {c.metadata.nbgrader.grade_id: c.outputs for c in cells if is_grade(c)}


def graded_by_command(course: CourseCopy, *more: str) -> tuple[int, dict]:
    """Run the command; its exit status and its report."""
    report = course.folder / "report.json"
    arguments = ["grade", LESSON, "--folder", str(course.folder), "--gradebook", course.url, "--report", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "autograder", *arguments, *more], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(report.read_text())


def test_a_class_gets_what_nbgrader_autograde_gives(course: CourseCopy, pattern: CourseCopy, tmp_path: Path) -> None:
    """Every grade row and comment, what stands in every graded cell, and feedback pages."""
    other = copied(pattern, tmp_path / "stock")
    for place in (course, other):
        hand_in(place)
    result = NbGraderAPI(config=other.config).autograde(LESSON, "*")
    assert result["success"], result
    same_seeds(course, other)
    status, report = graded_by_command(course)
    assert status == 0, report
    assert report["totals"] == {"graded": len(HANDED_IN), "already": 0, "failed": 0, "left": 0}
    marks = {job["student"]: job["earned"] for job in report["jobs"]}
    assert MARKS.items() <= marks.items()
    assert 0 < marks["ben"] < FULL
    assert course.rows() == other.rows()
    for student in HANDED_IN:
        assert said(course, student) == said(other, student)
        for place in (course, other):
            result = NbGraderAPI(config=place.config).generate_feedback(LESSON, student)
            assert result["success"], result
    assert graded_by_command(course)[1]["totals"]["already"] == len(HANDED_IN)


def work_of(course: CourseCopy, notebook: NotebookNode, files: dict[str, bytes] | None = None) -> Work:
    """What a worker would be sent for this submission."""
    course.submitted("ada").mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, course.path("ada", "submitted"))
    for name, data in (files or {}).items():
        (course.submitted("ada") / name).write_bytes(data)
    run = course.bulk(worker.grade)
    (job,), _ = run._plan(["ada"])
    return run._work(job)


def graded_with(engine: Engine, work: Work, calls: list[int] | None = None) -> Graded:
    """As a worker does it."""

    def grade() -> Graded:
        if calls is not None:
            calls.append(1)
        return grade_submission(work.submission, work.terms.known, work.seed, engine, work.terms.limits)

    return undisturbed(engine, grade)


@pytest.mark.parametrize("which", ["zygote", "its parent"])
def test_a_sandbox_that_is_killed_costs_no_points(sqlite_course: CourseCopy, which: str) -> None:
    """Killed while a cell runs: the student's process dies with it, and the whole submission is graded once more."""
    notebook = answered(sqlite_course, solved(LESSON))
    notebook.cells[0].source += "\nimport time\ntime.sleep(1.5)"
    work = work_of(sqlite_course, notebook)
    with Engine() as engine:
        first = engine.pid

        def kill() -> None:
            children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
            os.kill(int(children[0]) if which == "zygote" else first, signal.SIGKILL)

        timer = threading.Timer(0.7, kill)
        timer.start()
        graded = graded_with(engine, work)
        assert engine.pid != first
    assert sum(earned for earned, _ in graded.marks.values()) == FULL
    assert "ended the Python process" not in str(graded.notebook)


def test_a_submission_that_ends_its_process_is_graded_once(sqlite_course: CourseCopy) -> None:
    """That is the student's own doing: no second try, and the points are lost."""
    calls: list[int] = []
    ended = demo.crashing(LESSON, solved(LESSON))
    with Engine() as engine:
        graded = graded_with(engine, work_of(sqlite_course, answered(sqlite_course, ended)), calls)
    assert calls == [1]
    assert sum(earned for earned, _ in graded.marks.values()) < FULL


def test_files_lie_beside_the_notebook(sqlite_course: CourseCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The student's own, and the instructor's in the place of one of the same name."""
    (sqlite_course.folder / "build" / "source" / LESSON / "data.csv").write_text("the instructor's")
    notebook = answered(sqlite_course, solved(LESSON))
    notebook.cells[0].source += "\nprint(open('data.csv').read(), open('mine.txt').read())"
    files = {"data.csv": b"the student's", "mine.txt": b"own notes"}
    monkeypatch.setattr(worker, "code_version", version)
    finished = worker.grade(work_of(sqlite_course, notebook, files))
    assert "the instructor's own notes" in finished.notebook


def test_a_client_that_is_killed_leaves_no_process_behind(sqlite_course: CourseCopy) -> None:
    """Workers and sandboxes end with it, even if they never hear of it."""
    hand_in(sqlite_course)
    arguments = ["grade", LESSON, "--folder", str(sqlite_course.folder), "--workers", "2"]
    client = subprocess.Popen(
        [sys.executable, "-m", "autograder", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while len(_family(client.pid)) < 6 and time.monotonic() < end:
        time.sleep(0.1)
    family = _family(client.pid)
    assert len(family) >= 6
    client.kill()
    client.wait()
    while (alive := [p for p in family if _runs(p)]) and time.monotonic() < end:
        time.sleep(0.1)
    assert alive == []


def _family(pid: int) -> list[int]:
    """A process's descendants."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(p) for t in tasks for p in (t / "children").read_text().split()]
    except OSError:
        return []
    return [p for child in children for p in [child, *_family(child)]]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
