"""Read a lesson's text (`source/<lesson>/<lesson>.py`, jupytext percent) into cells that know what they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import jupytext

from autograder.exercise import Definition, Question, definitions
from course.checks.report import points_text

OPTIONS = {"exercise", "question", "instructor-only", "demonstration"}
TIME = re.compile(r"\*\*Time\*\* about (\d+) minutes")
TOKEN = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class LessonError(ValueError):
    """A lesson's text is wrong; the message names the file and what to do."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson. `definition` is set for exercises and check questions.

    A `demonstration` (a widget, an experiment) defines nothing that a later cell needs: grading leaves it out.
    """

    kind: str  # "markdown" or "code"
    text: str
    definition: Definition | Question | None = None
    demonstration: bool = False


def folder(root: Path) -> Path:
    """Where the lessons' texts lie."""
    return root / "source"


def lessons(root: Path) -> list[str]:
    """Lessons that have a text, in the course's order."""
    return sorted(p.parent.name for p in folder(root).glob("*/*.py") if p.stem == p.parent.name)


def read(root: Path, lesson: str) -> list[Cell]:
    """Read a lesson. Raises LessonError for an unknown lesson, option or exercise id, and for a forgotten exercise."""
    path = folder(root) / lesson / f"{lesson}.py"
    if not path.exists():
        raise LessonError(f"There is no lesson {lesson!r}. Lessons: {', '.join(lessons(root)) or 'none'}.")
    known = definitions(lesson)
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    cells = [_cell(raw, known, path) for raw in notebook.cells if "instructor-only" not in raw.metadata]
    used = [c.definition.id for c in cells if c.definition]
    if missing := [i for i in known if i not in used]:
        raise LessonError(f"{path}: defined but not in the text: {', '.join(missing)}")
    if twice := sorted({i for i in used if used.count(i) > 1}):
        raise LessonError(f"{path}: more than once in the text: {', '.join(twice)}")
    return [_filled(c, cells, known, path) for c in cells]


def _cell(raw, known: dict[str, Definition | Question], path: Path) -> Cell:
    options = {k: v for k, v in raw.metadata.items() if k != "lines_to_next_cell"}
    if unknown := set(options) - OPTIONS:
        raise LessonError(f"{path}: unknown cell option {sorted(unknown)}; there are {sorted(OPTIONS)}")
    wanted = options.get("exercise") or options.get("question")
    if wanted is not None and wanted not in known:
        raise LessonError(f"{path}: {wanted!r} is not defined. Defined for this lesson: {', '.join(known)}")
    return Cell(raw.cell_type, raw.source, known.get(wanted), bool(options.get("demonstration")))


def minutes(root: Path, lesson: str) -> int:
    """The time that a lesson says it takes. Raises LessonError if it does not say."""
    path = folder(root) / lesson / f"{lesson}.py"
    found = TIME.search(path.read_text(encoding="utf-8"))
    if not found:
        raise LessonError(f"{path}: say how long the lesson takes: `**Time** about 60 minutes`")
    return int(found[1])


def demonstrations(root: Path, lesson: str) -> frozenset[str]:
    """The texts of a lesson's demonstrations; none for a lesson that is not known here."""
    try:
        return frozenset(c.text.strip() for c in read(root, lesson) if c.demonstration)
    except (LookupError, LessonError):
        return frozenset()


def _filled(cell: Cell, cells: list[Cell], known: dict[str, Definition | Question], path: Path) -> Cell:
    """Replace {{exercises}} by the list of exercises and {{ch02.name}} by that exercise's points and minutes."""
    if cell.kind != "markdown":
        return cell

    def fill(match: re.Match) -> str:
        name = match.group(1)
        if name == "exercises":
            return _table([c.definition for c in cells if c.definition])
        if name not in known:
            raise LessonError(f"{path}: {{{{{name}}}}} is neither `exercises` nor an id of this lesson")
        return heading(known[name])

    return Cell(cell.kind, TOKEN.sub(fill, cell.text))


def heading(definition: Definition | Question) -> str:
    """`**Exercise: causal_mask** (3 points, about 5 minutes)`."""
    minutes = f", about {definition.minutes} minutes" if isinstance(definition, Definition) else ""
    word = "Exercise" if isinstance(definition, Definition) else "Check question"
    return f"**{word}: `{definition.name}`** ({points_text(definition.points)}{minutes})"


def _table(definitions: list[Definition | Question]) -> str:
    rows = ["| what you do | points |", "|:---|---:|"]
    for d in definitions:
        what = d.summary if isinstance(d, Definition) else "Check question"
        rows.append(f"| `{d.name}`: {what} | {d.points:g} |")
    return "\n".join([*rows, f"| **together** | **{sum(d.points for d in definitions):g}** |"])
