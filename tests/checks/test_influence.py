"""Which arguments a result depends on: what is changed, what is noticed, what is said."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course.checks import influence
from course.checks.compare import close
from course.checks.runner import plain, run_script
from course.checks.script import Script, call, load, method, new
from course.checks.wire import TorchArray, encode

loose = close(why="float32 sums")
NAMES = ["x", "memory", "p"]


def runs(target: Any, name: str = "f") -> influence.Run:
    """Runs scripts on an object of ours."""
    return lambda script: run_script(script, {name: target})


def tree(seed: int) -> dict[str, Any]:
    """Nested arguments, as a block's weights are."""
    rng = np.random.default_rng(seed)
    return {"norm": {"gain": rng.random(3), "bias": rng.random(3)}, "w": rng.random((3, 3))}


def script_of(seed: int = 0) -> Script:
    """A call with two arrays and nested weights."""
    rng = np.random.default_rng(seed)
    return plain([call("f", rng.random((2, 3)), rng.random((4, 3)), tree(seed))])


def test_places_are_floats_and_truth_values_in_arrays():
    arguments = [np.zeros(2), 3, 0.5, "text", None, True, np.arange(3), np.ones((2, 2), bool), [np.zeros(1), 4]]
    step = call("f", *arguments, k=1.5)
    found = influence.places(plain([step]))
    assert found == [[0, 0], [0, 2], [0, 7], [0, 8, 0], [0, "k"]]
    assert influence.places(plain([call("f", torch.ones(2), torch.ones(2, dtype=torch.int64), np.zeros(0))])) == [
        [0, 0]
    ]


def test_arrays_of_no_axes_stay_arrays():
    script = plain([call("f", torch.tensor(2.0), np.array(3.0), np.array(True))])
    for place in influence.places(script):
        changed = influence.with_change(script, place)
        assert type(getattr(at(changed, place), "array", at(changed, place))) is np.ndarray
    assert influence.influential(script, runs(lambda x, y, z: x * 2), close(why="exact")) == [[0, 0]]


def test_a_change_touches_its_place_only():
    script = plain([new("f", 2), load({"w": torch.ones(2, 2)}), method("go", (np.ones(3), [0.5]), mask=np.eye(2) > 0)])
    before = copy.deepcopy(script)
    for place in influence.places(script):
        changed = influence.with_change(script, place)
        assert encode(script) == encode(before)
        assert encode(changed) != encode(before)
        others = [p for p in influence.places(script) if p != place]
        assert all(encode(at(changed, p)) == encode(at(script, p)) for p in others)
        assert type(at(changed, place)) is type(at(script, place))


def at(script: Script, place: influence.Place) -> Any:
    """The value at a place."""
    value: Any = script[place[0]]["args" if isinstance(place[1], int) else "kwargs"]
    for key in place[1:]:
        value = value[key]
    return value


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bool"])
def test_a_changed_array_is_neither_scaled_nor_shifted(dtype):
    """Else a norm, or a softmax, would not notice."""
    for array in (np.ones((2, 3), dtype), np.zeros(4, dtype), np.arange(6).astype(dtype).reshape(3, 2)):
        changed = influence._changed(array)
        assert changed.shape == array.shape
        assert changed.dtype == array.dtype
        assert (changed != array).any()
        if dtype != "bool":
            assert len(np.unique((changed - array).astype("float32"))) > 1
    tensor = influence._changed(TorchArray(np.ones(2, "float32"), "bfloat16"))
    assert (type(tensor), tensor.dtype) == (TorchArray, "bfloat16")


ALL = {"x", "memory", "gain", "bias", "w"}


def using(names: set[str]) -> Any:
    """A function whose result depends on some of its arguments and not on the others."""

    def f(x, memory, p):
        terms = {"x": x.sum(0), "memory": memory.mean(0), **p["norm"], "w": p["w"][0]}
        return sum((np.sin(terms[n]) for n in sorted(names)), np.zeros(3))

    return f


