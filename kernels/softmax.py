"""Fused row softmax: read each row once, keep it on the chip, write it once."""

import torch
from jaxtyping import Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_floats, require_no_gradient

MAX_COLUMNS = 65_536  # a row has to fit into the registers of one program
TILE = 4096  # numbers that a program works on, where rows are short enough to take several


@triton.jit
def _softmax_tile(
    x, y, n_rows, n_columns, x_row, x_column, y_row, BLOCK_ROWS: tl.constexpr, BLOCK_COLUMNS: tl.constexpr
):  # fmt: skip
    rows = (tl.program_id(0) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)).to(tl.int64)[:, None]
    columns = tl.arange(0, BLOCK_COLUMNS)[None, :]
    inside = (rows < n_rows) & (columns < n_columns)
    # Columns beyond the row are -inf and so take no share; whole rows beyond the last are 0, to keep NaN away.
    padding = tl.where(columns < n_columns, 0.0, -float("inf"))
    scores = tl.load(x + rows * x_row + columns * x_column, mask=inside, other=padding).to(tl.float32)
    powers = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    shares = powers / tl.sum(powers, axis=1)[:, None]
    tl.store(y + rows * y_row + columns, shares, mask=inside)


def softmax(x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Softmax of each row, in one pass over memory; forward only.

    Shapes: (rows, columns), any strides, up to 65,536 columns; the result is contiguous, of x's dtype and device.
    Dtypes: float32, float16, bfloat16; the arithmetic is float32. A row of -inf only gives NaN, as in torch.
    Cost, with b bytes a number: it must move 2 * rows * columns * b bytes (each number read once and written once) and
    takes 4 * rows * columns operations (compare, subtract, add, divide) and rows * columns exps: 0.6 a byte in float32,
    so memory sets the pace. `softmax_reference` moves about 8 * rows * columns * b bytes: 5 reads and 3 writes of all.
    Errors: ValueError for the shape, TypeError for the dtype, RuntimeError for a tensor that wants a gradient,
    ImportError without Triton; each says what to do.
    Source: Milakov and Gimelshein 2018, algorithm 2 (safe softmax), here with the row kept in registers.
    """
    _require_input(x)
    rows, columns = x.shape
    y = torch.empty((rows, columns), dtype=x.dtype, device=x.device)
    if y.numel() == 0:
        return y
    width = triton.next_power_of_2(columns)
    height = min(max(1, TILE // width), triton.next_power_of_2(rows))
    warps = min(16, max(1, width * height // 256))
    launch(_softmax_tile, (triton.cdiv(rows, height),))(
        x, y, rows, columns, x.stride(0), x.stride(1), y.stride(0), height, width, num_warps=warps
    )  # fmt: skip
    return y


def softmax_reference(x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """The same in plain torch, one pass over memory for each line and more: what the kernel is held against."""
    scores = x.float()
    shifted = scores - scores.amax(dim=1, keepdim=True)
    powers = shifted.exp()
    return (powers / powers.sum(dim=1, keepdim=True)).to(x.dtype)


def _require_input(x: Tensor) -> None:
    require_floats(x=x)
    if x.ndim != 2:
        raise ValueError(f"softmax takes (rows, columns), not {tuple(x.shape)}: use x.reshape(-1, x.shape[-1])")
    if x.shape[1] > MAX_COLUMNS:
        raise ValueError(f"a row of {x.shape[1]:,} does not fit on the chip: at most {MAX_COLUMNS:,}")
    require_no_gradient("softmax", x)
