"""Fused cross-entropy, loss and gradient, against torch's in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from kernels.cross_entropy import cross_entropy, cross_entropy_reference
from kernels.simulator import record
from tests.kernels.support import DEVICE, DTYPES, assert_near, numbers

INF = torch.inf
SIZES = [(1, 1, 16), (3, 16, 16), (3, 17, 16), (5, 70, 32), (2, 99, None)]


def targets(*shape: int, classes: int, ignored: int = 0) -> torch.Tensor:
    """Classes, the same each time; the first few are ignored."""
    made = torch.randint(classes, shape, generator=torch.Generator().manual_seed(7)).to(DEVICE)
    made.view(-1)[:ignored] = -100
    return made


def with_gradient(function, logits: torch.Tensor, target: torch.Tensor, **options) -> tuple[torch.Tensor, torch.Tensor]:
    """A loss (or a loss a row, weighted differently each), and the gradient of the logits."""
    leaf = logits.detach().requires_grad_()
    loss = function(leaf, target, **options)
    weights = torch.linspace(0.5, 2.0, loss.numel(), device=loss.device, dtype=loss.dtype).view(loss.shape)
    return loss.detach(), torch.autograd.grad(loss, leaf, weights)[0]


def torchs(logits: torch.Tensor, target: torch.Tensor, **options) -> torch.Tensor:
    """torch's own, for any number of axes."""
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1), **options)
    return loss.view(target.shape) if loss.ndim else loss


def assert_right(logits: torch.Tensor, target: torch.Tensor, block: int | None = 16, **options) -> None:
    """Hold loss and gradient against float64."""
    wanted = with_gradient(torchs, logits.double(), target, **options)
    loss, gradient = with_gradient(cross_entropy, logits, target, block=block, **options)
    assert_near(loss, wanted[0], torch.float32)
    assert_near(gradient, wanted[1], logits.dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "classes", "block"), SIZES)
def test_loss_and_gradient(rows, classes, block, dtype):
    logits = 3 * numbers(rows, classes, dtype=dtype)
    assert_right(logits, targets(rows, classes=classes), block)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_reductions_and_ignored_rows(reduction, dtype):
    logits, target = 3 * numbers(5, 33, dtype=dtype), targets(5, classes=33, ignored=2)
    assert_right(logits, target, reduction=reduction)
    wanted = with_gradient(torchs, logits.double(), target, reduction=reduction)
    loss, gradient = with_gradient(cross_entropy_reference, logits, target, reduction=reduction)
    assert_near(loss, wanted[0], torch.float32)
    assert_near(gradient, wanted[1], dtype)


def test_a_class_may_be_the_one_to_ignore():
    assert_right(numbers(4, 20), torch.tensor([3, 0, 3, 19], device=DEVICE), ignore_index=3)


def test_more_classes_than_the_usual_block():
    assert_right(numbers(1, 5000), targets(1, classes=5000), None)


def test_sequences_and_views():
    memory, target = numbers(4, 6, 40), targets(4, 6, classes=20)
    assert_right(memory[..., :20], target)
    assert_right(memory[::2, 1:, 7:27], target[::2, 1:], reduction="none")
    assert_right(memory.mT.contiguous().mT[..., 5:25], target)  # its last axis is not contiguous
    assert_right(memory[:, :1, :20].expand(4, 6, 20), target.T.contiguous().T)
    assert_right(memory[0, 0], targets(classes=40))


def test_rows_that_are_ignored_have_gradient_zero_whatever_is_in_them():
    logits, target = numbers(3, 20), targets(3, classes=20, ignored=2)
    logits[0] = torch.nan
    logits[1] = -INF
    loss, gradient = with_gradient(cross_entropy, logits, target, block=16)
    assert_near(loss, torchs(logits[2:].double(), target[2:]), torch.float32)
    assert (gradient[:2] == 0).all()


def test_only_ignored_rows():
    logits, target = numbers(2, 5), targets(2, classes=5, ignored=2)
    assert cross_entropy(logits, target).isnan()  # as in torch
    assert cross_entropy(logits, target, reduction="sum") == 0


@pytest.mark.parametrize("order", [1, -1])
def test_large_logits_in_any_block(order):
    logits = order * torch.linspace(-6e4, 6e4, 64, device=DEVICE)[None]
    for right in (0, 40, 63):
        assert_right(logits, torch.tensor([right], device=DEVICE))


def test_infinities_as_in_torch():
    logits, target = numbers(4, 40), torch.tensor([30, 5, 7, 39], device=DEVICE)
    logits[0, :20] = -INF  # all of the first block
    logits[1, 5] = -INF  # the target
    logits[2] = -INF
    logits[3, 3] = INF
    got, wanted = (f(logits, target, reduction="none") for f in (cross_entropy, torchs))
    torch.testing.assert_close(got, wanted, equal_nan=True)


def test_gradients_flow_on():
    logits, target = numbers(3, 20).requires_grad_(), targets(3, classes=20)
    cross_entropy(2 * logits, target).backward()
    wanted = with_gradient(torchs, 2 * logits.double(), target)[1] * 2 / 0.5  # the weight of a single loss
    assert_near(logits.grad, wanted, torch.float32)


def test_bytes_follow_the_formula():
    rows, classes, b = 3, 70, 2
    with record() as traces:
        logits = numbers(rows, classes, dtype=torch.bfloat16)
        with_gradient(cross_entropy, logits, targets(rows, classes=classes), block=16)
    forward, backward = traces
    assert forward.tensors["x"].read == rows * (classes + 1) * b
    assert (forward.tensors["target"].read, forward.bytes_written) == (8 * rows, 8 * rows)
    assert backward.tensors["x"].read == backward.tensors["dx"].written == backward.bytes_written == rows * classes * b
    assert forward.peak_tile_bytes < 16 * 4 * 12


def test_ignored_rows_are_not_read_again():
    with record() as traces:
        with_gradient(cross_entropy, numbers(3, 20), targets(3, classes=20, ignored=2))
    assert traces[1].tensors["x"].read == 20 * 4


def test_nothing_in_nothing_out():
    loss, gradient = with_gradient(cross_entropy, numbers(0, 3), targets(0, classes=3), reduction="none")
    assert (loss.shape, gradient.shape) == ((0,), (0, 3))
    assert cross_entropy(numbers(0, 3), targets(0, classes=3), reduction="sum") == 0


@pytest.mark.parametrize("wrong", [-1, 5])
def test_a_target_that_is_no_class(wrong):
    logits, target = numbers(2, 5), torch.tensor([0, wrong], device=DEVICE)
    if DEVICE == "cuda":
        assert cross_entropy(logits, target, reduction="none").isnan().tolist() == [False, True]
    else:
        with pytest.raises(ValueError, match=f"a class from 0 to 4 or -100, not {wrong}"):
            cross_entropy(logits, target)


def test_bad_input_is_told():
    logits, target = numbers(3, 5), targets(3, classes=5)
    with pytest.raises(ValueError, match=r"target has the shape \(3\), not \(2,\)"):
        cross_entropy(logits, target[:2])
    with pytest.raises(ValueError, match="at least one class"):
        cross_entropy(logits[:, :0], target)
    with pytest.raises(TypeError, match="int64, not int32"):
        cross_entropy(logits, target.int())
    with pytest.raises(TypeError, match="int64, not list"):
        cross_entropy(logits, [0, 1, 2])
    with pytest.raises(TypeError, match="not float64"):
        cross_entropy(logits.double(), target)
    with pytest.raises(ValueError, match="one of mean, sum, none, not max"):
        cross_entropy(logits, target, reduction="max")
