"""What lesson m22 builds: attention by tiles in NumPy, forward and backward, the bytes that it moves; Triton kernels.

A launcher lays out tensors, chooses the grid and launches the kernel that it is given; the checks call the same ones.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import kernels
from kernels.notebook import tl, triton

__all__ = [
    "add_tile", "attention_bytes", "causal_attention", "causal_tiles", "launch_attention", "launch_causal",
    "launch_rows", "launch_updates", "naive_three_kernels", "online_softmax", "tiled_attention", "tiled_backward",
]  # fmt: skip


# ---- what the exercises ask for ----------------------------------------------------------------------------------


def online_softmax(scores: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest score so far and sum of exp(score - largest so far) after each block: scores (m,), both (blocks,).

    >>> tops, totals = online_softmax(np.log([1.0, 3.0, 12.0]), 2)
    >>> np.exp(tops).round(9).tolist(), totals.round(9).tolist()
    ([3.0, 12.0], [1.333333333, 1.333333333])
    """
    tops, totals = [], []
    top, total = -np.inf, 0.0
    for start in range(0, len(scores), block):
        tile = scores[start : start + block]
        higher = max(top, tile.max())
        shift = higher if np.isfinite(higher) else 0.0
        total = total * np.exp(top - shift) + np.exp(tile - shift).sum()
        top = higher
        tops.append(top)
        totals.append(total)
    return np.array(tops), np.array(totals)


