"""m26's walk through a forward pass in JupyterLab, in a browser with WebGL: stepped, scrubbed, pointed at, retyped."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Locator, Playwright, expect

from course import trained
from course.supplied import m26
from tests.browser.conftest import WEBGL, OpenLesson, launched
from tests.browser.lesson import Lesson, solution, status

GIVEN = "matrix_flow()"
OWN = "matrix_flow(collect_trace, recompute_cell, recompute_attention_cell)"
FUNCTIONS = ("collect_trace", "recompute_cell", "recompute_attention_cell")
STAGES = {6: "keys", 11: "mix", 15: "hidden"}  # step -> for the picture's name
AT = "blocks.0.attention."


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """With WebGL; it stands in the place of the browser of the other tests."""
    with launched(playwright, *WEBGL) as browser:
        yield browser


def traced(prompt: str) -> dict[str, torch.Tensor]:
    """What torch computes for a prompt."""
    saved = trained.read(trained.FOLDER / "m26_products.safetensors")
    return m26.collect_trace(m26.StagedDecoder(saved.p, saved.heads), saved.encode(prompt)[0])


def point_at(lesson: Lesson, output: Locator, name: str) -> list:
    """Move the pointer over the picture until it is on a cell of a matrix, and click; returns the cell."""
    lesson.scroll_to(GIVEN)
    box = output.locator("canvas").bounding_box()
    for y in np.linspace(box["y"] + box["height"] * 0.45, box["y"] + box["height"] - 8, 14):
        for x in np.linspace(box["x"] + 8, box["x"] + box["width"] - 8, 22):
            lesson.page.mouse.move(x, y)
            if output.locator(".cw-matrices-box .cw-tip").is_visible():
                lesson.settle()
                cell = lesson.kernel(GIVEN, "picture.hover")
                if cell[0] == name:
                    lesson.page.mouse.click(x, y)
                    lesson.settle()
                    return lesson.kernel(GIVEN, "picture.hover")
    raise AssertionError(f"no cell of {name} was found in the picture")


def step_to(lesson: Lesson, step: int, cell: str = GIVEN) -> None:
    """Counted from 1; at once, for every step by the slider's keys is a flight that software draws."""
    count = lesson.notebook.cells()[lesson.places[cell]]["execution_count"]
    lesson.notebook.py(f"setattr(Out[{count}].stepper, 'step', {step - 1})")
    lesson.settle()
    assert lesson.kernel(cell, "stepper.step") == step - 1
    still(lesson, cell)


def still(lesson: Lesson, cell: str = GIVEN) -> None:
    """Wait until the picture draws no more: it has arrived at its next scene."""
    picture = lesson.output(cell).locator(".cw-matrices")
    before, now = -1, 0
    while before != now:
        lesson.page.wait_for_timeout(250)
        before, now = now, int(picture.get_attribute("data-frames"))


