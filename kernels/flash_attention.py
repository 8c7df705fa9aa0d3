"""FlashAttention: attention by tiles with the online softmax, so that no (queries, keys) matrix is ever in memory."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_floats, require_shape

LOG2_E = 1.4426950408889634  # exponentials are powers of two: the GPU has an instruction for these
HEAD_DIMS = (16, 256)


@triton.jit
def _keys_of(first, height, queries, keys, WINDOW: tl.constexpr, CAUSAL: tl.constexpr, BN: tl.constexpr):
    """Which keys the queries from `first` on may see: (begin, end), and (begin, end) of the tiles that all of them see.

    Query i stands at the place i + keys - queries of the keys: the last query at the last key.
    """
    place = first + keys - queries
    begin, end = 0, keys
    every_begin, every_end = 0, keys // BN * BN
    if CAUSAL:
        end = tl.maximum(0, tl.minimum(keys, place + height))
        every_end = tl.minimum(every_end, tl.maximum(0, place + 1) // BN * BN)
    if WINDOW > 0:
        begin = tl.maximum(0, place - WINDOW + 1) // BN * BN
        every_begin = tl.cdiv(tl.maximum(0, place + height - WINDOW), BN) * BN
    every_begin = tl.minimum(every_begin, tl.cdiv(end, BN) * BN)
    return begin, end, every_begin, tl.maximum(every_begin, every_end)


@triton.jit
def _sees(place, key, keys, WINDOW: tl.constexpr, CAUSAL: tl.constexpr):
    """Which keys (a row) the queries at some places (a column) may see."""
    seen = key < keys
    if CAUSAL:
        seen = seen & (key <= place)
    if WINDOW > 0:
        seen = seen & (key > place - WINDOW)
    return seen


@triton.jit
def _see_tile(
    q, total, weight, largest, k, v, start, place, keys, k_row, v_row, scale,
    D: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, WINDOW: tl.constexpr, CAUSAL: tl.constexpr,
    MASKED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One step of the online softmax: BN more keys and values."""
    key, column = start + tl.arange(0, BN), tl.arange(0, BD)
    inside = (key < keys)[:, None] & (column < D)[None, :]
    k_tile = tl.load(k + key.to(tl.int64)[:, None] * k_row + column[None, :], mask=inside, other=0.0)
    scores = tl.dot(q, tl.trans(k_tile), input_precision=PRECISION) * scale
    if MASKED:
        scores = tl.where(_sees(place[:, None], key[None, :], keys, WINDOW, CAUSAL), scores, -float("inf"))
    new_largest = tl.maximum(largest, tl.max(scores, 1))
    shift = tl.where(new_largest == -float("inf"), 0.0, new_largest)  # nothing seen yet: inf - inf would be NaN
    shares = tl.exp2(scores - shift[:, None])
    fade = tl.exp2(largest - shift)  # what was added up so far was relative to a smaller score
    v_tile = tl.load(v + key.to(tl.int64)[:, None] * v_row + column[None, :], mask=inside, other=0.0)
    total = tl.dot(shares.to(v_tile.dtype), v_tile, total * fade[:, None], input_precision=PRECISION)
    return total, weight * fade + tl.sum(shares, 1), new_largest


