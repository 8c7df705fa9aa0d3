"""The sinusoidal encoding as a picture: every dimension is a wave along the positions (ch04)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course.supplied import ch04
from course.widgets.base import Card, Driven, column
from course.widgets.views import Curves, Heatmap

N, D = 32, 16


def whole(value: int, low: int, high: int, label: str, width: int = 300) -> w.IntSlider:
    """A labelled slider over whole numbers that reports while it is dragged."""
    return w.IntSlider(
        value=value, min=low, max=high, description=label, continuous_update=True,
        layout=w.Layout(width=f"{width}px"), style={"description_width": "initial"},
    )  # fmt: skip


class SinusoidMap(Card):
    """The widget; `encode` is (n, d_model) -> (n, d_model), or None for the course's own."""

    def __init__(self, encode: Callable[..., Any] | None = None):
        self.encode = Driven(encode, ch04.sinusoidal_encoding, "sinusoidal_encoding")
        self.drawn = self.encode(N, D)
        self.dimension = whole(4, 0, D - 1, "dimension (column)", 420)
        self.map = Heatmap(
            row_labels=[str(j) for j in range(D)], row_title="dim.", column_title="position",
            vmin=-1.0, vmax=1.0, title="The encoding, on its side: one column for each position",
            note="Click a dimension's number, or move the slider.",
            description=f"Heat-map of the encoding: {D} dimensions in rows, {N} positions in columns; "
            "waves in the upper rows, nearly constant colours in the lower ones",
        )  # fmt: skip
        self.curves = Curves(
            x_label="position", y_label="entry",
            description="The entries of the chosen dimension, and of its partner, along the positions",
        )  # fmt: skip
        super().__init__("Fast waves, slow waves", [self.dimension], [self.map, column([self.curves])])
        self.listen(self.dimension, "value", lambda _: None)
        self.listen(self.map, "selected_row", self._select)
        self.redraw()

    def _select(self, row: int) -> None:
        if row >= 0:
            self.dimension.value = row

    def series(self) -> list[dict[str, Any]]:
        """The curves of the chosen dimension and of the other one of its pair."""
        values, chosen = self.drawn.values[0], self.dimension.value
        return [
            {"name": f"dimension {j}", "x": np.arange(N), "y": values[:, j], "dashed": j != chosen}
            for j in (chosen, chosen ^ 1)  # 0 and 1, 2 and 3, ... are partners
        ]

    def note(self) -> str:
        """How long the wave of the chosen dimension should be."""
        pair = self.dimension.value // 2
        length = 2 * np.pi * 10000 ** (2 * pair / D)
        return (
            f"Pair {pair}, dimensions {2 * pair} and {2 * pair + 1}: a whole wave should take {length:,.1f} positions."
        )

    def redraw(self) -> None:
        """Show the map and the curves of the chosen pair."""
        drawn, greyed = self.drawn, self.drawn.source == "course"
        self.map.show(
            values=drawn.values[0].T, wrong=drawn.wrong().T, expected=drawn.expected[0].T, greyed=greyed,
            selected_row=self.dimension.value,
        )  # fmt: skip
        title = f"Dimension {self.dimension.value} along the positions"
        self.curves.show(series=self.series(), title=title, note=self.note(), greyed=greyed)
        self.say(drawn)

    def figure(self) -> Any:
        """The map and the chosen pair's waves, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
        image = left.imshow(self.drawn.values[0].T, cmap="Purples", vmin=-1, vmax=1, aspect="auto")
        left.set(xlabel="position", ylabel="dimension", title="The encoding, on its side")
        left.grid(False)
        figure.colorbar(image, ax=left)
        for one in self.series():
            right.plot(one["x"], one["y"], label=one["name"])
        right.set(xlabel="position", ylabel="entry", title="One pair of dimensions")
        right.legend()
        return figure


def sinusoid_map(encode: Callable[..., Any] | None = None) -> SinusoidMap:
    """Show the sinusoidal encoding of 32 positions, drawn by `encode` if it is given."""
    return SinusoidMap(encode)
