"""ch01 in real JupyterLab: choose tokens by keyboard and mouse, turn vectors, add 1000 to every score."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from course.supplied import ch01
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import require_unsolved, solution, status, weights_shown

TOKENS, OWN_TOKENS = "token_attention()", "token_attention(similarity, softmax, weighted_average)"
PLANE, SOFTMAX, OWN_SOFTMAX = "dot_product_plane(similarity)", "softmax_lab()", "softmax_lab(softmax)"
WIDGETS = {"tokens": TOKENS, "plane": PLANE, "softmax": SOFTMAX, "own-softmax": OWN_SOFTMAX, "own-tokens": OWN_TOKENS}
EXERCISES = ["ch01.similarity", "ch01.softmax", "ch01.weighted_average", "ch01.simple_attention"]
MIDDLE = "(cell) => cell.scrollIntoView({ block: 'center' })"


def test_unsolved_lesson_runs_and_the_course_draws(open_lesson: OpenLesson) -> None:
    require_unsolved(open_lesson("ch01", run_all=True), "ch01", WIDGETS)


def test_tokens_are_chosen_by_keyboard_and_by_mouse(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch01")
    output = lesson.run(TOKENS)
    bars = output.get_by_role("table", name="How alike all tokens are to it")
    expect(bars.get_by_role("row", name="cat")).to_contain_text("0.50")
    output.get_by_role("button", name="mat", exact=True).first.press("Enter")
    lesson.settle()
    assert lesson.kernel(TOKENS, "token.value") == ch01.SENTENCE.index("mat")
    expect(output.get_by_role("table", name="How alike all tokens are to mat")).to_be_visible()
    lesson.picture("ch01-light-tokens-mat", TOKENS)  # four products in one formula
    assert lesson.too_wide(900) == []
    output.get_by_role("grid", name="The vectors").get_by_role("button", name="it", exact=True).click()
    lesson.settle()
    assert lesson.kernel(TOKENS, "token.value") == ch01.SENTENCE.index("it")
    output.get_by_role("button", name="soft", exact=True).press("Enter")
    lesson.settle()
    assert max(lesson.kernel(TOKENS, "bars.columns[1]['values']")[i] for i in range(10)) == pytest.approx(0.5, abs=0.01)
    expect(bars.get_by_role("row", name="mat")).to_contain_text("0.50")
    output.get_by_role("slider", name="how alive").press("End")
    lesson.settle()
    expect(bars.get_by_role("row", name="mat")).not_to_contain_text("0.50")
    formula = output.locator(".cw-formula")
    assert "alive 1.5" in formula.inner_text()
    lesson.picture("ch01-light-tokens-moved", TOKENS)
    assert lesson.violations() == []


def test_a_vector_is_turned_by_the_slider_and_dragged(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch01")
    lesson.write("ch01.similarity", solution("ch01.similarity"))
    output = lesson.run(PLANE)
    expect(status(output)).to_have_text("Drawn by your similarity.")
    output.get_by_role("slider", name="length").press("End")
    lesson.settle()
    x = np.array(lesson.kernel(PLANE, "x"))
    assert np.linalg.norm(x[0]) == pytest.approx(3)
    assert weights_shown(output, "Dot products") == pytest.approx(x @ x.T, abs=0.0051)
    output.locator(".course-widget").evaluate(MIDDLE)
    tip = output.locator("[data-index='2'] .cw-shape").bounding_box()
    lesson.page.mouse.move(tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2)
    lesson.page.mouse.down()
    lesson.page.mouse.move(tip["x"] + 30, tip["y"] + 50, steps=5)
    lesson.page.mouse.up()
    lesson.settle()
    after = np.array(lesson.kernel(PLANE, "x"))
    assert np.allclose(after[:2], x[:2])
    assert after[2, 0] > x[2, 0]
    assert weights_shown(output, "Dot products") == pytest.approx(after @ after.T, abs=0.0051)
    lesson.picture("ch01-light-plane-turned", PLANE)


def test_an_unstable_softmax_fails_the_check_and_the_picture(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch01", "dark")
    right = solution("ch01.softmax")
    said = lesson.write("ch01.softmax", right.replace("x - x.max(axis=axis, keepdims=True)", "x")).inner_text()
    assert "3 of 4 points" in said
    assert "Hint: exp(710)" in said
    lesson.picture("ch01-dark-check-failing", "ch01-softmax")
    output = lesson.run(OWN_SOFTMAX)
    output.get_by_role("button", name="1000", exact=True).press("Enter")
    lesson.settle()
    expect(status(output)).to_contain_text("Your softmax draws this, and it is not right yet")
    assert output.get_by_text("NaN").count() >= 4
    lesson.picture("ch01-dark-softmax-unstable", OWN_SOFTMAX)
    assert "softmax: passed" in lesson.write("ch01.softmax", right).inner_text()
    output = lesson.run(OWN_SOFTMAX)
    before = lesson.kernel(OWN_SOFTMAX, "bars.columns[1]['values']")
    output.get_by_role("button", name="1000", exact=True).press("Enter")
    lesson.settle()
    assert lesson.kernel(OWN_SOFTMAX, "bars.columns[1]['values']") == pytest.approx(before)
    output.get_by_role("slider", name="temperature").first.press("Home")
    lesson.settle()
    assert lesson.kernel(OWN_SOFTMAX, "bars.columns[1]['values']")[0] > 0.99
    assert lesson.violations() == []


def test_solved_lesson_draws_with_the_students_functions(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch01")
    for exercise in EXERCISES:
        assert "passed" in lesson.write(exercise, solution(exercise)).inner_text()
    output = lesson.run(OWN_TOKENS)
    expect(status(output)).to_contain_text("Drawn by your similarity")
    lesson.run(PLANE)
    lesson.run('it, alive = SENTENCE.index("it"), DIMENSIONS.index("alive")')
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        for name in ("own-tokens", "plane"):
            lesson.picture(f"ch01-{theme}-yours-{name}", WIDGETS[name])
    lesson.picture("ch01-light-experiment", 'it, alive = SENTENCE.index("it"), DIMENSIONS.index("alive")')
