"""Follow one token's vector through an encoder block, station by station (ch05)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch05
from course.supplied.ch03 import multi_head_attention
from course.widgets.base import Card, Drawn, Driven, Stepper, column, switch
from course.widgets.views import Bars, Flow, number_text

TOKENS = ["the", "cat", "sat", "on", "mats"]
FEATURES = ["small word", "noun", "verb", "animal", "thing", "who", "where", "event"]
X = np.zeros((len(TOKENS), len(FEATURES)))
for _token, _feature, _value in [(0, 0, 1.8), (1, 1, 1.6), (1, 3, 2.2), (2, 2, 2.0), (3, 0, 1.4), (3, 6, 0.6),
                                 (4, 1, 1.5), (4, 4, 2.1)]:  # fmt: skip
    X[_token, _feature] = _value
HEADS, GAIN, BIAS = 2, 1.2, 0.1
STATIONS = ["x", "norm 1", "attention", "add 1", "norm 2", "feed-forward", "add 2"]
STEPS = ["the token's vector", "layer norm", "attention", "first addition", "layer norm again", "feed-forward network",
         "second addition"]  # fmt: skip
LABELS = ["x", "layer norm 1", "attention", "x + attention", "layer norm 2", "feed-forward", "output"]
# For each station: what comes in, by station; its own values stand in the last column.
INPUTS = [[], [0], [1], [0, 2], [3], [4], [3, 5]]
# Where they stand: the stream goes straight down on the left, the branches read from it and add to it.
PLACES = [(0, 0), (1.7, 1), (1.7, 2), (0, 3), (1.7, 4), (1.7, 5), (0, 6)]
HEADINGS = ["x", "norm 1", "attention", "sum", "norm 2", "network", "output"]


def weights() -> dict[str, Any]:
    """A block made by hand: verbs look for an animal (head 1) and for a thing (head 2); who + where + verb = event."""
    where = {name: i for i, name in enumerate(FEATURES)}
    d, d_head = len(FEATURES), len(FEATURES) // HEADS
    attention = {name: np.zeros((d, d)) for name in ("w_q", "w_k", "w_v", "w_o")}
    for first, sought, written in ((0, "animal", "who"), (d_head, "thing", "where")):
        attention["w_q"][where["verb"], first] = 0.8
        attention["w_k"][where[sought], first] = attention["w_v"][where[sought], first] = 1.0
        attention["w_o"][first, where[written]] = 1.0
    w_1, w_2 = np.zeros((d, 2)), np.zeros((2, d))
    w_1[[where["verb"], where["who"], where["where"]], 0] = 1.0
    w_1[where["small word"], 1] = 1.0
    w_2[0, where["event"]], w_2[1, where["small word"]] = 1.5, -0.6
    norm = {"gain": np.full(d, GAIN), "bias": np.full(d, BIAS)}
    ffn = {"w_1": w_1, "b_1": np.array([-2.6, -1.0]), "w_2": w_2, "b_2": np.zeros(d)}
    return {"norm_1": norm, "attention": attention, "norm_2": {k: v.copy() for k, v in norm.items()}, "ffn": ffn}


def first_half(p: dict[str, Any]) -> dict[str, Any]:
    """The same block with a feed-forward network that adds nothing: it shows what stands after the first addition."""
    silent = {"w_2": np.zeros_like(p["ffn"]["w_2"]), "b_2": np.zeros_like(p["ffn"]["b_2"])}
    return {**p, "ffn": p["ffn"] | silent}


class EncoderSteps(Card):
    """The widget; each function is the student's, or None for the course's own.

    `norm` and `ffn` draw their stations from the right inputs, `block` draws what stands after both additions.
    """

    def __init__(
        self, block: Callable[..., Any] | None = None, norm: Callable[..., Any] | None = None,
        ffn: Callable[..., Any] | None = None,
    ):  # fmt: skip
        self.block = Driven(block, ch05.encoder_block, "encoder_block")
        self.norm = Driven(norm, ch05.layer_norm, "layer_norm")
        self.ffn = Driven(ffn, ch05.feed_forward, "feed_forward")
        self.token = w.ToggleButtons(options=TOKENS, value="sat", description="token", style={"button_width": "auto"})
        self.causal = switch(False, "hide later tokens")
        self.stepper = Stepper(names=STEPS)
        self.flow = Flow(
            title="The block",
            description="A diagram of the block: the token's vector at each station, with two residual paths",
        )
        self.bars = Bars(labels=FEATURES, role="plain", heading_before="The vector of", chip_role="query")
        self.looks = Bars(labels=TOKENS, role="key", heading_before="Where", heading_after="looks", chip_role="query")
        views = [self.flow, column([self.bars, self.looks])]
        super().__init__("One token's way through the block", [self.token, self.causal, self.stepper], views)
        for control, trait in ((self.token, "value"), (self.causal, "value"), (self.stepper, "step")):
            self.listen(control, trait, lambda _: None)
        self.listen(self.flow, "selected", self._go_to)
        self.redraw()

    def _go_to(self, station: str) -> None:
        """A click on a box goes to its step."""
        if station:
            self.stepper.step = STATIONS.index(station)

    @property
    def mask(self) -> np.ndarray | None:
        """The causal mask, or None."""
        return np.tri(len(TOKENS), dtype=bool) if self.causal.value else None

    def compute(self) -> list[Drawn]:
        """What stands at each station, for all tokens; every part is given the right input."""
        p, mask = weights(), self.mask
        half = self.block(X, first_half(p), HEADS, mask)
        normed = self.norm(X, p["norm_1"]["gain"], p["norm_1"]["bias"])
        attended, self.shares = multi_head_attention(normed.expected[0], p["attention"], HEADS, mask)
        again = self.norm(half.expected[0], p["norm_2"]["gain"], p["norm_2"]["bias"])
        given = [Drawn((a,), "yours", "", (a,)) for a in (X, attended)]
        return [given[0], normed, given[1], half, again, self.ffn(again.expected[0], p["ffn"]),
                self.block(X, p, HEADS, mask)]  # fmt: skip

    def redraw(self) -> None:
        """Compute all stations and light the current one."""
        drawn, i, step = self.compute(), TOKENS.index(self.token.value), self.stepper.step
        rows = [one.values[0][i] for one in drawn]
        wrong = [one.wrong()[i] for one in drawn]
        self.flow.show(
            boxes=self._boxes(rows, wrong), arrows=_arrows(), step=step, selected=STATIONS[step],
            note=self._sentence(rows, step), greyed=any(one.source == "course" for one in drawn),
        )  # fmt: skip
        shown = [*INPUTS[step], step]
        self.bars.show(
            heading_chip=TOKENS[i], heading_after=f"at step {step + 1}", wrong=wrong[step],
            greyed=drawn[step].source == "course",
            columns=[{"title": HEADINGS[k], "values": rows[k], "signed": True, "judged": k == step} for k in shown],
        )  # fmt: skip
        self.looks.show(
            heading_chip=TOKENS[i],
            masked=[] if self.mask is None else ~self.mask[i],
            columns=[{"title": f"head {h + 1}", "values": self.shares[h, i], "vmax": 1.0} for h in range(HEADS)],
        )
        self.say(_whose(drawn))

    def _boxes(self, rows: list[np.ndarray], wrong: list[np.ndarray]) -> list[dict[str, Any]]:
        roles = {2: "attention", 5: "value"}
        return [
            {"name": STATIONS[k], "label": LABELS[k], "x": x, "y": y, "width": 1.5, "role": roles.get(k, "plain"),
             "values": rows[k], "step": k, "wrong": bool(wrong[k].any())}
            for k, (x, y) in enumerate(PLACES)
        ]  # fmt: skip

    def _sentence(self, rows: list[np.ndarray], step: int) -> str:
        """What happens at this step, with the numbers on the screen."""
        token, before = self.token.value, rows[INPUTS[step][0]] if INPUTS[step] else rows[0]
        spread = f"mean {number_text(before.mean())} and variance {number_text(before.var())} become 0 and 1"
        most = FEATURES[int(np.argmax(np.abs(rows[step])))]
        size = number_text(rows[step][FEATURES.index(most)])
        seen = " and ".join(
            f"\u201c{TOKENS[int(np.argmax(share[TOKENS.index(token)]))]}\u201d" for share in self.shares
        )
        return [
            f"\u201c{token}\u201d comes in as a row of {len(FEATURES)} numbers, each a made-up feature.",
            f"Its {spread}; then gain {GAIN}, bias {BIAS}.",
            f"Its heads look most at {seen}; most is written into \u201c{most}\u201d ({size}).",
            "What attention brought is added. What x held before is still there.",
            f"Once more: {spread}.",
            f"Seeing this token alone, the network writes most into \u201c{most}\u201d ({size}).",
            "What the network wrote is added. This row goes into the next block.",
        ][step]

    def figure(self) -> Any:
        """All stations of the token as a table, as a figure for print."""
        import matplotlib.pyplot as plt

        values = np.array([one.values[0][TOKENS.index(self.token.value)] for one in self.compute()])
        figure, axes = plt.subplots(figsize=(8, 4))
        axes.imshow(values, cmap="PuOr_r", vmin=-3, vmax=3, aspect="auto")
        axes.set_xticks(range(len(FEATURES)), FEATURES, rotation=20, color=plots.VALUE)
        axes.set_yticks(range(len(LABELS)), LABELS)
        axes.grid(False)
        axes.set_title(f"The vector of \u201c{self.token.value}\u201d on its way through the block")
        for (i, j), value in np.ndenumerate(values):
            axes.text(j, i, f"{value:.1f}", ha="center", va="center", color="white" if abs(value) > 2 else "black")
        return figure


def _arrows() -> list[dict[str, Any]]:
    """The way through the stations, and the two residual connections past the branches."""
    along = zip(STATIONS[:-1], STATIONS[1:], range(1, len(STATIONS)), strict=True)
    past = [(0, 3), (3, 6)]
    return [{"source": a, "target": b, "step": k} for a, b, k in along] + [
        {"source": STATIONS[a], "target": STATIONS[b], "kind": "residual", "label": "residual", "step": b}
        for a, b in past
    ]


def _whose(drawn: Sequence[Drawn]) -> Drawn:
    """The most important of several messages: something wrong, something missing, else that all is the student's."""
    said = [one for one in drawn if one.message]
    for source in ("wrong", "course"):
        if found := next((one for one in said if one.source == source), None):
            return found
    return replace(said[-1], message="Drawn by your `layer_norm`, `feed_forward` and `encoder_block`.")


def encoder_steps(
    block: Callable[..., Any] | None = None, norm: Callable[..., Any] | None = None,
    ffn: Callable[..., Any] | None = None,
) -> EncoderSteps:  # fmt: skip
    """Show a token's way through an encoder block, drawn by the functions that are given."""
    return EncoderSteps(block, norm, ffn)
