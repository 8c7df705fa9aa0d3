"""Click a token and see how alike all others are to it, what weight they get, and what their average is (ch01)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch01
from course.widgets.base import Card, Drawn, Driven, button, column, slider
from course.widgets.segments import Segment, bold, factor, italic, power, text
from course.widgets.views import Bars, Formula, Heatmap, number_text

ENDINGS = {"tired": 1.0, "soft": -1.0}  # how alive each makes what "it" stands for
IT, ALIVE = ch01.SENTENCE.index("it"), ch01.DIMENSIONS.index("alive")


class TokenAttention(Card):
    """The widget; the three functions are the student's, or None for the course's own."""

    def __init__(
        self,
        similarity: Callable[..., Any] | None = None,
        softmax: Callable[..., Any] | None = None,
        weighted_average: Callable[..., Any] | None = None,
    ):
        self.similarity = Driven(similarity, ch01.similarity, "similarity")
        self.softmax = Driven(softmax, ch01.softmax, "softmax")
        self.weighted_average = Driven(weighted_average, ch01.weighted_average, "weighted_average")
        self._make_controls()
        self._make_views()
        controls = [self.token, self.ending, self.alive, self.stretch, button("Reset", self.reset)]
        views = [column([self.bars, self.average]), column([self.vectors, self.formula])]
        super().__init__("What does one token see in the others?", controls, views)
        self._connect()
        self.reset()

    def _make_controls(self) -> None:
        look = {"style": {"button_width": "auto"}}
        options = [(word, i) for i, word in enumerate(ch01.SENTENCE)]
        self.token = w.ToggleButtons(options=options, value=IT, description="token", **look)
        self.ending = w.ToggleButtons(options=list(ENDINGS), description="it was", **look)
        self.alive = slider(1, -1.5, 1.5, 0.1, "how alive \u201cit\u201d is")
        self.stretch = slider(1, 0, 2, 0.05, "length of the token \u00d7")

    def _make_views(self) -> None:
        self.bars = Bars(role="plain", title="Similarity and weight", heading_before="How alike all tokens are to")
        self.average = Bars(
            labels=ch01.DIMENSIONS, role="plain", title="What the average changes", heading_before="The vector of",
            note="Before: the token's own vector. After: the average of all ten vectors, with its weights.",
        )  # fmt: skip
        self.vectors = Heatmap(
            column_labels=ch01.DIMENSIONS, row_role="query", signed=True, digits=1, vmin=-2.0,
            vmax=2.0, row_title="token", column_title="dimension", legend=False, title="The vectors, made by hand",
            note="Click a token to choose it. Point at another row to see that product spelled out below.",
            description="Table of the word vectors: one row for each token, one column for each of eight dimensions",
        )  # fmt: skip
        self.formula = Formula(description="The arithmetic behind one similarity and one weight")

    def _connect(self) -> None:
        self.listen(self.token, "value", lambda _: None)
        self.listen(self.ending, "value", self._end_with)
        self.listen(self.alive, "value", lambda alive: self.x[IT].__setitem__(ALIVE, alive))
        self.listen(self.stretch, "value", lambda by: self.lengths.__setitem__(self.token.value, by))
        self.listen(self.vectors, "selected_row", self._select)
        self.listen(self.vectors, "hover", lambda _: None)

    def reset(self) -> None:
        """Go back to the tired cat."""
        self._quiet = True
        self.ending.value, self.lengths = "tired", np.ones(len(ch01.SENTENCE))
        self._end_with("tired")
        self.token.value = IT
        self.redraw()
        self._quiet = False

    def _end_with(self, ending: str) -> None:
        """Let the sentence end with another word, and "it" be as alive as that word says."""
        self.words = [*ch01.SENTENCE[:-1], ending]
        self.x = ch01.embed(self.words)
        self.x[IT, ALIVE] = ENDINGS[ending]
        chosen = self.token.value
        self.token.options = [(word, i) for i, word in enumerate(self.words)]
        self.token.value = chosen

    def _select(self, token: int) -> None:
        if token >= 0:
            self.token.value = token

    def tokens(self) -> np.ndarray:
        """The vectors on the screen, shape (10, 8), each stretched as its slider says."""
        return self.x * self.lengths[:, None]

    def compute(self) -> tuple[Drawn, Drawn, Drawn]:
        """Similarities, weights, averages, each by the function in use from what the one before gave."""
        x = self.tokens()
        with np.errstate(all="ignore"):  # an unstable softmax may overflow: the picture shows that
            alike = self.similarity(x)
            weights = self.softmax(alike.values[0])
            return alike, weights, self.weighted_average(weights.values[0], x)

    def redraw(self) -> None:
        """Compute everything and show it for the chosen token."""
        x, i = self.tokens(), self.token.value
        word = self.words[i]
        self.alive.value, self.stretch.value = float(self.x[IT, ALIVE]), float(self.lengths[i])
        alike, weights, average = drawn = self.compute()
        self.bars.show(
            labels=self.words, heading_chip=word, wrong=alike.wrong()[i] | weights.wrong()[i],
            greyed="course" in (alike.source, weights.source), note=_sum_of(weights.values[0][i]),
            columns=[
                {"title": "similarity", "values": alike.values[0][i], "signed": True, "judged": _is_wrong(alike, i)},
                {"title": "weight", "values": weights.values[0][i], "vmax": 1.0, "judged": _is_wrong(weights, i)},
            ],
        )  # fmt: skip
        self.average.show(heading_chip=word, wrong=average.wrong()[i], greyed=average.source == "course", columns=[
            {"title": "before", "values": x[i], "signed": True, "vmax": 2.0, "judged": False},
            {"title": "after", "values": average.values[0][i], "signed": True, "vmax": 2.0},
        ])  # fmt: skip
        self.vectors.show(values=x, row_labels=self.words, selected_row=i)
        self.formula.show(lines=self._lines(x, alike, weights))
        self.say(_together(drawn))

    def _lines(self, x: np.ndarray, alike: Drawn, weights: Drawn) -> list[list[Segment]]:
        """One similarity and one weight, of the row pointed at or of the largest weight. The arithmetic is right; where
        the student's number is another one, it stands behind."""
        i = self.token.value
        right = alike.expected[0][i]
        j = self.vectors.hover[0] if self.vectors.hover else int(np.argmax(right))
        one, other = text(self.words[i], "query"), text(self.words[j], "key")
        first = [italic("similarity"), text("("), one, text(", "), other, text(") = "), *_products(x[i], x[j]),
                 text(" = "), bold(right[j])]  # fmt: skip
        scores = alike.values[0][i]
        share = ch01.softmax(scores)[j]
        share_of = {"fraction": [power(scores[j]), [text("sum of all ten powers")]]}
        second = [italic("weight"), text("("), one, text(" \u2192 "), other, text(") = "), share_of,
                  text(" = "), bold(share, "attention")]  # fmt: skip
        for line, got, wanted in ((first, scores[j], right[j]), (second, weights.values[0][i][j], share)):
            if number_text(got) != number_text(wanted):
                line += [text("   not "), bold(got)]
        return [first, second]

    def figure(self) -> Any:
        """Similarities and weights of all pairs of tokens, as a figure for print."""
        import matplotlib.pyplot as plt

        alike, weights, _ = (drawn.values[0] for drawn in self.compute())
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4))
        left.barh(range(len(self.words)), alike[self.token.value], color=plots.KEY)
        left.set_yticks(range(len(self.words)), self.words)
        left.invert_yaxis()
        left.set(title=f"Similarity to \u201c{self.words[self.token.value]}\u201d", xlabel="dot product")
        right.barh(range(len(self.words)), weights[self.token.value], color=plots.ATTENTION)
        right.set_yticks(range(len(self.words)), [])
        right.invert_yaxis()
        right.set(title="Weight", xlim=(0, 1))
        return figure


