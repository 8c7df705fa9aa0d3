"""Multi-head attention step by step: project, split, attend, mix, merge, project (ch03)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course import plots
from course.supplied import ch03
from course.widgets.base import Card, Driven, Stepper
from course.widgets.split_map import of_all
from course.widgets.views import Flow

TOKENS = ["the", "cat", "sat", "down"]
N, D_MODEL = len(TOKENS), 8
STEPS = ["tokens", "project", "split", "attend", "mix", "merge", "project back"]


class HeadFlow(Card):
    """The widget; split, merge and attention are the lesson's functions, None: the course's own."""

    def __init__(
        self, split: Callable[..., Any] | None = None, merge: Callable[..., Any] | None = None,
        attention: Callable[..., Any] | None = None,
    ):  # fmt: skip
        self.split = Driven(split, ch03.split_heads, "split_heads")
        self.merge = Driven(merge, ch03.merge_heads, "merge_heads")
        self.attention = Driven(attention, ch03.multi_head_attention, "multi_head_attention")
        rng = np.random.default_rng(3)
        self.x = rng.uniform(-1, 1, (N, D_MODEL))
        sizes = {"w_q": 2.0, "w_k": 2.0, "w_v": 1.5, "w_o": 1.5}  # so that all numbers are about as large
        self.p = {name: s * rng.standard_normal((D_MODEL, D_MODEL)) / np.sqrt(D_MODEL) for name, s in sizes.items()}
        self.heads = w.ToggleButtons(options=[1, 2, 4], value=2, description="heads", style={"button_width": "auto"})
        self.token = w.ToggleButtons(
            options=TOKENS, value="cat", description="numbers of", style={"button_width": "auto"}
        )
        self.stepper = Stepper(names=STEPS)
        self.flow = Flow(
            title="One token\u2019s numbers on their way",
            description="Boxes from left to right: tokens, projections, one row of boxes for each head, merged, output",
        )
        controls = [self.heads, self.token, self.stepper]
        super().__init__("From tokens to heads and back", controls, [self.flow])
        for control, trait in ((self.heads, "value"), (self.token, "value"), (self.stepper, "step")):
            self.listen(control, trait, lambda _: None)
        self.redraw()

    def compute(self) -> dict[str, Any]:
        """Every array on the way, by name; those of the student's functions as `Drawn`."""
        heads, x, p = self.heads.value, self.x, self.p
        q, k, v = (x @ p[name] for name in ("w_q", "w_k", "w_v"))
        attended = self.attention(x, p, heads)
        mixed = ch03.multi_head_attention(x, p, heads)[1] @ ch03.split_heads(v, heads)
        return {"x": x, "q": q, "k": k, "v": v, "split": self.split(q, heads), "attended": attended, "mixed": mixed,
                "merged": self.merge(mixed)}  # fmt: skip

    def redraw(self) -> None:
        """Draw the boxes with the chosen token's numbers in them, and light the step."""
        a = self.compute()
        drawn = [a["split"], a["merged"], a["attended"]]
        self.flow.show(
            boxes=self._boxes(a), arrows=self._arrows(), step=self.stepper.step, note=self._note(a),
            greyed=all(d.source == "course" for d in drawn),
        )  # fmt: skip
        self.say(of_all(drawn, "`split_heads`, `merge_heads` and `multi_head_attention`"))

    def _boxes(self, a: dict[str, Any]) -> list[dict[str, Any]]:
        """A column of boxes for each step; heads stand under one another."""
        heads, i = self.heads.value, TOKENS.index(self.token.value)
        last = max(heads, 3) - 1
        boxes = [_box("x", "x", 0, last / 2, a["x"][i], a["x"].shape, 0)]
        for r, (name, role) in enumerate((("q", "query"), ("k", "key"), ("v", "value"))):
            boxes.append(_box(name, f"{name} = x w_{name}", 1, r * last / 2, a[name][i], a[name].shape, 1, role))
        weights, q = a["attended"].values[1], a["split"].values[0]
        bad = [d.wrong(k).any(axis=(1, 2)) for d, k in ((a["split"], 0), (a["attended"], 1))]
        for h in range(heads):
            y = (h + 0.5) * (last + 1) / heads - 0.5
            boxes += [
                _box(f"split{h}", f"q[{h}]", 2, y, q[h, i], q[h].shape, 2, "query", bad[0][h]),
                _box(f"weights{h}", f"weights[{h}]", 3, y, weights[h, i], weights[h].shape, 3, "attention", bad[1][h]),
                _box(f"mixed{h}", f"head {h}", 4, y, a["mixed"][h, i], a["mixed"][h].shape, 4, "value"),
            ]
        merged, out = a["merged"], a["attended"]
        boxes.append(_box("merged", "merged", 5, last / 2, merged.values[0][i], merged.values[0].shape, 5,
                          "value", merged.wrong().any()))  # fmt: skip
        boxes.append(_box("output", "output", 6, last / 2, out.values[0][i], out.values[0].shape, 6,
                          "plain", out.wrong().any()))  # fmt: skip
        return boxes

    def _arrows(self) -> list[dict[str, Any]]:
        arrows = [{"source": "x", "target": name, "step": 1} for name in "qkv"]
        for h in range(self.heads.value):
            arrows += [{"source": "q", "target": f"split{h}", "step": 2}]
            arrows += [{"source": f"split{h}", "target": f"weights{h}", "label": f"k[{h}]", "step": 3}]
            arrows += [{"source": f"weights{h}", "target": f"mixed{h}", "label": f"v[{h}]", "step": 4}]
            arrows += [{"source": f"mixed{h}", "target": "merged", "step": 5}]
        return [*arrows, {"source": "merged", "target": "output", "label": "w_o", "step": 6}]

    def _note(self, a: dict[str, Any]) -> str:
        """What happens in this step, with the real shapes."""
        q, split, (out, weights) = a["q"], a["split"].values[0], a["attended"].values
        merged, heads = a["merged"].values[0], self.heads.value
        return [
            f"x has shape {a['x'].shape}: {N} tokens, each a vector of {D_MODEL}.",
            f"Three products: {a['x'].shape} times {self.p['w_q'].shape} gives q, k and v of shape {q.shape}.",
            f"split_heads(q, {heads}): {q.shape} becomes {split.shape}. k and v are cut in the same way.",
            f"In each head: softmax(q k\u1d40 / \u221a{D_MODEL // heads}) over the keys. Weights: {weights.shape}.",
            f"In each head: weights times v, {weights.shape} times {split.shape} gives {a['mixed'].shape}.",
            f"merge_heads: {a['mixed'].shape} becomes {merged.shape}, the heads side by side.",
            f"Times w_o, {self.p['w_o'].shape}: the output has shape {out.shape}, and each number draws on all heads.",
        ][self.stepper.step]

    def figure(self) -> Any:
        """Shapes and the chosen token's numbers, step by step, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(9, 3.6))
        plots.flow(axes, self.flow.boxes, self.flow.arrows, title="Project, split, attend, mix, merge, project back")
        return figure


def _box(name, label, x, y, values, shape, step, role="plain", wrong=False) -> dict[str, Any]:
    return {"name": name, "label": label, "x": x, "y": y, "values": values, "shape": str(shape), "step": step,
            "role": role, "wrong": bool(wrong)}  # fmt: skip


def head_flow(
    split: Callable[..., Any] | None = None, merge: Callable[..., Any] | None = None,
    attention: Callable[..., Any] | None = None,
) -> HeadFlow:  # fmt: skip
    """Show multi-head attention step by step, computed by the functions that are given."""
    return HeadFlow(split, merge, attention)
