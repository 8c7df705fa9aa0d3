"""The runner carries out every kind of step on student code, and tells what came as plain data."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
import torch

from course.checks import runner, wire
from course.checks.runner import answer, plain, run_script
from course.checks.script import attribute, call, failing, given, grads, held, load, method, new, value
from course.checks.wire import Opaque, TorchArray


def student(code: str, **names: Any) -> dict[str, Any]:
    """The namespace after running a student's code, as if typed into a cell."""
    namespace = {"np": np, "torch": torch, **names}
    exec(compile(code, "<string>", "exec"), namespace)
    return namespace


def outcome(step: dict[str, Any], namespace: dict[str, Any]) -> dict[str, Any]:
    """The outcome of a script of one step."""
    (only,) = run_script([step], namespace)
    return only


def test_call_gives_the_functions_value():
    namespace = student("def f(a, b=1): return [a + b, None, (a,)]")
    assert outcome(call("f", 2, b=3), namespace) == {"value": [5, None, (2,)], "changed": []}


LEAVES = """
class Box:
    def __init__(self): self.left = 0
box = Box()
def f(x):
    box.left += 1
    if x < 0: raise ValueError("negative")
"""


def test_a_failure_is_a_value_and_the_script_goes_on():
    script = [failing("f", -1), failing("f", 1), value("left"), call("f", -1), value("left")]
    namespace = student(LEAVES)
    outcomes = run_script(script, namespace | {"left": 7})
    assert [o.get("value") for o in outcomes] == ["ValueError", "no error", 7, None]
    assert outcomes[-1]["raised"] == "ValueError"
    assert namespace["box"].left == 3


def test_what_is_not_there_or_not_written_yet_is_no_failure():
    assert outcome(failing("f"), {}) == {"missing": "f"}
    assert outcome(failing("f"), student("def f(): raise NotImplementedError"))["raised"] == "NotImplementedError"


def test_value_reads_a_variable():
    assert outcome(value("answer"), {"answer": "b"}) == {"value": "b", "changed": []}


COUNTER = """
class Counter:
    def __init__(self, start, step=1):
        self.total, self.step = start, step
    def add(self, times=1):
        self.total += times * self.step
        return self
    def __call__(self, x):
        return x + self.total
    def items(self):
        return [self.total]
"""


def test_an_object_keeps_its_state_between_steps():
    script = [
        new("Counter", 5, step=2),
        method("add", 3),
        attribute("total"),
        method("__call__", 1),
        new("Counter", 0, handle="other"),
        method("add", handle="other"),
        method("items", handle="other"),
        attribute("total"),
    ]
    values = [o["value"] for o in run_script(script, student(COUNTER))]
    assert values == [None, None, 11, 12, None, None, [1], 11]


def test_each_run_begins_with_a_new_object():
    namespace = student(COUNTER)
    script = [new("Counter", 1), method("add"), attribute("total")]
    assert run_script(script, namespace) == run_script(script, namespace)


MODULE = """
class Gate(torch.nn.Module):
    def __init__(self, d):
        super().__init__()
        self.inner = torch.nn.Linear(d, d)
        self.unused = torch.nn.Parameter(torch.ones(1))
    def forward(self, x, scale=1.0):
        return scale * torch.tanh(self.inner(x)) * x
"""


