"""ch00 in real JupyterLab: the gallery and the belt by keyboard, wrong and right functions, both themes."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from course.supplied import ch00
from course.widgets.sequence_gallery import SENTENCE, VOCABULARY
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import require_unsolved, solution, status

GALLERY, OWN_TEXT = "sequence_gallery()", "sequence_gallery(encode)"
OWN_GALLERY = "sequence_gallery(encode, sliding_windows)"
TRIP = "round_trip(tokenize_chars, build_vocabulary, encode, decode)"
BELT, OWN_BELT = "conveyor_spotlight()", "conveyor_spotlight(rnn_step)"
WIDGETS = {
    "gallery": GALLERY,
    "own-text": OWN_TEXT,
    "own-gallery": OWN_GALLERY,
    "trip": TRIP,
    "belt": BELT,
    "own-belt": OWN_BELT,
}


def test_ch00_unsolved_lesson_runs_and_the_course_draws(open_lesson: OpenLesson) -> None:
    require_unsolved(open_lesson("ch00", run_all=True), "ch00", WIDGETS)


def test_ch00_the_gallery_is_walked_by_keyboard(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch00")
    output = lesson.run(GALLERY)
    for kind, shape in (("sound", (8, 32)), ("video", (8, 64)), ("prices", (12, 5)), ("text", (11, 7))):
        output.get_by_role("button", name=kind, exact=True).press("Enter")
        lesson.settle()
        expect(output.get_by_text(f"shape {shape}")).to_be_visible()
        assert np.shape(lesson.kernel(GALLERY, "matrix.values")) == shape
        slider = output.get_by_role("slider", name="token")
        slider.focus()
        for _ in range(4):
            lesson.page.keyboard.press("ArrowRight")
        lesson.settle()
        assert lesson.kernel(GALLERY, "matrix.selected_row") == 4
        assert lesson.too_wide(900) == []
        for theme in lesson.in_both_themes():
            assert lesson.violations() == []
            lesson.picture(f"ch00-{theme}-gallery-{kind}", GALLERY)
    output.get_by_role("grid").get_by_role("button").nth(6).press("Enter")  # the name of row 7, "t" of "cat"
    lesson.settle()
    assert lesson.kernel(GALLERY, "token.value") == 7


def test_ch00_the_belt_moves_one_token_a_step(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch00")
    output = lesson.run(BELT)
    lesson.picture("ch00-light-belt-1", BELT)
    forward = output.get_by_role("button", name="Step forward")
    for step in range(1, 6):
        forward.press("Enter")
        lesson.settle()
        assert lesson.kernel(BELT, "belt.step") == step
    expect(output.get_by_text("step 6 of 7")).to_be_visible()
    before = lesson.kernel(BELT, "trace.series")[0]["y"][5]
    slider = output.get_by_role("slider", name="size of")
    slider.focus()
    for _ in range(6):
        lesson.page.keyboard.press("ArrowRight")
    lesson.settle()
    assert lesson.kernel(BELT, "trace.series")[0]["y"][5] > 2 * before
    assert lesson.too_wide(900) == []
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch00-{theme}-belt-6", BELT)


def test_ch00_wrong_then_right(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch00")
    said = lesson.write("ch00.tokenize_chars", "def tokenize_chars(text):\n    return text.split()").inner_text()
    assert "Hint: You cut the text into words." in said
    lesson.picture("ch00-light-check-failing", "ch00-tokenize_chars")
    wrong = solution("ch00.encode").replace("places[character]", "places[character] - 1")
    lesson.write("ch00.encode", wrong)
    output = lesson.run(OWN_TEXT)
    expect(status(output)).to_contain_text("Your encode draws this, and it is not right yet")
    lesson.picture("ch00-light-text-wrong", OWN_TEXT)
    for name in ch00.__all__:
        assert f"{name}: passed" in lesson.write(f"ch00.{name}", solution(f"ch00.{name}")).inner_text()
    output = lesson.run(TRIP)
    expect(status(output)).to_contain_text("Done by your tokenize_chars")
    output.get_by_role("textbox").fill("Anna")
    lesson.settle()
    assert lesson.kernel(TRIP, "ids.values") == [[0.0, 2.0, 2.0, 1.0]]
    expect(output.get_by_text("Back again: \u201cAnna\u201d, the same text.")).to_be_visible()
    lesson.picture("ch00-light-trip", TRIP)
    output = lesson.run(OWN_GALLERY)
    expect(status(output)).to_have_text("Drawn by your encode.")
    ids = np.array(lesson.kernel(OWN_GALLERY, "matrix.values")).argmax(axis=1).tolist()
    assert ids == ch00.encode(SENTENCE, VOCABULARY)
    forgets = "def rnn_step(h, x, w_h, w_x, b):\n    return np.tanh(x @ w_x + b)"
    assert "no memory" in lesson.write("ch00.rnn_step", forgets).inner_text()
    output = lesson.run(OWN_BELT)
    for _ in range(3):
        output.get_by_role("button", name="Step forward").press("Enter")
    lesson.settle()
    expect(status(output)).to_contain_text("the state after token 2 is the first that differs")
    lesson.picture("ch00-light-belt-wrong", OWN_BELT)
    lesson.write("ch00.rnn_step", solution("ch00.rnn_step"))
    output = lesson.run(OWN_BELT)
    expect(status(output)).to_have_text("Drawn by your rnn_step.")
    lesson.picture("ch00-light-belt-yours", OWN_BELT)
    lesson.run("import time")
    lesson.picture("ch00-light-experiment", "import time")
