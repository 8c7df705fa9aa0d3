"""Addition as text, for numbers of any length: what a model trained on short ones makes of longer ones (m19).

    47+85=132 is "74+58=231;"

All numbers have their last digit first and are as long as the longest, so each digit of the sum follows from the
column above it and a carry. The prompt ends at the "="; the sum has one digit more than the numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from course.lab.decoder import Config, Decoder, Heads, Positions
from course.lab.multiplication import IGNORED
from course.lab.training import Recipe, Run, train

__all__ = ["VOCABULARY", "Addition", "Outcome", "additions", "run_addition", "text"]

VOCABULARY = "0123456789+=;"
PLUS, EQUALS, END = (VOCABULARY.index(sign) for sign in "+=;")
Lines = Int[Tensor, "N T"]
PlacesOf = Callable[[int], Tensor]
Turn = Callable[[Heads, Tensor], Heads]
NEARLY = 0.99  # the share of faultless sums at which a model has learnt its task


def additions(count: int, digits: int, generator: Generator) -> Lines:
    """Ids of random additions, each of `digits` digits: (count, 3 * digits + 4).

    >>> text(additions(1, 3, Generator().manual_seed(0))[0])
    '493+307=7901;'
    """
    a, b = torch.randint(0, 10, (2, count, digits), generator=generator)
    total, carry = torch.zeros(count, digits + 1, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
    for column in range(digits):
        both = a[:, column] + b[:, column] + carry
        total[:, column], carry = both % 10, both // 10
    total[:, digits] = carry
    plus, equals, end = (torch.full((count, 1), sign) for sign in (PLUS, EQUALS, END))
    return torch.cat([a, plus, b, equals, total, end], 1)


def text(ids: Int[Tensor, " T"]) -> str:
    """A line as it is read."""
    return "".join(VOCABULARY[i] for i in ids.tolist())


# ---- a training of additions ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Addition:
    """What is trained. `places` gives the places of an addition's tokens, by its digits; None: one after the other.

    A text begins at a random place, as far on as the `room` allows: a table of learned positions has so many rows, and
    RoPE reads the same places for comparison's sake. `fixed`: it always begins at 0.
    """

    name: str
    positions: Positions = "rope"
    places: PlacesOf | None = None
    fixed: bool = False
    room: int = 64
    digits: int = 5  # of the longest numbers in training; shorter ones are as frequent
    d_model: int = 48
    layers: int = 1
    heads: int = 4
    base: float = 100.0
    steps: int = 500
    batch: int = 64
    stop: bool = False  # as soon as nearly all of the longest sums are right
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of it: `accuracy` is the share of faultless sums, by the numbers' digits."""

    addition: Addition
    model: Decoder
    run: Run
    accuracy: dict[int, float] = field(default_factory=dict)

    @property
    def learnt_at(self) -> int | None:
        """The step of the first evaluation at which 99 % of the longest trained sums were right; None if none was."""
        return next((int(c["step"]) for c in self.run.checks if c["right"] >= NEARLY), None)


def run_addition(
    addition: Addition, turn: Turn | None = None, lengths: tuple[int, ...] = (),
    watch: Callable[[Run], None] = lambda run: None,
) -> Outcome:  # fmt: skip
    """Train, with a rotation of one's own if `turn` is given, and examine on numbers of these `lengths`."""
    a = addition
    longest = a.room if a.positions == "learned" else 10_000
    model = Decoder(
        Config(len(VOCABULARY), a.d_model, a.layers, a.heads, 4 * a.d_model, longest, a.positions, base=a.base), a.seed
    )
    model.turn = turn

    def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = Generator().manual_seed(1_000_003 * a.seed + step)
        digits = int(torch.randint(1, a.digits + 1, (), generator=generator))
        return asked(a, digits, a.batch, generator)

    def errors(model: Decoder) -> dict[str, float]:
        share = right(model, a, a.digits)
        return {"errors": 0 if a.stop and share >= NEARLY else 1, "right": share}

    run = train(model, Recipe(steps=a.steps, check_every=25), batch, errors, watch=watch)
    return Outcome(a, model, run, {digits: right(model, a, digits, 500) for digits in lengths})


def asked(a: Addition, digits: int, count: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets (the sum's digits and the end) and places of random additions, each (count, 3 * digits + 3)."""
    ids = additions(count, digits, generator)
    targets = ids[:, 1:].clone()
    targets[:, : 2 * digits + 1] = IGNORED
    places = a.places(digits) if a.places else torch.arange(ids.shape[1])
    if not a.fixed:
        free = a.room - 1 - int(places.max())
        if free < 0:
            raise ValueError(f"{digits} digits need more than {a.room} places")
        places = places + torch.randint(free + 1, (count, 1), generator=generator)
    return ids[:, :-1], targets, places.expand(ids.shape)[:, :-1]


@torch.no_grad()
def right(model: Decoder, a: Addition, digits: int, count: int = 200) -> float:
    """The share of additions in which every digit of the sum, and its end, is the most probable token.

    Read with the right text before it; where nothing is wrong so, nothing is when the model writes by itself.
    """
    inputs, targets, places = asked(a, digits, count, Generator().manual_seed(10_007 + digits))
    said = model(inputs, places=places).argmax(-1)
    return ((said == targets) | (targets == IGNORED)).all(1).float().mean().item()
