"""TRUSTED side: grade one exercise of one submission. Student code never runs here.

The hidden cases are drawn only now, when the student's code is already loaded, from the submission's own seed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from autograder import simulated
from autograder.answers import outcomes_in
from autograder.draws import Draws
from autograder.exercise import Definition, Question, find
from autograder.student import OutOfRoom, Student
from course.checks.judge import Run, StudentCodeDied, Verdict, judge
from course.checks.runner import Outcome, plain, with_held
from course.checks.script import Script, about_kernels, outside_mb
from course.checks.sheet import Sheet

MAX_STAND_IN_CALLS = 100
# A stand-in's reference runs on our side with arguments of the student's choosing: nothing large may come of them. No
# axis and no whole number may be much larger than what the exercise itself was asked with.
STAND_IN_ROOM, STAND_IN_LEAST = 4, 16


def grade(
    definition: Definition | Question, student: Student, seed: int, cells: list[str], not_passed: set[str]
) -> Verdict:
    """Return the verdict on fresh cases.

    `cells` are the texts of the notebook's code cells, searched for what the exercise forbids. `not_passed` names the
    exercises that this submission failed: if this one builds on some of them and fails too, it is judged once more
    with working versions of those in their place, so that a mistake is paid for once.
    """
    sheet = functools.cache(lambda round: definition.sheet(generator(seed, definition.id, round)))
    own = judged(sheet, lambda: _runner(definition, student, [], cells), cells)
    broken = [i for i in getattr(definition, "uses", []) if i in not_passed]
    if own.passed or not broken:
        return own
    helped = judged(sheet, lambda: _runner(definition, student, [find(i) for i in broken], cells), cells)
    if helped.earned <= own.earned:
        return own
    names = ", ".join(i.partition(".")[2] for i in broken)
    return replace(helped, notes=[*helped.notes, f"Judged with a working {names}: the mistake there is counted there."])


def judged(sheet: Callable[[int], Sheet], runner: Callable[[], Run], cells: list[str]) -> Verdict:
    """The verdict on `sheet(0)`; what earns anything is judged once more on `sheet(1)`: other values, the same shapes.

    What was right only the first time, or remembers an answer by the shape of its arguments, is wrong then.
    """
    verdict = judge(sheet(0), runner(), cells)
    if not verdict.earned or sheet(0).is_question:
        return verdict
    return min(verdict, judge(sheet(1), runner(), cells), key=lambda one: one.earned)


def generator(seed: int, exercise_id: str, round: int = 0) -> np.random.Generator:
    """The random generator of one exercise of one submission: the same seed and round draw the same cases again."""
    return Draws(seed, exercise_id, round)


def _runner(definition: Definition | Question, student: Student, stand_ins: list[Definition], cells: list[str]) -> Run:
    oracle: dict[str, list[Any]] = {d.name: [] for d in stand_ins}
    references = {d.name: d.reference for d in stand_ins}
    death: list[str] = []

    def run(script: Script) -> list[Outcome]:
        if death:  # one endless loop must not cost its time again for every part
            raise StudentCodeDied(death[0])
        try:
            if about_kernels(script):
                return simulated.outcomes(student, definition.name, script, [*cells, *map(simulated.ours, stand_ins)])
            return _ask(student, script, oracle, references)
        except StudentCodeDied as error:
            death.append(" ".join([str(error), *_advice(error, script)]))
            raise StudentCodeDied(death[0]) from None

    return run


def _ask(student: Student, script: Script, oracle: dict[str, list[Any]], references: dict[str, Any]) -> list[Outcome]:
    """Run a script over there; whenever it calls a stand-in with new arguments, answer and run it again."""
    for _ in range(MAX_STAND_IN_CALLS):
        answer = student.ask({"script": script, "oracle": oracle}, outside_mb(script))
        wanted = answer.get("wanted")
        if wanted is None:
            return outcomes_in(answer, len(script))
        try:
            name, (args, kwargs) = str(wanted["name"]), wanted["args"]
            _require_modest([args, kwargs], STAND_IN_ROOM * _largest(script) + STAND_IN_LEAST)
            args_here, kwargs_here = with_held(script, args, kwargs)
            value = plain(references[name](*args_here, **kwargs_here))
        except Exception as error:
            return [{"raised": type(error).__name__, "bases": [], "message": f"in a helper: {str(error)[:200]}"}]
        oracle[name].append([args, kwargs, value])
    raise StudentCodeDied("Your code calls its helpers too many times.")


def _advice(error: StudentCodeDied, script: Script) -> list[str]:
    """What a case that measures memory says to somebody who was stopped for it, from outside."""
    return [step["advice"] for step in script if step["op"] == "measured" and isinstance(error, OutOfRoom)]


def _largest(value: Any) -> int:
    """The longest axis of an array, the longest text or list, or the largest whole number in plain data."""
    array = getattr(value, "array", value)
    if isinstance(array, np.ndarray):
        return max(array.shape, default=1)
    if isinstance(value, dict | list | tuple):
        items = value.values() if isinstance(value, dict) else value
        return max([len(value), *map(_largest, items)])
    return len(value) if isinstance(value, str | bytes) else abs(value) if isinstance(value, int) else 1


def _require_modest(arguments: list[Any], most: int) -> None:
    if (largest := _largest(arguments)) > most:
        raise ValueError(f"a number or an axis of {largest:,} is too large for this check (at most {most:,})")
