"""Numbers in the simulator: each format computes as on a GPU, held against float64 or torch's own rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from kernels.simulator import simulate
from kernels.simulator.floats import round_bf16, round_tf32, widen

FLOATS = [torch.float32, torch.float16, torch.bfloat16]
EPSILON = {torch.float64: 2**-52, torch.float32: 2**-23, torch.float16: 2**-10, torch.bfloat16: 2**-7}


def numbers(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Normal numbers, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def error(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """The error's norm, relative to what was wanted."""
    return ((got.double() - wanted.double()).norm() / wanted.double().norm()).item()


@triton.jit
def dot_kernel(a, b, c, N: tl.constexpr, PRECISION: tl.constexpr):
    tile = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
    tl.store(c + tile, tl.dot(tl.load(a + tile), tl.load(b + tile), input_precision=PRECISION))


def dot(dtype: torch.dtype, precision: str = "ieee") -> float:
    """The error of a dot of two 32 x 32 tiles."""
    a, b = (numbers(32, 32, dtype=dtype, seed=seed) for seed in (1, 2))
    c = torch.empty(32, 32)
    simulate(dot_kernel, (1,))(a, b, c, 32, precision)
    return error(c, a.double() @ b.double())


@pytest.mark.parametrize(
    "dtype", [*FLOATS, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2], ids=lambda dtype: str(dtype)[6:]
)
def test_a_dot_adds_up_in_float32(dtype):
    assert dot(dtype) < 2e-7


def test_tf32_is_what_it_is_called():
    assert 1e-4 < dot(torch.float32, "tf32") < 1e-3
    assert dot(torch.float32, "tf32x3") < 2e-7


def test_round_tf32_keeps_ten_bits_ties_to_even():
    values = np.array([1 + 2**-10, 1 + 2**-11, 1 + 3 * 2**-11, np.inf, -np.inf, np.nan, 0.0], np.float32)
    np.testing.assert_array_equal(round_tf32(values), [1 + 2**-10, 1, 1 + 2**-9, np.inf, -np.inf, np.nan, 0])


@triton.jit
def dot_int8_kernel(a, b, c, N: tl.constexpr):
    tile = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
    tl.store(c + tile, tl.dot(tl.load(a + tile), tl.load(b + tile)))


def test_a_dot_of_int8_is_exact():
    a, b = torch.randint(-128, 128, (2, 32, 32), dtype=torch.int8, generator=torch.Generator().manual_seed(0))
    c = torch.empty(32, 32, dtype=torch.int32)
    simulate(dot_int8_kernel, (1,))(a, b, c, 32)
    assert torch.equal(c, a.int() @ b.int())


@triton.jit
def dot_batched_kernel(a, b, c, B: tl.constexpr, N: tl.constexpr):
    tile = tl.arange(0, B)[:, None, None] * N * N + tl.arange(0, N)[None, :, None] * N + tl.arange(0, N)[None, None, :]
    tl.store(c + tile, tl.dot(tl.load(a + tile), tl.load(b + tile), input_precision="ieee"))


def test_a_batch_of_dots():
    a, b, c = numbers(4, 16, 16, seed=1), numbers(4, 16, 16, seed=2), torch.empty(4, 16, 16)
    trace = simulate(dot_batched_kernel, (1,))(a, b, c, 4, 16)
    assert error(c, a.double() @ b.double()) < 2e-7
    assert trace.dot_flops == 2 * 4 * 16**3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e5m2], ids=lambda dtype: str(dtype)[6:])
def test_a_dot_too_small_for_tensor_cores_is_refused_as_by_the_compiler(dtype):
    a = torch.zeros(8, 8).to(dtype)
    with pytest.raises(AssertionError, match="K >= "):
        simulate(dot_kernel, (1,))(a, a, torch.empty(8, 8), 8, "ieee")


