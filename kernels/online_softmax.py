"""Online softmax: a row that is too long for the chip, in two passes instead of three."""

import torch
from jaxtyping import Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_floats, require_no_gradient, require_shape

BLOCK = 4096


@triton.jit
def _online_softmax(x, y, n, x_row, x_column, y_row, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    x += row * x_row
    y += row * y_row
    largest = -float("inf")  # of what was seen so far
    total = 0.0  # of exp(score - largest) over what was seen so far
    for start in range(0, n, BLOCK):
        column = start + tl.arange(0, BLOCK)
        scores = tl.load(x + column.to(tl.int64) * x_column, mask=column < n, other=-float("inf")).to(tl.float32)
        new_largest = tl.maximum(largest, tl.max(scores, 0))
        shift = tl.where(new_largest == -float("inf"), 0.0, new_largest)  # nothing but -inf yet: inf - inf is NaN
        total = total * tl.exp(largest - shift) + tl.sum(tl.exp(scores - shift), 0)
        largest = new_largest
    for start in range(0, n, BLOCK):
        column = start + tl.arange(0, BLOCK)
        scores = tl.load(x + column.to(tl.int64) * x_column, mask=column < n, other=-float("inf")).to(tl.float32)
        tl.store(y + column, tl.exp(scores - largest) / total, mask=column < n)


def online_softmax(x: Float[Tensor, "rows columns"], *, block: int | None = None) -> Float[Tensor, "rows columns"]:
    """Softmax of each row, for rows of any length; forward only.

    The first pass keeps the largest score so far and the sum of exponentials relative to it; when a larger score comes,
    what was summed is scaled down by exp(old - new). The second pass divides.

    Shapes: (rows, columns), any strides; the result is contiguous, of x's dtype and device. `block` columns are on the
    chip at once (a power of two; 4096, or the row if that is shorter).
    Dtypes: float32, float16, bfloat16; the arithmetic is float32. A row of -inf only gives NaN, as in torch.
    Cost, with b bytes a number: it moves 3 * rows * columns * b bytes (2 reads, 1 write), where `softmax` in one pass
    moves 2 and the safe softmax in three passes 4; 4 operations and 2 exps a number.
    Errors: ValueError for the shape, TypeError for the dtype, RuntimeError where a gradient is wanted.
    Source: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax", algorithm 3.
    """
    require_floats(x=x)
    require_shape("x", x, ("rows", "columns"))
    require_no_gradient("online_softmax", x)
    rows, columns = x.shape
    y = torch.empty((rows, columns), dtype=x.dtype, device=x.device)
    if y.numel():
        size = block or min(BLOCK, triton.next_power_of_2(columns))
        launch(_online_softmax, (rows,))(x, y, columns, x.stride(0), x.stride(1), y.stride(0), size)
    return y


def online_softmax_reference(x: Float[Tensor, "rows columns"], block: int = 4096) -> Float[Tensor, "rows columns"]:
    """The same algorithm in plain torch, block by block of columns."""
    largest = torch.full((x.shape[0], 1), -torch.inf, device=x.device)
    total = torch.zeros(x.shape[0], 1, device=x.device)
    for part in x.float().split(block, dim=1):
        new_largest = torch.maximum(largest, part.amax(1, keepdim=True))
        shift = new_largest.masked_fill(new_largest == -torch.inf, 0)
        total = total * (largest - shift).exp() + (part - shift).exp().sum(1, keepdim=True)
        largest = new_largest
    return ((x.float() - largest).exp() / total).to(x.dtype)
