"""What lesson m22 builds: attention by tiles in NumPy, forward and backward, the bytes that it moves; Triton launchers.

A launcher lays out tensors, chooses the grid and launches the kernel that it is given; the checks call the same ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kernels.notebook import triton

__all__ = [
    "add_tile", "attention_bytes", "causal_attention", "causal_tiles", "launch_rows", "online_softmax",
    "tiled_attention", "tiled_backward",
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


# ---- launchers of Triton kernels ----------------------------------------------------------------------------------

GAP = 3  # numbers between two rows that belong to nobody: a kernel that runs past a row's end is found


def launch_rows(kernel, x: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Launch `kernel(x, out, columns, x_row, out_row, BLOCK)`, one program for each row; `out` begins as NaN.

    A row begins `x_row` numbers after the row before it. BLOCK is the least power of two that a row fits into.
    """
    rows, columns = x.shape
    source, out = _with_gaps(x), _with_gaps(torch.full_like(x, torch.nan))
    block = max(2, triton.next_power_of_2(columns))
    kernel[(rows,)](source, out, columns, source.stride(0), out.stride(0), BLOCK=block)
    return out.clone()


def _with_gaps(x: Tensor) -> Tensor:
    """The same numbers, with a gap after each row."""
    wide = x.new_full((*x.shape[:-1], x.shape[-1] + GAP), torch.nan)
    wide[..., : x.shape[-1]] = x
    return wide[..., : x.shape[-1]]
