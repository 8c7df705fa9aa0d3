"""ch07 in JupyterLab: its widgets by keyboard, as handed out and with the student's own functions."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import require_unsolved, solution, status

LOSS, SCHEDULE, VALLEY = "loss_lab(cross_entropy)", "schedule_lab(lr_schedule)", "valley_lab(adamw_step)"
WIDGETS = {"loss": "loss_lab()", "own-loss": LOSS, "schedule": "schedule_lab()", "own-schedule": SCHEDULE,
           "valley": "valley_lab()", "own-valley": VALLEY}  # fmt: skip


def test_unsolved_lesson_runs_trains_and_the_course_draws(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch07")
    training = lesson.notebook.cells()[lesson.places["from tqdm.auto import tqdm"]]["source"]
    assert "steps = 4, 96, 12, 1000" in training  # all of it is run by tests/lessons
    lesson.notebook.set_cell(lesson.places["from tqdm.auto import tqdm"], training.replace("12, 1000", "12, 200"))
    lesson.notebook.run_all(allow_errors=True)
    require_unsolved(lesson, "ch07", WIDGETS)
    training = lesson.output("from tqdm.auto import tqdm")
    expect(training).to_contain_text("cross_entropy: the course's own (yours does not pass its check yet).")
    expect(training).to_contain_text("written after training")
    lesson.picture("ch07-dark-training", "from tqdm.auto import tqdm")


def test_the_loss_follows_the_slider(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch07")
    wrong = solution("ch07.cross_entropy").replace("return -log_p", "return log_p")
    assert "The sign is missing" in lesson.write("ch07.cross_entropy", wrong).inner_text()
    output = lesson.run(LOSS)
    expect(status(output)).to_contain_text("Your cross_entropy draws this, and it is not right yet")
    lesson.picture("ch07-light-loss-wrong", LOSS)
    assert "passed" in lesson.write("ch07.cross_entropy", solution("ch07.cross_entropy")).inner_text()
    output = lesson.run(LOSS)
    expect(status(output)).to_contain_text("Drawn by your")
    slider = output.get_by_role("slider", name="P(correct)")
    for key, p in (("Home", 0.01), ("ArrowRight", 0.02), ("End", 0.99)):
        slider.press(key)
        lesson.settle()
        assert lesson.kernel(LOSS, "p.value") == pytest.approx(p)
        expect(output.get_by_text(f"Loss {-math.log(p):.2f}; perplexity {1 / p:.1f}")).to_be_visible()
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch07-{theme}-loss-yours", LOSS)
    assert lesson.too_wide(900) == []


def test_the_schedule_and_the_valley_follow_their_sliders(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch07", "dark")
    never = solution("ch07.lr_schedule").replace("(step - warmup) / (total - warmup)", "(step - warmup) / total")
    assert "has not reached the floor" in lesson.write("ch07.lr_schedule", never).inner_text()
    output = lesson.run(SCHEDULE)
    expect(status(output)).to_contain_text("not right yet")
    lesson.picture("ch07-dark-schedule-wrong", SCHEDULE)
    assert "passed" in lesson.write("ch07.lr_schedule", solution("ch07.lr_schedule")).inner_text()
    output = lesson.run(SCHEDULE)
    output.get_by_role("slider", name="warm-up", exact=True).press("Home")
    output.get_by_role("slider", name="step", exact=True).press("Home")
    lesson.settle()
    expect(output.get_by_text("Step 0: learning rate 0.005. On the way down.")).to_be_visible()
    output.get_by_role("slider", name="step", exact=True).press("End")
    lesson.settle()
    expect(output.get_by_text("learning rate 0.0005. The end.")).to_be_visible()
    assert "passed" in lesson.write("ch07.adamw_step", solution("ch07.adamw_step")).inner_text()
    valley = lesson.run(VALLEY)
    expect(status(valley)).to_contain_text("Drawn by your")
    before = lesson.kernel(VALLEY, "curves.series")[0]["y"][-1]
    valley.get_by_role("slider", name="steepness").press("End")
    lesson.settle()
    assert lesson.kernel(VALLEY, "curves.series")[0]["y"][-1] > 2 * before
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch07-{theme}-schedule-yours", SCHEDULE)
        lesson.picture(f"ch07-{theme}-valley-yours", VALLEY)
    assert lesson.too_wide(900) == []
