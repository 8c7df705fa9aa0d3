"""ch09 in real JupyterLab: route tokens by keyboard, gate them wrongly and rightly, spend a budget, run it solved."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from course.widgets.scaling import LAWS
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import require_unsolved, solution, status

GIVEN, OWN = "router_lab()", "router_lab(top_k_gating)"
BALANCE, SCALING = "router_lab(top_k_gating, load_balance_loss)", "scaling_lab(fit_power_law)"
WIDGETS = {"given": GIVEN, "own": OWN, "balance": BALANCE, "scaling": SCALING}


def test_unsolved_lesson_runs_and_the_course_draws(open_lesson: OpenLesson) -> None:
    require_unsolved(open_lesson("ch09", run_all=True), "ch09", WIDGETS)


def test_tokens_are_routed_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch09")
    output = lesson.run(GIVEN)
    output.get_by_role("slider", name="k, experts for each token").press("ArrowRight")
    lesson.settle()
    table = np.array(lesson.kernel(GIVEN, "gates.values"))
    assert ((table > 0).sum(1) == 3).all()
    expect(output.get_by_role("grid", name="Gates")).to_be_visible()
    output.get_by_label("router trained").select_option("without it")
    for _ in range(3):
        output.get_by_role("slider", name="capacity factor").press("ArrowRight")
    lesson.settle()
    assert lesson.kernel(GIVEN, "capacity.value") == 1.0
    expect(output.get_by_text("choices did not fit").filter(visible=True).first).to_be_visible()
    for theme in lesson.in_both_themes():
        lesson.picture(f"ch09-{theme}-capacity", GIVEN)
        assert lesson.violations() == []
    assert lesson.too_wide(900) == []


def test_a_wrong_gating_is_named_and_a_right_one_draws(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch09")
    right = solution("ch09.top_k_gating")
    wrong = right.replace("logits.topk", "logits.softmax(dim=-1).topk").replace("chosen.softmax(dim=-1)", "chosen")
    said = lesson.write("ch09.top_k_gating", wrong).inner_text()
    assert "Hint: Your gates are a softmax over all experts" in said
    lesson.picture("ch09-light-check-failing", "ch09-top_k_gating")
    output = lesson.run(OWN)
    expect(status(output)).to_contain_text("Your top_k_gating draws this, and it is not right yet")
    assert output.locator("td .cw-wrong-cell").count() > 0
    lesson.picture("ch09-light-own-wrong", OWN)
    assert "top_k_gating: passed" in lesson.write("ch09.top_k_gating", right).inner_text()
    output = lesson.run(OWN)
    expect(status(output)).to_have_text("Drawn by your top_k_gating.")
    assert output.locator("td .cw-wrong-cell").count() == 0
    assert lesson.violations() == []


def test_a_budget_is_spent(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch09")
    lesson.write("ch09.fit_power_law", solution("ch09.fit_power_law"))
    output = lesson.run(SCALING)
    expect(status(output)).to_have_text("Drawn by your fit_power_law.")
    output.get_by_label("sizes of").select_option("GPT-3")
    lesson.settle()
    expect(output.get_by_text("N = 175 billion").filter(visible=True).first).to_be_visible()
    for theme in lesson.in_both_themes():
        lesson.picture(f"ch09-{theme}-gpt3", SCALING)
        assert lesson.violations() == []
    output.get_by_role("button", name="Go to the best N").press("Enter")
    output.get_by_label("fit of").select_option("Hoffmann et al. 2022")
    output.get_by_role("button", name="Go to the best N").press("Enter")
    lesson.settle()
    best, _ = LAWS["Hoffmann et al. 2022"].optimum(10 ** lesson.kernel(SCALING, "compute.value"))
    assert 10 ** lesson.kernel(SCALING, "size.value") == pytest.approx(best, rel=0.03)
    assert lesson.too_wide(900) == []


def test_the_solved_lessons_widgets_look_right(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch09")
    names = ["top_k_gating", "moe_forward", "moe_parameters", "load_balance_loss", "fit_power_law"]
    for name in names:
        assert f"{name}: passed" in lesson.write(f"ch09.{name}", solution(f"ch09.{name}")).inner_text()
    for cell in WIDGETS.values():
        lesson.run(cell)
    for theme in lesson.in_both_themes():
        for name, cell in WIDGETS.items():
            lesson.picture(f"ch09-{theme}-solved-{name}", cell)
        assert lesson.violations() == []
