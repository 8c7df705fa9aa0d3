"""Train the multiplication laboratory's model: a decoder of 102,000 parameters that knows all products of two digits.

    python tools/train_lab.py [--seed 0]

It is trained on a random half of the 10,000 pairs until it gets every one of them right, working each out by itself.
Writes course/checkpoints/lab_two_digits.safetensors and, beside it, the record of its training. A run that was
interrupted goes on where it was. One thread: the same machine, torch and seed give the same numbers. About a minute.
"""

from __future__ import annotations

import argparse
import platform
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
UNFINISHED = Path(__file__).parents[1] / "build"  # interrupted runs are kept there


def main() -> None:
    """Train, write the model and its record; nothing is written if some product is still wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    torch.set_num_threads(1)
    UNFINISHED.mkdir(exist_ok=True)
    checkpoint = UNFINISHED / f"{NAME}_{seed}.pt"
    model, run = trained(seed, checkpoint)
    record = recorded(model, run, seed)
    checkpoint.unlink()
    print({key: record[key] for key in ("seed", "steps", "tokens", "cpu_seconds", "right")})
    if run.errors:
        raise SystemExit("Some products are still wrong: nothing was written. Try another seed.")
    path = models.write(NAME, model, record)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


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
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": "CPU, one thread, float32",
    }


def right(model: Decoder, pairs: Pairs) -> list[int]:
    """How many answers are right, and of how many."""
    return [evaluate(model, pairs, DIGITS).right, len(pairs)]


if __name__ == "__main__":
    main()
