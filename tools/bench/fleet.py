"""`autograder grade` on a cluster that is warm already, and on one of more workers than this machine has cores."""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from unittest import mock

from distributed import Client

from autograder import bulk, fanout, submission, worker
from autograder.jobs import Finished, Job, Terms, Work
from autograder.submission import Submission
from tools.bench.meter import Cost, Meter

RESULTS = "BENCH_GRADING_RESULTS"  # environment variable: a file with a finished result and its time for each lesson


class WarmRun(bulk.Bulk):
    """A run of `autograder grade` that finds its cluster started."""

    def __init__(self, client: Client, folder: Path, lesson: str, students: list[str], grade: bulk.Grade):
        self.client = client
        super().__init__(bulk.Options(lesson, folder, students), grade)

    def fan_out(self, stack: contextlib.ExitStack, jobs: int) -> Callable[[Iterable[Job]], Iterator]:
        """As Bulk's, on the warm cluster."""
        return fanout.FanOut(self.client, self.grade, self._work).results


class Fleet:
    """A cluster of this machine."""

    def __init__(self, stack: contextlib.ExitStack, workers: int):
        self.workers = workers
        started = time.perf_counter()
        warnings.filterwarnings("ignore", "Port .* is already in use")  # by the cluster of another number of workers
        self.client = stack.enter_context(fanout.cluster(workers))
        self.client.wait_for_workers(workers)
        self.seconds_to_start = time.perf_counter() - started
        self.seconds_to_begin: list[float] = []  # what a run takes before it looks at the first submission
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def warm(self, submission: Submission, terms: Terms) -> dict[str, Finished]:
        """Grade this on every worker, so that each has its zygote and its imports: worker -> result."""
        return self.client.run(worker.grade, Work(submission, 0, terms))

    def grade(
        self, meter: Meter, folder: Path, lesson: str, students: list[str], grade: bulk.Grade = worker.grade
    ) -> Cost:
        """Grade these students' submissions: the cost from the first look at a submission to the last record."""
        started = time.perf_counter()
        run = WarmRun(self.client, folder, lesson, students, grade)
        self.seconds_to_begin.append(time.perf_counter() - started)
        entries, cost = meter.cost(lambda: list(run.entries()))
        run.recorder.close()
        if problems := [f"{e.student}: {e.problem or e.outcome}" for e in entries if e.outcome != "graded"]:
            raise RuntimeError(f"not graded: {'; '.join(problems)}")
        self._seconds[lesson] += [e.seconds for e in entries]
        return cost

    def engine_seconds(self, lesson: str) -> float:
        """How long a submission kept a worker's engine busy, median."""
        return median(self._seconds[lesson])

    def pids(self) -> list[int]:
        """The workers' processes."""
        return list(self.client.run(os.getpid).values())


@contextlib.contextmanager
def nothing_left_out() -> Iterator[None]:
    """Grading in this process runs the lessons' demonstrations too."""
    with mock.patch.object(submission, "_demonstrations", return_value=frozenset()):
        yield


def grade_everything(work: Work) -> Finished:
    """What a worker does, and nothing left out."""
    with nothing_left_out():
        return worker.grade(work)


def simulated(work: Work) -> Finished:
    """SIMULATED grading: sleep as long as grading took when it was measured, and return that result."""
    finished, seconds = _results(os.environ[RESULTS])[work.submission.lesson]
    time.sleep(seconds)
    return finished


@functools.cache
def _results(path: str) -> dict[str, tuple[Finished, float]]:
    return pickle.loads(Path(path).read_bytes())
