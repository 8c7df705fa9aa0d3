"""Plain data as bytes, without pickle: what crosses from a student's process, and what golden data are stored as.

A value is taken apart into a tree of JSON and a list of arrays. Known types: None, bool, int, float, str, list,
tuple, dict with string keys, `numpy.ndarray`, NumPy scalars, `torch.Tensor`. Anything else becomes `Opaque`, which
keeps the type's name and nothing more, so that no object of a student's making ever reaches the other side.
"""

from __future__ import annotations

import functools
import json
import math
import struct
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_BYTES = 256 << 20
MAX_NODES = 200_000
MAX_DEPTH = 32
MAX_HEADER = 16 << 20
MAX_INT_BITS = 8192  # Python itself refuses to read or write integers of more than 4300 digits
# A frame comes from code we do not trust: only these dtypes are ever built from it.
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
DTYPES = ("bool", *INTEGERS, "float16", "float32", "float64", "complex64", "complex128")
TORCH_DTYPES = (*DTYPES, "bfloat16")


TOO_MANY_ITEMS = f"a structure of more than {MAX_NODES:,} items, or nested too deeply"
TOO_MANY_BYTES = f"a value of more than {MAX_BYTES >> 20} MiB"


class WireError(ValueError):
    """A value that cannot be sent, or bytes that are not a frame."""


@dataclass(frozen=True)
class Opaque:
    """Stands for a value of a type that does not cross; `type_name` says which."""

    type_name: str


@dataclass(frozen=True)
class TorchArray:
    """A `torch.Tensor` as seen on the far side: the numbers, and the dtype by name."""

    array: np.ndarray
    dtype: str


def take_apart(value: Any) -> tuple[Any, list[np.ndarray]]:
    """Return (JSON tree, arrays); the tree refers to arrays by their index. Raises WireError for too large a value."""
    parts = _Parts()
    return _to_tree(value, parts, 0), parts.arrays


def put_together(tree: Any, arrays: list[np.ndarray]) -> Any:
    """The inverse of `take_apart`; tensors come back as `TorchArray`. Raises WireError on a malformed tree."""
    return _from_tree(tree, _Reading(arrays), 0)


def encode(value: Any) -> bytes:
    """Return the frame of a value: header length, JSON header, then the arrays' raw bytes."""
    tree, arrays = take_apart(value)
    specs = [{"dtype": _dtype_name(a.dtype), "shape": list(a.shape)} for a in arrays]
    header = json.dumps({"tree": tree, "arrays": specs}, allow_nan=False).encode()
    if len(header) > MAX_HEADER or 4 + len(header) + sum(a.nbytes for a in arrays) > MAX_BYTES:
        raise WireError(TOO_MANY_BYTES)
    return struct.pack("<I", len(header)) + header + b"".join(a.tobytes() for a in arrays)


def decode(frame: bytes) -> Any:
    """The inverse of `encode`, for bytes that may be hostile. Raises WireError, never anything else."""
    if not 4 <= len(frame) <= MAX_BYTES:
        raise WireError("a frame of an impossible size")
    size = struct.unpack_from("<I", frame)[0]
    if size > min(MAX_HEADER, len(frame) - 4):
        raise WireError("a frame whose header has an impossible size")
    try:
        header = json.loads(frame[4 : 4 + size].decode())
        tree, specs = header["tree"], header["arrays"]
        return put_together(tree, _read_arrays(specs, frame[4 + size :]))
    except WireError:
        raise
    except Exception as error:  # whatever a hostile header makes fail, it fails as a malformed frame
        raise WireError(f"malformed frame: {type(error).__name__}") from None


@functools.lru_cache(maxsize=64)
def _dtype_name(dtype: np.dtype) -> str:
    """NumPy works a dtype's name out anew each time, and that took a tenth of all encoding."""
    return dtype.name