@settings(max_examples=60, deadline=None)
@given(used=st.sets(st.sampled_from(sorted(ALL))), seed=st.integers(0, 99))
def test_exactly_what_is_not_used_is_found(used, seed):
    script = script_of(seed)
    matters = influence.influential(script, runs(using(ALL)), loose)
    unused = influence.ignored(script, matters, runs(using(used)))
    names = {0: "x", 1: "memory", "gain": "gain", "bias": "bias", "w": "w"}
    assert {names[place[-1]] for place in matters} == ALL
    assert {names[place[-1]] for place in unused} == ALL - used


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (ALL, ""),
        (ALL - {"w"}, "Your result does not depend on `p['w']`: is it used, and in the right place?"),
        (ALL - {"gain", "bias"}, "Your result does not depend on `p['norm']`: is it used, and in the right place?"),
        (ALL - {"gain"}, "Your result does not depend on `p['norm']['gain']`: is it used, and in the right place?"),
        ({"x"}, "Your result does not depend on `memory`, `p`: are they used, and in the right place?"),
        (set(), "Your result depends on none of the arguments."),
    ],
)
def test_it_is_said_in_the_students_words(used, said):
    script = script_of()
    matters = influence.influential(script, runs(using(ALL)), loose)
    unused = influence.ignored(script, matters, runs(using(used)))
    assert influence.sentence(script, matters, unused, NAMES) == said


def test_not_more_than_three_are_listed():
    script = plain([call("f", *(np.full(2, float(i)) for i in range(5)))])
    matters = influence.places(script)
    text = influence.sentence(script, matters, matters[:4], list("abcde"))
    assert "`a`, `b`, `c` and others: are they used" in text


def test_an_argument_that_the_right_result_ignores_is_never_named():
    script = script_of()
    right = runs(using({"x", "w"}))
    matters = influence.influential(script, right, loose)
    assert [place[1:] for place in matters] == [[0], [2, "w"]]
    assert influence.ignored(script, matters, right) == []


class Linear(torch.nn.Module):
    """A layer with a parameter too many."""

    def __init__(self):
        super().__init__()
        self.weight, self.scale = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))

    def forward(self, x, scaled=True):
        return x @ self.weight * (self.scale if scaled else 1)


def test_parameters_of_a_module_are_arguments_too():
    state = {"weight": torch.eye(2), "scale": torch.ones(2, 2)}
    script = plain([new("Linear"), load(state), method("__call__", torch.rand(2, 2, generator=torch.manual_seed(0)))])

    class Forgets(Linear):
        def forward(self, x):
            return super().forward(x, scaled=False)

    matters = influence.influential(script, runs(Linear, "Linear"), loose)
    unused = influence.ignored(script, matters, runs(Forgets, "Linear"))
    assert influence.sentence(script, matters, unused, []).startswith("Your result does not depend on `scale`: is it")
    assert influence.arguments(script, [])["scale"].shape == (2, 2)


def test_what_is_not_sure_is_not_told():
    script = script_of()
    matters = influence.influential(script, runs(using(ALL)), loose)

    def raises(x, memory, p):
        if p["norm"]["gain"][0] != tree(0)["norm"]["gain"][0]:
            raise ValueError
        return x

    def random(x, memory, p):
        return np.random.default_rng().random(3)

    def barely(x, memory, p):
        return using(ALL)(x, memory, p) * 1e-12

    for student in (raises, random, barely):
        assert influence.ignored(script, matters, runs(student)) == []
    assert influence.ignored(script, matters, lambda script: [{"value": 1, "changed": []}]) == []
    assert influence.influential(script, runs(lambda *args: 1 / 0), loose) == []


def test_many_or_large_arguments_are_not_tried():
    many = plain([call("f", *(np.ones(1) for _ in range(influence.MAX_PLACES + 1)))])
    large = plain([call("f", np.ones((500, 500)))])
    for script in (many, large):
        assert influence.influential(script, lambda script: pytest.fail("it was run"), loose) == []


def test_one_question_answers_for_all_places():
    asked = []

    def run(script: Script) -> list:
        asked.append(len(script))
        return runs(using(ALL))(script)

    script = script_of()
    influence.ignored(script, influence.places(script), run)
    assert asked == [1 + 5]


def test_arguments_have_names():
    found = influence.arguments(script_of(), NAMES)
    assert list(found) == ["x", "memory", "p['norm']['gain']", "p['norm']['bias']", "p['w']"]
    assert list(influence.arguments(plain([call("f", np.ones(2), scale=np.ones(1))]), [])) == [
        "argument 0 of f",
        "scale",
    ]


def test_minus_infinity_stays_and_its_neighbours_change_without_a_warning(recwarn) -> None:
    """A hidden score is still hidden."""
    script = plain([call("f", np.array([1.0, -np.inf, 2.0]))])
    changed = influence.with_change(script, [0, 0])[0]["args"][0]
    assert changed[1] == -np.inf
    assert np.isfinite(changed[[0, 2]]).all()
    assert not np.any(changed[[0, 2]] == [1.0, 2.0])
    assert not recwarn.list
