"""Every kind of answer goes through the sandbox: functions, classes, modules, gradients, generators, text, kernels."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from autograder.engine import Engine
from autograder.exercise import Definition, case, exercise
from autograder.grading import grade
from autograder.limits import Limits
from course.checks.compare import close
from course.checks.judge import Verdict
from course.checks.script import grads, items, load, method, new, simulated

FLOAT32 = close(1e-5, 1e-6, why="float32 sums of a few terms")


@exercise(points=1, minutes=1, source="arithmetic")
class countdown:
    """A generator of n, n - 1, ..., 1, and then 1 for ever."""

    def cases(rng):
        for n in (1, int(rng.integers(3, 9))):
            yield case(script=[items("countdown", n, most=12)], label=f"from {n}")

    def reference(n):
        return [max(n - i, 1) for i in range(12)]

    class misconceptions:
        def ends(n):
            """It should go on with 1."""
            return range(n, 0, -1)


@exercise(points=1, minutes=1, source="text")
class words:
    """The words of a text in lower case, and their number."""

    def cases(rng):
        names = ["Ada", "Grace", "Zoë", "日本", "🙂"]
        text = " ".join(names[i] for i in rng.permutation(len(names)))
        yield case(text, label="five words")
        yield case("", label="no words")

    def reference(text):
        found = [w.lower() for w in text.split()]
        return {"tokens": found, "count": len(found)}

    class misconceptions:
        def as_written(text):
            """Lower case is asked for."""
            return {"tokens": text.split(), "count": len(text.split())}


@exercise(points=1, minutes=1, source="torch.nn.Linear")
class Scale:
    """Multiply each feature by a learned number."""

    tolerance = FLOAT32

    def cases(rng):
        x, gain, out = (torch.tensor(rng.standard_normal(s), dtype=torch.float32) for s in [(3, 4), (4,), (3, 4)])
        yield case(script=[new("Scale", 4), load({"gain": gain}), method("__call__", x), grads(out, x)])

    class reference(torch.nn.Module):
        def __init__(self, d):
            super().__init__()
            self.gain = torch.nn.Parameter(torch.ones(d))

        def forward(self, x):
            return torch.einsum("nd,d->nd", x, self.gain)

    class misconceptions:
        class cut_off(torch.nn.Module):
            """The gain gets no gradient."""

            def __init__(self, d):
                super().__init__()
                self.gain = torch.nn.Parameter(torch.ones(d))

            def forward(self, x):
                return x * self.gain.detach()


@exercise(parts={"values": 1, "traffic": 1}, minutes=1, source="Triton's vector addition")
class tripled:
    """Three times a row, by a Triton kernel."""

    tolerance = FLOAT32

    def cases(rng):
        for columns in (1, 64, 100):
            x = torch.tensor(rng.standard_normal((3, columns)), dtype=torch.float32)
            yield case(script=[simulated("tripled", "m22.launch_rows", x)], label=f"{columns} numbers a row")
            limits = {"bytes": 2 * x.nbytes}
            yield case(script=[simulated("tripled", "m22.launch_rows", x, limits=limits)], part="traffic")

    def reference(x):
        return x.double().mul(3).float()

    class misconceptions:
        @triton.jit
        def twice(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """This is twice the row."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            inside = at < columns
            tl.store(out + row * out_row + at, 2 * tl.load(x + row * x_row + at, mask=inside), mask=inside)

        @triton.jit
        def unmasked(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """Mask the load too."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            tl.store(out + row * out_row + at, 3 * tl.load(x + row * x_row + at), mask=at < columns)

        @triton.jit
        def read_twice(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
            """Load each row once and keep it."""
            row, at = tl.program_id(0), tl.arange(0, BLOCK)
            inside = at < columns
            tile = tl.load(x + row * x_row + at, mask=inside)
            tl.store(out + row * out_row + at, 2 * tile + tl.load(x + row * x_row + at, mask=inside), mask=inside)


RIGHT = {
    "countdown": "def countdown(n):\n    while True:\n        yield n\n        n = max(n - 1, 1)",
    "words": "def words(text):\n    t = text.lower().split()\n    return {'count': len(t), 'tokens': tuple(t)}",
    "Scale": """
import torch
class Scale(torch.nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.rand(d))
    def forward(self, x):
        return self.gain * x
""",
    "tripled": """
import triton
import triton.language as tl

THREE = tl.constexpr(3.0)

@triton.jit
def times(x, factor=THREE):
    return factor * x  # a helper

@triton.jit
def tripled(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    inside = at < columns
    tl.store(out + row * out_row + at, times(tl.load(x + row * x_row + at, mask=inside)), mask=inside)
""",
}
WRONG = {
    "a list that is too short": (
        countdown,
        "def countdown(n):\n    return list(range(n, 0, -1))",
        "should have 12 items",
    ),
    "a generator instead of a list": (words, "def words(text):\n    return (w for w in text)", "but it is a generator"),
    "a text instead of a list": (
        words,
        "def words(text):\n    return {'tokens': text.lower(), 'count': len(text.split())}",
        "should be a list, but it is a str",
    ),
    "a module without its parameter": (
        Scale,
        "import torch\nclass Scale(torch.nn.Module):\n    def __init__(self, d):\n        super().__init__()\n"
        "        self.scale = torch.nn.Parameter(torch.ones(d))\n    def forward(self, x):\n"
        "        return x * self.scale",
        "gain",
    ),
    "a kernel with a factor too small": (tripled, RIGHT["tripled"].replace("3.0", "2.0"), "wrong value"),
    "a kernel that stores beside its row": (
        tripled,
        RIGHT["tripled"].replace(", mask=inside)\n", ")\n"),
        "OutOfBounds: program (0, 0, 0), line",
    ),
    "a kernel that races": (tripled, RIGHT["tripled"].replace("row * out_row", "row * 0"), "Race: program (1, 0, 0)"),
    "a kernel that calls Python": (tripled, RIGHT["tripled"].replace("factor * x", "tl.core.sys"), "is not Triton"),
    "a function that is no kernel": (tripled, "def tripled(*args): pass", "write @triton.jit above its def"),
}


@pytest.fixture(scope="module")
def engine():
    with Engine() as engine:
        yield engine


def verdict(engine: Engine, definition: Definition, text: str) -> Verdict:
    """The hidden verdict on an answer cell."""
    with engine.student(Limits()) as student:
        student.run_cell(text)
        return grade(definition, student, 7, [text], set())


@pytest.mark.slow
@pytest.mark.parametrize("definition", [countdown, words, Scale, tripled], ids=lambda d: d.name)
def test_right_answers_of_every_kind_pass(engine: Engine, definition: Definition) -> None:
    """A tuple for a list, another order of keys, another initial value: as good."""
    found = verdict(engine, definition, RIGHT[definition.name])
    assert found.passed, found


@pytest.mark.slow
def test_known_mistakes_in_kernels_have_their_hints(engine: Engine) -> None:
    """Wrong values, what the simulator finds, and right values that moved too much."""
    right = RIGHT["tripled"]
    twice = verdict(engine, tripled, right.replace("3.0", "2.0"))
    unmasked = verdict(engine, tripled, right.replace(", mask=inside))", "))"))
    again = "times(tl.load(x + row * x_row + at, mask=inside)) + 0 * tl.load(x + row * x_row + at, mask=inside)"
    wasteful = verdict(engine, tripled, right.replace("times(tl.load(x + row * x_row + at, mask=inside))", again))
    assert [v.hint for v in (twice, unmasked, wasteful)] == list(tripled.hints.values())
    assert [v.earned for v in (twice, unmasked, wasteful)] == [0, 0, 1]
    assert "moved 36 bytes" in wasteful.first.difference.public


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_of_every_kind_fail_with_the_reason(engine: Engine, name: str) -> None:
    """Types, containers and parameters are told apart on the far side too."""
    definition, text, said = WRONG[name]
    found = verdict(engine, definition, text)
    assert found.earned == 0
    assert said in found.first.difference.public