def add_tile(
    top: np.ndarray, total: np.ndarray, mixed: np.ndarray, scores: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is known of r queries, and c more keys: top, total (r,), mixed (r, d_v), scores (r, c), values (c, d_v)."""
    higher = np.maximum(top, scores.max(axis=1))
    shift = np.where(np.isfinite(higher), higher, 0.0)
    fade, powers = np.exp(top - shift), np.exp(scores - shift[:, None])
    return higher, total * fade + powers.sum(axis=1), mixed * fade[:, None] + powers @ values


def _finished(top: np.ndarray, total: np.ndarray, mixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Output and log-sum-exp of queries; 0 and -inf for those that saw nothing."""
    seen = total > 0
    total = np.where(seen, total, 1.0)
    return mixed / total[:, None], np.where(seen, top + np.log(total), -np.inf)


def tiled_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, block_q: int, block_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Attention without an (n, m) array: q (n, d), k (m, d), v (m, d_v) -> output (n, d_v), log-sum-exp (n,)."""
    every = np.full((-(-len(q) // block_q), -(-len(k) // block_k)), 2)
    return _by_tiles(q, k, v, block_q, block_k, every)


def causal_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, block_q: int, block_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `tiled_attention`; query i sees keys up to i + m - n, and tiles that nobody sees stay unread."""
    return _by_tiles(q, k, v, block_q, block_k, causal_tiles(len(q), len(k), block_q, block_k))


def _by_tiles(q: Any, k: Any, v: Any, block_q: int, block_k: int, tiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    output, lse = np.zeros((len(q), v.shape[1])), np.zeros(len(q))
    for a, i in enumerate(range(0, len(q), block_q)):
        tile = q[i : i + block_q]
        state = np.full(len(tile), -np.inf), np.zeros(len(tile)), np.zeros((len(tile), v.shape[1]))
        for b in np.flatnonzero(tiles[a]):
            j = b * block_k
            scores = tile @ k[j : j + block_k].T / np.sqrt(q.shape[1])
            if tiles[a, b] == 1:
                place = np.arange(i, i + len(tile))[:, None] + len(k) - len(q)
                scores = np.where(np.arange(j, j + scores.shape[1]) <= place, scores, -np.inf)
            state = add_tile(*state, scores, v[j : j + block_k])
        output[i : i + block_q], lse[i : i + block_q] = _finished(*state)
    return output, lse


def causal_tiles(n: int, m: int, block_q: int, block_k: int) -> np.ndarray:
    """For each tile of queries (a row) and of keys (a column): 0 nothing is seen, 1 a part, 2 all.

    >>> causal_tiles(4, 6, 2, 2).tolist()
    [[2, 1, 0], [2, 2, 1]]
    """
    first = np.arange(0, n, block_q)[:, None]
    last = np.minimum(first + block_q, n) - 1
    begin = np.arange(0, m, block_k)
    end = np.minimum(begin + block_k, m) - 1
    return (begin <= last + m - n).astype(int) + (end <= first + m - n)


def tiled_backward(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, output: np.ndarray, lse: np.ndarray, grad_output: np.ndarray,
    block_q: int, block_k: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Gradients of q, k and v from that of `tiled_attention`'s output, tile by tile from the saved log-sum-exp."""
    grad_q, grad_k, grad_v = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
    scale = 1 / np.sqrt(q.shape[1])
    for i in range(0, len(q), block_q):
        rows = slice(i, i + block_q)
        q_tile, grad = q[rows], grad_output[rows]
        delta = (grad * output[rows]).sum(axis=1)
        for j in range(0, len(k), block_k):
            columns = slice(j, j + block_k)
            k_tile, v_tile = k[columns], v[columns]
            weights = np.exp(q_tile @ k_tile.T * scale - lse[rows, None])
            grad_scores = weights * (grad @ v_tile.T - delta[:, None]) * scale
            grad_v[columns] += weights.T @ grad
            grad_q[rows] += grad_scores @ k_tile
            grad_k[columns] += grad_scores.T @ q_tile
    return grad_q, grad_k, grad_v


def attention_bytes(
    n: int, m: int, d: int, block_q: int, block_k: int, itemsize: int = 2, causal: bool = False
) -> dict[str, int]:
    """Bytes to and from slow memory of the three plain kernels, and of one by tiles.

    >>> attention_bytes(4, 6, 2, 2, 2)
    {'naive': 272, 'tiled': 144}
    """
    plain = (n * d + m * d + n * m) + 2 * n * m + (n * m + m * d + n * d)
    tiles = causal_tiles(n, m, block_q, block_k) if causal else np.ones((-(-n // block_q), -(-m // block_k)), int)
    heights = np.minimum(block_k, m - np.arange(0, m, block_k))
    rows = int(((tiles > 0) * heights).sum())
    return {"naive": itemsize * plain, "tiled": itemsize * (2 * n * d + 2 * rows * d) + 4 * n}


# ---- given to the lesson -----------------------------------------------------------------------------------------


class SlowMemoryError(RuntimeError):
    """An array in slow memory was read in a way that a kernel should not read it; the message says how."""


class Hbm(np.lib.mixins.NDArrayOperatorsMixin):
    """An array in a GPU's large and slow memory: it is read by slices of rows, and counts the bytes.

    `tile` is the most rows that one read may take, `most` the most bytes that all reads together may. Both are for the
    checks; without them anything can be read. Raises SlowMemoryError.

    >>> k = Hbm(np.ones((6, 4)))
    >>> k[0:2].shape, k.bytes_read
    ((2, 4), 64)
    """

    def __init__(self, array: np.ndarray, name: str = "array", tile: int | None = None, most: int | None = None):
        self._array, self.name, self.tile, self.most = array, name, tile, most
        self.shape, self.dtype, self.ndim, self.bytes_read = array.shape, array.dtype, array.ndim, 0

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, place: Any) -> Any:
        read = self._array[place].copy()
        if self.tile is not None and read.ndim == self.ndim and len(read) > self.tile:
            self._refuse(f"is read {len(read)} rows at once, and a tile of it has {self.tile}")
        self.bytes_read += read.nbytes
        if self.most is not None and self.bytes_read > self.most:
            self._refuse(
                f"is read more often than needed: {self.most} bytes are enough. Skip a tile of keys that no query of "
                "the tile may see before you read it, and read every other one once for each tile of queries"
            )
        return read

    def _refuse(self, what: str) -> Any:
        raise SlowMemoryError(f"`{self.name}` {what}.")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self._whole()

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        return self._whole()

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Arrays *like* this one can be made: that reads nothing."""
        likes = (np.zeros_like, np.empty_like, np.ones_like, np.full_like)
        return function(self._array, *args[1:], **kwargs) if function in likes else self._whole()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(name)
        return self._whole()

    def _whole(self) -> Any:
        """What needs all of it at once ends here."""
        return self._refuse(f"lies in slow memory, and you work on all of it. Load a tile, `{self.name}[i:j]`, first")


def naive_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """As `tiled_attention`, or if `causal` as `causal_attention`, with the whole table of scores in memory.

    The widest table is (n, m); a query that sees nothing gives 0 and a log-sum-exp of -inf.
    """
    scores = q @ k.T / np.sqrt(q.shape[1])
    if causal:
        scores = np.where(np.tri(len(q), len(k), len(k) - len(q), dtype=bool), scores, -np.inf)
    start = np.full(len(q), -np.inf), np.zeros(len(q)), np.zeros((len(q), v.shape[1]))
    return _finished(*add_tile(*start, scores, v))


# ---- launchers of Triton kernels ------------------------------------------------------------------------------------

GAP = 3  # numbers between two rows that belong to nobody: a kernel that runs past a row's end is found


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


# ---- what the exercises in Triton ask for -------------------------------------------------------------------------


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