@triton.jit
def elementwise_kernel(a, b, c, N: tl.constexpr, OP: tl.constexpr):
    i = tl.arange(0, N)
    x, y = tl.load(a + i), tl.load(b + i)
    if OP == "add":
        z = x + y
    elif OP == "sub":
        z = x - y
    elif OP == "mul":
        z = x * y
    elif OP == "div":
        z = x / y
    elif OP == "neg":
        z = -x
    elif OP == "abs":
        z = tl.abs(x)
    elif OP == "maximum":
        z = tl.maximum(x, y)
    elif OP == "where":
        z = tl.where(x > y, x, y)
    elif OP == "clamp":
        z = tl.clamp(x, -0.5, 0.5)
    elif OP == "fma":
        z = tl.fma(x, y, y)
    tl.store(c + i, z)


ELEMENTWISE = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": lambda x, y: -x,
    "abs": lambda x, y: x.abs(),
    "maximum": torch.maximum,
    "where": torch.maximum,
    "clamp": lambda x, y: x.clamp(-0.5, 0.5),
    "fma": lambda x, y: x * y + y,
}


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: str(dtype)[6:])
@pytest.mark.parametrize("op", ELEMENTWISE)
def test_elementwise_operations_round_once(op, dtype):
    a, b, c = numbers(1024, dtype=dtype, seed=1), numbers(1024, dtype=dtype, seed=2), torch.empty(1024, dtype=dtype)
    simulate(elementwise_kernel, (1,))(a, b, c, 1024, op)
    torch.testing.assert_close(c, ELEMENTWISE[op](a.double(), b.double()).to(dtype), rtol=EPSILON[dtype], atol=0)
    if dtype != torch.bfloat16 or op != "div":  # a quotient of bfloat16 goes through float32
        assert torch.equal(c, ELEMENTWISE[op](a.double(), b.double()).to(dtype))


@triton.jit
def maximum_kernel(a, b, c, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(c + i, tl.maximum(tl.load(a + i), tl.load(b + i)))


def test_a_maximum_drops_nan_unless_asked_to_keep_it():
    nan, c = torch.nan, torch.empty(4)
    simulate(maximum_kernel, (1,))(torch.tensor([1.0, nan, 3.0, nan]), torch.tensor([nan, 2.0, 1.0, nan]), c, 4)
    torch.testing.assert_close(c, torch.tensor([1.0, 2.0, 3.0, nan]), equal_nan=True)


@triton.jit
def cast_kernel(a, c, N: tl.constexpr, HOW: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(a + i)
    if HOW == "to":
        x = x.to(c.dtype.element_ty)
    elif HOW == "rtne":
        x = x.to(c.dtype.element_ty, fp_downcast_rounding="rtne")
    elif HOW == "rtz":
        x = x.to(c.dtype.element_ty, fp_downcast_rounding="rtz")
    tl.store(c + i, x)


@pytest.mark.parametrize("how", ["to", "rtne", "on store"])
def test_float32_becomes_bfloat16_as_in_torch(how):
    a, c = numbers(4096), torch.empty(4096, dtype=torch.bfloat16)
    simulate(cast_kernel, (1,))(a, c, 4096, how)
    assert torch.equal(c, a.bfloat16())


def test_rounding_toward_zero():
    a, c = numbers(4096), torch.empty(4096, dtype=torch.bfloat16)
    simulate(cast_kernel, (1,))(a, c, 4096, "rtz")
    assert (c.float().abs() <= a.abs()).all()
    assert ((a - c.float()).abs() <= a.abs() * 2**-7).all()


@pytest.mark.parametrize("source", [torch.bfloat16, torch.float16, torch.float32, torch.int32], ids=str)
@pytest.mark.parametrize("target", [torch.bfloat16, torch.float16, torch.float32, torch.int32], ids=str)
def test_every_cast_agrees_with_torch(source, target):
    a, c = (100 * numbers(256)).to(source), torch.empty(256, dtype=target)
    simulate(cast_kernel, (1,))(a, c, 256, "to")
    assert torch.equal(c, a.to(target))


def test_bits_of_bfloat16_and_back():
    values = torch.tensor([0.0, -0.0, 1.0, torch.inf, -torch.inf, 1e-40, 3.3e38, 65_504.0])
    bits = round_bf16(values.numpy())
    assert torch.equal(torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16), values.bfloat16())
    assert torch.equal(torch.from_numpy(widen(bits)), values.bfloat16().float())
    assert np.isnan(widen(round_bf16(np.array([np.nan]))))


@triton.jit
def reduce_kernel(a, c, N: tl.constexpr, HOW: tl.constexpr):
    x = tl.load(a + tl.arange(0, N))
    if HOW == "sum":
        tl.store(c, tl.sum(x, 0))
    elif HOW == "max":
        tl.store(c, tl.max(x, 0))
    elif HOW == "min":
        tl.store(c, x.min(0))


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: str(dtype)[6:])
@pytest.mark.parametrize("how", ["sum", "max", "min"])
def test_reductions(how, dtype):
    a, c = -torch.rand(256, generator=torch.Generator().manual_seed(0)).to(dtype) - 1, torch.zeros(1)
    simulate(reduce_kernel, (1,))(a, c, 256, how)
    wanted = {"sum": a.double().sum(), "max": a.double().max(), "min": a.double().min()}[how]
    torch.testing.assert_close(c[0].double(), wanted, rtol=EPSILON[dtype] if how == "sum" else 0, atol=0)


