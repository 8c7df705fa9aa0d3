"""A book of products that a model got wrong: where each line first goes wrong, filtered by part and by kind (m20)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course.lab import models
from course.supplied import m18, m20
from course.widgets.base import Card, Driven, button
from course.widgets.views import Bars, Formula

TIMES = "\N{MULTIPLICATION SIGN}"
RECORD, ALL, OWN = "m20_book", "all", "yours"
Mistake = tuple[int, int, str]


class ErrorBookCard(Card):
    """The widget. `fault` is `first_fault`, `carries` is `product_carries`; None for the course's own.

    `wrong` are mistakes as `evaluate_pairs` gives them, (x, y, line) each, by default those of the course's record.
    """

    def __init__(
        self, fault: Callable[..., Any] | None = None, carries: Callable[..., Any] | None = None,
        wrong: list[Mistake] | None = None,
    ):  # fmt: skip
        kept = {OWN: wrong} if wrong is not None else models.record(RECORD)["wrong"]
        self.mistakes = [(int(x), int(y), line, kind) for kind, some in kept.items() for x, y, line in some]
        self.digits = self.mistakes[0][2].index("*") if self.mistakes else 2
        self.wanted = [m18.product_line(x, y, self.digits) for x, y, *_ in self.mistakes]
        self.names = list(pieces(m18.product_line(0, 0, self.digits)))[1:]
        self.fault = Driven(fault and self._faults(fault), self._faults(m20.first_fault), "first_fault")
        self.count = Driven(carries and self._carries(carries), self._carries(m20.product_carries), "product_carries")
        self._examine()
        self._make_controls()
        self.text = Formula(description="What the model wrote, what it should be, and where it first went wrong")
        self.bars = Bars(role="plain", description="How many of the mistakes shown begin in each part of the line")
        super().__init__(
            f"The error book: {len(self.mistakes)} mistakes",
            [self.kind, self.part, self.product, *self.steps], [self.text, self.bars],
        )  # fmt: skip
        for control in (self.kind, self.part):
            self.listen(control, "value", lambda _: self._filter())
        self.listen(self.product, "value", lambda _: None)
        self._filter()
        self.redraw()

    def _make_controls(self) -> None:
        kinds = list(dict.fromkeys(kind for *_, kind in self.mistakes))
        self.kind = choice("kind", [(f"{ALL} kinds", ALL), *((kind, kind) for kind in kinds)])
        self.part = choice("first fault in", [("any part", ALL)])
        self.product = choice("product", [("none", -1)])
        self.steps = [button("Previous", lambda: self._move(-1)), button("Next", lambda: self._move(1))]

    # ---- what is known of each mistake ---------------------------------------------------------------------------

    def _faults(self, fault: Callable[..., Any]) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        """`first_fault` as a function that gives all places and, as numbers, all parts: -1 for what is none."""

        def found() -> tuple[np.ndarray, np.ndarray]:
            pairs = [fault(line, wanted) for (*_, line, _), wanted in zip(self.mistakes, self.wanted, strict=True)]
            places = [-1 if pair is None else int(pair[0]) for pair in pairs]
            parts = [self.names.index(pair[1]) if pair and pair[1] in self.names else -1 for pair in pairs]
            return np.array(places, dtype=int), np.array(parts, dtype=int)

        return found

    def _carries(self, carries: Callable[..., Any]) -> Callable[[], np.ndarray]:
        return lambda: np.array([carries(x, y, self.digits) for x, y, *_ in self.mistakes], dtype=float)

    def _examine(self) -> None:
        """Ask both functions once: mistakes and functions stay the same."""
        self.drawn, counted = self.fault(), self.count()
        self.places, self.parts = (values.astype(int) for values in self.drawn.values)
        self.carries = counted.values[0]
        if self.drawn.source == "yours" and counted.source != "yours":
            self.drawn = counted

    # ---- filters -------------------------------------------------------------------------------------------------

    def _filter(self) -> None:
        """Offer the parts that occur in this kind, with their counts, and the products that are left."""
        of_kind = [i for i, m in enumerate(self.mistakes) if self.kind.value in (ALL, m[3])]
        self.counts = [sum(int(self.parts[i] == p) for i in of_kind) for p in range(len(self.names))]
        options = [(f"any part ({len(of_kind)})", ALL)]
        options += [(f"{name} ({n})", name) for name, n in zip(self.names, self.counts, strict=True) if n]
        replace_options(self.part, options)
        chosen = [i for i in of_kind if self.part.value in (ALL, self._name(i))]
        self.chosen = chosen
        replace_options(self.product, [(self._label(i), i) for i in chosen] or [("none", -1)])

    def _name(self, i: int) -> str:
        return self.names[self.parts[i]] if self.parts[i] >= 0 else ""

    def _label(self, i: int) -> str:
        x, y, *_ = self.mistakes[i]
        return f"{x:0{self.digits}d} {TIMES} {y:0{self.digits}d}"

    def _move(self, by: int) -> None:
        """Go to the next product of the list or the one before; from an end to the other."""
        if self.product.value in self.chosen:
            place = (self.chosen.index(self.product.value) + by) % len(self.chosen)
            self.product.value = self.chosen[place]

    # ---- drawing -------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Show the chosen mistake part by part, and the counts of first faults."""
        i = self.product.value
        greyed = self.drawn.source == "course"
        if i < 0:
            self.text.show(lines=[[{"text": "The book is empty: nothing is wrong."}]], title="", note="", greyed=greyed)
        else:
            self.text.show(
                lines=self._lines(i),
                title=f"{self._label(i)}, {self.mistakes[i][3]}",
                note=self._note(i),
                greyed=greyed,
            )
        self.bars.show(
            labels=self.names, columns=[{"title": "first faults here", "values": self.counts, "digits": 0}],
            heading_before="Where it begins", note=f"Of {sum(self.counts)} mistakes with a fault that was found.",
            greyed=greyed,
        )  # fmt: skip
        self.say(self.drawn)

    def _lines(self, i: int) -> list[list[dict[str, str]]]:
        """The written line with its wrong characters marked, above the line as it should be; then the part at fault."""
        line, wanted = visible(self.mistakes[i][2]), visible(self.wanted[i])
        written = [self._character(i, line[p : p + 1], wanted[p], p) for p in range(len(wanted))]
        lines = [[{"text": "it wrote"}], written, [{"text": "should be"}], [{"text": wanted}]]
        start = 0
        for name, part in pieces(self.wanted[i]).items():
            if name == self._name(i):
                here = [{"text": f"{name}: "}, *written[start : start + len(part)]]
                lines.append([*here, {"text": f"   should be   {wanted[start : start + len(part)]}"}])
            start += len(part)
        return lines

    def _character(self, i: int, said: str, right: str, place: int) -> dict[str, str]:
        """One character that was written: orange where it is wrong, bold where the first fault is said to be."""
        style = "bold" if place == self.places[i] else ""
        return {"text": said or "\u00b7", "role": "plain" if said == right else "key", "style": style}

    def _note(self, i: int) -> str:
        """What is known of the mistake, in a sentence."""
        place, line, wanted = self.places[i], self.mistakes[i][2], self.wanted[i]
        text = f"{self.carries[i]:.0f} {'carry' if self.carries[i] == 1 else 'carries'} in all steps. "
        if not 0 <= place < len(wanted):
            return text + "No fault was found."
        said = visible(line[place : place + 1]) or "nothing"
        return text + (
            f"First fault at place {place}, in {self._name(i) or 'no part of the line'}: it wrote {said}, "
            f"should be {visible(wanted[place])}. Bold: the first fault; orange: not as it should be."
        )

    def figure(self) -> Any:
        """The counts of first faults by part, for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
        axes.bar(self.names, self.counts, color="#8a2be2")
        axes.set(
            ylabel="mistakes", title=f"Where {sum(self.counts)} wrong products of {self.digits} digits first go wrong"
        )
        return figure


def pieces(wanted: str) -> dict[str, str]:
    r"""The parts of a right line, by their names.

    >>> pieces("3*4=21;12\n")
    {'question': '3*4=', 'row 1': '21', 'answer': ';12\n'}
    """
    asked, _, rest = wanted.partition("=")
    first, *others, answer = re.findall(r"[+=;]?[0-9]+\n?", rest)
    names = [f"{'row' if part[0] == '+' else 'sum'} {2 + i // 2}" for i, part in enumerate(others)]
    return {"question": asked + "=", "row 1": first, **dict(zip(names, others, strict=True)), "answer": answer}


def visible(text: str) -> str:
    """The line end as a sign that one can see."""
    return text.replace("\n", "\u21b5")


def choice(label: str, options: list[tuple[str, Any]]) -> w.Dropdown:
    """A labelled list to choose from."""
    return w.Dropdown(
        options=options, description=label, layout=w.Layout(width="auto"), style={"description_width": "initial"}
    )


def replace_options(control: w.Dropdown, options: list[tuple[str, Any]]) -> None:
    """Offer other options, and keep the chosen one if it is still among them."""
    before = control.value
    if list(control.options) != options:
        control.options = options
    values = [value for _, value in options]
    control.value = before if before in values else values[0]


def error_book(
    fault: Callable[..., Any] | None = None, carries: Callable[..., Any] | None = None,
    wrong: list[Mistake] | None = None,
) -> ErrorBookCard:  # fmt: skip
    """Look through mistakes of a model: the course's book, or `wrong` of your own evaluation."""
    return ErrorBookCard(fault, carries, wrong)
