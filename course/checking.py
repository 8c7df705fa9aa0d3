"""`check("ch06.causal_mask")`: run the visible checks on the student's object and explain what is wrong."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import sys
import textwrap
from dataclasses import replace
from types import ModuleType
from typing import Any

from course import tracking
from course.checks import judge, report, runner, sheet
from course.checks.judge import Verdict
from course.checks.runner import Outcome
from course.checks.script import Script
from course.checks.sheet import Sheet


class CheckFailed(Exception):
    """Raised by `check` under `nbgrader validate` only, which takes an error to be the sign of a failed test."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def check(exercise_id: str, target: Any = None) -> None:
    """Check an exercise and show what came of it.

    `target` is the object to check; by default the object of the exercise's own name in the notebook. Never raises
    for a wrong solution, whatever it does; an unknown id gives a message that lists the known ones.
    """
    namespace = caller_namespace()
    try:
        subject = sheet.load_sheet(exercise_id)
    except sheet.UnknownExercise as error:
        return _say(str(error))
    if target is not None:
        namespace = {**namespace, subject.name: target}
    if subject.is_question:
        return _show_question(subject, namespace)
    found = verdict(subject, namespace)
    _show(found)
    if found.passed:
        from course import carry  # which needs this module

        carry.keep(exercise_id, namespace)


def verdict(subject: Sheet, namespace: dict[str, Any]) -> Verdict:
    """The visible check's verdict on the object in `namespace`, without showing anything."""
    cells = [*_cells(namespace), source_of(namespace.get(subject.name))]
    found = judge.judge(subject, lambda script: runner.run_script(script, namespace), cells, _quietly(namespace))
    return found if found.passed else replace(found, notes=[*found.notes, *_unfinished_helpers(subject, namespace)])


def _quietly(namespace: dict[str, Any]) -> judge.Run:
    """Runs a script without what it prints: the student has seen that already."""

    def run(script: Script) -> list[Outcome]:
        with contextlib.redirect_stdout(io.StringIO()):
            return runner.run_script(script, namespace)

    return run


def _unfinished_helpers(subject: Sheet, namespace: dict[str, Any]) -> list[str]:
    """Which of the functions that an exercise builds on do not pass: the fault may lie there."""
    helpers = [sheet.load_sheet(i) for i in subject.uses]
    broken = [f"`{h.name}`" for h in helpers if not verdict(h, namespace).passed]
    return [f"Look there first, if you call it: {', '.join(broken)} does not pass its own check yet."] if broken else []


def _cells(namespace: dict[str, Any]) -> list[str]:
    """What ran in this notebook so far; in a plain script its imports and names, which are all that one can see."""
    if isinstance(ran := namespace.get("In"), list):
        return [cell for cell in ran if isinstance(cell, str)]
    modules = {name: value.__name__ for name, value in namespace.items() if issubclass(type(value), ModuleType)}
    others = [f"{name} = ..." for name in namespace if name not in modules]
    return [f"import {module} as {name}" for name, module in modules.items()] + others


def source_of(target: Any) -> str:
    """The text of a function or class, dedented; empty if there is none to be had."""
    try:
        return textwrap.dedent(inspect.getsource(getattr(target, "fn", target)))  # a Triton kernel's function
    except Exception:  # OSError or TypeError for most objects, anything at all for one with a property that raises
        return ""


def notebook_namespace() -> dict[str, Any] | None:
    """The variables of the running notebook, or None outside of one."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return shell.user_ns if shell else None


def caller_namespace() -> dict[str, Any]:
    """The variables of the running notebook; outside of one, those of the code that called the course."""
    if (names := notebook_namespace()) is not None:
        return names
    frame = inspect.currentframe()
    while frame and str(frame.f_globals.get("__name__")).partition(".")[0] == "course":
        frame = frame.f_back
    return frame.f_globals if frame else {}


def _show(found: Verdict) -> None:
    if os.environ.get("NBGRADER_EXECUTION") == "validate":
        if not found.passed:
            raise CheckFailed(repr(report.Report(found)))
        return
    tracking.record(found)
    display(report.Report(found))


def _show_question(subject: Sheet, namespace: dict[str, Any]) -> None:
    found = verdict(subject, namespace)
    if notebook_namespace() is None or os.environ.get("NBGRADER_EXECUTION"):
        return _show(found)
    from course import quiz  # widgets are only imported where there is someone to click

    tracking.record(found)
    quiz.show(subject, namespace, found)


def display(shown: Any) -> None:
    """Show an object richly in a notebook, as text elsewhere."""
    if notebook_namespace() is None:
        _say(repr(shown))
    else:
        from IPython.display import display as show

        show(shown)


def _say(message: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(message.encode(encoding, "replace").decode(encoding))  # a terminal may have no check marks
