"""Trained models: kept beside the progress, given back to later chapters, never in the way of grading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from course import trained
from course.supplied.ch07 import cross_entropy, decoder_logits, flatten, init_decoder, shift_for_teacher_forcing
from course.texts import sonnets

NAME = "ch07_characters"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's own folder."""
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path


@pytest.fixture
def small() -> dict:
    """Parameters of a tiny decoder over the characters a, b, c."""
    return init_decoder(vocab_size=3, d_model=4, heads=2, layers=2, d_ff=8, length=6, seed=1)


def test_what_was_saved_comes_back(small, own_folder, capsys):
    for tensor in flatten(small).values():
        tensor.requires_grad_()
    path = trained.save(NAME, small, 2, list("abc"), steps=7)
    assert path == own_folder / "trained" / f"{NAME}.safetensors"
    model = trained.load(NAME)
    assert capsys.readouterr().out == f"Model {NAME}: yours.\n"
    assert (model.heads, model.vocabulary, model.length, model.notes) == (2, ["a", "b", "c"], 6, {"steps": 7})
    before, after = flatten(small), flatten(model.p)
    assert list(sorted(before)) == list(sorted(after))
    assert all(torch.equal(before[name], after[name]) and not after[name].requires_grad for name in before)


def test_text_becomes_ids_and_ids_become_text(small):
    trained.save(NAME, small, 2, list("abc"))
    model = trained.load(NAME)
    assert model.encode("cab").tolist() == [[2, 0, 1]]
    assert model.decode(model.encode("cab")[0]) == "cab"
    with pytest.raises(ValueError, match="does not know 'x', 'z'"):
        model.encode("zax")


@pytest.mark.parametrize("damage", ["nothing kept", "no file of ours", "cut short", "not a number", "other vocabulary"])
def test_otherwise_the_courses_own_is_there(small, damage, capsys):
    if damage == "not a number":
        small["norm"]["gain"][0] = torch.nan
    if damage != "nothing kept":
        path = trained.save(NAME, small, 2, list("abcd" if damage == "other vocabulary" else "abc"))
        whole = path.read_bytes()
        path.write_bytes({"no file of ours": b"{}", "cut short": whole[:-9]}.get(damage, whole))
    model = trained.load(NAME)
    assert "the course's own" in capsys.readouterr().out
    assert len(model.vocabulary) == 61


def test_grading_keeps_nothing_and_reads_nothing_of_the_students(small, monkeypatch):
    trained.save(NAME, small, 2, list("abc"))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert trained.load(NAME).whose == "the course's own"
    trained.path(NAME).unlink()
    assert trained.save(NAME, small, 2, list("abc")) is None
    assert not trained.path(NAME).exists()


def test_a_folder_that_cannot_be_written_is_reported(small, own_folder, capsys):
    (own_folder / "trained").write_text("in the way")
    assert trained.save(NAME, small, 2, list("abc")) is None
    assert "could not be kept" in capsys.readouterr().out


def test_the_courses_own_is_as_good_as_its_record_says():
    record = json.loads((trained.FOLDER / f"{NAME}.json").read_text())
    model = trained.read(trained.FOLDER / f"{NAME}.safetensors")
    assert (trained.FOLDER / f"{NAME}.safetensors").stat().st_size < 1_000_000
    assert model.notes["held_out_loss"] == record["losses"][-1]["held_out"] < 1.8
    settings = record["settings"]
    length, ids = settings["length"], model.encode(sonnets())[0]
    held_out = ids[-settings["held_out"] :]
    pieces = held_out[torch.arange(0, len(held_out) - length - 1, length)[:, None] + torch.arange(length + 1)]
    inputs, targets = shift_for_teacher_forcing(pieces)
    loss = cross_entropy(decoder_logits(inputs, model.p, model.heads), targets)
    assert loss.item() == pytest.approx(model.notes["held_out_loss"], abs=2e-3)


def test_the_sonnets_are_all_there():
    poems = sonnets().strip().split("\n\n")
    lengths = [len(poem.splitlines()) for poem in poems]
    assert len(poems) == 154
    assert {i + 1: n for i, n in enumerate(lengths) if n != 14} == {99: 15, 126: 12}  # as Shakespeare left them
    assert len(set(sonnets())) == 61
