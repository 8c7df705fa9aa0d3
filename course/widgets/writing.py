"""A trained model writes out a product, token by token: how sure it is, and where its heads look (m18)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course.lab import models
from course.lab.decoder import Decoder
from course.lab.generation import greedy
from course.lab.inspection import look
from course.supplied import m18
from course.widgets.base import Card, Driven, button
from course.widgets.views import Bars, Formula, Heatmap

MODEL, DIGITS, SHOWN = "lab_two_digits", 2, 5
TIMES, ARROW = "\N{MULTIPLICATION SIGN}", "\N{RIGHTWARDS ARROW}"
NAMES = ["ones", "tens", "hundreds", "thousands"]
PROMPT, LENGTH = len(m18.question(0, 0, DIGITS)), len(m18.product_line(0, 0, DIGITS))


class ProductWriter(Card):
    """The widget. `line` is `product_line`, or None for the course's own; it says what the model should write.

    `model` is a decoder that writes products of two digits; by default the course's own.
    """

    def __init__(self, line: Callable[..., Any] | None = None, model: Decoder | None = None):
        self.whose = "your model" if model is not None else "the course's model"
        self.model = (model if model is not None else models.load(MODEL)[0]).cpu()
        self.line = Driven(line and as_ids(line), as_ids(m18.product_line), "product_line")
        self.asked = w.Text(
            "12*34", description="product", continuous_update=True, layout=w.Layout(width="150px"),
            style={"description_width": "initial"},
        )  # fmt: skip
        self.next = button("Next token", lambda: self._go(1))
        self.next.button_style = "primary"
        self.buttons = [button("Back", lambda: self._go(-1)), self.next]
        self.buttons += [
            button("Whole line", lambda: self._go(LENGTH)),
            button("Start over", lambda: self._go(-LENGTH)),
        ]
        self._make_views()
        controls = [self.asked, *self.buttons]
        super().__init__("A model multiplies, token by token", controls, [self.text, self.chances, self.heads])
        self.listen(self.asked, "value", lambda _: self._ask())
        self._ask()
        self.redraw()

    def _make_views(self) -> None:
        self.text = Formula(description="The line so far, and below it the line as it should be")
        self.chances = Bars(role="plain", description="Probabilities of the likeliest tokens to come next")
        self.heads = Heatmap(
            vmin=0.0, vmax=100.0, digits=0, legend=False, column_title="token", row_title="layer.head",
            title="Where each head looks, in percent",
            description="For each head, how much of its attention each token of the line gets, in percent",
        )  # fmt: skip

    # ---- what is asked and written -------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Read the product from the field, and let the model write the whole line; shown is none of it yet."""
        self.pair, self.written = numbers(self.asked.value), 0
        if self.pair is None:
            return
        ids = m18.encode_lines([m18.question(*self.pair, DIGITS)], m18.VOCABULARY)[0]
        said = greedy(self.model, ids[None], LENGTH - PROMPT, m18.VOCABULARY.index("\n"))[0]
        line = m18.decode_line(torch.cat([ids, said]), m18.VOCABULARY)
        self.ids = m18.encode_lines([line], m18.VOCABULARY)[0]
        logits, self.weights = look(self.model, self.ids)
        self.probabilities = logits.softmax(-1).numpy()

    def _go(self, by: int) -> None:
        if self.pair is not None:
            self.written = min(max(self.written + by, 0), len(self.ids) - PROMPT)
            self.redraw()

    @property
    def place(self) -> int:
        """Where the newest token of the line stands."""
        return PROMPT + self.written - 1

    # ---- drawing -------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Show the line so far, what may come next, and where the heads look from the newest token."""
        if self.pair is None:
            self.text.show(lines=[[{"text": "Type two numbers below 100, such as 12*34."}]], greyed=True)
            return
        drawn = self.line(*self.pair)
        self._show_text(visible(text_of(drawn.values[0])), drawn.source == "course")
        self._show_chances()
        self._show_heads()
        self.next.disabled = self.place + 1 >= len(self.ids)
        self.say(drawn)

    def _show_text(self, wanted: str, greyed: bool) -> None:
        """The line so far, with a mark at each token that is not as it should be, and the line that is wanted."""
        said = visible(text_of(self.ids))[: self.place + 1]
        parts = [{"text": said[:PROMPT]}]
        for i in range(PROMPT, len(said)):
            right = said[i] == wanted[i : i + 1]
            style = "bold" if i == self.place or not right else ""
            parts.append({"text": said[i], "role": "value" if right else "key", "style": style})
        self.text.show(
            lines=[[{"text": "it writes    "}, *parts], [{"text": "should be  "}, {"text": wanted}]], greyed=greyed,
            title=f"Written by {self.whose}", note="Orange: not as it should be." if "key" in str(parts) else "",
        )  # fmt: skip

    def _show_chances(self) -> None:
        """What may come after the newest token; at the line's end, nothing."""
        if self.place + 1 >= len(self.ids):
            self.chances.show(labels=[], columns=[], heading_before="The line is complete.", note="")
            return
        probabilities = self.probabilities[self.place]
        best = np.argsort(-probabilities)[:SHOWN]
        self.chances.show(
            labels=[visible(m18.VOCABULARY[i]) for i in best],
            columns=[{"title": "probability", "values": probabilities[best], "vmax": 1.0, "digits": 3}],
            heading_before="What comes next", note=meaning(*self.pair, self.place + 1),
        )  # fmt: skip

    def _show_heads(self) -> None:
        """The attention from the newest token; tokens after it do not exist yet."""
        count = self.place + 1
        weights = self.weights[:, :, self.place].flatten(0, 1).numpy()
        shown = np.zeros((len(weights), LENGTH - 1))
        shown[:, : min(count, LENGTH - 1)] = 100 * weights[:, : min(count, LENGTH - 1)]
        columns = [visible(c) for c in text_of(self.ids)[:count]] + ["\u00b7"] * (LENGTH - count)
        heads = self.model.config.heads
        self.heads.show(
            values=shown, column_labels=columns[: LENGTH - 1],
            row_labels=[f"{i // heads + 1}.{i % heads}" for i in range(len(weights))],
            masked=np.broadcast_to(np.arange(LENGTH - 1) >= count, shown.shape),
            note=f"Looking from token {self.place + 1}, \u201c{columns[self.place]}\u201d, which writes the next one. "
            "Hatched: not written yet.",
        )  # fmt: skip

    def figure(self) -> Any:
        """Probability of each token of the whole line, and where the heads look at the place shown, for print."""
        import matplotlib.pyplot as plt

        if self.pair is None:
            return plt.figure()
        figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5), layout="constrained")
        text = visible(text_of(self.ids))
        places = np.arange(PROMPT, len(text))
        top.bar(places, [self.probabilities[i - 1, self.ids[i]] for i in places], color="#8a2be2")
        top.set_xticks(places, list(text[PROMPT:]))
        top.set(ylabel="probability", title=f"{text[:PROMPT]}{ARROW} {text[PROMPT:]}", ylim=(0, 1.05))
        place = self.place if self.written else PROMPT + 1
        weights = self.weights[:, :, place, : place + 1].flatten(0, 1).numpy()
        bottom.imshow(weights, cmap="Purples", vmin=0, vmax=1, aspect="auto")
        bottom.set_xticks(range(place + 1), list(text[: place + 1]))
        heads = self.model.config.heads
        bottom.set_yticks(range(len(weights)), [f"{i // heads + 1}.{i % heads}" for i in range(len(weights))])
        bottom.set(title=f"Attention of each head from token {place + 1}", ylabel="layer.head")
        bottom.grid(False)
        return figure


