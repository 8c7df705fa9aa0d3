"""What module m26 looks into, and what it builds: a decoder with a name for every stage, and instruments for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["collect_trace", "head_effects", "recompute_attention_cell", "recompute_cell", "run_patched", "stage_shapes"]

Parameters = dict[str, Any]
Shape = tuple[int, ...]
Trace = dict[str, Tensor]


# ---- a decoder whose every intermediate result is a module's output ------------------------------------------------


class StagedDecoder(nn.Module):
    """The decoder of ch07 with a module for each stage, so that a forward hook can reach every number.

    It takes ch07's parameters `p` and reads one sequence at a time: tokens (n,) int64 -> logits (n, V). `stages` are
    the names of its stages in the order of the pass.
    """

    def __init__(self, p: Parameters, heads: int):
        super().__init__()
        self.embed = Lookup(p["embed"])
        self.position = Positions(p["position"])
        self.stream_0 = Add()
        self.blocks = nn.ModuleList(Block(block, heads) for block in p["blocks"])
        self.norm = Norm(p["norm"])
        self.logits = Product(p["embed"].T)

    @property
    def stages(self) -> list[str]:
        """Names of the modules that have no parts, such as `blocks.0.attention.scores`."""
        return [name for name, module in self.named_modules() if not any(module.children())]

    @property
    def hooks(self) -> int:
        """How many forward hooks are attached, to it and to all of its parts."""
        return sum(len(module._forward_hooks) for module in self.modules())

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores for the next token at every position: (n,) -> (n, V)."""
        x = self.stream_0(self.embed(tokens), self.position(tokens))
        for block in self.blocks:
            x = block(x)
        return self.logits(self.norm(x))


class Block(nn.Module):
    """A pre-norm block: the attention and the feed-forward network each add to the residual stream."""

    def __init__(self, p: Parameters, heads: int):
        super().__init__()
        self.norm_1 = Norm(p["norm_1"])
        self.attention = Attention(p["attention"], heads)
        self.stream_1 = Add()
        self.norm_2 = Norm(p["norm_2"])
        self.ffn = FeedForward(p["ffn"])
        self.stream_2 = Add()

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_model) in and out."""
        x = self.stream_1(x, self.attention(self.norm_1(x)))
        return self.stream_2(x, self.ffn(self.norm_2(x)))


class Attention(nn.Module):
    """Causal multi-head self-attention."""

    def __init__(self, p: Parameters, heads: int):
        super().__init__()
        self.query, self.key, self.value = (Product(p[name]) for name in ("w_q", "w_k", "w_v"))
        self.scores = Scores(heads)
        self.masked = Mask()
        self.weights = nn.Softmax(-1)
        self.mix = Mix(heads)
        self.output = Product(p["w_o"])

    def forward(self, z: Tensor) -> Tensor:
        """(n, d_model) in and out."""
        weights = self.weights(self.masked(self.scores(self.query(z), self.key(z))))
        return self.output(self.mix(weights, self.value(z)))


class FeedForward(nn.Module):
    """Two products with the tanh form of GELU between them."""

    def __init__(self, p: Parameters):
        super().__init__()
        self.hidden = Product(p["w_1"], p["b_1"])
        self.active = nn.GELU(approximate="tanh")
        self.output = Product(p["w_2"], p["b_2"])

    def forward(self, z: Tensor) -> Tensor:
        """(n, d_model) in and out."""
        return self.output(self.active(self.hidden(z)))


class Lookup(nn.Module):
    """Rows of a table: tokens (n,) -> (n, d_model)."""

    def __init__(self, table: Tensor):
        super().__init__()
        self.weight = nn.Parameter(table)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n,) -> (n, d_model)."""
        return self.weight[tokens]


