"""What chapter 7 builds: a decoder in torch, and what it takes to train it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["adamw_step", "cross_entropy", "decoder_logits", "lr_schedule", "shift_for_teacher_forcing"]

Parameters = dict[str, Any]
State = dict[str, Any]


def init_decoder(
    vocab_size: int, d_model: int, heads: int, layers: int, d_ff: int, length: int, seed: int
) -> Parameters:
    """Random parameters of a decoder, float32, as `decoder_logits` takes them.

    `length` is the longest sequence that it can read. Embeddings begin small, so that an untrained model gives every
    token about the same probability. Raises ValueError if the heads do not divide d_model.

    >>> p = init_decoder(vocab_size=5, d_model=4, heads=2, layers=1, d_ff=8, length=3, seed=0)
    >>> list(p), p["embed"].shape, len(p["blocks"])
    (['embed', 'position', 'blocks', 'norm'], torch.Size([5, 4]), 1)
    """
    if d_model % heads:
        raise ValueError(f"{heads} heads cannot share a width of {d_model}")
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, deviation: float) -> Tensor:
        return deviation * torch.randn(shape, generator=generator)

    quiet = 1 / math.sqrt(2 * layers)  # each block adds twice to the residual stream: the sum keeps its size (GPT-2)
    return {
        "embed": normal(vocab_size, d_model, deviation=0.02),
        "position": normal(length, d_model, deviation=0.02),
        "blocks": [_block(normal, d_model, d_ff, quiet) for _ in range(layers)],
        "norm": _norm(d_model),
    }


def _block(normal: Any, d_model: int, d_ff: int, quiet: float) -> Parameters:
    wide = d_model**-0.5
    attention = {name: normal(d_model, d_model, deviation=wide) for name in ("w_q", "w_k", "w_v")}
    return {
        "norm_1": _norm(d_model),
        "attention": attention | {"w_o": normal(d_model, d_model, deviation=quiet * wide)},
        "norm_2": _norm(d_model),
        "ffn": {
            "w_1": normal(d_model, d_ff, deviation=wide),
            "b_1": torch.zeros(d_ff),
            "w_2": normal(d_ff, d_model, deviation=quiet * d_ff**-0.5),
            "b_2": torch.zeros(d_model),
        },
    }


def _norm(d_model: int) -> Parameters:
    return {"gain": torch.ones(d_model), "bias": torch.zeros(d_model)}


def flatten(p: Any, prefix: str = "") -> dict[str, Tensor]:
    """Every tensor of nested parameters under its path, such as `blocks.0.attention.w_q`.

    >>> list(flatten({"norm": {"gain": torch.ones(2)}, "blocks": [{"b": torch.zeros(1)}]}))
    ['norm.gain', 'blocks.0.b']
    """
    if isinstance(p, Tensor):
        return {prefix: p}
    inner = p.items() if isinstance(p, dict) else enumerate(p)
    return {path: t for key, value in inner for path, t in flatten(value, f"{prefix}.{key}".strip(".")).items()}


def unflatten(flat: dict[str, Tensor]) -> Any:
    """The inverse of `flatten`: keys that are numbers become places in a list."""
    inner: dict[str, dict[str, Tensor]] = {}
    for path, tensor in flat.items():
        if not path:
            return tensor
        key, _, rest = path.partition(".")
        inner.setdefault(key, {})[rest] = tensor
    values = {key: unflatten(part) for key, part in inner.items()}
    return [values[str(i)] for i in range(len(values))] if "0" in values else values


def sample_ids(
    logits_of: Callable[[Tensor], Tensor], ids: Tensor, count: int, length: int, temperature: float, seed: int
) -> Tensor:
    """Continue ids of shape (1, T) by `count` tokens, one at a time; returns shape (1, T + count).

    `logits_of` is tokens (1, t) -> logits (1, t, V) with t <= length: only the last `length` tokens are read. The
    higher the temperature, the bolder the choice; at 0 it is always the most probable token.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _ in range(count):
            scores = logits_of(ids[:, -length:])[:, -1]
            if temperature == 0:
                chosen = scores.argmax(-1, keepdim=True)
            else:
                chosen = torch.multinomial((scores / temperature).softmax(-1), 1, generator=generator)
            ids = torch.cat([ids, chosen], 1)
    return ids


