"""Route real tokens to the best of 8 experts (ch09)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import torch
from safetensors.torch import load_file

from course import plots, trained
from course.supplied import ch09
from course.widgets.base import Card, Drawn, Driven, column
from course.widgets.bus import own_model
from course.widgets.schedule_lab import whole
from course.widgets.views import Bars, Flow, Formula, Heatmap, number_text

LINES = ["Shall I compare thee", "But thy eternal summer", "No longer mourn for me"]
EXPERTS = 8
UNLIMITED = "no limit"
CAPACITIES = [UNLIMITED, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0]


def arrays_of(gating: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A function of logits as an array that gives indices and gates as arrays."""
    return gating and (lambda logits, k: tuple(np.asarray(t) for t in gating(torch.tensor(logits), k)))


def number_of(loss: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A function of logits as an array that gives the loss as an array of no axes."""
    return loss and (lambda logits, k: np.asarray(loss(torch.tensor(logits), k)))


def spread_out(indices: np.ndarray, gates: np.ndarray, experts: int = EXPERTS) -> np.ndarray:
    """Gates by expert, (n, E), 0 where an expert was not chosen; numbers that are no expert's are left out."""
    table = np.zeros((len(indices), experts))
    token, place = np.nonzero((indices >= 0) & (indices < experts))
    table[token, indices[token, place].astype(int)] = gates[token, place]
    return table


def within_capacity(indices: np.ndarray, capacity: int) -> np.ndarray:
    """Which assignments fit: an expert takes `capacity` of them, first choices before second ones; (n, k), bool."""
    taken: dict[int, int] = {}
    fits = np.zeros(indices.shape, bool)
    for place in range(indices.shape[1]):
        for token, expert in enumerate(indices[:, place]):
            taken[int(expert)] = taken.get(int(expert), 0) + 1
            fits[token, place] = taken[int(expert)] <= capacity
    return fits


class RouterLab(Card):
    """The widget; `gating` is top_k_gating and `loss` is load_balance_loss, or None for the course's own."""

    def __init__(self, gating: Callable[..., Any] | None = None, loss: Callable[..., Any] | None = None):
        self.gating = Driven(arrays_of(gating), arrays_of(ch09.top_k_gating), "top_k_gating")
        self.loss = Driven(number_of(loss), number_of(ch09.load_balance_loss), "load_balance_loss")
        self.judged = loss is not None
        self.routers = load_file(trained.FOLDER / "ch09_routers.safetensors")
        self.inputs = {line: ch09.feed_forward_pairs(own_model(), line)[0] for line in LINES}
        plain = {"description_width": "initial"}
        self.line = w.Dropdown(options=LINES, description="text", style=plain, layout=w.Layout(width="240px"))
        names = ["with the balance loss", "without it", "untrained"]
        self.router = w.Dropdown(options=names, description="router trained", style=plain)
        self.k = whole(2, 1, EXPERTS, 1, "k, experts for each token")
        self.capacity = w.SelectionSlider(
            options=CAPACITIES, value=UNLIMITED, description="capacity factor", style=plain,
            layout=w.Layout(width="320px"),
        )  # fmt: skip
        self.gates = Heatmap(
            title="Gates", column_title="experts", row_title="tokens",
            digits=2, vmin=0.0, vmax=1.0, legend=False, selected_row=0,
        )  # fmt: skip
        self.load = Bars(role="plain", heading_before="Who gets how much")
        self.formula = Formula(title="Balance loss", description="The balance loss as a product")
        self.flow = Flow(description="The chosen token, its experts with their gates, and the sum of what they give")
        beside = column([self.load, self.formula, self.flow])
        beside.layout.flex = "1 1 300px"  # narrow enough to stand beside the table on a page of 900 pixels
        views = [self.gates, beside]
        super().__init__("Each token chooses its experts", [self.line, self.router, self.k, self.capacity], views)
        self.listen(self.line, "value", lambda _: self.gates.show(selected_row=0))
        for control in (self.router, self.k, self.capacity):
            self.listen(control, "value", lambda _: None)
        self.listen(self.gates, "selected_row", lambda _: None)
        self.redraw()

    def logits(self) -> np.ndarray:
        """What the router says of every token, (n, E), float32."""
        return (self.inputs[self.line.value] @ self.routers[self.router.value]).numpy()

    def room(self, n: int) -> int:
        """How many assignments an expert takes."""
        if self.capacity.value == UNLIMITED:
            return n * self.k.value
        return math.ceil(self.capacity.value * n * self.k.value / EXPERTS)

    def redraw(self) -> None:
        """Route all tokens and show gates, loads, the loss and the chosen token's way."""
        logits, k = self.logits(), self.k.value
        drawn, loss = self.gating(logits, k), self.loss(logits, k)
        indices = drawn.values[0]
        fits = within_capacity(indices, self.room(len(logits)))
        table, right = (spread_out(*values) for values in (drawn.values, drawn.expected))
        dropped = (spread_out(indices, np.ones_like(fits, float)) > 0) & (spread_out(indices, fits.astype(float)) == 0)
        greyed = drawn.source == "course"
        self._show_gates(table, right, dropped, greyed)
        self._show_load(logits, indices, fits, greyed)
        self._show_loss(loss)
        self._show_way(table, dropped, greyed)
        self.say(self._both(drawn, loss))

    def _show_gates(self, table: np.ndarray, right: np.ndarray, dropped: np.ndarray, greyed: bool) -> None:
        names = [self._token(i) for i in range(len(table))]
        lost = int(dropped.all(axis=1, where=table > 0).sum())
        note = "Hatched: not chosen. Click a row to see this token's way."
        if self.capacity.value != UNLIMITED:
            note = (
                f"Each expert takes {self.room(len(table))} tokens. {int(dropped.sum())} choices did not fit and are "
                f"dropped; {lost} of {len(table)} tokens lost all of theirs and pass by this layer."
            )
        self.gates.show(
            values=table, masked=(table == 0) | dropped, wrong=~np.isclose(table, right, 1e-4, 1e-6), expected=right,
            row_labels=names, column_labels=[str(e) for e in range(EXPERTS)], note=note, greyed=greyed,
            description=f"Gates of {len(table)} tokens for {EXPERTS} experts; each row has {self.k.value} of them",
        )  # fmt: skip

    def _token(self, i: int) -> str:
        return {" ": "\u2423"}.get(self.line.value[i], self.line.value[i])

    def _show_load(self, logits: np.ndarray, indices: np.ndarray, fits: np.ndarray, greyed: bool) -> None:
        """A bar for each expert, and one for what each would get if all got the same."""
        experts = np.arange(EXPERTS)
        counts = (indices[..., None] == experts).sum(axis=(0, 1))
        kept = ((indices[..., None] == experts) & fits[..., None]).sum(axis=(0, 1))
        chances = np.exp(logits - logits.max(1, keepdims=True))
        chances = (chances / chances.sum(1, keepdims=True)).mean(0)
        even = indices.size / EXPERTS
        top = max(*counts, even)
        digits = 0 if even.is_integer() else 1
        columns = [{"title": "chosen by", "values": [*counts, even], "vmax": top, "digits": digits}]
        if self.capacity.value != UNLIMITED:
            columns.append({"title": "takes", "values": [*kept, even], "vmax": top, "digits": digits})
        top = max(*chances, 1 / EXPERTS)
        columns.append({"title": "mean P", "values": [*chances, 1 / EXPERTS], "vmax": top})
        labels = [f"expert {e}" for e in experts] + ["even"]
        self.load.show(labels=labels, columns=columns, greyed=greyed)

    def _show_loss(self, loss: Drawn) -> None:
        value = float(loss.values[0])
        self.formula.show(
            lines=[[
                {"text": "E \u2211 f P", "style": "italic"},
                {"text": f" = {EXPERTS} \u00d7 {number_text(value / EXPERTS, 3)} = "},
                {"text": number_text(value), "role": "attention", "style": "bold"},
            ]],
            note=f"1 if all experts get the same, {EXPERTS} if one gets everything (k = 1).",
            greyed=loss.source == "course",
        )  # fmt: skip

    def _show_way(self, table: np.ndarray, dropped: np.ndarray, greyed: bool) -> None:
        """The selected token's way through its experts."""
        i = max(self.gates.selected_row, 0)
        chosen = np.nonzero(table[i])[0]
        boxes = [{"name": "token", "label": f"token {self._token(i)}", "x": 0, "y": (EXPERTS - 1) / 2, "role": "plain"}]
        boxes += [
            {"name": str(e), "label": f"expert {e}", "x": 1, "y": e, "role": "attention" if e in chosen else "plain",
             "shape": "full" if dropped[i, e] else f"\u00d7 {table[i, e]:.2f}" if e in chosen else "idle",
             "step": 0 if e in chosen and not dropped[i, e] else 1}
            for e in range(EXPERTS)
        ]  # fmt: skip
        boxes.append({"name": "sum", "label": "sum", "x": 2, "y": (EXPERTS - 1) / 2, "role": "plain"})
        used = [e for e in chosen if not dropped[i, e]]
        arrows = [
            {"source": a, "target": b, "weight": float(np.clip(table[i, e], 0, 1))}
            for e in used for a, b in (("token", str(e)), (str(e), "sum"))
        ]  # fmt: skip
        parts = [f"{table[i, e]:.2f} \u00d7 expert {e}" for e in sorted(used, key=lambda e: -table[i, e])]
        total = " + ".join(parts) or "0, so that the residual path alone carries it on"
        self.flow.show(
            boxes=boxes, arrows=arrows, step=0, greyed=greyed, title=f"Token {i}, {self._token(i)}",
            note=f"Output = {total}.",
        )  # fmt: skip

    def _both(self, drawn: Drawn, loss: Drawn) -> Drawn:
        """What to say of both functions: of the first that is not right, or of both."""
        if not self.judged or (drawn.source == "wrong" and loss.source == "yours"):
            return drawn
        if drawn.source != loss.source:
            worse = loss if loss.source != "yours" else drawn
            return Drawn(drawn.values, worse.source, worse.message, drawn.expected)
        return Drawn(drawn.values, drawn.source, f"{drawn.message} {loss.message}", drawn.expected)

    def figure(self) -> Any:
        """Gates and loads, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 5), width_ratios=[3, 2])
        table = np.array(self.gates.values, float)
        image = left.imshow(table, cmap="Purples", vmin=0, vmax=1, aspect="auto")
        left.set_yticks(range(len(table)), self.gates.row_labels)
        left.set_xticks(range(EXPERTS), range(EXPERTS))
        left.set(title=f"Gates, k = {self.k.value}", xlabel="expert")
        left.grid(False)
        figure.colorbar(image, ax=left)
        counts = np.array(self.load.columns[0]["values"], float)
        right.bar(range(EXPERTS), counts[:-1], color=plots.ATTENTION)
        right.axhline(counts[-1], color=plots.GREY, linestyle="--")
        right.set_xticks(range(EXPERTS))
        right.set(title=f"Balance loss {float(self._loss_now()):.2f}", xlabel="expert", ylabel="tokens (dashed: even)")
        return figure

    def _loss_now(self) -> np.ndarray:
        return self.loss(self.logits(), self.k.value).values[0]


def router_lab(
    top_k_gating: Callable[..., Any] | None = None, load_balance_loss: Callable[..., Any] | None = None
) -> RouterLab:
    """Show which tokens choose which experts, with the functions given or the course's own."""
    return RouterLab(top_k_gating, load_balance_loss)
