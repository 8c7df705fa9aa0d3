"""What chapter 2 builds: scaled dot-product attention."""

from __future__ import annotations

import numpy as np

from course.supplied.ch01 import softmax

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1).

    queries (n, d_k), keys (m, d_k), values (m, d_v), mask (n, m) with True = may attend; returns the output (n, d_v)
    and the weights (n, m). Without a mask every query sees every key.
    """
    scores = queries @ keys.T / np.sqrt(queries.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weights = softmax(scores)
    return weights @ values, weights
