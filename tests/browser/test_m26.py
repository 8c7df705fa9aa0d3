"""m26 in real JupyterLab: the patch lab by keyboard, wrongly and rightly, both themes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

LAB = "patch_lab(run_patched)"


def test_m26_a_patch_is_made_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m26")
    for answer in ("collect_trace", "run_patched"):
        assert f"{answer}: passed" in lesson.write(f"m26.{answer}", solution(f"m26.{answer}")).inner_text()
    output = lesson.run(LAB)
    expect(status(output)).to_have_text("Drawn by your run_patched.")
    expect(output.get_by_text("with the patch it chooses 2")).to_be_visible()
    for head, digit in (("0", "5"), ("1", "2")):
        output.get_by_role("button", name=head, exact=True).press("Enter")
        lesson.settle()
        expect(output.get_by_text(f"with the patch it chooses {digit}")).to_be_visible()
    field = output.get_by_label("take from")
    field.fill("9*")
    lesson.settle()
    expect(output.get_by_text("the same number of tokens")).to_be_visible()
    field.fill("9*8=")
    lesson.settle()
    expect(output.get_by_text("with the patch it chooses 7")).to_be_visible()
    output.get_by_label("stage").select_option("stream_0")
    lesson.settle()
    expect(output.get_by_text("with the patch it chooses 5")).to_be_visible()
    output.get_by_label("all rows, not only the last").press("Space")
    lesson.settle()
    expect(output.get_by_text("with the patch it chooses 7")).to_be_visible()
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"m26-{theme}-patch-lab", LAB)


def test_m26_wrong_patches(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m26", "dark")
    right = solution("m26.run_patched")
    wrong = right.replace("value.clone()", "None")
    assert "Hint: Nothing was replaced" in lesson.write("m26.run_patched", wrong).inner_text()
    output = lesson.run(LAB)
    expect(status(output)).to_contain_text("Your run_patched draws this, and it is not right yet")
    lesson.picture("m26-dark-patch-lab-wrong", LAB)
    left = right.replace("handle.remove()", "pass")
    assert "Hint: The hook is still on the model" in lesson.write("m26.run_patched", left).inner_text()
    lesson.picture("m26-dark-check-partial", "m26-run_patched")
    output = lesson.run(LAB)
    expect(status(output)).to_contain_text("It left 1 hook on the model")
    assert lesson.violations() == []
