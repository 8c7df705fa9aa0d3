"""A class of six goes the whole way, through the exchange, and everybody gets the right mark for the right reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autograder import demo
from autograder.build import BuildError
from autograder.exercise import Definition, definitions, lessons
from tests.grading.classroom import ROOT, full_points

LESSON = "ch06_decoder"


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, demo.Mark]:
    """Student -> mark."""
    folder = tmp_path_factory.mktemp("demo") / "class"
    return {m.student: m for m in demo.run(ROOT, folder, [LESSON])}


@pytest.mark.slow
def test_marks_and_reasons(marks: dict[str, demo.Mark]) -> None:
    """Right, partly right, misconceived, blank, crashing, slow."""
    full = sum(full_points(LESSON).values())
    assert {m.maximum for m in marks.values()} == {full}
    assert marks["ada"].score == full
    assert marks["ada"].reasons == {}
    assert 0 < marks["ben"].score < full
    assert marks["cleo"].score == marks["dan"].score == 0
    assert all(re.search("not (implemented|answered) yet", r) for r in marks["dan"].reasons.values())
    second = [d for d in definitions(LESSON).values() if isinstance(d, Definition)][1]
    assert marks["eve"].score == marks["finn"].score == full - second.points
    assert "ended the Python process" in marks["eve"].reasons[second.id]
    assert "Is there a loop that does not end?" in marks["finn"].reasons[second.id]


@pytest.mark.slow
def test_misconceptions_get_their_hints(marks: dict[str, demo.Mark]) -> None:
    """Every function of the third student has a listed mistake."""
    for d in definitions(LESSON).values():
        if isinstance(d, Definition):
            hint = next(iter(d.hints.values())).replace("`", "")
            assert hint in " ".join(marks["cleo"].reasons[d.id].replace("` ", "").split()), d.id


@pytest.mark.parametrize("lesson", lessons())
def test_partly_right_loses_something_in_every_lesson(lesson: str) -> None:
    """At least a check question; the text of the answers stays Python."""
    solved = dict.fromkeys(definitions(lesson), "pass")
    answers = demo.partly_right(lesson, solved)
    assert answers != solved
    assert all(compile(text, "answer", "exec") for text in answers.values())


def test_a_folder_of_somebody_elses_is_never_emptied(tmp_path: Path) -> None:
    """The demo empties its own folder only."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BuildError, match="Choose another"):
        demo.DemoCourse(ROOT, tmp_path, [])
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
