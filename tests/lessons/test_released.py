"""What students get: no answer in it, no points for it, and every check says that nothing is there yet."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from autograder.exercise import definitions
from autograder.lesson_source import demonstrations
from tests.grading.classroom import ROOT, Classroom
from tests.lessons.tools import (
    answer_lines,
    executed,
    misconception_lines,
    questions,
    reference_lines,
    shown,
    solution_lines,
)

TRAINING = (  # lessons whose experiments do
    "ch07_training", "ch09_moe_scaling", "ch10_composition", "m18_multiply_cot", "m19_rope",
    "m20_curriculum",
)  # fmt: skip
OURS = ("/course/", "/autograder/", "/nbgrader/")

UNSOLVED = re.compile("not (?:implemented|answered) yet")


def released_text(lesson: str) -> str:
    """Every cell of the committed notebook, white space evened out."""
    notebook = nbformat.read(ROOT / "release" / lesson / f"{lesson}.ipynb", as_version=4)
    return "\n".join(" ".join(line.split()) for c in notebook.cells for line in c.source.splitlines())


def test_nothing_of_the_answers_is_in_the_released_notebook(lesson: str) -> None:
    """No line of a solution, a reference or a misconception, no answer to a question."""
    lines = released_text(lesson)
    secrets = solution_lines(lesson) | answer_lines(lesson) | reference_lines(lesson) | misconception_lines(lesson)
    assert len(secrets) > 30  # the comparison has something to compare
    assert [line for line in secrets if line in lines] == []


def test_nothing_of_the_grading_is_in_the_released_file(lesson: str) -> None:
    """No hidden test, no marker, no hint for a misconception, no explanation of an option; the raw file is searched."""
    raw = (ROOT / "release" / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8")
    hints = [h for d in definitions(lesson).values() for h in getattr(d, "hints", {}).values()]
    explanations = [o.explanation for q in questions(lesson) for o in q.options]
    words = ["graded(", "### BEGIN", "### END", "HIDDEN", "autograder", "misconception", "reference("]
    assert [w for w in [*words, *hints, *explanations] if w in raw] == []


@pytest.mark.slow
def test_every_check_of_the_released_notebook_says_not_implemented_yet(lesson: str, tmp_path: Path) -> None:
    """A student who only runs all cells sees no traceback that goes through our code."""
    notebook = nbformat.read(ROOT / "release" / lesson / f"{lesson}.ipynb", as_version=4)
    if lesson in TRAINING:  # the solved notebook's test trains; here it would be the same once more
        notebook.cells = [c for c in notebook.cells if c.source.strip() not in demonstrations(ROOT, lesson)]
    done = executed(notebook, tmp_path, allow_errors=True)
    checks = {c.id: shown(c) for c in done.cells if c.cell_type == "code" and c.source.startswith("check(")}
    assert len(checks) == len(definitions(lesson))
    assert [name for name, text in checks.items() if not UNSOLVED.search(text)] == []
    errors = [o for c in done.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]
    assert {e.ename for e in errors} <= {"NotImplementedError"}  # an experiment calls what is not there yet
    assert [word for e in errors for word in OURS if word in "\n".join(e.traceback)] == []


@pytest.mark.slow
def test_released_notebook_gets_no_points(lesson: str, classroom: Classroom) -> None:
    """Graded as handed out: 0 everywhere, the reason in every cell, none left for manual grading."""
    graded = classroom.graded("blank", lesson, {})
    assert graded.scores == dict.fromkeys(definitions(lesson), 0.0)
    assert [i for i, text in graded.said.items() if not UNSOLVED.search(text)] == []
    assert "Traceback" not in " ".join(graded.said.values())
    assert len(UNSOLVED.findall(graded.feedback)) >= len(definitions(lesson))


def test_links_to_other_lessons_lead_somewhere(lesson: str) -> None:
    """A dead link in a chapter's last line is where a student stops."""
    text = (ROOT / "release" / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((?:\.\./)?(\w+/\w+\.ipynb)\)", text))
    assert linked
    assert [path for path in sorted(linked) if not (ROOT / "release" / path).exists()] == []


def test_no_emphasis_is_left_open(lesson: str) -> None:
    """A star that a reader sees is one whose partner was forgotten."""
    notebook = nbformat.read(ROOT / "release" / lesson / f"{lesson}.ipynb", as_version=4)
    texts = [re.sub(r"\$[^$]*\$", "x", c.source) for c in notebook.cells if c.cell_type == "markdown"]
    seen = [re.sub(r"<(code|pre)>.*?</\1>|<[^>]*>", "", markdown2html_mistune(text), flags=re.DOTALL) for text in texts]
    assert [line for page in seen for line in page.splitlines() if re.search(r"\*\S|\S\*|__", line)] == []
