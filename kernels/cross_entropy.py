"""Cross-entropy over a large vocabulary: the loss and its gradient without a tensor of probabilities in between."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_dtype, require_floats, require_shape, rows_of

BLOCK = 4096
REDUCTIONS = ("mean", "sum", "none")


@triton.jit
def _cross_entropy(x, target, losses, log_sums, classes, ignored, x_row, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    x += row * x_row
    largest = -float("inf")  # of what was seen so far
    total = 0.0  # of exp(logit - largest) over what was seen so far
    for start in range(0, classes, BLOCK):
        column = start + tl.arange(0, BLOCK)
        logits = tl.load(x + column, mask=column < classes, other=-float("inf")).to(tl.float32)
        new_largest = tl.maximum(largest, tl.max(logits, 0))
        shift = tl.where(new_largest == -float("inf"), 0.0, new_largest)  # nothing but -inf yet: inf - inf is NaN
        total = total * tl.exp(largest - shift) + tl.sum(tl.exp(logits - shift), 0)
        largest = new_largest
    log_sum = largest + tl.log(total)
    right = tl.load(target + row)
    there = (right >= 0) & (right < classes)  # the logit of a class that does not exist is NaN
    logit = tl.load(x + right, mask=there, other=float("nan")).to(tl.float32)
    tl.store(losses + row, tl.where(right == ignored, 0.0, log_sum - logit))
    tl.store(log_sums + row, log_sum)


@triton.jit
def _cross_entropy_backward(x, target, log_sums, upstream, dx, classes, ignored, x_row, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < classes
    right = tl.load(target + row)
    # Masked by the row: of an ignored one no logit is read, and its gradient is 0 even where the logits are not finite.
    live = inside & (right != ignored)
    logits = tl.load(x + row * x_row + column, mask=live, other=-float("inf")).to(tl.float32)
    share = tl.exp(logits - tl.load(log_sums + row))
    gradient = (share - tl.where(column == right, 1.0, 0.0)) * tl.load(upstream + row)
    tl.store(dx + row * classes + column, tl.where(live, gradient, 0.0), mask=inside)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, ignored: int, block: int) -> Tensor:
        flat, right = rows_of(logits), target.reshape(-1).contiguous()
        rows, classes = flat.shape
        losses, log_sums = torch.empty(2, rows, dtype=torch.float32, device=logits.device)
        if rows:
            launch(_cross_entropy, (rows,))(
                flat, right, losses, log_sums, classes, ignored, flat.stride(0), block, num_warps=_warps(block)
            )  # fmt: skip
        ctx.save_for_backward(flat, right, log_sums)
        ctx.options = ignored, block
        return losses.view(target.shape)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        flat, right, log_sums = ctx.saved_tensors
        ignored, block = ctx.options
        rows, classes = flat.shape
        dx = torch.empty((rows, classes), dtype=flat.dtype, device=flat.device)
        if rows:
            launch(_cross_entropy_backward, (rows, triton.cdiv(classes, block)))(
                flat, right, log_sums, upstream.reshape(-1).contiguous(), dx, classes, ignored, flat.stride(0), block,
                num_warps=_warps(block),
            )  # fmt: skip
        return dx.view(*upstream.shape, classes), None, None, None


def _warps(block: int) -> int:
    return min(8, max(1, block // 256))


def cross_entropy(
    logits: Float[Tensor, "*rows classes"],
    target: Int[Tensor, "*rows"],
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    block: int | None = None,
) -> Float[Tensor, "..."]:
    """log(sum(exp(logits))) - logits[target] for each row, or its mean or sum, with a gradient for the logits.

    One pass over a row finds its largest logit and the sum of exponentials relative to it; only the logarithm of that
    sum is kept. The backward pass makes softmax(logits) - (1 at the target) again from it, tile by tile.

    Shapes: (..., classes) and (...), any strides (a copy is made where the last axis is not contiguous); the result is
    () for "mean" and "sum", (...) for "none". `block` classes are on the chip at once (a power of two; 4096, or all if
    these are fewer).
    Rows whose target is `ignore_index` have loss and gradient 0 and do not count in the mean; the mean of none is NaN,
    as in torch.
    Dtypes: logits float32, float16, bfloat16, target int64; the arithmetic and the result are float32 (torch rounds its
    result to the dtype of the logits), the gradient has the dtype of the logits.
    Cost, for r rows of c classes and b bytes a number: forward reads r * c * b bytes, one more logit and 8 bytes of the
    target a row, and writes 8 bytes a row; 4 operations and an exp a number. Backward reads r * c * b bytes and writes
    as many; 3 operations and an exp a number. That is 3 times the logits; with a tensor of log-probabilities and one of
    their gradients it is 6 times (1 read and 1 written, 1 written, 2 read and 1 written), and two more are in memory.
    Errors: ValueError for shapes, devices, an unknown reduction, or a target that is no class; TypeError for dtypes. On
    a GPU, where to look at targets would be to wait for it, the loss of a target that is no class is NaN.
    Source: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax", algorithm 3; the gradient: Hsu et
    al. 2024, "Liger Kernel", on cross-entropy.
    """
    _require(logits, target, ignore_index, reduction)
    size = block or min(BLOCK, triton.next_power_of_2(logits.shape[-1]))
    losses = _CrossEntropy.apply(logits, target, ignore_index, size)
    if reduction == "none":
        return losses
    return losses.sum() / (target != ignore_index).sum() if reduction == "mean" else losses.sum()


def _require(logits: Tensor, target: Tensor, ignore_index: int, reduction: str) -> None:
    require_floats(logits=logits)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"logits have the shape (..., classes) with at least one class, not {tuple(logits.shape)}")
    require_dtype("target", target, torch.int64)
    require_shape("target", target, logits.shape[:-1])
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is one of {', '.join(REDUCTIONS)}, not {reduction}")
    if target.device.type == "cpu":
        wrong = target[((target < 0) | (target >= logits.shape[-1])) & (target != ignore_index)]
        if len(wrong):
            raise ValueError(f"a target is a class from 0 to {logits.shape[-1] - 1} or {ignore_index}, not {wrong[0]}")


def cross_entropy_reference(
    logits: Float[Tensor, "*rows classes"],
    target: Int[Tensor, "*rows"],
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    """The same in plain torch, with all log-probabilities; as exact as the logits' dtype, but at least float32."""
    values = logits.to(torch.promote_types(logits.dtype, torch.float32))
    live = target != ignore_index
    right = target.where(live, 0)[..., None]
    losses = (values.logsumexp(-1) - values.gather(-1, right)[..., 0]).where(live, 0)
    if reduction == "none":
        return losses
    return losses.sum() / live.sum() if reduction == "mean" else losses.sum()
