"""The online softmax against float64."""

import pytest
import torch

from kernels.online_softmax import online_softmax, online_softmax_reference
from kernels.simulator import record
from tests.kernels.support import DEVICE, DTYPES, assert_near, numbers

INF = torch.inf


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "columns", "block"), [(1, 1, 16), (3, 16, 16), (3, 17, 16), (5, 70, 16), (2, 99, 0)])
def test_agrees_with_float64(rows, columns, block, dtype):
    x = 3 * numbers(rows, columns, dtype=dtype)
    wanted = torch.softmax(x.double(), dim=1)
    assert_near(online_softmax(x, block=block or None), wanted, dtype)
    assert_near(online_softmax_reference(x, block or 4096), wanted, dtype)


def test_rows_longer_than_the_usual_block():
    x = numbers(1, 5000)
    assert_near(online_softmax(x), torch.softmax(x.double(), dim=1), x.dtype)


def test_views():
    x = numbers(12, 40)
    for view in (x[::2], x[:, 3:20], x.T, x[:1].expand(6, 40)):
        assert_near(online_softmax(view, block=16), torch.softmax(view.double(), dim=1), x.dtype)


@pytest.mark.parametrize("order", [1, -1])
def test_the_largest_may_come_in_any_block_and_be_large(order):
    x = torch.linspace(-6e4, 6e4, 64, device=DEVICE)[None].flip(1 if order < 0 else 0)
    assert_near(online_softmax(x, block=16), torch.softmax(x.double(), dim=1), x.dtype)


def test_infinities_as_in_torch():
    x = numbers(4, 40)
    x[0, :20] = -INF  # all of the first block
    x[1, 20:] = -INF
    x[2] = -INF
    x[3, 5] = INF
    got = online_softmax(x, block=16)
    assert_near(got, torch.softmax(x.double(), dim=1), x.dtype)
    assert (got[0, :20] == 0).all()


def test_two_reads_and_one_write():
    with record() as traces:
        online_softmax(numbers(3, 70), block=16)
    assert (traces[0].bytes_read, traces[0].bytes_written) == (2 * 3 * 70 * 4, 3 * 70 * 4)
    assert traces[0].peak_tile_bytes < 16 * 4 * 12


def test_nothing_in_nothing_out():
    assert online_softmax(numbers(0, 3)).shape == (0, 3)
    assert online_softmax(numbers(3, 0)).shape == (3, 0)


def test_bad_input_is_told():
    with pytest.raises(ValueError, match=r"x has the shape \(rows, columns\), not \(3,\)"):
        online_softmax(torch.zeros(3))
    with pytest.raises(TypeError, match="not float64"):
        online_softmax(torch.zeros(3, 3).double())
    with pytest.raises(RuntimeError, match="no backward pass"):
        online_softmax(torch.zeros(3, 3, requires_grad=True))
