"""What chapter 10 builds: instruments that look inside a decoder, and the small models that they look at."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course.supplied.ch07 import unflatten

__all__ = ["ablate_head", "head_writes", "induction_score", "logit_lens", "previous_token_score"]

Parameters = dict[str, Any]
Replace = Callable[[int, Tensor, Tensor], Tensor]

# How the experiment trains; `tools/measure_induction.py` repeats it over seeds.
RECIPE = {
    "vocab_size": 64, "d_model": 64, "heads": 4, "length": 48, "periods": (6, 24),
    "batch": 32, "steps": 1200, "warmup": 50, "peak": 3e-3, "floor": 3e-4, "beta2": 0.98,
}  # fmt: skip
CHECKPOINT = Path(__file__).parents[1] / "checkpoints" / "ch10_induction.safetensors"


# ---- what the exercises ask for ----------------------------------------------------------------------------------


def logit_lens(residuals: Tensor, p: Parameters) -> Tensor:
    """The logits that a model would give if it stopped at each station: (S, T, d_model) -> (S, T, V)."""
    norm = p["norm"]
    return F.layer_norm(residuals, residuals.shape[-1:], norm["gain"], norm["bias"]) @ p["embed"].T


def head_writes(outputs: Tensor, w_o: Tensor) -> Tensor:
    """What each head adds to the residual stream: (h, T, d_head) and (h * d_head, d_model) -> (h, T, d_model)."""
    heads, _, d_head = outputs.shape
    return outputs @ w_o.reshape(heads, d_head, -1)


def ablate_head(outputs: Tensor, w_o: Tensor, head: int, mean: bool = False) -> Tensor:
    """The attention sublayer's output (T, d_model) with one head's output set to 0, or to its mean over positions."""
    outputs = outputs.clone()
    outputs[head] = outputs[head].mean(0) if mean else 0.0
    return head_writes(outputs, w_o).sum(0)


def previous_token_score(attention: Tensor) -> Tensor:
    """Mean weight on the token just before, for each head: (h, T, T) -> (h,). Token 0, which has none, is left out."""
    return attention.diagonal(-1, 1, 2).mean(-1)


def induction_score(attention: Tensor, period: int) -> Tensor:
    """Mean weight on the token after the last copy of one's own, for each head: (h, T, T) -> (h,).

    The text repeats after `period` tokens; only tokens that have an earlier copy count. Raises ValueError unless
    1 <= period < T.
    """
    if not 1 <= period < attention.shape[-1]:
        raise ValueError(f"the period must lie between 1 and {attention.shape[-1] - 1}, got {period}")
    return attention.diagonal(1 - period, 1, 2)[:, 1:].mean(-1)


# ---- the models that they look at --------------------------------------------------------------------------------


def init_attention_only(vocab_size: int, d_model: int, heads: int, layers: int, seed: int) -> Parameters:
    """Random parameters, float32, of a decoder without feed-forward networks: ch07's dictionary, less their keys.

    There are no position embeddings either: queries and keys are rotated (RoPE, ch04). Raises ValueError if the heads
    do not divide d_model, or leave each an odd width.
    """
    if d_model % (2 * heads):
        raise ValueError(f"{heads} heads cannot share a width of {d_model} in pairs")
    generator = torch.Generator().manual_seed(seed)

    def normal(rows: int, deviation: float) -> Tensor:
        return deviation * torch.randn(rows, d_model, generator=generator)

    def norm() -> Parameters:
        return {"gain": torch.ones(d_model), "bias": torch.zeros(d_model)}

    def block() -> Parameters:
        wide = d_model**-0.5
        attention = {name: normal(d_model, wide) for name in ("w_q", "w_k", "w_v")}
        return {"norm_1": norm(), "attention": attention | {"w_o": normal(d_model, wide / math.sqrt(2 * layers))}}

    return {"embed": normal(vocab_size, 0.1), "blocks": [block() for _ in range(layers)], "norm": norm()}


def rotate(x: Tensor, base: float = 10000.0) -> Tensor:
    """RoPE over positions 0, 1, ...: (..., T, d) in and out; ch04's `apply_rope` in torch, so that gradients flow."""
    t, d = x.shape[-2:]
    angles = torch.arange(t, dtype=x.dtype)[:, None] * base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
    even, odd, cos, sin = x[..., 0::2], x[..., 1::2], angles.cos(), angles.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