@triton.jit
def _flash_forward(
    q, k, v, out, lse,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, out_batch, out_head, out_row,
    heads, share, queries, keys, scale,
    D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, WINDOW: tl.constexpr, CAUSAL: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BM  # the last queries see most keys: they start first
    batch, head = (tl.program_id(1) // heads).to(tl.int64), (tl.program_id(1) % heads).to(tl.int64)
    k += batch * k_batch + head // share * k_head
    v += batch * v_batch + head // share * v_head
    row, column = first + tl.arange(0, BM), tl.arange(0, BD)
    inside = (row < queries)[:, None] & (column < D)[None, :]
    cell = row.to(tl.int64)[:, None]
    q_tile = tl.load(q + batch * q_batch + head * q_head + cell * q_row + column[None, :], mask=inside, other=0.0)
    total, weight = tl.zeros([BM, BD], tl.float32), tl.zeros([BM], tl.float32)  # of shares * values, of shares
    largest = tl.full([BM], -float("inf"), tl.float32)  # score; the shares are relative to it
    place = row + keys - queries
    begin, end, every_begin, every_end = _keys_of(first, BM, queries, keys, WINDOW, CAUSAL, BN)
    if WINDOW > 0:
        for start in range(begin, every_begin, BN):
            total, weight, largest = _see_tile(
                q_tile, total, weight, largest, k, v, start, place, keys, k_row, v_row, scale,
                D, BN, BD, WINDOW, CAUSAL, True, PRECISION,
            )  # fmt: skip
    for start in range(every_begin, every_end, BN):
        total, weight, largest = _see_tile(
            q_tile, total, weight, largest, k, v, start, place, keys, k_row, v_row, scale,
            D, BN, BD, WINDOW, CAUSAL, False, PRECISION,
        )  # fmt: skip
    for start in range(every_end, end, BN):
        total, weight, largest = _see_tile(
            q_tile, total, weight, largest, k, v, start, place, keys, k_row, v_row, scale,
            D, BN, BD, WINDOW, CAUSAL, True, PRECISION,
        )  # fmt: skip
    divisor = tl.where(weight > 0, weight, 1.0)  # a query that sees nothing gives 0
    target = out + batch * out_batch + head * out_head + cell * out_row + column[None, :]
    tl.store(target, total / divisor[:, None], mask=inside)
    log_sum = tl.where(weight > 0, largest + tl.log2(divisor), -float("inf"))
    tl.store(lse + tl.program_id(1).to(tl.int64) * queries + row, log_sum, mask=row < queries)


def flash_attention(
    q: Float[Tensor, "batch heads queries d"],
    k: Float[Tensor, "batch kv_heads keys d"],
    v: Float[Tensor, "batch kv_heads keys d"],
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    tiles: tuple[int, int] | None = None,
) -> Float[Tensor, "batch heads queries d"]:
    """softmax(q k^T * scale) v for each head, without the matrix of scores; forward only.

    Shapes: heads is a multiple of kv_heads (grouped-query attention: so many neighbouring heads share keys and values);
    any numbers of queries and keys; d from 16 to 256. Any strides (a copy is made where the last axis is not
    contiguous); the result is contiguous. `tiles` are (queries, keys) of a tile, powers of two from 16 on.
    `causal`: the last query sees all keys, the one before it all but the last, and so on. `window` (causal only): it
    sees only the last so many. A query that sees no key gives zeros. `scale` is 1 / sqrt(d) unless given.
    Dtypes: float32, float16, bfloat16, the same for all. Scores and sums are float32; the shares are rounded to the
    dtype before they meet the values.
    Cost, for n queries, m keys, b bytes a number, tiles of BM queries, for each head: reads n * d * b of q and
    2 * m * d * b * n / BM of k and v, writes n * d * b, and 4 bytes a query of what a backward pass needs;
    4 * n * m * d operations in dots and n * m exps; about half with `causal`. The chip holds
    BM * d * (b + 4) + 2 * BN * d * b + 4 * BM * BN bytes. Plain attention also writes and reads the n * m scores.
    Errors: ValueError for shapes, devices or options, TypeError for dtypes, RuntimeError where a gradient is wanted.
    Source: Dao 2023, "FlashAttention-2", algorithm 1; online softmax: Milakov and Gimelshein 2018, algorithm 3.
    """
    _require(q, k, v, causal, window)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (q, k, v)):
        raise RuntimeError("no gradient comes from here: use flash_attention_with_gradients, or torch.no_grad()")
    return attend(q, k, v, causal=causal, window=window, scale=scale, tiles=tiles)[0]


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool,
    window: int | None,
    scale: float | None,
    tiles: tuple[int, int] | None = None,
) -> tuple[Float[Tensor, "batch heads queries d"], Float[Tensor, "batch heads queries"]]:
    """`flash_attention`, unchecked, and each query's log2 of the sum of its exponentials, -inf if it sees nothing.

    Exponentials are powers of two, of scores multiplied by log2(e).
    """
    batch, heads, queries, d = q.shape
    q, k, v = (tensor if tensor.stride(3) == 1 else tensor.contiguous() for tensor in (q, k, v))
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    lse = torch.empty(batch, heads, queries, dtype=torch.float32, device=q.device)
    if out.numel():
        options = _configuration(d, q.element_size(), tiles)
        factor = (d**-0.5 if scale is None else scale) * LOG2_E
        launch(_flash_forward, (triton.cdiv(queries, options["BM"]), batch * heads))(
            q, k, v, out, lse, *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *out.stride()[:3],
            heads, heads // k.shape[1], queries, k.shape[2], factor, d,
            WINDOW=window or 0, CAUSAL=causal, PRECISION="ieee", **options,
        )  # fmt: skip
    return out, lse


