"""Where every number goes when heads are split and merged (ch03)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np

from course.supplied import ch03
from course.widgets.base import Card, Drawn, Driven
from course.widgets.views import Heatmap

TOKENS = ["the", "cat", "sat", "down"]
D_MODEL = 6
X = np.arange(len(TOKENS))[:, None] + np.arange(D_MODEL) / 10  # 2.3 is token 2, column 3


class SplitMap(Card):
    """The widget; `split` is (x, heads) -> (heads, n, d_head), `merge` its way back; None: the course's own.

    What is merged is always split rightly, so that each function is seen by itself.
    """

    def __init__(self, split: Callable[..., Any] | None = None, merge: Callable[..., Any] | None = None):
        self.split = Driven(split, ch03.split_heads, "split_heads")
        self.merge = Driven(merge, ch03.merge_heads, "merge_heads")
        self.heads = w.ToggleButtons(options=[1, 2, 3], value=2, description="heads", style={"button_width": "auto"})
        shared = {"digits": 1, "vmin": 0.0, "vmax": 4.0, "legend": False}
        columns = [str(c) for c in range(D_MODEL)]
        self.before = Heatmap(
            **shared, values=X, row_labels=TOKENS, column_labels=columns, title=f"x: {X.shape}",
            note="2.3 is token 2, column 3: one shade for each token.",
            description="The input: number t.c stands in the row of token t and in column c",
        )  # fmt: skip
        self.cut = Heatmap(**shared, description="The heads under one another: which numbers each of them holds")
        self.after = Heatmap(
            **shared, row_labels=TOKENS, column_labels=columns, description="The merged heads, which equal x again"
        )
        super().__init__("Split and merge: follow the numbers", [self.heads], [self.before, self.cut, self.after])
        self.listen(self.heads, "value", lambda _: None)
        self.redraw()

    def redraw(self) -> None:
        """Split, merge, and show where each number came to stand."""
        heads, n = self.heads.value, len(TOKENS)
        cut, merged = self.split(X, heads), self.merge(ch03.split_heads(X, heads))
        d_head = D_MODEL // heads
        flat = [cut.values[0], cut.wrong(), cut.expected[0]]
        values, wrong, expected = (a.reshape(heads * n, d_head) for a in flat)
        self.cut.show(
            title=f"split_heads: {cut.values[0].shape}", values=values, wrong=wrong,
            expected=expected, row_labels=[f"head {h} \u00b7 {t}" for h in range(heads) for t in TOKENS],
            column_labels=[str(c) for c in range(d_head)], greyed=cut.source == "course",
            note="A head holds every token, and of each the same columns.",
        )  # fmt: skip
        self.after.show(
            title=f"merge_heads: {merged.values[0].shape}", values=merged.values[0], wrong=merged.wrong(),
            expected=merged.expected[0], greyed=merged.source == "course", note="Merging undoes splitting.",
        )  # fmt: skip
        self.say(of_all([cut, merged], "`split_heads` and `merge_heads`"))

    def figure(self) -> Any:
        """The three tables, as a figure for print."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(1, 3, figsize=(9, 4), width_ratios=[6, 4, 6])
        for axis, view in zip(axes, (self.before, self.cut, self.after), strict=True):
            values = np.array(view.values, dtype=float)
            axis.imshow(values, cmap="Purples", vmin=0, vmax=6)
            axis.set_yticks(range(len(values)), view.row_labels)
            axis.set_xticks(range(values.shape[1]))
            axis.set_title(view.title, fontsize=9)
            axis.grid(False)
            for (i, j), number in np.ndenumerate(values):
                axis.text(j, i, f"{number:.1f}", ha="center", va="center", fontsize=8)
        return figure


def of_all(drawn: list[Drawn], names: str) -> Drawn:
    """The one of several results to speak of: the first wrong one, else the first that is not the student's."""
    for source in ("wrong", "course"):
        for one in drawn:
            if one.source == source:
                return one
    return Drawn(drawn[0].values, "yours", f"Drawn by your {names}.", drawn[0].expected)


def split_map(split: Callable[..., Any] | None = None, merge: Callable[..., Any] | None = None) -> SplitMap:
    """Show where every number goes when `split` cuts x into heads and `merge` joins them again."""
    return SplitMap(split, merge)
