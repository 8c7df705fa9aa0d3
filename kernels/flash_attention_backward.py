"""FlashAttention's gradients: the shares are made again, tile by tile, from what was kept of each query."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels.flash_attention import LOG2_E, _keys_of, _require, _sees, attend


@triton.jit
def _queries_of(first, height, queries, keys, WINDOW: tl.constexpr, CAUSAL: tl.constexpr, BM: tl.constexpr):
    """Which queries may see any of the keys from `first` on: (begin, end), beginning with a whole tile."""
    begin, end = 0, queries
    if CAUSAL:
        begin = tl.maximum(0, first - (keys - queries)) // BM * BM
    if WINDOW > 0:
        end = tl.maximum(0, tl.minimum(queries, first + height - 1 + WINDOW - (keys - queries)))
    return begin, end


@triton.jit
def _shares_and_scores(
    q, k, v, dout, lse, delta, row, key, queries, keys, scale,
    WINDOW: tl.constexpr, CAUSAL: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """A tile of shares, and of the loss's gradient with respect to the scores that they come from."""
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
    place = (row + keys - queries)[:, None]
    seen = _sees(place, key[None, :], keys, WINDOW, CAUSAL) & (row < queries)[:, None]
    shares = tl.where(seen, tl.exp2(scores - lse[:, None]), 0.0)
    dshares = tl.dot(dout, tl.trans(v), input_precision=PRECISION)
    return shares, shares * (dshares - delta[:, None])


