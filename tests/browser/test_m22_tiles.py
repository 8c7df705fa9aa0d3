"""m22 in real JupyterLab: the tiles of a kernel by keyboard, both themes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

LAB = "tile_traffic(causal_kernel)"


def test_m22_tiles_move_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m22")
    lesson.run("m22-causal_kernel-code")
    output = lesson.run(LAB)
    expect(status(output)).to_contain_text("not written yet: the course's version draws")
    assert "online_update: passed" in lesson.write("m22.online_update", solution("m22.online_update")).inner_text()
    right = solution("m22.causal_kernel")
    wrong = right.replace("tl.minimum(m, first + BM + m - n)", "m")
    assert "moved 197,120 bytes" in lesson.write("m22.causal_kernel", wrong).inner_text()
    output = lesson.run(LAB)
    expect(status(output)).to_contain_text("12 tiles more than it needs to")
    lesson.picture("m22-light-tiles-wrong", LAB)
    assert "causal_kernel: passed" in lesson.write("m22.causal_kernel", right).inner_text()
    output = lesson.run(LAB)
    expect(status(output)).to_have_text("Drawn by your causal_kernel.")
    output.get_by_role("button", name="Step forward").press("Enter")
    expect(output.get_by_text("step 2 of 32: program 0 loads k, rows 0 to 15")).to_be_visible()
    output.get_by_role("slider", name="BM, queries in a tile").press("ArrowRight")
    expect(output.get_by_text("step 1 of 18: program 0 loads q, rows 0 to 31")).to_be_visible()
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"m22-{theme}-tiles", LAB)
