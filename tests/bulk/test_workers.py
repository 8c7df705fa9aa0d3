"""Jobs on Dask workers that die, schedulers that are gone, clients that are killed or that work at the same time."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from nbgrader.api import Gradebook

from autograder import bulk, fanout
from autograder.coursefolder import UsageError
from tests.bulk import fake, postgres
from tests.bulk.course import LESSON, POINTS, CourseCopy
from tests.grading.classroom import ROOT

CLASS = {f"s{i:02d}": i / 10 for i in range(10)}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def hand_in(course: CourseCopy) -> None:
    """Ten submissions, each with another mark."""
    for student, share in CLASS.items():
        course.submit(student, share)


def require_right(course: CourseCopy) -> None:
    """Each submission has one set of grades, the right one, and an autograded notebook of the same grading."""
    grades = course.rows()["grades"]
    assert len(grades) == len(CLASS) * len(POINTS)
    assert {s: round(sum(course.scores(s).values()), 6) for s in CLASS} == {
        s: round(11 * x, 6) for s, x in CLASS.items()
    }
    assert all(f"earns {share}" in course.path(student).read_text() for student, share in CLASS.items())
    assert course.outcomes() == dict.fromkeys(CLASS, "already")


def on_workers(course: CourseCopy, grade=fake.grade_or_break, **options) -> bulk.Bulk:
    """A run on two workers."""
    return course.bulk(grade, bulk.Bulk, **{"workers": 2} | options)


def marker(course: CourseCopy, deaths: int) -> str:
    """A line that makes a submission kill its worker so many times."""
    path = course.folder / "deaths"
    path.write_text(str(deaths))
    return f"# marker {path}"


@pytest.mark.slow
def test_a_class_on_two_workers(course: CourseCopy) -> None:
    """Through a cluster of this machine's own."""
    hand_in(course)
    assert sorted(e.student for e in on_workers(course).entries()) == sorted(CLASS)
    require_right(course)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_its_job_done_once(course: CourseCopy) -> None:
    """Twice the same job loses its worker; the third time it is graded."""
    hand_in(course)
    course.submit("s05", 0.5, more=marker(course, 2))
    entries = list(on_workers(course).entries())
    assert {e.student: e.outcome for e in entries} == dict.fromkeys(CLASS, "graded")
    assert (course.folder / "deaths").read_text() == "0"
    require_right(course)


@pytest.mark.slow
def test_a_job_that_kills_every_worker_is_given_up_and_no_other_with_it(sqlite_course: CourseCopy) -> None:
    """Three workers are enough; jobs that only waited behind it are graded."""
    hand_in(sqlite_course)
    sqlite_course.submit("s05", 0.5, more=marker(sqlite_course, 100))
    entries = {e.student: e for e in on_workers(sqlite_course).entries()}
    assert entries.pop("s05").problem == "3 workers died while they graded this; see their machine's log"
    assert (sqlite_course.folder / "deaths").read_text() == str(100 - fanout.MAX_LOSSES)
    assert {e.outcome for e in entries.values()} == {"graded"}
    assert len(sqlite_course.rows()["grades"]) == 9 * len(POINTS)
    (sqlite_course.folder / "deaths").write_text("0")
    assert list(on_workers(sqlite_course).entries())[-1].outcome == "graded"
    require_right(sqlite_course)


@pytest.mark.slow
def test_two_clients_at_once_record_everything_once(course: CourseCopy) -> None:
    """Both grade, one records: over both, each submission is recorded exactly once."""
    hand_in(course)
    runs = [course.bulk(fake.grade) for _ in range(2)]
    told: list[list] = [[], []]
    start = threading.Barrier(2)

    def go(i: int) -> None:
        start.wait()
        told[i] = list(runs[i].entries())

    threads = [threading.Thread(target=go, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes = [sorted(e.outcome for e in told[i] if e.student == student) for student in CLASS for i in range(2)]
    assert sum(o == ["graded"] for o in outcomes) == len(CLASS)
    assert sum(o == ["already"] for o in outcomes) == len(CLASS)
    require_right(course)


def command(course: CourseCopy, *more: str) -> subprocess.Popen:
    """The command itself, with what is graded quickly in the engine's place."""
    code = (
        "import sys; from autograder import bulk; from tests.bulk import course, fake; from pathlib import Path;"
        "bulk.code_version = bulk.grader_version = course.version;"
        f"o = bulk.Options({LESSON!r}, Path({str(course.folder)!r}), gradebook={course.url!r}, workers=2);"
        "sys.exit(bulk.run(bulk.Bulk(o, fake.grade_or_break)))"
    )
    program = [sys.executable, "-c", f"if __name__ == '__main__':\n    {code}", *more]
    return subprocess.Popen(program, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            start_new_session=True)  # fmt: skip


def recorded(course: CourseCopy) -> int:
    """How many results there are."""
    with contextlib.suppress(Exception):  # the table is made by the first run
        return len(course.query("SELECT student FROM course_result"))
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 4, 8])
def test_a_killed_client_goes_on_where_it_was(course: CourseCopy, after: int) -> None:
    """kill -9 as soon as some are recorded; the next run does the rest, and its workers are gone with it."""
    hand_in(course)
    client = command(course)
    end = time.monotonic() + 60
    while recorded(course) < after and time.monotonic() < end:
        time.sleep(0.005)
    client.kill()
    client.communicate()
    done = recorded(course)
    assert after <= done
    outcomes = course.outcomes()
    assert list(outcomes.values()).count("already") >= done
    require_right(course)


