"""Multiplication by a matrix kept in int8: half the bytes of bfloat16, made numbers again on the chip."""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_dtype, require_floats, require_no_gradient, require_shape

LARGEST = 127  # -128 stays unused, so that a matrix and its negative have the same rounding
FEW_ROWS = 16  # up to so many (decoding), x is one row of tiles and the matrix is read once


@triton.jit
def _int8_matmul(
    x, codes, scales, y, M, N, K, x_row, x_column, codes_row, codes_column,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    row = (tl.program_id(1) * BM + tl.arange(0, BM)).to(tl.int64)
    channel = (tl.program_id(0) * BN + tl.arange(0, BN)).to(tl.int64)
    total = tl.zeros([BM, BN], tl.float32)
    for start in range(0, K, BK):
        depth = (start + tl.arange(0, BK)).to(tl.int64)[None, :]
        x_inside, inside = (row < M)[:, None] & (depth < K), (channel < N)[:, None] & (depth < K)
        x_tile = tl.load(x + row[:, None] * x_row + depth * x_column, mask=x_inside, other=0.0)
        code = tl.load(codes + channel[:, None] * codes_row + depth * codes_column, mask=inside, other=0)
        total = tl.dot(x_tile, tl.trans(code.to(x_tile.dtype)), total, input_precision=PRECISION)  # exact up to 127
    scale = tl.load(scales + channel, mask=channel < N, other=0.0)  # the same for a whole column: once, at the end
    inside = (row < M)[:, None] & (channel < N)[None, :]
    tl.store(y + row[:, None] * N + channel[None, :], total * scale[None, :], mask=inside)


def int8_matmul(
    x: Float[Tensor, "m k"],
    codes: Int8[Tensor, "n k"],
    scales: Float[Tensor, " n"],
    *,
    tiles: tuple[int, int, int] | None = None,
) -> Float[Tensor, "m n"]:
    """x @ (codes * scales[:, None]).T, as a linear layer whose weight `quantize_int8` made small; forward only.

    Shapes: (m, k), (n, k) as in torch.nn.Linear, (n,): any sizes and strides; the result is contiguous. `tiles` are
    (rows, channels, depth) of a tile, powers of two from 16 on.
    Dtypes: x float32, float16, bfloat16, which all hold whole numbers up to 127 exactly; codes int8, scales float32;
    sums are float32 and meet the scale before they are rounded.
    Cost, with b bytes a number of x: 2 * m * n * k operations, n * k conversions for each row of tiles. Tiles of BM
    rows and BN channels read m * k * b * n / BN bytes of x and n * k * m / BM of codes, and write m * n * b. With few
    rows (decoding) nearly all of that are the n * k bytes of codes, where bfloat16 takes 2 * n * k.
    Errors: ValueError for shapes or devices, TypeError for dtypes, RuntimeError where a gradient is wanted.
    Source: Dettmers, Lewis, Belkada and Zettlemoyer 2022, "LLM.int8()", section 2 (absmax quantisation; here of the
    weight alone, a scale for each output channel).
    """
    require_floats(x=x)
    require_dtype("codes", codes, torch.int8)
    require_dtype("scales", scales, torch.float32)
    require_shape("x", x, ("m", "k"))
    require_shape("codes", codes, ("n", x.shape[1]))
    require_shape("scales", scales, (codes.shape[0],))
    require_no_gradient("int8_matmul", x, scales)
    (m, k), n = x.shape, codes.shape[0]
    y = torch.empty((m, n), dtype=x.dtype, device=x.device)
    if y.numel():
        bm, bn, bk = tiles or usual_tiles(m, x.element_size())
        launch(_int8_matmul, (triton.cdiv(n, bn), triton.cdiv(m, bm)))(
            x, codes, scales.contiguous(), y, m, n, k, *x.stride(), *codes.stride(), bm, bn, bk, "ieee",
            num_warps=4 if x.element_size() == 2 else 8, num_stages=3,
        )  # fmt: skip
    return y


def usual_tiles(rows: int, item: int) -> tuple[int, int, int]:
    """(rows, channels, depth) of tiles for so many rows of numbers of so many bytes."""
    many = 64 if item == 2 else 32  # float32 is added up without tensor cores, in registers
    return (FEW_ROWS if rows <= FEW_ROWS else many, many, many)


def quantize_int8(weight: Float[Tensor, "n k"]) -> tuple[Int8[Tensor, "n k"], Float[Tensor, " n"]]:
    """Codes and scales of a matrix: each row divided by its largest magnitude / 127, rounded to whole numbers.

    The error of a number is at most half of its row's scale. A row of zeros has scale 0.
    """
    require_floats(weight=weight)
    require_shape("weight", weight, ("n", "k"))
    values = weight.detach().float()
    scales = torch.linalg.vector_norm(values, torch.inf, dim=1) if values.numel() else values.new_zeros(len(values))
    scales = scales / LARGEST
    codes = (values / scales.where(scales > 0, 1)[:, None]).round().clamp(-LARGEST, LARGEST)
    return codes.to(torch.int8), scales


def int8_matmul_reference(
    x: Float[Tensor, "m k"], codes: Int8[Tensor, "n k"], scales: Float[Tensor, " n"]
) -> Float[Tensor, "m n"]:
    """The same in plain torch, with the matrix in full; as exact as x's dtype, but at least float32."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return (x.to(dtype) @ (codes.to(dtype) * scales.to(dtype)[:, None]).T).to(x.dtype)
