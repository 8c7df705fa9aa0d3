"""Second rung: tiles come and go by tensor descriptors, through the copy engine (TMA) of sm_90.

What changes: the tensors are described once on the host (address, shape, strides, tile), and a tile is asked for by its
corner. Why it should pay: with pointers each thread computes the addresses and masks of what it copies, in registers
that the accumulator needs; here one thread starts the copy of a whole tile, and the hardware fills what lies beyond the
end with zeros.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels.flash_attention import _keys_of, _sees
from kernels.tuned._host import Tiling, choose, described, factor_of, require, results, shape_blocks, tilings


@triton.jit
def see_tile(
    q, total, weight, largest, k, v, batch, kv_head, start, place, keys, scale,
    BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, MASKED: tl.constexpr, FOLDED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """One step of the online softmax: BN more keys and values. FOLDED is the idea of folded.py."""
    k_tile = k.load([batch, kv_head, start, 0]).reshape(BN, BD)
    scores = tl.dot(q, tl.trans(k_tile), input_precision=PRECISION)
    if not FOLDED:
        scores = scores * scale
    if MASKED:
        key = start + tl.arange(0, BN)
        scores = tl.where(_sees(place[:, None], key[None, :], keys, 0, CAUSAL), scores, -float("inf"))
    new_largest = tl.maximum(largest, tl.max(scores, 1))
    shift = tl.where(new_largest == -float("inf"), 0.0, new_largest)  # nothing seen yet: inf - inf would be NaN
    if FOLDED:
        shares = tl.exp2(scores * scale - (shift * scale)[:, None])
        fade = tl.exp2((largest - shift) * scale)
    else:
        shares = tl.exp2(scores - shift[:, None])
        fade = tl.exp2(largest - shift)
    v_tile = v.load([batch, kv_head, start, 0]).reshape(BN, BD)
    total = tl.dot(shares.to(v_tile.dtype), v_tile, total * fade[:, None], input_precision=PRECISION)
    return total, weight * fade + tl.sum(shares, 1), new_largest


@triton.jit
def store_tile(
    total, weight, largest, out, lse, batch, head, heads, first, queries, scale,
    BM: tl.constexpr, BD: tl.constexpr, FOLDED: tl.constexpr,
):  # fmt: skip
    """Divide the sums, and store them and their logarithms."""
    row = first + tl.arange(0, BM)
    divisor = tl.where(weight > 0, weight, 1.0)  # a query that sees nothing gives 0
    tile = (total / divisor[:, None]).to(out.dtype)
    out.store([batch, head, first, 0], tile.reshape(1, 1, BM, BD))
    if FOLDED:
        largest = largest * scale
    log_sum = tl.where(weight > 0, largest + tl.log2(divisor), -float("inf"))
    tl.store(lse + (batch * heads + head).to(tl.int64) * queries + row, log_sum, mask=row < queries)


@triton.jit
def attend_tile(
    q, k, v, out, lse, batch, head, heads, share, first, queries, keys, scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, FOLDED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """All keys for the queries of one tile, as in the teaching kernel."""
    q_tile = q.load([batch, head, first, 0]).reshape(BM, BD)
    total, weight = tl.zeros([BM, BD], tl.float32), tl.zeros([BM], tl.float32)
    largest = tl.full([BM], -float("inf"), tl.float32)
    place = first + tl.arange(0, BM) + keys - queries
    _begin, end, _every_begin, every_end = _keys_of(first, BM, queries, keys, 0, CAUSAL, BN)
    for start in range(0, every_end, BN):
        total, weight, largest = see_tile(
            q_tile, total, weight, largest, k, v, batch, head // share, start, place, keys, scale,
            BN, BD, CAUSAL, False, FOLDED, PRECISION,
        )  # fmt: skip
    for start in range(every_end, end, BN):
        total, weight, largest = see_tile(
            q_tile, total, weight, largest, k, v, batch, head // share, start, place, keys, scale,
            BN, BD, CAUSAL, True, FOLDED, PRECISION,
        )  # fmt: skip
    store_tile(total, weight, largest, out, lse, batch, head, heads, first, queries, scale, BM, BD, FOLDED)


@triton.jit
def _flash_descriptors(
    q, k, v, out, lse, heads, share, queries, keys, scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, FOLDED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    first = (tl.num_programs(0) - 1 - tl.program_id(0)) * BM  # the last queries see most keys: they start first
    batch, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    attend_tile(
        q, k, v, out, lse, batch, head, heads, share, first, queries, keys, scale, BM, BN, BD, CAUSAL, FOLDED, PRECISION
    )


def grid_of(batch: int, heads: int, queries: int) -> Any:
    """A program for each tile of queries of each head, whatever tile is chosen."""
    return lambda options: (triton.cdiv(queries, options["BM"]), batch * heads)


def attend_by_descriptors(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    scale: float | None = None,
    tiling: Tiling | None = None,
    folded: bool = False,
) -> tuple[Tensor, Tensor]:
    """(out, lse) of attention; shapes, dtypes and errors as of `kernels.tuned.attend`."""
    require(q, k, v, causal)
    out, lse = results(q)
    (batch, heads, queries, d), (kv_heads, keys) = q.shape, k.shape[1:3]
    factor = factor_of(scale, d)
    if out.numel() and k.numel():
        kernel, options = choose(_flash_descriptors, tilings(d, q.element_size()), tiling, shape_blocks)
        bm, bn = (tiling or tilings(d, q.element_size())[0])[:2]
        bd = max(16, triton.next_power_of_2(d))
        launch(kernel, grid_of(batch, heads, queries))(
            described(q, bm, bd), described(k, bn, bd), described(v, bn, bd), described(out, bm, bd), lse,
            heads, heads // kv_heads, queries, keys, factor,
            BD=bd, CAUSAL=causal, FOLDED=folded, PRECISION="ieee", **options,
        )  # fmt: skip
    return out, lse
