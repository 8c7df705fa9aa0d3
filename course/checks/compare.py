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

    kind: str  # missing, unsolved, raised, type, shape, dtype, nan, values, needs, changed, forbidden
    public: str
    detail: str = ""


def difference(expected: Any, got: Any, tolerance: Tolerance, what: str = "The result") -> Difference | None:
    """Return how `got` differs from `expected`, or None if it is as good."""
    if isinstance(expected, np.ndarray) and expected.shape == ():
        expected = expected[()]  # a 0-d array and a number are the same answer
    if isinstance(expected, np.ndarray | TorchArray):
        return _array_difference(expected, got, tolerance, what)
    if isinstance(expected, bool | int | float | np.generic):
        return _number_difference(expected, got, tolerance, what)
    if isinstance(expected, list | tuple):
        return _sequence_difference(expected, got, tolerance, what)
    if isinstance(expected, dict):
        return _dict_difference(expected, got, tolerance, what)
    return _other_difference(expected, got, what)


def type_name(value: Any) -> str:
    """The type of plain data in words that a student uses."""
    if isinstance(value, Opaque):
        return value.type_name if " " in value.type_name else _with_article(value.type_name)
    if isinstance(value, TorchArray):
        return "a torch.Tensor"
    if isinstance(value, np.ndarray):
        return "a NumPy array"
    return "None" if value is None else _with_article(type(value).__name__)


def _with_article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _wrong_type(what: str, expected: Any, got: Any) -> Difference:
    text = f"{what} should be {type_name(expected)}, but it is {type_name(got)}."
    if got is None:
        text += " Does the function end without `return`?"
    return Difference("type", text)


def _array_difference(expected: Any, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    if type(got) is not type(expected):
        return _wrong_type(what, expected, got)
    want = expected.array if isinstance(expected, TorchArray) else expected
    have = got.array if isinstance(got, TorchArray) else got
    if want.shape != have.shape:
        return Difference("shape", f"{what} should have shape {want.shape}, but it has shape {have.shape}.")
    if _family(want.dtype) != _family(have.dtype):
        return Difference("dtype", f"{what} should hold {_family(want.dtype)}, but it holds {have.dtype.name}.")
    return _values_difference(want, have, tolerance, what)


def _family(dtype: np.dtype) -> str:
    return {"b": "booleans", "i": "integers", "u": "integers", "f": "floats", "c": "complex numbers"}[dtype.kind]


def _values_difference(want: np.ndarray, have: np.ndarray, tolerance: Tolerance, what: str) -> Difference | None:
    strange = ~np.isfinite(have) & ~_same(want, have)
    off = strange if strange.any() else ~within(want, have, tolerance)
    if not off.any():
        return None
    kind = "nan" if strange.any() else "values"
    place = _first(off)
    expected, came = _numbers(want[place], have[place])
    if not place:
        text = f"{what} {'is NaN or infinite' if kind == 'nan' else 'has the wrong value'}."
        return Difference(kind, text, f"Expected {expected}, got {came}.")
    fault = f"that {_are(off)} NaN or infinite" if kind == "nan" else "with the wrong value"
    text = f"{what} has {_count(off)} {fault}; the first is at {list(place)}."
    return Difference(kind, text, f"Expected {expected} there, got {came}.")


def _same(want: np.ndarray, have: np.ndarray) -> np.ndarray:
    return (have == want) | (np.isnan(have) & np.isnan(want))


def within(want: np.ndarray, have: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """True where `have` is as good as `want`; both of one shape."""
    if want.dtype.kind == "b" or (want.dtype.kind in "iu" and tolerance.atol < 1):
        return have == want  # a relative tolerance is for floats: 100000 is not 100001
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    want, have = want.astype(wide), have.astype(wide)
    with np.errstate(all="ignore"):
        near = np.abs(have - want) <= tolerance.atol + tolerance.rtol * np.abs(want)
    return _same(want, have) | (near & np.isfinite(want))  # every number is within inf of inf


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0]) if where.ndim else ()


def _count(where: np.ndarray) -> str:
    return f"{int(where.sum())} of {where.size} entries" if where.size > 1 else "1 entry"


