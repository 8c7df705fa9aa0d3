"""`autograder grade`: grade a class. Workers grade; only this process writes, one transaction a submission."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from tqdm import tqdm

from autograder import fanout, publish, worker
from autograder.coursefolder import UsageError, open_course, reachable
from autograder.engine import EngineError, IsolationError
from autograder.jobs import Finished, Job, Terms, Work
from autograder.record import CannotRecord, Recorder
from autograder.report import Entry, Report
from autograder.seeds import digest
from autograder.steps.restore import known_cells, read_notebook, restored_notebook
from autograder.submission import Submission, code_of
from autograder.submitted import NoNotebook, Submitted, read_submission
from autograder.versions import code_version, grader_version

Grade = Callable[[Work], Finished]
ROUNDS = 5  # how often a submission may be replaced while it is being graded
BAD_STARTS = 3  # sandboxes that do not start in a row: then none will
AGAIN = "What is recorded is safe; run the same command again to go on."


class Changed(Exception):
    """A submission was replaced while it was being graded."""


class Stopped(RuntimeError):
    """The run cannot go on; the message says why."""


@dataclass(frozen=True)
class Options:
    """What `autograder grade` was asked for."""

    assignment: str
    folder: Path
    students: list[str] = field(default_factory=list)
    scheduler: str | None = None
    workers: int | None = None
    gradebook: str | None = None
    regrade: bool = False
    allow_weaker_isolation: bool = False


class Bulk:
    """One run over one assignment. `grade` is what workers do; tests put something quicker in its place."""

    def __init__(self, options: Options, grade: Grade = worker.grade):
        self.options, self.grade, self.assignment = options, grade, options.assignment
        self.course = open_course(options.folder, options.gradebook)
        with reachable(self.course.db_url):
            self.course.require(self.assignment)
            self.submissions = self.course.chosen(self.assignment, options.students)
            self.terms = self._terms()
            self.recorder = Recorder(self.course, self.assignment)
        self.given = publish.given_files(self.course.converter, self.assignment)
        self.grader = grader_version(
            self.assignment, self.terms.known, self.terms.limits, self.terms.steps, self.terms.settings,
            {name: data.hex() for name, data in self.given.items()},
        )  # fmt: skip
        self._bad_starts = 0

    def _terms(self) -> Terms:
        steps = self.course.later_steps()
        return Terms(
            known=known_cells(self.course.db_url, self.assignment, self.assignment),
            limits=self.course.limits(self.assignment),
            code=code_version(self.assignment),
            steps=steps,
            settings=self.course.settings_of(steps),
            allow_weaker_isolation=self.options.allow_weaker_isolation or self.course.grading.allow_weaker_isolation,
        )

    def entries(self) -> Iterator[Entry]:
        """Grade and record what is left, and tell what became of every submission. Raises Stopped, UsageError."""
        try:
            yield from self._entries()
        except fanout.Lost as error:
            raise Stopped(str(error)) from error
        except sa.exc.DBAPIError as error:
            raise Stopped(f"The gradebook stays away ({str(error.orig).strip().splitlines()[0]}).") from error

    def _entries(self) -> Iterator[Entry]:
        students = [student for student, _ in self.submissions]
        with contextlib.ExitStack() as stack:
            results = None
            for _ in range(ROUNDS):
                jobs, settled = self._plan(students)
                yield from settled
                if not jobs:
                    return
                results = results or self.fan_out(stack, len(jobs))
                students = []
                for job, outcome in results(jobs):
                    try:
                        yield self._entry(job, outcome)
                    except Changed:
                        students.append(job.student)
            for student in students:
                yield Entry(student, "failed", "the submission was replaced again and again while it was graded")

    def fan_out(self, stack: contextlib.ExitStack, jobs: int) -> Callable[[Iterable[Job]], Iterator]:
        """What turns jobs into pairs of a job and its result; it lasts as long as the stack."""
        workers = min(self.options.workers or fanout.default_workers(), jobs)
        try:
            client = stack.enter_context(fanout.cluster(workers, self.options.scheduler))
        except fanout.NoScheduler as error:
            raise UsageError(str(error)) from None
        return fanout.FanOut(client, self.grade, self._work).results

    def _plan(self, students: list[str]) -> tuple[list[Job], list[Entry]]:
        """What is left of these students' submissions, and entries of those for which there is nothing to do."""
        recorded, settled, left, code = self.recorder.recorded(), [], [], {}
        for student, folder in (s for s in self.submissions if s[0] in set(students)):
            try:
                handed_in = self._read(folder)
            except (NoNotebook, OSError) as error:
                settled.append(Entry(student, "failed", str(error)))
                continue
            result, version = recorded.get(student), handed_in.version
            if self.recorder.is_done(student, result, version, self.grader) and not self.options.regrade:
                settled.append(Entry.of(result, "already"))
            else:
                left.append((student, folder, version))
                code[student] = self._code_digest(handed_in)
        seeds = self.recorder.seeds(code)
        return [Job(student, folder, version, seeds[student]) for student, folder, version in left], settled

    def _read(self, folder: Path) -> Submitted:
        return read_submission(folder, self.assignment, self.course.converter.coursedir.ignore)

    def _code_digest(self, handed_in: Submitted) -> str:
        """As the nbgrader path has it, so that both draw the same cases."""
        notebook = restored_notebook(read_notebook(handed_in.content), self.terms.known)
        return digest("\n\n".join(code_of(notebook)))

    def _current(self, job: Job) -> Submitted:
        handed_in = self._read(job.folder)
        if handed_in.version != job.content:
            raise Changed
        return handed_in

    def _work(self, job: Job) -> Work:
        handed_in = self._current(job)
        submission = Submission(
            job.student, self.assignment, handed_in.content, handed_in.files | self.given, handed_in.notes
        )
        return Work(submission, job.seed, self.terms)

    def _entry(self, job: Job, outcome: Finished | BaseException) -> Entry:
        """Record a result. Raises Changed, Stopped, UsageError."""
        if isinstance(outcome, BaseException):
            return self._failed(job, outcome)
        self._bad_starts = 0
        try:
            handed_in = self._current(job)
            files = handed_in.files | self.given
            again = self.options.regrade
            fresh = self.recorder.record(job.student, job.content, self.grader, files, outcome, again)
        except (NoNotebook, OSError, CannotRecord) as error:
            return Entry(job.student, "failed", str(error))
        except sa.exc.IntegrityError as error:  # nbgrader wrote the same at the same moment
            return Entry(job.student, "failed", f"the gradebook refused it: {str(error.orig)[:300]}")
        said = (outcome.marks, outcome.reasons, outcome.notes, outcome.seconds)
        return Entry(job.student, "graded" if fresh else "already", "", job.content, *said)

    def _failed(self, job: Job, error: BaseException) -> Entry:
        if isinstance(error, Changed):
            raise error
        if isinstance(error, IsolationError):
            raise UsageError(str(error))
        if isinstance(error, worker.AnotherVersion):
            raise Stopped(f"{error}.")
        self._bad_starts += isinstance(error, EngineError)
        if self._bad_starts >= BAD_STARTS:
            raise Stopped(str(error))
        told = isinstance(error, NoNotebook | OSError | EngineError | fanout.LostWorkers)
        return Entry(job.student, "failed", str(error) if told else f"{type(error).__name__}: {error}")


