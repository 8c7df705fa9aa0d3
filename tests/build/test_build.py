"""The build: the same bytes twice, stale files are named, and nobody's work is overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from autograder import build as builder
from autograder.build import ROOT, BuildError
from autograder.exercise import definitions, lessons
from course.checks import sheet
from tests.build.conftest import LESSON, notebook_path, replaced, text_path


def contents(root: Path) -> dict[Path, bytes]:
    """Every file under a root."""
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def names(root: Path, paths: list[Path]) -> list[str]:
    """Paths as the build's user sees them."""
    return sorted(str(p.relative_to(root)) for p in paths)


@pytest.mark.slow
def test_the_committed_tree_is_up_to_date() -> None:
    """What CI's `make check` asks."""
    assert builder.build(ROOT, [], check=True) == []


@pytest.mark.slow
def test_twice_the_same_bytes_and_those_that_are_committed(tree: Path) -> None:
    """Everything generated is thrown away and made again."""
    before = contents(tree)
    shutil.rmtree(tree / "release")
    shutil.rmtree(tree / "solutions")
    assert len(builder.build(tree, [])) == 2 * len(lessons())
    assert contents(tree) == before
    assert builder.build(tree, []) == []


def test_golden_data_twice_the_same_bytes() -> None:
    """Nothing random, no order of a dictionary, no date."""
    for lesson in lessons():
        assert builder.golden_bytes(lesson) == builder.golden_bytes(lesson)


@pytest.mark.slow
def test_a_change_of_the_text_is_named_and_mended(tree: Path) -> None:
    """Checking writes nothing; building writes what checking named."""
    replaced(text_path(tree), "## Recap", "## Summary")
    before = contents(tree)
    wanted = names(tree, [notebook_path(tree, kind) for kind in ("release", "solutions")])
    assert names(tree, builder.build(tree, [LESSON], check=True)) == wanted
    assert contents(tree) == before
    assert names(tree, builder.build(tree, [LESSON])) == wanted
    assert all("## Summary" in (tree / name).read_text() for name in wanted)
    assert builder.build(tree, [LESSON], check=True) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "edit"), [("solutions", "text"), ("release", "outputs"), ("release", "not a notebook")]
)
def test_a_notebook_edited_by_hand_is_named_and_never_overwritten(tree: Path, kind: str, edit: str) -> None:
    """BuildError says what to do; the file is as it was, and so is every other notebook."""
    path = notebook_path(tree, kind)
    notebook = nbformat.read(path, as_version=4)
    code = next(c for c in notebook.cells if c.cell_type == "code")
    if edit == "text":
        code.source += "\nmy_work = 1"
    else:
        code.outputs = [nbformat.v4.new_output("stream", text="what it printed")]
    text = "my own notes" if edit == "not a notebook" else nbformat.writes(notebook)
    path.write_text(text, encoding="utf-8")
    replaced(text_path(tree), "## Recap", "## Summary")
    before = contents(tree)
    with pytest.raises(BuildError, match="changed by hand") as caught:
        builder.build(tree, [LESSON])
    assert str(path) in str(caught.value)
    assert "move the file elsewhere" in str(caught.value)
    assert contents(tree) == before


def test_a_change_of_the_golden_data_is_named(tree: Path) -> None:
    """Another tolerance, a moved point: whatever differs from what the exercises say."""
    path = sheet.path_of(LESSON)
    arrays, text = golden(path)
    save_file(arrays, path, {"course": text.replace('"minutes"', '"minuten"', 1)})
    assert builder.refresh_golden(LESSON, write=False)
    assert builder.refresh_golden(LESSON, write=True)
    assert path.read_bytes() == builder.golden_bytes(LESSON)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x05\0\0\0\0\0\0\0{}   "])
def test_a_damaged_golden_file_is_made_anew(tree: Path, data: bytes) -> None:
    """An interrupted download, a merge gone wrong."""
    path = sheet.path_of(LESSON)
    path.write_bytes(data)
    assert builder.refresh_golden(LESSON, write=True)
    assert path.read_bytes() == builder.golden_bytes(LESSON)


