"""What `autograder grade` writes into the gradebook is what nbgrader writes, once, in SQLite and in PostgreSQL."""

from __future__ import annotations

import copy
import itertools
from datetime import UTC, datetime

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from autograder import bulk, results
from autograder.configuration import AUTOGRADE
from autograder.record import Recorder
from autograder.seeds import seed_for
from autograder.submission import code_of
from tests.bulk import fake
from tests.bulk.course import LESSON, POINTS, CourseCopy, copied

STAMP, LATER = "2030-01-02 00:00:00 UTC", "2030-01-03 00:00:00 UTC"


def due(course: CourseCopy) -> None:
    """The assignment was due a day before STAMP."""
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate=datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def by_hand(course: CourseCopy, student: str) -> None:
    """An instructor gives points and writes a comment."""
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("ch02-row_facts", LESSON, LESSON, student)
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 0.5, 0.25, False
        comment = gradebook.find_comment("ch02-row_facts-code", LESSON, LESSON, student)
        comment.manual_comment = "seen"
        gradebook.db.commit()


def test_marks_reach_the_gradebook_and_a_second_run_has_nothing_to_do(course: CourseCopy) -> None:
    """Right values, none twice; then everything is graded already, and nothing is written again."""
    for student, share in {"ada": 1.0, "ben": 0.5, "dan": 0.0}.items():
        course.submit(student, share)
    first = course.run()
    assert first["status"] == 0
    assert {s: (j["outcome"], j["earned"]) for s, j in first["jobs"].items()} == {
        "ada": ("graded", 11.0), "ben": ("graded", 5.5), "dan": ("graded", 0.0),
    }  # fmt: skip
    assert course.scores("ben") == {name: points / 2 for name, points in POINTS.items()}
    rows = course.rows()
    assert len(rows["grades"]) == 3 * len(POINTS)
    written = course.path("ada").stat().st_mtime_ns
    assert course.outcomes() == dict.fromkeys(("ada", "ben", "dan"), "already")
    assert course.rows() == rows
    assert course.path("ada").stat().st_mtime_ns == written


def test_everything_is_as_nbgrader_itself_writes_it(course: CourseCopy, sqlite_course: CourseCopy, tmp_path) -> None:
    """The same marks through `nbgrader autograde`, twice, with manual scores, a comment and a late penalty between."""
    other = copied(sqlite_course, tmp_path / "other")
    penalty = "c.LateSubmissionPlugin.penalty_method = 'zero'"
    stock = copy.deepcopy(other.config)
    stock.LateSubmissionPlugin.penalty_method = "zero"
    stock.Autograde.autograde_preprocessors = ["tests.bulk.fake.GradeInNbgrader", *AUTOGRADE[1:]]
    course.configure(penalty)
    for place in (course, other):
        due(place)
        place.submit("ada", 1.0, STAMP)
        place.submit("ben", 0.5)
        place.submit("dan", 0.0, "2029-12-31 00:00:00 UTC")
        (place.submitted("ada") / "data").mkdir()
        (place.submitted("ada") / "data" / "mine.csv").write_text("1,2")
    for force in (False, True):
        course.run(regrade=force)
        for student in ("ada", "ben", "dan"):
            result = NbGraderAPI(config=stock).autograde(LESSON, student, force=force)
            assert result["success"], result
        assert course.rows() == other.rows()
        for place in (course, other):
            by_hand(place, "ada")
    assert [row[2] for row in course.rows()["submissions"]] == [10.75, None, None]  # all that ada has left
    ours, theirs = ([p for p in sorted((c.folder / "autograded").rglob("*")) if p.is_file()] for c in (course, other))
    assert [p.relative_to(course.folder) for p in ours] == [p.relative_to(other.folder) for p in theirs]
    assert [p.stat().st_mode for p in ours] == [p.stat().st_mode for p in theirs]
    assert [p.read_bytes() for p in ours if p.suffix != ".ipynb"] == [
        p.read_bytes() for p in theirs if p.suffix != ".ipynb"
    ]


def test_manual_scores_and_comments_outlive_a_regrade(course: CourseCopy) -> None:
    """As in nbgrader: kept, counted, and marked as to be looked at again."""
    course.submit("ada", 0.0)
    course.run()
    by_hand(course, "ada")
    assert course.outcomes(regrade=True) == {"ada": "graded"}
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("ch02-row_facts", LESSON, LESSON, "ada")
        assert (grade.auto_score, grade.manual_score, grade.extra_credit) == (0.0, 0.5, 0.25)
        assert grade.needs_manual_grade
        assert gradebook.find_submission(LESSON, "ada").score == 0.75
        assert gradebook.find_comment("ch02-row_facts-code", LESSON, LESSON, "ada").manual_comment == "seen"