@pytest.fixture
def gate():
    """A module's namespace, its weights, an input, and the weights of the sum whose gradient is asked for."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    state = {"inner.weight": draw(3, 3), "inner.bias": draw(3), "unused": torch.ones(1)}
    return student(MODULE), state, draw(2, 3), draw(2, 3)


def test_a_module_takes_weights_runs_and_gives_gradients(gate):
    namespace, state, x, out = gate
    script = plain([new("Gate", 3), load(state), method("__call__", x, scale=2.0), grads(out, x, scale=2.0)])
    _, _, forward, gradients = run_script(script, namespace)
    module, x = namespace["Gate"](3), x.clone().requires_grad_()
    module.load_state_dict(state)
    expected = module(x, scale=2.0)
    (expected * out).sum().backward()
    np.testing.assert_allclose(forward["value"].array, expected.detach(), rtol=1e-6)
    assert gradients["changed"] == []
    np.testing.assert_allclose(gradients["value"]["inputs"][0].array, x.grad, rtol=1e-6)
    parameters = gradients["value"]["parameters"]
    assert list(parameters) == ["unused", "inner.weight", "inner.bias"]
    assert parameters["unused"] is None
    np.testing.assert_allclose(parameters["inner.weight"].array, module.inner.weight.grad, rtol=1e-6)
    np.testing.assert_allclose(parameters["inner.bias"].array, module.inner.bias.grad, rtol=1e-6)


def test_gradients_do_not_add_up_over_steps(gate):
    namespace, state, x, out = gate
    outcomes = run_script(plain([new("Gate", 3), load(state), grads(out, x), grads(out, x)]), namespace)
    first, second = (o["value"]["parameters"]["inner.bias"].array for o in outcomes[2:])
    np.testing.assert_array_equal(first, second)


def test_gradients_of_a_function_and_of_no_integer():
    namespace = student("def f(x, i, y): return x[i] * y.detach()")
    x, i, y = torch.tensor([1.0, 2.0]), torch.tensor(1), torch.tensor(3.0)
    got = outcome(plain(grads(2.0, x, i, y, name="f")), namespace)["value"]
    assert got["parameters"] == {}
    assert got["inputs"][0].array.tolist() == [0.0, 6.0]
    assert got["inputs"][1] is None
    assert len(got["inputs"]) == 2


def test_gradients_of_nested_parameters():
    namespace = student("def f(i, p, n): return p['blocks'][0]['w'][i] * n + p['embed'].detach() ** 2")
    p = {"embed": torch.tensor([1.0, 2.0]), "heads": 3, "blocks": [{"w": torch.tensor([4.0, 5.0, 6.0])}, {}]}
    got = outcome(plain(grads(torch.tensor([1.0, 10.0]), torch.tensor([2, 0]), p, 7.0, name="f")), namespace)["value"]
    assert len(got["inputs"]) == 1
    assert got["inputs"][0]["embed"] is None
    assert got["inputs"][0]["blocks"][0]["w"].array.tolist() == [70.0, 0.0, 7.0]
    assert list(got["inputs"][0]) == ["embed", "blocks"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return x.detach().numpy()", "should be a torch.Tensor, but it is of type ndarray"),
        ("return x, x", "should be a torch.Tensor, but it is of type tuple"),
        ("return x.sum()", r"should have shape \(2,\), but it has \(\)"),
        ("return x.detach()", "does not require grad"),
    ],
)
def test_a_wrong_output_is_said_before_its_gradient(body, words):
    step = plain(grads(torch.ones(2), torch.ones(2), name="f"))
    got = outcome(step, student(f"def f(x): {body}"))
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(got["message"])


def test_weights_of_another_shape_are_an_error_of_the_students(gate):
    namespace, state, _, _ = gate
    got = run_script(plain([new("Gate", 4), load(state)]), namespace)
    assert got[1]["raised"] == "RuntimeError"
    assert "size mismatch" in got[1]["message"]


CHANGES = {
    "x[0] = 9": ["0"],
    "y.append(1)": ["1"],
    "k['a'][0] = 9": ["k"],
    "t.add_(1)": ["t"],
    "x.resize((2, 2), refcheck=False)": ["0"],
    "x[:] = 7; y.clear(); k.clear(); t.zero_()": ["0", "1", "k", "t"],
    "y.append(y)": ["1"],
    "y.append(object())": ["1"],
    "y.append([0] * 1_000_000)": ["1"],
    "x = x + 1; y = [*y, 1]; t = t + 1": [],
    "x.sort()": [],
}


@pytest.mark.parametrize("body", CHANGES)
def test_arguments_changed_in_place_are_named(body):
    namespace = student(f"def f(x, y, *, k, t):\n    {body}\n    return 1")
    step = call("f", np.arange(3.0), [[1, 2]], k={"a": np.zeros(2)}, t=TorchArray(np.ones(2), "float64"))
    assert outcome(step, namespace) == {"value": 1, "changed": CHANGES[body]}


def test_nested_arguments_changed_in_place():
    namespace = student("def f(x):\n    x[1]['w'][0] += 1")
    step = call("f", [1, {"w": np.zeros(2)}])
    assert outcome(step, namespace)["changed"] == ["0"]


def test_arguments_are_fresh_copies_each_time():
    namespace = student("seen = []\ndef f(x):\n    seen.append(x.tolist())\n    x[:] = 0")
    step = call("f", np.array([1.0, 2.0]))
    outcome(step, namespace)
    outcome(step, namespace)
    assert namespace["seen"] == [[1.0, 2.0], [1.0, 2.0]]


def test_a_returned_view_does_not_follow_later_changes():
    namespace = student("kept = np.zeros(2)\ndef f():\n    kept[0] += 1\n    return kept")
    first, second = run_script([call("f"), call("f")], namespace)
    assert first["value"].tolist() == [1, 0]
    assert second["value"].tolist() == [2, 0]


@pytest.mark.parametrize("step", [call("f"), new("f"), value("f"), grads(1.0, name="f")])
def test_a_missing_name_is_told_and_ends_the_run(step):
    assert run_script([step, call("len", [1])], {"len": len}) == [{"missing": "f"}]


def test_the_run_ends_at_the_first_error():
    namespace = student("def f(x): return 1 // x")
    assert [*map(list, run_script([call("f", 1), call("f", 0), call("f", 1)], namespace))] == [
        ["value", "changed"],
        ["raised", "bases", "message", "where"],
    ]


def test_an_error_says_where_in_the_students_own_code():
    code = "import json\n\ndef inner(x):\n    return json.loads(x)\n\ndef f(x):\n    return inner(x)\n"
    got = outcome(call("f", "{"), student(code))
    assert got["raised"] == "JSONDecodeError"
    assert got["bases"] == ["JSONDecodeError", "ValueError", "Exception", "BaseException", "object"]
    assert got["message"].startswith("Expecting property name")
    assert got["where"] == "line 4"


def test_frames_of_pythons_own_importer_are_not_the_students():
    got = outcome(call("f"), student("\n\ndef f():\n    import there_is_no_such_module"))
    assert got["where"] == "line 4"


def test_an_error_in_a_librarys_call_has_no_place():
    got = outcome(call("f", "x"), {"f": int})
    assert (got["raised"], got["where"]) == ("ValueError", "")


def test_attributes_and_methods_that_are_not_there():
    got = run_script([new("Counter", 1), method("substract", 1)], student(COUNTER))
    assert got[1]["raised"] == "AttributeError"
    assert "substract" in got[1]["message"]


@pytest.mark.parametrize("what", ["SystemExit", "BaseException", "GeneratorExit", "RecursionError", "MemoryError"])
def test_no_error_of_the_students_ends_the_check(what):
    got = outcome(call("f"), student(f"def f(): raise {what}('enough')"))
    assert (got["raised"], got["message"], got["where"]) == (what, "enough", "line 1")


def test_an_interrupt_is_the_persons_own():
    with pytest.raises(KeyboardInterrupt):
        outcome(call("f"), student("def f(): raise KeyboardInterrupt"))


def test_errors_that_cannot_be_read():
    code = "class Odd(Exception):\n    def __str__(self): raise ValueError\ndef f(): raise Odd\n"
    got = outcome(call("f"), student(code))
    assert (got["raised"], got["message"]) == ("Odd", "(an error whose message cannot be read)")
    got = outcome(call("f"), student("def f(): raise ValueError('\\ud800' + 'x' * 10_000)"))
    assert got["message"] == "?" + "x" * (runner.MAX_MESSAGE - 1)


def test_endless_recursion_is_an_error_like_any_other():
    assert outcome(call("f"), student("def f(): return f()"))["raised"] == "RecursionError"


def ask(script: list, namespace: dict[str, Any], **oracle: list) -> Any:
    """One request, as the grader sends it."""
    request = wire.decode(wire.encode({"script": script, "oracle": oracle}))
    return wire.decode(wire.encode(answer(request, namespace)))


def test_it_answers_with_outcomes_and_keeps_quiet():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        reply = ask([call("f", 1)], student("def f(x):\n    print('\\ud800 hello')\n    return x + 1"))
    assert reply == {"outcomes": [{"value": 2, "changed": []}]}
    assert printed.getvalue() == ""


def test_serve_says_what_is_too_large():
    reply = ask([call("f")], student("def f(): return np.broadcast_to(0.0, (1 << 20, 1 << 20))"))
    assert reply["outcomes"][0]["value"] == Opaque("a value of more than 256 MiB")


USES = "def helper(x, k=0): return 'mine'\ndef f(x): return [helper(x), helper(x, k=1)]"


def test_stand_ins_ask_until_they_know_and_then_replay():
    namespace = student(USES)
    mine = namespace["helper"]
    x = np.array([1.0, 2.0])
    known: list = []
    for kwargs in ({}, {"k": 1}):
        wanted = ask([call("f", x)], namespace, helper=known)["wanted"]
        assert wanted["name"] == "helper"
        args, got = wanted["args"]
        assert got == kwargs
        np.testing.assert_array_equal(args[0], x)
        known.append([args, got, f"supplied {len(known)}"])
        assert namespace["helper"] is mine
    assert ask([call("f", x)], namespace, helper=known)["outcomes"][0]["value"] == ["supplied 0", "supplied 1"]
    assert namespace["helper"] is mine


def test_stand_ins_for_names_that_the_student_never_defined_go_away_again():
    namespace = student("def f(x): return helper(x)")
    assert ask([call("f", 1)], namespace, helper=[[[1], {}, 5]]) == {"outcomes": [{"value": 5, "changed": []}]}
    assert "helper" not in namespace


def test_the_namespace_is_restored_after_an_error_and_after_a_reassignment():
    namespace = student("def helper(x): ...\ndef f(x):\n    global helper\n    helper = 3\n    raise SystemExit")
    mine = namespace["helper"]
    assert ask([call("f", 1)], namespace, helper=[])["outcomes"][0]["raised"] == "SystemExit"
    assert namespace["helper"] is mine


def test_student_code_cannot_swallow_a_question():
    code = "def f(x):\n    try:\n        return helper(x)\n    except:\n        return 'swallowed'"
    namespace = student(code)
    assert ask([call("f", 1)], namespace, helper=[])["wanted"] == {"name": "helper", "args": [[1], {}]}
    assert ask([call("f", 1)], namespace, helper=[[[1], {}, 2]])["outcomes"][0]["value"] == 2


class Held:
    """Stands for an object of the course's own."""