def _are(where: np.ndarray) -> str:
    return "is" if where.sum() == 1 else "are"


def _numbers(want: Any, have: Any) -> tuple[str, str]:
    """Both numbers, with as many digits as it takes to tell them apart."""
    for digits in (6, 9, 17):
        texts = _number(want, digits), _number(have, digits)
        if texts[0] != texts[1]:
            break
    return texts


def _number(value: Any, digits: int) -> str:
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return str(value)[:200]
    if np.iscomplexobj(value):
        return f"{complex(value):.{digits}g}"
    return "NaN" if np.isnan(value) else f"{float(value):.{digits}g}"


def _number_difference(expected: Any, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    have = got.array if isinstance(got, TorchArray) else got
    have = have[()] if isinstance(have, np.ndarray) and have.shape == () else have
    if not isinstance(have, _accepted_for(expected)) or (isinstance(have, bool) and not _is_bool(expected)):
        return _wrong_type(what, expected, got)
    if isinstance(expected, bool | int | np.bool_ | np.integer):
        if abs(int(expected) - int(have)) <= (0 if _is_bool(expected) else tolerance.atol):
            return None
        numbers = _numbers(expected, have)
        return Difference("values", f"{what} has the wrong value.", f"Expected {numbers[0]}, got {numbers[1]}.")
    return _values_difference(np.asarray(expected), _wide(have), tolerance, what)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _accepted_for(expected: Any) -> tuple[type, ...]:
    if _is_bool(expected):
        return (bool, np.bool_)
    if isinstance(expected, int | np.integer):
        return (int, np.integer)
    if isinstance(expected, float | np.floating):
        return (int, float, np.integer, np.floating)
    return (int, float, np.number)


def _wide(number: Any) -> np.ndarray:
    """A number as an array of floats; an integer too large for a float is infinite."""
    try:
        return np.asarray(number if np.iscomplexobj(number) else float(number))
    except OverflowError:
        return np.asarray(np.inf)


def _sequence_difference(expected: Any, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    if not isinstance(got, list | tuple):  # a tuple for a list is as good
        return _wrong_type(what, expected, got)
    if len(got) != len(expected):
        return Difference("shape", f"{what} should have {len(expected)} items, but it has {len(got)}.")
    for i, (want, have) in enumerate(zip(expected, got, strict=True)):
        name = f"Item {i} of the result" if what == "The result" else f"{what.rstrip(',')}, item {i},"
        if found := difference(want, have, tolerance, name):
            return _reordered(expected, got, i, found, what) or found
    return None


def _reordered(expected: Any, got: Any, first: int, found: Difference, what: str) -> Difference | None:
    """What to say instead of `found` if these are the right texts in another order, as of a set that became a list."""
    texts = all(isinstance(item, str) for item in (*expected, *got))
    if not texts or sorted(expected) != sorted(got):
        return None
    text = f"{what} has the right items in another order; the first that is out of place is item {first}."
    return Difference(found.kind, text, found.detail)


def _keys(keys: set[Any]) -> list[str]:
    """Keys as one can read them, in order: whatever a student uses as one."""
    return sorted(key if isinstance(key, str) and key.strip() else repr(key) for key in keys)


def _dict_difference(expected: dict, got: Any, tolerance: Tolerance, what: str) -> Difference | None:
    if not isinstance(got, dict):
        return _wrong_type(what, expected, got)
    if set(got) != set(expected):
        lacking, extra = _keys(set(expected) - set(got)), _keys(set(got) - set(expected))
        parts = [f"lacks {', '.join(lacking)}"] * bool(lacking) + [f"has no use for {', '.join(extra)}"] * bool(extra)
        return Difference("shape", f"{what} {' and '.join(parts)}.")
    for key, want in expected.items():
        if found := difference(want, got[key], tolerance, f"{what.rstrip(',')}, key {key!r},"):
            return found
    return None


def _other_difference(expected: Any, got: Any, what: str) -> Difference | None:
    if type(got) is not type(expected):
        return _wrong_type(what, expected, got)
    if got == expected:
        return None
    return Difference("values", f"{what} has the wrong value.", f"Expected {_clip(expected)}, got {_clip(got)}.")


def _clip(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
