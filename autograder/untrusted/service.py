"""Answer the trusted side's questions, one at a time, beside the student's code."""

from __future__ import annotations

import socket
from typing import Any

from autograder.untrusted import channel
from autograder.untrusted import shell as cells
from course.checks import runner, wire

MOST = 256 << 20


def serve(sock: socket.socket, shell: cells.Shell, captured: int) -> None:
    """Answer until the other side closes the channel."""
    while True:
        try:
            question, number = channel.receive(sock, MOST)
        except (channel.ChannelError, wire.WireError):
            return
        answer = _answer(question, shell, captured)
        try:
            channel.send(sock, answer, number)
        except wire.WireError as error:
            channel.send(sock, {"outcomes": [runner.raised(error)]}, number)


def _answer(question: dict[str, Any], shell: cells.Shell, captured: int) -> dict[str, Any]:
    if question["op"] == "cell":
        shown = cells.run(shell, question["source"], question["seconds"], question["output_mb"], captured)
        return {"outputs": shown}
    try:
        with cells.time_limit(question["seconds"], "time"):
            return runner.answer(question, shell.user_ns)
    except cells.TimeLimit:
        return {"stopped": "time"}
    except BaseException as error:  # student code may raise anything, also from where the runner does not expect it
        return {"stopped": f"Your code stopped the check: {type(error).__name__[:80]}."}
