"""The operations of a kernel, one by one, on NumPy arrays: Triton's interpreter, corrected, watched and counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import triton.language as tl
from triton._C.libtriton import interpreter as memory_access
from triton._C.libtriton import ir

from kernels.simulator.errors import DeviceAssert
from kernels.simulator.floats import decode, encode, is_bf16, operand, round_bf16
from kernels.simulator.memory import RaceDetector, Region, coordinates, distinct, find, out_of_bounds
from kernels.simulator.source import current_line
from kernels.simulator.tiles import Tile, as_mask, bytes_of, pointing
from kernels.simulator.trace import Counter
from kernels.simulator.versions import interpreter

SAME_POINTERS = ("broadcast", "expand_dims", "reshape", "trans", "bitcast", "int_to_ptr", "ptr_to_int", "addptr")
EXPONENTIALS = (np.exp, np.exp2, np.log, np.log2)  # which have units of their own on a GPU, and few
LONGEST_AXES = (2**31 - 1, 65_535, 65_535)  # of a grid, on NVIDIA's GPUs


def _like_the_gpu(left: tl.dtype, right: tl.dtype) -> tuple[int, int, int]:
    """The least (m, n, k) of a dot that the compiler takes for NVIDIA's tensor cores."""
    return 1, 1, {8: 32, 64: 4, 32: 8}.get(left.scalar.primitive_bitwidth, 16)