def attend(x: Tensor, block: Parameters, heads: int, rotary: bool) -> tuple[Tensor, Tensor]:
    """Causal attention of a block, before its output projection: (..., T, d_model) -> outputs and weights by head.

    Outputs have shape (..., h, T, d_head), weights (..., h, T, T).
    """
    t, d_model = x.shape[-2:]
    z, a = F.layer_norm(x, (d_model,), block["norm_1"]["gain"], block["norm_1"]["bias"]), block["attention"]
    q, k, v = ((z @ a[name]).unflatten(-1, (heads, -1)).transpose(-3, -2) for name in ("w_q", "w_k", "w_v"))
    if rotary:
        q, k = rotate(q), rotate(k)
    scores = q @ k.transpose(-1, -2) / math.sqrt(d_model // heads)
    weights = scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), -math.inf).softmax(-1)
    return weights @ v, weights


def attention_only_logits(tokens: Tensor, p: Parameters, heads: int) -> Tensor:
    """Scores for the next token: tokens (B, T) int64 -> logits (B, T, V); blocks of attention and nothing else."""
    x = p["embed"][tokens]
    for block in p["blocks"]:
        outputs, _ = attend(x, block, heads, rotary=True)
        x = x + outputs.transpose(-3, -2).flatten(-2) @ block["attention"]["w_o"]
    return logit_lens(x, p)


@dataclass(frozen=True)
class Inside:
    """What goes on in a decoder while it reads T tokens. A station is a place to read the residual stream."""

    stations: list[str]  # S names
    residuals: Tensor  # (S, T, d_model)
    outputs: Tensor  # (L, h, T, d_head), of each head, before the output projection
    weights: Tensor  # (L, h, T, T), of attention
    logits: Tensor  # (T, V)


@torch.no_grad()
def look_inside(tokens: Tensor, p: Parameters, heads: int, replace: Replace | None = None) -> Inside:
    """Run a decoder, ch07's or one of attention only, on tokens (T,), and keep what it computes on the way.

    `replace` is (layer, outputs (h, T, d_head), w_o) -> (T, d_model): what the attention of that layer adds instead.
    """
    x = p["embed"][tokens] + (p["position"][: len(tokens)] if "position" in p else 0)
    stations, residuals, seen = ["embedding"], [x], []
    for layer, block in enumerate(p["blocks"]):
        outputs, weights = attend(x, block, heads, rotary="position" not in p)
        seen.append((outputs, weights))
        w_o = block["attention"]["w_o"]
        x = x + (replace(layer, outputs, w_o) if replace else outputs.transpose(0, 1).flatten(-2) @ w_o)
        stations, residuals = [*stations, f"+ attention {layer + 1}"], [*residuals, x]
        if "ffn" in block:
            x = x + _feed_forward(x, block)
            stations, residuals = [*stations, f"+ FFN {layer + 1}"], [*residuals, x]
    outputs, weights = (torch.stack(part) for part in zip(*seen, strict=True))
    return Inside(stations, torch.stack(residuals), outputs, weights, logit_lens(x, p))


def _feed_forward(x: Tensor, block: Parameters) -> Tensor:
    norm, f = block["norm_2"], block["ffn"]
    z = F.layer_norm(x, x.shape[-1:], norm["gain"], norm["bias"])
    return F.gelu(z @ f["w_1"] + f["b_1"], approximate="tanh") @ f["w_2"] + f["b_2"]


def repeated_tokens(
    count: int, generator: torch.Generator, length: int = RECIPE["length"], periods: tuple[int, int] = RECIPE["periods"]
) -> tuple[Tensor, Tensor]:
    """Random tokens that repeat: tokens (count, length) int64, and which of them can be foretold (count, length) bool.

    Each row draws its period anew, from `periods[0]` to `periods[1]`, and fresh tokens. A token can be foretold if it
    and the one before it stood in the text before; the first token of a copy comes as a surprise.
    """
    period = torch.randint(periods[0], periods[1] + 1, (count, 1), generator=generator)
    fresh = torch.randint(RECIPE["vocab_size"], (count, length), generator=generator)
    place = torch.arange(length).expand(count, length)
    return fresh.gather(1, place % period), place > period


def load_induction() -> tuple[Parameters, int]:
    """Parameters and heads of the attention-only model of two layers that `tools/measure_induction.py` trained."""
    from safetensors.torch import load_file

    return unflatten(load_file(CHECKPOINT)), RECIPE["heads"]