def run(bulk: Bulk, report: Path | None = None) -> int:
    """Grade, show progress, print the table, write the report; return the exit status. Raises UsageError."""
    started = time.perf_counter()
    found = {student: Entry(student, "left") for student, _ in bulk.submissions}
    stopped = ""
    try:
        for entry in _with_progress(bulk):
            found[entry.student] = entry
    except Stopped as error:
        stopped = f"{error} {AGAIN}"
    except KeyboardInterrupt:
        stopped = f"Interrupted. {AGAIN}"
    finally:
        bulk.recorder.close()
    gradebook = sa.make_url(bulk.course.db_url).render_as_string(hide_password=True)
    seconds = time.perf_counter() - started
    told = Report(bulk.assignment, gradebook, bulk.grader, seconds, list(found.values()), stopped)
    told.show()
    if report:
        told.write(report)
    return told.exit_status


def _with_progress(bulk: Bulk) -> Iterator[Entry]:
    with (
        tqdm(desc="grading", total=len(bulk.submissions), unit="submission", disable=None) as bar,  # None: in a file
        contextlib.closing(bulk.entries()) as entries,
    ):
        for entry in entries:
            if entry.outcome == "already":  # it took no time: counting it would make the rate look better than it is
                bar.total -= 1
            else:
                bar.update()
            yield entry
