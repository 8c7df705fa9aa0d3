"""Trained models: what was written comes back, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from course.lab import models
from course.lab.decoder import Config, Decoder
from course.lab.multiplication import all_pairs, evaluate, lines, split, targets
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


RIGHT = ("right", "right_of_unseen")
SHIPPED = {name: f"lab_{name}" for name in train_lab.PLANS}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_and_its_record_are_of_the_script_as_it_stands(name):
    """And its figures are those that the script asks for."""
    plan, (model, record) = train_lab.PLANS[name], models.load(SHIPPED[name])
    assert record["command"] == f"python tools/train_lab.py {name} --seed {record['seed']}"
    assert record["config"] == asdict(plan.config) == asdict(model.config)
    assert record["recipe"] == asdict(plan.recipe) | {"batch": plan.batch_size}
    assert {kind: total for kind, (_, total) in record["right"].items()} == {
        kind: len(pairs) for kind, pairs in plan.tested(plan, record["seed"]).items()
    }
    assert all(right >= plan.aim * total for of in RIGHT for right, total in record[of].values())
    assert (models.FOLDER / f"{SHIPPED[name]}.safetensors").stat().st_size < 12e6


def test_the_small_model_knows_every_product_of_two_digits():
    """All 10,000, worked out by itself."""
    model, record = models.load("lab_two_digits")
    score = evaluate(model, all_pairs(2), 2)
    assert (score.total, score.right) == (10_000, 10_000)
    assert record["right"] == {"trained on": [5000, 5000], "held out": [5000, 5000]}


@pytest.mark.parametrize("name", ["two_digits_large", "four_digits"])
def test_a_larger_model_works_out_what_it_says(name):
    """A sample of what its record counts."""
    plan, (model, record) = train_lab.PLANS[name], models.load(SHIPPED[name])
    for kind, pairs in plan.tested(plan, record["seed"]).items():
        right, total = record["right"][kind]
        assert evaluate(model, pairs[:60], plan.digits).errors <= total - right


def test_what_training_never_drew_is_counted_apart():
    """Of the pairs tested, those among the batches so far are taken out."""
    plan = train_lab.PLANS["four_digits"]
    first = train_lab.mixed(plan, 3, 0)
    assert len(first) == plan.batch_size
    assert torch.equal(train_lab.all_mixed(plan, 3, 2)[: len(first)], first)
    inputs, _ = plan.batch(plan, 3)(0)
    assert torch.equal(inputs, targets(lines(first, 4), 4)[0])
    known, held = split(all_pairs(2), 0.5, 0)
    small = train_lab.PLANS["two_digits"]
    assert torch.equal(small.seen(small, 0, 5), known)
    assert torch.equal(small.tested(small, 0)["held out"], held)


def test_several_seeds_are_recorded_once_and_summed_up(tmp_path, monkeypatch):
    """A seed that the record holds is not trained again, unless the recipe has changed."""
    asked = []

    def recorded(name, model, run, seed):
        asked.append(seed)
        right = {"trained on": [50, 50], "held out": [50 - (seed == 1), 50]}
        return {"seed": seed, "steps": 700, "tokens": 9, "cpu_seconds": 30.0 + seed, "right": right}

    monkeypatch.setattr(train_lab, "UNFINISHED", tmp_path)
    monkeypatch.setattr(train_lab, "trained", lambda *_: (None, None))
    monkeypatch.setattr(train_lab, "recorded", recorded)
    train_lab.several("two_digits", 2, tmp_path)
    record = train_lab.several("two_digits", 3, tmp_path)
    assert asked == [0, 1, 2]
    assert record == json.loads((tmp_path / "lab_two_digits_seeds.json").read_text())
    said = train_lab.summary(record)
    assert "| 1 | 700 | 31 | 0 of 50 | 1 of 50 |" in said
    assert said.endswith("2 of 3 seeds get every product right; the median training takes 31 CPU-seconds.")
    plan = train_lab.PLANS["two_digits"]
    monkeypatch.setitem(train_lab.PLANS, "two_digits", replace(plan, recipe=replace(plan.recipe, steps=9)))
    train_lab.several("two_digits", 1, tmp_path)
    assert asked == [0, 1, 2, 0]


def test_a_model_that_falls_short_is_not_written(tmp_path, monkeypatch):
    record = {key: 0 for key in ("seed", "steps", "tokens", "cpu_seconds")}
    record |= {"right": {"even": [10_000, 10_000]}, "right_of_unseen": {"even": [9_980, 9_999]}}
    monkeypatch.setattr(train_lab, "UNFINISHED", tmp_path)
    monkeypatch.setattr(train_lab, "trained", lambda *_: (None, None))
    monkeypatch.setattr(train_lab, "recorded", lambda *_: record)
    monkeypatch.setattr(models, "write", lambda *_, **__: pytest.fail("it was written"))
    with pytest.raises(SystemExit, match=r"falls short of 99\.9%"):
        train_lab.one("four_digits", 0)


def test_half_precision_is_half_the_file_and_reads_as_float32(tmp_path):
    model = Decoder(Config(5, 16, 1, 2, 32, 8), seed=1).half().float()
    whole, half = (models.write(f"half_{is_half}", model, {}, tmp_path, half=is_half) for is_half in (False, True))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    again, _ = models.load("half_True", tmp_path)
    for name, weight in again.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, model.state_dict()[name])
