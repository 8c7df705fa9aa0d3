"""Kinds of products that are hard to work out, to train on and to be tested on apart from those drawn evenly.

    pairs = KINDS["many carries"](1000, 4, torch.Generator().manual_seed(0))

Each kind is (count, digits, generator) -> pairs (count, 2), int64, numbers below 10 ** digits, either factor first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Generator, Tensor

__all__ = ["KINDS", "even"]

Pairs = Int[Tensor, "N 2"]
Kind = Callable[[int, int, Generator], Pairs]


def even(count: int, digits: int, generator: Generator) -> Pairs:
    """Every number below 10 ** digits as likely as any other."""
    return torch.randint(10**digits, (count, 2), generator=generator)


def many_carries(count: int, digits: int, generator: Generator) -> Pairs:
    """All digits are 6 to 9: nearly every step carries something."""
    return number(torch.randint(6, 10, (count, 2, digits), generator=generator))


def zeros(count: int, digits: int, generator: Generator) -> Pairs:
    """Each number has a digit 0, and any other digit is 0 as often as not."""
    drawn = torch.randint(1, 10, (count, 2, digits), generator=generator)
    hidden = torch.rand(count, 2, digits, generator=generator) < 0.5
    certain = torch.randint(digits, (count, 2, 1), generator=generator)
    return number(drawn.masked_fill(hidden.scatter(2, certain, True), 0))


def near_the_top(count: int, digits: int, generator: Generator) -> Pairs:
    """Both numbers among the largest tenth, at most a hundred of them: 9999, 9998, ..."""
    return 10**digits - 1 - torch.randint(min(100, 10 ** (digits - 1)), (count, 2), generator=generator)


def short_times_long(count: int, digits: int, generator: Generator) -> Pairs:
    """One number of at most half as many digits, the other of all: 37 * 8052 or 8052 * 37."""
    short = torch.randint(10 ** max(1, digits // 2), (count,), generator=generator)
    long = torch.randint(10 ** (digits - 1), 10**digits, (count,), generator=generator)
    swapped = torch.rand(count, generator=generator) < 0.5
    return torch.stack([torch.where(swapped, long, short), torch.where(swapped, short, long)], 1)


def number(digits: Int[Tensor, "... D"]) -> Int[Tensor, ...]:
    """The numbers that rows of digits are, the first digit the highest.

    >>> number(torch.tensor([[0, 4, 2], [9, 0, 0]]))
    tensor([ 42, 900])
    """
    powers = 10 ** torch.arange(digits.shape[-1]).flip(0)
    return (digits * powers).sum(-1)


KINDS: dict[str, Kind] = {
    "many carries": many_carries,
    "zeros": zeros,
    "near the top": near_the_top,
    "short times long": short_times_long,
}
