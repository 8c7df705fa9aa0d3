"""Judge a student's object by its check sheet: the same code for the visible check and for hidden grading."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from course.checks import needs
from course.checks.compare import Difference, Tolerance, difference, exact
from course.checks.explain import Explanation, explanation
from course.checks.forbidden import first_forbidden, first_unseen, first_within
from course.checks.kernel_text import first_foreign
from course.checks.runner import Outcome
from course.checks.script import Script, Step, about_kernels, is_held, value
from course.checks.sheet import Case, Sheet, answer_digest
from course.checks.wire import Opaque

DONE = re.compile(r"(reads|writes|updates) .{0,60}? of (\w+) \(")  # in a message of the simulator's
Run = Callable[[Script], list[Outcome]]


class StudentCodeDied(Exception):
    """The student's code was stopped (time, memory, a crash); the message is for the student."""


@dataclass(frozen=True)
class PartVerdict:
    """One part of an exercise: all of its cases agree, or the first difference."""

    name: str
    points: float
    difference: Difference | None = None
    case: str = ""
    explanation: Explanation | None = None  # how wrong numbers are related to the right ones, where that is known
    held_back: bool = False  # its cases agree, but the first part does not

    @property
    def earned(self) -> float:
        """Points for this part."""
        return 0.0 if self.difference or self.held_back else self.points


@dataclass(frozen=True)
class Verdict:
    """What a check found. `hint` is the matching misconception's, or empty."""

    id: str
    name: str
    points: float
    parts: list[PartVerdict] = field(default_factory=list)
    hint: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def earned(self) -> float:
        """Points earned, never more than `points`."""
        return sum(p.earned for p in self.parts)

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.parts) and all(p.difference is None for p in self.parts)

    @property
    def first(self) -> PartVerdict | None:
        """The first part that failed."""
        return next((p for p in self.parts if p.difference), None)

    @property
    def status(self) -> str:
        """`passed`, `partial`, `failed`, `missing` or `unsolved`."""
        if self.passed:
            return "passed"
        if self.earned:
            return "partial"
        kind = self.first.difference.kind if self.first else "missing"
        return kind if kind in ("missing", "unsolved") else "failed"


def judge(sheet: Sheet, run: Run, cells: list[str] | None = None, run_again: Run | None = None) -> Verdict:
    """Run every case of the sheet through `run` and return the verdict.

    `cells` are the texts of the student's code cells; they are searched for what the sheet forbids. `run_again` is
    `run` for the runs that only serve to explain a wrong result, if these should be quieter.
    """
    if sheet.is_question:
        return _judge_question(sheet, run)
    if found := _forbidden(sheet, cells or []):
        return _all_parts(sheet, found)
    parts: list[PartVerdict] = []
    given: dict[str, list[list[Outcome]]] = {}  # part -> what each of its cases gave
    hint, timed = "", _Timed(run)
    for name, points in sheet.parts.items():
        cases, came = sheet.cases_of(name), []
        try:
            for c in cases:
                came.append(timed(c.script))
        except StudentCodeDied as death:
            before = _judge_part(sheet, name, points, cases[: len(came)], came)  # may tell more than how it ended
            died = PartVerdict(name, points, Difference("raised", str(death)))
            parts.append(before if before.difference else died)
            hint = hint or (_matching_hint(sheet, cases[: len(came)], came) if before.difference else "")
            continue
        given[name] = came
        part = _judge_part(sheet, name, points, cases, given[name])
        if not parts and part.difference and part.difference.kind in ("missing", "unsolved"):
            return _all_parts(sheet, part.difference)
        hint = hint or (_matching_hint(sheet, cases, given[name]) if part.difference else "")
        parts.append(part)
    if not hint:
        parts = [_explained(sheet, p, given, run_again or run, timed.fastest) for p in parts]
    return _seen(sheet, Verdict(sheet.id, sheet.name, sheet.points, _hold_back(parts), hint), cells or [])


