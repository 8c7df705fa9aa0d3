"""What a decoder looks at: the attention of all heads of all layers, which its own fused kernel does not tell."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course.lab.decoder import Decoder, rotate, rotations

__all__ = ["look"]


@torch.no_grad()
def look(model: Decoder, ids: Int[Tensor, " T"]) -> tuple[Float[Tensor, "T V"], Float[Tensor, "layers h T T"]]:
    """Scores after each token of one text, and the weights with which each head reads it (query, key)."""
    kept: dict[tuple[int, str], Tensor] = {}
    handles = [
        getattr(block.attention, name).register_forward_hook(
            lambda module, inputs, output, place=(layer, name): kept.update({place: output[0]})
        )
        for layer, block in enumerate(model.blocks)
        for name in ("query", "key")
    ]
    try:
        logits = model(ids[None])[0]
    finally:
        for handle in handles:
            handle.remove()
    layers = range(len(model.blocks))
    return logits, torch.stack([_weights(model, kept[layer, "query"], kept[layer, "key"]) for layer in layers])


def _weights(model: Decoder, q: Tensor, k: Tensor) -> Float[Tensor, "h T T"]:
    """Causal attention weights of queries (T, d_model) and keys (T, kv_heads * d_head)."""
    c, t = model.config, len(q)
    q, k = (x.unflatten(-1, (-1, c.d_head)).transpose(0, 1)[None] for x in (q, k))
    if c.positions == "rope":
        turns = rotations(torch.arange(t, device=q.device)[None], c)
        q, k = rotate(q, turns), rotate(k, turns)
    k = k.repeat_interleave(c.heads // c.keys, dim=1)
    scores = (q @ k.mT)[0] / math.sqrt(c.d_head)
    future = torch.ones(t, t, dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(-1)
