"""What chapter 1 builds: attention from scratch."""

from __future__ import annotations

import numpy as np

__all__ = ["softmax"]


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Stable softmax along an axis: shape in, shape out; rows of -inf only are not allowed.

    >>> softmax(np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
