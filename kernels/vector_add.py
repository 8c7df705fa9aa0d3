"""Vector addition: one program for each block of numbers, and a mask for the last one."""

import torch
from jaxtyping import Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_floats, require_no_gradient, require_shape

BLOCK = 1024


@triton.jit
def _add(x, y, out, n, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    tl.store(out + i, tl.load(x + i, mask=inside) + tl.load(y + i, mask=inside), mask=inside)


def add(x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x + y, number by number; forward only.

    Shapes: any, the same for both; the result is contiguous. An input that is not contiguous is copied first.
    Dtypes: float32, float16, bfloat16, the same for both; rounded once.
    Cost, for n numbers of b bytes: it must move 3 * n * b bytes (two read, one written) and takes n additions: 1/12 of
    an operation a byte in float32. Nothing can make it faster than memory.
    Errors: ValueError for shapes or devices, TypeError for dtypes, RuntimeError where a gradient is wanted.
    Source: the first tutorial of Triton, "Vector Addition".
    """
    require_floats(x=x, y=y)
    require_shape("y", y, x.shape)
    require_no_gradient("add", x, y)
    x, y = x.contiguous(), y.contiguous()
    out = torch.empty_like(x)
    if x.numel():
        launch(_add, (triton.cdiv(x.numel(), BLOCK),))(x, y, out, x.numel(), BLOCK)
    return out


def add_reference(x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The same in plain torch, which moves as many bytes."""
    return x + y