def _configuration(d: int, item: int, tiles: tuple[int, int] | None) -> dict[str, Any]:
    """Tiles and warps that neither spill nor need more shared memory than an A100 has."""
    padded = max(16, triton.next_power_of_2(d))
    if item == 4:  # float32 is added up without tensor cores, in registers
        usual, warps = (64, 32) if padded <= 64 else (32, 16), 8
    else:
        usual, warps = (128, 64) if padded <= 128 else (64, 64), 4 if padded <= 64 else 8
    bm, bn = tiles or usual
    return {"BM": bm, "BN": bn, "BD": padded, "num_warps": warps, "num_stages": 2}


def _require(q: Tensor, k: Tensor, v: Tensor, causal: bool, window: int | None) -> None:
    require_floats(q=q, k=k, v=v)
    require_shape("q", q, ("batch", "heads", "queries", "d"))
    require_shape("k", k, (q.shape[0], "kv_heads", "keys", q.shape[3]))
    require_shape("v", v, k.shape)
    if not HEAD_DIMS[0] <= q.shape[3] <= HEAD_DIMS[1]:
        raise ValueError(f"d is from {HEAD_DIMS[0]} to {HEAD_DIMS[1]}, not {q.shape[3]}")
    if k.shape[1] == 0 or q.shape[1] % k.shape[1]:
        raise ValueError(f"heads is a multiple of kv_heads, but {q.shape[1]} is none of {k.shape[1]}")
    if window is not None and (not causal or window < 1):
        raise ValueError(f"a window is at least 1 and needs causal=True, not window={window} with causal={causal}")


def visible(
    queries: int, keys: int, *, causal: bool = False, window: int | None = None, device: Any = None
) -> Bool[Tensor, "queries keys"]:
    """Which keys each query sees, as a matrix: what the kernel never makes."""
    place = torch.arange(keys - queries, keys, device=device)[:, None]
    key = torch.arange(keys, device=device)[None, :]
    seen = torch.ones(queries, keys, dtype=torch.bool, device=device)
    if causal:
        seen &= key <= place
    if window is not None:
        seen &= key > place - window
    return seen


def attention_reference(
    q: Float[Tensor, "batch heads queries d"],
    k: Float[Tensor, "batch kv_heads keys d"],
    v: Float[Tensor, "batch kv_heads keys d"],
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> Float[Tensor, "batch heads queries d"]:
    """The same in plain torch, with the whole matrix of scores; as exact as q's dtype, but at least float32."""
    dtype = torch.promote_types(q.dtype, torch.float32)
    share = q.shape[1] // k.shape[1]
    k, v = (tensor.to(dtype).repeat_interleave(share, dim=1) for tensor in (k, v))
    scores = q.to(dtype) @ k.mT * (1 / math.sqrt(q.shape[3]) if scale is None else scale)
    seen = visible(q.shape[2], k.shape[2], causal=causal, window=window, device=q.device)
    shares = scores.masked_fill(~seen, -torch.inf).softmax(-1).masked_fill(~seen, 0)  # no key seen: 0, not NaN
    return (shares @ v).to(q.dtype)
