"""Lesson m22: the launchers of its Triton kernels, and working versions of what its exercises ask for.

A launcher lays out tensors, chooses the grid and launches the kernel that it is given; the checks call the same ones.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import kernels
from kernels.notebook import tl, triton

__all__ = ["launch_attention", "launch_causal", "launch_rows", "launch_updates", "naive_three_kernels"]

GAP = 3  # numbers between two rows that belong to nobody: a kernel that runs past a row's end is found


# ---- launchers ---------------------------------------------------------------------------------------------------


def launch_rows(kernel: Any, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Launch `kernel(x, out, columns, x_row, out_row, BLOCK)`, one program for each row; `out` begins as NaN.

    A row begins `x_row` numbers after the row before it. BLOCK is the least power of two that a row fits into.
    """
    rows, columns = x.shape
    source, out = _with_gaps(x, GAP), _with_gaps(torch.full_like(x, torch.nan), GAP + 2)
    block = max(2, triton.next_power_of_2(columns))
    kernel[(rows,)](source, out, columns, source.stride(0), out.stride(0), BLOCK=block)
    return out.clone()


def launch_updates(
    update: Any, scores: Float[Tensor, "n m"], values: Float[Tensor, "m d"], tile: int
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, "n d"]]:  # fmt: skip
    """Feed scores and values to `update`, `tile` keys at a time, in one program; n, d and `tile` are powers of two.

    Gives what it carries on at the end: the largest score, the sum of exponentials, the sum of weighted values.
    """
    (n, m), d = scores.shape, values.shape[1]
    top, total = scores.new_full((n,), torch.nan), scores.new_full((n,), torch.nan)
    mixed = scores.new_full((n, d), torch.nan)
    _feed[(1,)](scores, values, top, total, mixed, m, UPDATE=update, N=n, D=d, TILE=tile)
    return top, total, mixed


def launch_attention(
    kernel: Any, q: Float[Tensor, "n d"], k: Float[Tensor, "m d"], v: Float[Tensor, "m d"], tiles: tuple[int, int]
) -> Float[Tensor, "n d"]:  # fmt: skip
    """Launch `kernel(q, k, v, out, n, m, scale, D, BM, BN)`, one program for each BM queries; `out` begins as NaN."""
    (n, d), (bm, bn) = q.shape, tiles
    out = torch.full((n, d), torch.nan, device=q.device)
    kernel[(triton.cdiv(n, bm),)](q, k, v, out, n, len(k), d**-0.5, D=d, BM=bm, BN=bn)
    return out


