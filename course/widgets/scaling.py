"""How large a model, and how much text, for a given amount of compute (ch09)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots
from course.supplied import ch09
from course.widgets.base import Card, Drawn, Driven, button
from course.widgets.views import Curves


@dataclass(frozen=True)
class Law:
    """A fit of L(N, D) = e + a / N^alpha + b / D^beta; N parameters, D tokens, L in nats for each token."""

    e: float
    a: float
    b: float
    alpha: float
    beta: float

    def loss(self, n: Any, d: Any) -> Any:
        """The loss that it predicts."""
        return self.e + self.a / n**self.alpha + self.b / d**self.beta

    def optimum(self, compute: Any) -> tuple[Any, Any]:
        """The N and D of the smallest loss with 6 N D = compute (Hoffmann et al. 2022, equation 4)."""
        ratio = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        n = ratio * (compute / 6) ** (self.beta / (self.alpha + self.beta))
        return n, compute / 6 / n


LAWS = {
    "Besiroglu et al. 2024": Law(1.8172, 482.01, 2085.43, 0.3478, 0.3658),
    "Hoffmann et al. 2022": Law(1.69, 406.4, 410.7, 0.34, 0.28),
}
# Parameters and tokens as published: Brown et al. 2020, Hoffmann et al. 2022, Touvron et al. 2023, Llama team 2024.
MODELS = {
    "none": None, "GPT-3": (175e9, 300e9), "Chinchilla": (70e9, 1.4e12), "Llama 2 7B": (6.7e9, 2e12),
    "Llama 3 8B": (8.0e9, 15e12),
}  # fmt: skip
BUDGETS = np.logspace(18, 26, 9)
SIZES = np.logspace(7, 13, 121)
STEP = 0.01  # of the sliders, in powers of ten


def written(number: float) -> str:
    """A large number as people say it: 70.0 billion."""
    for size, name in ((1e15, " quadrillion"), (1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if number >= size:
            return f"{number / size:.3g}{name}"
    return f"{number:.3g}"


def per(ratio: float) -> str:
    """Tokens for each parameter: 1.71, 20.0, 1,880."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def fitted(fit: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A function of two arrays that gives a and alpha as one array."""
    return fit and (lambda x, y: np.array([float(v) for v in fit(torch.tensor(x), torch.tensor(y))]))


