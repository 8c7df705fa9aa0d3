"""The page docs/faults.md, from what a run found."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable

from tests.faults.kills import STUDENTS, Count
from tests.fuzz.damage import BYTES, TREES
from tests.fuzz.fuzzing import Tally

HEAD = """\
# Faults: what is killed, what is damaged, and what comes of it

Made by `{command}` in {minutes:.0f} minutes on {cores} cores, Python {python}. Do not edit: run the command again.

## Parts killed at random moments

A class of {students} submissions with known marks is graded by `autograder grade` on two workers, on SQLite and on
PostgreSQL, while parts of it are killed with SIGKILL. After each kill the run goes on: what is left of it by itself, or
the same command started again. Then every student hands in something else, and the next class begins. A trigger in the
database logs every submission that is recorded. At the end of a class each submission must have been recorded exactly
once, with one grade for each exercise, of the right value, and its autograded notebook must say the same.

- *hits*: kills that met at least one submission being graded, or a transaction open
- *started again*: times that the command had to be started again by hand
- *lost*, *doubled*, *wrong*: submissions

"""
KILLS = ("killed", "classes", "kills", "hits", "started again", "lost", "doubled", "wrong")
DAMAGE_TEXT = """
## Notebooks damaged at random

Three honest submissions (everything solved, some of it, nothing) are damaged in {kinds} ways by a seeded generator, and
graded in the sandbox. Each must end with a mark for every exercise, never more than the honest submission earned there,
and with a reason for every point that it lost.

- *unreadable*: no notebook any more; graded as one without cells, and the feedback says so
- *same marks*, *fewer points*: than the honest submission
- *more points*, *crashes*, *no reason*: must be 0

"""
DAMAGE = (
    "damage",
    "notebooks",
    "unreadable",
    "same marks",
    "fewer points",
    "more points",
    "crashes",
    "no reason",
    "slowest",
)


def text(command: str, seconds: float, counts: dict[str, Count], tallies: dict[str, Tally]) -> str:
    """The whole page."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "students": len(STUDENTS)}
    head = HEAD.format(command=command, minutes=seconds / 60, **machine)
    kills = [(name, *_numbers(count)) for name, count in counts.items()]
    damage = [(_words(name), *_tallied(tally)) for name, tally in tallies.items()]
    kills_table = table(KILLS, [*kills, _total(kills)])
    damage_table = table(DAMAGE, [*damage, _total(damage)])
    return head + kills_table + DAMAGE_TEXT.format(kinds=len(tallies)) + damage_table


def table(names: Iterable[str], rows: Iterable[tuple]) -> str:
    """A Markdown table: the first column is text, the others are numbers."""
    names = list(names)
    lines = [names, [":---", *["---:"] * (len(names) - 1)], *rows]
    return "".join("| " + " | ".join(_cell(value) for value in line) + " |\n" for line in lines)


def _cell(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, float) else str(value)


def _numbers(count: Count) -> tuple[int, ...]:
    faults = (len(count.lost), len(count.doubled), len(count.wrong))
    return (count.rounds, count.kills, count.hits, count.starts, *faults)


def _tallied(tally: Tally) -> tuple[int | float, ...]:
    faults = (len(tally.gained), len(tally.crashed), len(tally.unexplained))
    return (tally.notebooks, tally.unreadable, tally.kept, tally.lost, *faults, tally.slowest)


def _total(rows: list[tuple]) -> tuple:
    columns = list(zip(*rows, strict=True))[1:]
    return ("**together**", *(max(c) if isinstance(c[0], float) else sum(c) for c in columns))


def _words(kind: str) -> str:
    """A kind of damage in words: what its function says of itself."""
    described = (BYTES | TREES)[kind].__doc__.rstrip(".")
    return f"{kind.replace('_', ' ')}: {described[0].lower()}{described[1:]}"
