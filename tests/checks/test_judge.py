"""Judging: parts, held-back points, hints, changed arguments, forbidden names, questions."""

from __future__ import annotations

import textwrap
import time
from typing import Any

import numpy as np
import pytest
import torch

from autograder.exercise import Definition, DefinitionError, case, exercise, find, question
from course.checks import sheet as sheets
from course.checks.forbidden import first_forbidden, names_used
from course.checks.judge import StudentCodeDied, Verdict, describe, judge
from course.checks.report import Report
from course.checks.runner import run_script
from course.checks.script import attribute, call, given, held, method
from course.checks.sheet import Case, Sheet
from tests.checks import ch99_toys as toys


def verdict(definition: Any, code: str) -> Verdict:
    """The verdict on code that a student typed."""
    namespace: dict[str, Any] = {"np": np, "torch": torch}
    code = textwrap.dedent(code)
    exec(compile(code, "<string>", "exec"), namespace)
    return judge(definition.visible_sheet(), lambda script: run_script(script, namespace), [code])


def verdict_on(definition: Definition, target: Any) -> Verdict:
    """The verdict on an object."""
    return judge(definition.visible_sheet(), lambda script: run_script(script, {definition.name: target}))


RIGHT = {
    "row_means": """
        def row_means(x):
            if x.ndim != 2:
                raise ValueError
            return x.sum(axis=1) / x.shape[1]
        """,
    "Counter": """
        class Counter:
            def __init__(self, start): self.total = start
            def add(self, n): self.total += n
        """,
    "Affine": """
        class Affine(torch.nn.Module):
            def __init__(self, i, o):
                super().__init__()
                self.weight = torch.nn.Parameter(torch.empty(o, i))
                self.bias = torch.nn.Parameter(torch.empty(o))
            def forward(self, x): return torch.nn.functional.linear(x, self.weight, self.bias)
        """,
}
EXERCISES = [toys.row_means, toys.Counter, toys.Affine]


@pytest.mark.parametrize("definition", EXERCISES, ids=lambda d: d.id)
def test_a_right_solution_gets_every_point(definition):
    for found in (verdict_on(definition, definition.reference), verdict(definition, RIGHT[definition.name])):
        assert (found.status, found.earned, found.passed) == ("passed", definition.points, True)
        assert (found.hint, found.notes, found.first) == ("", [], None)
        assert found.id == definition.id


MISCONCEPTIONS = [(d, name) for d in EXERCISES for name in d.misconceptions]


@pytest.mark.parametrize(("definition", "name"), MISCONCEPTIONS, ids=lambda x: getattr(x, "id", x))
def test_each_misconception_is_found_with_its_own_hint(definition, name):
    found = verdict_on(definition, definition.misconceptions[name])
    assert found.earned == 0
    assert found.status == "failed"
    assert found.hint == definition.hints[name]
    assert found.first.case


def test_a_sheet_survives_the_golden_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "FOLDER", tmp_path)
    definitions = [*EXERCISES, toys.one_answer, toys.two_answers]
    drawn = [d.visible_sheet() for d in definitions]
    sheets.path_of("ch99_toys").write_bytes(sheets.dump("ch99_toys", "Toys", drawn))
    again = sheets.dump("ch99_toys", "Toys", [sheets.load_sheet(d.id) for d in definitions])
    assert again == sheets.path_of("ch99_toys").read_bytes() == sheets.dump("ch99_toys", "Toys", drawn)
    for definition, name in MISCONCEPTIONS:
        namespace = {definition.name: definition.misconceptions[name]}
        found = judge(sheets.load_sheet(definition.id), lambda s, n=namespace: run_script(s, n))
        assert found.hint == definition.hints[name]
    assert sheets.load_lesson("ch99_toys").points == 11


