"""Texts that repeat themselves, to see how far back a model can look: a random block, written again and again (m19).

    q x b t q x b t q x ...

After the first block every letter can be known: find where the last letters stood before, and say what followed. That
is an induction head's work (ch10), and the longer the block, the further back it must look.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from course.lab.decoder import Config, Decoder, Heads, Positions
from course.lab.multiplication import IGNORED
from course.lab.training import Recipe, Run, one_thread, train

__all__ = ["GOALS", "LENGTHS", "LETTERS", "RACE", "TRAINED", "echoes", "reached", "recalled", "train_echo"]

LETTERS, TRAINED = 24, 32  # letters of the alphabet; tokens of a text in training
GOALS, RACE = (0.5, 0.8, 0.9), 900  # shares of letters recalled, and the steps in which to get there
LONGEST = 256  # tokens that a model can read
LENGTHS = (32, 48, 64, 96, 128)  # on which it is examined
Lines = Int[Tensor, "N T"]


def echoes(count: int, length: int, generator: Generator) -> tuple[Lines, Lines]:
    """Inputs and targets (count, length - 1) of texts of this length; a block has a quarter to a half of it.

    The first block's letters are IGNORED as targets: nobody can know them.
    """
    block = torch.randint(length // 4, length // 2 + 1, (count, 1), generator=generator)
    letters = torch.randint(LETTERS, (count, length // 2), generator=generator)
    place = torch.arange(length)[None]
    ids = letters.gather(1, place % block)
    return ids[:, :-1], ids.masked_fill(place < block, IGNORED)[:, 1:]


def train_echo(
    turn: Callable[[Heads, Tensor], Heads] | None = None, steps: int = 500, seed: int = 0,
    watch: Callable[[Run], None] = lambda run: None, positions: Positions = "rope", until: float = 2.0,
) -> tuple[Decoder, Run]:  # fmt: skip
    """A model of two layers, trained on texts of `TRAINED` tokens; with RoPE it is rotated by `turn`, if given.

    It stops before its `steps` as soon as it recalls a share of `until`.
    """
    model = Decoder(Config(LETTERS, 48, 2, 2, 192, length=LONGEST, positions=positions), seed)
    model.turn = turn

    def batch(step: int) -> tuple[Tensor, Tensor]:
        return echoes(32, TRAINED, Generator().manual_seed(1_000_003 * seed + step))

    def errors(model: Decoder) -> dict[str, float]:
        share = recalled(model, TRAINED)
        return {"errors": 0 if share >= until else 1, "recalled": share}

    with one_thread():
        return model, train(model, Recipe(steps=steps, check_every=25), batch, errors, bar=False, watch=watch)


@torch.no_grad()
def recalled(model: Decoder, length: int, count: int = 64) -> float:
    """The share of letters after the first block that the model knows, in texts of this length."""
    inputs, targets = echoes(count, length, Generator().manual_seed(10_007 + length))
    said = model(inputs).argmax(-1)
    return (said == targets)[targets != IGNORED].float().mean().item()


def reached(run: Run) -> list[int | None]:
    """For each share of GOALS, the step of the first evaluation that found it; None if none did."""
    return [next((int(c["step"]) for c in run.checks if c["recalled"] >= goal), None) for goal in GOALS]
