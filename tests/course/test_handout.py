"""Working copies: made, updated, and never overwritten once somebody worked in them."""

import nbformat
import pytest

from course import handout
from course.__main__ import main


@pytest.fixture
def released(tmp_path, monkeypatch):
    """A folder with one released lesson, which tests may change."""
    folder = tmp_path / "release"
    monkeypatch.setattr(handout, "lessons_folder", lambda: folder)
    monkeypatch.setattr("course.__main__.lessons_folder", lambda: folder)
    return folder


def release(folder, edition: str, text: str) -> None:
    cells = [nbformat.v4.new_code_cell(text, id="c0")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"course": {"lesson": "ch99_x", "edition": edition}})
    (folder / "ch99_x").mkdir(parents=True, exist_ok=True)
    nbformat.write(handout.stamped(notebook), folder / "ch99_x" / "ch99_x.ipynb")


def edit(path, **change) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].update(change)
    nbformat.write(notebook, path)


def text_of(path) -> str:
    return nbformat.read(path, as_version=4).cells[0].source


def test_an_untouched_copy_is_updated(released, tmp_path):
    release(released, "1", "old")
    handout.hand_out(tmp_path / "mine")
    release(released, "2", "new")
    assert "updated" in handout.hand_out(tmp_path / "mine")[0]
    assert text_of(tmp_path / "mine/ch99_x/ch99_x.ipynb") == "new"


@pytest.mark.parametrize(
    "change",
    [{"source": "my work"}, {"outputs": [nbformat.v4.new_output("stream", text="my result")]}],
    ids=["text", "outputs"],
)
def test_a_changed_copy_is_kept_and_the_new_edition_put_beside_it(released, tmp_path, change):
    release(released, "1", "old")
    handout.hand_out(tmp_path / "mine")
    mine = tmp_path / "mine/ch99_x/ch99_x.ipynb"
    edit(mine, **change)
    before = mine.read_bytes()
    release(released, "2", "new")
    assert "kept your" in handout.hand_out(tmp_path / "mine")[0]
    assert mine.read_bytes() == before
    (beside,) = mine.parent.glob("*.edition-*.ipynb")
    assert text_of(beside) == "new"
    assert handout.hand_out(tmp_path / "mine") == []  # said once, copied once


def test_a_file_that_is_no_notebook_any_more_is_kept(released, tmp_path):
    release(released, "1", "old")
    handout.hand_out(tmp_path / "mine")
    mine = tmp_path / "mine/ch99_x/ch99_x.ipynb"
    mine.write_text("not json")
    handout.hand_out(tmp_path / "mine")
    assert mine.read_text() == "not json"


def test_the_start_page_is_renewed_after_it_was_run_but_not_after_it_was_edited(released, tmp_path):
    release(released, "1", "old")
    handout.hand_out(tmp_path / "mine")
    start = tmp_path / "mine" / handout.START
    edit(start, source="my notes")
    handout.hand_out(tmp_path / "mine")
    assert text_of(start) == "my notes"


def test_the_start_page_links_every_lesson():
    text = handout.start_page().cells[0].source
    for path in handout.lessons_folder().glob("*/*.ipynb"):
        assert f"({path.parent.name}/{path.name})" in text


def test_no_lessons_is_an_error_that_says_what_to_do(released, tmp_path, capsys):
    released.mkdir()
    assert main(["start", "--folder", str(tmp_path / "mine")]) == 1
    assert "make build" in capsys.readouterr().err


def test_start_says_what_it_made(tmp_path, capsys):
    assert main(["start", "--folder", str(tmp_path / "mine")]) == 0
    assert "new: " in capsys.readouterr().out
