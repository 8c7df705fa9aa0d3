"""The training loop: it learns, stops when nothing is wrong, and goes on after it was killed as if it had not been."""

from __future__ import annotations

import doctest
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from course.lab import training
from course.lab.decoder import Config, Decoder
from course.lab.multiplication import VOCABULARY, all_pairs, evaluate, lines, targets
from course.lab.muon import Muon
from course.lab.training import Recipe, drawn, one_thread, optimisers_of, rate, train
from tests.lab.killed import RECIPE, short_training

CONFIG = Config(len(VOCABULARY), d_model=32, layers=1, heads=2, d_ff=128, length=10)
DATA = targets(lines(all_pairs(1), 1), 1)
BATCH = drawn(*DATA, size=64, seed=0)


def test_the_examples_hold():
    results = doctest.testmod(training)
    assert results.attempted
    assert not results.failed


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_it_learns_the_products_of_one_digit_and_stops_there(optimiser):
    model = Decoder(CONFIG)
    recipe = Recipe(steps=600, optimiser=optimiser, warmup=10, rate=1e-2, check_every=20)
    run = train(model, recipe, BATCH, lambda m: evaluate(m, all_pairs(1), 1).errors, bar=False)
    assert run.errors == 0
    assert evaluate(model, all_pairs(1), 1).right == 100
    assert run.step < 600, "it stops as soon as nothing is wrong"
    assert run.step % 20 == 0
    assert [c["step"] for c in run.checks] == list(range(20, run.step + 1, 20))
    assert run.tokens == run.step * 64 * 9
    assert len(run.losses) == run.step
    assert 0 < run.checks[0]["seconds"] < run.seconds


def test_one_thread_and_then_as_before():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_batch_may_say_where_its_tokens_stand():
    config = replace(CONFIG, positions="rope")
    moved = [(*BATCH(step), torch.arange(9).expand(64, 9) * by) for step, by in ((0, 1), (1, 1), (0, 3))]
    plain, counted, spread = (
        train(Decoder(config), Recipe(steps=1), batch, lambda _: 1, bar=False).losses
        for batch in (BATCH, lambda step: moved[step], lambda step: moved[2])
    )
    assert plain == counted
    assert plain != spread


@pytest.mark.slow
def test_on_a_gpu_it_would_be_one_program_that_learns_the_same(monkeypatch):
    """Compiled as for a GPU, forwards and backwards, but run here: no part of the model is left out of the program."""
    original, compiled = torch.compile, training.compiled
    monkeypatch.setattr(torch, "compile", lambda model: original(model, fullgraph=True, backend="aot_eager"))
    as_it_is = train(Decoder(CONFIG), Recipe(steps=3), BATCH, lambda _: 1, bar=False)
    monkeypatch.setattr(training, "compiled", lambda model, device: compiled(model, torch.device("cuda")))
    one_program = train(Decoder(CONFIG), Recipe(steps=3), BATCH, lambda _: 1, bar=False)
    torch._dynamo.reset()
    assert one_program.losses == pytest.approx(as_it_is.losses, rel=1e-5)


def test_on_a_cpu_it_is_as_it_is():
    model = Decoder(CONFIG)
    assert training.compiled(model, torch.device("cpu")) is model


def test_it_ends_with_a_check_though_something_is_wrong():
    run = train(Decoder(CONFIG), Recipe(steps=5, extra=2, check_every=3), BATCH, lambda _: 9, bar=False)
    assert (run.step, run.errors) == (7, 9)
    assert [c["step"] for c in run.checks] == [3, 6, 7]


def test_the_bar_tells_steps_loss_and_errors(capsys):
    train(Decoder(CONFIG), Recipe(steps=3, check_every=2), BATCH, lambda _: 9)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "loss=2." in shown
    assert "errors=9" in shown


