"""UNTRUSTED side, seen from the trusted one: a handle on the process that runs a student's code.

Grading only ever needs `Student.ask`. `KernelStudent` answers from nbgrader's own Jupyter kernel; a sandboxed process
can take its place without a change anywhere else.
"""

from __future__ import annotations

import ast
import base64
import time
from collections.abc import Callable
from queue import Empty
from typing import Any, Protocol

from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError

from course.checks import wire
from course.checks.judge import StudentCodeDied

MAX_REPLY = 64 << 20
GRACE_SECONDS = 5  # for the reply to an interrupt
MAX_RESTARTS = 5  # in one notebook
ENDED = "Your code ended the Python process."


class Student(Protocol):
    """A process with a student's code loaded."""

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send plain data to the runner beside the student's code, return its plain answer. Raises StudentCodeDied."""
        ...

    def recovered(self) -> bool:
        """Whether the process is alive, after an attempt to bring it back if it is not."""
        ...


class KernelStudent:
    """A student's notebook running in a Jupyter kernel, with a time limit for each question."""

    def __init__(self, client: Any, seconds: float, run_again: Callable[[], None]):
        self.client = client  # an nbclient NotebookClient whose kernel is running
        self.seconds = seconds
        self.run_again = run_again  # loads the student's code into a new kernel; may raise DeadKernelError
        self.died = ""
        self.restarts_left = MAX_RESTARTS

    def recovered(self) -> bool:
        """See Student. An exercise that kills the process must not take the later ones with it."""
        while self.died and self.restarts_left:
            self.restarts_left -= 1
            run_sync(self.client.km.restart_kernel)(now=True)
            run_sync(self.client.kc.wait_for_ready)(timeout=self.client.startup_timeout)
            self.died = ""
            try:
                self.run_again()
            except DeadKernelError:
                self.died = ENDED
        return not self.died

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """See Student. The answer travels as a user expression, so printed text cannot disturb or forge it."""
        if not self.recovered():
            raise StudentCodeDied(self.died)
        frame = base64.b64encode(wire.encode(message)).decode()
        code = f"__import__('course.checks.runner', fromlist=['serve']).serve({frame!r}, globals())"
        reply = self._answer(code)
        if reply.get("status") != "ok":
            raise StudentCodeDied(f"Your code stopped the check: {str(reply.get('ename'))[:80]}.")
        return self._decoded(reply)

    def _decoded(self, reply: dict[str, Any]) -> dict[str, Any]:
        text = reply.get("data", {}).get("text/plain", "")
        try:
            if len(text) > MAX_REPLY:
                raise wire.WireError("too long")
            answer = wire.decode(base64.b64decode(ast.literal_eval(text), validate=True))
        except (wire.WireError, ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise StudentCodeDied("Your code's answer could not be read: it disturbed the checking process.") from None
        if not isinstance(answer, dict):
            raise StudentCodeDied("Your code's answer could not be read.")
        return answer

    def _answer(self, code: str) -> dict[str, Any]:
        if (reply := self._request(code, self.seconds)) is not None:
            return reply
        run_sync(self.client.km.interrupt_kernel)()
        if self._wait(self._last, GRACE_SECONDS) is None:
            self.died = "Your code ran too long and could not be interrupted."
        raise StudentCodeDied(f"Your code took longer than {self.seconds:g} s. Is there a loop that does not end?")

    def _request(self, code: str, seconds: float) -> dict[str, Any] | None:
        self._last = self.client.kc.execute("", silent=True, user_expressions={"reply": code}, allow_stdin=False)
        return self._wait(self._last, seconds)

    def _wait(self, message_id: str, seconds: float) -> dict[str, Any] | None:
        """The reply to a message; None if none came in time. Raises StudentCodeDied if the process is gone."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = run_sync(self.client.kc.shell_channel.get_msg)(timeout=min(left, 1.0))
            except Empty:
                self._require_alive()
                continue
            if message["parent_header"].get("msg_id") == message_id:
                return message["content"].get("user_expressions", {}).get("reply", message["content"])
        return None

    def _require_alive(self) -> None:
        if not run_sync(self.client.km.is_alive)():
            self.died = ENDED
            raise StudentCodeDied(self.died)
