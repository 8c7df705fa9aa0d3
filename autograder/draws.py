"""The random numbers that hidden cases are made of, so drawn that a function which only remembers answers is caught.

A definition's `cases(rng)` uses the generator for two things: single numbers that decide shapes, as
`rng.integers(6, 20)`, and arrays that fill them. A second draw repeats the single whole numbers and fills the arrays
anew: every shape comes back with other values, whatever the exercise.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


class Draws(np.random.Generator):
    """A generator of one exercise of one submission. `round` 0, 1, ... differ in arrays and single floats only."""

    def __init__(self, seed: int, exercise_id: str, round: int = 0):
        digest = hashlib.sha256(exercise_id.encode()).digest()
        entropy = [seed, int.from_bytes(digest[:8], "big")]
        super().__init__(np.random.PCG64([*entropy, round]))
        self._shapes = np.random.default_rng(entropy)

    def integers(self, low: Any, high: Any = None, size: Any = None, **kwargs: Any) -> Any:
        """As NumPy's; a single number is the same in every round."""
        source = self._shapes if _is_single(low, high, size) else super()
        return source.integers(low, high, size, **kwargs)

    def choice(self, a: Any, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As NumPy's; a single choice is the same in every round."""
        source = self._shapes if size is None else super()
        return source.choice(a, size, *args, **kwargs)


def _is_single(low: Any, high: Any, size: Any) -> bool:
    return size is None and np.ndim(low) == 0 and np.ndim(high) == 0
