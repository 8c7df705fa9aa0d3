"""Multiplication as text: how a product is written out step by step, and how often a model gets it right.

    12*34=840+0630=8040;0408

The prompt ends at the first "=". After it stand 12 * 4 and 12 * 30, then their sum, each with its last digit first, as
one adds by hand: then every digit needs only digits that are already there. The answer follows the ";" in the usual
order. With more digits a new sum stands after each row. All is padded with zeros, so all lines have the same length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course.lab.decoder import Decoder
from course.lab.generation import greedy

__all__ = ["Score", "all_pairs", "answer", "decode", "encode", "evaluate", "lines", "split", "targets", "written"]

VOCABULARY = "0123456789*=+;\n"
END = VOCABULARY.index("\n")
IGNORED = -100  # as a target it has no loss: the default of torch's cross_entropy

Lines = Int[Tensor, "N T"]
Pairs = Int[Tensor, "N 2"]


# ---- text -----------------------------------------------------------------------------------------------------------


def prompt(x: int, y: int, digits: int) -> str:
    """The question.

    >>> prompt(7, 34, digits=2)
    '07*34='
    """
    return f"{x:0{digits}d}*{y:0{digits}d}="


def written(x: int, y: int, digits: int, thought: bool = True) -> str:
    r"""The whole line for x * y, both below 10 ** digits; without `thought` the answer alone follows the prompt.

    >>> written(12, 34, digits=2)
    '12*34=840+0630=8040;0408\n'
    >>> written(123, 456, digits=3)
    '123*456=8370+05160=88860+002940=880650;056088\n'
    >>> written(12, 34, digits=2, thought=False)
    '12*34=0408\n'
    """
    result = f"{x * y:0{2 * digits}d}\n"
    return prompt(x, y, digits) + (steps(x, y, digits) + ";" if thought else "") + result


def steps(x: int, y: int, digits: int) -> str:
    """The chain of thought: x times each digit of y, from the last on, and after each row the sum so far.

    >>> steps(12, 34, digits=2)
    '840+0630=8040'
    """
    total = x * (y % 10)
    text = backwards(total, digits + 1)
    for place in range(1, digits):
        row = x * (y // 10**place % 10) * 10**place
        total += row
        width = digits + 1 + place
        text += f"+{backwards(row, width)}={backwards(total, width)}"
    return text


def backwards(number: int, width: int) -> str:
    """A number's digits, the last one first, with zeros up to the width.

    >>> backwards(408, 4)
    '8040'
    """
    return f"{number:0{width}d}"[::-1]


def answer(text: str, thought: bool = True) -> int | None:
    r"""The number that a line gives as the product, None if it gives none: what follows the ";" up to the line's end.

    Without `thought` it follows the "=".

    >>> answer("12*34=840+0630=8040;0408\n"), answer("12*34=840+0630=8040;04")
    (408, None)
    """
    found = re.fullmatch(rf"[^\n]*{';' if thought else '='}([0-9]+)\n+", text)
    return int(found[1]) if found else None


# ---- tokens ---------------------------------------------------------------------------------------------------------


def encode(texts: Iterable[str]) -> Lines:
    """Ids of texts of the same length: (N, T), int64. Raises ValueError for a character that is none of ours.

    >>> encode(["3*4=", "5*6="])
    tensor([[ 3, 10,  4, 11],
            [ 5, 10,  6, 11]])
    """
    texts = list(texts)
    if unknown := set().union(*texts) - set(VOCABULARY):
        raise ValueError(f"this text knows no {', '.join(map(repr, sorted(unknown)))}")
    return torch.tensor([[VOCABULARY.index(c) for c in text] for text in texts])


def decode(ids: Int[Tensor, " T"]) -> str:
    """The text of ids."""
    return "".join(VOCABULARY[i] for i in ids.tolist())


def lines(pairs: Pairs, digits: int, thought: bool = True) -> Lines:
    """The ids of the whole lines of many pairs."""
    return encode(written(x, y, digits, thought) for x, y in pairs.tolist())


def targets(rows: Lines, digits: int, masked: bool = True) -> tuple[Lines, Lines]:
    """What a model reads and what it should say next, each (N, T - 1).

    Masked, the prompt's tokens are IGNORED as targets: they are random, nothing in them can be learnt.
    """
    inputs, following = rows[:, :-1], rows[:, 1:].clone()
    if masked:
        following[:, : 2 * digits + 1] = IGNORED
    return inputs, following


# ---- pairs ----------------------------------------------------------------------------------------------------------


def all_pairs(digits: int) -> Pairs:
    """Every pair of numbers below 10 ** digits: 100 for one digit, 10,000 for two."""
    numbers = torch.arange(10**digits)
    return torch.cartesian_prod(numbers, numbers)


def split(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, Pairs]:
    """A random share of the pairs to train on, and the rest, which training never sees.

    Raises ValueError unless 0 < share <= 1.

    >>> [len(part) for part in split(all_pairs(2), 0.5, seed=0)]
    [5000, 5000]
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share lies above 0 and is at most 1, not {share}")
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed))
    count = round(share * len(pairs))
    return pairs[order[:count]], pairs[order[count:]]


# ---- evaluation -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """How a model did on `total` pairs: `right` answers, `exact` lines (every step right too), and what went wrong."""

    total: int
    right: int
    exact: int
    wrong: list[tuple[int, int, str]] = field(repr=False)  # x, y and the line that the model wrote

    @property
    def errors(self) -> int:
        """How many answers were wrong."""
        return self.total - self.right


def evaluate(model: Decoder, pairs: Pairs, digits: int, thought: bool = True, batch: int = 1000) -> Score:
    """Let the model work out every pair by itself, each token the most probable one, and compare with the product."""
    right, exact, wrong = 0, 0, []
    for part in pairs.split(batch):
        for (x, y), text in zip(part.tolist(), worked_out(model, part, digits, thought), strict=True):
            good = answer(text, thought) == x * y
            right += good
            exact += text == written(x, y, digits, thought)
            if not good:
                wrong.append((x, y, text))
    return Score(len(pairs), right, exact, wrong)


def worked_out(model: Decoder, pairs: Pairs, digits: int, thought: bool = True) -> list[str]:
    """The lines that the model writes, up to the end of the line or as long as a right one."""
    device = model.head.weight.device
    prompts = encode(prompt(x, y, digits) for x, y in pairs.tolist()).to(device)
    count = len(written(0, 0, digits, thought)) - prompts.shape[1]
    said = torch.cat([prompts, greedy(model, prompts, count, END)], 1).cpu()
    return [re.sub(r"\n+", "\n", decode(row)) for row in said]


def misread(model: Decoder, rows: Lines, digits: int) -> int:
    """In how many lines the model, reading the right text, would say some wrong token after the prompt."""
    return int((~faultless(model, *targets(rows.to(model.head.weight.device), digits))).sum())


@torch.no_grad()
def faultless(
    model: Decoder, inputs: Lines, following: Lines, places: Lines | None = None
) -> Bool[Tensor, " N"]:  # fmt: skip
    """In which rows the model, reading the right text, would say the right token at every target but the IGNORED ones.

    There greedy generation is right too: each token that it reads is its own. It takes one pass.
    """
    said = model(inputs, places=places).argmax(-1)
    return ((said == following) | (following == IGNORED)).all(1)
