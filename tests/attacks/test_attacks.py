"""Every attack, through the real engine: it gains nothing, harms nobody, and its author is told why."""

from __future__ import annotations

import pytest

from tests.attacks.attack import load, names
from tests.attacks.checks import tried
from tests.attacks.pages import faults
from tests.attacks.target import RIVAL, Target
from tests.grading.classroom import full_points

# The others are slow together. These stand for their kinds.
FAST = {
    "always_true_object", "forged_frames", "frame_globals", "gradebook", "html_output", "left_daemon",
    "linked_notebook", "markdown_script", "memory_hog", "mounts", "network", "os_exit", "patched_run_cell",
    "patched_runner", "raised_points", "references", "shortcut_getattr", "shadowing_modules", "skip_execution",
    "surrogates_in_frames", "truncated", "usual_helpers", "warns_and_prints",
}  # fmt: skip
FEWER = 4  # of the others, an honest student is graded after each of so many; `make attacks` does it after all
ATTACKS = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in names()]


def test_before_the_attacks(target: Target) -> None:
    """Without an attack everybody gets full points, and the pages have MathJax's safe mode."""
    for lesson, graded in target.honest.items():
        assert graded.scores == full_points(lesson)
        assert any("Safe" in text for text in target.pages[lesson].active if "mathjax" in text.lower())
        assert not faults(target.pages[lesson], target.pages[lesson], "")


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(target: Target, name: str) -> None:
    """Marks exactly as stated, a reason for each lost point, and no harm to anybody."""
    _, found = tried(target, load(name), bystander=name in FAST or names().index(name) % FEWER == 0)
    assert not found, "\n".join(found)


def test_after_the_attacks(target: Target) -> None:
    """Another student's work, graded before all attacks, is graded alike after them."""
    before = target.rival.scores, target.rival.path.read_bytes()
    again = target.classroom.grade(RIVAL, target.rival.lesson)
    assert (again.scores, again.path.read_bytes()) == before
