"""Pick a head and see what it looks at: four heads whose weights were made by hand (ch03)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch03
from course.widgets.base import Card, Driven, slider, switch
from course.widgets.views import Heatmap

TOKENS = ["The", "cat", "sat", "on", "the", "mat", "because", "it", "was", "tired"]
CLASSES = ["article", "noun", "verb", "preposition", "conjunction", "pronoun", "adjective"]
CLASS_OF = ["article", "noun", "verb", "preposition", "article", "noun", "conjunction", "pronoun", "verb", "adjective"]
HEADS = {
    "0: previous word": "Each word asks for the place before its own. The first word has none and asks for itself.",
    "1: who is meant": "A pronoun asks for a living thing, which a cat is. Every other word asks for itself.",
    "2: same kind of word": "Each word asks for its own class: articles find articles, nouns nouns, verbs verbs.",
    "3: first word": "Every word asks for the first place, whatever stands there.",
}  # fmt: skip
N, D_HEAD = len(TOKENS), 12  # ten places, and two numbers to spare
D_MODEL = D_HEAD * len(HEADS)
PLACE, CLASS, LIVING, STANDS_FOR = 0, N, N + len(CLASSES), N + len(CLASSES) + 1  # where these columns of x begin


def words() -> np.ndarray:
    """The made-up vectors (n, d_model): one-hot place, one-hot class, is a living thing, stands for one; then zeros."""
    x = np.zeros((N, D_MODEL))
    x[:, PLACE : PLACE + N] = np.eye(N)
    x[np.arange(N), [CLASS + CLASSES.index(name) for name in CLASS_OF]] = 1
    x[TOKENS.index("cat"), LIVING] = x[TOKENS.index("it"), STANDS_FOR] = 1
    return x


def projections(strength: float) -> dict[str, np.ndarray]:
    """The hand-made w_q, w_k, w_v, w_o, (d_model, d_model) each: what a head asks for scores `strength`, the rest 0."""
    p = {name: np.zeros((len(HEADS), D_MODEL, D_HEAD)) for name in ("w_q", "w_k", "w_v")}
    q, k, places, classes = p["w_q"], p["w_k"], slice(PLACE, PLACE + N), slice(CLASS, CLASS + len(CLASSES))
    k[0, places, :N] = k[1, places, :N] = k[3, places, :N] = np.eye(N)
    q[0, places, :N] = np.eye(N, k=-1)  # place i asks for place i - 1
    q[0, PLACE, 0] = 1
    q[1, places, :N] = np.eye(N)
    q[1, STANDS_FOR, N] = 2  # more than its own place
    k[1, LIVING, N] = 1
    q[2, classes, : len(CLASSES)] = k[2, classes, : len(CLASSES)] = np.eye(len(CLASSES))
    q[3, places, 0] = 1
    p["w_v"][:, places, :N] = np.eye(N)  # each word hands over its place
    joined = {name: np.hstack(list(each)) for name, each in p.items()}
    joined["w_q"] *= strength * np.sqrt(D_HEAD)
    return joined | {"w_o": np.eye(D_MODEL, k=1)}  # moves every number one column on, so that it cannot be forgotten


class HeadPatterns(Card):
    """The widget; `attention` is (x, p, heads, mask) -> (output, weights), or None for the course's own."""

    def __init__(self, attention: Callable[..., Any] | None = None):
        self.attention = Driven(attention, ch03.multi_head_attention, "multi_head_attention")
        self.head = w.ToggleButtons(options=list(HEADS), description="head", style={"button_width": "auto"})
        self.strength = slider(5.0, 0.0, 8.0, 0.25, "strength of the queries")
        self.look_back = switch(False, "mask: no word may look ahead")
        self.x, self.token = words(), TOKENS.index("it")
        self.weights = Heatmap(
            row_labels=TOKENS, column_labels=TOKENS, row_role="query", column_role="key", row_title="query",
            column_title="key", vmin=0.0, vmax=1.0, legend=False,
            description="Table of the chosen head's attention weights, one row for each word that asks",
        )  # fmt: skip
        self.looks = Heatmap(
            row_labels=TOKENS, column_labels=[f"head {h}" for h in range(len(HEADS))], row_role="key",
            row_title="key", vmin=0.0, vmax=1.0, legend=False, note="Each column sums to 1: one look for each head.",
            description="The chosen word's attention weights, one column for each head",
        )  # fmt: skip
        controls = [self.head, self.strength, self.look_back]
        super().__init__("Four heads read one sentence", controls, [self.weights, self.looks])
        for control in (self.head, self.strength, self.look_back):
            self.listen(control, "value", lambda _: None)
        self.listen(self.weights, "selected_row", self._select_word)
        self.listen(self.looks, "selected_row", lambda _: None)  # its rows are keys: there is nothing to choose
        self.redraw()

    def _select_word(self, row: int) -> None:
        self.token = row if row >= 0 else self.token

    @property
    def mask(self) -> np.ndarray | None:
        """The mask in use, (n, n), or None."""
        return np.tri(N, dtype=bool) if self.look_back.value else None

    def compute(self):
        """Call the function in use on the sentence."""
        return self.attention(self.x, projections(self.strength.value), len(HEADS), self.mask)

    def redraw(self) -> None:
        """Show the chosen head's weights, and what the chosen word looks at in all heads."""
        drawn, head = self.compute(), list(HEADS).index(self.head.value)
        weights, wrong, greyed = drawn.values[1], drawn.wrong(1), drawn.source == "course"
        hidden = np.zeros((N, N), bool) if self.mask is None else ~self.mask
        self.weights.show(
            title=f"Head {self.head.value}", note=HEADS[self.head.value], values=weights[head], wrong=wrong[head],
            expected=drawn.expected[1][head], masked=hidden & (weights[head] == 0), selected_row=self.token,
            greyed=greyed,
        )  # fmt: skip
        i = self.token
        self.looks.show(
            title=f"What \u201c{TOKENS[i]}\u201d looks at", values=weights[:, i].T, wrong=wrong[:, i].T,
            expected=drawn.expected[1][:, i].T, masked=np.outer(hidden[i], np.ones(len(HEADS), bool)) &
            (weights[:, i].T == 0), selected_row=-1, greyed=greyed,
        )  # fmt: skip
        self.say(drawn)

    def figure(self) -> Any:
        """All four heads, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(2, 2, figsize=(9, 8.5))
        weights = self.compute().values[1]
        for h, (axis, name) in enumerate(zip(axes.flat, HEADS, strict=True)):
            axis.imshow(weights[h], cmap="Purples", vmin=0, vmax=1)
            axis.set_xticks(range(N), TOKENS, rotation=60, color=plots.KEY)
            axis.set_yticks(range(N), TOKENS, color=plots.QUERY)
            axis.set(title=f"Head {name}")
            axis.grid(False)
        return figure


def head_patterns(attention: Callable[..., Any] | None = None) -> HeadPatterns:
    """Show what four hand-made heads look at in a sentence, computed by `attention` if it is given."""
    return HeadPatterns(attention)