def golden(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Arrays and text of a golden file."""
    with safe_open(path, framework="numpy") as file:
        return load_file(path), file.metadata()["course"]


@pytest.mark.parametrize(("factor", "stale"), [(1 + 1e-15, False), (1 + 1e-6, True)])
def test_last_bits_of_another_processor_are_not_stale(tree: Path, factor: float, stale: bool) -> None:
    """The file of the machine that made it is left alone, unless numbers really differ."""
    path = sheet.path_of(LESSON)
    arrays, text = golden(path)
    shifted = {k: a * factor if a.dtype == np.float64 else a for k, a in arrays.items()}
    assert any((shifted[k] != arrays[k]).any() for k in arrays)
    save_file(shifted, path, {"course": text})
    before = path.read_bytes()
    assert builder.refresh_golden(LESSON, write=not stale) == stale
    assert path.read_bytes() == before


@pytest.mark.parametrize(("dtype", "change", "same"), [
    (np.float32, 1e-6, True), (np.float32, 1e-3, False), (np.float64, 1e-14, True), (np.float64, 1e-6, False),
])  # fmt: skip
def test_last_bits_are_larger_in_float32(dtype: type, change: float, same: bool) -> None:
    """torch sums in another order on another number of threads."""
    numbers = np.array([7.4, -0.3, np.nan, np.inf], dtype)
    assert builder._same_but_last_bits(numbers, (numbers * (1 + change)).astype(dtype)) == same


@pytest.mark.parametrize(("change", "stale"), [(1e-14, False), (1e-6, True)])
def test_last_digits_of_single_numbers_are_not_stale(tree: Path, change: float, stale: bool) -> None:
    """Results that are plain floats stand in the file's text."""
    path = sheet.path_of(LESSON)
    arrays, text = golden(path)
    save_file(arrays, path, {"course": json.dumps(nudged(json.loads(text), change))})
    assert builder.refresh_golden(LESSON, write=False) == stale


def nudged(tree: object, change: float) -> object:
    """The tree with every float multiplied by 1 + change."""
    if isinstance(tree, float):
        return tree * (1 + change)
    if isinstance(tree, list):
        return [nudged(t, change) for t in tree]
    return {k: nudged(v, change) for k, v in tree.items()} if isinstance(tree, dict) else tree


@pytest.mark.parametrize("lesson", lessons())
def test_cells_have_names_of_their_own(lesson: str) -> None:
    """Ids are unique, and a graded cell's id is its grade_id, which is the exercise's id."""
    cells = nbformat.read(notebook_path(ROOT, "release", lesson), as_version=4).cells
    ids = [c.id for c in cells]
    assert len(set(ids)) == len(ids)
    named = {c.id: c.metadata.nbgrader.grade_id for c in cells if "nbgrader" in c.metadata}
    assert all(name == grade_id for name, grade_id in named.items())
    wanted = [i.replace(".", "-") for i in definitions(lesson)]
    assert sorted(named) == sorted([*wanted, *(f"{w}-code" for w in wanted)])


@pytest.mark.parametrize("lesson", lessons())
def test_points_in_the_notebook_are_the_definitions(lesson: str) -> None:
    """In the metadata, and in the text above each exercise."""
    cells = nbformat.read(notebook_path(ROOT, "release", lesson), as_version=4).cells
    points = {
        c.id.replace("-", ".", 1): c.metadata.nbgrader.points
        for c in cells
        if "points" in c.metadata.get("nbgrader", {})
    }
    assert points == {d.id: d.points for d in definitions(lesson).values()}
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    for d in definitions(lesson).values():
        assert f"`{d.name}`** ({d.points:g} point" in prose
    assert f"| **together** | **{sum(points.values()):g}** |" in prose


def test_ids_stay_when_something_else_is_changed(tree: Path) -> None:
    """A new paragraph changes no other cell's id, so a diff shows only what was written."""
    before = [c["id"] for c in json.loads(builder.solution_text(tree, LESSON))["cells"]]
    replaced(text_path(tree), "# %% [markdown]\n# ## 3.", "# %% [markdown]\n# New here.\n\n# %% [markdown]\n# ## 3.")
    after = [c["id"] for c in json.loads(builder.solution_text(tree, LESSON))["cells"]]
    assert len(after) == len(before) + 1
    assert [i for i in after if i in before] == before
    assert after == [c["id"] for c in json.loads(builder.solution_text(tree, LESSON))["cells"]]


@pytest.mark.parametrize("lesson", lessons())
def test_locked_cells_are_locked_and_answers_are_not(lesson: str) -> None:
    """JupyterLab refuses to edit a check cell, and lets nobody lose it by accident."""
    for c in nbformat.read(notebook_path(ROOT, "release", lesson), as_version=4).cells:
        mark = c.metadata.get("nbgrader")
        if mark and mark.grade:
            assert (mark.locked, mark.solution) == (True, False)
            assert c.metadata.editable is c.metadata.deletable is False
        elif mark:
            assert (mark.locked, mark.solution) == (False, True)
            assert c.metadata.get("editable") is not False
