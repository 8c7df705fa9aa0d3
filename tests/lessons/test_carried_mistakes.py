"""A mistake is paid for once: exercises that build on a broken one are judged with a working version of it."""

from __future__ import annotations

import pytest

from autograder.demo import misconception_text
from autograder.exercise import find
from tests.grading.classroom import Classroom, Graded, full_points, solved

pytestmark = pytest.mark.slow
LESSON = "ch06_decoder"
ATTENTION, MASK = "ch06.masked_attention", "ch06.causal_mask"
BUILD_ON_IT = ("ch06.cross_attention", "ch06.decoder_block")
STUB = "def masked_attention(q, k, v, mask):\n    # Your code here.\n    raise NotImplementedError"
RAISES = "def masked_attention(q, k, v, mask):\n    return q @ k @ v @ undefined"


@pytest.fixture(
    params={
        "wrong": misconception_text(find(ATTENTION), "inverted_mask"),
        "left out": STUB,
        "raises": RAISES,
        "not there": "pass",
        "does not parse": "def masked_attention(q, k, v, mask:\n    return q",
    }.items(),
    ids=lambda item: item[0],
)
def broken(request: pytest.FixtureRequest, classroom: Classroom) -> Graded:
    """A submission with everything right but masked_attention."""
    name, text = request.param
    answers = solved(LESSON) | {ATTENTION: text}
    return classroom.graded(f"attention-{name.replace(' ', '-')}", LESSON, answers, slim=True)


def test_later_exercises_keep_their_points(broken: Graded) -> None:
    """Only the broken exercise loses points."""
    assert broken.scores == full_points(LESSON) | {ATTENTION: 0.0}


def test_the_note_says_so(broken: Graded) -> None:
    """The student learns why the points are there although the notebook does not work."""
    for exercise_id in BUILD_ON_IT:
        assert "Judged with a working masked_attention: the mistake there is counted there." in broken.said[exercise_id]


def test_two_broken_exercises_are_both_replaced(classroom: Classroom) -> None:
    """The decoder block builds on three."""
    answers = solved(LESSON) | {ATTENTION: STUB, MASK: misconception_text(find(MASK), "no_mask")}
    graded = classroom.graded("two-broken", LESSON, answers, slim=True)
    assert graded.scores == full_points(LESSON) | {ATTENTION: 0.0, MASK: 0.0}
    assert "causal_mask, masked_attention" in graded.said["ch06.decoder_block"]


def test_help_does_not_make_a_wrong_block_right(classroom: Classroom) -> None:
    """The block's own mistake is still found."""
    wrong = solved(LESSON)["ch06.decoder_block"].replace("x = x + attended", "x = attended")
    answers = solved(LESSON) | {ATTENTION: STUB, "ch06.decoder_block": wrong}
    graded = classroom.graded("block-wrong-too", LESSON, answers, slim=True)
    assert graded.scores["ch06.decoder_block"] == 0
    assert graded.scores["ch06.cross_attention"] == find("ch06.cross_attention").points
