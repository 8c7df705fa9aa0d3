"""The arguments of a launch: from what Python passes to what a program sees."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import triton.language as tl
from triton._utils import canonicalize_dtype
from triton.backends.nvidia.compiler import CUDAOptions
from triton.tools.tensor_descriptor import TensorDescriptor

from kernels.simulator.memory import Region
from kernels.simulator.tiles import Tile
from kernels.simulator.versions import interpreter

OPTIONS = {field.name for field in dataclasses.fields(CUDAOptions)} | {"grid", "warmup", "debug"}
INTEGERS = (tl.int32, tl.uint32, tl.int64, tl.uint64)  # the first that a number fits into


def bind(function: Callable, args: tuple, named: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name. Raises TypeError for missing and unknown ones."""
    signature = inspect.signature(function)
    unknown = named.keys() - signature.parameters.keys() - OPTIONS
    if unknown:
        names = ", ".join(sorted(unknown))
        raise TypeError(f"{names}: neither a parameter of {function.__name__} nor an option of a launch")
    bound = signature.bind(*args, **{name: value for name, value in named.items() if name in signature.parameters})
    bound.apply_defaults()
    return {name: value.value if isinstance(value, tl.constexpr) else value for name, value in bound.arguments.items()}


def values_of(function: Callable, arguments: dict[str, Any], regions: dict[str, Region]) -> dict[str, Any]:
    """The arguments as a program sees them: numbers as scalars, tensors as pointers; a constexpr stays what it is."""
    values = {}
    for name, parameter in inspect.signature(function).parameters.items():
        value = arguments[name]
        values[name] = value if _is_constexpr(parameter.annotation) else _value(value, name, regions)
    return values


def _is_constexpr(annotation: Any) -> bool:
    """Whether a parameter is annotated as tl.constexpr, as a class or as text."""
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == "constexpr"
    return inspect.isclass(annotation) and issubclass(annotation, tl.constexpr)


def _value(value: Any, name: str, regions: dict[str, Region]) -> Any:
    if isinstance(value, bool | int | float):
        return _scalar(value)
    if isinstance(value, tuple):
        items = [_value(item, f"{name}[{i}]", regions) for i, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, TensorDescriptor):
        return _descriptor(value, name, regions)
    return _pointer(value, regions.get(name)) if hasattr(value, "data_ptr") else value


def _scalar(value: bool | int | float) -> tl.tensor:
    if isinstance(value, bool | float):
        dtype = tl.int1 if isinstance(value, bool) else tl.float32
        return tl.tensor(Tile(np.array([value], interpreter._get_np_dtype(dtype)), dtype), dtype)
    for dtype in INTEGERS:
        stored = interpreter._get_np_dtype(dtype)
        if np.iinfo(stored).min <= value <= np.iinfo(stored).max:
            return tl.tensor(Tile(np.array([value], stored), dtype), dtype)
    raise ValueError(f"{value} does not fit into 64 bits")


def _pointer(tensor: Any, region: Region | None) -> tl.tensor:
    kind = tl.pointer_type(tl.str_to_ty(canonicalize_dtype(tensor.dtype), None))
    tile = Tile(np.array([tensor.data_ptr()], np.uint64), kind)
    tile.origin = region
    return tl.tensor(tile, kind)


def _descriptor(value: TensorDescriptor, name: str, regions: dict[str, Region]) -> Any:
    made = interpreter.interpreter_semantic.make_tensor_descriptor(
        base=_pointer(value.base, regions.get(name)),
        shape=[_scalar(size) for size in value.shape],
        strides=[*map(_scalar, value.strides[:-1]), tl.constexpr(1)],
        block_shape=[tl.constexpr(size) for size in value.block_shape],
        padding_option=value.padding,
    )
    made.handle.round_f32_to_tf32 = getattr(value, "round_f32_to_tf32", False)
    return made
