"""RMSNorm, forward and backward: a row stays on the chip, and the weight's gradient needs no atomics."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_floats, require_shape, rows_of

MAX_COLUMNS = 8_192  # a row, its gradient and the weight have to fit into the registers of one program
PARTS = 128  # programs of the backward pass, each with a partial sum of the weight's gradient


@triton.jit
def _rms_norm(x, weight, y, inverse_rms, n, eps, x_row, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < n
    values = tl.load(x + row * x_row + column, mask=inside, other=0.0).to(tl.float32)
    scale = 1 / tl.sqrt(tl.sum(values * values, 0) / n + eps)
    tl.store(inverse_rms + row, scale)
    gain = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row * n + column, values * scale * gain, mask=inside)


@triton.jit
def _rms_norm_backward(x, weight, dy, inverse_rms, dx, dweight_parts, rows, n, x_row, dy_row, BLOCK: tl.constexpr):
    part, parts = tl.program_id(0), tl.num_programs(0)
    column = tl.arange(0, BLOCK)
    inside = column < n
    gain = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    dweight = tl.zeros([BLOCK], tl.float32)
    for index in range(part, rows, parts):
        row = index.to(tl.int64)
        scale = tl.load(inverse_rms + row)
        normal = tl.load(x + row * x_row + column, mask=inside, other=0.0).to(tl.float32) * scale
        upstream = tl.load(dy + row * dy_row + column, mask=inside, other=0.0).to(tl.float32)
        dweight += upstream * normal
        upstream *= gain
        along = tl.sum(upstream * normal, 0) / n  # growing a row along itself changes nothing: that share is taken out
        tl.store(dx + row * n + column, (upstream - normal * along) * scale, mask=inside)
    tl.store(dweight_parts + part * n + column, dweight, mask=inside)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        flat, gain = rows_of(x), weight.contiguous()
        rows, n = flat.shape
        y = torch.empty((rows, n), dtype=x.dtype, device=x.device)
        inverse_rms = torch.empty(rows, dtype=torch.float32, device=x.device)
        if y.numel():
            block = triton.next_power_of_2(n)
            launch(_rms_norm, (rows,))(
                flat, gain, y, inverse_rms, n, eps, flat.stride(0), block, num_warps=_warps(block)
            )  # fmt: skip
        ctx.save_for_backward(flat, gain, inverse_rms)
        return y.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        flat, gain, inverse_rms = ctx.saved_tensors
        upstream = rows_of(dy)
        rows, n = flat.shape
        dx = torch.empty((rows, n), dtype=flat.dtype, device=flat.device)
        parts = torch.zeros(max(1, min(PARTS, rows)), n, dtype=torch.float32, device=flat.device)
        if dx.numel():
            block = triton.next_power_of_2(n)
            launch(_rms_norm_backward, (len(parts),))(
                flat, gain, upstream, inverse_rms, dx, parts, rows, n, flat.stride(0), upstream.stride(0), block,
                num_warps=_warps(block),
            )  # fmt: skip
        return dx.view(dy.shape), parts.sum(0).to(gain.dtype), None


def _warps(block: int) -> int:
    return min(16, max(1, block // 256))


def rms_norm(x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], eps: float = 1e-6) -> Float[Tensor, "*rows n"]:
    """x / sqrt(mean(x^2) + eps) * weight along the last axis, with gradients for x and weight.

    Shapes: (..., n) and (n,), n up to 8,192, any strides (a copy is made where the last axis is not contiguous); the
    result is contiguous.
    Dtypes: float32, float16, bfloat16, the same for both; the arithmetic is float32, and so is what is kept for the
    backward pass: one number a row.
    Cost, for r rows and b bytes a number: forward moves 2 * r * n * b bytes and 4 * n operations a row; backward reads
    x and dy and writes dx, 3 * r * n * b bytes, and min(128, r) partial sums of dweight (added by torch: the same bits
    each time, which atomic additions would not give); 9 * n operations a row.
    Errors: ValueError for shapes or devices, TypeError for dtypes.
    Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4.
    """
    require_floats(x=x, weight=weight)
    if x.ndim == 0 or not 0 < x.shape[-1] <= MAX_COLUMNS:
        raise ValueError(f"x has the shape (..., n) with n from 1 to {MAX_COLUMNS:,}, not {tuple(x.shape)}")
    require_shape("weight", weight, (x.shape[-1],))
    return _RMSNorm.apply(x, weight, eps)


def rms_norm_reference(
    x: Float[Tensor, "*rows n"], weight: Float[Tensor, " n"], eps: float = 1e-6
) -> Float[Tensor, "*rows n"]:
    """The same in plain torch."""
    values = x.float()
    return (values * torch.rsqrt(values.square().mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)
