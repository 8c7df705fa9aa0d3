"""LayerNorm and RMSNorm, values and gradients, against float64 autograd."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from kernels.layer_norm import layer_norm, layer_norm_reference
from kernels.rms_norm import rms_norm, rms_norm_reference
from kernels.simulator import record
from tests.kernels.support import DTYPES, assert_near, numbers

EPS = 1e-3


def parameters(kind: str, n: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """Weight, and for LayerNorm bias."""
    return [numbers(n, dtype=dtype, seed=seed) for seed in ((1, 2) if kind == "layer" else (1,))]


def ours(kind: str, x: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
    """The kernel."""
    return layer_norm(x, *rest, EPS) if kind == "layer" else rms_norm(x, *rest, EPS)


def reference(kind: str, x: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
    """Our plain torch version."""
    return layer_norm_reference(x, *rest, EPS) if kind == "layer" else rms_norm_reference(x, *rest, EPS)


def torchs(kind: str, x: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
    """torch's own."""
    return F.layer_norm(x, x.shape[-1:], *rest, EPS) if kind == "layer" else F.rms_norm(x, x.shape[-1:], *rest, EPS)


def with_gradients(function, kind: str, tensors: list[torch.Tensor], dy: torch.Tensor) -> list[torch.Tensor]:
    """A function's value and the gradients of all tensors."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    y = function(kind, *leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, dy)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 7), (3, 8), (2, 3, 33), (5, 128), (17, 100)], ids=str)
@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_values_and_gradients(kind, shape, dtype):
    tensors = [2 * numbers(*shape, dtype=dtype) + 1, *parameters(kind, shape[-1], dtype)]
    dy = numbers(*shape, dtype=dtype, seed=3)
    wanted = with_gradients(torchs, kind, [tensor.double() for tensor in tensors], dy.double())
    got = with_gradients(ours, kind, tensors, dy)
    assert_near(reference(kind, *tensors), wanted[0], dtype)
    for mine, exact in zip(got, wanted, strict=True):
        assert_near(mine, exact, dtype, slack=2)


def test_rows_of_one_number():
    x, one, bias = numbers(3, 1), numbers(1, seed=1), numbers(1, seed=2)
    assert torch.equal(layer_norm(x, one, bias), bias.expand(3, 1))
    assert_near(rms_norm(x, one, EPS), torchs("rms", x.double(), one.double()), x.dtype)


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_more_rows_than_programs_and_the_same_bits_each_time(kind):
    tensors, dy = [numbers(300, 4), *parameters(kind, 4, torch.float32)], numbers(300, 4, seed=3)
    wanted = with_gradients(torchs, kind, [tensor.double() for tensor in tensors], dy.double())
    first, second = (with_gradients(ours, kind, tensors, dy) for _ in range(2))
    for mine, again, exact in zip(first, second, wanted, strict=True):
        assert torch.equal(mine, again)
        assert_near(mine, exact, torch.float32, slack=2)


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_views_and_gradients_that_are_expanded(kind):
    memory = numbers(6, 40)
    rest = parameters(kind, 10, torch.float32)
    for view in (memory[:, 5:15], memory[::2, ::4], memory.T[:, :6].expand(40, 6)[:, :6]):
        these = [tensor[: view.shape[-1]] for tensor in rest]
        assert_near(ours(kind, view, *these), torchs(kind, view.double(), *map(torch.Tensor.double, these)), view.dtype)
    x = memory[:, 5:15].clone().requires_grad_()
    ours(kind, x, *rest).sum().backward()  # dy is one number, expanded
    exact = memory[:, 5:15].double().requires_grad_()
    torchs(kind, exact, *map(torch.Tensor.double, rest)).sum().backward()
    assert_near(x.grad, exact.grad, torch.float32, slack=2)


def test_a_large_mean_does_not_cancel_the_variance():
    x = numbers(4, 64) + 1000
    got = layer_norm(x, torch.ones(64).to(x), torch.zeros(64).to(x))
    assert_near(got, F.layer_norm(x.double(), (64,)), x.dtype, slack=100)


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_bytes_of_both_passes(kind):
    tensors = [numbers(8, 64), *parameters(kind, 64, torch.float32)]
    with record() as traces:
        with_gradients(ours, kind, tensors, numbers(8, 64, seed=3))
    forward, backward = traces
    assert forward.tensors["x"].read == forward.tensors["y"].written == 8 * 64 * 4
    assert backward.tensors["x"].read == backward.tensors["dy"].read == backward.tensors["dx"].written == 8 * 64 * 4


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_nothing_in_nothing_out(kind):
    got = with_gradients(ours, kind, [numbers(0, 8), *parameters(kind, 8, torch.float32)], numbers(0, 8))
    assert got[0].shape == (0, 8)
    assert (got[2] == 0).all()


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_bad_input_is_told(kind):
    rest = parameters(kind, 8, torch.float32)
    with pytest.raises(ValueError, match=r"weight has the shape \(9\), not \(8,\)"):
        ours(kind, numbers(2, 9), *rest)
    with pytest.raises(ValueError, match=r"n from 1 to 8,192, not \(2, 0\)"):
        ours(kind, numbers(2, 0), *rest)
    with pytest.raises(ValueError, match=r"not \(\)"):
        ours(kind, numbers(), *rest)
    with pytest.raises(TypeError, match="one dtype"):
        ours(kind, numbers(2, 8).half(), *rest)


def test_a_bias_of_another_size_is_told():
    with pytest.raises(ValueError, match=r"bias has the shape \(8\), not \(7,\)"):
        layer_norm(numbers(2, 8), numbers(8), numbers(7))
