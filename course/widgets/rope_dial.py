"""RoPE as a dial: a query and a key turn with their positions, and their score follows the distance alone (ch04)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch04
from course.widgets.base import Card, Driven, button, column, switch
from course.widgets.sinusoid_map import whole
from course.widgets.views import Curves, Formula, Heatmap, Plane, number_text

D, LAST, FAR = 8, 30, 100
QUERY, KEY = np.array([2.25, -0.8]), np.array([-0.6, -1.6])


class RopeDial(Card):
    """The widget; `rotate` is (x, positions) -> x turned, called `name`, or None for the course's own.

    The vectors of the plane stand in every pair of q and k, so that only the speeds of the pairs differ.
    """

    def __init__(self, rotate: Callable[..., Any] | None = None, name: str = "apply_rope"):
        self.rotate = Driven(rotate, ch04.apply_rope, name)
        self.at_q = whole(6, 0, LAST, "query at", 260)
        self.at_k = whole(13, 0, LAST, "key at", 260)
        self.together = switch(False, "move both together")
        self.pair = w.ToggleButtons(
            options=list(range(D // 2)), value=1, description="pair i", style={"button_width": "auto"}
        )
        self.plane = Plane(
            title="Drag q \u25cf or k \u25a0", limit=3.0,
            description="A plane with a query and a key, pale as they are and strong as turned by their positions",
            note="Pale: before the turn. Strong: after it. Only the strong ones are compared.",
        )  # fmt: skip
        self.curves = Curves(
            x_label="distance: key's position minus query's", y_label="score of this pair",
            title="The score against the distance",
            description="The score of query and key over their distance, here and 100 positions further on",
        )  # fmt: skip
        self.rows = Heatmap(
            column_labels=[str(j) for j in range(D)], column_title="entry", signed=True, vmin=-3.0, vmax=3.0,
            title="All four pairs after the turn", description="Table of the turned query and key, eight entries each",
            legend=False,
        )  # fmt: skip
        self.formula = Formula(description="The score of this pair, written out")
        controls = [self.at_q, self.at_k, self.together, self.pair, button("Reset", self.reset)]
        views = [self.plane, column([self.curves, self.rows]), self.formula]
        super().__init__("Turn by position, compare by distance", controls, views)
        self._connect()
        self.reset()

    def reset(self) -> None:
        """Put both vectors back."""
        self.q, self.k = QUERY.copy(), KEY.copy()
        self._quiet = True
        self.redraw()
        self._quiet = False

    def _connect(self) -> None:
        self.places = (self.at_q.value, self.at_k.value)
        self.listen(self.at_q, "value", lambda _: self._move(0))
        self.listen(self.at_k, "value", lambda _: self._move(1))
        self.listen(self.together, "value", lambda _: None)
        self.listen(self.pair, "value", lambda _: None)
        self.listen(self.plane, "vectors", self._take_vectors)

    def _move(self, moved: int) -> None:
        """One slider moved; with `together` the other one goes along, and neither leaves its range."""
        sliders = (self.at_q, self.at_k)
        if self.together.value:
            by = sliders[moved].value - self.places[moved]
            by = min(max(by, -min(self.places)), LAST - max(self.places))
            for slider, place in zip(sliders, self.places, strict=True):
                slider.value = place + by
        self.places = (self.at_q.value, self.at_k.value)

    def _take_vectors(self, vectors: list[dict[str, Any]]) -> None:
        self.k, self.q = (np.array([v["x"], v["y"]]) for v in vectors[:2])

    def compute(self):
        """Turn, in one call: the query at its place, a key at every place; and all of them FAR positions further on."""
        x = np.tile(np.vstack([self.q, *[self.k] * (LAST + 1)]), (2, D // 2))
        places = np.array([self.at_q.value, *range(LAST + 1)])
        return self.rotate(x, np.concatenate([places, places + FAR]))

    def parts(self, turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The chosen pair of query, shape (2, 2), and keys, shape (2, LAST + 1, 2): here, and FAR further on."""
        pairs = turned.reshape(2, LAST + 2, D // 2, 2)[:, :, self.pair.value]
        return pairs[:, 0], pairs[:, 1:]

    def redraw(self) -> None:
        """Turn the vectors and show them, their score and the score at every other distance."""
        drawn = self.compute()
        greyed = drawn.source == "course"
        query, keys = self.parts(drawn.values[0])
        self.plane.show(vectors=self._vectors(query[0], keys[0, self.at_k.value]), greyed=greyed)
        distance = float(self.at_k.value - self.at_q.value)
        self.curves.show(series=self.series(query, keys), marker=distance, note=self._speed(), greyed=greyed)
        shown = [0, 1 + self.at_k.value]
        self.rows.show(
            values=drawn.values[0][shown], wrong=drawn.wrong()[shown], expected=drawn.expected[0][shown], greyed=greyed,
            row_labels=[f"q at {self.at_q.value}", f"k at {self.at_k.value}"],
        )  # fmt: skip
        self.formula.show(lines=[self._line(query[0], keys[0, self.at_k.value])], greyed=greyed)
        self.say(drawn)

    def series(self, query: np.ndarray, keys: np.ndarray) -> list[dict[str, Any]]:
        """The score over the distance, with the query here and further on: one curve, if only the distance counts."""
        distances = np.arange(LAST + 1) - self.at_q.value
        return [
            {"name": f"query at {self.at_q.value + far}", "x": distances, "y": keys[i] @ query[i], "role": role,
             "dashed": bool(far)}
            for i, (far, role) in enumerate(((0, "attention"), (FAR, "value")))
        ]  # fmt: skip

    def _speed(self) -> str:
        speed = 10000.0 ** (-2 * self.pair.value / D)
        return f"Pair {self.pair.value} turns by {speed:g} radians ({np.degrees(speed):.2g} degrees) a position."

    def _vectors(self, query: np.ndarray, key: np.ndarray) -> list[dict[str, Any]]:
        """Key and query as they are, which can be dragged, then as turned."""
        raw = [("k", "key", self.k), ("q", "query", self.q)]
        turned = [(f"k at {self.at_k.value}", "key", key), (f"q at {self.at_q.value}", "query", query)]
        return [
            {"name": name, "role": role, "x": x, "y": y, "draggable": dim, "dim": dim}
            for made, dim in ((raw, True), (turned, False))
            for name, role, (x, y) in made
        ]

    def _line(self, query: np.ndarray, key: np.ndarray) -> list[dict[str, Any]]:
        """`score at distance 7 = 1.2 · 0.3 + ...`: the dot product of the turned vectors."""
        line = [{"text": "score", "style": "italic"}, {"text": f" at distance {number_text(self.distance, 0)} = "}]
        for i, (a, b) in enumerate(zip(query, key, strict=True)):
            line += [{"text": " + "}] if i else []
            line += [{"text": _n(a), "role": "query"}, {"text": " · "}, {"text": _n(b), "role": "key"}]
        score = {"text": number_text(query @ key), "style": "bold", "role": "attention"}
        return [*line, {"text": " = "}, score]

    @property
    def distance(self) -> int:
        """The key's position minus the query's."""
        return self.at_k.value - self.at_q.value

    def figure(self) -> Any:
        """The turned vectors and the score over the distance, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
        query, keys = self.parts(self.compute().values[0])
        turned = [("q", "o", plots.QUERY, self.q, query[0]), ("k", "s", plots.KEY, self.k, keys[0, self.at_k.value])]
        for name, marker, colour, before, after in turned:
            for (x, y), strength in ((before, 0.3), (after, 1.0)):
                left.plot([0, x], [0, y], color=colour, alpha=strength, linestyle="-")
                left.plot(x, y, color=colour, alpha=strength, marker=marker)
            left.annotate(f"{name} turned", after, xytext=(6, 4), textcoords="offset points", color=colour)
        left.set(
            xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title=f"Query at {self.at_q.value}, key at {self.at_k.value}"
        )
        for one, colour in zip(self.series(query, keys), (plots.ATTENTION, plots.VALUE), strict=True):
            style = "--" if one["dashed"] else "-"
            right.plot(one["x"], one["y"], color=colour, linestyle=style, label=one["name"])
        right.axvline(self.distance, color=plots.GREY, linewidth=1)
        right.set(xlabel="distance", ylabel="score of this pair", title="The score against the distance")
        right.legend()
        return figure


def _n(number: float) -> str:
    text = number_text(number)
    return f"({text})" if text.startswith("\N{MINUS SIGN}") else text


def rope_dial(rotate: Callable[..., Any] | None = None) -> RopeDial:
    """Show a query and a key that turn with their positions, drawn by `rotate` if it is given."""
    return RopeDial(rotate)
