"""Multiplication by a matrix kept in NF4: four bits a number, two to a byte, and a scale for each block of them."""

import functools

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_dtype, require_floats, require_no_gradient, require_shape
from kernels.int8_matmul import usual_tiles

BLOCK = 64
BLOCKS = (16, 32, 64, 128)


@triton.jit
def _nf4_matmul(
    x, packed, absmax, codebook, y, M, N, K, x_row, x_column, packed_row, absmax_row,
    BM: tl.constexpr, BN: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    row = (tl.program_id(1) * BM + tl.arange(0, BM)).to(tl.int64)
    channel = (tl.program_id(0) * BN + tl.arange(0, BN)).to(tl.int64)
    packed += channel[:, None] * packed_row
    absmax += channel * absmax_row
    pair, place = tl.arange(0, BLOCK // 2)[None, :], tl.arange(0, BLOCK)[None, :]
    total = tl.zeros([BM, BN], tl.float32)
    for block in range(0, tl.cdiv(K, BLOCK)):  # a tile is as deep as a block, so each channel has one scale in it
        depth = (block * BLOCK + place).to(tl.int64)
        x_inside = (row < M)[:, None] & (depth < K)
        x_tile = tl.load(x + row[:, None] * x_row + depth * x_column, mask=x_inside, other=0.0)
        byte = tl.load(packed + block * (BLOCK // 2) + pair, mask=(channel < N)[:, None], other=0).to(tl.int32)
        code = tl.interleave(byte >> 4, byte & 15)  # the first of two numbers has the higher bits
        scale = tl.load(absmax + block, mask=channel < N, other=0.0)
        weight = (tl.load(codebook + code) * scale[:, None]).to(x_tile.dtype)
        total = tl.dot(x_tile, tl.trans(weight), total, input_precision=PRECISION)
    inside = (row < M)[:, None] & (channel < N)[None, :]
    tl.store(y + row[:, None] * N + channel[None, :], total, mask=inside)


def nf4_matmul(
    x: Float[Tensor, "m k"],
    packed: UInt8[Tensor, "n bytes"],
    absmax: Float[Tensor, "n blocks"],
    *,
    block: int = BLOCK,
    tiles: tuple[int, int] | None = None,
) -> Float[Tensor, "m n"]:
    """x @ weight.T, as a linear layer whose weight `quantize_nf4` made small; forward only.

    Shapes: (m, k), any sizes and strides; of the weight (n, k) there are ceil(k / block) blocks a row, so packed is
    (n, blocks * block / 2) and absmax (n, blocks), with contiguous rows (else a copy is made); the result is
    contiguous. `block` is 16, 32, 64 or 128; `tiles` are (rows, channels) of a tile, powers of two from 16 on.
    Dtypes: x float32, float16, bfloat16; packed uint8, absmax float32. A weight, codebook[code] * absmax, is rounded to
    x's dtype before it meets x; sums are float32.
    Cost, with b bytes a number of x: 2 * m * n * k operations, n * k look-ups and multiplications for each row of
    tiles. Tiles of BM rows and BN channels read m * k * b * n / BN bytes of x and n * k * (1 / 2 + 4 / block) * m / BM
    of the weight, 4.5 bits a number where bfloat16 takes 16; the codebook, 64 bytes a tile, stays in the cache. They
    write m * n * b.
    Errors: ValueError for shapes, devices, options, TypeError for dtypes, RuntimeError where a gradient is wanted.
    Source: Dettmers, Pagnoni, Holtzman and Zettlemoyer 2023, "QLoRA", sections 2 and 3 (without the double quantisation
    of absmax).
    """
    _require(x, packed, absmax, block)
    (m, k), n = x.shape, packed.shape[0]
    y = torch.empty((m, n), dtype=x.dtype, device=x.device)
    if y.numel():
        packed, absmax = (tensor if tensor.stride(1) == 1 else tensor.contiguous() for tensor in (packed, absmax))
        bm, bn = tiles or usual_tiles(m, x.element_size())[:2]
        launch(_nf4_matmul, (triton.cdiv(n, bn), triton.cdiv(m, bm)))(
            x, packed, absmax, codebook_on(x.device), y, m, n, k, *x.stride(), packed.stride(0), absmax.stride(0),
            bm, bn, block, "ieee", num_warps=4 if x.element_size() == 2 else 8, num_stages=3,
        )  # fmt: skip
    return y


def nf4_codebook() -> Float[Tensor, "16"]:
    """The 16 numbers of NF4 in ascending order: -1 first, 0 at place 7, 1 last.

    They are quantiles of the normal distribution at equal distances, 7 below zero and 8 above it, divided by the
    largest; so weights that are normal use each about equally often, and a weight of zero stays zero. The outermost
    quantile lies between those of 15 and of 16 equal shares, halfway.
    Source: QLoRA, section 3, "4-bit NormalFloat Quantization"; appendix E has the numbers.
    """
    outermost = 1 - (1 / 30 + 1 / 32) / 2
    above, below = (
        torch.special.ndtri(torch.linspace(outermost, 0.5, count + 1, dtype=torch.float64)[:-1]) for count in (8, 7)
    )
    return (torch.cat([-below, torch.zeros(1, dtype=torch.float64), above.flip(0)]) / above[0]).float()


@functools.lru_cache(maxsize=8)
def codebook_on(device: torch.device) -> Float[Tensor, "16"]:
    """`nf4_codebook` on a device, made once."""
    return nf4_codebook().to(device)


def quantize_nf4(
    weight: Float[Tensor, "n k"], block: int = BLOCK
) -> tuple[UInt8[Tensor, "n bytes"], Float[Tensor, "n blocks"]]:
    """(packed, absmax): each block of a row divided by its largest magnitude, each number the nearest of the codebook.

    Two codes share a byte, the first in the higher bits. The last block of a row is filled up with zeros; a block of
    zeros has absmax 0.
    """
    require_floats(weight=weight)
    require_shape("weight", weight, ("n", "k"))
    _require_block(block)
    n, k = weight.shape
    blocks = triton.cdiv(k, block)
    values = torch.nn.functional.pad(weight.detach().float(), (0, blocks * block - k)).view(n, blocks, block)
    absmax = torch.linalg.vector_norm(values, torch.inf, dim=2)
    codebook = codebook_on(weight.device)
    halfway = (codebook[1:] + codebook[:-1]) / 2
    codes = torch.bucketize(values / absmax.where(absmax > 0, 1)[..., None], halfway).to(torch.uint8)
    first, second = codes.view(n, blocks * block // 2, 2).unbind(2)
    return first << 4 | second, absmax


def dequantize_nf4(packed: UInt8[Tensor, "n bytes"], absmax: Float[Tensor, "n blocks"], k: int) -> Float[Tensor, "n k"]:
    """The matrix (n, k) in float32 that `quantize_nf4` packed."""
    codes = torch.stack([packed >> 4, packed & 15], dim=2).long()
    values = codebook_on(packed.device)[codes].view(*absmax.shape, 2 * packed.shape[1] // max(1, absmax.shape[1]))
    return (values * absmax[..., None]).flatten(1)[:, :k]


def nf4_matmul_reference(
    x: Float[Tensor, "m k"], packed: UInt8[Tensor, "n bytes"], absmax: Float[Tensor, "n blocks"]
) -> Float[Tensor, "m n"]:
    """The same in plain torch, with the matrix in full, rounded to x's dtype."""
    weight = dequantize_nf4(packed, absmax, x.shape[1]).to(x.dtype)
    dtype = torch.promote_types(x.dtype, torch.float32)
    return (x.to(dtype) @ weight.to(dtype).T).to(x.dtype)


def _require(x: Tensor, packed: Tensor, absmax: Tensor, block: int) -> None:
    require_floats(x=x)
    require_dtype("packed", packed, torch.uint8)
    require_dtype("absmax", absmax, torch.float32)
    require_shape("x", x, ("m", "k"))
    _require_block(block)
    blocks = triton.cdiv(x.shape[1], block)
    require_shape("packed", packed, ("n", blocks * block // 2))
    require_shape("absmax", absmax, (packed.shape[0], blocks))
    require_no_gradient("nf4_matmul", x, absmax)


def _require_block(block: int) -> None:
    if block not in BLOCKS:
        raise ValueError(f"a block has {', '.join(map(str, BLOCKS[:-1]))} or {BLOCKS[-1]} numbers, not {block}")
