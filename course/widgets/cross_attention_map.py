"""A German sentence being written looks at an English memory (ch06)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course import plots, supplied
from course.widgets.base import Card, Driven, slider
from course.widgets.views import Heatmap

ENGLISH = ["the", "cat", "drinks", "milk"]
GERMAN = ["die", "Katze", "trinkt", "Milch"]
FEATURES = ["article", "animal", "drink", "kind"]  # made up by hand: three of meaning, then the kind
WORDS = np.array([[1.0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, -1], [0, 0.2, 0.9, 1]])  # the same in both languages
D_K = 4


def cross_attention(x: np.ndarray, memory: np.ndarray, w_q: np.ndarray, w_k: np.ndarray, w_v: np.ndarray) -> np.ndarray:
    """Attention from x (n, d_model) to a memory (m, d_model); returns (n, d_v)."""
    return supplied.scaled_dot_product_attention(x @ w_q, memory @ w_k, memory @ w_v)[0]


class CrossAttentionMap(Card):
    """The widget; `attend` is (x, memory, w_q, w_k, w_v) -> output, or None for the course's own.

    The values are one-hot, one for each word of the memory, so the output shows the weights themselves.
    """

    def __init__(self, attend: Callable[..., Any] | None = None):
        self.attend = Driven(attend, cross_attention, "cross_attention")
        self.focus = slider(0.0, 0.0, 1.0, 0.05, "look for meaning (0) or kind of word (1)")
        self.sharpness = slider(4.0, 0.5, 8.0, 0.25, "length of the queries")
        self.weights = Heatmap(
            row_labels=GERMAN, column_labels=ENGLISH, row_role="query", column_role="key", row_title="writing",
            column_title="memory", vmin=0.0, vmax=1.0, title="Where each German word looks",
            description="Table of cross-attention weights: German words in rows, English words in columns",
        )  # fmt: skip
        words = Heatmap(
            values=WORDS, row_labels=ENGLISH, column_labels=FEATURES, signed=True, digits=1,
            title="The made-up word vectors",
            note="Kind: 1 for a noun, \u22121 for a verb. A German word has the vector of its English twin.",
            description="Table of the vectors of the English words: three numbers of meaning, one for noun or verb",
        )  # fmt: skip
        super().__init__("Writing German, reading English", [self.focus, self.sharpness], [self.weights, words])
        self.listen(self.focus, "value", lambda _: None)
        self.listen(self.sharpness, "value", lambda _: None)
        self.redraw()

    def compute(self):
        """Call the function in use with matrices that look for meaning, for the kind of word, or for both."""
        t = self.focus.value
        w_q = 2 * self.sharpness.value * np.diag([1 - t, 1 - t, 1 - t, t])
        memory = np.hstack([WORDS, np.eye(len(ENGLISH))])  # the words' own marks, which the values hand over
        x = np.hstack([WORDS, np.zeros((len(GERMAN), len(ENGLISH)))])
        read_meaning = np.eye(8)[:, :D_K]
        return self.attend(x, memory, read_meaning @ w_q, read_meaning, np.eye(8)[:, D_K:])

    def redraw(self) -> None:
        """Show the weights."""
        drawn = self.compute()
        self.weights.show(
            values=drawn.values[0], wrong=drawn.wrong(), expected=drawn.expected[0], greyed=drawn.source == "course"
        )
        self.say(drawn)

    def figure(self) -> Any:
        """The weights, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(4.5, 4))
        plots.heatmap(axes, self.compute().values[0], GERMAN, ENGLISH, title="Where each German word looks")
        return figure


def cross_attention_map(attend: Callable[..., Any] | None = None) -> CrossAttentionMap:
    """Show a German sentence that looks at an English memory, drawn by `attend` if it is given."""
    return CrossAttentionMap(attend)
