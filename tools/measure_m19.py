"""Make the runs of m19's tables and write their record: course/checkpoints/m19_runs.json.

    python tools/measure_m19.py                         all runs, with up to three seeds (five minutes on one core)
    python tools/measure_m19.py "columns, packed, RoPE" some of them, without writing
    python tools/measure_m19.py --seeds 1               fewer seeds

One thread; the same machine and torch give the same numbers, others nearly the same.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from course.lab.addition import Addition, Outcome, run_addition
from course.lab.decoder import Positions
from course.lab.echo import GOALS, LENGTHS, RACE, TRAINED, reached, recalled, train_echo
from course.supplied import m19
from course.trained import FOLDER

# how many seeds at most of the larger models, which take three times as long; the last two do not learn their task
ONLY = {
    "counted through, learned": 2, "counted through, RoPE": 2, "counted through, no positions": 1,
    "counted through, RoPE, packed": 1,
}  # fmt: skip


HEAD = 24  # width of a head of the readers of repeated texts


def main() -> None:
    """Run what the command line names, or everything; print it, and write the record of everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="runs of m19.plan")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    plan = m19.plan(m19.digit_places)
    rows = []
    for name in options.names or plan:
        for seed in range(min(options.seeds, ONLY.get(name, options.seeds))):
            rows.append(m19.row(added(replace(plan[name], seed=seed))))
            print(m19.table(rows[-1:]), flush=True)
    if not options.names:
        echo = [scaled(seed) for seed in range(options.seeds)]
        race = [raced(kind, seed) for seed in range(min(options.seeds, 2)) for kind in ("learned", "rope")]
        (FOLDER / "m19_runs.json").write_text(json.dumps(recorded(rows, echo, race), indent=1) + "\n", encoding="utf-8")


def turn(d: int, base: float = 10000.0) -> Callable[[Tensor, Tensor], Tensor]:
    """The rotation that the lesson's runs have: rounded otherwise, a seed gives other figures."""
    return m19.turning(m19.rotate_complex, m19.rope_speeds(d, base))


def added(addition: Addition) -> Outcome:
    """One model of the table of additions."""
    return run_addition(addition, turn(addition.d_model // addition.heads, addition.base), m19.TESTED)


def scaled(seed: int) -> dict[str, Any]:
    """One reader of texts that repeat themselves, and what it recalls of longer ones under each scaling."""
    model, run = train_echo(turn(HEAD), seed=seed)
    shares: dict[str, list[float]] = {}
    for way, speeds in m19.scalings(model.config.d_head, TRAINED).items():
        shares[way] = []
        for length in LENGTHS:
            model.turn = m19.turning(m19.rotate_complex, *speeds(length / TRAINED))
            shares[way].append(round(recalled(model, length), 4))
        print(seed, way, shares[way], flush=True)
    return {"seed": seed, "steps": run.step, "seconds": round(run.seconds, 1), "lengths": LENGTHS, "shares": shares}


def raced(positions: Positions, seed: int) -> dict[str, Any]:
    """After how many steps, of RACE at most, a reader recalls each share of GOALS."""
    _, run = train_echo(turn(HEAD), RACE, seed, positions=positions, until=GOALS[-1])
    steps = reached(run)
    print(seed, positions, steps, flush=True)
    return {"positions": positions, "seed": seed, "reached at": steps, "seconds": round(run.seconds, 1)}


def recorded(rows: list[dict], echo: list[dict], race: list[dict]) -> dict[str, Any]:
    """All rows of the three tables, and what they were made with."""
    about = {"torch": torch.__version__, "python": platform.python_version(), "processor": "CPU, one thread, float32"}
    return {"command": "python tools/measure_m19.py", "additions": rows, "echo": echo, "race": race} | about


if __name__ == "__main__":
    main()