class Positions(Lookup):
    """The first n rows of a table, whatever the tokens are."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(n,) -> (n, d_model). Raises ValueError if the table has fewer rows."""
        if len(tokens) > len(self.weight):
            raise ValueError(f"{len(tokens)} tokens, but the model has {len(self.weight)} positions")
        return self.weight[: len(tokens)]


class Product(nn.Module):
    """x W, or x W + b."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, a) -> (n, b)."""
        return x @ self.weight if self.bias is None else x @ self.weight + self.bias


class Norm(nn.LayerNorm):
    """Layer norm with a given gain and bias."""

    def __init__(self, p: Parameters):
        super().__init__(len(p["gain"]), device=p["gain"].device, dtype=p["gain"].dtype)
        self.load_state_dict({"weight": p["gain"], "bias": p["bias"]})


class Add(nn.Module):
    """The sum of two."""

    def forward(self, x: Tensor, update: Tensor) -> Tensor:
        """Two of the same shape -> their sum."""
        return x + update


class Scores(nn.Module):
    """Dot products of queries and keys in each head, divided by sqrt(d_head)."""

    def __init__(self, heads: int):
        super().__init__()
        self.heads = heads

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        """Two of (n, d_model) -> (h, n, n)."""
        q, k = (split(x, self.heads) for x in (q, k))
        return q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])


class Mask(nn.Module):
    """Minus infinity where a token would look at a later one. Written over the scores: that saves memory."""

    def forward(self, scores: Tensor) -> Tensor:
        """(h, n, n), changed in place and returned."""
        return scores.masked_fill_(torch.ones_like(scores, dtype=torch.bool).triu(1), -math.inf)


class Mix(nn.Module):
    """The weighted sum of the values in each head, the heads side by side."""

    def __init__(self, heads: int):
        super().__init__()
        self.heads = heads

    def forward(self, weights: Tensor, v: Tensor) -> Tensor:
        """(h, n, n) and (n, d_model) -> (n, d_model)."""
        return (weights @ split(v, self.heads)).transpose(0, 1).reshape(v.shape)


def split(x: Tensor, heads: int) -> Tensor:
    """Cut the columns into heads: (n, d_model) -> (h, n, d_head)."""
    return x.reshape(len(x), heads, -1).transpose(0, 1)


# ---- what the exercises ask for ----------------------------------------------------------------------------------


def stage_shapes(n: int, d_model: int, heads: int, d_ff: int, vocab_size: int) -> dict[str, Shape]:
    """The shape of every stage of a decoder with one block that reads n tokens, by the stage's name."""
    stream, square, wide = (n, d_model), (heads, n, n), (n, d_ff)
    attention = {
        "query": stream, "key": stream, "value": stream, "scores": square, "masked": square, "weights": square,
        "mix": stream, "output": stream,
    }  # fmt: skip
    ffn = {"hidden": wide, "active": wide, "output": stream}
    block = {
        "norm_1": stream,
        **{f"attention.{name}": shape for name, shape in attention.items()},
        "stream_1": stream,
        "norm_2": stream,
        **{f"ffn.{name}": shape for name, shape in ffn.items()},
        "stream_2": stream,
    }
    return {
        "embed": stream, "position": stream, "stream_0": stream,
        **{f"blocks.0.{name}": shape for name, shape in block.items()},
        "norm": stream, "logits": (n, vocab_size),
    }  # fmt: skip


