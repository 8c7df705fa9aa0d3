"""Make the runs of m18's table, data against architecture, and write their record: course/checkpoints/m18_runs.json.

    python tools/measure_m18.py                 all runs (about five minutes on one core)
    python tools/measure_m18.py "answer alone"  some of them anew; the others stay in the record as they are

One thread; the same machine and torch give the same numbers, others nearly the same.
"""

from __future__ import annotations

import json
import platform
import sys
from functools import partial
from typing import Any

import torch

from course.lab.trial import run_trial, table
from course.supplied import m18
from course.trained import FOLDER

RECORD = FOLDER / "m18_runs.json"
ABOUT = {
    "command": "python tools/measure_m18.py", "seed": 0, "torch": torch.__version__,
    "python": platform.python_version(), "processor": "CPU, one thread, float32",
}  # fmt: skip


def main() -> None:
    """Run what the command line names, or everything; print the table."""
    trials = m18.plan(m18.product_line)
    encode = partial(m18.encode_lines, vocabulary=m18.VOCABULARY)
    for name in sys.argv[1:] or trials:
        row = run_trial(trials[name], encode, m18.masked_targets).row
        note(row | {"seconds": round(row["seconds"], 1)}, list(trials))
    print(table(rows()))


def rows() -> list[dict[str, Any]]:
    """What the record holds."""
    return json.loads(RECORD.read_text(encoding="utf-8"))["rows"] if RECORD.exists() else []


def note(row: dict[str, Any], order: list[str]) -> None:
    """Put a row into the record, in the place of an older one of its name."""
    kept = {one["text"]: one for one in [*rows(), row] if one["text"] in order}
    record = ABOUT | {"rows": [kept[name] for name in order if name in kept]}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
