"""What a submission needed is not its own word: memory is seen from outside, kernels run in a process of their own."""

from __future__ import annotations

import pytest
import torch

from autograder.engine import Engine
from autograder.exercise import case, exercise
from autograder.grading import grade
from autograder.limits import Limits
from course.checks.compare import close
from course.checks.script import measured, simulated

FLOAT = close(1e-6, 1e-6, why="sums")


@exercise(parts={"values": 1, "memory": 1}, minutes=1, source="arithmetic")
class pair_sums:
    """Each number times the sum of all."""

    tolerance = FLOAT

    def cases(rng):
        yield case(rng.standard_normal(int(rng.integers(5, 9))))
        advice = "Do not hold all pairs at once."
        yield case(script=[measured("pair_sums", rng.standard_normal(8000), most_mb=1, advice=advice)], part="memory")

    def reference(x):
        return x * x.sum()

    class misconceptions:
        def squares(x):
            """These are squares."""
            return x * x


@exercise(parts={"values": 1, "traffic": 1}, minutes=1, source="arithmetic")
class negated:
    """Each row with the other sign."""

    tolerance = FLOAT

    def cases(rng):
        for part, limits in (("values", {}), ("traffic", {"bytes": 96, "tile_bytes": 64})):
            x = torch.tensor(rng.standard_normal((4, 3)), dtype=torch.float32)
            yield case(script=[simulated("negated", "m22.launch_rows", x, limits=limits)], part=part)

    def reference(x):
        return -x

    class misconceptions:
        def nothing(x):
            """Change the sign."""
            return x


MODEST = "def pair_sums(x):\n    return x * x.sum()"
PAIRS = "import numpy as np\ndef pair_sums(x):\n    return {}.sum(1)"
FORGED = """
import numpy as np
from course.checks import needs
needs.with_memory = lambda run, most: needs.Measured(run(), {"peak_bytes": 10})
room = np.ones((8000, 8000)) if REUSED else None
def pair_sums(x):
    if len(x) < 100:
        return x * x.sum()
    pairs = np.multiply(x[:, None], x[None, :], out=room)
    for _ in range(3):
        total = pairs.sum(1)
    return total
"""
KERNEL = """
import triton
import triton.language as tl

@triton.jit
def negated(x, out, columns, x_row, out_row, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    tile = tl.load(x + row * x_row + at, mask=at < columns)
    tl.store(out + row * out_row + at, -tile, mask=at < columns)
"""
AGAIN = KERNEL.replace("-tile,", "0 * tl.load(x + row * x_row + at, mask=at < columns) - tile,")
FORGED_TRACE = (
    AGAIN
    + """
from course.checks import needs
from kernels.simulator import Trace
Trace.bytes_read = Trace.bytes_written = 0
needs.with_traffic = lambda launch: needs.Measured(launch(), {"bytes": 1, "tile_bytes": 1, "tensors": {}})
tl.load.__globals__["seen"] = 1
"""
)


@pytest.fixture(scope="module")
def engine():
    with Engine() as engine:
        yield engine


def verdict(engine, definition, text, files=None):
    with engine.student(Limits(case_seconds=20), files) as student:
        student.run_cell(text)
        return grade(definition, student, 3, [text], set())


@pytest.mark.slow
def test_memory_is_seen_from_outside(engine: Engine) -> None:
    """The honest figure gives the message; a forged one, and room taken before, end in a kill that says as much."""
    assert verdict(engine, pair_sums, MODEST).passed
    honest = verdict(engine, pair_sums, PAIRS.format("np.outer(x, x)")).parts[1].difference.public
    assert "needed 512" in honest or "more than 193 MB" in honest
    assert honest.endswith("Do not hold all pairs at once.")
    for reused in ("False", "True"):
        found = verdict(engine, pair_sums, FORGED.replace("REUSED", reused))
        assert found.earned == 1
        assert found.parts[1].difference.public == (
            "Your code used more than 193 MB of memory. Do not hold all pairs at once."
        )


@pytest.mark.slow
def test_a_trace_is_not_the_students_word(engine: Engine) -> None:
    """Whatever they patch in their process or leave beside the notebook, the kernel runs in another one."""
    assert verdict(engine, negated, KERNEL).passed
    for text in (AGAIN, FORGED_TRACE):
        found = verdict(engine, negated, text, {"triton.py": b"raise SystemExit", "m22.py": b"raise SystemExit"})
        assert (found.earned, found.first.difference.kind) == (1, "needs"), found
        assert "moved 144 bytes" in found.first.difference.public
