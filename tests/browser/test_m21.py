"""m21 in real JupyterLab: step through a batch by keyboard, with wrong places and with right ones."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from course.widgets.batch_cache import COUNT, REQUESTS
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

OWN, ENGINE = "batch_cache_lab(places_and_mask)", "batch_cache_lab(places_and_mask, prefill, decode)"


def test_m21_a_batch_is_stepped_through_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m21")
    right = solution("m21.places_and_mask")
    wrong = right.replace("(queries - padding[:, None]).clamp(min=0)", "queries + 0 * padding[:, None]")
    assert "Hint: Your places are the slots." in lesson.write("m21.places_and_mask", wrong).inner_text()
    output = lesson.run(OWN)
    expect(status(output)).to_contain_text("Your places_and_mask draws this, and it is not right yet")
    output.get_by_role("button", name="its place").press("Enter")
    expect(output.locator("td .cw-wrong-cell").first).to_be_visible()
    lesson.picture("m21-light-own-wrong", OWN)
    for answer, text in (("places_and_mask", right), ("prefill", None), ("decode", None)):
        said = lesson.write(f"m21.{answer}", text or solution(f"m21.{answer}")).inner_text()
        assert f"{answer}: passed" in said
    output = lesson.run(ENGINE)
    expect(status(output)).to_have_text("Drawn by your prefill and decode.")
    forward = output.get_by_role("button", name="Step forward")
    forward.focus()
    for number in range(2, 5):
        lesson.page.keyboard.press("Enter")
        expect(output.get_by_role("grid", name=f"The cache after call {number}")).to_be_visible()
    assert np.array(lesson.kernel(ENGINE, "slots.values")).max() == 4
    output.get_by_role("button", name=REQUESTS[2], exact=True).press("Enter")
    expect(output.get_by_role("grid", name="What request 2 sees in this call")).to_be_visible()
    for theme in lesson.in_both_themes():
        lesson.picture(f"m21-{theme}-decode", ENGINE)
        assert lesson.violations() == []
    output.get_by_role("button", name="4 columns").press("Enter")
    expect(output.get_by_text(f"step 1 of {COUNT + 2}: prefill, slots 0 to 3")).to_be_visible()
    lesson.picture("m21-dark-chunk", ENGINE)
    assert lesson.too_wide(900) == []
