"""A sandbox that dies under a submission, with one that only pretends to be a sandbox."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autograder.engine import EngineError, IsolationError
from autograder.undisturbed import ATTEMPTS, undisturbed


class Pretended:
    """An engine whose zygote only sleeps. `starts` counts zygotes; the first `broken` of them do not start."""

    def __init__(self, broken: int = 0):
        self.broken, self.starts = broken, 0
        self.zygote: subprocess.Popen | None = None

    @property
    def pid(self) -> int | None:
        return self.zygote.pid if self.zygote else None

    def start(self) -> None:
        if self.zygote and self.zygote.poll() is None:
            return
        self.starts += 1
        if self.starts <= self.broken:
            raise EngineError("it does not start")
        self.zygote = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    def kill(self) -> None:
        """Kill it, and leave it to the engine to find out."""
        self.zygote.kill()
        os.waitid(os.P_PID, self.zygote.pid, os.WEXITED | os.WNOWAIT)

    def end(self) -> None:
        if self.zygote:
            self.zygote.kill()
            self.zygote.wait()


@pytest.fixture
def engine(request: pytest.FixtureRequest):
    """An engine that is ended after the test."""
    made = Pretended(getattr(request, "param", 0))
    yield made
    made.end()


def graded(engine: Pretended, deaths: int) -> list[str]:
    """What happens when the zygote dies during the first gradings."""
    calls: list[str] = []

    def grade() -> list[str]:
        calls.append("graded")
        if len(calls) <= deaths:
            engine.kill()
        return calls

    return undisturbed(engine, grade)


def test_undisturbed_once(engine: Pretended) -> None:
    """The usual case: graded once, by one zygote."""
    assert graded(engine, 0) == ["graded"]
    assert engine.starts == 1


@pytest.mark.parametrize("deaths", [1, ATTEMPTS - 1])
def test_graded_again_after_each_death(engine: Pretended, deaths: int) -> None:
    """What came of a disturbed grading is thrown away."""
    assert len(graded(engine, deaths)) == deaths + 1


def test_given_up_after_too_many_deaths(engine: Pretended) -> None:
    """With a reason."""
    with pytest.raises(EngineError, match=f"killed {ATTEMPTS} times"):
        graded(engine, ATTEMPTS)


@pytest.mark.parametrize("engine", [ATTEMPTS - 1], indirect=True)
def test_a_zygote_that_is_killed_while_it_starts(engine: Pretended) -> None:
    """Another one is started."""
    assert graded(engine, 0) == ["graded"]
    assert engine.starts == ATTEMPTS


@pytest.mark.parametrize("engine", [ATTEMPTS], indirect=True)
def test_a_zygote_that_never_starts(engine: Pretended) -> None:
    """Its own message is kept."""
    with pytest.raises(EngineError, match="it does not start"):
        graded(engine, 0)


def test_a_missing_layer_is_not_tried_again(engine: Pretended) -> None:
    """It will be missing the next time, too."""
    calls = []

    def grade() -> None:
        calls.append(1)
        raise IsolationError("no namespaces")

    with pytest.raises(IsolationError):
        undisturbed(engine, grade)
    assert calls == [1]
