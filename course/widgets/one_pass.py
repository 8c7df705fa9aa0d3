"""A softmax that reads its row block by block: what it knows of the row so far, and what a larger score does (m22)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots, trained
from course.supplied import ch07, m22
from course.widgets.base import Card, Drawn, Driven, Stepper, column
from course.widgets.cache_growth import visible
from course.widgets.segments import Segment, bold, factor, power, text
from course.widgets.sinusoid_map import whole
from course.widgets.views import Bars, Formula, number_text

LINE, KEYS = "When, in disgrace with fortune", 16  # its last characters are the keys
ORDERS = ["as in the text", "largest first", "largest last"]
OFFSETS = {"0": 0.0, "1000": 1000.0}


@functools.cache
def scores_of_heads() -> np.ndarray:
    """Scores of the line's last character with the characters up to it, in block 1 of the trained model: (heads, m)."""
    model = trained.read(trained.FOLDER / "ch07_characters.safetensors")
    p, block = model.p, model.p["blocks"][0]
    ids = model.encode(LINE)[0]
    z = ch07._layer_norm(p["embed"][ids] + p["position"][: len(ids)], block["norm_1"])
    q, k = (
        (z @ block["attention"][name]).reshape(len(ids), model.heads, -1).numpy().astype(float)
        for name in ("w_q", "w_k")
    )
    return np.einsum("hd,mhd->hm", q[-1], k)[:, -KEYS:] / np.sqrt(q.shape[-1])


class OnlineRow(Card):
    """The widget; `online` is (scores, block) -> (tops, totals), or None for the course's own."""

    def __init__(self, online: Callable[..., Any] | None = None):
        self.online = Driven(online, m22.online_softmax, "online_softmax")
        heads = [str(h + 1) for h in range(len(scores_of_heads()))]
        self.head = w.ToggleButtons(options=heads, value="3", description="head", style={"button_width": "auto"})
        self.block = whole(4, 1, 8, "scores in a block", 280)
        self.order = w.Dropdown(options=ORDERS, description="order of the keys", style={"description_width": "initial"})
        self.order.layout.width = "260px"
        self.offset = w.ToggleButtons(
            options=list(OFFSETS), description="add to every score", style={"button_width": "auto"}
        )
        self.offset.style.description_width = "initial"
        self.stepper = Stepper(names=["block 1"])
        self.row = Bars(role="key", title="The row", description="Each score, and its power so far")
        self.running = Bars(role="plain", title="What is kept", description="Maximum and sum after each block")
        self.formula = Formula(description="How the sum changes with this block")
        controls = [self.head, self.block, self.order, self.offset, self.stepper]
        super().__init__("A softmax in one pass", controls, [self.row, column([self.running, self.formula])])
        for control in (self.head, self.order, self.offset):
            self.listen(control, "value", lambda _: None)
        self.listen(self.block, "value", lambda _: self._start_over())
        self.listen(self.stepper, "step", lambda _: None)
        self._start_over()
        self.redraw()

    def _start_over(self) -> None:
        count = -(-KEYS // self.block.value)
        self.stepper.names = [f"block {i + 1}" for i in range(count)]

    def scores(self) -> tuple[list[str], np.ndarray]:
        """The row in the chosen order: characters and scores, (m,)."""
        scores, order = scores_of_heads()[int(self.head.value) - 1], np.arange(KEYS)
        if self.order.value != ORDERS[0]:
            order = np.argsort(scores if self.order.value == ORDERS[2] else -scores, kind="stable")
        names = [visible(c) for c in LINE[-KEYS:]]
        return [names[i] for i in order], scores[order] + OFFSETS[self.offset.value]

    def redraw(self) -> None:
        """Show the row as far as it is read, and what is kept of it."""
        names, scores = self.scores()
        with np.errstate(all="ignore"):
            drawn = self.online(scores, self.block.value)
        step, greyed = self.stepper.step, drawn.source == "course"
        unread = np.arange(KEYS) >= (step + 1) * self.block.value
        self._show_row(names, scores, unread, drawn, greyed)
        tops, totals = drawn.values
        later = np.arange(len(tops)) > step
        self.running.show(
            labels=self.stepper.names, masked=later, wrong=(drawn.wrong(0) | drawn.wrong(1)) & ~later, greyed=greyed,
            columns=[{"title": "largest so far", "values": tops, "signed": True, "judged": bool(drawn.wrong(0).any())},
                     {"title": "sum so far", "values": totals, "judged": bool(drawn.wrong(1).any()),
                      "vmax": float(max(1.0, np.nanmax(drawn.expected[1])))}],
        )  # fmt: skip
        self.formula.show(lines=self._lines(scores, drawn))
        self.say(drawn)

    def _show_row(self, names: list[str], scores: np.ndarray, unread: np.ndarray, drawn: Drawn, greyed: bool) -> None:
        with np.errstate(all="ignore"):
            powers = np.exp(scores - drawn.values[0][self.stepper.step])
        self.row.show(
            labels=names, masked=unread, greyed=greyed, heading_before="keys seen by the last character, ",
            heading_chip=LINE[-1],
            columns=[{"title": "score", "values": scores, "signed": True},
                     {"title": "e^(score \N{MINUS SIGN} largest so far)", "values": np.where(unread, 0.0, powers),
                      "vmax": 1.0}],
        )  # fmt: skip

    def _lines(self, scores: np.ndarray, drawn: Drawn) -> list[list[Segment]]:
        """Old sum, rescaled, plus the new powers; at the end, the weight of the largest."""
        step, block = self.stepper.step, self.block.value
        tops, totals = drawn.values
        with np.errstate(all="ignore"):
            new = np.exp(scores[step * block : (step + 1) * block] - tops[step]).sum()
        sign = text(" = ")
        if not step:
            return [[text("sum of the first block"), sign, bold(totals[0])]]
        before, after = tops[step - 1], tops[step]
        with np.errstate(all="ignore"):
            fade = np.exp(before - after)
        said = "nothing is rescaled" if after == before else "what was summed before shrinks"
        lines = [
            [text(f"largest: {number_text(before)} before, {number_text(after)} now; {said}")],
            [factor(totals[step - 1]), text(" \N{MULTIPLICATION SIGN} "), *power(before - after), text(" + "),
             factor(new), sign, factor(totals[step - 1]), text(" \N{MULTIPLICATION SIGN} "), factor(fade),
             text(" + "), factor(new), sign, bold(totals[step], "attention")],
        ]  # fmt: skip
        if step == len(tops) - 1:
            with np.errstate(all="ignore"):
                lines.append([text("the largest weight is 1 / sum = "), bold(1 / totals[-1], "attention")])
        return lines

    def figure(self) -> Any:
        """Scores and running maximum, and the running sum, for print."""
        import matplotlib.pyplot as plt

        names, scores = self.scores()
        with np.errstate(all="ignore"):
            tops, totals = self.online(scores, self.block.value).values
        ends = np.minimum((np.arange(len(tops)) + 1) * self.block.value, KEYS) - 1
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
        left.bar(range(KEYS), scores, color=plots.KEY, label="score")
        left.step(ends, tops, where="post", color=plots.ATTENTION, marker="o", label="largest so far")
        left.set_xticks(range(KEYS), names)
        left.legend()
        right.plot(range(1, len(tops) + 1), totals, marker="o", color=plots.ATTENTION)
        right.set(xlabel="blocks read", title="Sum so far, relative to the largest so far")
        right.set_ylim(bottom=0)
        return figure


def online_row(online: Callable[..., Any] | None = None) -> OnlineRow:
    """Show one row's running maximum and sum, computed by `online` if it is given."""
    return OnlineRow(online)
