"""A difference is told in the order in which a person would look, in words that a student can use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from course.checks.compare import Difference, Tolerance, close, difference, exact
from course.checks.wire import Opaque, TorchArray

loose = close(1e-5, 1e-6, why="float32 sums")


def words(expected: Any, got: Any, tolerance: Tolerance = loose) -> tuple[str, str, str]:
    """(kind, public, detail) of a difference that must be there."""
    found = difference(expected, got, tolerance)
    assert found is not None
    return found.kind, found.public, found.detail


def torch_array(*numbers: float, dtype: str = "float32") -> TorchArray:
    """A one-axis tensor as it arrives."""
    return TorchArray(np.array(numbers, dtype), dtype)


def test_the_order_of_diagnoses():
    want = np.array([[1.0, 2.0], [3.0, 4.0]])
    # Each of these has every fault of those below it.
    faults = [
        ("type", [[True, math.nan, 9.0]]),
        ("shape", np.array([[True, False, True]])),
        ("dtype", np.array([[True, True], [False, True]])),
        ("nan", np.array([[1.0, 7.0], [math.nan, 9.0]])),
        ("values", np.array([[1.0, 7.0], [3.0, 9.0]])),
    ]
    assert [words(want, got)[0] for _, got in faults] == [kind for kind, _ in faults]


def test_a_wrong_type_is_named_in_a_students_words():
    want = np.zeros(2)
    for got, said in [
        ([0.0, 0.0], "a list"),
        (torch_array(0.0, 0.0), "a torch.Tensor"),
        (0, "an int"),
        (0.0, "a float"),
        (np.int64(0), "an int64"),
        (Opaque("generator"), "a generator"),
        (Opaque("MaskedArray"), "a MaskedArray"),
        (Opaque("a value of more than 256 MiB"), "a value of more than 256 MiB"),
    ]:
        assert words(want, got)[1] == f"The result should be a NumPy array, but it is {said}."


def test_none_brings_the_hint_about_return():
    text = "The result should be a NumPy array, but it is None. Does the function end without `return`?"
    assert words(np.zeros(2), None) == ("type", text, "")
    assert "without `return`" in words((1, 2), None)[1]
    assert words(None, 3)[1] == "The result should be None, but it is an int."
    assert difference(None, None, exact) is None


def test_shape_and_dtype_in_words():
    assert words(np.zeros((2, 3)), np.zeros((3, 2)))[1] == (
        "The result should have shape (2, 3), but it has shape (3, 2)."
    )
    assert words(np.zeros(2), np.zeros(2, int))[1] == "The result should hold floats, but it holds int64."
    assert words(np.zeros(2, bool), np.zeros(2, int))[1] == "The result should hold booleans, but it holds int64."
    assert words(np.zeros(2, int), np.zeros(2, bool))[1] == "The result should hold integers, but it holds bool."
    assert words(np.zeros(2), np.zeros(2, complex))[1] == "The result should hold floats, but it holds complex128."


def test_wrong_values_give_the_count_the_first_place_and_both_numbers():
    want = np.arange(6.0).reshape(2, 3)
    got = want.copy()
    got[0, 2] = got[1, 1] = -1.5
    assert words(want, got) == (
        "values",
        "The result has 2 of 6 entries with the wrong value; the first is at [0, 2].",
        "Expected 2 there, got -1.5.",
    )


def test_nan_and_infinity_come_before_wrong_values():
    want = np.arange(4.0)
    assert words(want, np.array([9.0, 1.0, math.nan, 3.0])) == (
        "nan",
        "The result has 1 of 4 entries that is NaN or infinite; the first is at [2].",
        "Expected 2 there, got NaN.",
    )
    assert words(want, np.array([0, -math.inf, math.inf, 3]))[1:] == (
        "The result has 2 of 4 entries that are NaN or infinite; the first is at [1].",
        "Expected 1 there, got -inf.",
    )


def test_single_numbers_have_no_place():
    assert words(2.0, 3.0) == ("values", "The result has the wrong value.", "Expected 2, got 3.")
    assert words(2.0, math.nan) == ("nan", "The result is NaN or infinite.", "Expected 2, got NaN.")
    assert words(np.float32(2), np.array(3.0))[2] == "Expected 2, got 3."
    assert words(7, 8) == ("values", "The result has the wrong value.", "Expected 7, got 8.")
    assert words(True, False)[2] == "Expected True, got False."
    assert words("ab", "ba")[2] == "Expected 'ab', got 'ba'."


def test_numbers_that_look_alike_get_more_digits():
    assert words(1.0, 1.00000012, exact)[2] == "Expected 1, got 1.00000012."
    assert words(1.0, 1 + 2**-52, exact)[2] == "Expected 1, got 1.0000000000000002."
    assert words(np.array([1234567]), np.array([1234568]))[2] == "Expected 1234567 there, got 1234568."
    assert words(np.array([True]), np.array([False]))[2] == "Expected True there, got False."


def test_inside_sequences_and_dictionaries_the_place_is_named():
    pair = (np.zeros(2), np.zeros((2, 2)))
    assert words(pair, (np.zeros(2), np.ones(2)))[1] == (
        "Item 1 of the result should have shape (2, 2), but it has shape (2,)."
    )
    assert words(pair, np.zeros((2, 2)))[1] == "The result should be a tuple, but it is a NumPy array."
    assert words(pair, pair[:1])[1] == "The result should have 2 items, but it has 1."
    assert words([[1, 2]], [[1, 3]])[1] == "Item 0 of the result, item 1, has the wrong value."
    assert words({"a": 1, "b": 2}, {"b": 2, "c": 3})[1] == "The result lacks a and has no use for c."
    assert words({"a": 1}, {"a": 1, "": 2, 3: 4})[1] == "The result has no use for '', 3."
    assert words({"a": [1]}, {"a": [2]})[1] == "The result, key 'a', item 0, has the wrong value."
    assert words({"a": 1}, [1])[1] == "The result should be a dict, but it is a list."


def test_the_right_texts_in_another_order():
    found = words(["a", "b", "c"], ("a", "c", "b"))
    public = "The result has the right items in another order; the first that is out of place is item 1."
    assert found == ("values", public, "Expected 'b', got 'c'.")
    assert words([["a", "b"]], [["b", "a"]])[1].startswith("Item 0 of the result has the right items in another order")
    assert words(["a", "b"], ["b", "b"])[1] == "Item 0 of the result has the wrong value."
    assert words(["a", "b"], ["b", 1])[1] == "Item 0 of the result has the wrong value."
    assert words([1, 2], [2, 1])[1] == "Item 0 of the result has the wrong value."


ACCEPTED = {
    "float32 for float64": (np.array([0.1, 0.2]), np.array([0.1, 0.2], np.float32)),
    "float64 for float32": (np.array([0.1], np.float32), np.array([0.1])),
    "int32 for int64": (np.array([1, 2]), np.array([1, 2], np.int32)),
    "uint8 for int64": (np.array([1, 2]), np.array([1, 2], np.uint8)),
    "list for tuple": ((1, [2.0]), [1, (2.0,)]),
    "tuple for list": ([1, 2], (1, 2)),
    "int for float": (2.0, 2),
    "np.float64 for float": (0.5, np.float64(0.5)),
    "np.float32 for float": (0.1, np.float32(0.1)),
    "float for np.float64": (np.float64(0.5), 0.5),
    "np.int64 for int": (3, np.int64(3)),
    "int for np.int64": (np.int64(3), 3),
    "np.bool for bool": (True, np.bool_(True)),
    "bool for np.bool": (np.bool_(True), True),
    "0-d array for float": (0.5, np.array(0.5)),
    "float for 0-d array": (np.array(0.5), 0.5),
    "0-d array for int": (3, np.array(3)),
    "0-d array for bool": (True, np.array(True)),
    "0-d tensor for float": (0.5, TorchArray(np.array(0.5, np.float32), "float32")),
    "bfloat16 for float32": (torch_array(1.0), TorchArray(np.array([1.0], np.float32), "bfloat16")),
    "NaN where NaN is expected": (np.array([math.nan, 1.0]), np.array([math.nan, 1.0])),
    "infinity where it is expected": (np.array([math.inf, -math.inf]), np.array([math.inf, -math.inf])),
    "NaN as a number": (math.nan, math.nan),
    "empty": (np.zeros((0, 3)), np.zeros((0, 3), np.float32)),
    "empty list": ([], ()),
    "large integers": ([1 << 70], [1 << 70]),
    "within rtol": (np.array([1000.0]), np.array([1000.009])),
    "within atol": (np.array([0.0]), np.array([9e-7])),
    "text": ({"a": "b"}, {"a": "b"}),
    "-0.0 for 0.0": (0.0, -0.0),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_correct_is_correct(name):
    expected, got = ACCEPTED[name]
    assert difference(expected, got, loose) is None


REJECTED = {
    "int array for floats": ("dtype", np.array([1.0]), np.array([1])),
    "float array for ints": ("dtype", np.array([1]), np.array([1.0])),
    "0/1 for a mask": ("dtype", np.array([True]), np.array([1])),
    "a mask for 0/1": ("dtype", np.array([1.0]), np.array([True])),
    "float for int": ("type", 3, 3.0),
    "bool for int": ("type", 1, True),
    "np.bool for int": ("type", 1, np.bool_(True)),
    "bool for float": ("type", 1.0, True),
    "0-d mask for float": ("type", 1.0, np.array(True)),
    "int for bool": ("type", True, 1),
    "complex for float": ("type", 1.0, np.complex128(1 + 5j)),
    "0-d complex for float": ("type", 1.0, np.array(1 + 5j)),
    "text for number": ("type", 1.0, "1.0"),
    "torch for NumPy": ("type", np.array([1.0]), torch_array(1.0)),
    "NumPy for torch": ("type", torch_array(1.0), np.array([1.0])),
    "number for 0-d tensor": ("type", TorchArray(np.array(1.0), "float64"), 1.0),
    "list for array": ("type", np.array([1.0]), [1.0]),
    "array for list": ("type", [1.0], np.array([1.0])),
    "a scalar that would broadcast": ("type", np.ones(3), np.float64(1)),
    "a 0-d array that would broadcast": ("shape", np.ones(3), np.array(1.0)),
    "one row that would broadcast": ("shape", np.ones((3, 2)), np.ones((1, 2))),
    "a column for a vector": ("shape", np.ones(3), np.ones((3, 1))),
    "one entry for a number": ("type", 1.0, np.ones(1)),
    "other empty shape": ("shape", np.zeros((0, 3)), np.zeros((3, 0))),
    "a large finite number for infinity": ("values", np.array([-math.inf]), np.array([-1e9])),
    "a number where infinity is expected": ("values", math.inf, 5.0),
    "the other infinity": ("nan", np.array([math.inf]), np.array([-math.inf])),
    "a number where NaN is expected": ("values", np.array([math.nan]), np.array([0.0])),
    "infinity where NaN is expected": ("nan", np.array([math.nan]), np.array([math.inf])),
    "an int too large for a float": ("nan", 1.0, 10**400),
    "neighbouring large integers": ("values", np.array([1 << 60]), np.array([(1 << 60) + 1])),
    "off by one among many": ("values", np.array([200_000]), np.array([200_001])),
    "a large int off by one": ("values", 1 << 70, (1 << 70) + 1),
    "wrong float in a complex": ("values", np.complex128(1 + 5j), np.complex128(1 + 4j)),
    "overflowing difference": ("values", np.array([1e308]), np.array([-1e308])),
    "Opaque": ("type", 1, Opaque("set")),
    "other text": ("values", "a", "b"),
    "None in a list": ("type", [1.0], [None]),
    "shorter": ("shape", [1, 2], [1]),
}


@pytest.mark.parametrize("name", REJECTED)
@pytest.mark.filterwarnings("error")
def test_wrong_is_wrong(name):
    kind, expected, got = REJECTED[name]
    assert words(expected, got)[0] == kind


def test_an_integer_may_be_off_by_what_the_tolerance_says():
    rounding = close(0, 1, why="halves round either way")
    assert difference(np.array([1, 5]), np.array([2, 4]), rounding) is None
    assert difference(3, 4, rounding) is None
    assert words(np.array([1]), np.array([3]), rounding)[0] == "values"
    assert words(np.array([True]), np.array([False]), rounding)[0] == "values"


SECRET = 0.123456789
SECRETS = [
    SECRET,
    np.array([1.0, SECRET]),
    np.array([[SECRET]], np.float32),
    torch_array(1.0, SECRET),
    [1.0, SECRET],
    (np.array([SECRET]), 1),
    {"a": SECRET},
    {"a": [np.array([SECRET])]},
    np.array([SECRET + 1j]),
    1234567,
    "1234567",
    np.array([0, 1234567]),
]
ANSWERS = [
    None, 1, 2.5, math.nan, True, "x", [], [1.0, 2.0], (np.array([2.0]), 1), {"a": 1}, {"a": [np.array([2.0])]},
    np.array([1.0, 2.0]), np.array([1.0, math.nan]), np.array([[2.0]]), np.array([0, 1]), torch_array(1.0, 2.0),
    np.array([1 + 1j]), Opaque("set"),
]  # fmt: skip


@pytest.mark.parametrize("expected", SECRETS, ids=str)
def test_public_words_never_tell_an_expected_value(expected):
    for got in ANSWERS:
        found = difference(expected, got, loose)
        assert isinstance(found, Difference)
        assert "0.123" not in found.public
        assert "1234567" not in found.public


numbers = st.floats(allow_nan=True, allow_infinity=True)
same_shape = npst.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3).flatmap(
    lambda shape: st.tuples(*[npst.arrays(float, shape, elements=numbers)] * 2)
)


@settings(max_examples=60, deadline=None)
@given(same_shape)
@pytest.mark.filterwarnings("error")
def test_agrees_with_numpys_own_comparison(pair):
    expected, got = pair
    assert difference(expected, expected.copy(), exact) is None
    with np.errstate(all="ignore"):
        fine = np.isclose(got, expected, rtol=1e-5, atol=1e-6, equal_nan=True).all()
    assert (difference(expected, got, loose) is None) == fine
