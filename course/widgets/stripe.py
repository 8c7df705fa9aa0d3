"""Attention of a trained two-layer model on tokens that repeat: the stripe, and each head's scores (ch10)."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots
from course.supplied import ch10
from course.widgets.base import Card, Driven, button
from course.widgets.views import Bars, Heatmap

CHARACTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+-"  # one for each of 64 tokens
LENGTH, PERIOD = 32, 16
Model = tuple[dict[str, Any], int]


class InductionStripe(Card):
    """The widget; `score` is (attention, period) -> (h,), `previous` attention -> (h,); None: the course's own.

    `model` is (parameters, heads) of an attention-only model; by default the course's trained one of two layers.
    """

    def __init__(
        self, score: Callable[..., Any] | None, previous: Callable[..., Any] | None, model: Model | None = None
    ):
        self.score = Driven(score, ch10.induction_score, "induction_score")
        self.previous = Driven(previous, ch10.previous_token_score, "previous_token_score")
        self.p, self.heads = model or ch10.load_induction()
        self.names = [f"{layer + 1}.{head}" for layer in range(len(self.p["blocks"])) for head in range(self.heads)]
        self.draw = 0
        self.period = w.IntSlider(PERIOD, 10, 24, description="repeats after", layout=w.Layout(width="270px"),
                                  style={"description_width": "initial"})  # fmt: skip
        self.head = w.ToggleButtons(options=self.names, description="head", style={"button_width": "auto"})
        self.weights = Heatmap(
            row_role="query", column_role="key", row_title="query", column_title="key", vmin=0.0, vmax=1.0,
            legend=False, description="Attention weights of the chosen head on a text that repeats",
        )  # fmt: skip
        self.scores = Bars(
            labels=self.names, role="plain", heading_before="Scores of all heads (layer.head)",
            description="Previous-token score and induction score of each head",
        )  # fmt: skip
        controls = [self.period, button("Other tokens", self._other_tokens), self.head]
        super().__init__("Where does a head look when the text repeats?", controls, [self.weights, self.scores])
        self.listen(self.period, "value", lambda _: self._run())
        self.listen(self.head, "value", lambda _: None)
        self.listen(self.weights, "selected_row", lambda _: None)
        self._run()
        self.head.value = self.names[int(np.argmax(self.score(self.attention, self.period.value).expected[0]))]
        self.redraw()

    def _other_tokens(self) -> None:
        self.draw += 1
        self._run()
        self.redraw()

    def _run(self) -> None:
        period = self.period.value
        generator = torch.Generator().manual_seed(self.draw)
        tokens, _ = ch10.repeated_tokens(1, generator, LENGTH, (period, period))
        self.text = [CHARACTERS[int(i)] for i in tokens[0]]
        self.attention = ch10.look_inside(tokens[0], self.p, self.heads).weights.flatten(0, 1)

    @property
    def shown(self) -> np.ndarray:
        """The chosen head's weights, (T, T)."""
        return self.attention[self.names.index(self.head.value)].numpy()

    def redraw(self) -> None:
        """Show the chosen head's weights and every head's scores."""
        score = self.score(self.attention, self.period.value)
        previous = self.previous(self.attention)
        self.weights.show(
            values=self.shown, row_labels=self.text, column_labels=self.text, note=self._note(),
            title=f"Head {self.head.value}", masked=np.triu(np.ones(self.shown.shape, bool), 1),
        )  # fmt: skip
        self.scores.show(
            columns=[
                {"title": title, "values": drawn.values[0], "vmax": 1.0, "judged": bool(drawn.wrong().any())}
                for title, drawn in (("previous token", previous), ("induction", score))
            ],
            wrong=previous.wrong() | score.wrong(), greyed="course" in (score.source, previous.source),
        )  # fmt: skip
        first = previous if previous.source == "wrong" or score.source == "yours" else score
        self.say(score if score.source == "wrong" else first)

    def _note(self) -> str:
        row, period = self.weights.selected_row, self.period.value
        if row < 0:
            twice = f" (and one {2 * period - 1} left: the text comes a third time)" if 2 * period < LENGTH else ""
            return (
                f"An induction head draws a stripe {period - 1} columns left of the diagonal: the period less 1"
                f"{twice}. Select a row to see where its token looks most."
            )
        most = int(np.argmax(self.shown[row]))
        return (
            f"Position {row}, token {self.text[row]!r}: most weight, {self.shown[row, most]:.2f}, on position {most}, "
            f"token {self.text[most]!r}"
            + (f", which came after {self.text[most - 1]!r}." if most else ", the first token.")
        )

    def figure(self) -> Any:
        """The chosen head's weights beside the scores of all heads, for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
        draw_weights(left, self.shown, f"Head {self.head.value}, text repeats after {self.period.value}", self.text)
        places = np.arange(len(self.names))
        for shift, name, drawn in ((-0.2, "previous token", self.previous(self.attention)),
                                   (0.2, "induction", self.score(self.attention, self.period.value))):  # fmt: skip
            right.barh(places + shift, drawn.values[0], 0.4, label=name)
        right.set(yticks=places, yticklabels=self.names, ylabel="head (layer.head)", xlim=(0, 1), xlabel="score")
        right.invert_yaxis()
        right.legend()
        return figure


def draw_weights(axes: Any, weights: np.ndarray, title: str, text: list[str] | None = None) -> None:
    """Draw a large matrix of attention weights without numbers in it."""
    axes.imshow(weights, cmap="Purples", vmin=0, vmax=1)
    if text:
        axes.set_xticks(range(len(text)), text, fontsize=6, color=plots.KEY)
        axes.set_yticks(range(len(text)), text, fontsize=6, color=plots.QUERY)
    axes.set(title=title, xlabel="key", ylabel="query")
    axes.grid(False)


def induction_stripe(
    score: Callable[..., Any] | None = None, previous: Callable[..., Any] | None = None, model: Model | None = None
) -> InductionStripe:
    """Show a head's attention on repeating tokens, with every head's scores by the functions given."""
    return InductionStripe(score, previous, model)
