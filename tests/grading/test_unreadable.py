"""Files that are no notebooks: no points and the reason, for student and instructor; the rest is graded."""

from __future__ import annotations

import json

import nbformat
import pytest

from tests.grading.classroom import Classroom, Graded, fill, full_points, slimmed, solved

pytestmark = pytest.mark.slow
LESSON = "ch06_decoder"


def good(classroom: Classroom) -> bytes:
    """The solved lesson as a file."""
    return nbformat.writes(fill(slimmed(classroom.released(LESSON)), solved(LESSON))).encode()


UNREADABLE = {
    "no-json": lambda data: b"dear teacher, my notebook",
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "binary": lambda data: bytes(range(256)) * 50,
    "a-list": lambda data: b"[1, 2, 3]",
    "a-number": lambda data: b"3",
    "null": lambda data: b"null",
    "an-object": lambda data: b'{"answer": 42}',
    "cells-of-no-list": lambda data: b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 5}',
    "nbformat-text": lambda data: b'{"nbformat": "four", "nbformat_minor": 5, "metadata": {}, "cells": []}',
    "utf-16": lambda data: data.decode().encode("utf-16"),
    "deep": lambda data: b"[" * 100_000,
    "40-megabytes": lambda data: data + b" " * (40 << 20),
    "a-million-cells": lambda data: b'{"nbformat": 4, "metadata": {}, "cells": [' + b"{}," * 999_999 + b"{}]}",
}


@pytest.fixture(scope="module")
def batch(classroom: Classroom) -> dict[str, Graded]:
    """One run of nbgrader over students with unreadable files and, last by name, one with a good one."""
    for student, spoil in UNREADABLE.items():
        classroom.submit(f"bad-{student}", LESSON, spoil(good(classroom)))
    classroom.submit("zoe", LESSON, good(classroom))
    students = [f"bad-{s}" for s in UNREADABLE] + ["zoe"]
    before = {s: classroom.submitted(s, LESSON).read_bytes() for s in students}
    whole = classroom.grade("*", LESSON)
    assert {s: classroom.submitted(s, LESSON).read_bytes() for s in students} == before
    return {s: Graded(classroom, s, LESSON, whole.success, whole.log) for s in students}


def test_the_rest_of_the_class_is_graded(batch: dict[str, Graded]) -> None:
    """The good submission comes last, after everything that could have ended the run."""
    assert batch["zoe"].scores == full_points(LESSON)


@pytest.mark.parametrize("student", UNREADABLE)
def test_an_unreadable_file_gets_no_points_and_the_reason(batch: dict[str, Graded], student: str) -> None:
    """In the feedback, for the student, and in nbgrader's log, for the instructor."""
    graded = batch[f"bad-{student}"]
    assert graded.success
    assert graded.scores == dict.fromkeys(full_points(LESSON), 0.0)
    first = next(iter(graded.said.values()))
    assert "this file could not be read as a notebook" in first
    assert "open it in JupyterLab, save it and submit it again" in first
    assert f"bad-{student}: this file could not be read as a notebook" in graded.log


def test_a_notebook_of_the_old_format_is_graded(classroom: Classroom) -> None:
    """nbformat 3 is converted; the submitted file stays as it is."""
    old = nbformat.convert(nbformat.reads(good(classroom).decode(), as_version=4), 3)
    data = json.dumps(old).encode()
    classroom.submit("old", LESSON, data)
    graded = classroom.grade("old", LESSON)
    assert graded.success, graded.log
    assert graded.scores == full_points(LESSON)
    assert classroom.submitted("old", LESSON).read_bytes() == data


def test_a_notebook_without_cells_gets_zero_and_says_why(classroom: Classroom) -> None:
    """Every check comes back and finds nothing."""
    classroom.submit("no-cells", LESSON, nbformat.writes(nbformat.v4.new_notebook()).encode())
    graded = classroom.grade("no-cells", LESSON)
    assert graded.success, graded.log
    assert graded.scores == dict.fromkeys(full_points(LESSON), 0.0)
    assert all("is not defined" in text for text in graded.said.values())


def test_another_file_name_is_told(classroom: Classroom) -> None:
    """A notebook that was renamed is not the one that was asked for."""
    classroom.submit("renamed", LESSON, good(classroom))
    path = classroom.submitted("renamed", LESSON)
    path.rename(path.with_name("my_solution.ipynb"))
    graded = classroom.grade("renamed", LESSON)
    assert "my_solution.ipynb" in graded.log
    assert not graded.success
