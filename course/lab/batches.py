"""Batches for the laboratory's decoder: a cache that knows its padding, a reader that leaves places and mask to you.

reader = Reader(model)
cache = PaddedCache(reader, padding)
scores = reader(ids, places, mask, cache)   # (B, T) -> (B, T, V), appended to the cache, and counted
"""

from __future__ import annotations

import functools
from numbers import Integral

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course.lab.decoder import Cache, Config, Decoder

__all__ = ["Memo", "PaddedCache", "Reader", "random_reader"]


class PaddedCache(Cache):
    """Keys and values of a batch, and how many slots at the left of each row hold no text: `padding`, (B,).

    `k` and `v` have the shape (layers, B, kv_heads, slots, d_head); `used` slots are filled, the same in all rows.
    """

    def __init__(self, reader: Reader, padding: Int[Tensor, " B"], length: int | None = None):
        super().__init__(reader.model, len(padding), length)
        self.padding = padding.clone()

    def copy(self) -> PaddedCache:
        """Another cache with the same content, which goes its own way."""
        twin = object.__new__(PaddedCache)
        twin.k, twin.v, twin.padding, twin.used = self.k.clone(), self.v.clone(), self.padding.clone(), self.used
        return twin

    def fill(self, k: Tensor, v: Tensor) -> None:
        """Put keys and values, (layers, B, kv_heads, S, d_head), into the first S slots: those are used then."""
        self.used = k.shape[3]
        self.k[..., : self.used, :], self.v[..., : self.used, :] = k, v

    def texts(self) -> list[Float[Tensor, "2 layers kv_heads n d_head"]]:
        """What is kept of each row's text, without its padding: keys, then values."""
        both = torch.stack([self.k, self.v])[..., : self.used, :]
        return [both[:, :, row, :, start:].clone() for row, start in enumerate(self.padding.tolist())]


class Reader:
    """The laboratory's decoder, but where a token stands and what it sees is up to the caller. It counts its work.

    `calls` says how often it was called, `tokens` how many tokens it computed (rows times columns, padding included).
    """

    def __init__(self, model: Decoder):
        self.model, self.config = model, model.config
        self.reset()

    def reset(self) -> None:
        """Count from 0 again."""
        self.calls = self.tokens = self.widest = 0

    def within(self, columns: int) -> bool:
        """Whether no call read more columns at once."""
        return self.widest <= columns

    def count(self, rows: int, columns: int) -> None:
        """Note a call."""
        self.calls, self.tokens, self.widest = self.calls + 1, self.tokens + rows * columns, max(self.widest, columns)

    @torch.no_grad()
    def __call__(
        self, ids: Int[Tensor, "B T"], places: Int[Tensor, "B T"], mask: Bool[Tensor, "B T S"], cache: PaddedCache
    ) -> Float[Tensor, "B T vocab"]:
        """Read T more tokens of each row and keep their keys and values: scores of what comes next, (B, T, V).

        `places` are the tokens' places in their texts, from 0; `mask` says which of the S = cache.used + T slots each
        of them sees. A place beyond the table of positions counts as its last: rows that have ended may come there.
        Raises ValueError if the shapes do not fit together or a place is negative.
        """
        self._require(ids, places, mask, cache)
        self.count(*ids.shape)
        x = self.model.embed(ids)
        if self.config.positions == "learned":
            x = x + self.model.position(places.clamp(max=self.config.length - 1))
        turn = self.model.turning(places)
        for block in self.model.blocks:
            x = block(x, turn, mask[:, None], cache)
        cache.used += ids.shape[1]
        return self.model.head(self.model.norm(x))

    def _require(self, ids: Tensor, places: Tensor, mask: Tensor, cache: PaddedCache) -> None:
        if ids.ndim != 2 or not ids.numel():
            raise ValueError(f"ids need the shape (B, T) with tokens in it, not {tuple(ids.shape)}")
        slots = cache.used + ids.shape[1]
        wanted = {"places": (places, tuple(ids.shape)), "mask": (mask, (*ids.shape, slots))}
        for name, (given, shape) in wanted.items():
            if tuple(given.shape) != shape:
                raise ValueError(f"{name} need the shape {shape} here, not {tuple(given.shape)}")
        if len(ids) != cache.k.shape[1]:
            raise ValueError(f"{len(ids)} rows, but the cache has {cache.k.shape[1]}")
        if slots > cache.k.shape[3]:
            raise ValueError(f"{slots} tokens are more than the cache's {cache.k.shape[3]} slots")
        if places.min() < 0:
            raise ValueError(f"places count from 0; {places.min()} is none")


class Memo(dict):
    """Tuples of token ids -> the cache, of one row, that reading them left. Raises TypeError for any other key."""

    def __setitem__(self, ids: tuple[int, ...], cache: PaddedCache) -> None:
        if not isinstance(ids, tuple) or not all(isinstance(token, Integral) for token in ids):
            raise TypeError(f"a text is kept under a tuple of ints, not under {type(ids).__name__} {ids!r}")
        super().__setitem__(ids, cache)

    def contents(self) -> list[tuple[list[int], Tensor]]:
        """Each text with what is kept of it, in order of the texts."""
        return [(list(ids), self[ids].texts()[0]) for ids in sorted(self)]


KINDS = {
    "learned": Config(vocab=11, d_model=12, layers=2, heads=3, d_ff=20, length=24),
    "RoPE and GQA": Config(vocab=9, d_model=16, layers=2, heads=4, d_ff=12, length=24, positions="rope", kv_heads=2),
}


def random_reader(seed: int, kind: str | Config) -> Reader:
    """An untrained model, of one of the KINDS or another shape, its numbers large enough for every part to matter."""
    return Reader(_random_model(seed, KINDS[kind] if isinstance(kind, str) else kind))


@functools.lru_cache(maxsize=32)
def _random_model(seed: int, config: Config) -> Decoder:
    """Made once: checks ask for the same one again and again, and nothing changes it."""
    model = Decoder(config, seed=seed).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed + 1)
    for p in model.parameters():
        p += 0.35 * torch.randn(p.shape, generator=generator)
    return model
