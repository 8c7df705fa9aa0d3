"""LayerNorm, forward and backward: mean and variance of a row that stays on the chip."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_floats, require_shape, rows_of

MAX_COLUMNS = 8_192  # a row, its gradient and the weight have to fit into the registers of one program
PARTS = 128  # programs of the backward pass, each with partial sums of the gradients of weight and bias


@triton.jit
def _layer_norm(x, weight, bias, y, means, inverse_deviations, n, eps, x_row, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < n
    values = tl.load(x + row * x_row + column, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(values, 0) / n
    centred = tl.where(inside, values - mean, 0.0)  # the mean of squares minus the square of the mean would cancel
    scale = 1 / tl.sqrt(tl.sum(centred * centred, 0) / n + eps)
    tl.store(means + row, mean)
    tl.store(inverse_deviations + row, scale)
    gain = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    shift = tl.load(bias + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row * n + column, centred * scale * gain + shift, mask=inside)


@triton.jit
def _layer_norm_backward(
    x, weight, dy, means, inverse_deviations, dx, dweight_parts, dbias_parts, rows, n, x_row, dy_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    part, parts = tl.program_id(0), tl.num_programs(0)
    column = tl.arange(0, BLOCK)
    inside = column < n
    gain = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    dweight = tl.zeros([BLOCK], tl.float32)
    dbias = tl.zeros([BLOCK], tl.float32)
    for index in range(part, rows, parts):
        row = index.to(tl.int64)
        scale = tl.load(inverse_deviations + row)
        values = tl.load(x + row * x_row + column, mask=inside, other=0.0).to(tl.float32)
        normal = tl.where(inside, (values - tl.load(means + row)) * scale, 0.0)
        upstream = tl.load(dy + row * dy_row + column, mask=inside, other=0.0).to(tl.float32)
        dweight += upstream * normal
        dbias += upstream
        upstream *= gain
        # Neither a shift of the row nor a scaling changes its norm: both shares are taken out of the gradient.
        shifting, scaling = tl.sum(upstream, 0) / n, tl.sum(upstream * normal, 0) / n
        tl.store(dx + row * n + column, (upstream - shifting - normal * scaling) * scale, mask=inside)
    tl.store(dweight_parts + part * n + column, dweight, mask=inside)
    tl.store(dbias_parts + part * n + column, dbias, mask=inside)


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        flat, gain, shift = rows_of(x), weight.contiguous(), bias.contiguous()
        rows, n = flat.shape
        y = torch.empty((rows, n), dtype=x.dtype, device=x.device)
        means, inverse_deviations = torch.empty(2, rows, dtype=torch.float32, device=x.device)
        if y.numel():
            block = triton.next_power_of_2(n)
            launch(_layer_norm, (rows,))(
                flat, gain, shift, y, means, inverse_deviations, n, eps, flat.stride(0), block, num_warps=_warps(block)
            )  # fmt: skip
        ctx.save_for_backward(flat, gain, means, inverse_deviations)
        return y.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        flat, gain, means, inverse_deviations = ctx.saved_tensors
        upstream = rows_of(dy)
        rows, n = flat.shape
        dx = torch.empty((rows, n), dtype=flat.dtype, device=flat.device)
        parts = torch.zeros(2, max(1, min(PARTS, rows)), n, dtype=torch.float32, device=flat.device)
        if dx.numel():
            block = triton.next_power_of_2(n)
            launch(_layer_norm_backward, (parts.shape[1],))(
                flat, gain, upstream, means, inverse_deviations, dx, *parts, rows, n, flat.stride(0),
                upstream.stride(0), block, num_warps=_warps(block),
            )  # fmt: skip
        dweight, dbias = parts.sum(1).to(gain.dtype)
        return dx.view(dy.shape), dweight, dbias, None


def _warps(block: int) -> int:
    return min(16, max(1, block // 256))


def layer_norm(
    x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], bias: Float[Tensor, " n"], eps: float = 1e-5
) -> Float[Tensor, "*rows n"]:
    """(x - mean) / sqrt(variance + eps) * weight + bias along the last axis, with gradients for all three.

    Shapes: (..., n), (n,), (n,), n up to 8,192, any strides (a copy is made where the last axis is not contiguous);
    the result is contiguous.
    Dtypes: float32, float16, bfloat16, the same for all; the arithmetic is float32, and so is what is kept for the
    backward pass: two numbers a row.
    Cost, for r rows and b bytes a number: forward moves 2 * r * n * b bytes and 7 * n operations a row; backward reads
    x and dy and writes dx, 3 * r * n * b bytes, and twice min(128, r) partial sums (added by torch: the same bits each
    time, which atomic additions would not give); 13 * n operations a row.
    Errors: ValueError for shapes or devices, TypeError for dtypes.
    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", equation 4.
    """
    require_floats(x=x, weight=weight, bias=bias)
    if x.ndim == 0 or not 0 < x.shape[-1] <= MAX_COLUMNS:
        raise ValueError(f"x has the shape (..., n) with n from 1 to {MAX_COLUMNS:,}, not {tuple(x.shape)}")
    require_shape("weight", weight, (x.shape[-1],))
    require_shape("bias", bias, (x.shape[-1],))
    return _LayerNorm.apply(x, weight, bias, eps)


def layer_norm_reference(
    x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], bias: Float[Tensor, " n"], eps: float = 1e-5
) -> Float[Tensor, "*rows n"]:
    """The same in plain torch."""
    centred = x.float() - x.float().mean(-1, keepdim=True)
    normal = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    return (normal * weight.float() + bias.float()).to(x.dtype)