def numbers(text: str) -> tuple[int, int] | None:
    """The two numbers of a product such as "12*34", "12 x 34" or "12*34="; None if they are not two below 100."""
    found = re.fullmatch(rf"\s*([0-9]{{1,2}})\s*[*x{TIMES}]\s*([0-9]{{1,2}})\s*=?\s*", text)
    return (int(found[1]), int(found[2])) if found else None


def as_ids(line: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """`product_line` as a function of two numbers that gives ids, which can be compared one by one."""

    def ids(x: int, y: int) -> np.ndarray:
        return m18.encode_lines([line(x, y, DIGITS)], m18.VOCABULARY)[0].numpy()

    return ids


def text_of(ids: Any) -> str:
    """The text of ids."""
    return "".join(m18.VOCABULARY[int(i)] for i in ids)


def visible(text: str) -> str:
    """The line end as a sign that one can see."""
    return text.replace("\n", "\u21b5")


# ---- what each token means -------------------------------------------------------------------------------------------


def meaning(x: int, y: int, place: int) -> str:
    """What a right line has at a place, and what it follows from, in words; for numbers of two digits."""
    tens, ones = divmod(y, 10)
    if place < 9:
        return _of_row(x, ones, place - 6, f"{x} {TIMES} {ones}")
    if place == 9:
        return "A plus: the first row is complete."
    if place < 14:
        if place == 10:
            return f"The row of the tens, {x} {TIMES} {tens}0: it begins with a 0, as everything is ten times as much."
        return _of_row(x, tens, place - 11, f"{x} {TIMES} {tens}", shift=1)
    if place == 14:
        return "An equals sign: now both rows are added."
    if place < 19:
        return _of_sum(x * ones, 10 * x * tens, place - 15)
    if place == 19:
        return "A semicolon: the answer comes, in the usual order."
    if place < 24:
        return f"The {NAMES[23 - place]} of the answer, copied from the sum, which stands there backwards."
    return "The line end: done."


def _of_row(x: int, digit: int, column: int, product: str, shift: int = 0) -> str:
    """A digit of x times one digit: its own column's product, and what the column before has carried."""
    name = NAMES[column + shift]
    carried = x % 10**column * digit // 10**column
    if column >= DIGITS:
        return f"The {name} of {product}{'0' * shift}: what was carried, {carried}."
    own = x // 10**column % 10
    plus = f" + {carried} carried" if column else ""
    total = own * digit + carried
    return f"The {name} of {product}{'0' * shift}: {own} {TIMES} {digit}{plus} = {total}" + _split(total)


def _of_sum(a: int, b: int, column: int) -> str:
    """A digit of a + b: the two above it, and what the column before has carried."""
    first, second = a // 10**column % 10, b // 10**column % 10
    carried = (a % 10**column + b % 10**column) // 10**column
    plus = f" + {carried} carried" if column else ""
    total = first + second + carried
    return f"The {NAMES[column]} of the sum: {first} + {second}{plus} = {total}" + _split(total)


def _split(total: int) -> str:
    return f": write {total % 10}, carry {total // 10}." if total > 9 else "."


def product_writer(line: Callable[..., Any] | None = None, model: Decoder | None = None) -> ProductWriter:
    """Show a model write out a product; `line` says what it should write, and `model` may be your own."""
    return ProductWriter(line, model)
