"""What a verdict adds to wrong numbers: in the visible check and in hidden grading alike, and never at a cost."""

from __future__ import annotations

import inspect
import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.exercise import Definition, case, definitions, exercise, lessons
from autograder.grading import generator
from course import checking
from course.checks import explain
from course.checks import judge as judging
from course.checks import sheet as sheets
from course.checks.compare import close
from course.checks.explain import explanation
from course.checks.judge import StudentCodeDied, Verdict, judge
from course.checks.report import Report
from course.checks.runner import plain, run_script
from course.checks.script import about_kernels
from tests.grading.classroom import solved


@exercise(parts={"values": 2, "zero": 1}, minutes=1, source="arithmetic")
class weigh:
    """x @ w, times a gain, plus a bias."""

    tolerance = close(why="float32 sums")

    def cases(rng):
        for n in (1, 3, 4):
            yield case(*(rng.standard_normal(s) for s in [(n, 4), (4, 3), (3,), (3,)]), label=f"{n} rows")
        yield case(np.zeros((2, 4)), np.ones((4, 3)), np.ones(3), np.ones(3), part="zero", label="zeros")

    def reference(x, w, gain, bias):
        return np.einsum("nd,dk->nk", x, w) * gain + bias, x.sum(axis=1)

    class misconceptions:
        def no_gain(x, w, gain, bias):
            """The gain is missing."""
            return x @ w + bias, x.sum(axis=1)


def hidden(target: Any, definition: Definition = weigh, **kwargs: Any) -> Verdict:
    """The verdict on fresh cases."""
    sheet = definition.sheet(generator(3, definition.id))
    return judge(sheet, lambda script: run_script(script, {definition.name: target}), **kwargs)


def no_run(script):
    """Code that cannot be run again."""
    raise StudentCodeDied("too long")


def explained(target: Any) -> tuple[str, str]:
    """(kind, text) of the explanation of the first part."""
    found = hidden(target).parts[0].explanation
    return (found.kind, found.text) if found else ("", "")


def test_a_relation_says_which_result_is_meant():
    right = weigh.reference
    minus = explained(lambda *a: (right(*a)[0], -right(*a)[1]))
    assert minus == ("relation", "Item 1 of the result: every sign is wrong: this is minus the right result.")
    bias = explained(lambda x, w, gain, bias: (right(x, w, gain, bias)[0] - bias, x.sum(axis=1)))
    assert bias == ("relation", "Item 0 of the result: the result is too small by exactly `bias`: is it not added?")


@exercise(points=1, minutes=1, source="arithmetic")
class parameters_of:
    """Parameters of two linear layers."""

    def cases(rng):
        for n, m in ((2, 3), (3, 5), (4, 7)):
            yield case(n, m)

    def reference(n, m):
        return {"weights": float(2 * n * m)}

    class misconceptions:
        def with_bias(n, m):
            """You count a bias."""
            return {"weights": float(2 * n * m + m)}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda n, m: 2 * n, "should still be multiplied by `m`"),
        (lambda n, m: 2 * n * m * m, "is multiplied by `m` once too often"),
        (lambda n, m: 4 * n * m, "2 times what it should be"),
        (lambda n, m: 2 * n * m + n, "too large by exactly `n`"),
        (lambda n, m: 2 * n * n, "`n` stands where `m` should"),
    ],
)
def test_counts_are_explained_by_the_numbers_given_and_may_be_whole(wrong, said):
    verdict = hidden(lambda n, m: {"weights": wrong(n, m)}, parameters_of)
    assert said in verdict.first.explanation.text
    assert verdict.first.explanation.kind == "relation"
    assert hidden(lambda n, m: {"weights": 2 * n * m}, parameters_of).passed


@exercise(points=1, minutes=1, source="arithmetic")
class places:
    """Where each letter stands in the alphabet."""

    tolerance = close(why="the result is exact")

    def cases(rng):
        for n in (0, 1, 4, 6):
            yield case("".join("abcdefgh"[i] for i in rng.integers(0, 8, n)), label=f"{n} letters")

    def reference(text):
        return [ord(letter) - 97 for letter in text]

    class misconceptions:
        def codes(text):
            """You give the codes."""
            return [ord(letter) for letter in text]


def test_the_numbers_of_a_list_belong_together():
    def said(target):
        found = hidden(target, places).parts[0].explanation
        return found and found.text

    assert said(lambda text: [-i for i in places.reference(text)]) == (
        "Every sign is wrong: this is minus the right result."
    )
    assert "shifted" in said(lambda text: tuple(np.roll(places.reference(text), 1).tolist()))
    assert said(lambda text: [10**400 for _ in text]) is None
    assert said(lambda text: list(range(len(text)))) is None


def test_an_unused_argument_is_told_where_no_relation_is_seen():
    kind, text = explained(lambda x, w, gain, bias: (np.tanh(x @ w + bias), x.sum(axis=1)))
    assert (kind, text) == ("unused", "Your result does not depend on `gain`: is it used, and in the right place?")


def test_a_pattern_comes_last():
    def first_column_off(x, w, gain, bias):
        out = weigh.reference(x, w, gain, bias)[0]
        out[:, 0] = np.sin(out[:, 0] + gain[0] + w.sum())
        return out, x.sum(axis=1)

    assert explained(first_column_off) == (
        "pattern",
        "Item 0 of the result: all wrong entries are in the first column.",
    )


def test_both_reports_show_it():
    found = hidden(lambda *a: (-weigh.reference(*a)[0], weigh.reference(*a)[1]))
    for reveal in (True, False):
        report = Report(found, reveal=reveal)
        for shown in (" ".join(repr(report).split()), report._repr_html_()):
            assert "every sign is wrong" in shown


