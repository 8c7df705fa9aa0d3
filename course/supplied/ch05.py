"""What chapter 5 builds: the encoder block and its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course.supplied.ch03 import multi_head_attention

__all__ = ["encoder_block", "feed_forward", "gelu", "layer_norm"]


def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Layer normalisation over the last axis (Ba et al. 2016): shape (..., d) in and out."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gain * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps) + bias


def gelu(x: np.ndarray) -> np.ndarray:
    """GELU in its tanh form (Hendrycks and Gimpel 2016, section 2)."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def feed_forward(x: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Two linear maps with a GELU between them, for each token alone (Vaswani et al. 2017, section 3.3).

    x (..., d_model), p["w_1"] (d_model, d_ff), p["b_1"] (d_ff,), p["w_2"] (d_ff, d_model), p["b_2"] (d_model,).
    """
    return gelu(x @ p["w_1"] + p["b_1"]) @ p["w_2"] + p["b_2"]


def encoder_block(x: np.ndarray, p: dict[str, Any], heads: int, mask: np.ndarray | None = None) -> np.ndarray:
    """One pre-norm encoder block (Xiong et al. 2020, section 3): x (n, d_model) in and out.

    p["norm_1"] and p["norm_2"] hold "gain" and "bias", p["attention"] is multi_head_attention's p, p["ffn"] is
    feed_forward's; mask (n, n) with True = may attend, None lets every token see every token.
    """
    attended, _ = multi_head_attention(layer_norm(x, **p["norm_1"]), p["attention"], heads, mask)
    x = x + attended
    return x + feed_forward(layer_norm(x, **p["norm_2"]), p["ffn"])


# ---- given to the chapter's experiment ---------------------------------------------------------------------------


def random_block(rng: np.random.Generator, d_model: int, d_ff: int) -> dict[str, Any]:
    """Random weights for `encoder_block`, scaled so that each product gives numbers of about the size it gets."""

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.standard_normal((rows, columns)) / np.sqrt(rows)

    attention = {name: matrix(d_model, d_model) for name in ("w_q", "w_k", "w_v", "w_o")}
    ffn = {"w_1": matrix(d_model, d_ff), "b_1": np.zeros(d_ff), "w_2": matrix(d_ff, d_model), "b_2": np.zeros(d_model)}
    norms = {f"norm_{i}": {"gain": np.ones(d_model), "bias": np.zeros(d_model)} for i in (1, 2)}
    return {**norms, "attention": attention, "ffn": ffn}


def without_residuals(
    attention: Callable[..., Any], ffn: Callable[..., Any], norm: Callable[..., Any] | None = None
) -> Callable[[np.ndarray, dict[str, Any], int], np.ndarray]:
    """A block of these parts without its two additions, and without norms if `norm` is None: (x, p, heads) -> x."""

    def block(x: np.ndarray, p: dict[str, Any], heads: int) -> np.ndarray:
        z = norm(x, **p["norm_1"]) if norm else x
        z, _ = attention(z, p["attention"], heads)
        return ffn(norm(z, **p["norm_2"]) if norm else z, p["ffn"])

    return block
