"""Addition as text, for numbers of any length: what a model trained on short ones makes of longer ones (m19).

    47 + 85 = 132 is "740+580=231"

All numbers have their last digit first, and the same number of columns, one more than the numbers need: so each digit
of the sum follows from the column above it and a carry, by one rule for all columns. The prompt ends at the "=".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from course.lab.decoder import Config, Decoder, Heads, Positions
from course.lab.multiplication import IGNORED, faultless
from course.lab.training import Recipe, Run, one_thread, train

__all__ = ["VOCABULARY", "Addition", "Outcome", "additions", "run_addition", "text"]

VOCABULARY = "0123456789+="
PLUS, EQUALS = (VOCABULARY.index(sign) for sign in "+=")
Lines = Int[Tensor, "N T"]
PlacesOf = Callable[[int], Tensor]
Turn = Callable[[Heads, Tensor], Heads]
GAP = 2  # places between two additions of one text, at least
LONGEST = 128  # tokens that a model can read, and rows of a table of learned positions
NEARLY = 0.99  # the share of faultless sums at which a model has learnt its task


def additions(count: int, digits: int, generator: Generator) -> Lines:
    """Ids of random additions of two numbers with so many digits: (count, 3 * digits + 5).

    >>> text(additions(1, 3, Generator().manual_seed(0))[0])
    '4930+3970=7811'
    """
    columns = digits + 1
    a, b = torch.randint(0, 10, (2, count, columns), generator=generator)
    a[:, -1], b[:, -1] = 0, 0
    total, carry = torch.empty_like(a), torch.zeros(count, dtype=torch.int64)
    for column in range(columns):
        both = a[:, column] + b[:, column] + carry
        total[:, column], carry = both % 10, both // 10
    plus, equals = (torch.full((count, 1), sign) for sign in (PLUS, EQUALS))
    return torch.cat([a, plus, b, equals, total], 1)


def text(ids: Int[Tensor, " T"]) -> str:
    """A line as it is read."""
    return "".join(VOCABULARY[i] for i in ids.tolist())


# ---- a training of additions ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Addition:
    """What is trained. `places` gives the places of one addition's tokens, by its columns; None: counted through.

    With a `room`, each addition begins at a place drawn at random among so many; at 0 otherwise. `packed` additions
    stand in one text: the later ones see the earlier ones, at places that are apart.
    """

    name: str
    positions: Positions = "rope"
    places: PlacesOf | None = None
    room: int = 0
    packed: int = 1
    digits: int = 6  # of the longest numbers in training; shorter ones are as frequent
    d_model: int = 48
    layers: int = 1
    heads: int = 4
    base: float = 100.0
    steps: int = 500
    batch: int = 48
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
    """Train in one thread, with a rotation of one's own if `turn` is given; examine on numbers of these `lengths`."""
    with one_thread():
        return _run(addition, turn, lengths, watch)


def _run(
    addition: Addition, turn: Turn | None, lengths: tuple[int, ...], watch: Callable[[Run], None]
) -> Outcome:  # fmt: skip
    a = addition
    model = Decoder(
        Config(len(VOCABULARY), a.d_model, a.layers, a.heads, 4 * a.d_model, LONGEST, a.positions, base=a.base), a.seed
    )
    model.turn = turn

    def batch(step: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = Generator().manual_seed(1_000_003 * a.seed + step)
        digits = int(torch.randint(1, a.digits + 1, (), generator=generator))
        return asked(a, digits, a.batch, a.packed, generator)

    def errors(model: Decoder) -> dict[str, float]:
        share = right(model, a, a.digits)
        return {"errors": 0 if a.stop and share >= NEARLY else 1, "right": share}

    run = train(model, Recipe(steps=a.steps, check_every=25), batch, errors, bar=False, watch=watch)
    return Outcome(a, model, run, {digits: right(model, a, digits, 500) for digits in lengths})


def asked(a: Addition, digits: int, count: int, packed: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets (the sums' digits) and places of random texts with so many additions each, (count, T - 1)."""
    ids = additions(count * packed, digits, generator)
    targets = ids.clone()
    targets[:, : 2 * digits + 4] = IGNORED
    places = a.places(digits + 1) if a.places else torch.arange(ids.shape[1])
    places = starts(a.room, int(places.max()) + 1, count, packed, generator)[..., None] + places
    ids, targets, places = (t.reshape(count, -1) for t in (ids, targets, places))
    return ids[:, :-1], targets[:, 1:], places[:, :-1]


def starts(room: int, width: int, count: int, packed: int, generator: Generator) -> Int[Tensor, "count packed"]:
    """Where additions that are `width` places wide begin: at random, in any order, GAP places apart at least.

    Without a room, the first begins at 0 and each other one where the one before ends. Raises ValueError if the room is
    too small.
    """
    if not room:
        return (width * torch.arange(packed)).expand(count, packed)
    free = room - packed * width - (packed - 1) * GAP
    if free < 0:
        raise ValueError(f"{packed} additions of {width} places do not fit into {room}")
    drawn = torch.randint(free + 1, (count, packed), generator=generator).sort(dim=1)[0]
    order = torch.rand(count, packed, generator=generator).argsort(dim=1)
    return (drawn + (width + GAP) * torch.arange(packed)).gather(1, order)


def right(model: Decoder, a: Addition, digits: int, count: int = 200) -> float:
    """The share of texts of one addition in which each digit of the sum is the most probable token."""
    return faultless(model, *asked(a, digits, count, 1, Generator().manual_seed(10_007 + digits))).float().mean().item()
