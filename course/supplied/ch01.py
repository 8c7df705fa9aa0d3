"""What chapter 1 builds, attention from scratch, and the hand-made word vectors that it looks at."""

from __future__ import annotations

import numpy as np

__all__ = ["similarity", "simple_attention", "softmax", "weighted_average"]

SENTENCE = ["The", "cat", "sat", "on", "the", "mat", "because", "it", "was", "tired"]
DIMENSIONS = ["animal", "furniture", "action", "place", "state", "function", "noun", "alive"]

# Made by hand, so that every number can be read: what a word has nothing of is 0. Real vectors are learned.
VECTORS = {
    "the": {"function": 1.5},
    "cat": {"animal": 1.5, "noun": 2.0, "alive": 1.0},
    "sat": {"action": 2.0, "place": 0.5, "alive": 0.5},
    "on": {"place": 1.5, "function": 1.0},
    "mat": {"furniture": 1.5, "place": 0.5, "noun": 2.0, "alive": -1.0},
    "because": {"function": 2.0},
    "it": {"function": 0.5, "noun": 1.5, "alive": 1.0},
    "was": {"state": 1.0, "function": 1.0},
    "tired": {"state": 1.5, "alive": 1.0},
    "soft": {"state": 1.5, "alive": -1.0},
}


def embed(words: list[str]) -> np.ndarray:
    """The vectors of these words, shape (n, 8), one row for each; the columns are `DIMENSIONS`. Raises KeyError.

    >>> embed(["tired"]).tolist()
    [[0.0, 0.0, 0.0, 0.0, 1.5, 0.0, 0.0, 1.0]]
    """
    return np.array([[VECTORS[word.lower()].get(name, 0.0) for name in DIMENSIONS] for word in words])


def similarity(x: np.ndarray) -> np.ndarray:
    """Dot products of all pairs of rows: shape (n, d) in, (n, n) out.

    >>> similarity(np.array([[1.0, 2.0], [0.0, 3.0]])).tolist()
    [[5.0, 6.0], [6.0, 9.0]]
    """
    return x @ x.T


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Stable softmax along an axis: shape in, shape out; rows of -inf only are not allowed.

    >>> softmax(np.array([1.0, 1.0]))
    array([0.5, 0.5])
    """
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def weighted_average(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Averages of the rows of values: weights (n, m), whose rows sum to 1, and values (m, d) give (n, d).

    >>> weighted_average(np.array([[0.25, 0.75]]), np.array([[0.0], [4.0]])).tolist()
    [[3.0]]
    """
    return weights @ values


def simple_attention(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Attention without projections: tokens (n, d) give their weighted averages (n, d) and the weights (n, n).

    >>> output, weights = simple_attention(np.zeros((2, 3)))
    >>> weights.tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    weights = softmax(similarity(x))
    return weighted_average(weights, x), weights
