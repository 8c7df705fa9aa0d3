"""RoPE beyond the trained length: how far a pair has turned, and the score over the distance, scaled or not (m19)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots
from course.supplied import m19
from course.widgets.base import Card, Drawn, Driven, column
from course.widgets.rope_dial import RopeDial
from course.widgets.sinusoid_map import whole
from course.widgets.views import Curves, Heatmap, Plane, number_text

D, TRAINED, FACTOR = 16, 64, 4  # entries of a head, positions in training, how many times longer the text is
FARTHEST = (TRAINED - 1) * FACTOR  # the distance that linear scaling just takes back to the known ones
BOUNDS = (0.5, 4.0)  # turns in training, for YaRN: suitable for so short a text
WAYS = ("none", "linear", "NTK", "YaRN")
Function = Callable[..., Any] | None


class FarDial(Card):
    """The widget; `ntk` and `yarn` are the student's functions for scaled speeds, or None for the course's own."""

    def __init__(self, ntk: Function = None, yarn: Function = None):
        plain = m19.rope_speeds(D).double()
        self.plain = plain.numpy()
        self.speeds = {
            "none": Driven(None, lambda: self.plain, "rope_speeds"),
            "linear": Driven(None, lambda: self.plain / FACTOR, "rope_speeds"),
            "NTK": Driven(_numbers(ntk, D, float(FACTOR)), _numbers(m19.ntk_speeds, D, float(FACTOR)), "ntk_speeds"),
            "YaRN": Driven(
                _numbers(yarn, plain, float(FACTOR), TRAINED, *BOUNDS),
                _numbers(m19.yarn_speeds, plain, float(FACTOR), TRAINED, *BOUNDS), "yarn_speeds",
            ),
        }  # fmt: skip
        self.distance = whole(100, 0, FARTHEST, "distance", 340)
        self.way = w.ToggleButtons(options=WAYS, description="scaling", style={"button_width": "auto"})
        self.pair = w.ToggleButtons(
            options=list(range(D // 2)), value=3, description="pair i", style={"button_width": "auto"}
        )
        self.plane = Plane(
            limit=1.25, description="A plane with the hand of one pair, at this distance and at the end of training"
        )
        self.curves = Curves(
            x_label="distance", y_label="score", title="A vector and itself, over the distance",
            description="The score of two equal vectors over their distance, with and without scaling",
        )  # fmt: skip
        self.table = Heatmap(
            row_labels=["training", "now"], column_labels=[str(i) for i in range(D // 2)],
            column_title="pair", legend=False, vmin=0.0, vmax=10.0,
            title="Turns of each pair: at most in training, and now",
            description="Table of the turns of each pair: at most in training, and at this distance",
        )  # fmt: skip
        super().__init__(
            "Beyond the trained distance", [self.distance, self.way, self.pair],
            [self.plane, column([self.curves, self.table])],
        )  # fmt: skip
        for control in (self.distance, self.way, self.pair):
            self.listen(control, "value", lambda _: None)
        self.redraw()

    def drawn(self) -> Drawn:
        """The speeds under the chosen scaling, and whose they are."""
        return self.speeds[self.way.value]()

    def redraw(self) -> None:
        """Show the hand, the curve and the table for the controls' values."""
        drawn = self.drawn()
        speeds, greyed = drawn.values[0], drawn.source == "course" and self.way.value in ("NTK", "YaRN")
        pair, distance = self.pair.value, self.distance.value
        self.plane.show(
            vectors=self._hands(speeds), greyed=greyed, title=f"Pair {pair} after {distance} steps",
            note=self._note(speeds),
        )  # fmt: skip
        self.curves.show(
            series=self.series(speeds), marker=float(distance), greyed=greyed,
            note=f"Solid: distances that training has seen, up to {TRAINED - 1}. Dashed: beyond.",
        )  # fmt: skip
        turns = [self.plain * (TRAINED - 1), speeds * distance]
        wrong = np.array([np.zeros(D // 2, bool), drawn.wrong()])
        expected = [turns[0], drawn.expected[0] * distance]
        self.table.show(
            values=np.array(turns) / (2 * math.pi), wrong=wrong, greyed=greyed,
            expected=np.array(expected) / (2 * math.pi),
        )  # fmt: skip
        self.say(drawn if self.way.value in ("NTK", "YaRN") else self._said(speeds))

    def _said(self, speeds: np.ndarray) -> Drawn:
        name = "No scaling" if self.way.value == "none" else f"All speeds divided by {FACTOR}"
        return Drawn((speeds,), "yours", f"{name}: nothing of yours is needed here.", (speeds,))

    def _hands(self, speeds: np.ndarray) -> list[dict[str, Any]]:
        """The hand now, and where it ended in training."""
        angles = (self.plain[self.pair.value] * (TRAINED - 1), speeds[self.pair.value] * self.distance.value)
        names = (f"trained up to {TRAINED - 1}", "now")
        return [
            {"name": name, "x": math.cos(a), "y": math.sin(a), "dim": not i, "role": "attention" if i else "plain"}
            for i, (name, a) in enumerate(zip(names, angles, strict=True))
        ]

    def unseen(self, speeds: np.ndarray) -> bool:
        """Whether the chosen pair stands at an angle that training has not reached, and had not come round before."""
        most = self.plain[self.pair.value] * (TRAINED - 1)
        return most < 2 * math.pi and speeds[self.pair.value] * self.distance.value > most + 1e-9

    def _note(self, speeds: np.ndarray) -> str:
        i = self.pair.value
        most, now = (math.degrees(a) for a in (self.plain[i] * (TRAINED - 1), speeds[i] * self.distance.value))
        said = f"In training it went from 0 to {number_text(most, 0)} degrees. Now: {number_text(now, 0)}"
        if most >= 360:
            return f"{said}, and every angle had come up in training."
        return f"{said}, an angle that no text in training had." if self.unseen(speeds) else f"{said}, nothing new."

    def series(self, speeds: np.ndarray) -> list[dict[str, Any]]:
        """Mean cosine over the pairs, by distance: without scaling and, if one is chosen, with it."""
        made = []
        for name, used, role in (("no scaling", self.plain, "key"), (self.way.value, speeds, "attention")):
            if name == "none":
                continue
            score = np.cos(np.outer(np.arange(FARTHEST + 1), used)).mean(axis=1)
            for part, dashed in ((slice(0, TRAINED), False), (slice(TRAINED - 1, None), True)):
                x = np.arange(FARTHEST + 1)[part]
                made.append({"name": name + " (beyond)" * dashed, "x": x, "y": score[part], "role": role,
                             "dashed": dashed})  # fmt: skip
        return made

    def figure(self) -> Any:
        """The curves and the turns, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
        colours = {"key": plots.KEY, "attention": plots.ATTENTION}
        speeds = self.drawn().values[0]
        for one in self.series(speeds):
            left.plot(one["x"], one["y"], color=colours[one["role"]], linestyle="--" if one["dashed"] else "-",
                      label=None if one["dashed"] else one["name"])  # fmt: skip
        left.set(xlabel="distance", ylabel="score of a vector and itself", title=f"Trained up to {TRAINED - 1}")
        left.legend()
        pairs = np.arange(D // 2)
        right.bar(pairs - 0.2, self.plain * (TRAINED - 1) / (2 * math.pi), 0.4, color=plots.GREY, label="in training")
        right.bar(pairs + 0.2, speeds * FARTHEST / (2 * math.pi), 0.4, color=plots.ATTENTION, hatch="//",
                  edgecolor="white", label=f"at distance {FARTHEST}")  # fmt: skip
        right.set(xlabel="pair", ylabel="turns", title=f"Scaling: {self.way.value}", yscale="log")
        right.legend()
        return figure


def _numbers(function: Function, *args: Any) -> Callable[[], tuple[np.ndarray, ...]] | None:
    """A function of torch as one without arguments that gives NumPy arrays; None stays None."""
    if function is None:
        return None

    def called() -> tuple[np.ndarray, ...]:
        result = function(*args)
        parts = result if isinstance(result, tuple | list) else (result,)
        return tuple(np.asarray(part, dtype=float) for part in parts)

    return called


def far_dial(ntk: Function = None, yarn: Function = None) -> FarDial:
    """Show what becomes of RoPE beyond the trained distance; scaled by `ntk` and `yarn` if they are given."""
    return FarDial(ntk, yarn)


def rotation_dial(rotate: Function = None) -> RopeDial:
    """The dial of ch04, turned by `rotate`, a function of torch: (x, positions, speeds) -> x turned."""
    if rotate is None:
        return RopeDial(None, "rotate_complex")

    def turned(x: np.ndarray, positions: np.ndarray) -> np.ndarray:
        speeds = m19.rope_speeds(x.shape[-1]).double()
        return np.asarray(rotate(torch.from_numpy(x), torch.from_numpy(positions), speeds))

    return RopeDial(turned, "rotate_complex")
