"""m02 in real JupyterLab: gradients stepped through by keyboard, a net that trains beside other cells."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import OPENING, Lesson, solution, status

TRAINER = "table_trainer(network_forward, train_step)"
FLOW = "backprop_flow(linear_forward, linear_backward, relu_backward, softmax_cross_entropy_backward)"
TO_FLOW = ["linear_forward", "linear_backward", "softmax_cross_entropy_backward"]
TO_TRAIN = ["embedding_backward", "network_forward", "network_backward", "adam_step", "train_step"]


def require_course_draws(lesson: Lesson, cell: str, exercises: list[str]) -> None:
    """As handed out, the functions are there and do nothing yet."""
    for name in exercises:
        lesson.run(f"m02-{name}-code")
    expect(status(lesson.run(cell))).to_contain_text(re.compile("[Tt]he course's"))
    lesson.picture(f"m02-light-unsolved-{cell.partition('(')[0]}", cell)


def test_m02_gradients_go_back_by_keyboard_wrong_then_right(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m02")
    require_course_draws(lesson, FLOW, [*TO_FLOW, "relu_backward"])
    for name in TO_FLOW:
        lesson.notebook.set_cell(lesson.places[f"m02-{name}-code"], solution(f"m02.{name}"))
        lesson.run(f"m02-{name}-code")
    right = solution("m02.relu_backward")
    said = lesson.write("m02.relu_backward", right.replace("x > 0", "grad_y > 0")).inner_text()
    assert "Hint: Your mask comes from grad_y" in said
    output = lesson.run(FLOW)
    expect(status(output)).to_contain_text("Your relu_backward draws this, and it is not right yet")
    for _ in range(7):
        output.get_by_role("button", name="Step forward").press("Enter")
    lesson.settle()
    assert lesson.kernel(FLOW, "flow.selected") == "grad z"
    lesson.picture("m02-light-flow-wrong", FLOW)
    assert "relu_backward: passed" in lesson.write("m02.relu_backward", right).inner_text()
    output = lesson.run(FLOW)
    expect(status(output)).to_contain_text("Drawn by your linear_forward")
    output.get_by_role("slider", name="first input of example 1").press("ArrowRight")
    for _ in range(8):
        output.get_by_role("button", name="Step forward").press("Enter")
    lesson.settle()
    assert lesson.kernel(FLOW, "first.value") > 1.2
    lesson.picture("m02-light-flow-last", FLOW)
    assert lesson.violations() == []
    assert lesson.too_wide(900) == []


def test_m02_a_net_trains_while_other_cells_run(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m02")
    require_course_draws(lesson, TRAINER, ["network_forward", "train_step"])
    for name in [*TO_FLOW, "relu_backward", *TO_TRAIN]:
        lesson.notebook.set_cell(lesson.places[f"m02-{name}-code"], solution(f"m02.{name}"))
        lesson.run(f"m02-{name}-code")
    output = lesson.run(TRAINER)
    expect(status(output)).to_have_text("Trained by your network_forward and train_step.")
    output.get_by_role("slider", name="learning rate").press("ArrowRight")
    output.get_by_role("button", name="Start").press("Enter")
    lesson.page.wait_for_timeout(300)
    lesson.run(OPENING)  # the kernel has time for others
    expect(output.get_by_text("81 of 81 right").filter(visible=True).first).to_be_visible()
    output.get_by_role("button", name="Pause").press("Enter")
    lesson.settle()
    assert lesson.kernel(TRAINER, "rate.value") > 0.01
    assert lesson.kernel(TRAINER, "task") is None
    output.get_by_role("slider", name="hidden unit").press("ArrowRight")
    lesson.settle()
    for theme in lesson.in_both_themes():
        lesson.picture(f"m02-{theme}-trained", TRAINER)
        assert lesson.violations() == []
    assert lesson.too_wide(900) == []
    output.get_by_label("kept from the net").select_option("16 pairs, in both orders")
    output.get_by_role("button", name="Start").press("Enter")
    expect(output.get_by_text("65 of 65 right, and").filter(visible=True).first).to_be_visible()
    output.get_by_role("button", name="Reset").press("Enter")
    expect(output.get_by_text("Step 0:").filter(visible=True).first).to_be_visible()
