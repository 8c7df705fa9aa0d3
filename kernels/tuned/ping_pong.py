"""Sixth rung: two groups of warps that take turns at the tensor cores (ping-pong), written in Gluon.

What changes: the kernel itself says who does what. A producer warp copies tiles of keys and values into rings of shared
memory; two groups of four warps have 64 queries each. Barriers in shared memory say which tile is there, which is free,
and whose turn it is to multiply queries by keys: a group hands its turn over before it computes exponentials. Why it
should pay: tensor cores and exponentials are different units of a multiprocessor, and when both groups do the same at
the same time one of the units rests. The compiler's own division (fifth rung) knows no turns.

Gluon is Triton's lower language, in which a program also says where every tile lies. This kernel is for sm_90 only,
and the simulator cannot run it: whether it is right can only be seen on a GPU (`make bench-kernels`, the tests).
Source: Shah et al. 2024, "FlashAttention-3", on ping-pong scheduling.
"""

from __future__ import annotations

from torch import Tensor
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from kernels._backend import launch, triton
from kernels.tuned._host import described, factor_of, require, results

ROWS = 64  # queries of a group: what one instruction of four warps multiplies
KEYS = {64: 128, 128: 128, 256: 64}  # of a tile, by d
STAGES = 2
PRODUCER_REGISTERS, CONSUMER_REGISTERS = 24, 240


