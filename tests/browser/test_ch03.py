"""ch03 in real JupyterLab: heads chosen by keyboard and mouse, the split followed, the flow stepped through."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from course.supplied import ch03
from course.widgets.head_patterns import HEADS, TOKENS
from tests.browser.conftest import OpenLesson
from tests.browser.lesson import require_unsolved, solution, status, weights_shown

PATTERNS, OWN_PATTERNS = "head_patterns()", "head_patterns(multi_head_attention)"
SPLIT, FLOW = "split_map(split_heads, merge_heads)", "head_flow(split_heads, merge_heads)"
OWN_FLOW = "head_flow(split_heads, merge_heads, multi_head_attention)"
WIDGETS = {"patterns": PATTERNS, "split": SPLIT, "flow": FLOW, "own-flow": OWN_FLOW, "own-patterns": OWN_PATTERNS}


def test_unsolved_lesson_runs_and_the_course_draws(open_lesson: OpenLesson) -> None:
    require_unsolved(open_lesson("ch03", run_all=True), "ch03", WIDGETS)


def test_a_head_is_chosen_by_keyboard_and_a_word_by_mouse(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch03")
    output = lesson.run(PATTERNS)
    before = weights_shown(output, f"Head {next(iter(HEADS))}")
    assert np.argmax(before, axis=1).tolist() == [0, *range(9)]
    output.get_by_role("button", name="1: who is meant").press("Enter")
    lesson.settle()
    assert np.argmax(weights_shown(output, "Head 1: who is meant")[TOKENS.index("it")]) == TOKENS.index("cat")
    looks = weights_shown(output, "What \u201cit\u201d looks at")
    assert [TOKENS[j] for j in np.argmax(looks, axis=0)] == ["because", "cat", "it", "The"]
    lesson.picture("ch03-light-patterns-coreference", PATTERNS)
    output.get_by_role("grid", name="Head 1").get_by_role("button", name="tired", exact=True).click()
    lesson.settle()
    assert lesson.kernel(PATTERNS, "token") == TOKENS.index("tired")
    expect(output.get_by_role("grid", name="What \u201ctired\u201d looks at")).to_be_visible()
    output.get_by_role("checkbox", name="mask").press("Space")
    lesson.settle()
    assert not np.triu(weights_shown(output, "Head 1: who is meant"), 1).any()
    output.get_by_role("slider", name="strength").press("Home")
    lesson.settle()
    assert weights_shown(output, "Head 1: who is meant")[1, :2].tolist() == [0.5, 0.5]
    lesson.picture("ch03-light-patterns-masked", PATTERNS)
    assert lesson.violations() == []


def test_a_split_that_only_reshapes_is_seen_and_named(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch03", "dark")
    wrong = "def split_heads(x, heads):\n    return x.reshape(heads, len(x), -1)"
    said = lesson.write("ch03.split_heads", wrong).inner_text()
    assert "split_heads: not right yet" in said
    assert "Hint: You reshape straight to (heads, n, d_head)." in said
    lesson.picture("ch03-dark-check-failing", "ch03-split_heads")
    lesson.write("ch03.merge_heads", solution("ch03.merge_heads"))
    output = lesson.run(SPLIT)
    expect(status(output)).to_contain_text("Your split_heads draws this, and it is not right yet")
    lesson.picture("ch03-dark-split-wrong", SPLIT)
    assert "split_heads: passed" in lesson.write("ch03.split_heads", solution("ch03.split_heads")).inner_text()
    output = lesson.run(SPLIT)
    output.get_by_role("button", name="3", exact=True).press("Enter")
    lesson.settle()
    expect(status(output)).to_have_text("Drawn by your split_heads and merge_heads.")
    assert weights_shown(output, "split_heads: (3, 4, 2)")[0].tolist() == pytest.approx([0.0, 0.1])
    lesson.picture("ch03-dark-split-yours", SPLIT)


def test_the_flow_is_stepped_through_with_the_students_functions(open_lesson: OpenLesson) -> None:
    lesson = open_lesson("ch03")
    for name in ("split_heads", "merge_heads", "multi_head_attention"):
        assert f"{name}: passed" in lesson.write(f"ch03.{name}", solution(f"ch03.{name}")).inner_text()
    output = lesson.run(OWN_FLOW)
    expect(status(output)).to_have_text("Drawn by your split_heads, merge_heads and multi_head_attention.")
    output.get_by_role("button", name="4", exact=True).press("Enter")
    for _ in range(2):
        output.get_by_role("button", name="Step forward").press("Enter")
    lesson.settle()
    expect(output.get_by_text("split_heads(q, 4): (4, 8) becomes (4, 4, 2).")).to_be_visible()
    assert lesson.kernel(OWN_FLOW, "flow.step") == 2
    x, p = (lesson.kernel(OWN_FLOW, name) for name in ("x", "p"))
    boxes = {box["name"]: box for box in lesson.kernel(OWN_FLOW, "flow.boxes")}
    weights = ch03.multi_head_attention(np.array(x), {k: np.array(v) for k, v in p.items()}, 4)[1]
    assert boxes["weights3"]["values"] == pytest.approx(weights[3, 1].tolist())
    for theme in lesson.in_both_themes():
        assert lesson.violations() == []
        lesson.picture(f"ch03-{theme}-flow-yours", OWN_FLOW)
    assert lesson.too_wide(900) == []
