"""What the softmax and its gradient do as scores grow with d_k (ch02)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots, supplied
from course.widgets.base import Card, Driven, column, switch
from course.widgets.views import Bars, Curves

WIDTHS = [4, 8, 16, 32, 64, 128, 256, 512]
N_KEYS, N_QUERIES = 8, 40


def jacobian_norm(scores: np.ndarray) -> float:
    """Frobenius norm of the softmax's Jacobian at scores of shape (n,)."""
    p = supplied.softmax(scores)
    return float(np.linalg.norm(np.diag(p) - np.outer(p, p)))


class SoftmaxSaturation(Card):
    """The widget; `grad_norm` is a function scores -> float, or None for the course's own."""

    def __init__(self, grad_norm: Callable[..., Any] | None = None):
        self.grad_norm = Driven(grad_norm, jacobian_norm, "softmax_grad_norm")
        rng = np.random.default_rng(2)
        queries, keys = rng.standard_normal((N_QUERIES, WIDTHS[-1])), rng.standard_normal((N_KEYS, WIDTHS[-1]))
        self.scores = {d: queries[:, :d] @ keys[:, :d].T for d in WIDTHS}  # the same tokens at every width
        self.width = w.SelectionSlider(
            options=WIDTHS, value=64, description="d\u2096", continuous_update=True, layout=w.Layout(width="340px")
        )
        self.scaled = switch(False, "divide by \u221ad\u2096")
        labels = [f"key {j + 1}" for j in range(N_KEYS)]
        self.bars = Bars(labels=labels, role="key", heading_before="Where one query looks")
        self.curves = Curves(
            log_x=True, x_label="width of queries and keys, d\u2096", y_label="mean gradient norm",
            title="How much the softmax still listens",
            description="Two curves over d_k: the mean norm of the softmax's gradient with and without the scale",
        )  # fmt: skip
        super().__init__(
            "Large scores make a deaf softmax", [self.width, self.scaled], [self.bars, column([self.curves])]
        )
        self.listen(self.width, "value", lambda _: None)
        self.listen(self.scaled, "value", lambda _: None)
        self.norms = {name: self._curve(scaled) for name, scaled in (("scaled", True), ("not scaled", False))}
        self.redraw()

    def _curve(self, scaled: bool) -> list[float]:
        """Mean gradient norm over the queries at every width. The first failing call decides whose curve this is."""
        means = []
        for d in WIDTHS:
            drawn = [self.grad_norm(row / (np.sqrt(d) if scaled else 1.0)) for row in self.scores[d]]
            means.append(float(np.mean([float(x.values[0]) for x in drawn])))
        return means

    def redraw(self) -> None:
        """Show the weights of one query and mark the chosen width on the curves."""
        d, scaled = self.width.value, self.scaled.value
        row = self.scores[d][0] / (np.sqrt(d) if scaled else 1.0)
        drawn = self.grad_norm(row)
        greyed = drawn.source == "course"
        self.bars.show(columns=[
            {"title": "score", "values": row, "signed": True, "digits": 1},
            {"title": "weight", "values": supplied.softmax(row), "vmax": 1.0},
        ], note=f"Gradient norm of this row: {float(drawn.values[0]):.3f}")  # fmt: skip
        series = [
            {"name": name, "x": WIDTHS, "y": norms, "role": "attention" if name == "scaled" else "key",
             "dashed": name != "scaled"}
            for name, norms in self.norms.items()
        ]  # fmt: skip
        self.curves.show(series=series, marker=float(d), greyed=greyed)
        self.say(drawn)

    def figure(self) -> Any:
        """The curves, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7, 3.4))
        for (name, norms), colour in zip(self.norms.items(), (plots.ATTENTION, plots.KEY), strict=True):
            axes.plot(WIDTHS, norms, marker="o", label=name, color=colour)
        axes.set_xscale("log", base=2)
        axes.set_xticks(WIDTHS, [str(d) for d in WIDTHS])
        axes.set(xlabel="$d_k$", ylabel="mean gradient norm", title="How much the softmax still listens")
        axes.legend()
        return figure


def softmax_saturation(grad_norm: Callable[..., Any] | None = None) -> SoftmaxSaturation:
    """Show how weights and gradient change with d_k, the gradient measured by `grad_norm` if it is given."""
    return SoftmaxSaturation(grad_norm)
