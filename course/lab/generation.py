"""Greedy generation for a whole batch with a cache of keys and values; a row that has ended leaves the batch."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from course.lab.decoder import Cache, Decoder

__all__ = ["greedy", "left_padded"]


def left_padded(rows: list[Tensor]) -> tuple[Int[Tensor, "B T"], Int[Tensor, " B"]]:
    """Prompts of different lengths, each a 1-D int64 tensor, as one batch: ids (B, T), and the padding of each row.

    >>> left_padded([torch.tensor([7, 8, 9]), torch.tensor([5])])
    (tensor([[7, 8, 9],
            [0, 0, 5]]), tensor([0, 2]))
    """
    longest = max(len(row) for row in rows)
    padding = torch.tensor([longest - len(row) for row in rows])
    ids = torch.stack([torch.cat([row.new_zeros(longest - len(row)), row]) for row in rows])
    return ids, padding


@torch.no_grad()
def greedy(
    model: Decoder, prompts: Int[Tensor, "B T"], count: int, stop: int, padding: Int[Tensor, " B"] | None = None
) -> Int[Tensor, "B count"]:
    """The most probable next token, again and again: at most `count` tokens a row, `stop` after the first `stop`.

    `padding` is that of `left_padded`. A row that has ended is dropped from the batch as soon as half of the batch
    has: to drop each one at once would copy the cache too often.
    """
    written = torch.full((len(prompts), count), stop, device=prompts.device)
    rows = torch.arange(len(prompts), device=prompts.device)  # of `written`, for each row that is still in the batch
    cache = Cache(model, len(prompts), prompts.shape[1] + count)
    ids, going = prompts, torch.ones(len(prompts), dtype=torch.bool, device=prompts.device)
    for step in range(count):
        ids = model(ids, cache, padding)[:, -1].argmax(-1, keepdim=True)
        written[rows[going], step] = ids[going, 0]
        going = going & (ids[:, 0] != stop)
        if 2 * going.sum() <= len(going):
            rows, ids = rows[going], ids[going]
            padding = None if padding is None else padding[going]
            cache.keep_rows(going)
            going = going[going]
        if not len(rows):
            break
    return written
