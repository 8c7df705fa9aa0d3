"""Make the runs of m18's table, data against architecture, and write their record: course/checkpoints/m18_runs.json.

    python tools/measure_m18.py                 all runs (about four minutes on one core)
    python tools/measure_m18.py "answer alone"  some of them, without writing

One thread; the same machine and torch give the same numbers, others nearly the same.
"""

from __future__ import annotations

import json
import platform
import sys
from functools import partial
from typing import Any

import torch

from course.lab.trial import Result, run_trial, table
from course.supplied import m18
from course.trained import FOLDER


def main() -> None:
    """Run what the command line names, or everything; print the table, and write the record of everything."""
    trials = m18.plan(m18.product_line)
    names = sys.argv[1:] or list(trials)
    results = [run_trial(trials[name], partial(m18.encode_lines, vocabulary=m18.VOCABULARY), m18.masked_targets)
               for name in names]  # fmt: skip
    print(table(result.row for result in results))
    if not sys.argv[1:]:
        (FOLDER / "m18_runs.json").write_text(json.dumps(recorded(results), indent=1) + "\n", encoding="utf-8")


def recorded(results: list[Result]) -> dict[str, Any]:
    """All rows of the table, and what they were made with."""
    rows = [result.row | {"seconds": round(result.row["seconds"], 1)} for result in results]
    about = {"torch": torch.__version__, "python": platform.python_version(), "processor": "CPU, one thread, float32"}
    return {"command": "python tools/measure_m18.py", "seed": 0, "rows": rows} | about


if __name__ == "__main__":
    main()
