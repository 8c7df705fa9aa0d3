"""What the comparisons share: tensors, float32 versions, and a verdict on an object of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from autograder.exercise import find
from tests.lessons.tools import hidden_verdict

SEEDS = range(1, 21)


def tensor(array: Any) -> torch.Tensor:
    """A float64 tensor of an array."""
    return torch.from_numpy(np.asarray(array, np.float64))


def single(value: Any) -> Any:
    """The same data in float32."""
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    if isinstance(value, dict):
        return {k: single(v) for k, v in value.items()}
    return tuple(map(single, value)) if isinstance(value, list | tuple) else value


def require_full_points_in_float32(exercise_id: str, solution: Callable[..., Any]) -> None:
    """A solution that gets its inputs, and gives its results, in float32 passes whatever the seed."""
    definition = find(exercise_id)

    def rounded(*args: Any, **kwargs: Any) -> Any:
        return single(solution(*map(single, args), **single(kwargs)))

    for seed in SEEDS:
        verdict = hidden_verdict(definition, seed, {definition.name: rounded}, "")
        assert verdict.passed, verdict


def attention_in_float32(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = True) -> tuple[np.ndarray, ...]:
    """A student's attention that computes in the inputs' dtype, and gives empty rows 0."""
    if q.shape[1] != k.shape[1] or len(k) != len(v):
        raise ValueError
    scores = np.where(mask, q @ k.T / np.sqrt(np.float32(k.shape[1])), np.float32(-np.inf))
    top = scores.max(axis=1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, np.float32(0)))
    weights = powers / np.maximum(powers.sum(axis=1, keepdims=True), np.float32(1e-30))
    return weights @ v, weights