@dataclass
class _Timed:
    """Runs scripts and knows the shortest time that one took: the others may have waited for a busy machine."""

    run: Run
    fastest: float = math.inf

    def __call__(self, script: Script) -> list[Outcome]:
        start = time.monotonic()
        outcomes = self.run(script)
        self.fastest = min(self.fastest, time.monotonic() - start)
        return outcomes


def _explained(
    sheet: Sheet, part: PartVerdict, given: dict[str, list[list[Outcome]]], run: Run, seconds: float
) -> PartVerdict:
    """The part with a word on how its wrong numbers are related to the right ones."""
    if part.difference is None or part.difference.kind != "values":
        return part
    try:
        said = explanation(sheet, sheet.cases_of(part.name), given[part.name], run, seconds)
    except Exception:  # it died when it was tried once more, say: no explanation is worth a lost grade
        return part
    return replace(part, explanation=said)


def _all_parts(sheet: Sheet, found: Difference) -> Verdict:
    parts = [PartVerdict(name, points, found) for name, points in sheet.parts.items()]
    return Verdict(sheet.id, sheet.name, sheet.points, parts)


def _hold_back(parts: list[PartVerdict]) -> list[PartVerdict]:
    """The first part is an exercise's heart: without it the others earn nothing (`raise ValueError` is no answer)."""
    if not parts or parts[0].difference is None:
        return parts
    return [parts[0], *(replace(p, held_back=not p.difference) for p in parts[1:])]


def _judge_part(sheet: Sheet, name: str, points: float, cases: list[Case], results: list[list[Outcome]]) -> PartVerdict:
    """The first case that says most: an error or a wrong shape tells more than wrong numbers, these more than inputs
    changed in place."""
    found: dict[str, PartVerdict] = {}
    for case, got in zip(cases, results, strict=True):
        if wrong := case_difference(case.script, case.expected, got, sheet.tolerance or exact):
            weight = wrong.kind if wrong.kind in ("values", "needs", "changed") else "telling"
            found.setdefault(weight, PartVerdict(name, points, wrong, describe(case)))
    right = PartVerdict(name, points)
    return found.get("telling") or found.get("values") or found.get("needs") or found.get("changed") or right


def case_difference(
    script: Script, expected: list[Outcome], got: list[Outcome], tolerance: Tolerance
) -> Difference | None:
    """The first difference between two runs of a script, or None."""
    for i, step in enumerate(script[: len(expected)]):
        if i >= len(got):
            return Difference("missing", "The run ended early.")
        result = {"grads": "gradient", "failing": "error"}.get(step["op"], "result")
        what = f"The {result}" if len(script) == 1 else f"`{_step_text(step)}`: the {result}"
        found = _outcome_difference(expected[i], got[i], tolerance, what) or _needs_difference(step, got[i])
        if found:
            return found
    return None


def _outcome_difference(expected: Outcome, got: Outcome, tolerance: Tolerance, what: str) -> Difference | None:
    if "missing" in got:
        return Difference("missing", f"`{got['missing']}` is not defined. Run the cell that defines it first.")
    if "raised" in expected:
        return _error_difference(expected["raised"], got)
    if "raised" in got:
        if got["raised"] == "NotImplementedError":
            return Difference("unsolved", "Not implemented yet.")
        if got["raised"] in needs.NO_KERNELS:
            return Difference("missing", got["message"])
        if got["raised"] in needs.FINDINGS:
            return Difference("raised", f"{got['raised']}: {got['message']}")
        place = f" ({got['where']})" if got.get("where") else ""
        return Difference("raised", f"Your code raised {got['raised']}: {got['message']}{place}")
    if found := difference(expected["value"], got["value"], tolerance, what):
        return found
    if changed := [n for n in got["changed"] if n not in expected.get("changed", [])]:
        names = ", ".join(f"argument {n}" for n in changed)
        return Difference("changed", f"Your code changes {names} in place. Work on a copy: the caller still needs it.")
    return None