def test_parts_earn_their_own_points():
    found = verdict(toys.row_means, "def row_means(x): return x.sum(axis=-1) / x.shape[-1]")
    assert (found.status, found.earned, found.passed) == ("partial", 2, False)
    assert [p.earned for p in found.parts] == [2, 0]
    assert found.first.difference.public == "This input should raise ValueError, but your code returned a result."
    assert found.first.case == "one axis only: row_means(array of shape (3,))"
    assert "partly right" in repr(Report(found))


def test_raise_value_error_alone_earns_nothing():
    found = verdict(toys.row_means, "def row_means(x): raise ValueError")
    assert (found.status, found.earned) == ("failed", 0)
    assert [p.held_back for p in found.parts] == [False, True]
    assert "bad input: right; it counts once values is right too." in repr(Report(found))


def test_an_unfinished_branch_does_not_take_what_is_right():
    code = """
        def row_means(x):
            if x.ndim == 2:
                return x.sum(axis=1) / x.shape[1]
            raise NotImplementedError
        """
    found = verdict(toys.row_means, code)
    assert (found.status, found.earned) == ("partial", 2)
    assert "bad input (1 point): Not implemented yet." in repr(Report(found))


def test_unsolved_and_missing_concern_all_parts():
    found = verdict(toys.row_means, "def row_means(x): raise NotImplementedError")
    assert (found.status, found.earned) == ("unsolved", 0)
    assert repr(Report(found)) == "○ row_means: not implemented yet (0 of 3 points)"
    found = verdict(toys.row_means, "def rows_mean(x): ...")
    assert (found.status, found.earned) == ("missing", 0)
    assert "`row_means` is not defined. Run the cell that defines it first." in repr(Report(found))


def test_another_error_than_the_expected_one():
    code = "def row_means(x):\n    if x.ndim != 2: raise KeyError('axes')\n    return x.sum(1) / x.shape[1]"
    found = verdict(toys.row_means, code)
    assert found.earned == 2
    assert found.first.difference.public == "This input should raise ValueError, but KeyError came: 'axes'"


def test_a_subclass_of_the_expected_error_is_fine():
    code = """
        class Shape(ValueError): ...
        def row_means(x):
            if x.ndim != 2: raise Shape
            return x.sum(1) / x.shape[1]
        """
    assert verdict(toys.row_means, code).passed


def test_an_error_is_told_with_its_line():
    found = verdict(toys.row_means, "def row_means(x):\n    return x.mena(1)")
    assert found.first.difference.kind == "raised"
    assert found.first.difference.public.startswith("Your code raised AttributeError: 'numpy.ndarray' object has no")
    assert found.first.difference.public.endswith("(line 2)")


def test_no_false_hint_for_another_error_of_the_same_type():
    wrong = toys.row_means.misconceptions["helper_missing"]
    assert verdict_on(toys.row_means, wrong).hint
    assert not verdict(toys.row_means, "def row_means(x): return np.means(x, axis=1)").hint


@exercise(parts={"values": 1, "bad input": 1}, minutes=1, source="arithmetic")
class third:
    """The third entry."""

    def cases(rng):
        yield case([int(i) for i in rng.integers(0, 9, 5)], label="five numbers")
        yield case([1], label="too short", part="bad input")
        yield case([], label="empty", part="bad input")

    def reference(x):
        if len(x) < 3:
            raise ValueError("too short")
        return x[2]

    class misconceptions:
        def only_empty_refused(x):
            """You refuse only an empty list."""
            if len(x) == 0:
                raise ValueError
            return x[2]


def test_the_words_of_an_error_that_should_come_are_free():
    code = "def third(x):\n    if not x: raise {}\n    return x[2]"
    for error in ("ValueError('nothing there')", "type('Empty', (ValueError,), dict())('nothing there')"):
        found = verdict(third, code.format(error))
        assert (found.earned, found.hint) == (1, "You refuse only an empty list.")
    assert not verdict(third, code.format("KeyError('nothing there')")).hint


def test_no_false_hint_when_only_some_cases_agree():
    def half_wrong(x):
        return x.sum(axis=1) if len(x) == 2 else np.zeros(len(x))

    assert not verdict_on(toys.row_means, half_wrong).hint


