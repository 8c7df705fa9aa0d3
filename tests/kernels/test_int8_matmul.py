"""Multiplication by a matrix in int8 against float64, and its quantiser against a plain one."""

import pytest
import torch

from kernels.int8_matmul import int8_matmul, int8_matmul_reference, quantize_int8
from kernels.simulator import record
from tests.kernels.support import DTYPES, assert_near, numbers

TILES = (16, 32, 16)


def wanted(x, codes, scales):
    """The product in float64."""
    return int8_matmul_reference(x.double(), codes, scales)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (16, 16, 32), (17, 33, 65), (3, 50, 5), (40, 7, 33)])
def test_agrees_with_float64(m, k, n, dtype):
    x, weight = numbers(m, k, dtype=dtype, seed=1), quantize_int8(numbers(n, k, seed=2))
    assert_near(int8_matmul(x, *weight, tiles=TILES), wanted(x, *weight), dtype)
    assert_near(int8_matmul_reference(x, *weight), wanted(x, *weight), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("m", [2, 70])
def test_the_usual_tiles(m, dtype):
    x, weight = numbers(m, 70, dtype=dtype, seed=1), quantize_int8(numbers(70, 70, seed=2))
    assert_near(int8_matmul(x, *weight), wanted(x, *weight), dtype)


def test_views():
    x, (codes, scales) = numbers(12, 40, seed=1), quantize_int8(numbers(40, 40, seed=2))
    for left, right, scale in (
        (x[::2, 3:20], codes[:, 3:20], scales),
        (x, codes.T, scales),
        (x.T, codes[::2, :12], scales[::2]),
        (x[:1].expand(5, 40), codes[:1].expand(7, 40), scales[:1].expand(7)),
    ):
        assert_near(int8_matmul(left, right, scale, tiles=TILES), wanted(left, right, scale), x.dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_quantiser_against_a_plain_one(dtype):
    weight = numbers(5, 9, dtype=dtype)
    codes, scales = quantize_int8(weight)
    for row, got, scale in zip(weight.tolist(), codes.tolist(), scales.tolist(), strict=True):
        step = max(map(abs, row)) / 127
        assert scale == pytest.approx(step)
        assert got == [round(number / step) for number in row]
        assert max(map(abs, got)) == 127
    assert ((codes * scales[:, None] - weight.float()).abs() <= scales[:, None] * 0.5001).all()


def test_rows_of_very_different_size_and_of_zeros():
    weight = numbers(4, 40) * torch.tensor([1e-6, 1.0, 1e6, 0.0], device=numbers(1).device)[:, None]
    x, (codes, scales) = numbers(3, 40, seed=1), quantize_int8(weight)
    got = int8_matmul(x, codes, scales, tiles=TILES)
    for column in range(3):
        assert_near(got[:, column], wanted(x, codes, scales)[:, column], x.dtype)
        error = (got[:, column] - x.double() @ weight[column].double()).abs()
        assert (error <= 0.501 * scales[column] * x.abs().sum(1)).all()  # half a step for each number
    assert (got[:, 3] == 0).all()


def test_sums_beyond_float16_are_scaled_before_they_are_rounded():
    codes = torch.full((1, 64), 127, dtype=torch.int8, device=numbers(1).device)
    x = torch.full((1, 64), 100.0, dtype=torch.float16, device=codes.device)
    got = int8_matmul(x, codes, torch.full((1,), 1e-3, device=codes.device), tiles=TILES)
    assert got.item() == pytest.approx(64 * 100 * 0.127, rel=1e-3)


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_nothing_in_zeros_out(shape):
    m, k, n = shape
    assert torch.equal(int8_matmul(numbers(m, k), *quantize_int8(numbers(n, k))).cpu(), torch.zeros(m, n))


def test_operations_and_bytes_follow_the_formula():
    m, k, n, b = 32, 48, 64, 2
    with record() as traces:
        int8_matmul(numbers(m, k, dtype=torch.bfloat16), *quantize_int8(numbers(n, k)), tiles=TILES)
    (got,) = traces
    assert got.dot_flops == 2 * m * k * n
    assert got.tensors["x"].read == m * k * b * n / 32
    assert got.tensors["codes"].read == n * k * m / 16
    assert got.bytes_written == m * n * b


def test_bad_input_is_told():
    x, (codes, scales) = numbers(3, 4), quantize_int8(numbers(5, 4))
    with pytest.raises(ValueError, match=r"codes has the shape \(n, 4\), not \(4, 5\)"):
        int8_matmul(x, codes.T, scales)
    with pytest.raises(ValueError, match=r"scales has the shape \(5\)"):
        int8_matmul(x, codes, scales[:4])
    with pytest.raises(ValueError, match=r"x has the shape \(m, k\)"):
        int8_matmul(x[0], codes, scales)
    with pytest.raises(TypeError, match=r"codes is a torch\.Tensor of int8, not uint8"):
        int8_matmul(x, codes.view(torch.uint8), scales)
    with pytest.raises(TypeError, match=r"scales is a torch\.Tensor of float32, not float16"):
        int8_matmul(x, codes, scales.half())
    with pytest.raises(TypeError, match="not float64"):
        int8_matmul(x.double(), codes, scales)
    with pytest.raises(TypeError, match="not int8"):
        quantize_int8(codes)
    with pytest.raises(RuntimeError, match="no backward pass"):
        int8_matmul(x.requires_grad_(), codes, scales)
