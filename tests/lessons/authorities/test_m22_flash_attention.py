"""m22 in NumPy against torch: scaled_dot_product_attention, its causal mask at the lower right, logsumexp, autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention.bias import causal_lower_right

from autograder.exercise import find
from course.supplied import m22
from tests.lessons.authorities.tools import require_full_points_in_float32, tensor

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
SIZES = [(5, 5, 3, 4, 2, 2), (7, 12, 4, 2, 3, 5), (9, 6, 2, 3, 4, 4), (1, 1, 1, 1, 8, 8)]  # n, m, d, d_v, blocks


def both(name: str) -> list[Any]:
    """The reference and the supplied version."""
    return [find(f"m22.{name}").reference, getattr(m22, name)]


def qkv(n: int, m: int, d: int, d_v: int) -> list[np.ndarray]:
    rng = np.random.default_rng(22)
    return [rng.standard_normal(shape) for shape in ((n, d), (m, d), (m, d_v))]


@pytest.mark.parametrize("online", both("online_softmax"))
def test_m22_maximum_and_sum_are_those_of_torch(online):
    scores = np.random.default_rng(1).standard_normal(11)
    scores[:4] = -np.inf
    tops, totals = online(scores, 3)
    for end, top, total in zip((3, 6, 9, 11), tops, totals, strict=True):
        seen = tensor(scores[:end])
        assert top == seen.max().item()
        assert top + (np.log(total) if total else 0.0) == pytest.approx(seen.logsumexp(0).item())


@pytest.mark.parametrize("add", both("add_tile"))
def test_m22_two_tiles_give_torchs_softmax(add):
    q, k, v = qkv(4, 9, 3, 2)
    scores = q @ k.T
    state = np.full(4, -np.inf), np.zeros(4), np.zeros((4, 2))
    for part in (slice(0, 5), slice(5, 9)):
        state = add(*state, scores[:, part], v[part])
    top, total, mixed = state
    np.testing.assert_allclose(mixed / total[:, None], tensor(scores).softmax(1) @ tensor(v), **CLOSE)
    np.testing.assert_allclose(top + np.log(total), tensor(scores).logsumexp(1), **CLOSE)


@pytest.mark.parametrize("attend", both("tiled_attention"))
@pytest.mark.parametrize(("n", "m", "d", "d_v", "block_q", "block_k"), SIZES)
def test_m22_tiled_attention(attend, n, m, d, d_v, block_q, block_k):
    q, k, v = qkv(n, m, d, d_v)
    output, lse = attend(q, k, v, block_q, block_k)
    np.testing.assert_allclose(output, F.scaled_dot_product_attention(*map(tensor, (q, k, v))), **CLOSE)
    np.testing.assert_allclose(lse, (tensor(q) @ tensor(k).T / d**0.5).logsumexp(1), **CLOSE)


@pytest.mark.parametrize("attend", both("causal_attention"))
@pytest.mark.parametrize(("n", "m", "d", "d_v", "block_q", "block_k"), SIZES)
def test_m22_causal_attention(attend, n, m, d, d_v, block_q, block_k):
    q, k, v = qkv(n, m, d, d_v)
    output, lse = attend(q, k, v, block_q, block_k)
    mask = torch.ones(n, m, dtype=torch.bool).tril(m - n)
    blind = max(0, n - m)
    if not blind:
        theirs = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), attn_mask=causal_lower_right(n, m))
        np.testing.assert_allclose(output, theirs, **CLOSE)
    theirs = F.scaled_dot_product_attention(*map(tensor, (q, k, v)), attn_mask=mask)
    np.testing.assert_allclose(output[blind:], theirs[blind:], **CLOSE)
    scores = (tensor(q) @ tensor(k).T / d**0.5).masked_fill(~mask, -torch.inf)
    np.testing.assert_allclose(lse, scores.logsumexp(1), **CLOSE)
    assert (output[:blind] == 0).all()


@pytest.mark.parametrize("kinds", both("causal_tiles"))
@pytest.mark.parametrize(("n", "m", "block_q", "block_k"), [(4, 6, 2, 2), (7, 12, 3, 5), (9, 6, 4, 4)])
def test_m22_kinds_of_tiles_by_torchs_mask(kinds, n, m, block_q, block_k):
    mask = torch.ones(n, m, dtype=torch.bool).tril(m - n)
    rows = [[tile.any().int() + tile.all().int() for tile in strip.split(block_k, 1)] for strip in mask.split(block_q)]
    np.testing.assert_array_equal(kinds(n, m, block_q, block_k), np.array(rows))


@pytest.mark.parametrize("back", both("tiled_backward"))
@pytest.mark.parametrize(("n", "m", "d", "d_v", "block_q", "block_k"), SIZES)
def test_m22_gradients_are_autograds(back, n, m, d, d_v, block_q, block_k):
    arrays = qkv(n, m, d, d_v)
    weight = np.random.default_rng(2).standard_normal((n, d_v))
    leaves = [tensor(array).clone().requires_grad_() for array in arrays]
    theirs = torch.autograd.grad((F.scaled_dot_product_attention(*leaves) * tensor(weight)).sum(), leaves)
    output, lse = m22.tiled_attention(*arrays, block_q, block_k)
    for ours, one in zip(back(*arrays, output, lse, weight, block_q, block_k), theirs, strict=True):
        np.testing.assert_allclose(ours, one, **CLOSE)


@pytest.mark.parametrize("count", both("attention_bytes"))
@pytest.mark.parametrize(("n", "m", "d", "block_q", "block_k"), [(12, 12, 4, 3, 5), (7, 12, 4, 3, 5), (9, 6, 2, 4, 4)])
def test_m22_counted_bytes_are_those_that_are_read_and_written(count, n, m, d, block_q, block_k):
    arrays = qkv(n, m, d, d)
    for causal, attend in ((False, m22.tiled_attention), (True, m22.causal_attention)):
        slow = [m22.Hbm(array) for array in arrays]
        output, _ = attend(*slow, block_q, block_k)
        moved = sum(array.bytes_read for array in slow) + output.nbytes + 4 * n
        assert count(n, m, d, block_q, block_k, 8, causal)["tiled"] == moved
    scores, weights = n * m, n * m
    kernels = [(n * d + m * d, scores), (scores, weights), (weights + m * d, n * d)]
    assert count(n, m, d, block_q, block_k, 2)["naive"] == 2 * sum(read + written for read, written in kernels)


@pytest.mark.parametrize("name", ["tiled_attention", "tiled_backward", "add_tile", "online_softmax"])
def test_m22_float32_gets_full_points(name):
    require_full_points_in_float32(f"m22.{name}", getattr(m22, name))
