"""What the audit tells: a table in the terminal, and the page docs/audit.md."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from autograder import lesson_source
from autograder.audit import (
    ALTERNATIVES,
    LIMITS,
    NAMED,
    REJECTED,
    SEEDS,
    Audit,
    AuditError,
    Trial,
    audit,
    missed,
    totals,
)
from autograder.engine import Engine, EngineError, IsolationError
from autograder.mutants import MOST_OF_KERNEL

Figure = Callable[[list[Audit]], str]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _sum(audits: list[Audit], kind: str) -> int:
    return sum(a.kinds[kind] for a in audits)


def _right(audits: list[Audit], kind: str) -> str:
    outcomes = [why for a in audits for why in getattr(a, kind).values()]
    return f"{outcomes.count('')}/{len(outcomes)}"


def _named(audits: list[Audit]) -> str:
    sums = totals(audits)
    return _share(sums.named, sums.rejected)


# Heading on the page, in the terminal -> the figure for some exercises: for one of them, or for all.
COLUMNS: dict[tuple[str, str], Figure] = {
    ("mutants", "mut."): lambda audits: str(totals(audits).mutants),
    ("duplicates", "dup."): lambda audits: str(sum(a.trivial_mutants for a in audits)),
    ("rejected", "raw"): lambda audits: _share(totals(audits).rejected, totals(audits).mutants),
    ("equivalent", "equ."): lambda audits: str(totals(audits).equivalent),
    ("rejected of the others", "others"): lambda audits: f"{totals(audits).after:.1%}",
    ("bug named", "named"): _named,
    ("by a hint (confirmed)", "hint"): lambda audits: f"{_sum(audits, 'hint')} ({sum(a.confirmed for a in audits)})",
    ("a relation", "rel."): lambda audits: str(_sum(audits, "relation")),
    ("an unused argument", "arg."): lambda audits: str(_sum(audits, "unused")),
    ("a fault", "fault"): lambda audits: str(_sum(audits, "fault")),
    ("only where", "where"): lambda audits: str(_sum(audits, "pattern")),
    ("not named", "none"): lambda audits: str(_sum(audits, "")),
    ("misconceptions", "misc."): lambda audits: _right(audits, "misconceptions"),
    ("alternatives", "alt."): lambda audits: _right(audits, "alternatives"),
    ("trivial solutions", "triv."): lambda audits: _right(audits, "battery"),
}

INTRODUCTION = """\
# Audit of the graders

Made by `python -m autograder audit --write`, which runs everything below through the real hidden grading and fails if a
target is missed. `python -m autograder audit LESSON` audits one lesson.

| target | |
|:---|---:|
| mutants rejected, equivalent ones included | at least {rejected:.0%} |
| bug named in the verdicts on rejected mutants | at least {named:.0%} |
| misconceptions rejected, each with its own hint | all |
| right alternatives that lose points | none, of at least {alternatives} for each exercise |
| trivial solutions that earn points | none |

## Terms

**Mutant.** The lesson's own answer with one small fault: another operator, constant, comparison, variable, key or
reduction, a wrong axis or offset, swapped, copied or dropped arguments, a dropped call, statement, transpose or guard,
in place instead of new, and so on (`autograder/mutation.py`). It runs in a fresh sandboxed process, after the lesson's
cells and the right answers to its other exercises, with {seconds:g} s for each case.

**Duplicates** have the same bytecode as the answer or as an earlier mutant. They are left out of all figures.

**Rejected** means that it gets less than full points with every one of {seeds} seeds. What only some seeds reject
counts as not rejected, and is listed below.

Of a Triton kernel's mutants an even sample of {kernel} is tried: each is simulated, which takes seconds.

**Equivalent** mutants compute the same as the answer, so nothing can reject them. Each is listed with the argument
(`autograder/equivalents.py`). The target is about all mutants, before these are taken off.

