"""What chapter 3 builds: multi-head attention."""

from __future__ import annotations

import numpy as np

from course.supplied.ch02 import scaled_dot_product_attention

__all__ = ["merge_heads", "multi_head_attention", "split_heads"]


def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """Cut each row into equal pieces, one for each head: (n, d_model) to (heads, n, d_model / heads)."""
    n, d_model = x.shape
    return x.reshape(n, heads, d_model // heads).transpose(1, 0, 2)


def merge_heads(x: np.ndarray) -> np.ndarray:
    """Put the heads' pieces side by side again: (heads, n, d_head) to (n, heads * d_head)."""
    heads, n, d_head = x.shape
    return x.transpose(1, 0, 2).reshape(n, heads * d_head)


def multi_head_attention(
    x: np.ndarray, p: dict[str, np.ndarray], heads: int, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2.2).

    x (n, d_model); p has w_q, w_k, w_v, w_o, each (d_model, d_model); mask (n, n) with True = may attend, or None.
    Returns the output (n, d_model) and the weights (heads, n, n).
    """
    q, k, v = (split_heads(x @ p[name], heads) for name in ("w_q", "w_k", "w_v"))
    each = [scaled_dot_product_attention(q[h], k[h], v[h], mask) for h in range(heads)]
    output = merge_heads(np.stack([one[0] for one in each])) @ p["w_o"]
    return output, np.stack([one[1] for one in each])
