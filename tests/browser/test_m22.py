"""m22 in real JupyterLab: a row read block by block by keyboard, wrongly and rightly, and the map of tiles."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

GIVEN, OWN, MAP = "online_row()", "online_row(online_softmax)", "tile_map(causal_tiles)"


def test_m22_a_softmax_in_one_pass_and_the_tiles_that_are_seen(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m22")
    lesson.run("m22-online_softmax-code")
    expect(status(lesson.run(OWN))).to_contain_text("not written yet")
    right = solution("m22.online_softmax")
    said = lesson.write("m22.online_softmax", right.replace("total * np.exp(top - shift)", "total")).inner_text()
    assert "Hint: You add to the old sum as it is" in said
    output = lesson.run(OWN)
    expect(status(output)).to_contain_text("Your online_softmax draws this, and it is not right yet")
    for _ in range(3):
        output.get_by_role("button", name="Step forward").press("Enter")
    expect(output.get_by_text("step 4 of 4").filter(visible=True).first).to_be_visible()
    lesson.settle()
    lesson.picture("m22-light-row-wrong", OWN)
    assert "online_softmax: passed" in lesson.write("m22.online_softmax", right).inner_text()
    output = lesson.run(OWN)
    expect(status(output)).to_have_text("Drawn by your online_softmax.")
    output.get_by_role("slider", name="scores in a block").press("ArrowLeft")
    expect(output.get_by_text("step 1 of 6").filter(visible=True).first).to_be_visible()
    for _ in range(5):
        output.get_by_role("button", name="Step forward").press("Enter")
    expect(output.get_by_text("the largest weight is").filter(visible=True).first).to_be_visible()
    for theme in lesson.in_both_themes():
        lesson.picture(f"m22-{theme}-row", OWN)
        assert lesson.violations() == []
    lesson.write("m22.causal_tiles", solution("m22.causal_tiles"))
    output = lesson.run(MAP)
    expect(status(output)).to_have_text("Drawn by your causal_tiles.")
    output.get_by_role("slider", name="keys m").press("ArrowRight")
    expect(output.get_by_text("of 42 tiles are read").filter(visible=True).first).to_be_visible()
    for theme in lesson.in_both_themes():
        lesson.picture(f"m22-{theme}-map", MAP)
        assert lesson.violations() == []
    assert lesson.too_wide(900) == []