def _products(one: np.ndarray, other: np.ndarray) -> list[Segment]:
    """noun 1.5 . 2 + alive 1 . 1: the products that are not 0, each with its dimension's name."""
    parts: list[Segment] = []
    for name, a, b in zip(ch01.DIMENSIONS, one, other, strict=True):
        if a * b:
            parts += [
                text(" + "),
                italic(f"{name} "),
                factor(a, "query", True),
                text(" \u00b7 "),
                factor(b, "key", True),
            ]
    return parts[1:] or [text("no dimension in common")]


def _together(drawn: tuple[Drawn, ...]) -> Drawn:
    """What to say of several functions: the first that is wrong, else the first that the course draws, else all."""
    for source in ("wrong", "course"):
        if found := next((d for d in drawn if d.source == source), None):
            return found
    return replace(drawn[0], message="Drawn by your `similarity`, your `softmax` and your `weighted_average`.")


def _is_wrong(drawn: Drawn, i: int) -> bool:
    return bool(drawn.wrong()[i].any())


def _sum_of(weights: np.ndarray) -> str:
    return f"The weights sum to {number_text(float(np.sum(weights)))}."


def token_attention(
    similarity: Callable[..., Any] | None = None,
    softmax: Callable[..., Any] | None = None,
    weighted_average: Callable[..., Any] | None = None,
) -> TokenAttention:
    """Show how one token sees its sentence, drawn by the functions that are given."""
    return TokenAttention(similarity, softmax, weighted_average)
