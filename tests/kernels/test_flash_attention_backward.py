"""FlashAttention's gradients against float64 autograd."""

from __future__ import annotations

import pytest
import torch

from kernels.flash_attention import attention_reference, flash_attention
from kernels.flash_attention_backward import flash_attention_with_gradients
from kernels.simulator import record
from tests.kernels.support import DTYPES, assert_near, numbers
from tests.kernels.test_flash_attention import SMALL, qkv


def gradients(function, tensors, dout, **options):
    """A function's gradients for q, k and v."""
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    return torch.autograd.grad(function(*leaves, **options), leaves, dout)


def assert_right(q, k, v, tiles=SMALL, **options):
    """Hold the gradients against float64."""
    dout = numbers(*q.shape, dtype=q.dtype, seed=4)
    exact = [tensor.double() for tensor in (q, k, v)]
    wanted = gradients(attention_reference, exact, dout.double(), **options)
    got = gradients(flash_attention_with_gradients, (q, k, v), dout, tiles=tiles, **options)
    for mine, right in zip(got, wanted, strict=True):
        assert_near(mine, right, q.dtype, slack=2)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(16, 16), (17, 33), (20, 47), (47, 20)])
def test_lengths(queries, keys, causal, dtype):
    assert_right(*qkv(queries, keys, dtype=dtype), causal=causal)


@pytest.mark.parametrize("window", [2, 5, 17, 40, 1000])
@pytest.mark.parametrize(("queries", "keys"), [(50, 50), (20, 47), (47, 20)])
def test_windows(queries, keys, window):
    assert_right(*qkv(queries, keys), causal=True, window=window)


def test_a_query_that_sees_one_key_hands_its_gradient_to_that_value():
    q, k, v = qkv(20, 20)
    dout = numbers(*q.shape, seed=4)
    dq, dk, dv = gradients(flash_attention_with_gradients, (q, k, v), dout, causal=True, window=1, tiles=SMALL)
    assert_near(dv, dout.double(), q.dtype)
    assert max(dq.abs().max(), dk.abs().max()) < 1e-5


@pytest.mark.parametrize("tiles", [(16, 32), (32, 16)])
@pytest.mark.parametrize("window", [None, 7])
def test_tiles_that_are_not_square(tiles, window):
    assert_right(*qkv(45, 70), tiles=tiles, causal=True, window=window)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("d", [24, 64, 128, 256])
def test_head_dimensions_with_the_usual_tiles(d, dtype):
    assert_right(*qkv(40, 40, d=d, dtype=dtype), tiles=None, causal=True)


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (3, 1)])
def test_heads_that_share_keys(heads, kv_heads):
    assert_right(*qkv(17, 20, heads=heads, kv_heads=kv_heads, batch=2), causal=True)


def test_strides_and_a_gradient_that_is_expanded():
    q, k, v = numbers(2, 20, 3, 2, 16).permute(2, 0, 3, 1, 4)
    assert_right(q, k, v, causal=True)
    one = torch.ones((), device=q.device).expand(q.shape)
    wanted = gradients(attention_reference, [tensor.double() for tensor in (q, k, v)], one.double())
    for mine, right in zip(gradients(flash_attention_with_gradients, (q, k, v), one), wanted, strict=True):
        assert (mine.double() - right).abs().max() < 1e-5  # dq and dk are nearly zero: all shares of a query add to 1


def test_scale():
    assert_right(*qkv(20, 20), scale=0.7, causal=True)
    assert_right(*qkv(20, 20), scale=-2.0)


def test_queries_that_see_nothing_and_keys_that_nobody_sees():
    q, k, v = qkv(40, 8)
    dq, _, _ = gradients(flash_attention_with_gradients, (q, k, v), torch.ones_like(q), causal=True, tiles=SMALL)
    assert (dq[:, :, :32] == 0).all()
    q, k, v = qkv(4, 40)
    _, dk, dv = gradients(
        flash_attention_with_gradients, (q, k, v), torch.ones_like(q), causal=True, window=3, tiles=SMALL
    )
    assert (dv[:, :, :34] == 0).all()
    assert (dk[:, :, :34] == 0).all()
    assert (dv[:, :, 34:] != 0).all()


def test_nothing_in_zeros_out():
    for queries, keys in ((0, 5), (5, 0)):
        q, k, v = qkv(queries, keys)
        for gradient in gradients(flash_attention_with_gradients, (q, k, v), torch.ones_like(q)):
            assert not gradient.any()


def test_the_value_and_the_bits_are_the_same_each_time():
    q, k, v = qkv(33, 33, heads=4, kv_heads=2)
    assert torch.equal(flash_attention_with_gradients(q, k, v, tiles=SMALL), flash_attention(q, k, v, tiles=SMALL))
    first, second = (gradients(flash_attention_with_gradients, (q, k, v), q, tiles=SMALL) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_operations_and_bytes_follow_the_formula():
    n, d, b = 64, 16, 4
    q, k, v = qkv(n, n)
    with record() as traces:
        gradients(flash_attention_with_gradients, (q, k, v), q, tiles=(16, 32))
    _, by_keys, by_queries = traces
    assert by_keys.dot_flops + by_queries.dot_flops == 14 * n * n * d
    assert by_keys.tensors["q"].read == by_keys.tensors["dout"].read == n * d * b * n // 32
    assert by_queries.tensors["k"].read == by_queries.tensors["v"].read == n * d * b * n // 16
    assert by_keys.tensors["k"].read == by_keys.tensors["dk"].written == by_queries.tensors["dq"].written == n * d * b


def test_bad_input_is_told():
    q, k, v = qkv(4, 6)
    with pytest.raises(ValueError, match="needs causal=True"):
        flash_attention_with_gradients(q, k, v, window=3)
