"""One definition per exercise, from which golden data, checks, hidden grading, the docs and the audit are made.

    @exercise(parts={"values": 2, "bad input": 1}, minutes=8, source="Vaswani et al. 2017, section 3.2.3")
    class causal_mask:
        "Lower-triangular boolean mask."
        tolerance = exact
        def cases(rng): ...            # yields case(...); edge sizes first, then random
        def reference(n): ...          # plain, float64, independent of the lesson's solution
        class misconceptions:          # wrong versions that students really write; the docstring is the hint
            def upper_triangle(n): ...

The class's name is the name that the student defines; the id is the lesson's chapter, a dot and that name.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import linecache
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from autograder import exercises
from course.checks import needs
from course.checks.compare import Tolerance, exact
from course.checks.influence import Place, influential
from course.checks.judge import Verdict, judge
from course.checks.runner import Outcome, plain, run_script
from course.checks.script import Script, Step, call, for_reference
from course.checks.sheet import Case, Option, Sheet, UnknownExercise, answer_digest
from course.checks.wire import Opaque

Draft = tuple[str, str | None, Script | None, tuple[Any, ...], dict[str, Any]]


class DefinitionError(ValueError):
    """An exercise's definition does not hold together; the message says where."""


def case(*args: Any, label: str = "", part: str | None = None, script: Script | None = None, **kwargs: Any) -> Draft:
    """One case: the arguments of a call, or a whole script. `part` defaults to the exercise's first part."""
    return label, part, script, args, kwargs


@dataclass(frozen=True)
class Definition:
    """A finished definition. Its `sheet` is drawn from a generator: fixed for visible, fresh for hidden cases."""

    id: str
    name: str
    summary: str
    source: str
    minutes: int
    parts: dict[str, float]
    tolerance: Tolerance
    cases: Callable[[np.random.Generator], Iterator[Draft]]
    reference: Any
    misconceptions: dict[str, Any]
    forbids: dict[str, str] = field(default_factory=dict)
    uses: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        """Points of all parts."""
        return float(sum(self.parts.values()))

    @property
    def hints(self) -> dict[str, str]:
        """Misconception -> its hint."""
        return {name: _sentence(wrong) for name, wrong in self.misconceptions.items()}

    def sheet(self, rng: np.random.Generator) -> Sheet:
        """Draw the cases and run the reference and every misconception on them."""
        finished = [self._finish(draft) for draft in self.cases(rng)]
        if empty := set(self.parts) - {c.part for c in finished}:
            raise DefinitionError(f"{self.id}: no case for {', '.join(sorted(empty))}")
        return Sheet(
            self.id, self.name, self.summary, self.points, self.parts, self.tolerance, self.hints, self.forbids,
            self.uses, self.minutes, _parameters(self.reference), finished,
        )  # fmt: skip

    def visible_sheet(self) -> Sheet:
        """The sheet of the golden data: always the same cases, with what every misconception gives on them."""
        drawn = self.sheet(np.random.default_rng(_seed_of(self.id)))
        known = [replace(c, misconceptions=dict(c.misconceptions), matters=list(c.matters)) for c in drawn.cases]
        return replace(drawn, cases=known)

    def verdict_on(self, target: Any, rng: np.random.Generator | None = None) -> Verdict:
        """Judge an object of ours (a misconception, an alternative): on the visible cases, or on fresh ones."""
        return self.verdict_by(self.sheet(rng) if rng else self.visible_sheet(), target)

    def verdict_by(self, sheet: Sheet, target: Any) -> Verdict:
        """Judge an object of ours by a sheet of this exercise."""
        with np.errstate(all="ignore"):  # a misconception may well divide by zero
            return judge(sheet, lambda script: run_script(script, {self.name: target}))

    def _finish(self, draft: Draft) -> Case:
        label, part, script, args, kwargs = draft
        part = part or next(iter(self.parts))
        if part not in self.parts:
            raise DefinitionError(f"{self.id}: a case is of part {part!r}, which `parts` does not list")
        script = plain(script or [call(self.name, *args, **kwargs)])
        expected = self._outcomes(script, self.reference)
        failed = [o for step, o in zip(script, expected, strict=False) if step["op"] == "given" and "value" not in o]
        if failed:  # else every answer would fail in the same way, and so be right
            raise DefinitionError(f"{self.id}: the course's own object cannot be made (case {label!r}): {failed[0]}")
        if strange := opaque_in([script, expected]):
            raise DefinitionError(f"{self.id}: {strange.type_name} cannot be sent or compared (case {label!r})")
        return Case(label, part, script, expected, _Wrong(self, script), _Matters(self, script))

    def _outcomes(self, script: Script, target: Any) -> list[Outcome]:
        ours = target is self.reference
        with np.errstate(all="ignore"):
            outcomes = run_script(for_reference(script) if ours else script, {self.name: target}, watch=not ours)
        return [_settled(step, outcome) for step, outcome in zip(script, outcomes, strict=False)]


def _settled(step: Step, outcome: Outcome) -> Outcome:
    """What of an outcome is the same in every run."""
    if "raised" in outcome:
        return {"raised": outcome["raised"], "message": outcome["message"]}
    if "needs" in outcome:
        return outcome | {"needs": needs.settled(step["limits"], outcome["needs"])}
    return outcome


class _Wrong(Mapping[str, list[Outcome]]):
    """What each misconception gives on one case, computed when asked for: a right answer never asks."""

    def __init__(self, definition: Definition, script: Script):
        self.definition, self.script = definition, script
        self.known: dict[str, list[Outcome]] = {}

    def __getitem__(self, name: str) -> list[Outcome]:
        if name not in self.known:
            self.known[name] = self.definition._outcomes(self.script, self.definition.misconceptions[name])
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.definition.misconceptions)

    def __len__(self) -> int:
        return len(self.definition.misconceptions)


