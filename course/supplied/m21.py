"""What module m21 works with, and what it builds: a decoder that leaves places and mask to you, and batches for it."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course.lab.decoder import Cache, Config, Decoder, rotations

__all__ = ["batch_bytes", "decode", "places_and_mask", "prefill", "read_with_memo", "roll_back"]


# ---- a model that leaves positions and mask to its caller, and counts ----------------------------------------------


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
        turns = rotations(places, self.config) if self.config.positions == "rope" else None
        for block in self.model.blocks:
            x = block(x, turns, mask[:, None], cache)
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
    """Tuples of token ids -> the cache, of one row, that reading them left."""

    def contents(self) -> list[tuple[list[int], Tensor]]:
        """Each text with what is kept of it, in order of the texts."""
        return [(list(ids), self[ids].texts()[0]) for ids in sorted(self)]


def random_reader(seed: int, **shape: Any) -> Reader:
    """An untrained model, its numbers large enough for every part to matter; `shape` is that of a `Config`."""
    model = Decoder(Config(**shape), seed=seed).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed + 1)
    for p in model.parameters():
        p += 0.35 * torch.randn(p.shape, generator=generator)
    return Reader(model)


# ---- what the exercises ask for ------------------------------------------------------------------------------------


def places_and_mask(
    padding: Int[Tensor, " B"], start: int, count: int
) -> tuple[Int[Tensor, "B count"], Bool[Tensor, "B count S"]]:
    """Where the tokens in slots start to start + count - 1 stand in their texts, and which slots each of them sees.

    A padding token has place 0 and sees itself alone. S is start + count.
    """
    slots, past = torch.arange(start, start + count), torch.arange(start + count)
    places = (slots - padding[:, None]).clamp(min=0)
    text = past >= padding[:, None, None]
    return places, (past <= slots[:, None]) & text | (past == slots[:, None])


def prefill(
    reader: Reader, ids: Int[Tensor, "B T"], cache: PaddedCache, chunk: int | None = None
) -> Float[Tensor, "B vocab"]:
    """Read whole prompts into a cache, at most `chunk` columns in a call (None: all at once).

    Returns the scores of what follows each row's last token, (B, V).
    """
    for part in ids.split(chunk or ids.shape[1], 1):
        places, mask = places_and_mask(cache.padding, cache.used, part.shape[1])
        logits = reader(part, places, mask, cache)
    return logits[:, -1]


def decode(
    reader: Reader, logits: Float[Tensor, "B vocab"], cache: PaddedCache, count: int, stop: int
) -> Int[Tensor, "B count"]:
    """Write at most `count` tokens a row, always the most probable; after a row's first `stop`, `stop` only.

    One column goes through the model for each token but the last; none any more when all rows have ended.
    """
    written = torch.full((len(logits), count), stop)
    going = torch.ones(len(logits), dtype=torch.bool)
    for step in range(count):
        written[going, step] = logits.argmax(-1)[going]
        going &= written[:, step] != stop
        if step == count - 1 or not going.any():
            break
        places, mask = places_and_mask(cache.padding, cache.used, 1)
        logits = reader(written[:, step : step + 1], places, mask, cache)[:, -1]
    return written


def roll_back(cache: PaddedCache, rejected: Int[Tensor, " B"]) -> None:
    """Forget the last `rejected` tokens of each row: rows that lose more move to the right, behind more padding.

    Raises ValueError, and changes nothing, if a number is negative or more than a row has.
    """
    if (rejected < 0).any() or (rejected > cache.used - cache.padding).any():
        raise ValueError("a row can lose no more tokens than it has, and no fewer than 0")
    least = int(rejected.min())
    moves = rejected - least
    for row, move in enumerate(moves.tolist()):
        for store in (cache.k, cache.v):
            store[:, row] = store[:, row].roll(move, dims=2)
    cache.padding = cache.padding + moves
    cache.used -= least


def read_with_memo(reader: Reader, prompt: Int[Tensor, " n"], memo: Memo) -> Float[Tensor, " vocab"]:
    """The scores of what follows a prompt; read anew is only what follows the longest beginning that `memo` knows.

    The last token is read in any case: scores are not kept. Then the memo knows this prompt, too.
    """
    ids = prompt.tolist()
    known = max(memo, key=lambda other: common(other, ids), default=())
    shared = min(common(known, ids), len(ids) - 1)
    cache = memo[known].copy() if shared else PaddedCache(reader, torch.zeros(1, dtype=torch.int64))
    cache.used = shared
    places, mask = places_and_mask(cache.padding, shared, len(ids) - shared)
    logits = reader(prompt[None, shared:], places, mask, cache)[0, -1]
    memo[tuple(ids)] = cache
    return logits


def common(a: Any, b: Any) -> int:
    """How many tokens two texts have in common at their beginnings.

    >>> common([1, 2, 3, 4], (1, 2, 4))
    2
    """
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def batch_bytes(
    lengths: list[int], count: int, shared: int, layers: int, d_model: int, heads: int, kv_heads: int,
    bytes_per_number: int = 2,
) -> dict[str, int]:  # fmt: skip
    """Bytes of a batch's keys and values after `count` more tokens: as one block, without padding, and sharing.

    `padded`: every row as long as the longest; `exact`: each as long as it is; `shared`: the first `shared` tokens,
    the same in all rows, are kept once.
    """
    token = 2 * layers * kv_heads * (d_model // heads) * bytes_per_number
    exact = sum(lengths) + count * len(lengths)
    return {
        "padded": token * len(lengths) * (max(lengths) + count),
        "exact": token * exact,
        "shared": token * (exact - shared * (len(lengths) - 1)),
    }
