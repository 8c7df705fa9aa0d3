"""A text of one's own, to ids and back (ch00)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np

from course.supplied import ch00
from course.widgets.base import Card, Driven, column
from course.widgets.views import Heatmap

MOST = 24  # characters: with more columns a table shows no numbers
NAMES = ("tokenize_chars", "build_vocabulary", "encode", "decode")
BEFORE = "never odd or even"


class RoundTrip(Card):
    """The widget; the four functions are the student's, or None for the course's own."""

    def __init__(self, *functions: Callable[..., Any]):
        tokenize, vocabulary, encode, decode = functions or (None,) * 4
        self.cut = Driven(_with(_codes, tokenize), _with(_codes, ch00.tokenize_chars), NAMES[0])
        self.list = Driven(_with(_codes, vocabulary), _with(_codes, ch00.build_vocabulary), NAMES[1])
        self.encode = Driven(_with(np.asarray, encode), _with(np.asarray, ch00.encode), NAMES[2])
        self.decode = Driven(_with(_codes, decode), _with(_codes, ch00.decode), NAMES[3])
        self.text = w.Text(
            value=BEFORE, description="your text", continuous_update=True, layout=w.Layout(width="360px")
        )
        self.ids = Heatmap(
            row_labels=["id"], digits=0, legend=False, column_title="tokens",
            description="A table with one column for each character of the text, and its id below",
        )  # fmt: skip
        super().__init__("To ids and back", [self.text], [column([self.ids])])
        self.listen(self.text, "value", self._shorten)
        self.redraw()

    def _shorten(self, text: str) -> None:
        self.text.value = text[:MOST]

    def redraw(self) -> None:
        """Send the text through all four functions; each works on what the right ones before it gave."""
        text = self.text.value or " "
        tokens = ch00.tokenize_chars(text)
        vocabulary = ch00.build_vocabulary(tokens)
        ids = ch00.encode(text, vocabulary)
        steps = [self.cut(text), self.list(tokens), self.encode(text, vocabulary), self.decode(ids, vocabulary)]
        shown, back = steps[2], "".join(map(_character, steps[3].values[0]))
        self.ids.show(
            values=[shown.values[0]], column_labels=[_visible(t) for t in tokens], wrong=[shown.wrong()],
            expected=[shown.expected[0]], greyed=shown.source == "course", vmin=0.0, vmax=float(max(ids)) or 1.0,
            title=f"{len(tokens)} characters, {len(vocabulary)} of them different",
            note=f"Back again: \u201c{back}\u201d, {'the same text' if back == text else 'another text'}.",
        )  # fmt: skip
        self.say(_first_that_is_not_right(steps))

    def figure(self) -> Any:
        """The tokens with their ids, for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(9, 1.6))
        axes.imshow(self.ids.values, cmap="Purples", aspect="auto")
        axes.set_xticks(range(len(self.ids.column_labels)), self.ids.column_labels)
        axes.set_yticks([0], ["id"])
        axes.grid(False)
        half = max(self.ids.values[0]) / 2
        for j, place in enumerate(self.ids.values[0]):
            axes.text(j, 0, f"{place:.0f}", ha="center", va="center", color="white" if place > half else "black")
        return figure


def _first_that_is_not_right(steps: list[Any]) -> Any:
    """The first step that the student's function does not do rightly; if there is none, that all four do."""
    for name, step in zip(NAMES, steps, strict=True):
        if step.source == "wrong":  # characters travel as numbers here, which would only puzzle
            return replace(step, message=f"Your `{name}` does not do this right yet: run its check.")
        if step.source == "course":
            return step
    return replace(steps[0], message="Done by your `tokenize_chars`, `build_vocabulary`, `encode` and `decode`.")


def _with(convert: Callable[..., Any], function: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """The function, with its result converted to an array; None stays None."""
    return function and (lambda *args: convert(function(*args)))


def _codes(texts: Any) -> np.ndarray:
    """Strings as numbers, so that they can be compared like any result."""
    if not isinstance(texts, str | list | tuple):
        raise TypeError(f"the result should be text, but it is of type {type(texts).__name__}")
    return np.array([ord(c) for text in texts for c in text])


def _character(code: float) -> str:
    return chr(int(code))


def _visible(character: str) -> str:
    return "\u2423" if character == " " else character


def round_trip(*functions: Callable[..., Any]) -> RoundTrip:
    """Show a text going to ids and back by tokenize_chars, build_vocabulary, encode and decode, or the course's own."""
    return RoundTrip(*functions)
