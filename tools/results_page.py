"""Write docs/results.md from the records of trainings in course/checkpoints/: figures that scripts measured, no others.

python tools/results_page.py            write the page
python tools/results_page.py --check    is it what the records say?
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from course.lab import models
from course.lab.echo import GOALS
from course.supplied import m19, m20
from tools import train_lab

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
HEAD = """# The multiplication laboratory: what was measured

Made by `python tools/results_page.py` from the records beside the models in `course/checkpoints/`; do not edit. All of
it can be measured again with the commands that stand with the figures. Answers are worked out by the model itself, each
token the most probable one, and compared with the product. CPU-seconds are those of the training, its evaluations
included.

## Models that come with the course

| model | parameters | command | steps | tokens | CPU-seconds | machine |
|:---|---:|:---|---:|---:|---:|:---|"""
TESTED = """
## How often they are right

*Never drawn* counts only pairs that training has not drawn. Of some hard kinds there are few: only 10,000 lie near
the top, and training, which draws them too, had met most of them.

| model | pairs | right | never drawn | right of these |
|:---|:---|---:|---:|---:|"""


def page() -> str:
    """The whole page."""
    records = {name: models.record(f"lab_{name}") for name in train_lab.PLANS}
    return "\n".join([
        HEAD, *(_model(name, record) for name, record in records.items()),
        TESTED, *(row for name, record in records.items() for row in _tested(name, record)),
        "", *_seeds(models.record("lab_two_digits_seeds")),
        "", *_speed(models.record("lab_bench")),
        "", *_positions(models.record("m19_runs")),
        "", *_reading(models.record("m20_runs")),
    ]) + "\n"  # fmt: skip


def _model(name: str, record: dict[str, Any]) -> str:
    machine = f"{record['processor']}; torch {record['torch']}"
    numbers = f"{record['steps']:,} | {record['tokens']:,} | {record['cpu_seconds']:,.0f}"
    return f"| {name} | {record['parameters']:,} | `{record['command']}` | {numbers} | {machine} |"


def _tested(name: str, record: dict[str, Any]) -> list[str]:
    return [
        f"| {name} | {kind} | {_share(right, total)} | {unseen:,} | {_share(good, unseen)} |"
        for (kind, (right, total)), (good, unseen) in zip(
            record["right"].items(), record["right_of_unseen"].values(), strict=True
        )
    ]


def _share(right: int, total: int) -> str:
    return f"{right:,} of {total:,} ({right / total:.2%})" if total else ""


def _seeds(record: dict[str, Any]) -> list[str]:
    title = "## The small model, seed by seed\n"
    return [title, _made_by(record, record["command"]) + "\n", train_lab.summary(record)]


def _speed(record: dict[str, Any]) -> list[str]:
    title = "## Speed, and the work to no error, beside a plain loop\n"
    return [title, _made_by(record, record["command"]), "", *record["printed"]]


def _positions(record: dict[str, Any]) -> list[str]:
    race = [
        f"{one['positions']:<38}{one['seed']:>4}" + "".join(f"{step or 'never':>9}" for step in one["reached at"])
        for one in record["race"]
    ]
    return [
        "## Positions, as in m19\n", _made_by(record, record["command"]), "",
        "The share of faultless sums, by the numbers' digits:\n",
        "```text", m19.table(record["additions"]), "```\n",
        "The step at which so many letters of a text that repeats itself were recalled:\n",
        "```text", f"{'':<38}seed" + "".join(f"{goal:>9.0%}" for goal in GOALS), *race, "```",
    ]  # fmt: skip


def _reading(record: dict[str, Any]) -> list[str]:
    commands = (f"python tools/measure_m20.py --digits {n} --seeds {seeds}" for n, seeds in ((2, 3), (3, 1)))
    return [
        "## What is read and in which order, as in m20\n",
        _made_by(record, *commands), "", "Shares of right answers, means over the seeds:\n",
        "```text", m20.summary(record), "```",
    ]  # fmt: skip


def _made_by(record: dict[str, Any], *commands: str) -> str:
    return f"{' and '.join(f'`{command}`' for command in commands)}; {record['processor']}, torch {record['torch']}."


def main() -> None:
    """Write or check."""
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        raise SystemExit("docs/results.md is not what the records say: run python tools/results_page.py")


if __name__ == "__main__":
    main()
