"""Notebooks with cells deleted, copied, edited, moved, split or relabelled: graded all the same, and told so."""

from __future__ import annotations

import json
from collections.abc import Callable

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook

from autograder.exercise import definitions
from tests.grading.classroom import (
    Change,
    Classroom,
    cell,
    fill,
    full_points,
    slimmed,
    solved,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")]
LESSON = "ch02_scaled_dot_product"
ATTENTION = "ch02.scaled_dot_product_attention"
CHECK, ANSWER = "ch02-scaled_dot_product_attention", "ch02-scaled_dot_product_attention-code"
GRADED = [i.replace(".", "-") for i in definitions(LESSON)]


def removed(*ids: str) -> Change:
    """These cells are deleted."""

    def change(nb: NotebookNode) -> None:
        nb.cells = [c for c in nb.cells if c.id not in ids]

    return change


def copied(cell_id: str, first: str | None = None) -> Change:
    """A cell is there twice, one after the other; `first` is the text of the first copy."""

    def change(nb: NotebookNode) -> None:
        at = nb.cells.index(cell(nb, cell_id))
        twin = nbformat.from_dict({**nb.cells[at], "id": "twin"})
        twin.source = twin.source if first is None else first
        nb.cells.insert(at, twin)

    return change


def edited(cell_id: str, text: str) -> Change:
    """A cell's text is replaced."""

    def change(nb: NotebookNode) -> None:
        cell(nb, cell_id).source = text

    return change


def split(cell_id: str, at: str, before: str = "") -> Change:
    """A cell, with `before` on top, is cut in two at `at` as JupyterLab does it: both halves keep all metadata."""

    def change(nb: NotebookNode) -> None:
        whole = cell(nb, cell_id)
        whole.source = before + whole.source
        head, _, tail = whole.source.partition(at)
        copied(cell_id, head)(nb)
        whole.source = at + tail

    return change


def relabelled(**changes: object) -> Change:
    """nbgrader's metadata of every cell that has some is overwritten with `changes`."""

    def change(nb: NotebookNode) -> None:
        for c in nb.cells:
            if "nbgrader" in c.metadata:
                c.metadata.nbgrader.update(changes)

    return change


def everywhere(**metadata: object) -> Change:
    """Every cell's metadata is replaced."""

    def change(nb: NotebookNode) -> None:
        for c in nb.cells:
            c.metadata = nbformat.from_dict({**c.metadata, **metadata})

    return change


def turned(cell_id: str, kind: str) -> Change:
    """A cell is made one of another kind."""

    def change(nb: NotebookNode) -> NotebookNode:
        cells = [{k: v for k, v in c.items() if k not in ("outputs", "execution_count")} for c in nb.cells]
        for c, old in zip(cells, nb.cells, strict=True):
            c.update({"cell_type": kind} if c["id"] == cell_id else dict(old))
        return nbformat.from_dict({**nb, "cells": cells})

    return change


def forged(nb: NotebookNode) -> None:
    """The graded cells already show full marks, and their text would show them again."""
    for name in GRADED:
        c = cell(nb, name)
        c.source = "100"
        c.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "100"}, execution_count=1)]


def no_metadata(nb: NotebookNode) -> None:
    """As some other editors save it."""
    nb.metadata = nbformat.from_dict({})
    everywhere()(nb)
    for c in nb.cells:
        c.metadata = nbformat.from_dict({})


def answers_last(nb: NotebookNode) -> None:
    """The answer cells in reverse order, then the checks."""
    nb.cells.sort(key=lambda c: 0 if c.id == "setup" else 2 if c.id in GRADED else 1)
    answers = nb.cells[1 : 1 + len(GRADED)]
    nb.cells[1 : 1 + len(GRADED)] = answers[::-1]


def own_cell(nb: NotebookNode) -> None:
    """The answer cell is deleted, and the function stands in a cell of the student's."""
    text = cell(nb, ANSWER).source
    removed(ANSWER)(nb)
    nb.cells.insert(1, nbformat.v4.new_code_cell(text))