def test_a_maximum_of_nothing_but_nan_is_nan_without_a_warning(recwarn):
    c = torch.zeros(1)
    simulate(reduce_kernel, (1,))(torch.full((4,), torch.nan), c, 4, "max")
    assert c.isnan().all()
    assert not recwarn


@triton.jit
def cumsum_kernel(a, c, N: tl.constexpr):
    tl.store(c + tl.arange(0, N), tl.cumsum(tl.load(a + tl.arange(0, N)), 0))


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: str(dtype)[6:])
def test_cumsum(dtype):
    a, c = numbers(64, dtype=dtype), torch.empty(64)
    simulate(cumsum_kernel, (1,))(a, c, 64)
    assert error(c, a.double().cumsum(0)) < 4 * EPSILON[dtype]


@triton.jit
def atomic_add_kernel(c, N: tl.constexpr):
    tl.atomic_add(c + tl.arange(0, N) % 4, tl.full([N], 1.0, c.dtype.element_ty))


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: str(dtype)[6:])
def test_atomic_additions_of_several_lanes_and_programs(dtype):
    c = torch.zeros(4, dtype=dtype)
    simulate(atomic_add_kernel, (7,))(c, 8)
    assert c.tolist() == [14.0] * 4


@triton.jit
def math_kernel(a, c, N: tl.constexpr):
    x = tl.load(a + tl.arange(0, N))
    y = tl.sigmoid(x) + tl.softmax(x) + tl.math.rsqrt(x * x + 1) + tl.erf(x) + tl.exp2(x) + tl.log2(tl.abs(x) + 1)
    tl.store(c + tl.arange(0, N), y + tl.cos(x) + tl.sqrt(tl.abs(x)) + tl.floor(x))


def test_functions_of_the_library():
    a, c = numbers(256), torch.empty(256)
    simulate(math_kernel, (1,))(a, c, 256)
    x = a.double()
    wanted = x.sigmoid() + x.softmax(0) + (x * x + 1).rsqrt() + x.erf() + x.exp2() + (x.abs() + 1).log2()
    assert error(c, wanted + x.cos() + x.abs().sqrt() + x.floor()) < 2e-7


@triton.jit
def scale_kernel(c, scale, big):
    tl.store(c, scale * scale)
    tl.store(c + 1, (big + 1).to(tl.float32))


def test_arguments_are_32_bit_as_on_a_gpu():
    c = torch.zeros(2)
    simulate(scale_kernel, (1,))(c, 0.1, 2**31 - 1)
    assert c[0] == np.float32(0.1) * np.float32(0.1)
    assert c[1] == -(2.0**31)  # an int32 that overflows wraps
