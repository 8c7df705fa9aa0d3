"""Switch the mask cell by cell and see where attention can go; and the map of cross-attention (ch06)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots, supplied
from course.widgets.base import Card, Driven
from course.widgets.views import Heatmap

TOKENS = ["once", "upon", "a", "time", "there"]
PRESETS = {"causal": np.tri, "all allowed": lambda n: np.ones((n, n)), "only itself": np.eye}


def causal(n: int) -> np.ndarray:
    """The lower-triangular boolean mask of shape (n, n)."""
    return np.tri(n, dtype=bool)


def masked_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Attention with a mask (True = may attend); a row with nothing to see gets weights and output 0."""
    blind = ~mask.any(axis=-1, keepdims=True)
    _, weights = supplied.scaled_dot_product_attention(q, k, v, mask | blind)
    weights = np.where(blind, 0.0, weights)
    return weights @ v, weights


class MaskLab(Card):
    """The widget; `attention` is (q, k, v, mask) -> (output, weights), `mask` n -> (n, n); None: the course's own."""

    def __init__(self, attention: Callable[..., Any] | None = None, mask: Callable[..., Any] | None = None):
        self.attention = Driven(attention, masked_attention, "masked_attention")
        self.make_mask = Driven(mask, causal, "causal_mask")
        rng = np.random.default_rng(4)
        n = len(TOKENS)
        self.q, self.k = 1.6 * rng.standard_normal((2, n, 4))
        self.preset = w.ToggleButtons(options=list(PRESETS), description="mask", style={"button_width": "auto"})
        labels = {"row_labels": TOKENS, "column_labels": TOKENS, "row_role": "query", "column_role": "key",
                  "row_title": "query", "column_title": "key", "legend": False}  # fmt: skip
        self.mask_view = Heatmap(
            **labels, editable=True, digits=0, vmin=0.0, vmax=1.0, title="The mask: click a cell",
            description="Mask: 1 where the query of the row may look at the key of the column; cells can be switched",
        )  # fmt: skip
        self.weights = Heatmap(
            **labels, vmin=0.0, vmax=1.0, title="The weights",
            note="Each row shares 1 among the keys that the mask allows.",
            description="Attention weights under this mask",
        )  # fmt: skip
        super().__init__("What may a token look at?", [self.preset], [self.mask_view, self.weights])
        self.listen(self.preset, "value", self._use_preset)
        self.listen(self.mask_view, "toggled", self._toggle)
        self._use_preset("causal")
        self.redraw()

    def _use_preset(self, name: str) -> None:
        n = len(TOKENS)
        self.drawn_mask = self.make_mask(n) if name == "causal" else None
        self.mask = (self.drawn_mask.values[0] if self.drawn_mask else PRESETS[name](n)).astype(bool)

    def _toggle(self, _toggled: dict[str, Any]) -> None:
        self.mask = self.mask.copy()
        for place in self.mask_view.take_toggled():
            self.mask[place] ^= True
        self.drawn_mask = self.preset.value = None  # no preset any more; choosing one again starts over

    def redraw(self) -> None:
        """Show the mask and the weights under it."""
        drawn = self.attention(self.q, self.k, np.eye(len(TOKENS)), self.mask)
        wrong = self.drawn_mask.wrong() if self.drawn_mask else np.zeros_like(self.mask)
        greyed = bool(self.drawn_mask and self.drawn_mask.source == "course")
        self.mask_view.show(values=self.mask.astype(float), wrong=wrong, greyed=greyed)
        self.weights.show(
            values=drawn.values[1], masked=~self.mask & (drawn.values[1] == 0), wrong=drawn.wrong(1),
            expected=drawn.expected[1], greyed=drawn.source == "course",
        )  # fmt: skip
        mask_first = self.drawn_mask is not None and self.drawn_mask.source == "wrong"
        self.say(self.drawn_mask if mask_first else drawn)

    def figure(self) -> Any:
        """Mask and weights side by side, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
        weights = self.attention(self.q, self.k, np.eye(len(TOKENS)), self.mask).values[1]
        plots.heatmap(left, self.mask.astype(float), TOKENS, TOKENS, title="Mask (1 = may look)", digits=0)
        plots.heatmap(right, weights, TOKENS, TOKENS, title="Weights", masked=~self.mask)
        return figure


def mask_lab(attention: Callable[..., Any] | None = None, mask: Callable[..., Any] | None = None) -> MaskLab:
    """Show a mask that can be switched cell by cell, and the weights under it, drawn by the functions given."""
    return MaskLab(attention, mask)
