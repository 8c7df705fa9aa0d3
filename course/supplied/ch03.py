"""What chapter 3 builds: multi-head attention."""

from __future__ import annotations

import numpy as np

from course.supplied.ch01 import softmax

__all__ = ["merge_heads", "multi_head_attention", "split_heads"]


def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """Cut x (n, d_model) into (heads, n, d_head); head h gets columns h * d_head to (h + 1) * d_head.

    Raises ValueError if d_model is no multiple of heads.
    """
    return x.reshape(len(x), heads, -1).swapaxes(0, 1)


def merge_heads(x: np.ndarray) -> np.ndarray:
    """Lay the heads (heads, n, d_head) side by side: (n, heads * d_head). Undoes `split_heads`."""
    heads, n, d_head = x.shape
    return x.swapaxes(0, 1).reshape(n, heads * d_head)


def multi_head_attention(
    x: np.ndarray, p: dict[str, np.ndarray], heads: int, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2.2).

    x (n, d_model); p holds w_q, w_k, w_v, w_o, each (d_model, d_model); mask (n, n), bool, True = may attend, each row
    with at least one True. Returns the output (n, d_model) and the weights (heads, n, n).
    """
    q, k, v = (split_heads(x @ p[name], heads) for name in ("w_q", "w_k", "w_v"))
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weights = softmax(scores)
    return merge_heads(weights @ v) @ p["w_o"], weights
