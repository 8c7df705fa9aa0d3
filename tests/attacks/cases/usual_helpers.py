"""Tries: helpers, comprehensions, try, with, match and type hints in an answer (honest). Must: keep its points."""

KIND = "Honest but odd"
HONEST = True
SETUP = """
from __future__ import annotations
import math
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
import numpy as np
import numpy.typing as npt
SCALE: float = 0.5
@dataclass
class Scaler:
    power: float = SCALE
    def __call__(self, width: int) -> float: return math.pow(width, self.power)
def row_softmax(row: npt.NDArray) -> list[float]:
    global calls
    calls = 1
    top = max(row)
    return [p / total for powers in [[math.exp(s - top) for s in row]] if (total := sum(powers)) for p in powers]
"""
ANSWERS = {
    "ch02.scaled_dot_product_attention": """
def scaled_dot_product_attention(q: t.Any, k, v):
    scale: Callable[[int], float] = Scaler()
    try:
        scores = [[sum(a * b for a, b in zip(x, y, strict=True)) / scale(len(y)) for y in k] for x in q]
    except (ValueError, TypeError) as problem:
        raise ValueError(f"{problem!s}") from problem
    match v.shape:
        case (rows, *columns) if columns:
            weights = np.array([row_softmax(r) for r in scores])
    with np.errstate(all="ignore"):
        return weights @ v, weights
"""
}