@gluon.jit
def _trips(first, queries, keys, ROWS: gl.constexpr, BN: gl.constexpr, CAUSAL: gl.constexpr):
    """Tiles of keys that need no mask, and all, for both groups of a program."""
    end = keys
    every = keys // BN
    if CAUSAL:
        place = first + keys - queries
        end = gl.maximum(0, gl.minimum(keys, place + 2 * ROWS))
        every = gl.minimum(every, gl.maximum(0, place + 1) // BN)
    return every, gl.maximum(every, gl.cdiv(end, BN))


@gluon.jit
def _produce(
    q, k, v, tiles, bars, where, kv_head, ROWS: gl.constexpr, BN: gl.constexpr, STAGES: gl.constexpr
):  # fmt: skip
    """The producer: both tiles of queries, then tile after tile of keys and values into places that are free."""
    q_tiles, k_tiles, v_tiles = tiles
    q_ready, k_ready, k_free, v_ready, v_free, _turn = bars
    batch, head, _heads, first, _every, trips, _queries, _keys = where
    mbarrier.expect(q_ready.index(0), 2 * q.block_type.nbytes)
    for part in gl.static_range(2):
        tma.async_copy_global_to_shared(q, [batch, head, first + part * ROWS, 0], q_ready.index(0), q_tiles.index(part))
    for trip in range(0, trips):
        place, free = trip % STAGES, trip // STAGES % 2 ^ 1  # the first round finds every place free
        mbarrier.wait(k_free.index(place), free)
        mbarrier.expect(k_ready.index(place), k.block_type.nbytes)
        tma.async_copy_global_to_shared(k, [batch, kv_head, trip * BN, 0], k_ready.index(place), k_tiles.index(place))
        mbarrier.wait(v_free.index(place), free)
        mbarrier.expect(v_ready.index(place), v.block_type.nbytes)
        tma.async_copy_global_to_shared(v, [batch, kv_head, trip * BN, 0], v_ready.index(place), v_tiles.index(place))


@gluon.jit
def _see_tile(
    q_tile, k_tiles, v_tiles, bars, total, weight, largest, trip, row, queries, keys, scale,
    PART: gl.constexpr, ROWS: gl.constexpr, BN: gl.constexpr, BD: gl.constexpr, STAGES: gl.constexpr,
    CAUSAL: gl.constexpr, MASKED: gl.constexpr, SCORES: gl.constexpr, TOTAL: gl.constexpr,
):  # fmt: skip
    """One step of the online softmax by one group."""
    _q_ready, k_ready, k_free, v_ready, v_free, turn = bars
    place, ready = trip % STAGES, trip // STAGES % 2
    mbarrier.wait(k_ready.index(place), ready)
    mbarrier.wait(turn.index(PART), trip % 2 ^ (1 - PART))  # the first group begins
    k_tile = k_tiles.index(place).reshape([BN, BD]).permute((1, 0))
    scores = gl.zeros([ROWS, BN], gl.float32, SCORES)
    scores = warpgroup_mma(q_tile, k_tile, scores, use_acc=False, is_async=True)
    scores = warpgroup_mma_wait(0, deps=[scores])
    mbarrier.arrive(turn.index(1 - PART), count=1)
    mbarrier.arrive(k_free.index(place), count=1)
    if MASKED:
        key = trip * BN + gl.arange(0, BN, gl.SliceLayout(0, SCORES))[None, :]
        seen = key < keys
        if CAUSAL:
            seen = seen & (key <= row[:, None] + keys - queries)
        scores = gl.where(seen, scores, -float("inf"))
    new_largest = gl.maximum(largest, gl.max(scores, 1))
    shift = gl.where(new_largest == -float("inf"), 0.0, new_largest)
    shares = gl.exp2(scores * scale - (shift * scale)[:, None])
    fade = gl.exp2((largest - shift) * scale)
    weight = weight * fade + gl.sum(shares, 1)
    total = total * gl.convert_layout(fade, gl.SliceLayout(1, TOTAL))[:, None]
    left = gl.convert_layout(shares.to(v_tiles.dtype), gl.DotOperandLayout(0, TOTAL, 2))
    mbarrier.wait(v_ready.index(place), ready)
    total = warpgroup_mma(left, v_tiles.index(place).reshape([BN, BD]), total, is_async=True)
    total = warpgroup_mma_wait(0, deps=[total])
    mbarrier.arrive(v_free.index(place), count=1)
    return total, weight, new_largest


@gluon.jit
def _consume(
    tiles, bars, out, lse, where, scale, PART: gl.constexpr, ROWS: gl.constexpr, BN: gl.constexpr,
    BD: gl.constexpr, STAGES: gl.constexpr, CAUSAL: gl.constexpr,
):  # fmt: skip
    """A group: all keys for its queries, and the result through the place of its queries."""
    q_tiles, k_tiles, v_tiles = tiles
    batch, head, heads, first, every, trips, queries, keys = where
    SCORES: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, BN, 16])
    TOTAL: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, BD, 16])
    q_place = q_tiles.index(PART)
    q_tile = q_place.reshape([ROWS, BD])
    total = gl.zeros([ROWS, BD], gl.float32, TOTAL)
    weight = gl.zeros([ROWS], gl.float32, gl.SliceLayout(1, SCORES))
    largest = gl.full([ROWS], -float("inf"), gl.float32, gl.SliceLayout(1, SCORES))
    row = first + PART * ROWS + gl.arange(0, ROWS, gl.SliceLayout(1, SCORES))
    mbarrier.wait(bars[0].index(0), 0)
    for trip in range(0, every):
        total, weight, largest = _see_tile(
            q_tile, k_tiles, v_tiles, bars, total, weight, largest, trip, row, queries, keys, scale,
            PART, ROWS, BN, BD, STAGES, CAUSAL, False, SCORES, TOTAL,
        )  # fmt: skip
    for trip in range(every, trips):
        total, weight, largest = _see_tile(
            q_tile, k_tiles, v_tiles, bars, total, weight, largest, trip, row, queries, keys, scale,
            PART, ROWS, BN, BD, STAGES, CAUSAL, True, SCORES, TOTAL,
        )  # fmt: skip
    divisor = gl.where(weight > 0, weight, 1.0)  # a query that sees nothing gives 0
    log_sum = gl.where(weight > 0, largest * scale + gl.log2(divisor), -float("inf"))
    gl.store(lse + (batch * heads + head).to(gl.int64) * queries + row, log_sum, mask=row < queries)
    total = total / gl.convert_layout(divisor, gl.SliceLayout(1, TOTAL))[:, None]
    q_tile.store(total.to(out.dtype))
    fence_async_shared()
    tma.async_copy_shared_to_global(out, [batch, head, first + PART * ROWS, 0], q_place)
    tma.store_wait(0)


