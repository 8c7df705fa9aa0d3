"""Exercises of m22 in Triton. The references agree with `torch.softmax`, `torch.logsumexp` and
`torch.nn.functional.scaled_dot_product_attention`."""

import inspect

import torch
import triton
import triton.language as tl

from autograder.exercise import case, exercise, kernel_of, question
from course.checks.compare import close
from course.checks.script import simulated

TITLE = "FlashAttention"


# ---- kernels -------------------------------------------------------------------------------------------------------

ROW_ONCE = {"bytes": "Load each number of a row once, keep it, and store each result once."}
TILES_ONCE = {
    "bytes": "A program loads its queries once, before the loop, and each tile of keys and values once.",
    "tile_bytes": "A program needs its queries, one tile of keys, one of values, their scores and what it carries on.",
}


def _flawed(template, flaw, hint):
    """The kernel `template` with one flaw, chosen by its last constexpr: a kernel of its own, with a text of its own."""
    text = inspect.getsource(template.fn).replace("FLAW: tl.constexpr", f'FLAW: tl.constexpr = "{flaw}"')
    return kernel_of(text, template.__name__, hint)


def _tensor(rng, *shape, scale=1.0, mean=0.0, dtype=torch.float32):
    return torch.tensor(mean + scale * rng.standard_normal(shape), dtype=torch.float32).to(dtype)


def _whole(rng, *shape):
    """Whole numbers that bfloat16 holds exactly, and whose sums it does not."""
    return torch.tensor(rng.integers(64, 128, size=shape), dtype=torch.float32).to(torch.bfloat16)


def _softmax_rows(rng):
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
        for label, x in _softmax_rows(rng):
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
            """exp2 is a power of two. For powers of e multiply the scores by log2(e) first, or use tl.exp."""
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


def _qkv(rng, n, m, d, dtype=torch.float32):
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
    """Bytes of tiles that a program needs, and half as much again: q, k, v, scores and powers, sums twice."""
    return int(1.5 * (bm * d * item + 2 * bn * d * item + 3 * bm * bn * 4 + 3 * bm * d * 4 + 8 * bm * 4))


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
            ("32 queries, 32 keys", _qkv(rng, 32, 32, 16), (16, 16)),
            ("20 queries, 37 keys", _qkv(rng, 20, 37, 32), (16, 16)),
            (f"{n} queries, {m} keys in bfloat16", _qkv(rng, n, m, 16, torch.bfloat16), (32, 16)),
            ("equal scores in bfloat16", _even_weights(rng, 16, 96, 16), (16, 32)),
        ]:
            step = simulated("attention_kernel", "m22.launch_attention", q, k, v, tiles)
            yield case(script=[step], label=f"{label}, tiles of {tiles[0]} and {tiles[1]}")
        q, k, v = _qkv(rng, 48, 64, 32)
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
    pairs = [_qkv(rng, n, m, d, dtype) for _ in range(heads)]
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
            "exp2 is a power of two. For powers of e multiply the scores by log2(e) first, or use tl.exp.",
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
        "Each program reads all keys and values once, and there are half as many programs. Each query is read once, always.",
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
        "In the simulator the order is always the same, on a GPU it is none. A result that depends on it is no result.",
    )