def test_no_false_hint_for_inputs_changed_from_a_mistake_that_is_right_in_that_part():
    softmax = find("ch01.softmax")
    code = """
        import numpy as np
        def softmax(x, axis=-1):
            x -= x.max(axis=axis, keepdims=True)
            powers = np.exp(x)
            return powers / powers.sum(axis=axis, keepdims=True)
        """
    found = verdict(softmax, code)
    assert {p.difference.kind for p in found.parts} == {"changed"}
    assert found.hint == ""  # several misconceptions, an unstable one say, are right where scores are small


def test_a_changed_argument_is_told_and_wrong_values_come_first():
    code = "def row_means(x):\n    x /= x.shape[1]\n    return x.sum(axis=1)"
    found = verdict(toys.row_means, code)
    assert found.first.difference.public.startswith("Your code changes argument 0 in place.")
    assert found.hint == toys.row_means.hints["changes_its_input"]
    found = verdict(toys.row_means, "def row_means(x):\n    s = x.sum(axis=1)\n    x[:] = 0\n    return s")
    assert found.first.difference.kind == "values"
    assert found.hint == toys.row_means.hints["not_divided"]


def test_a_misconception_that_is_right_on_a_part_does_not_explain_it():
    """Only the second part tells it from what is right; in the first, the fault is another one."""

    @exercise(parts={"values": 1, "empty": 1}, minutes=1, source="arithmetic")
    class total:
        """The sum."""

        def cases(rng):
            yield case(np.array([1.0, 2.0]))
            yield case(np.zeros(0), part="empty")

        def reference(x):
            return float(sum(x))

        class misconceptions:
            def no_care_for_nothing(x):
                """The sum of nothing is 0."""
                return float(x.sum()) if x.size else float("nan")

    careless = "def total(x):\n    return float(x.sum()) if len(x) else float('nan')"
    assert verdict(total, careless).hint == "The sum of nothing is 0."
    found = verdict(total, "def total(x):\n    x += 1\n    return float(x.sum() - x.size)")
    assert found.first.difference.kind == "changed"
    assert not found.hint


def judge_with(definition: Definition, run: Any) -> Verdict:
    """The verdict with a `run` of one's own."""
    return judge(definition.visible_sheet(), run)


def test_code_that_died_in_one_part_keeps_the_other():
    def run(script):
        if script[0]["args"][0].ndim != 2:
            raise StudentCodeDied("Your code took longer than 10 s.")
        return run_script(script, {"row_means": toys.row_means.reference})

    found = judge_with(toys.row_means, run)
    assert (found.status, found.earned) == ("partial", 2)
    assert found.first.difference.public == "Your code took longer than 10 s."


@pytest.mark.parametrize("definition", [*EXERCISES, toys.one_answer], ids=lambda d: d.id)
def test_code_that_died_in_every_part_earns_nothing(definition):
    def run(script):
        raise StudentCodeDied("Your code ended the Python process.")

    found = judge_with(definition, run)
    assert (found.status, found.earned) == ("failed", 0)
    assert "ended the Python process" in repr(Report(found))


def test_a_run_that_ends_early_is_not_taken_for_right():
    found = judge_with(toys.Counter, lambda script: [{"value": None, "changed": []}])
    assert found.earned == 0
    assert found.first.difference.public == "The run ended early."


def test_steps_of_a_script_are_named():
    found = verdict(toys.Counter, RIGHT["Counter"].replace("+= n", "= n"))
    assert "`total()`: the result has the wrong value." in repr(Report(found))
    text = describe(toys.Affine.visible_sheet().cases[1])
    assert text.startswith("3 rows: Affine(4, 2); load({weight: array of shape (2, 4), bias: array of shape (2,)})")
    assert "grads(array of shape (3, 4))" in text
    steps = [given("ch08.KVCache", 2, handle="cache"), method("append", 0, handle="cache"),
             call("f", 3, held("cache")), attribute("keys", handle="cache")]  # fmt: skip
    assert describe(Case("", "values", steps, [], {})) == "ch08.KVCache(2); cache.append(0); f(3, cache); cache.keys"


