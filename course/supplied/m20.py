"""What lesson m20 builds: padded lines, a curriculum, a count of carries, faults, an error book, rejection sampling."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from course.lab.decoder import Decoder
from course.lab.regimes import SHORT, Regime, Setting, examined, exams, sampler
from course.lab.regimes import Drawer as Drawer  # exercises are judged with it
from course.supplied.m18 import (
    VOCABULARY,
    count_carries,
    encode_lines,
    masked_targets,
    product_line,
    question,
    read_answer,
)  # fmt: skip

__all__ = ["ErrorBook", "curriculum_batch", "first_fault", "product_carries", "rejection_sample", "zero_padded"]

Pair = tuple[int, int]
Draw = Callable[[int, int], list[Pair]]
SCRATCH, PADDED = "even from the start", "curriculum, padded"
NOT_REHEARSED, NOT_PADDED = "curriculum, padded, no rehearsal", "curriculum, neither"
HEAVY, BOOK = "half with many carries", "a quarter from the error book"
ENCODE = partial(encode_lines, vocabulary=VOCABULARY)
EXAM_EVERY = 10  # steps from one exam for the error book to the next


def zero_padded(line: str, digits: int) -> str:
    """The line of the same product, written for numbers of `digits` digits. Raises ValueError if they have more."""
    x, y = (int(number) for number in line.partition("=")[0].split("*"))
    if max(x, y) >= 10**digits:
        raise ValueError(f"{x} * {y} does not fit into {digits} digits")
    return product_line(x, y, digits)


def curriculum_batch(
    draw: Draw, step: int, stages: list[tuple[int, int]], size: int, rehearsal: float = 0.1
) -> list[Pair]:
    """Pairs for one step: a share from the stages that are over, evenly, and the rest from the stage of this step."""
    now, end = 0, stages[0][1]
    while step >= end and now < len(stages) - 1:
        now += 1
        end += stages[now][1]
    old = int(rehearsal * size) if now else 0
    pairs = []
    for i in range(now):
        pairs += draw(stages[i][0], old // now + (i < old % now))
    return pairs + draw(stages[now][0], size - old)


def product_carries(x: int, y: int, digits: int) -> int:
    """In how many columns something is carried in all the steps of x times y: in the rows, and in the sums."""
    carries = total = 0
    for place in range(digits):
        digit, carry = y // 10**place % 10, 0
        for column in range(digits):
            carry = (x // 10**column % 10 * digit + carry) // 10
            carries += carry > 0
        row = x * digit * 10**place
        carries += count_carries(total, row)
        total += row
    return carries


def first_fault(line: str, wanted: str) -> tuple[int, str] | None:
    """Where a line first differs from what is wanted, and which part of the line that is; None if it does not."""
    place = next((i for i, right in enumerate(wanted) if line[i : i + 1] != right), None)
    if place is None:
        return None
    steps = wanted[: place + 1].partition("=")[2]
    row = 1 + steps.count("+")
    if ";" in steps:
        return place, "answer"
    return place, f"{'sum' if steps.rfind('=') > steps.rfind('+') else 'row'} {row}"


class ErrorBook:
    """The pairs that a model got wrong, the one that has waited longest first; at most `capacity` of them."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.pairs: list[Pair] = []

    def update(self, pairs: list[Pair], right: list[bool]) -> None:
        """Take in what was wrong, at the end, and strike out what was right; the oldest leave if there are too many."""
        for pair, good in zip(pairs, right, strict=True):
            if pair in self.pairs:
                self.pairs.remove(pair)
            if not good:
                self.pairs.append(pair)
        self.pairs = self.pairs[-self.capacity :]

    def batch(self, fresh: list[Pair], share: float) -> list[Pair]:
        """A batch as long as `fresh`: up to this share from the front of the book, which go to its end; then fresh."""
        count = min(int(share * len(fresh)), len(self.pairs))
        chosen = self.pairs[:count]
        self.pairs = self.pairs[count:] + chosen
        return chosen + fresh[: len(fresh) - count]


def rejection_sample(pairs: list[Pair], attempts: list[list[str]], most: int = 1) -> list[str]:
    """Of each pair's attempts the first `most` different lines whose answer is right."""
    kept = []
    for (x, y), lines in zip(pairs, attempts, strict=True):
        right = [line for line in dict.fromkeys(lines) if read_answer(line) == x * y]
        kept += right[:most]
    return kept


# ---- given to the lesson's cells and to `tools/measure_m20.py` -----------------------------------------------------


@dataclass(frozen=True)
class Tools:
    """The functions that regimes are made of: the lesson's, or the course's own."""

    line: Callable[[int, int, int], str] = product_line
    pad: Callable[[str, int], str] = zero_padded
    curriculum: Callable[..., list[Pair]] = curriculum_batch
    carries: Callable[[int, int, int], int] = product_carries
    book: Callable[[int], ErrorBook] = ErrorBook
    encode: Callable[[list[str]], Tensor] = ENCODE
    mask: Callable[[Tensor, int], tuple[Tensor, Tensor]] = masked_targets


