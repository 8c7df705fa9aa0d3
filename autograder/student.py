"""TRUSTED side: a handle on the UNTRUSTED process that runs a student's code.

Whatever comes out of it is data to be checked. It is asked with a deadline by our own clock; when that passes, or
when it answers what is no answer, it is killed, and everything that it started with it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from nbformat.notebooknode import NotebookNode

from autograder import outputs
from autograder.family import Turn
from autograder.limits import Limits
from autograder.memory import Memory
from autograder.untrusted import channel
from autograder.untrusted.channel import ChannelError, OutOfTime
from course.checks.judge import StudentCodeDied
from course.checks.wire import WireError

MAX_REPLY = 64 << 20
END_SECONDS = 5  # for a killed process to be gone
WATCH_SECONDS = 0.05  # between two looks at its memory
GRACE_SECONDS = 2.0  # after the time limit inside the process, which gives the kinder message
MAX_RESTARTS = 5  # in one notebook
ENDED = "Your code ended the Python process."
DISTURBED = "Your code's answer could not be read: it disturbed the checking process."


class Student(Protocol):
    """A process with a student's code loaded."""

    def ask(self, message: dict[str, Any], room_mb: int | None = None) -> dict[str, Any]:
        """Send plain data to the runner beside the student's code, return its plain answer. Raises StudentCodeDied.

        With `room_mb` the process may hold no more memory while it answers.
        """
        ...

    def recovered(self) -> bool:
        """Whether the process is alive, after an attempt to bring it back if it is not."""
        ...

    def stranger(self) -> SandboxedStudent:
        """A process in which nothing of this student's has run and none of their files lie; a context manager."""
        ...


class OutOfRoom(StudentCodeDied):
    """It held more memory than one question allows."""


class OutOfMemory(Exception):
    """The submission's processes together hold too much."""


class Process:
    """One jailed process: a socket to talk over, and a handle that cannot be confused with another process."""

    def __init__(self, sock: socket.socket, pidfd: int, memory: Memory):
        self.sock, self.pidfd, self.memory = sock, pidfd, memory
        self.turn = Turn(memory.pid)
        self.dying: list[int] | None = None  # where to leave the handle when killed, if somebody else waits for the end
        self.missing: dict[str, str] = {}
        self._looked = 0.0

    def exchange(
        self, question: dict[str, Any], seconds: float, most: int = MAX_REPLY, room_mb: int | None = None
    ) -> dict[str, Any]:
        """Ask and return the answer; `room_mb` is a lower limit of memory for this question.

        Raises OutOfTime, OutOfMemory, ChannelError, WireError; it is dead to us then.
        """
        deadline = time.monotonic() + seconds
        self.memory.room_mb = room_mb
        number = secrets.randbits(64)  # an answer that was sent before the question cannot know it
        channel.send(self.sock, question, number, seconds)
        answer, about = channel.receive(self.sock, most, lambda: channel.until(self.sock, deadline, self._watch))
        if about != number or not isinstance(answer, dict):
            raise WireError("an answer to another question")
        return answer

    def _watch(self) -> None:
        if time.monotonic() < self._looked + WATCH_SECONDS:
            return
        if self.memory.too_much():
            raise OutOfMemory
        self.turn.take()
        self._looked = time.monotonic()

    def close(self) -> None:
        """Kill it: as the first process of its namespace it takes all that it started along.

        Without a root of its own it has a keeper (`autograder.untrusted.keeper`), which is asked to do it.
        """
        if self.pidfd >= 0:
            if "private root" in self.missing:
                self._signal(signal.SIGTERM)
                wait_for_end(self.pidfd)
            self._signal(signal.SIGKILL)
            bury(self.pidfd) if self.dying is None else self.dying.append(self.pidfd)
            self.pidfd = -1
        self.sock.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.pidfd, number)


def wait_for_end(pidfd: int) -> None:
    """Wait until a process that was told to end has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll(END_SECONDS * 1000)


def bury(pidfd: int) -> None:
    """Wait for the end of a killed process, and let go of it."""
    wait_for_end(pidfd)
    os.close(pidfd)


class SandboxedStudent:
    """A submission's process, brought back when it dies, with limits for each question and for all of them."""

    def __init__(
        self, start: Callable[[], Process], limits: Limits, bare: Callable[[], Process] | None = None,
        seconds: float | None = None,
    ):  # fmt: skip
        self.limits = limits
        self.died = ""
        self.restarts_left = MAX_RESTARTS
        self._start, self._bare = start, bare or start
        self._process = start()
        self._page = outputs.Page()
        self._ran: list[str] = []  # the cells that did not kill it
        self._ends = time.monotonic() + (limits.notebook_seconds if seconds is None else seconds)

    def __enter__(self) -> SandboxedStudent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def run_cell(self, source: str) -> list[NotebookNode]:
        """Run a cell and return its outputs. Raises StudentCodeDied."""
        self._require_alive()
        shown = self._page.admit(self._cell(source))
        self._ran.append(source)
        return shown

    def stranger(self) -> SandboxedStudent:
        """See Student. It has the time that is left to this one."""
        return SandboxedStudent(self._bare, self.limits, seconds=self._ends - time.monotonic())

    def ask(self, message: dict[str, Any], room_mb: int | None = None) -> dict[str, Any]:
        """See Student."""
        self._require_alive()
        seconds = self.limits.case_seconds
        too_long = f"Your code took longer than {seconds:g} s. Is there a loop that does not end?"
        answer = self._exchange({**message, "op": "script", "seconds": seconds}, seconds, too_long, room_mb)
        if stopped := answer.get("stopped"):
            raise StudentCodeDied(too_long if stopped == "time" else str(stopped)[:300])
        return answer

    def recovered(self) -> bool:
        """See Student. An exercise that kills the process must not take the later ones with it."""
        while self.died and self.restarts_left and time.monotonic() < self._ends:
            self.restarts_left -= 1
            self._process = self._start()
            self.died = ""
            self._run_again()
        return not self.died

    def _run_again(self) -> None:
        """Bring a new process to where the last one died, leaving out a cell that kills it now."""
        for i, source in enumerate(self._ran):
            try:
                self._cell(source)
            except StudentCodeDied:
                del self._ran[i]
                return

    def _require_alive(self) -> None:
        if not self.recovered():
            raise StudentCodeDied(self.died)

    def _cell(self, source: str) -> Any:
        seconds = self.limits.cell_seconds
        question = {"op": "cell", "source": source, "seconds": seconds, "output_mb": self.limits.output_mb}
        answer = self._exchange(
            question, seconds, f"A cell took longer than {seconds:g} s and could not be interrupted."
        )
        return answer.get("outputs")

    def _exchange(
        self, question: dict[str, Any], seconds: float, too_long: str, room_mb: int | None = None
    ) -> dict[str, Any]:
        left = self._ends - time.monotonic()
        try:
            return self._process.exchange(question, max(0.1, min(seconds + GRACE_SECONDS, left)), room_mb=room_mb)
        except OutOfTime:
            whole = f"The notebook took longer than {self.limits.notebook_seconds:g} s in all."
            self._die(whole if time.monotonic() >= self._ends else too_long)
        except OutOfMemory:
            most = min(self.limits.memory_mb, room_mb or self.limits.memory_mb)
            self._die(f"Your code used more than {most} MB of memory.")
            if room_mb:
                raise OutOfRoom(self.died) from None
        except WireError:
            self._die(DISTURBED)
        except ChannelError:
            self._die(ENDED)
        raise StudentCodeDied(self.died)

    def _die(self, why: str) -> None:
        self.died = why
        self._process.close()
