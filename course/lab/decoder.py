"""A decoder-only Transformer in one file: learned positions, RoPE or none; grouped queries; a cache of keys and values.

    config = Config(vocab=15, d_model=64, layers=2, heads=4, d_ff=256, length=25)
    model = Decoder(config, seed=0)
    logits = model(ids)                        # (B, T) -> (B, T, V): all at once, as in training
    cache = Cache(model, batch=len(ids))
    logits = model(ids[:, :6], cache)          # the prompt; its keys and values are kept
    logits = model(ids[:, 6:7], cache)         # one token more, without reading the prompt again

Pre-norm blocks (GPT-2) with RMSNorm (Zhang and Sennrich 2019), no biases, an output matrix of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

__all__ = ["Cache", "Config", "Decoder"]

Positions = Literal["learned", "rope", "none"]
Ids = Int[Tensor, "B T"]
Places = Int[Tensor, "B T"]
Padding = Int[Tensor, " B"]
Stream = Float[Tensor, "B T d_model"]
Heads = Float[Tensor, "B h T d_head"]
Mask = Bool[Tensor, "B 1 T S"]
Turn = Callable[[Heads], Heads]


@dataclass(frozen=True)
class Config:
    """The shape of a decoder. `kv_heads` of keys and values are shared by `heads` of queries; None: each has its own.

    `length` is the longest sequence that it can read, `base` the RoPE's. Raises ValueError for a shape that cannot be.
    """

    vocab: int
    d_model: int
    layers: int
    heads: int
    d_ff: int
    length: int
    positions: Positions = "learned"
    kv_heads: int | None = None
    base: float = 10000.0

    def __post_init__(self) -> None:
        if self.positions not in get_args(Positions):
            raise ValueError(f"positions are one of {', '.join(get_args(Positions))}, not {self.positions!r}")
        if self.d_model % self.heads:
            raise ValueError(f"{self.heads} heads cannot share a width of {self.d_model}")
        if self.positions == "rope" and self.d_head % 2:
            raise ValueError(f"RoPE turns pairs: a head's width must be even, not {self.d_head}")
        if self.heads % self.keys:
            raise ValueError(f"{self.heads} heads of queries cannot share {self.keys} of keys evenly")

    @property
    def d_head(self) -> int:
        """The width of a head."""
        return self.d_model // self.heads

    @property
    def keys(self) -> int:
        """How many heads of keys and values there are."""
        return self.heads if self.kv_heads is None else self.kv_heads


class Cache:
    """Keys and values of all that a model has read so far, for a batch: what a next token needs of the past.

    `length` (the model's, if None) is how many tokens there is room for; `used` says how many are there.
    """

    def __init__(self, model: Decoder, batch: int, length: int | None = None):
        c, weight = model.config, model.head.weight
        shape = (c.layers, batch, c.keys, length or c.length, c.d_head)
        self.k, self.v = (torch.zeros(shape, dtype=weight.dtype, device=weight.device) for _ in range(2))
        self.used = 0

    @property
    def nbytes(self) -> int:
        """Memory that it takes: 2 layers * batch * kv_heads * length * d_head numbers."""
        return self.k.nbytes + self.v.nbytes

    def extend(self, layer: int, k: Heads, v: Heads) -> tuple[Heads, Heads]:
        """Keep keys and values of T new tokens in one layer; returns those of all tokens: (B, kv_heads, S, d_head)."""
        end = self.used + k.shape[2]
        self.k[layer, :, :, self.used : end] = k
        self.v[layer, :, :, self.used : end] = v
        return self.k[layer, :, :, :end], self.v[layer, :, :, :end]

    def keep_rows(self, rows: Tensor) -> None:
        """Drop all rows of the batch but those that `rows`, indices or a mask, names."""
        self.k, self.v = self.k[:, rows], self.v[:, rows]


class Decoder(nn.Module):
    """The model: token ids (B, T) -> scores for the next token at each position (B, T, V).

    With RoPE, `turn` may be set to a rotation of one's own: (queries or keys (B, h, T, d_head), their places (B, 1, T))
    -> the same, turned. None is the usual one.
    """

    turn: Callable[[Heads, Int[Tensor, "B 1 T"]], Heads] | None = None

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        c = self.config = config
        self.embed = nn.Embedding(c.vocab, c.d_model)
        if c.positions == "learned":
            self.position = nn.Embedding(c.length, c.d_model)
        self.blocks = nn.ModuleList(Block(c, layer) for layer in range(c.layers))
        self.norm = nn.RMSNorm(c.d_model, eps=1e-5)
        self.head = nn.Linear(c.d_model, c.vocab, bias=False)
        self._draw(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _draw(self, generator: torch.Generator) -> None:
        """Random matrices. What adds to the residual stream is smaller, so that the sum keeps its size (GPT-2)."""
        for name, p in self.named_parameters():
            if p.ndim == 2:
                quiet = name.endswith(("attention.out.weight", "down.weight"))
                deviation = 0.02 / math.sqrt(2 * self.config.layers) if quiet else 0.02
                p.normal_(0, deviation, generator=generator)

    @property
    def size(self) -> int:
        """The number of its parameters."""
        return sum(p.numel() for p in self.parameters())

    def forward(
        self, ids: Ids, cache: Cache | None = None, padding: Padding | None = None, places: Places | None = None
    ) -> Float[Tensor, "B T vocab"]:
        """Scores (B, T, V). With a cache, `ids` go on from what it holds, and it then holds them too.

        `padding` says how many tokens at the left of each row are none of the text; the scores there mean nothing.
        `places` says where each token stands, if not one after the other; causality goes by their order all the same.
        Raises ValueError if the text is longer than the model can read.
        """
        start = cache.used if cache else 0
        end = start + ids.shape[1]
        if end > self.config.length:
            raise ValueError(f"{end} tokens are more than the {self.config.length} that this model can read")
        if places is None:
            places = counted(start, end, padding, ids)
        x = self.embed(ids)
        if self.config.positions == "learned":
            x = x + self.position(places)
        turn = self.turning(places)
        mask = visible(start, end, padding, ids.device)
        for block in self.blocks:
            x = block(x, turn, mask, cache)
        if cache:
            cache.used = end
        return self.head(self.norm(x))

    def turning(self, places: Places) -> Turn | None:
        """What turns queries and keys at these places; None if the positions are no RoPE."""
        if self.config.positions != "rope":
            return None
        if self.turn is not None:
            turn = self.turn
            return lambda x: turn(x, places[:, None])
        return partial(rotate, turns=rotations(places, self.config))


class Block(nn.Module):
    """Attention, then a feed-forward network; each adds to the residual stream."""

    def __init__(self, c: Config, layer: int):
        super().__init__()
        self.norm_1, self.norm_2 = nn.RMSNorm(c.d_model, eps=1e-5), nn.RMSNorm(c.d_model, eps=1e-5)
        self.attention = Attention(c, layer)
        self.up = nn.Linear(c.d_model, c.d_ff, bias=False)
        self.down = nn.Linear(c.d_ff, c.d_model, bias=False)

    def forward(self, x: Stream, turn: Turn | None, mask: Mask | None, cache: Cache | None) -> Stream:
        """(B, T, d_model) in and out."""
        x = x + self.attention(self.norm_1(x), turn, mask, cache)
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class Attention(nn.Module):
    """Causal self-attention in which groups of query heads share keys and values (GQA, Ainslie et al. 2023)."""

    def __init__(self, c: Config, layer: int):
        super().__init__()
        self.layer, self.d_head, self.shared = layer, c.d_head, c.keys < c.heads
        self.query = nn.Linear(c.d_model, c.d_model, bias=False)
        self.key = nn.Linear(c.d_model, c.keys * c.d_head, bias=False)
        self.value = nn.Linear(c.d_model, c.keys * c.d_head, bias=False)
        self.out = nn.Linear(c.d_model, c.d_model, bias=False)

    def forward(self, z: Stream, turn: Turn | None, mask: Mask | None, cache: Cache | None) -> Stream:
        """(B, T, d_model) in and out. Without a mask, T tokens see each other causally, and one alone sees all."""
        q, k, v = (m(z).unflatten(-1, (-1, self.d_head)).transpose(1, 2) for m in (self.query, self.key, self.value))
        if turn is not None:
            q, k = turn(q), turn(k)
        if cache:
            k, v = cache.extend(self.layer, k, v)
        causal = mask is None and q.shape[2] > 1
        mixed = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, enable_gqa=self.shared)
        return self.out(mixed.transpose(1, 2).flatten(2))


def counted(start: int, end: int, padding: Padding | None, ids: Ids) -> Places:
    """Places one after the other, from 0 at each row's first token of text; padding stands at 0 too."""
    places = torch.arange(start, end, device=ids.device).expand(ids.shape)
    return places if padding is None else (places - padding[:, None]).clamp(min=0)


def visible(start: int, end: int, padding: Padding | None, device: torch.device) -> Mask | None:
    """Which of the tokens 0 to end - 1 each of the tokens start to end - 1 sees: (B or 1, 1, T, end), True if it does.

    None stands for the two usual cases, which need no mask: all tokens at once, or one that sees all before it.
    """
    if padding is None and (start == 0 or end == start + 1):
        return None
    past, now = torch.arange(end, device=device), torch.arange(start, end, device=device)[:, None]
    mask = (past <= now)[None, None]
    if padding is None:
        return mask
    text = past >= padding[:, None, None, None]
    return mask & text | (past == now)  # a padding token sees itself: over nothing, some kernels give NaN


def rotations(places: Int[Tensor, "B T"], c: Config) -> Float[Tensor, "2 B 1 T half"]:
    """Cosines and sines of the angles by which RoPE turns each pair of a head at these places."""
    speeds = c.base ** (-torch.arange(0, c.d_head, 2, device=places.device) / c.d_head)
    angles = places[:, None, :, None] * speeds
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Heads, turns: Float[Tensor, "2 B 1 T half"]) -> Heads:
    """RoPE (Su et al. 2021): the pair (x[2i], x[2i + 1]) turns by its token's angle; (B, h, T, d_head) in and out."""
    even, odd, (cos, sin) = x[..., 0::2], x[..., 1::2], turns
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)