@gluon.jit
def _flash_ping_pong(
    q, k, v, out, lse, heads, share, queries, keys, scale,
    ROWS: gl.constexpr, BN: gl.constexpr, BD: gl.constexpr, STAGES: gl.constexpr, CAUSAL: gl.constexpr,
    PRODUCER: gl.constexpr, CONSUMER: gl.constexpr,
):  # fmt: skip
    first = (gl.num_programs(0) - 1 - gl.program_id(0)) * 2 * ROWS
    batch, head = gl.program_id(1) // heads, gl.program_id(1) % heads
    every, trips = _trips(first, queries, keys, ROWS, BN, CAUSAL)
    q_tiles = gl.allocate_shared_memory(q.dtype, [2, 1, 1, ROWS, BD], q.layout)
    k_tiles = gl.allocate_shared_memory(k.dtype, [STAGES, 1, 1, BN, BD], k.layout)
    v_tiles = gl.allocate_shared_memory(v.dtype, [STAGES, 1, 1, BN, BD], v.layout)
    q_ready = gl.allocate_shared_memory(gl.int64, [1, 1], mbarrier.MBarrierLayout())
    turn = gl.allocate_shared_memory(gl.int64, [2, 1], mbarrier.MBarrierLayout())
    k_ready = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    k_free = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    v_ready = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    v_free = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    mbarrier.init(q_ready.index(0), count=1)
    for i in gl.static_range(2):
        mbarrier.init(turn.index(i), count=1)
    for i in gl.static_range(STAGES):
        mbarrier.init(k_ready.index(i), count=1)
        mbarrier.init(v_ready.index(i), count=1)
        mbarrier.init(k_free.index(i), count=2)  # both groups have read it
        mbarrier.init(v_free.index(i), count=2)
    bars = (q_ready, k_ready, k_free, v_ready, v_free, turn)
    tiles = (q_tiles, k_tiles, v_tiles)
    where = (batch, head, heads, first, every, trips, queries, keys)
    gl.warp_specialize(
        [
            (_consume, (tiles, bars, out, lse, where, scale, 0, ROWS, BN, BD, STAGES, CAUSAL)),
            (_consume, (tiles, bars, out, lse, where, scale, 1, ROWS, BN, BD, STAGES, CAUSAL)),
            (_produce, (q, k, v, tiles, bars, where, head // share, ROWS, BN, STAGES)),
        ],
        [4, 1],
        [CONSUMER, PRODUCER],
    )  # fmt: skip


def _place_of(tensor: Tensor, rows: int, columns: int) -> TensorDescriptor:
    """A descriptor of a tensor of 2-byte numbers, with the layout of its tiles in shared memory."""
    tensor = described(tensor, rows, columns).base
    layout = gl.NVMMASharedLayout.get_default_for([1, 1, rows, columns], gl.float16)
    return TensorDescriptor.from_tensor(tensor, [1, 1, rows, columns], layout)


def attend_ping_pong(
    q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False, scale: float | None = None, tiling: None = None
) -> tuple[Tensor, Tensor]:
    """(out, lse) of attention; shapes and errors as of `kernels.tuned`, in float16 and bfloat16; one tiling."""
    require(q, k, v, causal)
    if q.element_size() != 2 or tiling is not None:
        raise ValueError("the ping-pong kernel takes float16 and bfloat16, and has a tiling of its own")
    out, lse = results(q)
    (batch, heads, queries, d), (kv_heads, keys) = q.shape, k.shape[1:3]
    factor, bd = factor_of(scale, d), max(64, triton.next_power_of_2(d))
    if out.numel() and k.numel():
        bn = KEYS[bd]
        launch(_flash_ping_pong, (triton.cdiv(queries, 2 * ROWS), batch * heads))(
            _place_of(q, ROWS, bd), _place_of(k, bn, bd), _place_of(v, bn, bd), _place_of(out, ROWS, bd), lse,
            heads, heads // kv_heads, queries, keys, factor, ROWS=ROWS, BN=bn, BD=bd, STAGES=STAGES, CAUSAL=causal,
            PRODUCER=PRODUCER_REGISTERS, CONSUMER=CONSUMER_REGISTERS, num_warps=4,
        )  # fmt: skip
    return out, lse
