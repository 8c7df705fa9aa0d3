"""The residual stream as a bus that blocks read from and write to, with a lens at every station (ch10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots, trained
from course.supplied import ch10
from course.widgets.base import Card, Driven, Stepper, row
from course.widgets.views import Flow, Heatmap

LINES = ["Shall I compare thee to a summ", "When I do count the clock that", "My mistress' eyes are nothing "]
MOST = 12  # candidates shown
CELLS = 12  # of the stream's numbers, shown in each station


def own_model() -> trained.Trained:
    """The course's own character model, as ch07 trains it."""
    return trained.read(trained.FOLDER / "ch07_characters.safetensors")


def visible(character: str) -> str:
    """A character as a label: a space and a line's end can be seen."""
    return {" ": "space", "\n": "line end"}.get(character, character)


class ResidualBus(Card):
    """The widget; `lens` is (residuals (S, T, d), p) -> logits (S, T, V), or None for the course's own."""

    def __init__(self, lens: Callable[..., Any] | None = None, model: trained.Trained | None = None):
        self.lens = Driven(lens, ch10.logit_lens, "logit_lens")
        self.model = model or own_model()
        self.line = w.Dropdown(options=LINES, description="text", style={"description_width": "initial"})
        self.position = w.IntSlider(9, 0, len(LINES[0]) - 1, description="after character", continuous_update=True,
                                    layout=w.Layout(width="300px"), style={"description_width": "initial"})  # fmt: skip
        self._run()
        self.stepper = Stepper(self.inside.stations)
        self.bus = Flow(
            title="One token's vector on its way up",
            description="Stations of the residual stream, and the blocks that read from it and add to it",
        )
        self.table = Heatmap(
            vmin=0.0, vmax=1.0, row_title="station", column_title="next character", legend=False,
            title="The lens: what would come next if the model stopped here?",
            description="Probability of the likeliest next characters at each station",
        )  # fmt: skip
        super().__init__("The residual stream is a bus", [self.line, self.position], [])
        self.children = [*self.children[:2], self.stepper, row([self.bus]), row([self.table]), self._status]
        for control, trait in ((self.line, "value"), (self.position, "value"), (self.stepper, "step")):
            self.listen(control, trait, lambda _: self._run())
        self.redraw()

    def _run(self) -> None:
        ids = self.model.encode(self.line.value)[0][: self.model.length]
        self.inside = ch10.look_inside(ids, self.model.p, self.model.heads)

    def redraw(self) -> None:
        """Show the bus, with the step lit, and the lens at every station."""
        with torch.no_grad():
            drawn = self.lens(self.inside.residuals, self.model.p)
        here = self.position.value
        chances, expected = (_softmax(values[0][:, here]) for values in (drawn.values, drawn.expected))
        candidates = np.argsort(-chances[-1])[:MOST]
        wrong = drawn.wrong()[:, here][:, candidates]
        guesses = [visible(self.model.vocabulary[int(i)]) for i in chances.argmax(-1)]
        self.bus.show(**self._diagram(guesses, wrong.any(1)), step=self.stepper.step, note=self._note(guesses))
        self.table.show(
            values=chances[:, candidates], expected=expected[:, candidates], wrong=wrong,
            row_labels=self.inside.stations, greyed=drawn.source == "course", selected_row=self.stepper.step,
            column_labels=[visible(self.model.vocabulary[int(i)]) for i in candidates],
        )  # fmt: skip
        self.say(drawn)

    def _note(self, guesses: list[str]) -> str:
        step, read = self.stepper.step, self.line.value[: self.position.value + 1]
        station = self.inside.stations[step]
        return f"Read so far: \u201c{read}\u201d. At \u201c{station}\u201d the best guess is {guesses[step]!r}."

    def _diagram(self, guesses: list[str], wrong: np.ndarray) -> dict[str, Any]:
        boxes, arrows = [], []
        stream = self.inside.residuals[:, self.position.value]
        for i, (station, guess) in enumerate(zip(self.inside.stations, guesses, strict=True)):
            name = "embedding" if i == 0 else f"stream {i}"
            boxes.append({"name": name, "label": name, "x": 2 * i, "y": 0, "width": 1.4, "role": "plain",
                          "values": stream[i, :CELLS], "shape": f"\u2192 {guess}", "step": i, "wrong": bool(wrong[i]),
                          "note": f"the first {CELLS} of {stream.shape[1]} numbers of the stream"})  # fmt: skip
            if i:
                before, block = boxes[0 if i == 1 else -3]["name"], station.removeprefix("+ ")
                boxes.append({"name": block, "label": block, "x": 2 * i - 1, "y": 1, "width": 1.4, "step": i,
                              "values": (stream[i] - stream[i - 1])[:CELLS], "note": "what it adds to the stream",
                              "role": "attention" if "attention" in block else "plain"})  # fmt: skip
                arrows += [{"source": before, "target": name, "label": "", "step": i},
                           {"source": before, "target": block, "label": "read", "step": i},
                           {"source": block, "target": name, "label": "add", "step": i}]  # fmt: skip
        return {"boxes": boxes, "arrows": arrows}

    def figure(self) -> Any:
        """Bus and lens, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 6))
        plots.flow(top, self.bus.boxes, self.bus.arrows, title=self.bus.title)
        table = self.table
        plots.heatmap(bottom, table.values, table.row_labels, table.column_labels, title=table.title)
        return figure


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def residual_bus(lens: Callable[..., Any] | None = None, model: trained.Trained | None = None) -> ResidualBus:
    """Show how blocks add to a token's vector, and what the lens reads at each station; the lens may be given."""
    return ResidualBus(lens, model)