def strange_notebook(nb: NotebookNode) -> None:
    """Another language, and a lesson that does not exist."""
    kernel = {"name": "ir", "display_name": "R", "language": "R"}
    nb.metadata = nbformat.from_dict({"kernelspec": kernel, "course": {"lesson": "../../etc", "edition": 7}})


def same_ids(nb: NotebookNode) -> None:
    """As a careless tool saves it."""
    for c in nb.cells:
        c.id = "same"


BACK = f"Note: the locked cell {CHECK} was missing and has been put back at the end."
CHANGED = f"Note: the locked cell {CHECK} was changed; its own text was put back."
TWICE = "is there more than once; the last one counts."

# What was done to the notebook -> words somewhere in the graded cells. All of these keep their points.
HARMLESS: dict[str, tuple[Change, str]] = {
    "locked cell deleted": (removed(CHECK), BACK),
    "all locked cells deleted": (removed(*GRADED), "has been put back at the end"),
    "answer in a cell of one's own": (own_cell, ""),
    "locked cell copied": (copied(CHECK), TWICE),
    "answer cell copied": (copied(ANSWER, "raise NotImplementedError"), f"the cell {ANSWER} {TWICE}"),
    "locked cell edited": (edited(CHECK, "pass"), CHANGED),
    "locked cell emptied": (edited(CHECK, ""), CHANGED),
    "check made impossible": (edited(CHECK, "def graded(*a): return 5\ncheck = graded"), CHANGED),
    "all cells of one kind moved together": (answers_last, ""),
    "answer cell split": (split(ANSWER, "def scaled", before="from numpy import sqrt\n\n"), TWICE),
    "locked cell split": (split(CHECK, "("), TWICE),
    "points raised": (relabelled(points=100), ""),
    "not graded": (relabelled(grade=False), ""),
    "all solutions": (relabelled(solution=True, locked=False), ""),
    "all tasks": (relabelled(task=True), ""),
    "unlocked": (relabelled(locked=False), ""),
    "schema of long ago": (relabelled(schema_version=1), ""),
    "schema of the future": (relabelled(schema_version=99), ""),
    "schema of nonsense": (relabelled(schema_version="x", points="many", checksum=[]), ""),
    "all names alike": (relabelled(grade_id=CHECK), ""),
    "names of no string": (relabelled(grade_id=["a", {}]), "has been put back"),
    "nbgrader is a text": (everywhere(nbgrader="garbage"), "has been put back"),
    "nbgrader is a list": (everywhere(nbgrader=[1, None]), "has been put back"),
    "no metadata": (no_metadata, "has been put back"),
    "tagged skip-execution": (everywhere(tags=["skip-execution", "raises-exception", "remove-cell"]), ""),
    "locked cell as text": (turned(CHECK, "markdown"), ""),
    "answer cell as text": (turned(ANSWER, "raw"), ""),
    "marks forged": (forged, "was changed; its own text was put back"),
    "another language": (strange_notebook, ""),
    "all cells of one id": (same_ids, ""),
}


@pytest.mark.parametrize(("change", "words"), HARMLESS.values(), ids=HARMLESS)
def test_keeps_its_points(classroom: Classroom, request: pytest.FixtureRequest, change: Change, words: str) -> None:
    """Full points, no more and no less, and the student is told what was mended."""
    student = request.node.callspec.id.replace(" ", "-")
    graded = classroom.changed(student, LESSON, change)
    assert graded.success, graded.log
    assert graded.scores == full_points(LESSON)
    assert graded.total == sum(full_points(LESSON).values())
    assert words in " ".join(graded.said.values())


# What was done -> what the graded cell says. These lose that exercise's points, and no others.
COSTLY: dict[str, tuple[Change, str]] = {
    "answer cell deleted": (removed(ANSWER), "is not defined"),
    "both deleted": (removed(ANSWER, CHECK), "is not defined"),
    "answer split in the middle": (split(ANSWER, "weights = softmax"), "not right yet"),
    "function renamed": (edited(ANSWER, "def attention_of_mine(q, k, v):\n    pass"), "is not defined"),
    "something else by that name": (edited(ANSWER, "scaled_dot_product_attention = 7"), "TypeError"),
}


