"""m19 in real JupyterLab: the dials by keyboard, with wrong and right speeds, and an experiment cut short."""

from __future__ import annotations

from playwright.sync_api import expect

from course.lab.training import FEWER
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import solution, status

DIAL, OWN_DIAL = "rotation_dial()", "rotation_dial(rotate_complex)"
FAR, OWN_FAR = "far_dial()", "far_dial(ntk_speeds, yarn_speeds)"
WRONG = "def ntk_speeds(d, factor, base=10000.0):\n    return rope_speeds(d, base * factor)"


def test_m19_dials_turn_and_a_model_adds(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("m19")
    for name in ("rope_speeds", "rotate_complex", "yarn_speeds"):
        lesson.notebook.set_cell(lesson.places[f"m19-{name}-code"], solution(f"m19.{name}"))
        lesson.run(f"m19-{name}-code")
    expect(status(lesson.run(DIAL))).to_contain_text("The course's own")
    expect(status(lesson.run(OWN_DIAL))).to_have_text("Drawn by your rotate_complex.")
    output = lesson.run(FAR)
    output.get_by_role("slider", name="distance", exact=True).focus()
    lesson.page.keyboard.press("End")
    expect(output.get_by_text("Pair 3 after 252 steps")).to_be_visible()
    expect(output.get_by_text("an angle that no text in training had")).to_be_visible()
    lesson.notebook.set_cell(lesson.places["m19-ntk_speeds-code"], WRONG)
    lesson.run("m19-ntk_speeds-code")
    output = lesson.run(OWN_FAR)
    output.get_by_role("button", name="NTK", exact=True).press("Enter")
    expect(status(output)).to_contain_text("it is not right yet")
    expect(output.locator("td .cw-wrong-cell").first).to_be_visible()
    output.get_by_role("button", name="YaRN", exact=True).press("Enter")
    expect(status(output)).to_have_text("Drawn by your yarn_speeds.")
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"m19-{theme}-far", OWN_FAR)
        lesson.picture(f"m19-{theme}-dial", OWN_DIAL)
    lesson.notebook.py(f"__import__('os').environ.update({FEWER}='4')")
    first = 'rotate, speeds_of, places = working("m19.rotate_complex", "m19.rope_speeds", "m19.digit_places")'
    expect(lesson.run(first).get_by_text("Share of faultless sums")).to_be_visible()
    lesson.picture("m19-dark-sums", first)
