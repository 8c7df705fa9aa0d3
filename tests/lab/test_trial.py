"""A trial trains with whatever functions it is given; what a decoder looks at is what its own attention mixes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from course.lab import training, trial
from course.lab.decoder import Config, Decoder
from course.lab.inspection import look
from course.lab.trial import Trial, logbook, run_trial, table, writer
from course.supplied import m18

ENCODE = partial(m18.encode_lines, vocabulary=m18.VOCABULARY)
LINE = partial(m18.product_line, digits=1)
SMALL = Trial("small", LINE, 4, digits=1, d_model=32, layers=1, share=0.8, steps=60, batch=32, check_every=20)


def test_a_trial_trains_and_is_noted():
    seen = []
    result = run_trial(SMALL, ENCODE, m18.masked_targets, watch=lambda run: seen.append(run.step))
    assert seen == list(range(1, 61))
    assert (len(result.known), len(result.held)) == (80, 20)
    assert result.run.losses[-1] < 0.6 * result.run.losses[0]
    assert result.run.tokens == 60 * 32 * 9
    row = result.row
    assert logbook["small"] == row
    assert (row["parameters"], row["pairs"], row["steps"]) == (result.model.size, 80, 60)
    head, line = table([row]).splitlines()
    assert len(head) == len(line)
    assert line.split()[:3] == ["small", f"{result.model.size:,}", "80"]
    assert f"{row['held out']:.1%}" in line


def test_it_ends_when_nothing_is_wrong_and_asks_everything_first(monkeypatch):
    asked = []

    def recheck(model):
        asked.append(1)
        return 3 - len(asked)

    monkeypatch.setattr(trial, "_right", lambda *_: 1.0)
    result = run_trial(SMALL, ENCODE, m18.masked_targets, recheck=recheck)
    assert (result.run.step, len(asked), result.run.errors) == (60, 3, 0)
    assert [check["errors"] for check in result.run.checks] == [2, 1, 0]


def test_the_share_counts_whole_lines_and_only_what_has_a_loss():
    model = Decoder(Config(15, d_model=8, layers=1, heads=2, d_ff=8, length=6))
    inputs = torch.tensor([[1, 2, 3, 4], [4, 3, 2, 1], [5, 5, 5, 5]])
    targets = model(inputs).argmax(-1)
    targets[0, 0] = -100
    targets[1, 2] = (targets[1, 2] + 1) % 15
    assert trial._right(model, inputs, targets) == pytest.approx(2 / 3)


def test_threads_are_as_before_even_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            run_trial(SMALL, lambda lines: 1 / 0, m18.masked_targets)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_fewer_steps_where_the_environment_says_so(monkeypatch):
    monkeypatch.setenv(training.FEWER, "3")
    result = run_trial(replace(SMALL, steps=50), ENCODE, m18.masked_targets)
    assert result.run.step == 3
    assert [check["step"] for check in result.run.checks] == [3]


def test_a_writer_finishes_lines():
    model = Decoder(Config(15, d_model=8, layers=1, heads=2, d_ff=8, length=10))
    write = writer(model, ENCODE, partial(m18.decode_line, vocabulary=m18.VOCABULARY), 14)
    lines = write(["3*4=", "5*6=", "0*0="])
    assert [line[:4] for line in lines] == ["3*4=", "5*6=", "0*0="]
    assert all(len(line) == 10 or line.endswith("\n") for line in lines)


@pytest.mark.parametrize("kind", [{}, {"positions": "rope"}, {"positions": "none", "kv_heads": 2}, {"kv_heads": 1}])
def test_what_it_looks_at_is_what_attention_mixes(kind):
    """The values, weighted so, are what goes into the output matrix; and no hook stays behind."""
    model = Decoder(Config(11, d_model=24, layers=2, heads=4, d_ff=16, length=9, **kind), seed=1).requires_grad_(False)
    for p in model.parameters():
        p += 0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(2))
    ids = torch.tensor([1, 5, 3, 3, 10, 0])
    mixed, values, c = [], [], model.config
    for block in model.blocks:
        block.attention.out.register_forward_pre_hook(lambda _, inputs: mixed.append(inputs[0][0]))
        block.attention.value.register_forward_hook(lambda _m, _i, out: values.append(out[0]))
    logits, weights = look(model, ids)
    torch.testing.assert_close(logits, model(ids[None])[0])
    assert weights.shape == (2, 4, 6, 6)
    assert weights.triu(1).abs().max() == 0
    for layer in range(2):
        v = values[layer].unflatten(-1, (-1, c.d_head)).transpose(0, 1).repeat_interleave(c.heads // c.keys, 0)
        torch.testing.assert_close((weights[layer] @ v).transpose(0, 1).flatten(1), mixed[layer], rtol=1e-4, atol=1e-5)
    hooks = [len(m._forward_hooks) for b in model.blocks for m in (b.attention.query, b.attention.key)]
    assert hooks == [0] * 4
