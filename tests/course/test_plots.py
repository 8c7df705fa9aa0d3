"""Figures for print say what the views say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from course import plots
from course.widgets.views import Flow

BOXES = [
    {"name": "x", "label": "x", "x": 0, "y": 0, "shape": "(n, d)"},
    {"name": "att", "label": "Attention", "x": 0, "y": 1, "role": "attention", "step": 1},
    {"name": "add", "label": "add", "x": 1, "y": 2, "step": 2},
]
ARROWS = [
    {"source": "x", "target": "att", "step": 1},
    {"source": "att", "target": "add", "weight": 0.6, "step": 2},
    {"source": "x", "target": "add", "kind": "residual", "label": "residual", "step": 2},
]


@pytest.mark.parametrize("records", [(BOXES, ARROWS), None], ids=["as written", "as the view keeps them"])
def test_a_flow_shows_every_box_and_arrow(records) -> None:
    view = Flow(boxes=BOXES, arrows=ARROWS)
    boxes, arrows = records or (view.boxes, view.arrows)
    figure, axes = plt.subplots()
    plots.flow(axes, boxes, arrows, title="A block", step=1)
    figure.canvas.draw()
    texts = {text.get_text(): text for text in axes.texts if text.get_text()}
    assert set(texts) == {"x\n(n, d)", "Attention", "add", "residual"}
    assert texts["add"].get_bbox_patch().get_alpha() < texts["Attention"].get_bbox_patch().get_alpha() == 1
    assert sum(text.arrow_patch is not None for text in axes.texts if hasattr(text, "arrow_patch")) == len(arrows)
    below, above = (texts[name].get_window_extent().y0 for name in ("add", "Attention"))
    assert below < above  # rows go down, as in the view
    plt.close(figure)
