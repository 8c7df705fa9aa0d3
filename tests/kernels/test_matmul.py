"""Tiled matrix multiplication against float64, and what the order of its programs saves."""

import pytest
import torch

from kernels import matmul as module
from kernels.matmul import matmul, matmul_reference
from kernels.simulator import record
from tests.kernels.support import DTYPES, assert_near, numbers

TILES = (32, 32, 16)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (32, 16, 32), (33, 17, 65), (70, 50, 40), (5, 100, 3)])
def test_agrees_with_float64(m, k, n, dtype):
    a, b = numbers(m, k, dtype=dtype, seed=1), numbers(k, n, dtype=dtype, seed=2)
    assert_near(matmul(a, b, tiles=TILES, group=2), a.double() @ b.double(), dtype)
    assert_near(matmul_reference(a, b, 32), a.double() @ b.double(), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_usual_tiles(dtype):
    a, b = numbers(130, 70, dtype=dtype, seed=1), numbers(70, 131, dtype=dtype, seed=2)
    assert_near(matmul(a, b), a.double() @ b.double(), dtype)


def test_views():
    a, b = numbers(40, 60, seed=1), numbers(40, 60, seed=2)
    for left, right in ((a, b.T), (a.T, b), (a[::2, 3:40], b[3:40]), (a[:1].expand(5, 60), b.T[:, :1].expand(60, 4))):
        assert_near(matmul(left, right, tiles=TILES), left.double() @ right.double(), a.dtype)


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_nothing_in_zeros_out(shape):
    m, k, n = shape
    assert torch.equal(matmul(numbers(m, k), numbers(k, n)).cpu(), torch.zeros(m, n))


def test_tf32_rounds():
    a, b = numbers(32, 32, seed=1), numbers(32, 32, seed=2)
    exact = a.double() @ b.double()
    error = (matmul(a, b, tiles=TILES, tf32=True) - exact).norm() / exact.norm()
    assert 1e-4 < error < 1e-3


def trace(m: int, k: int, n: int, group: int, tile: int = 16, requests: bool = False):
    """The trace of a multiplication by square tiles."""
    with record(requests=requests) as traces:
        matmul(numbers(m, k, seed=1), numbers(k, n, seed=2), tiles=(tile, tile, tile), group=group)
    return traces[0]


def test_operations_and_bytes_follow_the_formula():
    got = trace(64, 32, 48, group=1)
    assert got.dot_flops == 2 * 64 * 32 * 48
    assert got.bytes_read == 64 * 32 * 48 * 4 * (1 / 16 + 1 / 16)
    assert got.bytes_written == 64 * 48 * 4


@pytest.mark.parametrize(("rows", "columns", "group"), [(1, 1, 8), (5, 3, 2), (4, 4, 4), (7, 2, 3)])
def test_every_tile_has_its_program(rows, columns, group):
    tiles = set()
    for program in range(rows * columns):  # the formula of the kernel, in plain Python
        first = program // (group * columns) * group
        height = min(rows - first, group)
        tiles.add((first + program % (group * columns) % height, program % (group * columns) // height))
    assert tiles == {(i, j) for i in range(rows) for j in range(columns)}
    assert trace(16 * rows, 16, 16 * columns, group).compulsory_bytes == 4 * 256 * (rows + columns + rows * columns)


def test_grouped_programs_find_more_in_the_cache():
    plain, grouped = (trace(256, 128, 256, group, tile=32, requests=True).cache(64 * 1024, 8) for group in (1, 4))
    assert grouped.read < 0.8 * plain.read


def test_bad_input_is_told():
    with pytest.raises(ValueError, match=r"b has the shape \(4, n\), not \(3, 4\)"):
        matmul(numbers(3, 4), numbers(3, 4))
    with pytest.raises(ValueError, match=r"a has the shape \(m, k\)"):
        matmul(numbers(2, 3, 4), numbers(4, 3))
    with pytest.raises(TypeError, match="one dtype"):
        matmul(numbers(3, 4), numbers(4, 3).half())
    with pytest.raises(RuntimeError, match="no backward pass"):
        matmul(numbers(3, 4).requires_grad_(), numbers(4, 3))
    assert module.TILES[2][2] >= 16  # what a tensor core takes at least
