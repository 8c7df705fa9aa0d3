"""Make the runs of m20's tables, what a model reads and in which order: course/checkpoints/m20_runs.json.

    python tools/measure_m20.py --digits 2 --seeds 3      all regimes with seeds 0 to 2 (two minutes on one core)
    python tools/measure_m20.py --digits 3 --seeds 1      a larger model, a harder task (five minutes)
    python tools/measure_m20.py --book                    the mistakes that the lesson's first error book holds

All regimes of a seed begin with the same weights, read the same number of tokens, and are examined on the same pairs,
which none of them sees. The record is written after each run; what it holds already is not run again. One thread.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from course.lab.decoder import Decoder
from course.lab.regimes import Drawer, Regime, Setting, exams, follow
from course.lab.trial import writer
from course.supplied import m18, m20
from course.trained import FOLDER

RUNS, BOOK = FOLDER / "m20_runs.json", FOLDER / "m20_book.json"
SETTINGS = {
    2: Setting(digits=2, steps=240, check_every=40),
    3: Setting(digits=3, d_model=64, steps=300, check_every=50),
}
EXAMS = {2: (400, 50, 25), 3: (500, 300, 100)}  # pairs drawn evenly, of each hard kind, with a digit fewer
MADE_WITH = {
    "torch": torch.__version__, "python": platform.python_version(), "processor": "CPU, one thread, float32",
}  # fmt: skip
ROPE = (m20.SCRATCH, m20.PADDED, m20.NOT_PADDED)  # these are also run with RoPE, for two digits and seed 0
TOOLS = m20.Tools()
HALF = 150  # of the steps of three digits: when the mistakes of the book are made


class EnoughError(Exception):
    """The mistakes are there: the training need not go on."""


def main() -> None:
    """Run what the command line names and is not in the record yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digits", type=int, choices=SETTINGS, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--book", action="store_true")
    options = parser.parse_args()
    if options.book:
        written = {"command": "python tools/measure_m20.py --book", **MADE_WITH, **mistakes()}
        BOOK.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        return
    record = json.loads(RUNS.read_text(encoding="utf-8")) if RUNS.exists() else {**MADE_WITH, "runs": []}
    for seed in range(options.seeds):
        for name, setting in wanted(options.digits, seed):
            if not any((r["digits"], r["seed"], r["regime"]) == (options.digits, seed, name) for r in record["runs"]):
                record["runs"].append(measured(name, setting))
                record["runs"].sort(key=lambda run: (run["digits"], run["seed"]))
                RUNS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(m20.summary(record))


def wanted(digits: int, seed: int) -> Iterator[tuple[str, Setting]]:
    """The names of the runs, each with its setting."""
    setting = replace(SETTINGS[digits], seed=seed)
    yield from ((name, setting) for name in m20.plan(setting, Drawer(seed), TOOLS))
    if digits == 2 and seed == 0:
        yield from ((f"{name}, RoPE", replace(setting, positions="rope")) for name in ROPE)


def parts(name: str, setting: Setting) -> tuple[Regime, dict[str, list[str]]]:
    """A regime by its name, and its exams."""
    name = name.removesuffix(", RoPE")
    asked = m20.exam_pairs(setting, *EXAMS[setting.digits])
    draw = Drawer(setting.seed, [pair for pairs in asked.values() for pair in pairs])
    return m20.plan(setting, draw, TOOLS)[name], m20.papers(setting, asked, TOOLS, padded=name != m20.NOT_PADDED)


def measured(name: str, setting: Setting) -> dict[str, Any]:
    """One run: what it read and took, the shares of faultless lines at its end, and on the way."""
    regime, papers = parts(name, setting)
    done = follow(name, setting, regime, papers, TOOLS.encode, TOOLS.mask)
    checks = [{k: round(v, 4) for k, v in check.items() if k not in ("seconds", "errors")} for check in done.run.checks]
    print(name, setting.seed, checks[-1], flush=True)
    return {
        "digits": setting.digits, "regime": name, "seed": setting.seed, "parameters": done.model.size,
        "tokens": done.run.tokens, "cpu_seconds": round(done.run.seconds, 1),
        "shares": {k: checks[-1][k] for k in papers}, "checks": checks,
    }  # fmt: skip


def mistakes() -> dict[str, Any]:
    """What a half-trained model of three digits gets wrong, worked out by itself: x, y and the line, by kind."""
    setting, found = SETTINGS[3], {}
    regime, papers = parts(m20.SCRATCH, setting)
    decode = partial(m18.decode_line, vocabulary=m18.VOCABULARY)

    def watched(step: int, model: Decoder) -> list[str]:
        if step == HALF:
            write = writer(model, TOOLS.encode, decode, m18.VOCABULARY.index("\n"))
            for kind, pairs in exams(3, 60, seed=3).items():
                found[kind] = m18.evaluate_pairs(write, pairs, 3)["wrong"]
            raise EnoughError
        return regime(step, model)

    with contextlib.suppress(EnoughError):
        follow("book", setting, watched, papers, TOOLS.encode, TOOLS.mask)
    return {"digits": 3, "steps": HALF, "of_steps": setting.steps, "asked_of_each_kind": 60, "wrong": found}


if __name__ == "__main__":
    main()
