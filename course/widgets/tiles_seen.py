"""Which tiles of the causal score table a kernel reads, under sliders for lengths and block sizes (m22)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course import plots
from course.supplied import m22
from course.widgets.base import Card, Driven, column
from course.widgets.sinusoid_map import whole
from course.widgets.views import Bars, Heatmap


class TileMap(Card):
    """The widget; `causal_tiles` is (n, m, block_q, block_k) -> table of 0, 1, 2, or None for the course's own."""

    def __init__(self, causal_tiles: Callable[..., Any] | None = None):
        self.tiles = Driven(causal_tiles, m22.causal_tiles, "causal_tiles")
        self.n, self.m = whole(24, 4, 32, "queries n", 260), whole(24, 4, 32, "keys m", 260)
        self.block_q, self.block_k = whole(4, 2, 8, "block_q", 240), whole(4, 2, 8, "block_k", 240)
        self.map = Heatmap(
            row_role="query", column_role="key", row_title="tile of queries", column_title="tile of keys", digits=0,
            vmin=0.0, vmax=2.0, legend=False, title="0 hidden, 1 cut, 2 whole",
            description="A table of tiles: hidden ones above the diagonal, cut ones on it, whole ones below",
        )  # fmt: skip
        self.work = Bars(role="plain", title="Scores", description="Scores in the table, computed by tiles, and seen")
        controls = [self.n, self.m, self.block_q, self.block_k]
        super().__init__("Which tiles have to be read?", controls, [self.map, column([self.work])])
        for control in controls:
            self.listen(control, "value", lambda _: None)
        self.redraw()

    def sizes(self) -> tuple[int, int, int, int]:
        """n, m, block_q, block_k as the sliders stand."""
        return self.n.value, self.m.value, self.block_q.value, self.block_k.value

    def redraw(self) -> None:
        """Draw the map of the chosen sizes."""
        n, m, block_q, block_k = self.sizes()
        drawn = self.tiles(n, m, block_q, block_k)
        kinds = drawn.values[0]
        greyed = drawn.source == "course"
        self.map.show(
            values=kinds, masked=kinds == 0, wrong=drawn.wrong(), expected=drawn.expected[0], greyed=greyed,
            row_labels=_spans(n, block_q), column_labels=_spans(m, block_k),
            note=f"{int((kinds > 0).sum())} of {kinds.size} tiles are read, {int((kinds == 1).sum())} need a mask.",
        )  # fmt: skip
        counts = [n * m, self._computed(kinds), int(np.tri(n, m, m - n).sum())]
        self.work.show(
            labels=["in the table", "computed", "seen"], greyed=greyed,
            columns=[{"title": "scores", "values": counts, "digits": 0, "vmax": float(n * m)}],
        )  # fmt: skip
        self.say(drawn)

    def _computed(self, kinds: np.ndarray) -> int:
        """Scores in all tiles that are read."""
        n, m, block_q, block_k = self.sizes()
        heights = np.minimum(block_q, n - np.arange(0, n, block_q))[:, None]
        return int(((kinds > 0) * heights * np.minimum(block_k, m - np.arange(0, m, block_k))).sum())

    def figure(self) -> Any:
        """The map, for print."""
        import matplotlib.pyplot as plt

        n, m, block_q, block_k = self.sizes()
        kinds = self.tiles(n, m, block_q, block_k).values[0]
        figure, axes = plt.subplots(figsize=(6, 4))
        plots.heatmap(axes, kinds / 2, _spans(n, block_q), _spans(m, block_k), digits=1, masked=kinds == 0,
                      title="1.0: seen as a whole, 0.5: cut by the diagonal, hatched: not read")  # fmt: skip
        return figure


def _spans(count: int, block: int) -> list[str]:
    """First and last place of each tile."""
    ends = [(i, min(i + block, count) - 1) for i in range(0, count, block)]
    return [f"{a}\N{EN DASH}{b}" if b > a else str(a) for a, b in ends]


def tile_map(causal_tiles: Callable[..., Any] | None = None) -> TileMap:
    """Show the map of tiles under sliders, drawn by `causal_tiles` if it is given."""
    return TileMap(causal_tiles)
