"""A check sheet: everything that judging one exercise needs, and nothing that solves it.

The instructor's build makes a sheet from the exercise's definition and stores it in
`course/checks/<lesson>.safetensors` (golden data); the grader makes one afresh for each submission. Both are judged
by `course.checks.judge`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from course.checks import wire
from course.checks.compare import Tolerance
from course.checks.influence import Place
from course.checks.runner import Outcome
from course.checks.script import Script

FOLDER = Path(__file__).parent


class UnknownExercise(LookupError):
    """No check sheet of this id; the message lists what there is."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class Case:
    """One script with what it should give, and what each misconception would give instead."""

    label: str
    part: str
    script: Script
    expected: list[Outcome]
    misconceptions: Mapping[str, list[Outcome]]
    matters: Sequence[Place] = ()  # the arguments that the expected outcome depends on, if known


@dataclass(frozen=True)
class Option:
    """One option of a check question, with the explanation shown when it is chosen."""

    key: str
    text: str
    explanation: str


@dataclass(frozen=True)
class Sheet:
    """The check sheet of an exercise (`cases`) or of a check question (`options`, `answer_digest`)."""

    id: str
    name: str
    summary: str
    points: float
    parts: dict[str, float] = field(default_factory=dict)
    tolerance: Tolerance | None = None
    hints: dict[str, str] = field(default_factory=dict)
    forbids: dict[str, str] = field(default_factory=dict)
    uses: list[str] = field(default_factory=list)
    minutes: int = 0
    arguments: list[str] = field(default_factory=list)  # names of a function's parameters
    cases: list[Case] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    multiple: bool = False
    answer_digest: str = ""

    @property
    def is_question(self) -> bool:
        """Whether this is a check question."""
        return bool(self.options)

    @property
    def answers_of_ours(self) -> tuple[str, ...]:
        """Where the course itself keeps a right answer to this exercise."""
        supplied = "course.supplied"
        return f"course.carry.{self.name}", f"{supplied}.{self.id.partition('.')[0]}", f"{supplied}.{self.name}"

    def cases_of(self, part: str) -> list[Case]:
        """The cases of one part."""
        return [c for c in self.cases if c.part == part]


@dataclass(frozen=True)
class LessonSheets:
    """All sheets of one lesson. `edition` names this version of them; `minutes` is the time that the lesson takes."""

    lesson: str
    title: str
    sheets: dict[str, Sheet]
    edition: str
    minutes: int = 0

    @property
    def points(self) -> float:
        """Points of the whole lesson."""
        return sum(s.points for s in self.sheets.values())


def answer_digest(exercise_id: str, answer: Any) -> str:
    """Digest of an answer to a check question: keeps the key from being read in passing, no more than that."""
    letters = answer if isinstance(answer, str) else ",".join(sorted(map(str, answer)))
    return hashlib.sha256(f"{exercise_id}|{letters.strip().lower()}".encode()).hexdigest()[:16]


def dump(lesson: str, title: str, sheets: list[Sheet], minutes: int = 0) -> bytes:
    """The bytes of a golden file: deterministic, readable by safetensors."""
    told = {"lesson": lesson, "title": title, "minutes": minutes}
    tree, arrays = wire.take_apart({**told, "sheets": [_as_dict(s) for s in sheets]})
    text = json.dumps(tree, sort_keys=True, ensure_ascii=False)
    # One key only: safetensors does not keep the order of several.
    named = {f"a{i:05d}": np.ascontiguousarray(a).reshape(a.shape) for i, a in enumerate(arrays)}
    return save(named or {"a00000": np.zeros(1, np.uint8)}, {"course": text})


def _as_dict(value: Any) -> Any:
    """As `dataclasses.asdict`, but only for the sheet's own classes: the plain data in a case stay what they are."""
    if isinstance(value, Sheet | Case | Option | Tolerance):
        return {f.name: _as_dict(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, list):
        return [_as_dict(v) for v in value]
    return value


def path_of(lesson: str) -> Path:
    """Where the golden file of a lesson lies."""
    return FOLDER / f"{lesson}.safetensors"


def lessons() -> list[str]:
    """The lessons that have check sheets, in the course's order."""
    return sorted(p.stem for p in FOLDER.glob("*.safetensors"))


def load_lesson(lesson: str) -> LessonSheets:
    """Read the golden file of a lesson. Raises UnknownExercise if there is none."""
    path = path_of(lesson)
    if not path.exists():
        raise UnknownExercise(f"There is no lesson {lesson!r}. Lessons: {', '.join(lessons()) or 'none'}.")
    return _read(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _read(path: Path, _modified: int) -> LessonSheets:
    try:
        with safe_open(path, framework="numpy") as file:
            text = file.metadata()["course"]
            arrays = [file.get_tensor(name) for name in sorted(file.keys())]
        content = wire.put_together(json.loads(text), arrays)
        sheets = {s["id"]: _sheet(s) for s in content["sheets"]}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        message = f"{path.name} is damaged ({error}). Reinstall the course, or run `python -m autograder build`."
        raise UnknownExercise(message) from None
    edition = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    return LessonSheets(content["lesson"], content["title"], sheets, edition, content.get("minutes", 0))


def _sheet(data: dict[str, Any]) -> Sheet:
    data = dict(data)
    data["cases"] = [Case(**c) for c in data["cases"]]
    data["options"] = [Option(**o) for o in data["options"]]
    data["tolerance"] = Tolerance(**data["tolerance"]) if data["tolerance"] else None
    return Sheet(**data)


def lesson_of(exercise_id: str) -> str:
    """The lesson that an id such as `ch06.causal_mask` belongs to. Raises UnknownExercise."""
    chapter = str(exercise_id).partition(".")[0]
    for lesson in lessons():
        if lesson.partition("_")[0] == chapter:
            return lesson
    known = ", ".join(name.partition("_")[0] for name in lessons())
    raise UnknownExercise(
        f"There is no exercise {exercise_id!r}: no lesson begins with {chapter!r} (there are {known})."
    )


def load_sheet(exercise_id: str) -> Sheet:
    """The sheet of one exercise. Raises UnknownExercise, naming the ids that exist."""
    sheets = load_lesson(lesson_of(exercise_id)).sheets
    if exercise_id not in sheets:
        raise UnknownExercise(f"There is no exercise {exercise_id!r}. This lesson has: {', '.join(sheets)}.")
    return sheets[exercise_id]
