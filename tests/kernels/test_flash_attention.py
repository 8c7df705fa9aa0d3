"""FlashAttention against float64, over lengths, heads, windows and strides; what it moves."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from kernels.flash_attention import LOG2_E, attend, attention_reference, flash_attention, visible
from kernels.simulator import record
from tests.kernels.support import DTYPES, assert_near, numbers

SMALL = (16, 16)


def qkv(queries, keys, d=16, heads=1, kv_heads=1, batch=1, dtype=torch.float32):
    """Queries, keys and values."""
    return (
        numbers(batch, heads, queries, d, dtype=dtype, seed=1),
        numbers(batch, kv_heads, keys, d, dtype=dtype, seed=2),
        numbers(batch, kv_heads, keys, d, dtype=dtype, seed=3),
    )


def assert_right(q, k, v, tiles=SMALL, **options):
    """Hold the kernel against float64."""
    wanted = attention_reference(q.double(), k.double(), v.double(), **options)
    assert_near(flash_attention(q, k, v, tiles=tiles, **options), wanted, q.dtype)


@pytest.mark.parametrize("causal", [False, True])
def test_the_reference_is_torchs_own(causal):
    q, k, v = (tensor.double() for tensor in qkv(7, 7, heads=4, kv_heads=2))
    wanted = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
    torch.testing.assert_close(attention_reference(q, k, v, causal=causal), wanted)


def test_what_is_visible():
    assert visible(2, 4, causal=True).int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert visible(4, 2, causal=True).int().tolist() == [[0, 0], [0, 0], [1, 0], [1, 1]]
    assert visible(3, 4, causal=True, window=2).int().tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]


LENGTHS = [(1, 1), (16, 16), (17, 33), (40, 40), (1, 50), (50, 1), (20, 47), (47, 20)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), LENGTHS)
def test_lengths(queries, keys, causal, dtype):
    assert_right(*qkv(queries, keys, dtype=dtype), causal=causal)


@pytest.mark.parametrize("window", [1, 5, 16, 17, 40, 1000])
@pytest.mark.parametrize(("queries", "keys"), [(50, 50), (20, 47), (47, 20)])
def test_windows(queries, keys, window):
    assert_right(*qkv(queries, keys), causal=True, window=window)


@pytest.mark.parametrize("tiles", [(16, 32), (32, 16), (64, 16)])
@pytest.mark.parametrize("window", [None, 7, 30])
def test_tiles_that_are_not_square(tiles, window):
    assert_right(*qkv(45, 70), tiles=tiles, causal=True, window=window)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("d", [16, 24, 64, 80, 128, 256])
def test_head_dimensions_with_the_usual_tiles(d, dtype):
    assert_right(*qkv(70, 70, d=d, dtype=dtype), tiles=None, causal=True)


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
def test_heads_that_share_keys(heads, kv_heads):
    assert_right(*qkv(17, 20, heads=heads, kv_heads=kv_heads, batch=2), causal=True)


def test_strides():
    packed = numbers(2, 20, 3, 4, 16)  # batch, place, what, head, d: as a projection leaves it
    q, k, v = packed.permute(2, 0, 3, 1, 4)
    assert_right(q, k, v, causal=True)
    assert_right(q[:, :, ::2], k[:, :2, 3:], v[:, 1:3, :17], causal=False)
    assert_right(q.mT.contiguous().mT, k, v)  # its last axis is not contiguous
    assert_right(q, k[:, :1].expand(k.shape), v)


def test_a_query_that_sees_nothing_gives_zeros():
    q, k, v = qkv(40, 8)
    out, lse = attend(q, k, v, causal=True, window=None, scale=None, tiles=SMALL)
    assert (out[:, :, :32] == 0).all()
    assert (lse[:, :, :32] == -torch.inf).all()
    assert (out[:, :, 32:] != 0).all()


def test_no_key_gives_zeros_and_no_query_nothing():
    q, k, v = qkv(5, 0)
    assert torch.equal(flash_attention(q, k, v), torch.zeros_like(q))
    assert flash_attention(*qkv(0, 5)).shape == (1, 1, 0, 16)


def test_the_logarithm_that_is_kept():
    q, k, v = qkv(20, 33)
    _, lse = attend(q, k, v, causal=False, window=None, scale=None, tiles=SMALL)
    wanted = (q.double() @ k.double().mT / math.sqrt(16)).logsumexp(-1) * LOG2_E
    torch.testing.assert_close(lse.double(), wanted, rtol=1e-6, atol=1e-6)


def test_scale():
    assert_right(*qkv(20, 20), scale=0.7)
    assert_right(*qkv(20, 20), scale=0.0)
    assert_right(*qkv(20, 20), scale=-2.0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_large_scores_do_not_overflow(dtype):
    q, k, v = qkv(20, 20, dtype=dtype)
    assert_right(100 * q, 100 * k, v, causal=True)


def trace(n: int, tiles: tuple[int, int] = SMALL, **options):
    """The trace of attention among n."""
    q, k, v = qkv(n, n)
    with record() as traces:
        flash_attention(q, k, v, tiles=tiles, **options)
    return traces[0]


def test_bytes_follow_the_formula():
    n, d, b = 64, 16, 4
    for bm in (16, 32):
        got = trace(n, (bm, 16))
        assert got.tensors["q"].read == got.tensors["out"].written == n * d * b
        assert got.tensors["k"].read == got.tensors["v"].read == n * d * b * n // bm
        assert got.tensors["lse"].written == 4 * n
        assert got.dot_flops == 4 * n * n * d


def test_tiles_that_nobody_sees_are_skipped():
    full, causal, windowed = trace(128), trace(128, causal=True), trace(128, causal=True, window=16)
    tiles = 8
    assert causal.dot_flops * tiles * tiles == full.dot_flops * tiles * (tiles + 1) // 2
    assert windowed.dot_flops * tiles * tiles == full.dot_flops * (2 * tiles - 1)


def test_no_matrix_of_scores_is_kept():
    assert trace(128).peak_tile_bytes == trace(64).peak_tile_bytes < 128 * 128 * 4


ERRORS = [
    ({"d": 8}, {}, ValueError, "d is from 16 to 256, not 8"),
    ({"d": 257}, {}, ValueError, "not 257"),
    ({"heads": 3, "kv_heads": 2}, {}, ValueError, "3 is none of 2"),
    ({}, {"window": 3}, ValueError, "needs causal=True"),
    ({}, {"window": 0, "causal": True}, ValueError, "at least 1"),
]


@pytest.mark.parametrize(("sizes", "options", "error", "words"), ERRORS)
def test_bad_sizes_and_options_are_told(sizes, options, error, words):
    with pytest.raises(error, match=words):
        flash_attention(*qkv(4, 4, **sizes), **options)


def test_bad_tensors_are_told():
    q, k, v = qkv(4, 6)
    with pytest.raises(ValueError, match=r"q has the shape \(batch, heads, queries, d\), not \(4, 16\)"):
        flash_attention(q[0, 0], k, v)
    with pytest.raises(ValueError, match=r"v has the shape \(1, 1, 6, 16\), not \(1, 1, 5, 16\)"):
        flash_attention(q, k, v[:, :, :5])
    with pytest.raises(TypeError, match="one dtype"):
        flash_attention(q, k.half(), v)
    with pytest.raises(RuntimeError, match="use flash_attention_with_gradients"):
        flash_attention(q.requires_grad_(), k, v)
