"""m20 against the laboratory's own text and answers, digit sums, `difflib`, a queue, and what its records say."""

from __future__ import annotations

import difflib
import random
from collections import Counter, OrderedDict
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from autograder.exercise import find
from course.lab import models, multiplication, regimes
from course.lab.regimes import Drawer, Setting, examined, exams, follow, sampler
from course.supplied import m18, m20
from tools import measure_m20

TOOLS = m20.Tools()
PAIRS = [(d, *(random.Random(10 * d + k).randrange(10**d) for k in range(2))) for d in (1, 2, 3, 4)]
PAIRS += [(d, a, b) for d in (2, 3, 4) for a in (0, 7, 10**d - 1) for b in (5, 10 ** (d - 1), 10**d - 1)]


def both(name: str) -> list[Any]:
    return [find(f"m20.{name}").reference, getattr(m20, name)]


@pytest.mark.parametrize("pad", both("zero_padded"))
def test_m20_a_padded_line_is_the_laboratorys_for_more_digits(pad):
    for digits, x, y in PAIRS:
        for more in (digits, digits + 1, 5):
            assert pad(multiplication.written(x, y, digits), more) == multiplication.written(x, y, more)
    with pytest.raises(ValueError):  # noqa: PT011  (the reference's own words differ)
        pad(multiplication.written(10, 3, 2), 1)


@pytest.mark.parametrize("batch", both("curriculum_batch"))
def test_m20_batches_have_the_shares_that_a_counter_finds(batch):
    stages = [(2, 100), (3, 150), (4, 250)]
    for step, now in [(0, 0), (99, 0), (100, 1), (249, 1), (250, 2), (5000, 2)]:
        found = Counter(digits for digits, _ in batch(lambda d, count: [(d, 0)] * count, step, stages, 40, 0.25))
        rehearsed = 10 if now else 0
        assert found[stages[now][0]] == 40 - rehearsed
        earlier = [found[digits] for digits, _ in stages[:now]]
        assert sum(earlier) == rehearsed
        assert not earlier or max(earlier) - min(earlier) <= 1


@pytest.mark.parametrize("count", both("product_carries"))
def test_m20_carries_are_what_digit_sums_lose(count):
    """Each carry of 1 turns a 10 into a 1: a sum of d equal numbers loses 9 for each 1 that is carried."""

    def digit_sum(number: int) -> int:
        return sum(map(int, str(number)))

    for digits, x, y in PAIRS:
        expected = total = 0
        for place in range(digits):
            digit = y // 10**place % 10
            expected += sum(x % 10**k * digit >= 10**k for k in range(1, digits + 1))
            row = x * digit * 10**place
            expected += (digit_sum(total) + digit_sum(row) - digit_sum(total + row)) // 9
            total += row
        assert count(x, y, digits) == expected


@pytest.mark.parametrize("fault", both("first_fault"))
def test_m20_faults_are_where_difflib_sees_the_first_difference(fault):
    stream = random.Random(4)
    for digits, x, y in PAIRS:
        wanted = multiplication.written(x, y, digits)
        begin = 2 * digits + 2
        for place in stream.sample(range(begin, len(wanted)), 6 if digits > 1 else 4):
            line = (
                wanted[:place] + stream.choice([c for c in m18.VOCABULARY if c != wanted[place]]) + wanted[place + 1 :]
            )
            first = next(i for i, d in enumerate(difflib.ndiff(wanted, line)) if d[0] != " ")
            assert fault(line, wanted)[0] == place
            assert first <= place + 1
        assert fault(wanted, wanted) is None


@pytest.mark.parametrize("kind", both("ErrorBook"))
def test_m20_the_book_is_an_ordered_dictionary(kind):
    stream, book, queue = random.Random(5), kind(7), OrderedDict()
    for _ in range(60):
        pairs = [(stream.randrange(4), stream.randrange(4)) for _ in range(5)]
        right = [stream.random() < 0.4 for _ in pairs]
        book.update(pairs, right)
        for pair, good in zip(pairs, right, strict=True):
            queue.pop(pair, None)
            if not good:
                queue[pair] = None
        while len(queue) > 7:
            queue.popitem(last=False)
        fresh = [(9, i) for i in range(6)]
        chosen = list(queue)[: int(0.5 * 6)]
        for pair in chosen:
            queue.move_to_end(pair)
        assert list(book.batch(fresh, 0.5)) == chosen + fresh[: 6 - len(chosen)]
        assert list(book.pairs) == list(queue)


@pytest.mark.parametrize("sift", both("rejection_sample"))
def test_m20_what_is_kept_has_the_answer_that_the_laboratory_reads(sift):
    stream = random.Random(6)
    pairs = [(stream.randrange(100), stream.randrange(100)) for _ in range(30)]
    attempts = [[m18.product_line(x + stream.randrange(2), y, 2) for _ in range(4)] for x, y in pairs]
    kept = sift(pairs, attempts)
    solved = [(x, y) for (x, y), lines in zip(pairs, attempts, strict=True)
              if any(multiplication.answer(line) == x * y for line in lines)]  # fmt: skip
    assert [multiplication.answer(line) for line in kept] == [x * y for x, y in solved]


