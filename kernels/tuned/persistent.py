"""Fourth rung: as many programs as the GPU runs at once, each of which takes tile after tile.

What changes: the grid has one axis of at most two programs a multiprocessor, and a loop around the tile's work. With
`causal`, tiles are dealt from those that see most keys to those that see fewest; without it all tiles are equal, and a
head's tiles follow one another, so that its keys stay in the cache. Why it should pay: a program that ends leaves its
multiprocessor idle until the next has started, read its arguments and filled its pipeline; and long tiles that start
last are waited for by all others.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels.tuned._host import (
    Tiling,
    choose,
    described,
    factor_of,
    require,
    results,
    shape_blocks,
    sms_of,
    tilings,
)  # fmt: skip
from kernels.tuned.descriptors import attend_tile

SMALL = 64 * 64  # numbers of a tile of keys; a multiprocessor holds two programs with such tiles, else one


@triton.jit
def place_of(number, tiles, lines, CAUSAL: tl.constexpr):
    """(tile of queries, batch * heads + head) of the number-th piece of work."""
    if CAUSAL:
        return tiles - 1 - number // lines, number % lines
    return number % tiles, number // tiles


@triton.jit
def _flash_persistent(
    q, k, v, out, lse, lines, heads, share, queries, keys, scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    tiles = tl.cdiv(queries, BM)
    for number in range(tl.program_id(0), tiles * lines, tl.num_programs(0)):
        tile, line = place_of(number, tiles, lines, CAUSAL)
        attend_tile(
            q, k, v, out, lse, line // heads, line % heads, heads, share, tile * BM, queries, keys, scale,
            BM, BN, BD, CAUSAL, True, PRECISION,
        )  # fmt: skip


def grid_of(lines: int, queries: int, sms: int, small: int = SMALL) -> Any:
    """As many programs as run at once, but no more than there are tiles; two a multiprocessor for `small` tiles."""

    def grid(options: dict[str, Any]) -> tuple[int]:
        at_once = sms * (2 if options["BN"] * options["BD"] <= small else 1)
        return (min(at_once, lines * triton.cdiv(queries, options["BM"])),)

    return grid


def attend_persistent(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool = False,
    scale: float | None = None,
    tiling: Tiling | None = None,
    sms: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(out, lse) of attention; shapes, dtypes and errors as of `kernels.tuned.attend`.

    `sms` is the number of multiprocessors to fill, those of q's GPU unless given.
    """
    require(q, k, v, causal)
    out, lse = results(q)
    (batch, heads, queries, d), (kv_heads, keys) = q.shape, k.shape[1:3]
    factor = factor_of(scale, d)
    if out.numel() and k.numel():
        kernel, options = choose(_flash_persistent, tilings(d, q.element_size()), tiling, shape_blocks)
        bm, bn = (tiling or tilings(d, q.element_size())[0])[:2]
        bd = max(16, triton.next_power_of_2(d))
        launch(kernel, grid_of(batch * heads, queries, sms or sms_of(q)))(
            described(q, bm, bd), described(k, bn, bd), described(v, bn, bd), described(out, bm, bd), lse,
            batch * heads, heads, heads // kv_heads, queries, keys, factor,
            BD=bd, CAUSAL=causal, PRECISION="ieee", **options,
        )  # fmt: skip
    return out, lse
