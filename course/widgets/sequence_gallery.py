"""Text, sound, video and prices: each is cut into tokens, and each token is a vector (ch00).

All data are made here: a sentence, a melody of four short notes by formula, a moving dot, and made-up prices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch00
from course.widgets.base import Card, Drawn, Driven, column
from course.widgets.views import Curves, Formula, Heatmap, View

SENTENCE = "the cat sat"
VOCABULARY = sorted(set(SENTENCE))
FRAME, DAYS = 32, 5  # numbers in a frame of sound, prices in a window
NOTES, RATE = (500, 625, 750, 1000), 8000  # hertz; numbers a second
KINDS = ["text", "sound", "video", "prices"]


def melody() -> np.ndarray:
    """Four plucked notes of 64 numbers each, shape (256,)."""
    t = np.arange(64)
    return np.concatenate([np.sin(2 * np.pi * f * t / RATE) * np.exp(-t / 40) for f in NOTES])


def moving_dot() -> np.ndarray:
    """Eight pictures of 8 x 8 pixels in which a soft dot falls from the left upper corner and bounces: (8, 8, 8)."""
    rows, columns = np.mgrid[0:8, 0:8]
    heights = [0, 1.5, 3.5, 6, 7, 5, 3.5, 3]
    return np.array([np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 1.3) for x, y in enumerate(heights)])


def made_up_prices() -> np.ndarray:
    """Sixteen daily prices of a share that does not exist: a random walk from a fixed seed, shape (16,)."""
    return 100 * np.exp(np.cumsum(0.02 * np.random.default_rng(7).standard_normal(16)))


def one_hot(ids: np.ndarray, size: int) -> np.ndarray:
    """Ids of shape (n,) as vectors (n, size): 1 at the place of the id, 0 elsewhere."""
    return (np.asarray(ids)[:, None] == np.arange(size)).astype(float)


@dataclass(frozen=True)
class Sequence:
    """A sequence as it is shown: vectors (n, d), who made them, names of rows and columns, and how to colour them."""

    vectors: np.ndarray
    expected: np.ndarray
    drawn: Drawn
    row_labels: list[str]
    column_labels: list[str]
    token: str  # what one token is
    look: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The shape, in words and as a pair."""
        n, d = self.vectors.shape
        return f"{n} tokens, {d} numbers each: shape ({n}, {d})"