def _needs_difference(step: Step, got: Outcome) -> Difference | None:
    """Whether it took more than the step allows, though its value is right."""
    if not step.get("limits") or "value" not in got:
        return None
    said = needs.too_much(step["name"], step["limits"], step.get("advice", ""), got.get("needs"))
    return Difference("needs", said) if said else None


def _error_difference(expected: str, got: Outcome) -> Difference | None:
    if "raised" not in got:
        return Difference("raised", f"This input should raise {expected}, but your code returned a result.")
    if got["raised"] == "NotImplementedError" and expected != "NotImplementedError":
        return Difference("unsolved", "Not implemented yet.")
    if expected in (got["raised"], *got.get("bases", [])):
        return None
    return Difference("raised", f"This input should raise {expected}, but {got['raised']} came: {got['message']}")


def _matching_hint(sheet: Sheet, cases: list[Case], results: list[list[Outcome]]) -> str:
    """The hint of the first misconception that gives what the student's code gives in every case of the part.

    One that is right on all of them explains nothing there: the fault is an argument changed in place, say.
    """
    tolerance = sheet.tolerance or exact
    for name, hint in sheet.hints.items():
        told = [(c, r) for c, r in zip(cases, results, strict=True) if name in c.misconceptions]
        agrees = told and all(_agrees(c, c.misconceptions[name], r, tolerance) for c, r in told)
        if agrees and any(case_difference(c.script, c.expected, c.misconceptions[name], tolerance) for c, _ in told):
            return hint
    return ""


def _agrees(case: Case, wrong: list[Outcome], got: list[Outcome], tolerance: Tolerance) -> bool:
    """Whether a run gives what a misconception gives; errors agree if type and message do.

    Arguments changed in place do not count: values that are wrong for a known reason are wrong with or without that.
    Nor do the words of an error that should come: everybody finds their own.
    """
    messages = _messages(case, wrong) == _messages(case, got)
    unchanged = [o | {"changed": []} if "value" in o else o for o in got]
    pairs = zip(case.script, wrong, got, strict=False)
    needed = all(needs.alike(step.get("limits", {}), w.get("needs"), g.get("needs")) for step, w, g in pairs)
    unlimited = [{**step, "limits": {}} for step in case.script]
    return messages and needed and not case_difference(unlimited, wrong, unchanged, tolerance)


def _messages(case: Case, outcomes: list[Outcome]) -> list[str | None]:
    right = [o.get("raised") for o in case.expected] + [None] * len(outcomes)
    return [
        None if wanted and wanted in (o.get("raised"), *o.get("bases", [])) else _said(o)
        for o, wanted in zip(outcomes, right, strict=False)
    ]


def _said(outcome: Outcome) -> str | None:
    """An error's words; of what the simulator finds, what was done to which tensor, but not in which line of whom."""
    message = outcome.get("message")
    if outcome.get("raised") not in needs.FINDINGS or message is None:
        return message
    done = DONE.search(message)
    return f"{done[1]} {done[2]}" if done else outcome["raised"]


def describe(case: Case) -> str:
    """A case in words: its label and the calls, with shapes in place of numbers."""
    calls = "; ".join(_step_text(s) for s in case.script)
    return f"{case.label}: {calls}" if case.label else calls


def _step_text(step: Step) -> str:
    arguments = [_brief(a) for a in step["args"]] + [f"{k}={_brief(v)}" for k, v in step["kwargs"].items()]
    name = step.get("name") or step["op"]
    if step["op"] in ("method", "attribute") and step["handle"] != "it":  # an object that the script names
        name = f"{step['handle']}.{name}"
        return name if step["op"] == "attribute" else f"{name}({', '.join(arguments)})"
    return f"{name}({', '.join(arguments)})"


