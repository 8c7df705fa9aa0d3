"""Paged attention against float64: lengths, pages out of order and shared, heads, splits; what it moves."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from kernels.paged_decode import paged_decode, paged_decode_reference
from kernels.simulator import OutOfBounds, record
from tests.kernels.support import DEVICE, DTYPES, assert_near, numbers


def cache(lengths, slots=8, heads=1, kv_heads=1, d=16, dtype=torch.float32):
    """(q, k_pages, v_pages, table, lengths): the pages in a random order, one of them free, what is unused is -1."""
    needed = [-(-length // slots) for length in lengths]
    order = torch.randperm(sum(needed) + 1, generator=torch.Generator().manual_seed(5)).tolist()
    table = torch.full((len(lengths), max(needed)), -1, dtype=torch.int32)
    for row, count in zip(table, needed, strict=True):
        row[:count] = torch.tensor([order.pop() for _ in range(count)], dtype=torch.int32)
    shape = sum(needed) + 1, slots, kv_heads, d
    q, k, v = (numbers(*size, dtype=dtype, seed=i) for i, size in enumerate(((len(lengths), heads, d), shape, shape)))
    return q, k, v, table.to(DEVICE), torch.tensor(lengths, dtype=torch.int32, device=DEVICE)


def assert_right(q, k, v, table, lengths, **options):
    """Hold the kernel against float64."""
    scale = options.get("scale")
    wanted = paged_decode_reference(q.double(), k.double(), v.double(), table, lengths, scale=scale)
    assert_near(paged_decode(q, k, v, table, lengths, **options), wanted, q.dtype)


def test_the_reference_is_torchs_own():
    q, k, v, table, lengths = cache([11], heads=4, kv_heads=2)
    keys, values = (pages[table[0].long()].flatten(0, 1)[:11].transpose(0, 1)[None].double() for pages in (k, v))
    wanted = F.scaled_dot_product_attention(q.double()[:, :, None], keys, values, enable_gqa=True)[:, :, 0]
    got = paged_decode_reference(q.double(), k.double(), v.double(), table, lengths)
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("slots", [1, 8, 16, 24])
def test_lengths_pages_and_splits(slots, splits, dtype):
    assert_right(*cache([1, 16, 0, 53], slots, dtype=dtype), splits=splits, tile=16)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("d", [16, 24, 80, 128, 256])
def test_head_dimensions_with_the_usual_tile(d, dtype):
    assert_right(*cache([70], d=d, dtype=dtype), splits=2)


@pytest.mark.parametrize(("heads", "kv_heads"), [(2, 2), (4, 2), (6, 1), (20, 1)])
def test_heads_that_share_keys(heads, kv_heads):
    assert_right(*cache([20, 9], heads=heads, kv_heads=kv_heads), splits=2, tile=16)


@pytest.mark.parametrize("splits", [1, 2, 5, 64])
def test_splits_change_nothing_even_if_most_have_no_key(splits):
    assert_right(*cache([50]), splits=splits, tile=16)


def test_as_many_splits_as_pay():
    with record() as traces:
        assert_right(*cache([600], slots=100))
        assert_right(*cache([600] * 3, slots=100), splits=1)
    assert [trace.grid for trace in traces[::2]] == [(1, 1, 2), (3, 1, 1)]


def test_sequences_that_share_a_page():
    q, k, v, table, lengths = cache([20, 20])
    table[1, :2] = table[0, :2]
    assert_right(q, k, v, table, lengths, tile=16)
    same = paged_decode(q[:1].expand(2, -1, -1), k, v, table[:1].expand(2, -1), lengths)
    assert torch.equal(same[0], same[1])


def test_a_new_token_needs_no_copy_of_the_cache():
    q, k, v, table, lengths = cache([20])
    before = paged_decode(q, k, v, table, lengths)
    page = int(table[0, 20 // 8])
    k[page, 20 % 8], v[page, 20 % 8] = 5 * q[0], 1.0
    assert torch.equal(paged_decode(q, k, v, table, lengths), before)
    assert_right(q, k, v, table, lengths + 1)


def test_strides():
    q, k, v, table, lengths = cache([20, 9], heads=4, kv_heads=2, d=32)
    wide = table.repeat_interleave(2, 1)
    assert_right(q[:, :, ::2], k[..., :16], v[..., 16:], wide[:, ::2], lengths.repeat_interleave(2)[::2], tile=16)
    by_head = [pages.transpose(1, 2).contiguous().transpose(1, 2) for pages in (k, v)]
    assert_right(q[:, :2], *by_head, table, lengths, tile=16)


def test_scale():
    for scale in (0.7, 0.0, -2.0):
        assert_right(*cache([20]), scale=scale)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_large_scores_do_not_overflow(dtype):
    q, k, v, *places = cache([40], dtype=dtype)
    assert_right(100 * q, 100 * k, v, *places, splits=2, tile=16)


def test_every_number_of_the_cache_is_read_once():
    heads, kv_heads, d, n, splits, b = 4, 2, 16, 20 + 37, 2, 2
    with record() as traces:
        tensors = cache([20, 37], heads=heads, kv_heads=kv_heads, d=d, dtype=torch.bfloat16)
        paged_decode(*tensors, splits=splits, tile=16)
    part, merge = traces
    assert part.tensors["k"].read == part.tensors["v"].read == n * kv_heads * d * b
    assert part.tensors["k"].read == part.tensors["k"].distinct_read
    assert part.tensors["table"].read == 4 * (3 + 5) * kv_heads  # pages; no tile cuts one
    assert part.tensors["q"].read == splits * 2 * heads * d * b
    assert part.bytes_written == merge.bytes_read == 2 * heads * splits * 4 * (d + 1)
    assert merge.bytes_written == 2 * heads * d * b


def test_an_entry_of_the_table_that_is_no_page():
    if DEVICE == "cuda":
        pytest.skip("a GPU does not look")
    q, k, v, table, lengths = cache([20])
    table[0, 1] = len(k)
    with pytest.raises(OutOfBounds, match="outside of k"):
        paged_decode(q, k, v, table, lengths)


def test_nothing_in_nothing_out():
    q, k, v, table, lengths = cache([3])
    assert paged_decode(q[:0], k, v, table[:0], lengths[:0]).shape == (0, 1, 16)
    assert torch.equal(paged_decode(q, k, v, table[:, :0], 0 * lengths), torch.zeros_like(q))
    assert torch.equal(paged_decode(q, k[:0], v[:0], table, 0 * lengths), torch.zeros_like(q))


ERRORS = [
    ({"d": 8}, {}, ValueError, "d is from 16 to 256, not 8"),
    ({"heads": 3, "kv_heads": 2}, {}, ValueError, "3 is none of 2"),
    ({}, {"splits": 0}, ValueError, "from 1 to 64, not 0"),
    ({}, {"splits": 65}, ValueError, "not 65"),
]


@pytest.mark.parametrize(("sizes", "options", "error", "words"), ERRORS)
def test_bad_sizes_and_options_are_told(sizes, options, error, words):
    with pytest.raises(error, match=words):
        paged_decode(*cache([4], **sizes), **options)


@pytest.mark.skipif(DEVICE == "cuda", reason="a GPU does not look")
@pytest.mark.parametrize("length", [-1, 9])
def test_a_length_without_pages(length):
    q, k, v, table, lengths = cache([8])
    with pytest.raises(ValueError, match=f"a length is from 0 to 8.*not {length}"):
        paged_decode(q, k, v, table, lengths * 0 + length)


def test_bad_tensors_are_told():
    q, k, v, table, lengths = cache([4, 6])
    with pytest.raises(ValueError, match=r"q has the shape \(sequences, heads, d\), not \(1, 16\)"):
        paged_decode(q[0], k, v, table, lengths)
    with pytest.raises(ValueError, match=r"v_pages has the shape \(3, 8, 1, 16\), not \(2, 8, 1, 16\)"):
        paged_decode(q, k, v[:2], table, lengths)
    with pytest.raises(ValueError, match=r"table has the shape \(2, most_pages\)"):
        paged_decode(q, k, v, table[:1], lengths)
    with pytest.raises(ValueError, match="last axis of k_pages is contiguous"):
        paged_decode(q, k.repeat_interleave(2, 3)[..., ::2], v, table, lengths)
    with pytest.raises(ValueError, match="at least one slot"):
        paged_decode(q, k[:, :0], v[:, :0], table, lengths)
    with pytest.raises(TypeError, match="one dtype"):
        paged_decode(q, k.half(), v, table, lengths)
    with pytest.raises(TypeError, match=r"table is a torch\.Tensor of int32, not int64"):
        paged_decode(q, k, v, table.long(), lengths)
    with pytest.raises(TypeError, match=r"lengths is a torch\.Tensor of int32, not list"):
        paged_decode(q, k, v, table, [4, 6])
    with pytest.raises(RuntimeError, match="no backward pass"):
        paged_decode(q.requires_grad_(), k, v, table, lengths)
