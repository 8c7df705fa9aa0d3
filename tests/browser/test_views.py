"""The views on a bare page: what the student does reaches the traits, what Python sets is drawn, anyone can use it."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from traitlets import TraitError

from course.widgets.views import Bars, Curves, Flow, Formula, Heatmap, Picker, Plane, number_text, plain
from tests.browser.bare_page import WIDGETS, next_frame
from tests.browser.component import eventually

pytest_plugins = ["tests.browser.component"]
pytestmark = pytest.mark.browser

TOKENS = ["the", "cat", "sat"]
MASK = np.triu(np.ones((3, 3), bool), 1)
WEIGHTS = np.array([[1, 0, 0], [0.25, 0.75, 0], [0.1, 0.58, 0.32]])
WRONG = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0]], bool)


def plane(**traits):
    vectors = [
        {"name": "cat", "role": "key", "x": 1.2, "y": 2.2, "draggable": True},
        {"name": "down", "role": "key", "x": -2.0, "y": 1.0, "draggable": True, "masked": True},
        {"name": "sat", "role": "query", "x": 1.8, "y": -1.1, "draggable": True},
        {"name": "the", "role": "query", "x": -1.0, "y": -1.0, "dim": True},
        {"name": "mix", "role": "value", "x": 0.5, "y": -2.0},
    ]
    return Plane(**{"title": "Plane", "vectors": vectors, "selected": 2, "shade": True, **traits})


def heatmap(**traits):
    labels = {"row_labels": TOKENS, "column_labels": TOKENS, "row_title": "query", "column_title": "key"}
    roles = {"row_role": "query", "column_role": "key"}
    return Heatmap(**{"title": "Weights", "values": WEIGHTS, "masked": MASK, **labels, **roles, **traits})


def bars(**traits):
    columns = [
        {"title": "score", "values": [-3.35, 3.24, -np.inf], "signed": True},
        {"title": "weight", "values": [-0.001, 0.68, 0]},
    ]
    heading = {"heading_before": "What", "heading_chip": "sat", "heading_after": "looks at"}
    return Bars(**{"labels": TOKENS, "columns": columns, "masked": [0, 0, 1], "wrong": [0, 1, 0], **heading, **traits})


def formula(**traits):
    numerator = [{"text": "1.80", "role": "query"}, {"text": " · "}, {"text": "1.20", "role": "key"}]
    power = [{"text": "e", "style": "italic"}, {"sup": [{"text": "3.24"}]}]
    lines = [[{"text": "score = "}, {"fraction": [numerator, [{"text": "√2"}]]}], power]
    return Formula(**{"lines": lines, **traits})


def curves(**traits):
    series = [
        {"name": "train", "x": [1, 2, 3, 4], "y": [4, 2, np.nan, 0.5]},
        {"name": "validation", "x": [1, 4], "y": [5, 1], "dashed": True},
    ]
    return Curves(**{"title": "Loss", "series": series, "x_label": "step", "y_label": "loss", "marker": 2, **traits})


def picker(**traits):
    options = [{"key": "a", "text": "is symmetric"}, {"key": "b", "text": "sums to 1, see `w.sum(-1)`"}]
    feedback = {"a": {"right": False, "text": "Queries are not keys."}, "b": {"right": True, "text": "Softmax does."}}
    card = {"question": "Row `i` of the weights", "options": options, "feedback": feedback, "variable": "answer_3_1"}
    return Picker(**{**card, **traits})


def flow(**traits):
    boxes = [
        {"name": "x", "label": "x", "x": 0, "y": 0, "shape": "(n, d)", "values": [-1, np.nan, 0.5], "step": 0},
        {"name": "att", "label": "attention", "x": 0, "y": 1, "role": "attention", "step": 1, "note": "Tokens look."},
        {"name": "add", "label": "add", "x": 0, "y": 2, "role": "value", "step": 2, "wrong": True, "values": [2.0] * 9},
        {"name": "ffn", "label": "feed-forward", "x": 1, "y": 2, "role": "key", "step": 3},
    ]
    arrows = [
        {"source": "x", "target": "att", "label": "read", "step": 1},
        {"source": "att", "target": "add", "weight": 0.25, "step": 2},
        {"source": "x", "target": "add", "kind": "residual", "label": "residual", "step": 2},
        {"source": "add", "target": "ffn", "kind": "weak", "step": 3},
    ]
    return Flow(**{"title": "A block", "boxes": boxes, "arrows": arrows, **traits})


def routed():
    """Six tokens sent to four experts, the same ones on every run."""
    boxes = [{"name": f"t{i}", "label": "token", "x": i, "y": 0, "role": "query"} for i in range(6)]
    boxes += [{"name": f"e{i}", "label": f"expert {i}", "x": 1.6 * i, "y": 2, "shape": "(d, 4d)"} for i in range(4)]
    arrows = [
        {"source": f"t{i}", "target": f"e{(i * j) % 4}", "weight": w, "label": f"{w}"}
        for i in range(6)
        for j, w in ((1, 0.7), (2, 0.3))
    ]
    return Flow(boxes=boxes, arrows=arrows, description="Six tokens, each sent to two of four experts")


def crowded():
    words = ["The", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "everybody", "watches"]
    return Heatmap(values=np.random.default_rng(0).random((12, 12)), row_labels=words, column_labels=words)


def many():
    return Heatmap(values=np.sin(np.outer(np.arange(16), np.arange(48))), signed=True, title="Positions")


VIEWS = {
    "plane": plane,
    "heatmap": lambda: heatmap(wrong=WRONG, expected=WEIGHTS.T, selected_row=2),
    "editable": lambda: heatmap(editable=True, greyed=True),
    "signed": lambda: heatmap(values=WEIGHTS * 4 - 2, signed=True),
    "crowded": crowded,
    "many": many,
    "bars": bars,
    "formula": formula,
    "curves": curves,
    "flow": flow,
    "stepping": lambda: flow(step=2, selected="att"),
    "routed": routed,
    "picker": lambda: picker(chosen=["a"]),
    "several": lambda: picker(chosen=["a", "b"], multiple=True, saved=True),
}
every_view = pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS.keys())


def trait(page, name):
    return page.evaluate(f"model.get('{name}')")


def receive(page, **traits):
    page.evaluate("(traits) => model.receive(traits)", traits)


def vector(page, name):
    return page.locator(".cw-vector").filter(has=page.get_by_text(name, exact=True))


def cell(page, row, column):
    return page.locator(f"td[data-place='{row} {column}']")


# ---- all views ---------------------------------------------------------------------------------------------------


@every_view
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_accessibility_violations(component, axe, make, dark):
    assert axe(component(make(), dark=dark)) == []


@every_view
@pytest.mark.parametrize("width", [900, 600])
def test_no_horizontal_scroll(component, make, width):
    page = component(make(), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("root.scrollWidth <= root.clientWidth")


@every_view
def test_frame_shows_title_note_and_badge(component, make):
    page = component(make())
    receive(page, title="A title", note="A note", description="What is seen", greyed=True)
    next_frame(page)
    assert page.get_by_role("heading", name="A title").is_visible()
    assert page.get_by_text("A note").is_visible()
    assert page.get_by_text("course’s version").is_visible()
    assert page.get_by_role("group", name="What is seen", exact=True).is_visible()


def test_keys_stay_inside_the_card(component):
    page = component(plane(), heatmap(), picker())
    page.evaluate("globalThis.leaked = []; document.addEventListener('keydown', (e) => leaked.push(e.key))")
    page.evaluate("root.append(Object.assign(document.createElement('button'), { id: 'beside' }))")
    for target in (vector(page, "sat"), cell(page, 0, 0), page.get_by_role("radio").first, page.locator("#beside")):
        target.focus()
        for key in ("a", "b", "d", "d", "ArrowDown", "Enter"):
            page.keyboard.press(key)
    assert page.evaluate("leaked") == []
    page.keyboard.press("Escape")
    assert page.evaluate("leaked") == ["Escape"]


def test_repaints_in_the_next_frame_and_keeps_what_stays(component):
    page = component(heatmap())
    texts = page.evaluate("""async () => {
      const before = root.querySelector("td[data-place='2 1']");
      model.receive({ values: [[1, 0, 0], [0, 1, 0], [0.1, 0.2, 0.7]] });
      const same = before.textContent;
      const seen = [];
      for (let i = 0; i < 3; i++) {
        await new Promise(requestAnimationFrame);
        seen.push(before.isConnected && before.textContent);
      }
      return [same, ...seen];
    }""")
    assert texts == ["0.58", "0.20", "0.20", "0.20"]


def test_ends_cleanly(component):
    page = component(plane())
    page.evaluate("model.close()")
    receive(page, selected=0)
    next_frame(page)
    assert page.evaluate("model.listeners.length") == 0


def test_bundle_is_fresh(tmp_path):
    if not (WIDGETS / "js" / "node_modules").exists() or not shutil.which("node"):
        pytest.fail("the bundle cannot be rebuilt: install node and run `npm ci` in course/widgets/js", pytrace=False)
    subprocess.run(["node", "build.mjs", tmp_path], cwd=WIDGETS / "js", check=True, capture_output=True)
    for name in ("views.js", "matrices.js", "views.css"):
        fresh, committed = (tmp_path / name).read_bytes(), (WIDGETS / "static" / name).read_bytes()
        assert fresh == committed, f"{name} is stale: run `npm run build` in course/widgets/js"


# ---- what Python may set -----------------------------------------------------------------------------------------


def test_plain_carries_what_json_cannot():
    assert plain(np.array([[1, np.nan], [np.inf, -np.inf]])) == [[1.0, "nan"], ["inf", "-inf"]]
    assert plain((np.float32(0.5), None, True, "inf")) == [0.5, "nan", 1.0, "inf"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.001, "0.00"),
        (-0.5, "−0.50"),
        (-np.inf, "−∞"),
        (np.inf, "∞"),
        (np.nan, "NaN"),
        (12, "12.00"),
    ],
)
def test_numbers_in_texts(value, text):
    assert number_text(value) == text


def test_show_sets_several_traits_at_once():
    view = heatmap()
    view.show(values=[[1.0]], masked=[], row_labels=["a"], column_labels=["b"])
    assert (view.values, view.row_labels) == ([[1.0]], ["a"])
    with pytest.raises(TraitError, match="no trait 'valeus'"):
        view.show(valeus=[[1.0]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: setattr(heatmap(), "values", [[1.0]]), r"Heatmap.masked is 3 x 3, but values needs 1 x 1.*show"),
        (lambda: Heatmap(values=[[1], [2, 3]]), "rows have different lengths"),
        (lambda: Heatmap(values=[1, 2]), r"needs 2 dimension\(s\), got shape \(2,\)"),
        (lambda: Heatmap(values=[["x"]]), "expected a number, got 'x'"),
        (lambda: heatmap(row_labels=["a"]), "row_labels is 1, but values needs 3"),
        (lambda: heatmap(selected_row=3), "there are 3 rows"),
        (lambda: heatmap(hover=[1]), r"\[row, column\] or \[\]"),
        (lambda: Plane(vectors=[{"name": "a", "x": 1}]), r"vectors\[0\]\['y'\] is missing"),
        (lambda: Plane(vectors=[{"name": "a", "x": 1, "y": np.nan}]), "expected a finite number"),
        (lambda: Plane(vectors=[{"name": "a", "x": 1, "y": 1, "role": "head"}]), "'head' is not one of"),
        (lambda: Plane(vectors=[{"name": "a", "x": 1, "y": 1, "z": 1}]), r"unknown keys \['z'\]"),
        (lambda: plane(selected=5), "there are 5 vectors"),
        (lambda: plane(limit=0), "positive"),
        (lambda: bars(labels=["a"], masked=[], wrong=[]), r"columns\[0\] has 3 values for 1 labels"),
        (lambda: Formula(lines=[[{"txt": "a"}]]), "a segment has text"),
        (lambda: Curves(series=[{"name": "a", "x": [1], "y": []}]), "x has 1 numbers, y has 0"),
        (lambda: flow(boxes=flow().boxes[:3]), r"arrows\[3\]\['target'\] is 'ffn', the boxes are .*show"),
        (lambda: flow(boxes=[*flow().boxes, flow().boxes[0]]), r"boxes\[4\]\['name'\] is 'x'; each .* name of its own"),
        (lambda: flow(boxes=[{"name": "a", "label": "A", "x": 0, "y": 0, "width": 0}]), "a number above 0, got 0"),
        (lambda: flow(boxes=[{"name": "a", "label": "A", "x": 0, "y": 0, "values": 1}]), "one row of numbers"),
        (lambda: flow(arrows=[{"source": "x", "target": "y"}]), r"\['target'\] is 'y', the boxes are \['x', "),
        (lambda: flow(arrows=[{"source": "x", "target": "x", "weight": 1.5}]), "from 0 to 1, got 1.5"),
        (lambda: flow(selected="y"), "selected is 'y', the boxes are"),
        (lambda: flow(step=-2), "step"),
        (lambda: picker(chosen=["z"]), r"the options are \['a', 'b'\]"),
        (lambda: picker(chosen=["a", "b"]), "multiple is False"),
        (lambda: picker(variable="a b"), "must be a Python name"),
        (lambda: picker(feedback={"a": "no"}), "needs right and text"),
    ],
)
def test_wrong_traits_say_what_is_wrong(make, message):
    with pytest.raises(TraitError, match=message):
        make()


# ---- Plane -------------------------------------------------------------------------------------------------------


def drag(page, name, dx, dy, steps=6):
    box = vector(page, name).locator(".cw-shape").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=steps)
    return lambda: page.mouse.up()


def test_drag_moves_the_vector_and_selects_the_query(component):
    page = component(plane(selected=0))
    drag(page, "sat", -150, 60)()
    moved = trait(page, "vectors")[2]
    assert moved["x"] < 1.8
    assert moved["y"] < -1.1
    assert trait(page, "selected") == 2
    last = "model.messages.findLast((message) => message.vectors)?.vectors[2]"
    eventually(page, lambda: page.evaluate(last) == moved)  # the last state reaches Python


def test_drag_sends_at_most_every_40_ms(component):
    page = component(plane())
    started = page.evaluate("performance.now()")
    drag(page, "sat", -120, 90, steps=60)()
    page.wait_for_timeout(80)
    spent = page.evaluate("performance.now()") - started
    assert page.evaluate("model.messages.length") <= spent / 40 + 2


def test_late_news_from_python_does_not_pull_the_vector_back(component):
    page = component(plane())
    stale = trait(page, "vectors")
    release = drag(page, "sat", -100, 0)
    held = trait(page, "vectors")[2]["x"]
    receive(page, vectors=stale)
    next_frame(page)
    assert vector(page, "sat").get_attribute("aria-valuenow") == f"{held:g}"
    release()


def test_vector_stays_on_the_plane(component):
    page = component(plane())
    drag(page, "sat", 900, 900)()
    assert trait(page, "vectors")[2]["x"] == 3
    assert trait(page, "vectors")[2]["y"] == -3


def test_arrow_keys_move_a_vector(component):
    page = component(plane())
    handle = vector(page, "cat")
    handle.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    next_frame(page)
    assert handle.get_attribute("aria-valuetext") == "x 0.70, y 2.25"
    assert trait(page, "vectors")[0]["x"] == pytest.approx(0.7)
    assert trait(page, "selected") == 2, "moving a key keeps the selected query"


def test_fixed_vectors_do_not_move(component):
    page = component(plane())
    drag(page, "mix", 60, -60)()
    drag(page, "the", 60, -60)()
    assert trait(page, "vectors")[4]["x"] == 0.5
    assert trait(page, "vectors")[3]["x"] == -1.0
    assert trait(page, "selected") == 3, "a fixed query can be selected"


def test_touch_drag(browser, component):
    page = component(plane())
    page.evaluate("""() => {
      const svg = root.querySelector(".cw-plane");
      const box = root.querySelector(".cw-vector[data-index='2'] .cw-shape").getBoundingClientRect();
      svg.setPointerCapture = () => {};
      const at = (type, dx) => svg.dispatchEvent(new PointerEvent(type, {
        pointerId: 7, pointerType: "touch", bubbles: true, clientX: box.x + 8 + dx, clientY: box.y + 8 }));
      at("pointerdown", 0); at("pointermove", -60); at("pointerup", -60);
    }""")
    assert trait(page, "vectors")[2]["x"] < 1.5


def test_drop_lines_only_for_keys_in_sight(component):
    page = component(plane())
    assert page.locator(".cw-drop").count() == 1
    receive(page, selected=-1)
    next_frame(page)
    assert page.locator(".cw-drop").count() == 0


def test_labels_do_not_cover_each_other(component):
    vectors = [{"name": name, "role": "key", "x": 1 + i * 0.1, "y": 1.0} for i, name in enumerate(TOKENS)]
    page = component(Plane(vectors=vectors))
    boxes = [label.bounding_box() for label in page.locator(".cw-vector text").all()]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart_x = abs(a["x"] + a["width"] / 2 - b["x"] - b["width"] / 2) >= (a["width"] + b["width"]) / 2 - 3
            apart_y = abs(a["y"] - b["y"]) >= min(a["height"], b["height"]) - 6
            assert apart_x or apart_y


# ---- Heatmap -----------------------------------------------------------------------------------------------------


def test_heatmap_reads_as_a_table(component):
    page = component(heatmap(wrong=WRONG, expected=WEIGHTS.T))
    assert page.get_by_role("columnheader", name="cat").is_visible()
    assert page.get_by_role("rowheader", name="sat").is_visible()
    assert cell(page, 0, 1).inner_text().strip() == "masked"
    assert "differs: yours 0.75, expected 0.75" in cell(page, 1, 1).inner_text()
    assert page.locator(".cw-first").count() == 1


def test_row_header_selects_the_row(component):
    page = component(heatmap())
    page.get_by_role("button", name="cat").click()
    next_frame(page)
    assert trait(page, "selected_row") == 1
    assert page.get_by_role("button", name="cat").get_attribute("aria-pressed") == "true"


def test_hover_is_reported_and_explained(component):
    page = component(heatmap(wrong=WRONG, expected=WEIGHTS.T))
    cell(page, 2, 0).hover()
    next_frame(page)
    assert trait(page, "hover") == [2, 0]
    assert page.locator(".cw-tip").inner_text() == "query sat → key the: yours 0.10, expected 0.00"
    page.mouse.move(0, 0)
    next_frame(page)
    assert trait(page, "hover") == []
    assert page.locator(".cw-tip").is_hidden()


def test_arrow_keys_walk_the_cells_with_one_tab_stop(component):
    page = component(heatmap())
    assert page.locator("[tabindex='0']").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert trait(page, "hover") == [1, 2]
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert trait(page, "selected_row") == 1
    assert page.locator("[tabindex='0']").count() == 1


def test_editable_cells_toggle_and_count(component):
    page = component(heatmap(editable=True))
    cell(page, 1, 2).get_by_role("button").click()
    assert trait(page, "toggled") == {"cells": [[1, 2]], "count": 1}
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert trait(page, "toggled") == {"cells": [[1, 2]] * 3, "count": 3}
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert trait(page, "toggled") == {"cells": [*[[1, 2]] * 3, [1, 1]], "count": 4}


def test_heatmap_changes_its_shape(component):
    page = component(heatmap())
    receive(page, values=[[0.5, "nan"], ["inf", "-inf"]], masked=[], row_labels=["a", "b"], column_labels=[])
    next_frame(page)
    numbers = [box.inner_text() for box in page.locator(".cw-cell-number").all()]
    assert numbers == ["0.50", "NaN", "∞", "−∞"]


CONTRAST = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => byte / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  return [...document.querySelectorAll(".cw-cell")].map((box) => {
    const style = getComputedStyle(box);
    const [a, b] = [light(style.color), light(style.backgroundColor)];
    return Math.max(a, b) / Math.min(a, b);
  });
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("signed", [False, True])
def test_numbers_contrast_with_their_cell(component, dark, signed):
    values = np.linspace(-1 if signed else 0, 1, 84).reshape(7, 12)
    page = component(Heatmap(values=values, signed=signed), dark=dark)
    assert min(page.evaluate(CONTRAST)) >= 4.5


# ---- Bars, Formula, Curves ---------------------------------------------------------------------------------------


def test_bars_show_numbers_as_people_read_them(component):
    page = component(bars())
    rows = [row.inner_text().split() for row in page.locator("tbody tr").all()]
    assert rows[0] == ["the", "−3.35", "0.00"]
    assert rows[1][-4:] == ["3.24", "✕", "0.68", "✕"]
    assert rows[2] == ["sat", "masked", "−∞", "0.00"]
    assert page.get_by_role("table", name="What sat looks at").is_visible()


def test_bars_follow_a_change(component):
    page = component(bars())
    receive(
        page,
        labels=["a"],
        masked=[],
        wrong=[],
        columns=[{"title": "weight", "values": [0.5], "signed": False, "digits": 1, "vmax": None}],
    )
    next_frame(page)
    assert page.locator("tbody tr").inner_text().split() == ["a", "0.5"]
    assert page.locator(".cw-bar i").get_attribute("style") == "left: 0%; width: 50%;"


def test_formula_is_read_aloud(component):
    page = component(formula())
    assert page.get_by_role("img", name="score = (1.80 · 1.20) / (√2)").is_visible()
    assert page.get_by_role("img", name="e^(3.24)").is_visible()
    assert page.locator(".cw-fraction .cw-query").inner_text() == "1.80"


def test_curves_read_off_by_mouse_and_keys(component):
    page = component(curves())
    reader = page.get_by_role("slider")
    reader.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    next_frame(page)
    assert reader.get_attribute("aria-valuetext") == "step 2, train 2, validation 5 (at 1)"
    box = reader.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 50)
    next_frame(page)
    assert page.locator(".cw-tip").inner_text().split("\n") == ["step 4", "train 0.5", "validation 1"]


def test_curves_break_where_a_value_is_missing(component):
    page = component(curves())
    assert page.locator(".cw-chart .cw-curve").first.get_attribute("d").count("M") == 2


def test_curves_on_log_axes(component):
    powers = 10.0 ** np.arange(-3, 7)
    series = [{"name": "cost", "x": powers, "y": powers**2}, {"name": "none", "x": [0, 1], "y": [-1, 0]}]
    page = component(Curves(series=series, log_x=True, log_y=True))
    assert "10⁶" in page.locator(".cw-chart .cw-tick").all_text_contents()


# ---- Flow --------------------------------------------------------------------------------------------------------


def box(page, name):
    return page.locator(".cw-flow-box").filter(has=page.locator(".cw-flow-label", has_text=re.compile(f"^{name}$")))


def names_of(page, state):
    return page.locator(f".cw-flow-box.{state} .cw-flow-label").all_text_contents()


def test_flow_lights_the_step(component):
    page = component(flow())
    assert names_of(page, "cw-lit") == names_of(page, "cw-later") == []
    receive(page, step=1)
    next_frame(page)
    assert names_of(page, "cw-lit") == ["attention"]
    assert names_of(page, "cw-later") == ["add", "feed-forward"]
    assert box(page, "attention").get_attribute("aria-current") == "step"
    assert page.locator(".cw-arrow.cw-lit").count() == 1
    assert page.locator(".cw-arrow.cw-later").count() == 3


def test_flow_selects_by_click_and_key(component):
    page = component(flow())
    assert page.get_by_role("status").inner_text() == "Select a box to read about it."
    box(page, "attention").click()
    next_frame(page)
    assert trait(page, "selected") == "att"
    assert box(page, "attention").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("status").inner_text() == "attention: Tokens look."
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert trait(page, "selected") == "add"
    page.keyboard.press("Space")
    assert trait(page, "selected") == "", "once more takes the selection back"


def test_flow_is_one_tab_stop_and_arrow_keys_walk_it(component):
    page = component(flow())
    focused = "document.activeElement.querySelector('.cw-flow-label').textContent"
    page.keyboard.press("Tab")
    walked = [page.evaluate(focused)]
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "End", "ArrowLeft", "Home"):
        page.keyboard.press(key)
        walked.append(page.evaluate(focused))
    there, back = ["x", "attention", "add", "feed-forward", "feed-forward"], ["attention", "feed-forward", "add", "x"]
    assert walked == there + back
    assert page.locator("[tabindex='0']").count() == 1


def test_flow_says_what_a_box_holds_and_where_it_leads(component):
    page = component(flow())
    names = [one.get_attribute("aria-label") for one in page.locator(".cw-flow-box").all()]
    assert names == [
        "x; shape (n, d); values −1.00, NaN, 0.50; leads to attention, add",
        "attention; leads to add (0.25); Tokens look.",
        "add; 9 values from 2.00 to 2.00; differs from the right result; leads to feed-forward",
        "feed-forward",
    ]


def test_flow_shows_values_and_weights_on_hover(component):
    page = component(flow())
    tip = page.locator(".cw-tip")
    box(page, "x").locator("i").nth(2).hover()
    next_frame(page)
    assert tip.inner_text() == "x[2] = 0.5000"
    page.locator("[data-arrow='1']").dispatch_event("pointerover")
    next_frame(page)
    assert tip.inner_text() == "attention → add: weight 0.25"
    page.mouse.move(0, 0)
    box(page, "attention").focus()
    next_frame(page)
    assert tip.inner_text() == "Tokens look."


def test_flow_changes_in_place(component):
    page = component(flow())
    boxes, place = trait(page, "boxes"), box(page, "x").bounding_box()
    page.evaluate("globalThis.kept = [...root.querySelectorAll('.cw-flow-box, .cw-flow-strip i, .cw-arrow')]")
    boxes[0]["values"] = [4, -4, 0]
    receive(page, boxes=boxes, step=3)
    next_frame(page)
    assert page.evaluate("kept.every((part) => part.isConnected)")
    assert box(page, "x").bounding_box() == place
    shares = [cell.evaluate("(i) => i.style.getPropertyValue('--share')") for cell in box(page, "x").locator("i").all()]
    assert shares == ["1.0000", "1.0000", "0.0000"]
    assert box(page, "x").locator(".cw-negative").count() == 1


CROSSINGS = """() => {
  const boxes = [...root.querySelectorAll(".cw-flow-box")].map((one) => one.getBoundingClientRect());
  const apart = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  const within = (value, low, high) => value > low + 4 && value < high - 4;
  const inside = ({ x, y }) => boxes.filter((b) => within(x, b.left, b.right) && within(y, b.top, b.bottom));
  const crossed = [...root.querySelectorAll(".cw-arrow-line")].flatMap((path) => {
    const steps = Array.from({ length: 80 }, (_, i) => path.getPointAtLength((path.getTotalLength() * i) / 79));
    return steps.flatMap((point) => inside(point.matrixTransform(path.getScreenCTM())));
  });
  const labels = [...root.querySelectorAll(".cw-arrow-label")].filter((label) => label.textContent);
  const covered = labels.filter((label) => boxes.some((b) => !apart(label.getBoundingClientRect(), b)));
  const clash = boxes.some((a, i) => boxes.slice(i + 1).some((b) => !apart(a, b)));
  const cut = [...root.querySelectorAll(".cw-flow-box > :not([hidden])")].some((part) => {
    const [inner, outer] = [part, part.parentElement].map((one) => one.getBoundingClientRect());
    return inner.left < outer.left || inner.right > outer.right || inner.bottom > outer.bottom;
  });
  return [crossed.length, covered.length, clash, cut];
}"""


def gathered():
    """Twelve words, one of them long, that all send an arrow to the same box."""
    words = ["The", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "everybody", "watches"]
    boxes = [{"name": f"w{i}", "label": w, "x": i, "y": 1, "role": "key", "values": [i]} for i, w in enumerate(words)]
    boxes.append({"name": "c", "label": "context", "x": 5.5, "y": 0, "width": 3})
    return Flow(boxes=boxes, arrows=[{"source": f"w{i}", "target": "c", "weight": i / 11} for i in range(12)])


@pytest.mark.parametrize("make", [flow, routed, gathered], ids=["flow", "routed", "gathered"])
@pytest.mark.parametrize("width", [900, 600])
def test_flow_keeps_boxes_arrows_and_labels_apart(component, make, width):
    assert component(make(), width=width).evaluate(CROSSINGS) == [0, 0, False, False]


def test_flow_follows_its_width_and_new_boxes(component):
    page = component(routed())
    wide = box(page, "expert 3").bounding_box()
    page.set_viewport_size({"width": 600, "height": 800})
    eventually(page, lambda: box(page, "expert 3").bounding_box()["x"] < wide["x"] - 150)
    receive(page, arrows=[], boxes=trait(page, "boxes")[:2])
    next_frame(page)
    assert page.locator(".cw-flow-box").count() == 2
    assert page.locator(".cw-arrow").count() == 0


def test_flow_forgets_a_selected_box_that_is_gone():
    view = flow(selected="ffn")
    view.show(boxes=view.boxes[:3], arrows=view.arrows[:3])
    assert view.selected == ""


# ---- Picker ------------------------------------------------------------------------------------------------------

NOTEBOOK = """(sources) => {
  globalThis.editors = [];
  const cell = (source, i) => {
    const box = Object.assign(document.createElement("div"), { className: "jp-Cell jp-CodeCell" });
    box.innerHTML = '<div class="jp-InputArea"><div class="cm-content"></div></div><div class="out"></div>';
    const editor = { text: source, state: { doc: { toString: () => editor.text }, readOnly: false } };
    editor.dispatch = ({ changes: { from, to, insert } }) => {
      editor.text = editor.text.slice(0, from) + insert + editor.text.slice(to);
    };
    editors.push(editor);
    box.querySelector(".cm-content").cmTile = { view: editor };
    return box;
  };
  const notebook = Object.assign(document.createElement("div"), { className: "jp-Notebook" });
  notebook.append(...sources.map(cell));
  root.append(notebook);
  notebook.lastElementChild.querySelector(".out").append(model.el);
}"""


def pick_in_notebook(page, sources, option):
    """Put the picker into the output of a last cell under cells with these sources; choose; return all sources."""
    page.evaluate(NOTEBOOK, [*sources, "show(picker)"])
    page.get_by_label(option).check()
    next_frame(page)
    return page.evaluate("editors.map((editor) => editor.text)")[:-1]


def test_picker_shows_feedback_for_the_chosen_option_only(component):
    page = component(picker())
    page.get_by_label("is symmetric").check()
    next_frame(page)
    assert trait(page, "chosen") == ["a"]
    assert page.get_by_text("Queries are not keys.").is_visible()
    assert page.get_by_text("Softmax does.").count() == 0
    assert page.get_by_text('answer_3_1 = "a"').is_visible()
    assert page.get_by_role("status").inner_text() == 'Write answer_3_1 = "a" in the answer cell to keep it.'
    assert trait(page, "saved") is False


def test_picker_by_keyboard(component):
    page = component(picker())
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    assert trait(page, "chosen") == ["b"]


def test_picker_writes_the_nearest_answer_cell_above(component):
    page = component(picker())
    sources = ['answer_3_1 = "old"', "# choose\nanswer_3_1 = None  # a or b\nprint(1)", "x = 1"]
    texts = pick_in_notebook(page, sources, "is symmetric")
    assert texts == [sources[0], '# choose\nanswer_3_1 = "a"  # a or b\nprint(1)', "x = 1"]
    assert trait(page, "saved") is True
    assert page.get_by_role("status").inner_text() == 'Kept in the answer cell: answer_3_1 = "a"'


def test_picker_writes_lists(component):
    page = component(picker(multiple=True, chosen=["b"]))
    assert pick_in_notebook(page, ["answer_3_1 = []"], "is symmetric") == ['answer_3_1 = ["a", "b"]']
    page.get_by_label("sums to 1").uncheck()
    assert page.evaluate("editors[0].text") == 'answer_3_1 = ["a"]'


@pytest.mark.parametrize(
    "source",
    [
        "answer_3_10 = 1",
        "answer_3_1 == 1",
        "  answer_3_1 = 1",
        "answer_3_1 = [\n    'a',\n]",
        'answer_3_1 = """a\n"""',
        "answer_3_1 = 'a' \\\n 'b'",
    ],
)
def test_picker_leaves_other_code_alone(component, source):
    page = component(picker())
    assert pick_in_notebook(page, [source], "is symmetric") == [source]
    assert trait(page, "saved") is False


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("answer_3_1 =", 'answer_3_1 ="a"'),
        ("answer_3_1=None#why", 'answer_3_1="a"#why'),
        ("answer_3_1 = '#'  # \"b\"", 'answer_3_1 = "a"  # "b"'),
        ("answer_3_1 = ['a', \"]\"] # x", 'answer_3_1 = "a" # x'),
        ("answer_3_1 = 1\nanswer_3_1 = 2", 'answer_3_1 = 1\nanswer_3_1 = "a"'),
    ],
)
def test_picker_replaces_only_the_right_hand_side(component, source, expected):
    assert pick_in_notebook(component(picker()), [source], "is symmetric") == [expected]


def test_picker_does_not_write_into_a_read_only_cell(component):
    page = component(picker())
    page.evaluate(NOTEBOOK, ["answer_3_1 = None", "show(picker)"])
    page.evaluate("editors[0].state.readOnly = true")
    page.get_by_label("is symmetric").check()
    assert page.evaluate("editors[0].text") == "answer_3_1 = None"
    assert trait(page, "saved") is False
