"""Drag four scores and see the weights; a temperature, and scores too large for the plain formula (ch01)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch01
from course.widgets.base import Card, Driven, button, column, row, slider
from course.widgets.segments import Segment, bold, power, text
from course.widgets.views import Bars, Curves, Formula, number_text

NAMES, SCORES = ["cat", "it", "mat", "on"], [4.0, 3.5, 2.0, 0.5]
OFFSETS = {"nothing": 0.0, "10": 10.0, "1000": 1000.0, "\u22121000": -1000.0}
ROLES = ["query", "key", "value", "attention"]
TEMPERATURES = np.geomspace(0.1, 10, 25)


def plain_softmax(x: np.ndarray) -> np.ndarray:
    """The formula as it stands in books: powers over their sum. Overflows to NaN from about 710 on."""
    with np.errstate(all="ignore"):
        powers = np.exp(x)
        return powers / powers.sum()


class SoftmaxLab(Card):
    """The widget; `softmax` is (x, axis=-1) -> weights, or None for the course's own."""

    def __init__(self, softmax: Callable[..., Any] | None = None):
        self.softmax = Driven(softmax, ch01.softmax, "softmax")
        self.scores = [slider(s, -5, 5, 0.1, f"score of {n}") for n, s in zip(NAMES, SCORES, strict=True)]
        self.offset = w.ToggleButtons(
            options=list(OFFSETS), description="add to every score", style={"button_width": "auto"}
        )
        self.offset.style.description_width = "initial"
        self.temperature = w.FloatLogSlider(
            value=1, base=10, min=-1, max=1, step=0.05, description="temperature", readout_format=".2f",
            layout=w.Layout(width="300px"), style={"description_width": "initial"},
        )  # fmt: skip
        self.bars = Bars(labels=NAMES, role="plain", title="Scores become weights")
        self.formula = Formula(description="The plain and the stable formula for the first weight")
        self.curves = Curves(
            log_x=True, x_label="temperature", y_label="weight", title="Weights at every temperature",
            description="Curves of the four weights over the temperature: one takes all at 0.1, nearly equal at 10",
        )  # fmt: skip
        controls = [*self.scores, self.offset, self.temperature, button("Reset", self.reset)]
        views = [row([self.bars, column([self.curves])]), self.formula]
        super().__init__("The softmax shares out a weight of 1", controls, views)
        for control in (*self.scores, self.offset, self.temperature):
            self.listen(control, "value", lambda _: None)
        self.redraw()

    def reset(self) -> None:
        """Put everything back."""
        self._quiet = True
        for control, score in zip(self.scores, SCORES, strict=True):
            control.value = score
        self.offset.value, self.temperature.value = "nothing", 1.0
        self.redraw()
        self._quiet = False

    def values(self) -> np.ndarray:
        """The scores on the screen, shape (4,), with what is added to all of them."""
        return np.array([s.value for s in self.scores]) + OFFSETS[self.offset.value]

    def compute(self):
        """One call for all temperatures: row 0 at the chosen one, the others for the curves. Shape (26, 4)."""
        temperatures = np.array([self.temperature.value, *TEMPERATURES])
        with np.errstate(all="ignore"):
            return self.softmax(self.values() / temperatures[:, None])

    def redraw(self) -> None:
        """Show scores and weights, the formula with its numbers, and the weights at all temperatures."""
        drawn, scores = self.compute(), self.values() / self.temperature.value
        weights, greyed = drawn.values[0], drawn.source == "course"
        self.bars.show(
            greyed=greyed, wrong=drawn.wrong()[0], note=f"The weights sum to {number_text(float(weights[0].sum()))}.",
            columns=[
                {"title": "score / temperature", "values": scores, "signed": True, "judged": False},
                {"title": "weight", "values": weights[0], "vmax": 1.0},
            ],
        )  # fmt: skip
        series = [
            {"name": name, "x": TEMPERATURES, "y": weights[1:, j], "role": ROLES[j]} for j, name in enumerate(NAMES)
        ]
        self.curves.show(series=series, marker=float(self.temperature.value), greyed=greyed)
        self.formula.show(lines=_lines(scores))
        self.say(drawn)

    def figure(self) -> Any:
        """Scores, weights and the curves over the temperature, as a figure for print."""
        import matplotlib.pyplot as plt

        weights = self.compute().values[0]
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
        left.bar(NAMES, weights[0], color=plots.ATTENTION)
        left.set(title=f"Weights at temperature {self.temperature.value:.2f}", ylim=(0, 1))
        for name, line in zip(NAMES, weights[1:].T, strict=True):
            right.plot(TEMPERATURES, line, label=name)
        right.set(xscale="log", xlabel="temperature", title="Weights at all temperatures", ylim=(0, 1))
        right.legend()
        return figure


def _lines(scores: np.ndarray) -> list[list[Segment]]:
    """The first weight by the plain and by the stable formula, and what a computer makes of each."""
    top = scores.max()
    plain, stable = plain_softmax(scores)[0], ch01.softmax(scores)[0]
    with np.errstate(all="ignore"):
        value = np.exp(scores)
    between = [text(" = "), {"fraction": [[text(_short(value[0]))], [text(_short(value.sum()))]]}, text(" = ")]
    return [
        [text("plain:  "), _fraction(scores), *between, bold(plain, "attention")],
        [text("stable:  "), _fraction(scores - top), text(" = "), bold(stable, "attention")],
    ]


def _fraction(exponents: np.ndarray) -> Segment:
    powers = [power(exponent, 1) for exponent in exponents]
    return {"fraction": [powers[0], [part for one in powers for part in (text(" + "), *one)][1:]]}


def _short(number: float) -> str:
    """A power in a few characters, as Python writes it: 54.60, 2.6e+43."""
    if not np.isfinite(number):
        return "\N{INFINITY}"
    return number_text(number, 2) if number < 1e5 and (number >= 0.01 or number == 0) else f"{number:.1e}"


def softmax_lab(softmax: Callable[..., Any] | None = None) -> SoftmaxLab:
    """Show four scores and their weights, drawn by `softmax` if it is given."""
    return SoftmaxLab(softmax)
