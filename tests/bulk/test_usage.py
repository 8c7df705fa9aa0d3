"""`autograder grade` says what is wrong and what to do, and never grades half of what it cannot grade."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder import __main__ as command
from autograder import bulk, database
from autograder.coursefolder import UsageError
from autograder.engine import EngineError, IsolationError
from autograder.exercise import lessons
from tests.bulk import fake
from tests.bulk.course import LESSON, POINTS, CourseCopy, Serial


def refused(course: CourseCopy, assignment: str = LESSON, **options) -> str:
    """The message of a run that cannot begin."""
    named = {"gradebook": course.url, "folder": course.folder} | options
    with pytest.raises(UsageError) as error:
        bulk.Bulk(bulk.Options(assignment, **named), fake.grade)
    return str(error.value)


def test_an_unknown_assignment_is_told_with_those_that_exist(sqlite_course: CourseCopy) -> None:
    """Of the gradebook, and of this repository."""
    said = refused(sqlite_course, "ch02")
    assert "There is no assignment 'ch02': the gradebook has ch02_scaled_dot_product." in said
    assert f"Lessons: {', '.join(lessons())}." in said


def test_an_assignment_that_was_never_generated(sqlite_course: CourseCopy) -> None:
    """Its command is named."""
    said = refused(sqlite_course, "ch06_decoder")
    assert said == "ch06_decoder was never generated: run `nbgrader generate_assignment ch06_decoder`."


def test_an_assignment_of_another_kind_is_left_to_nbgrader(sqlite_course: CourseCopy) -> None:
    """Not of this course, or of several notebooks."""
    with sqlite_course.gradebook() as gradebook:
        gradebook.add_assignment("homework")
        gradebook.add_notebook("part1", "homework")
        gradebook.add_notebook("part2", "homework")
    assert "Grade it with `nbgrader autograde`." in refused(sqlite_course, "homework")


def test_no_submissions_and_unknown_students(sqlite_course: CourseCopy) -> None:
    """With the place that was looked at, and the nearest names."""
    said = refused(sqlite_course)
    assert said.startswith("There are no submissions: no folder ")
    assert said.endswith(f"/submitted/*/{LESSON}. Run `nbgrader collect {LESSON}`.")
    for student in ("ada", "adam", "ben"):
        sqlite_course.submit(student)
    said = refused(sqlite_course, students=["ben", "addam"])
    assert said == f"'addam' has no submission of {LESSON} (of 3 students). Did you mean adam or ada?"


def test_only_the_students_that_were_named_are_graded(sqlite_course: CourseCopy) -> None:
    """The others are not even looked at."""
    for student in ("ada", "ben", "cleo"):
        sqlite_course.submit(student)
    assert sqlite_course.outcomes(students=["ada", "cleo"]) == {"ada": "graded", "cleo": "graded"}
    assert sqlite_course.scores("ben") == {}


def test_excluded_students_are_left_out(sqlite_course: CourseCopy) -> None:
    """c.CourseDirectory.student_id_exclude, as in nbgrader."""
    sqlite_course.configure("c.CourseDirectory.student_id_exclude = 'ben'")
    for student in ("ada", "ben"):
        sqlite_course.submit(student)
    assert sqlite_course.outcomes() == {"ada": "graded"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////nowhere/gradebook.db", "There is no gradebook /nowhere/gradebook.db. Run `nbgrader generate_"),
        ("postgresql+psycopg://me:secret@localhost:1/x", "The gradebook postgresql+psycopg://me:***@localhost:1/x"),
        ("nonsense://x", "cannot be used"),
        (
            "mysql+pymysql://me:secret@localhost/x",
            "mysql+pymysql://***@localhost/x cannot be used",
        ),
        ("oracle://x", "cannot be used"),
    ],
)
def test_a_gradebook_that_is_not_there(sqlite_course: CourseCopy, url: str, words: str) -> None:
    """Told without its password, and none is made."""
    sqlite_course.submit("ada")
    said = refused(sqlite_course, gradebook=url)
    assert words in said
    assert "secret" not in said


def test_an_empty_database_is_no_gradebook(sqlite_course: CourseCopy) -> None:
    """As a path that SQLite would take for a new one."""
    empty = sqlite_course.folder / "empty.db"
    empty.touch()
    assert "was never generated" in refused(sqlite_course, gradebook=f"sqlite:///{empty}")
    assert CourseCopy(sqlite_course.folder, f"sqlite:///{empty}").query("SELECT * FROM sqlite_master") == []


def test_the_configuration_is_loaded_as_nbgrader_does(sqlite_course: CourseCopy) -> None:
    """Its gradebook, its folders; a broken one is told."""
    course = sqlite_course
    (course.folder / "gradebook.db").rename(course.folder / "grades.sqlite")
    course.configure("c.CourseDirectory.db_url = 'sqlite:///grades.sqlite'",
                     "c.CourseDirectory.submitted_directory = 'handed_in'")  # fmt: skip
    course.submit("ada")
    (course.folder / "submitted").rename(course.folder / "handed_in")
    before = Path.cwd()
    run = Serial(bulk.Options(LESSON, course.folder), fake.grade)
    assert [e.outcome for e in run.entries()] == ["graded"]
    assert Path.cwd() == before
    course.configure("c.CourseDirectory.db_url = 1 / 0")
    said = refused(course, gradebook=None)
    assert "nbgrader_config.py cannot be loaded: ZeroDivisionError: division by zero" in said


def test_steps_that_would_record_in_another_way_are_refused(sqlite_course: CourseCopy) -> None:
    """A step that only changes the notebook is run."""
    course = sqlite_course
    course.submit("ada")
    own = "c.Autograde.autograde_preprocessors = {}"
    steps = ["autograder.steps.grade.GradeSubmission", "nbgrader.preprocessors.SaveAutoGrades",
             "nbgrader.preprocessors.AssignLatePenalties"]  # fmt: skip
    course.configure(own.format(["nbgrader.preprocessors.Execute", *steps[1:]]))
    assert "Autograde.autograde_preprocessors" in refused(course)
    course.configure(own.format([*steps[:1], "nbgrader.preprocessors.LimitOutput", *steps[1:]]),
                     "c.LimitOutput.max_lines = 3", "c.CourseDirectory.course_id = 'secret'")  # fmt: skip
    run = course.bulk()
    assert run.terms.steps == ["nbgrader.preprocessors.LimitOutput"]
    assert run.terms.settings == {"LimitOutput": {"max_lines": 3}}


def test_bad_submissions_are_named_and_the_others_graded(course: CourseCopy) -> None:
    """Exit status 1, and each with its reason; what is only unreadable gets its mark of 0."""
    for student in ("ada", "bob", "cleo", "dan", "eve", "finn"):
        course.submit(student)
    course.path("bob", "submitted").rename(course.submitted("bob") / "mine.ipynb")
    course.path("cleo", "submitted").write_bytes(b"no notebook")
    course.path("dan", "submitted").unlink()
    course.path("dan", "submitted").symlink_to(course.path("ada", "submitted"))
    (course.submitted("eve") / "timestamp.txt").write_text("yesterday, I think")
    os.mkfifo(course.submitted("finn") / "pipe")
    report = course.run()
    assert report["status"] == 1
    assert report["totals"] == {"graded": 5, "already": 0, "failed": 1, "left": 0}
    jobs = report["jobs"]
    assert "(there is mine.ipynb); rename it" in jobs["bob"]["problem"]
    assert "timestamp.txt held no date and was set aside" in jobs["eve"]["notes"][0]
    assert (course.submitted("eve") / "timestamp.txt").read_text() == "yesterday, I think"
    assert {s: jobs[s]["earned"] for s in ("ada", "cleo", "dan", "eve", "finn")} == {
        "ada": 11.0, "cleo": 0.0, "dan": 0.0, "eve": 11.0, "finn": 11.0,
    }  # fmt: skip
    assert jobs["dan"]["notes"] == [f"the notebook {LESSON}.ipynb is a link and was not read"]
    assert jobs["finn"]["notes"] == ["pipe is a pipe and was not read"]
    assert course.run()["totals"] == {"graded": 0, "already": 5, "failed": 1, "left": 0}


def test_a_mistake_of_ours_is_a_failure_of_that_job(sqlite_course: CourseCopy) -> None:
    """It is named, and nothing is recorded for it."""
    sqlite_course.submit("ada")
    (entry,) = sqlite_course.bulk(fake.no_grade).entries()
    assert (entry.outcome, entry.problem) == ("failed", "ZeroDivisionError: a mistake in the grader")
    assert sqlite_course.rows()["grades"] == []


def raising(error: Exception) -> Callable:
    """A grader that can do nothing."""

    def grade(work: object) -> None:
        raise error

    return grade


def test_a_machine_without_a_sandbox_grades_nobody(sqlite_course: CourseCopy) -> None:
    """The engine's own message, before anything else is tried."""
    for student in ("ada", "ben"):
        sqlite_course.submit(student)
    with pytest.raises(UsageError, match="no user namespaces here"):
        list(sqlite_course.bulk(raising(IsolationError("no user namespaces here"))).entries())


