"""Say how a result differs from the expected one, in the order a person would look.

Missing, wrong type, wrong shape, wrong dtype, NaN or infinity, wrong values. Both sides are plain data (see
`course.checks.wire`); nothing here runs code of the object compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course.checks.wire import Opaque, TorchArray


@dataclass(frozen=True)
class Tolerance:
    """Values agree if |got - expected| <= atol + rtol * |expected|. `why` says where the slack comes from."""

    rtol: float
    atol: float
    why: str


def close(rtol: float = 1e-5, atol: float = 1e-6, *, why: str) -> Tolerance:
    """A tolerance with its reason."""
    return Tolerance(rtol, atol, why)


exact = Tolerance(0.0, 0.0, "the result is exact")


@dataclass(frozen=True)
class Difference:
    """What is wrong with a result.

    `public` never tells an expected value, so it may be shown about hidden cases; `detail` adds the numbers.
    """

    kind: str  # missing, raised, type, shape, dtype, nan, values, changed
    public: str
    detail: str = ""


def difference(expected: Any, got: Any, tolerance: Tolerance, what: str = "The result") -> Difference | None:
    """Return how `got` differs from `expected`, or None if it is as good."""
    if isinstance(expected, np.ndarray | TorchArray):
        return _array_difference(expected, got, tolerance, what)
    if isinstance(expected, float | np.floating):
        return _number_difference(expected, got, tolerance, what)
    if isinstance(expected, list | tuple):
        return _sequence_difference(expected, got, tolerance, what)
    if isinstance(expected, dict):
        return _dict_difference(expected, got, tolerance, what)
    return _scalar_difference(expected, got, what)


def type_name(value: Any) -> str:
    """The type of plain data in words that a student uses."""
    if isinstance(value, Opaque):
        return value.type_name
    if isinstance(value, TorchArray):
        return "a torch.Tensor"
    if isinstance(value, np.ndarray):
        return "a NumPy array"
    return {"NoneType": "None", "int": "an int"}.get(type(value).__name__, f"a {type(value).__name__}")


def _wrong_type(what: str, expected: Any, got: Any) -> Difference:
    text = f"{what} should be {type_name(expected)}, but it is {type_name(got)}."
    if got is None:
        text += " Does the function end without `return`?"
    return Difference("type", text)


def _array_difference(expected: Any, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    if type(got) is not type(expected) and not (expected_is_0d(expected) and isinstance(got, np.generic)):
        return _wrong_type(what, expected, got)
    want = expected.array if isinstance(expected, TorchArray) else expected
    have = got.array if isinstance(got, TorchArray) else np.asarray(got)
    if want.shape != have.shape:
        return Difference("shape", f"{what} should have shape {want.shape}, but it has shape {have.shape}.")
    if _family(want.dtype) != _family(have.dtype):
        return Difference("dtype", f"{what} should hold {_family(want.dtype)}, but it holds {have.dtype.name}.")
    return _values_difference(want, have, tolerance, what)


def expected_is_0d(expected: Any) -> bool:
    """A 0-d array and a NumPy scalar are the same answer."""
    return isinstance(expected, np.ndarray) and expected.shape == ()


def _family(dtype: np.dtype) -> str:
    return {"b": "booleans", "i": "integers", "u": "integers", "f": "floats", "c": "complex numbers"}[dtype.kind]


def _values_difference(want: np.ndarray, have: np.ndarray, tolerance: Tolerance, what: str) -> Difference | None:
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    want, have = want.astype(wide), have.astype(wide)
    strange = ~np.isfinite(have) & ~((have == want) | (np.isnan(have) & np.isnan(want)))
    if strange.any():
        place = _first(strange)
        text = f"{what} has {_count(strange)} that {_are(strange)} NaN or infinite; the first is {_at(place)}."
        return Difference("nan", text, f"Expected {_number(want[place])} there, got {_number(have[place])}.")
    with np.errstate(invalid="ignore"):
        off = ~((have == want) | (np.abs(have - want) <= tolerance.atol + tolerance.rtol * np.abs(want)))
    off &= ~(np.isnan(have) & np.isnan(want))
    if not off.any():
        return None
    place = _first(off)
    text = f"{what} has {_count(off)} with the wrong value; the first is {_at(place)}."
    return Difference("values", text, f"Expected {_number(want[place])} there, got {_number(have[place])}.")


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0]) if where.ndim else ()


def _at(place: tuple[int, ...]) -> str:
    return f"at [{', '.join(map(str, place))}]" if place else "the number itself"


def _count(where: np.ndarray) -> str:
    return f"{int(where.sum())} of {where.size} entries" if where.size > 1 else "1 entry"


def _are(where: np.ndarray) -> str:
    return "is" if where.sum() == 1 else "are"


def _number(value: Any) -> str:
    if np.iscomplexobj(value):
        return f"{value:.6g}"
    number = float(value)
    return f"{number:.6g}" if number == number else "NaN"


def _number_difference(expected: Any, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    if isinstance(got, TorchArray):
        got = got.array
    number = isinstance(got, int | float | np.number) or (isinstance(got, np.ndarray) and got.shape == ())
    if not number or isinstance(got, bool):
        return _wrong_type(what, expected, got)
    return _values_difference(np.asarray(expected), np.asarray(got), tolerance, what)


def _sequence_difference(expected: Any, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    if not isinstance(got, list | tuple):  # a tuple for a list is as good
        return _wrong_type(what, expected, got)
    if len(got) != len(expected):
        return Difference("shape", f"{what} should have {len(expected)} items, but it has {len(got)}.")
    for i, (want, have) in enumerate(zip(expected, got, strict=True)):
        name = f"Item {i} of the result" if what == "The result" else f"{what}, item {i},"
        if found := difference(want, have, tolerance, name):
            return found
    return None


def _dict_difference(expected: dict, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    if not isinstance(got, dict):
        return _wrong_type(what, expected, got)
    if set(got) != set(expected):
        lacking, extra = sorted(set(expected) - set(got)), sorted(set(got) - set(expected))
        parts = [f"lacks {', '.join(lacking)}"] * bool(lacking) + [f"has no use for {', '.join(extra)}"] * bool(extra)
        return Difference("shape", f"{what} {' and '.join(parts)}.")
    for key, want in expected.items():
        if found := difference(want, got[key], tolerance, f"{what}, key {key!r},"):
            return found
    return None


def _scalar_difference(expected: Any, got: Any, what: str) -> Difference | None:
    kinds = {int: (int, np.integer), bool: (bool, np.bool_)}.get(type(expected), (type(expected),))
    if not isinstance(got, kinds) or (isinstance(got, bool) and type(expected) is int):
        return _wrong_type(what, expected, got)
    if got == expected:
        return None
    return Difference("values", f"{what} has the wrong value.", f"Expected {expected!r}, got {got!r}.")