class _Matters(Sequence[Place]):
    """The arguments that the reference's result on one case depends on, computed when asked for."""

    def __init__(self, definition: Definition, script: Script):
        self.definition, self.script = definition, script

    @cached_property
    def places(self) -> list[Place]:
        """See `course.checks.influence`."""
        one = self.definition
        return influential(self.script, lambda script: one._outcomes(script, one.reference), one.tolerance)

    def __getitem__(self, index: Any) -> Any:
        return self.places[index]

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True)
class Question:
    """A check question: options with an explanation each, one or several of them right."""

    id: str
    name: str
    summary: str
    points: float
    options: list[Option]
    answer: list[str]

    def visible_sheet(self) -> Sheet:
        """The sheet: the same for everybody."""
        return Sheet(
            self.id, self.name, self.summary, self.points, {"answer": self.points}, options=self.options,
            multiple=len(self.answer) > 1, answer_digest=answer_digest(self.id, self.answer), minutes=1,
        )  # fmt: skip

    def sheet(self, rng: np.random.Generator) -> Sheet:
        """As `visible_sheet`: a question has nothing to draw."""
        return self.visible_sheet()


def exercise(
    *, points: float | None = None, parts: dict[str, float] | None = None, minutes: int, source: str,
    forbids: dict[str, str] | None = None, uses: tuple[str, ...] = (),
) -> Callable[[type], Definition]:  # fmt: skip
    """Make a Definition of a class; see the module's docstring. `uses` names exercises whose functions it may call."""

    def define(body: type) -> Definition:
        members = vars(body)
        if bool(points) == bool(parts):
            raise DefinitionError(f"{body.__name__}: give either `points` or `parts`")
        for needed in ("cases", "reference", "misconceptions"):
            if needed not in members:
                raise DefinitionError(f"{body.__name__}: `{needed}` is missing")
        return Definition(
            id=_id(body), name=body.__name__, summary=_sentence(body), source=source, minutes=minutes,
            parts=parts or {"values": float(points)}, tolerance=members.get("tolerance", exact),
            cases=members["cases"], reference=members["reference"],
            misconceptions=_public(members["misconceptions"]), forbids=forbids or {}, uses=list(uses),
        )  # fmt: skip

    return define


def question(*, points: float = 1, answer: str | list[str]) -> Callable[[type], Question]:
    """Make a Question of a class: the docstring asks, each attribute `a`, `b`, ... is (text, explanation)."""

    def define(body: type) -> Question:
        options = [Option(key, *pair) for key, pair in _public(body).items()]
        right = [answer] if isinstance(answer, str) else sorted(answer)
        if not set(right) <= {o.key for o in options}:
            raise DefinitionError(f"{body.__name__}: the answer {answer!r} is not among the options")
        return Question(_id(body), body.__name__, _sentence(body), float(points), options, right)

    return define


def definitions(lesson: str) -> dict[str, Definition | Question]:
    """Id -> definition for one lesson, in the order of its file. Raises UnknownExercise for an unknown lesson."""
    if lesson not in lessons():
        raise UnknownExercise(f"There is no lesson {lesson!r}. Lessons: {', '.join(lessons())}.")
    module = importlib.import_module(f"autograder.exercises.{lesson}")
    found = [x for x in vars(module).values() if isinstance(x, Definition | Question)]
    return {d.id: d for d in found}


@functools.cache
def find(exercise_id: str) -> Definition | Question:
    """The definition of an id such as `ch06.causal_mask`. Raises UnknownExercise, naming those that exist."""
    for lesson in lessons():
        if lesson.partition("_")[0] == exercise_id.partition(".")[0]:
            known = definitions(lesson)
            if exercise_id in known:
                return known[exercise_id]
            raise UnknownExercise(f"There is no exercise {exercise_id!r}. {lesson} has: {', '.join(known)}.")
    raise UnknownExercise(f"There is no lesson for {exercise_id!r}. Lessons: {', '.join(lessons())}.")


def lessons() -> list[str]:
    """The lessons that have exercises, in the course's order."""
    return sorted(m.name for m in pkgutil.iter_modules(exercises.__path__))


def kernel_of(text: str, template: Any, hint: str) -> Any:
    """The kernel of another text, in the place of `template` in its module; `hint` is its docstring.

    The text is one that Python finds again, as Triton wants.
    """
    import triton

    file = f"<kernel {hashlib.sha256(text.encode()).hexdigest()[:12]}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
    names = {"__name__": template.fn.__module__, "triton": triton, "tl": triton.language}
    exec(compile(text, file, "exec"), names)
    kernel = names[template.__name__]
    kernel.__doc__ = hint
    return kernel


def _id(body: type) -> str:
    return f"{body.__module__.rpartition('.')[2].partition('_')[0]}.{body.__name__}"


def opaque_in(value: Any) -> Opaque | None:
    """The first thing in plain data that is not data."""
    if isinstance(value, Opaque):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return next((found for v in inner if (found := opaque_in(v))), None)


def _seed_of(exercise_id: str) -> int:
    return int.from_bytes(hashlib.sha256(exercise_id.encode()).digest()[:8], "big")


def _parameters(reference: Any) -> list[str]:
    """The names of a function's parameters, which are those of the lesson's function too; of a class, none."""
    return [] if inspect.isclass(reference) else list(inspect.signature(reference).parameters)


def _public(body: type) -> dict[str, Any]:
    return {name: value for name, value in vars(body).items() if not name.startswith("_")}


def _sentence(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split())
