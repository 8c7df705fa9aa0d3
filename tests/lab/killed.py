"""A short training that a test kills: `python -m tests.lab.killed FILE` trains with a checkpoint at every step."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from course.lab.decoder import Config, Decoder
from course.lab.multiplication import VOCABULARY, all_pairs, lines, targets
from course.lab.training import Recipe, Run, drawn, train

RECIPE = Recipe(steps=150, check_every=1, warmup=5)


def short_training(checkpoint: Path | None, pause: float = 0.0) -> tuple[Decoder, Run]:
    """The model and the run, from the beginning or from the checkpoint; it pauses, in seconds, after every step."""

    def always_one(_: Decoder) -> int:
        time.sleep(pause)
        return 1

    torch.set_num_threads(1)
    model = Decoder(Config(len(VOCABULARY), d_model=32, layers=2, heads=2, d_ff=64, length=10), seed=1)
    batch = drawn(*targets(lines(all_pairs(1), 1), 1), size=32, seed=1)
    return model, train(model, RECIPE, batch, errors=always_one, checkpoint=checkpoint, bar=False)


if __name__ == "__main__":
    short_training(Path(sys.argv[1]), pause=0.02)  # there is time to kill it