@pytest.mark.slow
def test_an_interrupted_client_says_how_to_go_on(sqlite_course: CourseCopy) -> None:
    """Ctrl-C reaches the workers as well; there is a summary, no traceback."""
    hand_in(sqlite_course)
    client = command(sqlite_course)
    while not recorded(sqlite_course):
        time.sleep(0.01)
    os.killpg(client.pid, signal.SIGINT)  # as a terminal does
    _, said = client.communicate(timeout=60)
    assert "Traceback" not in said, said
    assert client.returncode in (0, 1)
    sqlite_course.outcomes()
    require_right(sqlite_course)


@pytest.mark.slow
def test_a_database_that_goes_away_comes_back(postgres_course: CourseCopy, database_server: postgres.Server) -> None:
    """Connections are cut, then the whole server is killed and started again: every job is recorded once."""
    course = postgres_course
    hand_in(course)
    name = course.url.partition("@/")[2].partition("?")[0]
    seen = []

    def grade(work):
        seen.append(work.submission.student)
        if len(seen) in (2, 4):
            for pid in database_server.backends(name):
                os.kill(pid, signal.SIGTERM)
        if len(seen) == 6:
            database_server.kill()
            threading.Timer(0.5, database_server.start).start()
        return fake.grade(work)

    assert [e.outcome for e in course.bulk(grade).entries()] == ["graded"] * len(CLASS)
    assert len(seen) == len(CLASS)
    require_right(course)


@pytest.fixture
def scheduler() -> Iterator[tuple[str, subprocess.Popen]]:
    """A Dask scheduler with two workers, started as people start them: its address and its process."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen:
            program = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]]
            process = subprocess.Popen(program, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, cwd="/")
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        one = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        address = next(m.group() for line in one.stderr if (m := re.search(r"tcp://127.0.0.1:\d+", line)))
        threading.Thread(target=one.stderr.read, daemon=True).start()
        for _ in range(2):
            worker = start("dask_worker", address, "--nthreads", "1", "--no-dashboard")
            threading.Thread(target=worker.stderr.read, daemon=True).start()
        yield address, one


@pytest.mark.slow
def test_a_running_scheduler_is_joined(sqlite_course: CourseCopy, scheduler) -> None:
    """--scheduler; what it runs stays up for the next."""
    hand_in(sqlite_course)
    entries = list(on_workers(sqlite_course, workers=None, scheduler=scheduler[0]).entries())
    assert {e.outcome for e in entries} == {"graded"}
    require_right(sqlite_course)


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_run(sqlite_course: CourseCopy, scheduler) -> None:
    """With a message, not with a wait for ever; the next run goes on."""
    hand_in(sqlite_course)
    entries = on_workers(sqlite_course, workers=None, scheduler=scheduler[0]).entries()
    assert next(entries).outcome == "graded"
    scheduler[1].kill()
    with pytest.raises(bulk.Stopped, match=r"The Dask (cluster is gone|scheduler no longer answers)"):
        list(entries)
    assert 0 < list(sqlite_course.outcomes().values()).count("already") < len(CLASS)
    require_right(sqlite_course)


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_told(sqlite_course: CourseCopy, monkeypatch) -> None:
    """With how to start one."""
    monkeypatch.setattr(fanout, "JOIN_SECONDS", "1s")
    hand_in(sqlite_course)
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(UsageError, match=r"No Dask scheduler answers at .* Start one"):
            list(on_workers(sqlite_course, scheduler=address).entries())


@pytest.mark.slow
def test_others_on_this_machine_cannot_talk_to_the_cluster() -> None:
    """Whoever can, can run code as we."""
    from distributed import Client

    with fanout.cluster(1) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        with pytest.raises((OSError, TypeError)):
            Client(address.replace("tls:", "tcp:"), timeout="2s")


def test_a_worker_with_other_code_is_refused(sqlite_course: CourseCopy) -> None:
    """A machine where the repository was not updated must not give marks."""
    from dataclasses import replace

    from autograder import worker

    sqlite_course.submit("ada")
    run = sqlite_course.bulk(worker.grade)
    run.terms = replace(run.terms, code="0123456789abcdef")
    with pytest.raises(bulk.Stopped, match=r"a worker's grading code is version .*, the client's 0123456789"):
        list(run.entries())


def test_course_folders_are_not_needed_by_workers(sqlite_course: CourseCopy) -> None:
    """No path of the course, no gradebook, no password is in what a worker is sent."""
    import pickle

    sqlite_course.submit("ada")
    run = sqlite_course.bulk()
    (job,), _ = run._plan(["ada"])
    sent = pickle.dumps(run._work(job))
    assert str(sqlite_course.folder).encode() not in sent
    assert b"sqlite" not in sent


def test_gradebook_is_nbgraders(sqlite_course: CourseCopy) -> None:
    """nbgrader opens it as before, with our tables in it."""
    sqlite_course.submit("ada")
    sqlite_course.run()
    with Gradebook(sqlite_course.url) as gradebook:
        assert gradebook.find_submission(LESSON, "ada").score == 11
