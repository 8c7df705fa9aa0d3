"""TRUSTED side: owns the warm zygote, and hands out one jailed process for each submission.

    with Engine() as engine, engine.student(Limits()) as student:
        student.run_cell("def f(x): return 2 * x")

The zygote is reached over an inherited socket: no path leads to it, and it ends when this process does.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

import autograder
from autograder.limits import Limits
from autograder.memory import Memory
from autograder.student import OutOfMemory, Process, SandboxedStudent, bury
from autograder.untrusted.channel import ChannelError, OutOfTime
from course.checks.wire import WireError

START_SECONDS, FORK_SECONDS = 120.0, 20.0
NOBODY = 65520  # no account of this machine; root becomes it before anything of a student's is read
ROOT = Path(autograder.__file__).resolve().parents[1]
OURS = ("course", "kernels", "autograder/__init__.py", "autograder/untrusted")  # all that a student's process may see
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts",
          "/etc/localtime", "/nix/store")  # fmt: skip
PARTS = ("bin", "lib", "lib64", "include", "share", "etc", "pyvenv.cfg")
MOST_SPEC_ANSWER = 1 << 20


class IsolationError(RuntimeError):
    """This machine does not give a layer of the sandbox; the message says which, why, and what can be done."""


class EngineError(RuntimeError):
    """The sandbox could not be started; nothing was graded."""


class Engine:
    """One warm zygote, started when first needed and again when it died. Safe to use from several threads."""

    def __init__(self, allow_weaker_isolation: bool = False, covered: tuple[str, ...] = (), overlap: bool = False):
        self.allow_weaker_isolation = allow_weaker_isolation
        self.covered = [os.path.realpath(p) for p in covered]  # more that no student may see, as the course's folder
        self._zygote: subprocess.Popen | None = None
        # With `overlap` the kernel's work for one process is done while another is at work. It needs 10 ms to free the
        # memory of a killed one: `_dying` are those that nobody has waited for. It needs as long to fork the next one:
        # `_next` is our end to one that was ordered ahead, of which nothing of any student's is known yet.
        self._dying: list[int] | None = [] if overlap else None
        self._next: socket.socket | None = None
        self._lock = threading.Lock()
        self._control: socket.socket
        self._places: tempfile.TemporaryDirectory

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The zygote's process id; None if there is none."""
        return self._zygote.pid if self._zygote else None

    def start(self) -> None:
        """Start the zygote if none is alive. Raises EngineError, IsolationError."""
        with self._lock:
            self._ensure()

    def student(self, limits: Limits | None = None, files: dict[str, bytes] | None = None) -> SandboxedStudent:
        """A fresh process for one submission, with its other files beside it; a context manager.

        Raises EngineError, IsolationError.
        """
        limits = limits or Limits()
        return SandboxedStudent(
            lambda: self.process(limits, files or {}), limits, bare=lambda: self.process(limits, {})
        )

    def process(self, limits: Limits, files: dict[str, bytes]) -> Process:
        """Fork one jailed process. Raises EngineError, IsolationError."""
        process = self._any_process(limits, files)
        self._bury_the_dead()  # before this student's code runs, nothing of the last one's may be left
        process.dying = self._dying
        if process.missing and not self.allow_weaker_isolation:
            process.close()
            raise IsolationError(_explained(process.missing))
        return process

    def missing(self) -> dict[str, str]:
        """Layer -> reason, for what this machine does not give. Raises EngineError."""
        with contextlib.closing(self._any_process(Limits(), {})) as process:
            return process.missing

    def _any_process(self, limits: Limits, files: dict[str, bytes]) -> Process:
        last = None
        for _ in range(2):  # the zygote may have been killed since the last time: start another, once
            try:
                ours, pidfd = self._forked()
                return self._introduced(Process(ours, pidfd, Memory(pidfd, limits.memory_mb)), limits, files)
            except (OSError, ChannelError, OutOfTime, OutOfMemory, WireError) as error:
                last = error
        raise EngineError(f"The sandbox gave no process for a submission ({last}). Run `python -m autograder doctor`.")

    def _forked(self) -> tuple[socket.socket, int]:
        with self._lock:
            self._ensure()
            try:
                return self._fork()
            except BaseException:  # what it says next would be the answer to this: nothing can be asked of it any more
                self._end()
                raise

    def close(self) -> None:
        """End the zygote and every process that came of it."""
        with self._lock:
            self._end()
        self._bury_the_dead()

    def _bury_the_dead(self) -> None:
        while self._dying:
            with contextlib.suppress(IndexError):  # another thread was quicker
                bury(self._dying.pop())

    def _ensure(self) -> None:
        if self._zygote and self._zygote.poll() is None:
            return
        self._end()
        if sys.platform != "linux":
            raise IsolationError(
                "Students' code is only run on Linux, where it can be locked in. On this machine use the container "
                "(deploy/README.md)."
            )
        self._start()

    def _start(self) -> None:
        self._places = tempfile.TemporaryDirectory(prefix="autograder-", ignore_cleanup_errors=True)
        base, scratch = Path(self._places.name, "root"), Path(self._places.name, "scratch")
        base.mkdir()
        scratch.mkdir()
        os.chmod(self._places.name, 0o711)  # whom root becomes must reach it; nothing of ours lies in it
        shown = [*_python_paths(), *(str(ROOT / p) for p in OURS)]
        plan = {"shown": shown, "covered": [str(ROOT), *self.covered], "base": str(base),
                "fallback_scratch": str(scratch), "user": NOBODY}  # fmt: skip
        self._control, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in _end)
        self._zygote = subprocess.Popen(
            [sys.executable, "-sP", "-m", "autograder.untrusted", str(theirs.fileno()), json.dumps(plan)],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd="/",
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", ""), "OMP_NUM_THREADS": "1",
                 "OPENBLAS_NUM_THREADS": "1", "LANG": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
        theirs.close()
        self._control.settimeout(START_SECONDS)
        with contextlib.suppress(OSError):
            if self._control.recv(1) == b"R":
                return
        said = self._said()
        self._end()
        raise EngineError(f"The sandbox did not start:\n{said}\nRun `python -m autograder doctor`.")

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:].decode(errors="replace")

    def _end(self) -> None:
        if self._zygote is None:
            return
        zygote, self._zygote = self._zygote, None
        self._control.close()
        zygote.terminate()  # the zygote's own parent passes it on as SIGKILL, and the kernel ends all the others
        try:
            zygote.wait(5)
        except subprocess.TimeoutExpired:
            zygote.kill()
            zygote.wait()
        self._log.close()
        self._places.cleanup()
        if self._next:
            self._next.close()
            self._next = None

    def _fork(self) -> tuple[socket.socket, int]:
        self._control.settimeout(FORK_SECONDS)
        ours = self._next or self._order()
        self._next = None
        try:
            _, fds, _, _ = socket.recv_fds(self._control, 1, 1)
            if not fds:
                raise ChannelError("the zygote ended")
        except BaseException:
            ours.close()
            raise
        if self._dying is not None:
            with contextlib.suppress(OSError):  # the zygote was killed just now: the next order finds out
                self._next = self._order()
        return ours, fds[0]

    def _order(self) -> socket.socket:
        """Ask the zygote for a process, and return our end of the socket to it. The zygote answers with its handle."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"F"], [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        return ours

    def _introduced(self, process: Process, limits: Limits, files: dict[str, bytes]) -> Process:
        """Tell the new process its limits and files, and hear which layers it could not put on."""
        try:
            arrays = {name: np.frombuffer(data, np.uint8) for name, data in files.items()}
            answer = process.exchange({"limits": vars(limits), "files": arrays}, FORK_SECONDS, MOST_SPEC_ANSWER)
            if "failed" in answer:
                raise EngineError(f"A process of the sandbox could not be locked in: {answer['failed']}")
            process.missing = {str(k): str(v) for k, v in dict(answer["missing"]).items()}
        except BaseException:
            process.close()
            raise
        return process


def _explained(missing: dict[str, str]) -> str:
    lines = "\n".join(f"  {layer}: {reason}" for layer, reason in missing.items())
    return (
        f"This machine does not give every layer of the sandbox:\n{lines}\n`python -m autograder doctor` says what "
        "each is for and how to get it. Grade in the container (deploy/README.md), or, if you trust every submission, "
        "allow it: --allow-weaker-isolation, or c.GradeSubmission.allow_weaker_isolation = True in nbgrader_config.py."
    )


def _python_paths() -> list[str]:
    """Where Python and the packages lie. The checkout is not among them: only its OURS are shown.

    Nor is all of `sys.path`: it begins with the folder of the command that runs, or the one where it was started, and
    that may be the course's, with the gradebook and everybody's submissions in it.
    """
    found = [*SYSTEM, sys.base_prefix, *_environment(), *filter(_holds_packages, sys.path)]
    real = [os.path.abspath(p) for p in found if p and os.path.exists(p)]
    kept: list[str] = []
    for path in real:
        if Path(path) != ROOT and not any(Path(path).is_relative_to(k) for k in kept) and path != "/":
            kept.append(path)
    return kept


def _environment() -> list[str]:
    """The environment's own parts: somebody may have made it in the course's folder itself."""
    return [os.path.join(sys.prefix, part) for part in PARTS] if sys.prefix != sys.base_prefix else []


def _holds_packages(path: str) -> bool:
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(path or "."))
    except OSError:
        return False
