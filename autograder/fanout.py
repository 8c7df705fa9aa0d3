"""Spread jobs over Dask workers: whatever happens to workers, every job ends with a result or with a reason.

A worker that dies is started anew by its nanny. Its job is done again, and so are jobs that only waited behind it;
which of them it was that killed the worker is not known. So those are run once more at the end, alone on their worker,
and one that loses MAX_LOSSES workers is given up. A job may be done twice, therefore: recording it once is not our
business here, and jobs write nothing.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import dask
from distributed import CancelledError, Client, KilledWorker, LocalCluster, as_completed
from distributed.scheduler import NoValidWorkerError, NoWorkerError

J, W, R = TypeVar("J"), TypeVar("W"), TypeVar("R")
MAX_LOSSES = 3
AHEAD = 2  # jobs per worker that are under way at a time: one at work, one waiting
JOIN_SECONDS = "15s"
HERE = "127.0.0.1"
WORKER_NAME = "Dask Worker process"  # what distributed calls the processes that its nannies start
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # we count ourselves: Dask blames every job that was waiting, too
    "distributed.scheduler.no-workers-timeout": "180s",
    "distributed.scheduler.worker-ttl": "120s",  # a worker that is stopped, not dead, is given up after this
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,  # students' processes have limits of their own
    "distributed.logging": {"distributed": "critical"},
    "distributed.scheduler.http.routes": [],  # nothing for others to look at
    "distributed.worker.http.routes": [],
    "distributed.worker.preload": ["autograder.worker"],  # for its dask_setup
}


class LostWorkers(RuntimeError):
    """A job lost too many workers; the message is for the instructor."""


class NoScheduler(RuntimeError):
    """The scheduler cannot be reached; the message says what to do."""


class Lost(RuntimeError):
    """The whole cluster is gone; the message says what is known."""


def default_workers() -> int:
    """As many workers as there are cores for us."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def cluster(workers: int, scheduler: str | None = None) -> Iterator[Client]:
    """A client of a cluster of this machine's own, or of a running one. Raises NoScheduler."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(SETTINGS), contextlib.ExitStack() as stack:
        if scheduler:
            yield stack.enter_context(_joined(scheduler))
            return
        # Whoever talks to a scheduler can run code with our rights, and on a shared machine others can reach it: a key
        # that only this cluster has keeps them out.
        local = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, security=True, host=HERE, memory_limit=0,
            dashboard_address=f"{HERE}:0", worker_dashboard_address=f"{HERE}:0", silence_logs=logging.CRITICAL,
        )  # fmt: skip
        stack.callback(_end, local)
        yield stack.enter_context(Client(local, set_as_default=False))


def _end(local: LocalCluster) -> None:
    """Close a cluster. What was graded is recorded, so a failure of Dask's to come to an end is none of the run's."""
    try:
        local.close()
    except Exception:  # a worker that died is just being started anew: its nanny can then not be closed
        for process in multiprocessing.active_children():
            if process.name.startswith(WORKER_NAME):
                process.kill()


def _joined(address: str) -> Client:
    try:
        return Client(address, timeout=JOIN_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise NoScheduler(
            f"No Dask scheduler answers at {address} ({reason}). Start one (`dask scheduler`) and workers "
            f"(`dask worker {address} --nthreads 1`) where this repository is installed."
        ) from None


class FanOut:
    """Jobs on their way through a cluster. `prepare` makes what is sent, as late as possible; `function` does it."""

    def __init__(self, client: Client, function: Callable[[W], R], prepare: Callable[[J], W]):
        self.client, self.function, self.prepare = client, function, prepare
        self.losses: Counter[J] = Counter()
        self._under_way: dict[str, J] = {}  # by the future's key

    def results(self, jobs: Iterable[J]) -> Iterator[tuple[J, R | BaseException]]:
        """Each job with its result or with the error that ended it, in the order in which they end. Raises Lost."""
        suspects: deque[J] = deque()
        yield from self._pass(deque(jobs), suspects, ahead=AHEAD)
        while suspects:
            waiting = deque(suspects)
            suspects.clear()
            yield from self._pass(waiting, suspects, ahead=1)

    def _pass(self, waiting: deque[J], suspects: deque[J], ahead: int) -> Iterator[tuple[J, Any]]:
        done = as_completed(loop=self.client.loop)
        while waiting or self._under_way:
            yield from self._fill(waiting, done, ahead)
            if not self._under_way:
                continue
            future = next(done)
            job = self._under_way.pop(future.key)
            outcome = _outcome(future)
            future.release()
            if isinstance(outcome, KilledWorker):
                self.losses[job] += 1
                if self.losses[job] < MAX_LOSSES:
                    suspects.append(job)
                    continue
                outcome = LostWorkers(f"{MAX_LOSSES} workers died while they graded this; see their machine's log")
            yield job, outcome

    def _fill(self, waiting: deque[J], done: as_completed, ahead: int) -> Iterator[tuple[J, BaseException]]:
        """Send jobs until enough are under way; a job that cannot even be prepared ends here."""
        room = ahead * self._workers() if waiting else 0
        while waiting and len(self._under_way) < room:
            job = waiting.popleft()
            try:
                work = self.prepare(job)
            except Exception as error:
                yield job, error
                continue
            future = self.client.submit(self.function, work, pure=False)
            self._under_way[future.key] = job
            done.add(future)

    def _workers(self) -> int:
        try:
            return max(1, len(self.client.nthreads()))
        except (OSError, TimeoutError) as error:
            raise Lost(f"The Dask scheduler no longer answers ({error}).") from error


def _outcome(future: Any) -> Any:
    """What a future ended with. Raises Lost."""
    try:
        return future.result()
    except (CancelledError, NoValidWorkerError, NoWorkerError) as error:
        raise Lost(f"The Dask cluster is gone ({str(error).strip()[:200]}).") from error
    except Exception as error:  # whatever the job raised: it is the caller's
        return error
