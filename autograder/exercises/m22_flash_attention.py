"""Exercises of m22, attention by tiles, in NumPy and in Triton. The references agree with `torch.softmax`,
`torch.logsumexp`, `torch.nn.functional.scaled_dot_product_attention`, causal ones with
`torch.nn.attention.bias.causal_lower_right`, gradients with torch's autograd."""

import inspect
import math

import numpy as np
import torch
import triton
import triton.language as tl

from autograder.exercise import case, exercise, kernel_of, question
from course.checks.compare import close, exact
from course.checks.script import call, given, held, measured, simulated

TITLE = "FlashAttention"


def _normal(rng, *shape, scale=1.0):
    return np.asarray(scale * rng.standard_normal(shape))


def _starts(count, block):
    return range(0, count, block)


# ---- the softmax of one row, in one pass -------------------------------------------------------------------------


def _online(
    scores, block, *, start=-np.inf, fade=lambda old, new: np.exp(old - new), shift=lambda old, new, tile: new,
    higher=lambda top, tile: max(top, tile.max()), finish=lambda top, total: total, whole=False, guard=True,
):  # fmt: skip
    """Running maximum and sum, with what can go wrong as parameters."""
    top, total, tops, totals = start, 0.0, [], []
    stop = len(scores) // block * block if whole else len(scores)
    for first in _starts(stop, block):
        tile = scores[first : first + block]
        new = higher(top, tile)
        anchor = new if np.isfinite(new) or not guard else 0.0
        total = total * fade(top, anchor) + np.exp(tile - shift(top, anchor, tile)).sum()
        top = new
        tops.append(top)
        totals.append(finish(top, total))
    return np.array(tops), np.array(totals)


def _rows(rng):
    """(label, scores, block): the largest score late, early, in between; ragged ends; hidden keys; huge scores."""
    m = int(rng.integers(9, 12))
    noise = rng.uniform(-0.4, 0.4, 12)
    rising, falling = np.arange(8) * 0.5 - 6.0 + noise[:8], 4.0 - np.arange(7) * 0.6 + noise[:7]
    hidden = _normal(rng, 7) - 2.0
    hidden[:3] = -np.inf
    yield "rising scores", rising, 2
    yield "falling scores, the last block shorter", falling, 3
    yield "a single block", _normal(rng, 3) - 3.0, 5
    yield "huge scores", rng.permutation(np.arange(6) * 0.7 + 300.0) + noise[:6], 2
    yield "a first block of hidden keys (-inf)", hidden, 3
    yield f"{m} random scores", 1.5 * _normal(rng, m), 4


