"""Drag one token's features and see what layer norm makes of them (ch05)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch05
from course.widgets.base import Card, Driven, button, column, slider
from course.widgets.views import Bars, Formula, Heatmap, number_text

TOKENS = ["cat", "sat", "mats"]
FEATURES = ["x\u2081", "x\u2082", "x\u2083", "x\u2084"]
START = np.array([[3.0, 1.0, -2.0, 0.4], [0.4, 4.2, 2.4, 3.8], [-1.0, -0.6, -4.0, -2.2]])
EPS = [1e-5, 0.01, 0.1, 1.0, 10.0]
LIMIT = 8.0


class NormLab(Card):
    """The widget; `norm` is (x, gain, bias, eps) -> array like x, or None for the course's own.

    The sliders move the features of the first token; the other two show that tokens leave each other alone.
    """

    def __init__(self, norm: Callable[..., Any] | None = None):
        self.norm = Driven(norm, ch05.layer_norm, "layer_norm")
        self.features = [slider(0, -LIMIT, LIMIT, 0.1, name) for name in FEATURES]
        self.gain, self.bias = slider(1, -2, 2, 0.1, "gain"), slider(0, -3, 3, 0.1, "bias")
        self.eps = w.SelectionSlider(
            options=[(f"{e:g}", e) for e in EPS], description="eps", layout=w.Layout(width="230px"),
            style={"description_width": "initial"},
        )  # fmt: skip
        self.bars = Bars(labels=FEATURES, role="plain", heading_before="The features of", heading_chip=TOKENS[0])
        self.table = Heatmap(
            row_labels=TOKENS, column_labels=FEATURES, row_role="query", signed=True, title="What comes out",
            note="Each row is normalised by itself: the sliders change the first row only.",
            description="Table of the normalised features, one row for each of three tokens",
        )  # fmt: skip
        self.formula = Formula(description="Mean, variance and the first feature's result, with the numbers shown")
        buttons = [button("Add 1 to all", self.add_one), button("Halve all", self.halve),
                   button("Make all equal", self.level), button("Reset", self.reset)]  # fmt: skip
        controls = [*self.features, self.gain, self.bias, self.eps, *buttons]
        super().__init__("Mean 0, variance 1", controls, [column([self.bars, self.formula]), self.table])
        for control in (*self.features, self.gain, self.bias, self.eps):
            self.listen(control, "value", lambda _: None)
        self.reset()

    @property
    def x(self) -> np.ndarray:
        """The features of all tokens, shape (3, 4)."""
        return np.array([[f.value for f in self.features], *START[1:]])

    def add_one(self) -> None:
        """Add the same number to all features; the result stays."""
        self._set(self.x[0] + 1)

    def halve(self) -> None:
        """Divide all features by 2; the result stays, as long as eps is small beside the variance."""
        self._set(self.x[0] / 2)

    def level(self) -> None:
        """Give all features the first one's value: the variance is 0."""
        self._set(np.repeat(self.x[0, :1], len(FEATURES)))

    def reset(self) -> None:
        """Everything as at the start."""
        self._set(START[0], gain=1.0, bias=0.0, eps=EPS[0])

    def _set(self, features: np.ndarray, **others: float) -> None:
        """Move sliders together and draw once."""
        self._quiet = True
        for control, value in zip(self.features, features, strict=True):
            control.value = round(float(value), 2)
        for name, value in others.items():
            getattr(self, name).value = value
        self.redraw()
        self._quiet = False

    def compute(self):
        """Call the function in use with what the sliders say."""
        d = len(FEATURES)
        return self.norm(self.x, np.full(d, self.gain.value), np.full(d, self.bias.value), self.eps.value)

    def redraw(self) -> None:
        """Show the features before and after, and the arithmetic between."""
        drawn, x = self.compute(), self.x[0]
        y, greyed = drawn.values[0], drawn.source == "course"
        mean, variance = y[0].mean(), y[0].var()
        self.bars.show(
            greyed=greyed, wrong=drawn.wrong()[0],
            note=f"After layer norm: mean {number_text(mean)}, variance {number_text(variance)}.",
            columns=[
                {"title": "x", "values": x, "signed": True, "judged": False, "vmax": LIMIT},
                {"title": "x \u2212 mean", "values": x - x.mean(), "signed": True, "judged": False, "vmax": LIMIT},
                {"title": "layer norm", "values": y[0], "signed": True},
            ],
        )  # fmt: skip
        self.table.show(values=y, wrong=drawn.wrong(), expected=drawn.expected[0], greyed=greyed)
        self.formula.show(lines=self._lines(x, drawn.expected[0][0, 0], y[0, 0]), greyed=greyed)
        self.say(drawn)

    def _lines(self, x: np.ndarray, right: float, got: float) -> list[list[dict[str, Any]]]:
        """Mean, variance and the first feature's result; the arithmetic is always right."""
        mean, variance, d = x.mean(), x.var(), str(len(x))
        total = _joined([_number(v) for v in x])
        squares = _joined([[*_number(v - mean), {"sup": [_text("2")]}] for v in x])
        top = [_text(number_text(self.gain.value)), _text(" \u00b7 "), *_number(x[0] - mean)]
        root = f"\u221a({number_text(variance)} + {self.eps.value:g})"
        result = [_italic("y\u2081"), _text(" = "), {"fraction": [top, [_text(root)]]}, _text(" + "),
                  *_number(self.bias.value), _text(" = "), _bold(right)]  # fmt: skip
        if number_text(got) != number_text(right):
            result += [_text("   not "), _bold(got)]
        return [
            [_italic("mean"), _text(" = "), {"fraction": [total, [_text(d)]]}, _text(" = "), _bold(mean)],
            [_italic("variance"), _text(" = "), {"fraction": [squares, [_text(d)]]}, _text(" = "), _bold(variance)],
            result,
        ]

    def figure(self) -> Any:
        """The first token's features before and after, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, panels = plt.subplots(1, 2, figsize=(8, 3), sharey=True)
        after = self.compute().values[0][0]
        for axes, values, title in zip(panels, (self.x[0], after), ("x", "layer norm of x"), strict=True):
            axes.barh(FEATURES[::-1], values[::-1], color=plots.VALUE)
            axes.axvline(values.mean(), color=plots.KEY, linestyle="--", linewidth=1)
            axes.set_title(f"{title}: mean {number_text(values.mean())}, variance {number_text(values.var())}")
        return figure


def _text(text: str) -> dict[str, Any]:
    return {"text": text}


def _italic(text: str) -> dict[str, Any]:
    return {"text": text, "style": "italic"}


def _bold(number: float) -> dict[str, Any]:
    return {"text": number_text(number), "style": "bold"}


def _number(number: float) -> list[dict[str, Any]]:
    text = number_text(number)
    return [_text(f"({text})" if text.startswith("\N{MINUS SIGN}") else text)]


def _joined(parts: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [segment for part in parts for segment in (_text(" + "), *part)][1:]


def norm_lab(norm: Callable[..., Any] | None = None) -> NormLab:
    """Show what layer norm makes of features that can be dragged, drawn by `norm` if it is given."""
    return NormLab(norm)
