"""A valley that is steeper one way than the other: gradient descent beside AdamW (ch07)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.widgets.base import Card, Driven, slider
from course.widgets.views import Curves

STEPS, START = 80, (1.0, 1.0)
STEEPNESS = [1, 3, 10, 30, 100, 300, 1000]
LOWEST = 1e-9  # what a logarithmic axis still shows


def valley(steepness: float) -> np.ndarray:
    """Curvatures of the two directions; the loss at w (2,) is half the sum of curvature * w**2."""
    return np.array([steepness, 1.0])


def gradient_descent(steepness: float) -> np.ndarray:
    """Losses of plain gradient descent at rate 1 / steepness; above 2 / steepness it would fly out of the valley."""
    point, losses = np.array(START), []
    for _ in range(STEPS + 1):
        losses.append(0.5 * valley(steepness) @ point**2)
        point = point - valley(steepness) * point / steepness
    return np.array(losses)


def with_torch(adamw_step: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Losses of a walk with an optimizer on tensors: (steepness, lr) -> (STEPS + 1,)."""
    if adamw_step is None:
        return None

    def losses(steepness: float, lr: float) -> np.ndarray:
        import torch

        curvature = torch.from_numpy(valley(steepness))
        point, zeros = torch.tensor(START, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
        state, found = {"step": 0, "m": zeros, "v": zeros}, []
        for _ in range(STEPS + 1):
            found.append(float(0.5 * curvature @ point**2))
            point, state = adamw_step(point, curvature * point, state, lr, weight_decay=0.0)
        return np.array(found)

    return losses


def adam(steepness: float, lr: float) -> np.ndarray:
    """The same walk in NumPy, by Adam with its usual settings and no decay."""
    point, m, v, found = np.array(START), np.zeros(2), np.zeros(2), []
    for step in range(1, STEPS + 2):
        found.append(0.5 * valley(steepness) @ point**2)
        gradient = valley(steepness) * point
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        point = point - lr * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return np.array(found)


class ValleyLab(Card):
    """The widget; `adamw_step` is as in ch07, or None for the course's own."""

    def __init__(self, adamw_step: Callable[..., Any] | None = None):
        self.walk = Driven(with_torch(adamw_step), adam, "adamw_step")
        self.steepness = w.SelectionSlider(
            options=STEEPNESS, value=100, description="steepness", continuous_update=True,
            layout=w.Layout(width="340px"),
        )  # fmt: skip
        self.lr = slider(0.1, 0.01, 0.5, 0.01, "learning rate of AdamW")
        self.curves = Curves(
            log_y=True, x_label="step", y_label="loss", title="Down the valley",
            description="Loss by step, for plain gradient descent and for AdamW, on a logarithmic scale",
        )  # fmt: skip
        super().__init__("One direction is steeper than the other", [self.steepness, self.lr], [self.curves])
        self.listen(self.steepness, "value", lambda _: None)
        self.listen(self.lr, "value", lambda _: None)
        self.redraw()

    def walks(self) -> tuple[np.ndarray, Any]:
        """Losses of gradient descent, and what the optimizer drew."""
        steepness = float(self.steepness.value)
        return gradient_descent(steepness), self.walk(steepness, self.lr.value)

    def redraw(self) -> None:
        """Show both walks."""
        plain, drawn = self.walks()
        steps = np.arange(STEPS + 1)
        lines = {"gradient descent": (plain, "key", True), "AdamW": (drawn.values[0], "attention", False)}
        series = [
            {"name": name, "x": steps, "y": np.maximum(np.nan_to_num(y, nan=LOWEST), LOWEST), "role": role,
             "dashed": dashed}
            for name, (y, role, dashed) in lines.items()
        ]  # fmt: skip
        note = f"After {STEPS} steps: gradient descent {plain[-1]:.1e}, AdamW {drawn.values[0][-1]:.1e}."
        self.curves.show(series=series, greyed=drawn.source == "course", note=note)
        self.say(drawn)

    def figure(self) -> Any:
        """Both walks, as a figure for print."""
        import matplotlib.pyplot as plt

        plain, drawn = self.walks()
        figure, axes = plt.subplots(figsize=(7, 3.2))
        axes.semilogy(plain, color=plots.KEY, linestyle="--", label="gradient descent")
        axes.semilogy(np.maximum(drawn.values[0], LOWEST), color=plots.ATTENTION, linestyle="-", label="AdamW")
        axes.set(xlabel="step", ylabel="loss", title=f"Down the valley, steepness {self.steepness.value}")
        axes.legend()
        return figure


def valley_lab(adamw_step: Callable[..., Any] | None = None) -> ValleyLab:
    """Walk down a valley by gradient descent and by `adamw_step`."""
    return ValleyLab(adamw_step)
