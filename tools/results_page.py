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
    return [title, f"`{record['command']}`; {record['processor']}, torch {record['torch']}.\n",
            train_lab.summary(record)]  # fmt: skip


def main() -> None:
    """Write or check."""
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        raise SystemExit("docs/results.md is not what the records say: run python tools/results_page.py")


if __name__ == "__main__":
    main()
