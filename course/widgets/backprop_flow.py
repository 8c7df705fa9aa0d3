"""A tiny network, forward to its loss and back again one step at a time, with all numbers (m02)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from course import plots
from course.supplied import m02
from course.widgets.base import Card, Drawn, Driven, Stepper, column, slider
from course.widgets.views import Flow, Heatmap, number_text

X = np.array([[1.0, -0.5, 2.0], [-1.0, 1.5, 0.5]])
TARGETS = np.array([2, 0])
W_1 = np.array([[0.8, -0.6, 0.5, -1.0], [-0.4, 0.7, 0.9, 0.3], [0.5, 0.4, -0.8, -0.7]])
B_1 = np.array([0.1, -0.2, 0.3, 0.0])
W_2 = np.array([[0.9, -0.7, 0.4], [-0.5, 0.8, 0.6], [0.7, 0.3, -0.9], [-0.3, 0.5, 0.2]])
B_2 = np.array([0.0, 0.1, -0.1])
STEPS = ["the batch", "first linear layer", "ReLU", "second linear layer", "softmax and loss", "back to the logits",
         "back through the second layer", "back through the ReLU", "back through the first layer"]  # fmt: skip
# name -> (column, row, step, axes); what has no axes of its own is a parameter, there from the start.
PLACES = {
    "w1": (1, 0, 1, ("input", "unit")), "b1": (2, 0, 1, ("", "unit")),
    "w2": (3, 0, 3, ("unit", "class")), "b2": (4, 0, 3, ("", "class")),
    "x": (0, 1, 0, ("example", "input")), "z": (1, 1, 1, ("example", "unit")), "a": (2, 1, 2, ("example", "unit")),
    "logits": (3, 1, 3, ("example", "class")), "loss": (4, 1, 4, ("", "")),
    "grad x": (0, 2, 8, ("example", "input")), "grad z": (1, 2, 7, ("example", "unit")),
    "grad a": (2, 2, 6, ("example", "unit")), "grad logits": (3, 2, 5, ("example", "class")),
    "grad w1": (1, 3, 8, ("input", "unit")), "grad b1": (2, 3, 8, ("", "unit")),
    "grad w2": (3, 3, 6, ("unit", "class")), "grad b2": (4, 3, 6, ("", "class")),
}  # fmt: skip
SHOWN = ["x", "z", "a", "logits", "loss", "grad logits", "grad a", "grad z", "grad x"]  # at each step
# source, target, step; "weak" arrows say what was kept on the way forward and is used again.
ARROWS = [
    ("x", "z", 1, "flow"), ("w1", "z", 1, "flow"), ("b1", "z", 1, "weak"), ("z", "a", 2, "flow"),
    ("a", "logits", 3, "flow"), ("w2", "logits", 3, "flow"), ("b2", "logits", 3, "weak"), ("logits", "loss", 4, "flow"),
    ("loss", "grad logits", 5, "flow"), ("grad logits", "grad a", 6, "flow"), ("grad logits", "grad w2", 6, "flow"),
    ("grad logits", "grad b2", 6, "flow"), ("grad a", "grad z", 7, "flow"), ("z", "grad z", 7, "weak"),
    ("grad z", "grad x", 8, "flow"), ("grad z", "grad w1", 8, "flow"), ("grad z", "grad b1", 8, "flow"),
]  # fmt: skip
NOTES = [
    "Two examples, three inputs each. Each example is a row.",
    "z = x w1 + b1: each example gets four numbers, one for each hidden unit.",
    "a = max(z, 0): units below 0 fall silent.",
    "logits = a w2 + b2: a score for each of three classes.",
    "The loss is the mean over both examples of minus the log of the right class's probability: {loss}.",
    "Probability minus truth, divided by 2 examples. Each row sums to 0; the right classes are negative.",
    "grad a is grad logits times w2 turned round; w2 and b2 get sums over both examples.",
    "The gradient passes where z was above 0. Elsewhere it is 0, whatever comes back.",
    "x, w1 and b1 get theirs in the same way. A silent unit's column of grad w1 gets nothing from that example.",
]


class BackpropFlow(Card):
    """The widget; each function is the student's, or None for the course's own. Each is given the right inputs."""

    def __init__(
        self, forward: Callable[..., Any] | None = None, backward: Callable[..., Any] | None = None,
        relu: Callable[..., Any] | None = None, softmax: Callable[..., Any] | None = None,
    ):  # fmt: skip
        self.forward = Driven(forward, m02.linear_forward, "linear_forward")
        self.backward = Driven(backward, m02.linear_backward, "linear_backward")
        self.relu = Driven(relu, m02.relu_backward, "relu_backward")
        self.softmax = Driven(softmax, m02.softmax_cross_entropy_backward, "softmax_cross_entropy_backward")
        self.first = slider(X[0, 0], -3.0, 3.0, 0.25, "first input of example 1")
        self.stepper = Stepper(names=STEPS)
        self.flow = Flow(
            title="There and back",
            description="Boxes for x, z, a, logits and loss from left to right; below each its gradient, from right to "
            "left; gradients of weights and biases branch off at the bottom",
        )
        self.table = Heatmap(signed=True, legend=False, digits=2)
        beside = column([self.table])
        beside.layout.flex = "0 1 280px"
        super().__init__("Gradients on their way back", [self.stepper, self.first], [self.flow, beside])
        self.chosen = ""
        self.listen(self.stepper, "step", lambda _: self._choose(""))
        self.listen(self.first, "value", lambda _: None)
        self.listen(self.flow, "selected", self._choose)
        self.redraw()

    def _choose(self, name: str) -> None:
        """A click on a box shows its numbers; on the same box once more, those of the step."""
        self.chosen = name

    @property
    def x(self) -> np.ndarray:
        """The batch."""
        x = X.copy()
        x[0, 0] = self.first.value
        return x

    def compute(self) -> dict[str, tuple[Drawn, int]]:
        """For each box what was drawn, and which of its items it is."""
        x = self.x
        z = self.forward(x, W_1, B_1)
        a = np.maximum(z.expected[0], 0)
        logits = self.forward(a, W_2, B_2)
        g = self.softmax(logits.expected[0], TARGETS)
        second = self.backward(g.expected[0], a, W_2)
        grad_z = self.relu(second.expected[0], z.expected[0])
        first = self.backward(grad_z.expected[0], x, W_1)
        loss = np.array(m02.mean_loss(logits.expected[0], TARGETS))
        given = {"x": x, "w1": W_1, "b1": B_1, "w2": W_2, "b2": B_2, "a": a, "loss": loss}
        found = {name: (Drawn((v,), "yours", "", (v,)), 0) for name, v in given.items()}
        found |= {"z": (z, 0), "logits": (logits, 0), "grad logits": (g, 0), "grad z": (grad_z, 0)}
        found |= {name: (second, i) for i, name in enumerate(("grad a", "grad w2", "grad b2"))}
        return found | {name: (first, i) for i, name in enumerate(("grad x", "grad w1", "grad b1"))}

    def redraw(self) -> None:
        """Compute everything, light the current step, show one box's numbers."""
        found, step = self.compute(), self.stepper.step
        shown = self.chosen or SHOWN[step]
        loss = number_text(found["loss"][0].values[0])
        drawn = [one for one, _ in found.values()]
        self.flow.show(
            boxes=[self._box(name, *found[name]) for name in PLACES], step=step, selected=shown,
            arrows=[{"source": s, "target": t, "step": k, "kind": kind} for s, t, k, kind in ARROWS],
            note=NOTES[step].format(loss=loss), greyed=any(one.source == "course" for one in drawn),
        )  # fmt: skip
        self._show_numbers(shown, *found[shown])
        self.say(_whose(drawn))

    @staticmethod
    def _box(name: str, drawn: Drawn, item: int) -> dict[str, Any]:
        x, y, step, _ = PLACES[name]
        values = np.asarray(drawn.values[item], float)
        role = "key" if name.startswith("grad") else "value" if y == 0 else "query"
        return {
            "name": name, "label": name, "x": x, "y": y, "width": 1, "role": role, "step": step,
            "values": values.ravel(), "wrong": bool(drawn.wrong(item).any()),
            "shape": _shape(values),
        }  # fmt: skip

    def _show_numbers(self, name: str, drawn: Drawn, item: int) -> None:
        """One box's numbers as a table; a vector is a row."""
        values, right = (np.atleast_2d(np.asarray(v[item], float)) for v in (drawn.values, drawn.expected))
        rows, columns = PLACES[name][3]
        gradient = name.removeprefix("grad ") if name.startswith("grad") else ""
        self.table.show(
            title=f"{name}, {_shape(drawn.values[item]) or 'one number'}",
            values=values, expected=right, wrong=np.atleast_2d(drawn.wrong(item)), row_title=rows, column_title=columns,
            row_labels=[str(i + 1) if rows else "" for i in range(len(values))],
            column_labels=[str(j + 1) if columns else "" for j in range(values.shape[1])],
            description=f"The numbers of {name}", greyed=drawn.source == "course",
            note=f"By how much the loss grows for each entry of {gradient}." if gradient else "",
        )  # fmt: skip

    def figure(self) -> Any:
        """Values above, gradients below, as a figure for print."""
        import matplotlib.pyplot as plt

        found = self.compute()
        names = ["x", "z", "a", "logits", "grad x", "grad z", "grad a", "grad logits"]
        figure, panels = plt.subplots(2, 4, figsize=(9, 3.2), layout="constrained")
        for panel, name in zip(panels.flat, names, strict=True):
            drawn, item = found[name]
            values = drawn.values[item]
            panel.imshow(values, cmap="PuOr_r", vmin=-2, vmax=2, aspect="auto")
            panel.set_title(name, color=plots.KEY if name.startswith("grad") else plots.QUERY)
            panel.set_xticks([])
            panel.set_yticks(range(len(values)), [f"example {i + 1}" for i in range(len(values))])
            panel.grid(False)
            for (i, j), value in np.ndenumerate(values):
                panel.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8)
        return figure


def _shape(values: Any) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, np.shape(values)))


def _whose(drawn: Sequence[Drawn]) -> Drawn:
    """The most important of several messages: something wrong, something missing, else that all is the student's."""
    said = [one for one in drawn if one.message]
    for source in ("wrong", "course"):
        if found := next((one for one in said if one.source == source), None):
            return found
    names = "`linear_forward`, `linear_backward`, `relu_backward` and `softmax_cross_entropy_backward`"
    return replace(said[-1], message=f"Drawn by your {names}.")


def backprop_flow(
    forward: Callable[..., Any] | None = None, backward: Callable[..., Any] | None = None,
    relu: Callable[..., Any] | None = None, softmax: Callable[..., Any] | None = None,
) -> BackpropFlow:  # fmt: skip
    """Show a tiny network's numbers forward and its gradients back, computed by the functions that are given."""
    return BackpropFlow(forward, backward, relu, softmax)