@triton.jit
def _flash_backward_keys(
    q, k, v, dout, lse, delta, dk, dv,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, dout_batch, dout_head, dout_row,
    kv_heads, share, queries, keys, scale, score_scale,
    D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, WINDOW: tl.constexpr, CAUSAL: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    first = tl.program_id(0) * BN
    batch, kv_head = (tl.program_id(1) // kv_heads).to(tl.int64), (tl.program_id(1) % kv_heads).to(tl.int64)
    key, column = first + tl.arange(0, BN), tl.arange(0, BD)
    inside = (key < keys)[:, None] & (column < D)[None, :]
    cell = key.to(tl.int64)[:, None]
    k_tile = tl.load(k + batch * k_batch + kv_head * k_head + cell * k_row + column[None, :], mask=inside, other=0.0)
    v_tile = tl.load(v + batch * v_batch + kv_head * v_head + cell * v_row + column[None, :], mask=inside, other=0.0)
    dk_tile, dv_tile = tl.zeros([BN, BD], tl.float32), tl.zeros([BN, BD], tl.float32)
    begin, end = _queries_of(first, BN, queries, keys, WINDOW, CAUSAL, BM)
    for other in range(0, share):  # the heads that share these keys: one program adds them up, no atomics
        head = kv_head * share + other
        statistics = (batch * kv_heads * share + head) * queries
        for start in range(begin, end, BM):
            row = start + tl.arange(0, BM)
            there = (row < queries)[:, None] & (column < D)[None, :]
            at = row.to(tl.int64)[:, None]
            q_tile = tl.load(q + batch * q_batch + head * q_head + at * q_row + column[None, :], mask=there, other=0.0)
            upstream = dout + batch * dout_batch + head * dout_head
            dout_tile = tl.load(upstream + at * dout_row + column[None, :], mask=there, other=0.0)
            log_sum = tl.load(lse + statistics + row, mask=row < queries, other=0.0)
            own = tl.load(delta + statistics + row, mask=row < queries, other=0.0)
            shares, dscores = _shares_and_scores(
                q_tile, k_tile, v_tile, dout_tile, log_sum, own, row, key, queries, keys, scale,
                WINDOW, CAUSAL, PRECISION,
            )  # fmt: skip
            dv_tile = tl.dot(tl.trans(shares.to(dout_tile.dtype)), dout_tile, dv_tile, input_precision=PRECISION)
            dk_tile = tl.dot(tl.trans(dscores.to(q_tile.dtype)), q_tile, dk_tile, input_precision=PRECISION)
    target = tl.program_id(1).to(tl.int64) * keys * D + cell * D + column[None, :]
    tl.store(dk + target, dk_tile * score_scale, mask=inside)
    tl.store(dv + target, dv_tile, mask=inside)


@triton.jit
def _flash_backward_queries(
    q, k, v, dout, lse, delta, dq,
    q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, dout_batch, dout_head, dout_row,
    heads, share, queries, keys, scale, score_scale,
    D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, WINDOW: tl.constexpr, CAUSAL: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BM
    batch, head = (tl.program_id(1) // heads).to(tl.int64), (tl.program_id(1) % heads).to(tl.int64)
    k += batch * k_batch + head // share * k_head
    v += batch * v_batch + head // share * v_head
    row, column = first + tl.arange(0, BM), tl.arange(0, BD)
    inside = (row < queries)[:, None] & (column < D)[None, :]
    cell = row.to(tl.int64)[:, None]
    q_tile = tl.load(q + batch * q_batch + head * q_head + cell * q_row + column[None, :], mask=inside, other=0.0)
    upstream = dout + batch * dout_batch + head * dout_head
    dout_tile = tl.load(upstream + cell * dout_row + column[None, :], mask=inside, other=0.0)
    statistics = tl.program_id(1).to(tl.int64) * queries
    log_sum = tl.load(lse + statistics + row, mask=row < queries, other=0.0)
    own = tl.load(delta + statistics + row, mask=row < queries, other=0.0)
    dq_tile = tl.zeros([BM, BD], tl.float32)
    begin, end, _every_begin, _every_end = _keys_of(first, BM, queries, keys, WINDOW, CAUSAL, BN)
    for start in range(begin, end, BN):
        key = start + tl.arange(0, BN)
        there = (key < keys)[:, None] & (column < D)[None, :]
        at = key.to(tl.int64)[:, None]
        k_tile = tl.load(k + at * k_row + column[None, :], mask=there, other=0.0)
        v_tile = tl.load(v + at * v_row + column[None, :], mask=there, other=0.0)
        _shares, dscores = _shares_and_scores(
            q_tile, k_tile, v_tile, dout_tile, log_sum, own, row, key, queries, keys, scale, WINDOW, CAUSAL, PRECISION
        )  # fmt: skip
        dq_tile = tl.dot(dscores.to(k_tile.dtype), k_tile, dq_tile, input_precision=PRECISION)
    tl.store(dq + statistics * D + cell * D + column[None, :], dq_tile * score_scale, mask=inside)


class _FlashAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        out, lse = attend(q, k, v, **options)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.options = options
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, out, lse = ctx.saved_tensors
        return (*attend_backward(q, k, v, out, lse, dout, **ctx.options), None)


def attend_backward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    dout: Tensor,
    *,
    causal: bool,
    window: int | None,
    scale: float | None,
    tiles: tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of q, k and v, from the inputs and results of `attend` and the gradient of its first."""
    (batch, heads, queries, d), (kv_heads, keys) = q.shape, k.shape[1:3]
    q, k, v, dout = (tensor if tensor.stride(3) == 1 else tensor.contiguous() for tensor in (q, k, v, dout))
    dq, dk, dv = (torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device) for tensor in (q, k, v))
    if not dq.numel() or not dk.numel():
        return dq, dk, dv
    delta = (out.float() * dout.float()).sum(-1)  # of each query: the mean of its shares' gradients, by the shares
    options = _configuration(d, q.element_size(), tiles) | {"WINDOW": window or 0, "CAUSAL": causal}
    score_scale = d**-0.5 if scale is None else scale
    inputs = (q, k, v, dout, lse, delta)
    strides = [stride for tensor in inputs[:4] for stride in tensor.stride()[:3]]
    sizes = (heads // kv_heads, queries, keys, score_scale * LOG2_E, score_scale, d)
    launch(_flash_backward_keys, (triton.cdiv(keys, options["BN"]), batch * kv_heads))(
        *inputs, dk, dv, *strides, kv_heads, *sizes, PRECISION="ieee", **options
    )
    launch(_flash_backward_queries, (triton.cdiv(queries, options["BM"]), batch * heads))(
        *inputs, dq, *strides, heads, *sizes, PRECISION="ieee", **options
    )
    return dq, dk, dv


def _configuration(d: int, item: int, tiles: tuple[int, int] | None) -> dict[str, Any]:
    """Tiles and warps for both kernels."""
    padded = max(16, triton.next_power_of_2(d))
    if item == 4:  # float32 is added up without tensor cores, in registers; at d = 256 some of them spill
        usual, warps = (32, 32) if padded <= 64 else (16, 16), 8
    else:
        usual, warps = (64, 64) if padded <= 128 else (32, 32), 4 if padded <= 64 else 8
    bm, bn = tiles or usual
    return {"BM": bm, "BN": bn, "BD": padded, "num_warps": warps, "num_stages": 2}


def flash_attention_with_gradients(
    q: Float[Tensor, "batch heads queries d"],
    k: Float[Tensor, "batch kv_heads keys d"],
    v: Float[Tensor, "batch kv_heads keys d"],
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    tiles: tuple[int, int] | None = None,
) -> Float[Tensor, "batch heads queries d"]:
    """`flash_attention`, with gradients for q, k and v; the same arguments, dtypes and errors.

    Kept for the backward pass: q, k, v, the result, and 4 bytes a query: no matrix of scores. Two kernels make the
    shares again, one by tiles of keys (dk, dv), one by tiles of queries (dq), so that nothing is added up atomically
    and the gradients have the same bits each time.
    Cost, for n queries, m keys, b bytes a number, tiles of BM queries and BN keys, for each head: 14 * n * m * d
    operations in dots (a forward pass takes 4) and 2 * n * m exps. The kernel of keys reads 2 * n * d * b * m / BN
    bytes of q and dout, the kernel of queries 2 * m * d * b * n / BM of k and v; each tensor once besides.
    Source: Dao 2023, "FlashAttention-2", algorithm 2; dq by a kernel of its own, as in Triton's tutorial.
    """
    _require(q, k, v, causal, window)
    return _FlashAttention.apply(q, k, v, {"causal": causal, "window": window, "scale": scale, "tiles": tiles})