def test_a_step_depends_on_the_seed_and_its_number_alone():
    again, other = drawn(*DATA, size=64, seed=0), drawn(*DATA, size=64, seed=1)
    assert torch.equal(BATCH(5)[0], again(5)[0])
    assert not torch.equal(BATCH(5)[0], BATCH(6)[0])
    assert not torch.equal(BATCH(5)[0], other(5)[0])
    inputs, following = BATCH(5)
    assert inputs.shape == following.shape == (64, 9)
    assert torch.equal(inputs[:, 4:], following[:, 3:-1]), "a target is the next input"


def test_muon_moves_the_blocks_matrices_and_adamw_all_else():
    model = Decoder(CONFIG)
    muon, adamw = optimisers_of(model, Recipe(steps=1))
    moved = [{id(p) for g in o.param_groups for p in g["params"]} for o in (muon, adamw)]
    names = [{n for n, p in model.named_parameters() if id(p) in ids} for ids in moved]
    parts = ("attention.query", "attention.key", "attention.value", "attention.out", "up", "down")
    assert isinstance(muon, Muon)
    assert names[0] == {f"blocks.0.{part}.weight" for part in parts}
    assert names[0] | names[1] == {n for n, _ in model.named_parameters()}
    assert not names[0] & names[1]


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_only_the_blocks_matrices_decay(optimiser):
    first, second = optimisers_of(Decoder(CONFIG), Recipe(steps=1, optimiser=optimiser, weight_decay=0.3))
    assert [o.param_groups[0]["weight_decay"] for o in (first, second)] == [0.3, 0.0]


def test_the_rate_rises_stays_falls_and_ends_at_the_floor():
    recipe = Recipe(steps=100, warmup=10, decay=0.4, floor=0.2)
    rates = [rate(step, recipe) for step in range(150)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:61] == [1.0] * 52
    assert rates[80] == pytest.approx(0.6)
    assert rates[100:] == pytest.approx([0.2] * 50)
    assert all(a > b for a, b in pairwise(rates[60:101]))
    assert rate(3, replace(recipe, warmup=0, decay=0)) == 1.0


def test_long_gradients_are_cut(monkeypatch):
    """All gradients together are as long as the recipe allows when the optimisers see them."""
    lengths = []
    step = torch.optim.AdamW.step

    def watched(self, *args):
        lengths.extend(p.grad.norm() for g in self.param_groups for p in g["params"])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    train(Decoder(CONFIG), Recipe(steps=1, optimiser="adamw", clip=1e-3), BATCH, lambda _: 1, bar=False)
    assert torch.stack(lengths).norm().item() == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("positions", ["learned", "rope", "none"])
def test_it_also_learns_with_products_in_bfloat16(positions, monkeypatch):
    """As on a GPU: the weights stay in float32, the loss falls as far as it does otherwise."""
    model = Decoder(replace(CONFIG, positions=positions, kv_heads=1))
    monkeypatch.setattr(training, "precision", lambda device: torch.autocast(device.type, torch.bfloat16))
    seen = set()
    model.head.register_forward_hook(lambda _m, _i, logits: seen.add(logits.dtype))
    run = train(model, Recipe(steps=30, warmup=5, rate=1e-2, check_every=99), BATCH, lambda _: 1, bar=False)
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    plain = train(Decoder(model.config), Recipe(steps=1), BATCH, lambda _: 1, bar=False)
    assert run.losses[0] == pytest.approx(plain.losses[0], rel=1e-2)
    assert run.losses[-1] < 0.8 * run.losses[0]


def test_on_a_cpu_all_is_float32():
    with training.precision(torch.device("cpu")):
        assert Decoder(CONFIG)(DATA[0]).dtype == torch.float32


# ---- after a kill ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Decoder, training.Run]:
    """The short training in one go."""
    return short_training(None)


