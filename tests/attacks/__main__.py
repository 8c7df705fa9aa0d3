"""`python -m tests.attacks [NAME ...]`: run the attacks and write docs/attacks.md; with names, print only.

Ends with status 1 if an attack gained a point, harmed somebody or was not explained.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import textwrap
from pathlib import Path

from tqdm import tqdm

from tests.attacks.attack import KINDS, Attack, load, names
from tests.attacks.checks import adopt_orphans, tried
from tests.attacks.target import CASE_SECONDS, CELL_SECONDS, LIMITS, Ran, Target
from tests.grading.classroom import ROOT

PAGE = ROOT / "docs" / "attacks.md"
MOST_REASON = 150
INTRODUCTION = """# Attacks

Made by `make attacks`; do not edit. {count} submissions, one file each in `tests/attacks/cases/`, went through the
real thing: `nbgrader autograde` with the sandbox, `nbgrader generate_feedback`, and the page that formgrader shows.
{verdict}

Limits were tight, so that what never ends takes seconds: {case:g} s for a case, {cell:g} s for a cell,
{notebook_seconds:g} s for a notebook, {memory_mb} MB of memory. After each attack all of this must hold:

- the marks are exactly the stated ones, in the gradebook too, and the feedback gives a reason for each lost point;
- nothing of the student's runs, loads or covers anything in the feedback page or in formgrader's;
- no secret that was planted (environment, gradebook, another submission, course folder, the grader's memory, shared
  memory, temporary files) is in anything that was written, and nobody called the ports and sockets that listen;
- no process, temporary file or open file is left, the zygote lives, and the grader has grown by at most 300 MB;
- no row of the gradebook and no file of the course that belongs to somebody else has changed;
- the next, honest student gets every point.

**marks** are those of the whole lesson ({points}); **what was said** is the graded cell's reason, or the first one.
"""


def main(wanted: list[str]) -> int:
    """Run the attacks, report, and return the exit status."""
    attacks = [load(name) for name in wanted or names()]
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        target = _target(Path(folder))
        try:
            done = [(attack, *tried(target, attack)) for attack in tqdm(attacks, unit="attack")]
        finally:
            target.close()
        bad = {attack.name: faults for attack, _, faults in done if faults}
        for name, faults in bad.items():
            print(f"{name}:", *faults, sep="\n  ")
        rows = {attack.name: _row(attack, ran, faults) for attack, ran, faults in done}
        full = sum(target.honest[load("truncated").lesson].scores.values())
    if wanted:
        print("\n".join(rows.values()))
    else:
        PAGE.write_text(_page(attacks, rows, bad, full), encoding="utf-8")
        print(f"{len(done)} attacks, {len(bad)} of them not stopped as they must: {PAGE.relative_to(ROOT)}")
    return 1 if bad else 0


def _target(folder: Path) -> Target:
    temporary = folder / "tmp"
    temporary.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
    os.environ["COURSE_PROGRESS"] = str(folder / "progress.json")
    return Target(folder)


def _page(attacks: list[Attack], rows: dict[str, str], bad: dict[str, list[str]], full: float) -> str:
    verdict = (
        f"{len(bad)} of them did what they must not: they are marked." if bad else "All of them ended as they must."
    )
    text = INTRODUCTION.format(count=len(rows), verdict=verdict, case=CASE_SECONDS, cell=CELL_SECONDS,
                               points=f"{full:g} in ch02", **LIMITS)  # fmt: skip
    for kind in KINDS:
        found = [a for a in attacks if a.kind == kind]
        head = "| file | tries | must | marks | what was said | s |\n|:---|:---|:---|---:|:---|---:|"
        text += f"\n## {kind}\n\n" + "\n".join([head, *(rows[a.name] for a in found)]) + "\n"
    return text


def _row(attack: Attack, ran: Ran, faults: list[str]) -> str:
    name = f"`{attack.name}`" + (" **not stopped**" if faults else "")
    marks = f"{sum(m or 0 for m in ran.marks.values()):g}" if ran.graded.success else "none"
    cells = [name, attack.tries, attack.must, marks, _reason(attack, ran), f"{ran.seconds:.1f}"]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _reason(attack: Attack, ran: Ran) -> str:
    """The reason in the attacked cell, else a note, else what the attempt itself had to say."""
    if ran.trouble:
        return "not graded, or no feedback"
    if attack.shows and not attack.answers and (found := re.search(attack.shows, ran.words)):
        return _cell("it printed: " + found[0])
    said = ran.graded.said
    order = [*attack.answers, *said]
    text = next((said[i] for i in order if "Note:" in said[i] or i in attack.answers), said[order[0]])
    text = text.partition(": ")[2] if "Note:" not in text else "Note:" + text.partition("Note:")[2]
    return _cell(text.replace(str(ran.target.course), "..."))


def _cell(text: str) -> str:
    """A text as a cell of a table: short, in one line, and shown as it is."""
    plain = textwrap.shorten(text.encode("ascii", "replace").decode(), MOST_REASON, placeholder=" ...")
    for character in "<>*_`[]$":
        plain = plain.replace(character, f"\\{character}")
    return plain


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