def test_long_arguments_are_cut_in_a_description():
    arguments = [[np.zeros(3)] * 100, list(range(100)), {"k": "x" * 500}, np.float64(0.5)]
    steps = [{"op": "call", "name": "f", "args": arguments, "kwargs": {"a": None}}]
    text = describe(Case("", "values", steps, [], {}))
    assert text.startswith("f([array of shape (3,), array of shape (3,), ")
    assert text.endswith("...}, 0.5, a=None)") or text.endswith("'...}, 0.5, a=None)")
    assert len(text) < 400
    nested = {"op": "call", "name": "f", "args": [{"embed": np.zeros(3), "blocks": [{"b": np.zeros(2)}]}], "kwargs": {}}
    assert describe(Case("", "values", [nested], [], {})) == "f({embed, blocks})"
    trace = {f"stage {i}": np.zeros((3, 3)) for i in range(9)}
    many = describe(Case("", "values", [{**nested, "args": [trace]}], [], {}))
    assert many == "f({stage 0, stage 1, stage 2, stage 3, stage 4, stage 5, stage 6, stage 7, stage 8})"


def test_weights_nested_in_lists_are_described_by_their_names():
    blocks = [{"norm": {"gain": np.ones(3)}}, {"norm": {"gain": np.ones(3)}}]
    text = describe(Case("", "values", [{"op": "call", "name": "f", "args": [blocks, [{}]], "kwargs": {}}], [], {}))
    assert text == "f([{norm}, {norm}], [{}])"


FORBIDDEN = {
    "plain": "import torch\ndef row_means(x): return torch.tensor(x).mean(1)",
    "alias": "import torch as t\ndef row_means(x): return t.tensor(x).mean(1)",
    "submodule": "import torch.nn.functional as G\ndef row_means(x): return G.avg_pool1d(x)",
    "from": "from torch.nn import functional as G\ndef row_means(x): return G.avg_pool1d(x)",
    "from a name": "from torch import mean as m\ndef row_means(x): return m(x, 1)",
    "inside": "def row_means(x):\n    import torch as t\n    return t.mean(x, 1)",
    "star": "from torch import *\ndef row_means(x): return mean(tensor(x), 1)",
    "usual alias": "def row_means(x): return np.mean(x, axis=1)",
    "other alias": "import numpy as xp\ndef row_means(x): return xp.mean(x, axis=1)",
    "through a helper": "import torch\ndef helper(x): return torch.mean(x)\ndef row_means(x): return helper(x)",
    "through a class": "import torch\nclass H:\n    def go(x): return torch.mean(x)\ndef row_means(x): return H.go(x)",
    "as an argument": "import torch\ndef row_means(x, f=torch.mean): return f(x)",
    "decorator": "import torch\n@torch.no_grad()\ndef row_means(x): return x",
    "assigned": "import numpy as np\nrow_means = np.mean",
    "assigned helper": "import torch\nmean = torch.mean\ndef row_means(x): return mean(x)",
    "lambda": "import torch\nrow_means = lambda x: torch.mean(x, 1)",
    "under an if": "import torch\nif True:\n    def row_means(x): return torch.mean(x)",
    "beside a magic": "import torch\n%time 1\n!ls\ny = %timeit 1\nfoo?\ndef row_means(x): return torch.mean(x)",
    "cell magic": "import torch\n%%time\ndef row_means(x): return torch.mean(x)",
    "beside await": "import torch\nawait foo()\ndef row_means(x): return torch.mean(x)",
    "patched": "import torch\nclass row_means: ...\nrow_means.__call__ = lambda self, x: torch.mean(x)",
}


