"""What module m21 builds: prefill and decode of a padded batch, tokens taken back, a memo of prefixes, sizes."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course.lab.batches import Memo, PaddedCache, Reader, random_reader  # noqa: F401  (checks make one)

__all__ = ["batch_bytes", "decode", "places_and_mask", "prefill", "read_with_memo", "roll_back"]


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