def test_feedback_can_be_generated(course: CourseCopy) -> None:
    """nbgrader's own command finds everything where it expects it."""
    course.submit("ada", 0.5)
    course.run()
    result = NbGraderAPI(config=course.config).generate_feedback(LESSON, "ada")
    assert result["success"], result
    page = (course.folder / "feedback" / "ada" / LESSON / f"{LESSON}.html").read_text()
    assert "(Score: 5.5 / 11.0)" in page
    assert "ch02.project_qkv: 1" in page


def test_a_new_submission_is_graded_anew_and_an_old_one_that_comes_back_too(course: CourseCopy) -> None:
    """The gradebook holds what was handed in last, whatever was graded before."""
    for share in (0.5, 1.0, 0.5):
        course.submit("ada", share)
        assert course.outcomes() == {"ada": "graded"}
        assert sum(course.scores("ada").values()) == 11 * share
        assert nbformat.read(course.path("ada"), as_version=4).metadata.course.seed
    assert len(course.rows()["grades"]) == len(POINTS)
    assert len(course.query("SELECT * FROM course_result")) == 1


def test_a_later_date_alone_is_a_new_submission(course: CourseCopy) -> None:
    """The same notebook, handed in again: its lateness changes."""
    due(course)
    for stamp in (STAMP, LATER):
        course.submit("ada", 1.0, stamp)
        assert course.outcomes() == {"ada": "graded"}
        with course.gradebook() as gradebook:
            assert str(gradebook.find_submission(LESSON, "ada").timestamp) == stamp.removesuffix(" UTC")


def test_another_version_of_the_grader_grades_anew(sqlite_course: CourseCopy, monkeypatch) -> None:
    """A result of another grader is none of this one's."""
    sqlite_course.submit("ada")
    sqlite_course.run()
    monkeypatch.setattr(bulk, "code_version", lambda lesson: "another")
    monkeypatch.setattr(bulk, "grader_version", lambda *told: "another")
    assert sqlite_course.outcomes() == {"ada": "graded"}
    assert sqlite_course.outcomes() == {"ada": "already"}


def test_a_changed_cell_or_file_of_the_instructors_grades_anew(sqlite_course: CourseCopy) -> None:
    """More points for an exercise, other data beside the notebook: both decide verdicts."""
    sqlite_course.submit("ada")
    assert sqlite_course.outcomes() == {"ada": "graded"}
    sqlite_course.query("UPDATE grade_cells SET max_score = 7 WHERE max_score = 5")
    assert sqlite_course.run()["jobs"]["ada"]["earned"] == 13
    (sqlite_course.folder / "build" / "source" / LESSON / "data.csv").write_text("1,2,3")
    assert sqlite_course.outcomes() == {"ada": "graded"}
    assert (sqlite_course.path("ada").parent / "data.csv").read_text() == "1,2,3"


def test_seeds_are_nbgraders_path_s_own_and_stay(course: CourseCopy) -> None:
    """Drawn once for each code: the same for a regrade, and for `nbgrader autograde`."""
    seeds = []

    def grade(work):
        seeds.append(work.seed)
        return fake.grade(work)

    course.submit("ada")
    for _ in range(2):
        list(course.bulk(grade, regrade=True).entries())
    course.submit("ada", more="# other code")
    list(course.bulk(grade).entries())
    assert seeds[0] == seeds[1] != seeds[2]
    code = "\n\n".join(code_of(nbformat.read(course.path("ada"), as_version=4)))
    assert seed_for(course.url, LESSON, "ada", code) == seeds[2]


@pytest.mark.parametrize("where", ["save", "stage"])
def test_a_failure_in_the_middle_leaves_nothing(course: CourseCopy, monkeypatch, where: str) -> None:
    """Grades, result and file: all of the old version, or all of the new one."""
    course.submit("ada", 0.5)
    course.run()
    rows, text = course.rows(), course.path("ada").read_bytes()
    course.submit("ada", 1.0)

    def broken(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*((results, "save") if where == "save" else ("autograder.publish.Publisher.stage",)), broken)
        assert course.run()["jobs"]["ada"]["outcome"] == "left"
    assert (course.rows(), course.path("ada").read_bytes()) == (rows, text)
    assert course.outcomes() == {"ada": "graded"}
    assert sum(course.scores("ada").values()) == 11