def forbidden_in(cells: list[str]) -> str:
    """What a check says of cells that are searched only."""
    reference = {"row_means": toys.row_means.reference}
    found = judge(toys.row_means.visible_sheet(), lambda script: run_script(script, reference), cells)
    return found.first.difference.public if found.first else ""


@pytest.mark.parametrize("name", FORBIDDEN)
def test_forbidden_names_are_found_under_any_alias(name):
    assert "may not be used here: this toy" in forbidden_in([FORBIDDEN[name]])
    if "\ndef" in FORBIDDEN[name] and "@" not in FORBIDDEN[name]:  # the same in several cells
        assert "may not be used here: this toy" in forbidden_in(FORBIDDEN[name].replace("\ndef", "\n\0def").split("\0"))


ALLOWED = {
    "not at all": "def row_means(x): return x.sum(1)",
    "similar name": "import tqdm as torchbar\ndef row_means(x): return torchbar.mean(x)",
    "other function": "import numpy as np\ndef row_means(x): return np.meanest(x)",
    "an experiment": "import torch\ndef row_means(x): return x.sum(1)\nprint(torch.mean(row_means(x)))",
    "another function": "import torch\ndef other(x): return torch.mean(x)\ndef row_means(x): return x.sum(1)",
    "same local name": "import torch\nw = torch.ones(1)\ndef row_means(x):\n    w = x.sum(1)\n    return w",
    "a method": "def row_means(x): return x.mean(1)",
    "an earlier try": "import torch\ndef row_means(x): return torch.mean(x)\ndef row_means(x): return x.sum(1)",
    "star of another": "from math import *\ndef row_means(x): return fsum(x)",
    "a comment": "def row_means(x):\n    # torch.mean(x)\n    return 'torch.mean'",
    "a cell that cannot run": "def row_means(x): return x.sum(1)\n\0def other(x: return torch.mean(x)",
    "hidden elsewhere": "exec('a = 1')\nimport sys\nprint(getattr(sys, 'path'))\ndef row_means(x): return x.sum(1)",
    "limits of numbers": "import sys\ndef row_means(x): return x.sum(1) / sys.float_info.max",
    "names of its own": """
def row_means(x):
    try:
        compile = [vars for vars in x]
        match compile:
            case [first, *others]:
                locals = {**{"a": first}}
        with open("x") as file:
            return (total := sum(compile)) / len(others)
    except (ValueError, OSError) as problem:
        raise ValueError(problem) from None
""",
    "an own class": """
import dataclasses
@dataclasses.dataclass
class Mean:
    axis: int = 1
    def __call__(self, x): return x.sum(self.axis)
row_means = Mean()
""",
    "replaced import": "from torch import mean as row_means\ndef row_means(x): return x.sum(1)",
    "global": "def row_means(x):\n    global calls\n    calls = 1\n    return x.sum(calls)",
}


@pytest.mark.parametrize("name", ALLOWED)
def test_nothing_else_is_taken_for_forbidden(name):
    assert forbidden_in(ALLOWED[name].split("\0")) == ""


