"""Put a piece of one forward pass into another, and see what the model answers (m26)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots, trained
from course.supplied import m26
from course.widgets.base import Card, Drawn, Driven, switch
from course.widgets.views import Bars

BLOCK = "blocks.0."
SIDE_BY_SIDE = ("query", "key", "value", "mix")  # the heads' columns side by side; an axis of their own in:
STACKED = ("scores", "masked", "weights")
ALL = "all"


class PatchLab(Card):
    """The widget; `patch` is (model, tokens, stage, value) -> logits, or None for the course's own.

    `model` is a trained decoder of one block, by default the one that knows the products.
    """

    def __init__(self, patch: Callable[..., Any] | None = None, model: trained.Trained | None = None):
        self.saved = model or trained.read(trained.FOLDER / "m26_products.safetensors")
        self.patch = Driven(patch, m26.run_patched, "run_patched")
        self.clean, self.source = _prompt("7*8=", "prompt"), _prompt("3*8=", "take from")
        self.stage = w.Dropdown(
            options=[(name.removeprefix(BLOCK), name) for name in self._model().stages],
            value=f"{BLOCK}attention.mix", description="stage", style={"description_width": "initial"},
            layout=w.Layout(width="230px"),
        )  # fmt: skip
        heads = [str(head) for head in range(self.saved.heads)]
        self.head = w.ToggleButtons(options=[ALL, *heads], description="head", style={"button_width": "auto"})
        self.rows = switch(False, "all rows, not only the last")
        self.bars = Bars(
            role="plain", chip_role="plain", title="The next token",
            description="Probability of each token as the next one, before and after the patch",
        )  # fmt: skip
        controls = [self.clean, self.source, self.stage, self.head, self.rows]
        super().__init__("Put a piece of another pass into this one", controls, [self.bars])
        for control in controls:
            self.listen(control, "value", lambda _: None)
        self.redraw()

    def _model(self) -> m26.StagedDecoder:
        """A model of its own for each use: a patch that spoils it spoils nothing else."""
        return m26.StagedDecoder(copy.deepcopy(self.saved.p), self.saved.heads)

    @property
    def part(self) -> str:
        """The last part of the stage's name."""
        return self.stage.value.rpartition(".")[2]

    @property
    def has_heads(self) -> bool:
        """Whether the stage's numbers belong to heads."""
        return "attention" in self.stage.value and self.part in (*SIDE_BY_SIDE, *STACKED)

    def trouble(self) -> str:
        """What is wrong with the prompts, or nothing."""
        for control in (self.clean, self.source):
            text, known = control.value, self.saved.vocabulary
            if not text:
                return f"The field \u201c{control.description}\u201d is empty. Type a prompt such as 7*8=."
            if unknown := sorted(set(text) - set(known)):
                return f"The model does not know {' '.join(unknown)} in \u201c{text}\u201d, only {' '.join(known)}"
            if len(text) > self.saved.length:
                return f"\u201c{text}\u201d has {len(text)} tokens; the model reads at most {self.saved.length}."
        if len(self.clean.value) != len(self.source.value):
            return "Both prompts need the same number of tokens, so that the rows fit."
        return ""

    def patched(self, clean: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """What the stage gives for the prompt, with the chosen rows (and head) of the other prompt in it."""
        value, other = (m26.collect_trace(self._model(), tokens)[self.stage.value] for tokens in (clean, source))
        chosen = torch.zeros_like(value, dtype=torch.bool)
        rows = slice(0 if self.rows.value else -1, None)
        if self.has_heads and self.head.value != ALL:
            by_head = chosen if chosen.ndim == 3 else m26.split(chosen, self.saved.heads)
            by_head[int(self.head.value), rows] = True
        else:
            chosen[..., rows, :] = True
        return torch.where(chosen, other, value)

    def redraw(self) -> None:
        """Run the prompt with and without the patch, and show the next token's probabilities."""
        self.head.disabled = not self.has_heads
        if trouble := self.trouble():
            self.bars.show(heading_before=trouble, note="", greyed=True)
            return
        clean, source = (self.saved.encode(control.value)[0] for control in (self.clean, self.source))
        model = self._model()
        with torch.no_grad():
            before = model(clean)[-1].softmax(-1).numpy()
            drawn = self.patch(model, clean, self.stage.value, self.patched(clean, source))
        after, right = (_softmax(np.asarray(values[0][-1], float)) for values in (drawn.values, drawn.expected))
        self._show(before, after, ~np.isclose(after, right, 1e-3, 1e-4), drawn.source == "course")
        self.say(_left(drawn, model.hooks))

    def _show(self, before: np.ndarray, after: np.ndarray, wrong: np.ndarray, greyed: bool) -> None:
        first, then = (self.saved.vocabulary[int(p.argmax())] for p in (before, after))
        self.bars.show(
            labels=self.saved.vocabulary,
            columns=[
                {"title": "before", "values": before, "vmax": 1.0, "judged": False},
                {"title": "after", "values": after, "vmax": 1.0},
            ],
            wrong=wrong, greyed=greyed, note=self._note(),
            heading_before=f"After {self.clean.value} the model chose {first}; with the patch it chooses {then}.",
        )  # fmt: skip

    def _note(self) -> str:
        rows = "All rows" if self.rows.value else "The last row"
        head = f", head {self.head.value} only," if self.has_heads and self.head.value != ALL else ""
        return (
            f"{rows} of {self.stage.value}{head} came from the pass over {self.source.value}. All that is computed "
            f"from it was computed anew; the rest is as it was."
        )

    def figure(self) -> Any:
        """The bars as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots()
        places = np.arange(len(self.bars.labels))
        for shift, column, colour in zip((-0.2, 0.2), self.bars.columns, (plots.GREY, plots.ATTENTION), strict=True):
            axes.bar(places + shift, column["values"], 0.4, label=column["title"], color=colour)
        axes.set_xticks(places, self.bars.labels)
        axes.set(ylabel="probability", xlabel="next token", ylim=(0, 1))
        axes.set_title(self.bars.heading_before, fontsize=10)
        axes.legend()
        return figure


def _prompt(value: str, label: str) -> w.Text:
    return w.Text(
        value, description=label, continuous_update=True, layout=w.Layout(width="165px"),
        style={"description_width": "initial"},
    )  # fmt: skip


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def _left(drawn: Drawn, hooks: int) -> Drawn:
    """What is said, with a word on hooks that are still on the model."""
    if not hooks or drawn.source == "course":
        return drawn
    message = f"{drawn.message} It left {hooks} hook{'s' * (hooks > 1)} on the model: every later pass is patched, too."
    return replace(drawn, source="wrong", message=message)


def patch_lab(patch: Callable[..., Any] | None = None, model: trained.Trained | None = None) -> PatchLab:
    """Show what the model answers when a piece of another prompt's pass stands in its own; the patch may be given."""
    return PatchLab(patch, model)