# ---- the laboratory's part -----------------------------------------------------------------------------------------


def test_m20_exams_are_never_trained_on_and_draws_depend_on_nothing_else():
    setting = Setting()
    asked = m20.exam_pairs(setting, 400, 50, 25)
    hidden = {pair for pairs in asked.values() for pair in pairs}
    assert [len(pairs) for pairs in asked.values()] == [400, 50, 50, 50, 50, 25]
    draw, other = Drawer(0, hidden), Drawer(0, hidden)
    other(1, 7)
    drawn = draw(2, 3000)
    assert not hidden & set(drawn)
    assert drawn == [*other(2, 1000), *other(2, 2000)]
    assert max(max(pair) for pair in draw(1, 100)) == 9


def test_m20_every_regime_reads_as_many_tokens():
    for setting in (Setting(), measure_m20.SETTINGS[3]):
        read = {}
        model = setting.model(80)
        for name, regime in m20.plan(setting, Drawer(0), TOOLS).items():
            batches = [
                regime(step, model) for step in (0, setting.steps // 3 - 1, setting.steps // 3, setting.steps - 1)
            ]
            assert all(len({len(line) for line in lines}) == 1 for lines in batches)
            read[name] = [len(lines) * (len(lines[0]) - 1) for lines in batches]
        assert all(
            abs(n - 128 * (len(m18.product_line(0, 0, setting.digits)) - 1)) < 45 for r in read.values() for n in r
        )


def test_m20_regimes_differ_in_their_pairs():
    setting = Setting()
    model = setting.model(25)
    lines = {name: regime(239, model) for name, regime in m20.plan(setting, Drawer(0), TOOLS).items()}
    carries = {
        name: sum(m20.product_carries(*map(int, line.split("=")[0].split("*")), 2) for line in some) / len(some)
        for name, some in lines.items()
    }
    assert carries[m20.HEAVY] > carries[m20.SCRATCH] + 1
    assert sum(line[0] == line[3] == "0" for line in lines[m20.PADDED]) >= 12


def test_m20_one_pass_and_greedy_writing_agree():
    model, _ = models.load("lab_two_digits")
    pairs = Drawer(3)(2, 40)
    with torch.no_grad():
        model.head.weight[3] *= 4  # it now says 3 too often
    lines = [m18.product_line(x, y, 2) for x, y in pairs]
    good = examined(model, lines, TOOLS.encode, TOOLS.mask)
    said = multiplication.worked_out(model, torch.tensor(pairs), 2)
    assert good == [a == b for a, b in zip(said, lines, strict=True)]
    assert 0 < sum(good) < 40


def test_m20_sampling_at_a_low_temperature_is_greedy_and_at_a_high_one_is_not():
    model, _ = models.load("lab_two_digits")
    decode = partial(m18.decode_line, vocabulary=m18.VOCABULARY)
    pairs = Drawer(4)(2, 20)
    asked, lines = [m18.question(x, y, 2) for x, y in pairs], [m18.product_line(x, y, 2) for x, y in pairs]
    assert sampler(model, TOOLS.encode, decode, 0.05)(asked) == lines
    assert sampler(model, TOOLS.encode, decode, 5.0)(asked) != lines
    assert [len(pairs) for pairs in exams(2, 30).values()] == [30] * 5


def test_m20_following_a_regime_trains_and_goes_on():
    setting = Setting(d_model=16, layers=1, steps=6, check_every=3)
    asked = m20.exam_pairs(setting, 20, 10, 5)
    regime = m20.plan(setting, Drawer(0), TOOLS)[m20.BOOK]
    done = follow("a trial", setting, regime, m20.papers(setting, asked, TOOLS), TOOLS.encode, TOOLS.mask)
    assert done.run.losses[-1] < done.run.losses[0]
    assert regimes.ledger["a trial"] == done.row
    assert "a trial" in regimes.table([done.row, {"regime": "less", "tokens": 5, "seconds": 1.0, "even": 0.5}])
    lines = [m18.product_line(x, y, 2) for x, y in asked["even"]]
    again = follow("more", replace(setting, steps=2), partial(m20.at_random, lines=lines, count=8),
                   {"even": lines}, TOOLS.encode, TOOLS.mask, model=done.model)  # fmt: skip
    assert again.model is done.model


# ---- what the lesson says of the records ---------------------------------------------------------------------------


def test_m20_the_record_holds_the_runs_of_the_plan():
    runs = models.record("m20_runs")["runs"]
    for digits in {run["digits"] for run in runs}:
        names = {name for name, _ in measure_m20.wanted(digits, 0)}
        assert {run["regime"] for run in runs if run["digits"] == digits} <= names
    assert all(set(run["shares"]) == {"even", *exams(2, 1), "fewer digits"} for run in runs)
    assert m20.SCRATCH in m20.summary(models.record("m20_runs"))


def test_m20_the_book_holds_mistakes():
    book = models.record("m20_book")
    wrong = [(x, y, line) for some in book["wrong"].values() for x, y, line in some]
    assert 20 < len(wrong) < 300
    assert all(m18.read_answer(line) != x * y for x, y, line in wrong)
    assert all(m20.first_fault(line, m18.product_line(x, y, 3)) for x, y, line in wrong)
