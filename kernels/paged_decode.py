"""Paged attention for decoding: one query a sequence against a KV cache in pages, split among programs and merged."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kernels._backend import launch, tl, triton
from kernels._checks import require_dtype, require_floats, require_no_gradient, require_shape
from kernels.flash_attention import HEAD_DIMS, LOG2_E, attention_reference

PROGRAMS = 256  # that many keep a large GPU busy; a split is for batches that have fewer sequences * kv_heads
LEAST_KEYS = 256  # for which one more split pays
MOST_SPLITS = 64  # what the merge holds on the chip


@triton.jit
def _decode_part(
    q, k, v, table, lengths, parts, log_sums,
    q_sequence, q_head, k_page, k_slot, k_head, v_page, v_slot, v_head, table_row, share, scale,
    PAGE: tl.constexpr, D: tl.constexpr, BG: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    sequence, kv_head = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    split, splits = tl.program_id(2), tl.num_programs(2)
    length = tl.load(lengths + sequence)
    size = tl.cdiv(tl.cdiv(length, splits), BN) * BN  # of a part, in whole tiles; the last parts may have no key
    begin = split * size
    end = tl.minimum(length, begin + size)
    member, column = tl.arange(0, BG), tl.arange(0, BD)  # all query heads of a key head: each key is read once
    head = kv_head * share + member
    real = (member < share)[:, None] & (column < D)[None, :]
    q_tile = tl.load(q + sequence * q_sequence + head[:, None] * q_head + column[None, :], mask=real, other=0.0)
    total, weight = tl.zeros([BG, BD], tl.float32), tl.zeros([BG], tl.float32)
    largest = tl.full([BG], -float("inf"), tl.float32)
    for start in range(begin, end, BN):
        key = start + tl.arange(0, BN)
        there = key < end
        page = tl.load(table + sequence * table_row + key // PAGE, mask=there, other=0).to(tl.int64)[:, None]
        slot = (key % PAGE)[:, None]
        inside = there[:, None] & (column < D)[None, :]
        k_tile = tl.load(k + page * k_page + slot * k_slot + kv_head * k_head + column[None, :], mask=inside, other=0.0)
        scores = tl.dot(q_tile, tl.trans(k_tile), input_precision=PRECISION) * scale
        scores = tl.where(there[None, :], scores, -float("inf"))
        new_largest = tl.maximum(largest, tl.max(scores, 1))
        shares = tl.exp2(scores - new_largest[:, None])
        fade = tl.exp2(largest - new_largest)  # what was added up so far was relative to a smaller score
        v_tile = tl.load(v + page * v_page + slot * v_slot + kv_head * v_head + column[None, :], mask=inside, other=0.0)
        total = tl.dot(shares.to(v_tile.dtype), v_tile, total * fade[:, None], input_precision=PRECISION)
        weight = weight * fade + tl.sum(shares, 1)
        largest = new_largest
    divisor = tl.where(weight > 0, weight, 1.0)  # a part without keys gives 0, and -inf as its logarithm
    row = (sequence * tl.num_programs(1) * share + head) * splits + split
    tl.store(parts + row[:, None] * D + column[None, :], total / divisor[:, None], mask=real)
    tl.store(log_sums + row, largest + tl.log2(divisor), mask=member < share)


@triton.jit
def _merge(parts, log_sums, out, splits, D: tl.constexpr, BS: tl.constexpr, BD: tl.constexpr):
    """Add up the parts of a query, each with its share of the sum of all exponentials."""
    row = tl.program_id(0).to(tl.int64)
    split, column = tl.arange(0, BS), tl.arange(0, BD)
    log_sum = tl.load(log_sums + row * splits + split, mask=split < splits, other=-float("inf"))
    largest = tl.max(log_sum, 0)
    weight = tl.exp2(log_sum - tl.where(largest == -float("inf"), 0.0, largest))
    inside = (split < splits)[:, None] & (column < D)[None, :]
    part = tl.load(parts + (row * splits + split)[:, None] * D + column[None, :], mask=inside, other=0.0)
    total = tl.sum(weight, 0)
    mean = tl.sum(part * weight[:, None], 0) / tl.where(total > 0, total, 1.0)
    tl.store(out + row * D + column, mean, mask=column < D)


def paged_decode(
    q: Float[Tensor, "sequences heads d"],
    k_pages: Float[Tensor, "pages slots kv_heads d"],
    v_pages: Float[Tensor, "pages slots kv_heads d"],
    table: Int[Tensor, "sequences most_pages"],
    lengths: Int[Tensor, " sequences"],
    *,
    scale: float | None = None,
    splits: int | None = None,
    tile: int | None = None,
) -> Float[Tensor, "sequences heads d"]:
    """softmax(q k^T * scale) v for the newest token of each sequence, whose keys and values lie in pages; forward only.

    Key i of sequence s is k_pages[table[s, i // slots], i % slots], for i below lengths[s]. Pages need not be in order,
    and sequences may share them (a common prompt). A sequence without keys gives zeros. With one query a sequence there
    are only sequences * kv_heads programs, too few for a GPU if sequences are few and long: so each is cut into
    `splits` parts, and a second kernel merges them by the logarithms of their sums.

    Shapes: heads is a multiple of kv_heads (so many neighbouring heads share a key head); pages of any number of slots;
    d from 16 to 256. Strides: any, but the last axis of the pages is contiguous (a cache in the order pages, kv_heads,
    slots, d is passed as `.transpose(1, 2)`); the result is contiguous. `splits` is from 1 to 64 (unless given, as many
    as fill a GPU, each with 256 keys or more); `tile` is the number of keys on the chip at once, a power of two from 16
    on. Entries of the table beyond a sequence's last page are never looked at.
    Dtypes: float32, float16, bfloat16, the same for q and pages; table and lengths int32. Scores, sums and parts are
    float32. `scale` is 1 / sqrt(d) unless given.
    Cost, for n keys in all, b bytes a number: reads 2 * n * kv_heads * d * b bytes of the cache, each number once, 4 of
    the table for each page and key head (more if tiles cut pages), and q for each split; writes and reads
    4 * (d + 1) * splits bytes a head and sequence in between, and writes the result. 4 * n * heads * d operations in
    dots (tensor cores work on 16 heads at least, so fewer that share a key cost as many). That is about
    heads / kv_heads operations a byte in 2-byte dtypes: memory is the limit.
    Errors: ValueError for shapes, devices, options, a length without pages (not looked at on a GPU); TypeError for
    dtypes, RuntimeError where a gradient is wanted. The simulator finds entries of the table that are no page.
    Source: Kwon et al. 2023, "Efficient Memory Management [...] with PagedAttention", section 4.1; splits: Dao, Haziza,
    Massa and Sizov 2023, "Flash-Decoding for long-context inference".
    """
    _require(q, k_pages, v_pages, table, lengths)
    splits = _splits(splits, len(q) * k_pages.shape[2], table.shape[1] * k_pages.shape[1])
    if q.numel() == 0:
        return torch.empty_like(q)
    return _decode(q, k_pages, v_pages, table, lengths, (q.shape[2] ** -0.5 if scale is None else scale), splits, tile)


def _splits(wanted: int | None, programs: int, most_keys: int) -> int:
    if wanted is not None and not 1 <= wanted <= MOST_SPLITS:
        raise ValueError(f"splits is from 1 to {MOST_SPLITS}, not {wanted}")
    return wanted or max(1, min(triton.cdiv(PROGRAMS, max(1, programs)), MOST_SPLITS, most_keys // LEAST_KEYS))


def _decode(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor, lengths: Tensor, scale: float, splits: int, tile: int | None
) -> Tensor:
    """`paged_decode`, unchecked."""
    (sequences, heads, d), (slots, kv_heads) = q.shape, k.shape[1:3]
    q = q if q.stride(2) == 1 else q.contiguous()
    table, lengths = (tensor if tensor.stride(-1) == 1 else tensor.contiguous() for tensor in (table, lengths))
    parts = torch.empty(sequences, heads, splits, d, dtype=torch.float32, device=q.device)
    log_sums = torch.empty(sequences, heads, splits, dtype=torch.float32, device=q.device)
    out = torch.empty((sequences, heads, d), dtype=q.dtype, device=q.device)
    share, padded = heads // kv_heads, max(16, triton.next_power_of_2(d))
    launch(_decode_part, (sequences, kv_heads, splits))(
        q, k, v, table, lengths, parts, log_sums,
        *q.stride()[:2], *k.stride()[:3], *v.stride()[:3], table.stride(0), share, scale * LOG2_E, slots, d,
        BG=max(16, triton.next_power_of_2(share)), BN=tile or 128 // q.element_size(), BD=padded, PRECISION="ieee",
        num_warps=4 if q.element_size() == 2 else 8, num_stages=3 if padded <= 128 else 2,
    )  # fmt: skip
    launch(_merge, (sequences * heads,))(parts, log_sums, out, splits, d, triton.next_power_of_2(splits), padded)
    return out


def _require(q: Tensor, k_pages: Tensor, v_pages: Tensor, table: Tensor, lengths: Tensor) -> None:
    require_floats(q=q, k_pages=k_pages, v_pages=v_pages)
    require_no_gradient("paged_decode", q, k_pages, v_pages)
    require_shape("q", q, ("sequences", "heads", "d"))
    require_shape("k_pages", k_pages, ("pages", "slots", "kv_heads", q.shape[2]))
    require_shape("v_pages", v_pages, k_pages.shape)
    _require_places(table, lengths, len(q), k_pages.shape[1])
    if not HEAD_DIMS[0] <= q.shape[2] <= HEAD_DIMS[1]:
        raise ValueError(f"d is from {HEAD_DIMS[0]} to {HEAD_DIMS[1]}, not {q.shape[2]}")
    if k_pages.shape[2] == 0 or q.shape[1] % k_pages.shape[2]:
        raise ValueError(f"heads is a multiple of kv_heads, but {q.shape[1]} is none of {k_pages.shape[2]}")
    for name, pages in (("k_pages", k_pages), ("v_pages", v_pages)):
        if pages.stride(3) != 1:
            raise ValueError(f"the last axis of {name} is contiguous: a copy of the whole cache would be too dear")


def _require_places(table: Tensor, lengths: Tensor, sequences: int, slots: int) -> None:
    require_dtype("table", table, torch.int32)
    require_dtype("lengths", lengths, torch.int32)
    require_shape("table", table, (sequences, "most_pages"))
    require_shape("lengths", lengths, (sequences,))
    if slots == 0:
        raise ValueError("a page has at least one slot")
    if lengths.device.type == "cpu":
        most = table.shape[1] * slots
        wrong = lengths[(lengths < 0) | (lengths > most)]
        if len(wrong):
            raise ValueError(f"a length is from 0 to {most}, for which the table has pages, not {wrong[0]}")


def paged_decode_reference(
    q: Float[Tensor, "sequences heads d"],
    k_pages: Float[Tensor, "pages slots kv_heads d"],
    v_pages: Float[Tensor, "pages slots kv_heads d"],
    table: Int[Tensor, "sequences most_pages"],
    lengths: Int[Tensor, " sequences"],
    *,
    scale: float | None = None,
) -> Float[Tensor, "sequences heads d"]:
    """The same in plain torch, which copies the keys and values of each sequence out of their pages."""
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    slots = k_pages.shape[1]
    for sequence, length in enumerate(lengths.tolist()):
        mine = table[sequence, : -(-length // slots)].long()
        k, v = (pages[mine].flatten(0, 1)[:length].transpose(0, 1)[None] for pages in (k_pages, v_pages))
        out[sequence] = attention_reference(q[None, sequence, :, None], k, v, scale=scale)[0, :, 0]
    return out
