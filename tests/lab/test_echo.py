"""Texts that repeat themselves."""

from __future__ import annotations

import torch
from torch import Generator

from course.lab.echo import LENGTHS, LETTERS, TRAINED, echoes, reached, recalled, train_echo
from course.lab.multiplication import IGNORED
from course.lab.training import Run
from course.supplied.m19 import rope_speeds, rotate_complex, scalings, turning, yarn_speeds


def test_every_target_has_been_seen_one_block_before():
    inputs, targets = echoes(50, 32, Generator().manual_seed(0))
    for row, wanted in zip(inputs, targets, strict=True):
        block = int((wanted == IGNORED).sum()) + 1
        assert 8 <= block <= 16
        assert torch.equal(wanted[block - 1 :], torch.cat([row, wanted[-1:]])[: 32 - block])
    assert inputs.max() == LETTERS - 1


def test_a_reader_can_be_turned_from_outside():
    plain, run = train_echo(steps=2)
    turned, again = train_echo(turning(rotate_complex, rope_speeds(24)), steps=2)
    assert [round(a, 4) for a in run.losses] == [round(b, 4) for b in again.losses]
    assert 0 <= recalled(plain, TRAINED, 8) < 0.5
    assert recalled(plain, 64, 8) == recalled(turned, 64, 8)


def test_without_a_factor_every_scaling_is_none():
    for speeds in scalings(24, TRAINED).values():
        found, scale = speeds(1.0)
        torch.testing.assert_close(found, rope_speeds(24))
        assert scale == 1
    found, scale = scalings(24, TRAINED)["YaRN"](4.0)
    assert torch.equal(found, yarn_speeds(rope_speeds(24), 4.0, TRAINED, 1.0, 4.0)[0])
    assert scale > 1
    assert LENGTHS[0] == TRAINED


def test_goals_count_from_their_first_evaluation():
    checks = [{"step": step, "recalled": share} for step, share in ((25, 0.4), (50, 0.6), (75, 0.4), (100, 0.85))]
    assert reached(Run(checks=checks)) == [50, 100, None]


def test_a_race_ends_at_its_goal():
    _, run = train_echo(steps=60, positions="learned", until=0.0)
    assert (run.step, run.errors) == (25, 0)
