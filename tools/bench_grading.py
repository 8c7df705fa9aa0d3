#!/usr/bin/env python
"""Grade the same class with stock nbgrader and with the engine, in turn, and compare scores, time and memory.

    make bench-grading            or            python tools/bench_grading.py --students 20

**What is compared.** Each student of a class hands in two lessons (ch02 and ch06): their own solutions, other right
ones, and one student in five is only partly right. Every submission is graded in three ways:

    stock     `nbgrader autograde` as it comes: every step and setting is nbgrader's default, a kernel for each
              notebook. Its graded cells hold ordinary hidden tests that end with the points (tools/bench/classes.py)
    nbgrader  `nbgrader autograde` with this course's configuration: our steps, sandbox and fresh cases included
    bulk      `autograder grade`, sandbox and fresh cases included, recorded as nbgrader records

Stock and nbgrader run in this one process through nbgrader's Python API: a submission's time is all that nbgrader does
for it, from looking for its folder to the last commit. Bulk runs on a cluster of this machine: a submission's time is
its share of a block, from reading the first to recording the last. All is warm: a submission of each lesson was graded
before in each way. What that leaves out (imports, the zygote's start, the cluster's) is printed by itself.

**In turn.** A block of ten students is graded by stock and nbgrader, submission by submission, then by bulk; then
comes the next block. So what else this machine does hits all of them alike. A ratio is the median over submissions of
stock's wall time divided by ours for the same submission. `ratio bulk=` is of one worker, as stock is one process.

**What is not the same.** (1) The engine leaves out the lesson's demonstrations: cells whose author says that they
define nothing which others need. Stock runs every cell. How much of the ratio comes of that is told by two more tables:
without demonstrations in the submitted notebooks, for both; and with an engine that is made to run them. (2) Stock's
tests compare with golden cases that lie ready. The engine draws fresh cases, runs references and looks for
misconceptions. (3) The engine keeps a student's code away from answers, marks and network; stock does not.

**Equal scores.** Work that is right gets all points in every way, or this ends with an error. Scores of work that is
partly right may differ, and are printed then: golden and fresh cases differ, and stock nbgrader gives no points to a
cell that prints a warning.

**CPU** time is counted by a control group of this process and all that it starts (tools/bench/meter.py; needs root).
**Simulated** rows are no measurement of grading: workers sleep as long as grading took before, and only Dask, reading
and recording are real. They show how many workers one recorder can serve, if there were cores for them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tqdm import tqdm

from autograder.engine import ROOT
from autograder.exercise import lessons
from autograder.jobs import Finished
from autograder.steps.grade import engine
from tools.bench import one_time
from tools.bench.classes import notebook_of, students
from tools.bench.duel import NBGRADER, PLAIN, VARIANTS, Duel, bulk_name
from tools.bench.fleet import RESULTS, Fleet, simulated
from tools.bench.meter import Meter, metered

WORKERS = (1, 2)
EXEMPLARS = ["ch02_scaled_dot_product", "ch06_decoder"]  # stock nbgrader would train models in some of the others
SIMULATED_WORKERS, SIMULATED_JOBS = (4, 8, 16), 15  # jobs for each worker
IDLE_SECONDS = 3.0


def main() -> None:
    """Measure, and print the tables."""
    options = _options()
    variants = (PLAIN,) if options.quick else VARIANTS
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        _own_places(folder)
        meter = stack.enter_context(metered())
        stack.callback(engine(False).close)
        print(f"{os.cpu_count()} cores; load {_load()} at the start")
        duel = Duel(folder, stack, meter, options.lessons, list(WORKERS))
        results = duel.warm_up()
        idle = meter.learn_idle(IDLE_SECONDS)
        with tqdm(total=options.students * len(duel.lessons) * len(variants), desc="grading", disable=None) as bar:
            for count in duel.grade(options.students, variants):
                bar.update(count)
        _print_costs(duel, variants, idle)
        _print_one_time(duel)
        if not options.quick:
            _simulate(duel, folder, results)
        print(f"\nload {_load()} at the end")
        nbgrader, bulk = (duel.table.ratio(PLAIN, way) for way in (NBGRADER, bulk_name(1)))
        print(f"ratio nbgrader={nbgrader:.2f} bulk={bulk:.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--students", type=int, default=10, help="students in each lesson (default: 10)")
    parser.add_argument("--lessons", nargs="+", choices=lessons(), default=EXEMPLARS, help="default: ch02 and ch06")
    parser.add_argument("--quick", action="store_true", help="only the class as it is, and no simulation")
    return parser.parse_args()


def _own_places(folder: Path) -> None:
    """Nothing that is graded touches the progress, or the history, of whoever runs this; kernels find the course."""
    os.environ |= {
        "COURSE_PROGRESS": str(folder / "progress.json"), "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": str(ROOT), RESULTS: str(folder / "results.pickle"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",  # nbgrader starts alembic by name
    }  # fmt: skip


def _load() -> str:
    return " ".join(f"{x:.1f}" for x in os.getloadavg())


def _print_costs(duel: Duel, variants: Iterable[str], idle: float) -> None:
    table = duel.table
    for variant in variants:
        print(f"\n### {variant[0].upper()}{variant[1:]}\n")
        columns = [
            f"{lesson.partition('_')[0]}: {what}" for lesson in duel.lessons for what in ("wall", "CPU", "ratio")
        ]
        _print_row("", *columns, "both: ratio", "submissions/s")
        _print_row(":---", *["---:"] * (len(columns) + 2))
        for way in duel.ways:
            cells = [
                text
                for lesson in duel.lessons
                for text in (
                    _ms(table.wall(variant, way, lesson)), _ms(table.cpu(variant, way, lesson)),
                    f"{table.ratio(variant, way, lesson):.1f}",
                )
            ]  # fmt: skip
            _print_row(way, *cells, f"**{table.ratio(variant, way):.1f}**", f"{table.rate(variant, way):.2f}")
    print("\nwall: median; CPU: mean, of all processes; per submission. ", end="")
    print(f"Idle clusters use {100 * idle:.1f} % of a core, which is taken off.")
    print(f"\nScores of right work are equal. Of partly right work {len(duel.different)} differ.")
    for line in duel.different:
        print(line)


def _print_one_time(duel: Duel) -> None:
    print("\n### Once\n")
    _print_row("", "seconds")
    _print_row(":---", "---:")
    for what, seconds in one_time.starts(duel):
        _print_row(what, f"{seconds:.2f}")
    print("\n### Memory\n")
    _print_row("", "RSS, MiB", "PSS, MiB")
    _print_row(":---", "---:", "---:")
    for what, rss, pss in one_time.memory(duel):
        _print_row(what, f"{rss:.0f}", f"{pss:.0f}")


def _simulate(duel: Duel, folder: Path, results: dict[str, Finished]) -> None:
    """How many workers one recorder can serve."""
    lesson = duel.lessons[-1]
    seconds = duel.fleets[0].engine_seconds(lesson)
    Path(os.environ[RESULTS]).write_bytes(pickle.dumps({lesson: (results[lesson], seconds)}))
    notebook = notebook_of(duel.ours, next(students(lesson, 1)))
    print(f"\n### Simulated: workers that sleep {_ms(seconds)} ms for each submission of {lesson}\n")
    _print_row("workers", "submissions/s", "if nothing held them up")
    _print_row("---:", "---:", "---:")
    for workers in SIMULATED_WORKERS:
        names = [f"sim-{workers}-{i:03}" for i in range(workers * SIMULATED_JOBS)]
        for name in names:
            duel.ours.submit(name, lesson, notebook)
        with contextlib.ExitStack() as stack:
            fleet = Fleet(stack, workers)
            fleet.grade(Meter(), duel.ours.folder, lesson, _warm(duel, lesson, workers), simulated)
            cost = fleet.grade(Meter(), duel.ours.folder, lesson, names, simulated)
        _print_row(f"{workers}", f"{len(names) / cost.wall:.1f}", f"{workers / seconds:.1f}")


def _warm(duel: Duel, lesson: str, workers: int) -> list[str]:
    """Submissions that only make each worker import what it needs."""
    names = [f"sim-{workers}-warm-{i:03}" for i in range(3 * workers)]
    for name in names:
        duel.ours.submit(name, lesson, notebook_of(duel.ours, next(students(lesson, 1))))
    return names


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f}"


def _print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
