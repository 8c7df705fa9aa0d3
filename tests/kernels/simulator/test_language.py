"""What of the language works in the simulator: loops, calls, scans, descriptors, assertions, autotuning."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from kernels.simulator import DeviceAssert, simulate


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@triton.jit
def loops_kernel(c, n, N: tl.constexpr):
    total = 0.0
    for i in tl.static_range(N):
        total += i
    for j in tl.range(0, n, 2, num_stages=3, loop_unroll_factor=2):
        total += j
    for j in tl.range(0, n, 2, warp_specialize=True, flatten=True):
        total += j
    for _ in range(n):
        total += 1
    k = 0
    while k < n:
        k += 1
        total += 1
    tl.store(c, total)


def test_loops():
    c = torch.zeros(1)
    simulate(loops_kernel, (1,))(c, 10, 4, num_warps=8, num_stages=4)
    assert c.item() == 6 + 20 + 20 + 10 + 10


@triton.jit
def loop_variable_kernel(c, n, N: tl.constexpr):
    for i in range(n):
        tl.store(c + i.to(tl.int64), i.to(tl.float32))
    for j in tl.static_range(N):
        tl.store(c + tl.arange(0, j + 1), 9.0)


def test_the_variable_of_a_loop_is_a_tensor_unless_the_loop_is_static():
    c = torch.zeros(4)
    simulate(loop_variable_kernel, (1,))(c, 4, 1)
    assert c.tolist() == [9, 1, 2, 3]


@triton.jit
def early_return_kernel(c, n):
    if tl.program_id(0) >= n:
        return
    tl.store(c + tl.program_id(0), 1.0)


def test_early_return():
    c = torch.zeros(5)
    simulate(early_return_kernel, (5,))(c, 3)
    assert c.tolist() == [1, 1, 1, 0, 0]


@triton.jit
def helper(x, S: tl.constexpr):
    return x * S, x + S


@triton.jit
def call_kernel(c, N: tl.constexpr):
    product, total = helper(tl.arange(0, N).to(tl.float32), 3)
    tl.store(c + tl.arange(0, N), product + total)


def test_a_helper_that_returns_two():
    c = torch.zeros(4)
    simulate(call_kernel, (1,))(c, 4)
    assert c.tolist() == [3, 7, 11, 15]


@triton.jit
def linear(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2


@triton.jit
def scan_kernel(a, b, c, N: tl.constexpr):
    i = tl.arange(0, N)
    _, h = tl.associative_scan((tl.load(a + i), tl.load(b + i)), 0, linear)
    tl.store(c + i, h)


def test_a_scan_with_a_function_of_ones_own():
    a, b, c = torch.rand(32, generator=torch.Generator().manual_seed(0)), numbers(32), torch.empty(32)
    simulate(scan_kernel, (1,))(a, b, c, 32)
    h, wanted = 0.0, []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        h = x * h + y
        wanted.append(h)
    torch.testing.assert_close(c, torch.tensor(wanted))


@triton.jit
def larger(a, b):
    return tl.maximum(a, b)


@triton.jit
def reduce_kernel(a, c, N: tl.constexpr):
    tl.store(c, tl.reduce(tl.load(a + tl.arange(0, N)), 0, larger))


def test_a_reduction_with_a_function_of_ones_own():
    a, c = numbers(64), torch.empty(1)
    simulate(reduce_kernel, (1,))(a, c, 64)
    assert c.item() == a.max().item()


@triton.jit
def shapes_kernel(a, c, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.trans(tl.load(a + i[:, None] * N + i[None, :]))
    even, odd = tl.split(tl.reshape(x, (N, N // 2, 2)))
    tl.store(c + i[:, None] * N + i[None, :], tl.reshape(tl.join(odd, even), (N, N)))


def test_transpose_reshape_split_join():
    a, c = numbers(8, 8), torch.empty(8, 8)
    simulate(shapes_kernel, (1,))(a, c, 8)
    assert torch.equal(c, a.T.reshape(8, 4, 2).flip(-1).reshape(8, 8))


@triton.jit
def sort_kernel(a, c, N: tl.constexpr):
    tl.store(c + tl.arange(0, N), tl.sort(tl.load(a + tl.arange(0, N))))


@triton.jit
def gather_kernel(a, i, c, N: tl.constexpr):
    lanes = tl.arange(0, N)
    tl.store(c + lanes, tl.gather(tl.load(a + lanes), tl.load(i + lanes), 0))


@triton.jit
def unpack_kernel(a, c, N: tl.constexpr):
    x = tl.load(a + tl.arange(0, N))
    low, high = (x & 0xF).to(tl.int8) - 8, ((x >> 4) & 0xF).to(tl.int8) - 8
    tl.store(c + tl.arange(0, 2 * N), tl.interleave(low, high).to(tl.float32))


@triton.jit
def random_kernel(c, N: tl.constexpr):
    tl.store(c + tl.arange(0, N), tl.rand(42, tl.arange(0, N)))


def test_sort():
    a, c = numbers(16), torch.empty(16)
    simulate(sort_kernel, (1,))(a, c, 16)
    assert torch.equal(c, a.sort().values)


def test_gather():
    a, c = numbers(16), torch.empty(16)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    simulate(gather_kernel, (1,))(a, order.int(), c, 16)
    assert torch.equal(c, a[order])


def test_four_bits_are_unpacked():
    a, c = torch.arange(32, dtype=torch.uint8) * 7, torch.empty(64)
    simulate(unpack_kernel, (1,))(a, c, 32)
    assert torch.equal(c, torch.stack([(a & 15).float() - 8, (a >> 4).float() - 8], -1).flatten())


def test_random_numbers():
    c = torch.empty(4096)
    simulate(random_kernel, (1,))(c, 4096)
    assert 0.48 < c.mean() < 0.52
    assert 0.27 < c.std() < 0.31


@triton.jit
def descriptor_kernel(a, c, M, N, BM: tl.constexpr, BN: tl.constexpr):
    source = tl.make_tensor_descriptor(a, [M, N], [N, 1], [BM, BN])
    target = tl.make_tensor_descriptor(c, [M, N], [N, 1], [BM, BN])
    row = tl.program_id(0) * BM
    for column in range(0, N, BN):
        target.store([row, column], source.load([row, column]) * 2)


@triton.jit
def host_descriptor_kernel(source, target, N, BM: tl.constexpr, BN: tl.constexpr):
    row = tl.program_id(0) * BM
    for column in range(0, N, BN):
        target.store([row, column], source.load([row, column]) * 2)


def test_tensor_descriptors_made_in_the_kernel():
    a, c = numbers(37, 64), torch.zeros(37, 64)
    trace = simulate(descriptor_kernel, (3,))(a, c, 37, 64, 16, 16)
    assert torch.equal(c, 2 * a)
    assert trace.tensors["a"].read == trace.tensors["c"].written == 37 * 64 * 4


def test_tensor_descriptors_made_on_the_host():
    a, c = numbers(37, 64), torch.zeros(37, 64)
    source, target = (TensorDescriptor.from_tensor(x, [16, 16]) for x in (a, c))
    trace = simulate(host_descriptor_kernel, (3,))(source, target, 64, 16, 16)
    assert torch.equal(c, 2 * a)
    assert trace.tensors["source"].read == 37 * 64 * 4


@triton.jit
def block_pointer_kernel(a, c, M, N, BM: tl.constexpr, BN: tl.constexpr):
    source = tl.make_block_ptr(a, (M, N), (N, 1), (tl.program_id(0) * BM, 0), (BM, BN), (1, 0))
    target = tl.make_block_ptr(c, (M, N), (N, 1), (tl.program_id(0) * BM, 0), (BM, BN), (1, 0))
    for _ in range(0, N, BN):
        x = tl.load(source, boundary_check=(0, 1), padding_option="zero")
        tl.store(target, x * 2, boundary_check=(0, 1))
        source = tl.advance(source, (0, BN))
        target = tl.advance(target, (0, BN))


@pytest.mark.filterwarnings("ignore:.*make_block_ptr is deprecated")
@pytest.mark.skipif(not hasattr(tl, "advance"), reason="this Triton has no block pointers any more")
def test_block_pointers():
    a, c = numbers(37, 50), torch.zeros(37, 50)
    trace = simulate(block_pointer_kernel, (3,))(a, c, 37, 50, 16, 16)
    assert torch.equal(c, 2 * a)
    assert trace.tensors["a"].read == 37 * 50 * 4


@triton.autotune(configs=[triton.Config({"B": b}, num_warps=4, num_stages=3) for b in (64, 128)], key=["n"])
@triton.jit
def autotuned_kernel(a, c, n, B: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    tl.store(c + i, tl.load(a + i, mask=i < n) * 2, mask=i < n)


def test_an_autotuned_kernel_takes_its_first_configuration():
    a, c = numbers(300), torch.zeros(300)
    trace = simulate(autotuned_kernel, lambda meta: (triton.cdiv(300, meta["B"]),))(a, c, 300)
    assert torch.equal(c, 2 * a)
    assert trace.grid == (5, 1, 1)
    assert autotuned_kernel.cache == {}  # so that a GPU still tunes it


@triton.heuristics({"EVEN": lambda args: args["n"] % args["B"] == 0})
@triton.jit
def heuristic_kernel(a, c, n, B: tl.constexpr, EVEN: tl.constexpr):
    i = tl.program_id(0) * B + tl.arange(0, B)
    if EVEN:
        tl.store(c + i, tl.load(a + i) * 2)
    else:
        tl.store(c + i, tl.load(a + i, mask=i < n) * 2, mask=i < n)


@pytest.mark.parametrize("n", [300, 320])
def test_heuristics(n):
    a, c = numbers(n), torch.zeros(n)
    simulate(heuristic_kernel, (5,))(a, c, n, 64)
    assert torch.equal(c, 2 * a)


@triton.jit
def print_kernel(c):
    tl.device_print("pid", tl.program_id(0))
    tl.static_print("static")
    tl.static_assert(1 == 1)
    tl.device_assert(tl.program_id(0) < 5, "msg")


def test_printing(capsys):
    simulate(print_kernel, (1,))(torch.zeros(1))
    assert capsys.readouterr().out == "(0, 0, 0)  pid:  [0]\nstatic\n"


@triton.jit
def assert_kernel(c, N: tl.constexpr):
    tl.device_assert(tl.arange(0, N) < 7, "an index is too large")


@triton.jit
def assume_kernel(c, n):
    tl.assume(n % 16 == 0)


def test_an_assertion_that_fails_is_an_error():
    with pytest.raises(DeviceAssert, match=r"program \(0, 0, 0\), line \d+, `tl.device_assert.*an index is too large"):
        simulate(assert_kernel, (1,))(torch.zeros(1), 8)
    simulate(assert_kernel, (1,))(torch.zeros(1), 4)


def test_an_assumption_that_does_not_hold_is_an_error():
    with pytest.raises(DeviceAssert, match="promises"):
        simulate(assume_kernel, (1,))(torch.zeros(1), 17)


@triton.jit
def scalars_kernel(c, n):
    i = tl.program_id(0)
    if (i >= 1) and (i < n):
        tl.store(c + i, 1.0)
    if not (i < n):
        tl.store(c + i, 2.0)


def test_and_and_not_of_scalars():
    c = torch.zeros(4)
    simulate(scalars_kernel, (4,))(c, 3)
    assert c.tolist() == [0, 1, 1, 2]


@triton.jit
def tile_and_scalar_kernel(x, c, n, N: tl.constexpr):
    i = tl.arange(0, N)
    mask = (i < n) & (tl.load(x) != -1)
    tl.store(c + i, tl.load(x + i, mask=mask, other=7.0), mask=i < n)


@pytest.mark.parametrize("first", [1.0, -1.0])
def test_a_condition_on_a_scalar_in_the_mask_of_a_tile(first):
    x, c = torch.full((5,), first), torch.zeros(5)
    trace = simulate(tile_and_scalar_kernel, (1,))(x, c, 5, 8)
    assert c.tolist() == [1.0 if first > 0 else 7.0] * 5
    assert trace.tensors["x"].read == 4 + (20 if first > 0 else 0)


@triton.jit
def and_of_tiles_kernel(c, n, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(c + i, 1.0, mask=(i > 0) and (i < n))


def test_and_of_tiles_is_an_error():
    with pytest.raises(TypeError, match="neither true nor false"):
        simulate(and_of_tiles_kernel, (1,))(torch.zeros(8), 4, 8)


@triton.jit
def none_kernel(x, c, N: tl.constexpr):
    total = tl.full([N], 1.0, tl.float32)
    if x is not None:
        total += tl.load(x + tl.arange(0, N))
    tl.store(c + tl.arange(0, N), total)


def test_no_tensor_where_one_may_be():
    c = torch.empty(8)
    simulate(none_kernel, (1,))(None, c, 8)
    assert c.sum() == 8


@triton.jit
def alias_kernel(c, N: tl.constexpr):
    x = tl.zeros([N], tl.float32)
    y = x
    y += 1.0
    tl.store(c + tl.arange(0, N), x)


def test_adding_in_place_changes_no_other_name():
    c = torch.ones(4)
    simulate(alias_kernel, (1,))(c, 4)
    assert c.tolist() == [0, 0, 0, 0]


@triton.jit
def chained_assignment_kernel(c):
    a = b = tl.program_id(0)
    tl.store(c, a + b)


def test_a_chain_of_assignments_is_refused_as_by_the_compiler():
    with pytest.raises(SyntaxError, match="two assignments"):
        simulate(chained_assignment_kernel, (1,))(torch.zeros(1))


@triton.jit
def range_kernel(c, N: tl.constexpr):
    tl.store(c + tl.arange(0, N), 1.0)


def test_a_tile_of_24_is_refused_as_by_the_compiler():
    with pytest.raises(ValueError, match="power of 2"):
        simulate(range_kernel, (1,))(torch.zeros(24), 24)


@triton.jit
def bool_kernel(x, c, flag, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(c + i, tl.where(tl.load(x + i) & flag, 1.0, 2.0))


def test_bool_tensors_and_arguments():
    x, c = torch.tensor([True, False] * 4), torch.empty(8)
    simulate(bool_kernel, (1,))(x, c, True, 8)
    assert torch.equal(c, torch.where(x, 1.0, 2.0))


@triton.jit
def tuple_kernel(tensors, c, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(c + i, tl.load(tensors[0] + i) + tl.load(tensors[1] + i))


def test_tensors_in_a_tuple_have_names_of_their_own():
    a, b, c = numbers(8, seed=1), numbers(8, seed=2), torch.empty(8)
    trace = simulate(tuple_kernel, (1,))((a, b), c, 8)
    assert torch.equal(c, a + b)
    assert trace.tensors["tensors[1]"].read == 32


def test_a_kernel_defined_in_a_function_sees_its_helpers():
    @triton.jit
    def double(x):
        return x * 2

    @triton.jit
    def kernel(c, scale=3):
        tl.store(c, double(tl.load(c)) * scale)

    c = torch.ones(1)
    simulate(kernel, (1,))(c)
    assert c.item() == 6
