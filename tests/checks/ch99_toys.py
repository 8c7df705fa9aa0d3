"""A lesson of toy exercises, one of each kind: the tests of the checks are about these, not about a real lesson."""

import numpy as np
import torch

from autograder.exercise import case, exercise, question
from course.checks.compare import close
from course.checks.script import attribute, grads, load, method, new

TITLE = "Toys"


@exercise(
    parts={"values": 2, "bad input": 1},
    minutes=3,
    source="arithmetic",
    forbids={"torch": "this toy is about NumPy", "numpy.mean": "this toy builds the mean itself"},
)
class row_means:
    """The mean of each row."""

    tolerance = close(1e-6, 1e-8, why="a float32 solution rounds sums of a few terms")

    def cases(rng):
        for shape in [(1, 1), (2, 3), (4, 2)]:
            yield case(rng.standard_normal(shape) + 1, label=f"{shape[0]} rows")
        yield case(rng.standard_normal(3), label="one axis only", part="bad input")

    def reference(x):
        if x.ndim != 2:
            raise ValueError("x should have two axes")
        return np.array([sum(row) / len(row) for row in x])

    class misconceptions:
        def of_the_columns(x):
            """These are the means of the columns; a row's mean runs over its columns (axis 1)."""
            return x.mean(axis=0)

        def not_divided(x):
            """This is the sum of each row. Divide it by the number of columns."""
            return x.sum(axis=1)

        def divided_by_rows(x):
            """You divide by the number of rows; a row's mean is over its columns."""
            return x.sum(axis=1) / len(x)

        def changes_its_input(x):
            """You divide x itself: `x /= n` changes the caller's array."""
            x /= x.shape[1]
            return x.sum(axis=1)

        def helper_missing(x):
            """You call `np.average_rows`, which NumPy does not have."""
            return np.average_rows(x)


@exercise(points=2, minutes=3, source="arithmetic")
class Counter:
    """A counter that starts at a number and adds."""

    def cases(rng):
        start, step = int(rng.integers(1, 9)), int(rng.integers(1, 9))
        script = [new("Counter", start), method("add", step), method("add", -1), attribute("total")]
        yield case(script=script, label="two additions")

    class reference:
        def __init__(self, start):
            self.total = start

        def add(self, n):
            self.total += n
            return self

    class misconceptions:
        class forgets_the_start:
            """You begin at 0 and not at `start`."""

            def __init__(self, start):
                self.total = 0

            def add(self, n):
                self.total += n

        class forgets_the_sum:
            """Each call of `add` replaces the total. Add to it: `self.total += n`."""

            def __init__(self, start):
                self.total = start

            def add(self, n):
                self.total = n


def _linear(forward):
    class Linear(torch.nn.Module):
        def __init__(self, d_in, d_out):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(d_out, d_in))
            self.bias = torch.nn.Parameter(torch.zeros(d_out))

    Linear.forward = forward
    return Linear


@exercise(points=3, minutes=5, source="torch.nn.Linear")
class Affine:
    """A linear layer with a bias."""

    tolerance = close(1e-5, 1e-6, why="float32 sums")

    def cases(rng):
        for n, d_in, d_out in [(1, 2, 2), (3, 4, 2)]:
            x, weight, bias, out = (
                torch.tensor(rng.standard_normal(s), dtype=torch.float32)
                for s in [(n, d_in), (d_out, d_in), (d_out,), (n, d_out)]
            )
            script = [new("Affine", d_in, d_out), load({"weight": weight, "bias": bias}), method("__call__", x)]
            yield case(script=[*script, grads(out, x)], label=f"{n} rows")

    reference = _linear(lambda self, x: torch.einsum("ni,oi->no", x, self.weight) + self.bias)

    class misconceptions:
        bias_left_out = _linear(lambda self, x: x @ self.weight.T)
        bias_left_out.__doc__ = "The bias is not added."
        weight_cut_off = _linear(lambda self, x: x @ self.weight.detach().T + self.bias)
        weight_cut_off.__doc__ = "`detach` cuts the weight off: it gets no gradient and never learns."
        result_cut_off = _linear(lambda self, x: (x @ self.weight.T + self.bias).detach())
        result_cut_off.__doc__ = "`detach` cuts the result off: nothing gets a gradient."


@question(answer="b")
class one_answer:
    """Which one?"""

    a = ("This one.", "No, not this one.")
    b = ("That one.", "Right: that one.")
    c = ("None.", "No, there is one.")


@question(answer=["a", "c"], points=2)
class two_answers:
    """Which ones?"""

    a = ("The first.", "Right: the first.")
    b = ("The second.", "No, not the second.")
    c = ("The third.", "Right: the third.")
