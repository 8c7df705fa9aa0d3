"""m18 against Python's arithmetic, `tokenizers`, torch's cross-entropy, and the laboratory that its text comes from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from autograder.exercise import find
from course.lab import models, multiplication, training
from course.lab.decoder import Config, Decoder
from course.lab.inspection import look
from course.lab.trial import GLANCE, Trial, run_trial, writer
from course.supplied import m18
from tools import train_lab

ENCODE = partial(m18.encode_lines, vocabulary=m18.VOCABULARY)
DECODE = partial(m18.decode_line, vocabulary=m18.VOCABULARY)
PAIRS = [(d, *(random.Random(d).randrange(10**d) for _ in range(2))) for d in (1, 2, 3, 4)]
PAIRS += [(d, a, b) for d in (2, 3, 4) for a in (0, 7, 10**d - 1) for b in (5, 10 ** (d - 1), 10**d - 1)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small models are slower with two, and give the same bits only with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def both(name: str) -> list[Any]:
    return [find(f"m18.{name}").reference, getattr(m18, name)]


@pytest.mark.parametrize("backwards", both("write_backwards"))
def test_m18_numbers_backwards_are_format_strings_turned_round(backwards):
    for number in [0, 5, 10, 99, 12_340]:
        for width in range(len(str(number)), 8):
            assert backwards(number, width) == format(number, f"0{width}d")[::-1]


@pytest.mark.parametrize(("digits", "x", "y"), PAIRS)
def test_m18_the_text_is_the_laboratorys(digits, x, y):
    for chain, line in zip(both("chain_of_thought"), both("product_line"), strict=True):
        assert chain(x, y, digits) == multiplication.steps(x, y, digits)
        for thought in (True, False):
            assert line(x, y, digits, thought) == multiplication.written(x, y, digits, thought)
    assert m18.question(x, y, digits) == multiplication.prompt(x, y, digits)


@pytest.mark.parametrize("encode", both("encode_lines"))
@pytest.mark.parametrize("decode", both("decode_line"))
def test_m18_ids_are_those_of_a_word_level_tokenizer(encode, decode):
    vocabulary = "".join(random.Random(3).sample(m18.VOCABULARY, len(m18.VOCABULARY)))
    tokenizer = Tokenizer(WordLevel({c: i for i, c in enumerate(vocabulary)}, unk_token=vocabulary[0]))
    tokenizer.pre_tokenizer = Split("", "isolated")
    lines = [m18.product_line(x, y, 2) for x, y in [(12, 34), (99, 98), (7, 0)]]
    theirs = [found.ids for found in tokenizer.encode_batch(lines)]
    assert encode(lines, vocabulary).tolist() == theirs
    assert [decode(torch.tensor(ids), vocabulary) for ids in theirs] == lines


@pytest.mark.parametrize("mask", both("masked_targets"))
def test_m18_the_masked_loss_is_the_mean_over_the_steps_alone(mask):
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(15, (4, 9), generator=generator)
    logits = torch.randn(4, 8, 15, generator=generator)
    for prompt in (1, 3, 6):
        inputs, targets = mask(rows, prompt)
        ours = F.cross_entropy(logits.mT, targets, ignore_index=-100)
        kept = slice(prompt - 1, None)  # the place that has read the question's last token, and all after it
        torch.testing.assert_close(ours, F.cross_entropy(logits[:, kept].mT, rows[:, 1:][:, kept]))
        assert torch.equal(inputs, rows[:, :-1])
    theirs = multiplication.targets(rows, digits=2)
    assert all(torch.equal(a, b) for a, b in zip(mask(rows, 6), theirs, strict=True))


@pytest.mark.parametrize("read", both("read_answer"))
def test_m18_answers_are_read_as_the_laboratory_reads_them(read):
    lines = [m18.product_line(x, y, d) for d, x, y in PAIRS]
    for line in [*lines, *(line[:-1] for line in lines), "", "\n", ";\n", "1=2;x\n", "a;07\n"]:
        assert read(line) == multiplication.answer(line)
    assert read("07*08=0056\n", "=") == 56


@pytest.mark.parametrize("count", both("count_carries"))
def test_m18_carries_are_what_digit_sums_lose(count):
    rng = np.random.default_rng(2)
    for a, b in [(0, 0), (9, 1), (99, 1), (1, 99_999), *rng.integers(0, 10**6, (200, 2)).tolist()]:
        lost = sum(map(int, f"{a}{b}")) - sum(map(int, str(a + b)))
        assert count(a, b) == lost / 9


def small() -> Decoder:
    """A model that has read the products of one digit for a moment: it knows some of them."""
    model = Decoder(Config(15, d_model=32, layers=1, heads=2, d_ff=64, length=10))
    inputs, targets = m18.masked_targets(ENCODE([m18.product_line(x, y, 1) for x in range(10) for y in range(10)]), 4)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(70):
        F.cross_entropy(model(inputs).mT, targets).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model


def test_m18_an_evaluation_finds_what_the_laboratorys_finds():
    model, pairs = small(), [(x, y) for x in range(10) for y in range(10)]
    theirs = multiplication.evaluate(model, multiplication.all_pairs(1), 1)
    for evaluate in both("evaluate_pairs"):
        ours = evaluate(writer(model, ENCODE, DECODE, 14), pairs, 1, batch=30)
        assert (ours["total"], ours["right"], ours["exact"]) == (100, theirs.right, theirs.exact)
        assert [pair[:2] for pair in ours["wrong"]] == [pair[:2] for pair in theirs.wrong]
    assert 5 < theirs.exact < 95


def test_m18_the_lesson_trains_the_very_model_that_is_recorded():
    """Its functions give the data, recipe and start of `tools/train_lab.py`: a few steps end with the same bits.

    So what the record says of the whole training (every product right) holds for the lesson's, on the same machine.
    """
    trial = Trial("", partial(m18.product_line, digits=2), share=0.5, steps=600, extra=400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(training.FEWER, "3")
        theirs, _ = train_lab.trained(train_lab.PLANS["two_digits"], seed=0)
        ours = run_trial(trial, ENCODE, m18.masked_targets)
    assert ours.model.config == theirs.config
    for (name, a), b in zip(ours.model.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    recipe = models.record("lab_two_digits")["recipe"]
    assert (recipe["steps"], recipe["extra"], recipe["batch"]) == (600, 400, trial.batch)
    assert (trial.share, train_lab.SHARE) == (0.5, 0.5)


def test_m18_heads_of_the_shipped_model_look_where_the_lesson_says():
    """On the average over pairs: at the digits multiplied, at the tens added, and through the sum, backwards."""
    model, _ = models.load("lab_two_digits")
    pairs = torch.randint(10, 100, (40, 2), generator=torch.Generator().manual_seed(0)).tolist()
    weights = [look(model, ENCODE([m18.product_line(x, y, 2)])[0])[1][0] for x, y in pairs]
    most = torch.stack(weights).mean(0).argmax(-1)  # (head, query): the place that gets most
    assert [int(most[head, 5]) for head in (1, 2, 3)] == [4, 1, 1]  # the ones of 34, of 12 and of 12
    assert {int(most[head, 15]) for head in (1, 2, 3)} == {7, 11}  # the tens of both rows
    assert [int(most[2, place]) for place in (19, 20, 21)] == [18, 17, 16]  # thousands, hundreds, tens of the sum


def test_m18_what_the_lesson_says_of_the_recorded_runs():
    """The table's rows are those of the plan, and show what stands below it in the lesson."""
    rows = {row["text"]: row for row in models.record("m18_runs")["rows"]}
    assert list(rows) == list(m18.plan(m18.product_line))
    assert all(0.7e6 < row["tokens"] < 1e6 for row in rows.values())
    held = {name: row["held out"] for name, row in rows.items()}
    steps = [name for name in rows if name.startswith("steps")]
    assert min(held[name] for name in steps) > 0.9 > 0.4 > max(held[name] for name in rows if name not in steps)
    assert held["steps, numbers forwards"] < held["steps, numbers backwards"]
    small, wide = rows["steps backwards, half as wide"], rows["answer alone, 2 times as wide"]
    assert small["parameters"] < 0.27 * rows["answer alone"]["parameters"]
    assert wide["parameters"] > 3.9 * rows["answer alone"]["parameters"]
    assert (wide["trained on"] > 0.99, 0.2 < wide["held out"] < 0.3) == (True, True)
    assert max(held["answer alone, 2 times as wide"], held["answer alone, 2 times as deep"]) < 1 / 3
    assert held["answer alone, 2.5 times the pairs"] < 1 / 3
    assert GLANCE == 500