def test_a_hint_makes_it_superfluous():
    found = hidden(weigh.misconceptions["no_gain"])
    assert found.hint == "The gain is missing."
    assert [p.explanation for p in found.parts] == [None, None]


@pytest.mark.parametrize("fault", ["raised", "shape", "type", "nan"])
def test_a_fault_in_any_case_tells_more_than_wrong_numbers(fault):
    """The case of one row stands first, and much goes well with one row."""

    def student(x, w, gain, bias):
        out = weigh.reference(x, w, gain, bias)[0] + 1
        wrong = {
            "raised": lambda: 1 / 0,
            "shape": lambda: out[:, :2],
            "type": lambda: out.tolist(),
            "nan": lambda: out * np.nan,
        }
        return (out if len(x) == 1 else wrong[fault]()), x.sum(axis=1)

    part = hidden(student).parts[0]
    assert part.difference.kind == fault
    assert part.explanation is None
    assert part.case.startswith("3 rows")


def tanh_without_gain(x, w, gain, bias):
    """Wrong in a way that only a second run explains."""
    return np.tanh(x @ w + bias), x.sum(axis=1)


def test_slow_code_is_not_run_again(monkeypatch):
    assert hidden(tanh_without_gain).parts[0].explanation.kind == "unused"
    monkeypatch.setattr(explain, "MAX_SECONDS", 0.05)

    def slow(*args):
        time.sleep(0.02)
        return tanh_without_gain(*args)

    assert hidden(slow).parts[0].explanation is None


def test_code_that_dies_when_run_again_keeps_its_verdict():
    runs = []

    def run(script):
        runs.append(len(script))
        if len(script) > 1:
            raise StudentCodeDied("too long")
        return run_script(script, {"weigh": tanh_without_gain})

    found = judge(weigh.sheet(generator(3, weigh.id)), run)
    usual = hidden(tanh_without_gain)
    assert max(runs) > 1
    assert [(p.difference, p.earned, p.case) for p in found.parts] == [
        (p.difference, p.earned, p.case) for p in usual.parts
    ]
    assert found.parts[0].explanation is None


def test_a_fault_of_ours_in_explaining_loses_no_grade(monkeypatch):
    def broken(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(judging, "explanation", broken)
    found = hidden(tanh_without_gain)
    assert found.parts[0].difference.kind == "values"
    assert found.parts[0].explanation is None


def test_the_visible_check_explains_quietly(capsys):
    """A function that prints is run many times more to explain it; the student sees its words once for each case."""

    def talks(x, w, gain, bias):
        print("here")
        return tanh_without_gain(x, w, gain, bias)

    found = checking.verdict(weigh.visible_sheet(), {"weigh": talks})
    assert found.parts[0].explanation.kind == "unused"
    assert capsys.readouterr().out.count("here") == len(weigh.visible_sheet().cases)


def test_golden_data_know_what_an_explanation_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "FOLDER", tmp_path)
    sheets.path_of("ch99_toys").write_bytes(sheets.dump("ch99_toys", "Toys", [weigh.visible_sheet()]))
    stored = sheets.load_lesson("ch99_toys").sheets[weigh.id]
    assert stored.arguments == ["x", "w", "gain", "bias"]
    assert [list(c.matters) for c in stored.cases] == [list(c.matters) for c in weigh.visible_sheet().cases]
    assert checking.verdict(stored, {"weigh": tanh_without_gain}).parts[0].explanation.kind == "unused"


def test_a_right_answer_is_run_once_for_each_case():
    runs = []

    def run(script):
        runs.append(script)
        return run_script(script, {"weigh": weigh.reference})

    assert judge(weigh.sheet(generator(3, weigh.id)), run).passed
    assert len(runs) == 4


numbers = st.floats(allow_nan=True) | st.integers() | st.booleans() | st.none() | st.text(max_size=3)
arrays = st.sampled_from(
    [np.zeros((3, 3)), np.ones(3, int), np.array(2.0), torch.ones(2, 2), np.zeros((1, 3), bool), 1j]
)
anything = st.recursive(
    numbers | arrays,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=150, deadline=None)
@given(given_back=anything)
def test_whatever_comes_is_walked_safely(given_back):
    sheet = weigh.sheet(generator(3, weigh.id))
    cases = sheet.cases_of("values")
    results = [[{"value": plain(given_back), "changed": []}] for _ in cases]
    explanation(sheet, cases, results, no_run, np.inf)
    hidden(lambda *args: given_back)


def test_a_huge_result_is_not_walked():
    deep: Any = 0.0
    for _ in range(30):
        deep = [deep, deep]  # shared: small here, 2^30 items to whoever walks it
    sheet = weigh.sheet(generator(3, weigh.id))
    cases = sheet.cases_of("values")
    assert explanation(sheet, cases, [[{"value": (deep, deep), "changed": []}]] * len(cases), no_run, np.inf) is None


ALL = [(lesson, d) for lesson in lessons() for d in definitions(lesson).values() if isinstance(d, Definition)]


@pytest.mark.parametrize(("lesson", "definition"), ALL, ids=[d.id for _, d in ALL])
def test_a_references_parameters_are_called_as_in_the_lesson(lesson, definition):
    """They are told to the student by these names."""
    if inspect.isclass(definition.reference):
        pytest.skip("a class")
    if any(about_kernels(case.script) for case in definition.visible_sheet().cases):
        pytest.skip("a kernel, which its launcher calls")
    names: dict[str, Any] = {"np": np, "torch": torch}
    exec(solved(lesson)[definition.id], names)
    parameters = list(inspect.signature(names[definition.name]).parameters)
    assert definition.visible_sheet().arguments == parameters
