"""`triton.language` as the simulator needs it while a kernel runs, and as it was before afterwards."""

from __future__ import annotations

import functools
import operator
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import triton.language as tl
from triton.language.semantic import TritonSemantic
from triton.runtime.jit import JITFunction

from kernels.simulator.builder import Builder
from kernels.simulator.floats import is_bf16, round_bf16, widen
from kernels.simulator.source import is_kernel_code, python_function
from kernels.simulator.tiles import Tile, TileMeter, pointing
from kernels.simulator.versions import interpreter

_MISSING = object()
CONSTEXPR_OPERATIONS = ("__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__lt__", "__le__",
                        "__gt__", "__ge__", "__eq__", "__ne__", "__and__", "__or__", "__xor__")  # fmt: skip


class Patches:
    """Attributes that were replaced, put back in reverse order; what was inherited is inherited again."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def set_attr(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute until `restore`."""
        self._before.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)

    def restore(self) -> None:
        """Put everything back."""
        while self._before:
            owner, name, value = self._before.pop()
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


@contextmanager
def interpreted(builder: Builder) -> Iterator[Callable[[Any], Callable[..., Any]]]:
    """Within, `triton.language` computes with a builder; yields what makes a kernel's Python function."""
    patches, semantic, made = Patches(), TritonSemantic(builder), {}

    def function_of(function: Any) -> Callable[..., Any]:
        if function not in made:
            made[function] = python_function(function, lambda value: semantic.to_tensor(value, check_type=False))
        return made[function]

    def call(helper: Any, *args: Any, **named: Any) -> Any:
        return function_of(helper.fn)(*args, **named)

    def bind(helper: Any, instance: Any, _owner: Any) -> Any:  # x.sum(0): the compiler binds it, Python does not
        return functools.partial(helper, instance) if isinstance(instance, tl.tensor) else helper

    try:
        _patch_interpreter(patches, builder, semantic)
        patches.set_attr(Tile, "meter", TileMeter())
        patches.set_attr(interpreter.InterpretedFunction, "__call__", call)
        patches.set_attr(JITFunction, "__call__", call)
        patches.set_attr(JITFunction, "__get__", bind)
        yield function_of
    finally:
        patches.restore()


def _patch_interpreter(patches: Patches, builder: Builder, semantic: TritonSemantic) -> None:
    """Have Triton's interpreter use our builder and our values, and patch `triton.language` once for all helpers."""
    patches.set_attr(interpreter, "_LangPatchScope", lambda: patches)
    patches.set_attr(interpreter, "TensorHandle", Tile)
    patches.set_attr(interpreter, "interpreter_builder", builder)
    patches.set_attr(interpreter, "interpreter_semantic", semantic)
    interpreter._patch_lang(SimpleNamespace(__globals__={"tl": tl, "core": tl.core}))
    patches.set_attr(tl.tensor, "__index__", lambda self: int(self.handle.data.reshape(())))
    patches.set_attr(tl.tensor, "__bool__", _truth)
    for name in CONSTEXPR_OPERATIONS:
        patches.set_attr(tl.constexpr, name, _meeting_tensors(name))
    patches.set_attr(interpreter.ReduceScanOpInterface, "apply", _apply_reduction(builder))
    for name in ("TensorDescHandle", "BlockPointerHandle"):
        if hasattr(interpreter, name):  # block pointers are gone in Triton 3.9
            _keep_tensor_of(patches, getattr(interpreter, name))


def _meeting_tensors(name: str) -> Callable[..., Any]:
    """An operation of a constexpr: with a tensor it gives a tensor, as in the compiler, and not a constexpr of one."""
    original = getattr(tl.constexpr, name)

    def apply(self: tl.constexpr, other: Any) -> Any:
        return getattr(operator, name)(self.value, other) if isinstance(other, tl.tensor) else original(self, other)

    return apply


def _truth(tensor: tl.tensor) -> bool:
    """Whether a scalar holds. For a tile Triton's answer is always yes, so that a kernel's `and` drops its left side.

    Triton's own code asks `if other:` and means "is there one", so there it stays.
    """
    if tensor.handle.data.size == 1:
        return bool(tensor.handle.data)
    if is_kernel_code(sys._getframe(1)):
        raise TypeError("a tile is neither true nor false: write & (and), | (or), ~ (not), tl.where (if)")
    return True


def _apply_reduction(builder: Builder) -> Callable[..., Any]:
    """Reductions and scans: bfloat16 in float32, rounded once at the end; counted."""
    original = interpreter.ReduceScanOpInterface.apply

    def apply(self: Any, inputs: Any) -> Any:
        if not isinstance(inputs, tuple):
            return apply(self, (inputs,))[0]
        builder.count_reduction(inputs[0].handle)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a row of NaN only
            results = original(self, tuple(map(_in_float32, inputs)))
        return tuple(_as_before(result, given) for result, given in zip(results, inputs, strict=False))

    return apply


def _in_float32(tensor: tl.tensor) -> tl.tensor:
    if not isinstance(tensor, tl.core.tensor) or not is_bf16(tensor.handle):
        return tensor
    return tl.core.tensor(Tile(widen(tensor.handle.data), tl.float32), _with_element(tensor.type, tl.float32))


def _as_before(result: tl.tensor, given: tl.tensor) -> tl.tensor:
    if not is_bf16(given.handle) or result.dtype != tl.float32:
        return result
    return tl.core.tensor(Tile(round_bf16(result.handle.data), tl.bfloat16), _with_element(result.type, tl.bfloat16))


def _with_element(kind: tl.dtype, element: tl.dtype) -> tl.dtype:
    return tl.block_type(element, list(kind.shape)) if kind.is_block() else element


def _keep_tensor_of(patches: Patches, handle: type) -> None:
    original = handle.materialize_pointers

    def materialize_pointers(self: Any, where: Any) -> tuple[Tile, Any]:
        pointers, mask = original(self, where)
        return pointing(pointers, getattr(self.base, "origin", None)), mask

    patches.set_attr(handle, "materialize_pointers", materialize_pointers)
