"""ch10 in real JupyterLab: the stripe, the bus and the whole course by keyboard, wrongly and rightly, both themes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

BUS, OWN_BUS = "residual_bus(model=model)", "residual_bus(logit_lens, model)"
STRIPE, OWN_STRIPE = "induction_stripe()", "induction_stripe(induction_score, previous_token_score)"
WHOLE = "whole_course(decoder_logits, model)"


def test_ch10_the_stripe_moves_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch10")
    output = lesson.run(STRIPE)
    expect(status(output)).to_contain_text("The course's own")
    slider = output.get_by_role("slider", name="repeats after")
    slider.focus()
    for _ in range(6):
        lesson.page.keyboard.press("ArrowRight")
    lesson.settle()
    assert lesson.kernel(STRIPE, "period.value") == 22
    expect(output.get_by_text("21 columns left of the diagonal")).to_be_visible()
    lesson.picture("ch10-light-stripe-22", STRIPE)
    output.get_by_role("button", name="1.1", exact=True).press("Enter")
    lesson.settle()
    assert lesson.kernel(STRIPE, "head.value") == "1.1"
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch10-{theme}-stripe-previous", STRIPE)


def test_ch10_the_bus_is_stepped_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch10")
    output = lesson.run(BUS)
    expect(status(output)).to_contain_text("The course's own")
    for step in range(1, 5):
        output.get_by_role("button", name="Step forward").press("Enter")
        lesson.settle()
        assert lesson.kernel(BUS, "bus.step") == step
        assert lesson.kernel(BUS, "table.selected_row") == step
    slider = output.get_by_role("slider", name="after character")
    slider.focus()
    lesson.page.keyboard.press("ArrowRight")
    lesson.settle()
    assert lesson.kernel(BUS, "position.value") == 10
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch10-{theme}-bus", BUS)
        lesson.picture_of_page(f"ch10-{theme}-top", 0)


def test_ch10_wrong_then_right(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch10", "dark")
    lens = solution("ch10.logit_lens")
    wrong = "def logit_lens(residuals, p):\n    return residuals @ p['embed'].T"
    assert "Hint: The final norm is missing" in lesson.write("ch10.logit_lens", wrong).inner_text()
    output = lesson.run(OWN_BUS)
    expect(status(output)).to_contain_text("Your logit_lens draws this, and it is not right yet")
    lesson.picture("ch10-dark-bus-wrong", OWN_BUS)
    assert "logit_lens: passed" in lesson.write("ch10.logit_lens", lens).inner_text()
    output = lesson.run(OWN_BUS)
    expect(status(output)).to_have_text("Drawn by your logit_lens.")
    off = solution("ch10.induction_score").replace("diagonal(1 - period, 1, 2)[:, 1:]", "diagonal(-period, 1, 2)")
    assert "Hint: You measure the weight on the earlier copy" in lesson.write("ch10.induction_score", off).inner_text()
    lesson.picture("ch10-dark-check-failing", "ch10-induction_score")
    lesson.write("ch10.previous_token_score", solution("ch10.previous_token_score"))
    output = lesson.run(OWN_STRIPE)
    expect(status(output)).to_contain_text("Your induction_score draws this, and it is not right yet")
    lesson.picture("ch10-dark-stripe-wrong", OWN_STRIPE)
    right = solution("ch10.induction_score")
    assert "induction_score: passed" in lesson.write("ch10.induction_score", right).inner_text()
    output = lesson.run(OWN_STRIPE)
    expect(status(output)).to_contain_text("Drawn by your")
    assert lesson.violations() == []


def test_ch10_everything_assembled_writes(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch10")
    output = lesson.run(WHOLE)
    expect(status(output)).to_contain_text("The course's own")
    for step in range(1, 4):
        output.get_by_role("button", name="Step forward").press("Enter")
        lesson.settle()
        assert lesson.kernel(WHOLE, "flow.step") == step
    before = lesson.kernel(WHOLE, "text")
    output.get_by_role("button", name="Write the next character").press("Enter")
    lesson.settle()
    assert len(lesson.kernel(WHOLE, "text")) == len(before) + 1
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch10-{theme}-whole", WHOLE)