def test_m26_a_cell_is_clicked_and_its_number_is_torchs(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m26")
    output = lesson.run(GIVEN)
    step_to(lesson, 8)
    expect(output.get_by_text("\u201c7*8=\u201d, stage 8 of 21: scores")).to_be_visible()
    _, row, column = point_at(lesson, output, f"{AT}scores.1")
    right = float(traced("7*8=")[f"{AT}scores"][1, row, column])
    shown = re.search(r"= (\S+)$", output.locator(".cw-line").nth(1).inner_text())[1]
    assert float(shown.replace("\u2212", "-")) == pytest.approx(right, abs=6e-5)
    lit = {one["name"]: (one["rows"], one["columns"]) for one in lesson.kernel(GIVEN, "picture.lit")}
    assert lit[f"{AT}query.1"] == ([row, row + 1], [0, 6])
    assert lit[f"{AT}key.1"] == ([0, 6], [column, column + 1])
    lesson.picture("m26-light-cell", GIVEN)


def test_m26_is_walked_by_keyboard_in_both_themes(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m26")
    output = lesson.run(GIVEN)
    for theme in lesson.in_both_themes():
        for step, name in STAGES.items() if theme == "light" else [(15, "hidden")]:
            step_to(lesson, step)
            lesson.picture(f"m26-{theme}-{name}", GIVEN)
        step_to(lesson, 21)
        output.get_by_role("checkbox", name="whole model").press("Space")
        output.get_by_role("button", name="Look from the front again").press("Enter")
        still(lesson)
        lesson.picture(f"m26-{theme}-whole-model", GIVEN)
        assert lesson.violations() == []
        if theme == "dark":
            lesson.picture_for_readme("readme-forward-pass-dark", GIVEN, 760)
        output.get_by_role("checkbox", name="whole model").press("Space")
        lesson.settle()
    step_to(lesson, 15)
    output.get_by_role("checkbox", name="numbers as a table").press("Space")
    table = output.get_by_role("grid", name=re.compile("hidden units"))
    expect(table).to_be_visible()
    table.locator("td[data-place='1 2']").click()
    lesson.settle()
    assert lesson.kernel(GIVEN, "picture.hover") == ["blocks.0.ffn.hidden", 1, 2]
    right = float(traced("7*8=")["blocks.0.ffn.hidden"][1, 2])
    expect(output.locator(".cw-formula")).to_contain_text(f"{right:.4f}".replace("-", "\u2212"))
    assert lesson.violations() == []
    assert lesson.too_wide(900) == []
    lesson.picture("m26-dark-table", GIVEN)


def test_m26_any_prompt_and_the_second_digit(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m26")
    output = lesson.run(GIVEN)
    prompt = output.get_by_role("textbox", name="prompt")
    for text, told in (("7x8=", "does not know 'x'"), ("7*8=56.", "1 to 6 characters")):
        prompt.fill(text)
        prompt.press("Enter")
        expect(status(output)).to_contain_text(told)
    prompt.fill("6*4=")
    prompt.press("Enter")
    lesson.settle()
    assert lesson.kernel(GIVEN, "answer") == "24."
    step_to(lesson, 42)  # the end of the second pass
    expect(output.get_by_text("\u201c6*4=2\u201d, stage 21 of 21: probabilities")).to_be_visible()
    expect(output.locator(".cw-formula")).to_contain_text("chosen: \u201c4\u201d")
    output.get_by_role("button", name="play or pause").press("Enter")
    lesson.page.wait_for_timeout(3500)
    output.get_by_role("button", name="play or pause").press("Enter")
    lesson.settle()
    assert lesson.kernel(GIVEN, "stepper.step") > 42
    lesson.picture("m26-light-second-digit", GIVEN)


def test_m26_runs_on_the_students_functions(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m26")
    right = solution("m26.collect_trace")
    assert "passed" not in lesson.write("m26.collect_trace", right.replace(".clone()", "")).inner_text()
    for name in FUNCTIONS[1:]:
        assert f"{name}: passed" in lesson.write(f"m26.{name}", solution(f"m26.{name}")).inner_text()
    output = lesson.run(OWN)
    expect(status(output)).to_contain_text("the first stage that differs is blocks.0.attention.scores")
    step_to(lesson, 8, OWN)
    lesson.picture("m26-light-wrong", OWN)
    assert "collect_trace: passed" in lesson.write("m26.collect_trace", right).inner_text()
    output = lesson.run(OWN)
    expect(status(output)).to_have_text("Drawn by your collect_trace.")
    output.get_by_role("button", name="Step forward").click(click_count=4)
    still(lesson, OWN)
    canvas = output.locator("canvas")
    canvas.focus()
    for key in ("ArrowDown", "ArrowRight"):
        canvas.press(key)
    lesson.settle()
    expect(output.locator(".cw-formula")).to_contain_text("(the same)")
    expect(status(output)).to_have_text("Drawn by your recompute_cell.")
    lesson.picture("m26-light-own", OWN)
