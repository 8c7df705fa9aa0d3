"""Trained models: what was written comes back, and nothing else is taken for it."""

from __future__ import annotations

import json

import pytest
import torch

from course.lab import models
from course.lab.decoder import Config, Decoder

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
