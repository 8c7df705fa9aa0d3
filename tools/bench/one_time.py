"""What grading costs once, however large the class: starting, and memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import nbformat

from autograder.steps.grade import engine
from autograder.submission import code_of
from tests.grading.classroom import ROOT
from tools.bench.duel import Duel
from tools.bench.meter import family, memory_mb

RUNS = 3
COMMANDS = {
    "stock `nbgrader autograde`: start of the command": ["-m", "nbgrader", "autograde", "--version"],
    "`nbgrader autograde` with our steps: imports": [
        "-c", "import nbgrader.apps.autogradeapp, autograder.configuration, autograder.steps.grade"],
    "`autograder grade`: imports": ["-c", "import autograder.__main__, autograder.bulk"],
}  # fmt: skip


def starts(duel: Duel) -> Iterator[tuple[str, float]]:
    """What, and seconds."""
    for name, command in COMMANDS.items():
        yield name, statistics.median(_seconds(command) for _ in range(RUNS))
    begins = [s for fleet in duel.fleets for s in fleet.seconds_to_begin]
    yield "`autograder grade`: configuration, gradebook", statistics.median(begins)
    for fleet in duel.fleets:
        yield f"`autograder grade`: Dask cluster, workers={fleet.workers}", fleet.seconds_to_start
    yield "a zygote (one for each process that grades)", duel.zygote_seconds


def _seconds(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:  # where no nbgrader_config.py lies
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], cwd=folder, env=environment, check=True, capture_output=True)
        return time.perf_counter() - start


def memory(duel: Duel) -> Iterator[tuple[str, float, float]]:
    """What, and MiB of RSS and PSS."""
    worker = duel.fleets[0].pids()[0]
    yield "the process of a worker (trusted: references, judging)", *memory_mb([worker])
    zygote = engine(False)
    zygote.start()
    yield "its zygote, between submissions", *memory_mb(family(zygote.pid))
    for lesson in duel.lessons:
        notebook = nbformat.read(duel.ours.submitted("warm", lesson), as_version=4)
        with zygote.student() as student:
            for cell in code_of(notebook):
                student.run_cell(cell)
            yield f"its zygote with a student's process, after {lesson}", *memory_mb(family(zygote.pid))
