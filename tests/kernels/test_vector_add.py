"""Vector addition against float64."""

import pytest
import torch

from kernels.simulator import record
from kernels.vector_add import add, add_reference
from tests.kernels.support import DTYPES, assert_near, numbers


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1,), (1023,), (1024,), (1025,), (3, 5, 7), ()])
def test_agrees_with_float64(shape, dtype):
    x, y = numbers(*shape, dtype=dtype, seed=1), numbers(*shape, dtype=dtype, seed=2)
    assert_near(add(x, y), x.double() + y.double(), dtype)
    assert torch.equal(add(x, y), add_reference(x, y))


def test_views():
    x = numbers(12, 40)
    assert torch.equal(add(x.T, x.T), 2 * x.T)
    assert torch.equal(add(x[::2, 1:9], x[1::2, 3:11]), x[::2, 1:9] + x[1::2, 3:11])


def test_nothing_in_nothing_out():
    assert add(numbers(0, 3), numbers(0, 3)).shape == (0, 3)


def test_each_number_moves_once():
    with record() as (traces):
        add(numbers(3000), numbers(3000, seed=1))
    assert traces[0].bytes == traces[0].compulsory_bytes == 3 * 3000 * 4
    assert traces[0].grid == (3, 1, 1)


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        (torch.zeros(3), torch.zeros(4), ValueError, r"y has the shape \(3\), not \(4,\)"),
        (torch.zeros(3), torch.zeros(3).half(), TypeError, "one dtype, not x float32, y float16"),
        (torch.zeros(3).int(), torch.zeros(3).int(), TypeError, "x is float32, float16 or bfloat16, not int32"),
        (torch.zeros(3), [1.0] * 3, TypeError, r"y is a torch\.Tensor, not a list"),
        (torch.zeros(3, requires_grad=True), torch.zeros(3), RuntimeError, "no backward pass"),
        (torch.zeros(3), torch.zeros(3, device="meta"), ValueError, "different devices"),
    ],
)
def test_bad_input_is_told(x, y, error, words):
    with pytest.raises(error, match=words):
        add(x, y)