class ScalingLab(Card):
    """The widget; `fit` is fit_power_law, or None for the course's own."""

    def __init__(self, fit: Callable[..., Any] | None = None):
        self.fit = Driven(fitted(fit), fitted(ch09.fit_power_law), "fit_power_law")
        plain = {"description_width": "initial"}
        self.law = w.Dropdown(options=list(LAWS), description="fit of", style=plain)
        self.model = w.Dropdown(
            options=list(MODELS), description="sizes of", style=plain, layout=w.Layout(width="190px")
        )
        self.compute = self._power(23.76, 18, 26, "compute C = 10^")
        self.size = self._power(10.85, 7, 13, "parameters N = 10^")
        best = button("Go to the best N", self._go)
        self.curves = Curves(
            log_x=True, x_label="parameters N", y_label="loss (nats for each token)",
            title="Loss when the compute is spent",
            description="The predicted loss is a valley over the number of parameters; its lowest point is marked",
        )  # fmt: skip
        self.best = Curves(
            log_x=True, log_y=True, x_label="compute C (operations)", y_label="N, D", title="The best N and D",
            description="The best numbers of parameters and tokens grow with the compute, each as a power law",
        )  # fmt: skip
        controls = [self.law, self.model, self.compute, self.size, best]
        super().__init__("Spend a budget of compute", controls, [self.curves, self.best])
        self.listen(self.law, "value", lambda _: None)
        for control in (self.compute, self.size):
            self.listen(control, "value", lambda _: self._moved())
        self.listen(self.model, "value", self._set)
        self.redraw()

    @staticmethod
    def _power(value: float, low: float, high: float, label: str) -> w.FloatSlider:
        return w.FloatSlider(
            value=value, min=low, max=high, step=STEP, description=label, continuous_update=True,
            readout_format=".2f", layout=w.Layout(width="380px"), style={"description_width": "140px"},
        )  # fmt: skip

    def _set(self, name: str) -> None:
        if MODELS[name]:
            n, d = MODELS[name]
            self.compute.value, self.size.value = np.log10(6 * n * d), np.log10(n)

    def _moved(self) -> None:
        """A slider was moved: these are no model's sizes any more, unless the page only rounded them."""
        if MODELS[self.model.value]:
            n, d = MODELS[self.model.value]
            if abs(self.size.value - np.log10(n)) > STEP or abs(self.compute.value - np.log10(6 * n * d)) > STEP:
                self.model.value = "none"

    def _go(self) -> None:
        n, _ = LAWS[self.law.value].optimum(10**self.compute.value)
        self.size.value = float(np.log10(n))

    def at(self) -> tuple[float, float]:
        """N and D of the model chosen, or as the sliders stand: all of the compute is spent."""
        if MODELS[self.model.value]:
            return MODELS[self.model.value]
        n = 10**self.size.value
        return n, 10**self.compute.value / 6 / n

    def redraw(self) -> None:
        """Draw the valley of this budget, and how its lowest point moves with the budget."""
        law, (n, d) = LAWS[self.law.value], self.at()
        compute = 6 * n * d
        best_n, best_d = law.optimum(compute)
        valley = law.loss(SIZES, compute / 6 / SIZES)
        shown = valley < law.loss(best_n, best_d) + 1.5
        lowest = law.loss(best_n, best_d)
        self.curves.show(
            series=[
                {"name": "loss at this budget", "x": SIZES[shown], "y": valley[shown], "role": "attention"},
                {"name": "best N", "x": [best_n, best_n], "y": [law.e, lowest], "role": "value", "dashed": True},
                {"name": "no model gets below", "x": SIZES[shown], "y": [law.e] * shown.sum(), "role": "plain"},
            ],
            marker=n if shown.any() and SIZES[shown][0] <= n <= SIZES[shown][-1] else None,
            note=self._in_words(law, n, d, best_n, best_d),
        )  # fmt: skip
        ns, ds = law.optimum(BUDGETS)
        by_n, by_d = self.fit(BUDGETS, ns), self.fit(BUDGETS, ds)
        self._show_best(ns, ds, by_n, by_d)
        self.say(by_n if by_n.source != "yours" else by_d)

    @staticmethod
    def _in_words(law: Law, n: float, d: float, best_n: float, best_d: float) -> str:
        return (
            f"Line: N = {written(n)}, D = {written(d)} tokens, {per(d / n)} tokens for each parameter; loss "
            f"{law.loss(n, d):.3f} = {law.e:.2f} + {law.a / n**law.alpha:.3f} (too small) + "
            f"{law.b / d**law.beta:.3f} (too little read). Best: N = {written(best_n)}, D = {written(best_d)}, "
            f"{per(best_d / best_n)} tokens for each parameter; loss {law.loss(best_n, best_d):.3f}."
        )

    def _show_best(self, ns: np.ndarray, ds: np.ndarray, by_n: Drawn, by_d: Drawn) -> None:
        """The best N and D over the budgets, and the power laws that the student's function fits to them."""
        lines = []
        for name, y, drawn, role in (("N", ns, by_n, "query"), ("D", ds, by_d, "key")):
            a, alpha = drawn.values[0]
            lines.append({"name": f"best {name}", "x": BUDGETS, "y": y, "role": role})
            law = a * BUDGETS**-alpha
            if np.isfinite(law).all() and (law > 0).all() and law.min() > 1e3 and law.max() < 1e18:
                lines.append({"name": f"fit to {name}", "x": BUDGETS, "y": law, "role": role, "dashed": True})
        powers = [f"best {n} grows as C^{-d.values[0][1]:.3f}" for n, d in (("N", by_n), ("D", by_d))]
        self.best.show(
            series=lines, marker=10**self.compute.value, greyed=by_n.source == "course",
            note=f"Fitted: {' and '.join(powers)}.",
        )  # fmt: skip

    def figure(self) -> Any:
        """The valleys of several budgets, as a figure for print."""
        import matplotlib.pyplot as plt

        law = LAWS[self.law.value]
        figure, axes = plt.subplots(figsize=(7, 3.6))
        for compute, style in zip((1e20, 1e22, 1e24), ("-", "--", "-."), strict=True):
            best = law.optimum(compute)
            loss = law.loss(SIZES, compute / 6 / SIZES)
            near = loss < law.loss(*best) + 0.6
            axes.plot(SIZES[near], loss[near], style, label=f"C = {compute:.0e}", color=plots.ATTENTION)
            axes.plot(best[0], law.loss(*best), "D", color=plots.VALUE)
        axes.set(xscale="log", xlabel="parameters N", ylabel="loss", title=f"Best N for a budget ({self.law.value})")
        axes.legend()
        return figure


def scaling_lab(fit_power_law: Callable[..., Any] | None = None) -> ScalingLab:
    """Show the loss over the model's size at a fixed compute, with published fits, and fit how the optimum moves."""
    return ScalingLab(fit_power_law)
