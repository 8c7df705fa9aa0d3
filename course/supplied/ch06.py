"""What chapter 6 builds: the causal mask."""

from __future__ import annotations

import numpy as np

__all__ = ["causal_mask"]


def causal_mask(n: int) -> np.ndarray:
    """Boolean mask of shape (n, n) that lets token i look at tokens 0..i. Raises ValueError if n is negative."""
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    return np.tri(n, dtype=bool)
