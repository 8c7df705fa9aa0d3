"""Every kind of answer goes through the sandbox: functions, classes, modules, gradients, generators, text, kernels."""

from __future__ import annotations

import pytest
import torch

from autograder.engine import Engine
from autograder.exercise import Definition, case, exercise
from autograder.grading import grade
from autograder.limits import Limits
from course.checks.compare import close
from course.checks.judge import Verdict
from course.checks.script import grads, items, load, method, new

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


@exercise(points=1, minutes=1, source="Triton's vector addition")
class tripled:
    """Three times a vector, by a Triton kernel."""

    tolerance = FLOAT32

    def cases(rng):
        for n in (1, 64, 100):
            yield case(torch.tensor(rng.standard_normal(n), dtype=torch.float32), label=f"{n} numbers")

    def reference(x):
        return x.double().mul(3).float()

    class misconceptions:
        def twice(x):
            """This is twice the vector."""
            return 2 * x


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
import torch
import triton
import triton.language as tl
from kernels.simulator import simulate

@triton.jit
def _kernel(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, 3 * tl.load(x + at, mask=at < n), mask=at < n)

def tripled(x):
    y = torch.empty_like(x)
    simulate(_kernel, (triton.cdiv(len(x), 32),))(x, y, len(x), BLOCK=32)
    return y
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
    "a kernel that forgets a block": (tripled, RIGHT["tripled"].replace("triton.cdiv(len(x), 32)", "1"), "wrong value"),
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
@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_of_every_kind_fail_with_the_reason(engine: Engine, name: str) -> None:
    """Types, containers and parameters are told apart on the far side too."""
    definition, text, said = WRONG[name]
    found = verdict(engine, definition, text)
    assert found.earned == 0
    assert said in found.first.difference.public
