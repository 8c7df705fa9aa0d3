"""What chapter 4 builds: positions as waves, and as rotations."""

from __future__ import annotations

import numpy as np

__all__ = ["apply_rope", "offset_matrix", "sinusoidal_encoding"]


def sinusoidal_encoding(n: int, d_model: int) -> np.ndarray:
    """Sinusoidal position encoding (Vaswani et al. 2017, section 3.5), shape (n, d_model); d_model is even.

    Row t: sines of t * w_i in the even columns 2i, cosines in the odd ones, with w_i = 10000 ** (-2i / d_model).
    """
    angles = np.outer(np.arange(n), 10000.0 ** (-np.arange(0, d_model, 2) / d_model))
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, d_model)


def offset_matrix(k: int, d_model: int) -> np.ndarray:
    """The matrix M of shape (d_model, d_model) with encoding[t] @ M = encoding[t + k] for every position t."""
    angles = k * 10000.0 ** (-np.arange(0, d_model, 2) / d_model)
    matrix = np.zeros((d_model, d_model))
    even, odd = np.arange(0, d_model, 2), np.arange(1, d_model, 2)
    matrix[even, even] = matrix[odd, odd] = np.cos(angles)
    matrix[odd, even], matrix[even, odd] = np.sin(angles), -np.sin(angles)
    return matrix


def apply_rope(x: np.ndarray, positions: np.ndarray, base: float = 10000.0) -> np.ndarray:
    """Rotary position embedding (Su et al. 2021, section 3.2.2): shape (n, d) in and out; d is even.

    The pair (x[t, 2i], x[t, 2i + 1]) turns counter-clockwise by positions[t] * base ** (-2i / d) radians.
    """
    d = x.shape[-1]
    angles = np.outer(positions, base ** (-np.arange(0, d, 2) / d))
    even, odd = x[:, 0::2], x[:, 1::2]
    turned = [even * np.cos(angles) - odd * np.sin(angles), even * np.sin(angles) + odd * np.cos(angles)]
    return np.stack(turned, axis=-1).reshape(x.shape)
