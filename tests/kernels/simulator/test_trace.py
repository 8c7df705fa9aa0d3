"""What a trace counts, held against what can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from kernels.simulator import simulate
from kernels.simulator.tiles import TileMeter


@triton.jit
def copy_kernel(x, y, n, step, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    value = tl.load(x + i * step, mask=i < n)
    tl.store(y + i, value, mask=i < n)


def copy(n: int, step: int = 1, dtype: torch.dtype = torch.float32):
    """The trace of a copy of n numbers, `step` apart."""
    x = torch.zeros(n * step, dtype=dtype)
    return simulate(copy_kernel, (triton.cdiv(n, 64),))(x, torch.empty(n, dtype=dtype), n, step, 64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8], ids=str)
def test_bytes_of_each_tensor(dtype):
    trace = copy(1000, dtype=dtype)
    size = 1000 * dtype.itemsize
    assert (trace.tensors["x"].read, trace.tensors["x"].written) == (size, 0)
    assert (trace.tensors["y"].read, trace.tensors["y"].written) == (0, size)
    assert trace.bytes == trace.compulsory_bytes == 2 * size
    assert trace.tensors["x"].requests == 16
    assert (trace.kernel, trace.grid) == ("copy_kernel", (16, 1, 1))


def test_bytes_of_each_line():
    load, store = copy(1000).lines
    assert (load.kind, load.tensor, load.bytes, load.requests) == ("load", "x", 4000, 16)
    assert (store.kind, store.tensor, store.bytes) == ("store", "y", 4000)
    assert load.line.text == "value = tl.load(x + i * step, mask=i < n)"
    assert store.line.number == load.line.number + 1


def test_lone_numbers_waste_their_sectors():
    assert copy(1024).coalescing == 1
    strided = copy(1024, step=8).lines[0]
    assert strided.bytes / strided.sector_bytes == 1 / 8
    assert "12 % of its sectors" in str(strided)


@triton.jit
def reread_kernel(x, y, times, B: tl.constexpr):
    total = tl.zeros([B], tl.float32)
    for _ in range(times):
        total += tl.load(x + tl.arange(0, B))
    tl.store(y + tl.program_id(0) * B + tl.arange(0, B), total)


def test_reading_again_counts_but_is_not_compulsory():
    trace = simulate(reread_kernel, (2,))(torch.zeros(64), torch.zeros(128), 5, 64)
    assert trace.bytes_read == 2 * 5 * 256
    assert trace.compulsory_bytes == 256 + 512
    assert trace.vector_flops == 2 * 5 * 64


@triton.jit
def atomic_kernel(x, B: tl.constexpr):
    tl.atomic_add(x + tl.arange(0, B), tl.full([B], 1.0, tl.float32))


def test_an_atomic_counts_both_ways_but_its_sectors_once():
    trace = simulate(atomic_kernel, (3,))(torch.zeros(32), 32)
    assert (trace.bytes_read, trace.bytes_written) == (3 * 128, 3 * 128)
    assert trace.lines[0].kind == "atomic"
    assert trace.coalescing == 1


@triton.jit
def work_kernel(x, y, N: tl.constexpr):
    tile = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
    a = tl.load(x + tile)
    b = tl.exp(tl.dot(a, a, input_precision="ieee"))
    tl.store(y + tile, b / tl.sum(b, 1)[:, None])


def test_operations():
    trace = simulate(work_kernel, (1,))(torch.zeros(16, 16), torch.zeros(16, 16), 16)
    assert trace.dot_flops == 2 * 16**3
    assert trace.vector_flops == 2 * 16 * 16  # the sum and the division
    assert trace.exps == 16 * 16
    assert trace.intensity == (2 * 16**3 + 512) / 2048


@triton.jit
def tiles_kernel(x, y, N: tl.constexpr):
    i = tl.arange(0, N)
    a = tl.load(x + i)
    b = a * 2
    c = tl.trans(tl.reshape(a, (2, N // 2)))  # a view costs nothing
    tl.store(y + i, a + b + tl.sum(tl.sum(c, 0), 0))


def test_tiles_that_are_alive_at_once():
    trace = simulate(tiles_kernel, (1,))(torch.zeros(1024), torch.zeros(1024), 1024)
    assert 3 * 4096 <= trace.peak_tile_bytes <= 5 * 4096


def test_memory_that_two_values_share_is_alive_until_both_are_gone():
    meter, shared, other = TileMeter(), np.zeros(8), np.zeros(4)
    for memory in (shared, shared, other):
        meter.born(memory)
    meter.died(shared)
    assert (meter.live, meter.peak) == (96, 96)
    meter.died(shared)
    assert (meter.live, meter.peak) == (32, 96)


def test_tiles_of_one_program_do_not_add_up_over_programs():
    assert copy(64).peak_tile_bytes == copy(640).peak_tile_bytes > 0


def test_the_cache_needs_the_requests():
    with pytest.raises(ValueError, match="requests=True"):
        copy(64).cache(1024, 1)


def zeros(n: int, offset: int = 0) -> torch.Tensor:
    """A tensor of its own, which begins some bytes after the beginning of a cache line."""
    memory = bytearray(4 * n + 256)
    start = -torch.frombuffer(memory, dtype=torch.uint8).data_ptr() % 128
    return torch.frombuffer(memory, dtype=torch.float32, count=n, offset=start + offset)


def reread(times: int, capacity: int, offset: int = 0):
    """What a cache of some bytes leaves of 1 KiB that is read several times."""
    traced = simulate(reread_kernel, (1,), requests=True)(zeros(256, offset), zeros(256, offset), times, 256)
    return traced.cache(capacity, programs_at_once=1)


@pytest.mark.parametrize("offset", [0, 4, 64])
def test_a_cache_that_is_large_enough_reads_once_wherever_the_tensor_lies(offset):
    traffic = reread(4, 4096, offset)
    assert traffic == (1024, 1024, 3 / 5)


def test_a_cache_that_is_too_small_reads_each_time():
    traffic = reread(4, 512)
    assert traffic == (4096, 1024, 0)


def test_programs_that_run_together_share_the_cache():
    traced = simulate(reread_kernel, (4,), requests=True)(zeros(256), zeros(1024), 1, 256)
    assert traced.cache(1024, programs_at_once=4).read == 1024
    assert traced.cache(1024, programs_at_once=1).read == 4 * 1024


def test_the_report_names_everything():
    text = str(copy(1000))
    for words in ("copy_kernel, grid (16, 1, 1): 4,000 B read + 4,000 B written", "x ", "load", "tl.store(y + i"):
        assert words in text
