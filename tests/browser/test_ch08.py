"""ch08 in real JupyterLab: generate tokens by keyboard, take a step wrongly and rightly, move the model's sliders."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from course.widgets.cache_budget import MODELS
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import require_unsolved, solution, status

GIVEN, OWN, BUDGET = "kv_cache_lab(model)", "kv_cache_lab(model, decode_step, KVCache)", "cache_budget(kv_cache_bytes)"
WIDGETS = {"given": GIVEN, "own": OWN, "budget": BUDGET}
BEFORE = ["ch08.KVCache", "ch08.attend_to_cache"]


def test_unsolved_lesson_runs_and_the_course_draws(open_lesson: OpenLesson) -> None:
    require_unsolved(open_lesson("ch08", run_all=True), "ch08", WIDGETS)


def test_tokens_are_generated_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch08")
    output = lesson.run(GIVEN)
    press = output.get_by_role("button", name="Generate token")
    before = np.array(lesson.kernel(GIVEN, "memory.values"))
    tokens = len(lesson.kernel(GIVEN, "ids"))
    press.focus()
    for _ in range(5):
        lesson.page.keyboard.press("Enter")
        lesson.settle()
    after = np.array(lesson.kernel(GIVEN, "memory.values"))
    assert len(lesson.kernel(GIVEN, "ids")) == tokens + 5
    assert np.array_equal(after[:, :tokens], before[:, :tokens])
    assert np.all(after[:, : tokens + 5] > 0)
    expect(output.get_by_role("grid", name=f"The cache after {tokens + 5} tokens")).to_be_visible()
    expect(output.get_by_text(f"{tokens + 5} tokens \u00d7 4 bytes")).to_be_visible()
    for theme in lesson.in_both_themes():
        lesson.picture(f"ch08-{theme}-generated", GIVEN)
        assert lesson.violations() == []
    output.get_by_role("button", name="keys of one head").press("Enter")
    lesson.settle()
    lesson.picture("ch08-dark-keys", GIVEN)
    output.get_by_role("button", name="My love").press("Enter")
    output.get_by_role("button", name="Start over").press("Enter")
    lesson.settle()
    assert len(lesson.kernel(GIVEN, "ids")) == len("My love ")
    assert lesson.too_wide(900) == []


def test_a_wrong_step_is_named_and_a_right_one_writes(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch08")
    for exercise_id in BEFORE:
        assert ": passed" in lesson.write(exercise_id, solution(exercise_id)).inner_text()
    right = solution("ch08.decode_step")
    said = lesson.write("ch08.decode_step", right.replace("[cache.length()]", "[0]")).inner_text()
    assert "Hint: The token always gets position 0." in said
    lesson.picture("ch08-light-check-failing", "ch08-decode_step")
    output = lesson.run(OWN)
    expect(status(output)).to_contain_text("Your decode_step draws this, and it is not right yet")
    assert output.locator("td .cw-wrong-cell").count() > 0
    lesson.picture("ch08-light-own-wrong", OWN)
    assert "decode_step: passed" in lesson.write("ch08.decode_step", right).inner_text()
    output = lesson.run(OWN)
    expect(status(output)).to_have_text("Drawn by your decode_step.")
    assert output.locator("td .cw-wrong-cell").count() == 0
    output.get_by_role("button", name="Generate token").press("Enter")
    lesson.settle()
    lesson.picture("ch08-light-own", OWN)
    assert lesson.violations() == []


def test_the_budget_follows_its_sliders(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch08")
    lesson.write("ch08.kv_cache_bytes", solution("ch08.kv_cache_bytes"))
    output = lesson.run(BUDGET)
    expect(status(output)).to_have_text("Drawn by your kv_cache_bytes.")
    output.get_by_role("slider", name="model").press("End")
    output.get_by_role("slider", name="tokens").press("End")
    output.get_by_role("slider", name="texts", exact=True).press("Home")
    lesson.settle()
    cache = lesson.kernel(BUDGET, "bars.columns[0]['values'][1]")
    largest = MODELS[-1]
    assert cache == pytest.approx(2 * largest.layers * largest.kv_heads * largest.d_head * 131072 * 2 / 1e9)
    expect(output.get_by_text("does not fit into 80 GB")).to_be_visible()
    output.get_by_label("KV heads").select_option("one per query head")
    lesson.settle()
    assert lesson.kernel(BUDGET, "bars.columns[0]['values'][1]") == pytest.approx(8 * cache)
    for theme in lesson.in_both_themes():
        lesson.picture(f"ch08-{theme}-budget", BUDGET)
        assert lesson.violations() == []
    assert lesson.too_wide(900) == []
