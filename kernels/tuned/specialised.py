"""Fifth rung: warps with one job each (warp specialisation), which the compiler divides a loop among.

What changes: there is one loop over keys, `tl.range(..., warp_specialize=True)`: one group of warps only starts copies,
the others only compute. Why it should pay: copies are started in time, whatever the computing warps wait for, and need
hardly any registers, which the others get. What it costs: the compiler divides a single loop, of a kernel with four
warps, so a tile that needs no mask gets one too where there are any (`causal`, or a last tile of keys that is not
full); and a tile has 64 queries, for it cannot divide tiles that are cut out of four axes between two groups of
computing warps (Triton 3.7). On GPUs before sm_90, and in the simulator, it is an ordinary loop.
"""

from __future__ import annotations

from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels.flash_attention import _keys_of
from kernels.tuned._host import Tiling, described, factor_of, require, results, sms_of, tilings
from kernels.tuned.descriptors import see_tile, store_tile
from kernels.tuned.persistent import grid_of, place_of

TILING = Tiling(64, 64, 4, 2)  # what the compiler takes, without spilled registers


@triton.jit
def _flash_specialised(
    q, k, v, out, lse, lines, heads, share, queries, keys, scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, MASKED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    tiles = tl.cdiv(queries, BM)
    for number in range(tl.program_id(0), tiles * lines, tl.num_programs(0)):
        tile, line = place_of(number, tiles, lines, CAUSAL)
        first, batch, head = tile * BM, line // heads, line % heads
        q_tile = q.load([batch, head, first, 0]).reshape(BM, BD)
        total, weight = tl.zeros([BM, BD], tl.float32), tl.zeros([BM], tl.float32)
        largest = tl.full([BM], -float("inf"), tl.float32)
        place = first + tl.arange(0, BM) + keys - queries
        _begin, end, _every_begin, _every_end = _keys_of(first, BM, queries, keys, 0, CAUSAL, BN)
        for start in tl.range(0, end, BN, warp_specialize=True):
            total, weight, largest = see_tile(
                q_tile, total, weight, largest, k, v, batch, head // share, start, place, keys, scale,
                BN, BD, CAUSAL, MASKED, True, PRECISION,
            )  # fmt: skip
        store_tile(total, weight, largest, out, lse, batch, head, heads, first, queries, scale, BM, BD, True)


def attend_specialised(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    scale: float | None = None,
    tiling: Tiling | None = None,
    sms: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(out, lse) of attention; shapes, dtypes and errors as of `kernels.tuned.attend`, `sms` as in persistent.py."""
    require(q, k, v, causal)
    out, lse = results(q)
    (batch, heads, queries, d), (kv_heads, keys) = q.shape, k.shape[1:3]
    factor, bd = factor_of(scale, d), max(16, triton.next_power_of_2(d))
    if out.numel() and k.numel():
        usual = TILING if q.element_size() == 2 and bd <= 128 else tilings(d, q.element_size())[0]
        bm, bn, warps, stages = tiling or usual
        launch(_flash_specialised, grid_of(batch * heads, queries, sms or sms_of(q), small=0))(  # one fills it
            described(q, bm, bd), described(k, bn, bd), described(v, bn, bd), described(out, bm, bd), lse,
            batch * heads, heads, heads // kv_heads, queries, keys, factor,
            BM=bm, BN=bn, BD=bd, CAUSAL=causal, MASKED=causal or keys % bn > 0, PRECISION="ieee",
            num_warps=warps, num_stages=stages,
        )  # fmt: skip
    return out, lse
