"""The fused softmax against float64 torch, and what it says when it cannot run. On a GPU if there is one."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch

from kernels import softmax as module
from kernels.simulator import record
from kernels.softmax import softmax, softmax_reference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
TOLERANCE = {torch.float32: (2e-6, 1e-9), torch.float16: (1e-3, 6e-8), torch.bfloat16: (8e-3, 1e-9)}


def random(rows: int, columns: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> torch.Tensor:
    """A tensor of normal numbers, the same each time."""
    generator = torch.Generator().manual_seed(rows * 1000 + columns)
    return (scale * torch.randn(rows, columns, generator=generator)).to(DEVICE, dtype)


def assert_is_softmax(y: torch.Tensor, x: torch.Tensor) -> None:
    """Hold a result against float64 torch."""
    assert (y.shape, y.dtype, y.device) == (x.shape, x.dtype, x.device)
    assert y.is_contiguous()
    rtol, atol = TOLERANCE[x.dtype]
    torch.testing.assert_close(y.double(), torch.softmax(x.double(), dim=1), rtol=rtol, atol=atol, equal_nan=True)


SIZES = [(1, 1), (1, 2), (3, 5), (17, 33), (5, 127), (5, 128), (4, 129), (7, 1000), (2, 4097), (1000, 3), (1, 20_000)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_agrees_with_float64(rows, columns, dtype):
    x = random(rows, columns, dtype, scale=3.0)
    assert_is_softmax(softmax(x), x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_reference_agrees_too(dtype):
    x = random(17, 33, dtype, scale=3.0)
    assert_is_softmax(softmax_reference(x), x)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_nothing_in_nothing_out(shape):
    assert softmax(torch.zeros(shape, device=DEVICE)).shape == shape


def test_rows_and_columns_with_strides():
    x = random(12, 40)
    for view in (x[::2], x[:, 3:20], x[::3, ::2], x.T, x[:1].expand(6, 40), x[:, :1].expand(12, 7)):
        before = view.clone()
        assert_is_softmax(softmax(view), view)
        assert torch.equal(view, before)


def test_what_lies_beside_a_view_is_neither_read_nor_written():
    x = torch.full((6, 10), torch.nan, device=DEVICE)
    x[1:4, 2:7] = random(3, 5)
    before = x.clone()
    assert_is_softmax(softmax(x[1:4, 2:7]), x[1:4, 2:7])
    assert torch.equal(x.isnan(), before.isnan())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shift", [6e4, -6e4])
def test_large_values_do_not_overflow(shift, dtype):
    x = torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [-1.0, 5.0, -1.0]], device=DEVICE).to(dtype) + shift
    assert_is_softmax(softmax(x), x)


def test_infinities_as_in_torch():
    inf = torch.inf
    x = torch.tensor([[0.0, -inf, 1.0], [-inf, -inf, -inf], [inf, 0.0, 1.0]], device=DEVICE)
    y = softmax(x)
    assert y[0, 1] == 0
    assert_is_softmax(y, x)


def test_rows_do_not_depend_on_their_neighbours():
    x = random(9, 50)
    assert torch.equal(softmax(x)[4:5], softmax(x[4:5]))


def test_each_number_is_read_once_and_written_once():
    with record() as traces:
        softmax(random(17, 33))
    (trace,) = traces
    assert trace.bytes_read == trace.bytes_written == 17 * 33 * 4
    assert trace.bytes == trace.compulsory_bytes


ERRORS = [
    (torch.zeros(3), ValueError, r"not \(3,\): use x.reshape"),
    (torch.zeros(2, 2, 2), ValueError, r"not \(2, 2, 2\)"),
    (torch.zeros(1, 1).expand(1, 65_537), ValueError, "65,537 does not fit"),
    (torch.zeros(2, 2, dtype=torch.float64), TypeError, "not float64"),
    (torch.zeros(2, 2, dtype=torch.int64), TypeError, "not int64"),
    ([[1.0]], TypeError, "not a list"),
    (torch.zeros(2, 2, requires_grad=True), RuntimeError, "no backward pass"),
]


@pytest.mark.parametrize(("x", "error", "words"), ERRORS)
def test_bad_input_is_told(x, error, words):
    with pytest.raises(error, match=words):
        softmax(x)


def test_a_tensor_that_wants_a_gradient_is_fine_without_one():
    x = torch.zeros(2, 2, device=DEVICE, requires_grad=True)
    with torch.no_grad():
        assert_is_softmax(softmax(x), x)


def test_without_triton_it_can_be_imported_and_read(monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] in ("kernels", "triton")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "triton", None)
    bare = importlib.import_module("kernels.softmax")
    assert bare is not module
    torch.testing.assert_close(bare.softmax_reference(torch.zeros(1, 2)), torch.full((1, 2), 0.5))
    with pytest.raises(ImportError, match="Triton is not installed"):
        bare.softmax(torch.zeros(1, 2))