def launch_causal(
    kernel: Any, q: Float[Tensor, "heads n d"], k: Float[Tensor, "kv_heads m d"], v: Float[Tensor, "kv_heads m d"],
    tiles: tuple[int, int],
) -> tuple[Float[Tensor, "heads n d"], Float[Tensor, "heads n"]]:  # fmt: skip
    """Launch `kernel(q, k, v, out, lse, n, m, share, scale, D, BM, BN)` on a grid of (blocks of queries, heads).

    `share` neighbouring heads share keys and values. `out` and `lse` are float32 and begin as NaN.
    """
    (heads, n, d), (kv_heads, m, _), (bm, bn) = q.shape, k.shape, tiles
    out = torch.full((heads, n, d), torch.nan, device=q.device)
    lse = torch.full((heads, n), torch.nan, device=q.device)
    grid = (triton.cdiv(n, bm), heads)
    kernel[grid](q, k, v, out, lse, n, m, heads // kv_heads, d**-0.5, D=d, BM=bm, BN=bn)
    return out, lse


def naive_three_kernels(
    softmax_kernel: Any, q: Float[Tensor, "n d"], k: Float[Tensor, "m d"], v: Float[Tensor, "m d"], tile: int = 32
) -> Float[Tensor, "n d"]:
    """Attention with its (n, m) matrices in memory: a product, your softmax, a product; n, m, d multiples of `tile`."""
    (n, d), m = q.shape, len(k)
    scores, weights = q.new_full((n, m), torch.nan), q.new_full((n, m), torch.nan)
    out = q.new_full((n, d), torch.nan)
    sides = {"BM": tile, "BN": tile}
    _product[(n // tile, m // tile)](q, k, scores, d, m, d**-0.5, 1, d, K=min(d, tile), **sides)
    softmax_kernel[(n,)](scores, weights, m, m, m, BLOCK=max(2, triton.next_power_of_2(m)))
    _product[(n // tile, d // tile)](weights, v, out, m, d, 1.0, d, 1, K=tile, **sides)
    return out


def _with_gaps(x: Tensor, gap: int) -> Tensor:
    """The same numbers, with a gap after each row."""
    wide = x.new_full((*x.shape[:-1], x.shape[-1] + gap), torch.nan)
    wide[..., : x.shape[-1]] = x
    return wide[..., : x.shape[-1]]


@triton.jit
def _feed(scores, values, top, total, mixed, m, UPDATE: tl.constexpr, N: tl.constexpr, D: tl.constexpr,
          TILE: tl.constexpr):  # fmt: skip
    row, column = tl.arange(0, N), tl.arange(0, D)
    largest = tl.full([N], -float("inf"), tl.float32)
    weight, sums = tl.zeros([N], tl.float32), tl.zeros([N, D], tl.float32)
    for start in range(0, m, TILE):
        key = start + tl.arange(0, TILE)
        seen = tl.load(scores + row[:, None] * m + key[None, :], mask=(key < m)[None, :], other=-float("inf"))
        tile = tl.load(values + key[:, None] * D + column[None, :], mask=(key < m)[:, None], other=0.0)
        largest, weight, sums = UPDATE(largest, weight, sums, seen, tile)
    tl.store(top + row, largest)
    tl.store(total + row, weight)
    tl.store(mixed + row[:, None] * D + column[None, :], sums)


@triton.jit
def _product(a, b, c, inner, c_row, factor, b_row, b_column, BM: tl.constexpr, BN: tl.constexpr, K: tl.constexpr):
    row, column = tl.program_id(0) * BM + tl.arange(0, BM), tl.program_id(1) * BN + tl.arange(0, BN)
    sums = tl.zeros([BM, BN], tl.float32)
    for start in range(0, inner, K):
        at = start + tl.arange(0, K)
        left = tl.load(a + row[:, None] * inner + at[None, :])
        right = tl.load(b + at[:, None] * b_row + column[None, :] * b_column)
        sums = tl.dot(left, right, sums, input_precision="ieee")
    tl.store(c + row[:, None] * c_row + column[None, :], sums * factor)


# ---- what the exercises ask for ----------------------------------------------------------------------------------


@triton.jit
def softmax_kernel(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    """Softmax of one row, kept on the chip between its passes."""
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    inside = at < columns
    scores = tl.load(x + row * x_row + at, mask=inside, other=-float("inf"))
    powers = tl.exp(scores - tl.max(scores, 0))
    tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=inside)


@triton.jit
def online_update(top, total, mixed, scores, values):
    """Carry the online softmax on by one tile of scores (BM, BN) and values (BN, D)."""
    higher = tl.maximum(top, tl.max(scores, 1))
    shift = tl.where(higher == -float("inf"), 0.0, higher)
    powers = tl.exp(scores - shift[:, None])
    fade = tl.exp(top - shift)
    mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
    return higher, total * fade + tl.sum(powers, 1), mixed


@triton.jit
def attention_kernel(q, k, v, out, n, m, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    """Attention of BM queries with all keys, tile by tile."""
    row, column = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, D)
    here = row[:, None] * D + column[None, :]
    inside = (row < n)[:, None]
    q_tile = tl.load(q + here, mask=inside, other=0.0)
    top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
    mixed = tl.zeros([BM, D], tl.float32)
    for start in range(0, m, BN):
        key = start + tl.arange(0, BN)
        there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
        k_tile = tl.load(k + there, mask=exists, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
        scores = tl.where((key < m)[None, :], scores, -float("inf"))
        v_tile = tl.load(v + there, mask=exists, other=0.0)
        top, total, mixed = online_update(top, total, mixed, scores, v_tile)
    tl.store(out + here, mixed / total[:, None], mask=inside)


@triton.jit
def causal_kernel(
    q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr
):  # fmt: skip
    """Causal attention of BM queries of one head, and each query's log of the sum of exponentials."""
    head = tl.program_id(1)
    q += head * n * D
    out += head * n * D
    k += head // share * m * D
    v += head // share * m * D
    first = tl.program_id(0) * BM
    row, column = first + tl.arange(0, BM), tl.arange(0, D)
    here, inside = row[:, None] * D + column[None, :], (row < n)[:, None]
    q_tile = tl.load(q + here, mask=inside, other=0.0)
    top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
    mixed = tl.zeros([BM, D], tl.float32)
    for start in range(0, tl.minimum(m, first + BM + m - n), BN):
        key = start + tl.arange(0, BN)
        there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
        k_tile = tl.load(k + there, mask=exists, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
        seen = (key < m)[None, :] & (key[None, :] <= row[:, None] + m - n)
        scores = tl.where(seen, scores, -float("inf"))
        v_tile = tl.load(v + there, mask=exists, other=0.0)
        top, total, mixed = online_update(top, total, mixed, scores, v_tile)
    divisor = tl.where(total > 0, total, 1.0)
    tl.store(out + here, mixed / divisor[:, None], mask=inside)
    tl.store(lse + head * n + row, top + tl.log(divisor), mask=row < n)


# ---- what was measured on a GPU ----------------------------------------------------------------------------------

NOT_MEASURED = (
    "No record of a measurement is here: these kernels have not been timed on a GPU yet. On a machine with one, "
    "`make bench-kernels` measures them."
)


def ladder(record: Path | None = None) -> str:
    """The forward pass rung by rung, as a table of what `make bench-kernels` measured; says so if nothing was."""
    path = record or Path(kernels.__file__).parent / "measured" / "kernels.csv"
    if not path.exists():
        return NOT_MEASURED
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["kernel"], row["pass"]) == ("flash_attention", "forward")]
    timed = [row for row in rows if row["ms"]]
    if not timed:
        return NOT_MEASURED
    lines = [f"{'way':32s} {'n':>6s} {'d':>4s} {'causal':>6s} {'TFLOP/s':>8s} {'torch / this':>12s}"]
    for row in timed:
        ratio = f"{float(row['ratio']):12.2f}" if row["ratio"] else f"{'':12s}"
        causal = "yes" if row["causal"] in ("1", "True") else "no"
        lines.append(f"{row['way']:32s} {row['n']:>6s} {row['d']:>4s} {causal:>6s} {float(row['tflops']):8.0f} {ratio}")
    return "\n".join([timed[0]["measured on"], *lines])
