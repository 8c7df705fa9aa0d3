"""Trained models: what was written comes back, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from course.lab import models
from course.lab.decoder import Config, Decoder
from course.lab.multiplication import all_pairs, evaluate
from tools import train_lab

MODEL = Decoder(Config(vocab=5, d_model=8, layers=1, heads=2, d_ff=8, length=6, positions="rope", kv_heads=1), seed=2)


def test_what_was_written_comes_back(tmp_path):
    path = models.write("small", MODEL, {"seed": 2}, tmp_path)
    model, record = models.load("small", tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["small.json", "small.safetensors"]
    assert path == tmp_path / "small.safetensors"
    assert model.config == MODEL.config
    assert (record["seed"], record["parameters"]) == (2, MODEL.size)
    ids = torch.tensor([[0, 1, 2]])
    assert torch.equal(model(ids), MODEL(ids))
    assert not model(ids).requires_grad


def test_one_changed_bit_is_noticed(tmp_path):
    path = models.write("small", MODEL, {}, tmp_path)
    weights = bytearray(path.read_bytes())
    weights[-3] ^= 1
    path.write_bytes(weights)
    with pytest.raises(ValueError, match=r"small\.safetensors is damaged"):
        models.load("small", tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path):
    path = models.write("small", MODEL, {}, tmp_path)
    file = path.with_suffix(".json")
    record = json.loads(file.read_text())
    record["config"]["vocab"] = 6
    file.write_text(json.dumps(record))
    with pytest.raises(RuntimeError, match=r"size mismatch for embed\.weight"):
        models.load("small", tmp_path)


def test_a_model_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        models.load("no_such_model")


def test_the_shipped_model_knows_every_product_of_two_digits():
    """All 10,000, worked out by itself; and its record tells of the script as it stands."""
    model, record = models.load(train_lab.NAME)
    score = evaluate(model, all_pairs(2), 2)
    assert (score.total, score.right) == (10_000, 10_000)
    assert record["right"] == {"trained on": [5000, 5000], "held out": [5000, 5000]}
    assert record["config"] == asdict(train_lab.CONFIG)
    assert record["recipe"].items() >= asdict(train_lab.RECIPE).items()
    assert (models.FOLDER / f"{train_lab.NAME}.safetensors").stat().st_size < 12e6


def test_several_seeds_are_recorded_once_and_summed_up(tmp_path, monkeypatch):
    """A seed that the record holds is not trained again, unless the recipe has changed."""
    asked = []

    def trained(seed, checkpoint):
        asked.append(seed)
        found = {"step": 700, "tokens": 9, "seconds": 1.0, "errors": seed == 1}
        return Decoder(train_lab.CONFIG), train_lab.Run(step=700, seconds=30.0 + seed, checks=[found])

    def right(model, pairs):
        return [len(pairs) - (asked[-1] == 1), len(pairs)]

    monkeypatch.setattr(train_lab, "UNFINISHED", tmp_path)
    monkeypatch.setattr(train_lab, "trained", trained)
    monkeypatch.setattr(train_lab, "right", right)
    train_lab.several(2, tmp_path)
    record = train_lab.several(3, tmp_path)
    assert asked == [0, 1, 2]
    assert record == json.loads((tmp_path / "lab_two_digits_seeds.json").read_text())
    said = train_lab.summary(record)
    assert "| 1 | 700 | 31 | 1 | 1 |" in said
    assert said.endswith("2 of 3 seeds get all 10,000 products right; the median training takes 31 CPU-seconds.")
    monkeypatch.setattr(train_lab, "RECIPE", replace(train_lab.RECIPE, steps=9))
    train_lab.several(1, tmp_path)
    assert asked == [0, 1, 2, 0]


def test_a_model_that_is_wrong_somewhere_is_not_written(tmp_path, monkeypatch):
    run = train_lab.Run(step=3, checks=[{"step": 3, "tokens": 9, "seconds": 1.0, "errors": 2}])
    monkeypatch.setattr("sys.argv", ["train_lab.py"])
    monkeypatch.setattr(train_lab, "UNFINISHED", tmp_path)
    monkeypatch.setattr(train_lab, "trained", lambda *_: (Decoder(train_lab.CONFIG), run))
    monkeypatch.setattr(
        train_lab, "recorded", lambda *_: dict.fromkeys(["seed", "steps", "tokens", "cpu_seconds", "right"])
    )
    monkeypatch.setattr(models, "write", lambda *_: pytest.fail("written all the same"))
    (tmp_path / "lab_two_digits_0.pt").touch()
    with pytest.raises(SystemExit, match="still wrong"):
        train_lab.main()