def _brief(value: Any) -> str:
    if is_held(value):
        return value["handle"]
    array = getattr(value, "array", value)
    if hasattr(array, "shape"):
        return f"array of shape {tuple(array.shape)}" if array.shape else repr(array.item())
    if isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values()):
        return _clip("{" + ", ".join(value) + "}", 200)  # a model's parameters: what is in them would take a page
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{k}: {_brief(v)}" for k, v in value.items()) + "}"
        return text if len(text) <= 200 else _clip("{" + ", ".join(map(str, value)) + "}", 120)
    if isinstance(value, list | tuple) and any(map(_holds_arrays, value)):
        return _clip("[" + ", ".join(map(_brief, value)) + "]", 200)
    return _clip(repr(value), 60)


def _holds_arrays(value: Any) -> bool:
    if isinstance(value, dict | list | tuple):
        return any(map(_holds_arrays, value.values() if isinstance(value, dict) else value))
    return hasattr(getattr(value, "array", value), "shape")


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _judge_question(sheet: Sheet, run: Run) -> Verdict:
    try:
        outcome = run([value(sheet.name)])[0]
    except StudentCodeDied as death:
        return _answered(sheet, Difference("raised", str(death)))
    if "missing" in outcome:
        return _answered(sheet, Difference("missing", f"`{sheet.name}` is not defined. Run the answer cell first."))
    answer = outcome.get("value")
    if _is_unanswered(answer):
        return _answered(sheet, Difference("unsolved", "Not answered yet."))
    keys, chosen = [o.key for o in sheet.options], chosen_keys(answer)
    if not chosen or not set(chosen) <= set(keys):
        wanted = f'a list such as ["{keys[0]}", "{keys[1]}"]' if sheet.multiple else f'one letter, such as "{keys[0]}"'
        return _answered(sheet, Difference("type", f"`{sheet.name}` should be {wanted}. Options: {', '.join(keys)}."))
    right = answer_digest(sheet.id, chosen) == sheet.answer_digest
    notes = [f"{o.key}: {o.explanation}" for o in sheet.options if o.key in chosen]
    return _answered(sheet, None if right else Difference("values", "Not the right answer."), notes)


def _is_unanswered(answer: Any) -> bool:
    empty = isinstance(answer, str | list | tuple) and len(answer) == 0
    return answer is None or empty or (isinstance(answer, Opaque) and answer.type_name == "ellipsis")


def chosen_keys(answer: Any) -> list[str]:
    """The option letters in an answer: `"b"`, `"B "`, `["a", "c"]` and `("a", "c")` are all fine."""
    letters = [answer] if isinstance(answer, str) else answer if isinstance(answer, list | tuple) else []
    return sorted({k.strip().lower() for k in letters if isinstance(k, str)})


def _answered(sheet: Sheet, found: Difference | None, notes: list[str] | None = None) -> Verdict:
    return Verdict(sheet.id, sheet.name, sheet.points, [PartVerdict("answer", sheet.points, found)], "", notes or [])


def _forbidden(sheet: Sheet, cells: list[str]) -> Difference | None:
    if any(about_kernels(c.script) for c in sheet.cases) and (foreign := first_foreign(cells, sheet.name)):
        return Difference("forbidden", foreign)
    found = first_forbidden(cells, sheet.name, sheet.forbids) if sheet.forbids else None
    if not found and (ours := first_within(cells, sheet.name, (*sheet.answers_of_ours, "course.widgets"))):
        found = ours, "it is the course's own answer, and this exercise asks for yours"
    return Difference("forbidden", f"`{found[0]}` may not be used here: {found[1]}.") if found else None


def _seen(sheet: Sheet, verdict: Verdict, cells: list[str]) -> Verdict:
    """The verdict, unless points rest on code that no cell shows where something is forbidden."""
    name = first_unseen(cells, sheet.name) if cells and sheet.forbids and verdict.earned else None
    if name is None:
        return verdict
    why = f"no cell shows where it comes from, and {next(iter(sheet.forbids.values()))}"
    return _all_parts(sheet, Difference("forbidden", f"`{name}` may not be used here: {why}."))
