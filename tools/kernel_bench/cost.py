"""What a kernel's work takes at least, by formula: operations in dots, and bytes to and from memory.

`dots` counts what the task needs, the same for all who do it, so that TFLOP/s can be compared: a backward pass of
attention is 10 * n * m * d, although ours, which makes the shares twice, does 14. `moved` counts each number once, as
if the cache held all that is used again. tests/kernels/test_bench.py holds both against the simulator's counts.
"""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """Operations in dots (0: there are none) and bytes."""

    dots: int
    moved: int


def add(n: int, b: int) -> Cost:
    """Two read, one written."""
    return Cost(0, 3 * n * b)


def rows_through(rows: int, columns: int, b: int, ways: int = 2, extra: int = 0) -> Cost:
    """A pass that reads and writes whole rows, `ways` of them in all, and `extra` bytes besides."""
    return Cost(0, ways * rows * columns * b + extra)


def matmul(m: int, n: int, k: int, b: int, weight_bytes: int | None = None) -> Cost:
    """(m, k) @ (k, n); the second matrix has `weight_bytes` where it is not of b bytes a number."""
    return Cost(2 * m * n * k, (m * k + m * n) * b + (n * k * b if weight_bytes is None else weight_bytes))


def attention(lines: int, n: int, d: int, b: int, causal: bool) -> Cost:
    """Forward among n, for `lines` heads in all: q, k, v in, the result and 4 bytes a query out."""
    return Cost(_share(4 * lines * n * n * d, causal), lines * n * (4 * d * b + 4))


def attention_backward(lines: int, n: int, d: int, b: int, causal: bool) -> Cost:
    """q, k, v, out, dout in, three gradients out, and 4 bytes a query in."""
    return Cost(_share(10 * lines * n * n * d, causal), lines * n * (8 * d * b + 4))


def _share(operations: int, causal: bool) -> int:
    """Half of them with a causal mask, as papers count (a little more is visible)."""
    return operations // 2 if causal else operations


def cross_entropy(rows: int, classes: int, b: int) -> Cost:
    """Loss: logits and targets (8 bytes) in, a loss and a logarithm (4 bytes each) out."""
    return Cost(0, rows * (classes * b + 16))


def cross_entropy_backward(rows: int, classes: int, b: int) -> Cost:
    """Gradient: logits in, as many numbers out; target, logarithm and upstream gradient."""
    return Cost(0, rows * (2 * classes * b + 16))


def decode(sequences: int, keys: int, heads: int, kv_heads: int, d: int, b: int) -> Cost:
    """One query a sequence against its cache."""
    return Cost(
        4 * sequences * heads * keys * d, 2 * sequences * keys * kv_heads * d * b + 2 * sequences * heads * d * b
    )
