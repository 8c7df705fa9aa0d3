"""Regimes: which lines a model reads at each step, with everything else alike, and what it is examined on meanwhile.

    setting = Setting(digits=2, steps=300)
    draw = Drawer(seed=0, held=pairs_of_the_exams)
    regime = lambda step, model: [line(x, y, 2) for x, y in draw(2, 128)]
    result = follow("all even", setting, regime, exams, encode, mask)

A regime is a function: (step, model) -> the lines of that step's batch, all of one length. It may ask the model first.
`encode` and `mask` are functions of lesson m18's: how lines become ids, and what of them has a loss.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course.lab.decoder import Cache, Config, Decoder, Positions
from course.lab.hard import KINDS, even
from course.lab.multiplication import VOCABULARY, faultless
from course.lab.training import Recipe, Run, one_thread, train

__all__ = ["Drawer", "Followed", "Setting", "examined", "exams", "follow", "ledger", "sampler", "table"]

Pair = tuple[int, int]
Line = Callable[[int, int, int], str]
Regime = Callable[[int, Decoder], list[str]]
Encode = Callable[[list[str]], Tensor]
Mask = Callable[[Tensor, int], tuple[Tensor, Tensor]]
Exams = dict[str, list[str]]
SHORT = {
    "many carries": "carries",
    "near the top": "top",
    "short times long": "short",
    "fewer digits": "fewer",
}  # exams
ledger: dict[str, dict[str, Any]] = {}  # name -> row of the table, of every regime followed so far


@dataclass(frozen=True)
class Setting:
    """What all regimes of one comparison share: the exam's digits, the model's size, steps, and the seed of it all."""

    digits: int = 2
    d_model: int = 32
    layers: int = 2
    heads: int = 4
    positions: Positions = "learned"
    steps: int = 300
    batch: int = 128
    check_every: int = 25
    seed: int = 0

    def model(self, length: int) -> Decoder:
        """A new model, which can read `length` tokens."""
        shape = Config(len(VOCABULARY), self.d_model, self.layers, self.heads, 4 * self.d_model, length, self.positions)
        return Decoder(shape, self.seed)


@dataclass(frozen=True)
class Followed:
    """What came of a regime: the model and its run, with the share of faultless lines in each exam at each check."""

    name: str
    model: Decoder
    run: Run

    @property
    def row(self) -> dict[str, Any]:
        """Its line of the table: what was read, and the last check."""
        shares = {k: v for k, v in self.run.checks[-1].items() if k not in ("step", "tokens", "seconds", "errors")}
        return {"regime": self.name, "tokens": self.run.tokens, "seconds": self.run.seconds} | shares


class Drawer:
    """Draws pairs of numbers with a given number of digits, every number as likely as any other, but none that is held.

    Called with (digits, count) it gives a list of `count` pairs, each below 10 ** digits. Each number of digits has
    a stream of its own: what is drawn of one does not depend on what else is drawn.
    """

    def __init__(self, seed: int, held: Iterable[Pair] = ()):
        self.seed, self.held = seed, {tuple(pair) for pair in held}
        self.streams: dict[int, random.Random] = {}

    def __call__(self, digits: int, count: int) -> list[Pair]:
        """The next pairs of this many digits."""
        stream = self.streams.setdefault(digits, random.Random(f"{self.seed} {digits}"))
        pairs: list[Pair] = []
        while len(pairs) < count:
            pair = (stream.randrange(10**digits), stream.randrange(10**digits))
            pairs += [pair] * (pair not in self.held)
        return pairs


def exams(digits: int, count: int, seed: int = 0) -> dict[str, list[Pair]]:
    """Pairs to examine on: `count` drawn evenly, and as many of each hard kind; in each of them no pair twice.

    Of a kind that has few, all that came up.
    """
    generator = torch.Generator().manual_seed(7_000 + seed)
    kinds = {"even": even} | KINDS
    drawn = {name: kind(2 * count, digits, generator).tolist() for name, kind in kinds.items()}
    return {name: list(dict.fromkeys(map(tuple, pairs)))[:count] for name, pairs in drawn.items()}


def follow(
    name: str, setting: Setting, regime: Regime, exams: Exams, encode: Encode, mask: Mask,
    watch: Callable[[Run], None] = lambda run: None, model: Decoder | None = None, recipe: Recipe | None = None,
) -> Followed:  # fmt: skip
    """Train a new model, or go on with `model`, on what the regime gives; examine it on the way. In one thread."""
    model = model or setting.model(max(len(lines[0]) for lines in exams.values()))
    recipe = recipe or Recipe(steps=setting.steps, check_every=setting.check_every)
    papers = {paper: _read(lines, encode, mask) for paper, lines in exams.items()}

    def batch(step: int) -> tuple[Tensor, Tensor]:
        return _read(regime(step, model), encode, mask)

    def errors(model: Decoder) -> dict[str, float]:
        return {"errors": 1} | {paper: faultless(model, *p).float().mean().item() for paper, p in papers.items()}

    with one_thread():
        run = train(model, recipe, batch, errors, watch=watch, bar=False)
    result = Followed(name, model, run)
    ledger[name] = result.row
    return result


def examined(model: Decoder, lines: list[str], encode: Encode, mask: Mask) -> list[bool]:
    """Whether the model would write each of these lines, all of one length, without a fault. It takes one pass."""
    return faultless(model, *_read(lines, encode, mask)).tolist()


def _read(lines: list[str], encode: Encode, mask: Mask) -> tuple[Tensor, Tensor]:
    """What the model reads of lines of one length, and what it should say next."""
    return mask(encode(lines), lines[0].index("=") + 1)


def sampler(
    model: Decoder, encode: Encode, decode: Callable[[Tensor], str], temperature: float = 1.0, seed: int = 0
) -> Callable[[list[str]], list[str]]:
    """A function that lets the model finish lines: questions in, lines out. Each token is drawn as it is probable."""
    generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def write(questions: list[str]) -> list[str]:
        rows = ids = encode(questions)
        cache = Cache(model, len(rows))
        while rows.shape[1] < model.config.length:
            chances = (model(ids, cache)[:, -1] / temperature).softmax(-1)
            ids = torch.multinomial(chances, 1, generator=generator)
            rows = torch.cat([rows, ids], 1)
        return [decode(row) for row in rows]

    return write


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Rows under one another, as text; a share that a row lacks is a dash."""
    rows = list(rows)
    shares = list(dict.fromkeys(k for row in rows for k in row if k not in ("regime", "tokens", "seconds", "seed")))
    width = max([6, *(len(row["regime"]) for row in rows)])
    lines = [f"{'regime':<{width}}  {'tokens':>9}" + "".join(f"{SHORT.get(name, name):>9}" for name in shares)]
    for row in rows:
        cells = [f"{row[name]:.1%}" if name in row else "-" for name in shares]
        lines.append(f"{row['regime']:<{width}}  {row['tokens']:>9,}" + "".join(f"{cell:>9}" for cell in cells))
    return "\n".join(lines)