def killed_after(checkpoint: Path, seconds: float) -> None:
    """Start the short training, and kill it some time after the file was written again."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    child = subprocess.Popen([sys.executable, "-m", "tests.lab.killed", str(checkpoint)])
    deadline = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        if checkpoint.exists() and checkpoint.stat().st_mtime_ns > before:
            break
        time.sleep(0.005)
    time.sleep(seconds)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def same(run: training.Run, model: Decoder, undisturbed: tuple[Decoder, training.Run]) -> bool:
    """Whether a run came to the same, bit for bit."""
    weights = zip(model.parameters(), undisturbed[0].parameters(), strict=True)
    return run.losses == undisturbed[1].losses and all(torch.equal(a, b) for a, b in weights)


def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path, undisturbed):
    checkpoint = tmp_path / "run.pt"
    killed_after(checkpoint, 0.05)
    kept = torch.load(checkpoint, weights_only=True)["run"]["step"]
    assert 0 < kept < RECIPE.steps, "killed on the way"
    model, run = short_training(checkpoint)
    assert run.step == RECIPE.steps
    assert len(run.checks) == RECIPE.steps
    assert same(run, model, undisturbed)


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again_comes_to_the_same(tmp_path, undisturbed):
    checkpoint, steps = tmp_path / "run.pt", []
    for wait in (0.0, 0.013, 0.031, 0.002):
        killed_after(checkpoint, wait)
        steps.append(torch.load(checkpoint, weights_only=True)["run"]["step"])
    assert steps == sorted(steps)
    assert steps[0] < RECIPE.steps
    model, run = short_training(checkpoint)
    assert same(run, model, undisturbed)


def test_what_breaks_while_writing_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    checkpoint = tmp_path / "run.pt"
    recipe = Recipe(steps=4, check_every=2)
    save = torch.save

    def full_disk(state, stream):
        save(state, stream)
        if state["run"]["step"] == 4:
            stream.truncate(100)
            raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        train(Decoder(CONFIG), recipe, BATCH, lambda _: 1, checkpoint, bar=False)
    monkeypatch.undo()
    assert torch.load(checkpoint, weights_only=True)["run"]["step"] == 2
    assert train(Decoder(CONFIG), recipe, BATCH, lambda _: 1, checkpoint, bar=False).step == 4


def test_a_finished_run_does_nothing_more(tmp_path):
    checkpoint = tmp_path / "run.pt"
    recipe = Recipe(steps=3, check_every=3)
    first, second = Decoder(CONFIG), Decoder(CONFIG, seed=8)
    run = train(first, recipe, BATCH, lambda _: 0, checkpoint, bar=False)
    again = train(second, recipe, BATCH, lambda _: pytest.fail("no check is due"), checkpoint, bar=False)
    assert again == run
    assert torch.equal(first.head.weight, second.head.weight)


@pytest.mark.parametrize(
    ("config", "recipe"),
    [(replace(CONFIG, positions="none"), Recipe(steps=3)), (CONFIG, Recipe(steps=3, rate=1e-4))],
    ids=["model", "recipe"],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, config, recipe):
    checkpoint = tmp_path / "run.pt"
    train(Decoder(CONFIG), Recipe(steps=3), BATCH, lambda _: 0, checkpoint, bar=False)
    with pytest.raises(ValueError, match="another recipe or model"):
        train(Decoder(config), recipe, BATCH, lambda _: 0, checkpoint, bar=False)


# ---- what watches ---------------------------------------------------------------------------------------------------


def test_somebody_may_watch_every_step_and_more_may_be_measured():
    seen = []
    found = {"errors": 5, "held out": 0.5}
    run = train(Decoder(CONFIG), Recipe(steps=4, check_every=2), BATCH, lambda _: found, bar=False,
                watch=lambda run: seen.append((run.step, run.errors, len(run.losses))))  # fmt: skip
    assert seen == [(1, None, 1), (2, 5, 2), (3, 5, 3), (4, 5, 4)]
    assert [check["held out"] for check in run.checks] == [0.5, 0.5]