class Builder(interpreter.InterpreterBuilder):
    """Runs one launch. The semantic layer of `triton.language` calls `create_*` for each operation of a program."""

    def __init__(self, regions: list[Region], counter: Counter, grid: tuple[int, int, int], races: bool) -> None:
        super().__init__()
        # Asserts count. Integers wrap, as on a GPU; to look for overflow at each addition would halve the speed.
        self.options = dataclasses.replace(interpreter.InterpreterOptions(), debug=True, sanitize_overflow=False)
        self.codegen_fns["min_dot_size"] = _like_the_gpu
        self.set_grid_dim(*grid)
        self.program = -1
        self._regions, self._counter, self._trace = regions, counter, counter.trace
        self._races = RaceDetector(grid) if races else None
        self._kind = "load", "store"  # what loads and stores are; atomic ones are built from them

    def begin(self, program: int) -> None:
        """The next program, in the order in which a GPU starts them."""
        self.program = program
        self.set_grid_idx(*coordinates(program, self.grid_dim))
        self._counter.begin_program()

    def _access(
        self, kind: str, pointers: Tile, mask: Tile, synchronises: bool = False, fill: Tile | None = None
    ) -> None:
        """Check and count one request; `fill` is what masked elements become. Raises OutOfBounds or Race."""
        addresses = pointers.data.ravel() if mask.data.all() else pointers.data[mask.data]
        if addresses.size == 0:
            return
        addresses = distinct(addresses.astype(np.int64))
        item = max(1, pointers.get_element_ty().primitive_bitwidth // 8)
        region = getattr(pointers, "origin", None) or find(self._regions, addresses)
        elements = region.elements(addresses, item)
        bad = region.outside(elements)
        if bad.size:
            raise out_of_bounds(kind, region, bad, elements.size, f"program {self.grid_idx}")
        region.note(kind, elements)
        self._counter.count(kind, region, addresses, item, current_line(), bytes_of(fill))
        if self._races is not None:
            self._races.check(kind, region, elements, self.program)
            if synchronises:
                self._races.synchronise(region, elements, self.program)

    # Memory. (The last arguments differ between versions of Triton, and mean nothing here.)

    def create_masked_load(self, ptrs: Tile, mask: Tile, other: Tile | None, *_policy: Any, **_named: Any) -> Tile:
        mask = as_mask(mask)
        self._access(self._kind[0], ptrs, mask, fill=other)
        dtype = ptrs.get_element_ty()
        stored = interpreter._get_np_dtype(dtype)
        fill = np.zeros(ptrs.data.shape, stored) if other is None else other.data
        return Tile(memory_access.load(ptrs.data, mask.data, fill, stored), dtype)

    def create_masked_store(self, ptrs: Tile, value: Tile, mask: Tile, *_policy: Any, **_named: Any) -> None:
        mask = as_mask(mask)
        self._access(self._kind[1], ptrs, mask)
        memory_access.store(ptrs.data, value.data, mask.data)

    def create_atomic_rmw(self, op: Any, ptr: Tile, val: Tile, mask: Tile, sem: Any, scope: Any) -> Tile:
        self._access("atomic", ptr, mask, val.dtype.scalar.is_int() and sem != ir.MEM_SEMANTIC.RELAXED)
        if is_bf16(val):
            return self._add_bf16(op, ptr, val, mask)
        return super().create_atomic_rmw(op, ptr, val, mask, sem, scope)

    def _add_bf16(self, op: Any, ptr: Tile, val: Tile, mask: Tile) -> Tile:
        if op != ir.ATOMIC_OP.FADD:
            raise TypeError(f"{current_line()}: the only atomic operation on bfloat16 is atomic_add")
        before = np.zeros_like(val.data)
        for lane in zip(*np.nonzero(mask.data), strict=True):  # one by one: several may add to the same element
            here, one = ptr.data[lane].reshape(1), np.ones(1, bool)
            old = Tile(memory_access.load(here, one, np.zeros(1, np.uint16), np.dtype(np.uint16)), tl.bfloat16)
            before[lane] = old.data[0]
            total = decode(old) + decode(Tile(val.data[lane].reshape(1), tl.bfloat16))
            memory_access.store(here, round_bf16(total), one)
        return Tile(before, tl.bfloat16)

    def create_atomic_cas(self, ptr: Tile, cmp: Tile, val: Tile, sem: Any, scope: Any) -> Tile:
        everywhere = Tile(np.ones(ptr.data.shape, bool), tl.int1)
        self._access("atomic", ptr, everywhere, sem != ir.MEM_SEMANTIC.RELAXED)
        return super().create_atomic_cas(ptr, cmp, val, sem, scope)

    def create_atomic_load(self, *arguments: Any) -> Tile:
        return self._atomically(super().create_atomic_load, *arguments)

    def create_atomic_store(self, *arguments: Any) -> None:
        return self._atomically(super().create_atomic_store, *arguments)

    def create_atomic_poll(self, *arguments: Any) -> Tile:
        return self._atomically(super().create_atomic_poll, *arguments)

    def _atomically(self, method: Callable[..., Any], *arguments: Any) -> Any:
        self._kind = "atomic", "atomic"
        try:
            return method(*arguments)
        finally:
            self._kind = "load", "store"

    # Arithmetic

    def cast_impl(self, src: Tile, dst_type: tl.dtype) -> Tile:
        cast = self._cast(src, dst_type)
        return super().cast_impl(src, dst_type) if cast is None else cast

    def create_fp_to_fp(self, src: Tile, dst_type: tl.dtype, rounding: Any) -> Tile:
        cast = self._cast(src, dst_type, rounding)
        return super().create_fp_to_fp(src, dst_type, rounding) if cast is None else cast

    def _cast(self, src: Tile, dst_type: tl.dtype, rounding: Any = None) -> Tile | None:
        """A conversion that the interpreter gets wrong: from or to bfloat16, except 8-bit floats."""
        source, target = src.dtype.scalar, dst_type.scalar
        if tl.bfloat16 not in (source, target) or source == target:
            return None
        if target == tl.bfloat16:
            return Tile(round_bf16(decode(src), toward_zero=rounding == ir.ROUNDING_MODE.RTZ), target)
        wide = Tile(decode(src), tl.float32)
        return wide if target == tl.float32 else super().cast_impl(wide, dst_type)

    def get_bf16(self, value: float) -> Tile:
        return Tile(round_bf16(np.array([value])), tl.bfloat16)

    def binary_op(self, lhs: Tile, rhs: Tile, op: Callable) -> Tile:
        self._count_vector(lhs, rhs)
        if not is_bf16(lhs) and not is_bf16(rhs):
            return super().binary_op(lhs, rhs, op)
        values = op(decode(lhs), decode(rhs))
        return Tile(values if values.dtype == np.bool_ else round_bf16(values), lhs.dtype.scalar)

    def unary_op(self, arg: Tile, op: Callable) -> Tile:
        if op in EXPONENTIALS:
            self._trace.exps += arg.data.size
        else:
            self._count_vector(arg)
        if not is_bf16(arg):
            return super().unary_op(arg, op)
        return Tile(round_bf16(op(decode(arg))), arg.dtype.scalar)

    def ternary_op(self, lhs: Tile, rhs: Tile, other: Tile, op: Callable) -> Tile:
        if op is np.where or not is_bf16(other):
            return super().ternary_op(lhs, rhs, other, op)
        return Tile(round_bf16(op(decode(lhs), decode(rhs), decode(other))), other.dtype.scalar)

    def create_fma(self, x: Tile, y: Tile, z: Tile) -> Tile:
        """Multiply and add with one rounding, as the GPU does."""
        self._count_vector(x, y, operations=2)
        exact = decode(x).astype(np.float64) * decode(y) + decode(z)
        return Tile(encode(exact, z.dtype), z.dtype.scalar)

    def create_maxnumf(self, lhs: Tile, rhs: Tile) -> Tile:
        return self.binary_op(lhs, rhs, np.fmax)  # tl.maximum drops a NaN unless it is asked to keep it

    def create_minnumf(self, lhs: Tile, rhs: Tile) -> Tile:
        return self.binary_op(lhs, rhs, np.fmin)

    def create_dot(self, a: Tile, b: Tile, d: Tile, input_precision: Any, max_num_imprecise_acc: Any) -> Tile:
        product = np.matmul(operand(a, input_precision), operand(b, input_precision))
        self._trace.dot_flops += 2 * product.size * a.data.shape[-1]
        return Tile(encode(product + decode(d), d.dtype), d.dtype.scalar)

    def _count_vector(self, *operands: Tile, operations: int = 1) -> None:
        size = max(tile.data.size for tile in operands)
        if size > 1 and operands[0].dtype.scalar.is_floating():
            self._trace.vector_flops += operations * size

    def count_reduction(self, tile: Tile) -> None:
        """A sum or maximum of n numbers is n operations."""
        self._count_vector(tile)

    # Pointers keep their tensor

    def create_splat(self, ret_ty: tl.dtype, arg: Tile) -> Tile:
        if arg.data.dtype == np.bool_:  # a comparison; the interpreter would make integers of it, which are no mask
            return Tile(np.full(ret_ty.shape, arg.data), tl.int1)
        return pointing(super().create_splat(ret_ty, arg), arg.origin)

    def create_select(self, cond: Tile, lhs: Tile, rhs: Tile) -> Tile:
        same = getattr(lhs, "origin", None) is getattr(rhs, "origin", None)
        return pointing(self.ternary_op(cond, lhs, rhs, np.where), lhs.origin if same else None)

    # Assertions

    def create_assert(self, condition: Tile, message: str) -> None:
        if not condition.data.all():
            raise DeviceAssert(f"program {self.grid_idx}, {current_line()}: device_assert failed: {message}")

    def create_assume(self, condition: Tile) -> None:
        if not condition.data.all():
            raise DeviceAssert(f"program {self.grid_idx}, {current_line()}: what tl.assume promises does not hold")


def _keeps_tensor(name: str) -> Callable[..., Tile]:
    original = getattr(interpreter.InterpreterBuilder, name)

    def method(self: Builder, arg: Tile, *rest: Any) -> Tile:
        return pointing(original(self, arg, *rest), getattr(arg, "origin", None))

    return method


for _name in SAME_POINTERS:
    setattr(Builder, f"create_{_name}", _keeps_tensor(f"create_{_name}"))
