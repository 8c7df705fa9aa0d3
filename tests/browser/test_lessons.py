"""The released lessons in real JupyterLab, as a student uses them: by mouse, by keyboard, wrongly and rightly."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from course import supplied
from tests.browser.conftest import OpenLesson, OpenNotebook
from tests.browser.lab import LabServer
from tests.browser.lesson import Lesson, require_unsolved, solution, status, weights_shown

ATTENTION = "ch02.scaled_dot_product_attention"
PLANE, OWN_PLANE = "attention_plane()", "attention_plane(scaled_dot_product_attention)"
WIDGETS = {
    "ch02": {"plane": PLANE, "own-plane": OWN_PLANE, "saturation": "softmax_saturation(softmax_grad_norm)"},
    "ch06": {"mask": "mask_lab()", "own-mask": "mask_lab(masked_attention, causal_mask)",
             "cross-attention": "cross_attention_map(cross_attention)"},
}  # fmt: skip


# ---- as handed out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chapter", WIDGETS)
def test_unsolved_lesson_runs_and_the_course_draws(open_lesson: OpenLesson, chapter: str) -> None:
    require_unsolved(open_lesson(chapter, run_all=True), chapter, WIDGETS[chapter])


# ---- ch02 --------------------------------------------------------------------------------------------------------


def test_the_plane_by_keyboard_and_by_mouse(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch02")
    output = lesson.run(PLANE)
    move_the_slider(lesson, output)
    drag_vectors(lesson, output)


def move_the_slider(lesson: Lesson, output: Locator) -> None:
    """The slider's keys change the vector, the bars, the heat-map and the formula, and nothing in the notebook."""
    cells = len(lesson.notebook.cells())
    before, formula = weights_shown(output), output.locator(".cw-formula").inner_text()
    bars = output.locator(".cw-bars").inner_text()
    output.get_by_role("slider", name="query x").focus()
    for _ in range(12):
        lesson.page.keyboard.press("ArrowLeft")
    lesson.settle()
    q, k = (np.array(lesson.kernel(PLANE, name)) for name in "qk")
    assert q[2].tolist() == pytest.approx([1.2, 1.1])
    assert lesson.kernel(PLANE, "x.value") == pytest.approx(1.2)
    expected = supplied.scaled_dot_product_attention(q, k, np.eye(4))[1]
    assert weights_shown(output) == pytest.approx(expected, abs=0.0051)
    assert np.any(weights_shown(output)[2] != before[2])
    assert output.locator(".cw-bars").inner_text() != bars
    assert output.locator(".cw-formula").inner_text() != formula
    assert "1.20" in output.locator(".cw-formula").inner_text()
    assert len(lesson.notebook.cells()) == cells


def drag_vectors(lesson: Lesson, output: Locator) -> None:
    """The mouse moves a key and a query, each by itself."""
    output.locator(".course-widget").evaluate("(card) => card.scrollIntoView({ block: 'center' })")
    for index, trait in ((0, "k"), (6, "q")):  # the key of "the", the query of "sat"
        row, before = index % 4, np.array(lesson.kernel(PLANE, trait))
        tip = output.locator(f"[data-index='{index}'] .cw-shape").bounding_box()
        x, y = tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2
        lesson.page.mouse.move(x, y)
        lesson.page.mouse.down()
        lesson.page.mouse.move(x - 20, y - 60, steps=6)
        lesson.page.mouse.up()
        lesson.settle()
        after = np.array(lesson.kernel(PLANE, trait))
        assert after[row, 0] < before[row, 0]
        assert after[row, 1] > before[row, 1]
        assert np.array_equal(np.delete(after, row, 0), np.delete(before, row, 0))
    q, k = (np.array(lesson.kernel(PLANE, name)) for name in "qk")
    assert weights_shown(output) == pytest.approx(supplied.scaled_dot_product_attention(q, k, np.eye(4))[1], abs=0.0051)
    assert lesson.kernel(PLANE, "y.value") == pytest.approx(q[2, 1])


