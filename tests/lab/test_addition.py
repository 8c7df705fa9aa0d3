"""Additions as text, where they stand, and what a training makes of them."""

from __future__ import annotations

import doctest
from dataclasses import replace

import pytest
import torch
from torch import Generator

from course.lab import addition
from course.lab.addition import GAP, Addition, additions, asked, right, run_addition, starts, text
from course.lab.decoder import Config, Decoder
from course.lab.multiplication import IGNORED
from course.supplied.m19 import digit_places, plan, rope_speeds, rotate_complex, row, table, turning

COLUMNS = Addition("columns", places=digit_places, digits=2, d_model=16, heads=2, steps=3, batch=4)
NAMES = list(plan(digit_places))


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_the_examples_hold():
    results = doctest.testmod(addition)
    assert results.attempted
    assert not results.failed


@pytest.mark.parametrize("digits", [1, 2, 5, 20])
def test_every_line_is_a_right_sum(digits):
    for ids in additions(50, digits, seeded()):
        left, result = text(ids).split("=")
        a, b = left.split("+")
        assert len(a) == len(b) == len(result) == digits + 1
        assert int(a[::-1]) + int(b[::-1]) == int(result[::-1])


def test_only_the_sums_digits_are_targets():
    inputs, targets, places = asked(replace(COLUMNS, packed=2), 2, 5, 2, seeded())
    assert inputs.shape == targets.shape == places.shape == (5, 21)
    wanted = torch.zeros(21, dtype=torch.bool)
    wanted[[7, 8, 9, 18, 19, 20]] = True  # after "=" and two digits of either sum; a text has two times 11 tokens
    assert torch.equal(targets != IGNORED, wanted.expand(5, 21))
    following = inputs[:, 1:]
    assert torch.equal(targets[:, :-1][wanted[:-1].expand(5, 20)], following[wanted[:-1].expand(5, 20)])


def test_packed_additions_stand_apart_in_any_order():
    found = starts(30, 5, 400, 3, seeded())
    assert found.min() == 0
    assert found.max() == 25
    ordered = found.sort(1)[0]
    assert (ordered.diff(dim=1) >= 5 + GAP).all()
    assert len({tuple(order) for order in found.argsort(1).tolist()}) == 6
    assert starts(0, 5, 2, 3, seeded()).tolist() == [[0, 5, 10]] * 2
    with pytest.raises(ValueError, match="do not fit into 10"):
        starts(10, 5, 1, 2, seeded())


def test_a_training_is_the_same_each_time_and_is_turned_from_outside():
    turn = turning(rotate_complex, rope_speeds(8, COLUMNS.base))
    first, second, own = run_addition(COLUMNS), run_addition(COLUMNS), run_addition(COLUMNS, turn, (1, 3))
    assert first.run.losses == second.run.losses
    assert own.run.losses == pytest.approx(first.run.losses, rel=1e-6)
    assert list(own.accuracy) == [1, 3]
    assert own.model.turn is turn
    other = run_addition(COLUMNS, turning(rotate_complex, torch.zeros(4)))
    assert other.run.losses[1:] != pytest.approx(first.run.losses[1:], rel=1e-6)


def test_accuracy_counts_whole_sums():
    class Knows(Decoder):
        def forward(self, ids, places=None):
            said = torch.nn.functional.one_hot(self.answers, 12).float()
            return said

    model = Knows(Config(12, 16, 1, 2, 16, 64))
    _, targets, _ = asked(COLUMNS, 2, 200, 1, seeded(10_009))
    model.answers = targets.clamp(min=0)
    assert right(model, COLUMNS, 2) == 1
    model.answers[:50, -1] = (model.answers[:50, -1] + 1) % 10
    assert right(model, COLUMNS, 2) == pytest.approx(0.75)


@pytest.mark.parametrize("name", NAMES)
def test_every_run_of_the_plan_can_be_asked(name):
    one = replace(plan(digit_places)[name], steps=1, batch=2, d_model=16, heads=2)
    result = run_addition(one, lengths=(3, 20))
    shown = table([row(result)])
    assert name in shown
    assert "never" in shown
    assert result.learnt_at is None