def plan(setting: Setting, draw: Draw, tools: Tools) -> dict[str, Regime]:
    """The regimes that are compared: each name with what is read at each step, the same number of tokens in all."""
    digits, size = setting.digits, setting.batch
    short, third = digits - 1, setting.steps // 3
    stages = [(short, third), (digits, setting.steps - third)]
    more = size * (len(tools.line(0, 0, digits)) - 1) // (len(tools.line(0, 0, short)) - 1)

    def written(pairs: list[Pair]) -> list[str]:
        return [tools.line(x, y, digits) for x, y in pairs]

    def scratch(step: int, model: Decoder) -> list[str]:
        return written(draw(digits, size))

    def padded(step: int, model: Decoder, rehearsal: float = 0.1) -> list[str]:
        pairs = tools.curriculum(draw, step, stages, size, rehearsal)
        return [tools.pad(tools.line(x, y, short if max(x, y) < 10**short else digits), digits) for x, y in pairs]

    def not_padded(step: int, model: Decoder) -> list[str]:
        now, count = (short, more) if step < third else (digits, size)
        return [tools.line(x, y, now) for x, y in tools.curriculum(draw, step, stages, count, 0.0)]

    def heavy(step: int, model: Decoder) -> list[str]:
        many = sorted(draw(digits, 2 * size), key=lambda pair: -tools.carries(*pair, digits))
        return written(many[: size // 2] + draw(digits, size - size // 2))

    book = tools.book(2 * size)

    def errors(step: int, model: Decoder) -> list[str]:
        if step % EXAM_EVERY == 0:
            asked = book.pairs[: size // 2] + draw(digits, 2 * size)
            book.update(asked, examined(model, written(asked), tools.encode, tools.mask))
        return written(book.batch(draw(digits, size), 0.25))

    return {
        SCRATCH: scratch, PADDED: padded, NOT_REHEARSED: partial(padded, rehearsal=0.0), NOT_PADDED: not_padded,
        HEAVY: heavy, BOOK: errors,
    }  # fmt: skip


def papers(setting: Setting, pairs: dict[str, list[Pair]], tools: Tools, padded: bool = True) -> dict[str, list[str]]:
    """Exams as lines: `pairs` of each kind, and those with a digit fewer, written with as many digits or not."""
    digits = dict.fromkeys(pairs, setting.digits) | ({} if padded else {"fewer digits": setting.digits - 1})
    return {kind: [tools.line(x, y, digits[kind]) for x, y in some] for kind, some in pairs.items()}


def exam_pairs(setting: Setting, count: int, hard: int, fewer: int) -> dict[str, list[Pair]]:
    """Pairs for exams, which no regime shows: `count` drawn evenly, `hard` of each hard kind, `fewer` shorter ones."""
    drawn = exams(setting.digits, max(count, hard), setting.seed)
    few = exams(setting.digits - 1, fewer, setting.seed)["even"]
    return {kind: pairs[: count if kind == "even" else hard] for kind, pairs in drawn.items()} | {"fewer digits": few}


# ---- its own answers -------------------------------------------------------------------------------------------------


def lessons(
    which: str, model: Decoder, pairs: list[Pair], sift: Callable[..., list[str]],
    encode: Callable[[list[str]], Tensor], decode: Callable[[Tensor], str], seed: int, tries: int = 2, most: int = 2,
    temperature: float = 0.7,
) -> list[str]:  # fmt: skip
    """What a model trains on next: its own attempts at some pairs, sifted or not, or true lines. Two digits.

    Unsifted, as many attempts of each pair are taken as the sifting may keep, if they have the length of a line.
    """
    if which == "true lines":
        return [product_line(x, y, 2) for x, y in pairs]
    write = sampler(model, encode, decode, temperature, seed)
    asked = [question(x, y, 2) for x, y in pairs]
    attempts = [list(lines) for lines in zip(*(write(asked) for _ in range(tries)), strict=True)]
    if which == "its own, sifted":
        kept = sift(pairs, attempts, most)
        return [line for line in kept if len(line) == len(product_line(0, 0, 2))]
    return [line for lines in attempts for line in lines[:most] if len(line) == len(product_line(0, 0, 2))]


def counted(lines: list[str]) -> str:
    """How many lines were kept, of how many pairs, and in how many of them something is wrong before the answer."""
    pairs = [tuple(map(int, line.partition("=")[0].split("*"))) for line in lines]
    faulty = sum(line != product_line(x, y, 2) for (x, y), line in zip(pairs, lines, strict=True))
    return f"{len(lines)} lines kept, of {len(set(pairs))} pairs; in {faulty} of them a step is wrong"


def at_random(step: int, model: Decoder, lines: list[str], count: int) -> list[str]:
    """A regime: `count` of these lines, drawn with replacement."""
    return random.Random(step).choices(lines, k=count)


# ---- the record ------------------------------------------------------------------------------------------------------


def summary(record: dict[str, Any]) -> str:
    """The table of a record of `tools/measure_m20.py`: means over the seeds, and how far apart these are."""
    texts = []
    for digits in sorted({run["digits"] for run in record["runs"]}):
        some = [run for run in record["runs"] if run["digits"] == digits]
        texts.append(f"{digits} digits, {some[0]['parameters']:,} parameters\n{_means(some)}")
    return "\n\n".join(texts)


def _means(runs: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(run["regime"] for run in runs))
    kinds = [kind for kind in runs[0]["shares"] if kind != "fewer digits"]
    width = max(len(name) for name in names)
    heads = "".join(f"{SHORT.get(kind, kind):>9}" for kind in kinds)
    lines = [f"{'regime':<{width}}     tokens  even 2/3{heads}  even, each seed"]
    for name in names:
        same = [run for run in runs if run["regime"] == name]
        means = [sum(run["shares"][kind] for run in same) / len(same) for kind in kinds]
        cells = "".join(f"{mean:9.1%}" for mean in means)
        each = " ".join(f"{run['shares']['even']:.0%}" for run in same)
        early = sum(_at_two_thirds(run) for run in same) / len(same)
        lines.append(f"{name:<{width}}  {same[0]['tokens']:>9,}  {early:8.1%}{cells}  {each}")
    return "\n".join(lines)


def _at_two_thirds(run: dict[str, Any]) -> float:
    """The share of even pairs when two thirds of the steps are over."""
    return next(check["even"] for check in run["checks"] if 3 * check["step"] >= 2 * run["checks"][-1]["step"])