def test_wrong_then_right(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch02")
    right = solution(ATTENTION)
    said = lesson.write(ATTENTION, right.replace(" / np.sqrt(k.shape[-1])", "")).inner_text()
    assert "scaled_dot_product_attention: not right yet" in said
    assert re.search(r"values \(\d points\): .* the first is at \[0, 0\]\. Expected -?[\d.]+ there, got -?[\d.]+", said)
    assert "Hint: The division is missing: scores are divided by the square root of d_k before the softmax." in said
    output = lesson.run(OWN_PLANE)
    assert output.locator("td .cw-wrong-cell").count() == 16
    expect(status(output)).to_contain_text("Your scaled_dot_product_attention draws this, and it is not right yet")
    show_in_both_themes(lesson, "check-failing", "widget-wrong")

    assert "scaled_dot_product_attention: passed" in lesson.write(ATTENTION, right).inner_text()
    output = lesson.run(OWN_PLANE)
    assert output.locator("td .cw-wrong-cell").count() == 0
    expect(status(output)).to_have_text("Drawn by your scaled_dot_product_attention.")
    assert output.get_by_text("course’s version").filter(visible=True).count() == 0
    show_in_both_themes(lesson, "check-passing", "widget-yours")
    assert lesson.too_wide(900) == []


def show_in_both_themes(lesson: Lesson, check: str, widget: str) -> None:
    """Keep pictures of the check and of the widget, for the README too, and let axe look at them."""
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch02-{theme}-{check}", "ch02-scaled_dot_product_attention")
        lesson.picture(f"ch02-{theme}-{widget}", OWN_PLANE)
        if (theme, widget) == ("dark", "widget-wrong"):
            lesson.picture_for_readme("readme-check-dark", "ch02-scaled_dot_product_attention-code", 850)
        if (theme, widget) == ("light", "widget-yours"):
            lesson.picture_for_readme("readme-lesson-light", OWN_PLANE, 868)


def test_saturation_is_measured_by_the_students_function(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch02")
    lesson.write("ch02.softmax_grad_norm", solution("ch02.softmax_grad_norm"))
    cell = WIDGETS["ch02"]["saturation"]
    output = lesson.run(cell)
    expect(status(output)).to_have_text("Drawn by your softmax_grad_norm.")
    note = output.get_by_text("Gradient norm of this row")
    before = note.inner_text()
    output.get_by_role("checkbox", name="divide by").press("Space")
    lesson.settle()
    scaled = note.inner_text()
    assert float(scaled.split()[-1]) > 10 * float(before.split()[-1])
    output.get_by_role("slider", name="d\u2096").press("End")
    lesson.settle()
    assert lesson.kernel(cell, "width.value") == 512
    lesson.picture("ch02-light-saturation-yours", cell)


# ---- check questions and progress --------------------------------------------------------------------------------


def test_question_answered_by_keyboard_survives_reopening(
    open_lesson: OpenLesson, open_notebook: OpenNotebook, lab: LabServer
) -> None:
    lesson = open_lesson("ch02")
    lesson.run("ch02-why_scale-code")
    output = lesson.run("ch02-why_scale")
    output.get_by_role("radio").first.focus()
    lesson.page.keyboard.press("Space")
    answer = lesson.places["ch02-why_scale-code"]
    explained = []
    for letter in "abcd":
        expect(lesson.notebook.cell(answer)).to_contain_text(f'why_scale = "{letter}"')
        lesson.settle()
        explained.append(output.locator(".cw-feedback").filter(visible=True).inner_text())
        if "why_scale: passed" in output.inner_text():
            break
        expect(output.get_by_text("why_scale: not right yet")).to_be_visible()
        lesson.page.keyboard.press("ArrowDown")
    assert len(set(explained)) == len(explained) > 1
    lesson.picture("ch02-light-quiz-answered", "ch02-why_scale")
    assert lesson.violations() == []
    assert output.get_by_text(explained[-1]).filter(visible=True).count() == 1  # not twice, in picker and card
    lesson.notebook.save()
    reopened(open_notebook, lab, letter, explained[-1])


def reopened(open_notebook: OpenNotebook, lab: LabServer, letter: str, explanation: str) -> None:
    """With its kernel gone and nothing run, the notebook still shows the answer and why it is right."""
    saved = max(lab.root.glob("test_question*.ipynb"), key=lambda path: path.stat().st_mtime)
    again = Lesson(open_notebook(saved, run=False))
    again.wait_for_kernel()
    assert f'why_scale = "{letter}"' in again.notebook.cells()[again.places["ch02-why_scale-code"]]["source"]
    output = again.output("ch02-why_scale")
    expect(output.get_by_text(explanation)).to_be_visible()
    expect(output.get_by_text("why_scale: passed")).to_be_visible()
    expect(output.get_by_text("model not found")).to_be_hidden()
    again.picture("ch02-light-quiz-reopened", "ch02-why_scale")


def test_several_answers_and_progress(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch02", "dark")
    lesson.run("ch02-row_facts-code")
    output = lesson.run("ch02-row_facts")
    boxes = output.get_by_role("checkbox").all()
    boxes[1].press("Space")
    lesson.settle()
    expect(output.get_by_text("row_facts: not right yet")).to_be_visible()
    lesson.picture("ch02-dark-quiz-wrong", "ch02-row_facts")
    for box in (boxes[1], boxes[0], boxes[3]):
        box.press("Space")
    lesson.settle()
    expect(output.get_by_text("row_facts: passed")).to_be_visible()
    answer = lesson.notebook.cells()[lesson.places["ch02-row_facts-code"]]["source"]
    assert answer.startswith('row_facts = ["a", "d"]')
    table = lesson.run('progress("ch02")')
    expect(table.get_by_role("row", name="ch02.row_facts")).to_contain_text("1 of 1 point")
    lesson.picture("ch02-dark-progress", 'progress("ch02")')
    assert lesson.violations() == []


# ---- ch06 --------------------------------------------------------------------------------------------------------


def mask_cell(output: Locator, row: int, column: int) -> Locator:
    """A cell of the mask, which is a button."""
    return output.get_by_role("grid", name="The mask").locator(f"td[data-place='{row} {column}'] button")


def test_mask_is_switched_by_mouse_and_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch06")
    cell = WIDGETS["ch06"]["mask"]
    output = lesson.run(cell)
    before = weights_shown(output, "The weights")
    mask_cell(output, 0, 3).click()
    lesson.settle()
    clicked = weights_shown(output, "The weights")
    assert clicked[0, 3] > 0
    assert np.array_equal(clicked[1:], before[1:])
    mask_cell(output, 0, 3).focus()
    for key in ("ArrowDown", "ArrowLeft", "Enter"):  # query "upon", key "a"
        lesson.page.keyboard.press(key)
    lesson.settle()
    assert lesson.kernel(cell, "mask")[1] == [True, True, True, False, False]
    pressed = weights_shown(output, "The weights")
    assert pressed[1, 2] > 0
    assert pressed == pytest.approx(np.array(lesson.kernel(cell, "weights.values")), abs=0.0051)
    for column in range(5):  # leave "there" nothing to look at
        mask_cell(output, 4, column).click()
    lesson.settle()
    assert weights_shown(output, "The weights")[4].tolist() == [0] * 5
    lesson.picture("ch06-light-mask-switched", cell)
    choose_presets(lesson, output)


def choose_presets(lesson: Lesson, output: Locator) -> None:
    """The buttons by keyboard; after a cell was switched, the same preset starts over."""
    cell = WIDGETS["ch06"]["mask"]
    for preset, allowed in (("all allowed", 25), ("only itself", 5), ("causal", 15)):
        output.get_by_role("button", name=preset).press("Enter")
        lesson.settle()
        assert np.sum(lesson.kernel(cell, "mask")) == allowed
        assert weights_shown(output, "The weights").sum(axis=1) == pytest.approx(np.ones(5), abs=0.03)
    mask_cell(output, 0, 4).click()
    lesson.settle()  # or the button is still pressed, and tells the kernel nothing
    output.get_by_role("button", name="causal").click()
    lesson.settle()
    assert np.sum(lesson.kernel(cell, "mask")) == 15


def test_own_mask_attention_and_cross_attention(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch06", "dark")
    upside_down = "def causal_mask(n):\n    return np.triu(np.ones((n, n), dtype=bool))"
    said = lesson.write("ch06.causal_mask", upside_down).inner_text()
    assert "Hint:" in said
    lesson.write("ch06.masked_attention", solution("ch06.masked_attention"))
    output = lesson.run(WIDGETS["ch06"]["own-mask"])
    expect(status(output)).to_contain_text("Your causal_mask draws this, and it is not right yet")
    lesson.picture("ch06-dark-check-failing", "ch06-causal_mask")
    lesson.picture("ch06-dark-mask-wrong", WIDGETS["ch06"]["own-mask"])
    assert "causal_mask: passed" in lesson.write("ch06.causal_mask", solution("ch06.causal_mask")).inner_text()
    output = lesson.run(WIDGETS["ch06"]["own-mask"])
    expect(status(output)).to_contain_text("Drawn by your")
    lesson.picture("ch06-dark-mask-yours", WIDGETS["ch06"]["own-mask"])
    lesson.write("ch06.cross_attention", solution("ch06.cross_attention"))
    cell = WIDGETS["ch06"]["cross-attention"]
    output = lesson.run(cell)
    before = weights_shown(output, "Where each German word looks")
    output.get_by_role("slider", name="look for").press("End")
    lesson.settle()
    after = weights_shown(output, "Where each German word looks")
    assert before[1, 1] == before.max(axis=1)[1]  # by meaning, Katze looks at cat
    assert after[1, 1] == pytest.approx(after[1, 3], abs=0.01)  # by kind of word, at both nouns alike
    assert after.sum(axis=1) == pytest.approx(np.ones(4), abs=0.03)
    lesson.picture("ch06-dark-cross-attention-yours", cell)
    assert lesson.violations() == []
    assert lesson.too_wide(900) == []
