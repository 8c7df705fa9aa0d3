"""What crosses the wire comes back the same; what must not cross becomes Opaque; hostile bytes are only refused."""

from __future__ import annotations

import contextlib
import json
import math
import struct
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from course.checks import wire
from course.checks.runner import plain, revive
from course.checks.wire import DTYPES, Opaque, TorchArray, WireError, decode, encode

quick = settings(max_examples=60, deadline=None)

numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.integers(-(1 << 4000), 1 << 4000)
arrays = st.sampled_from(DTYPES).flatmap(
    lambda name: npst.arrays(name, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
values = st.recursive(
    numbers | st.text() | arrays | arrays.map(lambda a: a.ravel()[:1].sum()),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal in type and content; NaN equals NaN, and dtypes and shapes count."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, TorchArray):
        return a.dtype == b.dtype and same(a.array, b.array)
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@quick
@given(values)
def test_plain_data_come_back_as_they_went(value):
    assert same(decode(encode(value)), value)
    assert same(plain(value), value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_memory_layout_comes_back_in_the_order_that_one_sees(dtype):
    base = np.arange(24).reshape(4, 6).astype(dtype)
    for view in (base[::2, ::-3], base.T, np.asfortranarray(base), base[:, :0], np.broadcast_to(base[0], (3, 6))):
        assert same(decode(encode(view)), view.copy(order="C"))


def test_foreign_byte_order_keeps_its_numbers():
    for value in (np.array([1.0, 2.5], ">f8"), np.array(7, ">i4"), np.array([1 + 2j], ">c8")):
        for back in (decode(encode(value)), plain(value)):
            assert back.dtype.isnative
            np.testing.assert_array_equal(back, value)


@pytest.mark.parametrize("value", [-0.0, 1e-320, 1 << 62, 1 << 63, -(1 << 63), (1 << 63) - 1, "\ud800", "\0", ""])
def test_edges_of_numbers_and_text(value):
    back = decode(encode(value))
    assert type(back) is type(value)
    assert back == value
    assert math.copysign(1, back) == math.copysign(1, value) if isinstance(value, float) else True


TORCH_VALUES = [
    torch.tensor(1.5),
    torch.arange(6).reshape(2, 3).T,
    torch.zeros(0, 3),
    torch.tensor([True, False]),
    torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
    torch.tensor([1.0, math.nan, math.inf], dtype=torch.float16),
    torch.tensor([1.0], requires_grad=True),
    torch.nn.Parameter(torch.ones(2, 2)),
    torch.tensor([1 + 2j]).conj(),
    torch.tensor([1 + 2j]).conj().imag,
    torch.ones(1).expand(5),
    torch.ones(3, requires_grad=True) * 2,
]


@pytest.mark.parametrize("tensor", TORCH_VALUES)
def test_tensors_arrive_as_numbers_and_revive_as_tensors(tensor):
    far = decode(encode(tensor))
    assert type(far) is TorchArray
    assert far.dtype == str(tensor.dtype).removeprefix("torch.")
    near = revive(far)
    assert type(near) is torch.Tensor
    assert near.dtype == tensor.dtype
    assert not near.requires_grad
    torch.testing.assert_close(near, tensor.detach(), rtol=0, atol=0, equal_nan=True)
    assert same(decode(encode(far)), far)


class Text(str):
    """A str subclass."""


class Array(np.ndarray):
    """An ndarray subclass."""


class Named(type):
    """A metaclass that lies about its classes' names."""

    @property
    def __name__(cls):
        raise RuntimeError("no name for you")


class Nameless(metaclass=Named):
    """An instance of it must still cross, as a name."""


OPAQUE = {
    "Array": np.zeros(2).view(Array),
    "MaskedArray": np.ma.masked_array([1, 2]),
    "object": object(),
    "function": lambda: 0,
    "builtin_function_or_method": len,
    "type": int,
    "set": {1},
    "frozenset": frozenset(),
    "bytes": b"abc",
    "complex": 1j,
    "Text": Text("a"),
    "ellipsis": ...,
    "generator": (i for i in ()),
    "range": range(3),
    "module": np,
    "Nameless": Nameless(),
    "dict": {1: 2},
    "str_": np.str_("a"),
    "datetime64": np.datetime64("2020-01-01"),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_everything_else_becomes_its_types_name(name):
    assert decode(encode(OPAQUE[name])) == Opaque(name)
    assert decode(encode([OPAQUE[name]])) == [Opaque(name)]


@pytest.mark.parametrize(
    "array",
    [np.array([object()]), np.array(["a"]), np.array(["2020"], "M8[s]"), np.zeros(2, "i4,f4"), np.zeros(1, "g")],
)
def test_arrays_of_other_dtypes_are_opaque(array):
    assert decode(encode(array)) == Opaque("ndarray")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(2).to_sparse(),
        torch.empty(2, device="meta"),
        torch.zeros(2, dtype=torch.float8_e4m3fn),
    ],
    ids=["sparse", "meta", "float8"],
)
def test_tensors_without_plain_numbers_are_opaque(tensor):
    back = decode(encode(tensor))
    assert isinstance(back, Opaque)
    assert back.type_name.startswith("a torch.Tensor of ")


def test_a_tensors_shape_is_a_tuple():
    assert plain({"shape": torch.zeros(2, 3).shape, "none": torch.tensor(1).shape}) == {"shape": (2, 3), "none": ()}


def test_huge_integers_are_opaque_and_not_cut():
    assert decode(encode(1 << 8000)) == 1 << 8000
    assert decode(encode(1 << 100_000)) == Opaque("an int of 100001 bits")


def test_deep_structures_end_in_opaque():
    deep: list = []
    for _ in range(100):
        deep = [deep]
    own: list = []
    own.append(own)
    for value in (deep, own):
        back, levels = decode(encode(value)), 0
        while isinstance(back, list):
            back, levels = back[0], levels + 1
        assert back == Opaque("a structure nested too deeply")
        assert levels == wire.MAX_DEPTH + 1


def doubled(levels: int) -> list:
    """A list of 2**levels leaves that takes no memory to speak of."""
    value: list = []
    for _ in range(levels):
        value = [value, value]
    return value


TOO_LARGE = {
    "a billion leaves": doubled(30),
    "broadcast": np.broadcast_to(np.float64(0), (1 << 20, 1 << 20)),
    "expanded": torch.zeros(1).expand(1 << 20, 1 << 20),
    "bfloat16": torch.zeros(1, dtype=torch.bfloat16).expand(1 << 20, 1 << 20),
    "many arrays": [np.zeros(1 << 16)] * 1000,
    "long text": "x" * (wire.MAX_HEADER + 1),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_before_it_is_copied(name, monkeypatch):
    monkeypatch.setattr(wire, "MAX_NODES", 20_000)  # the same limit, only sooner
    start = time.process_time()
    with pytest.raises(WireError, match="more than"):
        encode(TOO_LARGE[name])
    assert time.process_time() - start < 10


def test_what_is_too_large_is_opaque_to_the_runner():
    assert plain(TOO_LARGE["broadcast"]) == Opaque("a value of more than 256 MiB")


def frame(tree: Any, specs: Any = (), data: bytes = b"") -> bytes:
    """A frame with any header."""
    header = json.dumps({"tree": tree, "arrays": specs}).encode()
    return struct.pack("<I", len(header)) + header + data


def spec(dtype: Any = "uint8", shape: Any = (1,)) -> dict:
    """An array's line in the header."""
    return {"dtype": dtype, "shape": shape}


FIRST = {"t": "ndarray", "i": 0}
HOSTILE = {
    "empty": b"",
    "short": b"\1\0",
    "header longer than the frame": struct.pack("<I", 1 << 31) + b"{}",
    "header of 4 GiB": struct.pack("<I", (1 << 32) - 1),
    "invalid utf-8": struct.pack("<I", 4) + b"\xff\xfe\xfd\xfc",
    "no json": struct.pack("<I", 2) + b"{,",
    "no dict": struct.pack("<I", 2) + b"[]",
    "deep json": struct.pack("<I", 200_000) + b"[" * 200_000,
    "long integer": struct.pack("<I", 6000) + b"9" * 6000,
    "arrays missing": struct.pack("<I", 11) + b'{"tree": 1}',
    "arrays no list": frame(1, "abc"),
    "spec no dict": frame(1, [3]),
    "negative index": frame({"t": "ndarray", "i": -1}, [spec()], b"a"),
    "index too large": frame({"t": "ndarray", "i": 1}, [spec()], b"a"),
    "index a float": frame({"t": "ndarray", "i": 0.0}, [spec()], b"a"),
    "index true": frame({"t": "ndarray", "i": True}, [spec(), spec()], b"ab"),
    "array used twice": frame({"t": "list", "v": [FIRST, FIRST]}, [spec()], b"a"),
    "negative shape": frame(FIRST, [spec(shape=[-1])], b""),
    "shape of floats": frame(FIRST, [spec(shape=[1.0])], b"a"),
    "shape a string": frame(FIRST, [spec(shape="")], b"a"),
    "shape a dict": frame(FIRST, [spec(shape={})], b"a"),
    "shape null": frame(FIRST, [spec(shape=None)], b"a"),
    "64 axes": frame(FIRST, [spec(shape=[1] * 64)], b"a"),
    "huge shape": frame(FIRST, [spec("float64", [1 << 40])], b"a"),
    "overflowing product": frame(FIRST, [spec("float64", [1 << 32, 1 << 32])], b""),
    "huge shape without entries": frame(FIRST, [spec(shape=[0, 1 << 62, 1 << 62])], b""),
    "shape beyond int64": frame(FIRST, [spec(shape=[0, 10**30])], b""),
    "cut short": frame(FIRST, [spec("float64", [2])], b"1234567"),
    "bytes left over": frame(FIRST, [spec()], b"ab"),
    "object dtype": frame(FIRST, [spec("object", [1])], b"12345678"),
    "dtype a list": frame(FIRST, [spec(["uint8"], [1])], b"a"),
    "structured dtype": frame(FIRST, [spec("i4,f4", [1])], b"12345678"),
    "scalar with a shape": frame({"t": "scalar", "i": 0}, [spec()], b"a"),
    "tensor of unknown dtype": frame({"t": "tensor", "i": 0, "dtype": "nn"}, [spec()], b"a"),
    "tensor dtype a list": frame({"t": "tensor", "i": 0, "dtype": []}, [spec()], b"a"),
    "unknown tag": frame({"t": "exec", "v": "1"}),
    "tag a list": frame({"t": ["list"], "v": []}),
    "no tag": frame({"v": []}),
    "tree a list": frame([1, 2]),
    "list of nothing": frame({"t": "list", "v": 7}),
    "dict of one": frame({"t": "dict", "v": [["k"]]}),
    "int of letters": frame({"t": "int", "v": "0x10"}),
    "int a number": frame({"t": "int", "v": 7}),
    "float a word": frame({"t": "float", "v": "nothing"}),
    "too many nodes": frame({"t": "list", "v": [0] * (wire.MAX_NODES + 1)}),
    "too many arrays": frame(1, [0] * (wire.MAX_NODES + 1)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_frames_are_refused(name):
    with pytest.raises(WireError):
        decode(HOSTILE[name])


def test_nested_frames_are_refused_at_the_limit():
    tree: Any = 0
    for _ in range(wire.MAX_DEPTH + 1):
        tree = {"t": "list", "v": [tree]}
    decode(frame(tree))
    with pytest.raises(WireError, match="deeply"):
        decode(frame({"t": "list", "v": [tree]}))


def test_long_names_are_cut():
    assert decode(frame({"t": "opaque", "name": "x" * 10_000})) == Opaque("x" * 100)


def test_bytes_other_than_0_and_1_make_ordinary_bools():
    back = decode(frame(FIRST, [spec("bool", [3])], b"\0\2\xff"))
    assert back.view(np.uint8).tolist() == [0, 1, 1]


@quick
@given(st.binary(max_size=300))
def test_random_bytes_give_wire_error_and_nothing_else(data):
    for bytes_ in (data, struct.pack("<I", max(0, len(data) - 4)) + data):
        with pytest.raises(WireError):
            decode(bytes_)


json_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("tvin"), inner),
    max_leaves=10,
)
tags = st.sampled_from(["list", "tuple", "dict", "int", "float", "opaque", "ndarray", "scalar", "tensor"])
nodes = st.builds(lambda t, v, i: {"t": t, "v": v, "i": i, "name": v, "dtype": v}, tags, json_trees, json_trees)
shapes = json_trees | st.lists(st.integers())
specs = st.lists(st.builds(spec, st.sampled_from(DTYPES) | json_trees, shapes), max_size=3)


def only_wire_error(data: bytes) -> None:
    """Decode; a WireError is fine, any other exception fails the test."""
    with contextlib.suppress(WireError):
        decode(data)


@quick
@given(json_trees | nodes, specs, st.binary(max_size=16))
def test_random_headers_never_raise_anything_else(tree, arrays, data):
    only_wire_error(frame(tree, arrays, data))


@quick
@given(values, st.data())
def test_mutated_frames_never_raise_anything_else(value, data):
    good = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    for bad in (bytes(good), bytes(good[:cut]), bytes(good) + b"\0"):
        only_wire_error(bad)


def test_a_small_frame_takes_little_memory_and_time():
    bombs = [HOSTILE[n] for n in ("deep json", "huge shape", "overflowing product", "huge shape without entries")]
    bombs.append(frame(1, [spec("float64", [1 << 24])] * 1000))
    tracemalloc.start()
    start = time.perf_counter()
    for bomb in bombs:
        only_wire_error(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - start < 1
    assert peak < 64 << 20


def test_frames_are_deterministic():
    value = {"b": [1.5, np.ones((2, 2))], "a": ({}, None)}
    assert encode(value) == encode(value)