class _Budget:
    """Counts nodes, so that a small frame or object cannot unfold into a huge value."""

    def __init__(self) -> None:
        self.left = MAX_NODES

    def spend(self, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH + 1:
            raise WireError(TOO_MANY_ITEMS)


class _Parts(_Budget):
    """The arrays of a value that is being taken apart."""

    def __init__(self) -> None:
        super().__init__()
        self.arrays: list[np.ndarray] = []
        self.bytes = 0

    def reserve(self, size: int) -> None:
        """Count bytes before they are copied: a broadcast view of a few bytes may stand for terabytes."""
        self.bytes += size
        if self.bytes > MAX_BYTES:
            raise WireError(TOO_MANY_BYTES)

    def keep(self, tag: str, array: np.ndarray) -> dict[str, Any]:
        self.reserve(array.nbytes)
        self.arrays.append(array.astype(array.dtype.newbyteorder("="), copy=False))
        return {"t": tag, "i": len(self.arrays) - 1}


def _to_tree(value: Any, parts: _Parts, depth: int) -> Any:
    parts.spend(depth)
    if depth > MAX_DEPTH:
        return {"t": "opaque", "name": "a structure nested too deeply"}
    kind = type(value)
    if value is None or kind in (bool, str):
        return value
    if kind is int:
        return _int_to_tree(value)
    if kind is float:
        return value if math.isfinite(value) else {"t": "float", "v": str(value)}
    if kind in (list, tuple) or kind is _torch_size():
        return {"t": "list" if kind is list else "tuple", "v": [_to_tree(v, parts, depth + 1) for v in value]}
    if kind is dict and all(type(k) is str for k in value):
        return {"t": "dict", "v": [[k, _to_tree(v, parts, depth + 1)] for k, v in value.items()]}
    return _array_to_tree(value, parts)


def _torch_size() -> type | None:
    """A tensor's shape, which is a tuple; None as long as nobody imported torch."""
    return getattr(sys.modules.get("torch"), "Size", None)


def _int_to_tree(value: int) -> Any:
    if value.bit_length() <= 63:
        return value
    if value.bit_length() <= MAX_INT_BITS:
        return {"t": "int", "v": str(value)}
    return {"t": "opaque", "name": f"an int of {value.bit_length()} bits"}


def _array_to_tree(value: Any, parts: _Parts) -> Any:
    kind = type(value)
    if kind is np.ndarray and _dtype_name(value.dtype) in DTYPES:
        return parts.keep("ndarray", value)
    if isinstance(value, np.generic) and _dtype_name(value.dtype) in DTYPES:
        return parts.keep("scalar", np.asarray(value))
    if kind is TorchArray:
        return {**parts.keep("tensor", value.array), "dtype": value.dtype}
    torch = sys.modules.get("torch")  # a NumPy lesson never pays for importing torch
    if torch is not None and kind in (torch.Tensor, torch.nn.Parameter):
        return _tensor_to_tree(value, parts)
    name = str(value.type_name) if kind is Opaque else name_of(kind)
    return {"t": "opaque", "name": name[:100]}


def _tensor_to_tree(value: Any, parts: _Parts) -> Any:
    dtype = str(value.dtype).removeprefix("torch.")
    if value.numel() * value.element_size() > MAX_BYTES and not value.is_sparse:
        raise WireError(TOO_MANY_BYTES)
    try:
        plain = value.detach().cpu().resolve_conj().resolve_neg()
        array = (plain.float() if dtype == "bfloat16" else plain).numpy()
    except (RuntimeError, TypeError):  # sparse, quantised or without storage, as on the meta device
        return {"t": "opaque", "name": f"a torch.Tensor of layout {value.layout} on {value.device}"[:100]}
    if _dtype_name(array.dtype) not in DTYPES:
        return {"t": "opaque", "name": f"a torch.Tensor of {dtype}"}
    return {**parts.keep("tensor", array), "dtype": dtype}


def name_of(kind: type) -> str:
    """The name of a class, whatever its metaclass says."""
    return str(type.__dict__["__name__"].__get__(kind))


class _Reading(_Budget):
    """What is left of a frame that is being put together: each array is used once, as `encode` does it."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        super().__init__()
        self.arrays = dict(enumerate(arrays))

    def take(self, index: Any) -> np.ndarray:
        if type(index) is not int or index not in self.arrays:
            raise WireError("a frame refers to an array that it does not hold, or twice to the same one")
        return self.arrays.pop(index)


def _from_tree(tree: Any, reading: _Reading, depth: int) -> Any:
    reading.spend(depth)
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    tag = tree["t"]
    if tag in ("list", "tuple"):
        items = [_from_tree(v, reading, depth + 1) for v in tree["v"]]
        return items if tag == "list" else tuple(items)
    if tag == "dict":
        return {str(k): _from_tree(v, reading, depth + 1) for k, v in tree["v"]}
    if tag == "int":
        return int(tree["v"][:4000])
    if tag == "float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[tree["v"]]
    if tag == "opaque":
        return Opaque(str(tree["name"])[:100])
    return _array_from_tree(tag, tree, reading)


def _array_from_tree(tag: str, tree: dict[str, Any], reading: _Reading) -> Any:
    array = reading.take(tree["i"])
    if tag == "ndarray":
        return array
    if tag == "scalar" and array.shape == ():
        return array[()]
    if tag == "tensor" and tree["dtype"] in TORCH_DTYPES:
        return TorchArray(array, tree["dtype"])
    raise WireError("a frame holds a value of unknown kind")


def _read_arrays(specs: Any, data: bytes) -> list[np.ndarray]:
    if type(specs) is not list or len(specs) > MAX_NODES:
        raise WireError("a frame holds too many arrays")
    arrays, at = [], 0
    for spec in specs:
        shape = spec["shape"]
        if type(shape) is not list or len(shape) > 16 or any(type(n) is not int or n < 0 for n in shape):
            raise WireError("a frame holds an array of impossible shape")
        if spec["dtype"] not in DTYPES:
            raise WireError("a frame holds an array of unknown kind")
        arrays.append(_read_array(np.dtype(spec["dtype"]), shape, data, at))
        at += arrays[-1].nbytes
    if at != len(data):
        raise WireError("a frame has bytes left over")
    return arrays


def _read_array(dtype: np.dtype, shape: list[int], data: bytes, at: int) -> np.ndarray:
    count = math.prod(shape)
    if count * dtype.itemsize > len(data) - at:
        raise WireError("a frame is cut short")
    if count == 0:
        return np.empty(shape, dtype)
    if dtype.kind == "b":  # a byte of 2 would be a bool that is neither True nor False
        return (np.frombuffer(data, np.uint8, count, at) != 0).reshape(shape)
    return np.frombuffer(data, dtype, count, at).reshape(shape).copy()