def test_what_was_recorded_but_not_put_in_place_is_finished_without_grading(course: CourseCopy, monkeypatch) -> None:
    """Killed after the commit, before the folder took its place: `nbgrader autograde` would leave this for ever."""
    course.submit("ada", 0.5)
    course.run()
    course.submit("ada", 1.0)
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "_settled", _settled_once(Recorder._settled))
        assert course.run()["jobs"]["ada"]["outcome"] == "left"
    assert sum(course.scores("ada").values()) == 11
    assert "earns 0.5" in course.path("ada").read_text()
    hidden = [p.name for p in course.path("ada").parent.parent.iterdir() if p.name.startswith(".")]
    assert len(hidden) == 1
    assert course.outcomes() == {"ada": "already"}
    assert "earns 1.0" in course.path("ada").read_text()
    assert [p.name for p in course.path("ada").parent.parent.iterdir()] == [LESSON]


def _settled_once(settled):
    calls = []

    def once(self, session, student):
        calls.append(student)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return settled(self, session, student)

    return once


def test_what_was_staged_but_not_recorded_is_thrown_away(course: CourseCopy) -> None:
    """Killed before the commit: the old folder stays, what lies about goes."""
    course.submit("ada", 0.5)
    course.run()
    left = course.path("ada").parent.with_name(f".{LESSON}.new-0123456789abcdef0123456789abcdef")
    left.mkdir()
    (left / f"{LESSON}.ipynb").write_text("half a notebook")
    assert course.outcomes() == {"ada": "already"}
    assert not left.exists()
    assert "earns 0.5" in course.path("ada").read_text()


@pytest.mark.parametrize("harm", ["deleted", "emptied", "changed", "folder deleted"])
def test_a_missing_or_foreign_autograded_notebook_is_made_again(sqlite_course: CourseCopy, harm: str) -> None:
    """Gradebook and autograded notebook always come of one grading."""
    course = sqlite_course
    course.submit("ada")
    course.run()
    path = course.path("ada")
    good = path.read_bytes()
    path.chmod(0o600)
    if harm == "deleted":
        path.unlink()
    elif harm == "folder deleted":
        path.rename(course.folder / "away.ipynb")
        path.parent.rmdir()
    else:
        path.write_text("" if harm == "emptied" else '{"cells": []}')
    assert course.outcomes() == {"ada": "graded"}
    assert path.read_bytes() == good


def test_a_submission_that_was_removed_from_the_gradebook_is_graded_again(course: CourseCopy) -> None:
    """Our row alone is no grade."""
    course.submit("ada")
    course.run()
    with course.gradebook() as gradebook:
        gradebook.remove_submission(LESSON, "ada")
    assert course.rows()["grades"] == []
    assert course.outcomes() == {"ada": "graded"}
    assert sum(course.scores("ada").values()) == 11


def test_a_submission_that_is_replaced_while_it_is_graded_is_graded_as_it_is_then(course: CourseCopy) -> None:
    """A result never lands on a version that it does not belong to."""
    course.submit("ada", 0.5)

    def grade(work):
        finished = fake.grade(work)
        if b"earns 0.5" in work.submission.content:
            course.submit("ada", 1.0)
        return finished

    (entry,) = course.bulk(grade).entries()
    assert (entry.outcome, entry.earned) == ("graded", 11.0)
    assert sum(course.scores("ada").values()) == 11
    assert "earns 1.0" in course.path("ada").read_text()


def test_a_submission_that_changes_all_the_time_is_named(sqlite_course: CourseCopy) -> None:
    """It does not keep the run from ending."""
    course = sqlite_course
    course.submit("ada")
    numbers = itertools.count()

    def grade(work):
        course.submit("ada", more=f"# edit {next(numbers)}")
        return fake.grade(work)

    (entry,) = course.bulk(grade).entries()
    assert entry.outcome == "failed"
    assert "replaced again and again" in entry.problem


def test_a_student_is_only_created_if_the_configuration_allows_it(sqlite_course: CourseCopy) -> None:
    """c.Autograde.create_student = False, as in nbgrader."""
    sqlite_course.configure("c.Autograde.create_student = False")
    sqlite_course.submit("ada")
    job = sqlite_course.run()["jobs"]["ada"]
    assert job["outcome"] == "failed"
    assert "No such student: ada" in job["problem"]
    with Gradebook(sqlite_course.url) as gradebook:
        gradebook.add_student("ada")
    assert sqlite_course.outcomes() == {"ada": "graded"}