def test_a_sandbox_that_does_not_start_ends_the_run(sqlite_course: CourseCopy, monkeypatch, capsys) -> None:
    """After three in a row; what was not reached is named as left, and the next run does it."""
    for i in range(9):
        sqlite_course.submit(f"s{i}")
    with monkeypatch.context() as patched:
        patched.setattr(fake, "grade", raising(EngineError("The sandbox did not start.")))
        status = bulk.run(sqlite_course.bulk(fake.grade), sqlite_course.folder / "r.json")
    report = json.loads((sqlite_course.folder / "r.json").read_text())
    assert status == 1
    assert report["totals"] == {"graded": 0, "already": 0, "failed": 2, "left": 7}
    assert report["stopped"] == f"The sandbox did not start. {bulk.AGAIN}"
    assert "7 not reached" in capsys.readouterr().out
    assert set(sqlite_course.outcomes().values()) == {"graded"}


def test_a_gradebook_that_stays_away_ends_the_run(sqlite_course: CourseCopy, monkeypatch) -> None:
    """Somebody holds its lock: told after some patience, and the next run goes on."""
    for student in ("ada", "ben"):
        sqlite_course.submit(student)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    run = sqlite_course.bulk()
    monkeypatch.setattr(database.patiently, "__defaults__", (0.2,))
    with sqlite3.connect(sqlite_course.folder / "gradebook.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(bulk.Stopped, match="The gradebook stays away \\(database is locked\\)"):
            list(run.entries())
        other.rollback()
    assert set(sqlite_course.outcomes().values()) == {"graded"}


def test_the_report(sqlite_course: CourseCopy) -> None:
    """Everything about a job, as JSON, for the first run and for the next."""
    sqlite_course.submit("ada", 0.5)
    reports = [sqlite_course.run() for _ in range(2)]
    for report, outcome, seconds in zip(reports, ("graded", "already"), (0.125, 0.125), strict=True):
        assert report["assignment"] == LESSON
        assert report["gradebook"].endswith("/gradebook.db")
        assert len(report["grader"]) == 64
        job = report["jobs"]["ada"]
        assert job.pop("content") == sqlite_course.bulk()._read(sqlite_course.submitted("ada")).version
        assert job == {
            "student": "ada", "outcome": outcome, "problem": "", "seconds": seconds, "earned": 5.5, "points": 11.0,
            "marks": {name: [points / 2, points] for name, points in POINTS.items()},
            "reasons": {name: f"{name} is wrong" for name in POINTS}, "notes": [],
        }  # fmt: skip


def test_the_table(sqlite_course: CourseCopy, capsys: pytest.CaptureFixture) -> None:
    """Marks, reasons, totals; a name or a reason is not taken for markup."""
    sqlite_course.submit("[red]ada", 0.5)
    (sqlite_course.folder / "submitted" / "bob" / LESSON).mkdir(parents=True)
    sqlite_course.run()
    said = capsys.readouterr().out
    assert "[red]ada" in said
    assert "5.5 of 11" in said
    assert "ch02.row_facts is wrong" in said
    assert "2 submissions: 1 graded, 1 could not be graded; mean mark 5.50;" in said
    assert "not graded: bob: no notebook" in said


def test_the_command_s_exit_status(sqlite_course: CourseCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    """0, 1 and 2, with the options as they are typed."""
    course = sqlite_course
    monkeypatch.setattr(bulk, "Bulk", lambda options: Serial(options, fake.grade))
    for student in ("ada", "ben", "cleo"):
        course.submit(student)
    report = course.folder / "r.json"
    arguments = ["grade", LESSON, "--folder", str(course.folder), "--report", str(report)]

    def exit_status(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(command.app, [*arguments, *more])
        return done.exit_code, done.stderr

    assert exit_status("--students", "ada, ben")[0] == 0
    assert [job["student"] for job in json.loads(report.read_text())["jobs"]] == ["ada", "ben"]
    assert exit_status("--gradebook", course.url, "--regrade")[0] == 0
    assert exit_status("--students", "nobody") == (
        2,
        f"error: 'nobody' has no submission of {LESSON} (of 3 students).\n",
    )
    assert exit_status("--workers", "0")[0] == 2
    course.path("ada", "submitted").unlink()
    assert exit_status()[0] == 1