def collect_trace(model: StagedDecoder, tokens: Tensor) -> Trace:
    """Every stage's output in one pass over tokens (n,), by the stage's name, in order; the model keeps no hook.

    The values are copies, which what the model does later cannot change, and carry no gradient.
    """
    trace: Trace = {}
    handles = []
    try:
        for name in model.stages:
            handles.append(model.get_submodule(name).register_forward_hook(_keeper(trace, name)))
        model(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return trace


def _keeper(trace: Trace, name: str) -> Callable[..., None]:
    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        trace[name] = output.detach().clone()

    return keep


def recompute_cell(stage: str, row: int, column: int, trace: Trace, p: Parameters) -> float:
    """One number of a stage in which no token looks at another, made again from the stages before it.

    `stage` is `stream_0`, `blocks.0.norm_1`, `blocks.0.attention.query` or `blocks.0.ffn.hidden`. Raises ValueError
    for any other.
    """
    block = p["blocks"][0]
    if stage == "stream_0":
        return float(trace["embed"][row, column] + trace["position"][row, column])
    if stage == "blocks.0.norm_1":
        x, norm = trace["stream_0"][row], block["norm_1"]
        z = (x[column] - x.mean()) / (x.var(unbiased=False) + 1e-5).sqrt()
        return float(z * norm["gain"][column] + norm["bias"][column])
    if stage == "blocks.0.attention.query":
        return float(trace["blocks.0.norm_1"][row] @ block["attention"]["w_q"][:, column])
    if stage == "blocks.0.ffn.hidden":
        return float(trace["blocks.0.norm_2"][row] @ block["ffn"]["w_1"][:, column] + block["ffn"]["b_1"][column])
    raise ValueError(f"not a stage that is recomputed here: {stage!r}")


def recompute_attention_cell(stage: str, head: int, row: int, column: int, trace: Trace) -> float:
    """One number of a stage in which a token reads others, made again from the stages before it.

    `stage` is `scores`, `weights` or `mix`, all of block 0. In `mix` the column counts within the head, from 0 to
    d_head - 1. Raises ValueError for any other stage.
    """
    masked = trace["blocks.0.attention.masked"]
    query, key, value = (split(trace[f"blocks.0.attention.{name}"], len(masked))[head] for name in
                         ("query", "key", "value"))  # fmt: skip
    if stage == "scores":
        return float(query[row] @ key[column] / math.sqrt(query.shape[-1]))
    if stage == "weights":
        return float(masked[head, row].softmax(-1)[column])
    if stage == "mix":
        seen = row + 1
        return float(trace["blocks.0.attention.weights"][head, row, :seen] @ value[:seen, column])
    raise ValueError(f"not a stage that is recomputed here: {stage!r}")


@contextmanager
def patched(model: StagedDecoder, stage: str, value: Tensor):
    """While it lasts, the stage gives a copy of `value` whatever it computed. Raises KeyError for an unknown stage."""
    if stage not in model.stages:
        raise KeyError(f"the model has no stage {stage!r}")
    handle = model.get_submodule(stage).register_forward_hook(lambda *_: value.clone())
    try:
        yield
    finally:
        handle.remove()


def run_patched(model: StagedDecoder, tokens: Tensor, stage: str, value: Tensor) -> Tensor:
    """The logits (n, V) of a pass in which the stage's output is replaced by `value`; the model keeps no hook.

    `value` is not changed, even if the model writes over that stage's output. Raises KeyError for a stage that is not
    there.
    """
    with patched(model, stage, value), torch.no_grad():
        return model(tokens)


def head_effects(model: StagedDecoder, tokens: Tensor, heads: int, source: Tensor | None = None) -> Tensor:
    """By how much the chosen token's logit falls when a head's part of the mix is replaced in the last row: (h,).

    It is replaced by 0, or by what stands there in a pass over the `source` tokens (n,), as many as `tokens`. The
    chosen token is the one with the highest logit in the last row of the pass as it is.
    """
    stage = "blocks.0.attention.mix"
    trace = collect_trace(model, tokens)
    mix, logits = trace[stage], trace["logits"][-1]
    instead = torch.zeros_like(mix) if source is None else collect_trace(model, source)[stage]
    chosen, effects = logits.argmax(), []
    for columns in torch.arange(mix.shape[1]).chunk(heads):
        changed = mix.clone()
        changed[-1, columns] = instead[-1, columns]
        effects.append(logits[chosen] - run_patched(model, tokens, stage, changed)[-1, chosen])
    return torch.stack(effects)