class SequenceGallery(Card):
    """The widget; `encode` is (text, vocabulary) -> ids, `windows` (ids, length) -> array; None: the course's own."""

    def __init__(self, encode: Callable[..., Any] | None = None, windows: Callable[..., Any] | None = None):
        self.encode = Driven(_as_array(encode), _as_array(ch00.encode), "encode")
        self.windows = Driven(windows, ch00.sliding_windows, "sliding_windows")
        self.signal, self.video, self.prices = melody(), moving_dot(), made_up_prices()
        self.sequences = {"text": self._text(), "sound": self._sound(), "video": self._video(),
                          "prices": self._prices()}  # fmt: skip
        self.what = w.ToggleButtons(options=KINDS, description="look at", style={"button_width": "auto"})
        self.token = w.IntSlider(1, 1, len(SENTENCE), description="token", layout=w.Layout(width="300px"))
        self.raw = _raw_views()
        self.stage = column([self.raw["text"]])
        description = "The sequence as a table: one row for each token"
        self.matrix = Heatmap(row_title="token", description=description, legend=False)
        controls, views = [self.what, self.token], [self.stage, column([self.matrix])]
        super().__init__("Everything becomes a sequence of vectors", controls, views)
        self.listen(self.what, "value", self._change)
        self.listen(self.token, "value", lambda _: None)
        self.listen(self.matrix, "selected_row", self._select)
        self.redraw()

    def _text(self) -> Sequence:
        drawn, size = self.encode(SENTENCE, VOCABULARY), len(VOCABULARY)
        signs = [_visible(c) for c in SENTENCE]
        return Sequence(
            one_hot(drawn.values[0], size), one_hot(drawn.expected[0], size), drawn, signs,
            [_visible(c) for c in VOCABULARY], "one character", {"digits": 0, "vmin": 0.0, "vmax": 1.0},
        )  # fmt: skip

    def _sound(self) -> Sequence:
        drawn = self.windows(self.signal, FRAME)
        frames, right = drawn.values[0][::FRAME], drawn.expected[0][::FRAME]  # frames that do not overlap
        labels = [str(i + 1) for i in range(len(frames))]
        return Sequence(frames, right, drawn, labels, [], f"{FRAME} numbers of the recording",
                        {"digits": 1, "signed": True, "vmin": -1.0, "vmax": 1.0})  # fmt: skip

    def _video(self) -> Sequence:
        flat = self.video.reshape(len(self.video), -1)
        message = "Each row is one picture, its 64 numbers read line by line. Nothing for you to write here."
        labels = [str(i + 1) for i in range(len(flat))]
        return Sequence(flat, flat, Drawn((flat,), "yours", message, (flat,)), labels, [],
                        "one picture, line by line", {"digits": 1, "vmin": 0.0, "vmax": 1.0})  # fmt: skip

    def _prices(self) -> Sequence:
        drawn = self.windows(self.prices, DAYS)
        labels = [f"{i + 1}\u2013{i + DAYS}" for i in range(len(drawn.values[0]))]
        low, high = float(self.prices.min()), float(self.prices.max())
        return Sequence(drawn.values[0], drawn.expected[0], drawn, labels, [], f"the prices of {DAYS} days",
                        {"digits": 1, "vmin": low, "vmax": high})  # fmt: skip

    @property
    def kind(self) -> str:
        """What is being looked at."""
        return self.what.value

    def _change(self, kind: str) -> None:
        self.token.value = 1
        self.token.max = len(self.sequences[kind].vectors)
        self.stage.children = [self.raw[kind]]

    def _select(self, row: int) -> None:
        if row >= 0:
            self.token.value = row + 1

    def redraw(self) -> None:
        """Show the raw data with the selected token in it, and the table of vectors with the same row marked."""
        sequence, i = self.sequences[self.kind], self.token.value - 1
        getattr(self, f"_show_{self.kind}")(i)
        usual = {"signed": False, "vmin": None, "vmax": None, "digits": 1}
        wrong = ~np.isclose(sequence.vectors, sequence.expected)
        self.matrix.show(
            values=sequence.vectors, row_labels=sequence.row_labels, column_labels=sequence.column_labels,
            wrong=wrong, expected=sequence.expected, greyed=sequence.drawn.source == "course", selected_row=i,
            title=sequence.title, note=f"A row is a token: {sequence.token}.", **(usual | sequence.look),
        )  # fmt: skip
        self.say(sequence.drawn)

    def _show_text(self, i: int) -> None:
        place = int(self.sequences["text"].drawn.values[0][i])
        letters = [{"text": _visible(c) + " ", **({"role": "query", "style": "bold"} if j == i else {})}
                   for j, c in enumerate(SENTENCE)]  # fmt: skip
        known = [{"text": _visible(c) + " ", **({"role": "query", "style": "bold"} if j == place else {})}
                 for j, c in enumerate(VOCABULARY)]  # fmt: skip
        said = [{"text": f"token {i + 1} is "}, {"text": _visible(SENTENCE[i]), "role": "query", "style": "bold"},
                {"text": f", its id is {place}"}]  # fmt: skip
        self.raw["text"].show(lines=[letters, [{"text": "vocabulary: "}, *known], said])

    def _show_sound(self, i: int) -> None:
        self._mark("sound", self.signal, 0, i * FRAME, FRAME, f"token {i + 1}")

    def _show_prices(self, i: int) -> None:
        self._mark("prices", self.prices, 1, i, DAYS, f"token {i + 1}: days {i + 1} to {i + DAYS}")

    def _mark(self, kind: str, numbers: np.ndarray, first: int, start: int, length: int, name: str) -> None:
        """Draw a curve, with the part that is the selected token in another colour."""
        x = np.arange(len(numbers)) + first
        part = slice(start, start + length)
        whole = {"name": "all of it", "x": x, "y": numbers, "role": "plain"}
        self.raw[kind].show(series=[whole, {"name": name, "x": x[part], "y": numbers[part], "role": "attention"}])

    def _show_video(self, i: int) -> None:
        self.raw["video"].show(values=self.video[i], title=f"The video: picture {i + 1} of {len(self.video)}")

    def figure(self) -> Any:
        """The four sequences as tables of colour, for print."""
        import matplotlib.pyplot as plt

        figure, panels = plt.subplots(1, 4, figsize=(10, 3.4))
        for panel, kind in zip(panels, KINDS, strict=True):
            sequence = self.sequences[kind]
            panel.imshow(sequence.vectors, cmap="Purples", aspect="auto", interpolation="nearest")
            n, d = sequence.vectors.shape
            panel.set(title=f"{kind}: ({n}, {d})", xlabel="numbers of a token", ylabel="token")
            panel.grid(False)
        panels[0].set_yticks(range(len(SENTENCE)), self.sequences["text"].row_labels, color=plots.QUERY)
        return figure


def _raw_views() -> dict[str, View]:
    """What the data look like before they are cut, one view for each kind."""
    video = {"digits": 1, "vmin": 0.0, "vmax": 1.0, "legend": False}
    sound = {"x_label": "place in the recording", "y_label": "air pressure"}
    prices = {"x_label": "day", "y_label": "price"}
    return {
        "text": Formula(title="The text", description="The sentence, its selected character, and that one's id"),
        "sound": Curves(title="The sound", description="A wave of four notes; the selected frame stands out", **sound),
        "video": Heatmap(title="The video", description="One picture of 8 by 8 pixels with a bright dot", **video),
        "prices": Curves(
            title="The prices (made up)", description="Sixteen prices; the selected window stands out", **prices
        ),
    }


def _visible(character: str) -> str:
    """The space as a sign that can be seen."""
    return "\u2423" if character == " " else character


def _as_array(encode: Callable[..., Any] | None) -> Callable[..., np.ndarray] | None:
    """`encode` gives a list; the views need an array."""
    return encode and (lambda text, vocabulary: np.asarray(encode(text, list(vocabulary))))


def sequence_gallery(
    encode: Callable[..., Any] | None = None, windows: Callable[..., Any] | None = None
) -> SequenceGallery:
    """Show how text, sound, video and prices become sequences, the cutting done by the functions given."""
    return SequenceGallery(encode, windows)