def _layer_norm(x: Tensor, p: Parameters) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], p["gain"], p["bias"])


def _attention(z: Tensor, p: Parameters, heads: int) -> Tensor:
    """Causal multi-head self-attention: (B, T, d_model) in and out."""
    b, t, d_model = z.shape
    q, k, v = (
        (z @ p[name]).reshape(b, t, heads, d_model // heads).transpose(1, 2) for name in ("w_q", "w_k", "w_v")
    )  # each (B, h, T, d_head)
    scores = q @ k.transpose(-1, -2) / math.sqrt(d_model // heads)
    future = torch.ones(t, t, dtype=torch.bool, device=z.device).triu(1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    return (weights @ v).transpose(1, 2).reshape(b, t, d_model) @ p["w_o"]


def decoder_logits(tokens: Tensor, p: Parameters, heads: int) -> Tensor:
    """Scores for the next token at every position: tokens (B, T) int64 -> logits (B, T, V).

    Pre-norm causal blocks over token and position embeddings; the output reuses the embedding (Press and Wolf 2017).
    """
    x = p["embed"][tokens] + p["position"][: tokens.shape[1]]
    for block in p["blocks"]:
        x = x + _attention(_layer_norm(x, block["norm_1"]), block["attention"], heads)
        f = block["ffn"]
        z = _layer_norm(x, block["norm_2"])
        x = x + F.gelu(z @ f["w_1"] + f["b_1"], approximate="tanh") @ f["w_2"] + f["b_2"]
    return _layer_norm(x, p["norm"]) @ p["embed"].T


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of -log softmax(logits) at the targets: logits (..., V), targets (...) int64 -> scalar, in nats.

    >>> cross_entropy(torch.zeros(3, 4), torch.tensor([0, 1, 2]))
    tensor(1.3863)
    """
    shifted = logits - logits.max(dim=-1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
    return -log_p.gather(-1, targets.unsqueeze(-1)).mean()


def shift_for_teacher_forcing(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and targets of next-token prediction: tokens (B, T) -> two tensors of shape (B, T - 1).

    Raises ValueError if there are fewer than two tokens a row.
    """
    if tokens.shape[1] < 2:
        raise ValueError("a row needs two tokens: one to read, one to predict")
    return tokens[:, :-1], tokens[:, 1:]


def adamw_step(
    param: Tensor,
    grad: Tensor,
    state: State,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, State]:
    """One step of AdamW (Loshchilov and Hutter 2019, algorithm 2): returns the new param and state, changes nothing.

    state is {"step": int, "m": Tensor, "v": Tensor}; before the first step {"step": 0, "m": zeros, "v": zeros}.
    """
    step = state["step"] + 1
    m = beta1 * state["m"] + (1 - beta1) * grad
    v = beta2 * state["v"] + (1 - beta2) * grad**2
    update = m / (1 - beta1**step) / ((v / (1 - beta2**step)).sqrt() + eps)
    return param - lr * weight_decay * param - lr * update, {"step": step, "m": m, "v": v}


def lr_schedule(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """Learning rate of a step: linear from 0 to `peak` at step `warmup`, a half cosine to `floor` at step `total`.

    After `total` it stays at the floor. Raises ValueError unless 0 <= warmup < total.

    >>> [round(lr_schedule(s, 2, 6, 1.0, 0.2), 3) for s in (0, 1, 2, 4, 6, 7)]
    [0.0, 0.5, 1.0, 0.6, 0.2, 0.2]
    """
    if not 0 <= warmup < total:
        raise ValueError(f"warmup must lie between 0 and total, got {warmup} of {total}")
    if step < warmup:
        return peak * step / warmup
    progress = min((step - warmup) / (total - warmup), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2
