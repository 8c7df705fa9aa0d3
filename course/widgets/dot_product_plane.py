"""Three vectors in the plane: turn one, stretch it, and see its dot products with the others (ch01)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch01
from course.widgets.base import Card, Driven, button, column, row, slider
from course.widgets.segments import Segment, factor, text
from course.widgets.views import Formula, Heatmap, Plane, number_text

WORDS = ["cat", "dog", "car"]
START = [(2.2, 20), (2.0, 45), (1.8, 130)]  # lengths, and angles in degrees


class DotProductPlane(Card):
    """The widget; `similarity` is x (n, d) -> (n, n), or None for the course's own."""

    def __init__(self, similarity: Callable[..., Any] | None = None):
        self.similarity = Driven(similarity, ch01.similarity, "similarity")
        self.word = w.ToggleButtons(options=WORDS, description="vector", style={"button_width": "auto"})
        self.angle = slider(0, -180, 180, 1, "angle (degrees)")
        self.angle.readout_format = ".0f"
        self.length = slider(1, 0, 3, 0.05, "length")
        self.plane = Plane(
            shade=True, limit=3.5, title="Drag a vector",
            description="A plane with the vectors of three words, movable by mouse, arrow keys and sliders",
            note="Dashed lines drop the others onto the chosen vector (blue): the further along, the larger.",
        )  # fmt: skip
        self.table = Heatmap(
            row_labels=WORDS, column_labels=WORDS, row_role="query", column_role="key", signed=True, vmin=-9.0,
            vmax=9.0, title="Dot products",
            description="Table of the dot products of all pairs of the three vectors",
        )  # fmt: skip
        self.formula = Formula(description="One dot product, by its products and by lengths and angle")
        controls = [self.word, self.angle, self.length, button("Reset", self.reset)]
        super().__init__(
            "A dot product in the plane", controls, [row([self.plane, column([self.table, self.formula])])]
        )
        self._connect()
        self.reset()

    def _connect(self) -> None:
        self.listen(self.word, "value", lambda _: None)
        self.listen(self.angle, "value", lambda angle: self._turn(angle, _length(self.x[self.chosen])))
        self.listen(self.length, "value", lambda length: self._turn(self.angle.value, length))
        self.listen(self.plane, "vectors", self._take_vectors)
        self.listen(self.plane, "selected", self._take_selected)
        self.listen(self.table, "selected_row", self._take_selected)
        self.listen(self.table, "hover", lambda _: None)

    @property
    def chosen(self) -> int:
        """Index of the chosen word."""
        return WORDS.index(self.word.value)

    def reset(self) -> None:
        """Put all vectors back."""
        self._quiet = True
        self.x, self.word.value = np.array([_vector(*one) for one in START]), WORDS[0]
        self.redraw()
        self._quiet = False

    def _turn(self, degrees: float, length: float) -> None:
        self.x[self.chosen] = _vector(length, degrees)

    def _take_vectors(self, vectors: list[dict[str, Any]]) -> None:
        self.x = np.array([[v["x"], v["y"]] for v in vectors])

    def _take_selected(self, index: int) -> None:
        if index >= 0:
            self.word.value = WORDS[index]

    def redraw(self) -> None:
        """Show vectors, dot products and the arithmetic of one of them."""
        drawn, i = self.similarity(self.x), self.chosen
        if _length(self.x[i]):  # a vector of length 0 keeps the angle that it had
            self.angle.value = float(np.rad2deg(np.arctan2(*self.x[i][::-1])))
        self.length.value = _length(self.x[i])
        vectors = [
            {"name": name, "role": "query" if j == i else "key", "x": x, "y": y, "draggable": True}
            for j, (name, (x, y)) in enumerate(zip(WORDS, self.x, strict=True))
        ]
        greyed = drawn.source == "course"
        self.plane.show(vectors=vectors, selected=i)
        self.table.show(
            values=drawn.values[0], selected_row=i, wrong=drawn.wrong(), expected=drawn.expected[0], greyed=greyed
        )
        self.formula.show(lines=self._lines(drawn.expected[0]))
        self.say(drawn)

    def _lines(self, right: np.ndarray) -> list[list[Segment]]:
        """The dot product of the pair pointed at (else of the chosen word and the next), computed in two ways."""
        i, j = self.table.hover or (self.chosen, (self.chosen + 1) % len(WORDS))
        a, b = self.x[i], self.x[j]
        pair = [text(WORDS[i], "query"), text(" \u00b7 "), text(WORDS[j], "key"), text(" = ")]
        product = [factor(a[0], "query"), text(" \u00b7 "), factor(b[0], "key"), text(" + "),
                   factor(a[1], "query"), text(" \u00b7 "), factor(b[1], "key")]  # fmt: skip
        lengths = _length(a) * _length(b)
        cosine = right[i, j] / lengths if lengths else 0.0
        angle = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
        by_angle = [text("length "), factor(_length(a), "query"), text(" \u00b7 length "), factor(_length(b), "key"),
                    text(f" \u00b7 cos {angle:.0f}\u00b0 = "), factor(lengths, "plain"), text(" \u00b7 "),
                    factor(cosine, "plain")]  # fmt: skip
        end = [text(" = "), {"text": number_text(right[i, j]), "style": "bold"}]
        return [[*pair, *product, *end], [*pair, *by_angle, *end]]

    def figure(self) -> Any:
        """The vectors and their dot products, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
        for (x, y), word in zip(self.x, WORDS, strict=True):
            left.plot([0, x], [0, y], color=plots.QUERY, linestyle="-")
            left.plot(x, y, marker="o", color=plots.QUERY)
            left.annotate(word, (x, y), xytext=(5, 5), textcoords="offset points")
        left.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title="Three vectors")
        values = self.similarity(self.x).values[0]
        right.imshow(values, cmap="PuOr_r", vmin=-9, vmax=9)
        right.set_xticks(range(3), WORDS)
        right.set_yticks(range(3), WORDS)
        right.grid(False)
        right.set_title("Dot products")
        for i, j in np.ndindex(values.shape):
            right.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center")
        return figure


def _vector(length: float, degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return length * np.array([np.cos(angle), np.sin(angle)])


def _length(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector))


def dot_product_plane(similarity: Callable[..., Any] | None = None) -> DotProductPlane:
    """Show three vectors that can be turned and stretched, their dot products computed by `similarity` if given."""
    return DotProductPlane(similarity)