def test_a_stand_in_is_asked_with_the_handle_of_an_object(monkeypatch):
    monkeypatch.setattr("course.supplied.ch01.Held", Held, raising=False)
    script = [given("ch01.Held", handle="model"), call("f", held("model"), 1)]
    namespace = student("def f(it, x): return helper(it, k=it) + x")
    wanted = ask(script, namespace, helper=[])["wanted"]
    assert wanted["args"] == [[held("model")], {"k": held("model")}]
    args, kwargs = runner.with_held(script, *wanted["args"])
    assert type(args[0]) is Held
    assert args[0] is kwargs["k"]
    reply = ask(script, namespace, helper=[[*wanted["args"], 41]])
    assert reply["outcomes"][1]["value"] == 42


def test_handles_of_the_students_own_objects_are_not_to_be_had():
    with pytest.raises(KeyError):
        runner.with_held([new("Counter", 1)], [held()], {})


def test_stand_ins_give_fresh_answers_and_know_tensors():
    namespace = student("def f(t):\n    a = helper(t)\n    a += 1\n    return helper(t)")
    t = torch.ones(2, dtype=torch.bfloat16)
    wanted = ask([call("f", t)], namespace, helper=[])["wanted"]
    args, kwargs = wanted["args"]
    assert args[0].dtype == "bfloat16"
    reply = ask([call("f", t)], namespace, helper=[[args, kwargs, torch.zeros(2)]])
    assert reply["outcomes"][0]["value"].array.tolist() == [0, 0]


def test_a_function_gets_the_courses_own_object():
    namespace = student("def f(i, cache):\n    return cache.append(0, torch.ones(1, 1, 2), torch.zeros(1, 1, 2))[0]")
    calls = [call("f", 3, held("cache")), call("f", 3, cache=held("cache"))]
    looks = [method("length", handle="cache"), attribute("keys", handle="cache")]
    script = [given("ch08.KVCache", 1, 1, 2, handle="cache"), *calls, *looks]
    outcomes = run_script(plain(script), namespace)
    assert [o["changed"] for o in outcomes] == [[]] * 5
    assert outcomes[0]["value"] is None
    assert [o["value"].array.shape for o in outcomes[1:3]] == [(1, 1, 2), (1, 2, 2)]
    assert outcomes[3]["value"] == 2
    assert outcomes[4]["value"][0].array.tolist() == [[[1, 1], [1, 1]]]
