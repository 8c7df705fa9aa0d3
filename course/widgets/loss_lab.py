"""What a prediction costs: the loss against the probability of the right character (ch07)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from course import plots
from course.widgets.base import Card, Driven, column, slider
from course.widgets.views import Bars, Curves

VOCAB_SIZE = 61
TEXT, TARGET = "Shall I compare thee to a summer's d", "a"
OTHERS = {"e": 0.4, "o": 0.25, "i": 0.15, "r": 0.1}  # how they share what the target leaves; all the rest: 0.1
PROBABILITIES = np.arange(1, 100) / 100


def row_of_logits(p: float) -> np.ndarray:
    """Logits of V characters, the target first, whose softmax gives the target the probability p."""
    shares = [*OTHERS.values()] + [0.1 / (VOCAB_SIZE - 1 - len(OTHERS))] * (VOCAB_SIZE - 1 - len(OTHERS))
    return np.log([p, *((1 - p) * np.array(shares))]) + 3.0  # any constant may be added: the softmax forgets it


def with_torch(cross_entropy: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A function on arrays that calls one on tensors."""
    if cross_entropy is None:
        return None

    def loss(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
        import torch

        result = cross_entropy(torch.from_numpy(logits), torch.from_numpy(targets))
        return result.detach().numpy() if torch.is_tensor(result) else result

    return loss


def minus_log_softmax(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean cross-entropy of logits (n, V) at targets (n,)."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.asarray(-log_p[np.arange(len(targets)), targets].mean())


class LossLab(Card):
    """The widget; `cross_entropy` is (logits, targets) -> scalar tensor, or None for the course's own."""

    def __init__(self, cross_entropy: Callable[..., Any] | None = None):
        self.loss = Driven(with_torch(cross_entropy), minus_log_softmax, "cross_entropy")
        self.p = slider(0.25, 0.01, 0.99, 0.01, "P(correct)")
        self.bars = Bars(
            labels=[TARGET, *OTHERS, f"{VOCAB_SIZE - 1 - len(OTHERS)} others"], role="plain",
            heading_before=f"\u201c\u2026{TEXT[-12:]}\u201d goes on with", heading_chip=TARGET,
            chip_role="value",
        )  # fmt: skip
        self.curves = Curves(
            x_label="P(correct)", y_label="loss in nats", title="Being sure and wrong is what costs",
            description="The loss falls steeply as the probability of the right character grows from 0 to 1; "
            "a level line shows the loss of pure guessing",
        )  # fmt: skip
        super().__init__("What does a prediction cost?", [self.p], [self.bars, column([self.curves])])
        drawn = [self._at(p) for p in PROBABILITIES]
        self.line = [float(d.values[0]) for d in drawn]
        self.listen(self.p, "value", lambda _: None)
        self.redraw()

    def _at(self, p: float) -> Any:
        return self.loss(row_of_logits(p)[None], np.zeros(1, np.int64))

    def redraw(self) -> None:
        """Show one prediction, its loss, and its place on the curve."""
        p, chance = self.p.value, math.log(VOCAB_SIZE)
        drawn = self._at(p)
        loss = float(drawn.values[0])
        rest = (1 - p) * np.array([*OTHERS.values(), 0.1])
        self.bars.show(columns=[{"title": "probability", "values": [p, *rest], "vmax": 1.0}], note=self._words(loss))
        series = [
            {"name": "loss of this prediction", "x": PROBABILITIES, "y": self.line, "role": "attention"},
            {"name": f"guessing: ln {VOCAB_SIZE} = {chance:.2f}", "x": [0.01, 0.99], "y": [chance] * 2, "role": "key",
             "dashed": True},
        ]  # fmt: skip
        self.curves.show(series=series, marker=float(p), greyed=drawn.source == "course")
        self.say(drawn)

    @staticmethod
    def _words(loss: float) -> str:
        if not math.isfinite(loss) or abs(loss) > 50:
            return f"Loss {loss:.4g}."
        return (
            f"Loss {loss:.2f}; perplexity {math.exp(loss):.1f}: as unsure as among {math.exp(loss):.1f} equal choices."
        )

    def figure(self) -> Any:
        """The curve, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7, 3.4))
        axes.plot(PROBABILITIES, self.line, color=plots.ATTENTION, linestyle="-", label="loss")
        axes.axhline(math.log(VOCAB_SIZE), color=plots.KEY, linestyle="--", label=f"guessing: ln {VOCAB_SIZE}")
        axes.set(xlabel="P(correct)", ylabel="loss in nats", title="Being sure and wrong is what costs")
        axes.legend()
        return figure


def loss_lab(cross_entropy: Callable[..., Any] | None = None) -> LossLab:
    """Show what a prediction costs, computed by `cross_entropy` if it is given."""
    return LossLab(cross_entropy)
