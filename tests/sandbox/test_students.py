"""A submission's process that dies is brought back, a few times, with what it had run before; its time is bounded."""

from __future__ import annotations

import time
from typing import Any

import pytest

from autograder.limits import Limits
from autograder.student import DISTURBED, ENDED, MAX_RESTARTS, OutOfMemory, SandboxedStudent
from autograder.untrusted.channel import ChannelError, OutOfTime
from course.checks.judge import StudentCodeDied
from course.checks.wire import WireError

ERRORS = {"ends": ChannelError, "disturbs": WireError, "hangs": OutOfTime, "swells": OutOfMemory}


class Scripted:
    """In the place of a Process: a cell that is the name of an error raises it, others are remembered."""

    def __init__(self, log: list[list[str]], cured: bool = False):
        self.ran: list[str] = []
        self.closed = False
        log.append(self.ran)

    def exchange(self, question: dict[str, Any], seconds: float, room_mb: int | None = None) -> dict[str, Any]:
        self.seconds = seconds
        if question["op"] == "script":
            return question["script"]
        source = question["source"]
        if source.startswith("sleep"):
            time.sleep(min(seconds, float(source.split()[1])))
        if source in ERRORS:
            raise ERRORS[source]
        self.ran.append(source)
        return {"outputs": [{"output_type": "stream", "name": "stdout", "text": source}]}

    def close(self) -> None:
        self.closed = True


def scripted(**limits: float) -> tuple[SandboxedStudent, list[list[str]]]:
    """A student whose processes write down what they ran, one list each."""
    log: list[list[str]] = []
    return SandboxedStudent(lambda: Scripted(log), Limits(**limits)), log


@pytest.mark.parametrize(
    ("how", "said"),
    [("ends", ENDED), ("disturbs", DISTURBED), ("hangs", "could not be interrupted"), ("swells", "more than 4096 MB")],
)
def test_each_death_has_its_reason(how: str, said: str) -> None:
    """In words for the student; and the next cell runs."""
    student, log = scripted()
    student.run_cell("a")
    with pytest.raises(StudentCodeDied, match=said.replace(".", r"\.")):
        student.run_cell(how)
    assert student.run_cell("b")[0].text == "b"
    assert log == [["a"], ["a", "b"]]


def test_after_so_many_restarts_it_stays_dead() -> None:
    """Somebody whose every cell kills the process must not keep us busy."""
    student, log = scripted()
    for _ in range(MAX_RESTARTS + 1):
        with pytest.raises(StudentCodeDied):
            student.run_cell("ends")
    for _ in range(2):
        with pytest.raises(StudentCodeDied, match="ended the Python process"):
            student.run_cell("a")
    assert not student.recovered()
    assert len(log) == MAX_RESTARTS + 1


def test_a_cell_that_kills_when_it_runs_again_is_left_out() -> None:
    """The others are not lost with it."""
    student, log = scripted()
    for source in ("a", "b", "c"):
        student.run_cell(source)
    student._ran[1] = "ends"  # ran once; would kill now
    with pytest.raises(StudentCodeDied):
        student.run_cell("hangs")
    assert student.recovered()
    assert log[-1] == ["a", "c"]
    assert student.restarts_left == MAX_RESTARTS - 2


def test_the_notebook_has_so_much_time_in_all() -> None:
    """However it is spread over cells; nothing is started anew after that."""
    student, log = scripted(notebook_seconds=0.5, cell_seconds=30)
    student.run_cell("sleep 0.3")
    student.run_cell("sleep 0.3")
    with pytest.raises(StudentCodeDied, match=r"took longer than 0\.5 s in all"):
        student.run_cell("hangs")
    started = time.monotonic()
    with pytest.raises(StudentCodeDied, match="in all"):
        student.run_cell("a")
    assert time.monotonic() - started < 0.2
    assert len(log) == 1


def test_no_question_gets_more_than_what_is_left() -> None:
    """The deadline of a cell ends with the notebook's."""
    student, _ = scripted(notebook_seconds=3, cell_seconds=30)
    student.run_cell("a")
    assert student._process.seconds <= 3


@pytest.mark.parametrize("stopped", ["time", "anything <b>else</b>" * 100])
def test_a_question_that_was_stopped_says_why(stopped: str) -> None:
    """By the time limit inside, or by an error out of the runner; not at any length."""
    student, _ = scripted()
    with pytest.raises(StudentCodeDied) as death:
        student.ask({"script": {"stopped": stopped}})
    assert len(str(death.value)) <= 300
    assert student.ask({"script": {"outcomes": [1]}}) == {"outcomes": [1]}


@pytest.mark.parametrize("answer", [{}, {"outputs": None}, {"outputs": "text"}, {"outputs": [1, None, {"a": 1}]}])
def test_outputs_that_are_none_are_none(answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may answer anything."""
    student, _ = scripted()
    monkeypatch.setattr(student._process, "exchange", lambda question, seconds, **_: answer)
    assert student.run_cell("a") == []
