"""GELU beside ReLU: how far a gate opens (ch05)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course import plots
from course.supplied import ch05
from course.widgets.base import Card, Driven, slider
from course.widgets.views import Bars, Curves

GRID = np.linspace(-4, 4, 81)


class GeluCurve(Card):
    """The widget; `gelu` maps an array to an array of its shape, or None for the course's own."""

    def __init__(self, gelu: Callable[..., Any] | None = None):
        self.gelu = Driven(gelu, ch05.gelu, "gelu")
        self.z = slider(-0.7, -4, 4, 0.1, "input z")
        self.curves = Curves(
            x_label="input z", y_label="output", title="Two gates",
            description="Two curves over z: ReLU has a corner at 0, GELU is smooth and slightly negative left of 0",
        )  # fmt: skip
        self.bars = Bars(labels=["z", "GELU(z)", "ReLU(z)"], role="plain", heading_before="At this input")
        super().__init__("How far does the gate open?", [self.z], [self.curves, self.bars])
        self.listen(self.z, "value", lambda _: None)
        self.redraw()

    def redraw(self) -> None:
        """Draw the curves and the values at the slider's place."""
        z = self.z.value
        drawn = self.gelu(np.append(GRID, z))
        greyed, values = drawn.source == "course", drawn.values[0]
        self.curves.show(greyed=greyed, marker=z, series=[
            {"name": "GELU", "x": GRID, "y": values[:-1], "role": "attention"},
            {"name": "ReLU", "x": GRID, "y": np.maximum(GRID, 0), "role": "key", "dashed": True},
        ])  # fmt: skip
        gate = f"GELU lets {values[-1] / z:.0%} of z through." if abs(z) > 0.05 else "At 0 both give 0."
        self.bars.show(
            greyed=greyed, wrong=[False, bool(drawn.wrong()[-1]), False], note=gate,
            columns=[{"values": [z, values[-1], max(z, 0.0)], "signed": True, "vmax": 4.0}],
        )  # fmt: skip
        self.say(drawn)

    def figure(self) -> Any:
        """Both curves, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(6, 3.4))
        axes.plot(GRID, self.gelu(GRID).values[0], color=plots.ATTENTION, linestyle="-", label="GELU")
        axes.plot(GRID, np.maximum(GRID, 0), color=plots.KEY, linestyle="--", label="ReLU")
        axes.set(xlabel="input z", ylabel="output", title="Two gates")
        axes.legend()
        return figure


def gelu_curve(gelu: Callable[..., Any] | None = None) -> GeluCurve:
    """Show GELU beside ReLU, drawn by `gelu` if it is given."""
    return GeluCurve(gelu)
