"""Four tokens with queries and keys in the plane: drag one, and the weights follow (ch02)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots, supplied
from course.widgets.base import Card, Driven, button, row, slider, switch
from course.widgets.views import Bars, Formula, Heatmap, Plane, number_text

TOKENS = ["the", "cat", "sat", "down"]
QUERIES = np.array([[0.4, 1.3], [-1.5, 0.5], [1.8, 1.1], [1.2, -1.4]])
KEYS = np.array([[-1.9, -1.2], [1.2, 2.2], [2.3, -0.55], [-0.6, 2.3]])
SCALE_LABEL = "divide by \u221ad\u2096"


class AttentionPlane(Card):
    """The widget; `attention` is a function (q, k, v) -> (output, weights), or None for the course's own."""

    def __init__(self, attention: Callable[..., Any] | None = None):
        self.attention = Driven(attention, supplied.scaled_dot_product_attention, "scaled_dot_product_attention")
        self.tokens = w.ToggleButtons(
            options=TOKENS, value="sat", description="query of", style={"button_width": "auto"}
        )
        self.x = slider(0, -3, 3, 0.05, "query x")
        self.y = slider(0, -3, 3, 0.05, "query y")
        self.scaled = switch(True, SCALE_LABEL)
        self.plane = Plane(
            shade=True, title="Drag a query \u25cf or a key \u25a0",
            description="A plane with the query and key vectors of four tokens, movable by mouse and arrow keys",
            note="Dashed lines drop each key onto the query's direction: the further along, the higher the score.",
        )  # fmt: skip
        self.bars = Bars(labels=TOKENS, role="key", heading_before="What", heading_chip="sat", heading_after="looks at")
        self.weights = Heatmap(
            row_labels=TOKENS, column_labels=TOKENS, row_role="query", column_role="key", row_title="query",
            column_title="key", vmin=0.0, vmax=1.0, title="Weights: each row sums to 1",
            description="Table of attention weights, one row for each query, one column for each key",
        )  # fmt: skip
        self.formula = Formula(description="The arithmetic behind one score and one weight")
        self.formula.add_class("cw-side-by-side")
        controls = [self.tokens, self.x, self.y, self.scaled, button("Reset", self.reset)]
        views = [self.plane, row([self.bars, self.weights]), self.formula]
        super().__init__("One query scores every key", controls, views)
        self._connect()
        self.reset()

    def reset(self) -> None:
        """Put all vectors back."""
        self.q, self.k = QUERIES.copy(), KEYS.copy()
        self._quiet = True
        self.redraw()
        self._quiet = False

    @property
    def selected(self) -> int:
        """Index of the selected token."""
        return TOKENS.index(self.tokens.value)

    def _connect(self) -> None:
        self.listen(self.tokens, "value", lambda _: None)
        self.listen(self.scaled, "value", lambda _: None)
        self.listen(self.x, "value", lambda x: self.q[self.selected].__setitem__(0, x))
        self.listen(self.y, "value", lambda y: self.q[self.selected].__setitem__(1, y))
        self.listen(self.plane, "vectors", self._take_vectors)
        self.listen(self.plane, "selected", self._take_selected)
        self.listen(self.weights, "selected_row", self._select)
        self.listen(self.weights, "hover", lambda _: None)

    def _take_vectors(self, vectors: list[dict[str, Any]]) -> None:
        points = np.array([[v["x"], v["y"]] for v in vectors])
        self.k, self.q = points[: len(TOKENS)], points[len(TOKENS) :]

    def _take_selected(self, index: int) -> None:
        if index >= len(TOKENS):  # the keys come first in the plane, the queries are drawn on top
            self._select(index - len(TOKENS))

    def _select(self, token: int) -> None:
        if token >= 0:
            self.tokens.value = TOKENS[token]

    def compute(self):
        """Call the function in use with the vectors on the screen; switching the scale off multiplies it away."""
        factor = 1.0 if self.scaled.value else np.sqrt(2.0)
        return self.attention(factor * self.q, self.k, np.eye(len(TOKENS)))

    def redraw(self) -> None:
        """Compute the weights and show them everywhere."""
        drawn, i = self.compute(), self.selected
        scores = self.q @ self.k.T / (np.sqrt(2.0) if self.scaled.value else 1.0)
        weights, greyed, wrong = drawn.values[1], drawn.source == "course", drawn.wrong(1)
        self.x.value, self.y.value = (float(c) for c in self.q[i])
        self.plane.show(vectors=self._vectors(), selected=len(TOKENS) + i)
        self.bars.show(heading_chip=TOKENS[i], greyed=greyed, wrong=wrong[i], columns=[
            {"title": "score", "values": scores[i], "signed": True, "judged": False},
            {"title": "weight", "values": weights[i], "vmax": 1.0},
        ])  # fmt: skip
        self.weights.show(values=weights, selected_row=i, greyed=greyed, wrong=wrong, expected=drawn.expected[1])
        self.formula.show(lines=self._lines(scores, weights, drawn.expected[1]), greyed=greyed)
        self.say(drawn)

    def _vectors(self) -> list[dict[str, Any]]:
        """All vectors for the plane: keys first, then queries, which are drawn on top."""
        made = [{"name": t, "role": "key", "x": x, "y": y} for t, (x, y) in zip(TOKENS, self.k, strict=True)]
        for i, (token, (x, y)) in enumerate(zip(TOKENS, self.q, strict=True)):
            made.append({"name": token, "role": "query", "x": x, "y": y, "dim": i != self.selected})
        return [{**v, "draggable": True} for v in made]

    def _lines(self, scores: np.ndarray, weights: np.ndarray, right: np.ndarray) -> list[list[dict[str, Any]]]:
        """The formula's two lines for the hovered cell, else for the largest weight of the selected row.

        The arithmetic is always right; where the student's number is another one, it stands behind.
        """
        hover = self.weights.hover
        i, j = hover if hover else (self.selected, int(np.argmax(right[self.selected])))
        (qx, qy), (kx, ky) = self.q[i], self.k[j]
        dot = [
            _n(qx, "query"),
            _t(" \u00b7 "),
            _n(kx, "key"),
            _t(" + "),
            _n(qy, "query"),
            _t(" \u00b7 "),
            _n(ky, "key"),
        ]
        top = {"fraction": [dot, [_t("\u221a2")]]} if self.scaled.value else None
        who = [
            _t("("),
            {"text": TOKENS[i], "role": "query"},
            _t(" \u2192 "),
            {"text": TOKENS[j], "role": "key"},
            _t(") = "),
        ]
        score = [_i("score"), *who, *([top] if top else dot), _t(" = "), _bold(scores[i, j])]
        total = [part for s in scores[i] for part in (_t(" + "), *_power(s))][1:]
        share = {"fraction": [_power(scores[i, j]), total]}
        weight = [_i("weight"), *who, share, _t(" = "), {**_bold(right[i, j]), "role": "attention"}]
        if number_text(weights[i, j]) != number_text(right[i, j]):
            weight += [_t("   not "), _bold(weights[i, j])]
        return [score, weight]

    def figure(self) -> Any:
        """The vectors and the weights, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
        for points, colour, marker in ((self.k, plots.KEY, "s"), (self.q, plots.QUERY, "o")):
            for (x, y), token in zip(points, TOKENS, strict=True):
                left.plot([0, x], [0, y], color=colour, linestyle="-")
                left.plot(x, y, marker=marker, color=colour)
                left.annotate(token, (x, y), xytext=(5, 5), textcoords="offset points", color=colour)
        left.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title="Queries (circles) and keys (squares)")
        plots.heatmap(right, self.compute().values[1], TOKENS, TOKENS, title="Weights: each row sums to 1")
        return figure


def _t(text: str) -> dict[str, Any]:
    return {"text": text}


def _i(text: str) -> dict[str, Any]:
    return {"text": text, "style": "italic"}


def _bold(number: float) -> dict[str, Any]:
    return {"text": number_text(number), "style": "bold"}


def _n(number: float, role: str) -> dict[str, Any]:
    return {"text": f"({number_text(number)})" if number < 0 else number_text(number), "role": role}


def _power(exponent: float) -> list[dict[str, Any]]:
    return [_i("e"), {"sup": [_t(number_text(exponent))]}]


def attention_plane(attention: Callable[..., Any] | None = None) -> AttentionPlane:
    """Show four tokens whose queries and keys can be dragged, drawn by `attention` if it is given."""
    return AttentionPlane(attention)
