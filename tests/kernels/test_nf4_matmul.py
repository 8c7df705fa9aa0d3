"""Multiplication by a matrix in NF4 against float64; its codebook and quantiser against the paper and a plain one."""

import pytest
import torch

from kernels.nf4_matmul import dequantize_nf4, nf4_codebook, nf4_matmul, nf4_matmul_reference, quantize_nf4
from kernels.simulator import record
from tests.kernels.support import DTYPES, assert_near, numbers

TILES = (16, 32)
PAPER = [  # QLoRA, appendix E
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]  # fmt: skip


def wanted(x, packed, absmax):
    """The product in float64 with the weights in x's dtype."""
    return x.double() @ dequantize_nf4(packed, absmax, x.shape[1]).to(x.dtype).double().T


def test_the_codebook_is_the_papers():
    torch.testing.assert_close(nf4_codebook(), torch.tensor(PAPER), rtol=0, atol=1e-6)
    assert nf4_codebook()[7] == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("block", [16, 64])
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (16, 64, 32), (17, 65, 33), (3, 150, 5)])
def test_agrees_with_float64(m, k, n, block, dtype):
    x, weight = numbers(m, k, dtype=dtype, seed=1), quantize_nf4(numbers(n, k, seed=2), block)
    assert_near(nf4_matmul(x, *weight, block=block, tiles=TILES), wanted(x, *weight), dtype)
    assert_near(nf4_matmul_reference(x, *weight), wanted(x, *weight), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("m", [2, 70])
def test_the_usual_tiles(m, dtype):
    x, weight = numbers(m, 100, dtype=dtype, seed=1), quantize_nf4(numbers(70, 100, seed=2))
    assert_near(nf4_matmul(x, *weight), wanted(x, *weight), dtype)


@pytest.mark.parametrize("block", [32, 128])
def test_other_blocks(block):
    x, weight = numbers(3, 130, seed=1), quantize_nf4(numbers(5, 130, seed=2), block)
    assert_near(nf4_matmul(x, *weight, block=block, tiles=TILES), wanted(x, *weight), x.dtype)


def test_views():
    x, (packed, absmax) = numbers(8, 70, seed=1), quantize_nf4(numbers(20, 70, seed=2))
    for left, right, scale in (
        (x[::2], packed[::3], absmax[::3]),
        (x.T.contiguous().T, packed.T.contiguous().T, absmax.T.contiguous().T),
        (x[:1].expand(5, 70), packed[:1].expand(7, -1), absmax[:1].expand(7, -1)),
    ):
        assert_near(nf4_matmul(left, right, scale, tiles=TILES), wanted(left, right, scale), x.dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_quantiser_against_a_plain_one(dtype):
    weight = numbers(3, 37, dtype=dtype)
    packed, absmax = quantize_nf4(weight, block=16)
    for row, codes, scales in zip(weight.tolist(), packed.tolist(), absmax.tolist(), strict=True):
        row += [0.0] * (48 - len(row))
        assert scales == [max(map(abs, row[i : i + 16])) for i in (0, 16, 32)]
        for i, number in enumerate(row):
            distances = [abs(value - number / scales[i // 16]) for value in PAPER]
            code = codes[i // 2] % 16 if i % 2 else codes[i // 2] // 16
            assert code == distances.index(min(distances))


def test_the_largest_of_a_block_and_zeros_come_back_as_they_were():
    weight = numbers(4, 64)
    weight[1, :32] = 0
    weight[2] = 0
    back = dequantize_nf4(*quantize_nf4(weight), 64)
    assert (back[weight == 0] == 0).all()
    largest = weight.abs().argmax(1)[:, None]
    assert torch.equal(back.gather(1, largest).abs(), weight.gather(1, largest).abs())
    assert 0.05 < (back - weight).norm() / weight.norm() < 0.12


def test_normal_weights_use_all_codes():
    packed, _ = quantize_nf4(numbers(64, 256))
    counts = torch.stack([packed >> 4, packed & 15]).flatten().bincount(minlength=16)
    assert counts.min() > 0.2 * counts.float().mean()


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_nothing_in_zeros_out(shape):
    m, k, n = shape
    assert torch.equal(nf4_matmul(numbers(m, k), *quantize_nf4(numbers(n, k))).cpu(), torch.zeros(m, n))
    assert nf4_matmul_reference(numbers(m, k), *quantize_nf4(numbers(n, k))).shape == (m, n)


def test_operations_and_bytes_follow_the_formula():
    m, k, n, b, block = 32, 128, 64, 2, 64
    with record() as traces:
        nf4_matmul(numbers(m, k, dtype=torch.bfloat16), *quantize_nf4(numbers(n, k)), tiles=TILES)
    (got,) = traces
    assert got.dot_flops == 2 * m * k * n
    assert got.tensors["x"].read == m * k * b * n / 32
    assert got.tensors["packed"].read + got.tensors["absmax"].read == n * k * (1 / 2 + 4 / block) * m / 16
    assert got.tensors["codebook"].distinct_read == 64
    assert got.bytes_written == m * n * b


def test_bad_input_is_told():
    x, (packed, absmax) = numbers(3, 65), quantize_nf4(numbers(5, 65))
    with pytest.raises(ValueError, match=r"packed has the shape \(n, 64\), not \(5, 63\)"):
        nf4_matmul(x, packed[:, 1:], absmax)
    with pytest.raises(ValueError, match=r"absmax has the shape \(5, 2\), not \(5, 1\)"):
        nf4_matmul(x, packed, absmax[:, 1:])
    with pytest.raises(ValueError, match=r"x has the shape \(m, k\)"):
        nf4_matmul(x[0], packed, absmax)
    with pytest.raises(ValueError, match="16, 32, 64 or 128 numbers, not 48"):
        nf4_matmul(x, packed, absmax, block=48)
    with pytest.raises(TypeError, match=r"packed is a torch\.Tensor of uint8, not int8"):
        nf4_matmul(x, packed.view(torch.int8), absmax)
    with pytest.raises(TypeError, match="not float64"):
        nf4_matmul(x.double(), packed, absmax)
    with pytest.raises(TypeError, match="not uint8"):
        quantize_nf4(packed)
    with pytest.raises(RuntimeError, match="no backward pass"):
        nf4_matmul(x.requires_grad_(), packed, absmax)