HIDDEN = {
    "getattr": "def row_means(x): return getattr(x, 'me' + 'an')(1)",
    "__import__": "def row_means(x): return __import__('tor' + 'ch').mean(x)",
    "exec": "def row_means(x): exec('import torch')",
    "eval in a helper": "def helper(x): return eval('torch')\ndef row_means(x): return helper(x)",
    "builtins": "import builtins as b\ndef row_means(x): return b.eval('1')",
    "importlib": "from importlib import import_module as load\ndef row_means(x): return load('torch')",
    "sys.modules": "from sys import modules\ndef row_means(x): return modules['torch'].mean(x)",
    "sys itself": "import sys\ndef row_means(x): return [sys][0].modules['torch']",
    "another module's sys": "from course.checks import wire\ndef row_means(x): return wire.sys.modules['torch']",
    "another module's torch": "from safetensors import torch as st\ndef row_means(x): return st.torch.mean(x)",
    "a dunder attribute": "def row_means(x): return ().__class__.__base__.__subclasses__()",
    "frames": "def row_means(x): raise_().gi_frame.f_globals['torch']",
    "an own module": "from mine import means\ndef row_means(x): return means(x)",
    "get_ipython": "def row_means(x): return get_ipython().ev('torch')",
    "pickle": "import pickle\ndef row_means(x): return pickle.loads(b'')",
    "by setattr": "import numpy, torch\nsetattr(numpy, 'm', torch.mean)\ndef row_means(x): return np.m(x)",
    "under the module's name": "import numpy, torch\nnumpy.m = torch.mean\ndef row_means(x): return np.m(x)",
    "imported": "from torch import mean as row_means",
    "not defined anywhere": "x = 1",
    "in a cell that does not parse": "qrs ebj_zrnaf(k): erghea gbepu",
    "a helper that is not": "def row_means(x): return helper(x)",
    "a helper with stars": "from math import *\ndef row_means(x): return helper(x)",
    "too much": "# " + "x" * 500_000 + "\ndef row_means(x): return x",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_hides_is_forbidden_too(name):
    """Where something is forbidden; the reason of the exercise is given."""
    said = forbidden_in([HIDDEN[name]])
    assert "may not be used here: " in said
    assert "this toy" in said


def test_what_hides_may_be_used_where_nothing_is_forbidden():
    code = "def rows(x): return getattr(x, 'sha' + 'pe')[0]"
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    assert first_forbidden([code], "rows", {"torch": "no"}) == ("getattr", "it hides what is called, and no")
    assert "forbidden" not in [p.difference.kind for p in verdict_on(toys.row_means, namespace["rows"]).parts]


def test_hostile_sources_are_only_read():
    for source in ("(" * 100_000, "-" * 50_000 + "1", "\0", "x = " + "[" * 500, "a." * 5000 + "b"):
        assert names_used([source, "import os\ndef f(): return os.sep"], "f") == {"os.sep"}


def test_reading_takes_time_in_proportion():
    """What made a pattern or a recursion take hours."""
    for source in (" " * 190_000 + "x", "%timeit " + " " * 190_000, "a" * 190_000 + "!", "a" + ".b" * 90_000,
                   ("a" + ".b" * 900 + "\n") * 100, "(" * 150 + "x" + ")" * 150, "x = 1;" * 30_000):  # fmt: skip
        start = time.monotonic()
        assert first_forbidden([source, "def f(x): return x"], "f", {"torch": "no"}) is None
        assert time.monotonic() - start < 5


def answered(definition: Any, answer: Any) -> Verdict:
    """The verdict on an answer."""
    return judge(definition.visible_sheet(), lambda script: run_script(script, {definition.name: answer}))


@pytest.mark.parametrize("answer", ["b", "B", " b ", "B ", ["b"], ("B",)])
def test_the_right_answer_in_any_spelling(answer):
    found = answered(toys.one_answer, answer)
    assert (found.status, found.earned, found.notes) == ("passed", 1, ["b: Right: that one."])


@pytest.mark.parametrize("answer", [["a", "c"], ["c", "a"], ("A", " C"), ["a", "c", "a"]])
def test_several_answers_in_any_order(answer):
    found = answered(toys.two_answers, answer)
    assert (found.status, found.earned) == ("passed", 2)
    assert found.notes == ["a: Right: the first.", "c: Right: the third."]


@pytest.mark.parametrize("answer", [None, "", [], (), ...])
@pytest.mark.parametrize("definition", [toys.one_answer, toys.two_answers], ids=lambda d: d.id)
def test_no_answer_is_unsolved(definition, answer):
    assert answered(definition, answer).status == "unsolved"


@pytest.mark.parametrize("answer", ["a", ["a"], ["a", "b"], ["a", "b", "c"]])
def test_wrong_answers_are_explained_and_earn_nothing(answer):
    for definition in (toys.one_answer, toys.two_answers):
        found = answered(definition, answer)
        assert (found.status, found.earned) == ("failed", 0)
        assert found.first.difference.public == "Not the right answer."
        assert len(found.notes) == len(answer)


@pytest.mark.parametrize(
    "answer",
    ["d", "a b", "  ", "b" * 1000, 2, True, ["a", "x"], [1], np.array([1, 2]), np.array(["b"]), {"a": 1}, set("b")],
)
def test_what_is_no_answer_is_told_how_one_looks(answer):
    found = answered(toys.one_answer, answer)
    assert (found.status, found.earned, found.notes) == ("failed", 0, [])
    assert found.first.difference.public == '`one_answer` should be one letter, such as "a". Options: a, b, c.'
    assert 'a list such as ["a", "b"]' in answered(toys.two_answers, answer).first.difference.public


def test_an_answer_that_is_not_there():
    found = judge(toys.one_answer.visible_sheet(), lambda script: run_script(script, {}))
    assert (found.status, found.earned) == ("missing", 0)


def test_hidden_verdicts_tell_no_expected_value():
    found = verdict(toys.row_means, "def row_means(x): return x.sum(axis=1)")
    shown, hidden = (Report(found, reveal=r)._repr_html_() for r in (True, False))
    assert "Expected" in shown
    assert "In the case" in shown
    assert "Expected" not in hidden
    assert "In the case" not in hidden
    assert found.hint.split(".")[0] in hidden


class NoReference:
    """A body without a reference."""

    def cases(rng): ...

    class misconceptions: ...


def toy(**changes: Any) -> Definition:
    """A definition that holds together but for the changes."""

    class thing:
        """A thing."""

        def cases(rng):
            yield case(1)

        def reference(x):
            return x

        class misconceptions: ...

    for name, change in changes.items():
        setattr(thing, name, change)
    return exercise(parts={"values": 1}, minutes=1, source="nobody")(thing)


def test_definitions_that_do_not_hold_together_are_refused():
    with pytest.raises(DefinitionError, match="`reference` is missing"):
        exercise(points=1, minutes=1, source="")(NoReference)
    with pytest.raises(DefinitionError, match="either `points` or `parts`"):
        exercise(minutes=1, source="")(NoReference)
    with pytest.raises(DefinitionError, match="either `points` or `parts`"):
        exercise(points=1, parts={"values": 1}, minutes=1, source="")(NoReference)
    with pytest.raises(DefinitionError, match="not among the options"):
        question(answer="z")(type("q", (), {"a": ("x", "y")}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cases": lambda rng: [case(1, part="other")]}, "`parts` does not list"),
        ({"cases": lambda rng: []}, "no case for values"),
        ({"reference": lambda x: {x}}, "set cannot be sent"),
        ({"cases": lambda rng: [case(len)]}, "builtin_function_or_method cannot be sent"),
        ({"cases": lambda rng: [case(script=[given("ch08.NoSuchClass")])]}, "own object cannot be made.*NoSuchClass"),
    ],
)
def test_sheets_that_could_not_be_judged_are_not_drawn(changes, words):
    with pytest.raises(DefinitionError, match=words):
        toy(**changes).visible_sheet()


def test_scripts_hold_plain_data_and_are_the_same_each_time():
    one, two = (toys.Affine.visible_sheet() for _ in range(2))
    assert sheets.dump("x", "x", [one]) == sheets.dump("x", "x", [two])
    assert type(one.cases[0].script[1]["args"][0]["weight"]).__name__ == "TorchArray"


def test_ids_come_from_the_module_and_unknown_ones_list_the_known():
    assert toys.row_means.id == "ch99.row_means"
    assert find("ch02.project_qkv").name == "project_qkv"
    for unknown, known in [("ch02.nothing", "ch02.project_qkv"), ("ch98.nothing", "ch02_scaled_dot_product")]:
        with pytest.raises(sheets.UnknownExercise, match=known):
            find(unknown)


def test_an_empty_sheet_is_never_passed():
    assert not judge(Sheet("ch99.x", "x", "", 1.0), lambda script: []).passed
