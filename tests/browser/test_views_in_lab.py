"""The views in a real JupyterLab: Python follows the hand, keys stay in the card, the picker writes the answer cell."""

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import Theme
from tests.sandbox.processes import eventually

pytestmark = pytest.mark.browser

CARD = """
import ipywidgets as w
import numpy as np
from course.widgets.views import Bars, Formula, Heatmap, Plane, number_text

tokens = ["the", "cat", "sat", "down"]
queries = [[0.4, 1.3], [-1.5, 0.5], [1.8, 1.1], [1.2, -1.4]]
keys = [[-1.9, -1.2], [1.2, 2.2], [2.3, -0.55], [-0.6, 2.3]]
vectors = [dict(name=t, role="key", x=x, y=y, draggable=True) for t, (x, y) in zip(tokens, keys)]
vectors += [dict(name=t, role="query", x=x, y=y, draggable=True, dim=t != "sat")
            for t, (x, y) in zip(tokens, queries)]
plane = Plane(vectors=vectors, selected=6, shade=True, title="Drag a query or a key",
              description="Plane with a query and a key for each of four tokens")
bars = Bars(labels=tokens, heading_before="What", heading_chip="sat", heading_after="looks at")
heat = Heatmap(row_role="query", column_role="key", row_title="query", column_title="key", title="Weights")
formula = Formula()
slider = w.FloatSlider(value=1.0, min=0.1, max=4, step=0.1, description="temperature")
status = w.HTML("Your <code>attention</code> drives this picture.")

def number(value, role="plain"):
    return {"text": number_text(value), "role": role}

def redraw(change=None):
    points = np.array([[v["x"], v["y"]] for v in plane.vectors])
    scores = points[4:] @ points[:4].T / slider.value
    weights = np.exp(scores - scores.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    heat.show(values=weights, row_labels=tokens, column_labels=tokens, selected_row=2)
    columns = [dict(title="score", values=scores[2], signed=True), dict(title="weight", values=weights[2])]
    bars.show(labels=tokens, columns=columns)
    top = [number(points[6, 0], "query"), {"text": " · "}, number(points[1, 0], "key")]
    formula.lines = [[{"text": "score", "style": "italic"}, {"text": " = "},
                      {"fraction": [top, [number(slider.value)]]}]]

plane.observe(redraw, "vectors")
slider.observe(redraw, "value")
redraw()
status.add_class("cw-status").add_class("cw-yours")
right = w.VBox([w.HBox([bars, heat]).add_class("cw-row"), formula]).add_class("cw-column")
card = w.VBox([w.HBox([slider]), w.HBox([plane, right]).add_class("cw-row"), status]).add_class("course-widget")
card
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_python_follows_the_hand(open_notebook: OpenNotebook, theme: Theme) -> None:
    notebook = open_notebook([CARD], theme=theme)
    page = notebook.page
    before = notebook.py("heat.values[2]")
    page.locator(".course-widget").evaluate("(card) => card.scrollIntoView({ block: 'center' })")
    tip = page.locator(".cw-vector.cw-query").nth(2).locator(".cw-shape").bounding_box()
    page.mouse.move(tip["x"] + 9, tip["y"] + 9)
    page.mouse.down()
    page.mouse.move(tip["x"] - 100, tip["y"] + 80, steps=8)
    page.mouse.up()
    notebook.wait_idle()
    after = notebook.py("heat.values[2]")
    assert after != before
    assert notebook.py("plane.vectors[6]['x']") < 1
    shown = page.locator("td[data-place='2 1']")
    assert eventually(lambda: shown.inner_text() == f"{notebook.py('heat.values[2]')[1]:.2f}")  # once it has caught up
    width = page.locator(".course-widget").evaluate("(card) => [card.scrollWidth, card.clientWidth]")
    assert width[0] <= width[1]
    notebook.screenshot(f"views-{theme}")


def test_keys_reach_the_controls_and_not_the_notebook(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([CARD, "x = 1"])
    page = notebook.page
    page.locator(".course-widget .noUi-handle").focus()
    for key in ("ArrowRight", "ArrowUp", "d", "d", "a", "b"):
        page.keyboard.press(key)
    page.locator("td[data-place='0 0']").focus()
    for key in ("ArrowDown", "d", "d", "x"):
        page.keyboard.press(key)
    notebook.wait_idle()
    assert notebook.py("slider.value") == pytest.approx(1.2)
    assert notebook.py("heat.hover") == [1, 0]
    assert len(notebook.cells()) == 2


STEPS = """
from course.widgets.base import Card, Stepper
from course.widgets.views import Flow

class Steps(Card):
    def __init__(self):
        names = ["norm", "attend", "add"]
        self.stepper = Stepper(names)
        boxes = [dict(name=n, label=n, x=0, y=i, step=i, values=[i, -i], note=f"Step {i}.")
                 for i, n in enumerate(names)]
        arrows = [dict(source="norm", target="attend", step=1), dict(source="attend", target="add", step=2),
                  dict(source="norm", target="add", kind="residual", label="residual", step=2)]
        self.flow = Flow(boxes=boxes, arrows=arrows, step=0, title="A block", description="Three steps of a block")
        super().__init__("Step forward", [self.stepper], [self.flow])
        self.listen(self.stepper, "step", lambda step: None)

    def redraw(self):
        self.flow.show(step=self.stepper.step)

    def figure(self):
        import matplotlib.pyplot as plt
        return plt.figure()

card = Steps()
card
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_steps_by_keys_and_by_playing(open_notebook: OpenNotebook, theme: Theme) -> None:
    notebook = open_notebook([STEPS], theme=theme)
    page = notebook.page
    page.get_by_role("button", name="Step forward").focus()
    page.keyboard.press("Enter")
    notebook.wait_idle()
    assert page.locator(".cw-flow-box.cw-lit").inner_text() == "attend"
    assert page.get_by_role("status").filter(has_text="step 2 of 3: attend").is_visible()
    page.get_by_role("button", name="norm").click()
    page.get_by_role("button", name="play or pause").click()
    page.locator(".cw-flow-box.cw-lit", has_text="add").wait_for()
    notebook.wait_idle()
    assert notebook.py("[card.stepper.step, card.flow.selected]") == [2, "norm"]
    assert page.get_by_role("button", name="stop and start over").is_visible()
    notebook.screenshot(f"flow-{theme}")


PICKER = """
from course.widgets.views import Picker
picker = Picker(
    question="After softmax, each row of `weights` ...", variable="answer_3_1",
    options=[{"key": "a", "text": "is symmetric"}, {"key": "b", "text": "sums to 1"}],
    feedback={"b": {"right": True, "text": "Softmax divides by the sum of the row."}})
picker
"""


def test_picker_writes_the_answer_cell(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(['answer_3_1 = "z"', "# yours\nanswer_3_1 = None  # a or b", "x = 1", PICKER])
    notebook.page.get_by_label("sums to 1").check()
    notebook.wait_idle()
    sources = [cell["source"] for cell in notebook.cells()]
    assert sources[:3] == ['answer_3_1 = "z"', '# yours\nanswer_3_1 = "b"  # a or b', "x = 1"]
    assert notebook.py("[picker.chosen, picker.saved]") == [["b"], True]
    notebook.run_cell(1)
    assert notebook.py("answer_3_1") == "b"
    notebook.screenshot("views-picker")