@pytest.mark.parametrize(("change", "words"), COSTLY.values(), ids=COSTLY)
def test_loses_only_its_own_points(
    classroom: Classroom, request: pytest.FixtureRequest, change: Change, words: str
) -> None:
    """The reason stands in the graded cell."""
    graded = classroom.changed(request.node.callspec.id.replace(" ", "-"), LESSON, change)
    assert graded.success, graded.log
    assert graded.scores == full_points(LESSON) | {ATTENTION: 0.0}
    assert words in graded.said[ATTENTION]


def test_nothing_the_student_wrote_is_dropped(classroom: Classroom) -> None:
    """Own cells, both copies of a copied cell, prose: all of it is in the autograded notebook."""

    def change(nb: NotebookNode) -> None:
        copied(ANSWER, "first_try = 1")(nb)
        nb.cells.append(nbformat.v4.new_code_cell("my_notes = 2"))
        nb.cells.append(nbformat.v4.new_markdown_cell("my *prose*"))

    texts = [c.source for c in classroom.changed("keeps", LESSON, change).notebook.cells]
    assert {"first_try = 1", "my_notes = 2", "my *prose*"} <= set(texts)


def test_the_submitted_file_stays_as_it_was(classroom: Classroom) -> None:
    """Grading and feedback only read it."""
    notebook = fill(slimmed(classroom.released(LESSON)), solved(LESSON))
    removed(CHECK)(notebook)
    classroom.submit("unchanged", LESSON, notebook)
    before = classroom.submitted("unchanged", LESSON).read_bytes()
    assert classroom.grade("unchanged", LESSON).feedback
    assert classroom.submitted("unchanged", LESSON).read_bytes() == before


@pytest.fixture(
    params=["0123456789", "<b>bold</b>", "ä" * 500],
    ids=["plain", "markup", "long"],
)
def edition(request: pytest.FixtureRequest) -> str:
    """An edition that is not the installed one."""
    return request.param


def test_another_edition_is_graded_and_says_so(classroom: Classroom, edition: str) -> None:
    """A student who was handed out an older version of the course."""

    def change(nb: NotebookNode) -> None:
        nb.metadata.course.edition = edition

    graded = classroom.changed(f"edition-{len(edition)}", LESSON, change)
    assert graded.scores == full_points(LESSON)
    note = f"Note: this notebook was handed out as edition {edition[:100]} and graded by edition "
    assert note in next(iter(graded.said.values()))
    assert sum("handed out as edition" in text for text in graded.said.values()) == 1
    assert "<b>bold</b>" not in graded.feedback


def test_no_cell_waits_for_manual_grading(classroom: Classroom) -> None:
    """Stock nbgrader leaves deleted cells to be graded by hand for ever."""
    classroom.changed("by-hand", LESSON, removed(*GRADED, ANSWER))
    with Gradebook(classroom.db_url) as gradebook:
        assert not gradebook.find_submission(LESSON, "by-hand").needs_manual_grade


def test_maximum_stays_what_it_is(classroom: Classroom) -> None:
    """Points are the gradebook's, whatever the notebook says."""
    classroom.changed("rich", LESSON, relabelled(points=1e9))
    with Gradebook(classroom.db_url) as gradebook:
        submission = gradebook.find_submission(LESSON, "rich")
        assert submission.max_score == sum(full_points(LESSON).values())


def raw(change: Callable[[dict], None], classroom: Classroom) -> bytes:
    """The solved notebook after a change that nbformat itself would not write."""
    tree = json.loads(nbformat.writes(fill(slimmed(classroom.released(LESSON)), solved(LESSON))))
    change(tree)
    return json.dumps(tree).encode()


def test_metadata_of_no_object_is_graded_or_refused_with_a_message(classroom: Classroom) -> None:
    """A cell whose metadata is a list is no notebook by nbformat's rules."""

    def change(tree: dict) -> None:
        for c in tree["cells"]:
            c["metadata"] = []

    classroom.submit("listed", LESSON, raw(change, classroom))
    graded = classroom.grade("listed", LESSON)
    assert graded.success or "is not a notebook that can be read" in graded.log
