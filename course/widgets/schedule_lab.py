"""Warm-up and cosine under sliders, drawn by the student's schedule (ch07)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.widgets.base import Card, Driven, slider
from course.widgets.views import Curves

POINTS = 240


def warmup_cosine(step: int, warmup: int, total: int, peak: float, floor: float) -> float:
    """Linear from 0 to `peak` at `warmup`, then half a cosine to `floor` at `total`, where it stays."""
    if step < warmup:
        return peak * step / warmup
    progress = min((step - warmup) / (total - warmup), 1.0)
    return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2


def at_steps(schedule: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A function of whole steps and the settings that gives the rates of all of them."""
    return schedule and (lambda steps, *settings: np.array([float(schedule(int(s), *settings)) for s in steps]))


def whole(value: int, low: int, high: int, step: int, label: str) -> w.IntSlider:
    """A labelled slider of whole numbers."""
    return w.IntSlider(
        value=value, min=low, max=high, step=step, description=label, continuous_update=True,
        layout=w.Layout(width=f"{180 + 7 * len(label)}px"), style={"description_width": "initial"},
    )  # fmt: skip


class ScheduleLab(Card):
    """The widget; `schedule` is (step, warmup, total, peak, floor) -> float, or None for the course's own."""

    def __init__(self, schedule: Callable[..., Any] | None = None):
        self.rates = Driven(at_steps(schedule), at_steps(warmup_cosine), "lr_schedule")
        self.warmup, self.total = whole(100, 0, 300, 10, "warm-up"), whole(1000, 400, 2000, 50, "total")
        self.peak, self.floor = (
            slider(5.0, 0.5, 10.0, 0.1, "peak, thousandths"),
            slider(0.5, 0.0, 5.0, 0.1, "floor, thousandths"),
        )
        self.step = whole(300, 0, 2200, 10, "step")
        self.curves = Curves(
            x_label="step", y_label="learning rate, thousandths", title="The learning rate over a training",
            description="The learning rate rises in a line in the warm-up and falls along half a cosine to the floor",
        )  # fmt: skip
        controls = [self.warmup, self.total, self.peak, self.floor, self.step]
        super().__init__("How fast to learn, and when", controls, [self.curves])
        for control in controls:
            self.listen(control, "value", lambda _: None)
        self.redraw()

    def settings(self) -> tuple[int, int, float, float]:
        """warmup, total, peak, floor as the sliders stand."""
        return self.warmup.value, self.total.value, self.peak.value / 1000, self.floor.value / 1000

    def steps(self) -> np.ndarray:
        """The whole steps that are drawn: a tenth more than the training has, with its corners."""
        warmup, total, *_ = self.settings()
        return np.unique([*np.linspace(0, 1.1 * total, POINTS).astype(int), warmup, total])

    def redraw(self) -> None:
        """Draw the schedule under the sliders' settings."""
        steps, settings = self.steps(), self.settings()
        drawn = self.rates(steps, *settings)
        series = [{"name": "learning rate", "x": steps, "y": 1000 * drawn.values[0], "role": "attention"}]
        if drawn.source == "wrong":
            series.append({"name": "right", "x": steps, "y": 1000 * drawn.expected[0], "role": "value", "dashed": True})
        place = min(self.step.value, int(steps[-1]))
        here = self.rates(np.array([place]), *settings).values[0][0]
        self.curves.show(
            series=series, marker=float(place), greyed=drawn.source == "course",
            note=f"Step {place}: learning rate {here:.3g}." + self._phase(place, *settings),
        )  # fmt: skip
        self.say(drawn)

    @staticmethod
    def _phase(step: int, warmup: int, total: int, peak: float, floor: float) -> str:
        names = {step < warmup: " Warm-up.", warmup <= step < total: " On the way down.", step >= total: " The end."}
        return names[True] + (" Here the floor lies above the peak." if floor > peak else "")

    def figure(self) -> Any:
        """The schedule, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7, 3.2))
        axes.plot(self.steps(), self.rates(self.steps(), *self.settings()).values[0], color=plots.ATTENTION)
        axes.set(xlabel="step", ylabel="learning rate", title="The learning rate over a training")
        return figure


def schedule_lab(schedule: Callable[..., Any] | None = None) -> ScheduleLab:
    """Show warm-up and cosine under sliders, drawn by `schedule` if it is given."""
    return ScheduleLab(schedule)
