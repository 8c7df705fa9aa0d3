"""ch04 in real JupyterLab: the waves, the clock and the dial by keyboard, wrongly and rightly, in both themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import lesson as lessons
from tests.browser.conftest import OpenNotebook
from tests.browser.lesson import Lesson, released, solution

OPENING = "import matplotlib.pyplot as plt"
MAP, CLOCK, DIAL = "sinusoid_map()", "offset_clock()", "rope_dial()"
OWN_MAP, OWN_CLOCK, OWN_DIAL = (
    "sinusoid_map(sinusoidal_encoding)",
    "offset_clock(offset_matrix)",
    "rope_dial(apply_rope)",
)


@pytest.fixture
def chapter(open_notebook: OpenNotebook, monkeypatch: pytest.MonkeyPatch) -> Lesson:
    """The released lesson, its first code cell run."""
    monkeypatch.setitem(lessons.CHAPTERS, "ch04", "ch04_positional_encoding")
    opened = Lesson(open_notebook(released("ch04"), run=False))
    opened.run(OPENING)
    return opened


def status(output: Locator) -> Locator:
    """The line of a widget that says whose function draws."""
    return output.locator(".cw-status")


def pictures(chapter: Lesson, state: str, cells: dict[str, str]) -> None:
    """Look at widgets in both themes and at 900 pixels; axe finds nothing."""
    for theme in chapter.in_both_themes():
        assert chapter.violations() == []
        for name, cell in cells.items():
            chapter.picture(f"ch04-{theme}-{state}-{name}", cell)
    assert chapter.too_wide(900) == []


def test_the_courses_widgets_by_keyboard(chapter: Lesson) -> None:
    for cell in (MAP, CLOCK, DIAL):
        expect(status(chapter.run(cell))).to_contain_text("The course's own")
    choose_a_dimension(chapter)
    turn_the_clock(chapter)
    turn_the_dial(chapter)
    pictures(chapter, "course", {"map": MAP, "clock": CLOCK, "dial": DIAL})


def choose_a_dimension(chapter: Lesson) -> None:
    """The slider's keys, and the row's button, select a wave."""
    output = chapter.output(MAP)
    output.get_by_role("slider", name="dimension (column)").focus()
    chapter.page.keyboard.press("ArrowRight")
    chapter.settle()
    assert chapter.kernel(MAP, "dimension.value") == 5
    expect(output.get_by_text("Dimension 5 along the positions")).to_be_visible()
    output.locator("[data-place='10 -1'] button").click()
    chapter.settle()
    assert chapter.kernel(MAP, "dimension.value") == 10
    expect(output.get_by_text("Pair 5, dimensions 10 and 11")).to_be_visible()


def turn_the_clock(chapter: Lesson) -> None:
    """More steps turn the hand further; another position leaves the matrix as it is."""
    output = chapter.output(CLOCK)
    before = chapter.kernel(CLOCK, "matrix.values")
    output.get_by_role("slider", name="position t").press("ArrowRight")
    chapter.settle()
    assert chapter.kernel(CLOCK, "matrix.values") == before
    output.get_by_role("slider", name="steps k").press("ArrowRight")
    chapter.settle()
    assert chapter.kernel(CLOCK, "k.value") == 4
    assert chapter.kernel(CLOCK, "matrix.values") != before


def turn_the_dial(chapter: Lesson) -> None:
    """Moved together, query and key keep their score; a vector moved by arrow keys changes it."""
    output = chapter.output(DIAL)
    score = output.locator(".cw-formula")
    output.get_by_role("checkbox", name="move both together").press("Space")
    before = score.inner_text().split("=")[-1]
    output.get_by_role("slider", name="query at").press("ArrowRight")
    chapter.settle()
    assert [chapter.kernel(DIAL, f"{name}.value") for name in ("at_q", "at_k")] == [7, 14]
    assert score.inner_text().split("=")[-1] == before
    output.locator("[data-index='0']").focus()
    chapter.page.keyboard.press("Shift+ArrowUp")
    chapter.settle()
    assert chapter.kernel(DIAL, "k") == pytest.approx([-0.6, -1.1])
    assert score.inner_text().split("=")[-1] != before


def test_wrong_then_right(chapter: Lesson) -> None:
    wrong = {
        "sinusoidal_encoding": "def sinusoidal_encoding(n, d_model):\n"
        "    a = np.outer(np.arange(n), 10000.0 ** (-np.arange(0, d_model, 2) / d_model))\n"
        "    return np.hstack([np.sin(a), np.cos(a)])",
        "offset_matrix": solution("ch04.offset_matrix").replace("return matrix", "return matrix.T"),
        "apply_rope": solution("ch04.apply_rope").replace("np.outer(positions", "np.outer(np.rad2deg(positions)"),
    }
    hints = ("left half", "it is the transpose", "")
    own = {"map": OWN_MAP, "clock": OWN_CLOCK, "dial": OWN_DIAL}
    for (name, text), hint, cell in zip(wrong.items(), hints, own.values(), strict=True):
        said = chapter.write(f"ch04.{name}", text).inner_text()
        assert f"{name}: not right yet" in said
        assert hint in said
        output = chapter.run(cell)
        expect(status(output)).to_contain_text("and it is not right yet")
        assert output.locator("td .cw-wrong-cell").count() > 0
    pictures(chapter, "wrong", own)
    for name, cell in zip(wrong, own.values(), strict=True):
        assert f"{name}: passed" in chapter.write(f"ch04.{name}", solution(f"ch04.{name}")).inner_text()
        output = chapter.run(cell)
        expect(status(output)).to_have_text(f"Drawn by your {name}.")
        assert output.locator("td .cw-wrong-cell").count() == 0
    pictures(chapter, "yours", own)


def test_unsolved_lesson_runs_to_its_end(chapter: Lesson) -> None:
    chapter.notebook.run_all(allow_errors=True)
    errors = [o for c in chapter.notebook.cells() for o in c.get("outputs", []) if o["output_type"] == "error"]
    assert {e["ename"] for e in errors} <= {"NotImplementedError"}
    for cell in (OWN_MAP, OWN_CLOCK, OWN_DIAL):
        expect(status(chapter.output(cell))).to_contain_text(re.compile("not written yet"))
    chapter.picture_of_page("ch04-light-top", 0)
    assert chapter.too_wide(900) == []
