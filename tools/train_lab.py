"""Train the multiplication laboratory's model: a decoder of 102,000 parameters that knows all products of two digits.

    python tools/train_lab.py [--seed 0]
    python tools/train_lab.py --seeds 10     how ten trainings end, seeds 0 to 9: a record, and no model

It is trained on a random half of the 10,000 pairs until it gets every one of them right, working each out by itself.
Writes course/checkpoints/lab_two_digits.safetensors and, beside it, the record of its training. A run that was
interrupted goes on where it was. One thread: the same machine, torch and seed give the same numbers. About a minute
for each. The record of several seeds is course/checkpoints/lab_two_digits_seeds.json; a seed that it holds is not
trained again.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from course.lab import models
from course.lab.decoder import Config, Decoder
from course.lab.multiplication import VOCABULARY, Pairs, all_pairs, evaluate, lines, misread, split, targets
from course.lab.training import Recipe, Run, drawn, train

NAME, DIGITS, SHARE, BATCH = "lab_two_digits", 2, 0.5, 128
CONFIG = Config(len(VOCABULARY), d_model=64, layers=2, heads=4, d_ff=256, length=25)
RECIPE = Recipe(steps=600, extra=400)
MADE_WITH = {
    "torch": torch.__version__, "python": platform.python_version(), "processor": "CPU, one thread, float32",
}  # fmt: skip
UNFINISHED = Path(__file__).parents[1] / "build"  # interrupted runs are kept there


def main() -> None:
    """Train, write the model and its record; nothing is written if some product is still wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, help="how many seeds to train, from 0 on; no model is written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    UNFINISHED.mkdir(exist_ok=True)
    if options.seeds:
        print(summary(several(options.seeds)))
    else:
        one(options.seed)


def one(seed: int) -> None:
    """Train the model that is shipped."""
    checkpoint = UNFINISHED / f"{NAME}_{seed}.pt"
    model, run = trained(seed, checkpoint)
    record = recorded(model, run, seed)
    checkpoint.unlink()
    print({key: record[key] for key in ("seed", "steps", "tokens", "cpu_seconds", "right")})
    if run.errors:
        raise SystemExit("Some products are still wrong: nothing was written. Try another seed.")
    path = models.write(NAME, model, record)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def several(count: int, folder: Path = models.FOLDER) -> dict[str, Any]:
    """The record of the trainings with seeds 0 to count - 1; it is written after each of them."""
    file = folder / f"{NAME}_seeds.json"
    about = {"command": f"python tools/train_lab.py --seeds {count}", "recipe": asdict(RECIPE), **MADE_WITH}
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    runs = before["runs"] if before.get("recipe") == about["recipe"] else []
    for seed in set(range(count)) - {run["seed"] for run in runs}:
        checkpoint = UNFINISHED / f"{NAME}_{seed}.pt"
        found = recorded(*trained(seed, checkpoint), seed)
        runs.append({key: found[key] for key in ("seed", "steps", "tokens", "cpu_seconds", "right")})
        runs.sort(key=lambda run: run["seed"])
        file.write_text(json.dumps(about | {"runs": runs}, indent=1) + "\n", encoding="utf-8")
        checkpoint.unlink(missing_ok=True)
    return about | {"runs": runs}


def summary(record: dict[str, Any]) -> str:
    """A table of several trainings in Markdown, and below it how many got everything right and what they took."""
    lines = [
        "| seed | steps | CPU-seconds | wrong of 5,000 trained on | wrong of 5,000 held out |",
        "|--:|--:|--:|--:|--:|",
    ]
    for run in record["runs"]:
        wrong = [total - good for good, total in run["right"].values()]
        lines.append(f"| {run['seed']} | {run['steps']} | {run['cpu_seconds']:.0f} | {wrong[0]} | {wrong[1]} |")
    perfect = [run for run in record["runs"] if all(good == total for good, total in run["right"].values())]
    median = statistics.median(run["cpu_seconds"] for run in record["runs"])
    return "\n".join([
        *lines, "",
        f"{len(perfect)} of {len(record['runs'])} seeds get all 10,000 products right; the median training takes "
        f"{median:.0f} CPU-seconds.",
    ])  # fmt: skip


def trained(
    seed: int, checkpoint: Path | None = None, config: Config = CONFIG, recipe: Recipe = RECIPE
) -> tuple[Decoder, Run]:
    """A model trained on half of the pairs; the seed decides its first weights, which half, and the order."""
    known, held = split(all_pairs(DIGITS), SHARE, seed)
    model = Decoder(config, seed)
    batch = drawn(*targets(lines(known, DIGITS), DIGITS), BATCH, seed)
    glance = lines(held[:1000], DIGITS)

    def errors(model: Decoder) -> int:
        """A glance at a thousand pairs held out; only if nothing is wrong there, all pairs worked out."""
        return misread(model, glance, DIGITS) or evaluate(model, all_pairs(DIGITS), DIGITS).errors

    return model, train(model, recipe, batch, errors, checkpoint)


def recorded(model: Decoder, run: Run, seed: int) -> dict[str, Any]:
    """What to know about a training. `right` counts answers, worked out greedily, among how many."""
    known, held = split(all_pairs(DIGITS), SHARE, seed)
    return {
        "command": f"python tools/train_lab.py --seed {seed}",
        "seed": seed,
        "recipe": asdict(RECIPE) | {"batch": BATCH, "share_of_pairs": SHARE},
        "steps": run.step,
        "tokens": run.tokens,
        "cpu_seconds": round(run.seconds, 1),
        "right": {"trained on": right(model, known), "held out": right(model, held)},
        "checks": [{key: round(value, 1) for key, value in check.items()} for check in run.checks],
        **MADE_WITH,
    }


def right(model: Decoder, pairs: Pairs) -> list[int]:
    """How many answers are right, and of how many."""
    return [evaluate(model, pairs, DIGITS).right, len(pairs)]


if __name__ == "__main__":
    main()
