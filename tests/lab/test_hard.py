"""Hard kinds of products: each is what it says, in range, and drawn anew by another seed."""

import pytest
import torch

from course.lab.hard import KINDS, even


def drawn(kind, digits, seed=0, count=400):
    return kind(count, digits, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("digits", [1, 2, 4])
@pytest.mark.parametrize("name", KINDS)
def test_numbers_fit_and_follow_the_seed(name, digits):
    pairs = drawn(KINDS[name], digits)
    assert pairs.shape == (400, 2)
    assert pairs.dtype == torch.int64
    assert pairs.min() >= 0
    assert pairs.max() < 10**digits
    assert torch.equal(pairs, drawn(KINDS[name], digits))
    assert digits == 1 or not torch.equal(pairs, drawn(KINDS[name], digits, seed=1))


def test_each_kind_is_what_it_says():
    carries, zeros, top, short = (drawn(KINDS[name], 4) for name in KINDS)
    assert set("".join(map(str, carries.flatten().tolist()))) <= set("6789")
    assert all("0" in f"{number:04d}" for number in zeros.flatten().tolist())
    assert top.min() >= 9900
    shorter, longer = short.sort(1).values.unbind(1)
    assert shorter.max() < 100
    assert longer.min() >= 1000
    assert 0.3 < (short[:, 0] < short[:, 1]).float().mean() < 0.7


def test_an_even_draw_is_not_hard():
    pairs = drawn(even, 4)
    assert (pairs < 1000).float().mean() < 0.2
    assert not set("".join(map(str, pairs.flatten().tolist()))) <= set("6789")
