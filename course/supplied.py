"""Working versions of functions that other lessons build, for a lesson that needs them before they are written.

The widgets draw with these, greyed, until the student's own function passes its checks.
"""

from __future__ import annotations

import numpy as np


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Stable softmax along an axis: shape in, shape out; rows of -inf only are not allowed.

    >>> softmax(np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def attention(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1).

    queries (n, d_k), keys (m, d_k), values (m, d_v), mask (n, m) with True = may attend; returns the output (n, d_v)
    and the weights (n, m).
    """
    scores = queries @ keys.T / np.sqrt(queries.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weights = softmax(scores)
    return weights @ values, weights


def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Layer normalisation over the last axis (Ba et al. 2016): shape (..., d) in and out."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gain * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps) + bias


def gelu(x: np.ndarray) -> np.ndarray:
    """GELU in its tanh form (Hendrycks and Gimpel 2016, section 2)."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
