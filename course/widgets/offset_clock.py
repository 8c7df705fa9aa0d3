"""A pair of the sinusoidal encoding as a clock hand; one matrix moves all hands k positions on (ch04)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course.supplied import ch04
from course.widgets.base import Card, Driven, row
from course.widgets.sinusoid_map import whole
from course.widgets.views import Formula, Heatmap, Plane, number_text

D, LAST, STEPS = 8, 20, 10
COLUMNS = [f"{name} {pair}" for pair in range(D // 2) for name in ("sin", "cos")]


class OffsetClock(Card):
    """The widget; `offset` is (k, d_model) -> (d_model, d_model), or None for the course's own."""

    def __init__(self, offset: Callable[..., Any] | None = None):
        self.offset = Driven(offset, ch04.offset_matrix, "offset_matrix")
        self.t = whole(2, 0, LAST, "position t", 260)
        self.k = whole(3, -STEPS, STEPS, "steps k", 260)
        self.pair = w.ToggleButtons(options=list(range(D // 2)), description="pair i", style={"button_width": "auto"})
        self.plane = Plane(
            limit=1.25, title="The hand of this pair",
            description="A plane with the hand of one pair at position t and where the matrix moves it",
            note="To the right: the cosine. Upwards: the sine. The angle grows with the position.",
        )  # fmt: skip
        self.matrix = Heatmap(
            row_labels=COLUMNS, column_labels=COLUMNS, signed=True, vmin=-1.0, vmax=1.0, row_title="from",
            column_title="to",
            description="Table of the offset matrix: 2 by 2 blocks on the diagonal, zeros elsewhere",
        )  # fmt: skip
        self.formula = Formula(description="How the matrix makes the two new entries of this pair")
        super().__init__(
            "One matrix moves every hand", [self.t, self.k, self.pair], [row([self.plane, self.matrix]), self.formula]
        )
        for control in (self.t, self.k, self.pair):
            self.listen(control, "value", lambda _: None)
        self.redraw()

    def hands(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(sine, cosine) of the chosen pair at t, and after the matrix."""
        encoding = ch04.sinusoidal_encoding(LAST + 1, D)[self.t.value]
        part = slice(2 * self.pair.value, 2 * self.pair.value + 2)
        return encoding[part], (encoding @ matrix)[part]

    def redraw(self) -> None:
        """Show the hand before and after, the matrix and the arithmetic."""
        drawn = self.offset(self.k.value, D)
        greyed = drawn.source == "course"
        before, after = self.hands(drawn.values[0])
        right = self.hands(drawn.expected[0])[1]
        self.plane.show(vectors=self._vectors(before, after, right), greyed=greyed)
        self.matrix.show(
            values=drawn.values[0], wrong=drawn.wrong(), expected=drawn.expected[0], greyed=greyed,
            title=f"The matrix M for k = {number_text(self.k.value, 0)}",
        )  # fmt: skip
        self.formula.show(lines=self._lines(drawn.values[0]), greyed=greyed)
        self.say(drawn)

    def _vectors(self, before: np.ndarray, after: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
        """The hand at t, where the matrix brings it and, if that is elsewhere, where it should be."""
        t, to = self.t.value, self.t.value + self.k.value
        hands = [(f"position {t}", before, True), ("moved by M", after, False)]
        if not np.allclose(after, right, atol=1e-4):
            hands.append((f"right for {to}", right, True))
        return [{"name": name, "x": cos, "y": sin, "dim": dim} for name, (sin, cos), dim in hands]

    def _lines(self, matrix: np.ndarray) -> list[list[dict[str, Any]]]:
        """New sine and cosine of the chosen pair as sums of two products with the matrix's block."""
        first = 2 * self.pair.value
        old, new = self.hands(matrix)
        lines = []
        for j, name in enumerate(("sine", "cosine")):
            block = matrix[first : first + 2, first + j]
            products = f"{_n(old[0])} · {_n(block[0])} + {_n(old[1])} · {_n(block[1])} = "
            said = [{"text": f"new {name}", "style": "italic"}, {"text": " = "}, {"text": products}]
            lines.append([*said, {"text": number_text(new[j]), "style": "bold"}])
        return lines

    def figure(self) -> Any:
        """The hand and the matrix, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
        matrix = self.offset(self.k.value, D).values[0]
        names = (f"position {self.t.value}", f"{self.k.value:+} positions")
        for name, (sin, cos) in zip(names, self.hands(matrix), strict=True):
            left.plot([0, cos], [0, sin], marker="o", label=name)
        left.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal", xlabel="cosine", ylabel="sine")
        left.set_title(f"The hand of pair {self.pair.value}")
        left.legend(loc="lower left")
        image = right.imshow(matrix, cmap="PuOr_r", vmin=-1, vmax=1)
        right.set(xlabel="to", ylabel="from", title=f"M for k = {self.k.value}")
        right.grid(False)
        figure.colorbar(image, ax=right)
        return figure


def _n(number: float) -> str:
    text = number_text(number)
    return f"({text})" if text.startswith("\N{MINUS SIGN}") else text


def offset_clock(offset: Callable[..., Any] | None = None) -> OffsetClock:
    """Show how the offset matrix moves the hands of the encoding, drawn by `offset` if it is given."""
    return OffsetClock(offset)