@exercise(points=3, minutes=12, source="Milakov and Gimelshein 2018, algorithm 3, in blocks")
class online_softmax:
    """Maximum and sum of a softmax in one pass over the row, block by block."""

    tolerance = close(2e-4, 2e-5, why="a float32 solution rounds scores of 300, and exponentials of their differences")

    def cases(rng):
        for label, scores, block in _rows(rng):
            yield case(scores, block, label=f"{label}, block = {block}")

    def reference(scores, block):
        ends = [min(first + block, len(scores)) for first in _starts(len(scores), block)]
        tops = [float(scores[:end].max()) for end in ends]
        totals = [
            math.fsum(math.exp(s - top) for s in scores[:end] if s > -np.inf)
            for top, end in zip(tops, ends, strict=True)
        ]
        return np.array(tops), np.array(totals)

    class misconceptions:
        def old_sum_not_rescaled(scores, block):
            """You add to the old sum as it is. It was relative to the old maximum: multiply it by exp(old - new) first."""
            return _online(scores, block, fade=lambda old, new: 1.0)

        def rescaled_the_wrong_way(scores, block):
            """You rescale by exp(new - old). When the maximum grows, the old terms shrink: exp(old - new)."""
            return _online(scores, block, fade=lambda old, new: np.exp(new - old) if np.isfinite(old) else 0.0)

        def rescaled_by_the_new_maximum(scores, block):
            """You rescale the old sum by exp(-new). It holds exp(s - old): to get exp(s - new), multiply by exp(old - new)."""
            return _online(scores, block, fade=lambda old, new: np.exp(-new))

        def new_block_relative_to_the_old_maximum(scores, block):
            """The new block's powers are relative to the old maximum. Take the new one: exp(s - new)."""
            return _online(scores, block, shift=lambda old, new, tile: old)

        def new_block_relative_to_its_own_maximum(scores, block):
            """The new block's powers are relative to its own maximum. Take the largest of all so far, as for the old sum."""
            return _online(scores, block, shift=lambda old, new, tile: tile.max() if np.isfinite(tile.max()) else 0.0)

        def everything_rescaled(scores, block):
            """You rescale the new block's powers too. They are relative to the new maximum already: rescale the old sum only."""
            tops, _ = _online(scores, block)
            old = np.concatenate([[-np.inf], tops[:-1]])
            out, total = [], 0.0
            for first, before, now in zip(_starts(len(scores), block), old, tops, strict=True):
                now = now if np.isfinite(now) else 0.0
                tile = scores[first : first + block]
                total = (total + np.exp(tile - now).sum()) * (np.exp(before - now) if np.isfinite(before) else 1.0)
                out.append(total)
            return tops, np.array(out)

        def each_block_alone(scores, block):
            """These are maximum and sum of each block by itself. Carry both on: after a block they are those of all scores so far."""
            return _online(scores, block, higher=lambda top, tile: tile.max(), fade=lambda old, new: 0.0)

        def maximum_of_the_block_only(scores, block):
            """Your maximum is that of the last block. Compare it with the one so far, and keep the larger."""
            return _online(
                scores, block, higher=lambda top, tile: tile.max(),
                fade=lambda old, new: np.exp(old - new) if np.isfinite(old) else 0.0,
            )  # fmt: skip

        def two_passes(scores, block):
            """All your sums are relative to the row's final maximum, which one pass does not know yet. Use the largest so far."""
            tops, _ = _online(scores, block)
            ends = [min(first + block, len(scores)) for first in _starts(len(scores), block)]
            return tops, np.array([np.exp(scores[:end] - scores.max()).sum() for end in ends])

        def maximum_not_subtracted(scores, block):
            """You sum exp(s) itself, which overflows for large scores. Sum exp(s - largest so far)."""
            tops, _ = _online(scores, block)
            ends = [min(first + block, len(scores)) for first in _starts(len(scores), block)]
            return tops, np.array([np.exp(scores[:end]).sum() for end in ends])

        def no_number_for_hidden_keys(scores, block):
            """While all scores so far are -inf, so is their maximum, and -inf minus -inf is NaN. Subtract 0 then."""
            return _online(scores, block, guard=False)

        def started_at_zero(scores, block):
            """Your maximum starts at 0, so it is wrong while all scores are below. Start at -inf."""
            return _online(scores, block, start=0.0)

        def log_sum_exp(scores, block):
            """Your second result is maximum + log(sum). Return the sum itself; the logarithm comes in section 3."""
            return _online(scores, block, finish=lambda top, total: top + np.log(total) if total else -np.inf)

        def log_of_the_sum(scores, block):
            """Your second result is log(sum). Return the sum itself."""
            return _online(scores, block, finish=lambda top, total: np.log(total))

        def softmax_of_the_row(scores, block):
            """You return the weights of a softmax. Asked for are what it is made of: maximum and sum after each block."""
            powers = np.exp(scores - scores.max())
            return powers / powers.sum()

        def last_block_shorter_left_out(scores, block):
            """A last block that is shorter is left out. `range(0, len(scores), block)` reaches it."""
            return _online(scores, block, whole=True)

        def final_numbers_only(scores, block):
            """You return the final maximum and sum. Asked for are both after each block: two arrays, one number for each block."""
            tops, totals = _online(scores, block)
            return tops[-1], totals[-1]

        def after_each_score(scores, block):
            """You return a pair of numbers for each score. Take `block` scores at a time, and one pair after each block."""
            return _online(scores, 1)

        def block_as_a_number_of_blocks(scores, block):
            """`block` is how many scores a block holds, not how many blocks there are."""
            return _online(scores, -(-len(scores) // block))

        def sums_first(scores, block):
            """You return the two in the other order: the maxima come first."""
            return _online(scores, block)[::-1]


# ---- one more tile -----------------------------------------------------------------------------------------------


def _seen(
    top, total, mixed, scores, values, *, anchor=lambda top, new, own: new, fade=lambda top, new: np.exp(top - new),
    total_fades=True, mixed_fades=True, guard=True,
):  # fmt: skip
    """One step of the online softmax for a tile, with what can go wrong as parameters."""
    own = scores.max(1)
    new = np.maximum(top, own)
    safe = np.where(np.isfinite(new), new, 0.0) if guard else new
    fading = fade(top, safe)
    shift = anchor(top, safe, np.where(np.isfinite(own), own, 0.0))
    powers = np.exp(scores - shift[:, None])
    return (
        new, total * (fading if total_fades else 1.0) + powers.sum(1),
        mixed * (fading[:, None] if mixed_fades else 1.0) + powers @ values,
    )  # fmt: skip


def _fresh(rows, d_v):
    return np.full(rows, -np.inf), np.zeros(rows), np.zeros((rows, d_v))


def _midway(rng, rows, d_v, keys=5):
    """What is known of some queries after a few keys."""
    return _seen(*_fresh(rows, d_v), _normal(rng, rows, keys), _normal(rng, keys, d_v))


def _tiles_to_add(rng):
    """(label, state, scores, values): r = c = d_v once, where a wrong axis fits."""
    rows, keys, d_v = int(rng.integers(4, 7)), int(rng.integers(7, 9)), int(rng.integers(2, 4))
    yield "the first tile", _fresh(3, 2), _normal(rng, 3, 4), _normal(rng, 4, 2)
    yield "larger scores than before", _midway(rng, 4, 3), _normal(rng, 4, 2) + 2.5, _normal(rng, 2, 3)
    yield "smaller scores than before", _midway(rng, 3, 4), _normal(rng, 3, 2) - 2.5, _normal(rng, 2, 4)
    yield "r = c = d_v = 3", _midway(rng, 3, 3), _normal(rng, 3, 3, scale=2.0), _normal(rng, 3, 3)
    yield "low scores", _fresh(2, 3), _normal(rng, 2, 4) - 7.0, _normal(rng, 4, 3)
    huge = _normal(rng, 2, 3) + 300.0
    yield "huge scores", _midway(rng, 2, 5), huge, _normal(rng, 3, 5)
    some = _normal(rng, rows, keys, scale=1.5)
    some[rng.random(some.shape) < 0.4] = -np.inf
    some[0] = -np.inf
    yield "some keys hidden, from query 0 all", _midway(rng, rows, d_v), some, _normal(rng, keys, d_v)
    yield "query 0 has seen nothing yet, and sees nothing now", _fresh(rows, d_v), some, _normal(rng, keys, d_v)


@exercise(points=3, minutes=15, source="Dao et al. 2022, algorithm 1, lines 10 to 12, without the division")
class add_tile:
    """What is known of a tile of queries, after one more tile of keys and values."""

    tolerance = close(2e-4, 1e-4, why="a float32 solution rounds scores of 300, and exponentials of their differences")

    def cases(rng):
        for label, state, scores, values in _tiles_to_add(rng):
            yield case(*state, scores, values, label=label)

    def reference(top, total, mixed, scores, values):
        tops, totals, rows = [], [], []
        for t, old, row, line in zip(top, total, mixed, scores, strict=True):
            new = max(float(t), *map(float, line))
            terms = [math.exp(s - new) if s > -np.inf else 0.0 for s in line]
            kept = math.exp(t - new) if t > -np.inf else 0.0
            tops.append(new)
            totals.append(math.fsum([kept * old, *terms]))
            rows.append([math.fsum([kept * x, *(w * y for w, y in zip(terms, column, strict=True))])
                         for x, column in zip(row, values.T, strict=True)])  # fmt: skip
        return np.array(tops), np.array(totals), np.array(rows)

    class misconceptions:
        def mixed_not_rescaled(top, total, mixed, scores, values):
            """You rescale the sum and not the mixed values. Both are relative to the old maximum: both times exp(old - new)."""
            return _seen(top, total, mixed, scores, values, mixed_fades=False)

        def total_not_rescaled(top, total, mixed, scores, values):
            """You rescale the mixed values and not the sum. Both are relative to the old maximum: both times exp(old - new)."""
            return _seen(top, total, mixed, scores, values, total_fades=False)

        def nothing_rescaled(top, total, mixed, scores, values):
            """You rescale neither the sum nor the mixed values. Where the maximum grows, both shrink by exp(old - new)."""
            return _seen(top, total, mixed, scores, values, total_fades=False, mixed_fades=False)

        def rescaled_the_wrong_way(top, total, mixed, scores, values):
            """You rescale by exp(new - old). When the maximum grows, what is old shrinks: exp(old - new)."""
            return _seen(top, total, mixed, scores, values,
                         fade=lambda top, new: np.where(np.isfinite(top), np.exp(new - top), 0.0))  # fmt: skip

        def powers_relative_to_the_old_maximum(top, total, mixed, scores, values):
            """The new powers are relative to the old maximum. Take the new one: exp(scores - new)."""
            return _seen(top, total, mixed, scores, values, anchor=lambda top, new, own: top)

        def powers_relative_to_the_tile(top, total, mixed, scores, values):
            """The new powers are relative to this tile's maximum. Take the larger of it and the old one."""
            return _seen(top, total, mixed, scores, values, anchor=lambda top, new, own: own)

        def powers_of_the_scores_themselves(top, total, mixed, scores, values):
            """You take exp(scores) without subtracting the new maximum."""
            return _seen(top, total, mixed, scores, values, anchor=lambda top, new, own: 0.0 * own)

        def no_number_for_blind_rows(top, total, mixed, scores, values):
            """Where a query has seen nothing so far and sees nothing now, -inf minus -inf is NaN: subtract 0 instead."""
            return _seen(top, total, mixed, scores, values, guard=False)

        def one_maximum_for_all(top, total, mixed, scores, values):
            """You take one maximum for the whole tile. Each query has its own: the maximum along the keys, axis 1."""
            new = np.maximum(top, scores.max())
            fade, powers = np.exp(top - new), np.exp(scores - new[:, None])
            return new, total * fade + powers.sum(1), mixed * fade[:, None] + powers @ values

        def maxima_of_the_keys(top, total, mixed, scores, values):
            """You take the maximum along axis 0: one for each key. A query is a row, so its maximum runs along axis 1."""
            own = scores.max(0)
            new = np.maximum(top, own)
            fade, powers = np.exp(top - new), np.exp(scores - new[:, None])
            return new, total * fade + powers.sum(1), mixed * fade[:, None] + powers @ values

        def sums_of_the_keys(top, total, mixed, scores, values):
            """You sum the powers along axis 0: one sum for each key. A query is a row: sum along axis 1."""
            new, _, right = _seen(top, total, mixed, scores, values)
            safe = np.where(np.isfinite(new), new, 0.0)
            return new, total * np.exp(top - safe) + np.exp(scores - safe[:, None]).sum(0), right

        def one_sum_for_all(top, total, mixed, scores, values):
            """You add the sum of all powers of the tile to every query. Each query has its own: sum along axis 1."""
            new, _, right = _seen(top, total, mixed, scores, values)
            safe = np.where(np.isfinite(new), new, 0.0)
            return new, total * np.exp(top - safe) + np.exp(scores - safe[:, None]).sum(), right

        def factor_as_a_row(top, total, mixed, scores, values):
            """`mixed * fade` spreads the factors along the wrong axis: each query has one for its whole row. Use `fade[:, None]`."""
            new, right, _ = _seen(top, total, mixed, scores, values)
            safe = np.where(np.isfinite(new), new, 0.0)
            return new, right, mixed * np.exp(top - safe) + np.exp(scores - safe[:, None]) @ values

        def maxima_as_a_row(top, total, mixed, scores, values):
            """`scores - new` subtracts along the wrong axis: each query has one maximum for its whole row. Use `new[:, None]`."""
            new = np.maximum(top, scores.max(1))
            fade, powers = np.exp(top - new), np.exp(scores - new)
            return new, total * fade + powers.sum(1), mixed * fade[:, None] + powers @ values

        def old_forgotten(top, total, mixed, scores, values):
            """You return what this tile gives and forget what was known before. Add it to the old sum and mixed values, rescaled."""
            return _seen(*_fresh(*mixed.shape), scores, values)

        def old_mixed_forgotten(top, total, mixed, scores, values):
            """The old mixed values are gone. Add the new ones to them, rescaled."""
            return _seen(top, total, 0 * mixed, scores, values)

        def old_total_forgotten(top, total, mixed, scores, values):
            """The old sum is gone. Add the new powers to it, rescaled."""
            return _seen(top, 0 * total, mixed, scores, values)

        def already_divided(top, total, mixed, scores, values):
            """You divide by the sum already. Tiles could not be added any more: the division comes once, at the very end."""
            new, new_total, new_mixed = _seen(top, total, mixed, scores, values)
            return new, new_total, new_mixed / np.where(new_total > 0, new_total, 1.0)[:, None]

        def old_maximum_kept(top, total, mixed, scores, values):
            """You return the old maximum. The new sums are relative to the new one: return that."""
            return top, *_seen(top, total, mixed, scores, values)[1:]

        def maximum_of_the_tile(top, total, mixed, scores, values):
            """Your maximum is that of this tile. It is the larger of that and the old one, for each query."""
            own = scores.max(1)
            safe = np.where(np.isfinite(own), own, 0.0)
            fade, powers = np.where(np.isfinite(top), np.exp(top - safe), 0.0), np.exp(scores - safe[:, None])
            return own, total * fade + powers.sum(1), mixed * fade[:, None] + powers @ values

        def values_by_scores(top, total, mixed, scores, values):
            """You mix the values by the scores. Mix them by the powers, exp(scores - new)."""
            new, right, _ = _seen(top, total, mixed, scores, values)
            safe = np.where(np.isfinite(new), new, 0.0)
            return new, right, mixed * np.exp(top - safe)[:, None] + scores @ values

        def mixed_before_total(top, total, mixed, scores, values):
            """You return them in another order. Asked for is (top, total, mixed)."""
            new, new_total, new_mixed = _seen(top, total, mixed, scores, values)
            return new, new_mixed, new_total


# ---- the tiled forward pass --------------------------------------------------------------------------------------


def _softmax_rows(scores):
    """Weights and log-sum-exp of each row; rows of -inf get weights of 0 and -inf."""
    top = scores.max(1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = powers.sum(1, keepdims=True)
    with np.errstate(divide="ignore"):
        return powers / np.where(total > 0, total, 1.0), (top + np.log(total))[:, 0]


def _row_by_row(q, k, v, seen=lambda i: None):
    """Attention one query at a time, with sums that do not round; `seen(i)` is how many keys query i sees."""
    output, lse = np.zeros((len(q), v.shape[1])), np.full(len(q), -np.inf)
    for i, query in enumerate(q):
        keys, values = k[: seen(i)], v[: seen(i)]
        if len(keys) > 100:  # exact sums would take long
            weights, sums = _softmax_rows((keys @ query / math.sqrt(q.shape[1]))[None])
            output[i], lse[i] = weights[0] @ values, sums[0]
        elif len(keys):
            scores = [math.fsum(query * key) / math.sqrt(q.shape[1]) for key in keys]
            lse[i] = max(scores) + math.log(math.fsum(math.exp(s - max(scores)) for s in scores))
            output[i] = [
                math.fsum(math.exp(s - lse[i]) * x for s, x in zip(scores, column, strict=True)) for column in values.T
            ]
    return output, lse


def _flash(q, k, v, block_q, block_k, *, scale=None, finish=None, lse=None, values=lambda v, i, j, c: v[j : j + c],
           reset=False, queries=None, keys=None, mask=None):  # fmt: skip
    """Attention by tiles, with what can go wrong as parameters."""
    scale = 1 / math.sqrt(q.shape[1]) if scale is None else scale
    finish = finish or (lambda top, total, mixed: mixed / np.where(total > 0, total, 1.0)[:, None])
    lse = lse or (lambda top, total: np.where(total > 0, top + np.log(np.where(total > 0, total, 1.0)), -np.inf))
    output, sums = np.zeros((len(q), v.shape[1])), np.zeros(len(q))
    for i in _starts(len(q) if queries is None else queries, block_q):
        tile = q[i : i + block_q]
        state = _fresh(len(tile), v.shape[1])
        for j in _starts(len(k) if keys is None else keys, block_k):
            scores = tile @ k[j : j + block_k].T * scale
            if mask is not None:
                scores = mask(scores, i, j)
                if scores is None:
                    continue
            if reset:
                state = _fresh(len(tile), v.shape[1])
            state = _seen(*state, scores, values(v, i, j, scores.shape[1]))
        output[i : i + block_q], sums[i : i + block_q] = finish(*state), lse(*state[:2])
    return output, sums


TILED = [
    (6, 6, 4, 3, 2, 3),
    (7, 10, 3, 4, 3, 4),
    (9, 5, 2, 2, 4, 2),
    (3, 4, 5, 2, 8, 8),
]  # n, m, d, d_v, block_q, block_k


def _qkv(rng, n, m, d, d_v, scale=1.6):
    return _normal(rng, n, d, scale=scale), _normal(rng, m, d, scale=scale), _normal(rng, m, d_v)


def _tiled_sizes(rng):
    return [*TILED, (int(rng.integers(8, 11)), int(rng.integers(11, 15)), 3, int(rng.integers(4, 6)), 3, 5)]


LONG = (320, 960, 4, 4, 40, 120)  # a tile takes 38 kB, a row of tiles 307 kB, the table 2.5 MB
ADVICE = "An array of all scores, 320 by 960, takes 2.5 MB alone: hold one tile, block_q by block_k, at a time."


def _long_texts(name, arguments, most_mb):
    n, m, _, _, block_q, block_k = LONG
    script = [measured(name, *arguments, block_q, block_k, most_mb=most_mb, advice=ADVICE)]
    return case(script=script, label=f"in little memory, {_said(n, m, block_q, block_k)}")


def _said(n, m, block_q, block_k):
    return f"n = {n}, m = {m}, tiles of {block_q} by {block_k}"


@exercise(
    points=6, minutes=25,
    source="Dao et al. 2022, algorithm 1; Dao 2023, algorithm 1 (queries outside, one division)",
    uses=("m22.add_tile",),
)  # fmt: skip
class tiled_attention:
    """Attention tile by tile: no table of all scores, the log-sum-exp kept for the way back."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds products, exponentials and sums over all keys")

    def cases(rng):
        for n, m, d, d_v, block_q, block_k in _tiled_sizes(rng):
            yield case(*_qkv(rng, n, m, d, d_v), block_q, block_k, label=_said(n, m, block_q, block_k))
        q, k, v = _qkv(rng, 5, 8, 4, 3)
        yield case(40 * q, k, v, 2, 3, label="scores in the hundreds")
        q, k = rng.integers(40, 45, (5, 4)) * 1.0, rng.integers(-23, -19, (7, 4)) * 1.0  # exact in float32
        yield case(q, k, _normal(rng, 7, 3), 2, 3, label="scores far below 0")
        yield _long_texts("tiled_attention", _qkv(rng, *LONG[:4]), 0.25)

    def reference(q, k, v, block_q, block_k):
        return _row_by_row(q, k, v)

    class misconceptions:
        def table_of_all_scores(q, k, v, block_q, block_k):
            """The numbers are right, but an (n, m) array of scores, or a whole row or column of tiles, is in memory at once. Work on one tile at a time."""
            weights, lse = _softmax_rows(q @ k.T / math.sqrt(q.shape[1]))
            return weights @ v, lse

        def last_tile_only(q, k, v, block_q, block_k):
            """Each tile of queries remembers its last tile of keys only: top, total and mixed start anew inside of the loop over keys."""
            return _flash(q, k, v, block_q, block_k, reset=True)

        def first_tile_only(q, k, v, block_q, block_k):
            """Each tile of queries sees the first tile of keys only. Loop over all of them before you divide."""
            return _flash(q, k, v, block_q, block_k, keys=1)

        def own_tile_only(q, k, v, block_q, block_k):
            """Each tile of queries meets one tile of keys. You need two loops, one inside of the other: each tile of queries meets all keys."""
            output, lse = np.zeros((len(q), v.shape[1])), np.zeros(len(q))
            for i, j in zip(_starts(len(q), block_q), _starts(len(k), block_k), strict=False):
                rows, columns = slice(i, i + block_q), slice(j, j + block_k)
                output[rows], lse[rows] = _flash(q[rows], k[columns], v[columns], block_q, block_k)
            return output, lse

        def no_scale(q, k, v, block_q, block_k):
            """The scores are not divided by the square root of d."""
            return _flash(q, k, v, block_q, block_k, scale=1.0)

        def divided_by_d(q, k, v, block_q, block_k):
            """You divide the scores by d. The scale is its square root."""
            return _flash(q, k, v, block_q, block_k, scale=1 / q.shape[1])

        def multiplied_by_the_root(q, k, v, block_q, block_k):
            """You multiply the scores by the square root of d. Divide by it."""
            return _flash(q, k, v, block_q, block_k, scale=math.sqrt(q.shape[1]))

        def scaled_by_the_values_width(q, k, v, block_q, block_k):
            """You divide by the root of the values' width. It is the width of queries and keys, `q.shape[1]`."""
            return _flash(q, k, v, block_q, block_k, scale=1 / math.sqrt(v.shape[1]))

        def scaled_by_the_number_of_queries(q, k, v, block_q, block_k):
            """You divide by the root of the number of queries. It is their width, `q.shape[1]`."""
            return _flash(q, k, v, block_q, block_k, scale=1 / math.sqrt(len(q)))

        def not_divided(q, k, v, block_q, block_k):
            """The output is not divided by the sums. After the last tile of keys: mixed / total, row by row."""
            return _flash(q, k, v, block_q, block_k, finish=lambda top, total, mixed: mixed)

        def divided_by_the_maximum(q, k, v, block_q, block_k):
            """You divide by the maximum. Divide the mixed values by the sums, total."""
            return _flash(q, k, v, block_q, block_k, finish=lambda top, total, mixed: mixed / top[:, None])

        def multiplied_by_the_sums(q, k, v, block_q, block_k):
            """You multiply the mixed values by the sums. Divide by them."""
            return _flash(q, k, v, block_q, block_k, finish=lambda top, total, mixed: mixed * total[:, None])

        def mean_over_tiles(q, k, v, block_q, block_k):
            """You average the softmax of each tile. Tiles with larger scores must count more: carry top, total and mixed on."""
            parts = [
                _flash(q, k[j : j + block_k], v[j : j + block_k], block_q, block_k) for j in _starts(len(k), block_k)
            ]
            return np.mean([p[0] for p in parts], axis=0), np.logaddexp.reduce([p[1] for p in parts])

        def sum_over_tiles(q, k, v, block_q, block_k):
            """You add up the softmax of each tile: each of them is divided too early. Divide once, by the sum over all keys."""
            parts = [
                _flash(q, k[j : j + block_k], v[j : j + block_k], block_q, block_k) for j in _starts(len(k), block_k)
            ]
            return np.sum([p[0] for p in parts], axis=0), np.logaddexp.reduce([p[1] for p in parts])

        def lse_without_the_maximum(q, k, v, block_q, block_k):
            """Your log-sum-exp is log(total). total is relative to top: add top."""
            return _flash(q, k, v, block_q, block_k, lse=lambda top, total: np.log(total))

        def lse_is_the_maximum(q, k, v, block_q, block_k):
            """You return the maxima in the place of the log-sum-exp, which is top + log(total)."""
            return _flash(q, k, v, block_q, block_k, lse=lambda top, total: top)

        def lse_is_the_sum(q, k, v, block_q, block_k):
            """You return the sums in the place of the log-sum-exp, which is top + log(total)."""
            return _flash(q, k, v, block_q, block_k, lse=lambda top, total: total)

        def lse_without_the_logarithm(q, k, v, block_q, block_k):
            """Your log-sum-exp is top + total. The logarithm of total is missing."""
            return _flash(q, k, v, block_q, block_k, lse=lambda top, total: top + total)

        def lse_subtracted(q, k, v, block_q, block_k):
            """Your log-sum-exp is top - log(total). Add the logarithm."""
            return _flash(q, k, v, block_q, block_k, lse=lambda top, total: top - np.log(total))

        def lse_in_powers_of_two(q, k, v, block_q, block_k):
            """Your log-sum-exp has a logarithm to base 2 in it. Here logarithms are natural: np.log."""
            return _flash(q, k, v, block_q, block_k, lse=lambda top, total: top + np.log2(total))

        def last_queries_left_out(q, k, v, block_q, block_k):
            """A last tile of queries that is shorter is left out. `range(0, n, block_q)` reaches it, and slices may end early."""
            return _flash(q, k, v, block_q, block_k, queries=len(q) // block_q * block_q)

        def last_keys_left_out(q, k, v, block_q, block_k):
            """A last tile of keys that is shorter is left out. `range(0, m, block_k)` reaches it, and slices may end early."""
            return _flash(q, k, v, block_q, block_k, keys=len(k) // block_k * block_k)

        def as_many_keys_as_queries(q, k, v, block_q, block_k):
            """Your loop over keys ends at the number of queries. There are m = len(k) keys."""
            return _flash(q, k[: len(q)], v[: len(q)], block_q, block_k)

        def first_values_for_all_tiles(q, k, v, block_q, block_k):
            """You mix the first values for every tile of keys. Value rows belong to key rows: v[j : j + block_k]."""
            return _flash(q, k, v, block_q, block_k, values=lambda v, i, j, c: v[:c])

        def output_only(q, k, v, block_q, block_k):
            """You return the output only. Asked for is (output, lse)."""
            return _flash(q, k, v, block_q, block_k)[0]

        def lse_as_a_column(q, k, v, block_q, block_k):
            """Your log-sum-exp is a column, (n, 1). Asked for is one number for each query, shape (n,)."""
            output, lse = _flash(q, k, v, block_q, block_k)
            return output, lse[:, None]

        def lse_first(q, k, v, block_q, block_k):
            """You return the two in the other order: the output comes first."""
            return _flash(q, k, v, block_q, block_k)[::-1]


# ---- which tiles a causal mask needs -----------------------------------------------------------------------------


def _map(n, m, block_q, block_k, sees):
    """0, 1 or 2 for each tile by a boolean table (n, m)."""
    mask = np.broadcast_to(sees(np.arange(n)[:, None], np.arange(m)), (n, m))
    cut = [[mask[i : i + block_q, j : j + block_k] for j in _starts(m, block_k)] for i in _starts(n, block_q)]
    return np.array([[int(tile.any()) + int(tile.all()) for tile in row] for row in cut])


TILE_MAPS = [
    (8, 8, 2, 2),
    (6, 6, 3, 2),
    (4, 9, 2, 3),
    (9, 5, 2, 2),
    (7, 7, 3, 4),
    (5, 12, 4, 3),
]  # n, m, block_q, block_k


@exercise(
    points=3, minutes=15, source="Dao 2023, FlashAttention-2, section 3.1.1, causal masking; queries end where keys end"
)
class causal_tiles:
    """Which tiles of the causal score table are hidden, cut by the diagonal, or seen as a whole."""

    tolerance = exact

    def cases(rng):
        drawn = int(rng.integers(8, 12)), int(rng.integers(12, 16)), 3, int(rng.integers(4, 6))
        other = int(rng.integers(10, 14)), int(rng.integers(6, 9)), 4, 3
        for n, m, block_q, block_k in [*TILE_MAPS, drawn, other]:
            yield case(n, m, block_q, block_k, label=_said(n, m, block_q, block_k))

    def reference(n, m, block_q, block_k):
        return _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n)

    class misconceptions:
        def aligned_at_the_start(n, m, block_q, block_k):
            """Your diagonal begins at the first key. The last query stands at the last key: query i sees keys up to i + m - n."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i)

        def shifted_the_wrong_way(n, m, block_q, block_k):
            """Your diagonal is shifted by n - m. With more keys than queries, query i sees more: up to i + m - n."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i + n - m)

        def not_itself(n, m, block_q, block_k):
            """Your queries do not see the key at their own place. Query i sees keys up to i + m - n, that one included."""
            return _map(n, m, block_q, block_k, lambda i, j: j < i + m - n)

        def one_too_many(n, m, block_q, block_k):
            """Your queries see one key of the future. The last key of query i is i + m - n: with the last row of a tile, count from 0."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n + 1)

        def future_instead_of_past(n, m, block_q, block_k):
            """Your map is turned round: what is seen is hidden. Query i sees keys up to i + m - n."""
            return _map(n, m, block_q, block_k, lambda i, j: j > i + m - n)

        def by_the_numbers_of_tiles(n, m, block_q, block_k):
            """You compare the numbers of tiles. That is right for square tiles and n = m only: compare the first and last rows in them."""
            rows, columns = -(-n // block_q), -(-m // block_k)
            return np.array([[1 + np.sign(a - b) for b in range(columns)] for a in range(rows)])

        def not_clipped(n, m, block_q, block_k):
            """A last tile that is shorter ends at n or m. You take its rows beyond that for real ones."""
            first, begin = np.arange(0, n, block_q)[:, None] + m - n, np.arange(0, m, block_k)
            return (begin <= first + block_q - 1).astype(int) + (begin + block_k - 1 <= first)

        def full_if_the_last_query_sees_all(n, m, block_q, block_k):
            """You call a tile full if its last query sees all of its keys. All of its queries have to: ask the first one."""
            first, begin = np.arange(0, n, block_q)[:, None] + m - n, np.arange(0, m, block_k)
            last, end = np.minimum(first + block_q, m) - 1, np.minimum(begin + block_k, m) - 1
            return (begin <= last).astype(int) + (end <= last)

        def full_if_its_first_key_is_seen(n, m, block_q, block_k):
            """You call a tile full if its first query sees its first key. It has to see its last key."""
            first, begin = np.arange(0, n, block_q)[:, None] + m - n, np.arange(0, m, block_k)
            last = np.minimum(first + block_q, m) - 1
            return (begin <= last).astype(int) + (begin <= first)

        def hidden_if_the_first_query_sees_nothing(n, m, block_q, block_k):
            """You call a tile hidden if its first query sees nothing of it. Its last query sees further: ask that one."""
            first, begin = np.arange(0, n, block_q)[:, None] + m - n, np.arange(0, m, block_k)
            end = np.minimum(begin + block_k, m) - 1
            return (begin <= first).astype(int) + (end <= first)

        def hidden_unless_all_of_it_is_seen(n, m, block_q, block_k):
            """You call a tile hidden unless its last query sees its last key. One key seen is enough: ask for its first key."""
            first, begin = np.arange(0, n, block_q)[:, None] + m - n, np.arange(0, m, block_k)
            last, end = np.minimum(first + block_q, m) - 1, np.minimum(begin + block_k, m) - 1
            return (end <= last).astype(int) + (end <= first)

        def seen_or_not(n, m, block_q, block_k):
            """You tell seen from hidden only. Tell tiles that the diagonal cuts (1) from those seen as a whole (2)."""
            return np.minimum(_map(n, m, block_q, block_k, lambda i, j: j <= i + m - n), 1)

        def cut_tiles_left_out(n, m, block_q, block_k):
            """Tiles that the diagonal cuts are 0 in your map. They hold keys that are seen: they are 1."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n) // 2 * 2

        def cut_and_full_swapped(n, m, block_q, block_k):
            """You have 1 and 2 the other way round: 1 is cut by the diagonal, 2 is seen as a whole."""
            right = _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n)
            return np.where(right > 0, 3 - right, 0)

        def full_is_one(n, m, block_q, block_k):
            """Your full tiles are 1 and all others 0. Asked for are three numbers: 0 hidden, 1 cut, 2 full."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n) // 2

        def booleans(n, m, block_q, block_k):
            """Your map holds True and False. Three kinds of tiles need three numbers: 0, 1, 2."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n) > 0

        def keys_as_rows(n, m, block_q, block_k):
            """Your map is turned round: tiles of queries are its rows, tiles of keys its columns."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n).T

        def block_sizes_swapped(n, m, block_q, block_k):
            """You cut queries by block_k and keys by block_q. It is the other way round."""
            return _map(n, m, block_k, block_q, lambda i, j: j <= i + m - n)

        def last_tiles_left_out(n, m, block_q, block_k):
            """Tiles at the end that are shorter are left out. Round the number of tiles up."""
            return _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n)[: n // block_q, : m // block_k]

        def the_mask_itself(n, m, block_q, block_k):
            """You return a number for each query and key. Asked for is one for each tile."""
            return np.array([[int(j <= i + m - n) for j in range(m)] for i in range(n)])

        def seen_keys_counted(n, m, block_q, block_k):
            """You count what is seen in each tile. Asked for is 0, 1 or 2: nothing, a part, all."""
            mask = np.tri(n, m, m - n)
            return np.array([[int(mask[i : i + block_q, j : j + block_k].sum()) for j in _starts(m, block_k)]
                             for i in _starts(n, block_q)])  # fmt: skip


# ---- causal attention that skips ---------------------------------------------------------------------------------


def _shaded(q, k, sees, hidden=-np.inf):
    """A function that hides, in the scores of a tile, what `sees(query, key)` says is hidden."""

    def mask(scores, i, j):
        rows, columns = np.arange(i, i + scores.shape[0])[:, None], np.arange(j, j + scores.shape[1])
        return np.where(sees(rows, columns), scores, hidden)

    return mask


def _causal(q, k):
    gap = len(k) - len(q)
    return _shaded(q, k, lambda i, j: j <= i + gap)


def _skipping(q, k, v, block_q, block_k, mask=None, skip=lambda kind: kind == 0, **how):
    """Causal attention by tiles that are chosen by the map."""
    kinds = _map(len(q), len(k), block_q, block_k, lambda i, j: j <= i + len(k) - len(q))
    mask = mask or (lambda scores, i, j, kind: _causal(q, k)(scores, i, j))

    def chosen(scores, i, j):
        kind = kinds[i // block_q, j // block_k]
        return None if skip(kind) else mask(scores, i, j, kind)

    return _flash(q, k, v, block_q, block_k, mask=chosen, **how)


def _reading(q, k, v, block_q, block_k, skip=lambda kind: kind == 0):
    """As `_skipping` with right numbers, but a tile that is skipped is not read."""
    kinds = _map(len(q), len(k), block_q, block_k, lambda i, j: j <= i + len(k) - len(q))
    output, lse = np.zeros((len(q), v.shape[1])), np.zeros(len(q))
    for a, i in enumerate(_starts(len(q), block_q)):
        tile = q[i : i + block_q]
        state = _fresh(len(tile), v.shape[1])
        for b, j in enumerate(_starts(len(k), block_k)):
            if not skip(kinds[a, b]):
                scores = _causal(q, k)(tile @ k[j : j + block_k].T / math.sqrt(q.shape[1]), i, j)
                state = _seen(*state, scores, v[j : j + block_k])
        seen = state[1] > 0
        total = np.where(seen, state[1], 1.0)
        output[i : i + block_q] = state[2] / total[:, None]
        lse[i : i + block_q] = np.where(seen, state[0] + np.log(total), -np.inf)
    return output, lse


CAUSAL = [(6, 6, 4, 3, 2, 2), (7, 7, 3, 4, 3, 2), (4, 9, 2, 3, 2, 4), (9, 6, 3, 2, 2, 2), (5, 11, 3, 2, 3, 4)]


def _needed_rows(n, m, block_q, block_k):
    """Rows of keys that a causal pass has to read, whole tiles each."""
    kinds = _map(n, m, block_q, block_k, lambda i, j: j <= i + m - n)
    heights = [min(block_k, m - j) for j in _starts(m, block_k)]
    return int(((kinds > 0) * heights).sum())


def _from_slow_memory(rng, n, m, d, d_v, block_q, block_k):
    q, k, v = _qkv(rng, n, m, d, d_v)
    rows = _needed_rows(n, m, block_q, block_k)
    script = [
        given("m22.Hbm", q, "q", block_q, q.nbytes, handle="q"),
        given("m22.Hbm", k, "k", block_k, rows * d * 8, handle="k"),
        given("m22.Hbm", v, "v", block_k, rows * d_v * 8, handle="v"),
        call("causal_attention", held("q"), held("k"), held("v"), block_q, block_k),
    ]
    return case(script=script, label=f"from slow memory, {_said(n, m, block_q, block_k)}", part="reads")


@exercise(
    parts={"values": 3, "reads": 2}, minutes=25, source="Dao 2023, FlashAttention-2, section 3.1.1",
    uses=("m22.add_tile", "m22.causal_tiles"),
)  # fmt: skip
class causal_attention:
    """Causal attention that reads only the tiles that are seen."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds products, exponentials and sums over all keys")

    def cases(rng):
        drawn = int(rng.integers(8, 11)), int(rng.integers(11, 15)), 3, 4, 3, 4
        for n, m, d, d_v, block_q, block_k in [*CAUSAL, drawn]:
            yield case(*_qkv(rng, n, m, d, d_v), block_q, block_k, label=_said(n, m, block_q, block_k))
        for sizes in [(12, 12, 2, 3, 3, 3), (8, 14, 3, 2, 3, 4), (13, 9, 2, 2, 3, 4)]:
            yield _from_slow_memory(rng, *sizes)

    def reference(q, k, v, block_q, block_k):
        gap = len(k) - len(q)
        q, k, v = (getattr(x, "_array", x) for x in (q, k, v))
        return _row_by_row(q, k, v, lambda i: max(0, i + gap + 1))

    class misconceptions:
        def nothing_skipped(q, k, v, block_q, block_k):
            """The numbers are right, but you read tiles that no query of the tile sees. Skip them before you load: half of the work."""
            return _reading(q, k, v, block_q, block_k, skip=lambda kind: False)

        def nothing_masked(q, k, v, block_q, block_k):
            """You skip hidden tiles but mask nothing. In tiles that the diagonal cuts (1), set the scores of hidden keys to -inf."""
            return _skipping(q, k, v, block_q, block_k, mask=lambda scores, i, j, kind: scores)

        def not_causal(q, k, v, block_q, block_k):
            """Every query sees every key here. Query i may see the keys up to i + m - n."""
            return _flash(q, k, v, block_q, block_k)

        def cut_tiles_skipped(q, k, v, block_q, block_k):
            """You skip tiles that the diagonal cuts. Their lower half is seen: skip those with 0 only, and mask those with 1."""
            return _skipping(q, k, v, block_q, block_k, skip=lambda kind: kind < 2)

        def full_tiles_skipped(q, k, v, block_q, block_k):
            """You skip the tiles that are seen as a whole, those with 2. Skip those with 0."""
            return _skipping(q, k, v, block_q, block_k, skip=lambda kind: kind == 2)

        def aligned_at_the_start(q, k, v, block_q, block_k):
            """Your mask begins at the first key, whatever m is. The last query stands at the last key: query i sees up to i + m - n."""
            return _flash(q, k, v, block_q, block_k, mask=_shaded(q, k, lambda i, j: j <= i))

        def mask_aligned_at_the_start(q, k, v, block_q, block_k):
            """You skip the right tiles, but the mask inside of them takes query i to see keys up to i. It is i + m - n."""
            return _skipping(q, k, v, block_q, block_k, mask=lambda scores, i, j, kind:
                             _shaded(q, k, lambda i, j: j <= i)(scores, i, j) if kind == 1 else scores)  # fmt: skip

        def shifted_the_wrong_way(q, k, v, block_q, block_k):
            """Your mask is shifted by n - m. With more keys than queries, query i sees more: up to i + m - n."""
            gap = len(q) - len(k)
            return _flash(q, k, v, block_q, block_k, mask=_shaded(q, k, lambda i, j: j <= i + gap))

        def not_itself(q, k, v, block_q, block_k):
            """Your queries do not see the key at their own place. Query i sees keys up to i + m - n, that one included."""
            gap = len(k) - len(q)
            return _flash(q, k, v, block_q, block_k, mask=_shaded(q, k, lambda i, j: j < i + gap))

        def places_inside_of_the_tile(q, k, v, block_q, block_k):
            """Your mask compares places inside of the tile. Add where the tile begins: i to its rows, j to its columns."""

            def mask(scores, i, j, kind):
                rows, columns = np.arange(scores.shape[0])[:, None], np.arange(scores.shape[1])
                return np.where(columns <= rows, scores, -np.inf) if kind == 1 else scores

            return _skipping(q, k, v, block_q, block_k, mask=mask)

        def key_places_inside_of_the_tile(q, k, v, block_q, block_k):
            """The keys' places in your mask begin at 0 in each tile. Add j, where the tile begins."""
            gap = len(k) - len(q)

            def mask(scores, i, j, kind):
                rows, columns = np.arange(i, i + scores.shape[0])[:, None], np.arange(scores.shape[1])
                return np.where(columns <= rows + gap, scores, -np.inf) if kind == 1 else scores

            return _skipping(q, k, v, block_q, block_k, mask=mask)

        def query_places_inside_of_the_tile(q, k, v, block_q, block_k):
            """The queries' places in your mask begin at 0 in each tile. Add i, where the tile begins."""
            gap = len(k) - len(q)

            def mask(scores, i, j, kind):
                rows, columns = np.arange(scores.shape[0])[:, None], np.arange(j, j + scores.shape[1])
                return np.where(columns <= rows + gap, scores, -np.inf) if kind == 1 else scores

            return _skipping(q, k, v, block_q, block_k, mask=mask)

        def future_instead_of_past(q, k, v, block_q, block_k):
            """Your mask is turned round: it hides what is seen in the tiles that the diagonal cuts, and keeps what is hidden."""
            gap = len(k) - len(q)
            return _skipping(q, k, v, block_q, block_k, mask=lambda scores, i, j, kind:
                             _shaded(q, k, lambda i, j: j > i + gap)(scores, i, j) if kind == 1 else scores)  # fmt: skip

        def hidden_scores_are_zero(q, k, v, block_q, block_k):
            """Hidden scores are 0 in your tiles, and exp(0) counts. Set them to -inf, whose exponential is 0."""
            gap = len(k) - len(q)
            return _skipping(q, k, v, block_q, block_k, mask=lambda scores, i, j, kind:
                             _shaded(q, k, lambda i, j: j <= i + gap, 0.0)(scores, i, j) if kind == 1 else scores)  # fmt: skip

        def hidden_scores_are_large_and_negative(q, k, v, block_q, block_k):
            """A query that sees nothing gets an output all the same: -1e9 minus -1e9 is 0. Hide scores with -inf."""
            gap = len(k) - len(q)
            return _skipping(q, k, v, block_q, block_k, mask=lambda scores, i, j, kind:
                             _shaded(q, k, lambda i, j: j <= i + gap, -1e9)(scores, i, j) if kind == 1 else scores)  # fmt: skip

        def blind_queries_are_no_numbers(q, k, v, block_q, block_k):
            """Where a query sees nothing you divide 0 by 0. Its output is 0, its log-sum-exp -inf."""
            return _skipping(q, k, v, block_q, block_k, finish=lambda top, total, mixed: mixed / total[:, None])

        def blind_sums_are_zero(q, k, v, block_q, block_k):
            """The log-sum-exp of a query that sees nothing is -inf, the logarithm of an empty sum. Yours is 0."""
            return _skipping(q, k, v, block_q, block_k, lse=lambda top, total:
                             np.where(total > 0, top + np.log(np.where(total > 0, total, 1.0)), 0.0))  # fmt: skip

        def blind_sums_are_no_numbers(q, k, v, block_q, block_k):
            """The log-sum-exp of a query that sees nothing is NaN. It is -inf, the logarithm of an empty sum."""
            return _skipping(q, k, v, block_q, block_k, lse=lambda top, total:
                             np.where(total > 0, top + np.log(np.where(total > 0, total, 1.0)), np.nan))  # fmt: skip

        def no_scale(q, k, v, block_q, block_k):
            """The scores are not divided by the square root of d."""
            return _skipping(q, k, v, block_q, block_k, scale=1.0)

        def not_divided(q, k, v, block_q, block_k):
            """The output is not divided by the sums. After the last tile of keys: mixed / total, row by row."""
            return _skipping(q, k, v, block_q, block_k, finish=lambda top, total, mixed: mixed)

        def lse_without_the_maximum(q, k, v, block_q, block_k):
            """Your log-sum-exp is log(total). total is relative to top: add top."""
            return _skipping(q, k, v, block_q, block_k, lse=lambda top, total: np.log(total))

        def last_tile_only(q, k, v, block_q, block_k):
            """Each tile of queries remembers its last tile of keys only: top, total and mixed start anew inside of the loop over keys."""
            return _skipping(q, k, v, block_q, block_k, reset=True)

        def first_values_for_all_tiles(q, k, v, block_q, block_k):
            """You mix the first values for every tile of keys. Value rows belong to key rows: v[j : j + block_k]."""
            return _skipping(q, k, v, block_q, block_k, values=lambda v, i, j, c: v[:c])

        def output_only(q, k, v, block_q, block_k):
            """You return the output only. Asked for is (output, lse)."""
            return _skipping(q, k, v, block_q, block_k)[0]


# ---- the way back ------------------------------------------------------------------------------------------------


def _back(
    q, k, v, output, lse, grad, block_q, block_k, *, score_scale=None, grad_scale=None, weights=None, delta=None,
    grad_scores=lambda w, g, delta: w * (g - delta), last=(), scaled=("q", "k"),
):  # fmt: skip
    """The tiled way back, with what can go wrong as parameters."""
    root = 1 / math.sqrt(q.shape[1])
    score_scale, grad_scale = (root if s is None else s for s in (score_scale, grad_scale))
    weights = weights or (lambda scores, lse: np.exp(scores - lse[:, None]))
    delta = delta or (lambda w, g, grad, output: (grad * output).sum(1))
    grads = {"q": np.zeros(q.shape), "k": np.zeros(k.shape), "v": np.zeros(v.shape)}
    for i in _starts(len(q), block_q):
        rows = slice(i, i + block_q)
        for j in _starts(len(k), block_k):
            columns = slice(j, j + block_k)
            w = weights(q[rows] @ k[columns].T * score_scale, lse[rows])
            g = grad[rows] @ v[columns].T
            s = grad_scores(w, g, delta(w, g, grad[rows], output[rows])[:, None])
            parts = {
                "q": (rows, s @ k[columns] * (grad_scale if "q" in scaled else 1.0)),
                "k": (columns, s.T @ q[rows] * (grad_scale if "k" in scaled else 1.0)),
                "v": (columns, w.T @ grad[rows]),
            }
            for name, (place, part) in parts.items():
                grads[name][place] = part if name in last else grads[name][place] + part
    return grads["q"], grads["k"], grads["v"]


BACK = [(6, 6, 4, 3, 2, 3), (7, 10, 3, 4, 3, 4), (9, 5, 2, 2, 4, 2), (4, 4, 4, 4, 2, 2)]


def _way_back(rng, n, m, d, d_v):
    q, k, v = _qkv(rng, n, m, d, d_v, scale=1.0)
    weights, lse = _softmax_rows(q @ k.T / math.sqrt(d))
    return q, k, v, weights @ v, lse, _normal(rng, n, d_v)


@exercise(
    points=6,
    minutes=30,
    source="Dao et al. 2022, appendix B.2 and algorithm 4; Dao 2023, algorithm 2",
)
class tiled_backward:
    """The three gradients, tile by tile, from inputs, output and log-sum-exp only."""

    tolerance = close(1e-4, 1e-5, why="a float32 solution rounds products, exponentials and sums over all tiles")

    def cases(rng):
        drawn = int(rng.integers(8, 11)), int(rng.integers(11, 14)), 3, 4, 3, 5
        for n, m, d, d_v, block_q, block_k in [*BACK, drawn]:
            yield case(*_way_back(rng, n, m, d, d_v), block_q, block_k, label=_said(n, m, block_q, block_k))
        yield _long_texts("tiled_backward", _way_back(rng, *LONG[:4]), 0.35)

    def reference(q, k, v, output, lse, grad_output, block_q, block_k):
        grads = [np.zeros(x.shape) for x in (q, k, v)]
        scale = 1 / math.sqrt(q.shape[1])
        for i, (query, grad) in enumerate(zip(q, grad_output, strict=True)):
            weights = _softmax_rows((k @ query * scale)[None])[0][0]
            wanted = v @ grad  # the softmax's Jacobian of ch02, diag(w) - w w^T, times this
            grad_scores = (weights * wanted - weights * (weights @ wanted)) * scale
            grads[0][i] = grad_scores @ k
            grads[1] += np.outer(grad_scores, query)
            grads[2] += np.outer(weights, grad)
        return tuple(grads)

    class misconceptions:
        def table_of_all_weights(q, k, v, output, lse, grad_output, block_q, block_k):
            """The numbers are right, but an (n, m) array, or a whole row or column of tiles, is in memory at once. Recompute one tile of weights at a time."""
            return _back(q, k, v, output, lse, grad_output, len(q), len(k))

        def no_delta(q, k, v, output, lse, grad_output, block_q, block_k):
            """You do not subtract delta. The softmax couples the scores of a row: weights * (grad_weights - delta)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, grad_scores=lambda w, g, delta: w * g)

        def delta_of_the_tile(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your delta sums over the keys of one tile. It goes over all keys: take it from output and grad_output, row by row."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         delta=lambda w, g, grad, output: (w * g).sum(1))  # fmt: skip

        def delta_added(q, k, v, output, lse, grad_output, block_q, block_k):
            """You add delta. Subtract it: weights * (grad_weights - delta)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         grad_scores=lambda w, g, delta: w * (g + delta))  # fmt: skip

        def delta_outside(q, k, v, output, lse, grad_output, block_q, block_k):
            """You subtract delta after the product with the weights. It belongs inside of the bracket: weights * (grad_weights - delta)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         grad_scores=lambda w, g, delta: w * g - delta)  # fmt: skip

        def delta_first(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your bracket is turned round: it is grad_weights minus delta."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         grad_scores=lambda w, g, delta: w * (delta - g))  # fmt: skip

        def delta_of_the_output_alone(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your delta sums the output. It is the sum over a row of output times grad_output."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         delta=lambda w, g, grad, output: output.sum(1))  # fmt: skip

        def delta_of_the_gradient_alone(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your delta sums grad_output. It is the sum over a row of output times grad_output."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         delta=lambda w, g, grad, output: grad.sum(1))  # fmt: skip

        def delta_is_a_mean(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your delta is a mean over the row. It is a sum."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         delta=lambda w, g, grad, output: (grad * output).mean(1))  # fmt: skip

        def delta_over_all_queries(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your delta is one number for all queries of the tile. Each has its own: sum along axis 1."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         delta=lambda w, g, grad, output: np.full(len(grad), (grad * output).sum()))  # fmt: skip

        def weights_forgotten(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your gradient of the scores lacks the weights: weights * (grad_weights - delta)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, grad_scores=lambda w, g, delta: g - delta)

        def softmax_derivative_of_one_number(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your w (1 - w) is the derivative by a score of its own weight only; all other weights of the row move too. That is what delta is for."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         grad_scores=lambda w, g, delta: w * (1 - w) * g)  # fmt: skip

        def weights_not_divided(q, k, v, output, lse, grad_output, block_q, block_k):
            """Your weights are exp(scores). Subtract the log-sum-exp of their row first: exp(scores - lse)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, weights=lambda s, lse: np.exp(s))

        def weights_divided_by_lse(q, k, v, output, lse, grad_output, block_q, block_k):
            """You divide exp(scores) by the log-sum-exp. It is a logarithm: subtract it inside, exp(scores - lse)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         weights=lambda s, lse: np.exp(s) / lse[:, None])  # fmt: skip

        def lse_added(q, k, v, output, lse, grad_output, block_q, block_k):
            """You add the log-sum-exp. Subtract it: exp(scores - lse)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k,
                         weights=lambda s, lse: np.exp(s + lse[:, None]))  # fmt: skip

        def softmax_of_the_tile(q, k, v, output, lse, grad_output, block_q, block_k):
            """You take a softmax of each tile. Its sum goes over all keys, and is kept in lse: exp(scores - lse)."""
            return _back(
                q, k, v, output, lse, grad_output, block_q, block_k, weights=lambda s, lse: _softmax_rows(s)[0]
            )

        def scores_not_scaled(q, k, v, output, lse, grad_output, block_q, block_k):
            """The recomputed scores are not divided by the square root of d, but lse is that of scores that were."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, score_scale=1.0)

        def gradients_not_scaled(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradients of q and k lack the scale: scores are q k^T / sqrt(d), so both get 1 / sqrt(d)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, grad_scale=1.0)

        def query_gradient_not_scaled(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradient of q lacks 1 / sqrt(d); that of k has it."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, scaled=("k",))

        def key_gradient_not_scaled(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradient of k lacks 1 / sqrt(d); that of q has it."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, scaled=("q",))

        def scaled_twice(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradients of q and k are scaled twice. 1 / sqrt(d) belongs in once: in the gradient of the scores, or in both products."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, grad_scale=1 / q.shape[1])

        def gradients_times_the_root(q, k, v, output, lse, grad_output, block_q, block_k):
            """You multiply the gradients of q and k by sqrt(d). Divide by it."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, grad_scale=math.sqrt(q.shape[1]))

        def scores_times_the_root(q, k, v, output, lse, grad_output, block_q, block_k):
            """You multiply the recomputed scores by sqrt(d). Divide by it, as on the way forward."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, score_scale=math.sqrt(q.shape[1]))

        def last_tile_of_keys_for_q(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradient of q is that of the last tile of keys only. Add up over all of them: +=."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, last=("q",))

        def last_tile_of_queries_for_k(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradient of k is that of the last tile of queries only. All queries see each key: add up, +=."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, last=("k",))

        def last_tile_of_queries_for_v(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradient of v is that of the last tile of queries only. All queries see each value: add up, +=."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, last=("v",))

        def last_tile_of_queries_for_both(q, k, v, output, lse, grad_output, block_q, block_k):
            """The gradients of k and v are those of the last tile of queries only. All queries see each key: add up, +=."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, last=("k", "v"))

        def last_tile_everywhere(q, k, v, output, lse, grad_output, block_q, block_k):
            """Each gradient is that of one tile only. Add up what comes from every tile: +=."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k, last=("q", "k", "v"))

        def v_first(q, k, v, output, lse, grad_output, block_q, block_k):
            """You return the gradients in another order. Asked for is (grad_q, grad_k, grad_v)."""
            return _back(q, k, v, output, lse, grad_output, block_q, block_k)[::-1]

        def k_before_q(q, k, v, output, lse, grad_output, block_q, block_k):
            """You return the gradient of k before that of q. Asked for is (grad_q, grad_k, grad_v)."""
            grad_q, grad_k, grad_v = _back(q, k, v, output, lse, grad_output, block_q, block_k)
            return grad_k, grad_q, grad_v


# ---- bytes -------------------------------------------------------------------------------------------------------


def _bytes(
    n, m, d, block_q, block_k, itemsize=2, causal=False, *, naive=None, reads=None, q_reads=1, kv=2, lse=4, outputs=1
):
    """Bytes of both ways, counted by walking through the loops, with what can go wrong as parameters."""
    seen = (lambda i, j: j <= i + m - n) if causal else (lambda i, j: True)
    kinds = _map(n, m, block_q, block_k, seen)
    rows = sum(min(block_k, m - b * block_k) for line in kinds for b, kind in enumerate(line) if kind)
    rows = rows if reads is None else reads(kinds)
    naive = 2 * n * d + 2 * m * d + 4 * n * m if naive is None else naive
    tiled = q_reads * n * d + outputs * n * d + kv * rows * d
    return {"naive": itemsize * naive, "tiled": itemsize * tiled + lse * n}


COUNTS = [  # n, m, d, block_q, block_k, itemsize, causal
    (8, 8, 4, 2, 4, 2, False), (6, 10, 3, 4, 4, 2, False), (8, 8, 4, 4, 2, 4, True), (7, 9, 2, 3, 2, 8, True),
    (9, 5, 3, 2, 2, 4, True),
]  # fmt: skip


@exercise(points=3, minutes=15, source="Dao et al. 2022, section 3.2, theorem 2: the accesses of both ways, counted exactly here",
          uses=("m22.causal_tiles",))  # fmt: skip
class attention_bytes:
    """Bytes that attention moves to and from slow memory: three plain kernels, and one by tiles."""

    tolerance = exact

    def cases(rng):
        n, m = int(rng.integers(200, 300)), int(rng.integers(310, 400))
        for a, b, d, block_q, block_k, itemsize, causal in COUNTS:
            words = f"{_said(a, b, block_q, block_k)}, {'causal' if causal else 'all keys'}"
            yield case(a, b, d, block_q, block_k, itemsize, causal, label=words)
        yield case(n, m, 64, 32, 48, label=f"{_said(n, m, 32, 48)}, itemsize and causal left as they are")
        yield case(n, m, 16, 64, 24, 4, True, label=f"{_said(n, m, 64, 24)}, causal")

    def reference(n, m, d, block_q, block_k, itemsize=2, causal=False):
        plain = sum([n * d, m * d, n * m]) + sum([n * m, n * m]) + sum([n * m, m * d, n * d])
        tiled = n * d + n * d
        for i in _starts(n, block_q):
            last = min(i + block_q, n) - 1 + m - n
            for j in _starts(m, block_k):
                if not causal or j <= last:
                    tiled += 2 * d * len(range(j, min(j + block_k, m)))
        return {"naive": itemsize * plain, "tiled": itemsize * tiled + 4 * n}

    class misconceptions:
        def numbers_instead_of_bytes(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """You count numbers. Each has `itemsize` bytes (but 4 for a log-sum-exp)."""
            return _bytes(n, m, d, block_q, block_k, 1, causal)

        def keys_read_once(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your tiled way reads keys and values once in all. Each tile of queries reads them again: nothing stays on the chip between two."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, reads=lambda kinds: m)

        def keys_read_for_each_query(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your tiled way reads the keys for each query. All queries of a tile share what was read: once for each tile."""
            return _bytes(n, m, d, 1, block_k, itemsize, causal)

        def keys_read_for_each_tile_of_keys(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your tiled way reads all keys once for each tile of keys. It is once for each tile of queries: block_q counts."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, reads=lambda kinds: kinds.shape[1] * m)

        def queries_moved_again(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Queries (or outputs) move for each tile of keys in your count. A tile of both stays on the chip for its whole loop: read once, written once."""
            tiles = -(-m // block_k)
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, q_reads=tiles)

        def keys_without_values(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your tiled way reads keys and no values (or the other way round). Each tile needs both."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, kv=1)

        def queries_or_output_forgotten(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """The tiled count lacks n d numbers: the queries are read once, and the output is written once."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, outputs=0)

        def sums_forgotten(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """The tiled way also writes a log-sum-exp for each query, 4 bytes each."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, lse=0)

        def sums_of_the_inputs_size(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """A log-sum-exp is kept in float32, whatever the inputs are: 4 bytes, not itemsize."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, lse=itemsize)

        def sums_times_itemsize(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """You multiply the 4 bytes of a log-sum-exp by itemsize too."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, lse=4 * itemsize)

        def one_log_sum_exp_only(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """There is a log-sum-exp for each query: 4 n bytes."""
            right = _bytes(n, m, d, block_q, block_k, itemsize, causal, lse=0)
            return right | {"tiled": right["tiled"] + 4}

        def nothing_skipped(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """`causal` changes nothing in your tiled count. Tiles of keys that no query of a tile sees are not read."""
            return _bytes(n, m, d, block_q, block_k, itemsize, False)

        def always_causal(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """You skip tiles even if `causal` is False."""
            return _bytes(n, m, d, block_q, block_k, itemsize, True)

        def half_if_causal(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Half of the keys is only about right. Count the tiles: those that the diagonal cuts are read as a whole."""
            return _bytes(n, m, d, block_q, block_k, itemsize, False,
                          reads=lambda kinds: kinds.shape[0] * m // 2 if causal else kinds.shape[0] * m)  # fmt: skip

        def full_tiles_only(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Tiles that the diagonal cuts have to be read, too: all that are not 0 in the map."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, reads=lambda kinds: sum(
                min(block_k, m - b * block_k) for line in kinds for b, kind in enumerate(line) if kind == 2))  # fmt: skip

        def weighted_by_the_map(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """You multiply by the numbers of the map, so that full tiles count twice. Ask whether a tile is read: > 0."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, reads=lambda kinds: sum(
                kind * min(block_k, m - b * block_k) for line in kinds for b, kind in enumerate(line)))  # fmt: skip

        def last_tile_taken_for_whole(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """The last tile of keys may be shorter than block_k. Only rows that exist are read."""
            return _bytes(
                n, m, d, block_q, block_k, itemsize, causal, reads=lambda kinds: int((kinds > 0).sum()) * block_k
            )

        def tiles_of_queries_rounded_down(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """A last tile of queries that is shorter reads its keys, too. Round the number of tiles up."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, reads=lambda kinds: sum(
                min(block_k, m - b * block_k) for line in kinds[: n // block_q] for b, kind in enumerate(line) if kind))  # fmt: skip

        def weights_not_written(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """The plain softmax kernel reads the scores and writes the weights, and the third kernel reads these: n m numbers four times."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, naive=2 * n * d + 2 * m * d + 2 * n * m)

        def three_times_the_table(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """The table of n m numbers moves four times: scores written, scores read, weights written, weights read."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, naive=2 * n * d + 2 * m * d + 3 * n * m)

        def table_once(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your plain way moves the table of n m numbers once. It is written, read, written (as weights) and read."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, naive=2 * n * d + 2 * m * d + n * m)

        def the_table_only(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your plain way counts the table only. The kernels also read queries, keys and values, and write the output."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, naive=4 * n * m)

        def plain_way_skips(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your plain way moves half a table if it is causal. The three kernels know of no tiles: they move all of it."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal,
                          naive=2 * n * d + 2 * m * d + (2 if causal else 4) * n * m)  # fmt: skip

        def as_many_keys_as_queries(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """You take the keys to be as many as the queries. There are m keys and m values."""
            return _bytes(n, m, d, block_q, block_k, itemsize, causal, naive=4 * n * d + 4 * n * m)

        def in_floats(n, m, d, block_q, block_k, itemsize=2, causal=False):
            """Your numbers are floats. Whole bytes are whole numbers: divide with //, or do not divide at all."""
            return {name: float(count) for name, count in _bytes(n, m, d, block_q, block_k, itemsize, causal).items()}


# ---- check questions ---------------------------------------------------------------------------------------------


@question(answer="c")
class what_it_waits_for:
    """A GPU reaches 1000 TFLOP/s and 3.4 TB/s. Plain attention in 16 bits with d = 64 does about 256 n m operations and moves about 8 n m bytes. What bounds its speed?"""

    a = (
        "The operations: there are 32 of them for each byte.",
        "32 for each byte is what it does. The GPU could do about 300 in the time that one byte takes, so it waits.",
    )
    b = (
        "The size of the memory: the table does not fit.",
        "That ends it for very long texts. Long before, the table fits, and takes its time to be moved.",
    )
    c = (
        "The bytes: in the time of one byte the GPU could do about 300 operations, and it has 32 to do.",
        "Right: about nine tenths of the arithmetic units' time is spent waiting.",
    )
    d = (
        "The number of tokens: attention is quadratic.",
        "Both operations and bytes grow with n m. The question is which of them takes longer.",
    )


@question(answer="b")
class forgotten_factor:
    """Somebody forgets to rescale `mixed`, but not `total`. For which rows is the output right all the same?"""

    a = (
        "For none: every row has several tiles.",
        "Rescaling by exp(0) = 1 is no rescaling. When is old - new equal to 0?",
    )
    b = (
        "For those whose largest score stands in the first tile of keys.",
        "Right: their maximum never changes after the first tile, so each factor is 1. Test with rising scores.",
    )
    c = (
        "For those whose largest score stands in the last tile of keys.",
        "These are the worst: everything before was relative to smaller maxima and should have shrunk.",
    )
    d = (
        "For those whose scores are all below 0.",
        "The sign does not matter: maxima are subtracted, and only differences count.",
    )


@question(answer="a")
class which_block_to_grow:
    """There is room on the chip for one more doubling: either block_q or block_k. Without a causal mask, which of them saves bytes?"""

    a = (
        "block_q: keys and values are read once for each tile of queries, so twice as tall a tile halves these reads.",
        "Right. block_k only decides in how many pieces the same keys come in.",
    )
    b = (
        "block_k: fewer and larger tiles of keys are read.",
        "Fewer, each twice as large: the same bytes. Count them with `attention_bytes`.",
    )
    c = (
        "Both alike: the tile has as many numbers.",
        "The tile of scores is never moved at all. What moves are rows of q, k and v: put both into `attention_bytes`.",
    )
    d = (
        "Neither: each number has to be read once anyway.",
        "Keys and values are read many times, once for each tile of queries.",
    )


# ---- kernels -------------------------------------------------------------------------------------------------------

ROW_ONCE = {"bytes": "Load each number of a row once, keep it, and store each result once."}
TILES_ONCE = {
    "bytes": "A program loads its queries once, before the loop, and each tile of keys and values once.",
    "tile_bytes": "A program needs its queries, one tile of keys, one of values, their scores and what it carries on.",
}


def _flawed(template, flaw, hint):
    """The kernel `template` with one flaw, chosen by its last constexpr: a kernel of its own, with a text of its own."""
    text = inspect.getsource(template.fn).replace("FLAW: tl.constexpr", f'FLAW: tl.constexpr = "{flaw}"')
    return kernel_of(text, template, hint)


def _tensor(rng, *shape, scale=1.0, mean=0.0, dtype=torch.float32):
    return torch.tensor(mean + scale * rng.standard_normal(shape), dtype=torch.float32).to(dtype)


def _whole(rng, *shape):
    """Whole numbers that bfloat16 holds exactly, and whose sums it does not."""
    return torch.tensor(rng.integers(64, 128, size=shape), dtype=torch.float32).to(torch.bfloat16)


def _rows_of_scores(rng):
    columns = int(rng.integers(17, 31))
    yield "rows of 8", _tensor(rng, 3, 8)
    yield "rows of 5", _tensor(rng, 4, 5, mean=-3.0)
    yield "scores around 300", _tensor(rng, 2, 11, scale=3.0, mean=300.0)
    yield f"rows of {columns}", _tensor(rng, 3, columns, scale=2.0)


@exercise(parts={"values": 2, "traffic": 1}, minutes=15, source="Triton's tutorial on the fused softmax")
class softmax_kernel:
    """A Triton kernel for the softmax of each row."""

    tolerance = close(1e-4, 1e-6, why="float32 exponentials and a sum of a few dozen")

    def cases(rng):
        for label, x in _rows_of_scores(rng):
            yield case(script=[simulated("softmax_kernel", "m22.launch_rows", x)], label=label)
        x = _tensor(rng, 5, 12)
        step = simulated("softmax_kernel", "m22.launch_rows", x, limits={"bytes": 2 * x.nbytes}, advice=ROW_ONCE)
        yield case(script=[step], label="5 rows of 12", part="traffic")

    def reference(x):
        return x.double().softmax(1).float()

    class misconceptions:
        @triton.jit
        def load_without_mask(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """Your load runs past the end of the row: BLOCK is the next power of two. Give it mask=at < columns."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            scores = tl.load(x + row * x_row + at)
            powers = tl.exp(scores - tl.max(scores, 0))
            tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=at < columns)

        @triton.jit
        def store_without_mask(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """Your store runs past the end of the row. It needs the same mask as the load."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
            powers = tl.exp(scores - tl.max(scores, 0))
            tl.store(out + row * out_row + at, powers / tl.sum(powers, 0))

        @triton.jit
        def zeros_beyond_the_row(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """The places beyond the row count as scores of 0 in your sum. Load them as -inf, whose exponential is 0."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            scores = tl.load(x + row * x_row + at, mask=at < columns, other=0.0)
            powers = tl.exp(scores - tl.max(scores, 0))
            tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=at < columns)

        @triton.jit
        def maximum_not_subtracted(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """Your exponentials overflow for large scores. Subtract the row's maximum first."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
            powers = tl.exp(scores)
            tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=at < columns)

        @triton.jit
        def not_divided(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """These are exponentials; a softmax divides them by their sum."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
            tl.store(out + row * out_row + at, tl.exp(scores - tl.max(scores, 0)), mask=at < columns)

        @triton.jit
        def rows_side_by_side(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """You go `columns` numbers on to the next row. Rows begin x_row apart in x, and out_row apart in out."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            scores = tl.load(x + row * columns + at, mask=at < columns, other=-float("inf"))
            powers = tl.exp(scores - tl.max(scores, 0))
            tl.store(out + row * columns + at, powers / tl.sum(powers, 0), mask=at < columns)

        @triton.jit
        def every_program_the_first_row(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """All programs work on the same row. Each has a number of its own, tl.program_id(0): that is its row."""
            at = tl.arange(0, BLOCK)
            scores = tl.load(x + at, mask=at < columns, other=-float("inf"))
            powers = tl.exp(scores - tl.max(scores, 0))
            tl.store(out + at, powers / tl.sum(powers, 0), mask=at < columns)

        @triton.jit
        def loaded_in_every_pass(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """The result is right, but you load the row again for each step. Load it once: the tile stays on the chip."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
            top = tl.max(scores, 0)
            scores = tl.load(x + row * x_row + at, mask=at < columns, other=-float("inf"))
            powers = tl.exp(scores - top)
            tl.store(out + row * out_row + at, powers / tl.sum(powers, 0), mask=at < columns)


CARRIED = close(2e-4, 1e-2, why="products in tf32 (10 bits) or weights in bfloat16 (8 bits) are as good as any")


def _updates(rng):
    """(label, scores, values, tile)"""
    m, places = int(rng.integers(33, 47)), torch.arange(48)
    late = _tensor(rng, 16, m, scale=2.0)
    late[3:6, :16] = -torch.inf  # rows that see nothing in the first tile
    late[9] = -torch.inf  # one that never sees anything
    rising = _tensor(rng, 16, 48, scale=0.3) + places * 0.1
    yield "rising scores", rising, _tensor(rng, 48, 16, mean=1.0), 16
    yield "falling scores", -rising, _tensor(rng, 48, 16, mean=1.0), 16
    yield "hidden keys, and a row without any", late, _tensor(rng, m, 16, mean=1.0), 16
    yield "bfloat16 values, equal scores", torch.zeros(16, 96), _whole(rng, 96, 16), 32


@exercise(points=3, minutes=20, source="Milakov and Gimelshein 2018, algorithm 3; Dao et al. 2022, algorithm 1")
class online_update:
    """Carry the online softmax on by one tile, as a Triton helper."""

    tolerance = CARRIED

    def cases(rng):
        for label, scores, values, tile in _updates(rng):
            yield case(script=[simulated("online_update", "m22.launch_updates", scores, values, tile)], label=label)

    def reference(scores, values, tile):
        scores = scores.double()
        top = scores.amax(1)
        powers = torch.where(scores > -torch.inf, (scores - top[:, None]).exp(), 0.0)
        return top.float(), powers.sum(1).float(), (powers @ values.double()).float()

    class misconceptions:
        @triton.jit
        def sums_not_faded(top, total, mixed, scores, values):
            """You add to `mixed` as it was. It was relative to the old maximum: multiply it by exp(old - new) first."""
            higher = tl.maximum(top, tl.max(scores, 1))
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            powers = tl.exp(scores - shift[:, None])
            fade = tl.exp(top - shift)
            return higher, total * fade + tl.sum(powers, 1), mixed + tl.dot(powers.to(values.dtype), values)

        @triton.jit
        def total_not_faded(top, total, mixed, scores, values):
            """You add to `total` as it was. It was relative to the old maximum: multiply it by exp(old - new) first."""
            higher = tl.maximum(top, tl.max(scores, 1))
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            powers = tl.exp(scores - shift[:, None])
            mixed = mixed * tl.exp(top - shift)[:, None] + tl.dot(powers.to(values.dtype), values)
            return higher, total + tl.sum(powers, 1), mixed

        @triton.jit
        def nan_before_the_first(top, total, mixed, scores, values):
            """A row that has seen nothing has the maximum -inf, and -inf - -inf is NaN. Subtract 0 there instead."""
            higher = tl.maximum(top, tl.max(scores, 1))
            powers = tl.exp(scores - higher[:, None])
            fade = tl.exp(top - higher)
            mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
            return higher, total * fade + tl.sum(powers, 1), mixed

        @triton.jit
        def maximum_of_the_tile(top, total, mixed, scores, values):
            """You go on with the maximum of this tile. Carry on the larger one: of the tile's and the one so far."""
            higher = tl.max(scores, 1)
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            powers = tl.exp(scores - shift[:, None])
            fade = tl.exp(top - shift)
            mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
            return higher, total * fade + tl.sum(powers, 1), mixed

        @triton.jit
        def faded_the_wrong_way(top, total, mixed, scores, values):
            """You multiply by exp(new - old). When the maximum grows, the old sums shrink: exp(old - new)."""
            higher = tl.maximum(top, tl.max(scores, 1))
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            powers = tl.exp(scores - shift[:, None])
            fade = tl.where(top == -float("inf"), 0.0, tl.exp(shift - top))
            mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
            return higher, total * fade + tl.sum(powers, 1), mixed

        @triton.jit
        def sums_in_the_dtype_of_the_values(top, total, mixed, scores, values):
            """You keep `mixed` in the dtype of the values. With bfloat16 each tile's share is rounded away: keep float32."""
            higher = tl.maximum(top, tl.max(scores, 1))
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            powers = tl.exp(scores - shift[:, None])
            fade = tl.exp(top - shift)
            mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
            return higher, total * fade + tl.sum(powers, 1), mixed.to(values.dtype).to(tl.float32)

        @triton.jit
        def sums_in_bfloat16(top, total, mixed, scores, values):
            """You round `mixed` to bfloat16 in each step. What you carry on is a sum of many terms: keep it in float32."""
            higher = tl.maximum(top, tl.max(scores, 1))
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            powers = tl.exp(scores - shift[:, None])
            fade = tl.exp(top - shift)
            mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
            return higher, total * fade + tl.sum(powers, 1), mixed.to(tl.bfloat16).to(tl.float32)

        @triton.jit
        def exp2_without_log2_e(top, total, mixed, scores, values):
            """Your exp2 is a power of two. For powers of e multiply the scores by log2(e) first, or use tl.exp."""
            higher = tl.maximum(top, tl.max(scores, 1))
            shift = tl.where(higher == -float("inf"), 0.0, higher)
            powers = tl.exp2(scores - shift[:, None])
            fade = tl.exp2(top - shift)
            mixed = mixed * fade[:, None] + tl.dot(powers.to(values.dtype), values)
            return higher, total * fade + tl.sum(powers, 1), mixed


@triton.jit
def _flawed_attention(q, k, v, out, n, m, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
                      FLAW: tl.constexpr):  # fmt: skip
    row, column = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, D)
    if FLAW == "first block":
        row = tl.arange(0, BM)
    here = row[:, None] * D + column[None, :]
    inside = (row < n)[:, None]
    q_tile = tl.load(q + here, mask=inside, other=0.0)
    top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
    mixed = tl.zeros([BM, D], tl.float32)
    stop = m // BN * BN if FLAW == "whole tiles" else m
    for start in range(0, stop, BN):
        key = start + tl.arange(0, BN)
        there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
        if FLAW == "load":
            k_tile = tl.load(k + there)
        else:
            k_tile = tl.load(k + there, mask=exists, other=0.0)
        if FLAW == "q again":
            q_tile = tl.load(q + here, mask=inside, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile))
        if FLAW != "scale":
            scores = scores * scale
        if FLAW != "tail":
            scores = tl.where((key < m)[None, :], scores, -float("inf"))
        v_tile = tl.load(v + there, mask=exists, other=0.0)
        higher = tl.maximum(top, tl.max(scores, 1))
        powers = tl.exp(scores - higher[:, None])
        fade = tl.exp(top - higher)
        mixed = mixed * fade[:, None] + tl.dot(powers.to(v_tile.dtype), v_tile)
        total = total * fade + tl.sum(powers, 1)
        top = higher
        if FLAW == "each tile":
            mixed = mixed / total[:, None]
    if FLAW != "division" and FLAW != "each tile":
        mixed = mixed / total[:, None]
    if FLAW == "store":
        tl.store(out + here, mixed)
    else:
        tl.store(out + here, mixed, mask=inside)


def _even_weights(rng, n, m, d):
    """Queries that weigh all keys alike, and values whose sums bfloat16 cannot hold."""
    return torch.zeros(n, d, dtype=torch.bfloat16), _tensor(rng, m, d, dtype=torch.bfloat16), _whole(rng, m, d)


def _qkv_tensors(rng, n, m, d, dtype=torch.float32):
    q, k, v = _tensor(rng, n, d, scale=2.0), _tensor(rng, m, d), _tensor(rng, m, d)
    v[:, 0] += 3.0
    return q.to(dtype), k.to(dtype), v.to(dtype)


def _attend(q, k, v, causal=False):
    """Attention in float64 and the log of the sum of exponentials, one row at a time, from the scores it may see."""
    out, sums = torch.zeros(len(q), v.shape[1], dtype=torch.float64), torch.full((len(q),), -torch.inf).double()
    for i, query in enumerate(q.double()):
        end = max(0, i + 1 + len(k) - len(q)) if causal else len(k)
        if end:
            scores = k[:end].double() @ query / q.shape[1] ** 0.5
            sums[i] = torch.logsumexp(scores, 0)
            out[i] = (scores - sums[i]).exp() @ v[:end].double()
    return out, sums


def _tile_room(bm, bn, d, item):
    """Five times the bytes of tiles that a program needs: q, k, v, scores and powers, sums twice.

    The simulator counts what Python still has a name for, copies in float32 too; a compiler keeps less.
    """
    return int(5 * (bm * d * item + 2 * bn * d * item + 3 * bm * bn * 4 + 3 * bm * d * 4 + 8 * bm * 4))


@exercise(
    parts={"values": 3, "traffic": 1}, minutes=30, source="Dao 2023, FlashAttention-2, algorithm 1",
    uses=("m22.online_update",),
)  # fmt: skip
class attention_kernel:
    """Attention by tiles in one Triton kernel, for any numbers of queries and keys."""

    tolerance = CARRIED

    def cases(rng):
        n, m = int(rng.integers(17, 31)), int(rng.integers(33, 47))
        for label, (q, k, v), tiles in [
            ("32 queries, 32 keys", _qkv_tensors(rng, 32, 32, 16), (16, 16)),
            ("20 queries, 37 keys", _qkv_tensors(rng, 20, 37, 32), (16, 16)),
            (f"{n} queries, {m} keys in bfloat16", _qkv_tensors(rng, n, m, 16, torch.bfloat16), (32, 16)),
            ("equal scores in bfloat16", _even_weights(rng, 16, 96, 16), (16, 32)),
        ]:
            step = simulated("attention_kernel", "m22.launch_attention", q, k, v, tiles)
            yield case(script=[step], label=f"{label}, tiles of {tiles[0]} and {tiles[1]}")
        q, k, v = _qkv_tensors(rng, 48, 64, 32)
        limits = {"bytes": q.nbytes + q.nbytes + 3 * (k.nbytes + v.nbytes), "tile_bytes": _tile_room(16, 32, 32, 4)}
        step = simulated(
            "attention_kernel", "m22.launch_attention", q, k, v, (16, 32), limits=limits, advice=TILES_ONCE
        )
        yield case(script=[step], label="48 queries, 64 keys, tiles of 16 and 32", part="traffic")

    def reference(q, k, v, tiles):
        return _attend(q, k, v)[0].float()

    class misconceptions:
        load_without_mask = _flawed(
            _flawed_attention, "load",
            "Your load of the keys runs past the last one. The last tile is not full: mask=key < m, other=0.",
        )  # fmt: skip
        store_without_mask = _flawed(
            _flawed_attention, "store",
            "Your store runs past the last query. The last block is not full: give it mask=row < n.",
        )  # fmt: skip
        tail_counted = _flawed(
            _flawed_attention, "tail",
            "Keys past the end take part: loaded as 0 they have the score 0, not none. Set their scores to -inf.",
        )  # fmt: skip
        whole_tiles_only = _flawed(
            _flawed_attention, "whole tiles",
            "You leave out the last keys, which fill no whole tile. Go on to m, and mask what is beyond.",
        )  # fmt: skip
        not_scaled = _flawed(
            _flawed_attention, "scale", "The scores are to be multiplied by `scale` before the softmax."
        )
        not_divided = _flawed(
            _flawed_attention, "division",
            "After the last tile, `mixed` is a sum of values with exponentials. Divide it by `total`.",
        )  # fmt: skip
        divided_each_tile = _flawed(
            _flawed_attention, "each tile",
            "You divide in the loop, so that earlier tiles are divided again. Divide once, after the last tile.",
        )  # fmt: skip
        every_program_the_first_block = _flawed(
            _flawed_attention, "first block",
            "All programs work on the same queries. Those of program i begin at i * BM: tl.program_id(0).",
        )  # fmt: skip
        queries_loaded_in_the_loop = _flawed(
            _flawed_attention, "q again",
            "The result is right, but you load the queries for each tile of keys. Load them once, before the loop.",
        )  # fmt: skip


@triton.jit
def _flawed_causal(q, k, v, out, lse, n, m, share, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
                   FLAW: tl.constexpr):  # fmt: skip
    head = tl.program_id(1)
    q += head * n * D
    out += head * n * D
    group = head % (tl.num_programs(1) // share) if FLAW == "modulo" else head // share
    k += group * m * D
    v += group * m * D
    first = tl.program_id(0) * BM
    row, column = first + tl.arange(0, BM), tl.arange(0, D)
    here, inside = row[:, None] * D + column[None, :], (row < n)[:, None]
    q_tile = tl.load(q + here, mask=inside, other=0.0)
    top, total = tl.full([BM], -float("inf"), tl.float32), tl.zeros([BM], tl.float32)
    mixed = tl.zeros([BM, D], tl.float32)
    offset = 0 if FLAW == "top left" else m - n
    end = m if FLAW == "no skip" else tl.minimum(m, first + BM + offset)
    for start in range(0, end, BN):
        key = start + tl.arange(0, BN)
        there, exists = key[:, None] * D + column[None, :], (key < m)[:, None]
        k_tile = tl.load(k + there, mask=exists, other=0.0)
        if FLAW == "k again":
            k_tile = tl.load(k + there, mask=exists, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile)) * scale
        limit = row + offset
        if FLAW == "off by one":
            limit = limit - 1
        if FLAW == "not masked":
            limit = limit + m + n
        scores = tl.where((key < m)[None, :] & (key[None, :] <= limit[:, None]), scores, -float("inf"))
        if FLAW == "load":
            v_tile = tl.load(v + there)
        else:
            v_tile = tl.load(v + there, mask=exists, other=0.0)
        higher = tl.maximum(top, tl.max(scores, 1))
        shift = higher if FLAW == "nan" else tl.where(higher == -float("inf"), 0.0, higher)
        powers = tl.exp2(scores - shift[:, None]) if FLAW == "exp2" else tl.exp(scores - shift[:, None])
        fade = tl.exp2(top - shift) if FLAW == "exp2" else tl.exp(top - shift)
        sums = tl.dot(powers.to(v_tile.dtype), v_tile)
        mixed = sums + mixed if FLAW == "mixed" else sums + mixed * fade[:, None]
        if FLAW == "bfloat16":
            mixed = mixed.to(tl.bfloat16).to(tl.float32)
        total = total + tl.sum(powers, 1) if FLAW == "total" else total * fade + tl.sum(powers, 1)
        top = higher
    divisor = tl.where(total > 0, total, 1.0)
    tl.store(out + here, mixed / (total if FLAW == "empty" else divisor)[:, None], mask=inside)
    if FLAW == "race":
        tl.store(lse + row, top + tl.log(divisor), mask=row < n)
    else:
        tl.store(lse + head * n + row, top + tl.log(divisor), mask=row < n)


def _heads(rng, heads, kv_heads, n, m, d, dtype=torch.float32):
    pairs = [_qkv_tensors(rng, n, m, d, dtype) for _ in range(heads)]
    kv = pairs[:kv_heads]
    return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in kv]), torch.stack([p[2] for p in kv])


def _even_heads(rng, n, m, d):
    return tuple(x[None] for x in _even_weights(rng, n, m, d))


def causal_bytes(q, k, tiles):
    """What the causal kernel may move: whole tiles of the keys that its last query sees, everything else once."""
    (heads, n, d), m, (bm, bn) = q.shape, k.shape[1], tiles
    ends = [max(0, min(m, first + bm + m - n)) for first in range(0, n, bm)]
    keys = sum(min(m, -(-end // bn) * bn) for end in ends)
    return heads * (n * d * q.element_size() + n * d * 4 + n * 4 + 2 * keys * d * k.element_size())


@exercise(
    parts={"values": 4, "traffic": 2}, minutes=35, source="Dao 2023, FlashAttention-2, section 3.1, causal masking",
    uses=("m22.online_update",),
)  # fmt: skip
class causal_kernel:
    """The causal kernel: many heads, shared keys and values, tiles skipped, rows that see nothing."""

    tolerance = CARRIED

    def cases(rng):
        n = int(rng.integers(33, 47))
        m = n + int(rng.integers(5, 17))
        for label, (q, k, v), tiles in [
            ("2 heads, 32 queries, 32 keys", _heads(rng, 2, 2, 32, 32, 16), (16, 16)),
            (f"4 heads on 2, {n} queries, {m} keys, bfloat16", _heads(rng, 4, 2, n, m, 16, torch.bfloat16), (32, 32)),
            ("more queries than keys", _heads(rng, 2, 1, 40, 21, 16), (16, 16)),
            ("equal scores in bfloat16", _even_heads(rng, 16, 96, 16), (16, 32)),
        ]:
            step = simulated("causal_kernel", "m22.launch_causal", q, k, v, tiles)
            yield case(script=[step], label=f"{label}, tiles of {tiles[0]} and {tiles[1]}")
        q, k, v = _heads(rng, 2, 1, 64, 80, 32)
        limits = {"bytes": causal_bytes(q, k, (16, 16)), "tile_bytes": _tile_room(16, 16, 32, 4)}
        step = simulated("causal_kernel", "m22.launch_causal", q, k, v, (16, 16), limits=limits, advice=TILES_ONCE)
        yield case(script=[step], label="2 heads on 1, 64 queries, 80 keys, tiles of 16 and 16", part="traffic")

    def reference(q, k, v, tiles):
        share = len(q) // len(k)
        each = [_attend(one, k[h // share], v[h // share], causal=True) for h, one in enumerate(q)]
        return torch.stack([e[0] for e in each]).float(), torch.stack([e[1] for e in each]).float()

    class misconceptions:
        top_left = _flawed(
            _flawed_causal, "top left",
            "Your triangle begins at the first key. The last query stands at the last key: query i sees keys up to i + m - n.",
        )  # fmt: skip
        off_by_one = _flawed(
            _flawed_causal, "off by one",
            "A query sees the key at its own place too: key <= row + m - n.",
        )  # fmt: skip
        not_masked = _flawed(
            _flawed_causal, "not masked",
            "Queries see keys that come after them. Skipping tiles is not enough: mask inside of the last ones too.",
        )  # fmt: skip
        heads_by_modulo = _flawed(
            _flawed_causal, "modulo",
            "You deal heads out in turn. Neighbours share keys and values: those of head h are head // share.",
        )  # fmt: skip
        empty_rows_divided = _flawed(
            _flawed_causal, "empty",
            "A query that sees no key has the sum 0, and 0 / 0 is NaN. Divide it by 1: the result is 0.",
        )  # fmt: skip
        nan_before_the_first = _flawed(
            _flawed_causal, "nan",
            "In a row that has seen nothing yet, -inf - -inf is NaN. Subtract 0 there, as in online_update.",
        )  # fmt: skip
        sums_not_faded = _flawed(
            _flawed_causal, "mixed",
            "`mixed` was relative to the old maximum. Multiply it by exp(old - new) before you add, as online_update does.",
        )  # fmt: skip
        total_not_faded = _flawed(
            _flawed_causal, "total",
            "`total` was relative to the old maximum. Multiply it by exp(old - new) before you add, as online_update does.",
        )  # fmt: skip
        exp2_without_log2_e = _flawed(
            _flawed_causal, "exp2",
            "Your exp2 is a power of two. For powers of e multiply the scores by log2(e) first, or use tl.exp.",
        )  # fmt: skip
        sums_in_bfloat16 = _flawed(
            _flawed_causal, "bfloat16",
            "You round the sums of each tile to bfloat16. Inputs may be bfloat16; what you carry on stays float32.",
        )  # fmt: skip
        load_without_mask = _flawed(
            _flawed_causal, "load",
            "Your load of the values runs past the last one. The last tile is not full: mask=key < m, other=0.",
        )  # fmt: skip
        race_on_lse = _flawed(
            _flawed_causal, "race",
            "All heads store their lse in the same row. Head h has its own: it begins at head * n.",
        )  # fmt: skip
        nothing_skipped = _flawed(
            _flawed_causal, "no skip",
            "The result is right, but you load tiles that no query of the block may see. End the loop at its last query's key.",
        )  # fmt: skip
        keys_loaded_twice = _flawed(
            _flawed_causal, "k again",
            "The result is right, but you load the keys twice. Load a tile once and keep it for as long as you need it.",
        )  # fmt: skip


@question(answer="b")
class what_twice_as_many_queries_save:
    """Your kernel runs with BM = 64 queries in a program instead of 32, everything else alike. What happens to the
    bytes that it reads?"""

    a = "They double.", "A program has twice as much to read, but there are half as many programs."
    b = (
        "Keys and values are read half as often; queries as before.",
        "Right: each program reads all keys and values once, and there are half as many programs. Each query is read once, always.",
    )
    c = (
        "They stay the same.",
        "Each program reads all the keys and values for itself, and the number of programs changes.",
    )
    d = (
        "Everything is read half as often.",
        "The queries are read once however they are dealt out. Only what every program reads becomes less.",
    )


@question(answer="d")
class why_the_simulator_stops_a_race:
    """Every head's program stores its lse in the same row, and programs run one after the other in the simulator, so
    the last head's numbers stand there in the end. Why does the simulator stop the kernel?"""

    a = "It cannot store twice.", "It can: one program may write an element as often as it likes."
    b = "lse has too few rows.", "Then the store would be out of bounds. The row exists; it is only not theirs."
    c = "The last head's numbers are wrong.", "They are right, for the last head. The others' are lost."
    d = (
        "On a GPU programs run at the same time: which head's numbers remain is luck.",
        "Right: in the simulator the order is always the same, on a GPU it is none. A result that depends on it is no result.",
    )
