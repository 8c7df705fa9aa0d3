"""ch05 in real JupyterLab: the block stepped through by keyboard, features dragged, both themes."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import Lesson, require_unsolved, solution, status

STEPS, OWN_STEPS = "encoder_steps()", "encoder_steps(encoder_block, layer_norm, feed_forward)"
NORM, OWN_NORM = "norm_lab()", "norm_lab(layer_norm)"
CURVE, OWN_CURVE = "gelu_curve()", "gelu_curve(gelu)"
WIDGETS = {"norm": NORM, "own-norm": OWN_NORM, "curve": CURVE, "own-curve": OWN_CURVE, "steps": STEPS,
           "own-steps": OWN_STEPS}  # fmt: skip
COUNTS = 'KNOWN = {"Transformer base": (512, 2048, 6), "BERT base": (768, 3072, 12), "GPT-2 XL": (1600, 6400, 48),'
NORM_TABLE = "What comes out"


def test_ch05_unsolved_lesson_runs_and_the_course_draws(open_lesson: OpenLesson) -> None:
    require_unsolved(open_lesson("ch05", run_all=True), "ch05", WIDGETS)


def test_ch05_the_block_is_stepped_through_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch05")
    output = lesson.run(STEPS)
    forward = output.get_by_role("button", name="Step forward")
    for step in range(1, 7):
        forward.press("Enter")
        lesson.settle()
        assert lesson.kernel(STEPS, "flow.step") == step
        if step in (2, 3):
            lesson.picture(f"ch05-light-steps-{step}", STEPS)
    expect(output.get_by_text("step 7 of 7")).to_be_visible()
    event = lesson.kernel(STEPS, "flow.boxes")[-1]["values"][-1]
    output.get_by_role("checkbox", name="hide later tokens").press("Space")
    lesson.settle()
    assert lesson.kernel(STEPS, "flow.boxes")[-1]["values"][-1] < event - 2
    lesson.picture("ch05-light-steps-masked", STEPS)
    output.get_by_role("button", name="Back").press("Enter")
    output.get_by_role("button", name="the", exact=True).press("Enter")
    lesson.settle()
    assert lesson.kernel(STEPS, "stepper.step") == 5
    assert lesson.kernel(STEPS, "token.value") == "the"
    lesson.picture("ch05-light-steps-the", STEPS)


def test_ch05_features_move_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch05", "dark")
    lesson.write("ch05.layer_norm", solution("ch05.layer_norm"))
    output = lesson.run(OWN_NORM)
    expect(status(output)).to_have_text("Drawn by your layer_norm.")
    before = weights_shown_signed(lesson, output)
    output.get_by_role("slider", name="x\u2082").focus()
    for _ in range(15):
        lesson.page.keyboard.press("ArrowRight")
    lesson.settle()
    x = np.array(lesson.kernel(OWN_NORM, "features[1].value"))
    assert x == pytest.approx(2.5)
    after = weights_shown_signed(lesson, output)
    assert np.any(after[0] != before[0])
    assert np.array_equal(after[1:], before[1:])
    output.get_by_role("button", name="Make all equal").press("Enter")
    lesson.settle()
    assert np.array_equal(weights_shown_signed(lesson, output)[0], np.zeros(4))
    lesson.picture("ch05-dark-norm-level", OWN_NORM)
    assert lesson.violations() == []


def weights_shown_signed(lesson: Lesson, output) -> np.ndarray:
    """The table's numbers as on the screen, where a minus is a true minus, held against the kernel's."""
    table = output.get_by_role("grid", name=NORM_TABLE)
    rows = [[c.inner_text() for c in row.locator(".cw-cell-number").all()] for row in table.locator("tbody tr").all()]
    shown = np.array([[float(text.replace("\N{MINUS SIGN}", "-")) for text in row] for row in rows])
    assert shown == pytest.approx(np.array(lesson.kernel(OWN_NORM, "table.values")), abs=0.0051)
    return shown


def test_ch05_wrong_then_right(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch05")
    for name in ("layer_norm", "gelu", "feed_forward"):
        assert f"{name}: passed" in lesson.write(f"ch05.{name}", solution(f"ch05.{name}")).inner_text()
    right = solution("ch05.encoder_block")
    forgotten = right.replace("x = x + attended", "x = attended")
    said = lesson.write("ch05.encoder_block", forgotten).inner_text()
    assert "Hint: What attention gives replaces x in your block. Add it to x." in said
    output = lesson.run(OWN_STEPS)
    expect(status(output)).to_contain_text("Your encoder_block draws this, and it is not right yet")
    for theme in lesson.in_both_themes():
        lesson.picture(f"ch05-{theme}-check-failing", "ch05-encoder_block")
        lesson.picture(f"ch05-{theme}-steps-wrong", OWN_STEPS)
    assert "encoder_block: passed" in lesson.write("ch05.encoder_block", right).inner_text()
    output = lesson.run(OWN_STEPS)
    expect(status(output)).to_have_text("Drawn by your layer_norm, feed_forward and encoder_block.")
    lesson.write("ch05.count_parameters", solution("ch05.count_parameters"))
    lesson.run(COUNTS)
    for theme in lesson.in_both_themes():
        lesson.picture(f"ch05-{theme}-steps-yours", OWN_STEPS)
        lesson.picture(f"ch05-{theme}-counts", COUNTS)
        assert lesson.violations() == []
    assert lesson.too_wide(900) == []