**Bug named** means that the verdict says what is wrong, not only that some numbers are. A verdict of every seed must
do so, in one of these ways:
- *by a hint*: the numbers are those that a listed misconception gives. Confirmed: with every seed the same one.
- *a relation*: how the numbers are related to the right ones (negated, scaled by 1/sqrt(d), transposed, one result in
  another's place, rows that do not sum to 1, ...; `course/checks/relation.py`). Only said if it holds in all cases.
- *an unused argument*: the right result depends on it, this one does not change by a bit when it changes.
- *a fault*: the code raised an error (with its line), ran too long, did not raise where it should, gave a wrong type,
  shape or dtype, NaN, or changed its input.

*Only where* the wrong entries lie (above the diagonal, some rows) is told too, but does not count as naming the bug;
nor does "wrong value at [0, 1]" (*not named*).

**Misconceptions** are wrong versions that students really write. **Alternatives** are right answers in other shapes
(`tests/lessons/alternatives`). **Trivial solutions** (`autograder/trivial.py`) return zeros, ones, an identity matrix,
their input, the right shape with nothing in it, raise, or call the library where that is forbidden.
"""


def page(audits: list[Audit]) -> str:
    """The text of docs/audit.md: nothing in it depends on the machine or the day."""
    intro = INTRODUCTION.format(
        rejected=REJECTED,
        named=NAMED,
        alternatives=ALTERNATIVES,
        seconds=LIMITS.case_seconds,
        seeds=len(SEEDS),
        kernel=MOST_OF_KERNEL,
    )
    problems = missed(audits, whole=True)
    verdict = "\n".join(f"- {p}" for p in problems) if problems else "Every target is met."
    sections = [intro, "## Exercises", _markdown(audits), verdict, _survivors(audits), _unnamed(audits)]
    return "\n\n".join(s.strip() for s in sections if s) + "\n"


def _rows(audits: list[Audit]) -> list[list[str]]:
    rows = [[a.id, *(figure([a]) for figure in COLUMNS.values())] for a in audits]
    return [*rows, ["together", *(figure(audits) for figure in COLUMNS.values())]]


def _markdown(audits: list[Audit]) -> str:
    *rows, last = _rows(audits)
    lines = [
        "| exercise | " + " | ".join(heading for heading, _ in COLUMNS) + " |",
        "|:---" + "|---:" * len(COLUMNS) + "|",
    ]
    lines += ["| " + " | ".join([f"`{row[0]}`", *row[1:]]) + " |" for row in rows]
    return "\n".join([*lines, "| " + " | ".join(f"**{cell}**" for cell in last) + " |"])


def _survivors(audits: list[Audit]) -> str:
    lines = ["## Mutants that are not rejected", ""]
    for a in audits:
        if a.survivors:
            lines += [f"**`{a.id}`**", "", "| line | instead of | mutant | why |", "|---:|:---|:---|:---|"]
            lines += [_survivor(a, t) for t in a.survivors]
            lines.append("")
    return "\n".join(lines) if any(a.survivors for a in audits) else ""


def _survivor(audit: Audit, trial: Trial) -> str:
    known = audit.reasons.get(trial.mutant.name, "not listed as equivalent")
    why = "rejected with some seeds only" if trial.status == "weak" else known
    return f"| {trial.mutant.line} | {_code(trial.mutant.before)} | {_code(trial.mutant.after)} | {why} |"


def _unnamed(audits: list[Audit]) -> str:
    lines = [
        "## Rejected, but the bug is not named",
        "",
        "| exercise | line | mutant | what is said |",
        "|:---|---:|:---|:---|",
    ]
    for a in audits:
        for t in a.rejected:
            if t.kind in ("", "pattern"):
                part = t.verdicts[0].first
                said = part.explanation.text if part.explanation else "where the first wrong value is"
                lines.append(f"| `{a.id}` | {t.mutant.line} | {_code(t.mutant.after)} | {said} |")
    return "\n".join(lines)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`" if text != "(dropped)" else text


def show(audits: list[Audit], problems: list[str]) -> None:
    """Print the table, the survivors that no reason stands beside, and the targets that are missed."""
    table = Table(
        Column("exercise", no_wrap=True), *(Column(short, justify="right") for _, short in COLUMNS), box=SIMPLE
    )
    for row in _rows(audits):
        table.add_row(*row, end_section=row[0] == audits[-1].id)
    console = Console(width=max(Console().width, 160), emoji=False)
    console.print(table)
    console.print("; ".join(f"{short} {heading}" for heading, short in COLUMNS if heading != short), style="dim")
    for a in audits:
        for t in a.survivors:
            if t not in a.equivalent:
                console.print(
                    escape(f"{t.status}: {a.id}, line {t.mutant.line}: {t.mutant.before}  =>  {t.mutant.after}")
                )
    for problem in problems:
        console.print(f"[bold]missed:[/bold] {escape(problem)}")


def run(root: Path, lessons: list[str], write: bool, workers: int) -> int:
    """Audit, show what came of it, write docs/audit.md if asked to; 1 if a target is missed, 2 if it cannot be made."""
    try:
        with Engine() as engine:
            audits = audit(root, lessons, engine, workers)
    except (AuditError, EngineError, IsolationError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    problems = missed(audits, whole=lessons == lesson_source.lessons(root))
    show(audits, problems)
    if write:
        (root / "docs" / "audit.md").write_text(page(audits), encoding="utf-8")
        print("wrote: docs/audit.md")
    return 1 if problems else 0
