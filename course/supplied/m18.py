"""What lesson m18 builds: products as lines of text, a tokenizer, a loss mask, an evaluation, a table of errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course.lab.trial import Trial

__all__ = [
    "chain_of_thought", "count_carries", "decode_line", "encode_lines", "errors_by_group", "evaluate_pairs",
    "masked_targets", "product_line", "read_answer", "write_backwards",
]  # fmt: skip

Pairs = list[tuple[int, int]]
Writer = Callable[[list[str]], list[str]]


# ---- what the exercises ask for ----------------------------------------------------------------------------------


def write_backwards(number: int, width: int) -> str:
    """A number's digits, the last one first, with zeros up to the width."""
    return str(number).zfill(width)[::-1]


def chain_of_thought(x: int, y: int, digits: int) -> str:
    """x times each digit of y, from the last on, and after each row but the first the sum so far; all backwards."""
    rows = [x * int(digit) * 10**i for i, digit in enumerate(reversed(f"{y:0{digits}d}"))]
    text = write_backwards(rows[0], digits + 1)
    for i in range(1, digits):
        row, total = rows[i], sum(rows[: i + 1])
        text += f"+{write_backwards(row, digits + 1 + i)}={write_backwards(total, digits + 1 + i)}"
    return text


def product_line(x: int, y: int, digits: int, thought: bool = True) -> str:
    """The whole line of text: the question, then the chain of thought and ";", or neither, then the answer."""
    steps = chain_of_thought(x, y, digits) + ";" if thought else ""
    return question(x, y, digits) + steps + f"{x * y:0{2 * digits}d}\n"


def encode_lines(lines: list[str], vocabulary: str) -> Tensor:
    """Lines of one length as ids, (N, T) int64: a character's id is its place in the vocabulary."""
    ids = {character: i for i, character in enumerate(vocabulary)}
    return torch.tensor([[ids[character] for character in line] for line in lines], dtype=torch.int64)


def decode_line(ids: Tensor, vocabulary: str) -> str:
    """The text of ids (T,), up to its first line end, which is kept."""
    text = "".join(vocabulary[i] for i in ids.tolist())
    line, end, _ = text.partition("\n")
    return line + end


def masked_targets(rows: Tensor, prompt: int, ignored: int = -100) -> tuple[Tensor, Tensor]:
    """What a model reads and what it should say next, each (N, T - 1); as targets the prompt's tokens are `ignored`."""
    inputs, targets = rows[:, :-1], rows[:, 1:].clone()
    targets[:, : prompt - 1] = ignored
    return inputs, targets


def read_answer(line: str, mark: str = ";") -> int | None:
    """The number between the last mark and the line end; None if something of it is missing or is no number."""
    _, found, answer = line.rpartition(mark)
    return int(answer) if found and answer.endswith("\n") and answer[:-1].isdigit() else None


def evaluate_pairs(write: Writer, pairs: Pairs, digits: int, thought: bool = True, batch: int = 500) -> dict[str, Any]:
    """Let `write` finish the line of every pair, at most `batch` at a time, and count what is right."""
    right, exact, wrong = 0, 0, []
    for start in range(0, len(pairs), batch):
        part = pairs[start : start + batch]
        written = write([question(x, y, digits) for x, y in part])
        for (x, y), line in zip(part, written, strict=True):
            good = read_answer(line, ";" if thought else "=") == x * y
            right += good
            exact += line == product_line(x, y, digits, thought)
            if not good:
                wrong.append((x, y, line))
    return {"total": len(pairs), "right": right, "exact": exact, "wrong": wrong}


def count_carries(a: int, b: int) -> int:
    """In how many columns something is carried when a and b are added by hand."""
    carry = count = 0
    while a or b:
        carry = (a % 10 + b % 10 + carry) // 10
        count += carry
        a, b = a // 10, b // 10
    return count


def errors_by_group(groups: list[int], wrong: list[bool]) -> list[tuple[int, int, int]]:
    """For each group, in rising order: the group, how many of its members are wrong, and how many it has."""
    table: dict[int, tuple[int, int]] = {}
    for group, bad in zip(groups, wrong, strict=True):
        errors, total = table.get(group, (0, 0))
        table[group] = (errors + bad, total + 1)
    return [(group, *table[group]) for group in sorted(table)]


# ---- given to the lesson's cells, exercises and widgets ----------------------------------------------------------

VOCABULARY = "0123456789*=+;\n"  # the place of a character is its id


def question(x: int, y: int, digits: int) -> str:
    """How every line begins, up to the first "=".

    >>> question(7, 34, digits=2)
    '07*34='
    """
    return f"{x:0{digits}d}*{y:0{digits}d}="


def turned(line: str) -> str:
    r"""The line with every number between the question and the ";" (or the end) turned round.

    >>> turned("12*34=840+0630=8040;0408\n"), turned("12*34=0408\n")
    ('12*34=048+0360=0408;0408\n', '12*34=8040\n')
    """
    asked, equals, rest = line.partition("=")
    steps, semicolon, answer = rest.partition(";")
    return asked + equals + re.sub("[0-9]+", lambda number: number[0][::-1], steps) + semicolon + answer


def plan(line: Callable[..., str]) -> dict[str, Trial]:
    """The table of runs: each name with a trial that reads about 900,000 tokens; `line` is `product_line`.

    The first rows change the text and keep the model; the next ones change the model and keep the text.
    """
    thought, direct = partial(line, digits=2), partial(line, digits=2, thought=False)
    runs = [
        Trial("answer alone", direct, steps=700),
        Trial("answer alone, backwards", lambda x, y: turned(direct(x, y)), steps=700),
        Trial("steps, numbers forwards", lambda x, y: turned(thought(x, y)), steps=300),
        Trial("steps, numbers backwards", thought, steps=300),
        Trial("answer alone, 2.5 times the pairs", direct, share=0.5, steps=700),
        Trial("answer alone, 2 times as wide", direct, d_model=128, steps=700),
        Trial("answer alone, 2 times as deep", direct, layers=4, steps=700),
        Trial("steps backwards, half as wide", thought, d_model=32, steps=300),
        Trial("steps backwards, half as deep", thought, layers=1, steps=300),
    ]
    return {trial.name: replace(trial, check_every=50 if trial.steps == 300 else 100) for trial in runs}


class Clerk:
    """Finishes lines as a model would, rightly but for the mistakes it was told to make: for testing an evaluation.

    Called with questions, it gives whole lines. `mistakes` are pairs of a question and the line to give for it.
    It takes at most `most` questions at a time (ValueError), and keeps in `asked` how many it was asked each time.
    """

    def __init__(self, digits: int, thought: bool, most: int, mistakes: Iterable[tuple[str, str]] = ()):
        self.digits, self.thought, self.most = digits, thought, most
        self.mistakes, self.asked = dict(tuple(pair) for pair in mistakes), []

    def __call__(self, questions: list[str]) -> list[str]:
        """The lines, in the order of the questions."""
        if len(questions) > self.most:
            raise ValueError(f"{len(questions)} questions at a time; {self.most} fit into the memory")
        self.asked.append(len(questions))
        return [self.mistakes.get(one) or self._line(one) for one in questions]

    def _line(self, asked: str) -> str:
        first, _, second = asked.removesuffix("=").partition("*")
        if not (asked.endswith("=") and len(first) == len(second) == self.digits):
            raise ValueError(f"a question looks like {question(7, 34, self.digits)!r}, not like {asked!r}")
        return product_line(int(first), int(second), self.digits, self.thought)
