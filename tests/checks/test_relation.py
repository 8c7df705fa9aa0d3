"""A relation is found when it is there, and never told when it is not."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from course.checks.compare import Tolerance, close, exact
from course.checks.pattern import pattern
from course.checks.relation import relation
from course.checks.sample import Sample

loose = close(1e-5, 1e-7, why="float32 sums")
Change = Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]
seeds = st.integers(0, 2**32 - 1)


def softmax(x: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def samples(seed: int, change: Change, shapes: list[tuple[int, ...]], kind: str = "float") -> list[Sample]:
    """Random results of some shapes, all changed in the same way, with two arguments that go with them."""
    rng = np.random.default_rng(seed)
    made = []
    for shape in shapes:
        scores = rng.standard_normal(shape)
        want = {"float": scores, "positive": np.exp(scores), "weights": softmax(scores), "bool": scores > 0}[kind]
        arguments = {"x": rng.standard_normal(shape), "k": rng.standard_normal((shape[0], 4 * shape[0] + 1))}
        arguments["b"], arguments["g"] = rng.standard_normal(shape[-1:]), 1 + rng.random(shape[-1:])
        other = {"item 1": rng.standard_normal(shape)}
        have = np.asarray(change(want, arguments | other))
        made.append(Sample(want, have, exact if kind == "bool" else loose, arguments, other))
    return made


SQUARES, TABLES, STACKS = [(1, 1), (3, 3), (5, 5)], [(1, 1), (2, 5), (4, 3)], [(2, 3, 3), (3, 4, 4)]
CHANGES: dict[str, tuple[Change, str, list[tuple[int, ...]], str]] = {
    # words in the sentence: what is done to the right result, its kind, its shapes, more words
    "Every entry is 0": (lambda w, a: 0 * w, "float", TABLES, ""),
    "Every entry is False": (lambda w, a: w & False, "bool", SQUARES, ""),
    "Every entry is 2.5": (lambda w, a: 0 * w + 2.5, "float", TABLES, ""),
    "All entries are the same number": (lambda w, a: np.full(w.shape, w.mean()), "float", TABLES, ""),
    "`x` itself, unchanged": (lambda w, a: a["x"], "float", TABLES, ""),
    "the numbers of item 1": (lambda w, a: a["item 1"], "float", TABLES, ""),
    "this is minus the right result": (lambda w, a: -w, "float", TABLES, ""),
    "`x` minus what it should be": (lambda w, a: a["x"] - w, "float", TABLES, ""),
    "1 minus what it should be": (lambda w, a: 1 - w, "float", TABLES, ""),
    "True and False are swapped": (lambda w, a: ~w, "bool", SQUARES, ""),
    "absolute values": (lambda w, a: np.abs(w), "float", TABLES, ""),
    "is the square of": (lambda w, a: w**2, "float", TABLES, ""),
    "is the square root of": (lambda w, a: np.sqrt(w), "positive", TABLES, ""),
    "1 divided by what": (lambda w, a: 1 / w, "positive", TABLES, ""),
    "logarithm of what": (lambda w, a: np.log(w), "positive", TABLES, ""),
    "exp of what": (lambda w, a: np.exp(w), "float", TABLES, ""),
    "Negative entries came out as 0": (lambda w, a: np.maximum(w, 0), "float", TABLES, ""),
    "rounded to a whole number": (lambda w, a: np.round(100 * w), "float", [], ""),
    "transpose of the right": (lambda w, a: w.T, "float", SQUARES, ""),
    "Axes 1 and 2 are in the wrong order": (lambda w, a: w.transpose(0, 2, 1), "float", STACKS, ""),
    "rows are in reverse order": (lambda w, a: w[::-1], "float", TABLES, ""),
    "columns are in reverse order": (lambda w, a: w[:, ::-1], "float", TABLES, ""),
    "each is the one that should come before it": (lambda w, a: np.roll(w, 1, 0), "float", [(3, 2), (4, 4)], "rows"),
    "each is the one that should come after it": (lambda w, a: np.roll(w, -1, 1), "float", [(2, 3), (4, 4)], "columns"),
    "another order": (lambda w, a: np.sort(w, 0)[:, [2, 0, 1]], "float", [(4, 3), (5, 3)], ""),
    "0.125 times what it should be": (lambda w, a: w / 8, "float", TABLES, "scale"),
    "-3 times what it should be": (lambda w, a: -3 * w, "float", TABLES, "scale"),
    "sqrt(d) times what": (lambda w, a: w * a["k"].shape[1] ** 0.5, "float", TABLES, "axis 1 of `k`"),
    "1/sqrt(d) times what": (lambda w, a: w / a["k"].shape[1] ** 0.5, "float", TABLES, "axis 1 of `k`"),
    "minus 1/d times what": (lambda w, a: -w / a["k"].shape[1], "float", TABLES, "axis 1 of `k`"),
    "sqrt(a/b) times what": (
        lambda w, a: w * (w.shape[1] / a["k"].shape[1]) ** 0.5, "float", [(2, 7), (4, 3), (3, 2)],
        "b is the length of axis 1 of `k`"),
    "differs from case to case": (lambda w, a: w * (1.5 + np.abs(w).sum()), "float", [(2, 5), (4, 3)], "factor"),
    "too large by the same number (0.25)": (lambda w, a: w + 0.25, "float", TABLES, ""),
    "too small by the same number (2)": (lambda w, a: w - 2, "float", TABLES, ""),
    "off by the same number": (lambda w, a: w + np.abs(w).sum(), "float", TABLES, "In each case"),
    "too small by exactly `x`": (lambda w, a: w - a["x"], "float", TABLES, "not added"),
    "too large by exactly `b`": (lambda w, a: w + a["b"], "float", TABLES, "once too often"),
    "`b` is subtracted": (lambda w, a: w - 2 * a["b"], "float", TABLES, ""),
    "should still be multiplied by `b`": (lambda w, a: w / a["b"], "float", TABLES, ""),
    "multiplied by `x` once too often": (lambda w, a: w * a["x"], "float", TABLES, ""),
    "weights of scores that are 2 times": (lambda w, a: softmax(2 * np.log(w)), "weights", TABLES, ""),
    "weights of scores with the wrong sign": (lambda w, a: softmax(-np.log(w)), "weights", TABLES, ""),
    "weights of scores that are 1/sqrt(d) times": (
        lambda w, a: softmax(np.log(w) / a["k"].shape[1] ** 0.5), "weights", TABLES, "axis 1 of `k`"),
    "shared out equally": (lambda w, a: np.full(w.shape, 1 / w.shape[1]), "weights", [(1, 4), (2, 5)], ""),
    "rows should sum to 1, but they do not": (lambda w, a: w + a["x"] ** 2, "weights", TABLES, ""),
    "columns sum to 1, but the rows should": (lambda w, a: softmax(a["x"].T).T, "weights", SQUARES, ""),
    "Each row is right but for a factor": (lambda w, a: w * a["x"][:, :1], "float", TABLES, ""),
    "Each column is right but for a factor": (lambda w, a: w * a["k"][:1, : w.shape[1]], "float", [(3, 3), (5, 4)], ""),
    "Each row is right but for a number to add": (lambda w, a: w + a["x"][:, :1], "float", TABLES, ""),
    "Apart from `b`, which is added, every entry is 3 times": (
        lambda w, a: 3 * (w - a["b"]) + a["b"], "float", TABLES, "what it should be"),
    "Apart from `b`, which is added, each row is right but for a factor": (
        lambda w, a: a["x"][:, :1] * (w - a["b"]) + a["b"], "float", TABLES, ""),
    "Apart from `g` and `b`, each row is right but for its centre and its scale": (
        lambda w, a: a["g"] * (a["x"][:, :1] * (w - a["b"]) / a["g"] + a["x"][:, 1:2]) + a["b"], "float",
        [(2, 5), (4, 4)], ""),
    "All rows are the same": (lambda w, a: w * 0 + a["x"][:1], "float", TABLES, ""),
    "All columns are the same": (lambda w, a: w * 0 + a["x"][:, :1], "float", TABLES, ""),
    "all entries that are not 0 are equal": (
        lambda w, a: (a["x"] > 0) * (1 + np.abs(a["k"][:, :1])), "float", [(4, 5), (5, 5)], ""),
}  # fmt: skip
CHANGES = {words: entry for words, entry in CHANGES.items() if entry[2]}


@pytest.mark.parametrize("words", CHANGES)
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_it_is_found_on_random_numbers(words: str, seed: int) -> None:
    change, kind, shapes, more = CHANGES[words]
    made = samples(seed, change, shapes, kind)
    assume(sum(int(s.wrong.sum()) for s in made) > 12)
    text = relation(made)
    assert words in text
    assert more in text


@pytest.mark.parametrize("words", ["rounded to", "cut to", "rounded down to"])
def test_whole_numbers(words: str) -> None:
    want = np.array([-2.7, -1.2, 0.4, 1.6, 2.2, 3.9])
    have = {"rounded to": np.round, "cut to": np.trunc, "rounded down to": np.floor}[words](want)
    assert words in relation([Sample(want, have, loose)])


REGIONS: dict[str, Change] = {
    "on the diagonal": lambda w, a: w + np.eye(*w.shape) * a["x"],
    "in the first row": lambda w, a: np.concatenate([a["x"][:1], w[1:]]),
    "in the last column": lambda w, a: np.concatenate([w[:, :-1], a["x"][:, :1]], 1),
    "above the diagonal": lambda w, a: w + np.triu(a["x"], 1),
    "on and below the diagonal": lambda w, a: w + np.tril(a["x"]),
    "off the diagonal": lambda w, a: w + (1 - np.eye(*w.shape)) * a["x"],
}


@pytest.mark.parametrize("words", REGIONS)
@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_where_wrong_entries_lie(words: str, seed: int) -> None:
    made = samples(seed, REGIONS[words], [(1, 1), (6, 6), (7, 6)])
    assert relation(made) == ""
    assert pattern(made) == f"All wrong entries are {words}."


def test_other_patterns() -> None:
    rng = np.random.default_rng(0)
    want = rng.standard_normal((6, 5))
    some = want + np.isin(np.arange(6), [1, 4])[:, None] * rng.standard_normal((6, 5))
    assert "where it first fails, 1, 4 of 6" in pattern([Sample(want, some, loose)])
    near = want * (1 + 0.002 * rng.standard_normal((6, 5)))
    assert "nearly right (within 1%)" in pattern([Sample(want, near, loose)])
    gaps = np.where(want > 0, want, 0)
    assert "should be exactly 0 and are not" in pattern([Sample(gaps, want, loose)])
    holes = np.where(rng.random((6, 5)) < 0.5, want, 0)
    assert "Some entries are 0 and should not be" in pattern([Sample(want, holes, loose)])


@pytest.mark.parametrize("shapes", [TABLES, SQUARES, STACKS, [(4,), (7,)], [(3, 4)]])
@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_nothing_is_told_of_numbers_that_are_not_related(shapes, seed) -> None:
    made = samples(seed, lambda w, a: np.random.default_rng(seed + 1).standard_normal(w.shape), shapes)
    assert relation(made) == ""
    assert pattern(made) == ""


def test_two_numbers_are_no_evidence() -> None:
    """One number is always some multiple of another."""
    assert relation([Sample(np.asarray(2.0), np.asarray(3.0), loose)]) == ""
    assert relation([Sample(np.array([2.0]), np.array([3.0]), loose)] * 2)  # twice the same: a factor of 1.5
    pairs = [(2.0, 3.0), (5.0, 1.0), (7.0, -2.0)]
    assert relation([Sample(np.array([[w]]), np.array([[h]]), loose) for w, h in pairs]) == ""


def test_a_relation_has_to_hold_in_every_case() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.standard_normal((2, 3, 4))
    assert "minus" in relation([Sample(one, -one, loose), Sample(two, -two, loose)])
    assert "minus" not in relation([Sample(one, -one, loose), Sample(two, two, loose)])
    assert relation([Sample(one, -one, loose), Sample(two, 1.5 * two + one, loose)]) == ""


def test_nothing_is_told_of_what_is_right() -> None:
    want = np.arange(6.0).reshape(2, 3)
    assert relation([]) == pattern([]) == ""
    assert relation([Sample(want, want, loose)]) == pattern([Sample(want, want + 1e-9, loose)]) == ""


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_large_empty_and_infinite_results_are_left_alone(dtype) -> None:
    empty = np.zeros((0, 3), dtype)
    assert relation([Sample(empty, empty, loose)]) == ""
    large = np.ones((400, 400)).astype(dtype)
    assert relation([Sample(large, (large * 0).astype(dtype), loose)]) == ""
    holes = np.array([[1.0, -np.inf], [np.inf, 2.0]])
    assert relation([Sample(holes, np.array([[2.0, -np.inf], [np.inf, 4.0]]), loose)]) == ""


def test_noise_of_float32_is_forgiven() -> None:
    rng = np.random.default_rng(5)
    want = rng.standard_normal((5, 6))
    assert "0.5 times" in relation([Sample(want, (want / 2).astype(np.float32), loose)])
    weights = softmax(want)
    sharp = softmax(2 * want.astype(np.float32)).astype(np.float32)
    assert "scores that are 2 times" in relation([Sample(weights, sharp, loose)])


def test_masked_rows_do_not_hide_the_scale() -> None:
    """Zeros stay zeros, whole rows of them too."""
    rng = np.random.default_rng(6)
    scores = np.where(rng.random((5, 6)) < 0.4, -np.inf, rng.standard_normal((5, 6)))
    scores[:, 0] = 0.3
    want, have = softmax(scores), softmax(scores * 3)
    want[2] = have[2] = 0
    assert "scores that are 3 times" in relation([Sample(want, have, loose)])


NUMBER = re.compile(r"\d+\.\d+|\d{3,}")


@settings(max_examples=60, deadline=None)
@given(seed=seeds, words=st.sampled_from(sorted(CHANGES)))
def test_no_expected_value_is_told(seed: int, words: str) -> None:
    change, kind, shapes, _ = CHANGES[words]
    made = samples(seed, change, shapes, kind)
    expected = {f"{abs(float(v)):.{d}g}" for s in made for v in s.want.flat for d in (3, 4, 6) if abs(v) > 1e-3}
    ours = {"2.5", "0.125", "0.25", "1.5"}  # what the change itself brings in
    assert not (set(NUMBER.findall(relation(made))) - ours) & expected


# Whatever is told of small whole numbers, where much happens by accident, has to be true ------------------------------

TRUE: dict[str, Callable[[Sample], bool]] = {
    r"whatever the input": lambda s: True,
    r"^Every entry is (-?[\d.]+|True|False)\.$": lambda s: len(np.unique(s.have)) == 1,
    r"^All entries are the same": lambda s: len(np.unique(s.have)) == 1,
    r"`x` itself": lambda s: (s.have == s.arguments["x"]).all(),
    r"numbers of item 1": lambda s: (s.have == s.others["item 1"]).all(),
    r"minus the right": lambda s: (s.have == -s.want).all(),
    r"`x` minus what": lambda s: (s.have == s.arguments["x"] - s.want).all(),
    r"1 minus what": lambda s: (s.have == 1 - s.want).all(),
    r"absolute values": lambda s: (s.have == abs(s.want)).all(),
    r"the square of": lambda s: (s.have == s.want**2).all(),
    r"square root of": lambda s: np.allclose(s.have**2, s.want),
    r"1 divided by": lambda s: np.allclose(s.have * s.want, 1),
    r"logarithm": lambda s: np.allclose(np.exp(s.have), s.want),
    r"is exp of": lambda s: np.allclose(np.exp(s.want), s.have),
    r"Negative entries": lambda s: (s.have == np.maximum(s.want, 0)).all(),
    r"whole number": lambda s: (abs(s.have - s.want) < 1).all(),
    r"True and False": lambda s: (s.have != s.want).all(),
    r"transpose": lambda s: (s.have == s.want.T).all(),
    r"rows are in reverse": lambda s: (s.have == s.want[::-1]).all(),
    r"columns are in reverse": lambda s: (s.have == s.want[:, ::-1]).all(),
    r"(rows|columns) are shifted": lambda s: sorted(s.have.flat) == sorted(s.want.flat),
    r"another order": lambda s: sorted(s.have.flat) == sorted(s.want.flat),
    r"^Every entry is .*times what": lambda s: np.linalg.matrix_rank(np.stack([s.have.ravel(), s.want.ravel()])) < 2,
    r"but for a factor, which": lambda s: np.linalg.matrix_rank(np.stack([s.have.ravel(), s.want.ravel()])) < 2,
    r"by the same number": lambda s: len(np.unique(s.have - s.want)) == 1,
    r"too small by exactly `x`": lambda s: (s.want - s.have == s.arguments["x"]).all(),
    r"too large by exactly `x`": lambda s: (s.have - s.want == s.arguments["x"]).all(),
    r"`x` is subtracted": lambda s: (s.want - s.have == 2 * s.arguments["x"]).all(),
    r"`x` is added": lambda s: (s.have - s.want == 2 * s.arguments["x"]).all(),
    r"still be multiplied by `x`": lambda s: np.allclose(s.have * s.arguments["x"], s.want),
    r"is multiplied by `x`": lambda s: np.allclose(s.want * s.arguments["x"], s.have),
    r"weights of scores|shared out equally": lambda s: np.allclose(s.have.sum(-1) - s.want.sum(-1), 0),
    r"rows should sum to 1, but they|but the rows should": lambda s: np.isin(s.want.sum(-1), [0, 1]).all(),
    r"entries should sum": lambda s: np.isin(s.want.sum(), [0, 1]),
    r"Each row is right but for a factor": lambda s: all(
        np.linalg.matrix_rank(np.stack(pair)) < 2 for pair in zip(s.have, s.want, strict=True)),
    r"Each column is right but for a factor": lambda s: all(
        np.linalg.matrix_rank(np.stack(pair)) < 2 for pair in zip(s.have.T, s.want.T, strict=True)),
    r"Each row is right but for a number": lambda s: np.allclose(np.ptp(s.have - s.want, axis=1), 0),
    r"Each column is right but for a number": lambda s: np.allclose(np.ptp(s.have - s.want, axis=0), 0),
    r"All rows are the same": lambda s: (s.have == s.have[:1]).all(),
    r"All columns are the same": lambda s: (s.have == s.have[:, :1]).all(),
    r"not 0 are equal": lambda s: all(len(set(row[row != 0])) < 2 for row in s.have),
    r"nearly right": lambda s: (abs(s.have - s.want) <= 0.01 * abs(s.want)).all(),
    r"on the diagonal\.": lambda s: not (s.wrong & ~np.eye(*s.want.shape, dtype=bool)).any(),
    r"in the first row": lambda s: not s.wrong[1:].any(),
    r"in the last row": lambda s: not s.wrong[:-1].any(),
    r"in the first column": lambda s: not s.wrong[:, 1:].any(),
    r"in the last column": lambda s: not s.wrong[:, :-1].any(),
    r"just above": lambda s: not (s.wrong & ~np.eye(*s.want.shape, k=1, dtype=bool)).any(),
    r"just below": lambda s: not (s.wrong & ~np.eye(*s.want.shape, k=-1, dtype=bool)).any(),
    r"are above the": lambda s: not np.tril(s.wrong).any(),
    r"are below the": lambda s: not np.triu(s.wrong).any(),
    r"on and above": lambda s: not np.tril(s.wrong, -1).any(),
    r"on and below": lambda s: not np.triu(s.wrong, 1).any(),
    r"off the diagonal": lambda s: not np.diag(s.wrong).any(),
    r"outside the first row": lambda s: not s.wrong[0].any(),
    r"outside the first column": lambda s: not s.wrong[:, 0].any(),
    r"exactly 0 and are not": lambda s: not ((s.want != 0) & (s.have == 0)).any(),
    r"Some entries are 0": lambda s: not ((s.want == 0) & (s.have != 0)).any(),
    r"Whole (rows|columns)": lambda s: True,
}  # fmt: skip
small = st.integers(-2, 2).map(float)


def tables(dtype: str) -> st.SearchStrategy[list[Sample]]:
    """One or two samples of small numbers, of one shape each."""
    elements = st.booleans() if dtype == "bool" else small
    shape = npst.array_shapes(min_dims=2, max_dims=2, max_side=4)

    def sample(arrays: list[np.ndarray]) -> Sample:
        want, have, x, other = arrays
        return Sample(want, have, exact, {"x": x}, {"item 1": other})

    four = shape.flatmap(lambda s: st.lists(npst.arrays(dtype, s, elements=elements), min_size=4, max_size=4))
    return st.lists(four.map(sample), min_size=1, max_size=2)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "bool"])
@settings(max_examples=2000, deadline=None)
@given(data=st.data())
def test_whatever_is_told_is_true(dtype: str, data: st.DataObject) -> None:
    made = data.draw(tables(dtype))
    for text in (relation(made), pattern(made)):
        if text:
            checks = [holds for words, holds in TRUE.items() if re.search(words, text)]
            assert len(checks) == 1, text
            assert all(checks[0](s) for s in made), text


def test_a_tolerance_is_no_licence() -> None:
    """Numbers that drown in what the tolerance forgives are not scaled by anything."""
    rng = np.random.default_rng(8)
    rough = Tolerance(0.0, 1e-2, "a rough measurement")
    want = rng.standard_normal((4, 4))
    noise = 5e-3 * rng.standard_normal((4, 4))
    assert "times" not in relation([Sample(want, noise, rough)])


COUNTS = {
    "The result should still be multiplied by `heads`.": lambda layers, heads, width: layers * width,
    "multiplied by `heads`; what remains is a factor of 0.5.": lambda layers, heads, width: layers * width / 2,
    "The result is multiplied by `width` once too often.": lambda layers, heads, width: layers * heads * width**2,
    "`layers` stands where `width` should": lambda layers, heads, width: layers**2 * heads,
    "": lambda layers, heads, width: layers * (heads + width),
}


@pytest.mark.parametrize("words", COUNTS)
def test_whole_numbers_among_the_arguments_are_named(words):
    made = []
    for layers, heads, width in [(1, 1, 1), (2, 5, 7), (3, 4, 11)]:
        counts = {"layers": layers, "heads": heads, "width": width}
        want, have = np.asarray(float(layers * heads * width)), np.asarray(float(COUNTS[words](**counts)))
        made.append(Sample(want, have, exact, {name: np.asarray(n) for name, n in counts.items()}))
    assert words in relation(made) if words else relation(made) == ""
    assert relation(made[:2]) == "" or "stands where" in relation(made[:2])  # two cases may agree by accident
