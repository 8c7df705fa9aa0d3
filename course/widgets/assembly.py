"""Everything that ch00 to ch09 built, as one diagram through which a real text runs (ch10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import torch

from course import plots, trained
from course.checks import sheet
from course.supplied import ch07, ch10
from course.tracking import progress
from course.widgets.base import Card, Driven, Stepper, button, row
from course.widgets.bus import CELLS, LINES, own_model, visible
from course.widgets.views import Flow

TEMPERATURE = 0.5
# Chapters of each step, and what happens in it.
STEPS = [
    (("ch00",), "a text becomes token ids"),
    (("ch04",), "each id becomes a vector, and learns where it stands"),
    (("ch01", "ch02"), "queries, keys and values"),
    (("ch06",), "weights: the mask hides what is still to come"),
    (("ch03",), "several heads look, and write back together"),
    (("ch05",), "norms and residuals hold it up; the feed-forward network works on each token"),
    (("ch09",), "experts can take the feed-forward network's place"),
    (("ch07",), "scores for the next character; the loss, and AdamW, which learns from it"),
    (("ch08",), "one character is chosen; the cache keeps keys and values for the next"),
]
# name, label, x, y, step, role, note
BOXES = [
    ("text", "text", 0, 0, 0, "plain", "ch00: tokenize_chars"),
    ("ids", "token ids", 1, 0, 0, "plain", "ch00: encode"),
    ("embedding", "embed + position", 2, 0, 1, "plain", "ch04: without positions, order is lost"),
    ("queries", "queries", 3, 1, 2, "query", "ch02: project_qkv"),
    ("keys", "keys", 3, 2, 2, "key", "ch02: project_qkv"),
    ("values", "values", 3, 3, 2, "value", "ch02: project_qkv"),
    ("weights", "weights", 4, 1.5, 3, "attention", "ch01: softmax; ch02: scaled; ch06: masked. Head 0 of block 1"),
    ("heads", "heads", 5, 1.5, 4, "attention", "ch03: split_heads, merge_heads"),
    ("after attention", "+ attention", 5, 0, 4, "plain", "what the heads wrote is added to the stream"),
    ("norm", "norm", 2, 2, 2, "plain", "ch05: layer_norm, before every sublayer"),
    ("feed-forward", "feed- forward", 6, 1, 5, "plain", "ch05: gelu between two matrices"),
    ("after feed-forward", "+ feed-forward", 7, 0, 5, "plain", "the block's result, after one block; more follow"),
    ("experts", "experts", 6, 2, 6, "plain", "ch09: top_k_gating, moe_forward (not in this model)"),
    ("logits", "logits", 7, 2, 7, "plain", "ch07: decoder_logits, after all blocks and the last norm"),
    ("loss", "loss, AdamW", 6, 3, 7, "plain", "ch07: cross_entropy, adamw_step, in training"),
    ("cache", "cache", 4, 3.5, 8, "plain", "ch08: KVCache"),
    ("next", "next character", 7, 3, 8, "plain", "ch08: decode_step"),
]
# source, target, step, kind
ARROWS = [
    ("text", "ids", 0, "flow"), ("ids", "embedding", 1, "flow"), ("embedding", "norm", 2, "flow"),
    ("norm", "queries", 2, "flow"), ("norm", "keys", 2, "flow"), ("norm", "values", 2, "flow"),
    ("queries", "weights", 3, "flow"), ("keys", "weights", 3, "flow"),
    ("weights", "heads", 4, "flow"), ("values", "heads", 4, "flow"), ("heads", "after attention", 4, "flow"),
    ("embedding", "after attention", 4, "flow"), ("after attention", "after feed-forward", 5, "flow"),
    ("after attention", "feed-forward", 5, "flow"), ("feed-forward", "after feed-forward", 5, "flow"),
    ("experts", "feed-forward", 6, "weak"), ("after feed-forward", "logits", 7, "flow"),
    ("logits", "loss", 7, "weak"), ("logits", "next", 8, "flow"),
    ("keys", "cache", 8, "weak"), ("values", "cache", 8, "weak"),
]  # fmt: skip


class WholeCourse(Card):
    """The widget; `logits` is ch07's (tokens (B, T), p, heads) -> (B, T, V), or None for the course's own."""

    def __init__(self, logits: Callable[..., Any] | None = None, model: trained.Trained | None = None):
        carried = None if logits is ch07.decoder_logits else logits  # `course.carry` may have handed out the course's
        self.logits = Driven(carried, ch07.decoder_logits, "decoder_logits")
        self.model = model or own_model()
        self.line = w.Dropdown(options=LINES, description="text", style={"description_width": "initial"})
        self.text, self.generator = LINES[0], torch.Generator().manual_seed(10)
        self.stepper = Stepper([f"{' and '.join(chapters)}: {what}" for chapters, what in STEPS])
        self.flow = Flow(
            title="What you built", description="From a text through one block of a decoder to the next character"
        )
        controls = [self.line, button("Write the next character", self._write)]
        super().__init__("Everything assembled", controls, [])
        self.children = [*self.children[:2], self.stepper, row([self.flow]), self._status]
        self.listen(self.line, "value", self._start_with)
        self.listen(self.stepper, "step", lambda _: None)
        self.redraw()

    def _start_with(self, line: str) -> None:
        self.text = line

    def _write(self) -> None:
        chances = np.exp(self._scores().values[0][0, -1] / TEMPERATURE)
        chosen = torch.multinomial(torch.tensor(chances / chances.sum()), 1, generator=self.generator)
        self.text += self.model.decode(chosen)
        self.redraw()

    def _ids(self) -> torch.Tensor:
        return self.model.encode(self.text)[:, -self.model.length :]

    def _scores(self) -> Any:
        with torch.no_grad():
            return self.logits(self._ids(), self.model.p, self.model.heads)

    def redraw(self) -> None:
        """Run the text through the model and fill the boxes with what comes out."""
        drawn = self._scores()
        contents = self._contents(drawn.values[0][0, -1])
        wrong = {"logits": bool(drawn.wrong()[0, -1].any())}
        boxes = [
            {"name": name, "label": label, "x": x, "y": y, "step": step, "role": role, "note": note,
             "wrong": wrong.get(name, False), **contents.get(name, {})}
            for name, label, x, y, step, role, note in BOXES
        ]  # fmt: skip
        arrows = [{"source": a, "target": b, "step": step, "kind": kind} for a, b, step, kind in ARROWS]
        self.flow.show(
            boxes=boxes, arrows=arrows, step=self.stepper.step, note=self._note(), greyed=drawn.source == "course"
        )
        self.say(drawn)

    def _contents(self, logits: np.ndarray) -> dict[str, dict[str, Any]]:
        """Shapes, and for the last token numbers, that stand in the boxes."""
        ids, heads = self._ids()[0], self.model.heads
        inside = ch10.look_inside(ids, self.model.p, heads)
        t, d = inside.residuals.shape[1:]
        stream = inside.residuals[:, -1, :CELLS]
        by_head = f"({heads}, {t}, {d // heads})"
        best = visible(self.model.vocabulary[int(logits.argmax())])
        return {
            "text": {"shape": f"{t} characters"},
            "ids": {"shape": f"({t},)"},
            "embedding": {"shape": f"({t}, {d})", "values": stream[0]},
            "norm": {"shape": f"({t}, {d})"},
            **{name: {"shape": by_head} for name in ("queries", "keys", "values")},
            "weights": {"shape": f"({heads}, {t}, {t})", "values": inside.weights[0, 0, -1, -CELLS:]},
            "heads": {"shape": by_head},
            "after attention": {"shape": f"({t}, {d})", "values": stream[1]},
            "after feed-forward": {"shape": f"({t}, {d})", "values": stream[2]},
            "logits": {"shape": f"({t}, {len(logits)})"},
            "next": {"shape": f"best: {best}"},
        }

    def _note(self) -> str:
        chapters, _ = STEPS[self.stepper.step]
        done = [f"{chapter}: {found}" for chapter in chapters if (found := passed(chapter))]
        text = f"The text: \u201c{self.text}\u201d. Strips show the last character's numbers."
        return f"{text} Exercises done here: {'; '.join(done)}." if done else text

    def figure(self) -> Any:
        """The diagram, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(10, 5))
        plots.flow(axes, self.flow.boxes, self.flow.arrows, title=self.flow.title)
        return figure


def passed(chapter: str) -> str:
    """How many of a chapter's exercises passed on this computer, such as "3 of 5"; empty if it is not installed."""
    if not any(name.partition("_")[0] == chapter for name in sheet.lessons()):
        return ""
    rows = progress(chapter).rows
    return f"{sum(r[3] for r in rows)} of {len(rows)}"


def whole_course(logits: Callable[..., Any] | None = None, model: trained.Trained | None = None) -> WholeCourse:
    """Show everything assembled, with a real text running through it; the decoder may be given."""
    return WholeCourse(logits, model)
